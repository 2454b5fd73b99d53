"""A clock that jumps instead of waiting."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from picsellia_async._delivery.spool.record import Record
from picsellia_async._delivery.spool.spool import Spool, Written


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop whose clock stands still while something runs, and jumps to the next timer when nothing does. Not for sockets."""

    _now = 0.0

    def time(self) -> float:
        return self._now

    def _run_once(self) -> None:
        if not self._ready and self._scheduled and not self._stopping:
            while self._scheduled and self._scheduled[0]._cancelled:
                self._timer_cancelled_count -= 1
                heapq.heappop(self._scheduled)._scheduled = False
            if self._scheduled:
                self._now = max(self._now, self._scheduled[0]._when)
        super()._run_once()


class DiskLoop(VirtualLoop):
    """The same, for uploaders with a spool: the clock stands still too while a thread has something to do."""

    busy = 0

    def _run_once(self) -> None:
        if self.busy:
            asyncio.SelectorEventLoop._run_once(self)
        else:
            super()._run_once()


def wait_for_disks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have spools, and `asyncio.to_thread`, tell a `DiskLoop` when their thread is busy."""

    def counted(call: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def verb(*arguments: Any) -> Any:
            loop: Any = asyncio.get_running_loop()
            loop.busy += 1
            try:
                return await call(*arguments)
            finally:
                loop.busy -= 1

        return verb

    for name in ("open", "claim", "look_up", "drop_rejected", "sync", "close"):
        monkeypatch.setattr(Spool, name, counted(getattr(Spool, name)))
    monkeypatch.setattr(asyncio, "to_thread", counted(asyncio.to_thread))
    put = Spool.put

    def counted_put(self: Spool, record: Record, done: Written) -> None:
        loop: Any = asyncio.get_running_loop()
        loop.busy += 1

        def told(error: BaseException | None, is_known: bool) -> None:
            loop.busy -= 1
            done(error, is_known)

        put(self, record, told)

    monkeypatch.setattr(Spool, "put", counted_put)
