"""Peers that close a connection right after an answer without saying so, and how a pool copes with them.

A peer that wants no second request says `Connection: close`. Some do not: sidecars, and services that are being drained.
Their end of the connection and our next request cross on the wire; the request fails, and as the peer's host has confirmed
bytes of it, nobody can tell whether it was read. The faster the next request follows, the more of them are lost.

So a pool counts the connections of an origin that ended within `EARLY_SECONDS` of an answer. After `ENDS_IN_A_ROW` of them, no
connection of that origin serves a second request, save one that has proved itself: one connection at a time is watched, idle,
for `EARLY_SECONDS`. If it outlives that, the origin is trusted again.
"""

from __future__ import annotations

from typing import Final

import httpx

from picsellia_async._http.connection import Connection
from picsellia_async._wire.exchange import Origin
from picsellia_async.errors import ClosedError

EARLY_SECONDS: Final = 0.05
"""An end that comes so soon after an answer belongs to the answer. One that comes later is an idle connection that expired."""

ENDS_IN_A_ROW: Final = 3
"""Early ends, with no second answer between them, after which an origin is distrusted. One alone may be a restart."""


class EarlyCloses:
    """What one pool knows of its origins. No I/O, no clock: the pool tells the times."""

    def __init__(self) -> None:
        self.ends: dict[Origin, int] = {}
        """Early ends in a row. Empty for peers that behave, whose calls pay for one look."""
        self._watched: dict[Origin, Connection | None] = {}
        """The origins that are distrusted, each with the connection that is watched."""
        self._confirmed: set[Origin] = set()
        """Those of them of which a watched connection has ended."""

    def ended(self, origin: Origin, seconds: float) -> bool:
        """Note that the peer ended a connection so many seconds after its answer; return whether its origin is distrusted from now on."""
        if seconds >= EARLY_SECONDS:
            return False
        count = self.ends[origin] = self.ends.get(origin, 0) + 1
        if count < ENDS_IN_A_ROW or origin in self._watched:
            return False
        self._watched[origin] = None
        return True

    def trust(self, origin: Origin) -> None:
        """Forget what is known: a connection served a second request, or outlived the watch."""
        self.ends.pop(origin, None)
        self._watched.pop(origin, None)
        self._confirmed.discard(origin)

    def distrusts(self, origin: Origin) -> bool:
        """Tell whether connections to this origin are not to be used again."""
        return origin in self._watched

    def watch(self, connection: Connection) -> bool:
        """Watch a connection that has answered, if none of its origin is; return whether it is."""
        if self._watched[connection.origin] is not None:
            return False
        self._watched[connection.origin] = connection
        return True

    def watches(self, connection: Connection) -> bool:
        """Tell whether this connection is the one that is watched."""
        return self._watched.get(connection.origin) is connection

    def ended_watched(self, connection: Connection) -> bool:
        """Note that a watched connection has ended, so that the next one may be watched; return whether it is the first of its origin.

        A service that shuts down ends many connections early, too; one that does so to a connection made since has the habit.
        """
        origin = connection.origin
        self._watched[origin] = None
        first = origin not in self._confirmed
        self._confirmed.add(origin)
        return first


def closed_unanswered(connection: Connection) -> bool:
    """Tell whether the peer ended a connection without a byte of response to its last request."""
    error = connection.error
    return (
        error is not None
        and not connection.response.touched
        and not issubclass(error[0], (httpx.TimeoutException, ClosedError))
    )
