"""`picsellia-async monitor` that ends before its input is delivered: what it counts, and how it says to go on."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import sys

import pytest

from picsellia_async._delivery.spool import disk
from picsellia_async.cli.main import main
from picsellia_async.emulator import Fault

from ..support.client import first_fault, stored_names
from ..support.monitor_inputs import arguments_of, write_manifest
from ..support.sources import encoded

pytestmark = pytest.mark.anyio

MANY = 450
"""More than are handed to the uploader and read ahead of it."""
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="signals and files of POSIX")


@POSIX
@pytest.mark.parametrize("kind", ["manifest", "coco", "yolo"])
async def test_the_account_of_an_interrupted_run_has_every_item(tmp_path, emulator, start_monitor, kind):
    """Delivered, refused, left and not read are all items of the input: what was only read ahead counts as not read."""
    emulator.faults.add(Fault(kind="status", endpoint="monitor", status=503, skip=5))
    process = await start_monitor(
        *arguments_of(kind, tmp_path / "day", MANY), "--close-timeout", "0.2", "--concurrency", "1"
    )
    await first_fault(emulator)
    process.send_signal(signal.SIGINT)
    out, err = await process.communicate()
    report = json.loads(out)
    told = re.search(r"(\d+) refused and (\d+) left, (\d+) not read: the same command tries them again", err.decode())
    assert told is not None
    assert report["delivered"] + sum(map(int, told.groups())) == MANY
    assert report["not_read"] == int(told[3])


async def test_skipped_items_are_not_left_to_be_read(tmp_path, monitor):
    """With and without a limit: what was skipped is counted, and the run that read all says nothing of how to go on."""
    manifest = write_manifest(tmp_path / "day")
    lines = manifest.read_text().splitlines()
    manifest.write_text("\n".join(["bad", *lines]))
    for options, delivered in ((["--limit", 4], 4), ([], 2)):
        code, report, err = await monitor("--manifest", manifest, "--skip-bad", *options)
        assert (code, report["skipped"], report["delivered"], report["not_read"]) == (1, 1, delivered, 0)
        assert "the same command" not in err


@pytest.mark.parametrize("options", [[], ["-v"], ["--dry-run"], ["--spool", "s"]])
async def test_the_error_that_stops_a_run_is_said_once(tmp_path, emulator, environment, options):
    """By the report; as JSON, which is on stdout, stderr has the line of the log."""
    manifest = write_manifest(tmp_path / "day")
    lines = manifest.read_text().splitlines()
    manifest.write_text("\n".join([*lines[:2], "bad", *lines[2:]]))
    arguments = [
        sys.executable,
        "-m",
        "picsellia_async.cli",
        "monitor",
        emulator.deployment_name,
        "--manifest",
        str(manifest),
    ]
    for form in ([], ["--json"]):
        process = await asyncio.create_subprocess_exec(
            *arguments, *options, *form, cwd=tmp_path, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        out, err = (one.decode() for one in await process.communicate())
        assert process.returncode == 1
        assert err.count("line 3: no JSON") == (0 if form and "--dry-run" in options else 1)
        assert ("stopped: SourceError" in err) == (not form)
        assert not form or "line 3: no JSON" in json.loads(out)["error"]


async def test_a_bad_line_stops_the_same_command_again(tmp_path, monitor):
    """It says so, and that --skip-bad goes on; what is behind the line is not read, whether it was delivered before or not."""
    manifest = write_manifest(tmp_path / "day")
    await monitor("--manifest", manifest)
    manifest.write_text("bad\n" + manifest.read_text())
    code, _, err = await monitor("--manifest", manifest)
    assert code == 1
    assert "7 not read: the same command stops there again, and --skip-bad goes on behind it" in err
    assert "tries them again" not in err
    code, out, _ = await monitor("--manifest", manifest, "--skip-bad", as_text=True)
    assert (code, "1 skipped, 6 delivered before" in out) == (1, True)


async def test_what_another_input_delivered_is_not_said_to_be_of_this_one(tmp_path, emulator, monitor):
    """The same lines beside other pictures begin with a copied journal, of which nothing is in the input."""
    manifest = write_manifest(tmp_path / "one")
    await monitor("--manifest", manifest)
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    for number, path in enumerate(sorted((tmp_path / "two").glob("*.jpg"))):
        path.write_bytes(encoded(value=100 + number))
    code, out, err = await monitor("--manifest", tmp_path / "two" / "m.jsonl", as_text=True)
    assert (code, out) == (0, "6 of 6 delivered, 0 refused, 0 dropped, 0 left in the spool, 0 skipped\n")
    assert "delivered before" not in err


@POSIX
async def test_a_journal_that_is_removed_meanwhile_is_told(tmp_path, emulator, start_monitor, monitor):
    """Exit code 1, with the option by which nothing is stored twice, and no word of going on without it."""
    manifest, journal = write_manifest(tmp_path / "day"), tmp_path / "j"
    fault = emulator.faults.add(Fault(kind="status", endpoint="monitor", status=503))
    process = await start_monitor("--manifest", manifest, "--journal", journal)
    await first_fault(emulator)
    journal.unlink()
    emulator.faults.remove(fault.id)
    out, err = await process.communicate()
    assert process.returncode == 1
    assert "was removed, moved or replaced" in json.loads(out)["error"]
    assert "--look-up has a run ask" in json.loads(out)["error"]
    assert "goes on from here" not in err.decode()
    code, _, _ = await monitor("--manifest", manifest, "--journal", journal, "--look-up")
    assert code == 0
    assert stored_names(emulator) == {f"{n:03d}.jpg": 1 for n in range(6)}


async def test_an_outage_ends_a_command_whose_frames_lie_in_a_spool(tmp_path, emulator, monitor):
    """Exit code 1 once the close timeout is over; it says how what is left is delivered, and so it is."""
    spool = tmp_path / "spool"
    fault = emulator.faults.add(Fault(kind="status", endpoint="monitor", status=503))
    manifest = write_manifest(tmp_path / "day")
    code, out, err = await monitor("--manifest", manifest, "--spool", spool, "--close-timeout", "0.2", as_text=True)
    assert (code, out) == (1, "0 of 6 delivered, 0 refused, 0 dropped, 6 left in the spool, 0 skipped\n")
    assert "  6 left in the spool" in err
    assert f"`picsellia-async replay {spool}` delivers them" in err
    emulator.faults.remove(fault.id)
    assert await asyncio.to_thread(main, ["replay", str(spool)]) == 0
    assert len(emulator.predictions()) == 6


@POSIX
async def test_an_interrupt_before_the_first_item_says_how_to_go_on(tmp_path, start_monitor):
    """That the input is still looked at is told, and at the end that nothing delivered before is sent again."""
    arguments = [*arguments_of("coco", tmp_path / "day", 3), "--journal", "j"]
    process = await start_monitor(*arguments)
    await process.communicate()
    (tmp_path / "day/r.json").unlink()
    os.mkfifo(tmp_path / "day/r.json")  # reading waits for a writer
    process = await start_monitor(*arguments)
    line = await process.stderr.readline()
    assert b"the input is looked at as a whole before its first item is sent" in line
    process.send_signal(signal.SIGINT)
    await process.stderr.readline()
    os.close(os.open(tmp_path / "day/r.json", os.O_WRONLY | os.O_NONBLOCK))
    out, err = await process.communicate()
    assert (process.returncode, json.loads(out)["not_read"]) == (130, None)
    told = "0 refused and 0 left, the rest not read: the same command tries them again, and nothing that was delivered before"
    assert told in err.decode()


async def test_what_is_not_read_is_told_without_a_journal_too(tmp_path, monitor):
    """And that the same command begins anew."""
    manifest = write_manifest(tmp_path / "day")
    lines = manifest.read_text().splitlines()
    manifest.write_text("\n".join([*lines[:2], "bad", *lines[2:]]))
    code, report, err = await monitor("--manifest", manifest, "--no-journal")
    assert (code, report["delivered"], report["not_read"]) == (1, 2, 5)
    assert (
        "5 not read: the same command stops there again, and --skip-bad goes on behind it; without a journal it sends all"
        in err
    )
    code, report, err = await monitor("--manifest", manifest, "--no-journal", "--skip-bad")
    assert (code, report["not_read"]) == (1, 0)
    assert "not read" not in err


@pytest.mark.parametrize("options", [[], ["--no-journal"]])
async def test_what_is_wrong_with_a_whole_file_is_not_said_to_be_skipped(tmp_path, monitor, options):
    """Boxes in another order: skipping bad items does not pass it over, and is refused in the same way."""
    manifest = write_manifest(tmp_path / "day")
    manifest.write_text(manifest.read_text().replace("[1, 2, 30, 40]", "[10, 2, 60, 40]"))
    for more in ([], ["--skip-bad"]):
        code, _, err = await monitor("--manifest", manifest, *options, *more)
        assert code == 1
        assert "6 not read: the same command stops there again" in err
        assert "--skip-bad" not in err


@pytest.mark.parametrize(("place", "is_first"), [(0, True), (2, False)])
async def test_where_the_first_item_is_bad_all_may_be(tmp_path, monitor, place, is_first):
    """As where a file as a whole has no names of classes: then skipping leaves nothing, and a dry run tells."""
    arguments = arguments_of("yolo", tmp_path / "day", 6)
    sorted((tmp_path / "day" / "labels").iterdir())[place].write_text("1 0.5 0.5 0.2 0.2\n")
    _, _, err = await monitor(*arguments)
    assert "the same command stops there again, and --skip-bad goes on behind it" in err
    assert ("unless all are bad like this first one: --skip-bad --dry-run counts them" in err) == is_first


@pytest.mark.parametrize("as_text", [False, True])
async def test_what_a_full_disk_keeps_from_a_spool_is_counted_as_not_read(
    tmp_path, monitor, monkeypatch, caplog, as_text
):
    """Of the items that there are; the frame that found no room is told with the error, and how to go on."""
    monkeypatch.setattr(disk, "free_bytes", lambda _: 0)
    manifest = write_manifest(tmp_path / "day")
    count = len(manifest.read_text().splitlines())
    code, report, err = await monitor(
        "--manifest", manifest, "--spool", tmp_path / "spool", "--close-timeout", "1", as_text=as_text
    )
    assert code == 1
    if not as_text:
        assert (report["accepted"], report["refused"], report["not_read"]) == (0, 1, count)
    assert (
        f"{count} not read: the same command tries them again; without a journal it sends all from the beginning" in err
    )
    assert "an uploader closed with 1 frame not delivered: 1 not taken (`submit` raised)" in caplog.text
