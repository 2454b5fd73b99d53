"""Stand-ins for results of other libraries, with the attributes of the real ones."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

LABELS = {"car": 0, "person": 1}

NAMES = {0: "person", 1: "car"}

CATEGORIES = [{"id": 1, "name": "person"}, {"id": 3, "name": "car"}]
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


def key_points(**parts):
    fields = {
        "xy": np.array([[[5, 6], [7, 8], [9, 10], [0, 0]]]), "class_id": np.array([1]), "keypoint_confidence": None,
        "detection_confidence": np.array([0.75]), "data": {}, "visible": None,
    }  # fmt: skip
    return SimpleNamespace(**{**fields, **parts})
