"""Results of supervision, ultralytics and torchvision as predictions. Read by their attributes; none of them is imported."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal, TypeAlias, get_args

from picsellia_async.errors import ConfigurationError, ImplausibleError, shown
from picsellia_async.predictions._geometry import PixelSize, Size, checked_size
from picsellia_async.predictions._labels import LabelMap, Names, indexes, known_labels
from picsellia_async.predictions._masks import FULL, mask_arrays, without_letterbox
from picsellia_async.predictions._result_boxes import boxes_of_result
from picsellia_async.predictions._skeletons import with_visibilities
from picsellia_async.predictions._values import SCORE_ROUNDING
from picsellia_async.predictions.base import PredictionFormat, counted, with_class_names
from picsellia_async.predictions.formats import (
    ClassificationPredictionFormat,
    DetectionPredictionFormat,
    KeypointPredictionFormat,
)
from picsellia_async.predictions.mask_formats import MaskPredictionFormat, SegmentationPredictionFormat
from picsellia_async.validation import choice, real_number, sequence, whole_number

Kind: TypeAlias = Literal["detection", "segmentation", "mask", "keypoint"]
"""Which of the things in a result becomes the prediction: boxes, polygons, pixel masks or skeletons. A result that holds nothing becomes
an empty prediction of that kind, and mostly cannot tell it by itself."""

MASK_THRESHOLD: Final = 0.5
"""Probability from which a pixel belongs to a torchvision mask."""
_APART: Final = 2
"""Pixels that rounding puts between a mask and its box."""
_BACKGROUND: Final = frozenset({"background", "bg", "n/a"})
"""How lists of names call label 0 where it is no class."""
_ORIENTED: Final = (
    "oriented boxes: a box of the platform has no angle. As polygons: SegmentationPredictionFormat.from_polygons({corners}, "
    "...); the upright boxes around them: DetectionPredictionFormat.from_xyxy({upright}, ...)"
)


def from_supervision(
    detections: Any,
    *,
    kind: Kind | None = None,
    names: Names | None = None,
    label_map: LabelMap | None = None,
    clip: Size | None = None,
    score: float | None = None,
) -> PredictionFormat:
    """Return the prediction behind `supervision.Detections`, `KeyPoints` or `Classifications`.

    Where `KeyPoints.visible` is set it says which points are seen, whatever their confidence; the others are hidden (COCO's 1). Points at
    0, 0, not finite, or neither visible nor of a confidence above 0 are not there (0).

    Args:
        detections: The result.
        kind: What to take of `Detections`: "detection", "segmentation" (polygons around its masks) or "mask". By default
            polygons where it has masks, else boxes. To be given for a model of masks: of an image without anything the result
            has none, and would become boxes.
        names: Names of the model's own class ids; by default `data["class_name"]`, where the result has it and a label map is given.
        label_map: `await deployment.label_map()`; None takes class ids as indexes of the label map. A deployment whose label map has
            such a name at another index refuses the prediction.
        clip: (width, height) of the image, to which shapes are cut.
        score: Confidence of all shapes of a result that has none, such as an annotation.

    Raises:
        ConfigurationError: No such result, it lacks what `kind` needs, class ids or confidences, or has these beside `score`; its boxes
            are oriented; or its class ids and names contradict each other, or `names`.
    """
    _check_kind(kind)
    checked_size(clip, "clip")
    if score is not None:
        real_number(score, "score")
    if label_map is not None:
        known_labels(label_map, ())
    if not any(hasattr(detections, name) for name in ("xyxy", "xy", "class_id")):
        raise ConfigurationError(
            f"from_supervision takes Detections, KeyPoints or Classifications, got {shown(detections)}"
        )
    own = _carried_names(detections, names, label_map)
    found = _from_supervision(detections, kind, names, label_map, clip, score)
    return found if label_map is not None else with_class_names(found, own)


def _carried_names(detections: Any, names: Names | None, label_map: LabelMap | None) -> dict[int, str]:
    """Return the names that a result of supervision carries, by class id.

    Raises:
        ConfigurationError: It calls one id by two names, or by another name of the label map than `names` does.
    """
    called, ids = _data_of(detections).get("class_name"), getattr(detections, "class_id", None)
    if called is None or ids is None:
        return {}
    if len(called) != len(ids):
        raise ConfigurationError(
            f"data['class_name'] must have one entry per shape: got {len(called)} for {len(ids)} in class_id"
        )
    said = names if isinstance(names, Mapping) else dict(enumerate([] if names is None else sequence(names, "names")))
    own: dict[int, str] = {}
    for index, name in zip(map(int, ids), map(str, called), strict=True):
        first, given = own.setdefault(index, name), said.get(index, name)
        if first != name or (
            given != name and name in (label_map or ())
        ):  # a name that the label map lacks may be translated
            raise ConfigurationError(
                f"data['class_name'] calls class id {index} {name!r}, and {'another shape' if first != name else 'names='} "
                f"{first if first != name else given!r}: who changes class_id changes data['class_name'] too"
            )
    return own


def _data_of(detections: Any) -> Mapping[str, Any]:
    """Return `data` of a result of supervision; other results have tensors of that name."""
    found = getattr(detections, "data", None)
    return found if isinstance(found, Mapping) else {}


def _from_supervision(
    detections: Any,
    kind: Kind | None,
    names: Names | None,
    label_map: LabelMap | None,
    clip: Size | None,
    score: float | None,
) -> PredictionFormat:
    shapes = getattr(detections, "xyxy", getattr(detections, "xy", None))
    if shapes is not None and not len(shapes):  # without masks, often without classes and confidences too
        by_itself: Kind = "keypoint" if not hasattr(detections, "xyxy") else _kind_of_masks(detections)
        return _nothing(kind or by_itself, clip, names, label_map)
    if hasattr(detections, "xyxy"):
        data = _data_of(detections)
        if "xyxyxyxy" in data:
            where = 'detections.data["xyxyxyxy"]'
            raise ConfigurationError(_ORIENTED.format(corners=where, upright="detections.xyxy"))
        mask = getattr(detections, "mask", None)
        chosen = kind or _kind_of_masks(detections)
        common = _labelled(detections.class_id, names, data.get("class_name"), label_map)
        scores = _scores(detections.confidence, len(detections.xyxy), score)
        if chosen == "detection":
            boxes = boxes_of_result(detections.xyxy, scores, clip, common)
            size = boxes.image_size if clip is not None else _size_of_masks(mask)
            return counted(boxes, size, boxes.clipped, boxes.left_out, label_map, boxes.doubt)
        if chosen == "keypoint":
            raise ConfigurationError("supervision.Detections has no keypoints: give supervision.KeyPoints")
        if mask is None:
            raise ConfigurationError(f"kind={chosen!r} needs detections.mask, which is None")
        _check_places(detections.xyxy, mask)
        return _from_masks(chosen, mask, scores, common)
    if hasattr(detections, "keypoint_confidence") or hasattr(detections, "xy"):
        confidences = getattr(detections, "keypoint_confidence", None)
        found = getattr(detections, "detection_confidence", None)
        data = _data_of(detections)
        common = _labelled(detections.class_id, names, data.get("class_name"), label_map)
        scores = _scores(found, len(detections.xy), score)
        visible = getattr(detections, "visible", None)
        if visible is not None:
            points = with_visibilities(detections.xy, visible, confidences)
            return KeypointPredictionFormat.from_keypoints(
                points, scores=scores, third_values="visibility", clip=clip, **common
            )
        return KeypointPredictionFormat.from_keypoints(
            detections.xy, scores=scores, confidences=confidences, clip=clip, **common
        )
    common = _labelled(detections.class_id, names, None, label_map)
    scores = _scores(detections.confidence, len(detections.class_id), score)
    return ClassificationPredictionFormat.from_classes(scores=scores, **common)


def _size_of_masks(masks: Any) -> tuple[int, int] | None:
    """Return width and height of the image that masks beside boxes cover; None: there are none."""
    shape: tuple[int, ...] = getattr(masks, "shape", ())
    return (int(shape[2]), int(shape[1])) if len(shape) == 3 else None


def _kind_of_masks(detections: Any) -> Kind:
    return "detection" if getattr(detections, "mask", None) is None else "segmentation"


def from_ultralytics(
    result: Any,
    *,
    kind: Kind | None = None,
    label_map: LabelMap | None = None,
    top: int = 1,
) -> PredictionFormat:
    """Return the prediction behind one `ultralytics` result: detect, segment, pose or classify. Shapes are cut to the image.

    Args:
        result: One item of what `model(...)` returns.
        kind: "detection", "segmentation" (polygons), "mask" (the pixels, without the network's padding and scaled to the image; extra
            `masks`) or "keypoint"; by default what the result has: keypoints, else polygons, else boxes. To be given for a model of masks: of an
            image without anything the result has none, and would become boxes. Classification needs none.
        label_map: `await deployment.label_map()`: classes are looked up by the names that the result carries. None takes the
            model's class numbers as indexes of the label map; a deployment whose label map has such a name at another index refuses
            the prediction.
        top: Of a classification: how many of the best classes.

    Raises:
        ConfigurationError: No such result, it lacks what `kind` needs, or its boxes are oriented.
        ImplausibleError: A mask or polygon and the box of one shape do not meet.
    """
    _check_kind(kind)
    count = whole_number(top, "top", 1)
    if isinstance(result, (list, tuple)):
        raise ConfigurationError(
            "from_ultralytics takes one result: model(image) returns a list of them, one per image"
        )
    if not hasattr(result, "orig_shape") or not hasattr(result, "names"):
        raise ConfigurationError(f"from_ultralytics takes a result of ultralytics, got {shown(result)}")
    if getattr(result, "obb", None) is not None:
        raise ConfigurationError(_ORIENTED.format(corners="result.obb.xyxyxyxy", upright="result.obb.xyxy"))
    names = result.names if label_map is not None else None
    if getattr(result, "probs", None) is not None:
        scores = sequence(result.probs.data, "result.probs.data")
        best = sorted(range(len(scores)), key=lambda i: -scores[i])[:count]
        found = ClassificationPredictionFormat.from_classes(
            best, [scores[i] for i in best], names=names, label_map=label_map
        )
        return _with_own_names(found, result.names, label_map)
    if getattr(result, "semantic_mask", None) is not None:
        raise ConfigurationError(
            "result.semantic_mask is a map of classes without objects, which has no confidences: make a mask of each class, "
            "MaskPredictionFormat.from_binary_masks([pixels == value for value in ...], classes, scores)"
        )
    if getattr(result, "boxes", None) is None:
        raise ConfigurationError("result.boxes is None: this result holds no detections")
    has = {name for name in ("masks", "keypoints") if getattr(result, name, None) is not None}
    by_itself: Kind = "keypoint" if "keypoints" in has else "segmentation" if "masks" in has else "detection"
    chosen = kind or by_itself
    prediction = _from_ultralytics_shapes(result, chosen, names, label_map)
    return _with_own_names(prediction, result.names, label_map)


FORMATS: Final[dict[str, type[PredictionFormat]]] = {
    "detection": DetectionPredictionFormat,
    "segmentation": SegmentationPredictionFormat,
    "mask": MaskPredictionFormat,
    "keypoint": KeypointPredictionFormat,
}
"""What each `kind=` makes."""


def _nothing(kind: Kind, size: Size | None, names: Names | None, label_map: LabelMap | None) -> PredictionFormat:
    """Return the prediction of that kind for an image without anything, of that width and height.

    Raises:
        ConfigurationError: Names or label map are none: better told here than at the first image with something.
    """
    indexes((), names, label_map)
    fields: dict[str, Any] = {name: [] for name in ("detection_classes", *FORMATS[kind].shape_fields)}
    return counted(FORMATS[kind](**fields), checked_size(size, "clip"))


def _from_ultralytics_shapes(
    result: Any, kind: Kind, names: Names | None, label_map: LabelMap | None
) -> PredictionFormat:
    boxes = result.boxes
    # What it calls xyxy and xy are pixels, so that one thing alone in the first pixel is there. Several are shares that a model of
    # normalized outputs, or a result made by hand, has under these names.
    pixels = PixelSize(whole_number(one, "result.orig_shape", 1) for one in reversed(result.orig_shape))
    size = pixels if len(boxes.cls) == 1 else (*pixels,)
    common: dict[str, Any] = {"classes": boxes.cls, "names": names, "label_map": label_map}
    if not len(boxes.cls):  # a result without anything has no masks and no keypoints, whatever the task
        return _nothing(kind, size, names, label_map)
    needed = {"segmentation": "masks", "mask": "masks", "keypoint": "keypoints"}.get(kind)
    if needed is None:
        return boxes_of_result(boxes.xyxy, boxes.conf, size, common)
    found = getattr(result, needed, None)
    if found is None:
        raise ConfigurationError(f"kind={kind!r} needs result.{needed}, which is None")
    if kind == "keypoint":
        confidences = getattr(found, "conf", None)
        return KeypointPredictionFormat.from_keypoints(
            found.xy, confidences=confidences, scores=boxes.conf, clip=size, **common
        )
    if kind == "mask":  # not from the polygons, which fill holes and join pieces
        inputs = mask_arrays(found.data, "result.masks.data", len(boxes.cls))
        masks = [without_letterbox(one, size) for one in inputs]
        _check_order(result, map(_bounds_of_mask, masks))
        return MaskPredictionFormat.from_binary_masks(masks, scores=boxes.conf, **common)
    # Those of a mask that is one pixel wide are left out with the empty ones: the model's other shapes are sent.
    polygons = [one if _has_area(one) else [] for one in found.xy]
    _check_order(result, map(_bounds_of_polygon, polygons))
    return SegmentationPredictionFormat.from_polygons(polygons, scores=boxes.conf, clip=size, **common)


def _bounds_of_polygon(polygon: Any) -> tuple[float, float, float, float] | None:
    points = sequence(polygon, "result.masks.xy")
    if not points:
        return None
    xs, ys = zip(*points, strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def _check_order(result: Any, bounds: Iterable[tuple[float, float, float, float] | None]) -> None:
    """Refuse masks of ultralytics that do not meet the boxes of their own shapes."""
    shape = getattr(getattr(result.masks, "data", None), "shape", ())
    # A pixel of the network's input is several of the image, and one of the masks before they were enlarged four of that.
    scale = max(1.0, *(a / b for a, b in zip(result.orig_shape, shape[1:], strict=True))) if len(shape) == 3 else 1.0
    for i, (box, one) in enumerate(zip(result.boxes.xyxy, bounds, strict=False)):  # another count is told later
        _check_meeting(one, box, f"result.masks[{i}]", f"result.boxes[{i}]", 2 * _APART * scale)


def _has_area(polygon: Any) -> bool:
    return all(len(set(side)) > 1 for side in zip(*sequence(polygon, "result.masks.xy"), strict=True))


def from_torchvision(
    output: Mapping[str, Any],
    *,
    kind: Kind | None = None,
    names: Names | None = None,
    label_map: LabelMap | None = None,
    first_label: int | None = None,
    clip: Size | None = None,
    mask_threshold: float = MASK_THRESHOLD,
) -> PredictionFormat:
    """Return the prediction behind one output of a torchvision detection model.

    Args:
        output: `boxes`, `labels`, `scores`, and where there are any `masks`, `keypoints` and `keypoints_scores`.
        kind: "detection", "segmentation", "mask" or "keypoint"; by default keypoints where there are any, else polygons around
            masks, else boxes.
        names: Names of the model's labels, `weights.meta["categories"]`, or a dict by label; looked up in `label_map`.
        label_map: `await deployment.label_map()`.
        first_label: The label that is index 0 of the label map, or the first of `names`: 1 where the model counts the background as 0,
            as torchvision's do, 0 where its labels are the indexes. Needed without `names`, and with a list of names that does not
            begin with the background, since nothing else tells. Only for labels without gaps: torchvision's own weights of COCO count 91
            categories with "N/A" between them, and need `names`.
        clip: (width, height) of the image, to which shapes are cut.
        mask_threshold: Probability from which a pixel belongs to a mask.

    Raises:
        ConfigurationError: No such output, it lacks what `kind` needs, or nothing says which label is which class.
        ImplausibleError: Masks are no probabilities.
    """
    _check_kind(kind)
    checked_size(clip, "clip")
    threshold = real_number(mask_threshold, "mask_threshold", 0.0)
    if not isinstance(output, Mapping) or not {"boxes", "labels", "scores"} <= set(output):
        raise ConfigurationError(
            f"from_torchvision takes one output with boxes, labels and scores, got {shown(output)}"
        )
    by_itself: Kind = "keypoint" if "keypoints" in output else "segmentation" if "masks" in output else "detection"
    chosen = kind or by_itself
    common = _torchvision_classes(output["labels"], names, label_map, first_label)
    if not len(output["boxes"]):
        return _nothing(chosen, clip, names, label_map)
    if chosen == "detection":
        return boxes_of_result(output["boxes"], output["scores"], clip, common)
    key = "keypoints" if chosen == "keypoint" else "masks"
    if key not in output:
        raise ConfigurationError(f"kind={chosen!r} needs output[{key!r}]")
    if chosen == "keypoint":
        # The third value is 1 for every point; what the model thinks of each stands beside it, as a logit.
        skeletons = [[point[:2] for point in one] for one in sequence(output["keypoints"], "output['keypoints']")]
        return KeypointPredictionFormat.from_keypoints(skeletons, scores=output["scores"], clip=clip, **common)
    if threshold > 0:
        _refuse_logits(output["masks"], threshold)
    return _from_masks(chosen, [mask > threshold for mask in output["masks"]], output["scores"], common)


def _refuse_logits(masks: Any, threshold: float) -> None:
    """Refuse masks that a threshold of probabilities does not cut where it should. 0 and 255 are cut rightly by any.

    Raises:
        ImplausibleError: Values are below 0, or above 1 and other than 255; or they are 0 to 1, and the threshold is above all of them.
    """
    for i, mask in enumerate(masks):
        low, high = float(mask.min()), float(mask.max())
        if low < 0 or (high > 1 + SCORE_ROUNDING and high != FULL):
            raise ImplausibleError(
                f"output['masks'][{i}] holds values from {low:.4g} to {high:.4g}, and torchvision's are probabilities, 0 to 1: apply the "
                "sigmoid to logits, or give mask_threshold=0 with them"
            )
        if threshold >= 1 and high <= 1 + SCORE_ROUNDING:
            raise ImplausibleError(
                f"mask_threshold is {threshold:g}, and output['masks'][{i}] holds values from {low:.4g} to {high:.4g}: no pixel would be "
                "left. It is a probability, 0.5 for instance"
            )


def _torchvision_classes(
    labels: Any, names: Names | None, label_map: LabelMap | None, first_label: int | None
) -> dict[str, Any]:
    """Return classes, names and label map of torchvision's labels, which leave 0 to the background.

    Raises:
        ConfigurationError: Nothing says which label is which class, two things say it, or a label is below the first one.
    """
    common: dict[str, Any] = {"classes": labels, "names": names, "label_map": label_map}
    if isinstance(names, Mapping):
        if first_label is not None:
            raise ConfigurationError(
                "first_label= counts labels, and names= is by label already: leave one of them out"
            )
        return common
    has_background = False
    if names is not None:
        listed = sequence(names, "names")
        has_background = bool(listed) and str(listed[0]).strip("_ ").casefold() in _BACKGROUND
    if first_label is None:
        if has_background:
            return common
        raise ConfigurationError(
            "torchvision's labels leave 0 to the background, and are no indexes of the label map: give "
            'names=weights.meta["categories"] with label_map=await deployment.label_map(). torchvision\'s own weights of COCO count 91 '
            'categories, with "N/A" between them, and only names are right for these. For a model whose labels have no gaps say which '
            "is the first class: first_label=1 where 0 is the background, first_label=0 where it is a class"
        )
    first = whole_number(first_label, "first_label", 0)
    if has_background and first:
        raise ConfigurationError(f"names= begins with the background, so that first_label is 0, got {first}")
    found = [whole_number(one, f"output['labels'][{i}]") for i, one in enumerate(sequence(labels, "output['labels']"))]
    if found and min(found) < first:
        raise ConfigurationError(f"output['labels'] has {min(found)}, which is below first_label={first}")
    return {**common, "classes": [label - first for label in found]}


def _check_places(boxes: Any, masks: Any) -> None:
    """Refuse masks of supervision that do not meet the boxes of their own shapes."""
    for i, (box, mask) in enumerate(zip(boxes, masks, strict=False)):  # another count is told later
        if getattr(mask, "ndim", 0) != 2:
            return
        _check_meeting(_bounds_of_mask(mask), box, f"detections.mask[{i}]", f"detections.xyxy[{i}]", _APART)


def _bounds_of_mask(mask: Any) -> tuple[float, float, float, float] | None:
    """Return left, top, right and bottom of the pixels that are set; None: none is."""
    across, down = mask.any(axis=0).nonzero()[0], mask.any(axis=1).nonzero()[0]
    return (across[0], down[0], across[-1], down[-1]) if len(across) else None


def _check_meeting(
    bounds: tuple[float, float, float, float] | None, box: Any, name: str, box_name: str, apart: float
) -> None:
    """Refuse an outline or mask that does not meet the box of its own shape: lists in two orders, or masks of another size.

    Raises:
        ImplausibleError: It does not, by more pixels than `apart`.
    """
    if bounds is None:
        return
    left, top, right, bottom = (float(one) for one in box)
    x1, y1, x2, y2 = bounds
    if x1 > right + apart or x2 < left - apart or y1 > bottom + apart or y2 < top - apart:
        raise ImplausibleError(
            f"{name} is at {x1:.4g}, {y1:.4g} to {x2:.4g}, {y2:.4g}, and {box_name} is {shown(box)}, "
            "which do not meet: one of them is of another object, or of an image of another size"
        )


def _from_masks(kind: str, masks: Any, scores: Any, common: dict[str, Any]) -> PredictionFormat:
    format_ = SegmentationPredictionFormat if kind == "segmentation" else MaskPredictionFormat
    return format_.from_binary_masks(masks, scores=scores, **common)


def _labelled(class_id: Any, names: Names | None, own: Any, label_map: LabelMap | None) -> dict[str, Any]:
    """Return classes, names and label map: the names that the result carries count where a label map is given, and none beside it."""
    if label_map is not None and names is None and own is not None and len(own):
        return {"classes": [str(name) for name in own], "names": None, "label_map": label_map}
    if class_id is None:
        raise ConfigurationError(
            "class_id is None: set it, or data['class_name'] and label_map=await deployment.label_map()"
        )
    if names is None and len(class_id) and label_map is not None:
        raise ConfigurationError(
            "label_map= looks classes up by name, and the result carries none: give names=, the model's own, in the order of its numbers. Where "
            "its numbers are the label map's, leave label_map= out"
        )
    return {"classes": class_id, "names": names, "label_map": label_map}


def _with_own_names(prediction: PredictionFormat, names: Any, label_map: LabelMap | None) -> PredictionFormat:
    """Return the prediction with the model's own names of its classes (a model may have thousands), unless they were looked up."""
    if label_map is not None:
        return prediction
    own = names if isinstance(names, Mapping) else dict(enumerate(names))
    found = {index: own.get(index, own.get(str(index))) for index in set(prediction.detection_classes)}
    return with_class_names(prediction, {index: name for index, name in found.items() if isinstance(name, str)})


def _scores(confidence: Any, count: int, score: float | None) -> Any:
    if confidence is not None:
        if score is not None:
            raise ConfigurationError("score= is for a result without confidences, and this one has them: leave it out")
        return confidence
    if score is None and count:
        raise ConfigurationError("confidence is None: give score=, the confidence of all shapes")
    return [score] * count


def _check_kind(kind: Any) -> None:
    choice(kind, "kind", (*get_args(Kind), None))
