"""TLS: trust, one shared context, sessions, ends without goodbye."""

from __future__ import annotations

import asyncio
import os
import ssl
import subprocess
import sys
import threading

import httpx
import pytest

from picsellia_async._http import tls as tls_module
from picsellia_async._http.transport import FastTransport
from picsellia_async._wire.bodies import ChunkedBody
from picsellia_async._wire.exchange import Origin

from .peers import OK, TIMEOUTS, Certificate, Wire, answering, echo, scripted

pytestmark = pytest.mark.anyio


def ask(transport: FastTransport, peer, method: bytes = b"GET", body=None):
    return transport.exchange(peer.origin, method, b"/a", b"", body, TIMEOUTS)


async def test_exchange(transport: FastTransport, certificate: Certificate) -> None:
    """Calls over TLS share a connection as without."""
    async with scripted(echo, certificate.server) as peer:
        for _ in range(5):
            assert (await ask(transport, peer)).content == b"/a"
        assert peer.accepted == 1


@pytest.mark.parametrize("size", [1, 16384, 16385, 1 << 17, (1 << 18) + 5, 5 << 20])
@pytest.mark.parametrize("shape", ["bytes", "chunked"])
async def test_bodies_of_any_size(transport: FastTransport, certificate: Certificate, size: int, shape: str) -> None:
    """Bodies larger than a record, and larger than the kernel's buffers, arrive whole."""
    image = os.urandom(1000) * (size // 1000 + 1)
    body = image[:size] if shape == "bytes" else ChunkedBody(b'{"i":"', memoryview(image[:size]), b'"}')
    got = []

    async def script(wire: Wire) -> None:
        while True:
            got.append((await wire.request()).body)
            await wire.send(OK)

    async with scripted(script, certificate.server) as peer:
        await ask(transport, peer, b"POST", body)
    assert got == [body if shape == "bytes" else b"".join(body)]


async def test_large_responses(transport: FastTransport, certificate: Certificate) -> None:
    """Responses of many records arrive whole, in one piece or streamed."""
    content = os.urandom(1 << 20) * 3
    reply = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(content), content)
    async with scripted(answering(reply, reply), certificate.server) as peer:
        assert (await ask(transport, peer)).content == content
        async with httpx.AsyncClient(transport=transport) as client:
            assert (await client.get(peer.url)).content == content
        assert peer.accepted == 1


async def test_untrusted(certificate: Certificate) -> None:
    """A certificate of an unknown authority is a ConnectError, and no byte of the request is sent."""
    transport = FastTransport(ssl_context=ssl.create_default_context())
    heads = []

    async def script(wire: Wire) -> None:
        heads.append(await wire.head())

    async with scripted(script, certificate.server) as peer:
        with pytest.raises(httpx.ConnectError, match="certificate") as caught:
            await ask(transport, peer)
        assert caught.value.request_sent is False
        await asyncio.sleep(0)  # the socket is closed in the next turn
        assert not transport.counts.connections
        assert heads == []
        await transport.aclose()


async def test_wrong_name(transport: FastTransport, certificate: Certificate) -> None:
    """A certificate of another host is a ConnectError."""
    async with scripted(echo, certificate.server) as peer:
        origin = Origin("https", "127.0.0.2", peer.origin.port)
        listener = await asyncio.start_server(lambda r, w: w.close(), "127.0.0.2", 0)
        listener.close()
        with pytest.raises(httpx.ConnectError):
            await transport.exchange(origin, b"GET", b"/", b"", None, TIMEOUTS)


async def test_wrong_name_of_a_trusted_authority(transport: FastTransport, tmp_path) -> None:
    """The name in the certificate is checked even if the authority is trusted."""
    import trustme

    authority = trustme.CA()
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("elsewhere.test").configure_cert(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    other = FastTransport(ssl_context=client)
    async with scripted(echo, server) as peer:
        with pytest.raises(httpx.ConnectError, match="localhost"):
            await ask(other, peer)
        await other.aclose()


async def test_plain_server(transport: FastTransport) -> None:
    """A server that does not speak TLS is a ConnectError."""

    async def script(wire: Wire) -> None:
        await wire.reader.read(100)
        await wire.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

    async with scripted(script) as peer:
        origin = Origin("https", "127.0.0.1", peer.origin.port)
        with pytest.raises(httpx.ConnectError):
            await transport.exchange(origin, b"GET", b"/", b"", None, TIMEOUTS)


async def test_end_in_the_handshake(transport: FastTransport) -> None:
    """A peer that closes or resets during the handshake is a ConnectError."""

    async def script(wire: Wire) -> None:
        await wire.reader.read(10)
        wire.reset() if wire.number else wire.close()

    async with scripted(script) as peer:
        for _ in range(2):
            with pytest.raises(httpx.ConnectError):
                await transport.exchange(
                    Origin("https", "127.0.0.1", peer.origin.port), b"GET", b"/", b"", None, TIMEOUTS
                )


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_session_is_used_again(make_transport, certificate: Certificate, version: ssl.TLSVersion) -> None:
    """A second connection to the same origin resumes the session: a handshake without certificates."""
    certificate_context = ssl.create_default_context(cafile=str(certificate.authority))
    certificate_context.maximum_version = version
    transport = make_transport(ssl_context=certificate_context, max_keepalive_connections=0)
    resumed = []

    async def script(wire: Wire) -> None:
        resumed.append(wire.writer.get_extra_info("ssl_object").session_reused)
        await echo(wire)

    async with scripted(script, certificate.server) as peer:
        for _ in range(3):
            await ask(transport, peer)
    assert resumed == [False, True, True]


async def test_goodbye(make_transport, certificate: Certificate) -> None:
    """An idle connection that is closed says so first: the server sees an orderly end."""
    transport = make_transport(max_keepalive_connections=0)
    ends = []

    async def script(wire: Wire) -> None:
        await wire.request()
        await wire.send(OK)
        ends.append(await wire.reader.read())

    async with scripted(script, certificate.server) as peer:
        await ask(transport, peer)
        await peer.until(lambda: peer.open == 0)
    assert ends == [b""]


@pytest.mark.parametrize("goodbye", [True, False])
async def test_body_that_ends_with_the_connection(
    transport: FastTransport, certificate: Certificate, goodbye: bool
) -> None:
    """Without TLS's goodbye, the end of a connection is no end of a body: somebody on the way may have cut it."""

    async def script(wire: Wire) -> None:
        await wire.request()
        await wire.send(b"HTTP/1.1 200 OK\r\n\r\nall of it?")
        if goodbye:
            wire.close()
        else:
            wire.writer.transport.abort()

    async with scripted(script, certificate.server) as peer:
        if goodbye:
            assert (await ask(transport, peer)).content == b"all of it?"
        else:
            with pytest.raises(httpx.RemoteProtocolError):
                await ask(transport, peer)


@pytest.mark.parametrize("end", ["close", "abort"])
async def test_idle_end_is_replaced(make_transport, certificate: Certificate, end: str) -> None:
    """A connection that the peer closed while idle is replaced without an error, for POST as well."""
    transport = make_transport()

    async def script(wire: Wire) -> None:
        await wire.request()
        await wire.send(OK)
        if end == "close":
            wire.close()
        else:
            wire.writer.transport.abort()

    async with scripted(script, certificate.server) as peer:
        for number in range(10):
            assert (await ask(transport, peer, b"POST", b"x")).content == b"ok"
            await peer.until(lambda: peer.open == 0)
            assert peer.accepted == number + 1


async def test_early_refusal(transport: FastTransport, certificate: Certificate) -> None:
    """An answer during the body, followed by a reset, reaches the caller over TLS as well."""

    async def script(wire: Wire) -> None:
        await wire.head()
        await wire.send(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig")
        wire.writer.transport.abort()

    async with scripted(script, certificate.server) as peer:
        for _ in range(10):
            assert (await ask(transport, peer, b"POST", bytes(20 << 20))).status == 413


async def test_damaged_record(transport: FastTransport, certificate: Certificate) -> None:
    """Bytes that cannot be decrypted end the call with an error."""

    async def script(wire: Wire) -> None:
        await wire.request()
        with wire.kernel() as sock:
            sock.send(b"\x17\x03\x03\x00\x20" + b"x" * 32)
        await wire.until_gone()

    async with scripted(script, certificate.server) as peer:
        with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
            await ask(transport, peer)
        assert not peer.errors


async def test_one_context_for_all(certificate: Certificate, monkeypatch) -> None:
    """Transports without a context of their own share one, built once, off the loop, that honours SSL_CERT_FILE."""
    built = []
    original = httpx.create_ssl_context

    def build(*args, **options):
        built.append(threading.current_thread())
        return original(*args, **options)

    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.authority))
    monkeypatch.setattr(httpx, "create_ssl_context", build)
    tls_module._build_context.cache_clear()
    transports = [FastTransport() for _ in range(3)]
    async with scripted(echo, certificate.server) as peer:
        await asyncio.gather(*[ask(transport, peer) for transport in transports for _ in range(5)])
        for transport in transports:
            await transport.aclose()
    assert len(built) == 1
    assert built[0] is not threading.main_thread()
    tls_module._build_context.cache_clear()


async def test_network_stream(transport: FastTransport, certificate: Certificate) -> None:
    """httpx's `network_stream` extension tells the TLS facts and both addresses."""
    async with scripted(echo, certificate.server) as peer, httpx.AsyncClient(transport=transport) as client:
        response = await client.get(peer.url)
        stream = response.extensions["network_stream"]
        assert stream.get_extra_info("ssl_object").version() == "TLSv1.3"
        assert stream.get_extra_info("ssl_object").getpeercert()["subjectAltName"]
        assert stream.get_extra_info("server_addr")[1] == peer.origin.port
        assert stream.get_extra_info("client_addr")[0] == "127.0.0.1"
        assert stream.get_extra_info("socket") is not None
        assert stream.get_extra_info("anything else") is None


def test_no_context_is_built_for_plain_http() -> None:
    """Importing and making a transport loads no certificates."""
    code = (
        "import ssl\n"
        "def no(*a, **k): raise AssertionError('built')\n"
        "import httpx; httpx.create_ssl_context = no\n"
        "from picsellia_async._http.transport import FastTransport; FastTransport()\n"
    )
    subprocess.run([sys.executable, "-X", "dev", "-W", "error", "-c", code], check=True)


async def test_a_context_that_offers_http2(make_transport, certificate: Certificate) -> None:
    """A context that offers HTTP/2 to a server that would take it: HTTP/1.1 is what both agree on, as it is what we speak."""
    context = ssl.create_default_context(cafile=str(certificate.authority))
    context.set_alpn_protocols(["h2", "http/1.1"])
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(certificate.chain, certificate.key)
    server.set_alpn_protocols(["h2", "http/1.1"])
    agreed = []

    async def script(wire: Wire) -> None:
        agreed.append(wire.writer.get_extra_info("ssl_object").selected_alpn_protocol())
        await wire.request()
        await wire.send(OK)
        await wire.until_gone()

    transport = make_transport(ssl_context=context)
    async with scripted(script, server) as peer:
        assert (await transport.exchange(peer.origin, b"GET", b"/", b"", None, TIMEOUTS)).content == b"ok"
    assert agreed == ["http/1.1"]
