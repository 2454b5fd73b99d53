"""`video`: every frame of a recording, or of a stream that may wait, in order. Needs the extra `video` (PyAV)."""

from __future__ import annotations

import datetime
import os
import threading
from collections.abc import AsyncGenerator, Mapping
from contextlib import closing
from typing import Final

from picsellia_async.sources._decoder import Decoding, Pixels, decoded, open_av
from picsellia_async.sources._image import Image
from picsellia_async.sources._thread_queue import ThreadQueue

FRAMES_AHEAD: Final = 4
"""Frames decoded before the reader asks for them."""


def video(
    url_or_path: str | os.PathLike[str],
    every: int = 1,
    *,
    every_seconds: float | None = None,
    quality: int = 90,
    pixels: Pixels | None = None,
    source: str | None = None,
    started_at: float | datetime.datetime | None = None,
    timeout: float = 10.0,
    options: Mapping[str, str] | None = None,
    format: str | None = None,  # noqa: A002 - FFmpeg's word
) -> Video:
    """Return the frames of a video, as JPEG: a file, RTSP, MJPEG over HTTP, V4L2, or anything else that FFmpeg opens.

    Nothing is dropped: decoding, in a thread, is at most 4 frames ahead of the reader. For live input that must not fall behind
    there is `camera`.

    Args:
        url_or_path: File or address; user and password in it are shown nowhere.
        every: Take every n-th frame.
        every_seconds: Instead, take a frame per so many seconds of the video's clock.
        quality: Of the JPEG, 1 to 100.
        pixels: "rgb" or "bgr" adds the decoded frame as a numpy array.
        source: Name for `Image.source` and file names; by default the file's name, or host and path.
        started_at: When the recording began, epoch seconds or aware datetime: `Image.timestamp` is then that plus the frame's
            position. None: the time of reading.
        timeout: Seconds for opening, and without a packet, after which a stream counts as broken.
        options: Further options of FFmpeg; RTSP goes over TCP unless they say otherwise.
        format: FFmpeg's name of the input format, where it cannot be told from the address.

    Raises:
        ConfigurationError: An argument is of the wrong kind or out of range. While iterating: PyAV is not installed.
    """
    settings = Decoding.of(
        url_or_path, every=every, every_seconds=every_seconds, quality=quality, pixels=pixels, source=source,
        started_at=started_at, timeout=timeout, options=options, format=format,
    )  # fmt: skip
    return Video(settings)


class Video:
    """An async iterable of `Image`, made by `video`; each `async for` opens the video anew."""

    def __init__(self, settings: Decoding) -> None:
        """Store the settings; nothing is opened before the iteration begins. See `video`."""
        self._settings = settings

    def __repr__(self) -> str:
        """Return the address; user, password and query are not shown."""
        return f"<Video {self._settings.shown!r}>"

    async def __aiter__(self) -> AsyncGenerator[Image, None]:
        """Yield the frames. Leaving early closes the video; its thread is told, not waited for.

        Raises:
            SourceError: It cannot be opened, is no video, or broke off.
        """
        open_av()
        queue = ThreadQueue[Image](FRAMES_AHEAD, "wait")
        name = f"video {self._settings.source}"
        threading.Thread(target=self._read, args=(queue,), name=name, daemon=True).start()
        try:
            while (image := await queue.take()) is not None:
                yield image
        finally:
            queue.stop()

    def _read(self, queue: ThreadQueue[Image]) -> None:
        try:
            with closing(decoded(self._settings)) as images:
                for image in images:
                    if not queue.put(image):
                        break
            queue.end()
        except BaseException as error:  # the reader must not wait for ever
            queue.end(error)
            if not isinstance(error, Exception):
                raise
