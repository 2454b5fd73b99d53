"""Lists of a prediction that the caller changes: what is sent is what was said."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator
from typing import Any, Final

import attrs
import pytest

from picsellia_async import (
    AsyncDeployment,
    ClassificationPredictionFormat,
    ConfigurationError,
    DetectionPredictionFormat,
    Frame,
    KeypointPredictionFormat,
    LinePredictionFormat,
    MaskPredictionFormat,
    PointPredictionFormat,
    SegmentationPredictionFormat,
)
from picsellia_async.predictions import PredictionFormat

from ..support.images import jpeg

WIDTH, HEIGHT = 64, 48
SQUARE: Final = [[1, 2], [11, 2], [11, 12], [1, 12]]
MAKERS: Final[dict[str, Callable[[], PredictionFormat]]] = {
    "classification": lambda: ClassificationPredictionFormat([1], [0.5], ["a"]),
    "detection": lambda: DetectionPredictionFormat([1], [[1, 2, 11, 12]], [0.5], ["a"]),
    "segmentation": lambda: SegmentationPredictionFormat([1], [0.5], [SQUARE], ["a"]),
    "line": lambda: LinePredictionFormat([1], [0.5], [SQUARE], ["a"]),
    "point": lambda: PointPredictionFormat([1], [0.5], [[1, 2]], ["a"]),
    "keypoint": lambda: KeypointPredictionFormat([1], [0.5], [[[1, 2, 2], [3, 4, 1]]], ["a"]),
    "mask": lambda: MaskPredictionFormat([1], [0.5], ["Pg0PbQ1"], ["a"]),
}


def values(prediction: PredictionFormat) -> dict[str, Any]:
    """Return all that a prediction says."""
    return attrs.asdict(prediction)


def spoil(prediction: PredictionFormat) -> None:
    """Change every list of a prediction, inner ones first."""

    def spoiled(found: list[Any]) -> None:
        for inner in found:
            if isinstance(inner, list):
                spoiled(inner)
        found[:] = [found[-1] if isinstance(found[-1], list) else 7, *found]

    for value in [getattr(prediction, field.name) for field in attrs.fields(type(prediction))]:
        if isinstance(value, list):
            spoiled(value)


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_a_frame_keeps_what_it_was_given(make: Callable[[], PredictionFormat]) -> None:
    """Of every format, at every depth, of the model's and of the shadow's prediction; with the notes of the constructor."""
    given, shadow = make(), make()
    frame = Frame(
        image=jpeg(WIDTH, HEIGHT), filename="a.jpg", width=WIDTH, height=HEIGHT, latency=0.1, prediction=given,
        shadow_prediction=shadow, shadow_latency=0.1, checks="off",
    )  # fmt: skip
    assert (frame.prediction, type(frame.prediction)) == (given, type(given))
    spoil(given)
    spoil(shadow)
    assert values(frame.prediction) == values(make()) != values(given)
    assert frame.shadow_prediction is not None
    assert values(frame.shadow_prediction) == values(make())


def test_a_frame_keeps_what_a_constructor_noted() -> None:
    """The size of the image, what was cut and left out, and the model's own names."""
    given = DetectionPredictionFormat.from_xyxy([[0, 0, 70, 40]], [0], [0.5], clip=(WIDTH, HEIGHT))
    frame = Frame(
        image=jpeg(WIDTH, HEIGHT), width=WIDTH, height=HEIGHT, filename="a.jpg", latency=0.1, prediction=given
    )
    assert values(frame.prediction) == values(given)
    assert (frame.prediction.clipped, frame.prediction.image_size) == (1, (WIDTH, HEIGHT))


def test_lists_changed_before_the_frame_was_made() -> None:
    """Lists of different lengths, or none at all, are refused when the frame is made."""
    longer = DetectionPredictionFormat([1], [[1, 2, 11, 12]], [0.5])
    longer.detection_boxes.append([1, 2, 3, 4])
    none = DetectionPredictionFormat([1], [[1, 2, 11, 12]], [0.5])
    none.detection_boxes[0] = 5  # type: ignore[call-overload]  # what is refused
    for given, why in ((longer, "one entry per class: got 2 for 1"), (none, "changed after it was made")):
        with pytest.raises(ConfigurationError, match=why):
            Frame(image=jpeg(), filename="a.jpg", width=WIDTH, height=HEIGHT, latency=0.1, prediction=given)


@pytest.mark.anyio
@pytest.mark.parametrize("name", ["detection_classes", "detection_scores", "detection_boxes"])
@pytest.mark.parametrize("change", [lambda found: found.append(found[0]), list.clear], ids=["one more", "none"])
async def test_lists_changed_before_the_call(deployment: AsyncDeployment, name: str, change: Any) -> None:
    """A call refuses lists of different lengths too, whichever was changed; so does a frame."""
    await deployment.monitor_bytes(
        jpeg(WIDTH, HEIGHT), "image/jpeg", "first.jpg", 0.1, HEIGHT, WIDTH, MAKERS["detection"]()
    )
    given = DetectionPredictionFormat([1], [[1, 2, 11, 12]], [0.5])
    change(getattr(given, name))
    with pytest.raises(ConfigurationError, match="must have one entry per class"):
        await deployment.monitor_bytes(jpeg(WIDTH, HEIGHT), "image/jpeg", "a.jpg", 0.1, HEIGHT, WIDTH, given)
    with pytest.raises(ConfigurationError, match="must have one entry per class"):
        Frame(image=jpeg(WIDTH, HEIGHT), filename="a.jpg", width=WIDTH, height=HEIGHT, latency=0.1, prediction=given)


async def _monitor(deployment: AsyncDeployment, given: PredictionFormat, folder: Any) -> Any:
    path = folder / "a.jpg"
    path.write_bytes(jpeg(WIDTH, HEIGHT))
    return await deployment.monitor(path, 0.1, HEIGHT, WIDTH, given)


async def _monitor_bytes(deployment: AsyncDeployment, given: PredictionFormat, _: Any) -> Any:
    return await deployment.monitor_bytes(jpeg(WIDTH, HEIGHT), "image/jpeg", "a.jpg", 0.1, HEIGHT, WIDTH, given)


async def _monitor_array(deployment: AsyncDeployment, given: PredictionFormat, _: Any) -> Any:
    numpy = pytest.importorskip("numpy")
    return await deployment.monitor_array(numpy.zeros((HEIGHT, WIDTH, 3), numpy.uint8), 0.1, given, filename="a.jpg")


async def _submit(deployment: AsyncDeployment, given: PredictionFormat, folder: Any) -> Any:
    frame = Frame(
        image=jpeg(WIDTH, HEIGHT), filename="a.jpg", width=WIDTH, height=HEIGHT, latency=0.1, prediction=given
    )
    await asyncio.sleep(0)
    async with deployment.uploader(spool=folder / "spool") as uploader:
        await uploader.submit(frame)


class Step(Awaitable[Any]):
    """Runs a call to the end, and spoils its prediction as soon as it waits for the first time."""

    def __init__(self, call: Awaitable[Any], given: PredictionFormat) -> None:
        self.call, self.given = call, given

    def __await__(self) -> Generator[Any, Any, Any]:
        running = self.call.__await__()
        waited_for = next(running)
        spoil(self.given)
        self.given.detection_classes[:] = [99] * 2
        yield waited_for
        return (yield from running)


@pytest.mark.anyio
@pytest.mark.parametrize("call", [_monitor, _monitor_bytes, _monitor_array, _submit])
async def test_what_is_sent_is_what_was_said(deployment: AsyncDeployment, tmp_path: Any, call: Any) -> None:
    """The caller fills its lists anew as soon as it gets the loop, while the call fetches, reads or encodes."""
    given = MAKERS["detection"]()
    await Step(call(deployment, given, tmp_path), given)
    assert await _said(deployment, is_shadow=False) == ("bicycle", [2, 1, 10, 10])


@pytest.mark.anyio
async def test_what_is_sent_of_a_shadow_is_what_was_said(deployment: AsyncDeployment, tmp_path: Any) -> None:
    """A prediction that comes later, too."""
    given = MAKERS["detection"]()
    await _monitor_bytes(deployment, given, tmp_path)
    asset = await deployment.find_predicted_asset(filename="a.jpg")
    await Step(deployment.monitor_shadow(asset, 0.1, given), given)
    assert await _said(deployment, is_shadow=True) == ("bicycle", [2, 1, 10, 10])


async def _said(deployment: AsyncDeployment, *, is_shadow: bool) -> tuple[str, list[int]]:
    """Return name and place of the one rectangle that is stored."""
    asset = await deployment.find_predicted_asset(filename="a.jpg")
    [said] = [one for one in (await asset.sync()).predictions or [] if one["is_shadow"] is is_shadow]
    [shape] = said["rectangles"]
    return shape["label"]["name"], [shape[key] for key in "xywh"]


CHANGES: Final[dict[str, tuple[str, Callable[[PredictionFormat], None]]]] = {
    "a fraction in a box": ("detection", lambda p: p.detection_boxes[0].__setitem__(0, 0.25)),  # type: ignore[attr-defined]
    "a float of a whole pixel": ("detection", lambda p: p.detection_boxes[0].__setitem__(3, 12.0)),  # type: ignore[attr-defined]
    "NaN behind a score": ("detection", lambda p: p.detection_scores.__setitem__(0, float("nan"))),  # type: ignore[attr-defined]
    "a class with a fraction": ("detection", lambda p: p.detection_classes.__setitem__(0, 1.0)),  # type: ignore[call-overload]
    "a fraction in a polygon": ("segmentation", lambda p: p.detection_masks[0][1].__setitem__(0, 10.5)),  # type: ignore[attr-defined]
    "a fraction in a line": ("line", lambda p: p.lines[0][1].__setitem__(1, 0.5)),  # type: ignore[attr-defined]
    "a fraction in a point": ("point", lambda p: p.points[0].__setitem__(1, 0.5)),  # type: ignore[attr-defined]
    "a fraction in a skeleton": ("keypoint", lambda p: p.keypoints[0][0].__setitem__(0, 0.5)),  # type: ignore[attr-defined]
    "NaN in a skeleton's score": ("keypoint", lambda p: p.detection_scores.__setitem__(0, float("nan"))),  # type: ignore[attr-defined]
}


@pytest.mark.parametrize("change", CHANGES)
def test_numbers_put_in_afterwards_are_refused(change: str) -> None:
    """The wire has whole numbers and finite scores; the constructor's rounding and refusing are over by then."""
    kind, spoil_one = CHANGES[change]
    given = MAKERS[kind]()
    spoil_one(given)
    fields: dict[str, Any] = {
        "image": jpeg(WIDTH, HEIGHT),
        "filename": "a.jpg",
        "width": WIDTH,
        "height": HEIGHT,
        "latency": 0.1,
    }
    for name in ("prediction", "shadow_prediction"):
        said = {"prediction": MAKERS[kind](), "shadow_prediction": MAKERS[kind](), "shadow_latency": 0.1, name: given}
        with pytest.raises(ConfigurationError, match=r"changed after it was made|is nan, not 0 to 1"):
            Frame(**fields, **said)


@pytest.mark.anyio
@pytest.mark.parametrize("change", [name for name, (kind, _) in CHANGES.items() if kind == "detection"])
async def test_numbers_put_in_afterwards_are_not_sent(deployment: AsyncDeployment, emulator: Any, change: str) -> None:
    """By no call; a prediction of a shadow that comes later is looked at, too."""
    good = MAKERS["detection"]()
    await _monitor_bytes(deployment, good, None)
    asset = await deployment.find_predicted_asset(filename="a.jpg")
    before = len(emulator.journal)
    for given in (MAKERS["detection"](), DetectionPredictionFormat([1, 1], [[1, 2, 11, 12]] * 2, [0.5, 0.5])):
        CHANGES[change][1](given)
        with pytest.raises(ConfigurationError, match=r"changed after it was made|is nan, not 0 to 1"):
            await _monitor_bytes(deployment, given, None)
        with pytest.raises(
            ConfigurationError, match=r"changed after it was made|is nan|must be finite|must be a finite"
        ):
            await deployment.monitor_shadow(asset, 0.1, given)
    assert len(emulator.journal) == before
