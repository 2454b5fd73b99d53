"""What a container tells of its video, beside what the decoder does. Blocking."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any, Final

from picsellia_async.sources._address import is_url
from picsellia_async.sources._clock import Clock
from picsellia_async.sources._video_settings import VideoSettings

_ASPECT_MAX: Final = 4
"""Pixels that are said to be flatter than that are a mistake of the file."""
_MICROSECONDS: Final = 1_000_000
_SOUND_LONGER_MAX: Final = 1.0
"""Seconds by which the sound of a whole file may be longer than its pictures."""


def matrix(frame: Any) -> bytes | None:
    """Return how a frame is to be turned, as bytes of FFmpeg; None where it does not say."""
    found = frame.side_data.get("DISPLAYMATRIX")
    return None if found is None else bytes(found)


def aspect(stream: Any) -> Fraction:
    """Return the width of a pixel by its height, once a frame is decoded: recordings of television have none that are square.

    What the container says wins, as in players. Viewers of JPEG do not know of it, and the density in its header means another thing.
    """
    if stream.codec_context.name == "mjpeg":
        return Fraction(1)
    told = (stream.sample_aspect_ratio, stream.codec_context.sample_aspect_ratio)
    found = next((Fraction(one) for one in told if one and one != 1), Fraction(1))
    return found if 1 / _ASPECT_MAX <= found <= _ASPECT_MAX else Fraction(1)


def ends_early(stream: Any, settings: VideoSettings, clock: Clock) -> bool:
    """Return whether a file ends before its own header or index says."""
    if settings.is_live or is_url(settings.address):
        return False
    size = Path(settings.address).stat().st_size
    if max((entry.pos + entry.size for entry in stream.index_entries), default=0) > size:
        return True
    format_ = stream.container.format.name
    if format_ == "avi":
        return bool(clock.packets < stream.frames)
    length = stream.container.duration
    if "matroska" in format_ and length:
        return bool(clock.latest < length / _MICROSECONDS - _SOUND_LONGER_MAX)
    return clock.ends_corrupt
