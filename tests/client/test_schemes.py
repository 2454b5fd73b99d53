"""http where https is spoken, and the other way round."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl

import httpx
import orjson
import pytest
import trustme

from picsellia_async import AsyncClient, RetryPolicy, StatusError, TransportError

from ..support.client import monitor
from ..support.small_server import serve

pytestmark = pytest.mark.anyio

NEVER_AGAIN = RetryPolicy(backoff_initial=1000, jitter=0)
"""A call that were repeated would not end within the test's time."""

ID = "00000000-0000-4000-8000-000000000001"


@pytest.fixture(params=["asyncio", "uvloop"])
def anyio_backend(request):
    """On both loops."""
    if request.param == "uvloop":
        pytest.importorskip("uvloop")
    return "asyncio", {"use_uvloop": request.param == "uvloop"}


@contextlib.asynccontextmanager
async def server(answer):
    """Answer whatever comes with the same bytes, and close; gives the port."""

    async def serve(reader, writer):
        with contextlib.suppress(ConnectionError):
            await reader.read(1)
            writer.write(answer)
            await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as running:
        yield running.sockets[0].getsockname()[1]


async def connect_error(url):
    client = AsyncClient("token", host=url, retry=NEVER_AGAIN)
    try:
        with pytest.raises(TransportError) as caught:
            await client.connect()
    finally:
        await client.aclose()
    return caught.value


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"SSH-2.0-OpenSSH_9.6\r\n"], ids=["http", "ssh"]
)
async def test_https_for_a_plain_port(answer):
    """One attempt, and the error asks whether it is http; nothing was sent."""
    async with server(answer) as port:
        error = await connect_error(f"https://127.0.0.1:{port}")
    assert (error.attempts, error.request_sent) == (1, False)
    assert "the peer does not speak TLS at this port: is it http?" in error.message


async def test_https_for_a_plain_port_over_the_stock_transport():
    """The same is told by httpx's own transport."""
    async with server(b"HTTP/1.1 400 Bad Request\r\n\r\n") as port:
        transport = httpx.AsyncHTTPTransport()
        client = AsyncClient("token", host=f"https://127.0.0.1:{port}", retry=NEVER_AGAIN, transport=transport)
        with pytest.raises(TransportError, match="is it http") as caught:
            await client.connect()
        await client.aclose()
    assert caught.value.attempts == 1


async def test_http_for_a_port_of_tls():
    """The alert with which such a server answers is told as what it is."""
    async with server(b"\x15\x03\x01\x00\x02\x02\x46") as port:  # fatal, "protocol version"
        client = AsyncClient("token", host=f"http://127.0.0.1:{port}", retry=RetryPolicy.none())
        with pytest.raises(TransportError, match="the peer speaks TLS at this port: is it https"):
            await client.connect()
        await client.aclose()


class Platform(httpx.AsyncBaseTransport):
    """Answers over https; over http it sends its callers on to there, as an ingress does."""

    def __init__(self, oracle, status=301):
        self.oracle = oracle
        self.status = status
        self.seen = []

    async def handle_async_request(self, request):
        await request.aread()
        url = request.url
        self.seen.append((request.method, url.scheme, url.path))
        if url.scheme == "http":
            return httpx.Response(self.status, headers={"location": str(url.copy_with(scheme="https"))})
        if url.path == "/api/home/ping":
            return httpx.Response(200, json={"default_organization": ID})
        if url.path.endswith("/deployments/find"):
            described = {"id": ID, "name": "d", "type": "OBJECT_DETECTION", "oracle_host": self.oracle}
            return httpx.Response(200, json=described)
        if url.path == "/api/auth/login":
            return httpx.Response(200, json={"jwt": "j", "expires": 60})
        if url.path.endswith("/predictions"):
            return httpx.Response(201, json={"id": ID})
        return httpx.Response(200, json={"id": ID, "name": "o"})


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_http_that_is_sent_on_to_https(status, caplog):
    """One redirect of the host moves all calls to https, sign-in and frames too, with their methods; a warning says it once."""
    platform = Platform("http://a", status)
    with caplog.at_level(logging.WARNING, "picsellia_async"):
        async with AsyncClient("t", host="http://a", transport=platform) as client:
            deployment = await client.get_deployment("d")
            assert (await monitor(deployment))["id"] == ID
            await monitor(deployment)
    assert [scheme for _, scheme, _ in platform.seen] == ["http"] + ["https"] * (len(platform.seen) - 1)
    assert [method for method, _, path in platform.seen if path.endswith(("/login", "/predictions"))] == ["POST"] * 3
    [told] = [record.getMessage() for record in caplog.records if "sends its callers on" in record.getMessage()]
    assert told == "http://a sends its callers on to https://a, and is called there from now on"


async def test_a_sign_in_that_is_sent_on_to_https():
    """The api token is in its body, and follows nowhere: the error names the remedy."""
    platform = Platform("http://oracle")
    async with AsyncClient("t", host="https://a", transport=platform) as client:
        deployment = await client.get_deployment("d")
        with pytest.raises(StatusError, match="give the address of the host as https://") as caught:
            await monitor(deployment)
    assert caught.value.status == 301
    assert [place for place in platform.seen if place[2].endswith("/login")] == [("POST", "http", "/api/auth/login")]


@pytest.fixture
def certificate(tmp_path):
    """What `serve` needs to speak TLS, and a context that trusts it."""
    authority, context = trustme.CA(), ssl.create_default_context()
    leaf = authority.issue_cert("127.0.0.1")
    leaf.private_key_pem.write_to_path(tmp_path / "key.pem")
    leaf.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    authority.configure_trust(context)
    return {"ssl_certfile": tmp_path / "cert.pem", "ssl_keyfile": tmp_path / "key.pem"}, context


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_write_of_the_hot_path_that_is_sent_on(status, certificate, caplog):
    """It is sent to each place once: to https of its host it moves; behind a 303, which it obeys nowhere, it is an error."""
    files, context = certificate
    seen, place = [], {}

    async def app(scope, receive, send):
        while (await receive()).get("more_body"):
            pass
        path, scheme = scope["path"], scope["scheme"]
        described = {
            "id": ID,
            "name": "d",
            "type": "OBJECT_DETECTION",
            "default_organization": ID,
            "jwt": "j",
            "expires": 60,
            **place,
        }
        answered, headers = 200, []
        if path.endswith("/predictions"):
            seen.append((scope["method"], scheme))
            answered = 201 if scheme == "https" else status
            headers = [(b"location", f"{place['secured']}{path}".encode())]
        await send({"type": "http.response.start", "status": answered, "headers": headers})
        await send({"type": "http.response.body", "body": orjson.dumps(described)})

    async with serve(app) as port, serve(app, **files) as secured:
        place.update(oracle_host=f"http://127.0.0.1:{port}", secured=f"https://127.0.0.1:{secured}")
        async with AsyncClient("t", host=place["oracle_host"], verify=context, retry=RetryPolicy.none()) as client:
            deployment = await client.get_deployment("d")
            if status == 303:
                with pytest.raises(StatusError):
                    await monitor(deployment)
            else:
                assert (await monitor(deployment))["id"] == ID
                await monitor(deployment)
    told = [line for line in caplog.messages if "sends its callers on" in line]
    assert (seen, len(told)) == (
        ([("POST", "http")], 0) if status == 303 else ([("POST", "http"), ("POST", "https"), ("POST", "https")], 1)
    )
