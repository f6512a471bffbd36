"""The source that docs/datasets.md shows is one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import torch

PAGE = Path(__file__).parent.parent.parent / "docs" / "datasets.md"


def test_the_source_that_the_page_shows_streams_what_is_in_its_file(tmp_path: Path) -> None:
    (text,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {}
    exec(text, names)  # it is our own page
    images = np.arange(5 * 3 * 4 * 4, dtype=np.uint8).reshape(5, 3, 4, 4)
    np.save(tmp_path / "rows.npy", images)
    source = names["Rows"](tmp_path / "rows.npy")
    assert source.sizes == {"real": 5}
    assert source.fetch("real", [3, 0, 3]).equal(torch.from_numpy(images[[3, 0, 3]]))
