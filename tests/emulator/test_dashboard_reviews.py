"""Reviews made on a page are those of the API."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from .conftest import BOXES, Wire, change
from .test_statistics import stats

pytestmark = pytest.mark.anyio


async def reviewed(wire: Wire, id_: str, *right: int) -> httpx.Response:
    return await wire.http.post(f"/emulator/predictions/{id_}/review", json={"right": list(right)})


async def test_what_is_right_becomes_a_review(wire: Wire) -> None:
    """With the boxes and labels that were checked, in the name of a user; asset, statistics and page know it."""
    asset = await wire.asset()
    id_ = asset["oracle_prediction_id"]
    assert 'data-review="all"' in (await wire.http.get(f"/emulator/predictions/{id_}")).text
    answer = await reviewed(wire, id_, 0)
    assert answer.status_code == 201
    shown = await wire.ok("GET", f"/api/predicted/asset/{asset['id']}")
    assert (shown["status"], shown["reviews"]) == ("REVIEWED", [answer.json()])
    [box] = shown["reviews"][0]["rectangles"]
    assert ({key: box[key] for key in "xywh"}, box["label"]["name"]) == ({"x": 2, "y": 1, "w": 20, "h": 10}, "person")
    agreement = (await stats(wire, "object_detection"))["data"]
    assert (agreement["true_positives"], agreement["false_positives"]) == (1, 1)
    page = (await wire.http.get(f"/emulator/predictions/{id_}")).text
    assert "data-review" not in page
    assert "reviewed</mark> by user" in page
    assert ">reviewed</mark>" in (await wire.http.get("/emulator/")).text
    assert (await reviewed(wire, id_, 0)).status_code == 409


async def test_nothing_there_is_a_review_without_shapes(wire: Wire) -> None:
    """As `{}` is in the API."""
    asset = await wire.asset()
    assert (await reviewed(wire, asset["oracle_prediction_id"])).status_code == 201
    [review] = (await wire.ok("GET", f"/api/predicted/asset/{asset['id']}"))["reviews"]
    assert "rectangles" not in review


@pytest.mark.parametrize("right", [[2], [-1], [True], ["0"], None, [0.0]], ids=str)
async def test_shapes_that_are_not_there_are_refused(right: Any, wire: Wire) -> None:
    """And nothing is changed."""
    asset = await wire.asset()
    path = f"/emulator/predictions/{asset['oracle_prediction_id']}/review"
    assert (await wire.http.post(path, json={"right": right})).status_code == 422
    assert (await wire.http.post(path, json={"wrong": []})).status_code == 422
    assert (await wire.http.post(path, content=b"{", headers={"Content-Type": "application/json"})).status_code == 400
    assert (await wire.http.post(path, content=b'{"right": []}')).status_code == 415
    assert (await wire.ok("GET", f"/api/predicted/asset/{asset['id']}"))["status"] == "TO_REVIEW"


async def test_a_class_outside_of_the_labels_cannot_be_in_a_review(wire: Wire) -> None:
    """The page offers no box to check for it; the others can be reviewed."""
    receipt = await wire.monitored(raw_predictions=BOXES | {"detection_classes": [99, 1]})
    page = (await wire.http.get(f"/emulator/predictions/{receipt['id']}")).text
    assert page.count('class="right"') == 1
    assert (await reviewed(wire, receipt["id"], 0)).status_code == 422
    assert (await reviewed(wire, receipt["id"], 1)).status_code == 201


async def test_a_prediction_without_asset_has_no_review(wire: Wire) -> None:
    """The sample rate left it out: the page says so, and a request is refused. A wild id is a 404."""
    receipt = await wire.monitored(sample=False)
    page = (await wire.http.get(f"/emulator/predictions/{receipt['id']}")).text
    assert "The sample rate left it out" in page
    assert "data-review" not in page
    assert (await reviewed(wire, receipt["id"])).status_code == 409
    assert (await reviewed(wire, "none")).status_code == 404


@pytest.mark.parametrize(
    ("type_", "raw", "status"),
    [
        ("CLASSIFICATION", {"detection_classes": [1], "detection_scores": [0.9]}, 201),
        ("SEGMENTATION", {"detection_classes": [1], "detection_scores": [0.9], "detection_masks": [[[1, 2], [3, 4], [5, 9]]]}, 201),
        ("LINE", {"detection_classes": [1], "detection_scores": [0.9], "lines": [[[1, 2], [3, 4]]]}, 201),
        ("POINT", {"detection_classes": [1], "detection_scores": [0.9], "points": [[1, 2]]}, 201),
        ("KEYPOINT", {"detection_classes": [1], "detection_scores": [0.9], "keypoints": [[[1, 2, 2]]]}, 409),
    ],
)  # fmt: skip
async def test_every_kind_of_shape_that_the_api_reviews(
    type_: str, raw: dict[str, Any], status: int, wire: Wire
) -> None:
    """A kind that it has no reviews for is told on the page and refused."""
    change(wire.emulator, "deployment", wire.emulator.deployment_id, type=type_)
    receipt = await wire.monitored(raw_predictions=raw)
    page = (await wire.http.get(f"/emulator/predictions/{receipt['id']}")).text
    assert ("data-review" in page) is (status == 201)
    assert (await reviewed(wire, receipt["id"], 0)).status_code == status
