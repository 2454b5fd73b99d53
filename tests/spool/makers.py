"""Shared by the spool tests: a service that takes frames, and an uploader with a spool."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import attrs

from picsellia_async.errors import TransportError
from picsellia_async.frames import Frame
from picsellia_async.uploader import Uploader

from ..support.frames import make_frame

OWNER = {"deployment_id": "01234567-89ab-cdef-0123-456789abcdef", "host": "http://x"}


@attrs.define
class Service:
    """Takes frames while `is_up`; `error` is what it says otherwise."""

    is_up: bool = True
    error: BaseException | None = None
    seconds: float = 0.0
    stored: list[str] = attrs.field(factory=list)
    frames: list[Frame] = attrs.field(factory=list)
    keeps_frames: bool = False

    async def send(self, frame: Frame, request: bytes) -> dict[str, Any]:
        await asyncio.sleep(self.seconds)
        if not self.is_up:
            raise self.error or TransportError("ConnectError: refused", "POST", "http://x")
        self.stored.append(frame.filename)
        if self.keeps_frames:
            self.frames.append(frame)
        return {"id": frame.filename}


@attrs.define
class StalledService(Service):
    """Takes a request and does not answer before `go` is set."""

    begun: asyncio.Event = attrs.field(factory=asyncio.Event)
    go: asyncio.Event = attrs.field(factory=asyncio.Event)

    async def send(self, frame: Frame, request: bytes) -> dict[str, Any]:
        self.begun.set()
        await self.go.wait()
        return await super().send(frame, request)


def uploader(service: Service, directory: Path, **options: Any) -> Uploader:
    """Return an uploader with a spool that closes quickly."""
    values: dict[str, Any] = {"close_timeout": 0.0 if not service.is_up else 60.0, "owner": OWNER, **options}
    return Uploader(service.send, spool=directory, **values)


async def fill(directory: Path, count: int, size: int = 1000, **options: Any) -> list[Frame]:
    """Leave so many frames in a spool, as an outage would."""
    frames = [make_frame(number, size) for number in range(count)]
    async with uploader(Service(is_up=False), directory, **options) as up:
        for frame in frames:
            await up.submit(frame)
    assert up.report.spooled == count, up.report
    return frames
