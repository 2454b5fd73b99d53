"""`Backlog`: whether a camera sends faster than its pictures can be made, and which of them to leave out then. Pure.

Theory of operation. What the thread has no time for waits in the kernel's buffers, seconds of it, and each picture would be older than
the one before. A packet that is there already when it is asked for is one that waited; a camera that is kept up with lets the thread
wait. Several such packets in a row are a backlog; how many, is a matter of what it takes to make their pictures, since networks deliver
in bursts, which small pictures do not delay. Where one takes as long as the next needs to come, each packet that waited is late. Late
pictures are decoded only, since others build on them, and not made a JPEG or pixels: that costs half or less, and the backlog shrinks
until the thread waits again. So fewer pictures come, each of them new. One a second is made all the same, so that pictures come however
slow the machine is.
"""

from __future__ import annotations

import math
from typing import Final

import attrs

READY_SECONDS: Final = 0.002
"""Within this a packet comes that was there already."""
IN_A_ROW: Final = 4
"""Packets that are no backlog yet, if their pictures take no longer than `BURST_SECONDS`."""
BURST_SECONDS: Final = 0.04
LEFT_OUT_SECONDS: Final = 1.0
"""Without a picture at most, while some are left out."""
_WEIGHT: Final = 0.25
"""Of the latest picture in what one takes."""


@attrs.define
class Backlog:
    """Of one connection."""

    _ready: int = attrs.field(default=0, init=False)
    """Packets in a row that were there already."""
    _seconds: float = attrs.field(default=0.0, init=False)
    """What it takes to make a picture."""
    _made_at: float = attrs.field(default=-math.inf, init=False)

    def read(self, waited: float) -> None:
        """Take note of a packet.

        Args:
            waited: Seconds until it came.
        """
        self._ready = self._ready + 1 if waited < READY_SECONDS else 0

    def leaves_out(self, now: float) -> bool:
        """Return whether the next picture is to be left out.

        Args:
            now: Monotonic seconds.
        """
        burst = min(IN_A_ROW, int(BURST_SECONDS / self._seconds)) if self._seconds else IN_A_ROW
        return self._ready > burst and now < self._made_at + LEFT_OUT_SECONDS

    def made(self, begun: float, now: float) -> None:
        """Take note of a picture that was made.

        Args:
            begun: Monotonic seconds.
            now: The same at its end.
        """
        self._seconds += ((now - begun) - self._seconds) * (_WEIGHT if self._seconds else 1.0)
        self._made_at = now
