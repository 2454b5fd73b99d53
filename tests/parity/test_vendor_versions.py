"""Whichever version of the vendor's SDK is installed: it signs in, monitors and predicts on the emulator. Nox runs several versions."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from picsellia_async.emulator import Emulator

from .pictures import png

SCRIPT = Path(__file__).with_name("vendor_script.py")


def test_the_installed_version_runs_on_the_emulator(tmp_path: Path) -> None:
    """Its main calls succeed, and nothing that it sends is refused."""
    picture = tmp_path / "picture.png"
    picture.write_bytes(png(20, 10))
    with Emulator.run_in_thread() as emulator:
        arguments = [emulator.url, emulator.api_token, emulator.deployment_name, str(picture)]
        ran = subprocess.run(
            [sys.executable, str(SCRIPT), *arguments], capture_output=True, text=True, check=False, timeout=100
        )
        assert ran.returncode == 0, ran.stderr[-2000:]
        seen = json.loads(ran.stdout.splitlines()[-1])
        assert seen["monitored"]
        assert seen["by_bytes"]
        assert {"detection_boxes", "id"} <= set(seen["predicted"]) & set(seen["predicted_bytes"]) & set(seen["stored"])
        assert [(entry.endpoint, entry.status) for entry in emulator.journal if entry.status >= 400] == []
