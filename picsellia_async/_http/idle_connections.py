"""The connections of a pool that wait for a request: which one is used next, which one goes first, and when.

They are a stack per origin: the one used last is the least likely to have been closed by the peer, and those that a burst left
over grow old and expire. One timer closes them. It does not keep the event loop running.
"""

from __future__ import annotations

import asyncio

from picsellia_async._http.connection import Connection
from picsellia_async._http.early_closes import EarlyCloses
from picsellia_async._http.loop import clock_of
from picsellia_async._wire.exchange import Origin


class IdleConnections:
    """Stacks of idle connections.

    Args:
        loop: Where they live.
        limit: So many are kept; one more closes the one that has been idle longest.
        expiry: Seconds after which an idle connection is closed; None for never.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, *, limit: float, expiry: float | None) -> None:
        self._loop = loop
        self._now = clock_of(loop)
        self._limit = limit
        self._expiry = expiry
        self._stacks: dict[Origin, list[Connection]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self.count = 0
        self.early_closes = EarlyCloses()

    def take(self, origin: Origin) -> Connection | None:
        """Return the idle connection used last, or None. Never waits."""
        stack = self._stacks.get(origin)
        while stack:
            connection = stack.pop()
            self.count -= 1
            if connection.is_reusable():
                return connection
            self.note_end(connection, self._now())
        return None

    def keep(self, connection: Connection) -> None:
        """Keep a connection until somebody takes it."""
        now = connection.idle_since = self._now()
        if self.count >= self._limit and not self.evict():
            connection.close()
            return
        stack = self._stacks.get(connection.origin)
        if stack is None:
            stack = self._stacks[connection.origin] = []
        stack.append(connection)
        self.count += 1
        if self._timer is None and self._expiry is not None:
            self._timer = self._loop.call_at(now + self._expiry, self._sweep, self._expiry)

    def lose(self, connection: Connection) -> bool:
        """Forget a connection that the peer has closed; return whether it was idle."""
        stack = self._stacks.get(connection.origin)
        if stack is None or connection not in stack:
            return False
        stack.remove(connection)
        self.count -= 1
        self.note_end(connection, self._now())
        return True

    def note_end(self, connection: Connection, ended_at: float) -> None:
        """Note that the peer ended a connection that had answered; close what is idle of a peer that does so each time."""
        origin = connection.origin
        if self.early_closes.ended(origin, ended_at - connection.idle_since):
            stack = self._stacks.pop(origin, [])
            while stack:  # emptied: `take` may be going through it
                self.count -= 1
                stack.pop().close()

    def evict(self) -> bool:
        """Close the connection that has been idle longest; tell whether there was one."""
        stacks = [stack for stack in self._stacks.values() if stack]
        if not stacks:
            return False
        oldest = min(stacks, key=lambda stack: stack[0].idle_since).pop(0)
        self.count -= 1
        if not oldest.gone:
            oldest.close()
        return True

    def clear(self) -> None:
        """Forget them all, and stop the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._stacks.clear()
        self.count = 0

    def _sweep(self, expiry: float) -> None:
        """Close what has been idle too long, and come back when the next one will be."""
        self._timer = None
        limit = self._now() - expiry + 0.001
        for origin, stack in list(self._stacks.items()):
            while stack and (stack[0].gone or stack[0].idle_since <= limit):
                self.count -= 1
                stack.pop(0).close()
            if not stack:
                del self._stacks[origin]
        oldest = min((stack[0].idle_since for stack in self._stacks.values()), default=None)
        if oldest is not None:
            self._timer = self._loop.call_at(oldest + expiry, self._sweep, expiry)
