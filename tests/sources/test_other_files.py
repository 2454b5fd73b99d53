"""The file of another tool in the place of one that is read: told as what it is, with the way out, and never as cut off."""

from __future__ import annotations

import json

import pytest

from picsellia_async.sources import SourceError, coco_results, manifest, yolo_labels

from ..support.sources import encoded, listed

pytestmark = pytest.mark.anyio

RESULT = {"image_id": 1, "category_id": 0, "score": 0.9, "bbox": [1, 2, 3, 4]}
OTHERS = {
    "text": (b"hello", "it is a text that begins with 'hello'"),
    "nothing": (b"", "it is empty"),
    "line ends": (b"\n\n", "it is empty"),
    "zero bytes": (b"\0" * 64, "it is empty, or holds zero bytes alone"),
    "XML": (b'<?xml version="1.0"?>\n<annotations>\n</annotations>', "it is XML, as CVAT and Pascal VOC write"),
    "a web page": (b"<!DOCTYPE html>\n<html><body>[Sign in]</body></html>", r"it is a web page \(HTML\)"),
    "CSV": (b"image,class,score\na.jpg,0,0.9\n", "it looks like CSV"),
    "YOLO": (b"0 0.5 0.5 0.2 0.1 0.9\n1 0.1 0.1 0.2 0.1 0.9\n", "it looks like a label file of YOLO: `yolo_labels`"),
    "YOLO of one line": (b"0 0.5 0.5 0.2 0.1", "it looks like a label file of YOLO"),
    "JSON lines": (
        b"\n".join(json.dumps(RESULT).encode() for _ in range(2)),
        "it has one JSON object per line: `jq -s",
    ),
    "YAML": (b"names:\n  0: person\n", "it is a text that begins with 'names:'"),
    "a zip": (b"PK\x03\x04\x14\0\0", "it is a zip: unpack it first"),
}


@pytest.mark.parametrize("name", OTHERS)
async def test_another_file_than_coco_is_told_as_what_it_is(tmp_path, name):
    content, what = OTHERS[name]
    (tmp_path / "r.json").write_bytes(content)
    with pytest.raises(SourceError, match=what) as caught:
        await listed(coco_results(tmp_path / "r.json", tmp_path, categories="indexes"))
    assert "cut off" not in str(caught.value)


@pytest.mark.parametrize("content", [b'[{"image_id": 1', b'{"images": [', b'"abc'])
async def test_json_that_ends_too_early_is_cut_off(tmp_path, content):
    (tmp_path / "r.json").write_bytes(content)
    with pytest.raises(SourceError, match="no JSON: it is cut off, and ends after"):
        await listed(coco_results(tmp_path / "r.json", tmp_path, categories="indexes"))


@pytest.mark.parametrize("name", ["XML", "a web page", "CSV", "YOLO", "text"])
async def test_another_file_than_a_manifest_is_told_as_what_it_is(tmp_path, name):
    content, what = OTHERS[name]
    (tmp_path / "m.jsonl").write_bytes(content)
    with pytest.raises(SourceError, match=what.removeprefix("it ")) as caught:
        await listed(manifest(tmp_path / "m.jsonl"))
    assert "cut off" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "what"),
    [("<annotation>\n<size/>\n", "it begins as XML, as CVAT"), ("[" + json.dumps(RESULT) + "]", "it begins as JSON, as COCO files are")],
)  # fmt: skip
async def test_another_file_than_labels_is_told_as_what_it_is(tmp_path, content, what):
    (tmp_path / "1.png").write_bytes(encoded(64, 48, suffix=".png"))
    (tmp_path / "1.txt").write_text(content)
    with pytest.raises(SourceError, match=what):
        await listed(yolo_labels(tmp_path, tmp_path, names={0: "person"}))
