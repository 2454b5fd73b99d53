"""Dead, slow and silent connections are told apart, and what the peer's host has confirmed says what was sent."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import socket
import struct
import sys
from typing import Any

import httpx
import pytest

from picsellia_async._http import connection as connection_module
from picsellia_async.config import Timeouts

from .peers import OK, TIMEOUTS, Wire, scripted, settled

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what the peer's host has confirmed"),
]

SO_ATTACH_FILTER = 26
DROP_EVERYTHING = struct.pack("HBBI", 0x06, 0, 0, 0)  # BPF: return 0 bytes of each packet


@pytest.fixture(params=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """Both loops."""
    if request.param == "uvloop":
        pytest.importorskip("uvloop")
    return "asyncio", {"use_uvloop": request.param == "uvloop"}


def cut(wire: Wire) -> None:
    """Let a firewall forget the connection: from now on every packet of the client's is dropped."""
    sock = wire.writer.get_extra_info("socket")
    code = ctypes.create_string_buffer(DROP_EVERYTHING)
    program = struct.pack("HxxxxxxP", 1, ctypes.addressof(code))
    fd = socket.socket(fileno=sock.fileno())
    try:
        fd.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)
    finally:
        fd.detach()


async def test_closed_after_each_answer(make_transport, secured: Any) -> None:
    """A sidecar that closes after each answer without saying so costs no call, whatever the size of the body."""
    transport = make_transport()
    bodies = []

    async def script(wire: Wire) -> None:
        bodies.append(len((await wire.request()).body))
        await wire.send(OK)

    async with scripted(script, secured) as peer:
        for size in range(250_000, 330_000, 2_000):
            answer = await transport.exchange(peer.origin, b"POST", b"/", b"", bytes(size), TIMEOUTS)
            assert answer.content == b"ok"
    assert bodies == list(range(250_000, 330_000, 2_000))


async def test_closed_while_the_next_request_is_under_way(make_transport, secured: Any, caplog) -> None:
    """A peer that closes shortly after each answer is found out: calls open connections of their own until it stops."""
    transport = make_transport()
    polite = asyncio.Event()

    async def script(wire: Wire) -> None:
        await wire.request()
        await wire.send(OK)
        while polite.is_set():
            await wire.request()
            await wire.send(OK)
        with contextlib.suppress(TimeoutError):  # what was read of the next request cannot be called unsent
            await asyncio.wait_for(wire.reader.readexactly(1), 0.005)

    async def call() -> bool:
        try:
            await transport.exchange(peer.origin, b"POST", b"/", b"", bytes(1000), TIMEOUTS)
        except httpx.TransportError:
            return False
        return True

    async with scripted(script, secured) as peer:
        delivered = [await call() for _ in range(80)]
        assert 3 <= delivered.count(False) < 20  # each second one would fail; a loop that stalls has to learn again
        assert "closes connections right after its answers" in caplog.records[0].getMessage()

        polite.set()
        accepted = 0
        while peer.accepted != accepted:  # the same connection twice: the peer is trusted again
            await asyncio.sleep(0.1)  # longer than a connection is watched
            assert await call()
            accepted = peer.accepted
            assert await call()


class Body(bytes):
    """A body whose reader is told, when its size is asked for, that the peer has closed the connection."""

    closes: list[Wire]

    def __len__(self) -> int:
        while self.closes:
            end(self.closes.pop())
        return super().__len__()


def end(wire: Wire) -> None:
    """Close a connection at the peer without a turn of the loop in which the client could see it."""
    sock = socket.socket(fileno=wire.writer.get_extra_info("socket").fileno())
    sock.shutdown(socket.SHUT_RDWR)
    sock.detach()


@pytest.mark.parametrize("size", [100, 300_000])
async def test_write_that_the_peer_refuses(make_transport, secured: Any, size: int) -> None:
    """A request that meets a connection closed unseen, even when the look came too early, is sent again: nothing arrived."""
    transport = make_transport()

    async def script(wire: Wire) -> None:
        while True:
            await wire.request()
            await wire.send(OK)

    async with scripted(script, secured) as peer:
        for number in range(10):
            body = Body(size)
            body.closes = [peer.wires[-1]] if number else []
            answer = await transport.exchange(peer.origin, b"POST", b"/", b"", body, TIMEOUTS)
            assert answer.content == b"ok"
            assert peer.accepted == number + 1


async def test_bytes_that_were_there_before_the_request(make_transport, secured: Any) -> None:
    """What came after an answer is nobody's answer: the connection is not used again, however soon the next call comes."""
    transport = make_transport()

    async def script(wire: Wire) -> None:
        while True:
            request = await wire.request()
            await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(request.target), request.target))

    async with scripted(script, secured) as peer:
        await transport.exchange(peer.origin, b"POST", b"/0", b"", b"x", TIMEOUTS)
        for number in range(1, 20):
            # Straight into the kernel, without a turn of the loop in which it could be seen.
            fd = peer.wires[-1].writer.get_extra_info("socket").fileno()
            sock = socket.socket(fileno=fd)
            sock.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nforge")
            sock.detach()
            answer = await transport.exchange(peer.origin, b"POST", b"/%d" % number, b"", b"x", TIMEOUTS)
            assert answer.content == b"/%d" % number
            assert peer.accepted == number + 1


async def test_dead_connection(make_transport, secured: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A flow that a firewall has forgotten is told long before the read timeout, and counts as not sent."""
    monkeypatch.setattr(connection_module, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(connection_module, "DEAD_SECONDS", 0.5)
    transport = make_transport()

    async def script(wire: Wire) -> None:
        await wire.request()
        await wire.send(OK)
        await wire.until_gone()

    async with scripted(script, secured) as peer:
        limits = Timeouts(300.0, 300.0, 300.0, 300.0)
        await transport.exchange(peer.origin, b"POST", b"/", b"", b"x", limits)
        cut(peer.wires[0])
        with pytest.raises(httpx.WriteTimeout, match="confirmed nothing") as caught:
            await transport.exchange(peer.origin, b"POST", b"/", b"", bytes(100_000), limits)
        assert caught.value.request_sent is False


async def test_a_host_that_confirms_is_not_dead(make_transport, secured: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A peer that thinks for long, and one that takes no more bytes for a while, are not taken for dead."""
    monkeypatch.setattr(connection_module, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(connection_module, "DEAD_SECONDS", 0.4)
    transport = make_transport()

    async def script(wire: Wire) -> None:
        await wire.head()
        wire.writer.transport.pause_reading()
        await asyncio.sleep(1)
        wire.writer.transport.resume_reading()
        await wire.reader.readexactly(3 << 20)
        await asyncio.sleep(1)
        await wire.send(OK)

    async with scripted(script, secured) as peer:
        answer = await transport.exchange(peer.origin, b"POST", b"/", b"", bytes(3 << 20), Timeouts(300, 300, 300, 300))
        assert answer.content == b"ok"


def narrow(wire: Wire) -> None:
    """Let the peer's host take little at a time."""
    wire.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)


async def test_the_clock_of_reading_starts_when_the_request_has_arrived(make_transport) -> None:
    """On a slow uplink the read timeout does not run while the kernel still sends the request."""
    transport = make_transport()

    async def script(wire: Wire) -> None:
        narrow(wire)
        await wire.head()
        left = 600_000
        while left:
            wire.writer.transport.pause_reading()
            await asyncio.sleep(0.02)
            wire.writer.transport.resume_reading()
            left -= len(await wire.reader.read(min(left, 20_000)))
        await wire.send(OK)
        await wire.until_gone()

    async with scripted(script) as peer:
        limits = Timeouts(300.0, 2.0, 300.0, 300.0)
        answer = await transport.exchange(peer.origin, b"POST", b"/", b"", bytes(600_000), limits)
        assert answer.content == b"ok"


async def test_a_reset_before_the_request_has_left(make_transport, secured: Any) -> None:
    """What the kernel took and had no room to send, the peer cannot have: a reset then counts as not sent."""
    transport = make_transport()

    async def script(wire: Wire) -> None:
        narrow(wire)
        await wire.head()
        wire.writer.transport.pause_reading()
        connection = next(iter(transport._pool._connections))
        await settled(lambda: connection.sent)  # our kernel has taken all of it; the peer's window is full
        wire.reset()

    async with scripted(script, secured) as peer:
        with pytest.raises((httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError)) as caught:
            await transport.exchange(peer.origin, b"POST", b"/", b"", bytes(600_000), TIMEOUTS)
        assert caught.value.request_sent is False


async def test_a_silent_peer_is_late(make_transport, secured: Any) -> None:
    """A peer that has the whole request and says nothing is a read timeout, and the request counts as sent."""
    transport = make_transport()

    async def script(wire: Wire) -> None:
        await wire.request()
        await wire.until_gone()

    async with scripted(script, secured) as peer:
        with pytest.raises(httpx.ReadTimeout) as caught:
            await transport.exchange(peer.origin, b"POST", b"/", b"", bytes(1000), Timeouts(300.0, 0.3, 300.0, 300.0))
        assert caught.value.request_sent is True


async def test_a_request_that_is_taken_by_nobody(make_transport, secured: Any) -> None:
    """A request that the kernel took and the peer's host does not confirm is a write timeout, not sent."""
    transport = make_transport()

    async def script(wire: Wire) -> None:
        await wire.request()
        await wire.send(OK)
        await wire.until_gone()

    async with scripted(script, secured) as peer:
        await transport.exchange(peer.origin, b"POST", b"/", b"", b"x", TIMEOUTS)
        cut(peer.wires[0])
        with pytest.raises(httpx.WriteTimeout) as caught:
            await transport.exchange(peer.origin, b"POST", b"/", b"", bytes(1000), Timeouts(300.0, 0.3, 0.3, 300.0))
        assert caught.value.request_sent is False


async def test_what_is_told_as_not_sent_never_arrives(make_transport, secured: Any) -> None:
    """The kernel held the end of the request when the call was given up; the peer's window opens later, and it is not sent after all."""
    transport = make_transport()
    given_up, came = asyncio.Event(), asyncio.get_running_loop().create_future()

    async def script(wire: Wire) -> None:
        narrow(wire)
        await wire.head()
        wire.writer.transport.pause_reading()
        await given_up.wait()
        wire.writer.transport.resume_reading()
        count = 0
        with contextlib.suppress(OSError):
            while piece := await wire.reader.read(1 << 16):
                count += len(piece)
        came.set_result(count)

    async with scripted(script, secured) as peer:
        with pytest.raises(httpx.TimeoutException) as caught:
            await transport.exchange(peer.origin, b"POST", b"/", b"", bytes(600_000), Timeouts(300.0, 0.5, 0.5, 300.0))
        assert caught.value.request_sent is False
        given_up.set()
        assert await came < 600_000
