"""An account that the service refuses: the commands that deliver say why once, and all that the log has with `-v`."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys

import pytest

from picsellia_async.cli.logs import logged
from picsellia_async.emulator import Fault

from ..support.frames import make_frame
from ..support.monitor_inputs import write_manifest

pytestmark = pytest.mark.anyio

REASON = "403 for POST"
FAULT = Fault(kind="status", status=403, endpoint="monitor")


async def ran(*arguments):
    """Run a command in a process of its own, whose stderr nobody else writes to; return the lines of its stderr."""
    command = [sys.executable, "-m", "picsellia_async.cli", *map(str, arguments)]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False, env=os.environ)
    assert done.returncode == 1, done.stderr
    return done.stderr.splitlines()


@pytest.mark.parametrize("flags", [[], ["--json"], ["-v"]])
async def test_monitor_says_once_why_frames_are_left(tmp_path, emulator, environment, flags):
    """It said so four times: as the run ends, as it closes, when it has closed, and of what is in the spool."""
    emulator.faults.add(FAULT)
    manifest, spool = write_manifest(tmp_path / "day"), tmp_path / "spool"
    lines = await ran("monitor", emulator.deployment_name, "--manifest", manifest, "--spool", spool, *flags)
    told = [line for line in lines if REASON in line]
    assert told[0].startswith("the service refuses this account: 403 for POST ")
    assert (len(told) > 1) == (flags == ["-v"])
    way_on = f" left in the spool: `picsellia-async replay {spool}` delivers them"
    assert any(line.endswith(way_on) for line in lines) == (flags != ["--json"])


@pytest.mark.parametrize("flags", [[], ["--json"], ["-v"]])
async def test_so_does_replay(tmp_path, emulator, deployment, environment, flags):
    """Its last line says what mends it."""
    emulator.faults.add(FAULT)
    async with deployment.uploader(spool=tmp_path / "spool", close_timeout=0.0) as uploader:
        await uploader.submit(make_frame())
    lines = await ran("replay", tmp_path / "spool", *flags)
    told = [line for line in lines if REASON in line]
    assert told[0].startswith("the service refuses this account: 403 for POST ")
    assert (len(told) > 1) == (flags == ["-v"])
    assert lines[-1].startswith("  1 frames are safe in the spool: waiting mends nothing, `picsellia-async doctor ")


@pytest.mark.parametrize(
    ("text", "is_shown"),
    [
        ("closing: up to 29 s more for 3 frames; the service refuses this account (403)", False),
        ("closing: up to 29 s more for 3 frames", True),
        ("the service refuses this account (403): frames wait; the directory of the spool is gone", True),
        ("the spool's disk is full", True),
    ],
)
def test_other_trouble_is_never_left_out(capsys, monkeypatch, text, is_shown):
    """A line that tells of the disk as well is shown."""
    monkeypatch.setattr(logging.getLogger("picsellia_async"), "propagate", False)  # pytest has set up its logging
    with logged(0, is_refusal_told=True):
        logging.getLogger("picsellia_async").warning("%s", text)
    assert (text in capsys.readouterr().err) is is_shown
