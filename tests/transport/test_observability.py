"""Those who watch httpx see our calls: OpenTelemetry, httpx's `trace` extension."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from picsellia_async._http.transport import FastTransport

from .peers import OK, TIMEOUTS, Certificate, Wire, answering, echo, scripted

pytestmark = pytest.mark.anyio


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def provider(exporter: InMemorySpanExporter) -> TracerProvider:
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return provider


@pytest.fixture
def instrumented(provider: TracerProvider) -> Iterator[None]:
    """httpx, instrumented for the whole process."""
    HTTPXClientInstrumentor().instrument(tracer_provider=provider)
    yield
    HTTPXClientInstrumentor().uninstrument()


async def test_nobody_watches(transport: FastTransport) -> None:
    """Without instrumentation the transport says so, and the hot path is open."""
    assert transport.is_instrumented is False


async def test_opentelemetry_for_the_process(transport: FastTransport, exporter, instrumented: None) -> None:
    """`HTTPXClientInstrumentor().instrument()` traces calls through the transport, and sends the trace context along."""
    assert transport.is_instrumented is True
    seen = []

    async def script(wire: Wire) -> None:
        seen.append(await wire.request())
        await wire.send(OK)
        seen.append(await wire.request())
        await wire.send(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")

    async with scripted(script) as peer, httpx.AsyncClient(transport=transport) as client:
        assert (await client.post(peer.url, content=b"body")).text == "ok"
        assert (await client.get(peer.url)).status_code == 503
        assert peer.accepted == 1
    spans = exporter.get_finished_spans()
    assert [span.name for span in spans] == ["POST", "GET"]
    assert spans[0].attributes["http.status_code"] == 200
    assert all(b"traceparent" in request.headers for request in seen)
    assert seen[0].body == b"body"


async def test_opentelemetry_records_errors(transport: FastTransport, exporter, instrumented: None) -> None:
    """A call that fails is traced as failed, and raises httpx's error with its fact."""

    async def script(wire: Wire) -> None:
        await wire.request()

    async with scripted(script) as peer, httpx.AsyncClient(transport=transport) as client:
        with pytest.raises(httpx.RemoteProtocolError) as caught:
            await client.post(peer.url, content=b"body")
        assert caught.value.request_sent is True
    (span,) = exporter.get_finished_spans()
    assert not span.status.is_ok


async def test_opentelemetry_streams(transport: FastTransport, exporter, instrumented: None) -> None:
    """Streamed requests and responses work while traced."""

    async def pieces():
        yield b"one"
        yield b"two"

    async with (
        scripted(echo) as peer,
        httpx.AsyncClient(transport=transport) as client,
        client.stream("POST", peer.url, content=pieces()) as response,
    ):
        assert response.headers["x-size"] == "6"
        assert await response.aread() == b"/"
    assert len(exporter.get_finished_spans()) == 1


async def test_opentelemetry_for_one_client(transport: FastTransport, provider, exporter) -> None:
    """`instrument_client` traces one client; the transport notices."""
    async with scripted(answering(OK)) as peer, httpx.AsyncClient(transport=transport) as client:
        HTTPXClientInstrumentor.instrument_client(client, tracer_provider=provider)
        assert transport.is_instrumented is True
        await client.get(peer.url)
        assert len(exporter.get_finished_spans()) == 1
        HTTPXClientInstrumentor.uninstrument_client(client)
    assert transport.is_instrumented is False


async def test_instrumented_later_or_no_more(transport: FastTransport, provider, exporter) -> None:
    """Instrumentation may come and go while connections are open."""
    async with scripted(echo) as peer, httpx.AsyncClient(transport=transport) as client:
        await client.get(peer.url)
        HTTPXClientInstrumentor().instrument(tracer_provider=provider)
        await client.get(peer.url)
        HTTPXClientInstrumentor().uninstrument()
        await client.get(peer.url)
        assert peer.accepted == 1
    assert len(exporter.get_finished_spans()) == 1


async def test_a_wrapped_client(transport: FastTransport, monkeypatch: pytest.MonkeyPatch) -> None:
    """Others wrap `httpx.AsyncClient.send`; the transport notices them, too."""
    original = httpx.AsyncClient.send

    @functools.wraps(original)
    async def send(*args: Any, **options: Any) -> Any:
        return await original(*args, **options)

    monkeypatch.setattr(httpx.AsyncClient, "send", send)
    assert transport.is_instrumented is True


def comparable(value: Any) -> Any:
    """Return a fact of an event as one that two transports can have in common."""
    if hasattr(value, "get_extra_info"):
        asked = ("ssl_object", "socket", "client_addr", "server_addr")
        return [one for one in asked if value.get_extra_info(one) is not None]
    if hasattr(value, "url"):
        return value.method, value.url.host, value.url.target, value.headers, value.extensions["timeout"]
    return value


@pytest.mark.parametrize("secured", [False, True], ids=["plain", "tls"])
async def test_trace_extension(make_transport, certificate: Certificate, secured: bool) -> None:
    """httpx's `trace` extension tells what it tells over httpcore: the same events with the same facts, on a new and a used connection."""

    async def events_over(transport: httpx.AsyncBaseTransport, peer: Any) -> list[Any]:
        events: list[Any] = []

        async def trace(name: str, info: dict[str, Any]) -> None:
            events.append((name, {fact: comparable(value) for fact, value in info.items()}))

        async with httpx.AsyncClient(transport=transport) as client:
            for _ in range(2):
                await client.post(peer.url, content=b"body", extensions={"trace": trace})
        return events

    async with scripted(echo, certificate.server if secured else None) as peer:
        stock = await events_over(httpx.AsyncHTTPTransport(verify=certificate.client), peer)
        ours = await events_over(make_transport(), peer)
    assert len(stock) == (24 if secured else 22)
    assert ours == stock


async def test_trace_extension_on_failure(transport: FastTransport) -> None:
    """A step that fails is reported with its exception."""
    events: dict[str, Any] = {}

    async def trace(name: str, info: dict[str, Any]) -> None:
        events[name] = info

    async with scripted(echo) as gone:
        pass
    async with httpx.AsyncClient(transport=transport) as client:
        with pytest.raises(httpx.ConnectError):
            await client.get(gone.url, extensions={"trace": trace})
    assert isinstance(events["connection.connect_tcp.failed"]["exception"], OSError)


STEPS = ["connection.connect_tcp", "http11.send_request_headers", "http11.send_request_body", "http11.receive_response_headers",
         "http11.receive_response_body", "http11.response_closed"]  # fmt: skip


@pytest.mark.parametrize("event", [f"{step}.{end}" for step in STEPS for end in ("started", "complete")])
async def test_trace_extension_that_raises(make_transport: Any, event: str) -> None:
    """A callback that raises at any event fails the call, and leaves neither a socket nor a lost slot."""
    transport = make_transport(max_connections=1)
    head_read = asyncio.Event()

    async def trace(name: str, info: dict[str, Any]) -> None:
        if name == "http11.receive_response_headers.complete":
            head_read.set()
        if name == event:
            raise ZeroDivisionError(name)

    async def script(wire: Wire) -> None:
        while True:
            await wire.request()
            await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nok")
            await head_read.wait()
            await wire.send(b"ok")

    async with scripted(script) as peer:
        request = httpx.Request("GET", peer.url, extensions={"trace": trace})
        with pytest.raises(ZeroDivisionError):
            response = await transport.handle_async_request(request)
            try:
                await response.aread()
            finally:
                await response.aclose()
        head_read.set()
        answer = await transport.exchange(peer.origin, b"GET", b"/", b"", None, TIMEOUTS)
        assert answer.content == b"okok"
