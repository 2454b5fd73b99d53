"""Opening, decoding and stepping through video with PyAV (extra `video`, imported on use). Blocking: for threads of its own.

No error of PyAV leaves this module: their messages hold the address with its password.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias, get_args

import attrs

from picsellia_async.errors import ConfigurationError, shown
from picsellia_async.sources._address import checked_address, is_url, redacted, source_name
from picsellia_async.sources._errors import SourceError
from picsellia_async.sources._image import Image
from picsellia_async.validation import choice, epoch_seconds, real_number, whole_number

Pixels: TypeAlias = Literal["rgb", "bgr"]
"""Order of the channels of `Image.pixels`."""

_QUANTIZER_BEST: Final = 2
_QUANTIZER_WORST: Final = 31


def open_av() -> Any:
    """Return the module av.

    Raises:
        ConfigurationError: It is not installed; the message names the extra.
    """
    try:
        import av  # noqa: PLC0415 - an extra, imported on use
    except ImportError as error:
        raise ConfigurationError("video needs PyAV: pip install 'picsellia-async[video]'") from error
    return av


@attrs.frozen(kw_only=True)
class Decoding:
    """What is read and how: checked when made, holds the address with its password."""

    address: str = attrs.field(repr=False)
    every: int
    every_seconds: float | None
    quality: int
    pixels: Pixels | None
    source: str
    started_at: float | None
    timeout: float
    options: Mapping[str, str] = attrs.field(repr=False)
    format: str | None

    @classmethod
    def of(cls, address: object, **given: Any) -> Decoding:
        """Check what a caller gave.

        Raises:
            ConfigurationError: A value is of the wrong kind or out of range.
        """
        text = checked_address(address, "url_or_path")
        if given["every_seconds"] is not None:
            if given["every"] != 1:
                raise ConfigurationError("every and every_seconds must not be given together")
            real_number(given["every_seconds"], "every_seconds", 0.0)
        whole_number(given["every"], "every", 1)
        if not 1 <= whole_number(given["quality"], "quality") <= 100:
            raise ConfigurationError(f"quality must be 1 to 100, got {shown(given['quality'])}")
        choice(given["pixels"], "pixels", (None, *get_args(Pixels)))
        if real_number(given["timeout"], "timeout") <= 0:
            raise ConfigurationError(f"timeout must be positive seconds, got {shown(given['timeout'])}")
        started_at = given["started_at"]
        given["started_at"] = None if started_at is None else epoch_seconds(started_at, "started_at")
        given["source"] = given["source"] or source_name(text)
        usual = {"rtsp_transport": "tcp"} if text.startswith("rtsp") else {}
        given["options"] = {**usual, **(given["options"] or {})}
        if given["format"] is None and text.startswith("/dev/video"):
            given["format"] = "v4l2"
        return cls(address=text, **given)

    @property
    def shown(self) -> str:
        """The address without user, password and query."""
        return redacted(self.address)


def decoded(
    settings: Decoding, connected: Callable[[], object] = lambda: None, first: int = 0
) -> Generator[Image, None, None]:
    """Yield the chosen frames as JPEG; closing the generator closes the file or connection.

    Args:
        settings: What and how.
        connected: Called once the video is open.
        first: Number of the first frame in file names.

    Raises:
        SourceError: It cannot be opened, is no video, or broke off.
    """
    av = open_av()
    container = _open(av, settings)
    try:
        connected()
        encoder = _JpegEncoder(av, settings.quality)
        step = _Step(settings)
        number = first
        for frame in _frames(av, container, settings):
            position = None if frame.time is None else float(frame.time)
            if step.takes(position):
                yield _image(settings, encoder, frame, number, position)
                number += 1
    finally:
        container.close()


def _open(av: Any, settings: Decoding) -> Any:
    address, failure = settings.address, ""
    if not is_url(address) and not settings.format and not Path(address).exists():
        raise SourceError(f"there is no file {address!r}")
    try:
        container = av.open(
            address,
            format=settings.format,
            options=dict(settings.options),
            timeout=(settings.timeout, settings.timeout),
        )
    except (av.FFmpegError, OSError, ValueError) as error:
        failure = _reason(error)
    if failure:  # raised outside of `except`: the error of PyAV, with the password in it, must not even be its context
        raise SourceError(f"cannot open {settings.shown!r} as a video: {failure}")
    if not container.streams.video:
        container.close()
        raise SourceError(f"{settings.shown!r} holds no video")
    return container


def _frames(av: Any, container: Any, settings: Decoding) -> Generator[Any, None, None]:
    stream = container.streams.video[0]
    stream.thread_type = "AUTO"
    failure = ""
    try:
        yield from container.decode(stream)
    except av.EOFError:
        return
    except (av.FFmpegError, OSError) as error:
        failure = _reason(error)
    if failure:
        raise SourceError(f"{settings.shown!r} broke off: {failure}")


def _reason(error: BaseException) -> str:
    """Return what FFmpeg says, without the address that its messages end with."""
    said = getattr(error, "strerror", None)
    return str(said) if said else type(error).__name__


class _Step:
    """Chooses every n-th frame, or one per so many seconds of the video's own clock."""

    def __init__(self, settings: Decoding) -> None:
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


class _JpegEncoder:
    """FFmpeg's mjpeg encoder; made anew when the size of the frames changes."""

    def __init__(self, av: Any, quality: int) -> None:
        self._av = av
        spread = _QUANTIZER_WORST - _QUANTIZER_BEST
        self._quantizer = str(round(_QUANTIZER_BEST + (100 - quality) * spread / 99))
        self._context: Any = None
        self._size: tuple[int, int] | None = None
        self._count = 0

    def encode(self, frame: Any) -> bytes:
        picture = frame.reformat(format="yuvj420p")
        if self._size != (picture.width, picture.height):
            self._size = (picture.width, picture.height)
            self._context = self._av.CodecContext.create("mjpeg", "w")
            self._context.width, self._context.height = self._size
            self._context.pix_fmt = "yuvj420p"
            self._context.time_base = Fraction(1, 1000)
            # The second frame is refused by an encoder that works in several threads.
            self._context.thread_count = 1
            self._context.options = {"qmin": self._quantizer, "qmax": self._quantizer}
        self._count += 1
        picture.pts = self._count
        picture.time_base = self._context.time_base
        return b"".join(bytes(packet) for packet in self._context.encode(picture))


def _image(settings: Decoding, encoder: _JpegEncoder, frame: Any, number: int, position: float | None) -> Image:
    is_dated = settings.started_at is not None and position is not None
    timestamp = (settings.started_at or 0.0) + (position or 0.0) if is_dated else time.time()
    pixels = None if settings.pixels is None else frame.to_ndarray(format=f"{settings.pixels}24")
    return Image(
        image=encoder.encode(frame), filename=f"{settings.source}-{number:06d}.jpg", width=frame.width, height=frame.height,
        timestamp=timestamp, source=settings.source, position=position, pixels=pixels,
    )  # fmt: skip
