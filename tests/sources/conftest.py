"""Real images, videos and streams for the tests of sources."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest


def encoded(width: int = 64, height: int = 48, value: int = 90, suffix: str = ".jpg") -> bytes:
    """Return a plain image, encoded by OpenCV."""
    good, data = cv2.imencode(suffix, np.full((height, width, 3), value, np.uint8))
    assert good
    return data.tobytes()


@pytest.fixture
def make_image() -> Callable[..., Path]:
    """Write an image; the folder is made."""

    def make(path: Path, width: int = 64, height: int = 48) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded(width, height, suffix=path.suffix.lower()))
        return path

    return make


@pytest.fixture
def make_clip() -> Callable[..., Path]:
    """Write a clip of grey frames, each 8 levels brighter than the one before."""
    av = pytest.importorskip("av")

    def make(path: Path, frames: int = 20, rate: int = 10, width: int = 130, height: int = 48) -> Path:
        with av.open(str(path), "w") as container:
            stream = container.add_stream("mpeg4", rate=rate)
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            for number in range(frames):
                array = np.full((height, width, 3), min(255, 8 * number), np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(array, format="rgb24")))
            container.mux(stream.encode())
        return path

    return make


class MjpegServer:
    """MJPEG over HTTP as cameras send it; what each connection gets is a list of steps."""

    def __init__(self) -> None:
        self.port = 0
        self.requests: list[bytes] = []
        self.plays: list[int | str] = []
        """Per connection: number of frames before the connection is dropped, "hang" or "nonsense"; the last is repeated."""
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
        for number in range(int(play)):
            image = encoded(value=number % 250)
            writer.write(
                b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%b\r\n" % (len(image), image)
            )
            await writer.drain()


@pytest.fixture
async def mjpeg() -> AsyncIterator[MjpegServer]:
    """A server of MJPEG on 127.0.0.1."""
    camera = MjpegServer()
    async with _serving(camera):
        yield camera


@asynccontextmanager
async def _serving(camera: MjpegServer) -> AsyncIterator[None]:
    server = await asyncio.start_server(camera.answer, "127.0.0.1", 0)
    camera.port = server.sockets[0].getsockname()[1]
    try:
        yield
    finally:
        camera.released.set()
        server.close()
        await asyncio.to_thread(_join)


def _join() -> None:
    """Wait for the threads of cameras and videos: none may outlive its source for long."""
    for thread in threading.enumerate():
        if thread.name.startswith(("camera ", "video ")):
            thread.join(15)
            assert not thread.is_alive(), thread.name
