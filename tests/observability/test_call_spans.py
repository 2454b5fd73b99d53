"""What a collector of OpenTelemetry's SDK holds of single calls: one span a call, one an attempt below it."""

from __future__ import annotations

import asyncio
import pickle
import subprocess
import sys
from typing import Any

import pytest
from opentelemetry import context, trace
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.instrumentation.utils import suppress_instrumentation

from picsellia_async import AsyncClient, ConfigurationError, PicselliaError, RetryPolicy, TransportError
from picsellia_async._http.transport import FastTransport
from picsellia_async.emulator import Fault
from picsellia_async.tracing import Tracing

from ..support.client import JPEG, monitor

pytestmark = pytest.mark.anyio


def named(collector: Any) -> list[str]:
    return [span.name for span in collector.get_finished_spans()]


def below(collector: Any, parent: Any) -> list[Any]:
    spans = [span for span in collector.get_finished_spans() if span.parent and span.parent.span_id == parent.span_id]
    return sorted(spans, key=lambda span: span.start_time)


async def test_an_attempt_on_the_fast_path_has_the_names_of_the_conventions(traced_deployment, collector, emulator):
    """Verb, host, port, address, template and status, under OpenTelemetry's stable names; a client's span."""
    await monitor(traced_deployment)
    attempt, call = collector.get_finished_spans()
    path = "/api/deployment/{deployment_id}/predictions"
    port = int(emulator.url.rpartition(":")[2])
    assert dict(attempt.attributes) == {
        "http.request.method": "POST",
        "server.address": "127.0.0.1",
        "server.port": port,
        "url.full": emulator.url + path.format(deployment_id=traced_deployment.id),
        "url.template": path,
        "http.response.status_code": 201,
    }
    assert attempt.name == f"POST {path}"
    assert attempt.kind is trace.SpanKind.CLIENT
    assert call.name == "picsellia.monitor"
    assert attempt.parent.span_id == call.context.span_id
    assert call.status.is_unset


async def test_attempts_of_a_call_are_siblings_that_count(traced_deployment, collector, emulator):
    """Two 503 and a success: three attempts below one call, the second and the third with their resend count."""
    emulator.faults.add(Fault(kind="status", endpoint="monitor", status=503, times=2))
    await monitor(traced_deployment)
    call = collector.get_finished_spans()[-1]
    attempts = below(collector, call.context)
    assert [span.attributes["http.response.status_code"] for span in attempts] == [503, 503, 201]
    assert [span.attributes.get("http.request.resend_count") for span in attempts] == [None, 1, 2]
    assert [span.attributes.get("error.type") for span in attempts] == ["503", "503", None]
    assert [span.status.is_unset for span in attempts] == [False, False, True]


async def test_a_lost_answer_names_the_error(traced_deployment, collector, emulator):
    """Without an answer `error.type` is the class of the error, of the attempt and of the call; there is no status."""
    emulator.faults.add(Fault(kind="stored_then_dropped", endpoint="monitor"))
    with pytest.raises(TransportError):
        await monitor(traced_deployment)
    attempt, call = collector.get_finished_spans()
    assert attempt.attributes["error.type"].startswith("httpx.")
    assert "http.response.status_code" not in attempt.attributes
    assert call.attributes["error.type"] == "picsellia_async.errors.TransportError"


async def test_predict_and_platform_calls_are_traced_too(traced_deployment, collector, emulator):
    """The sign-in is a call within the call that needed it; the platform's calls through httpx have the same spans."""
    await traced_deployment.predict_bytes("a.jpg", JPEG)
    spans = {span.name: span for span in collector.get_finished_spans()}
    assert set(spans) == {
        "picsellia.predict",
        "POST /api/deployments/{deployment_id}/predict",
        "picsellia.serving_login",
        "POST /api/login",
    }
    assert len({span.context.trace_id for span in spans.values()}) == 1
    assert "http.request.resend_count" not in spans["POST /api/login"].attributes
    collector.clear()
    await traced_deployment.sync()
    attempt, call = collector.get_finished_spans()
    assert attempt.attributes["http.response.status_code"] == 200
    assert call.name == "picsellia.get_deployment"


async def test_a_renewed_sign_in_is_a_resend(traced_deployment, collector, emulator):
    """A 401 is answered by a sign-in and a second attempt, which says that it is one."""
    emulator.state.tokens.expire()
    await monitor(traced_deployment)
    call = collector.get_finished_spans()[-1]
    first, login, second = below(collector, call.context)
    assert first.attributes["http.response.status_code"] == 401
    assert login.name == "picsellia.oracle_login"
    assert second.attributes["http.request.resend_count"] == 1


async def test_concurrent_calls_do_not_mix(traced_deployment, collector, provider):
    """Each attempt stands below its own call, and each call below its caller's span."""
    tracer = provider.get_tracer("test")

    async def one(number: int) -> None:
        with tracer.start_as_current_span(f"caller {number}"):
            await monitor(traced_deployment, name=f"{number}.jpg")

    await asyncio.gather(*(one(number) for number in range(8)))
    traces = {span.context.trace_id for span in collector.get_finished_spans()}
    assert len(traces) == 8
    for span in collector.get_finished_spans():
        if span.name == "picsellia.monitor":
            assert [child.name.partition(" ")[0] for child in below(collector, span.context)] == ["POST"]


async def test_a_verb_that_the_conventions_do_not_know(traced, collector, emulator):
    """XGET is `_OTHER`, with the verb beside it, so that the attribute has few values; a query's values are hidden."""
    collector.clear()
    with pytest.raises(PicselliaError):
        await traced.request("XGET", "/api/none", query={"signature": "secret-of-mine"})
    attempt = collector.get_finished_spans()[0]
    assert attempt.name == "HTTP"
    assert attempt.attributes["http.request.method"] == "_OTHER"
    assert attempt.attributes["http.request.method_original"] == "XGET"
    assert attempt.attributes["url.full"] == f"{emulator.url}/api/none?signature=REDACTED"


class Recording(FastTransport):
    """Keeps the header lines of both paths."""

    lines: list[bytes]

    async def exchange(self, origin, method, target, headers, body, timeouts, answer_max=2**26, loop=None):
        self.lines.append(headers)
        return await super().exchange(origin, method, target, headers, body, timeouts, answer_max, loop)

    async def respond(self, method, place, target, headers, stream, extensions):
        self.lines.append(b"".join(b"%b: %b\r\n" % pair for pair in headers))
        return await super().respond(method, place, target, headers, stream, extensions)


@pytest.mark.parametrize("propagate", [False, True])
async def test_traceparent_is_sent_only_if_asked(emulator, provider, collector, propagate):
    """`propagate=True` sends the attempt's own id as W3C's header; without it no header is added."""
    transport = Recording()
    transport.lines = []
    tracing = Tracing(provider, propagate=propagate)
    async with AsyncClient(
        emulator.api_token, host=emulator.url, transport=transport, checks="off", tracing=tracing
    ) as client:
        await monitor(await client.get_deployment(emulator.deployment_name))
    attempt = next(span for span in collector.get_finished_spans() if span.name.endswith("predictions"))
    sent = f"traceparent: 00-{attempt.context.trace_id:032x}-{attempt.context.span_id:016x}-".encode()
    assert (sent in transport.lines[-1]) is propagate
    assert any(b"traceparent" in lines for lines in transport.lines) is propagate


async def test_addresses_of_a_storage_get_no_traceparent(emulator, provider, collector, tmp_path):
    """Presigned addresses are a third party's: an attempt there is traced, and the storage hears nothing of it."""
    (tmp_path / "a.jpg").write_bytes(JPEG)
    transport = Recording()
    transport.lines = []
    tracing = Tracing(provider, propagate=True)
    async with AsyncClient(emulator.api_token, host=emulator.url, transport=transport, tracing=tracing) as client:
        datalake = await client.get_datalake()
        await datalake.upload_data(tmp_path / "a.jpg")
    spans = collector.get_finished_spans()
    call = next(span for span in spans if span.name == "picsellia.store_object")
    (attempt,) = below(collector, call.context)
    assert "url.template" not in attempt.attributes
    assert attempt.name == attempt.attributes["http.request.method"]
    assert not any(f"{attempt.context.span_id:016x}".encode() in lines for lines in transport.lines)


async def test_who_instruments_httpx_sees_no_attempt_twice(traced_deployment, provider, collector):
    """Beside `HTTPXClientInstrumentor` an attempt is one span, ours."""
    HTTPXClientInstrumentor().instrument(tracer_provider=provider)
    try:
        await monitor(traced_deployment)
        await traced_deployment.sync()
    finally:
        HTTPXClientInstrumentor().uninstrument()
    assert [name.partition(" ")[0] for name in named(collector)] == ["POST", "picsellia.monitor", "GET", "picsellia.get_deployment"]  # fmt: skip


async def test_suppressed_instrumentation_makes_no_spans(traced_deployment, collector):
    """Where the application switches spans off, as its exporter does for its own requests, there are none."""
    with suppress_instrumentation():
        await monitor(traced_deployment)
    assert not named(collector)


async def test_no_span_stays_current(traced_deployment, emulator):
    """After a call, failed or not, the context is what it was."""
    before = context.get_current()
    await monitor(traced_deployment)
    emulator.faults.add(Fault(kind="status", endpoint="monitor", status=422))
    with pytest.raises(PicselliaError):
        await monitor(traced_deployment)
    assert context.get_current() is before


async def test_a_cancelled_call_ends_its_spans(traced_deployment, collector, emulator):
    """A caller who gives up leaves no span open, and it says so."""
    emulator.faults.add(Fault(kind="latency", endpoint="monitor", seconds=60, times=1))
    task = asyncio.create_task(monitor(traced_deployment))
    while not emulator.faults.account():  # noqa: ASYNC110 - the emulator's thread tells nobody
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [span.attributes["error.type"] for span in collector.get_finished_spans()] == ["asyncio.exceptions.CancelledError"] * 2  # fmt: skip


def test_what_is_no_tracing_is_refused():
    """A provider given in place of `Tracing(provider)` is a mistake that is told at once."""
    with pytest.raises(ConfigurationError, match=r"tracing must be an? picsellia_async\.tracing\.Tracing"):
        AsyncClient("token", tracing=trace.get_tracer_provider())  # type: ignore[arg-type]


def test_a_client_that_traces_is_not_pickled():
    """Its provider belongs to this process."""
    with pytest.raises(TypeError, match="tracing="):
        pickle.dumps(AsyncClient("token", retry=RetryPolicy.none(), tracing=Tracing()))


def test_nothing_is_imported_before_it_is_asked_for():
    """Client and uploader load no module of OpenTelemetry, nor those of ours that make spans of frames."""
    code = (
        "import sys, picsellia_async as p\n"
        "c = p.AsyncClient('token')\n"
        "import picsellia_async.tracing\n"
        "assert not [m for m in sys.modules if m.startswith('opentelemetry')]\n"
        "assert c._account.session.observer is None\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_without_the_api_the_extra_is_named(monkeypatch: pytest.MonkeyPatch):
    """Who has not installed OpenTelemetry reads what to install."""
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(ConfigurationError, match=r"picsellia-async\[otel\]"):
        Tracing()
