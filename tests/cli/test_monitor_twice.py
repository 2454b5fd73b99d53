"""The same frames given to `monitor` a second time, in another place or while they wait in a spool, are not stored twice."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import sqlite3
import sys
from collections import Counter

import pytest

from picsellia_async.emulator import Fault
from picsellia_async.spools import read_contents

from ..support.client import first_fault, stored_names
from ..support.monitor_inputs import PREDICTION
from ..support.sources import encoded

pytestmark = pytest.mark.anyio


@pytest.fixture
def day(tmp_path):
    """A folder with a manifest of six pictures, of which half have ids of their own."""
    folder = tmp_path / "day"
    folder.mkdir()
    for number in range(6):
        (folder / f"{number}.jpg").write_bytes(encoded(value=number))
    write(folder / "m.jsonl", range(6))
    return folder


def write(path, numbers):
    ids = {number: {"id": f"5e1c6d0c-6a3f-4f0e-9a52-0d3a54f0a00{number}"} for number in numbers if number % 2}
    lines = [{"image": f"{number}.jpg", "prediction": PREDICTION, **ids.get(number, {})} for number in numbers]
    path.write_text("\n".join(map(json.dumps, lines)))


EACH_ONCE = Counter(f"{number}.jpg" for number in range(6))


async def test_a_manifest_that_was_moved_goes_on(tmp_path, day, emulator, monitor):
    """With its pictures or without them, copied once more, and with another line by then: what was delivered is known."""
    emulator.faults.add(Fault(kind="status", endpoint="monitor", status=422, times=2))
    code, report, _ = await monitor("--manifest", day / "m.jsonl", "--concurrency", "1")
    assert (code, report["delivered"]) == (1, 4)
    shutil.move(day, tmp_path / "moved")
    code, report, err = await monitor("--manifest", tmp_path / "moved" / "m.jsonl")
    assert (code, report["delivered_before"], report["delivered"]) == (0, 4, 2)
    assert f"the manifest is that of '--manifest {day / 'm.jsonl'}' in another place" in err
    shutil.copy(tmp_path / "moved" / "m.jsonl", tmp_path / "moved" / "copy.jsonl")
    code, report, err = await monitor("--manifest", tmp_path / "moved" / "copy.jsonl")
    assert (code, report["delivered_before"], report["delivered"]) == (0, 6, 0)
    assert stored_names(emulator) == EACH_ONCE
    (tmp_path / "moved" / "6.jpg").write_bytes(encoded(value=6))
    write(tmp_path / "moved" / "copy.jsonl", range(7))
    code, report, err = await monitor("--manifest", tmp_path / "moved" / "copy.jsonl")
    assert (code, report["delivered_before"], report["delivered"]) == (0, 6, 1)
    assert "in another place" not in err


async def test_a_copied_manifest_can_be_sent_anew(tmp_path, day, emulator, monitor):
    """`--fresh` takes nothing over."""
    await monitor("--manifest", day / "m.jsonl")
    shutil.copy(day / "m.jsonl", day / "copy.jsonl")
    code, report, _ = await monitor("--manifest", day / "copy.jsonl", "--fresh")
    assert (code, report["delivered_before"], report["delivered"]) == (0, 0, 6)
    assert set(stored_names(emulator).values()) == {2}


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
async def test_a_second_run_into_a_spool_is_refused_while_frames_of_the_first_wait(
    tmp_path, day, emulator, start_monitor, monitor
):
    """It says how many and what delivers them; another input is taken, and so is the same one when none waits."""
    spool = tmp_path / "spool"
    outage = emulator.faults.add(Fault(kind="status", endpoint="monitor", status=503))
    process = await start_monitor("--manifest", day / "m.jsonl", "--spool", spool, "--close-timeout", "0")
    await first_fault(emulator)
    process.send_signal(signal.SIGINT)
    assert await process.wait() == 130
    waiting = len(read_contents(spool).frames)
    assert waiting
    shutil.copy(day / "m.jsonl", day / "copy.jsonl")
    code, _, err = await monitor("--manifest", day / "copy.jsonl", "--spool", spool)
    assert code == 2
    assert f"{waiting} frames wait in" in err
    assert f"`picsellia-async replay {spool}` delivers them" in err
    emulator.faults.remove(outage.id)
    (day / "6.jpg").write_bytes(encoded(value=6))
    write(day / "next.jsonl", [6])
    code, report, _ = await monitor("--manifest", day / "next.jsonl", "--spool", spool)
    assert (code, report["delivered"]) == (0, waiting + 1)
    assert set(stored_names(emulator).values()) == {1}
    assert (await monitor("--manifest", day / "next.jsonl", "--spool", spool))[0] == 0


async def test_frames_with_ids_of_their_own_go_through_a_spool(tmp_path, day, emulator, monitor):
    """As all others do: the id is that of the line, whatever reads it."""
    code, report, _ = await monitor("--manifest", day / "m.jsonl", "--spool", tmp_path / "spool")
    assert (code, report["delivered"], report["rejected"]) == (0, 6, 0)
    assert stored_names(emulator) == EACH_ONCE


async def test_a_manifest_in_a_third_place_knows_what_both_others_delivered(tmp_path, day, emulator, monitor):
    """Also where a trial with `--limit` was made in one of them."""
    await monitor("--manifest", day / "m.jsonl", "--limit", "1")
    for name in ("b", "c"):
        shutil.copy(day / "m.jsonl", day / f"{name}.jsonl")
        code, _, _ = await monitor("--manifest", day / f"{name}.jsonl", *(["--limit", "2"] if name == "b" else []))
        assert code == 0
    assert stored_names(emulator) == EACH_ONCE


async def test_a_manifest_whose_journal_is_of_another_format_is_sent_all_the_same(tmp_path, day, emulator, monitor):
    """The former journal is told as one that cannot be read; with `--look-up` nothing is stored twice."""
    await monitor("--manifest", day / "m.jsonl")
    (journal,) = (tmp_path / "state").rglob("*.journal")
    with contextlib.closing(sqlite3.connect(journal, isolation_level=None)) as file:
        file.execute("UPDATE facts SET value = '0' WHERE name = 'format'")
    shutil.copy(day / "m.jsonl", day / "copy.jsonl")
    code, report, err = await monitor("--manifest", day / "copy.jsonl", "--look-up")
    assert "the manifest is known, but what was delivered is not" in err
    assert f"{str(journal)!r} is of format '0'" in err
    assert (code, report["delivered_before"]) == (0, 6)
    assert stored_names(emulator) == EACH_ONCE


async def test_a_pause_that_the_service_asks_for_is_no_outage(tmp_path, day, emulator, monitor):
    """With a spool the command goes on behind it, however short `--close-timeout` is."""
    emulator.faults.add(Fault(kind="status", endpoint="monitor", status=429, times=2, retry_after=2.0))
    code, report, _ = await monitor(
        "--manifest", day / "m.jsonl", "--spool", tmp_path / "spool", "--close-timeout", "0.2"
    )
    assert (code, report["delivered"]) == (0, 6)
