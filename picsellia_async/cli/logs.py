"""`-v`: what the library logs, on stderr, while a command runs."""

from __future__ import annotations

import argparse
import contextlib
import logging
import sys
from collections.abc import Iterator
from typing import Any, Final, TextIO

from picsellia_async._delivery.outcomes import Health
from picsellia_async._delivery.stream import ENDED_TEXT
from picsellia_async._delivery.trouble import GONE, STATE
from picsellia_async.cli.wording import in_options

_FORMAT: Final = "%(asctime)s %(levelname)s %(message)s"
_WARNING_FORMAT: Final = "%(message)s"
"""As Python does it where nothing is set up."""


class _Formatter(logging.Formatter):
    """Says options where the library advises arguments of Python."""

    def format(self, record: logging.LogRecord) -> str:
        return in_options(super().format(record))


class _StderrHandler(logging.StreamHandler[Any]):
    """Writes to what stderr is at that moment: a progress bar puts something of its own there, so that lines come above it."""

    def __init__(self, form: str) -> None:
        logging.Handler.__init__(self)
        self.setFormatter(_Formatter(form))

    @property
    def stream(self) -> TextIO:
        return sys.stderr


def add_verbose(parser: argparse.ArgumentParser) -> None:
    """Add `-v` to a command; `logged` acts on it."""
    parser.add_argument(
        "-v",
        "--verbose",
        action="count",
        default=0,
        help="tell on stderr what happens, with times; -vv: every attempt that fails, too",
    )


def _is_of_refusal_alone(text: str) -> bool:
    """Return whether a line tells that the account is refused, and of no trouble beside it."""
    return [state for state in (*STATE.values(), GONE) if state in text] == [STATE[Health.REFUSED]]


@contextlib.contextmanager
def logged(verbose: int, *, is_end_told: bool = False, is_refusal_told: bool = False) -> Iterator[None]:
    """Show the lines of the logger `picsellia_async` while a block runs: at INFO, twice `-v` at DEBUG; without `-v` warnings alone.

    Args:
        verbose: How often `-v` was given.
        is_end_told: Whether the command itself says by which error the reading ended, so that the log's line would say it twice.
        is_refusal_told: Whether the command itself says that the service refuses the account; with `-v` the log's lines tell it too.
    """
    logger = logging.getLogger("picsellia_async")
    if not verbose and logger.hasHandlers():  # called by a program that has set up its logging
        yield
        return
    handler = _StderrHandler(_FORMAT if verbose else _WARNING_FORMAT)
    if is_end_told:
        handler.addFilter(lambda record: record.msg != ENDED_TEXT)
    if is_refusal_told and not verbose:
        handler.addFilter(lambda record: not _is_of_refusal_alone(record.getMessage()))
    level, propagates = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG if verbose > 1 else logging.INFO if verbose else logging.WARNING)
    logger.propagate = False  # a command that sets up logging of its own would show each line twice
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagates
