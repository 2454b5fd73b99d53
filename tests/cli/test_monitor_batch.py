"""`picsellia-async monitor` as a batch: what it tells, which items it takes, a trial without sending, and what failed as a manifest."""

from __future__ import annotations

import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from picsellia_async.cli import batch
from picsellia_async.emulator import Fault

from ..support.client import stored_names

pytestmark = pytest.mark.anyio

DETECTION = {"detection_classes": [0], "detection_boxes": [[1, 2, 30, 40]], "detection_scores": [0.5]}


@pytest.fixture
def manifest_file(tmp_path):
    """Six images and their manifest."""
    for number in range(6):
        cv2.imwrite(str(tmp_path / f"{number}.jpg"), np.full((48, 64, 3), 40 * number, np.uint8))
    path = tmp_path / "m.jsonl"
    lines = [{"image": f"{number}.jpg", "prediction": DETECTION, "tags": ["belt"]} for number in range(6)]
    path.write_text("\n".join(map(json.dumps, lines)))
    return path


async def test_the_first_line_tells_where_and_how_many(emulator, client, monitor, manifest_file):
    """Host, organization, deployment, items, and the journal by which the command goes on."""
    first = f"{emulator.url}, organization {client.name}, deployment {emulator.deployment_name}: 6 items"
    for limit, before, end in ((4, 0, "4 items\n"), (6, 4, "6 items, going on: what the journal ")):
        code, report, err = await monitor("--manifest", manifest_file, "--limit", limit)
        assert (code, report["delivered_before"]) == (0, before)
        assert err.startswith(first.replace("6 items", end))
    assert re.search(
        r"what the journal '[^']+\.journal' has as delivered is not sent again \(--fresh sends everything\)\n", err
    )


async def test_items_can_be_limited_and_tagged(monitor, manifest_file, client, emulator):
    """`--limit` reads so many; `--tag` adds to what an item has."""
    code, report, _ = await monitor("--manifest", manifest_file, "--limit", 2, "--tag", "night", "--tag", "belt")
    assert (code, report["items"], report["delivered"]) == (0, 2, 2)
    deployment = await client.get_deployment(emulator.deployment_name)
    tags = [{tag.name for tag in asset.description.data.tags} for asset in await deployment.list_predicted_assets()]
    assert tags == [{"belt", "night"}] * 2


async def test_a_dry_run_checks_everything_and_sends_nothing(monitor, emulator, manifest_file, tmp_path):
    """What would be refused is named, and the journal knows nothing of it."""
    code, report, _ = await monitor("--manifest", manifest_file, "--dry-run")
    assert (code, report["items"], report["cannot_be_sent"]) == (0, 6, 0)
    lines = manifest_file.read_text().splitlines()
    lines[1] = json.dumps({"image": "1.jpg", "prediction": {**DETECTION, "detection_classes": [4000]}})
    lines[2] = json.dumps({"image": "gone.jpg", "prediction": DETECTION})
    manifest_file.write_text("\n".join(lines))
    (tmp_path / "3.jpg").write_bytes(b"\xff\xd8" + b"no image" * 20)
    code, report, _ = await monitor("--manifest", manifest_file, "--dry-run", "--skip-bad")
    assert (code, report["items"], report["cannot_be_sent"], report["skipped"]) == (1, 4, 1, 2)
    assert "4000" in report["cannot"][0]
    assert "--class-numbers" in report["cannot"][0]
    assert "await" not in report["cannot"][0]
    assert not emulator.predictions()
    assert not list((tmp_path / "state").rglob("*.journal"))


async def test_images_of_another_folder_than_the_rest_are_told(monitor, tmp_path, caplog):
    """They are sent, or would be: name and file are in the JSON, and one warning names them."""
    box = {"category_id": 0, "bbox": [1, 2, 30, 40], "score": 0.5}
    for name in ("a_1.jpg", "a_2.jpg", "b/b_1.jpg"):
        (tmp_path / "i" / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(tmp_path / "i" / name), np.full((48, 64, 3), 90, np.uint8))
    names = ("a_1.jpg", "a_2.jpg", "b_1.jpg")
    (tmp_path / "r.json").write_text(json.dumps([{"file_name": name, **box} for name in names]))
    arguments = ("--coco", tmp_path / "r.json", "--images", tmp_path / "i", "--class-numbers")
    for more in (["--dry-run"], []):
        caplog.clear()
        code, report, _ = await monitor(*arguments, *more)
        assert (code, report["elsewhere"], report["skipped"]) == (0, {"b_1.jpg": "b/b_1.jpg"}, 0)
        assert len([one for one in caplog.messages if "'b_1.jpg' as 'b/b_1.jpg'" in one]) == 1
    assert report["delivered"] == 3


async def test_boxes_that_may_be_in_smaller_pixels_are_told(monitor, tmp_path, caplog):
    """They are sent, or would be: the JSON has it, and one warning."""
    for number in range(20):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((480, 640, 3), 90, np.uint8))
    results = [  # each at a place of its own, in all columns and rows of the left upper quarter
        {"file_name": f"{n % 20}.png", "category_id": 0, "score": 0.5, "bbox": [37 * n % 271, 53 * n % 191, 48, 48]}
        for n in range(160)
    ]
    (tmp_path / "r.json").write_text(json.dumps(results))
    code, report, _ = await monitor("--coco", tmp_path / "r.json", "--images", tmp_path, "--class-numbers", "--dry-run")
    assert code == 0
    assert len(report["warnings"]) == 1
    assert "pixels of a smaller size" in report["warnings"][0]
    assert len([one for one in caplog.messages if "pixels of a smaller size" in one]) == 1


async def test_failures_can_be_sent_once_repaired(monitor, emulator, manifest_file, tmp_path):
    """Refused frames and bad lines are lines of a manifest with the reason; repaired and fed back, each is stored once."""
    picture = (tmp_path / "3.jpg").read_bytes()
    (tmp_path / "3.jpg").write_bytes(b"no image")
    refusal = emulator.faults.add(Fault(kind="status", endpoint="monitor", status=422, times=2))
    (tmp_path / "out").mkdir()
    failed = tmp_path / "out" / "failed.jsonl"
    code, report, err = await monitor(
        "--manifest", manifest_file, "--skip-bad", "--failures", failed, "--concurrency", 1
    )
    assert (code, report["delivered"], report["rejected"], report["skipped"]) == (1, 3, 2, 1)
    assert f"3 failures in {str(failed)!r}: once repaired, `picsellia-async monitor" in err
    lines = {Path(line["image"]).name: line for line in map(json.loads, failed.read_text().splitlines())}
    assert set(lines) == {"3.jpg", *({f"{number}.jpg" for number in range(6)} - set(stored_names(emulator)))}
    assert all(line["reason"] for line in lines.values())
    (tmp_path / "3.jpg").write_bytes(picture)
    emulator.faults.remove(refusal.id)
    code, report, _ = await monitor("--manifest", failed, "--outside", "--failures", tmp_path / "again.jsonl")
    assert (code, report["delivered"]) == (0, 3)
    assert (tmp_path / "again.jsonl").read_text() == ""
    assert stored_names(emulator) == {f"{number}.jpg": 1 for number in range(6)}


async def test_a_failure_keeps_what_the_frame_said(monitor, emulator, manifest_file, tmp_path):
    """Every field travels: what is stored after the failure file was sent is what would have been stored."""
    line = {
        "image": "0.jpg", "filename": "belt/0.jpg", "prediction": {**DETECTION, "detection_texts": ["x"]}, "latency": 0.25,
        "timestamp": 1.7e9, "source": "gate", "tags": ["a"], "custom_metadata": {"k": [1]},
        "id": "5e1c6d0c-6a3f-4f0e-9a52-0d3a54f0a111",
    }  # fmt: skip
    manifest_file.write_text(json.dumps(line))
    emulator.faults.add(Fault(kind="status", endpoint="monitor", status=422, times=1))
    failed = tmp_path / "failed.jsonl"
    assert (await monitor("--manifest", manifest_file, "--failures", failed))[0] == 1
    assert json.loads(failed.read_text()) == line | {
        "width": 64, "height": 48, "content_type": "image/jpeg", "prediction": {"type": "OBJECT_DETECTION", **line["prediction"]},
        "reason": json.loads(failed.read_text())["reason"],
    }  # fmt: skip
    assert (await monitor("--manifest", failed))[0] == 0
    (item,) = emulator.predictions()
    assert item["filename"] == "belt/0.jpg"


async def test_an_empty_journal_is_told_and_the_platform_asked(monitor, emulator, manifest_file, tmp_path):
    """What a full disk leaves of a journal says nothing; with `--look-up` nothing is stored twice."""
    journal = tmp_path / "j"
    assert (await monitor("--manifest", manifest_file, "--journal", journal))[0] == 0
    journal.write_bytes(b"")
    code, report, err = await monitor("--manifest", manifest_file, "--journal", journal, "--look-up")
    assert f"the journal {str(journal)!r} is empty" in err
    assert (code, report["delivered_before"]) == (0, 6)
    assert stored_names(emulator) == {f"{number}.jpg": 1 for number in range(6)}


async def test_what_was_delivered_can_be_verified(monitor, emulator, client, manifest_file):
    """`--verify` tells what is there and what is not, of all runs; exit code 1 where something is missing."""
    code, report, err = await monitor("--manifest", manifest_file, "--verify")
    assert (code, report["verified"]["seen"], report["verified"]["missing"]) == (0, 6, [])
    assert "verified: 6 delivered, 6 of them seen on the platform, 0 not\n" in err
    deployment = await client.get_deployment(emulator.deployment_name)
    await (await deployment.find_predicted_asset(filename="4.jpg")).delete()
    code, report, _ = await monitor("--manifest", manifest_file, "--verify")
    assert (code, report["verified"]["seen"], len(report["verified"]["missing"])) == (1, 5, 1)


async def test_what_is_there_twice_is_counted_and_no_failure(monitor, manifest_file):
    """`--fresh` sends everything again, as it was asked to: nothing is missing."""
    assert (await monitor("--manifest", manifest_file))[0] == 0
    code, report, err = await monitor("--manifest", manifest_file, "--fresh", "--verify")
    assert (code, report["verified"]["more_than_once"]) == (0, 6)
    assert "verified: 6 delivered, 6 of them seen on the platform, 0 not, 6 more than once\n" in err


async def test_progress_is_told_where_there_is_no_terminal(monitor, emulator, manifest_file, monkeypatch):
    """A line from time to time: of how many, what is under way, what was refused."""
    monkeypatch.setattr(batch, "TOLD_SECONDS", 0.01)
    emulator.faults.add(Fault(kind="latency", endpoint="monitor", seconds=0.1))
    code, _, err = await monitor("--manifest", manifest_file, "--concurrency", 1)
    assert code == 0
    assert re.search(r"^[1-5] of 6 delivered, [1-5] under way, 0 refused$", err, re.MULTILINE)


@pytest.mark.parametrize("where", ["input", "folder", "nowhere"])
async def test_a_failure_file_that_cannot_be_written_is_refused(monitor, emulator, manifest_file, tmp_path, where):
    """Above all the manifest that is read."""
    path = {"input": manifest_file, "folder": tmp_path, "nowhere": tmp_path / "no" / "f.jsonl"}[where]
    before = manifest_file.read_text()
    code, report, err = await monitor("--manifest", manifest_file, "--failures", path)
    assert (code, report) == (2, None)
    assert "--failures" in err
    assert manifest_file.read_text() == before
    assert not emulator.predictions()
