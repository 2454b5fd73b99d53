"""A job of the command line that is killed at random points, with faults and bad files: each picture is stored once.

Sixty pictures and one kill by default; with `PICSELLIA_ASYNC_SOAK` 10,000 and five.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import random
import subprocess
import sys
from collections import Counter

import attrs
import pytest

from picsellia_async.emulator import Fault

from ..support.sources import encoded

pytestmark = [pytest.mark.anyio, pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")]

IS_SOAK = bool(os.environ.get("PICSELLIA_ASYNC_SOAK"))
COUNT, KILLS, BAD_EVERY = (10_000, 5, 100) if IS_SOAK else (60, 1, 20)
PREDICTION = {"detection_classes": [0], "detection_boxes": [[1, 2, 30, 40]], "detection_scores": [0.5]}


FAULTS = [
    Fault(kind=kind, endpoint="monitor", probability=0.02 / 3 if IS_SOAK else 0.05, seed=1, **fields)
    for kind, fields in (("status", {"status": 503}), ("stored_then_dropped", {}), ("reset", {"after_bytes": 50}))
]
BASE = encoded()


def picture(number: int) -> bytes:
    """A picture like no other: a comment behind its first marker."""
    image, text = BASE, b"%010d" % number
    return image[:2] + b"\xff\xfe" + (len(text) + 2).to_bytes(2) + text + image[2:]


@pytest.fixture
def manifest_file(tmp_path):
    """A manifest of pictures, of which some are cut off."""
    (tmp_path / "images").mkdir()
    lines = []
    for number in range(COUNT):
        image = picture(number)
        (tmp_path / "images" / f"{number}.jpg").write_bytes(image if number % BAD_EVERY else image[:40])
        lines.append(json.dumps({"image": f"images/{number}.jpg", "prediction": PREDICTION}))
    path = tmp_path / "m.jsonl"
    path.write_text("\n".join(lines))
    return path


@pytest.fixture
def start(emulator, tmp_path):
    """Return what starts the command."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PICSELLIA")}
    environment = kept | {
        "PICSELLIA_TOKEN": emulator.api_token, "PICSELLIA_HOST": emulator.url, "XDG_STATE_HOME": str(tmp_path / "state"),
    }  # fmt: skip

    async def started(manifest, failures):
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "picsellia_async.cli", "monitor", emulator.deployment_name, "--manifest", str(manifest),
            "--skip-bad", "--failures", str(failures), "--concurrency", "8", "--json",
            env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    return started


def stored(emulator):
    """Return how often each picture was stored, by the digest of its bytes."""
    return Counter(item["sha256"] for item in emulator.predictions())


@pytest.mark.timeout(7200 if IS_SOAK else 600)
async def test_a_job_that_is_killed_at_random_points_stores_each_picture_once(tmp_path, emulator, manifest_file, start):
    """Lost answers and refusals for a moment included; the failures are the bad files, and sent once they are repaired."""
    chance, failures = random.Random(COUNT), tmp_path / "failed.jsonl"
    killed_at = []
    for turn in range(KILLS):
        # From some request on nothing comes back (or nothing arrives), so that the run cannot end before it is killed.
        emulator.faults.clear()
        until = chance.randrange(COUNT // 10, COUNT // (KILLS + 1))
        hang = Fault(
            kind="stall", endpoint="monitor", skip=until, direction="up" if turn % 2 else "down", after_bytes=0
        )
        emulator.faults.add(hang, *(attrs.evolve(fault, seed=turn, id=f"{fault.id}-{turn}") for fault in FAULTS))
        process = await start(manifest_file, failures)
        while process.returncode is None and not emulator.faults.fired(hang):  # noqa: ASYNC110 - it may end
            await asyncio.sleep(0.05)
        assert process.returncode is None, "it ended before it was killed"
        process.kill()
        await process.wait()
        killed_at.append(stored(emulator).total())
    assert killed_at == sorted(set(killed_at)), "each run stored something before it was killed"
    assert killed_at[-1] < COUNT * 0.99

    emulator.faults.clear()
    emulator.faults.add(*FAULTS)
    process = await start(manifest_file, failures)
    report = json.loads((await process.communicate())[0])
    bad = range(0, COUNT, BAD_EVERY)
    assert (process.returncode, report["skipped"], report["rejected"], report["left"]) == (1, len(bad), 0, 0)
    assert report["delivered_before"] + report["delivered"] == COUNT - len(bad)
    good = {hashlib.sha256(picture(number)).hexdigest(): 1 for number in range(COUNT) if number % BAD_EVERY}
    assert stored(emulator) == good
    lines = [json.loads(line) for line in failures.read_text().splitlines()]
    assert [line["image"] for line in lines] == [f"images/{number}.jpg" for number in bad]

    for number in bad:
        (tmp_path / "images" / f"{number}.jpg").write_bytes(picture(number))
    process = await start(failures, tmp_path / "again.jsonl")
    report = json.loads((await process.communicate())[0])
    assert (process.returncode, report["delivered"]) == (0, len(bad))
    assert stored(emulator) == {hashlib.sha256(picture(number)).hexdigest(): 1 for number in range(COUNT)}
