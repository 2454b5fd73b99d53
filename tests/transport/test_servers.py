"""Against servers that nobody here wrote: nginx, uvicorn, hypercorn, aiohttp; plain and TLS."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Iterator

import attrs
import httpx
import pytest

from picsellia_async._http.transport import FastTransport
from picsellia_async._wire.exchange import Origin

from .peers import TIMEOUTS, Certificate
from .servers import free_port, running, server_command

pytestmark = pytest.mark.anyio


@attrs.frozen
class Server:
    kind: str
    origin: Origin
    url: str


@pytest.fixture(scope="module", params=["plain", "tls"])
def secured(request: pytest.FixtureRequest) -> bool:
    return request.param == "tls"


@pytest.fixture(scope="module", params=["nginx", "uvicorn", "hypercorn", "aiohttp"])
def server(
    request: pytest.FixtureRequest, secured: bool, certificate: Certificate, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A real server, in a process of its own."""
    folder, port = tmp_path_factory.mktemp(request.param), free_port()
    command = server_command(request.param, port, folder, certificate if secured else None)
    if command is None:
        pytest.skip(f"{request.param} is not installed here")
    with running(command, port, folder):
        origin = Origin("https" if secured else "http", "localhost" if secured else "127.0.0.1", port)
        yield Server(request.param, origin, str(origin))


def expected(method: str, path: str, body: bytes) -> bytes:
    return f"{method} {path} {len(body)} {hashlib.sha256(body).hexdigest()}".encode()


@pytest.mark.parametrize("size", [0, 1, 70_000, 900_000])
async def test_post(server: Server, transport: FastTransport, size: int) -> None:
    """Bodies arrive as they are, on one connection after the other or on the same."""
    body = os.urandom(size)
    for _ in range(3):
        answer = await transport.exchange(server.origin, b"POST", b"/echo", b"", body, TIMEOUTS)
        if server.kind == "nginx":
            assert answer.content == b"POST /echo %d" % size
        else:
            assert answer.content == expected("POST", "/echo", body)
    assert transport.counts.connections == 1


async def test_many_at_once(server: Server, transport: FastTransport) -> None:
    """Many callers share few connections, and each gets its own answer."""
    calls = [
        transport.exchange(server.origin, b"GET", b"/call/%d" % number, b"", None, TIMEOUTS) for number in range(300)
    ]
    answers = await asyncio.gather(*calls)
    for number, answer in enumerate(answers):
        assert answer.content.startswith(b"GET /call/%d " % number)
    assert transport.counts.connections <= 10


async def test_head(server: Server, transport: FastTransport) -> None:
    """HEAD has headers and no body, and leaves the connection in step."""
    for _ in range(3):
        answer = await transport.exchange(server.origin, b"HEAD", b"/h", b"", None, TIMEOUTS)
        assert (answer.status, answer.content) == (200, b"")
    answer = await transport.exchange(server.origin, b"GET", b"/h", b"", None, TIMEOUTS)
    assert answer.content.startswith(b"GET /h")
    assert transport.counts.connections == 1


@pytest.mark.parametrize("status", [204, 404])
async def test_statuses(server: Server, transport: FastTransport, status: int) -> None:
    """Answers with and without a body leave the connection in step."""
    for _ in range(2):
        answer = await transport.exchange(server.origin, b"GET", b"/status/%d" % status, b"", None, TIMEOUTS)
        assert answer.status == status
    assert transport.counts.connections == 1


async def test_httpx_client(server: Server, transport: FastTransport) -> None:
    """httpx's client works over the transport: query, JSON, streamed bodies."""
    async with httpx.AsyncClient(transport=transport, base_url=server.url) as client:
        assert (await client.get("/a", params={"b": "c d"})).text.startswith("GET /a")
        assert (await client.post("/a", json={"b": 1})).status_code == 200

        async def pieces():
            for _ in range(5):
                yield b"piece" * 1000

        response = await client.post("/stream", content=pieces())
        assert response.status_code == 200
        if server.kind != "nginx":
            assert response.content == expected("POST", "/stream", b"piece" * 5000)


@pytest.mark.parametrize("server", ["uvicorn", "hypercorn", "aiohttp"], indirect=True)
async def test_chunked_responses(server: Server, transport: FastTransport) -> None:
    """Chunked responses are read whole and streamed alike."""
    text = b"".join(b"%d," % number for number in range(500))
    answer = await transport.exchange(server.origin, b"GET", b"/chunks/500", b"", None, TIMEOUTS)
    assert answer.content == text
    async with (
        httpx.AsyncClient(transport=transport, base_url=server.url) as client,
        client.stream("GET", "/chunks/500") as response,
    ):
        assert b"".join([piece async for piece in response.aiter_bytes()]) == text


async def test_streamed_response_closed_early(server: Server, transport: FastTransport) -> None:
    """Closing a streamed response before its end drops the connection, and the next call gets a new one."""
    path = "/files/large" if server.kind == "nginx" else "/chunks/5000"
    async with httpx.AsyncClient(transport=transport, base_url=server.url) as client:
        async with client.stream("GET", path) as response:
            async for _ in response.aiter_raw():
                break
        assert (await client.get("/next")).text.startswith("GET /next")
    assert not transport._pool


@pytest.mark.parametrize("server", ["nginx"], indirect=True)
async def test_nginx_gzip(server: Server, transport: FastTransport) -> None:
    """nginx's compressed, chunked answers are read by httpx and by `exchange`."""
    text = b"line\n" * 2000
    lines = b"Accept-Encoding: gzip\r\n"
    answer = await transport.exchange(server.origin, b"GET", b"/files/text.txt", lines, None, TIMEOUTS)
    assert (b"content-encoding", b"gzip") in answer.headers
    assert (b"transfer-encoding", b"chunked") in answer.headers
    assert answer.content == text
    async with httpx.AsyncClient(transport=transport, base_url=server.url) as client:
        assert (await client.get("/files/text.txt")).content == text
    assert len(answer.headers) > 3


@pytest.mark.parametrize("server", ["nginx"], indirect=True)
async def test_nginx_large_file(server: Server, transport: FastTransport) -> None:
    """A file from nginx arrives whole, on a connection that is used again."""
    for _ in range(3):
        answer = await transport.exchange(server.origin, b"GET", b"/files/large", b"", None, TIMEOUTS)
        assert answer.content == bytes(range(256)) * 4096
    assert transport.counts.connections == 1


@pytest.mark.parametrize("server", ["nginx"], indirect=True)
async def test_nginx_too_large(server: Server, transport: FastTransport) -> None:
    """nginx refuses a body above its limit before it has read it: the caller gets the 413, not an error."""
    for _ in range(3):
        answer = await transport.exchange(server.origin, b"POST", b"/upload", b"", bytes(20 << 20), TIMEOUTS)
        assert answer.status == 413


@pytest.mark.parametrize("server", ["nginx"], indirect=True)
async def test_nginx_limits_of_keepalive(server: Server, transport: FastTransport) -> None:
    """nginx ends a connection after so many requests, or at once: no call fails."""
    for number in range(130):
        target = b"/close" if number % 10 == 0 else b"/n/%d" % number
        answer = await transport.exchange(server.origin, b"POST", target, b"", b"x", TIMEOUTS)
        assert answer.status == 200
