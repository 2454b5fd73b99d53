"""Images, clips and streams for tests of sources."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np
import pytest

from picsellia_async.frames import Frame
from picsellia_async.predictions import DetectionPredictionFormat
from picsellia_async.sources import SourceError

T = TypeVar("T")


async def listed(source: AsyncIterable[T]) -> list[T]:
    """Return all that a source gives."""
    return [item async for item in source]


async def frames_before(source: AsyncIterable[Frame], match: str) -> list[Frame]:
    """Return the frames that come before the source's error."""
    frames = []
    with pytest.raises(SourceError, match=match):
        async for frame in source:
            frames.append(frame)
    return frames


def encoded(width: int = 64, height: int = 48, value: int = 90, suffix: str = ".jpg") -> bytes:
    """Return a plain image, encoded by OpenCV."""
    good, data = cv2.imencode(suffix, np.full((height, width, 3), value, np.uint8))
    assert good
    return data.tobytes()


def encoded_frames(numbers: Iterable[int] = range(12), **fields: Any) -> Iterator[Frame]:
    """Yield frames whose pictures tell their numbers, up to 255, as their names do."""
    for number in numbers:
        yield Frame(
            image=encoded(value=number), filename=f"{number}.jpg", width=64, height=48, latency=0.01,
            prediction=DetectionPredictionFormat([0], [[1, 2, 30, 40]], [0.5]), **fields,
        )  # fmt: skip


def decoded(image: bytes) -> np.ndarray:
    """Return the RGB pixels of an encoded image."""
    return cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1]


def turned(width: int, height: int, orientation: int) -> bytes:
    """Return a JPEG of that stored size whose EXIF data say how it is to be turned."""
    whole = encoded(width, height)
    directory = (1).to_bytes(2) + b"\x01\x12\x00\x03\x00\x00\x00\x01" + orientation.to_bytes(2) + bytes(6)
    exif = b"Exif\0\0MM\0*" + (8).to_bytes(4) + directory
    return whole[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2) + exif + whole[2:]


async def ended(kind: str) -> None:
    """Wait for the threads of sources: none may outlive its source for long."""
    for thread in threading.enumerate():
        if thread.name.startswith(kind):
            await asyncio.to_thread(thread.join, 60)
            assert not thread.is_alive(), thread.name


def _parts(play: int | str) -> list[bytes]:
    if play == "cut":
        return [encoded()[:-200]] * 12 + [encoded()]
    if play == "no pictures":
        return [b"alive"] * 12 + [encoded()]
    return [encoded(value=number % 250) for number in range(int(play))]


class MjpegServer:
    """MJPEG over HTTP as cameras send it; what each connection gets is a list of steps."""

    def __init__(self) -> None:
        self.port = 0
        self.requests: list[bytes] = []
        self.plays: list[int | str] = []
        """Per connection: number of frames before the connection is dropped, "hang" or "nonsense"; "cut" or "no pictures": twelve parts
        that are none, and a whole picture once `released` is set. The last is repeated."""
        self.arrived = asyncio.Event()
        self.released = asyncio.Event()

    @property
    def url(self) -> str:
        return f"http://user:secret@127.0.0.1:{self.port}/stream.mjpg?key=hidden"

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._play(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _play(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.requests.append(await reader.readuntil(b"\r\n\r\n"))
        play = self.plays[min(len(self.requests), len(self.plays)) - 1]
        self.arrived.set()
        if play == "hang":
            await self.released.wait()
            return
        if play == "nonsense":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello")
            await writer.drain()
            return
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\n\r\n")
        for part in _parts(play):
            if isinstance(play, str) and part == encoded():
                await self.released.wait()
            writer.write(b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%b\r\n" % (len(part), part))
            await writer.drain()


def written(path: Path, values: Iterable[int], size: tuple[int, int] = (64, 48)) -> Path:
    """Write a video of frames of one grey each, an MJPEG, of which each frame stands alone."""
    pytest.importorskip("av")
    path.parent.mkdir(exist_ok=True)
    kind = "mp4v" if path.suffix == ".mp4" else "MJPG"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*kind), 10, size)
    for value in values:
        writer.write(np.full((size[1], size[0], 3), value, np.uint8))
    writer.release()
    return path


AT_ONCE = {"tune": "zerolatency", "g": "25"}
"""Options of libx264, which then holds no frame back."""


def write_h264(
    path: Path,
    frames: int,
    *,
    rate: int = 25,
    step: int = 4,
    size: tuple[int, int] = (64, 48),
    options: Mapping[str, str] = AT_ONCE,
    begins: float = 0.0,
) -> Path:
    """Write a video of H.264, each frame a grey that is `step` levels brighter than the one before; its clock begins at that second."""
    av = pytest.importorskip("av")
    with av.open(str(path), "w", options={"output_ts_offset": str(begins)}) as container:
        stream = container.add_stream("libx264", rate=rate, options=dict(options))
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for number in range(frames):
            array = np.full((size[1], size[0], 3), step * number, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(array, format="rgb24")))
        container.mux(stream.encode())
    return path


@asynccontextmanager
async def served(*pieces: bytes, pause: float = 0.0, stays_open: bool = False) -> AsyncIterator[str]:
    """Serve pieces of a stream to who connects, and yield the address; at the end the threads of cameras are waited for.

    Args:
        *pieces: What is sent.
        pause: Seconds behind each.
        stays_open: Whether the connection is silent behind them, to the end; else it is closed.
    """
    released = asyncio.Event()

    async def send(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause)
        if stays_open:
            await released.wait()
        writer.close()

    server = await asyncio.start_server(send, "127.0.0.1", 0)
    try:
        yield f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        released.set()
        server.close()
        await ended("camera")
