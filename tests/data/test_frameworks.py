"""Results of other libraries, read by their attributes: stand-ins with the attributes of the real ones."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from picsellia_async import (
    ClassificationPredictionFormat,
    ConfigurationError,
    DetectionPredictionFormat,
    ImplausibleError,
    KeypointPredictionFormat,
    MaskPredictionFormat,
    PredictionMismatchError,
    SegmentationPredictionFormat,
)
from picsellia_async.predictions import (
    check_prediction_type,
    from_coco,
    from_supervision,
    from_torchvision,
    from_ultralytics,
)

LABELS = {"car": 0, "person": 1}
NAMES = {0: "person", 1: "car"}
BOXES = np.array([[10.4, 20, 110, 220], [-3, 5, 1290, 700]], np.float32)
SQUARE = [[10, 10], [10, 20], [20, 20], [20, 10]]
MASK = np.zeros((30, 40), bool)
MASK[10:21, 10:21] = True


def ultralytics(**parts):
    found = {"boxes": SimpleNamespace(xyxy=BOXES, cls=np.array([1.0, 0.0]), conf=np.array([0.75, 0.5], np.float16))}
    nothing = dict.fromkeys(("masks", "keypoints", "probs", "obb"))
    return SimpleNamespace(**{"names": NAMES, "orig_shape": (720, 1280), **nothing, **found, **parts})


def detections(**parts):
    fields = {"xyxy": BOXES[:1], "class_id": np.array([1]), "confidence": np.array([0.75]), "mask": None, "data": {}}
    return SimpleNamespace(**{**fields, **parts})


def one_box(**parts):
    boxes = SimpleNamespace(xyxy=BOXES[:1], cls=np.array([1.0]), conf=np.array([0.75]))
    return ultralytics(boxes=boxes, **parts)


def test_ultralytics_boxes():
    """Classes by the names of the result, boxes cut to its image."""
    prediction = from_ultralytics(ultralytics(), label_map=LABELS)
    assert prediction == DetectionPredictionFormat([0, 1], [[20, 10, 220, 110], [5, 0, 700, 1280]], [0.75, 0.5])
    assert prediction.clipped == 1
    assert from_ultralytics(ultralytics()).detection_classes == [1, 0]


def test_ultralytics_segments_poses_and_classes():
    """The task decides which format it becomes; `kind` decides otherwise."""
    segments = one_box(masks=SimpleNamespace(xy=[np.array(SQUARE, np.float32)]))
    assert from_ultralytics(segments, label_map=LABELS) == SegmentationPredictionFormat([0], [0.75], [SQUARE])
    assert from_ultralytics(segments, kind="detection").detection_boxes == [[20, 10, 220, 110]]
    pose = one_box(keypoints=SimpleNamespace(xy=np.array([[[5, 6], [0, 0]]]), conf=np.array([[0.9, 0.0]])))
    assert from_ultralytics(pose) == KeypointPredictionFormat([1], [0.75], [[[5, 6, 2], [0, 0, 0]]])
    probabilities = ultralytics(boxes=None, probs=SimpleNamespace(data=np.array([0.25, 0.75])))
    assert from_ultralytics(probabilities, label_map=LABELS) == ClassificationPredictionFormat([0], [0.75])
    assert from_ultralytics(probabilities, top=5) == ClassificationPredictionFormat([1, 0], [0.75, 0.25])


def test_ultralytics_masks_have_the_size_of_the_image():
    """Pixel masks are the result's own, without the network's padding."""
    pytest.importorskip("faster_coco_eval")
    inside = np.zeros((1, 384, 640), np.float32)
    inside[0, 12 + 5 : 12 + 10, 5:10] = 1  # 640 x 360 between 12 rows of padding
    inside[0, :12] = 1
    segments = one_box(masks=SimpleNamespace(xy=[np.array(SQUARE, np.float32)], data=inside))
    prediction = from_ultralytics(segments, kind="mask")
    assert prediction.to_binary_masks((1280, 720))[0][10:20, 10:20].all()
    assert prediction.to_binary_masks((1280, 720))[0].sum() == 100
    assert prediction.image_size == (1280, 720)


HOLED = np.zeros((720, 1280), bool)
HOLED[100:500, 200:400] = True
HOLED[200:400, 250:350] = False
HOLED[600:650, 800:900] = True


@pytest.mark.parametrize("kind", [bool, np.uint8, np.float32])
def test_holes_and_pieces_of_ultralytics_masks_are_kept(kind):
    """At the image's size the mask is sent pixel by pixel; an empty one is left out with its class."""
    pytest.importorskip("faster_coco_eval")
    boxes = SimpleNamespace(xyxy=BOXES, cls=np.array([1, 0]), conf=np.array([0.75, 0.5]))
    masks = SimpleNamespace(xy=[], data=np.array([np.zeros_like(HOLED), HOLED]).astype(kind))
    prediction = from_ultralytics(ultralytics(boxes=boxes, masks=masks), kind="mask", label_map=LABELS)
    assert (prediction.detection_classes, prediction.detection_scores, prediction.left_out) == ([1], [0.5], 1)
    assert np.array_equal(prediction.to_binary_masks((1280, 720))[0], HOLED)


@pytest.mark.parametrize(
    ("size", "network"),
    [((1280, 720), (640, 384)), ((720, 1280), (384, 640)), ((1280, 720), (640, 640)), ((320, 181), (640, 384)), ((1001, 333), (640, 224)), ((3, 900), (32, 640))],
)  # fmt: skip
def test_ultralytics_masks_of_a_letterbox(size, network):
    """What the network saw as one is one on the image, to half a pixel of the network's; an odd row of padding is below."""
    pytest.importorskip("faster_coco_eval")
    cv2 = pytest.importorskip("cv2")
    (width, height), (network_width, network_height) = size, network
    gain = min(network_width / width, network_height / height)
    inner = max(round(width * gain), 1), max(round(height * gain), 1)
    left, top = (network_width - inner[0]) // 2, (network_height - inner[1]) // 2
    truth = np.zeros((height, width), np.uint8)
    truth[height // 4 : height // 4 + height // 2, width // 4 : width // 4 + width // 2 + 1] = 1
    data = np.ones((1, network_height, network_width), np.uint8)  # the padding must not show
    data[0, top : top + inner[1], left : left + inner[0]] = cv2.resize(truth, inner, interpolation=cv2.INTER_AREA)
    boxes = SimpleNamespace(xyxy=np.array([[0, 0, width, height]]), cls=np.array([1]), conf=np.array([0.75]))
    result = ultralytics(boxes=boxes, masks=SimpleNamespace(xy=[], data=data), orig_shape=(height, width))
    [found] = from_ultralytics(result, kind="mask").to_binary_masks(size)
    edge = cv2.dilate(truth, None, iterations=max(1, round(1 / gain))) - cv2.erode(
        truth, None, iterations=max(1, round(1 / gain))
    )
    assert np.array_equal(found[edge == 0], truth[edge == 0])


@pytest.mark.parametrize("kind", [None, "detection", "segmentation", "mask", "keypoint"])
def test_an_ultralytics_result_without_anything(kind):
    """An image with nothing in it is a prediction of the wanted format."""
    empty = SimpleNamespace(xyxy=np.zeros((0, 4)), cls=np.zeros(0), conf=np.zeros(0))
    assert from_ultralytics(ultralytics(boxes=empty), kind=kind, label_map=LABELS).detection_classes == []


NOTHING = {
    "ultralytics": lambda **options: from_ultralytics(
        ultralytics(boxes=SimpleNamespace(xyxy=np.zeros((0, 4)), cls=np.zeros(0), conf=np.zeros(0))), **options
    ),
    "supervision": lambda **options: from_supervision(
        detections(xyxy=np.zeros((0, 4)), class_id=np.zeros(0), confidence=np.zeros(0)), **options
    ),
    "supervision without fields": lambda **options: from_supervision(
        detections(xyxy=np.zeros((0, 4)), class_id=None, confidence=None), **options
    ),
    "supervision of points": lambda **options: from_supervision(
        SimpleNamespace(xy=np.zeros((0, 0, 2)), class_id=None, keypoint_confidence=None, data={}), **options
    ),
    "torchvision": lambda **options: from_torchvision(
        {"boxes": np.zeros((0, 4)), "labels": np.zeros(0, int), "scores": np.zeros(0)}, first_label=1, **options
    ),
    "coco": lambda **options: from_coco([], categories={1: 0}, **options),
}


@pytest.mark.parametrize("kind", ["detection", "segmentation", "mask", "keypoint"])
@pytest.mark.parametrize("tool", NOTHING)
def test_a_result_without_anything_becomes_the_kind_that_is_asked_for(tool, kind):
    """Whatever fields an empty result lacks; with a label map too."""
    wanted = {
        "detection": DetectionPredictionFormat,
        "segmentation": SegmentationPredictionFormat,
        "mask": MaskPredictionFormat,
        "keypoint": KeypointPredictionFormat,
    }[kind]
    for options in ({}, {"label_map": LABELS}):
        found = NOTHING[tool](kind=kind, **options)
        assert type(found) is wanted
        assert (found.detection_classes, getattr(found, found.shape_fields[-1])) == ([], [])


@pytest.mark.parametrize("tool", NOTHING)
def test_a_result_without_anything_of_no_kind(tool):
    """Boxes, and skeletons where the result is of skeletons."""
    wanted = KeypointPredictionFormat if tool == "supervision of points" else DetectionPredictionFormat
    assert type(NOTHING[tool]()) is wanted


def test_the_image_of_an_empty_result_is_known():
    """As that of others, so that it goes with no image of another size."""
    assert NOTHING["ultralytics"](kind="mask").image_size == (1280, 720)
    assert NOTHING["supervision"](kind="mask", clip=(64, 48)).image_size == (64, 48)
    assert NOTHING["torchvision"](kind="keypoint", clip=(64, 48)).image_size == (64, 48)


@pytest.mark.parametrize("kind", ["detection", "segmentation", "mask", "keypoint"])
def test_a_deployment_of_another_type_names_the_kind(kind):
    """The way out is in the message, for an empty result with its reason."""
    type_ = NOTHING["ultralytics"](kind=kind).model_type
    other = "mask" if kind == "detection" else "detection"
    way_out = f'this deployment\'s type is {type_}.*give kind="{kind}"'
    with pytest.raises(PredictionMismatchError, match=f"{way_out}.*holds nothing does not tell"):
        check_prediction_type(NOTHING["ultralytics"](kind=other), type_)
    if kind != "detection":
        with pytest.raises(PredictionMismatchError, match=way_out) as raised:
            check_prediction_type(from_supervision(detections()), type_)
        assert "holds nothing" not in str(raised.value)
    with pytest.raises(PredictionMismatchError) as raised:
        check_prediction_type(ClassificationPredictionFormat([], []), type_)
    assert "kind=" not in str(raised.value)


def test_supervision_detections():
    """Boxes, and class names where a label map is given."""
    plain = from_supervision(detections())
    assert plain == DetectionPredictionFormat([1], [[20, 10, 220, 110]], [0.75])
    named = detections(class_id=None, data={"class_name": np.array(["person"])})
    assert from_supervision(named, label_map=LABELS) == plain
    assert from_supervision(detections(), names=NAMES, label_map=LABELS).detection_classes == [0]
    assert from_supervision(detections(confidence=None), score=0.75) == plain
    cut = from_supervision(detections(xyxy=BOXES[1:]), clip=(1280, 720))
    assert (cut.detection_boxes, cut.clipped) == ([[5, 0, 700, 1280]], 1)


def test_masks_and_boxes_of_ultralytics_meet():
    """Masks in another order than the boxes would get the classes and scores of others."""
    pytest.importorskip("faster_coco_eval")
    masks = np.zeros((2, 720, 1280), np.uint8)
    masks[0, 30:200, 20:100] = masks[1, 400:600, 700:900] = 1
    boxes = SimpleNamespace(
        xyxy=np.array([[20.0, 30, 100, 200], [700, 400, 900, 600]]), cls=np.array([1, 0]), conf=np.array([0.75, 0.5])
    )
    right = ultralytics(boxes=boxes, masks=SimpleNamespace(xy=[], data=masks))
    assert len(from_ultralytics(right, kind="mask").detection_masks) == 2
    exchanged = ultralytics(boxes=boxes, masks=SimpleNamespace(xy=[], data=masks[::-1]))
    with pytest.raises(
        ImplausibleError, match=r"result\.masks\[0\] is at 700, 400 to 899, 599, and result\.boxes\[0\].*do not meet"
    ):
        from_ultralytics(exchanged, kind="mask")
    corners = [np.array([[x1, y1], [x2, y1], [x2, y2], [x1, y2]]) for x1, y1, x2, y2 in boxes.xyxy]
    polygons = ultralytics(boxes=boxes, masks=SimpleNamespace(xy=corners))
    assert len(from_ultralytics(polygons).detection_masks) == 2
    with pytest.raises(ImplausibleError, match=r"result\.masks\[0\] is at 700, 400 to 900, 600, .*do not meet"):
        from_ultralytics(ultralytics(boxes=boxes, masks=SimpleNamespace(xy=corners[::-1])))


def test_the_size_of_masks_is_that_of_the_boxes_beside_them():
    """Boxes of a network's size are refused for a larger image, as masks are."""
    pytest.importorskip("faster_coco_eval")
    both = detections(mask=np.ones((1, 360, 640), bool), xyxy=np.array([[10, 20, 110, 220]]))
    for kind in ("detection", "mask", "segmentation"):
        assert from_supervision(both, kind=kind).image_size == (640, 360)
    assert from_supervision(both, kind="detection", clip=(1280, 720)).image_size == (1280, 720)
    assert from_supervision(detections()).image_size is None


def test_logits_of_torchvision_are_told_so():
    """A threshold of probabilities cuts them elsewhere; 0 is theirs."""
    pytest.importorskip("faster_coco_eval")
    logits = np.where(MASK, 4.0, -4.0).astype(np.float32)[None, None]
    output = {"boxes": BOXES[:1], "labels": [1], "scores": [0.5], "masks": logits}
    with pytest.raises(
        ImplausibleError, match=r"output\['masks'\]\[0\] holds values from -4 to 4.*sigmoid.*mask_threshold=0"
    ):
        from_torchvision(output, kind="mask", first_label=1)
    found = from_torchvision(output, kind="mask", first_label=1, mask_threshold=0)
    assert found == from_torchvision({**output, "masks": MASK[None, None]}, kind="mask", first_label=1)


def test_masks_and_boxes_of_supervision_meet():
    """Of one shape they are of one object; an empty mask is left out as ever."""
    far = detections(xyxy=np.array([[25.0, 0, 35, 8]]), mask=MASK[None])
    with pytest.raises(
        ImplausibleError, match=r"mask\[0\] is at 10, 10 to 20, 20, and detections\.xyxy\[0\].*do not meet"
    ):
        from_supervision(far)
    assert from_supervision(far, kind="detection").detection_boxes == [[0, 25, 8, 35]]
    assert from_supervision(detections(xyxy=far.xyxy, mask=np.zeros_like(MASK)[None])).left_out == 1


def test_class_ids_and_names_of_supervision_agree():
    """Ids that were edited and names that were not, or another list of names: refused. A name of the model may be translated."""
    two = {"xyxy": BOXES, "confidence": np.array([0.75, 0.5]), "data": {"class_name": np.array(["car", "person"])}}
    for options in ({}, {"label_map": LABELS}):
        with pytest.raises(ConfigurationError, match="calls class id 1 'person', and another shape 'car'"):
            from_supervision(detections(**two, class_id=np.array([1, 1])), **options)
    carried = detections(data={"class_name": np.array(["car"])})
    with pytest.raises(ConfigurationError, match="calls class id 1 'car', and names= 'person'"):
        from_supervision(carried, names=["car", "person"], label_map=LABELS)
    automobile = detections(data={"class_name": np.array(["automobile"])})
    assert from_supervision(automobile, names={1: "car"}, label_map=LABELS).detection_classes == [LABELS["car"]]


def test_supervision_masks_keypoints_and_classifications():
    """Each kind of result becomes the format of its kind."""
    pytest.importorskip("faster_coco_eval")
    masked = detections(mask=MASK[None])
    assert sorted(from_supervision(masked).detection_masks[0]) == sorted(SQUARE)
    assert isinstance(from_supervision(masked, kind="mask"), MaskPredictionFormat)
    assert isinstance(from_supervision(masked, kind="detection"), DetectionPredictionFormat)
    points = SimpleNamespace(
        xy=np.array([[[5, 6]]]), class_id=np.array([1]), keypoint_confidence=np.array([[0.9]]),
        detection_confidence=np.array([0.75]), data={},
    )  # fmt: skip
    assert from_supervision(points) == KeypointPredictionFormat([1], [0.75], [[[5, 6, 2]]])
    classes = SimpleNamespace(class_id=np.array([1, 0]), confidence=np.array([0.75, 0.25]))
    assert from_supervision(classes) == ClassificationPredictionFormat([1, 0], [0.75, 0.25])


def key_points(**parts):
    fields = {
        "xy": np.array([[[5, 6], [7, 8], [9, 10], [0, 0]]]), "class_id": np.array([1]), "keypoint_confidence": None,
        "detection_confidence": np.array([0.75]), "data": {}, "visible": None,
    }  # fmt: skip
    return SimpleNamespace(**{**fields, **parts})


@pytest.mark.parametrize(
    ("confidences", "expected"),
    [
        (None, [2, 1, 2, 0]),
        ([[1.0, 1.0, 1.0, 1.0]], [2, 1, 2, 0]),
        ([[0.9, 0.2, 0.3, 0.0]], [2, 1, 2, 0]),
        ([[0.9, 0.0, 0.0, 0.0]], [2, 0, 2, 0]),
    ],
    ids=["none", "sure", "some", "zeros"],
)
def test_what_supervision_calls_visible_is_seen(confidences, expected):
    """Others are hidden, as COCO has it, and keep their place; what was not found is not there."""
    given = key_points(
        visible=np.array([[True, False, True, True]]),
        keypoint_confidence=None if confidences is None else np.array(confidences, np.float32),
    )
    [skeleton] = from_supervision(given).keypoints
    assert [point[2] for point in skeleton] == expected
    assert [point[:2] for point in skeleton] == [[5, 6], [7, 8] if expected[1] else [0, 0], [9, 10], [0, 0]]


def test_points_of_supervision_that_are_no_numbers_are_not_there():
    """Also where they are said to be visible."""
    xy = np.array([[[np.nan, np.nan], [7, 8]]])
    [skeleton] = from_supervision(key_points(xy=xy, visible=np.array([[True, False]]))).keypoints
    assert skeleton == [[0, 0, 0], [7, 8, 1]]


@pytest.mark.parametrize(
    ("visible", "message"),
    [
        ([[True, False]], "visible must have one number per point"),
        ([], "visible must have one number per point"),
        ([[0.9, 0.2, 1, 0]], "visible must be True or False per point, got 0.9"),
    ],
)
def test_visible_that_is_none(visible, message):
    """Another count, or confidences in its place."""
    with pytest.raises(ConfigurationError, match=message):
        from_supervision(key_points(visible=np.array(visible)))


def test_torchvision_outputs():
    """Boxes, masks of probabilities, and keypoints whose third value says nothing."""
    pytest.importorskip("faster_coco_eval")
    output = {"boxes": BOXES[:1], "labels": np.array([1]), "scores": np.array([0.75])}
    assert from_torchvision(output, first_label=1) == DetectionPredictionFormat([0], [[20, 10, 220, 110]], [0.75])
    named = from_torchvision(output, names=["__background__", "person"], label_map={"person": 4})
    assert named.detection_classes == [4]
    masks = {**output, "masks": (MASK * 0.75)[None, None]}
    assert sorted(from_torchvision(masks, first_label=1).detection_masks[0]) == sorted(SQUARE)
    assert from_torchvision(masks, first_label=1, mask_threshold=0.8).left_out == 1
    points = {**output, "keypoints": np.array([[[5.0, 6.0, 1.0]]])}
    assert from_torchvision(points, first_label=0).keypoints == [[[5, 6, 2]]]


@pytest.mark.parametrize("label_map", [None, LABELS])
@pytest.mark.parametrize("count", [0, 1])
def test_labels_of_torchvision_are_no_indexes(label_map, count):
    """They leave 0 to the background: taken as indexes they are off by one, so something has to say which class is the first."""
    output = {"boxes": BOXES[:count], "labels": np.array([1] * count, int), "scores": np.array([0.75] * count)}
    with pytest.raises(
        ConfigurationError, match=r"leave 0 to the background.*91 categories.*first_label=1 where 0 is the background"
    ):
        from_torchvision(output, label_map=label_map)
    assert from_torchvision(output, first_label=1, label_map=label_map).detection_classes == [0] * count
    assert from_torchvision(output, first_label=0, label_map=label_map).detection_classes == [1] * count


def test_names_of_torchvision_begin_with_the_background():
    """A list without it is off by one as well, until `first_label` says which label its first name has; a dict is by label."""
    output = {"boxes": BOXES[:1], "labels": np.array([1]), "scores": np.array([0.75])}
    with pytest.raises(ConfigurationError, match="leave 0 to the background"):
        from_torchvision(output, names=["person", "car"], label_map=LABELS)
    for names, first in (
        (["person", "car"], 1),
        (["car", "person"], 0),
        ({1: "person"}, None),
        (["BG", "person"], None),
    ):
        found = from_torchvision(output, names=names, label_map=LABELS, first_label=first)
        assert found.detection_classes == [LABELS["person"]]
    for names, first, message in (
        (["__background__", "person"], 1, "begins with the background"),
        ({1: "person"}, 1, "by label already"),
        (["person"], 2, r"has 1, which is below first_label=2"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            from_torchvision(output, names=names, label_map=LABELS, first_label=first)


CATEGORIES = [{"id": 1, "name": "person"}, {"id": 3, "name": "car"}]


@pytest.mark.parametrize(
    ("kind", "fields", "found"),
    [
        ("detection", {"bbox": [10, 20, 100, 200]}, DetectionPredictionFormat([0], [[20, 10, 220, 110]], [0.5])),
        ("segmentation", {"segmentation": [[n for p in SQUARE for n in p]]}, SegmentationPredictionFormat([0], [0.5], [SQUARE])),
        ("mask", {"segmentation": {"size": [30, 40], "counts": "f9;_k0"}}, MaskPredictionFormat([0], [0.5], ["f9;_k0"])),
        ("keypoint", {"keypoints": [5, 6, 2, 0, 0, 0]}, KeypointPredictionFormat([0], [0.5], [[[5, 6, 2], [0, 0, 0]]])),
    ],
)  # fmt: skip
def test_coco_annotations(kind, fields, found):
    """Each kind of COCO's shapes, with categories looked up by name."""
    annotation = {"category_id": 3, "score": 0.5, **fields}
    assert from_coco([annotation], kind=kind, categories=CATEGORIES, label_map=LABELS, size=None) == found
    assert from_coco([annotation], kind=kind, categories={3: 0}) == found
    assert from_coco([annotation], kind=kind, categories={3: "car"}, label_map=LABELS) == found


def test_coco_files_mix_polygons_and_run_lengths():
    """As annotation tools export them: the run lengths say the size; what encloses nothing is left out and counted."""
    shapes = [[[n for p in SQUARE for n in p]], {"size": [30, 40], "counts": [310, 11, 879]}, [[1, 1, 2, 2]], [[]], []]
    annotations = [{"category_id": 3, "score": 0.1 * i, "segmentation": one} for i, one in enumerate(shapes)]
    masks = from_coco(annotations, kind="mask", categories={3: 0})
    assert isinstance(masks, MaskPredictionFormat)
    assert (masks.detection_scores, masks.left_out, masks.image_size) == ([0.0, 0.1], 3, (40, 30))
    assert [int(mask.sum()) for mask in masks.to_binary_masks((40, 30))] == [100, 11]
    polygons = from_coco(annotations, kind="segmentation", categories={3: 0})
    assert (len(polygons.detection_masks), polygons.left_out) == (2, 3)
    for kind in ("mask", "segmentation"):
        odd = {"category_id": 3, "score": 1, "segmentation": [[1, 1, 10, 1, 10]]}
        with pytest.raises(ConfigurationError, match="must have an even length, got 5"):
            from_coco([odd], kind=kind, categories={3: 0}, size=(40, 30))
        beside = {"category_id": 3, "score": 1, "segmentation": [[100, 1, 110, 1, 110, 9]]}
        with pytest.raises(ConfigurationError, match="wholly beside the image of 40 x 30"):
            from_coco([beside], kind=kind, categories={3: 0}, size=(40, 30))


@pytest.mark.parametrize("kind", ["detection", "mask", "segmentation"])
def test_box_and_outline_of_one_annotation_meet(kind):
    """Where they lie apart, however the box is read, one of them is of another object; touching is enough."""
    pytest.importorskip("faster_coco_eval")
    common = {"category_id": 3, "score": 1, "segmentation": [[10, 10, 100, 10, 100, 100]]}
    with pytest.raises(ImplausibleError, match=r"annotations\[0\] has bbox \[400, 300, 50, 50\] and .* do not meet"):
        from_coco([{**common, "bbox": [400, 300, 50, 50]}], kind=kind, categories={3: 0}, size=(600, 400))
    for box in ([10, 10, 90, 90], [100, 100, 20, 20], [5, 5, 300, 300]):
        found = from_coco([{**common, "bbox": box}], kind=kind, categories={3: 0}, size=(600, 400))
        assert found.detection_classes == [0]


@pytest.mark.parametrize("kind", ["mask", "segmentation"])
def test_run_lengths_along_rows_are_refused(kind):
    """As Kaggle and Label Studio write them: by the box of the same annotation, which they fit along rows alone."""
    pytest.importorskip("faster_coco_eval")
    mask = np.zeros((30, 40), np.uint8)
    mask[3:8, 10:35] = 1
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.ravel(), [0]])))
    by_row = np.diff(np.concatenate([[0], edges, [mask.size]])).tolist()
    down = MaskPredictionFormat.from_binary_masks([mask], [0], [1.0]).to_rle((40, 30), compressed=False)[0]
    common = {"category_id": 3, "score": 1, "bbox": [10, 3, 25, 5]}
    with pytest.raises(
        ImplausibleError, match=r"annotations\[0\] segmentation: its runs go along rows by bbox \[10, 3, 25, 5\]"
    ):
        from_coco([{**common, "segmentation": {"size": [30, 40], "counts": by_row}}], kind=kind, categories={3: 0})
    assert from_coco([{**common, "segmentation": down}], kind=kind, categories={3: 0}).detection_classes == [0]


@pytest.mark.parametrize(
    "told",
    [{"area": 24200}, {"segmentation": [[10, 20, 120, 20, 120, 240, 10, 240]]}, {"bbox_mode": 0}],
    ids=["area", "segmentation", "bbox_mode"],
)
def test_coco_boxes_that_are_corners_are_refused(told):
    """By what else the annotation says; x, y, width and height of the same object are taken."""
    common = {"category_id": 3, "score": 1}
    with pytest.raises(ImplausibleError, match=r"annotations\[0\] has bbox \[10, 20, 120, 240\] and .*write x2 - x1"):
        from_coco([{**common, "bbox": [10, 20, 120, 240], **told}], categories={3: 0})
    right = {**common, "bbox": [10, 20, 110, 220], **told, **({"bbox_mode": 1} if "bbox_mode" in told else {})}
    assert from_coco([right], categories={3: 0}).detection_boxes == [[20, 10, 240, 120]]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: from_ultralytics(ultralytics(boxes=None, obb=object())), r"oriented boxes.*from_polygons\(result\.obb\.xyxyxyxy"),
        (lambda: from_ultralytics([ultralytics()]), "takes one result: model"),
        (lambda: from_ultralytics(ultralytics(boxes=None, semantic_mask=object())), r"map of classes.*from_binary_masks\(\[pixels == value"),
        (lambda: from_ultralytics({}), "takes a result of ultralytics"),
        (lambda: from_ultralytics(ultralytics(), kind="mask"), r"needs result\.masks, which is None"),
        (lambda: from_ultralytics(ultralytics(), kind="obb"), "kind must be"),
        (lambda: from_ultralytics(ultralytics(), label_map={"carriage": 0}), r"no 'car'; nearest"),
        (lambda: from_supervision(detections(data={"xyxyxyxy": [[1]]})), r"oriented boxes.*from_polygons\(detections"),
        (lambda: from_supervision(detections(class_id=None)), "class_id is None"),
        (lambda: from_supervision(detections(confidence=None)), "confidence is None: give score="),
        (lambda: from_supervision(detections(), kind="mask"), r"detections\.mask, which is None"),
        (lambda: from_supervision(detections(), kind="keypoint"), "give supervision.KeyPoints"),
        (lambda: from_supervision(None), "takes Detections, KeyPoints or Classifications"),
        (lambda: from_torchvision({"boxes": []}), "boxes, labels and scores"),
        (lambda: from_torchvision({"boxes": BOXES[:1], "labels": [1], "scores": [0.5]}, kind="mask", first_label=1), r"needs output\['masks'\]"),
        (lambda: from_coco([{"category_id": 1}]), "category ids are no indexes"),
        (lambda: from_coco([{"category_id": 1, "bbox": [1, 2, 3, 4]}], categories={1: 0}), "has no score, as ground truth"),
        (lambda: from_coco([{"category_id": 2, "score": 1, "bbox": [1, 2, 3, 4]}], categories={1: 0}), "has category 2, which categories= lacks"),
        (lambda: from_coco([{"category_id": 1, "score": 1}], categories={1: 0}), r"annotations\[0\] has no bbox"),
        (lambda: from_coco([], categories=CATEGORIES), "category 1 is named 'person': give label_map="),
        (lambda: from_coco([], categories=CATEGORIES, label_map={"cart": 0}), "category 1: the label map has no 'person'"),
        (lambda: from_coco([{"category_id": 1, "score": 1, "segmentation": [[1, 1, 1, 5, 5, 5]]}], categories={1: 0}, kind="mask"), r"size=\(width, height\)"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_named(make, message):
    """The message says what is missing, and the way out."""
    with pytest.raises(ConfigurationError, match=message):
        make()
