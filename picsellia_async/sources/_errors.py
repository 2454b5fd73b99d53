"""What is wrong in a source: the error, and the account of what was skipped instead."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

import attrs

from picsellia_async.errors import PicselliaError

PROBLEMS_KEPT: Final = 100
"""Messages kept of what was skipped; all are counted."""

OnBad: TypeAlias = Literal["raise", "skip"]
"""What a source does with an item that cannot be used: raise `SourceError`, or skip and count it."""


class SourceError(PicselliaError):
    """A source cannot be read, or holds something that is no frame. The message says where, without passwords."""


@attrs.define
class Problems:
    """The account of one pass."""

    on_bad: OnBad
    """What to do with a bad item."""
    skipped: int = 0
    """Bad items so far."""
    messages: list[str] = attrs.field(factory=list)
    """The first of them."""

    def add(self, message: str) -> None:
        """Count a bad item, or raise.

        Raises:
            SourceError: Bad items are not to be skipped.
        """
        if self.on_bad == "raise":
            raise SourceError(message)
        self.skipped += 1
        if len(self.messages) < PROBLEMS_KEPT:
            self.messages.append(message)
