"""How much may be held at once: a bound in frames and in bytes, with room given in the order of arrival.

Nobody overtakes whoever waits first: a large frame waits until enough is released, and small ones behind it wait with it. A
frame that can never fit is refused by the caller (`can_ever_fit`), since in the queue it would block everybody for good.

Room belongs to the waiter from the moment it is granted, not from the moment its task runs again. Between the two others may
release and reserve, and the waiter may be cancelled; then `reserve` gives the room back.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

import attrs


@attrs.frozen(eq=False)
class Reservation:
    """A place in the queue for room."""

    size: int
    """Bytes wanted."""
    granted: asyncio.Future[None]
    """Done once the bytes are the waiter's."""
    passes: bool = False
    """Whether the frame only passes through memory."""


class CannotPassError(Exception):
    """The disk did not take a frame that was on its way there: waiting for the way does not help."""


@attrs.define(eq=False)
class FlowControl:
    """Counts what is held, and who waits."""

    max_bytes: int
    """Bytes that may be held."""
    max_frames: int | None = None
    """Frames that may be held; None: any number."""
    waiting_bytes: float = attrs.field(
        default=attrs.Factory(lambda self: self.max_bytes / 2, takes_self=True), kw_only=True
    )
    """Bytes up to which frames that are on disk as well wait in memory."""
    used_bytes: int = attrs.field(default=0, init=False)
    """Bytes held."""
    used_frames: int = attrs.field(default=0, init=False)
    """Frames held."""
    parked_bytes: int = attrs.field(default=0, init=False)
    """Of the held bytes: those that do not count for `is_below`, since what would free them waits for that itself."""
    passing: int = attrs.field(default=0, init=False)
    """Frames on their way to disk. While there is none, the next one is let in whether it fits or not: only the disk may keep a
    frame from the disk, and what fills the memory may wait for a service that is down."""
    _queue: deque[Reservation] = attrs.field(factory=deque, init=False, repr=False)
    _low: asyncio.Future[None] | None = attrs.field(default=None, init=False, repr=False)
    _low_share: float = attrs.field(default=0.0, init=False, repr=False)

    def can_ever_fit(self, size: int) -> bool:
        """Return whether a frame of this size would fit if nothing else were held."""
        return size <= self.max_bytes and self.max_frames != 0

    def fits(self, size: int) -> bool:
        """Return whether a frame of this size fits beside what is held, the queue left aside."""
        return self.used_bytes + size <= self.max_bytes and (
            self.max_frames is None or self.used_frames < self.max_frames
        )

    def try_reserve(self, size: int) -> bool:
        """Take the bytes at once if they are free and nobody waits for any; return whether they were taken."""
        # What `fits` says, without the call: this runs for every frame.
        is_full = self.max_frames is not None and self.used_frames >= self.max_frames
        if self._queue or is_full or self.used_bytes + size > self.max_bytes:
            return False
        self.used_bytes += size
        self.used_frames += 1
        return True

    def occupy(self, size: int) -> None:
        """Take the bytes whether they are free or not: they are in use already (found on disk, for instance)."""
        self.used_bytes += size
        self.used_frames += 1

    async def reserve(self, size: int, *, passes: bool = False) -> None:
        """Take the bytes, after everybody who came before has theirs.

        Args:
            size: Bytes.
            passes: Whether the frame is on its way to disk; `passed` ends that.

        Raises:
            BaseException: What `close` was given, if that comes first; `CannotPassError` where `stop_passing` is called meanwhile.
        """
        place = Reservation(size, asyncio.get_running_loop().create_future(), passes)
        self._queue.append(place)
        self._grant()
        if place.granted.done():
            return
        try:
            await place.granted
        except BaseException:
            if place in self._queue:
                self._queue.remove(place)
                # Whoever stood behind a frame that was too large may fit.
                self._grant()
            elif place.granted.done() and not place.granted.cancelled() and place.granted.exception() is None:
                # Cancelled after the grant: the bytes were taken for a task that will never release them.
                self.release(size)
                if passes:
                    self.passed()
            raise

    def release(self, size: int, frames: int = 1) -> None:
        """Give bytes back, and let in who fits now."""
        self.used_bytes -= size
        self.used_frames -= frames
        if self._queue:
            self._grant()
        if self._low is not None:
            self._tell_low()

    def _grant(self) -> None:
        while self._queue and self._lets_in(self._queue[0]):
            place = self._queue.popleft()
            if not place.granted.done():
                self.occupy(place.size)
                self.passing += place.passes
                place.granted.set_result(None)

    def _lets_in(self, place: Reservation) -> bool:
        return self.fits(place.size) or (place.passes and not self.passing)

    def passed(self) -> None:
        """A frame is on disk, or will not get there: the next one may follow."""
        self.passing -= 1
        self._grant()

    def stop_passing(self) -> None:
        """Nothing gets to disk now: raise `CannotPassError` for everybody who waits for the way there."""
        stays = deque(place for place in self._queue if not place.passes)
        goes = [place for place in self._queue if place.passes]
        self._queue = stays
        for place in goes:
            if not place.granted.done():
                place.granted.set_exception(CannotPassError())

    def close(self, error: Callable[[], BaseException]) -> None:
        """End the waiting of everybody in the queue.

        Args:
            error: Makes what `reserve` raises there; one for each, since a traceback belongs to one task.
        """
        while self._queue:
            place = self._queue.popleft()
            if not place.granted.done():
                place.granted.set_exception(error())

    def park(self, size: int) -> None:
        """Leave held bytes out of account for `is_below`; a negative size takes that back."""
        self.parked_bytes += size
        self._tell_low()

    def _tell_low(self) -> None:
        if self._low is not None and not self._low.done() and self.is_below(self._low_share):
            self._low.set_result(None)

    def is_below(self, share: float) -> bool:
        """Return whether at most this share of the bounds is held; of bytes, of twice `waiting_bytes`."""
        return self.used_bytes - self.parked_bytes <= 2 * self.waiting_bytes * share and (
            self.max_frames is None or self.parked_bytes > 0 or self.used_frames <= self.max_frames * share
        )

    async def wait_below(self, share: float) -> None:
        """Wait until at most this share of the bounds is held. One task at a time may wait."""
        while not self.is_below(share):
            self._low_share, self._low = share, asyncio.get_running_loop().create_future()
            try:
                await self._low
            finally:
                self._low = None

    @property
    def waiting(self) -> int:
        """How many wait for room."""
        return len(self._queue)
