"""`picsellia-async predict`: images, folders, patterns and videos; interrupted and run again; its results are monitored."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys

import pytest

from picsellia_async.cli.main import main
from picsellia_async.emulator import Fault

from ..support.sources import encoded, written

pytestmark = pytest.mark.anyio


@pytest.fixture
def folder(tmp_path):
    """Six images, and one below."""
    images = tmp_path / "images"
    (images / "below").mkdir(parents=True)
    for number in range(6):
        (images / f"{number}.jpg").write_bytes(encoded(value=20 * number))
    (images / "below" / "6.jpg").write_bytes(encoded(value=250))
    return images


async def test_paths_of_every_kind(predict, folder, tmp_path):
    """An image, a pattern of one folder and of several, and a folder with those below; what has a line is passed over."""
    whole = [f"images/{number}.jpg" for number in range(6)]
    for path, expected in (
        (folder / "0.jpg", whole[:1]), (folder / "[01].jpg", whole[:2]), (folder / "*.jpg", whole),
        (tmp_path / "im*" / "b*" / "6.jpg", [*whole, "images/below/6.jpg"]), (folder, [*whole, "images/below/6.jpg"]),
    ):  # fmt: skip
        code, _, _, found = await predict(path)
        assert (code, found) == (0, expected), path
    code, out, _, _ = await predict(folder / "0.jpg", folder / "1.jpg", "--fresh", "--json")
    assert (code, json.loads(out)["predicted"]) == (0, 2)


async def test_a_picture_that_took_anothers_place_is_predicted_on(predict, folder, tmp_path, emulator):
    """The line of the former one is removed, which the log tells; one that was only touched is known again."""
    await predict(folder)
    (folder / "3.jpg").write_bytes(encoded(value=199))
    os.utime(folder / "4.jpg", (1e9, 1e9))
    code, out, _, found = await predict(folder)
    assert (code, out[:26], len(found)) == (0, "1 predicted, 6 before, 0 r", 7)
    (folder / "3.jpg").write_bytes(encoded(value=40))
    arguments = ["monitor", emulator.deployment_name, "--manifest", str(tmp_path / "r.jsonl"), "--skip-bad"]
    assert await asyncio.to_thread(main, arguments) == 1


async def test_results_of_misnamed_images_are_monitored(predict, tmp_path, emulator):
    """A JPEG named .png is predicted on and sent as the JPEG that it is."""
    images = tmp_path / "images"
    images.mkdir()
    (images / "a.png").write_bytes(encoded())
    (images / "b.jpg").write_bytes(encoded(suffix=".png"))
    code, _, _, found = await predict(images)
    assert (code, found) == (0, ["images/a.png", "images/b.jpg"])
    arguments = ["monitor", emulator.deployment_name, "--manifest", str(tmp_path / "r.jsonl")]
    assert await asyncio.to_thread(main, arguments) == 0


async def test_images_of_one_name_in_two_folders(predict, folder, tmp_path):
    """They have names of their own; one that several paths mean is predicted on once."""
    other = tmp_path / "other"
    other.mkdir()
    (other / "0.jpg").write_bytes(encoded(value=77))
    code, out, _, found = await predict(folder / "0.jpg", other, tmp_path / "o*" / "*.jpg")
    assert (code, out[:22], found) == (0, "2 predicted, 1 before,", ["images/0.jpg", "other/0.jpg"])
    names = [json.loads(line)["filename"] for line in (tmp_path / "r.jsonl").read_text().splitlines()]
    assert sorted(names) == ["images/0.jpg", "other/0.jpg"]


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
async def test_a_stopped_command_goes_on(emulator, predict, folder, tmp_path, number):
    """Ctrl-C or SIGKILL while some images have an answer: the same command predicts on the others."""
    held = emulator.faults.add(Fault(kind="latency", endpoint="predict", seconds=3600, skip=3))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "picsellia_async.cli", "predict", emulator.deployment_name, str(folder),
        "--results", str(tmp_path / "r.jsonl"), "--concurrency", "1",
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    while not emulator.faults.account():  # noqa: ASYNC110 - the emulator tells nobody that an image came
        await asyncio.sleep(0.01)
    process.send_signal(number)
    out, err = await process.communicate()
    if number == signal.SIGINT:
        assert process.returncode == 130
        assert out.startswith(b"3 predicted, 0 before, 0 refused, 0 skipped; results in")
        assert b"the same command goes on from here" in err
    emulator.faults.remove(held.id)
    code, out, _, found = await predict(folder)
    assert (code, len(found)) == (0, 7)
    assert out.startswith("4 predicted, 3 before")


@pytest.fixture
def kind(request, tmp_path, folder):
    """A pattern, or a clip with where its frames are kept."""
    if request.param != "clip":
        return [str(tmp_path / "im*" / "*.jpg")]
    return [str(written(tmp_path / "clip.mp4", range(0, 240, 40))), "--frames", str(tmp_path / "kept")]


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("kind", ["glob", "clip"], indirect=True)
async def test_what_an_interrupt_cut_in_two_is_stored_once(emulator, environment, kind, tmp_path):
    """Predicted on by a command that is interrupted and run again, and then monitored: every picture is stored once."""
    results = tmp_path / "r.jsonl"
    held = emulator.faults.add(Fault(kind="latency", endpoint="predict", seconds=3600, skip=3))
    for is_first in (True, False):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "picsellia_async.cli", "predict", emulator.deployment_name, *kind, "--results", str(results),
            "--concurrency", "1", "--json", stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        while is_first and not emulator.faults.fired(held):  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)
        if is_first:
            process.send_signal(signal.SIGINT)
        out, err = await process.communicate()
        assert process.returncode == (130 if is_first else 0), err.decode()
        emulator.faults.clear()
    report = json.loads(out)
    count = 6
    assert (report["predicted_before"], report["predicted"]) == (3, count - 3)
    assert await asyncio.to_thread(main, ["monitor", emulator.deployment_name, "--manifest", str(results)]) == 0
    items = emulator.predictions()
    assert len({item["sha256"] for item in items}) == len(items) == count


async def test_what_is_refused_is_told(predict, emulator, folder):
    """Exit code 1, and its name; a file that is no image stops the reading, or is skipped."""
    emulator.faults.add(Fault(kind="status", endpoint="predict", status=422, times=1))
    code, out, err, _ = await predict(folder / "*.jpg", "--concurrency", 1)
    assert (code, out[:32]) == (1, "5 predicted, 0 before, 1 refused")
    assert "refused 0.jpg: PredictionBadRequestError" in err
    (folder / "3.jpg").write_bytes(b"no image")
    code, out, err, _ = await predict(folder, "--skip-bad", "--json")
    report = json.loads(out)
    assert (code, report["skipped"], report["predicted"], report["predicted_before"]) == (1, 1, 2, 4)
    code, _, err, _ = await predict(folder)
    assert code == 1
    assert "stopped: SourceError" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["no-such.jpg"], "there is no 'no-such.jpg'"),
        (["x*.jpg", "--tag", "a"], "--tag needs --monitor"),
        (["x*.jpg", "--limit", "0"], "must be a whole number of 1 or more"),
        ([], "required"),
    ],
    ids=["missing", "tag", "limit", "nothing"],
)
def test_a_command_that_cannot_be_carried_out(arguments, message, capsys):
    """Exit code 2, and what is wrong on stderr, before anybody is asked."""
    try:
        code = main(
            ["predict", "--host", "http://127.0.0.1:9", "--api-token", "t", "belts", "--results", "r", *arguments]
        )
    except SystemExit as ended:  # argparse's own way
        code = ended.code
    out, err = capsys.readouterr()
    assert (code, out) == (2, "")
    assert message in err
