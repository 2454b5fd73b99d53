"""`picsellia-async monitor` as a user runs it: real processes, real images, the emulator."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import re
import signal
import subprocess
import sys

import cv2
import numpy as np
import pytest

from picsellia_async.cli.main import main
from picsellia_async.emulator import Fault

pytestmark = pytest.mark.anyio

DETECTION = {"detection_classes": [1], "detection_boxes": [[1, 2, 30, 40]], "detection_scores": [0.5]}


@pytest.fixture
def images(tmp_path):
    """A folder with twelve images."""
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(12):
        cv2.imwrite(str(folder / f"{number:012d}.jpg"), np.full((48, 64, 3), 20 * number, np.uint8))
    return folder


@pytest.fixture
def manifest_file(tmp_path, images):
    """A manifest of them."""
    path = tmp_path / "m.jsonl"
    lines = [{"image": f"images/{n:012d}.jpg", "prediction": DETECTION, "source": "belt"} for n in range(12)]
    path.write_text("\n".join(map(json.dumps, lines)))
    return path


def environment(emulator, **more):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PICSELLIA")}
    return kept | {"PICSELLIA_TOKEN": emulator.api_token, "PICSELLIA_HOST": emulator.url} | more


def command(emulator, *arguments):
    return [sys.executable, "-W", "error", "-m", "picsellia_async.cli", "monitor", *map(str, arguments)]


async def monitor(emulator, *arguments):
    """Run the command; return exit code, stdout and stderr."""
    process = await asyncio.create_subprocess_exec(
        *command(emulator, *arguments), env=environment(emulator), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


async def stored(client, emulator):
    deployment = await client.get_deployment(emulator.deployment_name)
    return await deployment.list_predicted_assets()


async def test_a_manifest_is_delivered_without_noise(emulator, client, manifest_file):
    """Exit code 0, the report on stdout, and one line on a stderr that is no terminal: where it goes, and how much."""
    code, out, err = await monitor(emulator, emulator.deployment_name, "--manifest", manifest_file, "--json")
    assert code == 0
    assert err.endswith(f"deployment {emulator.deployment_name}: 12 items\n")
    assert err.count("\n") == 1
    report = json.loads(out)
    assert (report["accepted"], report["delivered"], report["skipped"], report["failures"]) == (12, 12, 0, [])
    assert (report["interrupted"], report["error"]) == (False, None)
    assert len(await stored(client, emulator)) == 12


@pytest.mark.skipif(sys.platform == "win32", reason="terminals of POSIX")
@pytest.mark.parametrize("switched_off", [False, True])
async def test_progress_on_a_terminal_has_a_switch(emulator, manifest_file, switched_off):
    """On a terminal the bar is shown, unless the environment says no."""
    ours, theirs = pty.openpty()
    more = {"PICSELLIA_ASYNC_NO_PROGRESS": "1"} if switched_off else {}
    process = await asyncio.create_subprocess_exec(
        *command(emulator, emulator.deployment_name, "--manifest", manifest_file),
        env=environment(emulator, TERM="xterm", **more), stdout=subprocess.DEVNULL, stderr=theirs,
    )  # fmt: skip
    os.close(theirs)

    def read():
        shown = b""
        try:
            while part := os.read(ours, 4096):
                shown += part
        except OSError:  # the other end is closed
            pass
        return shown

    shown = await asyncio.to_thread(read)
    assert await process.wait() == 0
    os.close(ours)
    assert (b"delivering" in shown) is not switched_off


async def test_coco_results_by_deployment_id(emulator, client, tmp_path, images):
    """By id; ids of images are the numbers in their names; images without result with --empty."""
    (tmp_path / "r.json").write_text(
        json.dumps([{"image_id": 3, "category_id": 0, "bbox": [1, 2, 3, 4], "score": 0.5}])
    )
    code, out, err = await monitor(
        emulator,
        emulator.deployment_id,
        "--coco",
        tmp_path / "r.json",
        "--images",
        images,
        "--source",
        "val",
        "--class-numbers",
    )
    assert code == 0
    assert "3 for '000000000003.jpg'" in err
    assert out == "1 of 1 delivered, 0 refused, 0 dropped, 0 left in the spool, 0 skipped\n"
    (asset,) = await stored(client, emulator)
    assert asset.filename == "000000000003.jpg"


async def test_yolo_labels(emulator, client, tmp_path, images):
    """One label file, and with --empty the eleven images without one."""
    labels = tmp_path / "labels"
    labels.mkdir()
    (labels / "000000000004.txt").write_text("0 0.5 0.5 0.5 0.5 0.9")
    code, out, _ = await monitor(
        emulator,
        emulator.deployment_name,
        "--yolo",
        labels,
        "--images",
        images,
        "--empty",
        "--class-numbers",
        "--concurrency",
        "auto",
        "--json",
    )
    assert (code, json.loads(out)["delivered"]) == (0, 12)


async def test_classes_of_coco_are_found_by_name(emulator, client, tmp_path, images):
    """A category id is never an index by silence: the file's names are looked up in the deployment's label map."""
    results = {
        "annotations": [{"file_name": "000000000003.jpg", "category_id": 91, "bbox": [1, 2, 3, 4], "score": 0.5}],
        "categories": [{"id": 91, "name": "car"}],
    }
    (tmp_path / "r.json").write_text(json.dumps(results))
    version = await (await client.get_deployment(emulator.deployment_name)).get_model_version()
    index, name = max(version.labels.items())
    assert int(index) > 0
    results["categories"][0]["name"] = name
    (tmp_path / "r.json").write_text(json.dumps(results))
    arguments = ("--coco", tmp_path / "r.json", "--images", images)
    code, _, err = await monitor(emulator, emulator.deployment_name, *arguments)
    assert (code, err.count("\n")) == (0, 1)
    (asset,) = await stored(client, emulator)
    assert asset.filename == "000000000003.jpg"
    (item,) = emulator.predictions()
    assert item["raw_predictions"]["detection_classes"] == [int(index)]
    (tmp_path / "r.json").write_text(json.dumps(results["annotations"]))
    code, _, err = await monitor(emulator, emulator.deployment_name, *arguments)
    assert code == 1
    assert "class 91 has no name to look up" in err
    code, _, err = await monitor(
        emulator, emulator.deployment_name, *arguments, "--categories", '{"91": 0}', "--no-journal"
    )
    assert (code, err.count("\n")) == (0, 1)


async def test_classes_of_yolo_are_found_by_name(emulator, tmp_path, images):
    """A class number is never an index by silence: without names nothing is sent; with them the label map is asked."""
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels/000000000004.txt").write_text("0 0.5 0.5 0.5 0.5 0.9")
    (tmp_path / "names.txt").write_text("car\n")
    arguments = ("--yolo", tmp_path / "labels", "--images", images)
    code, out, err = await monitor(emulator, emulator.deployment_name, *arguments)
    assert (code, out[:8]) == (1, "0 of 0 d")
    assert "line 1: class 0 has no name to look up" in err
    assert "--names" in err
    code, _, err = await monitor(emulator, emulator.deployment_name, *arguments, "--names", tmp_path / "names.txt")
    assert (code, err.count("\n")) == (0, 1)
    (item,) = emulator.predictions()
    assert item["raw_predictions"]["detection_classes"] == [2]


@pytest.mark.parametrize("skip", [[], ["--skip-bad"]])
async def test_nothing_to_send_is_no_success(emulator, tmp_path, images, skip):
    """An empty folder of labels: exit code 1, and the reason."""
    (tmp_path / "labels").mkdir()
    code, out, err = await monitor(
        emulator, emulator.deployment_name, "--yolo", tmp_path / "labels", "--images", images, *skip
    )
    assert code == 1
    assert "0 of 0 delivered" in out
    assert "no label files in" in err


async def test_ground_truth_needs_a_score(emulator, tmp_path, images):
    """Labels without scores are refused, and sent with the score that is given."""
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels/000000000004.txt").write_text("0 0.5 0.5 0.5 0.5")
    arguments = ("--yolo", tmp_path / "labels", "--images", images, "--class-numbers")
    code, _, err = await monitor(emulator, emulator.deployment_name, *arguments)
    assert code == 1
    assert "line 1: no score" in err
    code, _, err = await monitor(emulator, emulator.deployment_name, *arguments, "--score", "1")
    assert (code, err.count("\n")) == (0, 1)


async def test_bad_lines_stop_or_are_skipped(emulator, client, manifest_file):
    """Exit code 1 either way; without --skip-bad what came before is delivered and reported."""
    text = manifest_file.read_text().splitlines()
    manifest_file.write_text("\n".join([*text[:5], "{", *text[5:]]))
    code, out, err = await monitor(emulator, emulator.deployment_name, "--manifest", manifest_file, "--json")
    report = json.loads(out)
    assert (code, report["delivered"], report["accepted"]) == (1, 5, 5)
    assert "line 6: no JSON" in report["error"]
    assert "\nreading the frames ended after 5 of them" in err
    code, out, err = await monitor(emulator, emulator.deployment_name, "--manifest", manifest_file, "--skip-bad")
    assert code == 1
    assert out == "7 of 7 delivered, 0 refused, 0 dropped, 0 left in the spool, 1 skipped, 5 delivered before\n"
    assert "line 6: no JSON" in err


async def test_refused_frames_are_named(emulator, manifest_file):
    """The service refuses three: exit code 1, three names with the reason."""
    emulator.faults.add(Fault(kind="status", endpoint="monitor", status=422, times=3))
    code, out, _ = await monitor(emulator, emulator.deployment_name, "--manifest", manifest_file, "--json")
    report = json.loads(out)
    assert (code, report["delivered"], report["rejected"], report["failures_count"]) == (1, 9, 3, 3)
    assert all(line["outcome"] == "rejected" and "422" in line["reason"] for line in report["failures"])


async def test_attempts_can_be_bounded(emulator, manifest_file):
    """A service that is never ready: given up after so many attempts, exit code 1."""
    emulator.faults.add(Fault(kind="status", endpoint="monitor", status=503))
    code, out, _ = await monitor(
        emulator, emulator.deployment_name, "--manifest", manifest_file, "--json", "--max-attempts", "1"
    )
    report = json.loads(out)
    assert (code, report["delivered"], report["rejected"]) == (1, 0, 12)


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
async def test_an_interrupt_keeps_what_is_left_in_the_spool(emulator, tmp_path, manifest_file):
    """Ctrl-C while the service hangs: exit code 130, what is left is said and lies in the spool, replay delivers it."""
    fault = emulator.faults.add(Fault(kind="status", endpoint="monitor", status=503))
    process = await asyncio.create_subprocess_exec(
        *command(
            emulator, emulator.deployment_name, "--manifest", manifest_file, "--spool", tmp_path / "spool",
            "--close-timeout", "0.2",
        ),
        env=environment(emulator), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    while not emulator.faults.account():  # noqa: ASYNC110 - the emulator tells nobody that the first frame came
        await asyncio.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, err = await process.communicate()
    assert process.returncode == 130
    left = re.fullmatch(r"0 of (\d+) delivered, 0 refused, 0 dropped, \1 left in the spool, 0 skipped\n", out.decode())
    assert left is not None
    assert int(left[1]) > 0
    assert "interrupted: closing, once more to stop at once\n" in err.decode()  # the outage may be told before
    (told,) = [line for line in err.decode().splitlines() if line.startswith("  ")]
    assert told.startswith(f"  {left[1]} left in the spool")
    assert told.endswith(f": `picsellia-async replay {tmp_path / 'spool'}` delivers them")
    emulator.faults.remove(fault.id)
    replay = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "picsellia_async.cli", "replay", str(tmp_path / "spool"), "--json",
        env=environment(emulator), stdout=subprocess.PIPE,
    )  # fmt: skip
    out, _ = await replay.communicate()
    assert (replay.returncode, json.loads(out)["delivered"]) == (0, int(left[1]))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--manifest", "/no/such.jsonl"], "--manifest: there is no"),
        (["--manifest", "/"], "--manifest: '/' is a folder"),
        (["--coco", __file__, "--images", "/", "--annotations", "/no/such.json"], "--annotations: there is no"),
        (["--coco", __file__, "--images", __file__], "is no folder"),
        (["--yolo", "/", "--images", "/", "--names", "/no/such.txt"], "--names: there is no"),
        (["--coco", __file__, "--images", "/", "--categories", "/no/such.json"], "--categories must be JSON or a file"),
        (["--coco", __file__], "need --images"),
        (["--coco", "/no/such.json", "--images", "/"], "--coco: there is no"),
        (["--yolo", "/no/such", "--images", "/"], "--yolo: there is no"),
        (["--yolo", "/", "--images", "/no/such"], "--images: there is no"),
        (["--yolo", "/", "--images", "/", "--annotations", __file__], "--annotations does not go with --yolo"),
        (["--coco", __file__, "--images", "/", "--categories", "[1]"], "--categories"),
        (["--manifest", __file__, "--empty"], "does not go with --manifest"),
        (["--manifest", __file__, "--concurrency", "many"], "--concurrency"),
        (["--manifest", __file__, "--no-such"], "unrecognized"),
        (["--manifest", __file__, "--journal", "/"], "--journal: '/' is a folder"),
        (["--manifest", __file__, "--journal", "/j", "--spool", "/s"], "--journal does not go with --spool"),
        (["--manifest", __file__, "--fresh", "--no-journal"], "--fresh needs a journal"),
        ([], "required"),
        (["--manifest", __file__, "--images", "/"], "--images does not go with --manifest"),
        (["--yolo", "/", "--images", "/", "--names", __file__, "--class-numbers"], "--names does not go with"),
        (["--coco", __file__, "--images", "/", "--categories", '{"1": 0, "1": 2}'], "it has '1' twice"),
        (["--manifest", __file__, "--spool", __file__], "--spool"),
        (["--manifest", __file__, "--latency", "nan"], "--latency: must be seconds"),
        (["--manifest", __file__, "--latency", "inf"], "--latency: must be seconds"),
        (["--manifest", __file__, "--latency", "21"], "looks like milliseconds: divide by 1000 (0.021); or write 21.0"),
    ],
    ids=[
        "manifest",
        "manifest-folder",
        "annotations-missing",
        "images-file",
        "names-missing",
        "categories-missing",
        "no-images",
        "coco",
        "yolo",
        "images",
        "annotations",
        "categories",
        "empty",
        "many",
        "unknown",
        "journal-folder",
        "journal-and-spool",
        "fresh-without-journal",
        "nothing",
        "images-of-manifest",
        "names-and-numbers",
        "category-twice",
        "spool-file",
        "latency-nan",
        "latency-inf",
        "latency-milliseconds",
    ],
)
def test_a_command_that_cannot_be_carried_out(arguments, message, capsys):
    """Exit code 2, and what is wrong on stderr, before anybody is asked."""
    try:
        code = main(["monitor", "--host", "http://127.0.0.1:9", "--api-token", "t0ken", "belts", *arguments])
    except SystemExit as ended:  # argparse's own way
        code = ended.code
    out, err = capsys.readouterr()
    assert (code, out) == (2, "")
    assert message in err


@pytest.mark.parametrize("arguments", [["--concurrency", "0"], ["--score", "2"]], ids=["concurrency", "score"])
async def test_a_number_out_of_range(emulator, tmp_path, images, arguments):
    """Exit code 2 too, though it shows when the work is about to begin."""
    (tmp_path / "r.json").write_text("[]")
    given = ("--coco", tmp_path / "r.json", "--images", images, "--class-numbers", *arguments)
    code, out, err = await monitor(emulator, emulator.deployment_name, *given)
    assert (code, out) == (2, "")
    assert arguments[0][2:] in err


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "no JSON"),
        ("[]", "holds no result"),
        ('[{"image_id": 99, "category_id": 0, "score": 0.5}]', "no image of that name"),
    ],
    ids=["broken", "nothing", "no-image"],
)
async def test_input_that_cannot_be_used(emulator, tmp_path, images, content, message):
    """Exit code 1: the command is right, and what it is about is not."""
    (tmp_path / "r.json").write_text(content)
    given = ("--coco", tmp_path / "r.json", "--images", images, "--class-numbers")
    code, out, err = await monitor(emulator, emulator.deployment_name, *given)
    assert (code, out[:16]) == (1, "0 of 0 delivered")
    assert message in err


async def test_an_unknown_deployment(emulator, manifest_file):
    """Exit code 1 and the reason, no traceback."""
    code, _, err = await monitor(emulator, "nowhere", "--manifest", manifest_file)
    assert code == 1
    assert "NotFoundError" in err
    assert "Traceback" not in err
