"""Describes this machine: hardware, libraries, data sets and plugins."""

from __future__ import annotations

import os
import platform
import re
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path
from typing import Any

import psutil
import torch

from ganzoo import __version__
from ganzoo.datasets.root import cache_folder, data_root
from ganzoo.errors import GanzooError
from ganzoo.plugins import contained, zoo
from ganzoo.recipe.model import Choice
from ganzoo.recipe.parts import build
from ganzoo.runs.facts import device_facts

LIBRARIES = ("torch", "torchvision", "numpy", "safetensors")


def describe_machine(root: str | Path | None = None) -> dict[str, Any]:
    """The machine as a JSON-serialisable object. root: the folder of all data sets, if it is not GANZOO_DATA."""
    folder = data_root(root)
    cpu = device_facts(torch.device("cpu"))["device"]
    return {
        "ganzoo": __version__,
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in LIBRARIES},
        "cpu": {
            "name": cpu["name"],
            "cores": os.cpu_count(),
            "threads": cpu["threads"],
            "instructions": torch.backends.cpu.get_cpu_capability(),
            "bf16": cpu_bf16(),
        },
        "memory": {"total": psutil.virtual_memory().total, "available": psutil.virtual_memory().available},
        "gpus": gpus(),
        "data_root": {"path": str(folder), "exists": folder.is_dir()},
        "datasets": datasets(folder),
        "cache": str(cache_folder()),
        "extras": extras(),
        "plugins": [
            {"name": row.name, "distribution": row.distribution, "version": row.version}
            | {"status": row.status, "cause": row.cause, "slow": row.slow}
            for row in zoo().plugins()
        ],
    }


def cpu_bf16() -> bool | None:
    """Whether the CPU has bfloat16 instructions; without them bf16 is not faster. None if torch does not know."""
    asked = getattr(torch.cpu, "get_capabilities", None)
    if asked is None:
        return None
    known = asked()
    return any(bool(known.get(name)) for name in ("avx512_bf16", "amx_bf16", "bf16", "sve_bf16"))


def gpus() -> list[dict[str, Any]]:
    """Every CUDA device, with its memory in bytes and whether it computes in bfloat16."""
    found = []
    for number in range(torch.cuda.device_count()):
        known = torch.cuda.get_device_properties(number)
        capability = f"{known.major}.{known.minor}"
        bf16 = known.major >= 8  # Ampere's tensor cores were the first with it
        found.append({"name": known.name, "memory": known.total_memory, "capability": capability, "bf16": bf16})
    return found


def datasets(root: Path) -> dict[str, bool | None]:
    """Every data set that needs no option -> whether its files are there; None if it cannot tell."""
    found: dict[str, bool | None] = {}
    for entry in zoo().entries("dataset"):
        try:
            with contained():
                found[zoo().qualified_name(entry)] = build(Choice("dataset", entry, {})).is_available(root)
        except GanzooError:  # data sets that need options, such as the path of a folder of images
            continue
        except Exception:
            found[zoo().qualified_name(entry)] = None
    return found


def extras() -> dict[str, list[str]]:
    """Each of ganzoo's extras -> its distributions that are not installed."""
    missing: dict[str, list[str]] = {}
    known = distribution("ganzoo")
    for extra in known.metadata.get_all("Provides-Extra") or []:
        missing[extra] = []
        for line in known.requires or []:
            name = re.match(r"[\w.-]+", line)
            if name and re.search(rf"extra\s*==\s*['\"]{re.escape(extra)}['\"]", line) and not installed(name[0]):
                missing[extra].append(name[0])
    return missing


def installed(name: str) -> bool:
    """Whether a distribution is installed."""
    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True
