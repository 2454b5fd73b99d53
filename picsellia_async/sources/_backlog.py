"""`Backlog`: whether a camera sends faster than its pictures can be made, and which of them to leave out then. Pure.

Theory of operation. What the thread has no time for waits in the kernel's buffers, seconds of it, and each picture would be older than
the one before. A packet that is there already when it is asked for is one that waited; a camera that is kept up with lets the thread
wait. Several such packets in a row are a backlog, and then most pictures are decoded only, since others build on them, and not made a
JPEG or pixels: that costs half or less, and the backlog shrinks. Some are made all the same, so that pictures come however slow the
machine is.
"""

from __future__ import annotations

from typing import Final

import attrs

READY_SECONDS: Final = 0.002
"""Within this a packet comes that was there already."""
IN_A_ROW: Final = 4
"""Packets that are no backlog yet: networks deliver in bursts."""
LEFT_OUT_MAX: Final = 3
"""Pictures in a row."""


@attrs.define
class Backlog:
    """Of one connection."""

    _ready: int = attrs.field(default=0, init=False)
    """Packets in a row that were there already."""
    _left_out: int = attrs.field(default=0, init=False)

    def read(self, waited: float) -> None:
        """Take note of a packet.

        Args:
            waited: Seconds until it came.
        """
        self._ready = self._ready + 1 if waited < READY_SECONDS else 0

    def leaves_out(self) -> bool:
        """Return whether the next picture is to be left out."""
        is_late = self._ready > IN_A_ROW and self._left_out < LEFT_OUT_MAX
        self._left_out = self._left_out + 1 if is_late else 0
        return is_late
