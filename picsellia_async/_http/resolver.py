"""Name lookups: one at a time per host, in threads of our own, remembered for a while.

The C library's `getaddrinfo` blocks, for tens of seconds where the name server is silent. The loop's `getaddrinfo` runs it in
the executor that `asyncio.to_thread` uses: a handful of lookups, and the application's own work waits. Here they block
threads that nobody else needs, and which do not keep the process from ending.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import copy
import socket
import threading
from collections.abc import Callable
from typing import Any, Final

import attrs

THREADS_MAX: Final = 8
"""Lookups at one time in one pool, each of another host. One more waits for the end of one of them."""

FRESH_SECONDS: Final = 30.0
"""Time for which addresses are used without asking again."""

STALE_WAIT_SECONDS: Final = 1.8
"""Time that the name server has before addresses that worked before are used (RFC 8767, section 5)."""

HOSTS_MAX: Final = 256
"""Hosts remembered; the one looked up longest ago is forgotten first."""

Address = tuple[int, tuple[Any, ...]]
"""Address family, and what `connect` takes."""


@attrs.frozen
class _Known:
    addresses: list[Address]
    """In the order of the name server, with port 0."""
    fresh_until: float
    """In the loop's time."""


class Resolver:
    """Addresses of hosts, for the connections of one pool."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._known: dict[str, _Known] = {}
        self._running: dict[str, asyncio.Future[list[Address] | Exception]] = {}
        self._lock = threading.Lock()
        self._jobs: collections.deque[Callable[[], None]] = collections.deque()
        self._threads = 0

    async def resolve(self, host: str, port: int) -> list[Address]:
        """Return the addresses of a host; at once where they are known and fresh.

        Addresses that are no longer fresh are used where the name server fails, or is silent for `STALE_WAIT_SECONDS`.

        Raises:
            OSError: The name is not known, or has no address.
            UnicodeError: It cannot be a name.
        """
        known = self._known.get(host)
        if known is None or known.fresh_until <= self._loop.time():
            lookup = self._running.get(host) or self._start(host)
            # `wait`, not `await`: a caller who is cancelled must not cancel the lookup of the others.
            await asyncio.wait([lookup], timeout=None if known is None else STALE_WAIT_SECONDS)
            outcome = lookup.result() if lookup.done() else None
            if isinstance(outcome, list):
                known = _Known(outcome, 0)
            elif known is None:
                # Everyone gets an own one: raised in many tasks, one exception would collect all their tracebacks.
                raise OSError(f"no address for {host}") if outcome is None else copy.copy(outcome)
        return [(family, (place[0], port, *place[2:])) for family, place in known.addresses]

    def forget(self, host: str) -> None:
        """Forget the addresses of a host: none of them answers, and the name may have others by now."""
        self._known.pop(host, None)

    def _start(self, host: str) -> asyncio.Future[list[Address] | Exception]:
        lookup = self._running[host] = self._loop.create_future()

        def settle(outcome: list[Address] | Exception) -> None:
            self._running.pop(host, None)
            if isinstance(outcome, list):
                self._known.pop(host, None)  # so that the order of the dict is that of the lookups
                self._known[host] = _Known(outcome, self._loop.time() + FRESH_SECONDS)
                if len(self._known) > HOSTS_MAX:
                    del self._known[next(iter(self._known))]
            if not lookup.done():
                lookup.set_result(outcome)

        def job() -> None:
            outcome = _look_up(host)
            with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile
                self._loop.call_soon_threadsafe(settle, outcome)

        try:
            self._submit(job)
        except RuntimeError as error:  # no more threads, or the interpreter ends
            settle(OSError(f"no thread to look up {host}: {error}"))
        return lookup

    def _submit(self, job: Callable[[], None]) -> None:
        with self._lock:
            self._jobs.append(job)
            if self._threads >= THREADS_MAX:
                return
            self._threads += 1
        try:
            threading.Thread(target=self._work, name="picsellia_async: name lookup", daemon=True).start()
        except RuntimeError:
            with self._lock:
                self._threads -= 1
                if self._threads:  # another one will come to it
                    return
                self._jobs.clear()
            raise

    def _work(self) -> None:
        """Do what is to be done, and end: lookups are rare, and a thread costs less than keeping one."""
        while True:
            with self._lock:
                if not self._jobs:
                    self._threads -= 1  # under the lock, or `_submit` could count on a thread that is about to end
                    return
                job = self._jobs.popleft()
            job()


def _look_up(host: str) -> list[Address] | Exception:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        return error.with_traceback(None)
    addresses = list(dict.fromkeys((int(family), tuple(place)) for family, _, _, _, place in found))
    return addresses or OSError(f"no address for {host}")
