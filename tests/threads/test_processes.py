"""A `SyncUploader` and the life of its process: its end, Ctrl-C, forks."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from picsellia_async.emulator import Emulator, Fault, ThreadedEmulator

PROGRAMS = Path(__file__).with_name("programs.py")


@pytest.fixture
def threaded() -> Iterator[ThreadedEmulator]:
    """An emulator in a thread of its own."""
    with Emulator.run_in_thread() as running:
        yield running


def run(name: str, emulator: ThreadedEmulator) -> subprocess.CompletedProcess[str]:
    arguments = [sys.executable, "-X", "dev", str(PROGRAMS), name, emulator.url, emulator.api_token]
    return subprocess.run(
        [*arguments, emulator.deployment_name], capture_output=True, text=True, check=False, timeout=300
    )


def stored(emulator: ThreadedEmulator) -> Counter[str]:
    return Counter(row["filename"] for row in emulator.predictions())


def test_a_program_that_ends_without_closing_delivers_and_is_told(threaded: ThreadedEmulator) -> None:
    """At the end of the interpreter the uploader is closed as `close` does it, and one line says what was forgotten."""
    threaded.faults.add(Fault(kind="latency", endpoint="monitor", seconds=0.05))
    done = run("forgotten", threaded)
    assert done.returncode == 0, done.stderr
    assert stored(threaded) == {f"{number}.jpg": 1 for number in range(20)}
    assert "use `with`, or call close()" in done.stderr
    assert "Traceback" not in done.stderr


def test_exit_within_the_block_ends_the_thread_that_submits(threaded: ThreadedEmulator) -> None:
    """`sys.exit` closes: what was handed over is stored once, the thread gets a ClosedError, and the program ends with its code."""
    done = run("exits", threaded)
    assert (done.returncode, done.stdout) == (3, "closed\n"), done.stderr
    assert len(stored(threaded)) >= 20
    assert set(stored(threaded).values()) == {1}
    assert "Traceback" not in done.stderr


def test_ctrl_c_leaves_the_waiting_frame_out_and_ends_closing_at_once(threaded: ThreadedEmulator) -> None:
    """Ctrl-C ends a `submit` that waits for room; a second one ends closing long before its deadline, with a balanced account."""
    threaded.faults.add(Fault(kind="stall", endpoint="monitor", direction="down"))
    done = run("interrupted", threaded)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["interrupted", "closing interrupted", "True True 0 True"], done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_opens_its_own(threaded: ThreadedEmulator) -> None:
    """Forked before or while it is open: the child is told, opens it for itself, and the parent's goes on."""
    done = run("forks", threaded)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["before False", "before 1", "open True", "open 1", "1"], done.stderr
    assert stored(threaded) == {"child-before.jpg": 1, "parent.jpg": 1, "child-open.jpg": 1}
