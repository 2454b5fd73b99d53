"""Names of hosts as URLs write them: international, with a zone, with a dot at the end."""

from __future__ import annotations

import socket
import ssl
from typing import Any

import httpx
import pytest

from picsellia_async._http.transport import FastTransport
from picsellia_async._wire.exchange import Origin
from picsellia_async.errors import ConfigurationError

from .peers import TIMEOUTS, Wire, echo, resolve_to, scripted

pytestmark = pytest.mark.anyio


def test_international_names() -> None:
    """A host name is spelled as browsers and httpx spell it: Python's own codec would ask another host for `faß.de`."""
    for url in ("https://faß.de", "https://例え.jp", "http://Bücher.example:8080"):
        assert Origin.parse(url).host.encode() == httpx.URL(url).raw_host
    assert Origin.parse("https://FASS.de").host == "fass.de"


@pytest.mark.parametrize("url", ["http://\u00fc" + "a" * 70, "http://-\u00fc.de", "http://a\u2024\u00fc\u2024\u2024b"])
def test_names_that_dns_cannot_spell(url: str) -> None:
    """An international name that cannot be spelled is a ConfigurationError."""
    with pytest.raises(ConfigurationError):
        Origin.parse(url)


async def test_a_zone(transport: FastTransport) -> None:
    """An IPv6 address with a zone, as URLs write it (`%25`), is dialled."""
    with socket.socket(socket.AF_INET6) as sock:
        try:
            sock.bind(("::1", 0))
        except OSError:
            pytest.skip("this machine has no IPv6 loopback")
    async with scripted(echo, host="::1") as peer:
        origin = Origin.parse(f"http://[::1%251]:{peer.origin.port}")
        assert (await transport.exchange(origin, b"GET", b"/", b"", None, TIMEOUTS)).content == b"/"


@pytest.mark.parametrize("host", ["localhost", "localhost."])
async def test_the_name_that_a_tls_server_sees(
    make_transport: Any, certificate: Any, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server sees the name (without the root's dot) and that we speak HTTP/1.1 only."""
    names: list[str | None] = []
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(certificate.chain, certificate.key)
    server.set_alpn_protocols(["h2", "http/1.1"])
    server.sni_callback = lambda _sock, name, _context: names.append(name)
    chosen = []

    async def script(wire: Wire) -> None:
        chosen.append(wire.writer.get_extra_info("ssl_object").selected_alpn_protocol())
        await echo(wire)

    context = ssl.create_default_context(cafile=str(certificate.authority))
    context.set_alpn_protocols(["http/1.1"])
    transport = make_transport(ssl_context=context)
    resolve_to(monkeypatch, "127.0.0.1")
    async with scripted(script, server) as peer:
        await transport.exchange(Origin("https", host, peer.origin.port), b"GET", b"/", b"", None, TIMEOUTS)
    assert (names, chosen) == (["localhost"], ["http/1.1"])
