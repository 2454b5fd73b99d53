"""`picsellia-async monitor` goes on where it was stopped: real processes, killed and interrupted, on the emulator."""

from __future__ import annotations

import argparse
import json
import re
import signal
import sys
from pathlib import Path

import pytest

from picsellia_async.cli.resuming import input_of
from picsellia_async.emulator import Fault

from ..support.client import first_fault, stored_names
from ..support.monitor_inputs import arguments_of, pictures

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX"),
]

COUNT = 12


async def ended(process):
    out, err = await process.communicate()
    return process.returncode, json.loads(out), err.decode()


@pytest.mark.parametrize("kind", ["manifest", "coco"])
async def test_a_killed_command_goes_on(tmp_path, emulator, kind, start_monitor):
    """SIGKILL while some frames are stored and unanswered: the same command stores each picture once."""
    arguments = arguments_of(kind, tmp_path / "images", COUNT)
    held = emulator.faults.add(Fault(kind="latency", endpoint="monitor", seconds=3600, skip=5))
    process = await start_monitor(*arguments)
    await first_fault(emulator)
    process.kill()
    await process.wait()
    emulator.faults.remove(held.id)
    before = stored_names(emulator).total()
    assert before < COUNT
    code, report, _ = await ended(await start_monitor(*arguments))
    assert (code, report["left"]) == (0, 0)
    assert report["delivered_before"] + report["delivered"] == COUNT
    found = stored_names(emulator)
    assert (len(found), set(found.values())) == (COUNT, {1})


async def test_an_interrupted_command_goes_on_and_says_so(tmp_path, emulator, start_monitor):
    """Ctrl-C: what is left is said, with how to go on; the same command says by which journal it does."""
    arguments = arguments_of("yolo", tmp_path / "images", COUNT)
    fault = emulator.faults.add(Fault(kind="status", endpoint="monitor", status=503, skip=5))
    process = await start_monitor(*arguments, "--close-timeout", "0.2", "--concurrency", "1")
    await first_fault(emulator)
    process.send_signal(signal.SIGINT)
    code, report, err = await ended(process)
    assert (code, report["delivered"], report["left"]) == (130, 5, 7)
    emulator.faults.remove(fault.id)
    code, report, err = await ended(await start_monitor(*arguments))
    assert (code, report["delivered_before"], report["delivered"]) == (0, 5, 7)
    assert re.search(
        r"going on: what the journal '[^']+\.journal' has as delivered is not sent again \(--fresh sends everything\)\n",
        err,
    )
    found = stored_names(emulator)
    assert (len(found), set(found.values())) == (COUNT, {1})


async def test_the_journal_may_be_elsewhere(tmp_path, emulator, start_monitor):
    """`--journal FILE` belongs to one input; `--fresh` sends everything again."""
    pictures(tmp_path / "images", 2)
    results = [{"file_name": "001.jpg", "category_id": 1, "bbox": [1, 2, 3, 4], "score": 0.5}]
    for name in ("r.json", "other.json"):
        (tmp_path / name).write_text(json.dumps(results))
    usual = ["--coco", "r.json", "--images", "images", "--class-numbers"]
    for options, before in (
        (["--journal", "j"], 0), (["--journal", "j"], 1), (["--journal", "j", "--fresh"], 0),
    ):  # fmt: skip
        code, report, _ = await ended(await start_monitor(*usual, *options))
        assert (code, report["delivered_before"]) == (0, before)
    assert stored_names(emulator) == {"001.jpg": 2}
    process = await start_monitor("--coco", "other.json", *usual[2:], "--journal", "j")
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
