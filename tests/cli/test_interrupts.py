"""Ctrl-C before a command begins and after its end: exit code 130, and not a word."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")

AS_ON_A_TERMINAL = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); signal.pthread_sigmask(signal.SIG_SETMASK, ())"
"""Neither ignored, as in a shell's background, nor blocked, whatever this process inherited."""
ENDED = "import atexit, os, signal; atexit.register(os.kill, os.getpid(), signal.SIGINT)"
LOADED = """
import builtins, os, signal
load = builtins.__import__
def imported(name, *arguments):
    if name == "argparse":
        os.kill(os.getpid(), signal.SIGINT)
    return load(name, *arguments)
builtins.__import__ = imported
"""
PARSED = (
    "import argparse, os, signal; argparse.ArgumentParser.parse_args = lambda *_: os.kill(os.getpid(), signal.SIGINT)"
)
IGNORED = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)"


def ran(*before):
    """Run the command's door behind some lines of Python."""
    program = "\n".join([AS_ON_A_TERMINAL, *before, "from picsellia_async._command import run", "run()"])
    return subprocess.run(
        [sys.executable, "-c", program, "--version"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=os.environ,
    )


@pytest.mark.parametrize("when", [LOADED, PARSED, ENDED], ids=["loading", "reading arguments", "at the end"])
def test_an_interrupt_is_told_by_the_code_alone(when):
    """No traceback of imports, and none of what Python does last."""
    done = ran(when)
    assert (done.returncode, done.stderr) == (130, "")


def test_what_ignores_interrupts_goes_on_to():
    """So does a shell for what runs in its background."""
    assert ran(IGNORED, LOADED, ENDED).returncode == 0
