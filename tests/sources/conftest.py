"""Real images, videos and streams for the tests of sources."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest

from ..support.sources import MjpegServer, encoded, ended


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
        await ended(("camera ", "video "))
