"""The door of the command `picsellia-async`. What it runs takes a second to load, and so is imported here, not above."""

from __future__ import annotations

import os
import signal
import sys
from typing import Final, NoReturn

INTERRUPTED: Final = 130
"""Exit code of a command that Ctrl-C ended."""


def run() -> NoReturn:
    """Run the command and exit; Ctrl-C before it begins and after its end is told by the exit code alone."""
    is_ours = (
        signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )  # a shell lets those in the background ignore it
    if is_ours:
        signal.signal(signal.SIGINT, _exit)
    from picsellia_async.cli.main import main  # noqa: PLC0415 - see above

    try:
        if is_ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        code = main()
    except KeyboardInterrupt:  # while it reads its arguments
        code = INTERRUPTED
    finally:
        if is_ours:
            signal.signal(signal.SIGINT, _exit)
    sys.exit(code)


def _exit(*_: object) -> NoReturn:
    """Exit at once: as an exception it would be a traceback, of imports or of what Python does at its end."""
    os._exit(INTERRUPTED)
