"""A program whose uploader is used and closed when the interpreter has begun to end: from `atexit`, or a thread that outlives it.

`python late.py JSON`
"""

from __future__ import annotations

import asyncio
import atexit
import json
import sys
import threading
from pathlib import Path
from typing import Any

from picsellia_async import AsyncClient
from picsellia_async.frames import Frame
from picsellia_async.predictions import DetectionPredictionFormat

PREDICTION = DetectionPredictionFormat([1], [[1, 2, 3, 4]], [0.5])


class Late:
    """A loop of one's own, and an uploader in it."""

    def __init__(self, arguments: dict[str, Any]) -> None:
        self.arguments = arguments
        self.loop = asyncio.new_event_loop()

    async def open(self) -> None:
        self.client = AsyncClient(self.arguments["token"], host=self.arguments["url"])
        await self.client.__aenter__()
        deployment = await self.client.get_deployment(self.arguments["deployment"])
        self.uploader = deployment.uploader(spool=self.arguments["spool"], close_timeout=200.0)
        await self.uploader.__aenter__()

    async def submit_and_close(self) -> None:
        for number in range(10):
            path = Path(self.arguments["image"])
            frame = Frame(
                image=path, filename=f"frame-{number:06d}.jpg", width=64, height=48, latency=0.1, prediction=PREDICTION, checks="off",
            )  # fmt: skip
            await self.uploader.submit(frame)
        await self.uploader.aclose()
        await self.client.aclose()

    def end(self) -> None:
        self.loop.run_until_complete(self.submit_and_close())
        self.loop.close()
        sys.stdout.write(json.dumps(self.uploader.report.to_json()))
        sys.stdout.flush()

    def end_after_main(self) -> None:
        threading.main_thread().join()
        self.end()


if __name__ == "__main__":
    late = Late(json.loads(sys.argv[1]))
    late.loop.run_until_complete(late.open())
    if late.arguments["when"] == "atexit":
        atexit.register(late.end)
    else:
        threading.Thread(target=late.end_after_main).start()
