"""`video`: every frame of a recording, or of a stream that may wait, in order. Needs the extra `video` (PyAV)."""

from __future__ import annotations

import datetime
import functools
import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import closing
from typing import Final

import anyio.to_thread

from picsellia_async.image_header import OrientationRule
from picsellia_async.sources._address import is_url
from picsellia_async.sources._closeable import Closeable
from picsellia_async.sources._decoder import Reading
from picsellia_async.sources._image import Image
from picsellia_async.sources._opening import open_av
from picsellia_async.sources._reading_threads import start_reading
from picsellia_async.sources._thread_queue import ThreadQueue
from picsellia_async.sources._video_settings import Pixels, VideoSettings, checked_settings

FRAMES_AHEAD: Final = 4
"""Frames decoded before the reader asks for them."""


def video(
    url_or_path: str | os.PathLike[str],
    every: int = 1,
    *,
    every_seconds: float | None = None,
    quality: int = 90,
    pixels: Pixels | None = None,
    orientation: OrientationRule = "shown",
    source: str | None = None,
    started_at: float | datetime.datetime | None = None,
    timeout: float = 10.0,
    options: Mapping[str, str] | None = None,
    format: str | None = None,  # noqa: A002 - FFmpeg's word
    discard_corrupted: bool = False,
) -> Video:
    """Return the frames of a video, as JPEG: a file, RTSP, MJPEG over HTTP, V4L2, or anything else that FFmpeg opens.

    Nothing is dropped: decoding, in a thread, is at most 4 frames ahead of the reader. For live input that must not fall behind
    there is `camera`. Colours, size and turn are those that a player shows; of several streams it is the largest, and a cover
    picture is none. A damaged packet costs its own frames, which `Video.damaged` counts; a file that ends before its last frame says
    so at its end. Pictures of an MJPEG are passed on as they are.

    Args:
        url_or_path: File or address; user and password in it are shown nowhere.
        every: Take every n-th frame.
        every_seconds: Instead, take a frame per so many seconds of the video's clock.
        quality: Of the JPEG, 1 to 100, where the video does not hold JPEG itself.
        pixels: "rgb" or "bgr" adds the decoded frame as a numpy array.
        orientation: "shown" turns frames as the video's metadata ask for, as phones need it; "stored" does not.
        source: Name for `Image.source` and file names; by default the file's name, or host and path.
        started_at: When the recording began, epoch seconds or aware datetime: `Image.timestamp` is then that plus the frame's
            position. None: the time of reading.
        timeout: Seconds for opening, and without a packet, after which a stream counts as broken.
        options: Options of FFmpeg, which then opens MJPEG over HTTP too; RTSP goes over TCP unless they say otherwise.
        format: FFmpeg's name of the input format, where it cannot be told from the address.
        discard_corrupted: Whether to leave out pictures that build on a damaged or missing one, up to the next key frame; else they are
            given with `Image.is_corrupted`. Both are counted.

    Raises:
        ConfigurationError: An argument is of the wrong kind or out of range. While iterating: PyAV is not installed.
    """
    settings = checked_settings(
        url_or_path, every=every, every_seconds=every_seconds, quality=quality, pixels=pixels, orientation=orientation,
        source=source, started_at=started_at, timeout=timeout, options=options, format=format,
        discard_corrupted=discard_corrupted, is_live=False,
    )  # fmt: skip
    return Video(settings)


class Video(Closeable):
    """An async iterable of `Image`, made by `video`; each `async for` opens the video anew.

    Leaving the loop early ends the reading; an `async with` block over the video does so at a known place.
    """

    def __init__(self, settings: VideoSettings) -> None:
        """Store the settings; nothing is opened before the iteration begins. See `video`."""
        self._settings = settings
        if is_url(settings.address):
            settings.name.begin()
        self._reading: Reading | None = None
        self._passes: set[ThreadQueue[Image]] = set()

    async def aclose(self) -> None:
        """End every iteration that is under way, at once; a new one may begin.

        The thread that hangs in a connect or read is not waited for; it ends by itself within `timeout` seconds.
        """
        for queue in self._passes:
            queue.stop()

    @property
    def source(self) -> str:
        """Name of its frames' `Image.source`."""
        return self._settings.source

    @property
    def damaged(self) -> int:
        """Packets and frames that the latest pass could not decode so far, or that lack data; they are left out."""
        return 0 if self._reading is None else self._reading.damaged

    @property
    def corrupted(self) -> int:
        """Frames that build on those, or on missing ones: given with `Image.is_corrupted`, or left out with `discard_corrupted=True`."""
        return 0 if self._reading is None else self._reading.corrupted

    def __repr__(self) -> str:
        """Return the address; user, password and query are not shown."""
        return f"<Video {self._settings.shown!r}>"

    async def __aiter__(self) -> AsyncGenerator[Image, None]:
        """Yield the frames. Leaving early closes the video; its thread is told, not waited for.

        Raises:
            SourceError: It cannot be opened, is no video, broke off, ended before its last frame, or gave no frame at all.
        """
        await anyio.to_thread.run_sync(open_av)  # an import of 80 ms
        queue = ThreadQueue[Image](FRAMES_AHEAD, "wait")
        self._reading = reading = Reading(settings=self._settings, is_over=lambda: queue.is_stopped)
        self._passes.add(queue)
        start_reading(f"video {self._settings.source}", functools.partial(_read, reading, queue), queue.stop)
        try:
            while (image := await queue.take()) is not None:
                yield image
        finally:
            queue.stop()
            self._passes.discard(queue)


def _read(reading: Reading, queue: ThreadQueue[Image]) -> None:
    try:
        with closing(reading.images()) as images:
            for image in images:
                if not queue.put(image):
                    break
        queue.end()
    except BaseException as error:  # the reader must not wait for ever
        queue.end(error)
        if not isinstance(error, Exception):
            raise
