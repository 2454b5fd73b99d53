"""Addresses of a name: one is reached, one socket wins the race between them, no other stays open."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import httpx
import pytest

from picsellia_async._http import connector
from picsellia_async._http.resolver import Resolver
from picsellia_async._wire.exchange import Origin

from .peers import OK, TIMEOUTS, Wire, echo, resolve_to, scripted

pytestmark = pytest.mark.anyio

ADDRESSES = [(socket.AF_INET, ("192.0.2.1", 1)), (socket.AF_INET, ("192.0.2.2", 1)), (socket.AF_INET, ("192.0.2.3", 1))]


class Network:
    """Connections that come about when told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.go = asyncio.Event()
        self.begun: list[Any] = []
        self.made: list[socket.socket] = []
        self.all_begun = asyncio.Event()
        monkeypatch.setattr(connector, "_connect", self.connect)
        monkeypatch.setattr(connector, "HEAD_START_SECONDS", 0)

    async def connect(self, address: Any, _loop: Any) -> socket.socket:
        """Connect when told."""
        self.begun.append(address)
        if len(self.begun) == len(ADDRESSES):
            self.all_begun.set()
        await self.go.wait()
        self.made.append(socket.socket())
        return self.made[-1]

    def open(self) -> list[socket.socket]:
        """Return the sockets that nobody has closed."""
        return [sock for sock in self.made if sock.fileno() != -1]


async def test_several_win_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of connections that come about in the same turn of the loop, one is used and the others are closed."""
    network = Network(monkeypatch)
    racing = asyncio.create_task(connector._race(ADDRESSES, asyncio.get_running_loop()))
    await network.all_begun.wait()
    network.go.set()
    winner = await racing
    assert network.begun == ADDRESSES
    assert network.open() == [winner]
    winner.close()


async def test_cancelled_while_they_win(monkeypatch: pytest.MonkeyPatch) -> None:
    """A race that is cancelled in the moment of its end leaves no socket open."""
    network = Network(monkeypatch)
    racing = asyncio.create_task(connector._race(ADDRESSES, asyncio.get_running_loop()))
    await network.all_begun.wait()
    network.go.set()
    racing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await racing
    await asyncio.sleep(0)
    assert network.open() == []


async def test_cancelled_while_the_losers_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    """A race that is cancelled while its losers are sent away closes the winner."""
    network = Network(monkeypatch)
    leaving = asyncio.Event()

    async def discard(_losers: Any) -> None:
        leaving.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(connector, "_discard", discard)
    racing = asyncio.create_task(connector._race(ADDRESSES, asyncio.get_running_loop()))
    await network.all_begun.wait()
    network.go.set()
    await leaving.wait()
    racing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await racing
    assert network.open() == []


async def test_a_name_without_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """A resolver that finds nothing is an OSError that names the host."""
    resolve_to(monkeypatch)
    loop = asyncio.get_running_loop()
    with pytest.raises(OSError, match=r"empty\.test"):
        await connector.open_socket(Origin("http", "empty.test", 80), Resolver(loop), loop)


async def test_addresses_are_interleaved() -> None:
    """The families alternate, beginning with the one that the resolver prefers (RFC 8305, section 4)."""
    six, four = socket.AF_INET6, socket.AF_INET
    found: list[Any] = [(six, ("a",)), (six, ("b",)), (six, ("c",)), (four, ("d",))]
    assert connector._interleave(found) == [found[0], found[3], found[1], found[2]]


@pytest.mark.parametrize("place", [("x" * 64 + ".test", 80), ("127.0.0.1", 65536), ("::1", 70000)])
async def test_a_place_that_cannot_be(place: tuple[str, int]) -> None:
    """A label over 63 characters and a port over 65535 are an OSError, like every other place that cannot be reached."""
    loop = asyncio.get_running_loop()
    with pytest.raises(OSError, match="is no address"):
        await connector.open_socket(Origin("http", *place), Resolver(loop), loop)


async def test_happy_eyeballs(make_transport, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name with an address that does not answer is reached through the next one."""
    transport = make_transport()
    resolve_to(monkeypatch, "100::1", "127.0.0.1", "127.0.0.1")  # the discard prefix: no answer, or no route
    async with scripted(echo) as peer:
        origin = Origin("http", "two.test", peer.origin.port)
        assert (await transport.exchange(origin, b"GET", b"/a", b"", None, TIMEOUTS)).content == b"/a"
        assert peer.accepted == 1


async def test_every_address_fails(make_transport, monkeypatch: pytest.MonkeyPatch) -> None:
    """If no address answers, the error names what happened to each."""
    transport = make_transport()
    async with scripted(echo) as gone:
        pass
    resolve_to(monkeypatch, "127.0.0.1", "127.0.0.2")
    with pytest.raises(httpx.ConnectError, match="127"):
        await transport.exchange(Origin("http", "x.test", gone.origin.port), b"GET", b"/", b"", None, TIMEOUTS)


async def test_ipv6(make_transport) -> None:
    """IPv6 literals work, with brackets in the Host header."""
    transport = make_transport()
    hosts = []

    async def script(wire: Wire) -> None:
        hosts.append((await wire.request()).headers[b"host"])
        await wire.send(OK)

    try:
        manager = scripted(script, host="::1")
        peer = await manager.__aenter__()
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    try:
        await transport.exchange(peer.origin, b"GET", b"/", b"", None, TIMEOUTS)
    finally:
        await manager.__aexit__(None, None, None)
    assert hosts == [f"[::1]:{peer.origin.port}".encode()]
