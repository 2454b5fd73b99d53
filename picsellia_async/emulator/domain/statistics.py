"""Statistics of what was monitored: counts, distributions, agreement with reviews, drift. Pure functions over rows.

All shapes are our own inventions (docs/emulator-assumptions.md); the numbers are computed from what is stored. Where something
cannot be computed, `infos.info` says why, the one key that the vendor's SDK knows (docs/wire.md#sample-responses).
"""

from __future__ import annotations

import bisect
import functools
import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, Self, TypeAlias

import attrs
import orjson

from picsellia_async._wire.converter import JsonObject
from picsellia_async.emulator.domain.state import State
from picsellia_async.emulator.store.documents import Document
from picsellia_async.emulator.store.rows import DataRow, PredictionRow

_IOU_MIN: Final = 0.5
"""Overlap from which a predicted box counts as the reviewed one."""

_BINS: Final = 10


@attrs.frozen
class Sample:
    """The predictions that a call chose, with what they are measured by."""

    rows: list[PredictionRow]
    """Predictions, oldest first."""
    labels: dict[int, str]
    """Names by class index."""
    type_: str
    """Of the deployment."""
    reference: list[DataRow] | None
    """Data of the training reference; None where none is set."""

    @classmethod
    def of(cls, state: State, deployment: Document, rows: list[PredictionRow]) -> Self:
        """Return the sample of some rows of a deployment."""
        labels = {
            label["index"]: label["name"]
            for label in state.store.documents.list("label", deployment_id=deployment["id"])
        }
        training = deployment["training_data"]
        reference = None
        if training is not None:
            assets = state.store.documents.list("asset", dataset_version_id=training["dataset_version_id"])
            ids = orjson.dumps([asset["data_id"] for asset in assets]).decode()
            reference = state.store.data.select("id in (select value from json_each(?))", ids)
        return cls(rows, labels, deployment["type"], reference)

    @functools.cached_property
    def predictions(self) -> list[JsonObject]:
        """Wire forms of the rows, in the same order; read at first use, which may be in a thread."""
        return [row.prediction() for row in self.rows]

    def name(self, index: int) -> str:
        """Return the label of a class index."""
        return self.labels.get(index, str(index))

    def reviewed(self) -> list[tuple[PredictionRow, JsonObject, JsonObject]]:
        """Return row, prediction and last review of what was reviewed."""
        pairs = zip(self.rows, self.predictions, strict=True)
        return [(row, raw, reviews[-1]) for row, raw in pairs if (reviews := orjson.loads(row.reviews))]


Service: TypeAlias = Callable[[Sample], JsonObject]
"""Computes one kind of statistics."""


def _answer(data: Any, count: int, info: str | None = None) -> JsonObject:
    return {"data": data, "count": count, "infos": {} if info is None else {"info": info}}


def _only_for(type_: str, service: Service, nothing: Any) -> Service:
    """Return a service that says to deployments of other types that it has no numbers for them."""

    def answer(sample: Sample) -> JsonObject:
        if sample.type_ == type_:
            return service(sample)
        return _answer(nothing, 0, f"it is computed for deployments of type {type_}, and this one is of {sample.type_}")

    return answer


def metrics(sample: Sample) -> JsonObject:
    """Return latency, shapes and scores of each prediction."""
    data = [
        {
            "id": row.id, "timestamp": row.timestamp, "latency": row.latency, "shadow_latency": row.shadow_latency,
            "shapes": len(raw["detection_classes"]), "mean_score": _mean(raw["detection_scores"]), "source": row.source,
            "tags": orjson.loads(row.tags), "custom_metrics": orjson.loads(row.custom_metrics),
        }
        for row, raw in zip(sample.rows, sample.predictions, strict=True)
    ]  # fmt: skip
    return _answer(data, len(data))


def aggregated_metrics(sample: Sample) -> JsonObject:
    """Return counts and the distributions of latency, shapes and scores."""
    scores = [score for raw in sample.predictions for score in raw["detection_scores"]]
    shapes = [len(raw["detection_classes"]) for raw in sample.predictions]
    shadows = [row.shadow_latency for row in sample.rows if row.shadow_latency is not None]
    data = {
        "predictions": len(sample.rows),
        "shadow_predictions": sum(row.shadow_raw is not None for row in sample.rows),
        "sampled": sum(row.asset_id is not None for row in sample.rows),
        "shapes": sum(shapes),
        "latency": distribution([row.latency for row in sample.rows]),
        "shadow_latency": distribution(shadows),
        "shapes_per_image": distribution(shapes),
        "scores": distribution(scores),
        "sources": dict(Counter(row.source for row in sample.rows)),
        "tags": dict(Counter(tag for row in sample.rows for tag in orjson.loads(row.tags))),
        "reviews": dict(Counter(row.status for row in sample.rows)),
    }
    return _answer(data, len(sample.rows))


def distribution(values: Sequence[float]) -> JsonObject | None:
    """Return smallest, largest, mean, quantiles and a histogram; None for no values."""
    if not values:
        return None
    ordered = sorted(values)
    low, high = ordered[0], ordered[-1]
    width = (high - low) / _BINS
    counts = [0] * _BINS
    for value in ordered:
        counts[min(_BINS - 1, int((value - low) / width)) if width else 0] += 1
    return {
        "count": len(ordered), "min": low, "max": high, "mean": math.fsum(ordered) / len(ordered),
        **{f"p{percent}": quantile(ordered, percent / 100) for percent in (50, 90, 95, 99)},
        "histogram": {"edges": [low + width * i for i in range(_BINS + 1)], "counts": counts},
    }  # fmt: skip


def quantile(ordered: Sequence[float], share: float) -> float:
    """Return a quantile of sorted values, between neighbours by straight line."""
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def _mean(values: Sequence[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None


def label_distribution(sample: Sample) -> JsonObject:
    """Return how often each label was predicted."""
    counts = Counter(sample.name(index) for raw in sample.predictions for index in raw["detection_classes"])
    return _answer(dict(counts.most_common()), sum(counts.values()))


def reviewed_label_distribution(sample: Sample) -> JsonObject:
    """Return how often each label was reviewed."""
    counts = Counter(_label(shape) for _, _, review in sample.reviewed() for shape in _shapes(review))
    return _answer(dict(counts.most_common()), sum(counts.values()))


def _shapes(review: JsonObject) -> Iterable[JsonObject]:
    return (shape for value in review.values() if isinstance(value, list) for shape in value)


def _label(shape: JsonObject) -> str:
    return str(shape["label"]["name"])


def detection_agreement(sample: Sample) -> JsonObject:
    """Return for each reviewed prediction how many boxes agree with the review."""
    data = [{"id": row.id, **_agreement(*_matched(sample, raw, review))} for row, raw, review in sample.reviewed()]
    return _answer(data, len(data), None if data else "no prediction was reviewed yet")


def aggregated_detection_agreement(sample: Sample) -> JsonObject:
    """Return precision and recall over all reviewed predictions."""
    found = [_matched(sample, raw, review) for _, raw, review in sample.reviewed()]
    totals = [sum(column) for column in zip(*found, strict=True)] if found else [0, 0, 0]
    return _answer(_agreement(*totals), len(found), None if found else "no prediction was reviewed yet")


def _agreement(matched: int, predicted: int, reviewed: int) -> JsonObject:
    return {
        "true_positives": matched,
        "false_positives": predicted - matched,
        "false_negatives": reviewed - matched,
        "precision": matched / predicted if predicted else None,
        "recall": matched / reviewed if reviewed else None,
        "iou": _IOU_MIN,
    }


def _matched(sample: Sample, raw: JsonObject, review: JsonObject) -> tuple[int, int, int]:
    """Return how many boxes agree, were predicted, and were reviewed; each reviewed box is matched once, the best scores first."""
    boxes = list(zip(raw["detection_scores"], raw["detection_classes"], raw.get("detection_boxes", []), strict=False))
    left = list(review.get("rectangles", []))
    matched = 0
    for _, index, box in sorted(boxes, key=lambda entry: -entry[0]):
        fitting = [shape for shape in left if _label(shape) == sample.name(index) and overlap(box, shape) >= _IOU_MIN]
        if fitting:
            left.remove(max(fitting, key=lambda shape: overlap(box, shape)))
            matched += 1
    return matched, len(boxes), len(review.get("rectangles", []))


def overlap(box: Sequence[int], shape: JsonObject) -> float:
    """Return intersection over union of a predicted box (top, left, bottom, right) and a reviewed one (x, y, w, h)."""
    top, left, bottom, right = box
    wide = min(right, shape["x"] + shape["w"]) - max(left, shape["x"])
    high = min(bottom, shape["y"] + shape["h"]) - max(top, shape["y"])
    shared = max(0, wide) * max(0, high)
    union = (bottom - top) * (right - left) + shape["w"] * shape["h"] - shared
    return shared / union if union > 0 else 0.0


def classification_agreement(sample: Sample) -> JsonObject:
    """Return for each reviewed prediction whether its best class is the reviewed one."""
    data = []
    for row, raw, review in sample.reviewed():
        scored = zip(raw["detection_scores"], raw["detection_classes"], strict=False)
        best = max(scored, default=None)
        predicted = None if best is None else sample.name(best[1])
        reviewed = [_label(shape) for shape in review.get("classifications", [])]
        agrees = predicted in reviewed if reviewed else predicted is None
        data.append({"id": row.id, "predicted": predicted, "reviewed": reviewed, "agrees": agrees})
    return _answer(data, len(data), None if data else "no prediction was reviewed yet")


def _features(rows: Iterable[PredictionRow | DataRow]) -> dict[str, list[float]]:
    found = [(float(row.width), float(row.height), float(row.size)) for row in rows]
    return {name: [values[i] for values in found] for i, name in enumerate(("width", "height", "size"))}


def outlier_scores(sample: Sample) -> JsonObject:
    """Return how far each image is from the training data: the largest deviation of width, height and bytes, in sigmas, as 0 to 1."""
    if not sample.reference:
        return _answer([], 0, "outliers need training data; set them first")
    spread = {}
    for name, values in _features(sample.reference).items():
        mean = math.fsum(values) / len(values)
        sigma = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / len(values))
        spread[name] = (mean, sigma or max(1.0, abs(mean) * 0.1))
    data = []
    for row in sample.rows:
        distance = max(abs(getattr(row, name) - mean) / sigma for name, (mean, sigma) in spread.items())
        data.append({"id": row.id, "timestamp": row.timestamp, "score": distance / (1 + distance)})
    return _answer(data, len(data))


def drift(sample: Sample) -> JsonObject:
    """Return Kolmogorov-Smirnov distances: of image features to the training data, else of the later half to the earlier one."""
    if sample.reference:
        earlier, later, against = _features(sample.reference), _features(sample.rows), "training_data"
    else:
        half = len(sample.rows) // 2
        earlier, later, against = (
            _series(sample, 0, half),
            _series(sample, half, len(sample.rows)),
            "earlier_predictions",
        )
    data = {name: kolmogorov_smirnov(earlier[name], later[name]) for name in earlier if earlier[name] and later[name]}
    info = None if data else "drift needs training data or at least two predictions"
    return {**_answer(data, len(sample.rows), info), "reference": against}


def _series(sample: Sample, start: int, end: int) -> dict[str, list[float]]:
    predictions = sample.predictions[start:end]
    return {
        **_features(sample.rows[start:end]),
        "latency": [row.latency for row in sample.rows[start:end]],
        "shapes_per_image": [float(len(raw["detection_classes"])) for raw in predictions],
        "scores": [score for raw in predictions for score in raw["detection_scores"]],
    }


def kolmogorov_smirnov(first: Sequence[float], second: Sequence[float]) -> JsonObject:
    """Return the two-sample statistic and its asymptotic p-value, with the correction for small samples by Stephens."""
    a, b = sorted(first), sorted(second)
    statistic = max(abs(bisect.bisect_right(a, x) / len(a) - bisect.bisect_right(b, x) / len(b)) for x in (*a, *b))
    root = math.sqrt(len(a) * len(b) / (len(a) + len(b)))
    scaled = (root + 0.12 + 0.11 / root) * statistic
    tail = 2 * math.fsum((-1) ** (k - 1) * math.exp(-2 * k * k * scaled * scaled) for k in range(1, 101))
    p_value = 1.0 if scaled < 0.2 else min(1.0, max(0.0, tail))  # the series does not converge near 0
    return {"statistic": statistic, "p_value": p_value, "is_drifting": p_value < 0.05}


SINGLE: Final[dict[str, Service]] = {
    "ae_outlier": outlier_scores,
    "metrics": metrics,
    "object_detection": _only_for("OBJECT_DETECTION", detection_agreement, []),
    "classification": _only_for("CLASSIFICATION", classification_agreement, []),
    "label_distribution": reviewed_label_distribution,
}
"""Services of the route of single predictions (docs/wire.md#monitoring-endpoints)."""

AGGREGATED: Final[dict[str, Service]] = {
    "label_distribution": label_distribution,
    "object_detection": _only_for("OBJECT_DETECTION", aggregated_detection_agreement, {}),
    "metrics": aggregated_metrics,
    "ks_drift": drift,
}
"""Services of the aggregated route."""
