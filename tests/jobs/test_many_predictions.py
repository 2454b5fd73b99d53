"""Many photographs predicted on over a kill: complete, one line each, and never more under way than asked.

Forty small pictures by default; with `PICSELLIA_ASYNC_SOAK` 2,000 crops of scikit-image's photographs.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys

import cv2
import pytest

from picsellia_async.emulator import Fault
from picsellia_async.jobs import predict
from picsellia_async.sources import directory

from ..support.sources import encoded

pytestmark = [pytest.mark.anyio, pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")]

IS_SOAK = bool(os.environ.get("PICSELLIA_ASYNC_SOAK"))
COUNT = 2000 if IS_SOAK else 40
BOUND = 8
SECONDS = 0.02
"""For which each request is under way at least."""

KILLED = """
import asyncio, os, sys
from picsellia_async import AsyncClient
from picsellia_async.jobs import Prediction
from picsellia_async.sources import directory

async def main(url, token, organization, name, folder, results, bound, until):
    async with AsyncClient(token, organization, host=url) as client:
        work = Prediction(
            directory(folder), await client.get_deployment(name), results=results, concurrency=int(bound)
        )
        async for _ in work.results():
            if work.predicted == int(until):
                os.kill(os.getpid(), 9)

asyncio.run(main(*sys.argv[1:]))
"""


def photographs():
    """Yield encoded pictures, each another."""
    if not IS_SOAK:
        for number in range(COUNT):
            yield encoded(value=number * 6)
        return
    data = pytest.importorskip("skimage.data")
    whole = [data.astronaut(), data.coffee(), data.chelsea()]
    chance = random.Random(COUNT)
    for number in range(COUNT):
        photo = whole[number % len(whole)]
        top, left = (chance.randrange(side - 240) for side in photo.shape[:2])
        good, content = cv2.imencode(".jpg", photo[top : top + 240, left : left + 240, ::-1])
        assert good
        yield content.tobytes()


def most_at_once(entries):
    """Return how many requests were certainly under way at once."""
    changes = sorted([(one.at, 1) for one in entries] + [(one.at + SECONDS, -1) for one in entries])
    most = now = 0
    for _, change in changes:
        now += change
        most = max(most, now)
    return most


async def test_results_are_complete_and_requests_bounded_over_a_kill(tmp_path, deployment, emulator):
    """Each picture has one line after the second run; in both runs so many requests are under way as were asked for, and no more."""
    folder, results = tmp_path / "photographs", tmp_path / "results.jsonl"
    folder.mkdir()
    for number, content in enumerate(photographs()):
        (folder / f"{number:05d}.jpg").write_bytes(content)
    emulator.faults.add(Fault(kind="latency", endpoint="predict", seconds=SECONDS))
    until = random.Random(BOUND).randrange(COUNT // 4, COUNT // 2)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", KILLED, emulator.url, emulator.api_token, str(emulator.organization_id),
        emulator.deployment_name, str(folder), str(results), str(BOUND), str(until),
    )  # fmt: skip
    assert await process.wait() == -signal.SIGKILL
    first = [entry for entry in emulator.journal if entry.endpoint == "predict"]
    emulator.journal.clear()

    report = await predict(directory(folder), deployment, results=results, concurrency=BOUND)
    second = [entry for entry in emulator.journal if entry.endpoint == "predict" and entry.status == 200]
    assert (report.predicted_before, report.predicted, report.is_complete) == (until, COUNT - until, True)
    lines = [json.loads(line) for line in results.read_bytes().splitlines()]
    assert sorted(line["image"] for line in lines) == [f"photographs/{number:05d}.jpg" for number in range(COUNT)]
    assert 1 < most_at_once(first) <= BOUND
    assert 1 < most_at_once(second) <= BOUND
