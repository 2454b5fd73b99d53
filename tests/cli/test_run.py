"""`picsellia-async run`: a model in an ONNX file on folders, videos and cameras; the emulator on real TCP."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from picsellia_async import AsyncClient, AsyncDeployment
from picsellia_async.cli.main import main
from picsellia_async.emulator import Emulator, Fault

from ..support.onnx_models import save_model, save_model_of_side, yolo8

pytestmark = pytest.mark.anyio


@pytest.fixture
async def classes(deployment: AsyncDeployment) -> list[str]:
    """The deployment's own classes."""
    return list(await deployment.label_map())


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder of six pictures."""
    folder = tmp_path / "yard"
    folder.mkdir()
    for number in range(6):
        picture = np.full((100, 200, 3), 40 * number, np.uint8)
        cv2.imwrite(str(folder / f"{number}.jpg"), picture)
    return folder


def arguments(emulator: Emulator, model: Path, names: list[str], *given: object) -> list[str]:
    labels = model.with_name("labels.txt")
    labels.write_text("\n".join(names) + "\n", encoding="utf-8")
    return [
        "run", *map(str, given), "--model", str(model), "--labels", str(labels), "--host", emulator.url,
        "--api-token", emulator.api_token, "--deployment", emulator.deployment_name,
    ]  # fmt: skip


def detector(tmp_path: Path, count: int) -> Path:
    """A model that sees its second class from (50, 25) to (150, 75) of a picture of 200 x 100."""
    scores = [0.0, 0.9, *[0.0] * (count - 2)]
    return save_model(tmp_path / "m.onnx", yolo8([[32.0, 32.0, 32.0, 16.0, *scores]]))


async def run(given: list[str]) -> int:
    """Run the command in a thread, which gets an event loop of its own."""
    return await asyncio.to_thread(main, given)


async def test_a_folder_is_predicted_on_and_monitored(
    emulator: Emulator, pictures: Path, classes: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every picture once, its box in pixels of the picture, of the class of that name; the account on stdout, exit code 0."""
    turned = [classes[-1], *classes[:-1]]  # the model counts its classes otherwise than the label map
    given = arguments(emulator, detector(tmp_path, len(classes)), turned, f"gate={pictures}", "--json")
    assert await run(given) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["accepted"], told["delivered"], told["ended_by"]) == (6, 6, "sources")
    assert told["sources"]["gate"]["predicted"] == 6
    stored = emulator.predictions()
    assert sorted(item["filename"] for item in stored) == [f"{number}.jpg" for number in range(6)]
    for item in stored:
        assert item["raw_predictions"]["detection_boxes"] == [[25, 50, 75, 150]]
        assert item["raw_predictions"]["detection_classes"] == [0]
        assert item["source"] == "gate"


async def test_rules_of_keep_leave_frames_out(
    emulator: Emulator, pictures: Path, classes: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a rule does not keep is counted under its name, and exit code 0 says that the rest arrived."""
    given = arguments(emulator, detector(tmp_path, len(classes)), classes, pictures)
    assert await run([*given, "--keep", "scores(above=0.5)", "--keep", "quota(per_day=2)", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["delivered"] == 2
    assert told["sources"]["yard"]["skipped_by_reason"] == {"quota": 4}


async def test_classes_that_the_deployment_lacks_are_refused(
    emulator: Emulator, pictures: Path, classes: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything is sent, with both lists; `--only` says which are sent."""
    given = arguments(emulator, detector(tmp_path, len(classes) + 1), [*classes, "zebra"], pictures)
    assert await run(given) == 2
    assert "no 'zebra'" in capsys.readouterr().err
    assert await run([*given, "--only", classes[1]]) == 0
    assert "6 submitted" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["--keep", "never()"], "no rule"),
        (["--keep", "every(0)"], "--keep"),
        (["--keep", "__import__('os').system('true')"], "no rule"),
        (["--model", "none.onnx"], "--model"),
        (["--labels", "none.txt"], "--labels"),
        (["--concurrency", "many"], "--concurrency"),
        (["--when-full", "thin"], "--when-full thin needs --spool,"),
        (["--size", "96"], "--size"),
        (["--threshold", "7"], "--threshold 7 is no share"),
        (["--keep", "classes([nobody])"], "--keep: classes asks for 'nobody'"),
        (["--keep", "classes([99])"], "--keep: classes asks for 99"),
    ],
)
async def test_what_cannot_be_carried_out_is_exit_code_2(
    options: list[str], word: str, emulator: Emulator, pictures: Path, classes: list[str], tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """Each names its option, and nothing is sent."""
    assert await run([*arguments(emulator, detector(tmp_path, len(classes)), classes, pictures), *options]) == 2
    assert word in capsys.readouterr().err
    assert not emulator.state.store.predictions.select()


async def test_a_model_whose_outputs_cannot_be_told_is_refused(
    emulator: Emulator, pictures: Path, classes: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, with the shapes."""
    model = save_model(tmp_path / "m.onnx", {"heat": np.zeros((1, 1, 16, 16), np.float32)})
    assert await run(arguments(emulator, model, classes, pictures)) == 2
    assert "heat [1, 1, 16, 16]" in capsys.readouterr().err


async def test_frames_of_an_outage_stay_in_the_spool(
    emulator: Emulator, pictures: Path, classes: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 1, the command that delivers them, and `replay` does."""
    emulator.faults.add(Fault(kind="status", status=503, endpoint="monitor"))
    spool = tmp_path / "spool"
    given = arguments(emulator, detector(tmp_path, len(classes)), classes, pictures)
    assert await run([*given, "--spool", str(spool), "--close-timeout", "0.1"]) == 1
    assert "picsellia-async replay" in capsys.readouterr().err
    emulator.faults.clear()
    assert await run(["replay", str(spool), "--api-token", emulator.api_token]) == 0
    assert len(emulator.state.store.predictions.select()) == 6


async def test_it_starts_without_a_network(pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With a spool, from the second run on: frames are on disk while the platform cannot be reached."""
    async with Emulator() as emulator, AsyncClient(emulator.api_token, host=emulator.url) as client:
        names = list(await (await client.get_deployment(emulator.deployment_name)).label_map())
        given = arguments(emulator, detector(tmp_path, len(names)), names, pictures)
        given += ["--spool", str(tmp_path / "spool"), "--tag", "night", "--json"]
        assert await run(given) == 0
        assert {tuple(item["tags"]) for item in emulator.predictions()} == {("night",)}
    capsys.readouterr()
    assert await run([*given, "--close-timeout", "0.1"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["accepted"], told["spooled"]) == (6, 6)


async def test_ctrl_c_ends_it_in_order(emulator: Emulator, classes: list[str], tmp_path: Path) -> None:
    """On a camera that cannot be reached: no traceback, the account, exit code 130."""
    given = arguments(emulator, detector(tmp_path, len(classes)), classes, "gate=rtsp://127.0.0.1:9/x", "--json", "-v")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-X", "dev", "-m", "picsellia_async.cli", *given, stdout=-1, stderr=-1
    )
    assert process.stderr is not None
    seen = b""
    while b"gate" not in seen and (line := await process.stderr.readline()):
        seen += line
    process.send_signal(signal.SIGINT)
    out, err = await process.communicate()
    told: dict[str, Any] = json.loads(out)
    assert (process.returncode, told["ended_by"]) == (130, "SIGINT"), (seen + err).decode()
    assert b"Traceback" not in seen + err


async def test_a_size_that_the_model_fails_on_is_told_with_its_option(
    emulator: Emulator, pictures: Path, classes: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, and no traceback of the runtime."""
    output = yolo8([[32.0, 32.0, 32.0, 16.0, *[0.5] * len(classes)]])
    model = save_model_of_side(tmp_path / "m.onnx", output, 64)
    assert await run(arguments(emulator, model, classes, pictures, "--size", "65")) == 2
    assert "run: --size 65: the model fails on a picture of 65 x 65" in capsys.readouterr().err


async def test_rules_ask_for_classes_that_are_sent(
    emulator: Emulator, pictures: Path, classes: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A class that `--only` leaves out is refused, by name and by index; one that is sent is found by both."""
    given = arguments(emulator, detector(tmp_path, len(classes)), classes, pictures, "--only", classes[1])
    for rule in (f"classes([{classes[0]!r}])", "classes([0])"):
        assert await run([*given, "--keep", rule]) == 2
        assert "--keep: classes asks for" in capsys.readouterr().err
    assert await run([*given, "--keep", f"classes([{classes[1]!r}]) & classes([1])"]) == 0
    assert "6 delivered" in capsys.readouterr().out


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_ends_the_wait_for_the_platform(
    emulator: Emulator, number: signal.Signals, tmp_path: Path
) -> None:
    """Exit code 130 with one line, no traceback."""
    asked = asyncio.Event()

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        asked.set()
        await reader.read()
        writer.close()

    async with await asyncio.start_server(hang, "127.0.0.1", 0) as server:
        host = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        given = [*arguments(emulator, detector(tmp_path, 3), ["a", "b", "c"], tmp_path), "--host", host]
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "picsellia_async.cli", *given, stdout=-1, stderr=-1
        )
        await asked.wait()
        process.send_signal(number)
        out, err = await process.communicate()
    assert (process.returncode, out) == (130, b""), err.decode()
    assert err.decode().splitlines() == [f"{number.name}: ended before the first frame"]


async def test_a_classifier_runs_where_the_deployment_wants_one(
    emulator: Emulator, pictures: Path, classes: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The deployment's type says what the model is read as; a classifier for a detector's deployment is refused."""
    shares = [0.1, 0.7, *[0.2 / (len(classes) - 2)] * (len(classes) - 2)]
    model = save_model(tmp_path / "m.onnx", {"probs": np.array([shares], np.float32)})
    given = arguments(emulator, model, classes, pictures)
    assert await run(given) == 2
    assert (
        f"is a classifier, and a detector is wanted, as by a deployment of detections: probs [1, {len(classes)}]"
        in capsys.readouterr().err
    )
    row = emulator.state.store.documents.get("deployment", emulator.deployment_id)
    row["type"] = "CLASSIFICATION"
    emulator.state.store.documents.save("deployment", row)
    assert await run(given) == 0
    assert [item["raw_predictions"]["detection_classes"] for item in emulator.predictions()] == [[1]] * 6
    row["type"] = "SEGMENTATION"
    emulator.state.store.documents.save("deployment", row)
    assert await run(given) == 2
    assert "SEGMENTATION" in capsys.readouterr().err


@pytest.mark.parametrize(("content", "words"), [("", "holds no names"), ("a\nb\na\n", "both called 'a'")])
async def test_a_file_of_labels_that_cannot_be_used_is_told_with_its_option(
    content: str, words: str, emulator: Emulator, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Empty, or with a name twice: the option, the file and what is wrong."""
    given = arguments(emulator, detector(tmp_path, 3), ["x"], tmp_path)
    (tmp_path / "labels.txt").write_text(content)
    assert await run(given) == 2
    told = capsys.readouterr().err
    assert "--labels: " in told
    assert "labels.txt" in told
    assert words in told
    assert "--names" not in told
