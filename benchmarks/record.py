"""What a result needs beside its figures: versions, machine, commit."""

from __future__ import annotations

import datetime
import importlib.metadata
import json
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

PACKAGES = (
    "picsellia", "httpx", "httpx-aiohttp", "aiohttp", "pyreqwest", "httptools", "pybase64", "orjson", "attrs", "requests", "av",
    "opencv-python-headless", "simplejpeg",
)  # fmt: skip


def facts(seed: int) -> dict[str, Any]:
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = None
    return {
        **moment(),
        "python": platform.python_version(),
        "system": platform.platform(),
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "seed": seed,
        "versions": versions,
    }


def moment(against: Path | None = None) -> dict[str, Any]:
    """What may differ between the scenarios of one file; with the commit of the checkout that was run besides."""
    before = {} if against is None else {"before": _git("-C", str(against.resolve()), "rev-parse", "HEAD")}
    return {
        **before,
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": _git("rev-parse", "HEAD"),
        "dirty": bool(_git("status", "--porcelain", "--", "picsellia_async")),
        "load": os.getloadavg(),
    }


def write(path: Path, result: dict[str, Any]) -> None:
    """Write results; scenarios that the file has from other runs stay, each with the moment of its run."""
    path.parent.mkdir(parents=True, exist_ok=True)
    before = json.loads(path.read_text()) if path.exists() else {}
    for name, figures in result.items():
        kept = before.get(name)
        before[name] = {**kept, **figures} if isinstance(kept, dict) and isinstance(figures, dict) else figures
    path.write_text(json.dumps(before, indent=1) + "\n")


def _git(*arguments: str) -> str:
    here = Path(__file__).resolve().parent
    done = subprocess.run(["git", *arguments], cwd=here, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()
