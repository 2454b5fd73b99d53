"""Several loops, loops that end, forks: in processes of their own, with every warning an error."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from .peers import Certificate

pytestmark = pytest.mark.anyio


LOOPS = ["asyncio", "uvloop"]


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
    answer = await transport.exchange(origin, b"GET", b"/", b"", None, Timeouts(60.0, 60.0, 60.0, 60.0))
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
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
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
    assert server.ended.acquire(timeout=60)
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
assert server.ended.acquire(timeout=60) and server.ended.acquire(timeout=60)
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
assert server.ended.acquire(timeout=60)
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
            asyncio.run(asyncio.wait_for(ask(transport), 60))
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
