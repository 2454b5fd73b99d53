"""A program with a pipeline, for tests that send it signals: `python watch_until_signalled.py LOOP SECONDS [SPOOL]`.

Prints `ready` when frames flow, and at the end what became of them, as JSON. SECONDS is what the service takes for each frame.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import threading
import time
from collections.abc import AsyncIterator
from typing import Any

import anyio

from picsellia_async import DetectionPredictionFormat, Pipeline, Uploader
from picsellia_async.sources import Image


async def frames(name: str) -> AsyncIterator[Image]:
    """Give twenty images a second, for ever."""
    for number in range(10**6):
        await asyncio.sleep(0.05)
        content = b"\xff\xd8\xff\xe0" + b"%06d" % number
        yield Image(
            image=content, filename=f"{name}-{number}.jpg", width=64, height=48, timestamp=time.time(), pixels=name
        )


def tell(line: str) -> None:
    """Print a line now."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def model(_pixels: Any) -> DetectionPredictionFormat:
    """See one thing."""
    time.sleep(0.005)
    return DetectionPredictionFormat([0], [[1, 2, 30, 40]], [0.5])


async def main(seconds: float, spool: str | None) -> None:
    """Run until a signal ends it."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    begun = sent = 0
    is_down = seconds > 10

    async def send(_frame: object, _request: bytes) -> dict[str, Any]:
        nonlocal begun, sent
        begun += 1
        if begun == 1 and is_down:
            tell("ready")
        await asyncio.sleep(seconds)
        sent += 1
        if sent == 5:
            tell("ready")
        return {}

    uploader = Uploader(send, owner={"deployment_id": "d"}, spool=spool, close_timeout=3600.0)
    async with Pipeline([frames("a"), frames("b")], model, uploader, workers=2) as pipeline:
        report = await pipeline.run()
    tell(
        json.dumps({
            "ended_by": report.ended_by, "sent": sent, "submitted": report.statistics.submitted,
            "pending": report.statistics.pending, "accepted": report.upload.accepted, "delivered": report.upload.delivered,
            "dropped": report.upload.dropped, "spooled": report.upload.spooled,
            "handlers": all(signal.getsignal(number) == handler for number, handler in before.items()),
            "threads": [t.name for t in threading.enumerate() if t.name.startswith("picsellia-pipeline")],
            "tasks": len(asyncio.all_tasks()),
        })
    )  # fmt: skip


if __name__ == "__main__":
    anyio.run(
        main, float(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else None,
        backend_options={"use_uvloop": sys.argv[1] == "uvloop"},
    )  # fmt: skip
