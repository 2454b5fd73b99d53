"""`picsellia-async monitor` goes on where it was stopped: real processes, killed and interrupted, on the emulator."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import cv2
import httpx
import numpy as np
import pytest

from picsellia_async.cli.resuming import input_of
from picsellia_async.emulator import Fault

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX"),
]

COUNT = 12
BOX = [1, 2, 30, 40]


@pytest.fixture
def images(tmp_path):
    """A folder with twelve images."""
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(COUNT):
        cv2.imwrite(str(folder / f"{number:012d}.jpg"), np.full((48, 64, 3), 20 * number, np.uint8))
    return folder


@pytest.fixture
def arguments(request, tmp_path, images):
    """What the command is about: every kind of input."""
    names = [path.name for path in sorted(images.iterdir())]
    if request.param == "manifest":
        prediction = {"detection_classes": [1], "detection_boxes": [BOX], "detection_scores": [0.5]}
        lines = [json.dumps({"image": f"images/{name}", "prediction": prediction}) for name in names]
        (tmp_path / "m.jsonl").write_text("\n".join(lines))
        return ["--manifest", "m.jsonl"]
    if request.param == "coco":
        results = [{"file_name": name, "category_id": 1, "bbox": [1, 2, 3, 4], "score": 0.5} for name in names]
        (tmp_path / "r.json").write_text(json.dumps(results))
        return ["--coco", "r.json", "--images", "images", "--class-numbers"]
    (tmp_path / "labels").mkdir()
    for name in names:
        (tmp_path / "labels" / name).with_suffix(".txt").write_text("1 0.5 0.5 0.5 0.5 0.9\n")
    return ["--yolo", "labels", "--images", "images", "--class-numbers"]


@pytest.fixture
def start(tmp_path, emulator):
    """Return what starts the command, in the folder of its input."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PICSELLIA")}
    environment = kept | {"PICSELLIA_TOKEN": emulator.api_token, "PICSELLIA_HOST": emulator.url}

    async def started(*arguments):
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "picsellia_async.cli", "monitor", emulator.deployment_name, *arguments, "--json",
            env=environment, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    return started


@pytest.fixture
def stored(emulator):
    """Return what counts the stored predictions by file name."""

    async def names():
        async with httpx.AsyncClient(timeout=60) as plain:
            items = (await plain.get(f"{emulator.url}/emulator/predictions")).json()["items"]
        return Counter(item["filename"] for item in items)

    return names


async def ended(process):
    out, err = await process.communicate()
    return process.returncode, json.loads(out), err.decode()


@pytest.mark.parametrize("arguments", ["manifest", "coco"], indirect=True)
async def test_a_killed_command_goes_on(emulator, arguments, start, stored):
    """SIGKILL while some frames are stored and unanswered: the same command stores each picture once."""
    held = emulator.faults.add(Fault(kind="latency", endpoint="monitor", seconds=3600, skip=5))
    process = await start(*arguments)
    while not emulator.faults.account():  # noqa: ASYNC110 - the emulator tells nobody that a frame came
        await asyncio.sleep(0.01)
    process.kill()
    await process.wait()
    emulator.faults.remove(held.id)
    before = sum((await stored()).values())
    assert before < COUNT
    code, report, _ = await ended(await start(*arguments))
    assert (code, report["left"]) == (0, 0)
    assert report["delivered_before"] + report["delivered"] == COUNT
    found = await stored()
    assert (len(found), set(found.values())) == (COUNT, {1})


@pytest.mark.parametrize("arguments", ["yolo"], indirect=True)
async def test_an_interrupted_command_goes_on_and_says_so(emulator, arguments, start, stored):
    """Ctrl-C: what is left is said, with how to go on; the same command says by which journal it does."""
    fault = emulator.faults.add(Fault(kind="status", endpoint="monitor", status=503, skip=5))
    process = await start(*arguments, "--close-timeout", "0.2", "--concurrency", "1")
    while not emulator.faults.account():  # noqa: ASYNC110 - the emulator tells nobody that the sixth frame came
        await asyncio.sleep(0.01)
    process.send_signal(signal.SIGINT)
    code, report, err = await ended(process)
    assert (code, report["delivered"], report["left"]) == (130, 5, 7)
    emulator.faults.remove(fault.id)
    code, report, err = await ended(await start(*arguments))
    assert (code, report["delivered_before"], report["delivered"]) == (0, 5, 7)
    assert "going on: what the journal " in err
    found = await stored()
    assert (len(found), set(found.values())) == (COUNT, {1})


async def test_the_journal_may_be_elsewhere(tmp_path, images, start, stored):
    """`--journal FILE` belongs to one input; `--fresh` sends everything again."""
    results = [{"file_name": "000000000001.jpg", "category_id": 1, "bbox": [1, 2, 3, 4], "score": 0.5}]
    for name in ("r.json", "other.json"):
        (tmp_path / name).write_text(json.dumps(results))
    usual = ["--coco", "r.json", "--images", "images", "--class-numbers"]
    for options, before in (
        (["--journal", "j"], 0), (["--journal", "j"], 1), (["--journal", "j", "--fresh"], 0),
    ):  # fmt: skip
        code, report, _ = await ended(await start(*usual, *options))
        assert (code, report["delivered_before"]) == (0, before)
    assert await stored() == {"000000000001.jpg": 2}
    process = await start("--coco", "other.json", *usual[2:], "--journal", "j")
    _, err = await process.communicate()
    assert process.returncode == 2
    assert "r.json" in err.decode()
    assert "other.json" in err.decode()


def test_the_input_is_the_same_however_its_path_is_spelled(tmp_path, monkeypatch):
    """By way of another folder, a link or a relative path: the journal is the same one, and nothing is sent twice."""
    (tmp_path / "real" / "below").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    monkeypatch.chdir(tmp_path)
    spelled = ["real/m.jsonl", "real/below/../m.jsonl", "link/m.jsonl", str(tmp_path / "real" / "m.jsonl")]
    no = dict.fromkeys(("coco", "images", "yolo", "annotations", "segmentation", "mask"))
    inputs = {input_of(argparse.Namespace(manifest=Path(path), **no)) for path in spelled}
    assert inputs == {f"--manifest {(tmp_path / 'real' / 'm.jsonl').resolve()}"}
