"""How calls travel: the fast lane, httpx's client, redirects, tracing, the caller's own engines."""

from __future__ import annotations

import asyncio
import json
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from picsellia_async import (
    AsyncClient,
    ClosedError,
    ConfigurationError,
    DecodeError,
    FastTransport,
    MonitorError,
    PicselliaError,
    RequestTimeoutError,
    RetryPolicy,
    Timeouts,
)
from picsellia_async._http.session import _target_within
from picsellia_async._wire.exchange import Answer, Origin

from ..support.client import ONE_BOX

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "uvloop"])
def anyio_backend(request):
    """On both loops."""
    if request.param == "uvloop":
        pytest.importorskip("uvloop")
    return "asyncio", {"use_uvloop": request.param == "uvloop"}


ORGANIZATION = "00000000-0000-4000-8000-000000000001"
DEPLOYMENT = "00000000-0000-4000-8000-000000000002"


@asynccontextmanager
async def scripted(
    monitor: list[tuple[int, dict[str, str], bytes]], *, pause: float = 0.0
) -> AsyncIterator[tuple[str, list[tuple[str, str, bytes]]]]:
    """Serve just enough of the wire, with a script for the monitoring call; yields the URL and what arrived."""
    seen: list[tuple[str, str, bytes]] = []
    url = ""

    def answer(method: str, path: str) -> tuple[int, dict[str, str], bytes]:
        if path.startswith("/api/home/ping"):
            return 200, {}, json.dumps({"default_organization": ORGANIZATION}).encode()
        if path.startswith("/api/organization/") and "/deployments/find" in path:
            described = {"id": DEPLOYMENT, "name": "d", "type": "OBJECT_DETECTION", "oracle_host": url}
            return 200, {}, json.dumps(described).encode()
        if path.startswith("/api/organization/"):
            return 200, {}, json.dumps({"id": ORGANIZATION, "name": "o"}).encode()
        if path == "/api/auth/login":
            return 200, {}, b'{"jwt":"j","expires":3600}'
        if path == "/elsewhere":
            return 201, {}, json.dumps({"id": "redirected", "method": method}).encode()
        return monitor.pop(0)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := (await reader.readuntil(b"\r\n\r\n") if not reader.at_eof() else b""):
            method, path, _ = head.split(b"\r\n")[0].decode().split()
            length = next(
                (int(h.split(b":")[1]) for h in head.lower().split(b"\r\n") if h.startswith(b"content-length")), 0
            )
            seen.append((method, path, await reader.readexactly(length)))
            if path.endswith("/predictions"):
                await asyncio.sleep(pause)
            status, headers, body = answer(method, path)
            lines = "".join(f"{k}: {v}\r\n" for k, v in headers.items())
            writer.write(f"HTTP/1.1 {status} X\r\ncontent-length: {len(body)}\r\n{lines}\r\n".encode() + body)
            await writer.drain()

    async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(connection, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield url, seen


async def monitor(client: AsyncClient, image: bytes = b"\xff\xd8\xff"):
    deployment = await client.get_deployment("d")
    return await deployment.monitor_bytes(image, "image/jpeg", "f.jpg", 0.1, 48, 64, ONE_BOX)


def test_a_redirect_of_an_international_host_stays_within_it():
    """Its name has letters of its own for people, and others for look-ups; one that is no name at all leads nowhere."""
    origin = Origin.parse("https://b\u00fccher.example")
    for place in ("/b?x=1", "https://xn--bcher-kva.example/b?x=1"):
        assert _target_within(origin, b"/a", Answer(307, [(b"location", place.encode())], b"")) == b"/b?x=1"
    for place in (
        "https://xn--bcher-kvb.example/b",
        "http://xn--999999999.example/",
        "https://xn--999999999.example/b",
    ):
        assert _target_within(origin, b"/a", Answer(307, [(b"location", place.encode())], b"")) is None


@pytest.mark.parametrize("size", [10, 1_000_000], ids=["whole", "sliced"])
async def test_a_redirect_within_the_host_is_followed_with_the_body(size):
    """307: the same request goes to the new place, image and all; it was sent to the first one once."""
    image = b"\xff\xd8\xff" + bytes(size)
    async with (
        scripted([(307, {"location": "/elsewhere"}, b"")] * 2) as (url, seen),
        AsyncClient("t", host=url, checks="off") as client,
    ):
        assert (await monitor(client, image))["id"] == "redirected"
    bodies = [body for method, path, body in seen if path == "/elsewhere"]
    assert len(bodies) == 1
    assert len(bodies[0]) > size * 4 / 3
    assert [method for method, path, _ in seen if path.endswith("/predictions")] == ["POST"]


@pytest.mark.parametrize("place", ["http://127.0.0.2/x", "//127.0.0.2/x", "http://127.0.0.1:1/x", "http://[::1", ""])
@pytest.mark.parametrize("status", [307, 308])
async def test_a_redirect_that_is_not_followed_costs_one_request(status, place):
    """The image is not sent a second time only to learn again that the answer leads away."""
    async with (
        scripted([(status, {"location": place}, b"")] * 2) as (url, seen),
        AsyncClient("t", host=url, checks="off") as client,
    ):
        with pytest.raises(MonitorError) as caught:
            await monitor(client)
    assert caught.value.status == status
    assert [method for method, path, _ in seen if path.endswith("/predictions")] == ["POST"]


async def test_a_relative_redirect_is_resolved_against_the_path_of_the_call():
    """`Location: ../elsewhere` counts from where the call went (RFC 3986, section 5.2)."""
    async with (
        scripted([(307, {"location": "../../../elsewhere"}, b"")]) as (url, seen),
        AsyncClient("t", host=url, checks="off") as client,
    ):
        assert (await monitor(client))["id"] == "redirected"
    assert seen[-1][:2] == ("POST", "/elsewhere")


async def test_a_redirect_without_an_end_is_given_up():
    """A place that redirects to itself is an error with its status, not a loop."""
    path = f"/api/deployment/{DEPLOYMENT}/predictions"
    async with (
        scripted([(307, {"location": path}, b"")] * 50) as (url, seen),
        AsyncClient("t", host=url, checks="off") as client,
    ):
        with pytest.raises(MonitorError) as caught:
            await monitor(client)
    assert caught.value.status == 307
    assert len(seen) < 20


@pytest.mark.parametrize("engine", ["own", "httpx"])
async def test_all_steps_of_a_redirect_share_the_limit_of_one_attempt(engine):
    """Six steps of 0.4 s are more than one second: the time is over before the last one, and the call says so."""
    path = f"/api/deployment/{DEPLOYMENT}/predictions"
    limits = {"timeout": Timeouts(attempt=1.0), "retry": RetryPolicy(attempts=1, total=None), "checks": "off"}
    async with (
        httpx.AsyncClient() as http_client,
        scripted([(307, {"location": path}, b"")] * 50, pause=0.4) as (url, _),
    ):
        own = {"http_client": http_client} if engine == "httpx" else {}
        async with AsyncClient("t", host=url, **limits, **own) as client:
            with pytest.raises(RequestTimeoutError):
                await monitor(client)


@pytest.mark.parametrize(
    "place",
    [
        "http://[::1", "http://127.0.0.1:99999/x", f"http://{'x' * 64}.test/", "http:///x", "http://", "//", "mailto:a@b",
        "http://a b/", "http://\u00fc\u2024/", "http://127.0.0.1:port/", "file:///etc/passwd", "", "?", "%zz",
    ],
)  # fmt: skip
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_an_odd_redirect_is_an_error_of_ours(place, method):
    """Wherever an answer sends a call, to no address even: a `PicselliaError`, and no name of httpx's."""
    location = {"location": place}
    async with (
        scripted([(307, location, b"")] * 50) as (url, _),
        AsyncClient("t", host=url, checks="off", retry=RetryPolicy.none()) as client,
    ):
        with pytest.raises(PicselliaError):
            await (monitor(client) if method == "POST" else client.request("GET", "/api/odd"))


@pytest.mark.parametrize(
    "host", [f"http://{'x' * 64}.test", f"https://a.{'x' * 64}", "http://127.0.0.1:65536", "https://h:0"]
)
async def test_a_host_that_cannot_be_is_an_error_of_ours(host):
    """A label over 63 characters and a port that is none: a `PicselliaError`, where the client is made or where it connects."""
    with pytest.raises(PicselliaError):
        async with AsyncClient("t", host=host, retry=RetryPolicy.none()):
            pass


async def test_calls_are_traced_by_opentelemetry(emulator):
    """`HTTPXClientInstrumentor` sees every call of the client, hot ones too, and no secret is in a span."""
    instrumentation = pytest.importorskip("opentelemetry.instrumentation.httpx")
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    instrumentor = instrumentation.HTTPXClientInstrumentor()
    instrumentor.instrument(tracer_provider=provider)
    try:
        async with AsyncClient(emulator.api_token, host=emulator.url) as client:
            deployment = await client.get_deployment(emulator.deployment_name)
            await deployment.monitor_bytes(b"\xff\xd8\xff", "image/jpeg", "f.jpg", 0.1, 48, 64, ONE_BOX)
    finally:
        instrumentor.uninstrument()
    spans = [span.to_json() for span in exporter.get_finished_spans()]
    assert any("/predictions" in span and "POST" in span for span in spans)
    assert any("/api/home/ping" in span for span in spans)
    assert all(emulator.api_token not in span for span in spans)
    async with AsyncClient(emulator.api_token, host=emulator.url) as client:
        await client.get_deployment(emulator.deployment_name)
    assert len(exporter.get_finished_spans()) == len(spans)


async def test_a_fast_transport_of_the_callers_own(emulator):
    """`transport=FastTransport(...)` keeps the hot path, and is closed with the client."""
    transport = FastTransport(max_connections=3)
    async with AsyncClient(emulator.api_token, host=emulator.url, transport=transport) as client:
        deployment = await client.get_deployment(emulator.deployment_name)
        await deployment.monitor_bytes(b"\xff\xd8\xff", "image/jpeg", "f.jpg", 0.1, 48, 64, ONE_BOX)
    assert transport.is_closed


async def test_a_transport_that_was_never_used_is_closed_too():
    """A client that is closed before its first call closes what it was given."""
    transport = FastTransport()
    await AsyncClient("t", host="http://127.0.0.1:1", transport=transport).aclose()
    assert transport.is_closed


async def test_a_transport_that_cannot_is_a_configuration_error():
    """What httpx calls an unsupported protocol is the caller's to mend."""

    def refuse(request):
        raise httpx.UnsupportedProtocol("no")

    client = AsyncClient("t", host="http://h", transport=httpx.MockTransport(refuse))
    with pytest.raises(ConfigurationError, match="http://h/api/home/ping"):
        await client.connect()
    await client.aclose()


async def test_closing_while_connecting():
    """A ping that is under way when the client closes ends with a typed error."""
    began = asyncio.Event()

    async def stall(reader, writer):
        began.set()
        await reader.read()
        writer.close()

    server = await asyncio.start_server(stall, "127.0.0.1", 0)
    async with server:
        client = AsyncClient(
            "t", host=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", retry=RetryPolicy.none()
        )
        connecting = asyncio.create_task(client.connect())
        await began.wait()
        await client.aclose()
        with pytest.raises(ClosedError):
            await connecting


async def test_the_wait_between_attempts_ends_when_the_client_closes(emulator):
    """No call outlives its client by the length of a Retry-After."""
    from picsellia_async.emulator import Fault

    client = AsyncClient(emulator.api_token, host=emulator.url)
    deployment = await client.get_deployment(emulator.deployment_name)
    emulator.faults.add(Fault(kind="status", endpoint="monitor", status=503, retry_after=60))
    call = asyncio.create_task(deployment.monitor_bytes(b"\xff\xd8\xff", "image/jpeg", "f.jpg", 0.1, 48, 64, ONE_BOX))
    while not client._account.session._sleepers:  # noqa: ASYNC110 - the wait is what no event tells
        await asyncio.sleep(0.01)
    await client.aclose()
    with pytest.raises(ClosedError):
        await asyncio.wait_for(call, 300)


@pytest.mark.parametrize("jwt", ["é", "jwt-secret\r\nX: y", "a b", ""], ids=["unicode", "lines", "space", "empty"])
async def test_a_jwt_that_is_no_header_value_is_refused(jwt):
    """A sign-in whose answer could add header lines is an unreadable answer; the token is shown nowhere."""
    organization = {"id": ORGANIZATION, "name": "o", "default_organization": ORGANIZATION}
    described = {"id": DEPLOYMENT, "name": "d", "type": "OBJECT_DETECTION", "oracle_host": "http://o"}
    seen = []

    def answer(request):
        seen.append(request.url.path)
        if request.url.path == "/api/auth/login":
            return httpx.Response(200, json={"jwt": jwt, "expires": 60})
        return httpx.Response(200, json=described if request.url.path.endswith("/find") else organization)

    async with AsyncClient("t", host="http://a", transport=httpx.MockTransport(answer)) as client:
        with pytest.raises(DecodeError) as caught:
            await monitor(client)
    assert seen[-1] == "/api/auth/login"
    assert "jwt-secret" not in "".join(traceback.format_exception(caught.value))
