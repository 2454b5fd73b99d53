"""What hosts and proxies say below HTTP, in bad heads and reasons: no secret in errors, tracebacks, our lines, httpx's, spans."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import traceback

import anyio.to_thread
import httpx
import pytest

from picsellia_async import AsyncClient, PicselliaError, RetryPolicy, StatusError
from picsellia_async._http import service
from picsellia_async.emulator import Fault
from picsellia_async.tracing import Tracing

from ..support.client import ONE_BOX
from ..support.sources import encoded

pytestmark = pytest.mark.anyio

TOKEN = "4c0e93a1-b7d2-586f-0e1c-7a94d3b2f856"
PASSWORD = "hunter2-long"
ONCE = RetryPolicy.none()


@contextlib.asynccontextmanager
async def answering(answer: bytes):
    """A host that has one answer, whatever it is asked; gives its port."""

    async def serve(reader, writer):
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await writer.drain()
            writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


def told_of(error, caplog, collector):
    """Return all that is told of a failure."""
    parts = [str(error), repr(error), str(vars(error)), "".join(traceback.format_exception(error))]
    parts += [
        f"{one.getMessage()} {vars(one)}" for one in caplog.records if one.name.startswith(("picsellia", "httpx"))
    ]
    return "\n".join([*parts, *(span.to_json() for span in collector.get_finished_spans())])


ANSWERS = {
    "a bad line": b"HTTP/1.1 200 OK\r\nno header %b\r\n\r\n",
    "a bad name": b"HTTP/1.1 200 OK\r\nx %b y: 1\r\n\r\n",
    "no HTTP": b"%b HTTP\r\n\r\n",
    "a bad status": b"HTTP/1.1 %b OK\r\n\r\n",
    "a bad length": b"HTTP/1.1 200 OK\r\nContent-Length: %b\r\n\r\n",
    "a bad chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%b\r\n",
    "a bad packing": b"HTTP/1.1 200 OK\r\nContent-Encoding: %b\r\nContent-Length: 1\r\n\r\nx",
    "a reason": b"HTTP/1.1 403 unknown %b\r\nContent-Length: 0\r\n\r\n",
    "a place": b"HTTP/1.1 302 Found\r\nLocation: http://[%b/\r\nContent-Length: 0\r\n\r\n",
}


@pytest.mark.parametrize("whose", ["ours", "httpx's"])
@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
async def test_what_a_host_repeats_in_a_bad_head_is_hidden(answer, whose, caplog, collector, provider):
    """The error of the transport is the cause, and it has causes of its own: a traceback shows them all."""
    async with answering(answer.replace(b"%b", TOKEN.encode())) as port, contextlib.AsyncExitStack() as stack:
        own = await stack.enter_async_context(httpx.AsyncClient(trust_env=False)) if whose != "ours" else None
        client = AsyncClient(
            TOKEN, host=f"http://127.0.0.1:{port}", retry=ONCE, http_client=own, tracing=Tracing(provider)
        )
        with caplog.at_level(logging.DEBUG), pytest.raises(PicselliaError) as caught:
            await client.request("GET", "/api/none")
        await client.aclose()
    told = told_of(caught.value, caplog, collector)
    assert len(collector.get_finished_spans()) > 0
    if (answer, whose) != (ANSWERS["a reason"], "httpx's"):  # httpx logs it, of a client of the caller's own as it came
        assert TOKEN not in told
    assert TOKEN not in f"{caught.value}{caught.value!r}{''.join(traceback.format_exception(caught.value))}"


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("whose", ["ours", "httpx's"])
async def test_what_a_proxy_repeats_of_its_password_is_hidden(scheme, whose, monkeypatch, caplog, collector, provider):
    """In the reason of its 407, and in the body: for a plain call, and for the way to a host of https."""
    body = f"<p>{PASSWORD} is not the password of me, nor is Basic bWU6aHVudGVyMi1sb25n</p>".encode()
    answer = f"HTTP/1.1 407 wrong password {PASSWORD}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
    for name in ("NO_PROXY", "no_proxy", "HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    async with answering(answer) as port, contextlib.AsyncExitStack() as stack:
        monkeypatch.setenv("ALL_PROXY", f"http://me:{PASSWORD}@127.0.0.1:{port}")
        own = await stack.enter_async_context(httpx.AsyncClient()) if whose != "ours" else None
        host = f"{scheme}://picsellia.invalid"
        client = AsyncClient(TOKEN, host=host, retry=ONCE, http_client=own, tracing=Tracing(provider))
        with caplog.at_level(logging.DEBUG), pytest.raises(PicselliaError, match="407") as caught:
            await client.request("GET", "/api/none")
        await client.aclose()
    assert PASSWORD not in f"{caught.value}{vars(caught.value)}{''.join(traceback.format_exception(caught.value))}"
    assert "bWU6aHVudGVyMi1sb25n" not in str(vars(caught.value))
    if whose == "ours":
        assert PASSWORD not in told_of(caught.value, caplog, collector)


@pytest.mark.parametrize(("size", "is_aside"), [(1000, False), (100_000, True)])
async def test_a_large_body_is_searched_aside_from_the_event_loop(size, is_aside, monkeypatch):
    """It takes tens of milliseconds, in which nothing else of the program would run."""
    threads = []
    make = service.status_error

    def noted(*given):
        threads.append(threading.current_thread())
        return make(*given)

    monkeypatch.setattr(service, "status_error", noted)
    body = f"<p>{TOKEN}</p>".encode().ljust(size)
    async with answering(b"HTTP/1.1 500 No\r\nContent-Length: %d\r\n\r\n%b" % (size, body)) as port:
        client = AsyncClient(TOKEN, host=f"http://127.0.0.1:{port}", retry=ONCE)
        with pytest.raises(PicselliaError, match="<p>\\*\\*\\*</p>"):
            await client.request("GET", "/api/none")
        await client.aclose()
    assert [one is not threading.main_thread() for one in threads] == [is_aside]


@pytest.mark.parametrize("whose", ["ours", "httpx's"])
async def test_a_reason_phrase_is_told_where_there_is_no_body(whose):
    """It is all that the host said; by our own transport, and by an httpx client."""
    answer = b"HTTP/1.1 422 Denied by policy 7\r\nContent-Length: 0\r\n\r\n"
    async with answering(answer) as port, httpx.AsyncClient(trust_env=False) as own:
        host, http_client = f"http://127.0.0.1:{port}", own if whose != "ours" else None
        client = AsyncClient("0" * 40, host=host, retry=ONCE, http_client=http_client)
        with pytest.raises(PicselliaError, match="the service said no more than status 422 Denied by policy 7"):
            await client.request("GET", "/api/none")
        await client.aclose()


class Mine(Exception):
    """An exception of the caller's, with arguments that are no text."""

    def __str__(self) -> str:
        raise LookupError("it has no text")


@pytest.mark.parametrize(
    "mine",
    [ValueError({"token": TOKEN}), RuntimeError("password=" + "x" * 5000), Mine(1)],
    ids=["a dict", "long", "no text"],
)
async def test_what_the_caller_was_handling_stays_as_it_is(mine, emulator, deployment):
    """A call within `except`: Python notes that exception as the context of ours, and it is none of ours."""
    before = mine.args
    emulator.faults.add(Fault(kind="reset", endpoint="monitor"))
    try:
        raise mine
    except (ValueError, RuntimeError, Mine):
        with pytest.raises(PicselliaError):
            await deployment.monitor_bytes(encoded(64, 48), "image/jpeg", "f.jpg", 0.1, 48, 64, ONE_BOX)
    assert mine.args is before


async def test_an_error_is_told_where_no_thread_can_be_started(monkeypatch):
    """Large bodies are searched in a thread; a process that may have no more of them gets the same error."""

    def refuse(*_args, **_options):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(anyio.to_thread, "run_sync", refuse)
    body = b"busy " * 2000
    answer = b"HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    async with answering(answer) as port:
        client = AsyncClient(TOKEN, host=f"http://127.0.0.1:{port}", retry=ONCE)
        with pytest.raises(StatusError) as caught:
            await client.request("GET", "/api/none")
        await client.aclose()
    assert (caught.value.status, caught.value.retry_after) == (503, 7.0)
