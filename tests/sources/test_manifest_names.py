"""What a manifest says of the name on the platform is a text, or nothing."""

from __future__ import annotations

import json

import pytest

from picsellia_async.sources import manifest

from ..support.sources import encoded, listed

pytestmark = pytest.mark.anyio

PREDICTION = {"detection_classes": [0], "detection_boxes": [[1, 2, 30, 40]], "detection_scores": [0.5]}


@pytest.fixture
def source(tmp_path):
    """Return a function that makes the source of one line with a name."""
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "a.jpg").write_bytes(encoded())

    def make(name):
        line = {"image": "set/a.jpg", "filename": name, "prediction": PREDICTION}
        (tmp_path / "m.jsonl").write_text(json.dumps(line) + "\n")
        return manifest(tmp_path / "m.jsonl", on_bad="skip")

    return make


@pytest.mark.parametrize("name", [0, 1, False, "", ["a.jpg"]])
async def test_what_is_no_text_is_no_name(source, name):
    """The number of a row, as pandas writes it for an index, is refused for each row, the first one too."""
    made = source(name)
    assert await listed(made) == []
    assert "filename must be a non-empty str" in made.problems[0]


async def test_no_name_is_as_left_out(source):
    """The name is the path below the manifest's folder then."""
    (frame,) = await listed(source(None))
    assert frame.filename == "set/a.jpg"
