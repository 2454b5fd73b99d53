"""COCO annotations and results of one image as a prediction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias, get_args

from picsellia_async.errors import ConfigurationError, ImplausibleError, shown
from picsellia_async.predictions import _masks
from picsellia_async.predictions._coco_boxes import NOT_MET, corners_example, lie_apart, repeated
from picsellia_async.predictions._geometry import Size, checked_size
from picsellia_async.predictions._labels import LabelMap, index_of, known_labels
from picsellia_async.predictions._mask_order import goes_along_rows, run_bounds
from picsellia_async.predictions._run_length import counts_from_text
from picsellia_async.predictions.base import PredictionFormat, with_label_map
from picsellia_async.predictions.formats import DetectionPredictionFormat, KeypointPredictionFormat
from picsellia_async.predictions.frameworks import Kind
from picsellia_async.predictions.mask_formats import MaskPredictionFormat, SegmentationPredictionFormat
from picsellia_async.validation import choice, real_number, sequence, text, whole_number

Categories: TypeAlias = Iterable[Mapping[str, Any]] | Mapping[int, str] | Mapping[int, int]
"""`categories` of a COCO file, or name or index of the label map by category id."""


def from_coco(
    annotations: Iterable[Mapping[str, Any]],
    *,
    kind: Kind = "detection",
    categories: Categories | None = None,
    label_map: LabelMap | None = None,
    score: float | None = None,
    size: Size | None = None,
) -> PredictionFormat:
    """Return the prediction behind COCO annotations or results of one image.

    Args:
        annotations: Dicts with `category_id`, `score`, and what `kind` needs: `bbox`, `segmentation` or `keypoints`.
        kind: "detection" takes boxes; "segmentation" polygons, or those around run-length masks (extra `masks`); "mask"
            run-length masks and the pixels inside polygons (extra `masks`; needs `size` unless a run-length mask says it); "keypoint" skeletons.
        categories: `categories` of the COCO file or names by id, with `label_map`; or indexes of the label map by id. Needed:
            category ids are no indexes, they begin at 1 and leave gaps.
        label_map: `await deployment.label_map()`.
        score: Confidence of all shapes where annotations have no `score`, as ground truth has none.
        size: (width, height) of the image; shapes are cut to it.

    Raises:
        ConfigurationError: A key is missing, a category is unknown, an annotation is there twice, or there are neither scores nor
            `score`, or both for each.
        ImplausibleError: Box and outline of an annotation do not meet; run lengths go along rows, by the `bbox` of the same annotation; or `bbox` is x1, y1, x2, y2 by what `segmentation`, `area` or `bbox_mode` of the same annotation say.
    """
    choice(kind, "kind", get_args(Kind))
    checked_size(size, "size")
    if score is not None:
        real_number(score, "score")
    found = [_checked(one, i) for i, one in enumerate(sequence(annotations, "annotations"))]
    if score is not None and found and all(one.get("score") is not None for one in found):
        raise ConfigurationError(
            "score= is the confidence of annotations that have none, and all of these have one: leave it out"
        )
    images = {repr(one["image_id"]) for one in found if one.get("image_id") is not None}
    if len(images) > 1:
        raise ConfigurationError(
            f"annotations are of {len(images)} images (image_id {', '.join(sorted(images)[:3])}), and a prediction is of one: "
            "[one for one in annotations if one['image_id'] == ...]. picsellia_async.sources.coco_results reads whole files"
        )
    same = repeated(enumerate(found))
    if same is not None:
        raise ConfigurationError(
            f"annotations[{same[1]}] repeats annotations[{same[0]}], and each object would count twice: remove it"
        )
    if kind != "keypoint":
        _check_places(found)
    indexes = category_indexes(categories, label_map)
    classes = [_index(one, i, indexes) for i, one in enumerate(found)]
    scores = [_score(one, i, score) for i, one in enumerate(found)]
    return with_label_map(_prediction(found, kind, classes, scores, size), label_map)


def _prediction(
    found: list[Mapping[str, Any]], kind: Kind, classes: list[int], scores: list[Any], size: Size | None
) -> PredictionFormat:
    if kind == "detection":
        _check_box_order(found)
        return DetectionPredictionFormat.from_xywh(_values(found, "bbox"), classes, scores, clip=size)
    if kind == "keypoint":
        return KeypointPredictionFormat.from_keypoints(
            _values(found, "keypoints"), classes, scores, third_values="visibility", clip=size
        )
    shapes = _values(found, "segmentation")
    _check_mask_places(found)
    if kind == "mask":
        return MaskPredictionFormat.from_shapes(shapes, classes, scores, size=size)
    polygons = [_polygons(one, f"annotations[{i}] segmentation") for i, one in enumerate(shapes)]
    return SegmentationPredictionFormat.from_polygons(polygons, classes, scores, clip=size)


def _check_box_order(annotations: list[Mapping[str, Any]]) -> None:
    """Refuse boxes that are corners by what else their annotations say, where none says otherwise.

    Raises:
        ImplausibleError: They are.
    """
    example = corners_example((f"annotations[{i}]", one) for i, one in enumerate(annotations))
    if example:
        raise ImplausibleError(
            f"bbox looks like x1, y1, x2, y2, and must be [x, y, width, height]: {example}, which fits corners alone; write "
            "x2 - x1 and y2 - y1"
        )


def _check_places(annotations: list[Mapping[str, Any]]) -> None:
    """Refuse annotations whose box and outline are of two objects.

    Raises:
        ImplausibleError: One is.
    """
    for i, one in enumerate(annotations):
        apart = lie_apart(one)
        if apart:
            raise ImplausibleError(f"annotations[{i}] has {apart}, {NOT_MET}")


def _check_mask_places(annotations: list[Mapping[str, Any]]) -> None:
    """Refuse run lengths that go along rows, or are of another object, as the boxes of their own annotations say.

    Raises:
        ImplausibleError: They do.
    """
    for i, one in enumerate(annotations):
        mask = one["segmentation"]
        if not isinstance(mask, Mapping) or one.get("bbox") is None:
            continue
        counts, size = _masks.compressed(mask, f"annotations[{i}] segmentation", None)
        if size is None:
            continue
        runs = counts_from_text(counts)
        if goes_along_rows(runs, one["bbox"], size):
            raise ImplausibleError(
                f"annotations[{i}] segmentation: its runs go along rows by bbox {shown(one['bbox'])} of the same annotation, and COCO's "
                "go down columns; encode the mask in that order (numpy.asfortranarray)"
            )
        apart = lie_apart(one, run_bounds(runs, size[1]))
        if apart:
            raise ImplausibleError(f"annotations[{i}] has {apart}, {NOT_MET}")


def category_indexes(categories: Categories | None, label_map: LabelMap | None) -> dict[int, int]:
    """Return the index of the label map by category id.

    Raises:
        ConfigurationError: Nothing says which index a category is, or a name is not in the label map.
    """
    if categories is None:
        raise ConfigurationError(
            "category ids are no indexes of the label map: give categories=, the COCO file's categories, with "
            "label_map=await deployment.label_map(), or categories={category_id: index}"
        )
    by_id: dict[Any, Any] = {}
    if isinstance(categories, Mapping):
        by_id = dict(categories)
    else:
        for i, one in enumerate(sequence(categories, "categories")):
            if not isinstance(one, Mapping) or not {"id", "name"} <= set(one):
                raise ConfigurationError(f"categories[{i}] must have id and name, got {shown(one)}")
            by_id[whole_number(one["id"], f"categories[{i}] id")] = text(one["name"], f"categories[{i}] name")
    known = None
    if label_map is not None:
        known = known_labels(label_map, [one for one in by_id.values() if isinstance(one, str)]).by_name
    found = {}
    for category, value in by_id.items():
        if isinstance(value, str):
            if known is None:
                raise ConfigurationError(
                    f"category {category} is named {value!r}: give label_map=await deployment.label_map()"
                )
            value = index_of(value, f"category {category}", known)  # noqa: PLW2901 - a name becomes its index
        found[whole_number(category, "category id")] = whole_number(value, f"categories[{category}]", 0)
    return found


def _checked(value: Any, index: int) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ConfigurationError(f"annotations[{index}] must be a dict, got {shown(value)}")
    return value


def _index(annotation: Mapping[str, Any], place: int, indexes: Mapping[int, int]) -> int:
    category = whole_number(annotation.get("category_id"), f"annotations[{place}] category_id")
    if category not in indexes:
        raise ConfigurationError(f"annotations[{place}] has category {category}, which categories= lacks")
    return indexes[category]


def _score(annotation: Mapping[str, Any], place: int, score: float | None) -> Any:
    found = annotation.get("score")
    if found is None:
        found = score
    if found is None:
        raise ConfigurationError(
            f"annotations[{place}] has no score, as ground truth has none: give score= to send it as a prediction"
        )
    return found


def _values(annotations: Iterable[Mapping[str, Any]], key: str) -> list[Any]:
    found = []
    for i, one in enumerate(annotations):
        if one.get(key) is None:
            raise ConfigurationError(f"annotations[{i}] has no {key}")
        found.append(one[key])
    return found


def _polygons(value: Any, name: str) -> Any:
    return _masks.outlines(_masks.array_of(value, name), "all") if isinstance(value, Mapping) else value
