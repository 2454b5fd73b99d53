"""The door of the command `picsellia-async`. What it runs takes a second to load, and so is imported here, not above."""

from __future__ import annotations

import os
import signal
import sys
from typing import Final, NoReturn

INTERRUPTED: Final = 130
"""Exit code of a command that Ctrl-C or SIGTERM ended."""


def run() -> NoReturn:
    """Run the command and exit; a signal before it begins and after its end is told by the exit code alone."""
    # Not those that are ignored: a shell has what runs in its background ignore Ctrl-C.
    ours = [
        number
        for number in (signal.SIGINT, signal.SIGTERM)
        if signal.getsignal(number) in {signal.default_int_handler, signal.SIG_DFL}
    ]
    for number in ours:
        signal.signal(number, _exit)
    from picsellia_async.cli.main import main  # noqa: PLC0415 - see above

    try:
        for number in ours:
            # By itself SIGTERM, which service managers and containers send, ends Python without closing anything.
            signal.signal(number, signal.default_int_handler)
        code = main()
    except KeyboardInterrupt:  # while it reads its arguments
        code = INTERRUPTED
    finally:
        for number in ours:
            signal.signal(number, _exit)
    sys.exit(code)


def _exit(*_: object) -> NoReturn:
    """Exit at once: as an exception it would be a traceback, of imports or of what Python does at its end."""
    os._exit(INTERRUPTED)
