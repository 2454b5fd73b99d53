"""What only Unix has may be missing: all parts work without. What only macOS has is used where it is there."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ..support import without_unix

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows is without it in any case")

DELIVER = """
import asyncio, json, sys
from pathlib import Path
from picsellia_async import AsyncClient, ConfigurationError, DetectionPredictionFormat, Frame, SpoolError
from picsellia_async.emulator import Emulator

async def main(folder):
    found = {}
    async with Emulator(data_dir=f"{folder}/data") as emulator, AsyncClient(emulator.api_token, host=emulator.url) as client:
        deployment = await client.get_deployment(emulator.deployment_name)
        async with deployment.uploader(spool=f"{folder}/spool", durability="commit") as uploader:
            for number in range(20):
                prediction = DetectionPredictionFormat([], [], [])
                image = b"\\xff\\xd8\\xff" + bytes(20_000)
                await uploader.submit(
                    Frame(image=image, filename=f"{number}.jpg", width=4, height=4, prediction=prediction, latency=0.1)
                )
            try:
                await deployment.uploader(spool=f"{folder}/spool").__aenter__()
            except SpoolError as error:
                found["second uploader"] = str(error)
        found["delivered"] = uploader.report.delivered
        try:
            await Emulator(data_dir=f"{folder}/data").start()
        except ConfigurationError as error:
            found["second emulator"] = str(error)
    found["segments"] = len(list(Path(folder, "spool").glob("*.seg")))
    return found

found = asyncio.run(main(sys.argv[1]))
"""

WITH_FULL_FLUSH = """
import fcntl
kinds, real = [], fcntl.fcntl
fcntl.F_FULLFSYNC = 51
def flush(descriptor, kind, *others):
    if kind != 51:
        return real(descriptor, kind, *others)
    kinds.append(kind)
    if {error}:
        raise OSError({error}, "no")
    return 0
fcntl.fcntl = flush
"""


def run(*command: str) -> dict[str, Any]:
    done = subprocess.run([sys.executable, *command], check=False, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_all_parts_without_it(tmp_path: Path) -> None:
    """Emulator and spool lock their directories, and twenty frames go through a spool on disk, which is empty afterwards."""
    found = run(without_unix.__file__, f"{DELIVER}\nprint(json.dumps(found))", str(tmp_path))
    assert found["delivered"] == 20
    assert found["segments"] == 0
    assert "is in use by process" in found["second uploader"]
    assert "is in use by another emulator, process" in found["second emulator"]


def test_imports_without_it() -> None:
    """Each door can be imported."""
    code = "; ".join(
        f"import picsellia_async{part}" for part in ("", ".emulator", ".sources", ".cli", ".jobs", ".pipeline")
    )
    assert run(without_unix.__file__, f"{code}; print('{{}}')") == {}


def test_the_emulator_command_without_it(tmp_path: Path) -> None:
    """It serves where the loop takes no signal handlers, and Ctrl-C stops it cleanly."""
    code = f"from picsellia_async.cli import main; sys_exit = main(['emulator', '--port', '0', '--data-dir', {str(tmp_path)!r}])"
    command = [sys.executable, without_unix.__file__, f"{code}; raise SystemExit(sys_exit)"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            assert json.loads(process.stdout.readline())["url"].startswith("http://")
            os.kill(process.pid, signal.SIGINT)
            assert process.wait(300) == 0
        finally:
            process.kill()


@pytest.mark.parametrize("error", [0, errno.ENOTSUP], ids=["known", "unknown to the file system"])
def test_a_full_flush_where_there_is_one(tmp_path: Path, error: int) -> None:
    """On macOS a commit goes through the cache of the disk (F_FULLFSYNC); where the file system knows none, through the system's."""
    code = WITH_FULL_FLUSH.format(error=error) + DELIVER + "\nprint(json.dumps({**found, 'flushes': len(kinds)}))"
    found = run("-c", code, str(tmp_path))
    assert found["delivered"] == 20
    assert found["flushes"] >= 1
