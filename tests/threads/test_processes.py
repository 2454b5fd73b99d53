"""A `SyncUploader` and the life of its process: its end, Ctrl-C, forks."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from picsellia_async.emulator import Fault, ThreadedEmulator

PROGRAMS = Path(__file__).with_name("programs.py")


def run(name: str, emulator: ThreadedEmulator) -> subprocess.CompletedProcess[str]:
    arguments = [sys.executable, "-X", "dev", str(PROGRAMS), name, emulator.url, emulator.api_token]
    return subprocess.run(
        [*arguments, emulator.deployment_name], capture_output=True, text=True, check=False, timeout=300
    )


def stored(emulator: ThreadedEmulator) -> Counter[str]:
    return Counter(row["filename"] for row in emulator.predictions())


def test_a_program_that_ends_without_closing_delivers_and_is_told(picsellia_emulator: ThreadedEmulator) -> None:
    """At the end of the interpreter the uploader is closed as `close` does it, and one line says what was forgotten."""
    picsellia_emulator.faults.add(Fault(kind="latency", endpoint="monitor", seconds=0.05))
    done = run("forgotten", picsellia_emulator)
    assert done.returncode == 0, done.stderr
    assert stored(picsellia_emulator) == {f"{number}.jpg": 1 for number in range(20)}
    assert "was closed then: 20 accepted, 20 delivered. " in done.stderr
    assert "use `with`, or call close()" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_program_that_ends_in_an_outage_tells_what_was_lost(picsellia_emulator: ThreadedEmulator) -> None:
    """The line about the uploader that nobody closed says how its frames ended."""
    picsellia_emulator.faults.add(Fault(kind="status", status=503, endpoint="monitor"))
    done = run("undelivered", picsellia_emulator)
    assert done.returncode == 0, done.stderr
    # An attempt may be under way at the deadline, and the line says so.
    assert re.search(
        r"was closed then: 10 accepted, 10 dropped(, \d+ of the rejected and dropped may be stored all the same)?\. ",
        done.stderr,
    )
    assert "deliver" not in done.stderr.partition("main thread ended")[2].partition("\n")[0]


def test_exit_within_the_block_ends_the_thread_that_submits(picsellia_emulator: ThreadedEmulator) -> None:
    """`sys.exit` closes: what was handed over is stored once, the thread gets a ClosedError, and the program ends with its code."""
    done = run("exits", picsellia_emulator)
    assert (done.returncode, done.stdout) == (3, "closed\n"), done.stderr
    assert len(stored(picsellia_emulator)) >= 20
    assert set(stored(picsellia_emulator).values()) == {1}
    assert "Traceback" not in done.stderr


def test_ctrl_c_leaves_the_waiting_frame_out_and_ends_closing_at_once(picsellia_emulator: ThreadedEmulator) -> None:
    """Ctrl-C ends a `submit` that waits for room; a second one ends closing long before its deadline, with a balanced account."""
    picsellia_emulator.faults.add(Fault(kind="stall", endpoint="monitor", direction="down"))
    done = run("interrupted", picsellia_emulator)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["interrupted", "closing interrupted", "True True 0 True"], done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_durations_may_be_asked_for_while_another_thread_forks(picsellia_emulator: ThreadedEmulator) -> None:
    """A child that was forked while a thread of the parent registered one waits for no lock of that thread."""
    done = run("measured_and_forks", picsellia_emulator)
    assert done.stdout == "all\n", done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_opens_its_own(picsellia_emulator: ThreadedEmulator) -> None:
    """Forked before or while it is open: the child is told, opens it for itself, and the parent's goes on."""
    done = run("forks", picsellia_emulator)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["before False", "before 1", "open True", "open 1", "1"], done.stderr
    assert stored(picsellia_emulator) == {"child-before.jpg": 1, "parent.jpg": 1, "child-open.jpg": 1}
