"""What is pinned and audited is what the project depends on, and the audit's result is told as it is."""

from __future__ import annotations

import importlib.util
import json
import re
import tomllib
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).parents[1]


@pytest.fixture
def audit_result() -> ModuleType:
    spec = importlib.util.spec_from_file_location("audit_result", REPOSITORY / ".ci" / "audit_result.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_dependency_is_pinned_to_a_version_that_the_project_allows() -> None:
    lines = (REPOSITORY / ".ci" / "constraints.txt").read_text().splitlines()
    pins = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    pins = {canonicalize_name(name): version for name, version in pins.items()}
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    for line in [*project["dependencies"], *extras["evaluate"], *extras["dev"]]:
        wanted = Requirement(line)
        assert pins[canonicalize_name(wanted.name)] in wanted.specifier


def test_no_address_of_a_registry_is_in_the_pins() -> None:
    assert not re.search(r"https?:|--index|--find|@", (REPOSITORY / ".ci" / "constraints.txt").read_text())


@pytest.mark.parametrize(
    ("packages", "status", "told"),
    [
        ([{"name": "a", "version": "1", "vulns": []}], 0, "audited: 1 of 1 packages"),
        ([{"name": "a", "skip_reason": "not found"}], 0, "not audited: there is no advisory service here"),
        (
            [
                {"name": "a", "version": "1", "vulns": [{"id": "X-1", "fix_versions": ["1.1"]}]},
                {"name": "b", "skip_reason": "-"},
            ],
            1,
            "a 1: X-1, fixed in 1.1\naudited: 1 of 2 packages",
        ),
        (None, 0, "not audited: there is no advisory service here"),
    ],
)  # fmt: skip
def test_the_audit_fails_for_a_vulnerability_and_for_nothing_else(
    packages: list[dict[str, object]] | None,
    status: int,
    told: str,
    audit_result: ModuleType,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if packages is not None:
        (tmp_path / "found").write_text(json.dumps({"dependencies": packages}))
    assert audit_result.main(tmp_path / "found") == status
    assert told in capsys.readouterr().out


def test_the_tests_that_the_security_page_names_are_there() -> None:
    named = re.findall(r"`(tests/[\w/.]+)`", (REPOSITORY / "SECURITY.md").read_text())
    assert len(named) > 8
    assert [path for path in named if not (REPOSITORY / path).exists()] == []
