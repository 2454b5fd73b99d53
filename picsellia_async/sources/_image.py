"""`Image`: a picture to predict on, on its way to become a `Frame`. A value; nothing here does I/O."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, Unpack

import attrs

from picsellia_async._error_text import name_repr
from picsellia_async.enums import SupportedContentType
from picsellia_async.frames import Frame, FrameFields
from picsellia_async.predictions import PredictionFormat
from picsellia_async.validation import file_name

_OTHER_PICTURE: Final = frozenset({"image", "object_name", "data"})
"""Fields of a frame that say which picture it is."""


def _filename(value: str) -> str:
    return file_name(value, "filename")


@attrs.frozen(kw_only=True)
class Image:
    """One picture, before a model has seen it."""

    image: bytes | Path = attrs.field(
        repr=lambda image: str(image) if isinstance(image, Path) else f"{len(image)} bytes"
    )
    """The encoded image, or the file it is in."""
    filename: str = attrs.field(converter=_filename)
    """Name on the platform. From a directory: the path below it, with `/`, so that names stay unique."""
    width: int
    """Pixels, of the picture as it is shown, unless the source was asked for it as stored."""
    height: int
    """Pixels, likewise."""
    timestamp: float
    """Epoch seconds: when the file was modified, or when the frame came from the camera, or would have come if nothing had held it back,
    or came out of the video (`started_at` of `video` changes that)."""
    content_type: SupportedContentType | None = None
    """What the file holds, whatever the extension of its name says; None: the name tells, or the first bytes. It counts while `image`
    is that file: of bytes put in its place, name and first bytes tell."""
    source: str | None = attrs.field(default=None, repr=name_repr)
    """Name of the camera or folder."""
    position: float | None = None
    """Seconds from the beginning of the video, by its own clock; None elsewhere, and where the video does not tell."""
    is_corrupted: bool = False
    """Whether the picture builds on one that came damaged or not at all, and may show parts of older ones: after a loss, those of H.264
    and MPEG-4 up to the next key frame."""
    is_late: bool = False
    """Whether a camera's picture was handed over later than promised: with `drop_oldest` since for a second no other could be. MJPEG over
    HTTP has no clock that tells: there it is so behind a silence alone, and not for what waited in the buffer, however long."""
    pixels: Any = attrs.field(default=None, repr=False, eq=False)
    """numpy array of shape (height, width, 3) and dtype uint8, where `video` or `camera` was asked for it; else None."""

    def with_prediction(self, prediction: PredictionFormat, *, latency: float, **fields: Unpack[FrameFields]) -> Frame:
        """Return the frame for the uploader.

        Args:
            prediction: What the model said; of the deployment's type.
            latency: Inference time in seconds.
            **fields: Any other field of `Frame`; they win over those of this image.

        Raises:
            ConfigurationError: A value cannot be used.
        """
        own: FrameFields = {
            "image": self.image, "filename": self.filename, "width": self.width, "height": self.height,
            "timestamp": self.timestamp, "source": self.source, **fields,
        }  # fmt: skip
        # It tells of that file alone: not of another picture given here, or put in its place by `attrs.evolve`.
        if isinstance(self.image, Path) and fields.keys().isdisjoint(_OTHER_PICTURE):
            own.setdefault("content_type", self.content_type)
        return Frame(prediction=prediction, latency=latency, **own)
