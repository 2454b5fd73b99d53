"""A service that answers as it is told, and keeps account of what it stored."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from typing import Any
from uuid import UUID

from picsellia_async.errors import (
    AuthenticationError,
    BadGatewayError,
    BadRequestError,
    ClosedError,
    ConflictError,
    DecodeError,
    MonitorError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
    TransportError,
)
from picsellia_async.frames import Frame

CALL = ("POST", "http://x")


class Service:
    """Answers as it was told, frame by frame, else as its weather is."""

    def __init__(self) -> None:
        self.weather = "ok"
        self.process = 0
        """Number of the process that lives; nobody else's frames arrive."""
        self.script: deque[str] = deque()
        self.disliked: set[UUID] = set()
        self.known: dict[UUID, Frame] = {}
        self.stored: Counter[UUID] = Counter()
        self.under_way: Counter[UUID] = Counter()
        self.repeats_allowed: Counter[UUID] = Counter()

    async def send(self, process: int, frame: Frame) -> dict[str, Any]:
        sent = self.known[frame.id]
        assert (frame.image, frame.filename, frame.source) == (sent.image, sent.filename, sent.source)
        kind = self.script.popleft() if self.script else self.weather
        self.under_way[frame.id] += 1
        is_told = False
        try:
            await asyncio.sleep(0.01)
            error = self._error(frame, kind if process == self.process else "refused")
            if error is not None:
                is_told = True
                raise error
            self.stored[frame.id] += 1
            await asyncio.sleep(30.0 if kind == "slow" else 0.01)
            if kind == "lost":
                raise TransportError("ReadError: reset", "POST", "http://x", request_sent=True)
            if kind == "garbage":
                is_told = process == self.process
                raise DecodeError("no JSON", 201, *CALL)
            is_told = process == self.process
            return {"id": str(frame.id)}
        finally:
            if not is_told:
                # Stored, perhaps, and nobody heard of it.
                self.repeats_allowed[frame.id] += 1
            self.under_way[frame.id] -= 1

    def _error(self, frame: Frame, kind: str) -> Exception | None:
        if frame.id in self.disliked:
            return PermissionDeniedError("a firewall", 403, *CALL)
        return {
            "422": BadRequestError("bad", 422, *CALL),
            "503": ServerError("busy", 503, *CALL),
            "429": RateLimitError("slower", 429, *CALL, retry_after=2.0),
            "refused": TransportError("ConnectError: refused", *CALL),
            "401": AuthenticationError("who?", 401, *CALL),
            "409": ConflictError("there already", 409, *CALL),
            "502": BadGatewayError("a gateway", 502, *CALL),
            "202": MonitorError("later, perhaps", 202, *CALL),
            "no memory": MemoryError("not the service's fault"),
            "closed": ClosedError("the client is closed"),
        }.get(kind)
