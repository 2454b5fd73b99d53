"""Files with the names of classes: each name has the number that the labels were written with, or the file is refused."""

from __future__ import annotations

import pytest

from picsellia_async.sources import SourceError, yolo_labels

from ..support.sources import listed

pytestmark = pytest.mark.anyio

LABEL_MAP = {"person": 0, "bicycle": 1, "car": 2}


@pytest.fixture
def dataset(tmp_path, make_image):
    """Images and labels beside each other, of one box of class 2."""
    make_image(tmp_path / "images/a.jpg", 100, 50)
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels/a.txt").write_text("2 0.5 0.5 0.2 0.4 0.9\n")
    return tmp_path


async def names(dataset, **options):
    options = {"label_map": LABEL_MAP, **options}
    (frame,) = await listed(yolo_labels(dataset / "labels", dataset / "images", **options))
    return frame.prediction.class_names


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("\nperson\nbicycle\ncar\n", "line 1 is blank"),
        ("person\n \nbicycle\ncar\n", "line 2 is blank"),
        ("# mine\nperson\nbicycle\ncar\n", "line 1 is a comment, '# mine'"),
        ("person\n// two wheels\nbicycle\ncar\n", "line 2 is a comment"),
    ],
    ids=["first", "middle", "comment", "slashes"],
)
async def test_a_line_that_is_no_name_shifts_no_class(dataset, content, line):
    """The names behind it would all be one too high: refused, in a file that was named and in one that was found."""
    (dataset / "n.txt").write_text(content)
    (dataset / "labels/classes.txt").write_text(content)
    for options in ({"names": dataset / "n.txt"}, {}, {"label_map": None}):
        with pytest.raises(SourceError, match=rf"{line}.*every name behind it would be one too high"):
            await names(dataset, **options)


async def test_blank_lines_at_the_end_are_none(dataset):
    """Editors leave them there; spaces around names and Windows' ends of lines do not matter."""
    (dataset / "n.txt").write_bytes(b"person \r\nbicycle\t\r\ncar\r\n\r\n \r\n")
    assert await names(dataset, names=dataset / "n.txt") == {2: "car"}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("nc: 4\nnames: [person, bicycle, car]", "nc is 4, and there are 3 names"),
        ("nc: 2\nnames: {0: person, 1: bicycle, 2: car}", "nc is 2, and there are 3 names"),
        ("names: [person, person, car]", "classes 0 and 1 are both called 'person'"),
        ("names: [no, person, car]", "name of class 0 is False, and no text"),
        ("names:\n-\n- person\n- car", "name of class 0 is None, and no text"),
    ],
)
async def test_names_in_yaml_that_are_in_doubt_are_refused(dataset, content, words):
    """Another number of them than it says itself, one twice, one that YAML reads as something else."""
    pytest.importorskip("yaml")
    (dataset / "data.yaml").write_text(content)
    for options in ({"names": dataset / "data.yaml"}, {}):
        with pytest.raises(SourceError, match=words):
            await names(dataset, **options)


async def test_a_name_of_two_classes_is_refused(dataset):
    """A line that was copied, or a name too few: in a file or a list. A mapping, made by hand, may say so."""
    (dataset / "n.txt").write_text("person\nperson\ncar\n")
    for given in (dataset / "n.txt", ["person", "person", "car"]):
        with pytest.raises(SourceError, match="classes 0 and 1 are both called 'person'"):
            await names(dataset, names=given)
    assert await names(dataset, names={1: "car", 2: "car"}) == {2: "car"}


async def test_two_files_that_contradict_each_other_are_refused(dataset):
    """Which of them the labels were written with nobody can tell: both are named. `names` decides."""
    pytest.importorskip("yaml")
    (dataset / "labels/data.yaml").write_text("names: [car, bicycle, person]\n")
    (dataset / "labels/classes.txt").write_text("person\nbicycle\ncar\n")
    for options in ({}, {"label_map": None}):
        with pytest.raises(SourceError, match=r"data\.yaml calls class 0 'car', and .*classes\.txt 'person'.*names="):
            await names(dataset, **options)
    assert await names(dataset, names=dataset / "labels/classes.txt") == {2: "car"}
    (dataset / "labels/data.yaml").rename(dataset / "data.yaml")
    with pytest.raises(SourceError, match=r"classes\.txt calls class 0 'person', and .*data\.yaml 'car'"):
        await names(dataset)


async def test_two_files_that_agree_are_read_together(dataset):
    """One may name more classes; YAML without names beside them is another kind of file."""
    pytest.importorskip("yaml")
    (dataset / "labels/classes.txt").write_text("person\nbicycle\n")
    (dataset / "obj.names").write_text("person\nbicycle\ncar\n")
    (dataset / "data.yaml").write_text("train: images\n")
    assert await names(dataset) == {2: "car"}
