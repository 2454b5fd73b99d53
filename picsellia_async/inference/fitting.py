"""A picture into the input of a model, and boxes back into the picture. Needs NumPy and OpenCV."""

from __future__ import annotations

from typing import Any, Final, Literal, TypeAlias

import attrs
import cv2
import numpy as np

Resize: TypeAlias = Literal["letterbox", "stretch"]
"""How a picture gets the size of the input: its sides keep their ratio and the rest is gray; or each side for itself."""

_GRAY: Final = 114
"""Around a picture in a letterbox, as models of the YOLO family have learnt it."""


@attrs.frozen
class Fitted:
    """A picture in the size of the input, and where it lies there."""

    pixels: Any
    """Height x width x 3, uint8."""
    scale: tuple[float, float]
    """Pixels of the input for one of the picture, along x and y."""
    offset: tuple[int, int]
    """Of the picture's corner in the input: x and y."""

    def back(self, boxes: Any) -> Any:
        """Return boxes of x1, y1, x2, y2 in pixels of the picture.

        Args:
            boxes: The same in pixels of the input, n x 4.
        """
        return (boxes - np.array([*self.offset, *self.offset])) / np.array([*self.scale, *self.scale])


def fit(pixels: Any, size: tuple[int, int], resize: Resize) -> Fitted:
    """Return a picture in the size of the input.

    Args:
        pixels: Height x width x 3, uint8.
        size: (width, height) of the input.
        resize: How.
    """
    height, width = pixels.shape[:2]
    if resize == "stretch":
        inner = size
    else:
        ratio = min(size[0] / width, size[1] / height)
        inner = max(1, round(width * ratio)), max(1, round(height * ratio))
    # Of the rounded sides: by the ratio alone, boxes of a narrow picture would be off by more than a pixel.
    scale = inner[0] / width, inner[1] / height
    resized = pixels if inner == (width, height) else cv2.resize(pixels, inner, interpolation=cv2.INTER_LINEAR)
    left, top = (size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2
    if inner == size:
        return Fitted(resized, scale, (0, 0))
    canvas = np.full((size[1], size[0], 3), _GRAY, np.uint8)
    canvas[top : top + inner[1], left : left + inner[0]] = resized
    return Fitted(canvas, scale, (left, top))
