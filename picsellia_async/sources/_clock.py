"""When frames of a video were captured, where in it they are, and which of them are taken."""

from __future__ import annotations

import logging
import time
from fractions import Fraction
from typing import Any, Final

from picsellia_async._log_line import Line, write
from picsellia_async.sources._video_settings import VideoSettings

_PARSED: Final = frozenset({"h264", "hevc", "mpeg4"})
"""Codecs whose packets FFmpeg hands over when the next one begins, that is one frame late, in the formats of `_PARSING`."""
_PARSING: Final = frozenset({"rtsp", "rtp", "sdp", "mpegts"})

_BACK_SECONDS: Final = 0.1
"""By more than that the time of a frame does not go back within a recording; where pieces were joined it does."""
_AHEAD_SECONDS: Final = 10.0
"""By more than that it goes ahead in joined pieces of `_JOINABLE`, whose clocks begin anywhere; FFmpeg's own threshold."""
_JOINABLE: Final = ("mpegts", "mpeg", "hls")

_REORDERED_MAX: Final = 64
"""Packets whose time is remembered; decoders hold fewer frames back."""


def seconds_of(stamp: int | None, time_base: Fraction | None) -> float | None:
    """Return what a stamp is in seconds by the stream's clock; None where there is no stamp or no clock."""
    return None if stamp is None or time_base is None else float(stamp * time_base)


class Clock:
    """Tells where in the video a frame is, from its beginning, and when it was captured."""

    def __init__(self, stream: Any, settings: VideoSettings, begins: float = 0.0) -> None:
        """Begin.

        Args:
            stream: Of PyAV.
            settings: What is read.
            begins: Seconds of the video that are missing before the first frame.
        """
        self.packets = 0
        """Packets so far."""
        self.frames = 0
        """Frames, and packets that are not to be shown, so far."""
        self.latest = 0.0
        """Seconds in the file at which the latest packet begins."""
        self.ends_corrupt = False
        """Whether the latest packet lacks a part."""
        self._rate = stream.guessed_rate or stream.average_rate
        start = None if settings.is_live else stream.start_time
        self._start: float | None = None if start is None else float(start * stream.time_base) - begins
        self._unclocked = 0
        codec, format_ = stream.codec_context.name, stream.container.format.name
        self.is_parsed: bool = settings.is_live and codec in _PARSED and format_ in _PARSING
        """Whether a packet is handed over when the next one begins."""
        self._handed_over = time.time()
        self._is_joinable = not settings.is_live and any(one in format_.split(",") for one in _JOINABLE)
        self._latest_moment: float | None = None
        """Of the latest frame, by the stream's clock."""
        self._step = float(1 / self._rate) if self._rate else 0.0
        """Seconds from one frame to the next."""
        self._shift = 0.0
        """Seconds that the clocks of joined pieces are put forward, so that the time goes on."""
        self._position = 0.0
        """Of the latest frame."""
        self._told: set[bool] = set()
        """Whether a step ahead, and one back, of the clock were told."""
        self._shown = settings.told
        self._came: dict[int | None, float] = {}
        """When packets came, by their time in the stream: a decoder that puts frames in order gives them back later."""

    def read(self, packet: Any, came: float | None = None) -> None:
        """Take note of a packet, when it is handed over.

        Args:
            packet: Of PyAV.
            came: Epoch seconds at which its first byte did, where that is known.
        """
        if not packet.size:
            return
        now = time.time()
        self.packets += 1
        self.frames += packet.is_discard
        self.ends_corrupt = packet.is_corrupt
        if packet.pts is not None:
            self.latest = max(self.latest, float(packet.pts * packet.time_base))
        if came is None:
            # A parser hands a packet over when the next one begins: this one began when the one before was handed over.
            came = self._handed_over if self.is_parsed and self.packets > 1 else now
        self._came[packet.pts] = came
        self._handed_over = now
        if len(self._came) > _REORDERED_MAX:
            del self._came[next(iter(self._came))]

    def captured(self, item: Any) -> float:
        """Return the epoch seconds at which a packet, or that of a frame, came: the nearest to its capture that is known."""
        return self._came.pop(item.pts, self._handed_over)

    def position(self, item: Any) -> float | None:
        """Return seconds from the beginning of the video; by the frame rate where its frames carry no time; None without either."""
        moment = seconds_of(item.pts, item.time_base)
        if moment is None:
            return self._position_by_rate()
        if self._start is None:
            self._start = moment
        self._follow_joins(moment)
        position = moment + self._shift - self._start
        # Frames come in the order in which they are shown, and the time never goes back.
        if self._latest_moment is not None:
            position = max(position, self._position)
        self._latest_moment, self._position = moment, position
        return position

    def position_passed_over(self, packet: Any) -> float | None:
        """Return the same of a packet that is not decoded. Those come in the order of decoding: a step back is no join."""
        moment = seconds_of(packet.pts, packet.time_base)
        if moment is None:
            return self._position_by_rate()
        return 0.0 if self._start is None else moment + self._shift - self._start

    def _position_by_rate(self) -> float | None:
        if not self._rate:
            return None
        self._unclocked += 1
        return float((self._unclocked - 1) / self._rate)

    def _follow_joins(self, moment: float) -> None:
        """Let the time go on where pieces were joined, each with a clock of its own, as players do."""
        if self._latest_moment is None:
            return
        step = moment - self._latest_moment
        is_ahead = step > _AHEAD_SECONDS
        if step < -_BACK_SECONDS or (is_ahead and self._is_joinable):
            self._shift += self._step - step
            if is_ahead not in self._told:
                self._told.add(is_ahead)
                self._tell(step)
        elif step > 0:
            self._step = step

    def _tell(self, step: float) -> None:
        # A pause of the recorder looks so too, and its time is lost; a step back is nothing but a new piece.
        direction, cause = ("ahead", " or the recorder paused") if step > 0 else ("back", "")
        text = (
            f"{self._shown}: at {self._position:.2f} s its clock steps {direction} by {abs(step):.2f} s, as where pieces were joined{cause}; "
            "the time goes on without that step, and without later ones"
        )
        level = logging.WARNING if step > 0 else logging.INFO
        write(Line(level, text, {"video": self._shown, "clock_step": step}))


class Step:
    """Chooses every n-th frame, or one per so many seconds of the video's own clock."""

    def __init__(self, settings: VideoSettings) -> None:
        self._every = settings.every
        self._seconds = settings.every_seconds
        self._count = -1
        self._next: float | None = None

    def takes(self, position: float | None) -> bool:
        self._count += 1
        if self._seconds is None:
            return self._count % self._every == 0
        # A live source that does not tell its clock is stepped by ours.
        now = time.monotonic() if position is None else position
        if self._next is not None and now < self._next and now >= self._next - 2 * self._seconds:
            return False
        is_late = self._next is None or abs(now - self._next) > self._seconds
        # Counted from the last due time, so that the mean rate is kept; anew after a jump of the clock.
        self._next = (now if is_late else self._next or now) + self._seconds
        return True
