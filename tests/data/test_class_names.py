"""What a model calls its classes, against what the label map calls them; and other values whose meaning is told apart."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from picsellia_async import (
    AsyncDeployment,
    DetectionPredictionFormat,
    Frame,
    ImplausibleError,
    KeypointPredictionFormat,
)
from picsellia_async._delivery.spool import codec
from picsellia_async.errors import ConfigurationError
from picsellia_async.predictions import (
    MaskPredictionFormat,
    PredictionFormat,
    from_coco,
    from_supervision,
    from_torchvision,
    from_ultralytics,
)

from ..support.frames import make_frame

LABELS = {"person": 0, "bicycle": 1, "car": 2, "truck": 3}


def ultralytics(names: dict[int, str], *classes: int) -> Any:
    boxes = SimpleNamespace(
        cls=np.array(classes, float),
        conf=np.full(len(classes), 0.9),
        xyxy=np.array([[1, 2, 30, 40]] * len(classes), float),
    )
    return SimpleNamespace(
        orig_shape=(48, 64), names=names, boxes=boxes, obb=None, probs=None, masks=None, keypoints=None
    )


def frame(prediction: PredictionFormat) -> Frame:
    return make_frame(prediction=prediction)


@pytest.mark.anyio
async def test_a_name_that_the_label_map_has_elsewhere_is_refused(deployment: AsyncDeployment) -> None:
    """A pretrained model's class 1 is its "car", and the deployment's 1 is its "bicycle": nothing is sent."""
    prediction = from_ultralytics(ultralytics({0: "person", 1: "car"}, 1))
    with pytest.raises(
        ImplausibleError, match=r"class 1 is 'car' to the model, but 'bicycle' in the label map, which has 'car' as 2"
    ):
        await deployment.monitor_bytes(frame(prediction).image, "image/jpeg", "a.jpg", 0.02, 48, 64, prediction)
    report = await deployment.monitor_many([frame(prediction)])
    assert (report.delivered, report.rejected) == (0, 1)
    carried = SimpleNamespace(
        xyxy=np.array([[1.0, 2, 30, 40]]), class_id=np.array([1]), confidence=np.array([0.9]), mask=None,
        data={"class_name": np.array(["car"])},
    )  # fmt: skip
    with pytest.raises(ImplausibleError, match=r"class 1 is 'car' to the model"):
        prediction = from_supervision(carried)
        await deployment.monitor_bytes(frame(prediction).image, "image/jpeg", "a.jpg", 0.02, 48, 64, prediction)
    looked_up = from_ultralytics(ultralytics({0: "person", 1: "car"}, 1), label_map=await deployment.label_map())
    assert (await deployment.monitor_many([frame(looked_up)])).is_complete


@pytest.mark.anyio
@pytest.mark.parametrize(
    "make",
    [
        lambda other: DetectionPredictionFormat.from_xyxy([[1, 2, 30, 40]], ["car"], [0.9], label_map=other),
        lambda other: DetectionPredictionFormat.from_xyxy([[1, 2, 30, 40]], [7], [0.9], names={7: "car"}, label_map=other),
        lambda other: from_ultralytics(ultralytics({5: "car"}, 5), label_map=other),
        lambda other: from_coco(
            [{"category_id": 3, "bbox": [1, 2, 3, 4], "score": 0.9}], categories={3: "car"}, label_map=other
        ),
    ],
    ids=["names", "own names", "ultralytics", "coco"],
)  # fmt: skip
async def test_the_label_map_of_another_deployment_is_refused(deployment: AsyncDeployment, make: Any) -> None:
    """Its names were looked up, and stand at other indexes here; those of the deployment itself are sent."""
    prediction = make({"person": 3, "car": 1})
    with pytest.raises(ImplausibleError, match=r"class 1 is 'car' to the model, but 'bicycle' in the label map"):
        await deployment.monitor_bytes(frame(prediction).image, "image/jpeg", "a.jpg", 0.02, 48, 64, prediction)
    assert (await deployment.monitor_many([frame(make(await deployment.label_map()))])).is_complete


@pytest.mark.anyio
async def test_another_word_for_a_class_is_said_once(
    deployment: AsyncDeployment, caplog: pytest.LogCaptureFixture
) -> None:
    """Whether the model's "motorcycle" is the label map's "truck" nobody can tell: it is sent, with one warning."""
    names = {0: "person", 3: "motorcycle"}
    with caplog.at_level(logging.WARNING, "picsellia_async"):
        for _ in range(3):
            report = await deployment.monitor_many([frame(from_ultralytics(ultralytics(names, 0, 3)))])
            assert report.is_complete
    said = [
        record.getMessage()
        for record in caplog.records
        if "the model calls class 3 'motorcycle'" in record.getMessage()
    ]
    assert len(said) == 1


def test_a_label_map_with_nothing_to_look_up_is_refused() -> None:
    """Numbers of the model would be taken as the deployment's, though the label map was given to look names up in it."""
    output = {"boxes": np.array([[1.0, 2, 30, 40]]), "labels": np.array([1]), "scores": np.array([0.9])}
    with pytest.raises(ConfigurationError, match=r"torchvision's labels leave 0 to the background.* give names="):
        from_torchvision(output, label_map=LABELS)
    detections = SimpleNamespace(
        xyxy=output["boxes"], class_id=output["labels"], confidence=output["scores"], mask=None, data={}
    )
    with pytest.raises(ConfigurationError, match="the result carries none: give names="):
        from_supervision(detections, label_map=LABELS)
    named = from_torchvision(output, names=["__background__", "person"], label_map=LABELS)
    assert named.detection_classes == [0]


def test_annotations_of_several_images_are_no_prediction() -> None:
    """They would all land on one picture."""
    annotations = [{"image_id": number, "category_id": 1, "bbox": [1, 2, 3, 4], "score": 0.9} for number in (1, 2)]
    with pytest.raises(ConfigurationError, match=r"are of 2 images \(image_id 1, 2\)"):
        from_coco(annotations, categories={1: 0})


def test_an_annotation_that_is_there_twice_is_refused() -> None:
    """Two runs in one list, perhaps: each object would count twice."""
    one = {"category_id": 1, "bbox": [1, 2, 30, 40], "score": 0.9}
    with pytest.raises(ConfigurationError, match=r"annotations\[2\] repeats annotations\[0\]"):
        from_coco([one, {**one, "score": 0.8}, dict(one)], categories={1: 0})


def test_sets_have_no_order() -> None:
    """Which score belongs to which box is told by the order."""
    with pytest.raises(ConfigurationError, match=r"scores must be a list, got a set, which has no order"):
        DetectionPredictionFormat([0, 1], [[0, 0, 10, 10]] * 2, {0.9, 0.8})


@pytest.mark.parametrize("boxes", [[[0.1, 0.1, 0.5, 1.02]], [[-0.01, 0.1, 0.5, 0.9]]])
def test_shares_that_overhang_are_shares(boxes: list[list[float]]) -> None:
    """A network's box may reach a little beyond the image, and rounding would make it [0, 0, 0, 1] all the same."""
    with pytest.raises(ImplausibleError, match="looks like shares of the image"):
        DetectionPredictionFormat([0], boxes, [0.9])


@pytest.mark.parametrize("third", [0.93, 0.3, 5])
def test_a_visibility_is_0_1_or_2(third: float) -> None:
    """A confidence in its place would be rounded to "hidden" or "not there"."""
    with pytest.raises(ConfigurationError, match=r"keypoints\[0\]\[1\] has .* as its visibility"):
        KeypointPredictionFormat([0], [0.9], [[[10, 20, 2], [30, 40, third]]])


def test_a_map_of_classes_is_no_mask() -> None:
    """What is not 0 would all be one object; 0 and 255 are a mask."""
    pixels = np.zeros((48, 64), np.uint8)
    pixels[10:20, 10:20], pixels[30:40, 30:40] = 1, 3
    with pytest.raises(ConfigurationError, match="looks like a map of classes"):
        MaskPredictionFormat.from_binary_masks([pixels], [0], [0.9])
    assert len(MaskPredictionFormat.from_binary_masks([(pixels == 3) * np.uint8(255)], [0], [0.9]).detection_masks) == 1


def test_an_image_of_pillow_knows_its_channels() -> None:
    """With OpenCV's order, red and blue would be swapped."""
    image = pytest.importorskip("PIL.Image").new("RGB", (64, 48), "red")
    prediction = DetectionPredictionFormat([0], [[0, 0, 10, 10]], [0.9])
    with pytest.raises(ImplausibleError, match='order="rgb"'):
        Frame.from_array(image, prediction=prediction, latency=0.02, filename="a.jpg")
    made = Frame.from_array(image, prediction=prediction, latency=0.02, filename="a.jpg", order="rgb")
    assert made.width == 64


def swap_labels(emulator: Any) -> None:
    """Give the newer model version another order of the same labels."""
    documents = emulator.state.store.documents
    version = documents.find("model_version", name="latest")
    version["labels"] = {"0": "car", "1": "bicycle", "2": "person", "3": "truck"}
    documents.save("model_version", version)


@pytest.mark.anyio
async def test_labels_held_from_before_the_model_was_replaced(
    client: Any, deployment: AsyncDeployment, emulator: Any
) -> None:
    """A service fetches the label map when it starts; after `set_model` its names stand at other indexes, and are refused."""
    swap_labels(emulator)
    await deployment.set_model(await (await client.get_model("my-model")).get_version("first"))
    labels = await deployment.label_map()

    def person() -> PredictionFormat:
        return DetectionPredictionFormat.from_xyxy([[1, 2, 30, 40]], ["person"], [0.9], label_map=labels)

    assert (await deployment.monitor_many([frame(person())])).is_complete
    await deployment.set_model(await (await client.get_model("my-model")).get_version("latest"))
    with pytest.raises(ImplausibleError, match=r"class 0 is 'person' to the model, but 'car' in the label map"):
        await deployment.monitor_bytes(frame(person()).image, "image/jpeg", "a.jpg", 0.02, 48, 64, person())
    report = await deployment.monitor_many([frame(person())])
    assert (report.delivered, report.rejected) == (0, 1)
    labels = await deployment.label_map()
    assert (await deployment.monitor_many([frame(person())])).is_complete


@pytest.mark.anyio
async def test_a_spool_keeps_the_names_of_classes(deployment: AsyncDeployment) -> None:
    """A frame that is read back from the disk, by another process maybe, is compared with the label map like any other."""
    other = frame(
        DetectionPredictionFormat.from_xyxy([[1, 2, 30, 40]], ["car"], [0.9], label_map={"person": 3, "car": 1})
    )
    back = codec.decode(codec.encode(other), other.image)  # type: ignore[arg-type]  # bytes
    assert back.prediction.class_names == {1: "car"}
    report = await deployment.monitor_many([back])
    assert (report.delivered, report.rejected) == (0, 1)


def test_a_label_map_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of labels are not walked for each prediction; a mapping that is changed is looked at again."""
    seen: list[str] = []

    class Counted(dict[str, int]):
        def items(self) -> Any:
            seen.append("walked")
            return super().items()

    labels = Counted({f"class {index}": index for index in range(1000)})
    for _ in range(3):
        made = DetectionPredictionFormat.from_xyxy([[1, 2, 3, 4]] * 2, ["class 7", 9], [0.5] * 2, label_map=labels)
        assert (made.detection_classes, made.class_names) == ([7, 9], {7: "class 7", 9: "class 9"})
    assert seen == ["walked"]
    labels["class 7"], labels["new"] = 1007, 7
    made = DetectionPredictionFormat.from_xyxy([[1, 2, 3, 4]] * 2, ["class 7", 7], [0.5] * 2, label_map=labels)
    assert (made.detection_classes, made.class_names) == ([1007, 7], {1007: "class 7", 7: "new"})
    labels["class 9"] = 5000  # as many labels as before
    assert DetectionPredictionFormat.from_xyxy(
        [[1, 2, 3, 4]], ["class 9"], [0.5], label_map=labels
    ).detection_classes == [5000]
    with pytest.raises(ImplausibleError, match="is 9, which is no index of the label map"):
        DetectionPredictionFormat.from_xyxy([[1, 2, 3, 4]], [9], [0.5], label_map=labels)
