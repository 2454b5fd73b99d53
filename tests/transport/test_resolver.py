"""Name lookups: shared, remembered, and nobody else's burden."""

from __future__ import annotations

import asyncio
import concurrent.futures
import socket
import threading
from typing import Any

import httpx
import pytest

from picsellia_async._http import resolver as resolver_module
from picsellia_async._http.resolver import THREADS_MAX, Resolver
from picsellia_async._wire.exchange import Origin

from .peers import TIMEOUTS, echo, scripted, settled

pytestmark = pytest.mark.anyio


class NameServer:
    """Answers 127.0.0.1 when told to, or fails."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[str] = []
        self.go = threading.Event()
        self.error: Exception | None = None
        monkeypatch.setattr(socket, "getaddrinfo", self.getaddrinfo)

    def getaddrinfo(self, host: str, _port: None, **_options: Any) -> list[Any]:
        """Stand in for the C library."""
        self.asked.append(host)
        self.go.wait(60)
        if self.error is not None:
            raise self.error
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0))]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch):
    """A name server that is silent until told to go, and goes at the end."""
    server = NameServer(monkeypatch)
    yield server
    server.go.set()


async def test_a_silent_name_server_blocks_nothing_of_the_application(make_transport, names: NameServer) -> None:
    """While lookups hang, `asyncio.to_thread` works, with one thread even; all calls to one host share one lookup."""
    transport = make_transport()
    asyncio.get_running_loop().set_default_executor(concurrent.futures.ThreadPoolExecutor(1))
    async with scripted(echo) as peer:
        origin = Origin("http", "silent.test", peer.origin.port)
        calls = [
            asyncio.create_task(transport.exchange(origin, b"GET", b"/%d" % n, b"", None, TIMEOUTS)) for n in range(30)
        ]
        await settled(lambda: bool(names.asked))
        async with asyncio.timeout(300):
            assert await asyncio.to_thread(lambda: 1) == 1
        names.go.set()
        assert [answer.content for answer in await asyncio.gather(*calls)] == [b"/%d" % n for n in range(30)]
    assert names.asked == ["silent.test"]


async def test_the_threads_are_few_and_end(names: NameServer) -> None:
    """However many hosts are looked up, there are few threads; they end with the work, and hold up no exit."""
    resolver = Resolver(asyncio.get_running_loop())
    before = set(threading.enumerate())
    lookups = [asyncio.create_task(resolver.resolve(f"{n}.test", 80)) for n in range(40)]
    await settled(lambda: len(names.asked) == THREADS_MAX)
    threads = set(threading.enumerate()) - before
    assert len(threads) == THREADS_MAX
    assert all(thread.daemon for thread in threads)
    names.go.set()
    assert await asyncio.gather(*lookups) == [[(socket.AF_INET, ("127.0.0.1", 80))]] * 40
    await settled(lambda: not any(thread.is_alive() for thread in threads))


async def test_a_caller_who_leaves_takes_nothing_from_the_others(names: NameServer) -> None:
    """Cancelling one of those who share a lookup leaves it to the others."""
    resolver = Resolver(asyncio.get_running_loop())
    one, other = (asyncio.create_task(resolver.resolve("a.test", port)) for port in (80, 81))
    await settled(lambda: bool(names.asked))
    one.cancel()
    names.go.set()
    assert await other == [(socket.AF_INET, ("127.0.0.1", 81))]
    assert one.cancelled()
    assert names.asked == ["a.test"]


async def test_a_failure_is_everybodys_own_and_not_remembered(names: NameServer) -> None:
    """Who shares a lookup that fails gets an error of its own; the next call asks again."""
    resolver = Resolver(asyncio.get_running_loop())
    names.error = socket.gaierror(socket.EAI_NONAME, "no such name")
    names.go.set()
    first, second = await asyncio.gather(*[resolver.resolve("a.test", 80) for _ in range(2)], return_exceptions=True)
    assert isinstance(first, socket.gaierror)
    assert isinstance(second, socket.gaierror)
    assert first is not second
    names.error = None
    assert await resolver.resolve("a.test", 80)
    assert names.asked == ["a.test"] * 2


@pytest.mark.parametrize("trouble", ["fails", "silent"])
async def test_old_addresses_serve_where_the_name_server_does_not(
    names: NameServer, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    """Addresses that are no longer fresh are used where the name server fails or says nothing."""
    monkeypatch.setattr(resolver_module, "FRESH_SECONDS", 0.0)
    monkeypatch.setattr(resolver_module, "STALE_WAIT_SECONDS", 0.05 if trouble == "silent" else 60.0)
    resolver = Resolver(asyncio.get_running_loop())
    names.go.set()
    fresh = await resolver.resolve("a.test", 80)
    if trouble == "fails":
        names.error = socket.gaierror(socket.EAI_AGAIN, "try again")
    else:
        names.go.clear()
    assert await resolver.resolve("a.test", 80) == fresh
    assert names.asked == ["a.test"] * 2


async def test_addresses_that_do_not_answer_are_forgotten(make_transport, names: NameServer) -> None:
    """After a connection failed, the name is looked up again: the service may have moved."""
    transport = make_transport()
    names.go.set()
    async with scripted(echo) as gone:
        pass
    origin = Origin("http", "moved.test", gone.origin.port)
    for _ in range(2):
        with pytest.raises(httpx.ConnectError):
            await transport.exchange(origin, b"GET", b"/", b"", None, TIMEOUTS)
    assert names.asked == ["moved.test"] * 2
