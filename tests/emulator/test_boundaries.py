"""Where one thing of the emulator ends and another begins: labels, assets, shadow models, boxes that are matched once."""

from __future__ import annotations

import pytest

from .conftest import BOXES, Wire
from .test_statistics import review, stats

pytestmark = pytest.mark.anyio


async def test_a_label_of_another_deployment_is_no_label(wire: Wire) -> None:
    """A review names labels of the deployment that predicted."""
    version = (await wire.versions("model"))[0]
    other = await wire.ok("POST", f"/api/model/version/{version['id']}/deploy", {"name": "other"}, status=200)
    (label, *_) = (await wire.ok("GET", f"/api/deployment/{other['id']}/labels"))["items"]
    asset = await wire.asset()
    shape = {"x": 2, "y": 1, "w": 20, "h": 10, "label_id": label["id"]}
    await wire.refused(404, "POST", f"/api/predicted/asset/{asset['id']}/reviews", {"rectangles": [shape]})


async def test_an_image_is_an_asset_of_a_dataset_once(wire: Wire) -> None:
    """A submitted review of an image that the dataset version holds already adds nothing."""
    version = (await wire.versions("dataset"))[0]
    await wire.ok("POST", f"{wire.deployment}/pipeline/fl/setup", {})
    await wire.ok("POST", f"{wire.deployment}/fl/datasets", {"dataset_version_id": version["id"]})
    asset = await wire.asset()
    held = wire.emulator.state.store.documents.list("asset", dataset_version_id=version["id"])
    wire.emulator.state.store.predictions.update(asset["oracle_prediction_id"], data_id=held[0]["data_id"])
    await wire.ok("POST", f"/api/predicted/asset/{asset['id']}/reviews", {})
    after = wire.emulator.state.store.documents.list("asset", dataset_version_id=version["id"])
    assert [one["id"] for one in after] == [one["id"] for one in held]


async def test_a_shadow_prediction_names_its_model_version(wire: Wire) -> None:
    """Not the champion's."""
    first, second = await wire.versions("model")
    await wire.ok("POST", f"{wire.deployment}/shadow", {"model_version_id": second["id"]})
    asset = await wire.asset(shadow_latency=0.5, shadow_raw_predictions=BOXES)
    shown = await wire.ok("GET", f"/api/predicted/asset/{asset['id']}")
    found = {one["is_shadow"]: one["model_version_id"] for one in shown["predictions"]}
    assert found == {False: first["id"], True: second["id"]}


async def test_a_reviewed_box_is_matched_once(wire: Wire) -> None:
    """Two predictions of one thing: the better one is true, the other false."""
    twice = {**BOXES, "detection_classes": [0, 0], "detection_boxes": [[1, 2, 11, 22]] * 2}
    await review(wire, await wire.asset(raw_predictions=twice), ("person", 2, 1, 20, 10))
    data = (await stats(wire, "object_detection"))["data"]
    assert (data["true_positives"], data["false_positives"], data["false_negatives"]) == (1, 1, 0)


async def test_the_better_score_chooses_its_box_first(wire: Wire) -> None:
    """It takes the box that it overlaps most, and a worse score that fits this one only is left without."""
    boxes = [[0, 0, 20, 16], [0, 0, 20, 22]]
    raw = {**BOXES, "detection_classes": [0, 0], "detection_boxes": boxes, "detection_scores": [0.5, 0.9]}
    await review(wire, await wire.asset(raw_predictions=raw), ("person", 0, 0, 20, 20), ("person", 6, 0, 22, 20))
    data = (await stats(wire, "object_detection"))["data"]
    assert (data["true_positives"], data["false_positives"], data["false_negatives"]) == (1, 1, 1)
