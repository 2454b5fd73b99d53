"""A set of many cameras, each with a 0001.jpg, is read in a time that grows with its images, not with their square."""

from __future__ import annotations

import random
from pathlib import PurePosixPath

import pytest

from picsellia_async.sources import SourceError, _tool_paths
from picsellia_async.sources._errors import Problems
from picsellia_async.sources._lookup import ImageLookup

CAMERAS, EACH = 40, 4


@pytest.fixture
def compared(monkeypatch):
    """Return the pairs of paths that were compared."""
    pairs, original = [], _tool_paths.shared_tail

    def shared_tail(one, other):
        pairs.append((one, other))
        return original(one, other)

    monkeypatch.setattr(_tool_paths, "shared_tail", shared_tail)
    return pairs


@pytest.fixture(params=["", "/rgb"], ids=["one folder", "a folder of the same name in each"])
def names(request, tmp_path):
    """Return the paths of the images, without extension."""
    found = [f"cam{camera}{request.param}/{number:04d}" for camera in range(CAMERAS) for number in range(EACH)]
    for name in found:
        path = tmp_path / "set" / f"{name}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return found


@pytest.mark.parametrize("below", ["", "set"], ids=["at its place", "deeper"])
def test_an_image_of_a_label_is_compared_with_those_in_its_folders(tmp_path, names, below, compared):
    """Not with the ones of all other cameras; each label has its image."""
    lookup = ImageLookup(tmp_path if below else tmp_path / "set", Problems("raise"))
    labels = [PurePosixPath(name) for name in names]
    lookup.expect_labels(labels)
    assert [lookup.labelled(one) for one in labels] == [tmp_path / "set" / f"{name}.jpg" for name in names]
    assert len(compared) <= 8 * len(names)


@pytest.mark.parametrize(
    ("start", "below"), [("/data/", ""), ("", ""), ("", "set")], ids=["absolute", "at its place", "deeper"]
)
def test_a_path_is_compared_with_those_in_its_folders_where_an_image_is_gone(tmp_path, names, start, below, compared):
    """Also for absolute paths of another machine, and images in folders further down; the one that is gone is refused."""
    lookup = ImageLookup(tmp_path if below else tmp_path / "set", Problems("raise"))
    paths = [f"{start}{name}.jpg" for name in names]
    gone = f"{start}{names[0].replace('0000', '9999')}.jpg"
    lookup.expect([gone, *paths])
    with pytest.raises(SourceError, match="no image"):
        lookup.named(gone)
    assert [lookup.named(one) for one in paths] == [tmp_path / "set" / f"{name}.jpg" for name in names]
    assert len(compared) <= 8 * len(names)


def test_of_namesakes_none_is_left_out_that_fits():
    """Whatever the folders of the name and of the files, in whatever case."""
    choice = random.Random(7)

    def folders():
        return [choice.choice(("a", "A", "b", "c", "images", "labels")) for _ in range(choice.randrange(4))]

    for _ in range(500):
        found = sorted({"/".join([*folders(), "1.jpg"]) for _ in range(choice.randrange(12))})
        namesakes = _tool_paths.Namesakes(found)
        for given in (folders() for _ in range(4)):
            assert _tool_paths.fitting(given, namesakes.near(given)) == _tool_paths.fitting(given, found)
