"""What people get wrong about a frame: values for `Frame` and `monitor_bytes`, and how the message names the mistake."""

from __future__ import annotations

import time

import numpy as np

from picsellia_async import (
    DetectionPredictionFormat,
    KeypointPredictionFormat,
    LinePredictionFormat,
    MaskPredictionFormat,
    PointPredictionFormat,
    SegmentationPredictionFormat,
)
from picsellia_async.predictions._run_length import text_from_counts

from .images import jpeg, png

WIDTH, HEIGHT = 1280, 720


def box(*numbers: int) -> DetectionPredictionFormat:
    """Return a prediction of one box."""
    return DetectionPredictionFormat([0], [numbers], [0.5])


MISTAKES = {
    "x1 y1 x2 y2": ({"prediction": box(700, 20, 1200, 220)}, r"reaches beyond.*It looks like x1, y1, x2, y2 \(DetectionPredictionFormat\.from_xyxy"),
    "x y width height": ({"prediction": box(500, 300, 100, 80)}, r"its bottom 100 is above its top 500.*from_xywh"),
    "left beyond right": ({"prediction": box(10, 220, 110, 20)}, "its right 20 is left of its left 220"),
    "boxes of another image": ({"prediction": box(10, 20, 110, 2200)}, "beyond the image of 1280 x 720.*clip="),
    "score 93": ({"prediction": DetectionPredictionFormat([0], [[1, 2, 3, 4]], [93])}, r"detection_scores\[0\] is 93.*per cent"),
    "a logit": ({"prediction": DetectionPredictionFormat([0], [[1, 2, 3, 4]], [-1.5])}, "sigmoid or softmax"),
    "class -1": ({"prediction": DetectionPredictionFormat([-1], [[1, 2, 3, 4]], [0.5])}, r"detection_classes\[0\] is -1"),
    "y, x": ({"prediction": PointPredictionFormat([0], [0.5], [[700, 1200]])}, "looks like y, x"),
    "polygon beyond": ({"prediction": SegmentationPredictionFormat([0], [0.5], [[[1, 2], [3, 4], [5, 900]]])}, r"detection_masks\[0\]"),
    "polygon of nothing": ({"prediction": SegmentationPredictionFormat([0], [0.5], [[]])}, r"detection_masks\[0\] has 0 points.*three or more.*from_polygons"),
    "box as polygon": ({"prediction": SegmentationPredictionFormat([0], [0.5], [[200, 100, 400, 500]])}, r"detection_masks\[0\] has 2 points.*the two corners of a box.*all four"),
    "flat polygon": ({"prediction": SegmentationPredictionFormat([0], [0.5], [[(100, 80), (200, 80), (300, 80)]])}, r"detection_masks\[0\] is a polygon without width or height.*Leave the shape out"),
    "one point thrice": ({"prediction": SegmentationPredictionFormat([0, 0], [0.5, 0.5], [[(1, 2), (30, 4), (50, 90)], [(100, 80)] * 3])}, r"detection_masks\[1\] is a polygon without width or height"),
    "mask without a pixel": ({"prediction": MaskPredictionFormat([0], [0.5], [text_from_counts([WIDTH * HEIGHT])])}, r"detection_masks\[0\] is a mask without a pixel.*from_rle"),
    "line beyond": ({"prediction": LinePredictionFormat([0], [0.5], [[[1, 2], [1500, 4]]])}, r"lines\[0\]"),
    "skeleton beyond": ({"prediction": KeypointPredictionFormat([0], [0.5], [[[1, 2, 2], [-200, 4, 1]]])}, r"keypoints\[0\]"),
    "PNG as JPEG": ({"image": png(WIDTH, HEIGHT)}, r'holds a PNG.*content_type="image/png"'),
    "WebP": ({"image": b"RIFF\x00\x00\x00\x00WEBPVP8 "}, "neither JPEG nor PNG: it looks like WebP"),
    "raw pixels": ({"image": np.zeros((48, 64, 3), np.uint8).tobytes(), "width": 64, "height": 48, "prediction": box(1, 2, 3, 4)}, "look like raw pixels of 64 x 48 x 3.*from_array"),
    "cut JPEG": ({"image": jpeg(WIDTH, HEIGHT, size=1000)[:-200]}, r"cut off: 800 bytes of a JPEG without the marker FF D9"),
    "JPEG cut in its header": ({"image": jpeg(WIDTH, HEIGHT)[:60]}, r"cut off: 60 bytes of a JPEG"),
    "cut PNG": ({"image": png(WIDTH, HEIGHT)[:-12], "content_type": "image/png"}, r"cut off: \d+ bytes of a PNG without chunks"),
    "swapped sizes": ({"width": HEIGHT, "height": WIDTH, "prediction": box(1, 2, 3, 4)}, "they look swapped"),
    "another size": ({"width": 1920, "height": 1080}, "header of image says 1280 x 720"),
    "shares of swapped sides": ({"prediction": DetectionPredictionFormat.from_xyxy([[0.1, 0.1, 0.5, 0.5]], [0], [0.5], normalized=(HEIGHT, WIDTH))}, "was made for an image of 720 x 1280.*swapped"),
    "runs of another image": ({"prediction": MaskPredictionFormat([0], [0.5], ["PP3"])}, r"detection_masks\[0\]: its runs cover 3072 pixels, its image has 921600"),
    "no run lengths": ({"prediction": MaskPredictionFormat([0], [0.5], ["rle"])}, r"detection_masks\[0\]: run lengths hold .r., which"),
    "latency in ms": ({"latency": 21}, "21 looks like milliseconds: divide by 1000"),
    "latency of hours": ({"latency": 3600.5}, "looks like milliseconds"),
    "timestamp in ms": ({"timestamp": time.time() * 1000}, "looks like milliseconds: divide by 1000"),
    "timestamp in ns": ({"timestamp": time.time_ns()}, "looks like nanoseconds"),
    "monotonic clock": ({"timestamp": 86_400.5}, r"before 2000.*time\.time\(\)"),
    "the day after tomorrow": ({"timestamp": time.time() + 200_000}, "more than a day from now"),
    "NaN in metrics": ({"custom_metrics": {"iou": [0.5, float("nan")]}}, r"custom_metrics\['iou'\]\[1\] is NaN or infinite.*checks=.off. sends null"),
    "infinite in metrics": ({"custom_metrics": {"a": {"b": np.float32("inf")}}}, r"custom_metrics\['a'\]\['b'\] is NaN or infinite"),
    "blank tag": ({"tags": ["day", ""]}, r"tags\[1\] is blank"),
    "blank source": ({"source": " "}, "source is blank"),
    "directory above": ({"upload_dir": "../x"}, "upload_dir '../x' is no prefix of names"),
    "shadow": ({"shadow_prediction": box(700, 20, 1200, 220), "shadow_latency": 0.1}, "shadow_prediction.detection_boxes"),
    "shadow latency": ({"shadow_prediction": box(7, 20, 12, 220), "shadow_latency": 9e9}, "shadow_latency"),
}  # fmt: skip
