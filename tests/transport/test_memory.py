"""What a call leaves behind: no connection and no body may wait for the garbage collector."""

from __future__ import annotations

import asyncio
import gc
import sys
from typing import Any

import httpx
import pytest

from picsellia_async._http.connection import Connection
from picsellia_async._http.tls import TlsLayer
from picsellia_async._http.transport import FastTransport
from picsellia_async._wire.exchange import Origin
from picsellia_async.config import Timeouts

from .peers import OK, TIMEOUTS, Certificate, Wire, scripted

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """Both loops, without debug mode, which keeps tracebacks on purpose."""
    if request.param == "uvloop":
        pytest.importorskip("uvloop")
    return "asyncio", {"use_uvloop": request.param == "uvloop"}


def alive() -> list[Any]:
    return [thing for thing in gc.get_objects() if isinstance(thing, (Connection, TlsLayer))]


REPLIES = {
    "answer": OK,
    "answer and close": OK.replace(b"\r\n", b"\r\nConnection: close\r\n", 1),
    "no answer": b"",
    "half an answer": b"HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n" + bytes(1 << 20),
    "malformed": b"no HTTP at all\r\n\r\n",
    "silence": b"",
}


@pytest.mark.parametrize("reply", REPLIES)
@pytest.mark.parametrize("secured", [False, True])
@pytest.mark.parametrize("seam", ["exchange", "httpx"])
@pytest.mark.usefixtures("uncollected")
async def test_nothing_is_kept(
    make_transport: Any, certificate: Certificate, reply: str, secured: bool, seam: str
) -> None:
    """After a call, however it ends, neither its body of 1 MB nor a closed connection is referred to."""
    transport: FastTransport = make_transport(max_keepalive_connections=0)
    body = bytes(1 << 20)

    async def script(wire: Wire) -> None:
        await wire.request()
        await wire.send(REPLIES[reply])
        if reply == "silence":
            await wire.until_gone()

    async def call(peer: Any) -> None:
        limits = Timeouts(300, 0.05 if reply == "silence" else 300, 300, 300)
        if seam == "exchange":
            await transport.exchange(peer.origin, b"POST", b"/", b"", body, limits)
            return
        timeout = {"connect": 300, "read": limits.read, "write": 300, "pool": 300}
        request = httpx.Request("POST", peer.url, content=body, extensions={"timeout": timeout})
        await (await transport.handle_async_request(request)).aread()

    before, known = sys.getrefcount(body), len(alive())
    async with scripted(script, certificate.server if secured else None) as peer:
        failed = False
        try:
            await call(peer)
        except httpx.TransportError:
            failed = True
        await peer.until(lambda: peer.open == 0)
        await settled(lambda: not transport.counts.slots)
        assert failed is not reply.startswith("answer")
        assert sys.getrefcount(body) == before
        assert len(alive()) == known


async def settled(condition: Any) -> None:
    """Give the loop turns until something holds; fail rather than hang."""
    async with asyncio.timeout(300):
        while not condition():  # noqa: ASYNC110 - nothing tells of the end of a callback
            await asyncio.sleep(0)
        for _ in range(5):
            await asyncio.sleep(0)


@pytest.mark.parametrize("reason", ["late", "cancelled"])
@pytest.mark.usefixtures("uncollected")
async def test_nothing_is_kept_of_those_in_line(make_transport: Any, reason: str) -> None:
    """A caller who left the line for a connection takes its body along."""
    transport: FastTransport = make_transport(max_connections=1)
    body = bytes(1 << 20)
    free = asyncio.Event()

    async def script(wire: Wire) -> None:
        await wire.request()
        await free.wait()
        await wire.send(OK)
        await wire.until_gone()

    async with scripted(script) as peer:
        first = asyncio.ensure_future(transport.exchange(peer.origin, b"GET", b"/", b"", None, TIMEOUTS))
        await peer.until(lambda: bool(peer.wires))
        before = sys.getrefcount(body)
        limits = Timeouts(300, 300, 300, 0.01 if reason == "late" else None)
        second = asyncio.ensure_future(transport.exchange(peer.origin, b"POST", b"/", b"", body, limits))
        await settled(lambda: bool(transport.counts.queued))
        if reason == "cancelled":
            second.cancel()
        await asyncio.wait([second])
        with pytest.raises((httpx.PoolTimeout, asyncio.CancelledError)) as caught:
            second.result()
        del second, caught
        await settled(lambda: True)
        assert sys.getrefcount(body) == before
        free.set()
        await first


@pytest.mark.parametrize("reason", ["refused", "untrusted", "no TLS", "silence"])
@pytest.mark.usefixtures("uncollected")
async def test_nothing_is_kept_of_connections_that_never_were(certificate: Certificate, reason: str) -> None:
    """A connection that cannot be opened leaves neither itself nor the request's body."""
    transport = FastTransport(ssl_context=None if reason == "untrusted" else certificate.client)
    body = bytes(1 << 20)
    before, known = sys.getrefcount(body), len(alive())

    async def script(wire: Wire) -> None:
        if reason == "no TLS":
            await wire.send(b"220 mail.example ESMTP\r\n")
        await wire.until_gone()

    async with scripted(script, certificate.server if reason == "untrusted" else None) as peer:
        port = 1 if reason == "refused" else peer.origin.port
        failed = False
        try:
            limits = Timeouts(0.2 if reason == "silence" else 300, 300, 300, 300)
            await transport.exchange(Origin("https", "localhost", port), b"POST", b"/", b"", body, limits)
        except httpx.TransportError:
            failed = True
        assert failed
        await settled(lambda: not transport.counts.slots)
        assert sys.getrefcount(body) == before
        assert len(alive()) == known
    await transport.aclose()
