"""The Inception network of the published scores, as torch-fidelity converted it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Literal

from torch import Tensor

from ganzoo.core.data import Dataset, DatasetInfo
from ganzoo.datasets.digest import file_digest
from ganzoo.datasets.download import Remote, download
from ganzoo.datasets.root import cache_folder
from ganzoo.errors import DatasetUnavailable, MetricError
from ganzoo.metrics.fidelity import import_torch_fidelity
from ganzoo.metrics.interface import Extractor, Features
from ganzoo.recipe.plain_file import MIB

FILE = "weights-inception-2015-12-05-6726825d.pth"
SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"

MAX_FILE = 256 * MIB
"""The most bytes that are read of a file of weights, which has 96 MB."""

OFFLINE = "use --extractor digits where the images have labels and are small, or flatten for any: these need no network"


class Inception(Extractor):
    """The 2,048 features and the logits of the Inception-v3 of 2015 that FID, KID and the Inception Score are published
    with, converted by torch-fidelity. Its 96 MB of weights are downloaded on first use, into ganzoo's cache.

    The file's SHA-256 is checked before it is opened, every time, and it is opened as tensors only.
    """

    classifies: ClassVar[Literal["", "other", "own"]] = "other"
    at_once: ClassVar[int] = 50  # each becomes 299 x 299

    def __init__(self) -> None:
        super().__init__()
        self.network: Any = None

    def unsupported_reason(self, info: DatasetInfo) -> str:
        """Besides other kinds, it refuses images that are not 8 bits in 1 or 3 channels, as in its training."""
        field = info.fields[info.sample_key]
        if not (reason := super().unsupported_reason(info)) and (
            field.dtype != "uint8" or field.shape[0] not in (1, 3)
        ):
            channels = f"{field.shape[0]} channel{'s' * (field.shape[0] > 1)}"
            return f"it looks at images of 8 bits in 1 or 3 channels, and these are {field.dtype} in {channels}."
        return reason

    def prepare(self, dataset: Dataset, root: Path) -> None:
        """Loads the weights. Raises: MetricError where they cannot be downloaded, with what to use instead."""
        module = import_torch_fidelity("feature_extractor_inceptionv3")
        path = cache_folder() / "extractors" / FILE
        if not path.is_file():
            download_weights(module.URL_INCEPTION_V3, path)
        try:
            found = file_digest(path, "sha256", limit=MAX_FILE)
        except OSError as error:
            raise MetricError(f"{path}: cannot be read: {error.strerror}.", remedy="Delete it.") from error
        if found != SHA256:
            raise MetricError(
                f"{path}: its SHA-256 is {found}, not {SHA256}: the file is cut off, damaged, or another one.",
                remedy="Delete it, and it is downloaded anew.",
            )
        self.digest = f"sha256:{found}"
        with weights_only_loading():
            self.network = module.FeatureExtractorInceptionV3(
                "inception-v3-compat", ["2048", "logits_unbiased"], feature_extractor_weights_path=str(path)
            )

    def facts(self) -> Mapping[str, str | float]:
        """The name of the file of weights."""
        return {"file": FILE}

    def forward(self, images: Tensor) -> Features:
        """images (n, 1 or 3, H, W) uint8 -> features (n, 2048) and unbiased logits (n, 1008)."""
        colour = images.expand(-1, 3, -1, -1) if images.shape[1] == 1 else images
        return Features(*self.network(colour))


def download_weights(url: str, path: Path) -> None:
    """Downloads the weights and checks their hash. Raises: MetricError."""
    remedy = f"Put {FILE} (SHA-256 {SHA256}) into {path.parent}, or {OFFLINE}."
    try:
        download(Remote([url], f"sha256:{SHA256}", MAX_FILE), path, name="Inception's file of weights", remedy=remedy)
    except DatasetUnavailable as error:
        raise MetricError(error.what, remedy=error.remedy) from error


@contextmanager
def weights_only_loading() -> Iterator[None]:
    """Inside, torch.load reads tensors only, whatever its arguments: torch-fidelity does not set weights_only."""
    name = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"
    before = os.environ.get(name)
    os.environ[name] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
