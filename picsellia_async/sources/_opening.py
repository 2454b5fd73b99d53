"""Opening a video with PyAV (extra `video`, imported on use), and choosing its stream. Blocking.

No error of PyAV leaves this module: their messages hold the address with its password.
"""

from __future__ import annotations

import errno
import socket
import time
from pathlib import Path
from types import ModuleType
from typing import Any, Final
from urllib.parse import urlsplit

from picsellia_async.errors import ConfigurationError
from picsellia_async.sources._address import is_url, quoting_hint, redacted
from picsellia_async.sources._errors import SourceError
from picsellia_async.sources._jpeg import open_jpeg
from picsellia_async.sources._mp4 import why_unreadable
from picsellia_async.sources._playlist import Playlist, read_playlist
from picsellia_async.sources._video_settings import VideoSettings
from picsellia_async.sources._webcam import why_no_webcam

_LIVE_OPTIONS: Final = {"analyzeduration": "1000000", "fpsprobesize": "0"}

_RTSP_OPTIONS: Final = {"rtsp_transport": "tcp"}

_LIVE_RTSP_OPTIONS: Final = {"analyzeduration": "1", "probesize": "32", "max_delay": "20000"}
"""What FFmpeg reads ahead to learn about a stream is old when it comes; RTSP says beforehand what it sends.

Over UDP a packet that is missing may only be late, and what comes after it waits `max_delay` microseconds for it. FFmpeg's own 100 ms
are more than two frames at 25 a second, for each packet that is lost for good.
"""

_LARGE_PIXELS: Final = 1280 * 720
"""Frames from which on decoding in several threads is worth what it costs."""


def open_av() -> ModuleType:
    """Return the module av.

    Raises:
        ConfigurationError: It, or what encodes its pictures, is not installed; the message names the extra.
    """
    try:
        import av  # noqa: PLC0415 - an extra, imported on use
    except ImportError as error:
        raise ConfigurationError("video needs PyAV: pip install 'picsellia-async[video]'") from error
    open_jpeg()
    module: ModuleType = av
    return module


def open_video(av: ModuleType, settings: VideoSettings, *, is_last_new: bool = False) -> tuple[Any, Playlist | None]:
    """Open a video or a camera.

    Args:
        av: The module.
        settings: What is opened.
        is_last_new: Whether of a live playlist only the last segment is new, and is to be the first.

    Returns:
        Its container of PyAV, which the caller closes; and what a playlist on disk says, None for anything else and for a camera.

    Raises:
        SourceError: It is not there, may not be read, or FFmpeg cannot open it.
    """
    address, failure, is_refused = settings.address, "", False
    if not is_url(address) and not settings.format:
        if _is_missing(Path(address)):
            raise SourceError(f"there is no file {address!r}")
        # A colon in a name would be taken for the end of a protocol's.
        address = f"file:{address}"
    is_rtsp = address.startswith("rtsp")
    playlist = None if settings.is_live or not is_file(settings.address) else read_playlist(Path(settings.address))
    # A playlist without an end is live for FFmpeg, which begins near its end.
    usual = _RTSP_OPTIONS if is_rtsp else {"live_start_index": "0"} if playlist else {}
    if is_last_new:
        usual = {"live_start_index": "-1"}
    live = (_LIVE_RTSP_OPTIONS if is_rtsp else _LIVE_OPTIONS) if settings.is_live else {}
    begun = time.monotonic()
    try:
        container = av.open(
            address,
            format=settings.format,
            options={**live, **usual, **settings.options},
            timeout=(settings.timeout, settings.timeout),
        )
    except (av.FFmpegError, OSError, ValueError) as error:
        failure, is_refused = reason_of(error, settings.timeout), isinstance(error, av.HTTPUnauthorizedError)
        if is_url(address) and time.monotonic() - begun >= settings.timeout:
            # FFmpeg calls a port that says nothing "invalid data", once its time is over.
            failure = silence(settings.timeout)
        elif getattr(error, "errno", None) == errno.EIO:
            failure = _why_no_host(address) or failure
    if failure:  # raised outside of `except`: the error of PyAV, with the password in it, must not even be its context
        if settings.webcam is not None:
            raise SourceError(f"cannot open {settings.shown}: {why_no_webcam(settings.address, failure)}")
        why = why_unreadable(Path(settings.address)) if is_file(settings.address) else ""
        if playlist is not None and playlist.lacking:
            why = playlist.what_lacks
        raise SourceError(
            f"cannot open {settings.shown!r} as a video: {why or failure}{quoting_hint(address, is_refused=is_refused)}"
        )
    return container, playlist


def _why_no_host(address: str) -> str:
    """Return that the name in an address is not known, for which FFmpeg has "Input/output error"; empty where it is."""
    try:
        host = urlsplit(redacted(address)).hostname if is_url(address) else None
    except ValueError:  # brackets that do not close
        return ""
    if not host or host == "...":  # the latter where a password cannot be told from the host
        return ""
    try:
        socket.getaddrinfo(host, None)
    except (OSError, UnicodeError) as error:
        return f"the name {host!r} cannot be looked up ({getattr(error, 'strerror', None) or 'it is no name'})"
    return ""


def _is_missing(path: Path) -> bool:
    """Return whether there is no such file; one that may not be looked at is left to FFmpeg, which says why it cannot be opened."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError, ValueError):  # the last: a name with a zero byte
        return True
    except OSError:
        return False
    return False


def is_file(address: str) -> bool:
    """Return whether an address is a plain file, which is no live input as a device or a pipe is."""
    try:
        return not is_url(address) and Path(address).is_file()
    except OSError:  # its folder may not be read, or its name is too long
        return False


def best_stream(av: ModuleType, container: Any, settings: VideoSettings) -> Any:
    """Return the largest video, as a player chooses it; a cover picture or a thumbnail is none.

    Raises:
        SourceError: There is no video.
    """
    pictures_only = av.stream.Disposition.attached_pic | av.stream.Disposition.timed_thumbnails
    found = [one for one in container.streams.video if not one.disposition & pictures_only]
    if not found:
        what = "only a cover picture" if container.streams.video else "no video"
        container.close()
        raise SourceError(f"{settings.shown!r} holds {what}")
    best = max(found, key=lambda one: (one.codec_context.width * one.codec_context.height, -one.index))
    # Threads by frame hold a frame back each, which would be the age of what a camera shows; small frames they make dearer.
    # Threads by slice keep the decoder of H.264 from telling which pictures lack data.
    is_large = best.codec_context.width * best.codec_context.height >= _LARGE_PIXELS
    live = "NONE" if best.codec_context.name == "h264" else "SLICE"
    best.thread_type = live if settings.is_live else "AUTO" if is_large else "NONE"
    return best


def reason_of(error: BaseException, timeout: float) -> str:
    """Return what FFmpeg says, without the address that its messages end with."""
    if type(error).__name__ == "ExitError":  # PyAV ends a call by it whose time is over
        return silence(timeout)
    said = getattr(error, "strerror", None)
    return str(said) if said else type(error).__name__


def silence(timeout: float) -> str:
    """Return the reason of a stream that was given up, since nothing came for so many seconds."""
    return f"nothing came for {timeout:g} s"
