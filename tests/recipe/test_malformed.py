"""Bad recipes, made from good ones by mutation: each ends in one readable message, and never in a traceback."""

from __future__ import annotations

import random
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from ganzoo.cli import exit_status
from ganzoo.core.data import DatasetInfo, Field
from ganzoo.errors import GanzooError, RecipeError
from ganzoo.recipe import read_recipe
from ganzoo.recipe.dry_run import dry_run
from ganzoo.recipe.keys import Key, format_key
from ganzoo.recipe.lines import key_lines
from ganzoo.recipe.saved import leaves

GOOD = """\
description = "Every table there is"

[game]
name = "two-player"
n_critic = 2

[generator]
name = "mlp"
latent_dim = 16
hidden = [32, 64]
output = "tanh"

[discriminator]
name = "mlp"
hidden = [64]

[loss]
name = "non-saturating"
label_smoothing = 0.1

[[regularizer]]
name = "gradient-penalty"
weight = 5.0
one_sided = true
every = 2

[[regularizer]]
name = "weight-clip"
limit = 0.5

[dataset]
name = "glyphs"
size = 28
channels = 1

[optimizer.generator]
name = "adam"
lr = 2e-4
betas = [0.5, 0.999]
eps = 1e-8

[optimizer.discriminator]
name = "rmsprop"
lr = 5e-5
centered = true

[schedule.generator]
name = "linear-decay"
start = 0.25

[ema]
decay = 0.99
players = ["generator"]
every = 2

[train]
steps = 20
batch_size = 8
seed = 3
precision = "fp32"
log_every = 5
sample_every = 10
samples = 16
checkpoint_every = 10
keep = 2

[train.stop]
seconds = 60.0
metric = "loss/generator"
patience = 20
direction = "up"
"""

WRONG = {
    bool: ("1", '"true"', "[]", "{}", "0.0"),
    int: ('"7"', "true", "1.5", "[1]", "{ a = 1 }", "2024-05-06", "9" * 30, "-5", "nan", "0xfffffffffffffffff"),
    float: ('"0.1"', "true", "[0.1]", "nan", "-inf", "07:32:00", "1e999", "-1e300", "9" * 400, "{}"),
    str: ("7", "true", '["a"]', "2024-05-06T07:08:09Z", "{ name = 'mlp' }", "[[]]"),
    list: ("3", '"text"', "true", "[[1]]", "[true]", "['a', 1]", "[-1e300]", "[nan]", "{}", "[2024-05-06]"),
}  # fmt: skip
"""What no option of a type takes, as TOML writes it."""

WRONG_NAMES = {"name": "nonesuch", "output": "tahn", "precision": "fp16", "direction": "left"}

AT_THE_END = (
    "x", "[", "]]", "a = 'b", 'a = """', "a = 1 # \x01", "a = \\", "[a]\n[a]", "a.b = 1\na = 2", "\x00", "a = 01",
    "a = 1__0", "a = {b = 1,\n", 'a = "\\q"', "a = 'x'y", "= 1", "a = 2020-13-01", "[[a]]\n[a]",
)  # fmt: skip
"""What makes any TOML text none."""

VALUES = dict(leaves(tomllib.loads(GOOD)))
LINES = key_lines(GOOD)
INFO = DatasetInfo(fields={"real": Field((1, 28, 28), "uint8"), "label": Field.label(tuple("0123456789"))}, size=100)

Case = tuple[str, str | bytes, str]
"""What was done; the bad recipe; what the message must name."""


def with_line(key: Key, line: str) -> str:
    lines = GOOD.splitlines()
    lines[LINES[key] - 1] = line
    return "\n".join(lines) + "\n"


def wrong_values() -> Iterator[Case]:
    for key, value in VALUES.items():
        for wrong in WRONG[type(value)]:
            yield f"{format_key(key)} = {wrong[:24]}", with_line(key, f"{key[-1]} = {wrong}"), format_key(key)
        if key[-1] in WRONG_NAMES:
            wrong = WRONG_NAMES[str(key[-1])]
            yield f"{format_key(key)} = {wrong}", with_line(key, f'{key[-1]} = "{wrong}"'), format_key(key)


def misspelled_keys() -> Iterator[Case]:
    draw = random.Random(2)
    for key in VALUES:
        name = str(key[-1])
        at = draw.randrange(len(name))
        for wrong in (
            name[:at] + name[at + 1 :] or "x",
            name[:at] + name[at] + name[at:],
            name.upper(),
            f"{name}.inner",
        ):
            row = GOOD.splitlines()[LINES[key] - 1]
            named = format_key(key if "." in wrong else (*key[:-1], wrong))
            yield f"{format_key(key)} as {wrong}", with_line(key, row.replace(name, wrong, 1)), named


def wrong_tables() -> Iterator[Case]:
    for header in re.findall(r"^\[\[?[\w.]+\]?\]$", GOOD, re.MULTILINE):
        table = header.strip("[]")
        first = table.partition(".")[0]
        yield f"{header} misspelled", GOOD.replace(header, header.replace(first, f"{first}x")), f"{first}x"
        yield f"{header} twice", GOOD.replace(header, f"[{table}]\nname = 'x'\n[{table}]"), "this is not TOML"
        yield f"{header} unclosed", GOOD.replace(header, header[:-1]), "this is not TOML"
        yield f"{header} as a value", GOOD.split(header)[0].split("\n[")[0] + f"\n{first} = 3\n", first
    for table in ("dataset", "optimizer", "train"):
        kept = re.split(r"\n(?=\[)", GOOD)
        text = "\n".join(part for part in kept if not part.startswith((f"[{table}]", f"[{table}.")))
        yield f"no {table}", text, table
    for later in ("augment", "evaluate"):
        yield f"[{later}]", f"{GOOD}\n[{later}]\nx = 1\n", later
    for player in ("generatr", "critic", '"a b"', "0"):
        yield f"a player {player}", GOOD.replace("[optimizer.generator]", f"[optimizer.{player}]"), player
        yield f"a schedule for {player}", GOOD.replace("[schedule.generator]", f"[schedule.{player}]"), player
        yield (
            f"an average of {player}",
            GOOD.replace('players = ["generator"]', f"players = ['{player}']"),
            "ema.players",
        )
    for table in ("loss", "generator", "discriminator"):
        kept = re.split(r"\n(?=\[)", GOOD)
        yield f"no {table} for the game", "\n".join(p for p in kept if not p.startswith(f"[{table}]")), f"[{table}]"


def broken_syntax() -> Iterator[Case]:
    draw = random.Random(3)
    rows = [row for row in GOOD.splitlines() if "=" in row]
    for row in draw.sample(rows, 12):
        name, _, value = row.partition(" = ")
        for wrong in (
            f"{name} = ",
            f"{name} {value}",
            f"{name} = {value} {value}",
            f"= {value}",
            f"{name} = [{value}",
            f"{row}\n{row}",
        ):
            yield f"{wrong!r}", GOOD.replace(row, wrong, 1), "this is not TOML"
    for text in AT_THE_END:
        yield f"{text!r} at the end", f"{GOOD}\n{text}\n", ""


def foreign_bytes() -> Iterator[Case]:
    content = GOOD.encode()
    yield "UTF-16", GOOD.encode("utf-16"), ""
    yield "UTF-32", GOOD.encode("utf-32"), ""
    yield "Latin-1", GOOD.replace("Every", "Évery").encode("latin-1"), "UTF-8"
    yield "a mark in the middle", content.replace(b"[game]", b"\xef\xbb\xbf[game]"), "this is not TOML"
    yield "empty", b"", "empty"
    yield "blank", b" \n\t\n", "empty"
    yield "only a mark", b"\xef\xbb\xbf", "empty"
    yield "a comment", b"# nothing\n", "dataset"
    yield "zeros", bytes(1000), "binary"
    yield "too large", content + b"#" * (1 << 20), "larger"
    yield "deeply nested", b"a = " + b"[" * 100_000, ""
    yield "nested within reason for TOML", b"a = " + b"[" * 100 + b"]" * 100, "nested"
    yield "a very long key", content + b"\n[" + b"a." * 5000 + b"a]\nx = 1\n", "parts"
    yield "a very long number", content.replace(b"seed = 3", b"seed = " + b"3" * 5000), ""
    yield "a png", b"\x89PNG\r\n\x1a\n" + bytes(range(256)), ""
    yield "JSON", b'{"generator": {"name": "mlp"}}', "this is not TOML"
    yield "YAML", b"generator:\n  name: mlp\n", "this is not TOML"
    for seed in range(10):
        yield f"noise {seed}", random.Random(seed).randbytes(300), ""
        at = random.Random(seed).randrange(40, len(content))
        cut = content[:at].decode().rstrip()
        yield f"cut at {at}", cut[: cut.rindex("\n")] + "\nname = ", ""


def huge_values() -> Iterator[Case]:
    yield "an enormous layer", GOOD.replace("hidden = [32, 64]", "hidden = [100000000, 100000000]"), "generator"
    yield "a product beyond 64 bits", GOOD.replace("hidden = [32, 64]", f"hidden = [{2**40}, {2**40}]"), "generator"
    yield "an endless round", GOOD.replace("n_critic = 2", "n_critic = 1000000000"), "n_critic"
    yield "a latent space beyond 64 bits", GOOD.replace("latent_dim = 16", f"latent_dim = {2**62}"), "latent_dim"
    yield "another one's shape", GOOD.replace("output = ", "sample_shape = [3, 32, 32]\noutput = "), "(3, 32, 32)"
    yield (
        "a critic of other shapes",
        GOOD.replace("hidden = [64]\n", "hidden = [64]\nsample_shape = [1]\n"),
        "discriminator",
    )
    yield "no momentum", GOOD.replace('"rmsprop"\nlr = 5e-5\ncentered', '"sgd"\nnesterov'), "nesterov"
    yield "two budgets", GOOD.replace("steps = 20", "steps = 20\nepochs = 1"), "train.epochs"
    yield "no budget", GOOD.replace("steps = 20", ""), "train"
    yield "a metric that nobody logs", GOOD.replace('"loss/generator"', '"fid"'), "train.stop.metric"
    yield "a target for nothing", GOOD.replace('metric = "loss/generator"', "target = 0.5"), "train.stop.metric"
    yield "a parent that is gone", 'extends = "gone.toml"\n' + GOOD, "gone.toml"
    yield "itself for a parent", 'extends = "bad.toml"\n' + GOOD, "circle"
    yield "a number for a parent", "extends = 3\n" + GOOD, "extends"
    yield "a folder for a parent", 'extends = "."\n' + GOOD, "extends"
    yield "nothing for a parent", 'extends = ""\n' + GOOD, "extends"
    yield "a fallback that is none", GOOD.replace("channels = 1", 'channels = 1\nfallback = "mnits"'), "mnits"
    yield (
        "a fallback's option",
        GOOD.replace("channels = 1", 'channels = 1\nfallback = { name = "glyphs", sise = 3 }'),
        "sise",
    )


CASES = [
    *wrong_values(),
    *misspelled_keys(),
    *wrong_tables(),
    *broken_syntax(),
    *foreign_bytes(),
    *huge_values(),
]


def test_there_are_at_least_two_hundred_different_bad_recipes() -> None:
    assert len({content for _, content, _ in CASES}) >= 200
    assert GOOD not in [content for _, content, _ in CASES]


def test_the_good_recipe_is_good(tmp_path: Path) -> None:
    path = tmp_path / "good.toml"
    path.write_text(GOOD)
    assert dry_run(read_recipe(path), INFO).players == ("discriminator", "generator")


@pytest.mark.parametrize(("content", "named"), [case[1:] for case in CASES], ids=[case[0][:60] for case in CASES])
def test_a_bad_recipe_ends_in_a_message(content: str | bytes, named: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(RecipeError) as caught:
        dry_run(read_recipe(path), INFO)
    message = str(caught.value)
    assert caught.value.exit_status == 2
    assert all(problem.where.startswith(str(path)) for problem in caught.value.problems)
    assert named in message.replace(str(tmp_path), "")
    assert "Traceback" not in message
    assert "pydantic" not in message
    assert max(map(len, message.splitlines())) < 600


@pytest.mark.parametrize(
    "name", ["gone.toml", "folder.toml", "", ".", "no such thing", "nul\0.toml", "a/b/c", "x" * 5000]
)
def test_what_is_no_recipe_ends_in_a_message(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(GanzooError) as caught:
        read_recipe(name)
    assert caught.value.exit_status == 2
    assert "Traceback" not in str(caught.value)


@pytest.mark.parametrize(("content", "named"), [case[1:] for case in CASES[::12]], ids=[c[0][:60] for c in CASES[::12]])
def test_a_run_of_a_bad_recipe_ends_with_status_2_and_leaves_nothing(
    content: str | bytes, named: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bad.toml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    status = exit_status(["run", str(path), "--out", str(tmp_path / "run"), "--data-root", str(tmp_path), "--plain"])
    said = capsys.readouterr()
    assert status == 2
    assert said.out == ""
    assert "bad.toml" in said.err
    assert "Traceback" not in said.err
    assert [item.name for item in tmp_path.iterdir()] == ["bad.toml"]


@pytest.mark.parametrize("number", [5, 200, 350])
def test_the_program_itself_ends_so_too(number: int, tmp_path: Path) -> None:
    _, content, named = CASES[number]
    path = tmp_path / "bad.toml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    command = [sys.executable, "-m", "ganzoo", "run", str(path), "--out", str(tmp_path / "run")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2
    assert str(path) in done.stderr
    assert named in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "run").exists()
