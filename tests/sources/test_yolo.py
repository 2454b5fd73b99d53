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
    (labels / "a.txt").write_text("2 0.5 0.5 0.1 0.2 0.875\n0 0.1 0.1 0.1 0.1 1.0\n")
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
    (tmp_path / "a.txt").write_text("1 0 0 0.5 0 0.5 0.5 0.25\n1 0 0 0.5 0 0.5 0.5 1.0\n")
    (frame,) = await listed(yolo_labels(tmp_path, tmp_path, kind="segmentation"))
    triangle = [[0, 0], [100, 0], [100, 50]]
    assert frame.prediction == SegmentationPredictionFormat([1, 1], [0.25, 1.0], [triangle, triangle])


@pytest.mark.parametrize(
    "line", ["x 0.5 0.5 1 1 0.5", "1 0 0 1", "1 0 0 1 nan 1", "1 0 0 1 1 1 1 1", "9 0.5 0.5 1 1 0.5", "1 0.5 0.5 1 1"]
)
async def test_bad_label_files_are_named_or_skipped(tmp_path, make_image, line):
    """File and line are in the error; so is a label file whose image is not there."""
    make_image(tmp_path / "a.jpg")
    (tmp_path / "a.txt").write_text(f"1 0.5 0.5 1 1 0.5\n{line}\n")
    (tmp_path / "gone.txt").write_text("1 0.5 0.5 1 1\n")
    with pytest.raises(SourceError, match=r"a\.txt: line 2: "):
        await listed(yolo_labels(tmp_path, tmp_path, categories={1: 1}))
    source = yolo_labels(tmp_path, tmp_path, categories={1: 1}, on_bad="skip")
    assert await listed(source) == []
    assert source.skipped == 2
    assert "no image 'gone'" in source.problems[1]


@pytest.fixture
def dataset(tmp_path, make_image):
    """Labels with classes 2 and 0, an image, and room for files beside them."""
    make_image(tmp_path / "images/a.jpg", 100, 50)
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels/a.txt").write_text("2 0.5 0.5 0.2 0.4 0.9\n0 0.5 0.5 0.2 0.4 0.8\n")
    return tmp_path


async def classes(dataset, **options):
    (frame,) = await listed(yolo_labels(dataset / "labels", dataset / "images", **options))
    return frame.prediction.detection_classes


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("labels/classes.txt", "cat\ndog\nhorse\n"),
        ("labels/data.yaml", "names: [cat, dog, horse]"),
        ("data.yaml", "train: x\nnc: 3\nnames:\n  0: cat\n  1: dog\n  2: horse\n"),
        ("data.yaml", "names:\n- cat\n- dog\n- horse\n"),
        ("obj.names", "cat\ndog\nhorse"),
    ],
)
async def test_class_names_beside_the_labels_are_used(dataset, name, content):
    """Whichever of their forms: with a label map the classes are found by name."""
    if name.endswith("yaml"):
        pytest.importorskip("yaml")
    (dataset / name).write_text(content)
    assert await classes(dataset, label_map={"dog": 0, "cat": 1, "horse": 2}) == [2, 1]
    assert await classes(dataset, categories={"horse": 5, "cat": 6}) == [5, 6]
    assert await classes(dataset) == [2, 0]


async def test_names_that_are_known_are_remembered(dataset):
    """With numbers taken as they are: a deployment whose label map has a name elsewhere refuses the frames."""
    (dataset / "labels/classes.txt").write_text("cat\ndog\nhorse\n")
    for options in ({}, {"names": ["cat", "dog", "horse"]}):
        (frame,) = await listed(yolo_labels(dataset / "labels", dataset / "images", **options))
        assert frame.prediction.class_names == {2: "horse", 0: "cat"}
    (frame,) = await listed(yolo_labels(dataset / "labels", dataset / "images", categories="indexes"))
    assert frame.prediction.class_names is None


async def test_class_names_may_be_given(dataset):
    """As a mapping, a list, or a file; without any, an unknown name is an error."""
    label_map = {"cat": 3, "horse": 4}
    for names in ({0: "cat", 2: "horse"}, ["cat", "dog", "horse"]):
        assert await classes(dataset, names=names, label_map=label_map) == [4, 3]
    (dataset / "n.txt").write_text("cat\ndog\nhorse")
    assert await classes(dataset, names=dataset / "n.txt", label_map=label_map) == [4, 3]
    with pytest.raises(SourceError, match=r"line 1: class 2 has no name"):
        await classes(dataset, label_map=label_map)
    with pytest.raises(FileNotFoundError):
        await classes(dataset, names=dataset / "gone.txt")


@pytest.mark.parametrize("name", ["classes.txt", "train.txt", "README.roboflow.txt"])
async def test_text_files_that_are_no_labels_are_passed_over(dataset, name):
    """Names of classes, lists of images, a read-me."""
    (dataset / "labels" / name).write_text("cat and dog\n")
    assert await classes(dataset) == [2, 0]


async def test_labels_beside_images_in_a_dataset_find_each_other(tmp_path, make_image):
    """Given the dataset's root twice, `train/labels/a.txt` belongs to `train/images/a.jpg` and not to that of `val`."""
    for part in ("train", "val"):
        make_image(tmp_path / part / "images/a.jpg", 100 if part == "train" else 200, 50)
        (tmp_path / part / "labels").mkdir()
        (tmp_path / part / "labels/a.txt").write_text("0 0.5 0.5 0.2 0.4 0.9")
    frames = await listed(yolo_labels(tmp_path, tmp_path))
    assert [(frame.filename, frame.width) for frame in frames] == [
        ("train/images/a.jpg", 100),
        ("val/images/a.jpg", 200),
    ]


async def test_flat_labels_find_nested_images(tmp_path, make_image):
    """As detectors write them for a folder with subfolders; a name that fits two images is refused."""
    make_image(tmp_path / "images/x/a.jpg")
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels/a.txt").write_text("0 0.5 0.5 0.2 0.4 0.9")
    (frame,) = await listed(yolo_labels(tmp_path / "labels", tmp_path / "images"))
    assert frame.filename == "x/a.jpg"
    make_image(tmp_path / "images/x/a.png")
    with pytest.raises(SourceError, match="fits 2 files"):
        await listed(yolo_labels(tmp_path / "labels", tmp_path / "images"))


async def test_a_folder_without_labels_is_an_error(tmp_path, make_image):
    """Nothing to deliver is no success."""
    make_image(tmp_path / "a.jpg")
    with pytest.raises(SourceError, match="no label files"):
        await listed(yolo_labels(tmp_path, tmp_path))
