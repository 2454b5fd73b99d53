"""`picsellia-async monitor --manifest`: what is said of classes, and of what is no manifest."""

from __future__ import annotations

import json

import pytest

from ..support.monitor_inputs import pictures

pytestmark = pytest.mark.anyio

BOX = {"detection_boxes": [[1, 2, 30, 40]], "detection_scores": [0.5]}


@pytest.fixture
def written(tmp_path):
    """Return what writes a manifest of one picture with these classes."""
    (name,) = pictures(tmp_path / "i", 1)

    def write(classes):
        line = {"image": f"i/{name}", "prediction": {"detection_classes": classes, **BOX}}
        (tmp_path / "m.jsonl").write_text(json.dumps(line) + "\n")
        return tmp_path / "m.jsonl"

    return write


async def test_an_unknown_class_is_advised_for_a_manifest(monitor, written, emulator):
    """Options of the other inputs are named as such."""
    code, report, _ = await monitor("--manifest", written([4000]), "--dry-run")
    assert (code, report["cannot_be_sent"]) == (1, 1)
    assert "with --coco and --yolo, without --class-numbers" in report["cannot"][0]
    assert "a manifest holds indexes" in report["cannot"][0]
    assert not emulator.predictions()


async def test_a_class_name_in_a_manifest_names_the_way_out(monitor, written):
    """Names are looked up for other inputs alone."""
    code, report, _ = await monitor("--manifest", written(["person"]))
    assert code == 1
    assert 'got the name "person"; a manifest holds numbers: --coco and --yolo look names up' in report["error"]


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("is_list", [True, False])
async def test_lines_of_another_json_file_are_no_items(monitor, tmp_path, is_list, indent):
    """None is told as not read: how many items there are nobody knows."""
    one = {"image": "a.jpg", "prediction": {"detection_classes": [0], **BOX}}
    content = [one] * 3 if is_list else one
    (tmp_path / "m.json").write_text(json.dumps(content, indent=indent or (None if is_list else 1)))
    code, report, err = await monitor("--manifest", tmp_path / "m.json")
    assert (code, report["not_read"] or 0) == (1, 0)
    assert " not read" not in err


async def test_items_without_a_number_say_so(monitor, tmp_path):
    """With `--empty` a folder tells at the end alone."""
    (name, _) = pictures(tmp_path / "i", 2)
    result = {"file_name": name, "category_id": 0, "bbox": [1, 2, 30, 40], "score": 0.5}
    (tmp_path / "r.json").write_text(json.dumps([result]))
    given = ("--coco", tmp_path / "r.json", "--images", tmp_path / "i", "--class-numbers", "--empty")
    code, report, err = await monitor(*given)
    assert (code, report["delivered"]) == (0, 2)
    assert ": items, how many only reading tells\n" in err
