"""Fixtures that several rooms share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data sets: GANZOO_DATA, or shared/data beside the checkout; the test is skipped elsewhere."""
    for candidate in (os.environ.get("GANZOO_DATA"), REPOSITORY.parent / "shared" / "data"):
        if candidate and (Path(candidate) / "MNIST" / "raw").is_dir():
            return Path(candidate)
    pytest.skip("no real data here: set GANZOO_DATA to a folder with MNIST/raw")


@pytest.fixture
def recipes() -> Path:
    """The folder of the recipes that ganzoo ships."""
    return REPOSITORY / "recipes"
