"""What is wrong in a source: the error, and the account of what was skipped or left out."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, Literal, TypeAlias

import attrs

from picsellia_async._error_text import error_text
from picsellia_async._log_line import Line, write
from picsellia_async.errors import PicselliaError

PROBLEMS_KEPT: Final = 100
"""Messages kept of what was skipped; all are counted."""

OnBad: TypeAlias = Literal["raise", "skip"]
"""What a source does with an item that cannot be used: raise `SourceError`, or skip and count it."""


class SourceError(PicselliaError):
    """A source cannot be read, or holds something that is no frame. The message says where, without passwords."""

    is_of_item: bool = False
    """Whether one item is bad, which may be skipped; else it is the whole of the source."""


@attrs.define
class Problems:
    """The account of one pass."""

    on_bad: OnBad
    """What to do with a bad item."""
    skipped: int = 0
    """Bad items so far."""
    messages: list[str] = attrs.field(factory=list)
    """The first of them."""
    left_out: Counter[str] = attrs.field(factory=Counter)
    """Files that the pattern does not ask for, by extension in lower case; "" is none."""
    warnings: list[str] = attrs.field(factory=list)
    """What is doubtful of all items together, and was told in the log."""
    elsewhere: dict[str, str] = attrs.field(factory=dict)
    """By name, the images that lie where no other of the file does, and may be other pictures: taken, and told."""
    total: int | None = None
    """Items there are, where that is known before they are read."""
    is_left: bool = False
    """Whether nobody waits for items any more: what takes long before the first one ends then."""
    on_skipped: Callable[[str, str], object] | None = None
    """Called with the message about an item that is skipped, and its text, where it is a line of a manifest."""

    def add(self, message: str, cause: Exception | None = None, text: str = "") -> None:
        """Count a bad item, or raise.

        Raises:
            SourceError: Bad items are not to be skipped.
        """
        if self.on_bad == "raise":
            error = SourceError(message)
            error.is_of_item = True
            raise error from cause
        self.skipped += 1
        if len(self.messages) < PROBLEMS_KEPT:
            self.messages.append(message)
        if self.on_skipped is not None:
            self.on_skipped(message, text)

    def warn(self, text: str, name: str) -> None:
        """Tell what is doubtful of all items together.

        Args:
            text: What it is; "" is nothing.
            name: For the log: the file or folder.
        """
        if not text:
            return
        self.warnings.append(text)
        write(Line(logging.WARNING, f"{name}: {text}", {"source": name}))

    @contextmanager
    def item(self, place: str = "", text: str = "") -> Iterator[None]:
        """Make whatever the block raises the problem of one item, so that it cannot end the pass for the others.

        Args:
            place: File, line or entry, for the message; "" where the message of a typed error names it already.
            text: The item as it was read, for `on_skipped`.

        Raises:
            SourceError: Bad items are not to be skipped.
        """
        before = f"{place}: " if place else ""
        try:
            yield
        except PicselliaError as error:
            self.add(f"{before}{error}", error.__cause__ if isinstance(error.__cause__, Exception) else None, text)
        except Exception as error:  # noqa: BLE001 - an error that nobody foresaw is recorded, or raised by `add`
            self.add(f"{before}{error_text(error)}", error, text)
