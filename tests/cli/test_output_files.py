"""Files that the command line writes: never one that is read, nor one that something else wrote."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from picsellia_async.cli.failure_file import FailureFile
from picsellia_async.cli.main import main
from picsellia_async.jobs import predict

from ..support.sources import encoded

pytestmark = pytest.mark.anyio

LABEL = "0 0.5 0.5 0.2 0.4 0.9\n"


@pytest.fixture
def run(emulator, monkeypatch, capsys, tmp_path):
    """Return what runs a command in this process, and returns exit code and stderr."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))

    async def ran(command, *arguments):
        account = ["--host", emulator.url, "--api-token", emulator.api_token]
        code = await asyncio.to_thread(main, [command, emulator.deployment_name, *map(str, arguments), *account])
        return code, capsys.readouterr().err

    return ran


@pytest.fixture
def folder(tmp_path):
    """An image with a label file, and the same as COCO results with their annotations."""
    for name in ("images", "labels"):
        (tmp_path / name).mkdir()
    (tmp_path / "images/a.jpg").write_bytes(encoded(64, 48))
    (tmp_path / "labels/a.txt").write_text(LABEL)
    (tmp_path / "images/empty.jpg").write_bytes(encoded(64, 48))
    (tmp_path / "labels/empty.txt").touch()
    (tmp_path / "names.txt").write_text("person\n")
    (tmp_path / "map.json").write_text('{"0": 0}')
    os.link(tmp_path / "labels/a.txt", tmp_path / "link.txt")
    result = {"image_id": 1, "category_id": 0, "bbox": [1, 2, 3, 4], "score": 0.5}
    (tmp_path / "r.json").write_text(json.dumps([result]))
    (tmp_path / "a.json").write_text(json.dumps({"images": [{"id": 1, "file_name": "a.jpg"}]}))
    return tmp_path


YOLO = ("--yolo", "labels", "--images", "images")
COCO = ("--coco", "r.json", "--annotations", "a.json", "--images", "images", "--class-numbers")


@pytest.mark.parametrize("option", ["--failures", "--journal"])
@pytest.mark.parametrize(
    ("source", "written"),
    [
        (YOLO, "labels/a.txt"), (YOLO, "labels/empty.txt"), (YOLO, "link.txt"), (YOLO, "images/a.jpg"),
        ((*YOLO, "--names", "names.txt"), "names.txt"), ((*YOLO, "--categories", "map.json"), "map.json"),
        (COCO, "r.json"), (COCO, "a.json"),
    ],
)  # fmt: skip
async def test_an_input_is_never_written(run, folder, option, source, written, monkeypatch):
    """Whatever is read, by whichever name: refused before it is opened, and as it was."""
    monkeypatch.chdir(folder)
    before = (folder / written).read_bytes()
    code, err = await run("monitor", *source, option, written)
    assert code == 2
    assert f"{option}: {written!r} is" in err
    assert (folder / written).read_bytes() == before


async def test_a_file_of_another_kind_is_not_replaced_by_failures(run, folder, monkeypatch):
    """Only what an earlier run wrote is; and it stays until something is known of this one."""
    monkeypatch.chdir(folder)
    source = (*YOLO, "--class-numbers", "--no-journal")
    for text in ("a note\n", '{"image": "a.jpg"}\n', "\n"):
        (folder / "failed.jsonl").write_text(text)
        code, err = await run("monitor", *source, "--failures", "failed.jsonl")
        assert (code, "is there and no file of failures" in err) == (2, True)
        assert (folder / "failed.jsonl").read_text() == text
    earlier = '{"image": "a.jpg", "reason": "why"}\n'
    (folder / "images/failed.jsonl").write_text(earlier)  # beside the images it is no image
    code, _ = await run("monitor", *source, "--failures", "images/failed.jsonl", "--organization-id", "nobody's")
    assert (code, (folder / "images/failed.jsonl").read_text()) == (2, earlier)
    code, _ = await run("monitor", *source, "--failures", "images/failed.jsonl")
    assert (code, (folder / "images/failed.jsonl").read_text()) == (0, "")
    assert sorted(path.name for path in (folder / "images").iterdir()) == ["a.jpg", "empty.jpg", "failed.jsonl"]


@pytest.mark.parametrize("fresh", [(), ("--fresh",)], ids=["going on", "fresh"])
async def test_results_take_no_file_that_predict_did_not_write(run, folder, deployment, fresh, monkeypatch):
    """An image, names without an end of line, and a manifest of one's own are refused, and stay as they are."""
    monkeypatch.chdir(folder)
    manifest = {"image": "images/a.jpg", "prediction": {"detection_classes": [], "detection_boxes": []}}
    (folder / "own.jsonl").write_text(json.dumps(manifest) + "\n")
    (folder / "unended.txt").write_text("person")
    for name in ("own.jsonl", "unended.txt", "names.txt", "images/a.jpg"):
        before = (folder / name).read_bytes()
        code, err = await run("predict", "images", "--results", name, *fresh)
        assert code == 2, name
        assert "is no result that predict wrote" in err or "is an input" in err
        assert (folder / name).read_bytes() == before
    await predict([], deployment, results=folder / "new.jsonl")
    for _ in range(2):
        assert (await run("predict", "images", "--results", "new.jsonl", *fresh))[0] == 0
    assert len((folder / "new.jsonl").read_text().splitlines()) == 2


FULL = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device that is always full")  # noqa: PTH110


@FULL
def test_a_failure_file_on_a_full_disk_is_told_once(capsys):
    """The run goes on and has its account: only the list of what failed is not whole."""
    with FailureFile(Path("/dev/full"), Path("in.jsonl"), {}) as failures:
        for number in range(3):
            failures.skipped("cut off", f'{{"image": "{number}.jpg"}}')
    assert capsys.readouterr().err == "--failures: '/dev/full' cannot be written any further: No space left on device\n"
    assert failures.count == 0


@FULL
def test_output_on_a_full_disk_is_one_line_and_code_1():
    """No traceback where what the command says cannot be written."""
    command = [
        sys.executable,
        "-m",
        "picsellia_async.cli",
        "doctor",
        "--host",
        "http://127.0.0.1:1",
        "--api-token",
        "t",
    ]
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (1, "picsellia-async doctor: [Errno 28] No space left on device\n")
