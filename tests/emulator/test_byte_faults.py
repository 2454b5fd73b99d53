"""Faults on the bytes of a connection: resets, stalls, drips, cuts; seen from a raw socket."""

from __future__ import annotations

import asyncio

import pytest

from picsellia_async.emulator.transport.fault import Fault

from ..support.raw_http import post
from ..support.small_server import SmallServer

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("fraction", [0.0, 0.5, 1.0])
async def test_reset_before_during_and_after_the_body(server: SmallServer, fraction: float) -> None:
    """A reset on the way up is an RST for the client, and the handler never gets the whole request."""
    fault = server.faults.add(Fault(kind="reset", after_fraction=fraction, times=1))
    seen = await post(server.port, b"y" * 200_000)
    assert (seen.answer, seen.error) == (b"", ConnectionResetError)
    assert (server.bodies, server.faults.fired(fault)) == ([], 1)
    assert (await post(server.port)).status == 201


async def test_reset_on_the_way_down_is_stored(server: SmallServer) -> None:
    """A reset before the answer's head, or within its body, comes after the handler."""
    server.faults.add(
        Fault(kind="reset", direction="down", times=1),
        Fault(kind="reset", direction="down", after_bytes=10, times=1),
    )
    first, second = await post(server.port), await post(server.port)
    assert (first.answer, first.error) == (b"", ConnectionResetError)
    assert second.error is ConnectionResetError
    assert len(server.bodies) == 2


async def test_truncate_cuts_the_answer_in_good_order(server: SmallServer) -> None:
    """The head promises more than arrives before the FIN."""
    server.faults.add(Fault(kind="truncate", direction="down", times=1))
    seen = await post(server.port)
    length = int(seen.head.split(b"content-length: ")[1].split(b"\r\n")[0])
    assert seen.error is None
    assert len(seen.body) == length // 2


@pytest.mark.parametrize("delta", [7, -7])
async def test_lying_length(server: SmallServer, delta: int) -> None:
    """The Content-Length is off by `delta`; the body itself is whole."""
    server.faults.add(Fault(kind="lying_length", delta=delta, times=1))
    seen = await post(server.port)
    assert int(seen.head.split(b"content-length: ")[1].split(b"\r\n")[0]) == len(seen.body) + delta


async def test_stall_for_a_while_then_goes_on(server: SmallServer) -> None:
    """A stall with an end delays the request, and changes nothing else."""
    server.faults.add(Fault(kind="stall", after_bytes=100, seconds=0.2, times=1))
    began = asyncio.get_running_loop().time()
    seen = await post(server.port, b"z" * 300_000)
    assert asyncio.get_running_loop().time() - began >= 0.19
    assert (seen.status, server.bodies) == (201, [b"z" * 300_000])


@pytest.mark.parametrize("direction", ["up", "down"])
async def test_stall_without_end_exerts_back_pressure(server: SmallServer, direction: str) -> None:
    """A stalled connection neither answers nor takes more than the kernel's buffers."""
    server.faults.add(Fault.from_json({"kind": "stall", "direction": direction, "times": 1}))
    _, writer = await asyncio.open_connection("127.0.0.1", server.port)
    size = 50_000_000 if direction == "up" else 10
    writer.write(f"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n".encode() + b"a" * size)
    try:
        async with asyncio.timeout(60):
            while not server.faults.account():  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.01)
        if direction == "up":
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(writer.drain(), 0.3)
            assert writer.transport.get_write_buffer_size() > 30_000_000
        assert len(server.bodies) == (0 if direction == "up" else 1)
    finally:
        writer.transport.abort()


@pytest.mark.parametrize("direction", ["up", "down"])
async def test_drip_is_slow_and_whole(server: SmallServer, direction: str) -> None:
    """A dripped exchange takes its time, and arrives whole."""
    server.faults.add(Fault.from_json({"kind": "drip", "direction": direction, "bytes_per_second": 4000, "times": 1}))
    began = asyncio.get_running_loop().time()
    seen = await post(server.port, b"d" * 1000)
    assert asyncio.get_running_loop().time() - began >= 0.05
    assert (seen.status, server.bodies) == (201, [b"d" * 1000])
    assert seen.body.endswith(b'"}')


async def test_a_kept_connection_is_faulty_from_its_next_request(server: SmallServer) -> None:
    """A fault scripted while a connection idles fires at its next request."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)

    async def exchange(body: bytes) -> bytes:
        writer.write(b"POST /k HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        head = await reader.readuntil(b"\r\n\r\n")
        return await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]))

    assert b'"id":1' in await exchange(b"one")
    server.faults.add(Fault(kind="drip", bytes_per_second=100_000, times=1), Fault(kind="reset", skip=1))
    for number in (2, 3):
        assert b'"id":%d' % number in await exchange(b"two" * 5000)
    assert server.faults.counts() == {"drip": 1}
    with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
        await exchange(b"three")
    writer.transport.abort()
