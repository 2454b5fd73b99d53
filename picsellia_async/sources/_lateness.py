"""`Lateness`: how old the pictures of a camera are, which of them are late, and when decoding itself is too slow. Pure.

Theory of operation. What the thread has no time for waits in the kernel's buffers, and what the network holds back waits there, seconds
of it, and each picture would be older than the one before. Nothing tells when a packet was sent. But the stream's own clock tells when
it was due (`StreamClock`), and where there is none, a silence is told by what comes after it (`Backlog`).

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

from picsellia_async.sources._arrival import OLD_SECONDS_MIN, READY_SECONDS, Backlog, StreamClock

IN_A_ROW: Final = 4
"""Packets that are no backlog yet, if their pictures take no longer than `BURST_SECONDS`."""
BURST_SECONDS: Final = 0.04
LEFT_OUT_SECONDS: Final = 1.0
"""Without a picture at most, while some are left out."""
FRAMES_OLD_MAX: Final = 2
"""Frame times within which a picture is handed over."""
PIECES_OLD_MAX: Final = 2
"""The same of pieces: the first picture is a piece older than the last, and a recorder's list of them is looked at once a piece."""
BEHIND_SECONDS: Final = 1.0
"""By more than that decoding is behind before packets are passed over."""
PASSED_OVER_SECONDS: Final = 10.0
"""For longer than that no key frame is waited for: some streams have none."""
_WEIGHT: Final = 0.25
"""Of the latest picture in what decoding one takes."""


@attrs.define
class Lateness:
    """Of one connection. All moments are monotonic seconds."""

    is_parsed: bool = False
    """Whether a packet is handed over when the next one begins, which takes one of the frame times."""
    buffer: int = 1
    """Pictures that may wait for the reader; each but the first may be a frame time older."""
    piece: float = 0.0
    """Seconds of the pieces in which the stream comes, each at once, as the segments of HLS do; 0 where it comes by pictures."""
    came_at: float = attrs.field(default=0.0, init=False)
    """When the latest packet came, as far as can be told; of one that is parsed its beginning."""
    _ready: int = attrs.field(default=0, init=False)
    """Packets in a row that were there already."""
    _handed_over: tuple[float, float] | None = attrs.field(default=None, init=False)
    """When the packet before was, and how long it was waited for."""
    _moment: float | None = attrs.field(default=None, init=False)
    """Of the latest packet, by the stream's clock."""
    _clock: StreamClock = attrs.field(factory=StreamClock, init=False)
    _backlog: Backlog = attrs.field(factory=Backlog, init=False)
    """Of a stream without a clock."""
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
        self._ready = self._ready + 1 if waited < READY_SECONDS else 0
        before, self._handed_over = self._handed_over, (now, waited)
        self.came_at = now
        if moment is None:
            if self._moment is None:
                self.came_at = self._backlog.due(now, waited)
            return
        last, self._moment = self._moment, moment
        if last is not None and moment > last:
            self._steps.append(moment - last)
        # A parser hands the packet before over once the first byte of this one comes.
        came, slept = before if self.is_parsed and before is not None else (now, waited)
        if not self.is_parsed or before is not None:
            self.came_at = self._clock.due(came, slept, moment, self.frame_seconds or 0.0)

    @property
    def frame_seconds(self) -> float | None:
        """From one frame to the next; None where the stream does not tell."""
        return None if self._moment is None or len(self._steps) <= 1 else statistics.median(self._steps)

    @property
    def until(self) -> float:
        """Until when a picture of the latest packet is in time."""
        frame = self.frame_seconds or self._backlog.frame_seconds
        if frame is None:
            return math.inf
        old = max(FRAMES_OLD_MAX * frame, OLD_SECONDS_MIN) + PIECES_OLD_MAX * self.piece
        return self.came_at + old + (self.buffer - 1) * frame

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
        frame = self.frame_seconds
        behind = now - self.came_at - (frame or 0.0) * self.is_parsed
        if self._passes_over_since is not None:
            is_in_time = is_key and behind < BEHIND_SECONDS / 2
            if is_in_time or now > self._passes_over_since + PASSED_OVER_SECONDS:
                self._passes_over_since = None
        elif frame is not None and behind > BEHIND_SECONDS and self._decoding > frame:
            self._passes_over_since = now
        return self._passes_over_since is not None
