"""`Frame`: one image with what a model said about it, ready to be monitored. A value; nothing here does I/O."""

from __future__ import annotations

import os
import time
import uuid
from pathlib import Path
from typing import Final

import attrs

from picsellia_async.config import IMAGE_BYTES_MAX
from picsellia_async.enums import SupportedContentType
from picsellia_async.errors import ConfigurationError
from picsellia_async.monitor_options import MonitorOptions, content_type_of, content_type_of_name, timestamp_of
from picsellia_async.plausibility import Checks, check_image, check_options, checked_checks
from picsellia_async.validation import text
from picsellia_async.validation import uuid as as_uuid

_SIGNATURES: Final = ((b"\xff\xd8\xff", SupportedContentType.JPEG), (b"\x89PNG", SupportedContentType.PNG))


def _image(value: bytes | bytearray | memoryview | os.PathLike[str] | os.PathLike[bytes]) -> bytes | Path:
    """Return a path, or bytes that nobody else can change: a camera's buffer may be refilled while the frame waits."""
    if type(value) is bytes:
        image = value
    elif isinstance(value, os.PathLike):
        return Path(os.fsdecode(value))
    elif isinstance(value, (bytes, bytearray, memoryview)):
        image = bytes(value)
    else:
        raise ConfigurationError(f"image must be bytes, bytearray, memoryview or Path, got {type(value).__name__}")
    if not 0 < len(image) <= IMAGE_BYTES_MAX:
        raise ConfigurationError(f"image must have 1 to {IMAGE_BYTES_MAX} bytes, got {len(image)}")
    return image


def _id(value: uuid.UUID | str) -> uuid.UUID:
    return as_uuid(value, "id")


@attrs.frozen(kw_only=True, eq=False)
class Frame(MonitorOptions):
    """One prediction and its image, for the uploader. Checked when made; two frames are equal if their ids are.

    Further arguments: `MonitorOptions`, with the same checks.

    Attributes:
        image: Encoded JPEG or PNG of 1 byte to 100 MiB, or the file it is in, which is read when the frame is sent (with a
            spool: when it is submitted). A bytearray or memoryview is copied, so that the buffer may be used again.
        filename: Name of the image on the platform; by default that of the file. Unique names let `deduplicate` do its work.
        timestamp: When the prediction was made: epoch seconds or an aware datetime; by default when the frame was made, since
            it may be delivered much later. None leaves it to the service, which takes the time of arrival.
        id: Identity for the uploader: submitting a frame whose id is still on its way does not send it twice. Not sent.

    Raises:
        ConfigurationError: A value is of the wrong kind or out of range; the message names field and value.
        ContentTypeUnknown: Neither `content_type`, the file name nor the image itself says JPEG or PNG.
        ImplausibleError: A value cannot be meant: a box beyond the image, a latency in milliseconds, another size than the image's.
    """

    image: bytes | Path = attrs.field(converter=_image, repr=False)
    filename: str = ""
    timestamp: float | None = attrs.field(factory=time.time, converter=timestamp_of)
    id: uuid.UUID = attrs.field(factory=uuid.uuid4, converter=_id)
    checks: Checks = attrs.field(default="on", repr=False)

    def __attrs_post_init__(self) -> None:
        """Fill in the file name and the content type from the image, where they were not given; check what it all means."""
        if not self.filename and isinstance(self.image, Path):
            object.__setattr__(self, "filename", self.image.name)
        text(self.filename, "filename")
        if self.content_type is None:
            found = content_type_of_name(self.filename) or _content_type_of_image(self.image)
            object.__setattr__(self, "content_type", found)
        super().__attrs_post_init__()
        if checked_checks(self.checks) == "on":
            check_options(self)
            if isinstance(self.image, bytes):
                self.check_image(self.image)

    def check_image(self, image: bytes) -> None:
        """Check the encoded image against what the frame says of it.

        Raises:
            ImplausibleError: Neither JPEG nor PNG, not of the frame's content type, or not of its size.
        """
        check_image(image, content_type_of(self.content_type), (self.width, self.height))

    def __eq__(self, other: object) -> bool:
        return self.id == other.id if isinstance(other, Frame) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.id)


def _content_type_of_image(image: bytes | Path) -> SupportedContentType | None:
    """Tell the content type by the first bytes, or return None."""
    if isinstance(image, bytes):
        for signature, content_type in _SIGNATURES:
            if image.startswith(signature):
                return content_type
    return None
