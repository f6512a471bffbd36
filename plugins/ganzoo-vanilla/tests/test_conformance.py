"""The contracts that every plugin keeps."""

from __future__ import annotations

import pytest

from ganzoo.testing import Check, checks_of


@pytest.mark.parametrize("check", checks_of("ganzoo_vanilla"), ids=str)
def test_the_plugin_keeps_the_contracts(check: Check) -> None:
    check()
