"""The same pictures, scored by torch-fidelity's own command in a process of its own, and by ganzoo's metrics.

The command's own Inception comes as a pickle that cannot be had here; it takes any extractor that is registered with
it, so that one without weights stands in its place on both sides. The rest is the command's: its options, its reading
of PNG files, its order, its batches, its numbers.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from ganzoo.datasets.glyph_rendering import render_digits
from ganzoo.metrics.fidelity import FID, KID, InceptionScore, PrecisionRecall
from ganzoo.metrics.interface import Samples

EXTRACTOR = """
import torch
from torch_fidelity.feature_extractor_base import FeatureExtractorBase

FILTERS = torch.randn(24, 3, 5, 5, generator=torch.Generator().manual_seed(0))


class Patterns(FeatureExtractorBase):
    def __init__(self, name, features_list, **_):
        super().__init__(name, features_list)

    @staticmethod
    def get_provided_features_list():
        return "features", "logits"

    @staticmethod
    def get_default_feature_layer_for_metric(metric):
        return "logits" if metric == "isc" else "features"

    @staticmethod
    def can_be_compiled():
        return False

    def forward(self, images):
        features = torch.nn.functional.conv2d(images.float() / 255, FILTERS).relu().mean((2, 3))
        logits = features @ torch.linspace(-9, 9, 24 * 7).sin().view(24, 7) * 9
        return tuple({"features": features, "logits": logits}[name] for name in self.features_list)
"""

COMMAND = """
import sys
sys.path.insert(0, sys.argv.pop(1))
import torch_fidelity
from patterns import Patterns
from torch_fidelity.fidelity import main  # what `fidelity` on the command line calls
torch_fidelity.register_feature_extractor("patterns", Patterns)
main()
"""


def saved(images: Tensor, folder: Path) -> Path:
    """Images (n, 1, H, W) uint8 as PNG files."""
    folder.mkdir()
    for number, image in enumerate(images):
        Image.fromarray(image[0].numpy()).save(folder / f"{number:04d}.png")
    return folder


def read(folder: Path) -> Tensor:
    """The files of a folder as (n, 3, H, W) uint8."""
    files = sorted(folder.iterdir())
    return torch.stack([torch.from_numpy(np.array(Image.open(file).convert("RGB"))).permute(2, 0, 1) for file in files])


@pytest.mark.slow
def test_scores_are_those_of_torch_fidelitys_own_command(tmp_path: Path) -> None:
    glyphs = render_digits(700, 28, 1)[0]
    real, fake = saved(glyphs[:400], tmp_path / "real"), saved(glyphs[400:] // 2, tmp_path / "fake")
    (tmp_path / "patterns.py").write_text(EXTRACTOR)
    inputs = ["--input1", str(fake), "--input2", str(real), "--feature-extractor", "patterns"]
    asked = shlex.split("--isc --fid --kid --prc --kid-subset-size 150 --cpu --no-cache --json --silent")
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, str(tmp_path), *inputs, *asked], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    theirs = json.loads(done.stdout)

    spec = spec_from_file_location("patterns", tmp_path / "patterns.py")
    assert spec
    assert spec.loader
    module: Any = module_from_spec(spec)
    spec.loader.exec_module(module)
    extractor = module.Patterns("patterns", ["features", "logits"])
    both = [Samples(images, *extractor(images)) for images in (read(real), read(fake))]
    ours: dict[str, float] = {}
    for metric in (InceptionScore(), FID(), KID(subset_size=150), PrecisionRecall()):
        ours |= metric(*both, seed=2020)  # the command's own seed

    def rounded(value: float) -> str:
        return f"{value:.7g}"  # as the command prints it

    assert rounded(ours["inception_score"]) == rounded(theirs["inception_score_mean"])
    assert rounded(ours["kid"]) == rounded(theirs["kernel_inception_distance_mean"])
    assert rounded(ours["precision"]) == rounded(theirs["precision"])
    assert rounded(ours["recall"]) == rounded(theirs["recall"])
    # The command takes the means of float32 features in float32, ganzoo in float64: a unit or two of the seventh digit.
    assert ours["fid"] == pytest.approx(theirs["frechet_inception_distance"], rel=2e-6)
    assert 0 < ours["precision"] < 1
    assert ours["fid"] > 0.001
