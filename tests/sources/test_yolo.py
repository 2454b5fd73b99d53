"""`yolo_labels`: frames from label files of YOLO."""

from __future__ import annotations

import pytest

from picsellia_async.predictions import DetectionPredictionFormat, SegmentationPredictionFormat
from picsellia_async.sources import SourceError, yolo_labels

from ..support.sources import listed

pytestmark = pytest.mark.anyio


async def test_yolo_boxes_are_converted(tmp_path, make_image):
    """Shares of width and height become pixels; a file with nothing in it is a frame without boxes."""
    make_image(tmp_path / "images/a.jpg", 200, 100)
    make_image(tmp_path / "images/s/b.png", 200, 100)
    make_image(tmp_path / "images/none.jpg", 200, 100)
    labels = tmp_path / "labels"
    (labels / "s").mkdir(parents=True)
    (labels / "a.txt").write_text("2 0.5 0.5 0.1 0.2 0.875\n0 0.1 0.1 0.1 0.1\n")
    (labels / "s/b.txt").write_text("")
    frames = await listed(yolo_labels(labels, tmp_path / "images", categories={2: 5, 0: 0}))
    assert [frame.filename for frame in frames] == ["a.jpg", "s/b.png"]
    assert frames[0].prediction == DetectionPredictionFormat([5, 0], [[40, 90, 60, 110], [5, 10, 15, 30]], [0.875, 1.0])
    assert frames[1].prediction.detection_boxes == []
    frames = await listed(yolo_labels(labels, tmp_path / "images", empty=True))
    assert [frame.filename for frame in frames] == ["a.jpg", "s/b.png", "none.jpg"]


async def test_yolo_polygons(tmp_path, make_image):
    """An odd number after the class is the score."""
    make_image(tmp_path / "a.jpg", 200, 100)
    (tmp_path / "a.txt").write_text("1 0 0 0.5 0 0.5 0.5 0.25\n1 0 0 0.5 0 0.5 0.5\n")
    (frame,) = await listed(yolo_labels(tmp_path, tmp_path, kind="segmentation"))
    triangle = [[0, 0], [100, 0], [100, 50]]
    assert frame.prediction == SegmentationPredictionFormat([1, 1], [0.25, 1.0], [triangle, triangle])


@pytest.mark.parametrize("line", ["x 0 0 1 1", "1 0 0 1", "1 0 0 1 nan", "1 0 0 1 1 1 1", "9 0 0 1 1"])
async def test_bad_label_files_are_named_or_skipped(tmp_path, make_image, line):
    """File and line are in the error; so is a label file whose image is not there."""
    make_image(tmp_path / "a.jpg")
    (tmp_path / "a.txt").write_text(f"1 0.5 0.5 1 1\n{line}\n")
    (tmp_path / "gone.txt").write_text("1 0.5 0.5 1 1\n")
    with pytest.raises(SourceError, match=r"a\.txt: line 2: "):
        await listed(yolo_labels(tmp_path, tmp_path, categories={1: 1}))
    source = yolo_labels(tmp_path, tmp_path, categories={1: 1}, on_bad="skip")
    assert await listed(source) == []
    assert source.skipped == 2
    assert "no image 'gone'" in source.problems[1]
