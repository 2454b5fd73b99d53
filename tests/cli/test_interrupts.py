"""Ctrl-C and SIGTERM before a command begins and after its end: exit code 130, and not a word."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys

import pytest

from picsellia_async.emulator import Fault
from picsellia_async.spools import read_contents

from ..support.frames import make_frame

pytestmark = [pytest.mark.anyio, pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")]

AS_ON_A_TERMINAL = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); signal.signal(signal.SIGTERM, signal.SIG_DFL); "
    "signal.pthread_sigmask(signal.SIG_SETMASK, ())"
)
"""Neither ignored, as in a shell's background, nor blocked, whatever this process inherited."""
ENDED = "import atexit, os, signal; atexit.register(os.kill, os.getpid(), signal.NUMBER)"
LOADED = """
import builtins, os, signal
load = builtins.__import__
def imported(name, *arguments):
    if name == "argparse":
        os.kill(os.getpid(), signal.NUMBER)
    return load(name, *arguments)
builtins.__import__ = imported
"""
PARSED = (
    "import argparse, os, signal; argparse.ArgumentParser.parse_args = lambda *_: os.kill(os.getpid(), signal.NUMBER)"
)
IGNORED = "import signal; signal.signal(signal.NUMBER, signal.SIG_IGN)"


@pytest.fixture
async def spooled(tmp_path, deployment, emulator, environment):
    """A spool with three frames of the emulator's deployment."""
    emulator.faults.add(Fault(kind="status", status=503, endpoint="monitor"))
    async with deployment.uploader(spool=tmp_path / "spool", close_timeout=0.0) as uploader:
        for number in range(3):
            await uploader.submit(make_frame(number))
    emulator.faults.clear()
    return tmp_path / "spool"


DOORS = {
    "picsellia-async": "from picsellia_async._command import run; run()",
    "python -m": "import runpy; runpy.run_module('picsellia_async.cli', run_name='__main__')",
}


def ran(name, *before, door="picsellia-async"):
    """Run a door of the command behind some lines of Python, with a signal."""
    lines = [line.replace("signal.NUMBER", f"signal.{name}") for line in before]
    program = "\n".join([AS_ON_A_TERMINAL, *lines, DOORS[door]])
    return subprocess.run(
        [sys.executable, "-c", program, "--version"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=os.environ,
    )


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
@pytest.mark.parametrize(
    ("door", "when"),
    [
        pytest.param("picsellia-async", LOADED, id="loading"),
        *(pytest.param(door, PARSED, id=f"reading arguments, {door}") for door in DOORS),
        *(pytest.param(door, ENDED, id=f"at the end, {door}") for door in DOORS),
    ],
)
def test_an_interrupt_is_told_by_the_code_alone(door, when, name):
    """No traceback of imports, and none of what Python does last. `python -m` loads the package before its door is reached."""
    done = ran(name, when, door=door)
    assert (done.returncode, done.stderr) == (130, "")


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_what_ignores_interrupts_goes_on_to(name):
    """So does a shell for what runs in its background."""
    assert ran(name, IGNORED, LOADED, ENDED).returncode == 0


WAITING = """
import asyncio, os, signal
from picsellia_async.cli.interrupts import wait_interruptible
told = []
async def main():
    work = asyncio.create_task(asyncio.sleep(0.2))
    asyncio.get_running_loop().call_soon(os.kill, os.getpid(), signal.NUMBER)
    await wait_interruptible(work, lambda: told.append(work))
    return work.cancelled()
"""


@pytest.mark.parametrize("is_ignored", [False, True])
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_work_that_ends_in_order_does_so(name, is_ignored):
    """`monitor` and `predict` wait like this: each signal is told and cancels; one that is ignored does neither."""
    ignore = [IGNORED] if is_ignored else []
    ended = f"assert asyncio.run(main()) is bool(told) is {not is_ignored}; assert signal.getsignal(signal.NUMBER) == before"
    done = ran(name, *ignore, "import signal; before = signal.getsignal(signal.NUMBER)", WAITING, ended)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_ends_a_replay_and_what_is_safe_is_told(spooled, emulator, tmp_path, number):
    """With the spool closed in order: no process holds it, and the next run has all of it."""
    down = Fault(kind="status", status=503, endpoint="monitor")
    emulator.faults.add(down)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "picsellia_async.cli", "replay", str(spooled), "--wait", stdout=-1, stderr=-1
    )
    while not emulator.faults.fired(down):  # noqa: ASYNC110 - the other process says nothing of it
        await asyncio.sleep(0.01)
    process.send_signal(number)
    out, err = await process.communicate()
    assert (process.returncode, out) == (130, b""), err.decode()
    assert err.decode().splitlines()[-1] == (
        f"  3 frames are safe in the spool: `picsellia-async replay {spooled} --wait` goes on"
    )
    contents = read_contents(spooled)
    assert (contents.holder, [one.state for one in contents.frames]) == (None, ["pending"] * 3)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_ends_the_doctor(environment, number):
    """Exit code 130, and nothing beside the checks that were made."""
    asked = asyncio.Event()

    async def hang(reader, writer):
        await reader.readline()
        asked.set()
        await reader.read()
        writer.close()

    async with await asyncio.start_server(hang, "127.0.0.1", 0) as server:
        host = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "picsellia_async.cli", "doctor", "--host", host, stdout=-1, stderr=-1
        )
        await asked.wait()
        process.send_signal(number)
        _, err = await process.communicate()
    assert (process.returncode, err) == (130, b"")
