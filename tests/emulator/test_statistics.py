"""Statistics: computed from what was stored, chosen by time, model, tags and ids."""

from __future__ import annotations

import random
from typing import Any

import pytest

from picsellia_async.emulator import Emulator
from picsellia_async.emulator.domain.statistics import distribution, kolmogorov_smirnov, overlap, quantile

from .conftest import BOXES, Wire, change

pytestmark = pytest.mark.anyio


async def stats(wire: Wire, service: str, *, is_single: bool = False, **params: Any) -> dict[str, Any]:
    path = f"{wire.deployment}/{'predictions/stats' if is_single else 'stats'}"
    answer = await wire.on("oracle", "GET", path, params={"service": service, **params})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_distributions() -> None:
    """Known values; one value has no width; none is None."""
    found = distribution([1.0, 2.0, 3.0, 4.0])
    assert found is not None
    assert (found["min"], found["max"], found["mean"], found["p50"]) == (1.0, 4.0, 2.5, 2.5)
    assert sum(found["histogram"]["counts"]) == 4
    single = distribution([5.0])
    assert single is not None
    assert single["histogram"]["counts"][0] == 1
    assert distribution([]) is None
    assert quantile([0.0, 10.0], 0.9) == 9.0


def test_kolmogorov_smirnov() -> None:
    """0 for the same values, 1 for values apart; samples of one distribution do not drift, shifted ones do."""
    same = kolmogorov_smirnov([1, 2, 3], [1, 2, 3])
    assert (same["statistic"], same["p_value"], same["is_drifting"]) == (0.0, 1.0, False)
    assert kolmogorov_smirnov([1, 2], [3, 4])["statistic"] == 1.0
    # By hand: the largest gap is after 2, where 2 of 3 and 0 of 2 values lie.
    assert kolmogorov_smirnov([1, 2, 5], [3, 4])["statistic"] == pytest.approx(2 / 3)
    # By hand: root = sqrt(1.5), scaled = root + 0.12 + 0.11 / root = 1.4346, p = 2 exp(-2 scaled^2); 0.0996 uncorrected.
    small = kolmogorov_smirnov([1, 2, 3], [4, 5, 6])
    assert (small["p_value"], small["is_drifting"]) == (pytest.approx(0.0326, abs=1e-4), True)
    draw = random.Random(2)
    first, second = [draw.gauss(0, 1) for _ in range(300)], [draw.gauss(0, 1) for _ in range(300)]
    assert not kolmogorov_smirnov(first, second)["is_drifting"]
    assert kolmogorov_smirnov(first, [value + 0.5 for value in second])["is_drifting"]


def test_overlap() -> None:
    """Intersection over union across both ways of writing a box."""
    assert overlap([0, 0, 10, 10], {"x": 0, "y": 0, "w": 10, "h": 10}) == 1.0
    assert overlap([0, 0, 10, 10], {"x": 5, "y": 0, "w": 10, "h": 10}) == pytest.approx(1 / 3)
    assert overlap([0, 0, 10, 10], {"x": 20, "y": 0, "w": 10, "h": 10}) == 0.0
    assert overlap([0, 0, 0, 0], {"x": 0, "y": 0, "w": 0, "h": 0}) == 0.0


async def test_aggregated_metrics(wire: Wire) -> None:
    """Counts, latency, scores, sources, tags and shadows are those of what was monitored."""
    await wire.monitored(latency=0.1, source="a", tags=["x"])
    await wire.monitored(latency=0.3, source="a", shadow_latency=0.9, shadow_raw_predictions=BOXES)
    found = await stats(wire, "metrics")
    data = found["data"]
    assert (data["predictions"], data["shapes"], data["shadow_predictions"], data["sampled"]) == (2, 4, 1, 2)
    assert data["latency"]["mean"] == pytest.approx(0.2)
    assert data["shadow_latency"]["mean"] == 0.9
    assert data["scores"]["min"] == 0.5
    assert (data["sources"], data["tags"]) == ({"a": 2}, {"x": 1})
    assert found["infos"] == {}


async def test_single_metrics(wire: Wire) -> None:
    """One entry for each prediction, in their order."""
    first = await wire.monitored(latency=0.1)
    nothing = {"detection_classes": [], "detection_texts": None, "detection_boxes": [], "detection_scores": []}
    second = await wire.monitored(latency=0.3, raw_predictions=nothing)
    data = (await stats(wire, "metrics", is_single=True))["data"]
    assert [(item["id"], item["latency"], item["shapes"]) for item in data] == [
        (first["id"], 0.1, 2),
        (second["id"], 0.3, 0),
    ]


async def test_predictions_are_chosen() -> None:
    """By time, by the last seconds, by tags, by ids, by model version."""
    async with Emulator(clock=lambda: 1000.0) as emulator:
        wire = Wire(emulator)
        async with wire.http:
            ids = [(await wire.monitored(timestamp=float(t), tags=[f"t{t}", "all"]))["id"] for t in (100, 500, 900)]

            async def chosen(**params: Any) -> list[int]:
                items = (await stats(wire, "metrics", is_single=True, **params))["data"]
                return [ids.index(item["id"]) for item in items]

            assert await chosen() == [0, 1, 2]
            assert await chosen(from_timestamp=500.0) == [1, 2]
            assert await chosen(to_timestamp=499.5) == [0]
            assert await chosen(since=200) == [2]
            assert await chosen(tags=["t100", "t900"]) == [0, 2]
            assert await chosen(includes=[ids[1]]) == [1]
            assert await chosen(excludes=[ids[1]]) == [0, 2]
            [first, second] = await wire.versions("model")
            assert await chosen(model_id=first["id"]) == [0, 1, 2]
            assert await chosen(model_id=second["id"]) == []


async def test_label_distributions(wire: Wire) -> None:
    """Of predictions by label name; of reviews by what was reviewed."""
    asset = await wire.asset()
    await wire.asset(raw_predictions={**BOXES, "detection_classes": [1, 77]})
    assert (await stats(wire, "label_distribution"))["data"] == {"bicycle": 2, "person": 1, "77": 1}
    assert (await stats(wire, "label_distribution", is_single=True))["data"] == {}
    await review(wire, asset, ("car", 2, 1, 20, 10))
    assert (await stats(wire, "label_distribution", is_single=True))["data"] == {"car": 1}


async def review(wire: Wire, asset: dict[str, Any], *boxes: tuple[str, int, int, int, int]) -> None:
    labels = {label["name"]: label["id"] for label in (await wire.ok("GET", f"{wire.deployment}/labels"))["items"]}
    rectangles = [{"x": x, "y": y, "w": w, "h": h, "label_id": labels[name]} for name, x, y, w, h in boxes]
    await wire.ok("POST", f"/api/predicted/asset/{asset['id']}/reviews", {"rectangles": rectangles})


async def test_agreement_with_reviews(wire: Wire) -> None:
    """A box agrees by label and overlap, once; precision and recall follow."""
    nothing = await stats(wire, "object_detection")
    assert nothing["infos"]["info"]
    asset = await wire.asset()
    # BOXES: a person at x 2..22, y 1..11, and a bicycle at x 6..8, y 5..7.
    await review(wire, asset, ("person", 2, 1, 20, 10), ("car", 6, 5, 2, 2), ("person", 40, 40, 5, 5))
    data = (await stats(wire, "object_detection"))["data"]
    assert (data["true_positives"], data["false_positives"], data["false_negatives"]) == (1, 1, 2)
    assert (data["precision"], data["recall"]) == (0.5, pytest.approx(1 / 3))
    [single] = (await stats(wire, "object_detection", is_single=True))["data"]
    assert single["id"] == asset["oracle_prediction_id"]
    await review(wire, await wire.asset())
    assert (await stats(wire, "object_detection"))["count"] == 2


async def test_agreement_of_classifications(wire: Wire) -> None:
    """The class with the best score is held against the review."""
    change(wire.emulator, "deployment", wire.emulator.deployment_id, type="CLASSIFICATION")
    raw = {"detection_classes": [0, 2], "detection_texts": None, "detection_scores": [0.2, 0.8]}
    assert (await stats(wire, "classification", is_single=True))["infos"]["info"]
    labels = (await wire.ok("GET", f"{wire.deployment}/labels"))["items"]
    for label in (labels[2], labels[0]):
        asset = await wire.asset(raw_predictions=raw)
        await wire.ok(
            "POST", f"/api/predicted/asset/{asset['id']}/reviews", {"classifications": [{"label_id": label["id"]}]}
        )
    data = (await stats(wire, "classification", is_single=True))["data"]
    assert [(item["predicted"], item["reviewed"], item["agrees"]) for item in data] == [
        ("car", ["car"], True), ("car", ["person"], False),
    ]  # fmt: skip


async def test_outliers_and_drift_need_a_reference(wire: Wire) -> None:
    """Without training data there are no outliers, and drift compares the later half with the earlier one."""
    assert (await stats(wire, "ae_outlier", is_single=True))["infos"]["info"]
    assert (await stats(wire, "ks_drift"))["infos"]["info"]
    for number in range(40):
        await wire.monitored(latency=0.01 if number < 20 else 0.9)
    found = await stats(wire, "ks_drift")
    assert found["reference"] == "earlier_predictions"
    assert found["data"]["latency"]["is_drifting"] is True
    assert found["data"]["width"]["is_drifting"] is False

    version = (await wire.versions("dataset"))[0]
    await wire.ok("POST", f"{wire.deployment}/pipeline/td/setup", {"dataset_version_id": version["id"]})
    await wire.monitored(width=6400, height=4800)
    found = await stats(wire, "ks_drift")
    assert (found["reference"], set(found["data"])) == ("training_data", {"width", "height", "size"})
    scores = [item["score"] for item in (await stats(wire, "ae_outlier", is_single=True))["data"]]
    assert max(scores[:-1]) < scores[-1] <= 1.0


async def test_a_service_has_its_route(wire: Wire) -> None:
    """An unknown one, or one of the other route, is refused with the list of those that are there."""
    for path, service in (
        ("stats", "ae_outlier"),
        ("predictions/stats", "ks_drift"),
        ("stats", "weather"),
        ("stats", ""),
    ):
        answer = await wire.on("oracle", "GET", f"{wire.deployment}/{path}", params={"service": service})
        assert answer.status_code == 422
        assert answer.json()["message"]
