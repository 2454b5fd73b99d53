"""A program that tells what a pipeline imports while its event loop runs: `python imports_in_the_loop.py CLIP SPOOL`."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from collections import defaultdict
from typing import Any

from picsellia_async import AsyncClient, DetectionPredictionFormat, Pipeline, Uploader
from picsellia_async.sources import video

imported: dict[bool, list[str]] = defaultdict(list)
"""Names of modules, by whether it was in the loop's thread."""


def heard(event: str, arguments: tuple[Any, ...]) -> None:
    """Note what is imported."""
    if event == "import":
        imported[threading.current_thread() is threading.main_thread()].append(arguments[0])


def model(_pixels: Any) -> DetectionPredictionFormat:
    """See one thing."""
    return DetectionPredictionFormat([0], [[1, 2, 30, 40]], [0.5])


async def main(clip: str, spool: str) -> None:
    """Run a pipeline, with a service that takes everything."""
    sent: list[object] = []

    async def send(frame: object, _request: bytes) -> dict[str, Any]:
        sent.append(frame)
        return {}

    sys.addaudithook(heard)
    async with Pipeline(
        video(clip, pixels="rgb"), model, Uploader(send, owner={"deployment_id": "d"}, spool=spool)
    ) as pipeline:
        await pipeline.run()
    told = {"sent": len(sent), "in the loop": imported[True], "elsewhere": len(imported[False])}
    sys.stdout.write(json.dumps(told))


assert AsyncClient  # what a program of cameras imports
asyncio.run(main(sys.argv[1], sys.argv[2]))
