"""Scenarios of large bodies and stale connections, through the public call where it matters."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tracemalloc
from collections.abc import AsyncIterator
from typing import Any

import pybase64
import pytest

from picsellia_async import AsyncClient, ConfigurationError, DetectionPredictionFormat
from picsellia_async._http.connection import YIELD_BYTES
from picsellia_async._http.messages import WRITE_BYTES
from picsellia_async._http.transport import FastTransport
from picsellia_async._wire import bodies as body_module
from picsellia_async._wire.bodies import ChunkedBody
from picsellia_async.config import Timeouts
from picsellia_async.emulator import Emulator

from .peers import OK, Wire, scripted

pytestmark = pytest.mark.anyio

PATIENT = Timeouts(None, None, None, None)
MIB = 1 << 20


@pytest.fixture(params=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """Without debug mode: hundreds of megabytes go through the loop."""
    if request.param == "uvloop":
        pytest.importorskip("uvloop")
    return "asyncio", {"use_uvloop": request.param == "uvloop"}


@pytest.fixture
async def deployment(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator:
    async with Emulator() as emulator, AsyncClient(emulator.api_token, host=emulator.url) as client:
        yield await client.get_deployment(emulator.deployment_name)


async def count_and_answer(wire: Wire) -> None:
    """Read bodies piece by piece without keeping them; answer with their size."""
    while True:
        head = await wire.head()
        missing = size = int(head.headers[b"content-length"])
        while missing:
            piece = await wire.reader.read(min(missing, 1 << 16))
            if not piece:
                return
            missing -= len(piece)
        answer = b"%d" % size
        await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(answer), answer))


async def most_encoded_in_a_turn(monkeypatch: pytest.MonkeyPatch, calls: list) -> int:
    """Run calls; return the most image bytes that were encoded between two turns of the event loop."""
    in_turn = most = 0
    encode = pybase64.b64encode

    def counting(data):
        nonlocal in_turn, most
        in_turn += len(data)
        most = max(most, in_turn)
        return encode(data)

    monkeypatch.setattr(body_module.pybase64, "b64encode", counting)

    async def tick() -> None:
        nonlocal in_turn
        while True:
            in_turn = 0
            await asyncio.sleep(0)

    ticker = asyncio.create_task(tick())
    try:
        await asyncio.gather(*calls)
    finally:
        ticker.cancel()
    assert most
    return most


def frame(deployment, image: bytes, number: int = 0):
    prediction = DetectionPredictionFormat([0], [[10, 20, 110, 220]], [0.9])
    return deployment.monitor_bytes(image, "image/jpeg", f"{number}.jpg", 0.02, 1080, 1920, prediction)


async def test_cameras_do_not_starve_the_loop(deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten cameras sending 200 KB frames: no turn of the loop encodes more than one frame of each."""
    image = b"\xff\xd8\xff" + bytes(200_000)

    async def camera(number: int) -> None:
        for _ in range(10):
            await frame(deployment, image, number)

    most = await most_encoded_in_a_turn(monkeypatch, [camera(number) for number in range(10)])
    assert most <= 10 * len(image)


async def test_a_large_frame_does_not_stall_the_loop(deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """A 5 MB frame is encoded over many turns of the loop, half a megabyte of base64 at most in each."""
    most = await most_encoded_in_a_turn(monkeypatch, [frame(deployment, b"\xff\xd8\xff" + bytes(5_000_000))])
    assert most <= YIELD_BYTES


async def test_a_huge_body_streams(transport: FastTransport) -> None:
    """A body of 200 MB is sent in slices: less than 8 MB of memory beside the image, what the peer reads here included."""
    image = memoryview(bytes(150 * MIB))
    async with scripted(count_and_answer) as peer:
        body = ChunkedBody(b'{"i":"', image, b'"}')
        tracemalloc.start()
        try:
            answer = await transport.exchange(peer.origin, b"POST", b"/", b"", body, PATIENT)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert answer.content == b"%d" % body.content_length
        assert peak < 8 * MIB


async def test_a_huge_frame_is_refused(deployment) -> None:
    """A frame of 200 MB is refused before anything is encoded or sent."""
    image = b"\xff\xd8\xff" + bytes(200 * MIB)
    tracemalloc.start()
    try:
        with pytest.raises(ConfigurationError):
            await frame(deployment, image)
        assert tracemalloc.get_traced_memory()[1] < MIB
    finally:
        tracemalloc.stop()


LARGE_FRAMES = """
import asyncio, gc
from picsellia_async import AsyncClient, DetectionPredictionFormat
from picsellia_async.emulator import Emulator

async def main():
    asyncio.get_running_loop().slow_callback_duration = 60  # how long a step takes says how busy the machine is
    prediction = DetectionPredictionFormat([0], [[10, 20, 110, 220]], [0.9])
    image = b"\\xff\\xd8\\xff" + bytes(2_000_000)
    async with Emulator() as emulator, AsyncClient(emulator.api_token, host=emulator.url) as client:
        deployment = await client.get_deployment(emulator.deployment_name)
        for number in range(5):
            answer = await deployment.monitor_bytes(image, "image/jpeg", f"{number}.jpg", 0.02, 1080, 1920, prediction)
            assert answer["id"]
    gc.collect()

asyncio.run(main())
print("done")
"""


def test_no_warning_for_large_frames() -> None:
    """Frames of 2 MB, in development mode with every warning an error, leave nothing on stderr."""
    command = [sys.executable, "-X", "dev", "-W", "error", "-c", LARGE_FRAMES]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")


@pytest.mark.parametrize("shape", ["bytes", "chunked"])
async def test_a_slow_reader_costs_no_copies(transport: FastTransport, shape: str) -> None:
    """While 50 MB go to a slow reader, the write buffer never holds more than what is written in one go."""
    most = 0

    async def script(wire: Wire) -> None:
        nonlocal most
        head = await wire.head()
        missing = int(head.headers[b"content-length"])
        while missing:
            missing -= len(await wire.reader.readexactly(min(missing, 1 << 14)))
            await asyncio.sleep(0)
            (connection,) = transport._pool._connections
            most = max(most, connection._transport.get_write_buffer_size())
        await wire.send(OK)
        await wire.until_gone()

    raw = bytes(50_000_000)
    body = raw if shape == "bytes" else ChunkedBody(b'{"i":"', memoryview(raw[:37_500_000]), b'"}')
    async with scripted(script) as peer:
        answer = await transport.exchange(peer.origin, b"POST", b"/", b"", body, PATIENT)
        assert answer.content == b"ok"
    assert 0 < most <= WRITE_BYTES + 1024


async def test_stale_connections_are_replaced(transport: FastTransport) -> None:
    """A server that closes each connection silently once it is idle: 1,000 spaced calls, no error."""

    async def script(wire: Wire) -> None:
        for _ in range(1 + wire.number % 3):
            await wire.request()
            await wire.send(OK)

    async with scripted(script) as peer:
        for number in range(1000):
            answer = await transport.exchange(peer.origin, b"POST", b"/%d" % number, b"", b"{}", PATIENT)
            assert answer.content == b"ok"
            for _ in range(number % 5):
                await asyncio.sleep(0)
            await peer.until(lambda: peer.open == 0 or peer.wires[-1].reader._waiter is not None)
        assert peer.accepted >= 400
