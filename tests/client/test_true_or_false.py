"""What is true or false takes True and False alone: "no" is true, and so is "false".

The calls are found by reflection, so that a new argument is tested, or fails here. Those of clients and handles have their test in
test_bad_arguments.py.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

import picsellia_async
from picsellia_async import AsyncDeployment, ConfigurationError, MaskPredictionFormat, sources
from picsellia_async.emulator import Emulator
from picsellia_async.emulator.transport.fault import Fault
from picsellia_async.jobs import Job, Prediction, predict, run
from picsellia_async.metrics import PrometheusCollector, register_opentelemetry
from picsellia_async.pipeline import Pipeline
from picsellia_async.tracing import Tracing

pytestmark = pytest.mark.anyio

MADE_HERE: Final = {
    "Candidate", "Decision", "Delivered", "Dropped", "Image", "PipelineStatistics", "Rejected", "Rule.settle", "Shape", "Shape.of",
    "Tracing.start", "Tracing.within", "UploaderStatistics", "Faults.draw",
}  # fmt: skip
"""Values that the SDK gives, and calls that it makes itself."""

ARGUMENTS: Final = ("no", 1, None)
"""What is neither; None only where it has no meaning of its own."""


def calls(deployment: AsyncDeployment, emulator: Emulator, folder: Path) -> dict[str, Callable[..., Any]]:
    """Return each call, with whatever else it needs."""
    uploader = deployment.uploader()
    pipeline = Pipeline(sources.directory(folder), lambda image: None, uploader)
    masks = MaskPredictionFormat([0], [0.5], ["0"])
    file = folder / "a"
    return {
        "AsyncDeployment.uploader": deployment.uploader,
        "AsyncDeployment.monitor_many": lambda **given: deployment.monitor_many([], **given),
        "Uploader": deployment.uploader,
        "MaskPredictionFormat.to_rle": lambda **given: masks.to_rle((4, 4), **given),
        "Pipeline": lambda **given: Pipeline(sources.directory(folder), lambda image: None, uploader, **given),
        "Pipeline.stop": pipeline.stop,
        "Emulator": Emulator,
        "Emulator.add_predictions": lambda **given: emulator.add_predictions(0, **given),
        "ThreadedEmulator.add_predictions": lambda **given: emulator.add_predictions(0, **given),
        "Fault": lambda **given: Fault(kind="status", **given),
        "Job": lambda **given: Job(deployment, journal=file, **given),
        "run": lambda **given: run([], deployment, journal=file, **given),
        "Prediction": lambda **given: Prediction([], deployment, results=file, **given),
        "predict": lambda **given: predict([], deployment, results=file, **given),
        "PrometheusCollector": lambda **given: PrometheusCollector(uploaders={"a": uploader}, **given),
        "register_opentelemetry": lambda **given: register_opentelemetry(uploaders={"a": uploader}, **given),
        "camera": lambda **given: sources.camera("rtsp://127.0.0.1/a", **given),
        "video": lambda **given: sources.video(file, **given),
        "coco_results": lambda **given: sources.coco_results(file, folder, **given),
        "yolo_labels": lambda **given: sources.yolo_labels(folder, folder, **given),
        "directory": lambda **given: sources.directory(folder, **given),
        "manifest": lambda **given: sources.manifest(file, **given),
        "Tracing": Tracing,
    }


def arguments() -> Iterator[tuple[str, str]]:
    """Yield every public call with an argument that is true or false, and the argument."""
    names = [one.name for one in pkgutil.iter_modules(picsellia_async.__path__) if not one.name.startswith("_")]
    seen: set[int] = set()
    for module in (picsellia_async, *(importlib.import_module(f"picsellia_async.{name}") for name in names)):
        for name in getattr(module, "__all__", ()):
            thing = getattr(module, name)
            if id(thing) in seen or not callable(thing):
                continue
            seen.add(id(thing))
            yield from ((name, one) for one in booleans(thing))
            if inspect.isclass(thing):
                for method in (one for one in dir(thing) if not one.startswith("_")):
                    yield from ((f"{name}.{method}", one) for one in booleans(getattr(thing, method, None)))


def booleans(call: Any) -> list[str]:
    try:
        parameters = inspect.signature(call).parameters.values() if callable(call) else ()
    except (TypeError, ValueError):
        return []
    return [one.name for one in parameters if str(one.annotation) in {"bool", "<class 'bool'>"}]


async def test_nothing_but_true_and_false_is_taken(
    deployment: AsyncDeployment, emulator: Emulator, tmp_path: Path
) -> None:
    """A text of the environment or of a form is refused with the argument's name, and what is not tried here is no option."""
    known = calls(deployment, emulator, tmp_path)
    tried, elsewhere = set(), set()
    for name, argument in arguments():
        owner = name.partition(".")[0]
        if name not in known:
            elsewhere.add((owner, name))
            continue
        tried.add(name)
        for value in ARGUMENTS:
            with pytest.raises(ConfigurationError, match=rf"{argument} must be True or False, got {value!r}"):
                made = known[name](**{argument: value})
                if inspect.isawaitable(made):
                    await made
    assert tried == known.keys()
    from .test_bad_arguments import KINDS

    left = {
        name
        for owner, name in elsewhere
        if owner not in KINDS
        and name not in MADE_HERE
        and not issubclass(getattr(picsellia_async, owner, object), Exception)
    }
    assert left == set()
