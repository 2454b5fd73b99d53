"""A model of the user's behind predict: what it says is answered and stored, for champion and shadow, and its failures change nothing."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from picsellia_async import AsyncClient, ConfigurationError, DetectionPredictionFormat, RetryPolicy, StatusError
from picsellia_async.emulator import Emulator
from picsellia_async.enums import InferenceType
from picsellia_async.predictions import ClassificationPredictionFormat

from ..support.onnx_models import save_model, yolo8

np = pytest.importorskip("numpy")
cv2 = pytest.importorskip("cv2")

pytestmark = pytest.mark.anyio

DRAWN = [20, 30, 60, 110]
"""Top, left, bottom, right of what is bright in the picture."""


def picture(width: int = 160, height: int = 90) -> bytes:
    pixels = np.zeros((height, width, 3), np.uint8)
    top, left, bottom, right = DRAWN
    pixels[top:bottom, left:right] = (0, 0, 255)  # red: OpenCV's order
    return bytes(cv2.imencode(".png", pixels)[1])


def find_red(pixels: Any, score: float = 0.9) -> DetectionPredictionFormat:
    rows, columns = np.nonzero(pixels[:, :, 0] > 127)
    box = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    return DetectionPredictionFormat.from_xyxy([box], [1], [score])


def find_red_less_surely(pixels: Any) -> DetectionPredictionFormat:
    return find_red(pixels, 0.4)


def fail(_pixels: Any) -> DetectionPredictionFormat:
    raise RuntimeError("no weights")


async def test_what_the_model_says_is_answered_and_stored():
    """Pixels come as RGB, and the label map is the one that was given."""
    async with (
        Emulator(model=find_red, labels=["background", "lamp"]) as emulator,
        AsyncClient(emulator.api_token, host=emulator.url) as client,
    ):
        deployment = await client.get_deployment(emulator.deployment_name)
        answer: Any = await deployment.predict_bytes("f.png", picture())
        assert answer["detection_boxes"] == [DRAWN]
        assert (answer["width"], answer["height"]) == (160, 90)
        assert await deployment.label_map() == {"background": 0, "lamp": 1}
        [stored] = emulator.predictions()
        assert stored["raw_predictions"]["detection_boxes"] == [DRAWN]


async def test_champion_and_shadow_may_differ():
    async with (
        Emulator(model=find_red, shadow_model=find_red_less_surely) as emulator,
        AsyncClient(emulator.api_token, host=emulator.url) as client,
    ):
        deployment = await client.get_deployment(emulator.deployment_name)
        await deployment.set_shadow_model(await (await client.get_model("my-model")).get_version("latest"))
        answer: Any = await deployment.predict_bytes("f.png", picture())
        assert (answer["detection_scores"], answer["shadow"]["detection_scores"]) == ([0.9], [0.4])


async def test_the_threshold_of_the_deployment_holds_for_models_too():
    async with (
        Emulator(model=find_red_less_surely) as emulator,
        AsyncClient(emulator.api_token, host=emulator.url) as client,
    ):
        deployment = await client.get_deployment(emulator.deployment_name)
        await deployment.update(min_threshold=0.5)
        answer: Any = await deployment.predict_bytes("f.png", picture())
        assert answer["detection_boxes"] == []


async def test_a_turned_photograph_is_seen_as_it_is_shown():
    """What the answer says of its size is what the boxes are about."""
    stored = cv2.rotate(
        cv2.imdecode(np.frombuffer(picture(), np.uint8), cv2.IMREAD_COLOR), cv2.ROTATE_90_COUNTERCLOCKWISE
    )
    content = bytes(cv2.imencode(".jpg", stored)[1])
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    turned = content[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + content[2:]
    async with Emulator(model=find_red) as emulator, AsyncClient(emulator.api_token, host=emulator.url) as client:
        deployment = await client.get_deployment(emulator.deployment_name)
        answer: Any = await deployment.predict_bytes("f.jpg", turned)
    assert (answer["width"], answer["height"]) == (160, 90)
    assert np.abs(np.array(answer["detection_boxes"][0]) - DRAWN).max() <= 2


@pytest.mark.parametrize(
    ("model", "content", "status", "message"),
    [
        (fail, picture(), 500, "the model failed: RuntimeError: no weights"),
        (lambda _: ClassificationPredictionFormat([0], [0.9]), picture(), 500, "a prediction for CLASSIFICATION"),
        (lambda _: None, picture(), 500, "must be a prediction format"),
        (find_red, b"\xff\xd8\xff\xe0 no image", 400, "cannot be decoded"),
    ],
    ids=["raises", "another type", "nothing", "no image"],
)  # fmt: skip
async def test_what_fails_stores_nothing(model, content, status, message, caplog):
    async with (
        Emulator(model=model) as emulator,
        AsyncClient(emulator.api_token, host=emulator.url, retry=RetryPolicy.none()) as client,
    ):
        deployment = await client.get_deployment(emulator.deployment_name)
        with pytest.raises(StatusError, match=message) as raised:
            await deployment.predict_bytes("f.png", content)
        assert raised.value.status == status
        assert emulator.predictions() == []


async def test_other_deployments_are_invented_for():
    async with (
        Emulator(model=fail, deployments={"points": "point"}) as emulator,
        AsyncClient(emulator.api_token, host=emulator.url) as client,
    ):
        deployment = await client.get_deployment("points")
        answer: Any = await deployment.predict_bytes("f.png", picture())
        assert answer["points"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": "yolo.onnx"}, "model must be a function of pixels"),
        ({"shadow_model": 3}, "shadow_model must be a function of pixels"),
        ({"model": find_red, "labels": []}, "names must be the names"),
    ],
)
def test_what_is_no_model_is_refused(options, message):
    with pytest.raises(ConfigurationError, match=message):
        Emulator(**options)


def test_a_model_of_another_type_is_refused(tmp_path):
    """A file says what its model is."""
    pytest.importorskip("onnxruntime")
    from picsellia_async.inference import OnnxModel

    model = OnnxModel.load(
        save_model(tmp_path / "m.onnx", yolo8([[32.0, 32.0, 20.0, 20.0, 0.9, 0.0, 0.0]])), ["a", "b", "c"]
    )
    assert model.model_type is InferenceType.OBJECT_DETECTION
    with pytest.raises(ConfigurationError, match="one type, and SEGMENTATION and OBJECT_DETECTION"):
        Emulator(model=model, deployment_type="segmentation")


async def test_other_labels_than_a_directory_has_are_refused(tmp_path):
    async with Emulator(data_dir=tmp_path, labels=["a"]):
        pass
    with pytest.raises(ConfigurationError, match=r"made with the labels .*'a'.*another data directory"):
        async with Emulator(data_dir=tmp_path, labels=["b"]):
            pass
    async with Emulator(data_dir=tmp_path) as again:
        await again.reset()
        [version, _] = again.state.store.documents.list("model_version")
        assert version["labels"] == {"0": "a"}


async def test_the_command_serves_a_file(tmp_path):
    pytest.importorskip("onnxruntime")
    model = save_model(tmp_path / "m.onnx", yolo8([[32.0, 32.0, 20.0, 20.0, 0.0, 0.9, 0.0]]))
    (tmp_path / "names.txt").write_text("person\nlamp\ncar\n")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "picsellia_async.cli", "emulator", "--port", "0",
        "--model", str(model), "--labels", str(tmp_path / "names.txt"), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        facts = json.loads(await process.stdout.readline())
        async with AsyncClient(facts["api_token"], host=facts["url"]) as client:
            deployment = await client.get_deployment(facts["deployment"])
            assert await deployment.label_map() == {"person": 0, "lamp": 1, "car": 2}
            answer: Any = await deployment.predict_bytes("f.png", picture())
            assert (answer["detection_classes"], answer["detection_scores"]) == ([1], [pytest.approx(0.9, abs=1e-3)])
    finally:
        process.send_signal(signal.SIGTERM)
        await process.communicate()
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--labels", "names.txt"], "belong to --model"),
        (["--model", "m.onnx"], "--model needs --labels"),
        (["--model", "m.onnx", "--labels", "none.txt"], "none.txt"),
    ],
)
def test_the_command_refuses_what_is_left_out(arguments, message, tmp_path: Path, monkeypatch, capsys):
    from picsellia_async.cli.main import main

    monkeypatch.chdir(tmp_path)
    Path("names.txt").write_text("a\n")
    assert main(["emulator", "--port", "0", *arguments]) == 2
    assert message in capsys.readouterr().err
