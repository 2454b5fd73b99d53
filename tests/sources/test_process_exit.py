"""A process that ends while a video or camera is being read: its threads end before the interpreter does."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import math
import os
import socket
import subprocess
import sys
import threading
import warnings
import weakref

import pytest

from picsellia_async.sources import _reading_threads, camera
from picsellia_async.sources._reading_threads import _Clock

from ..support.sources import ended

pytestmark = pytest.mark.anyio

pytest.importorskip("av")

PLAYLIST = b"#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:0\n#EXTINF:1,\ns0.ts\n"

# The C library's own exit comes behind the interpreter's. There it waits for a second here, in which FFmpeg asks ten times.
LEAVES = """
import asyncio, atexit, ctypes, faulthandler, sys, threading
atexit.register(lambda: print("threads:", [one.name for one in threading.enumerate() if one.name.startswith(("video", "camera"))]))
from picsellia_async.sources import camera, video
faulthandler.enable()
libc = ctypes.CDLL(None)
libc.on_exit.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
libc.on_exit(ctypes.cast(libc.sleep, ctypes.c_void_p), None)
make, addresses = {"video": video, "camera": camera}[sys.argv[1]], sys.argv[2:]

async def read(address):
    async for _ in make(address, timeout=30):
        pass

async def main():
    tasks = [asyncio.create_task(read(one)) for one in addresses for _ in range(8)]
    await asyncio.to_thread(sys.stdin.readline)
    print("reading:", sum(one.name.startswith(("video", "camera")) for one in threading.enumerate()))

asyncio.run(main())
sys.exit(1)
"""


class Stalling:
    """Serves a live playlist, of which no segment comes, and a stream of which no picture comes."""

    def __init__(self) -> None:
        self.stalled, self.stalls = 0, asyncio.Condition()
        self.is_over = asyncio.Event()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = (await reader.readuntil(b"\r\n\r\n")).split(b" ")[1]
        if path.endswith(b".m3u8"):
            writer.write(
                b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(PLAYLIST) + PLAYLIST
            )
            await writer.drain()
        else:
            kind = b"video/mp2t" if path.endswith(b".ts") else b"multipart/x-mixed-replace; boundary=x"
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\n\r\n" % kind)
            await writer.drain()
            async with self.stalls:
                self.stalled += 1
                self.stalls.notify_all()
            await self.is_over.wait()
        writer.close()


@pytest.mark.skipif(sys.platform != "linux", reason="the exit of glibc is made to wait")
@pytest.mark.parametrize(("kind", "path"), [("video", "live.m3u8"), ("video", "a.mjpg"), ("camera", "a.mjpg")])
async def test_a_process_ends_in_order_while_a_stream_stalls(kind: str, path: str) -> None:
    """FFmpeg asks nothing of an interpreter that is gone: that was a segmentation fault."""
    stalling = Stalling()
    server = await asyncio.start_server(stalling.answer, "127.0.0.1", 0)
    address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/{path}"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", LEAVES, kind, address,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(120), stalling.stalls:
            await stalling.stalls.wait_for(lambda: stalling.stalled >= 8)
        out, err = await asyncio.wait_for(process.communicate(b"\n"), 120)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        stalling.is_over.set()
        server.close()
    assert out.decode().splitlines() == ["reading: 8", "threads: []"]
    assert (process.returncode, err.decode()) == (1, "")


async def test_a_stream_without_any_picture_ends_with_its_reader() -> None:
    """Its thread hands nothing over, and looks all the same whether anything is wanted: it was read for ever."""
    noise, is_left = asyncio.Event(), asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=x\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            while not writer.is_closing():
                writer.write(b"--x\r\n\r\nalive\r\n")
                await writer.drain()
                noise.set()
                await asyncio.sleep(0.01)
        is_left.set()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with camera(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", timeout=30) as source:
        taking = asyncio.ensure_future(anext(aiter(source)))
        await noise.wait()
        taking.cancel()
    await asyncio.wait_for(is_left.wait(), 60)
    await ended("camera ")
    server.close()


def test_the_time_of_threads_that_are_to_end_is_over() -> None:
    """Of a read under way, and of one that begins: whatever its time-out. Other threads have the time that it is."""

    class Time:
        @staticmethod
        def monotonic() -> float:
            return 5.0

    clock = _Clock(Time, frozenset({threading.get_ident()}))
    begun = clock.monotonic()
    assert begun > 5.0 + 86_400
    assert clock.monotonic() > begun + 86_400
    assert _Clock(Time, frozenset()).monotonic() == 5.0
    assert math.isfinite(begun)


class Closed(http.client.HTTPResponse):
    """An answer that its thread has closed: it has no descriptor any more."""

    def __init__(self) -> None:
        self.fp = None  # type: ignore[assignment]


def test_an_answer_that_is_closed_keeps_no_thread_from_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """The others are ended and waited for."""
    done = threading.Event()
    monkeypatch.setattr(_reading_threads, "_end_waits_of_ffmpeg", lambda _: None)
    monkeypatch.setattr(_reading_threads, "_responses", weakref.WeakSet([closed := Closed()]))
    _reading_threads.start_reading("camera that ends", done.wait, done.set)
    _reading_threads._end_all()
    assert done.is_set()
    assert closed.fp is None
    assert all(thread.name != "camera that ends" for thread in threading.enumerate())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks here")
def test_a_forked_child_ends_no_connection_of_its_parents(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has the descriptors too, and shutting one down would end the parent's camera."""
    mine, theirs = socket.socketpair()
    theirs.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    response = http.client.HTTPResponse(mine)
    response.begin()
    monkeypatch.setattr(_reading_threads, "_end_waits_of_ffmpeg", lambda _: None)
    _reading_threads.end_at_exit(response)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # 3.12 and on: other tests may have left threads
        child = os.fork()
    if not child:
        with contextlib.suppress(Exception):
            done = threading.Event()
            _reading_threads.start_reading("of the child", done.wait, done.set)
            _reading_threads._end_all()
        os._exit(0)
    os.waitpid(child, 0)
    theirs.sendall(b"picture")
    assert response.read(7) == b"picture"
    response.close()
    mine.close()
    theirs.close()
