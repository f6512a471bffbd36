"""Inception's weights: had, checked, and never unpickled."""

from __future__ import annotations

import hashlib
import pickle
import urllib.error
from pathlib import Path
from typing import Any

import pytest
import torch
from torch_fidelity import feature_extractor_inceptionv3

import ganzoo
from ganzoo.cli import exit_status
from ganzoo.metrics import inception
from ganzoo.metrics.inception import FILE, Inception


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of this test's own, on a machine without a network."""

    def offline(*_: Any, **__: Any) -> None:
        raise urllib.error.URLError("no network here")

    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path))
    monkeypatch.setattr("urllib.request.urlopen", offline)
    (tmp_path / "extractors").mkdir()
    return tmp_path / "extractors"


def prepared() -> Inception:
    extractor = Inception()
    extractor.prepare(None, None)  # type: ignore[arg-type]  # it asks neither the data set nor its folder
    return extractor


def test_offline_it_is_said_what_to_use_instead(cache: Path) -> None:
    with pytest.raises(ganzoo.MetricError, match="no network here") as error:
        prepared()
    assert "--extractor digits" in error.value.remedy
    assert FILE in error.value.remedy
    assert str(cache) in error.value.remedy


def test_offline_the_command_ends_with_status_2_and_no_traceback(
    glyph_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["evaluate", str(glyph_run), "--metric", "fid", "-n", "10", "--extractor", "inception"]
    assert exit_status(command) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "no network here" in said.err
    assert "Traceback" not in said.err


def test_a_file_of_another_digest_is_not_opened(cache: Path) -> None:
    (cache / FILE).write_bytes(b"something else")
    with pytest.raises(ganzoo.MetricError, match=f"{FILE}.*SHA-256"):
        prepared()


class Harm:
    """What a pickle can do: call anything."""

    def __reduce__(self) -> Any:
        return print, ("harm done",)


def test_whatever_the_file_holds_nothing_but_tensors_is_loaded(
    cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save({"weights": Harm()}, cache / FILE)
    monkeypatch.setattr(inception, "SHA256", hashlib.sha256((cache / FILE).read_bytes()).hexdigest())
    with pytest.raises(pickle.UnpicklingError):
        prepared()
    assert "harm done" not in capsys.readouterr().out


@pytest.mark.slow
def test_the_librarys_network_looks_at_grey_and_coloured_images(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights drawn at random stand in for the true ones: what is tested is the way to them."""
    network = feature_extractor_inceptionv3.FeatureExtractorInceptionV3
    monkeypatch.setattr(network, "load_state_dict", lambda *_: None)
    monkeypatch.setattr(feature_extractor_inceptionv3, "load_state_dict_from_url", lambda *_, **__: {})
    torch.manual_seed(0)
    plain = network("inception-v3-compat", ["2048", "logits_unbiased"])
    monkeypatch.undo()
    monkeypatch.setenv("GANZOO_CACHE", str(cache.parent))
    torch.save(plain.state_dict(), cache / FILE)
    digest = hashlib.sha256((cache / FILE).read_bytes()).hexdigest()
    monkeypatch.setattr(inception, "SHA256", digest)
    extractor = prepared()
    assert extractor.digest == f"sha256:{digest}"
    images = torch.randint(256, (2, 1, 28, 28), dtype=torch.uint8)
    grey, colour = extractor(images), extractor(images.expand(-1, 3, -1, -1).contiguous())
    assert grey.features.shape == (2, 2048)
    assert grey.logits.shape == (2, 1008)
    assert torch.equal(grey.features, colour.features)
    assert torch.equal(grey.features, plain(images.expand(-1, 3, -1, -1))[0])
