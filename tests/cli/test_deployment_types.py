"""`picsellia-async monitor` on a deployment of another type than its options read: said once, before the first item, and nothing is sent."""

from __future__ import annotations

import pytest

from ..support.client import stored_names
from ..support.monitor_inputs import arguments_of

pytestmark = pytest.mark.anyio


def change_type(emulator, type_):
    documents = emulator.state.store.documents
    row = documents.get("deployment", emulator.deployment_id)
    row["type"] = type_
    documents.save("deployment", row)


WAYS = [
    ("yolo", ["--segmentation"], "OBJECT_DETECTION", "polygons", "SEGMENTATION", "leave --segmentation out, which reads boxes"),
    ("coco", ["--segmentation"], "OBJECT_DETECTION", "polygons", "SEGMENTATION", "leave --segmentation out, which reads boxes"),
    ("coco", ["--mask"], "OBJECT_DETECTION", "masks", "MASK", "leave --mask out, which reads boxes"),
    ("coco", ["--mask"], "SEGMENTATION", "masks", "MASK", "give --segmentation, which reads polygons"),
    ("yolo", [], "SEGMENTATION", "boxes", "OBJECT_DETECTION", "give --segmentation, which reads polygons"),
    ("coco", [], "MASK", "boxes", "OBJECT_DETECTION", "give --mask, which reads masks"),
    ("yolo", [], "MASK", "boxes", "OBJECT_DETECTION", "only --coco with --mask and --manifest send such predictions"),
    ("coco", [], "CLASSIFICATION", "boxes", "OBJECT_DETECTION", "only --manifest sends such predictions"),
    ("yolo", ["--segmentation"], "KEYPOINT", "polygons", "SEGMENTATION", "only --manifest sends such predictions"),
]  # fmt: skip


@pytest.mark.parametrize("more", [[], ["--dry-run"], ["--skip-bad", "--no-journal"]], ids=["", "dry run", "skip"])
@pytest.mark.parametrize(
    ("kind", "options", "type_", "shapes", "own", "way"), WAYS, ids=[f"{k} {' '.join(o)} {t}" for k, o, t, *_ in WAYS]
)
async def test_options_for_another_type_are_refused_once(
    tmp_path, emulator, monitor, kind, options, type_, shapes, own, way, more
):
    """Exit code 2, with what is read, what the deployment is of, and what to give instead."""
    change_type(emulator, type_)
    code, report, err = await monitor(*arguments_of(kind, tmp_path / "day", 3), *options, *more)
    assert (code, report) == (2, None)
    assert err.count("\n") == 1
    assert f"{shapes} are read, for {own} deployments, and {emulator.deployment_name!r} is of {type_}: {way}" in err
    assert not stored_names(emulator)


@pytest.mark.parametrize("more", [[], ["--dry-run"]], ids=["", "dry run"])
@pytest.mark.parametrize("type_", ["NOT_CONFIGURED", "MULTI"])
@pytest.mark.parametrize("kind", ["manifest", "coco", "yolo"])
async def test_a_deployment_that_takes_no_prediction_refuses_all(tmp_path, emulator, monitor, kind, type_, more):
    """Whatever is in it, and files of results too."""
    change_type(emulator, type_)
    code, report, err = await monitor(*arguments_of(kind, tmp_path / "day", 3), *more)
    assert (code, report) == (2, None)
    assert f"{emulator.deployment_name!r} is of {type_}: nothing can be sent to it" in err


async def test_a_manifest_says_the_type_of_each_line(tmp_path, emulator, monitor):
    """Which only reading tells."""
    change_type(emulator, "SEGMENTATION")
    code, report, _ = await monitor(*arguments_of("manifest", tmp_path / "day", 3), "--dry-run")
    assert (code, report["cannot_be_sent"]) == (1, 3)
