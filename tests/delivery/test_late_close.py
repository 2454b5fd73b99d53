"""Closing when the interpreter has begun to end, and no pool of threads takes work any more."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest

from picsellia_async.emulator import Emulator

from .emulated import stored_names

pytestmark = pytest.mark.anyio

PROGRAM = Path(__file__).with_name("late.py")


@pytest.mark.parametrize(("when", "has_spool"), [("atexit", False), ("atexit", True), ("thread", False)])
async def test_a_late_close_delivers(emulator: Emulator, tmp_path: Path, when: str, has_spool: bool) -> None:
    """From `atexit`, or a thread that outlives the main one: host names are looked up, files are read, and all is delivered."""
    image = tmp_path / "a.jpg"
    image.write_bytes(b"\xff\xd8\xff" + bytes(3000))
    arguments = {
        "url": emulator.url.replace("127.0.0.1", "localhost"), "token": emulator.api_token, "deployment": emulator.deployment_name,
        "image": str(image), "spool": str(tmp_path / "spool") if has_spool else None, "when": when,
    }  # fmt: skip
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(PROGRAM), json.dumps(arguments), stdout=-1, stderr=-1
    )
    out, err = await process.communicate()
    assert out, err.decode()
    assert json.loads(out)["delivered"] == 10, err.decode()
    assert sorted(stored_names(emulator)) == [f"frame-{number:06d}.jpg" for number in range(10)]
