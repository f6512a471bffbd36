"""Runs the long form of the reliability table and writes it into docs/reliability.md.

python tests/reliability/long_form.py [pytest options, such as -k kills]

It takes hours, most of them the soak. Without options the table in the page is replaced; with some, rows that were not
run keep their figures. The exit status is pytest's.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PAGE = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- rows -->", "<!-- end of rows -->"
HEAD = "| row | command | cases | failures | date |\n| --- | --- | ---: | ---: | --- |"


def main(options: list[str]) -> int:
    """Runs the rows and writes the table; returns pytest's exit status."""
    with tempfile.TemporaryDirectory() as record:
        environment = os.environ | {"GANZOO_RELIABILITY": "long", "GANZOO_RELIABILITY_RECORD": record}
        command = [sys.executable, "-m", "pytest", str(HERE), "-m", "row", "--timeout", "14400", *options]
        status = subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode
        figures = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(Path(record).glob("*.json"))]
    write_table(figures)
    return status


def write_table(figures: list[dict[str, object]]) -> None:
    """Puts the figures into the page's table; rows that are not among them stay."""
    page = PAGE.read_text(encoding="utf-8")
    before, rest = page.split(BEGIN)
    table, after = rest.split(END)
    lines = {line.split("|")[1].strip(): line for line in table.strip().splitlines()[2:]}
    today = f"{datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, {os.cpu_count()} cores"
    for figure in figures:
        file, _, test = str(figure["test"]).partition("::")
        failures = figure["failures"]
        assert isinstance(failures, list)
        command = f"`{file.removeprefix('tests/reliability/')} -k {test}`"
        lines[str(figure["row"])] = f"| {figure['row']} | {command} | {figure['cases']:,} | {len(failures)} | {today} |"
    table = "\n".join([HEAD, *(lines[name] for name in sorted(lines))])
    PAGE.write_text(f"{before}{BEGIN}\n{table}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
