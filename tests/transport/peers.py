"""Scripted peers on sockets, and what the tests ask of the process."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

from picsellia_async._wire.exchange import Origin
from picsellia_async.config import Timeouts

TIMEOUTS = Timeouts(300.0, 300.0, 300.0, 300.0)
"""Guards only: no test waits for them, however busy the machine."""
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@attrs.frozen
class Received:
    """A request as it came."""

    method: bytes
    target: bytes
    headers: dict[bytes, bytes]
    body: bytes


@attrs.define(eq=False)
class Wire:
    """One accepted connection, in the hands of a script."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    number: int
    """Connections accepted before this one."""
    changed: asyncio.Event
    """The peer's; scripts may set it."""

    async def head(self) -> Received:
        """Read a request up to its body."""
        text = await self.reader.readuntil(b"\r\n\r\n")
        first, *lines = text[:-4].split(b"\r\n")
        method, target, _ = first.split(b" ")
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines)}
        return Received(method, target, headers, b"")

    async def request(self) -> Received:
        """Read a whole request."""
        head = await self.head()
        body = b""
        if head.headers.get(b"transfer-encoding") == b"chunked":
            while size := int(await self.reader.readuntil(b"\r\n"), 16):
                body += (await self.reader.readexactly(size + 2))[:-2]
            await self.reader.readexactly(2)
        elif b"content-length" in head.headers:
            body = await self.reader.readexactly(int(head.headers[b"content-length"]))
        self.changed.set()
        return attrs.evolve(head, body=body)

    async def send(self, data: bytes) -> None:
        """Write, and wait until the kernel has it."""
        self.writer.write(data)
        await self.writer.drain()

    def reset(self) -> None:
        """End the connection with a TCP reset."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    def kernel(self) -> socket.socket:
        """Return the socket below the loop and below TLS, to be closed by the caller; uvloop shows only a part of it."""
        return socket.socket(fileno=os.dup(self.writer.get_extra_info("socket").fileno()))

    def shut(self, how: int) -> None:
        """End one direction or both (`socket.SHUT_...`) without a turn of the loop."""
        with self.kernel() as sock:
            sock.shutdown(how)

    def close(self) -> None:
        """End the connection with a FIN."""
        self.writer.close()

    async def until_gone(self) -> None:
        """Wait for the client to leave."""
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            while await self.reader.read(1 << 16):
                pass


Script = Callable[[Wire], Awaitable[None]]


@attrs.define(eq=False)
class Peer:
    """A running scripted server, and what it saw."""

    origin: Origin
    url: str
    accepted: int = 0
    open: int = 0
    most_open: int = 0
    wires: list[Wire] = attrs.field(factory=list)
    errors: list[BaseException] = attrs.field(factory=list)
    changed: asyncio.Event = attrs.field(factory=asyncio.Event)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something that connections and scripts change is true; fail rather than hang."""
        async with asyncio.timeout(300):
            while not condition():
                self.changed.clear()
                await self.changed.wait()


@contextlib.asynccontextmanager
async def scripted(
    script: Script, context: ssl.SSLContext | None = None, *, host: str = "127.0.0.1"
) -> AsyncIterator[Peer]:
    """Serve each connection by a script. What the script raises (but for the client leaving) fails the test."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        wire = Wire(reader, writer, peer.accepted, peer.changed)
        peer.accepted += 1
        peer.open += 1
        peer.most_open = max(peer.most_open, peer.open)
        peer.wires.append(wire)
        peer.changed.set()
        try:
            await script(wire)
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError, asyncio.CancelledError):
            pass
        except Exception as error:  # noqa: BLE001 - whatever it is, the test shall see it
            if not (isinstance(error, RuntimeError) and "closed" in str(error)):  # uvloop's word for ConnectionError
                peer.errors.append(error)
        finally:
            writer.close()
            peer.open -= 1
            peer.changed.set()
            tasks.discard(task)

    loop = asyncio.get_running_loop()
    handler = loop.get_exception_handler()

    def ignore_failed_handshakes(loop: asyncio.AbstractEventLoop, facts: dict[str, Any]) -> None:
        if not isinstance(facts.get("exception"), (ssl.SSLError, ConnectionError)):
            (handler or type(loop).default_exception_handler)(loop, facts)

    loop.set_exception_handler(ignore_failed_handshakes)
    server = await asyncio.start_server(serve, host, 0, ssl=context, limit=1 << 20, backlog=1024)
    port = server.sockets[0].getsockname()[1]
    name = "localhost" if context else host
    origin = Origin("https" if context else "http", name, port)
    peer = Peer(origin, str(origin))
    try:
        yield peer
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        for wire in peer.wires:
            wire.writer.transport.abort()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        loop.set_exception_handler(handler)
    assert not peer.errors, peer.errors


async def echo(wire: Wire) -> None:
    """Answer each request with its target, and its body's length as a header."""
    while True:
        request = await wire.request()
        head = b"HTTP/1.1 200 OK\r\nX-Size: %d\r\nContent-Length: %d\r\n\r\n" % (len(request.body), len(request.target))
        await wire.send(head + request.target)


async def once(wire: Wire) -> None:
    """Answer one request and close the connection, as a sidecar may do."""
    request = await wire.request()
    reply = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b"
    await wire.send(reply % (len(request.target), request.target))


def answering_from(go: asyncio.Event, data: bytes) -> Script:
    """Read a request, wait, and answer it and those that follow with the same bytes."""

    async def script(wire: Wire) -> None:
        await wire.request()
        await go.wait()
        while True:
            await wire.send(data)
            await wire.request()

    return script


def answering(*replies: bytes) -> Script:
    """Make a script that answers with the replies in turn, then reads on."""

    async def script(wire: Wire) -> None:
        for reply in replies:
            await wire.request()
            await wire.send(reply)
        await wire.until_gone()

    return script


def raw_get(name: bytes = b"") -> bytes:
    """Return header lines for `exchange`."""
    return b"X-Test: " + name + b"\r\n"


@attrs.frozen
class Certificate:
    """Files of a certificate for localhost, and contexts of both ends."""

    chain: Path
    key: Path
    authority: Path
    server: ssl.SSLContext = attrs.field(repr=False)
    client: ssl.SSLContext = attrs.field(repr=False)


def descriptors() -> int:
    """Count this process's open file descriptors."""
    return len(list(Path("/proc/self/fd").iterdir()))


def resolve_to(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """Have every name stand for these addresses."""

    def getaddrinfo(_host: str, _port: None, **_options: Any) -> list[Any]:
        kinds = [socket.AF_INET6 if ":" in address else socket.AF_INET for address in addresses]
        ends = [(0, 0, 0) if ":" in address else (0,) for address in addresses]
        return [(kinds[n], socket.SOCK_STREAM, 6, "", (a, *ends[n])) for n, a in enumerate(addresses)]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


async def new_tasks(before: set[asyncio.Task[Any]]) -> set[asyncio.Task[Any]]:
    """Return tasks that were not there before and do not end."""
    left = asyncio.all_tasks() - before - {asyncio.current_task()}
    return (await asyncio.wait(left, timeout=10))[1] if left else left


async def settled(condition: Callable[[], bool]) -> None:
    """Give the loop turns until something holds that no event tells; fail rather than hang."""
    async with asyncio.timeout(300):
        while not condition():  # noqa: ASYNC110 - nothing tells of the end of a callback
            await asyncio.sleep(0)
