"""The emulator's statistics of random predictions and reviews, against computations of another kind with numpy."""

from __future__ import annotations

from collections import Counter
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt
import pytest

from picsellia_async.emulator.domain.statistics import distribution, kolmogorov_smirnov

from .conftest import JPEG, Wire
from .test_statistics import review, stats

pytestmark = pytest.mark.anyio

NAMES = ("person", "bicycle", "car", "truck")
WIDTH, HEIGHT = 64, 48
Floats = npt.NDArray[np.float64]


@attrs.frozen
class Monitored:
    """One random prediction, and the boxes of its review (name, x, y, w, h), if it has one."""

    id: str
    asset: dict[str, Any]
    latency: float
    size: tuple[int, int, int]
    classes: list[int]
    boxes: list[list[int]]
    scores: list[float]
    tags: list[str]
    source: str
    review: list[tuple[str, int, int, int, int]] | None


def random_box(draw: np.random.Generator) -> list[int]:
    left, top = int(draw.integers(0, WIDTH - 12)), int(draw.integers(0, HEIGHT - 12))
    return [top, left, top + int(draw.integers(4, 12)), left + int(draw.integers(4, 12))]


def random_review(
    draw: np.random.Generator, classes: list[int], boxes: list[list[int]]
) -> list[tuple[str, int, int, int, int]]:
    """Most of the predicted boxes a little moved, some under another name, some twice, some of nowhere."""
    found = []
    for index, (top, left, bottom, right) in zip(classes, boxes, strict=True):
        for _ in range(int(draw.choice([0, 1, 1, 1, 2]))):
            shift_x, shift_y = (int(value) for value in draw.integers(-2, 3, 2))
            name = NAMES[index] if draw.random() < 0.8 else NAMES[int(draw.integers(4))]
            found.append((name, max(0, left + shift_x), max(0, top + shift_y), right - left, bottom - top))
    if draw.random() < 0.3:
        top, left, bottom, right = random_box(draw)
        found.append((NAMES[int(draw.integers(4))], left, top, right - left, bottom - top))
    return found


async def fill(wire: Wire, seed: int, count: int) -> list[Monitored]:
    """Monitor random predictions and review about half of them."""
    draw = np.random.default_rng(seed)
    found = []
    for number in range(count):
        shapes = int(draw.integers(0, 6))
        classes = [int(index) for index in draw.integers(0, 4, shapes)]
        boxes = [random_box(draw) for _ in range(shapes)]
        scores = [float(score) for score in draw.random(shapes)]
        latency = float(draw.lognormal(-3.0, 0.5)) * (1.0 if number < count // 2 else 2.0)
        width, height = int(draw.integers(60, 70)), int(draw.integers(40, 60))
        image = JPEG + draw.bytes(int(draw.integers(0, 300)))
        tags, source = [f"t{draw.integers(3)}"], f"camera-{draw.integers(2)}"
        raw = {
            "detection_classes": classes,
            "detection_texts": None,
            "detection_boxes": boxes,
            "detection_scores": scores,
        }
        asset = await wire.asset(
            raw=image, raw_predictions=raw, latency=latency, width=width, height=height, tags=tags, source=source
        )
        reviewed = random_review(draw, classes, boxes) if draw.random() < 0.5 else None
        if reviewed is not None:
            await review(wire, asset, *reviewed)
        size = (width, height, len(image))
        found.append(
            Monitored(
                asset["oracle_prediction_id"], asset, latency, size, classes, boxes, scores, tags, source, reviewed
            )
        )
    return found


def check_distribution(found: dict[str, Any] | None, values: list[Any]) -> None:
    assert found is not None
    array = np.array(values, dtype=float)
    counts, edges = np.histogram(array, bins=10)
    assert found["count"] == array.size
    assert [found["min"], found["max"]] == [array.min(), array.max()]
    assert found["mean"] == pytest.approx(array.mean())
    for percent in (50, 90, 95, 99):
        assert found[f"p{percent}"] == pytest.approx(np.percentile(array, percent))
    assert found["histogram"]["edges"] == pytest.approx(edges)
    assert found["histogram"]["counts"] == counts.tolist()


@pytest.mark.parametrize("seed", range(20))
def test_distributions_are_numpys(seed: int) -> None:
    """Extremes, mean, percentiles and histogram of values of several kinds and counts."""
    draw = np.random.default_rng(seed)
    count = int(draw.integers(2, 400))
    for values in (draw.normal(5, 3, count), draw.lognormal(0, 2, count), draw.integers(0, 11, count).astype(float)):
        if values.min() < values.max():
            check_distribution(distribution(values.tolist()), values.tolist())


def gap(first: Floats, second: Floats) -> float:
    """Largest distance of two empirical distributions, by comparing each value with each."""
    at = np.concatenate([first, second])
    below_first = (first[None, :] <= at[:, None]).mean(axis=1)
    below_second = (second[None, :] <= at[:, None]).mean(axis=1)
    return float(np.abs(below_first - below_second).max())


@pytest.mark.parametrize(("shift", "seed"), [(0.0, 1), (0.1, 2), (0.2, 3), (0.3, 4), (1.0, 5)])
def test_drift_is_that_of_a_permutation_test(shift: float, seed: int) -> None:
    """The p-value is how often a random division of all values is as far apart as the given one."""
    draw = np.random.default_rng(seed)
    first, second = draw.normal(0, 1, 120), draw.normal(shift, 1, 90)
    found = kolmogorov_smirnov(first.tolist(), second.tolist())
    assert found["statistic"] == pytest.approx(gap(first, second))
    everything = np.concatenate([first, second])
    order = np.sort(everything)
    at_least = 0
    for _ in range(4000):
        mixed = draw.permutation(everything)
        one, other = np.sort(mixed[:120]), np.sort(mixed[120:])
        steps = np.searchsorted(one, order, "right") / 120 - np.searchsorted(other, order, "right") / 90
        at_least += float(np.abs(steps).max()) >= found["statistic"] - 1e-12
    assert found["p_value"] == pytest.approx(at_least / 4000, abs=0.04)
    assert found["is_drifting"] is (found["p_value"] < 0.05)


def grid(left: int, top: int, right: int, bottom: int) -> npt.NDArray[np.bool_]:
    """The pixels of a box."""
    pixels = np.zeros((HEIGHT * 2, WIDTH * 2), dtype=bool)
    pixels[top:bottom, left:right] = True
    return pixels


def agreement(one: Monitored) -> tuple[int, int, int]:
    """True positives, false positives and false negatives, by counting pixels."""
    reviewed = list(one.review or ())
    taken = [False] * len(reviewed)
    hits = 0
    for place in np.argsort(-np.array(one.scores), kind="stable"):
        top, left, bottom, right = one.boxes[place]
        mine = grid(left, top, right, bottom)
        best, best_overlap = None, 0.5
        for i, (name, x, y, w, h) in enumerate(reviewed):
            theirs = grid(x, y, x + w, y + h)
            shared = float((mine & theirs).sum() / (mine | theirs).sum())
            is_better = shared > best_overlap or (best is None and shared >= best_overlap)
            if name == NAMES[one.classes[place]] and not taken[i] and is_better:
                best, best_overlap = i, shared
        if best is not None:
            taken[best] = True
            hits += 1
    return hits, len(one.boxes) - hits, len(reviewed) - hits


def sums(one: dict[str, Any]) -> tuple[int, int, int]:
    return one["true_positives"], one["false_positives"], one["false_negatives"]


async def test_a_random_deployment_in_numbers(wire: Wire) -> None:
    """Counts, distributions, labels, agreement with reviews, outliers and drift over the wire are those of what was sent."""
    monitored = await fill(wire, 7, 120)
    reviewed = [one for one in monitored if one.review is not None]
    assert 30 < len(reviewed) < 90

    data = (await stats(wire, "metrics"))["data"]
    assert (data["predictions"], data["sampled"], data["shadow_predictions"]) == (120, 120, 0)
    assert data["shapes"] == sum(len(one.boxes) for one in monitored)
    check_distribution(data["latency"], [one.latency for one in monitored])
    check_distribution(data["scores"], [score for one in monitored for score in one.scores])
    check_distribution(data["shapes_per_image"], [len(one.boxes) for one in monitored])
    assert data["shadow_latency"] is None
    assert data["sources"] == Counter(one.source for one in monitored)
    assert data["tags"] == Counter(tag for one in monitored for tag in one.tags)
    assert data["reviews"] == {"REVIEWED": len(reviewed), "TO_REVIEW": 120 - len(reviewed)}

    single = (await stats(wire, "metrics", is_single=True))["data"]
    assert [item["id"] for item in single] == [one.id for one in monitored]
    for item, one in zip(single, monitored, strict=True):
        assert item["mean_score"] == (pytest.approx(np.mean(one.scores)) if one.scores else None)

    labels = (await stats(wire, "label_distribution"))["data"]
    assert labels == Counter(NAMES[index] for one in monitored for index in one.classes)
    assert list(labels.values()) == sorted(labels.values(), reverse=True)
    labels = (await stats(wire, "label_distribution", is_single=True))["data"]
    assert labels == Counter(shape[0] for one in reviewed for shape in one.review or ())

    agreements = (await stats(wire, "object_detection", is_single=True))["data"]
    assert {item["id"]: sums(item) for item in agreements} == {one.id: agreement(one) for one in reviewed}
    totals = np.array([agreement(one) for one in reviewed]).sum(axis=0)
    found = await stats(wire, "object_detection")
    assert (found["count"], sums(found["data"])) == (len(reviewed), tuple(totals))
    assert found["data"]["precision"] == pytest.approx(totals[0] / (totals[0] + totals[1]))
    assert found["data"]["recall"] == pytest.approx(totals[0] / (totals[0] + totals[2]))


async def test_drift_and_outliers_of_a_random_deployment(wire: Wire) -> None:
    """Against the earlier half, where the latency doubles, then against the images of a training set."""
    monitored = await fill(wire, 8, 100)
    found = await stats(wire, "ks_drift")
    assert (found["reference"], found["count"]) == ("earlier_predictions", 100)
    series = {
        "latency": [[one.latency] for one in monitored],
        "shapes_per_image": [[len(one.boxes)] for one in monitored],
        "scores": [one.scores for one in monitored],
        **{name: [[one.size[i]] for one in monitored] for i, name in enumerate(("width", "height", "size"))},
    }
    assert set(found["data"]) == set(series)
    for name, values in series.items():
        halves = [np.array([v for row in values[start : start + 50] for v in row], dtype=float) for start in (0, 50)]
        assert found["data"][name]["statistic"] == pytest.approx(gap(halves[0], halves[1])), name
    assert found["data"]["latency"]["is_drifting"] is True
    assert found["data"]["width"]["is_drifting"] is False

    version = (await wire.versions("dataset"))[0]
    await wire.ok("POST", f"{wire.deployment}/pipeline/td/setup", {"dataset_version_id": version["id"]})
    state = wire.emulator.state.store
    assets = state.documents.list("asset", dataset_version_id=version["id"])
    rows = [state.data.get(asset["data_id"], "data") for asset in assets]
    reference = np.array([(row.width, row.height, row.size) for row in rows], dtype=float)
    sizes = np.array([one.size for one in monitored], dtype=float)
    found = await stats(wire, "ks_drift")
    for i, name in enumerate(("width", "height", "size")):
        assert found["data"][name]["statistic"] == pytest.approx(gap(reference[:, i], sizes[:, i])), name
    mean, sigma = reference.mean(axis=0), reference.std(axis=0)
    sigma = np.where(sigma > 0, sigma, np.maximum(1.0, mean * 0.1))
    distance = (np.abs(sizes - mean) / sigma).max(axis=1)
    scores = [item["score"] for item in (await stats(wire, "ae_outlier", is_single=True))["data"]]
    assert scores == pytest.approx((distance / (1 + distance)).tolist())
