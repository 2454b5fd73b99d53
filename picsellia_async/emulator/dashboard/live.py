"""What an open page learns by itself: one stream of server-sent events for each, made from what is there.

Theory of operation. Nobody tells the streams anything, so what a request costs does not depend on who looks: a stream compares three
numbers a few times a second, and reads what is new where one of them has changed. Nothing is queued either. A page that falls behind
gets the newest pictures in place of those that it missed, and one that takes nothing for a while loses its connection; its browser
comes back by itself, with the place that it had reached.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import anyio
import orjson
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from picsellia_async.emulator.dashboard import gallery
from picsellia_async.emulator.dashboard.filters import Filter, search
from picsellia_async.emulator.dashboard.gallery import Look
from picsellia_async.emulator.dashboard.pages import Pages
from picsellia_async.emulator.domain.state import State
from picsellia_async.emulator.refusal import Refusal
from picsellia_async.emulator.transport.fault_register import Faults
from picsellia_async.emulator.transport.faulty_protocol import ABORT_EXTENSION
from picsellia_async.emulator.transport.journal import Journal

STREAMS_MAX: Final = 32
"""Pages that are told at once; a page in the background gives its place back."""
PATIENCE: Final = 10.0
"""Seconds in which a browser has to take something."""
_TICK: Final = 0.25
"""Seconds between two looks."""
_BEAT: Final = 60
"""Looks after which a stream says that it is there, so that a connection without a browser at its end is found out."""


class Live:
    """The streams of one emulator."""

    def __init__(self, state: State, journal: Journal, faults: Faults, pages: Pages) -> None:
        """Begin without any.

        Args:
            state: Where predictions are.
            journal: What arrived.
            faults: Scripted faults.
            pages: Makes the tiles.
        """
        self._state = state
        self._journal = journal
        self._faults = faults
        self._pages = pages
        self._closing = asyncio.Event()
        self._count = 0
        self._counters: tuple[tuple[int, ...] | None, dict[str, Any]] = None, {}

    def close(self) -> None:
        """End all streams, at once."""
        self._closing.set()

    def stream(self, wanted: Filter | None, after: int) -> Response:
        """Return the answer that tells a page what is new.

        Args:
            wanted: What its grid shows; None: it has none.
            after: The last key that it knows of.

        Raises:
            Refusal: 503, there are too many.
        """
        if self._count >= STREAMS_MAX:
            raise Refusal(503, f"{STREAMS_MAX} pages are open already; this one is not told what is new")
        return _Stream(self._told(wanted, after))

    @contextlib.contextmanager
    def _counted(self) -> Any:
        self._count += 1
        try:
            yield
        finally:
            self._count -= 1

    async def _told(self, wanted: Filter | None, after: int) -> AsyncIterator[bytes]:
        """Yield the events of one page."""
        with self._counted():
            seen, quiet = None, 0
            while not self._closing.is_set():
                first, last = self._state.store.predictions.ends()
                now = (self._journal.total, self._faults.acted, len(self._faults), self._state.store.changes)
                quiet = quiet + 1 if now == seen else 0
                if last < after or first > after > 0:
                    yield _event("reset", after, {})  # what the page shows is gone
                    return
                if last > after:
                    if wanted is not None and (told := await self._arrived(wanted, after, last)) is not None:
                        yield _event("predictions", last, told)
                    after = last
                if now != seen:
                    if self._counters[0] != now:  # counted once for all pages
                        self._counters = now, gallery.counters(self._state, self._journal, len(self._faults))
                    yield _event("counters", after, self._counters[1])
                    seen = now
                elif quiet >= _BEAT:
                    quiet = 0
                    yield b": still here\n\n"
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._closing.wait(), _TICK)

    async def _arrived(self, wanted: Filter, after: int, last: int) -> dict[str, Any] | None:
        """Return what a page needs to know of the predictions between two keys; None where its filter leaves out all of them."""
        look = Look.at(self._state)
        rows = await search(
            self._state.store.predictions, wanted, look.labels, gallery.PAGE, before=last + 1, after=after
        )
        if not rows:
            return None
        tiles = await asyncio.to_thread(look.tiles, rows, wanted)
        # A full page may not be all that is new: it takes the place of what is shown, so that nothing is missing in between.
        return {"html": await self._pages.render("_tiles.html", tiles=tiles), "replaces": len(rows) == gallery.PAGE}


def _event(name: str, last: int, data: dict[str, Any]) -> bytes:
    return b"event: %b\nid: %d\ndata: %b\n\n" % (name.encode(), last, orjson.dumps(data))


class _Stream(Response):
    """An answer of server-sent events that ends with its events, with its browser, or when that takes nothing any more."""

    media_type = "text/event-stream"

    def __init__(self, events: AsyncIterator[bytes]) -> None:
        super().__init__(headers={"cache-control": "no-store"}, media_type=self.media_type)
        del self.headers["content-length"]
        self._events = events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] == "HEAD":
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            await send({"type": "http.response.body", "body": b""})
            return
        abort: Callable[[], object] = scope.get("extensions", {}).get(ABORT_EXTENSION, lambda: None)
        async with anyio.create_task_group() as group:
            group.start_soon(_until_gone, receive, group.cancel_scope.cancel)
            async with contextlib.aclosing(self._events):  # type: ignore[type-var] # an asynchronous generator
                await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
                async for event in self._events:
                    with anyio.move_on_after(PATIENCE) as waiting:
                        await send({"type": "http.response.body", "body": event, "more_body": True})
                    if waiting.cancelled_caught:
                        abort()
                        await anyio.sleep_forever()  # until the connection is seen to be gone, which ends the group
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            group.cancel_scope.cancel()


async def _until_gone(receive: Receive, then: Callable[[], object]) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    then()
