"""Frames of a clip, a folder or our own making, and the moving objects in them. Needs OpenCV (extra `demo`).

The vision is real: a background model (MOG2) learns the scene, what differs from it is cleaned of specks, and each remaining
blob becomes a box. It needs no weights, so it runs anywhere. The frames are read by OpenCV too, and not by the functions of
`picsellia_async.sources`: the background model works on decoded pixels, also of a folder's images, which a source hands on as they
are; and so the demo does without PyAV.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from picsellia_async.errors import ConfigurationError
from picsellia_async.predictions import DetectionPredictionFormat
from picsellia_async.sources import Image, SourceError

IMAGE_SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"})
"""Files of a folder that count as frames."""

BLOB_SHARE_MIN: Final = 0.002
"""Share of the frame's area below which a blob is noise."""


def open_cv() -> Any:
    """Return the module cv2.

    Raises:
        ConfigurationError: It is not installed; the message names the extra.
    """
    try:
        import cv2  # noqa: PLC0415 - an extra, imported on use
    except ImportError as exc:
        raise ConfigurationError("this needs OpenCV: pip install 'picsellia-async[demo]'") from exc
    return cv2


def pictures(source: Path | None, limit: int, unreadable: list[Path]) -> Iterator[Any]:
    """Yield at most `limit` frames as BGR arrays of shape (height, width, 3): of a video, a folder of images, or our own.

    Args:
        source: Video file, folder of images, or None for our own.
        limit: At most so many.
        unreadable: Gets the files of a folder that are no images, though named so.

    Raises:
        ConfigurationError: The source does not exist.
        SourceError: It holds no frame that can be read.
    """
    if source is None:
        yield from _own_pictures(limit)
        return
    if not source.exists():
        raise ConfigurationError(f"--source: there is no {str(source)!r}")
    found = _folder_pictures(source, unreadable) if source.is_dir() else _video_pictures(source)
    count = 0
    for count, picture in enumerate(found, start=1):
        yield picture
        if count == limit:
            return
    if count == 0:
        raise SourceError(f"--source: no frame can be read from {str(source)!r}")


def _video_pictures(path: Path) -> Iterator[Any]:
    capture = open_cv().VideoCapture(str(path))
    try:
        while True:
            good, picture = capture.read()
            if not good:
                return
            yield picture
    finally:
        capture.release()


def _folder_pictures(path: Path, unreadable: list[Path]) -> Iterator[Any]:
    cv2 = open_cv()
    for file in sorted(path.iterdir()):
        if file.suffix.lower() in IMAGE_SUFFIXES:
            picture = cv2.imread(str(file))
            if picture is None:
                unreadable.append(file)
            else:
                yield picture


def _own_pictures(limit: int, width: int = 640, height: int = 360) -> Iterator[Any]:
    """Yield a noisy grey scene with three discs that cross it at different speeds."""
    cv2 = open_cv()
    import numpy as np  # noqa: PLC0415 - comes with OpenCV

    random = np.random.default_rng(7)
    scene = random.integers(90, 130, (height, width, 3), dtype=np.uint8)
    for number in range(limit):
        picture = scene.copy()
        for disc, speed in enumerate((4, 7, 11)):
            centre = (number * speed % width, height * (disc + 1) // 4)
            cv2.circle(picture, centre, 12 + 6 * disc, (40, 200, 60 * disc), -1)
        yield picture


def images(source: Path | None, limit: int, unreadable: list[Path]) -> Iterator[Image]:
    """Yield the frames, encoded and as BGR pixels. Blocking: run it in a thread.

    Args:
        source: Video file, folder of images, or None for our own moving frames.
        limit: At most so many.
        unreadable: Gets the files of a folder that are no images, though named so.

    Raises:
        ConfigurationError: The source does not exist, or a frame cannot be encoded.
        SourceError: It holds no frame that can be read.
    """
    cv2 = open_cv()
    for number, picture in enumerate(pictures(source, limit, unreadable)):
        good, encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 90])
        if not good:
            raise ConfigurationError(f"a frame of shape {picture.shape} cannot be encoded as JPEG")
        height, width = picture.shape[:2]
        yield Image(
            image=encoded.tobytes(), filename=f"frame-{number:06d}.jpg", width=width, height=height, timestamp=time.time(),
            source="demo", pixels=picture,
        )  # fmt: skip


class MotionDetector:
    """Finds what moves. Called with one frame after the other; a box per moving object, its score the share of the box that moves."""

    def __init__(self) -> None:
        """Begin without having seen the scene."""
        cv2 = open_cv()
        self._background = cv2.createBackgroundSubtractorMOG2(history=120, varThreshold=25, detectShadows=False)
        self._kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))

    def __call__(self, pixels: Any) -> DetectionPredictionFormat:
        """Return what moves in the next frame, an array of shape (height, width, 3)."""
        cv2 = open_cv()
        moving = cv2.morphologyEx(self._background.apply(pixels), cv2.MORPH_OPEN, self._kernel)
        return _boxes(cv2, cv2.dilate(moving, self._kernel, iterations=2))


def _boxes(cv2: Any, moving: Any) -> DetectionPredictionFormat:
    """Return a box [top, left, bottom, right] per blob of a mask of shape (height, width)."""
    contours, _ = cv2.findContours(moving, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    boxes, scores = [], []
    for contour in contours:
        left, top, width, height = cv2.boundingRect(contour)
        if width * height >= BLOB_SHARE_MIN * moving.size:
            boxes.append([top, left, top + height, left + width])
            scores.append(min(1.0, cv2.contourArea(contour) / (width * height)))
    return DetectionPredictionFormat([0] * len(boxes), boxes, scores)
