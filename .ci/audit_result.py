"""Says what pip-audit found, from the JSON that it wrote: audit_result.py FILE."""

from __future__ import annotations

import json
import sys
from pathlib import Path

UNAVAILABLE = (
    "not audited: there is no advisory service here. Before a release, run `bash .ci/audit` where there is one."
)


def main(file: Path) -> int:
    """Prints the result. Returns: 1 where a version has a published vulnerability, else 0."""
    content = file.read_text(encoding="utf-8") if file.is_file() else ""
    if not content.strip():
        print(UNAVAILABLE)
        return 0
    packages = json.loads(content)["dependencies"]
    audited = [package for package in packages if "skip_reason" not in package]
    for package in audited:
        for vulnerability in package["vulns"]:
            fixed = ", ".join(vulnerability["fix_versions"]) or "no version"
            print(f"{package['name']} {package['version']}: {vulnerability['id']}, fixed in {fixed}")
    if not audited:
        print(UNAVAILABLE)
    else:
        print(f"audited: {len(audited)} of {len(packages)} packages")
    return int(any(package["vulns"] for package in audited))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
