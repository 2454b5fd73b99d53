"""A small gray picture of a frame, to compare frames by. Needs numpy, and simplejpeg or OpenCV where there are no pixels. Blocking."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from picsellia_async.errors import ConfigurationError
from picsellia_async.sources import Image

SIDE: Final = 64
"""Pixels of a side of the picture."""
_SAMPLES: Final = 4
"""Pixels read per pixel of the picture and side; reading all of a large frame would take ten times as long."""


def small_picture(image: Image) -> Any:
    """Return an array of 64 x 64 levels of gray, 0 to 255.

    Raises:
        ConfigurationError: A library is not installed, or the image cannot be decoded.
    """
    try:
        import numpy as np  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ConfigurationError(
            "comparing pictures needs the extra 'video' or 'images': pip install 'picsellia-async[video]'"
        ) from error
    pixels = _decoded(image) if image.pixels is None else image.pixels
    height, width = pixels.shape[:2]
    samples = SIDE * _SAMPLES
    rows = np.arange(samples) * height // samples
    columns = np.arange(samples) * width // samples
    chosen = pixels[rows[:, None], columns]
    if chosen.ndim == 3:
        chosen = chosen.mean(axis=2)  # of all channels alike: no order is needed for comparing
    return chosen.reshape(SIDE, _SAMPLES, SIDE, _SAMPLES).mean(axis=(1, 3)).astype(np.uint8)


def _decoded(image: Image) -> Any:
    """Return the gray pixels of the encoded image."""
    content = image.image.read_bytes() if isinstance(image.image, Path) else image.image
    try:
        if content.startswith(b"\xff\xd8"):
            import simplejpeg  # noqa: PLC0415 - an extra

            # Decoded at a fraction of its size, as JPEG allows: a tenth of the time.
            side = SIDE * _SAMPLES
            gray = simplejpeg.decode_jpeg(content, colorspace="GRAY", min_height=side, min_width=side, fastdct=True)
            return gray[:, :, 0]
        import cv2  # noqa: PLC0415 - an extra
        import numpy as np  # noqa: PLC0415

        decoded = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_GRAYSCALE)
    except ImportError as error:
        raise ConfigurationError(
            f"comparing encoded images needs {error.name}: pip install 'picsellia-async[images]'"
        ) from error
    except ValueError as error:
        raise ConfigurationError(f"{image.filename} cannot be decoded: {error}") from error
    if decoded is None:
        raise ConfigurationError(f"{image.filename} cannot be decoded")
    return decoded
