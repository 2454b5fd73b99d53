"""A service that takes frames, and an uploader of it."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import attrs

from picsellia_async.errors import ServerError, TransportError
from picsellia_async.frames import Frame
from picsellia_async.uploader import Uploader

from ..support.frames import make_frame


def down() -> TransportError:
    return TransportError("ConnectError: refused", "POST", "http://x", 1, request_sent=False)


def lost() -> TransportError:
    return TransportError("ReadError: reset", "POST", "http://x", 1, request_sent=True)


def busy() -> ServerError:
    return ServerError("busy", 503, "POST", "http://x")


@attrs.define
class Service:
    """Takes frames in `seconds` each; `script` says what an attempt ends in, and when a frame is stored."""

    seconds: float = 0.01
    script: Callable[[Frame, int], BaseException | None] = lambda frame, attempt: None
    stored: list[str] = attrs.field(factory=list)
    arrivals: list[tuple[float, str]] = attrs.field(factory=list)
    attempts: Counter[str] = attrs.field(factory=Counter)
    busy: int = 0
    busiest: int = 0
    hold: asyncio.Event | None = None

    async def send(self, frame: Frame, request: bytes) -> dict[str, Any]:
        name = frame.filename
        self.attempts[name] += 1
        self.arrivals.append((asyncio.get_running_loop().time(), name))
        self.busy += 1
        self.busiest = max(self.busiest, self.busy)
        try:
            if self.hold is not None:
                await self.hold.wait()
            await asyncio.sleep(self.seconds)
            error = self.script(frame, self.attempts[name])
            if error is not None:
                if isinstance(error, TransportError) and error.request_sent:
                    self.stored.append(name)
                raise error
        finally:
            self.busy -= 1
        self.stored.append(name)
        return {"id": name}


def uploader(service: Service, **options: Any) -> Uploader:
    return Uploader(service.send, random=random.Random(1).random, **options)


def frames(count: int, **fields: Any) -> list[Frame]:
    return [make_frame(number, **fields) for number in range(count)]
