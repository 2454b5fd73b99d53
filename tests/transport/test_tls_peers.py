"""TLS as a peer sees it: client certificates, versions, renegotiation and new keys in the middle of a call."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import ssl
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import trustme

from picsellia_async._http.tls import TlsLayer
from picsellia_async._http.transport import FastTransport
from picsellia_async._wire.exchange import Origin

from .peers import TIMEOUTS, Certificate, Wire, echo, scripted
from .servers import free_port

pytestmark = pytest.mark.anyio

VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


def contexts(certificate: Certificate, version: ssl.TLSVersion) -> tuple[ssl.SSLContext, ssl.SSLContext, trustme.CA]:
    """Make a server that speaks one version and wants certificates of an authority, and a client without one."""
    authority = trustme.CA()
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(certificate.chain, certificate.key)
    server.verify_mode = ssl.CERT_REQUIRED
    server.minimum_version = server.maximum_version = version
    authority.configure_trust(server)
    return server, ssl.create_default_context(cafile=str(certificate.authority)), authority


@pytest.mark.parametrize("version", VERSIONS)
async def test_client_certificate(make_transport: Any, certificate: Certificate, version: ssl.TLSVersion) -> None:
    """A client certificate is shown to a server that asks for it, over all of its connections."""
    server, client, authority = contexts(certificate, version)
    authority.issue_cert("camera@example.org").configure_cert(client)
    seen = []

    async def script(wire: Wire) -> None:
        facts = wire.writer.get_extra_info("ssl_object")
        seen.append((facts.version(), facts.getpeercert()["subjectAltName"]))
        await echo(wire)

    transport: FastTransport = make_transport(ssl_context=client, max_keepalive_connections=0)
    async with scripted(script, server) as peer:
        for _ in range(2):
            answer = await transport.exchange(peer.origin, b"POST", b"/in", b"", bytes(1 << 20), TIMEOUTS)
            assert answer.content == b"/in"
    name = "TLSv1.2" if version is ssl.TLSVersion.TLSv1_2 else "TLSv1.3"
    assert seen == [(name, (("email", "camera@example.org"),))] * 2


@pytest.mark.parametrize("version", VERSIONS)
async def test_no_client_certificate(make_transport: Any, certificate: Certificate, version: ssl.TLSVersion) -> None:
    """Without the certificate that a server wants, the call ends with an error and no slot is lost.

    TLS 1.2 says so in the handshake, 1.3 in place of the answer.
    """
    server, client, _ = contexts(certificate, version)
    transport: FastTransport = make_transport(ssl_context=client, max_connections=1)
    async with scripted(echo, server) as peer:
        for _ in range(3):
            with pytest.raises((httpx.NetworkError, httpx.RemoteProtocolError)):
                await transport.exchange(peer.origin, b"POST", b"/in", b"", bytes(1 << 20), TIMEOUTS)
        assert peer.accepted == 0


@contextlib.asynccontextmanager
async def openssl(certificate: Certificate, *options: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, int]]:
    """Run `openssl s_server`, whose standard input goes to the client and also takes commands."""
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("openssl is not installed")
    port = free_port()
    server = await asyncio.create_subprocess_exec(
        program, "s_server", "-accept", f"127.0.0.1:{port}", "-cert", str(certificate.chain),
        "-key", str(certificate.key), *options,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        assert server.stdout is not None
        async with asyncio.timeout(300):
            await server.stdout.readuntil(b"ACCEPT\n")
            yield server, port
    finally:
        with contextlib.suppress(ProcessLookupError):
            server.kill()
        await server.communicate()


@pytest.mark.parametrize(
    ("command", "options"),
    [(b"r", ["-tls1_2"]), (b"R", ["-tls1_2"]), (b"k", ["-tls1_3"]), (b"K", ["-tls1_3"])],
    ids=["renegotiation", "renegotiation for a certificate", "new key", "new keys of both"],
)
async def test_new_keys_in_the_middle_of_a_call(
    transport: FastTransport,
    certificate: Certificate,
    command: bytes,
    options: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A server may change the keys between the request and its answer, and before the next request."""
    heard = asyncio.Event()
    read = TlsLayer.buffer_updated

    def listen(layer: TlsLayer, size: int) -> None:
        read(layer, size)
        heard.set()

    monkeypatch.setattr(TlsLayer, "buffer_updated", listen)
    async with openssl(certificate, *options) as (server, port):
        assert server.stdin is not None
        assert server.stdout is not None
        origin = Origin("https", "localhost", port)
        for number in range(3):
            call = asyncio.ensure_future(
                transport.exchange(origin, b"POST", b"/", b"", b"body %d\n" % number, TIMEOUTS)
            )
            await server.stdout.readuntil(b"body %d\n" % number)
            heard.clear()
            server.stdin.write(command + b"\n")
            await heard.wait()  # else the server might read both lines at once, and take the second for nothing
            server.stdin.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nkeys\r\n")
            assert (await call).content == b"keys\r\n"
        assert transport.counts.connections == 1


@contextlib.asynccontextmanager
async def held_back(port: int) -> AsyncIterator[tuple[int, asyncio.Event, asyncio.Event]]:
    """Forward to a TLS 1.2 server; hold its answer to the client's second ClientHello back until told.

    Yields the port, an event of that ClientHello, and the event that lets the answer through.
    """
    hello_seen, go = asyncio.Event(), asyncio.Event()
    tasks = []

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, to_server: bool) -> None:
        encrypted = False
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readexactly(5)
                record = head + await reader.readexactly(int.from_bytes(head[3:]))
                if not to_server and hello_seen.is_set():
                    await go.wait()
                writer.write(record)
                await writer.drain()
                if to_server and encrypted and head[0] == 22:
                    hello_seen.set()
                encrypted = encrypted or head[0] == 23

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        other_reader, other_writer = await asyncio.open_connection("127.0.0.1", port)
        tasks.append(asyncio.ensure_future(forward(reader, other_writer, to_server=True)))
        tasks.append(asyncio.ensure_future(forward(other_reader, writer, to_server=False)))
        await asyncio.wait(tasks)
        for end in (writer, other_writer):
            end.transport.abort()

    proxy = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield proxy.sockets[0].getsockname()[1], hello_seen, go
    finally:
        proxy.close()
        for task in tasks:
            task.cancel()
        await asyncio.sleep(0)


@pytest.mark.parametrize("size", [10, 1 << 20])
async def test_a_request_while_keys_are_changed(transport: FastTransport, certificate: Certificate, size: int) -> None:
    """TLS 1.2 can write nothing while a renegotiation runs: a request waits for its end and then goes out whole."""
    async with openssl(certificate, "-tls1_2") as (server, port), held_back(port) as (front, hello_seen, go):
        assert server.stdin is not None
        assert server.stdout is not None
        origin = Origin("https", "localhost", front)

        async def call(body: bytes) -> bytes:
            return (await transport.exchange(origin, b"POST", b"/", b"", body, TIMEOUTS)).content

        async def answer(*lines: bytes) -> None:
            for line in lines:
                server.stdin.write(line)
                await server.stdin.drain()

        first = asyncio.ensure_future(call(b"first\n"))
        await server.stdout.readuntil(b"first\n")
        await answer(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nok\r\n")
        assert await first == b"ok\r\n"
        await answer(b"r\n")
        await hello_seen.wait()
        second = asyncio.ensure_future(call(b"x" * size + b"second\n"))
        while not transport.counts.connections or not any(c.tls._backlog for c in transport._pool._connections):  # noqa: ASYNC110
            await asyncio.sleep(0)
        go.set()
        while b"second" not in await server.stdout.read(1 << 16):
            pass
        await answer(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nok\r\n")
        assert await second == b"ok\r\n"
        assert transport.counts.connections == 1
