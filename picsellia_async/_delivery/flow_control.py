"""How much may be held at once: a bound in frames and in bytes, with reservations in the order of arrival. Pure.

Who may not enter at once takes a `Ticket` and is told by its `granted` callback. Nobody overtakes the head of the line: a
large frame waits until enough is released, and small ones behind it wait with it. A frame that can never fit is
refused by the caller (`can_ever_fit`), since in the line it would block everybody for good.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import attrs


@attrs.define(eq=False)
class Ticket:
    """A place in the line."""

    size: int
    """Bytes wanted."""
    granted: Callable[[], None]
    """Called once when the bytes are the caller's."""
    is_cancelled: bool = False
    """Whether the caller left the line."""
    is_granted: bool = False
    """Whether the bytes are the caller's."""


@attrs.define(eq=False)
class Admission:
    """Counts what is held, and who waits."""

    max_bytes: int
    """Bytes that may be held."""
    max_frames: int | None = None
    """Frames that may be held; None: any number."""
    used_bytes: int = attrs.field(default=0, init=False)
    """Bytes held."""
    used_frames: int = attrs.field(default=0, init=False)
    """Frames held."""
    _line: deque[Ticket] = attrs.field(factory=deque, init=False, repr=False)

    def can_ever_fit(self, size: int) -> bool:
        """Return whether a frame of this size would fit if nothing else were held."""
        return size <= self.max_bytes and self.max_frames != 0

    def fits(self, size: int) -> bool:
        """Return whether a frame of this size fits beside what is held, the line left aside."""
        return self.used_bytes + size <= self.max_bytes and (
            self.max_frames is None or self.used_frames < self.max_frames
        )

    def reserve(self, size: int) -> bool:
        """Take the bytes at once if they are free and nobody waits for any; say whether they were taken."""
        if self._line or not self.fits(size):
            return False
        self.used_bytes += size
        self.used_frames += 1
        return True

    def occupy(self, size: int) -> None:
        """Take the bytes whether they are free or not: they are in use already (found on disk, for instance)."""
        self.used_bytes += size
        self.used_frames += 1

    def wait(self, size: int, granted: Callable[[], None]) -> Ticket:
        """Stand in line for the bytes."""
        ticket = Ticket(size, granted)
        self._line.append(ticket)
        return ticket

    def cancel(self, ticket: Ticket) -> None:
        """Leave the line, or give back what was granted; whoever stood behind may enter."""
        if ticket.is_cancelled:
            return
        ticket.is_cancelled = True
        if ticket.is_granted:
            self.release(ticket.size)
        else:
            self._line.remove(ticket)
            self._grant()

    def release(self, size: int, frames: int = 1) -> None:
        """Give bytes back, and let in who fits now."""
        self.used_bytes -= size
        self.used_frames -= frames
        if self._line:
            self._grant()

    def _grant(self) -> None:
        while self._line and self.fits(self._line[0].size):
            ticket = self._line.popleft()
            self.occupy(ticket.size)
            ticket.is_granted = True
            ticket.granted()

    @property
    def waiting(self) -> int:
        """How many stand in line."""
        return len(self._line)
