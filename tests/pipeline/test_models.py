"""What the model may be, where it runs, and what it may return."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from picsellia_async import ConfigurationError, DetectionPredictionFormat, Pipeline
from picsellia_async.sources import Image

from ..support.frames import PREDICTION
from ..support.models import Dead, Where
from ..support.pipelines import PIXELS, Stored, at_once, balanced, film, make_image, same, slow, until

pytestmark = pytest.mark.anyio


async def test_a_plain_function_runs_in_threads_of_the_pipeline() -> None:
    """As many at once as there are workers, in threads of its own, none of which is left behind; the loop runs meanwhile."""
    both = threading.Barrier(2)
    threads: set[str] = set()

    def model(pixels: Any) -> Any:
        assert pixels is PIXELS
        threads.add(threading.current_thread().name)
        both.wait(60)  # goes on only if two calls run at once
        return PREDICTION

    stored = Stored()
    async with Pipeline(at_once("cam", 10), model, stored.uploader(), workers=2) as pipeline:
        report = await pipeline.run()
    assert balanced(report)
    assert len(stored.frames) == 10
    assert all(name.startswith("picsellia-pipeline") for name in threads)
    assert len(threads) == 2
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("picsellia-pipeline")] == []


async def test_a_function_in_a_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`run_in="process"`: the model gets pixels in another process; when that dies, its frame fails and a new one goes on."""
    monkeypatch.syspath_prepend(Path(__file__).parents[2])  # where the other process finds the module of the model
    death = tmp_path / "die"
    stored = Stored()

    async def frames():
        yield make_image("cam", 0)
        await until(lambda: bool(stored.frames))
        await asyncio.to_thread(death.touch)
        for number in range(1, 4):
            yield make_image("cam", number)

    async with Pipeline(frames(), Where(death), stored.uploader(), run_in="process") as pipeline:
        report = await pipeline.run()
    assert balanced(report)
    assert report.statistics.failed_by_reason == {"model": 1}
    processes = [frame.prediction.detection_classes[0] for frame in stored.frames]
    assert len(processes) == 3
    assert len(set(processes)) == 2
    assert os.getpid() not in processes


async def test_a_process_that_cannot_start_ends_the_run() -> None:
    """A pool that dies before its first result would die again for each frame: that is an error that says what to look at."""
    async with Pipeline(at_once("cam", 5), Dead(), Stored().uploader(), run_in="process") as pipeline:
        with pytest.raises(ConfigurationError, match="before its first result"):
            await pipeline.run()
    with pytest.raises(ConfigurationError, match="cannot be handed to a process"):
        async with Pipeline(at_once("cam", 5), lambda pixels: None, Stored().uploader(), run_in="process"):
            pass


async def test_latency_is_that_of_the_call() -> None:
    """A frame's `latency` is what the model took, in whichever way it runs."""
    stored = Stored()
    async with Pipeline(at_once("cam", 3), slow(0.05), stored.uploader()) as pipeline:
        report = await pipeline.run()
    assert all(frame.latency >= 0.049 for frame in stored.frames)
    assert report.statistics.latency.p50 >= 0.049
    assert report.statistics.age.p95 >= 0.049


BOXES = np.array([[10.0, 20.0, 30.0, 40.0], [-0.6, 2.0, 30.0, 49.2]])
LABELS = {"person": 0, "dog": 1}


@pytest.mark.parametrize(
    "returned",
    [
        DetectionPredictionFormat([1, 0], [[20, 10, 40, 30], [2, 0, 48, 30]], [0.9, 0.4]),
        SimpleNamespace(xyxy=BOXES, class_id=np.array([1, 0]), confidence=np.array([0.9, 0.4]), mask=None, data={}),
        {"boxes": BOXES, "labels": [1, 0], "scores": [0.9, 0.4]},
        SimpleNamespace(
            orig_shape=(48, 64), names={0: "person", 1: "dog"}, probs=None, masks=None, keypoints=None,
            boxes=SimpleNamespace(xyxy=BOXES, cls=[1, 0], conf=[0.9, 0.4]),
        ),
        SimpleNamespace(
            model_type="OBJECT_DETECTION", detection_classes=[1, 0], detection_boxes=[[20, 10, 40, 30], [2, 0, 48, 30]],
            detection_scores=[0.9, 0.4],
        ),
    ],
    ids=["format", "supervision", "torchvision", "ultralytics", "vendor"],
)  # fmt: skip
@pytest.mark.parametrize("wraps", [lambda one: one, lambda one: [one]], ids=["bare", "list of one"])
async def test_what_models_return_becomes_a_prediction(returned: Any, wraps: Any) -> None:
    """Formats, results of frameworks and the vendor's objects, bare or as a list of one; shapes are cut to the image."""
    stored = Stored()
    options: dict[str, Any] = {"names": ["person", "dog"], "label_map": LABELS, "first_label": 0}
    if hasattr(returned, "model_type"):
        options = {}
    async with Pipeline(at_once("cam", 1), lambda _: wraps(returned), stored.uploader(), **options) as pipeline:
        report = await pipeline.run()
    assert report.is_complete
    (frame,) = stored.frames
    assert frame.prediction.detection_classes == [1, 0]
    assert frame.prediction.detection_boxes == [[20, 10, 40, 30], [2, 0, 48, 30]]


async def test_names_are_not_for_indexes_of_the_label_map() -> None:
    """A format holds such indexes: names given beside it were ignored, and the model's "person" stored as whatever is 0."""
    options = {"names": ["person", "dog"], "label_map": LABELS}
    stored = Stored()
    async with Pipeline(at_once("cam", 2), lambda _: PREDICTION, stored.uploader(), **options) as pipeline:
        report = await pipeline.run()
    assert report.statistics.failed_by_reason == {"result": 2}
    assert stored.frames == []


async def test_nothing_is_sent_for_none() -> None:
    """A model that returns None has seen the frame, and there is nothing to send."""
    stored = Stored()
    async with Pipeline(at_once("cam", 4), lambda _: None, stored.uploader()) as pipeline:
        report = await pipeline.run()
    assert balanced(report)
    assert (report.statistics.predicted, report.statistics.skipped_by_reason) == (4, {"nothing": 4})
    assert stored.frames == []


async def test_a_model_of_the_image() -> None:
    """With `input="image"` the model gets the `Image`, also of a source without pixels."""
    seen: list[Image] = []
    stored = Stored()

    def model(image: Image) -> Any:
        seen.append(image)
        return PREDICTION

    async with Pipeline(film("cam", 2, 0.0, pixels=None), model, stored.uploader(), input="image") as pipeline:
        await pipeline.run()
    assert [image.filename for image in seen] == stored.names == ["cam/000000.jpg", "cam/000001.jpg"]


async def test_a_source_without_pixels_ends_the_run() -> None:
    """No frame of it could ever be predicted: the error says how to ask for pixels."""
    async with Pipeline(film("cam", 2, 0.0, pixels=None), same, Stored().uploader()) as pipeline:
        with pytest.raises(ConfigurationError, match="source-1 gives no pixels: ask for them"):
            await pipeline.run()
    assert pipeline.uploader.is_closed


async def test_pixels_of_another_size_than_the_picture_end_the_run() -> None:
    """Boxes found in a shrunken array would lie beside the objects of the picture that is sent."""

    async def shrunken() -> AsyncIterator[Image]:
        yield make_image(pixels=PIXELS[::2, ::2])

    stored = Stored()
    async with Pipeline({"gate": shrunken()}, same, stored.uploader()) as pipeline:
        with pytest.raises(ConfigurationError, match=r"gate gives pixels of 32 x 24 beside a picture of 64 x 48"):
            await pipeline.run()
    assert not stored.frames


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": 3}, "model must be a function"),
        ({"model": slow(0), "run_in": "process"}, "plain function"),
        ({"workers": 0}, "workers"),
        ({"batch_size": 0}, "batch_size"),
        ({"run_in": "gpu"}, "run_in"),
        ({"input": "tensor"}, "input"),
        ({"max_age": -1}, "max_age"),
        ({"when_busy": "drop"}, "when_busy"),
        ({"keep": 3}, "keep must be rules or functions"),
        ({"keep": [int]}, "keep must be rules or functions"),
        ({"sources": []}, "at least one source"),
        ({"sources": 3}, "sources must be one source or several"),
        ({"sources": [[make_image()]]}, "async iterable of Image"),
        ({"uploader": None}, "uploader must be"),
    ],
)
def test_bad_arguments_are_refused_at_once(change: dict[str, Any], message: str) -> None:
    """The constructor names the argument; it needs no running loop, and opens nothing."""
    given = {"sources": at_once("cam", 1), "model": same, "uploader": Stored().uploader(), **change}
    with pytest.raises(ConfigurationError, match=message):
        Pipeline(given.pop("sources"), given.pop("model"), given.pop("uploader"), **given)


async def test_sources_are_called_as_they_are_given() -> None:
    """A dict names its sources, and their frames; two of one name are refused."""
    stored = Stored()
    async with Pipeline({"gate": at_once("cam", 2)}, same, stored.uploader()) as pipeline:
        await pipeline.run()
    assert stored.by_source() == {"gate": 2}
    assert list(pipeline.statistics().by_source) == ["gate"]
    named = SimpleNamespace(source="gate", __aiter__=None)
    named_class = type("Named", (), {"source": "gate", "__aiter__": lambda self: at_once("x", 1)})
    assert named.source == named_class.source
    with pytest.raises(ConfigurationError, match="two sources are called 'gate'"):
        Pipeline([named_class(), named_class()], same, stored.uploader())
