"""What makes frames the same item of a job: their whole picture, name and prediction, or an id of their own."""

from __future__ import annotations

import json
import os
import sys
from uuid import UUID

import pytest

from picsellia_async import ConfigurationError, DetectionPredictionFormat, Frame, _content_digest
from picsellia_async._content_digest import content_digest
from picsellia_async.jobs import run
from picsellia_async.jobs._identity import Ids, key_of
from picsellia_async.sources import manifest

from ..support.sources import encoded

pytestmark = pytest.mark.anyio

ID = UUID("5e1c6d0c-6a3f-4f0e-9a52-0d3a54f0a111")
IMAGE = encoded()
MIDDLE = len(IMAGE) // 2
OTHER = IMAGE[:MIDDLE] + bytes([IMAGE[MIDDLE] ^ 1]) + IMAGE[MIDDLE + 1 :]
"""Of the same length, beginning and end."""


def frame(image, score=0.5, **fields):
    prediction = DetectionPredictionFormat([0], [[1, 2, 30, 40]], [score])
    return Frame(image=image, width=64, height=48, latency=0.01, prediction=prediction, **fields)


@pytest.fixture
def again(tmp_path, deployment):
    """Return what runs one job with frames, and returns how many were known and how many were sent."""

    async def ran(*frames, changed=0, **options):
        report = await run(frames, deployment, journal=tmp_path / "j", **options)
        if report.upload.error is not None:
            raise report.upload.error
        assert (report.changed, report.is_complete) == (changed, not changed)
        return report.delivered_before, report.upload.accepted

    return ran


async def test_a_job_without_the_extra_says_so(tmp_path, deployment, monkeypatch):
    """Before it makes a journal: another digest in its place would make other ids of the same items."""
    monkeypatch.setitem(sys.modules, "xxhash", None)
    _content_digest._xxh3.cache_clear()
    with pytest.raises(ConfigurationError, match=r"needs the extra 'jobs': pip install 'picsellia-async\[jobs\]'"):
        await run([frame(IMAGE, filename="a.jpg")], deployment, journal=tmp_path / "j")
    assert not (tmp_path / "j").exists()


def test_ids_are_the_same_on_every_machine():
    """They are made of deployment, name, picture and prediction, by functions that give the same on every processor."""
    assert content_digest(b"a picture").hex() == "9b4d6dd8f4f141b8944bccf526d2ba2d"
    key = key_of(frame(IMAGE, filename="a.jpg"), content_digest(b"a picture"))
    assert str(Ids(b"a deployment").of(key, 0)) == "c93e7030-b361-565e-968d-d6a92bc1abc5"


@pytest.mark.parametrize("kind", ["bytes", "file"])
async def test_the_whole_picture_counts(tmp_path, again, kind):
    """One bit in the middle makes another item, of bytes as of files."""

    def one(content):
        if kind == "bytes":
            return frame(content, filename="a.jpg")
        (tmp_path / "a.jpg").write_bytes(content)
        return frame(tmp_path / "a.jpg")

    assert await again(one(IMAGE)) == (0, 1)
    assert await again(one(IMAGE)) == (1, 0)
    assert await again(one(OTHER)) == (0, 1)


async def test_bytes_and_their_file_are_one_item(tmp_path, again):
    """The picture counts, and not how it came."""
    (tmp_path / "a.jpg").write_bytes(IMAGE)
    assert await again(frame(IMAGE, filename="a.jpg")) == (0, 1)
    assert await again(frame(tmp_path / "a.jpg")) == (1, 0)


async def test_a_file_is_read_once(tmp_path, again):
    """In later runs its path, size and time tell, so that a million files are not read again to learn that they are done."""
    path = tmp_path / "a.jpg"
    for content in (IMAGE, OTHER):
        path.write_bytes(content)
        os.utime(path, (1.7e9, 1.7e9))
        assert await again(frame(path)) == ((0, 1) if content is IMAGE else (1, 0))
    os.utime(path, (1.7e9, 1.7e9 + 1))
    assert await again(frame(path)) == (0, 1)


async def test_names_and_predictions_count(again):
    """Another of either makes another item; all else does not."""
    assert await again(frame(IMAGE, filename="a.jpg")) == (0, 1)
    assert await again(frame(IMAGE, filename="b.jpg")) == (0, 1)
    assert await again(frame(IMAGE, 0.6, filename="a.jpg")) == (0, 1)
    assert await again(frame(IMAGE, filename="a.jpg", source="gate", tags=["x"], timestamp=1.7e9)) == (1, 0)


async def test_ids_of_a_manifest_tell(tmp_path, deployment, again):
    """A line with an id is the same item whatever else it says, and is stored under it; one without is known by its content.

    That the line says something else now, which is not sent, is counted.
    """
    (tmp_path / "a.jpg").write_bytes(IMAGE)

    def lines(score):
        prediction = {"detection_classes": [0], "detection_boxes": [[1, 2, 30, 40]], "detection_scores": [score]}
        line = {"image": "a.jpg", "prediction": prediction}
        (tmp_path / "m.jsonl").write_text("\n".join(map(json.dumps, [{**line, "id": str(ID)}, line])))
        return manifest(tmp_path / "m.jsonl")

    for score, changed, expected in ((0.5, 0, (0, 2)), (0.6, 1, (1, 1)), (0.6, 1, (2, 0)), (0.5, 0, (2, 0))):
        assert await again(*[one async for one in lines(score)], changed=changed) == expected
    assert await deployment.is_stored(frame(IMAGE, filename="a.jpg", id=ID))


async def test_ids_of_frames_can_tell(deployment, again, caplog):
    """`identity="id"`: for code that has ids of its own; two frames with one id are an error, another name is told."""
    one, changed = frame(IMAGE, filename="a.jpg", id=ID), frame(IMAGE, 0.6, filename="b.jpg", id=ID)
    assert await again(one, identity="id") == (0, 1)
    assert await again(changed, identity="id", changed=1) == (1, 0)
    assert caplog.text.count("says something else now") == 1
    assert await deployment.is_stored(one)
    with pytest.raises(ConfigurationError, match=f"two items of the input have the id {ID}"):
        await again(one, one, identity="id")
    with pytest.raises(ConfigurationError, match="is of identity 'id', not 'content'"):
        await again(one)
    with pytest.raises(ConfigurationError, match="identity must be"):
        await again(one, identity="name")
