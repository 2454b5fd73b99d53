"""Programs that the tests start as processes of their own: memory is measured and kills are survived from outside.

`python programs.py NAME JSON` runs one of the coroutines below with the arguments in JSON.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import random
import sys
import time
from pathlib import Path
from typing import Any

from picsellia_async import AsyncClient
from picsellia_async.config import RetryPolicy, Timeouts
from picsellia_async.frames import Frame
from picsellia_async.predictions import DetectionPredictionFormat

JPEG = b"\xff\xd8\xff\xe0"
PREDICTION = DetectionPredictionFormat([1], [[1, 2, 3, 4]], [0.5])


def frame(number: int, size: int = 20_000, **fields: Any) -> Frame:
    """Return a frame of its own bytes."""
    image = b"\xff\xd8\xff\xe0%08d" % number + random.randbytes(8) + bytes(size - 20)
    return Frame(
        image=image,
        filename=f"frame-{number:06d}.jpg",
        width=64,
        height=48,
        latency=0.02,
        prediction=PREDICTION,
        **fields,
    )


def tell(*values: object) -> None:
    """Print a line at once."""
    sys.stdout.write(" ".join(map(str, values)) + "\n")
    sys.stdout.flush()


def resident(kind: str = "VmRSS") -> int:
    """Return the bytes of this process in memory: now, or at most ("VmHWM")."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(kind):
            return int(line.split()[1]) * 1024
    return 0


def client(arguments: dict[str, Any], **options: Any) -> AsyncClient:
    """Return a client of the emulator that the arguments name."""
    return AsyncClient(arguments["token"], host=arguments["url"], **options)


async def accept(arguments: dict[str, Any]) -> None:
    """Submit frames to a spool for ever, and print the name of each one that was accepted. Meant to be killed."""
    async with client(arguments) as connected:
        deployment = await connected.get_deployment(arguments["deployment"])
        async with deployment.uploader(spool=arguments["spool"], concurrency=4) as uploader:
            tell("open", uploader.report.recovered)

            async def produce(lane: int) -> None:
                for number in range(lane, 10**6, 4):
                    one = frame(arguments["start"] + number, random.randrange(1_000, 60_000))
                    await uploader.submit(one)
                    tell(one.filename)

            await asyncio.gather(*(produce(lane) for lane in range(4)))


async def offer(arguments: dict[str, Any]) -> None:
    """Offer frames to a service that stalls, and print how much the memory grew: at the highest, and later on."""
    count, size, limit = arguments["count"], arguments["size"], arguments["limit"]
    async with client(arguments, timeout=Timeouts(5.0, None, None)) as connected:
        deployment = await connected.get_deployment(arguments["deployment"])
        await deployment.monitor_bytes(JPEG.ljust(size, b"."), "image/jpeg", "warm-up.jpg", 0.1, 48, 64, PREDICTION)
        gc.collect()
        before = resident()
        grown = []
        async with deployment.uploader(max_pending_bytes=limit, when_full="drop_newest", close_timeout=0) as uploader:
            for number in range(count):
                await uploader.submit(frame(number, size))
                if not number % 50:
                    await asyncio.sleep(0.002)
                    grown.append(resident() - before)
            filled = next(index for index, value in enumerate(grown) if value > limit * 0.7)
            late = grown[filled + (len(grown) - filled) // 2 :]
            tell(json.dumps({"peak": max(grown), "drift": late[-1] - late[0], "dropped": uploader.report.dropped}))


async def pace(arguments: dict[str, Any]) -> None:
    """Offer frames at a rate, from many sources, for so many seconds; print memory four times a second and the report.

    `unexplained` is the memory without the most that pending frames ever held: on a busy machine they pile up late.
    """
    async with client(arguments) as connected:
        deployment = await connected.get_deployment(arguments["deployment"])
        seen, unexplained = [], []
        async with deployment.uploader(**arguments["options"]) as uploader:
            begun = time.monotonic()
            number = held = 0
            while (passed := time.monotonic() - begun) < arguments["seconds"]:
                while number < passed * arguments["rate"]:
                    await uploader.submit(
                        frame(number, arguments["size"], source=f"cam-{number % arguments['sources']}")
                    )
                    number += 1
                    held = max(held, uploader.statistics().pending_bytes)
                if len(seen) < passed * 4:
                    seen.append(resident())
                    unexplained.append(seen[-1] - held)
                await asyncio.sleep(0.005)
        tell(json.dumps({"seen": seen, "unexplained": unexplained, "report": uploader.report.to_json()}))


async def one_large(arguments: dict[str, Any]) -> None:
    """Deliver one large frame and print by how much the memory rose at the highest."""
    async with client(arguments) as connected:
        deployment = await connected.get_deployment(arguments["deployment"])
        await deployment.monitor_bytes(JPEG.ljust(1000, b"."), "image/jpeg", "warm-up.jpg", 0.1, 48, 64, PREDICTION)
        image = JPEG.ljust(arguments["size"], b"\x01")
        one = Frame(image=image, filename="large.jpg", width=64, height=48, latency=0.1, prediction=PREDICTION)
        gc.collect()
        Path("/proc/self/clear_refs").write_text("5")  # noqa: ASYNC240 - forget the peak of the start
        before = resident()
        async with deployment.uploader() as uploader:
            outcome = await (await uploader.submit(one))
        peak = resident("VmHWM")
        tell(json.dumps({"extra": peak - before, "outcome": type(outcome).__name__}))


async def leave(arguments: dict[str, Any]) -> None:
    """Submit frames and leave the block at once: the interpreter exits by itself."""
    options = arguments.get("options", {})
    async with client(arguments) as connected:
        deployment = await connected.get_deployment(arguments["deployment"])
        async with deployment.uploader(retry=RetryPolicy(backoff_initial=0.1), **options) as uploader:
            for number in range(arguments["count"]):
                await uploader.submit(frame(number))
            tell("submitted")
        tell(json.dumps(uploader.report.to_json() | {"failures": len(uploader.report.failures)}))


if __name__ == "__main__":
    random.seed(os.getpid())
    asyncio.run(globals()[sys.argv[1]](json.loads(sys.argv[2])))
