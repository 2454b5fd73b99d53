"""Certificates, and transports that are closed and left nothing behind."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import trustme

from picsellia_async._http.transport import FastTransport

from .peers import Certificate


@pytest.fixture(params=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """Run every async test on asyncio and on uvloop, in debug mode."""
    if request.param == "uvloop":
        pytest.importorskip("uvloop")
    return "asyncio", {"debug": True, "use_uvloop": request.param == "uvloop"}


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """A certificate for localhost."""
    folder: Path = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    leaf = authority.issue_cert("localhost", "127.0.0.1")
    for blob in leaf.cert_chain_pems:
        blob.write_to_path(folder / "chain.pem", append=True)
    leaf.private_key_pem.write_to_path(folder / "key.pem")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    leaf.configure_cert(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    return Certificate(folder / "chain.pem", folder / "key.pem", folder / "ca.pem", server, client)


@pytest.fixture(params=["plain", "tls"])
def secured(request: pytest.FixtureRequest, certificate: Certificate) -> ssl.SSLContext | None:
    """The server's TLS context, or None: the test runs over both."""
    return certificate.server if request.param == "tls" else None


@pytest.fixture
async def make_transport(certificate: Certificate) -> AsyncIterator[Callable[..., FastTransport]]:
    """Make transports that trust the certificate; closed at the end."""
    made: list[FastTransport] = []

    def make(**options: Any) -> FastTransport:
        options.setdefault("ssl_context", certificate.client)
        made.append(FastTransport(**options))
        return made[-1]

    yield make
    for transport in made:
        await transport.aclose()


@pytest.fixture
def transport(make_transport: Callable[..., FastTransport]) -> FastTransport:
    """A transport with ten slots, which one host may have."""
    return make_transport(max_connections=10, max_connections_per_host=10)
