"""Beginning and end: constructors, event loops, forks, closing, silence."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from typing import Any

import httpx
import pytest

from picsellia_async._http.transport import FastTransport
from picsellia_async._wire.exchange import Origin
from picsellia_async.config import Timeouts
from picsellia_async.errors import ClosedError

from .peers import TIMEOUTS, Certificate, Wire, answering, echo, new_tasks, scripted, settled

pytestmark = pytest.mark.anyio

LOOPS = ["asyncio", "uvloop"]


@pytest.fixture(params=LOOPS)
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """Run every async test on asyncio, in debug mode, and on uvloop."""
    if request.param == "uvloop":
        pytest.importorskip("uvloop")
        return "asyncio", {"use_uvloop": True}
    return "asyncio", {"debug": True}


def ask(transport: FastTransport, peer, target: bytes = b"/a"):
    return transport.exchange(peer.origin, b"GET", target, b"", None, TIMEOUTS)


async def test_close_while_idle(make_transport) -> None:
    """Closing closes every idle connection before it returns; a second time does nothing; calls are refused."""
    transport = make_transport()
    async with scripted(echo) as peer:
        await asyncio.gather(*[ask(transport, peer) for _ in range(5)])
        await transport.aclose()
        await peer.until(lambda: peer.open == 0)
        await transport.aclose()
        assert transport.is_closed
        with pytest.raises(ClosedError):
            await ask(transport, peer)
        with pytest.raises(ClosedError):
            await transport.handle_async_request(httpx.Request("GET", peer.url))


@pytest.mark.parametrize("secured", [False, True], ids=["plain", "tls"])
async def test_close_while_busy(make_transport, certificate: Certificate, secured: bool) -> None:
    """Closing ends calls in flight, callers in line and connections being opened, promptly, with one documented error."""
    transport = make_transport(max_connections=2)

    async def silent(wire: Wire) -> None:
        await wire.until_gone()

    async with scripted(silent, certificate.server if secured else None) as peer:
        before = asyncio.all_tasks()
        calls = [asyncio.create_task(ask(transport, peer)) for _ in range(6)]
        await peer.until(lambda: peer.accepted == 2)
        await transport.aclose()
        results = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(result) for result in results] == [ClosedError] * 6
        await peer.until(lambda: peer.open == 0)
        assert await new_tasks(before | set(calls)) == set()


async def test_close_when_a_connection_is_given(make_transport) -> None:
    """A call that has its connection, and does not know as yet, gets `ClosedError` as well: the peer did nothing wrong."""
    transport = make_transport()
    async with scripted(echo) as peer:
        call = asyncio.create_task(ask(transport, peer))
        await settled(lambda: bool(transport.counts.connections))
        await transport.aclose()
        with pytest.raises(ClosedError):
            await call


async def test_close_while_connecting(make_transport) -> None:
    """Closing ends an attempt to connect."""
    transport = make_transport()
    loop, asked = asyncio.get_running_loop(), asyncio.Event()

    async def sock_connect(*_args):
        asked.set()
        await asyncio.Event().wait()

    original, loop.sock_connect = loop.sock_connect, sock_connect
    try:
        async with scripted(echo) as peer:
            call = asyncio.create_task(ask(transport, peer))
            await asked.wait()
            await transport.aclose()
            with pytest.raises(ClosedError):
                await call
    finally:
        loop.sock_connect = original


async def test_close_while_streaming(make_transport) -> None:
    """Closing while a body is read ends the reading."""
    part = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"
    transport = make_transport()
    async with scripted(answering(part)) as peer:
        response = await transport.handle_async_request(httpx.Request("GET", peer.url))
        pieces = response.aiter_raw()
        assert await anext(pieces) == b"half"
        await transport.aclose()
        with pytest.raises(ClosedError):
            await anext(pieces)


async def test_two_closers(make_transport) -> None:
    """Two tasks may close at the same time."""
    transport = make_transport()
    async with scripted(echo) as peer:
        await ask(transport, peer)
        await asyncio.gather(transport.aclose(), transport.aclose())


async def test_close_unused(make_transport) -> None:
    """A transport that was never used can be closed."""
    await make_transport().aclose()


async def test_reset_in_the_same_loop(make_transport) -> None:
    """After `reset` the old connections are closed, and the next call begins afresh."""
    transport = make_transport()
    async with scripted(echo) as peer:
        await ask(transport, peer)
        transport.reset()
        await peer.until(lambda: peer.open == 0)
        assert (await ask(transport, peer)).content == b"/a"
        assert peer.accepted == 2


async def test_in_use_by_another_running_loop(make_transport) -> None:
    """Two loops that run at the same time cannot share a transport: a clear error, and the first goes on."""
    transport = make_transport()
    async with scripted(echo) as peer:
        await ask(transport, peer)
        errors: list[BaseException] = []

        def elsewhere() -> None:
            try:
                asyncio.run(ask(transport, peer))
            except ClosedError as error:
                errors.append(error)

        thread = threading.Thread(target=elsewhere)
        thread.start()
        await asyncio.to_thread(thread.join)
        assert "another running event loop" in str(errors[0])
        assert (await ask(transport, peer)).content == b"/a"
        assert peer.accepted == 1


@pytest.mark.parametrize("limit", [5, None])
async def test_close_during_the_tls_handshake(make_transport, limit: float | None) -> None:
    """A peer that is silent in the handshake does not hold up closing; the caller gets `ClosedError`."""
    transport = make_transport()

    async def script(wire: Wire) -> None:
        await wire.reader.read(1)
        wire.changed.set()
        await wire.until_gone()

    async with scripted(script) as peer:
        secure = Origin("https", "127.0.0.1", peer.origin.port)
        limits = Timeouts(limit, 5, 5, 5)
        call = asyncio.create_task(transport.exchange(secure, b"GET", b"/", b"", None, limits))
        await peer.until(lambda: bool(peer.wires))
        peer.changed.clear()
        await peer.changed.wait()
        async with asyncio.timeout(2):
            await transport.aclose()
        with pytest.raises(ClosedError):
            await call
        await peer.until(lambda: peer.open == 0)


async def test_close_from_another_loop(make_transport) -> None:
    """Closed from another thread's loop, a transport ends the calls in flight and in line in their own loop."""
    transport = make_transport(max_connections=1)

    async def script(wire: Wire) -> None:
        await wire.request()
        await wire.until_gone()

    async with scripted(script) as peer:
        calls = [asyncio.create_task(ask(transport, peer)) for _ in range(3)]
        await peer.until(lambda: bool(peer.wires))
        await asyncio.to_thread(asyncio.run, transport.aclose())
        ends = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(end) for end in ends] == [ClosedError] * 3
        await peer.until(lambda: peer.open == 0)
        with pytest.raises(ClosedError):
            await ask(transport, peer)


# -- in processes of their own, with every warning an error ---------------------------------------------------------

PRELUDE = """
import asyncio, contextlib, gc, logging, os, socket, ssl, sys, threading
from picsellia_async._http.transport import FastTransport
from picsellia_async._wire.exchange import Origin
from picsellia_async.config import Timeouts

loop_kind, chain, key, authority = sys.argv[1:]
if loop_kind == "uvloop":
    import uvloop
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())

logging.getLogger("asyncio").setLevel(logging.ERROR)  # on a busy machine, debug mode warns of slow callbacks

class Server(threading.Thread):
    '''A server in a thread: it must outlive the loops of the test.'''
    def __init__(self):
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.accepted = 0
        self.ended = threading.Semaphore(0)
        self.start()
    def run(self):
        while True:
            sock, _ = self.listener.accept()
            self.accepted += 1
            threading.Thread(target=self.serve, args=(sock,), daemon=True).start()
    def serve(self, sock):
        with contextlib.suppress(ConnectionError, ssl.SSLError), contextlib.ExitStack() as stack:
            stack.callback(sock.close)
            if chain:
                context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
                context.load_cert_chain(chain, key)
                sock = stack.enter_context(context.wrap_socket(sock, server_side=True))
            while data := sock.recv(65536):
                if data.endswith(b"\\r\\n\\r\\n"):
                    sock.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok")
        self.ended.release()

server = Server()
origin = Origin("https" if chain else "http", "127.0.0.1", server.listener.getsockname()[1])
trusted = ssl.create_default_context(cafile=authority) if authority else None

def make(**options):
    return FastTransport(ssl_context=trusted, **options)

async def ask(transport):
    answer = await transport.exchange(origin, b"GET", b"/", b"", None, Timeouts(5.0, 5.0, 5.0, 5.0))
    assert answer.content == b"ok"
"""


class Alone:
    """Runs code in a fresh interpreter, on one kind of loop, with or without TLS."""

    def __init__(self, loop: str, certificate: Certificate | None) -> None:
        files = (certificate.chain, certificate.key, certificate.authority) if certificate else ("", "", "")
        self._arguments = [loop, *map(str, files)]

    def __call__(self, code: str) -> str:
        """Run with every warning an error; return what was said on stderr."""
        command = [sys.executable, "-X", "dev", "-W", "error", "-c", PRELUDE + code, *self._arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done.stderr


@pytest.fixture(params=[(loop, secured) for loop in LOOPS for secured in ("plain", "tls")], ids="-".join)
def alone(request: pytest.FixtureRequest, certificate: Certificate) -> Alone:
    """Run code in processes of its own."""
    loop, secured = request.param
    if loop == "uvloop":
        pytest.importorskip("uvloop")
    return Alone(loop, certificate if secured == "tls" else None)


def test_several_loops(alone: Alone) -> None:
    """Three `asyncio.run` calls share one transport, made before any of them; each closes its connections; no word on stderr."""
    code = """
transport = make()
for number in range(1, 4):
    asyncio.run(ask(transport))
    assert server.ended.acquire(timeout=5)
    assert server.accepted == number
gc.collect()
"""
    assert alone(code) == ""


def test_loops_that_are_stopped_and_not_closed(alone: Alone) -> None:
    """`new_event_loop` again and again, as web frameworks do: works, and closing the last one is clean."""
    code = """
transport = make()
for _ in range(3):
    loop = asyncio.new_event_loop()
    loop.run_until_complete(ask(transport))
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()
loop = asyncio.new_event_loop()
loop.run_until_complete(ask(transport))
loop.run_until_complete(transport.aclose())
loop.close()
gc.collect()
"""
    assert alone(code) == ""


def test_loop_closed_without_ceremony(alone: Alone) -> None:
    """A loop that was closed without shutting down its generators: the next loop begins afresh."""
    code = """
if loop_kind == "uvloop":  # its close() says that nobody closed the transports, and hangs where that is an error
    import warnings
    warnings.simplefilter("ignore", ResourceWarning)
transport = make()
loop = asyncio.new_event_loop()
loop.run_until_complete(ask(transport))
loop.close()
asyncio.run(ask(transport))
assert server.accepted == 2
assert server.ended.acquire(timeout=5) and server.ended.acquire(timeout=5)
os._exit(0)
"""
    assert alone(code) == ""


def test_dropped_without_closing(alone: Alone) -> None:
    """A transport that is dropped without being closed says nothing: its connections end with the loop."""
    code = """
async def main():
    await ask(make())
    gc.collect()
asyncio.run(main())
gc.collect()
assert server.ended.acquire(timeout=5)
"""
    assert alone(code) == ""


def test_no_loop_needed(alone: Alone) -> None:
    """The constructor needs no loop, and neither does dropping the result."""
    assert alone("transport = make(); transport.reset(); del transport; gc.collect()") == ""


def test_cancelled_main(alone: Alone) -> None:
    """Ctrl-C, in effect: main is cancelled in the middle of calls, nothing is left, nothing is said."""
    code = """
transport = make(max_connections=2)
async def main():
    calls = [asyncio.ensure_future(ask(transport)) for _ in range(50)]
    await asyncio.sleep(0.005)
    asyncio.current_task().cancel()
    await asyncio.gather(*calls)
try:
    asyncio.run(main())
except asyncio.CancelledError:
    pass
gc.collect()
"""
    assert alone(code) == ""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_fork(alone: Alone) -> None:
    """Made and used before a fork: the child connects anew within seconds, and the parent's connections are not harmed."""
    code = """
transport = make()
async def parent():
    await ask(transport)
    child = os.fork()
    if child == 0:
        try:
            asyncio.events._set_running_loop(None)
            asyncio.run(asyncio.wait_for(ask(transport), 5))
            os._exit(0)
        except BaseException as error:
            print(repr(error), file=sys.stderr)
            os._exit(1)
    _, status = await asyncio.to_thread(os.waitpid, child, 0)
    assert status == 0, status
    await ask(transport)
    assert server.accepted == 2, server.accepted
    await transport.aclose()
asyncio.run(parent())

second = make()
asyncio.run(ask(second))
child = os.fork()
if child == 0:
    asyncio.run(ask(second))
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
"""
    assert alone(code) == ""


def test_many_calls(alone: Alone) -> None:
    """A crowd, a cancellation and a large body, with every warning an error."""
    code = """
async def main():
    transport = make(max_connections=5)
    await asyncio.gather(*[ask(transport) for _ in range(100)])
    assert server.accepted == 5, server.accepted
    task = asyncio.ensure_future(ask(transport))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await ask(transport)
    big = await transport.exchange(origin, b"POST", b"/", b"", bytes(3 << 20)[:-4] + b"\\r\\n\\r\\n", Timeouts())
    assert big.content == b"ok"
    await transport.aclose()
asyncio.run(main())
"""
    assert alone(code) == ""
