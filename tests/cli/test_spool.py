"""`picsellia-async spool` on a spool that holds pending and refused frames of the emulator's deployment."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re

import attrs
import pytest

from picsellia_async.cli.main import main
from picsellia_async.emulator import Fault
from picsellia_async.frames import Frame
from picsellia_async.predictions import DetectionPredictionFormat

from ..support.sources import encoded

pytestmark = pytest.mark.anyio

IMAGES = [encoded(value=number) for number in range(4)]


def frame(number):
    return Frame(
        image=IMAGES[number], filename=f"{number}.jpg", width=64, height=48, latency=0.02, source="gate" if number else None,
        prediction=DetectionPredictionFormat([0], [[1, 2, 30, 40]], [0.5]),
    )  # fmt: skip


@pytest.fixture
async def left(tmp_path, deployment, emulator):
    """A spool with two refused frames (0 and 1) and two pending ones, and their ids."""
    frames = [frame(number) for number in range(4)]
    emulator.faults.add(Fault(kind="status", status=413, endpoint="monitor", times=2))
    down = Fault(kind="status", status=503, endpoint="monitor", skip=0)
    async with deployment.uploader(spool=tmp_path / "spool", close_timeout=0.0, concurrency=1) as uploader:
        for one in frames[:2]:
            await (await uploader.submit(one))
        emulator.faults.add(down)
        for one in frames[2:]:
            await uploader.submit(one)
    emulator.faults.clear()
    return tmp_path / "spool", [str(one.id) for one in frames]


async def call(*arguments):
    """Run the command in a thread, which gets an event loop of its own."""
    return await asyncio.to_thread(main, [*map(str, arguments)])


def stored(emulator):
    return sorted(row.sha256 for row in emulator.state.store.predictions.select())


def digests(*numbers):
    return sorted(hashlib.sha256(IMAGES[number]).hexdigest() for number in numbers)


async def test_frames_are_counted_by_state_and_source_and_shown(left, emulator, deployment, capsys):
    """`list` counts with bytes and age, `show` names each with its reason; both as JSON too."""
    spool, ids = left
    assert await call("spool", "list", spool) == 0
    first, *rows, last = capsys.readouterr().out.splitlines()
    assert first == f"{spool}: deployment {deployment.id} at {emulator.url}"
    assert [re.sub(r"[\d.]+ KB, oldest [\d a-z]+, newest [\d a-z]+", "...", row) for row in rows] == [
        "  pending gate: 2 frames, ...", "  rejected (no source): 1 frames, ...", "  rejected gate: 1 frames, ...",
    ]  # fmt: skip
    assert last == "  2 pending, 2 rejected, damaged: 0"
    assert await call("spool", "list", spool, "--json") == 0
    assert [row["frames"] for row in json.loads(capsys.readouterr().out)["groups"]] == [2, 1, 1]

    assert await call("spool", "show", spool, "--state", "rejected", "--source", "gate") == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"{ids[1]} rejected ")
    assert " gate 1.jpg " in line
    assert "413" in line
    assert await call("spool", "show", spool, "--json", "--limit", 3) == 0
    out, err = capsys.readouterr()
    assert [json.loads(one)["id"] for one in out.splitlines()] == ids[:3]
    assert err == "1 more\n"
    assert await call("spool", "show", spool, "--older", 3600) == 0
    assert capsys.readouterr().out == ""


async def test_refused_frames_are_exported_sent_by_monitor_and_dropped(left, emulator, tmp_path, capsys):
    """The manifest is read by `monitor --manifest`; the commands that the export names do the rest."""
    spool, _ = left
    assert await call("spool", "export", spool, "--to", tmp_path / "out") == 0
    out, err = capsys.readouterr()
    assert out.startswith("2 frames exported to ")
    assert f"`picsellia-async spool drop {spool} --state rejected` deletes them here" in err
    account = ("--api-token", emulator.api_token, "--host", emulator.url, "--no-journal")
    assert (
        await call("monitor", emulator.deployment_name, "--manifest", tmp_path / "out" / "manifest.jsonl", *account)
        == 0
    )
    assert stored(emulator) == digests(0, 1)
    assert await call("spool", "drop", spool, "--state", "rejected") == 0
    assert capsys.readouterr().out.endswith("2 frames deleted from the spool\n")
    assert await call("replay", spool, "--api-token", emulator.api_token) == 0
    assert stored(emulator) == digests(0, 1, 2, 3)


async def test_names_and_reasons_are_shown_in_one_line_without_passwords(tmp_path, deployment, emulator, capsys):
    """A source is whatever the program called it; JSON has it as it is."""
    source = "user:pass-7xk@gate/1\nforged\x1b[31m\u202e"
    body = json.dumps({"detail": "no\x1b[2J\u2028line"}, ensure_ascii=False)
    emulator.faults.add(Fault(kind="status", status=422, endpoint="monitor", times=1, body=body))
    spool = tmp_path / "spool"
    async with deployment.uploader(spool=spool, close_timeout=0.0) as uploader:
        one = attrs.evolve(frame(0), source=source, checks="off")
        await (await uploader.submit(one))
    for action in (["list"], ["show"], ["explain"]):
        assert await call("spool", *action, spool, *([one.id] if action == ["explain"] else [])) == 0
        out = capsys.readouterr().out
        assert r"***@gate/1\nforged\x1b[31m\u202e" in out
        assert "pass-7xk" not in out
        assert all(line.isprintable() for line in out.split("\n"))
    assert await call("spool", "show", spool, "--json") == 0
    assert json.loads(capsys.readouterr().out)["source"] == source


async def test_requeued_frames_are_delivered_by_replay(left, emulator, capsys):
    """All that were refused, or one that is named; each is stored once."""
    spool, ids = left
    assert await call("spool", "requeue", spool, ids[0]) == 0
    assert capsys.readouterr().out.startswith("1 frames queued again: `picsellia-async replay ")
    assert await call("spool", "explain", spool, ids[0]) == 0
    assert "413" in capsys.readouterr().out
    assert await call("spool", "requeue", spool) == 0
    assert capsys.readouterr().out.startswith("1 frames queued again")
    assert await call("replay", spool, "--api-token", emulator.api_token) == 0
    assert stored(emulator) == digests(0, 1, 2, 3)


async def test_the_life_of_a_frame_is_told_from_its_record(left, emulator, capsys):
    """When and whence it came, where it is, what became of it and what can be done; by id or name."""
    spool, ids = left
    assert await call("spool", "explain", spool, "1.jpg") == 0
    told = capsys.readouterr().out
    assert told.startswith(f"frame {ids[1]}: 1.jpg\n  accepted 20")
    assert ", from source gate, as number 2, for deployment " in told
    assert "  was refused by the service: " in told
    assert f"`picsellia-async spool requeue {spool} {ids[1]}`" in told
    assert await call("spool", "explain", spool, ids[2]) == 0
    assert f"is pending: `picsellia-async replay {spool}`" in capsys.readouterr().out
    assert await call("replay", spool, "--api-token", emulator.api_token) == 0
    capsys.readouterr()
    assert await call("spool", "explain", spool, ids[2]) == 1
    assert "it was delivered, given up or deleted" in capsys.readouterr().err


async def test_a_spool_in_use_is_shown_and_not_changed(left, deployment, emulator, tmp_path, capsys):
    """`list`, `show` and `explain` read it; what would change it is refused, with the process that uses it."""
    spool, ids = left
    emulator.faults.add(Fault(kind="status", status=503, endpoint="monitor"))
    async with deployment.uploader(spool=spool, close_timeout=0.0):
        assert await call("spool", "list", spool) == 0
        assert re.search(r", in use by process \d+\n", capsys.readouterr().out)
        assert await call("spool", "show", spool) == 0
        assert await call("spool", "explain", spool, ids[2]) == 0
        assert re.search(r"is pending: process \d+ delivers it", capsys.readouterr().out)
        for action in (["requeue", spool], ["drop", spool, ids[0]], ["export", spool, "--to", tmp_path / "out"]):
            assert await call("spool", *action) == 1
            assert re.search(r"SpoolInUseError: the spool .* is in use by process \d+", capsys.readouterr().err)
    assert not (tmp_path / "out").exists()


async def test_what_cannot_be_done_is_bad_usage(left, tmp_path, capsys):
    """No spool, a frame that is not there, nothing said to be deleted: exit code 2, and nothing was changed."""
    spool, ids = left
    for arguments, words in (
        (("list", tmp_path / "none"), "there is no spool in"),
        (("requeue", spool, "nobody"), "has no frame 'nobody' that is rejected"),
        (("requeue", spool, ids[2]), "that is rejected"),
        (("drop", spool), "which frames are to be deleted?"),
    ):
        assert await call("spool", *arguments) == 2
        assert words in capsys.readouterr().err
    assert await call("spool", "list", spool) == 0
    assert capsys.readouterr().out.endswith("2 pending, 2 rejected, damaged: 0\n")
