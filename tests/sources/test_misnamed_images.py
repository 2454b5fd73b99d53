"""A JPEG named .png, or a PNG named .jpg: it is sent as what it is, from each source of files."""

from __future__ import annotations

import json

import attrs
import pytest

from picsellia_async import DetectionPredictionFormat, SupportedContentType
from picsellia_async.sources import coco_results, directory, manifest, yolo_labels

from ..support.sources import encoded, listed

pytestmark = pytest.mark.anyio

HELD = {"a.png": SupportedContentType.JPEG, "b.jpg": SupportedContentType.PNG, "c.jpg": SupportedContentType.JPEG}
DETECTION = {"detection_classes": [0], "detection_boxes": [[2, 1, 40, 30]], "detection_scores": [0.5]}


@pytest.fixture
def folder(tmp_path):
    """A JPEG named .png, a PNG named .jpg, and a JPEG named so."""
    for name, held in HELD.items():
        suffix = ".jpg" if held is SupportedContentType.JPEG else ".png"
        (tmp_path / name).write_bytes(encoded(suffix=suffix))
    return tmp_path


async def frames(form, folder, **line):
    """Return the frames of the folder, by a source of that form."""
    if form == "directory":
        prediction = DetectionPredictionFormat([0], [[2, 1, 40, 30]], [0.5])
        return [one.with_prediction(prediction, latency=0.1) for one in await listed(directory(folder))]
    if form == "manifest":
        lines = [json.dumps({"image": name, "prediction": DETECTION, **line}) for name in HELD]
        (folder / "m.jsonl").write_text("\n".join(lines))
        return await listed(manifest(folder / "m.jsonl"))
    if form == "coco":
        box = {"category_id": 0, "bbox": [1, 2, 29, 38], "score": 0.5}
        (folder / "r.json").write_text(json.dumps([{"file_name": name, **box} for name in HELD]))
        return await listed(coco_results(folder / "r.json", folder, categories="indexes"))
    (folder / "labels").mkdir()
    for name in HELD:
        (folder / "labels" / f"{name[0]}.txt").write_text("0 0.5 0.5 0.2 0.4 0.9\n")
    return await listed(yolo_labels(folder / "labels", folder))


@pytest.mark.parametrize("form", ["directory", "manifest", "coco", "yolo"])
async def test_an_image_is_sent_as_what_it_holds(form, folder, deployment):
    """Its name stays; the service gets the type of the content, which is no contradiction."""
    made = await frames(form, folder)
    assert {frame.filename: frame.content_type for frame in made} == HELD
    report = await deployment.monitor_many(made)
    assert (report.delivered, report.rejected) == (3, 0)


@pytest.mark.parametrize("given", [None, "image/png"])
async def test_a_type_that_a_manifest_gives_wins(folder, given):
    """What a line says itself is checked against the image when it is sent; null says nothing."""
    found = [one.content_type for one in await frames("manifest", folder, content_type=given)]
    assert found == (list(HELD.values()) if given is None else [SupportedContentType.PNG] * 3)


async def test_another_picture_in_the_place_of_a_file_is_sent_as_what_it_is(tmp_path):
    """The type of the file tells nothing of it, whether it is given to the frame or put into the image."""
    (tmp_path / "a.png").write_bytes(encoded(suffix=".png"))
    (image,) = await listed(directory(tmp_path))
    prediction = DetectionPredictionFormat([0], [[2, 1, 40, 30]], [0.5])
    other = {"image": encoded(suffix=".jpg"), "filename": "a.jpg"}
    made = [
        image.with_prediction(prediction, latency=0.1, **other),
        attrs.evolve(image, **other).with_prediction(prediction, latency=0.1),
        image.with_prediction(prediction, latency=0.1, content_type="image/png"),
    ]
    assert [one.content_type for one in made] == [SupportedContentType.JPEG] * 2 + [SupportedContentType.PNG]
