"""`Lateness`: how old the pictures of a camera are, which of them are late, and when decoding itself is too slow. Pure.

Theory of operation. What the thread has no time for waits in the kernel's buffers, seconds of it, and each picture would be older than
the one before. Nothing tells when a packet came there. But a packet that was waited for came at the end of the wait, and from it on the
stream's own clock tells when the next ones are due: one that is due and handed over later has waited. What is late by itself, as
networks delay it, is waited for again, and counts from there, by no more than was waited.

A picture is late where it cannot be handed over within two frame times. Late ones are decoded only, since others build on them, and not
made a JPEG or pixels: that costs half or less, and the thread catches up. Where decoding takes longer than a frame time it never does:
then packets are passed over up to a key frame that is in time, the next at which decoding can begin anew.

The row of packets that were there already tells as well: more than four are a backlog, whatever the clock says, and of their pictures
one a second is made. Where a stream has no clock nothing else tells: how many are a backlog is then a matter of what it takes to make
their pictures too, since networks deliver in bursts, which small pictures do not delay.
"""

from __future__ import annotations

import math
import statistics
from collections import deque
from typing import Final

import attrs

READY_SECONDS: Final = 0.002
"""Within this a packet comes that was there already."""
IN_A_ROW: Final = 4
"""Packets that are no backlog yet, if their pictures take no longer than `BURST_SECONDS`."""
BURST_SECONDS: Final = 0.04
LEFT_OUT_SECONDS: Final = 1.0
"""Without a picture at most, while some are left out."""
FRAMES_OLD_MAX: Final = 2
"""Frame times within which a picture is handed over."""
OLD_SECONDS_MIN: Final = 0.08
"""Younger pictures are not late at any rate: above 25 a second, two frame times are less than threads and loops may wait for each other."""
BEHIND_SECONDS: Final = 1.0
"""By more than that decoding is behind before packets are passed over."""
PASSED_OVER_SECONDS: Final = 10.0
"""For longer than that no key frame is waited for: some streams have none."""
_STEP_SECONDS_MAX: Final = 1.0
"""From one packet to the next; by more the clock jumped."""
_HELD_SECONDS: Final = 1.0
"""Who waits for longer than that for a packet that is handed over when the next begins, had its beginning before that wait."""
_WEIGHT: Final = 0.25
"""Of the latest picture in what decoding one takes."""


@attrs.define
class Lateness:
    """Of one connection. All moments are monotonic seconds."""

    is_parsed: bool = False
    """Whether a packet is handed over when the next one begins, which takes one of the frame times."""
    buffer: int = 1
    """Pictures that may wait for the reader; each but the first may be a frame time older."""
    came_at: float = attrs.field(default=0.0, init=False)
    """When the latest packet came, as far as can be told."""
    _ready: int = attrs.field(default=0, init=False)
    """Packets in a row that were there already."""
    _moment: float | None = attrs.field(default=None, init=False)
    """Of the latest packet, by the stream's clock."""
    _offset: float | None = attrs.field(default=None, init=False)
    """From that clock to ours."""
    _steps: deque[float] = attrs.field(factory=lambda: deque(maxlen=9), init=False)
    """From packet to packet, by the stream's clock."""
    _made: deque[float] = attrs.field(factory=lambda: deque(maxlen=4), init=False)
    """Seconds that the latest pictures took."""
    _made_at: float = attrs.field(default=-math.inf, init=False)
    _decoding: float = attrs.field(default=0.0, init=False)
    """Seconds that decoding a packet takes."""
    _passes_over_since: float | None = attrs.field(default=None, init=False)

    def read(self, waited: float, now: float, moment: float | None = None) -> None:
        """Take note of a packet.

        Args:
            waited: Seconds that the thread slept until it came.
            now: When it is handed over.
            moment: Its seconds by the stream's clock.
        """
        is_ready = waited < READY_SECONDS
        self._ready = self._ready + 1 if is_ready else 0
        self.came_at = now
        before, self._moment = self._moment, moment
        if moment is None:
            return
        step = 0.0 if before is None else moment - before
        if step > 0:
            self._steps.append(step)
        offset = now - moment
        is_jump = not 0 <= step <= _STEP_SECONDS_MAX
        if self._offset is None or is_jump:
            self._offset = offset
        else:
            # Only what was waited for may be due later than thought, and by no more than that wait. It may have been one for
            # other threads of Python, which counts as sleep: then the packet was there, and is as old as before.
            self._offset = min(offset, self._offset + (0.0 if is_ready else waited))
        self.came_at = moment + self._offset
        if self.is_parsed and before is not None and waited > _HELD_SECONDS:
            # The camera stood still, and the packet with it: it comes at the end of that, and is as old.
            self.came_at = min(self.came_at, now - waited + (self.frame_seconds or 0.0))

    @property
    def frame_seconds(self) -> float | None:
        """From one frame to the next; None where the stream does not tell."""
        return None if self._moment is None or len(self._steps) <= 1 else statistics.median(self._steps)

    @property
    def until(self) -> float:
        """Until when a picture of the latest packet is in time."""
        frame = self.frame_seconds
        if frame is None:
            return math.inf
        old = max(FRAMES_OLD_MAX * frame, OLD_SECONDS_MIN)
        return self.came_at + old + (self.buffer - 1 - self.is_parsed) * frame

    def leaves_out(self, now: float, *, is_awaited: bool = False) -> bool:
        """Return whether the next picture is to be left out.

        Args:
            now: When it would be begun.
            is_awaited: Whether the reader has waited for so long that it gets a late one.
        """
        takes = min(self._made, default=0.0)
        burst = IN_A_ROW if self.frame_seconds or not takes else min(IN_A_ROW, int(BURST_SECONDS / takes))
        if self._ready > burst and now < self._made_at + LEFT_OUT_SECONDS:
            return True
        return now + takes > self.until and not is_awaited

    def made(self, begun: float, now: float) -> None:
        """Take note of a picture that was made.

        Args:
            begun: When it was begun.
            now: Its end.
        """
        self._made.append(now - begun)
        self._made_at = now

    def decoded(self, seconds: float) -> None:
        """Take note of what decoding a packet took."""
        self._decoding += (seconds - self._decoding) * _WEIGHT

    @property
    def is_passing_over(self) -> bool:
        """Whether packets are not decoded, until a key frame comes."""
        return self._passes_over_since is not None

    def passes_over(self, now: float, *, is_key: bool) -> bool:
        """Return whether the latest packet is not even to be decoded.

        Args:
            now: When it would be.
            is_key: Whether decoding can begin with it.
        """
        frame, behind = self.frame_seconds, now - self.came_at
        if self._passes_over_since is not None:
            is_in_time = is_key and behind < BEHIND_SECONDS / 2
            if is_in_time or now > self._passes_over_since + PASSED_OVER_SECONDS:
                self._passes_over_since = None
        elif frame is not None and behind > BEHIND_SECONDS and self._decoding > frame:
            self._passes_over_since = now
        return self._passes_over_since is not None
