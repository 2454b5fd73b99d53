"""`Frame`: one image with what a model said about it, ready to be monitored. A value; no file is opened here."""

from __future__ import annotations

import copy
import itertools
import operator
import os
import struct
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Protocol, Unpack

import attrs

from picsellia_async.config import IMAGE_BYTES_MAX
from picsellia_async.enums import SupportedContentType
from picsellia_async.errors import ConfigurationError, ImplausibleError, shown
from picsellia_async.monitor_options import (
    MonitorDetails,
    MonitorOptions,
    content_type_of,
    content_type_of_name,
    object_file_name,
    timestamp_of,
)
from picsellia_async.pixels import QUALITY, ChannelOrder, EncodedFormat, Encoding, encode, encode_smaller
from picsellia_async.plausibility import (
    Checks,
    check_image,
    check_known_size,
    check_options,
    checked_checks,
    is_right_at_a_glance,
)
from picsellia_async.predictions import PredictionFormat, copied
from picsellia_async.validation import buffer, checked_path
from picsellia_async.validation import uuid as as_uuid

_SIGNATURES: Final = ((b"\xff\xd8\xff", SupportedContentType.JPEG), (b"\x89PNG", SupportedContentType.PNG))


class StoredData(Protocol):
    """Data of a datalake: an image that lies in the storage, as `datalake.iter_data()` gives it."""

    @property
    def object_name(self) -> str:
        """Name in the storage."""

    @property
    def content_type(self) -> str | None:
        """MIME type."""

    @property
    def width(self) -> int | None:
        """Pixels; None until the platform has opened it."""

    @property
    def height(self) -> int | None:
        """Pixels; None until the platform has opened it."""


def _image(
    value: bytes | bytearray | memoryview | os.PathLike[str] | os.PathLike[bytes] | None,
) -> bytes | Path | None:
    """Return a path, or bytes that nobody else can change: a camera's buffer may be refilled while the frame waits."""
    if type(value) is bytes:
        image = value
    elif value is None:
        return None
    elif isinstance(value, os.PathLike):
        return checked_path(value, "image")
    else:
        image = bytes(buffer(value, "image"))
    if not 0 < len(image) <= IMAGE_BYTES_MAX:
        raise ConfigurationError(f"image must have 1 to {IMAGE_BYTES_MAX} bytes, got {len(image)}")
    return image


def _version_of(path: Path) -> tuple[int, int] | None:
    """Return size and time of change of a file, without opening it: a few microseconds on a local disk."""
    try:
        state = path.stat()
    except OSError:  # told where it is read
        return None
    return state.st_size, state.st_mtime_ns


_RANDOM_BITS: Final = ((1 << 128) - 1) & ~(0xF000 << 64) & ~(0xC000 << 48)
_VERSION_4: Final = 0x4000 << 64 | 0x8000 << 48


_DRAWN_AHEAD: Final = 256
_UNKNOWN: Final = uuid.SafeUUID.unknown
_set_number, _set_safety = (getattr(uuid.UUID, name).__set__ for name in ("int", "is_safe"))

_DRAWN_SECONDS: Final = 1.0
"""After which what was drawn is not used any more: a copy of this process that was made below Python has it too, as one of a virtual machine."""

_drawn: Iterator[tuple[bytes]] = iter(())
"""Random bytes of the system for the next ids: asking for those of one costs as much as all the rest of it."""
_drawn_until: float = 0.0


def _forget_drawn() -> None:
    """Let a forked child draw its own: its ids would be its parent's."""
    global _drawn  # noqa: PLW0603 - of the process
    _drawn = iter(())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_drawn)


def _new_id() -> uuid.UUID:
    """Return what `uuid.uuid4` does, in a third of its time: the constructor behind that looks through six ways of being called."""
    global _drawn, _drawn_until  # noqa: PLW0603 - two threads that draw at once lose numbers, and share none
    now = time.time()
    found = next(_drawn, None) if now < _drawn_until else None
    if found is None:
        _drawn_until = now + _DRAWN_SECONDS
        _drawn = struct.iter_unpack("16s", os.urandom(16 * _DRAWN_AHEAD))
        found = next(_drawn)
    made = object.__new__(uuid.UUID)
    _set_number(made, int.from_bytes(found[0]) & _RANDOM_BITS | _VERSION_4)
    _set_safety(made, _UNKNOWN)
    return made


def _id(value: uuid.UUID | str) -> uuid.UUID:
    return value if type(value) is uuid.UUID else as_uuid(value, "id")


class StatedId(uuid.UUID):
    """An id that a file says of its frame. A job knows the frame again by it, where others are known by their content."""

    __slots__ = ()


class FrameDetails(MonitorDetails, total=False):
    """What may be left out of `Frame`, beside the image; described there."""

    id: uuid.UUID | str
    checks: Checks


class FrameFields(FrameDetails, total=False):
    """Every field of `Frame` but what a model said, for code that has values for some of them."""

    image: bytes | bytearray | memoryview | os.PathLike[str] | os.PathLike[bytes]
    filename: str
    object_name: str | None
    data: StoredData | None
    width: int
    height: int
    content_type: SupportedContentType | str | None


_TOLD_BY_AN_ARRAY: Final = frozenset({"image", "object_name", "data", "width", "height", "content_type"})
"""Fields of a frame that are not given beside an array."""


@attrs.frozen(kw_only=True, eq=False)
class Frame(MonitorOptions):
    """One prediction and its image, for the uploader. Checked when made; two frames are equal if their ids are.

    Further arguments: `MonitorOptions`, with the same checks.

    Attributes:
        image: Encoded JPEG or PNG of 1 byte to 100 MiB, or the file it is in, which is read when the frame is sent (with a
            spool: when it is submitted). A file that was changed since the frame was made is refused then: the prediction is that
            of another picture. A bytearray or memoryview is copied, so that the buffer may be used again. None: it lies in the
            storage, and does not travel.
        object_name: In place of `image`: name of an image in the storage of the deployment's target datalake. There is no header
            to read: width, height and content type are taken as they are given. No `upload_dir`. For an image that the platform
            has as data, it ignores `source`, `metadata` and `custom_metadata`.
        data: In place of `image`: data of that datalake (`datalake.iter_data()`), which gives `object_name` and `content_type`; a
            size that the platform knows must be that of the frame; turned, it is told once in the log.
        filename: Name of the image on the platform; by default that of the file, or the last part of `object_name`.
        prediction: What the model said. Copied: changing your own lists afterwards changes nothing here.
        shadow_prediction: What the shadow model said. Copied.
        timestamp: When the prediction was made: epoch seconds or an aware datetime; by default when the frame was made, since
            it may be delivered much later. None leaves it to the service, which takes the time of arrival.
        id: Identity for the uploader: submitting a frame whose id is still on its way does not send it twice. Sent
            with `deduplicate` only, which knows a frame again by it.
        checks: "on": what cannot be meant is refused (docs/right-data.md#checks), here, and where the image is a file when it
            is read. "off": whatever is well formed is sent.
        file_version: Where the image is a file: its bytes and its time of change (in nanoseconds) when the frame was made; None: no
            file, or none was there. Not given, but found.
        is_plain: Whether the checks found boxes in order on a JPEG that nothing turns, so that nothing is to be told of it. Not given,
            but found.

    Raises:
        ConfigurationError: A value is of the wrong kind or out of range; the message names field and value.
        ContentTypeUnknown: Neither `content_type`, the file name nor the image itself says JPEG or PNG.
        ImplausibleError: A value cannot be meant: a box beyond the image, a latency in milliseconds, another size than the image's.
    """

    image: bytes | Path | None = attrs.field(default=None, converter=_image, repr=False)
    object_name: str | None = None
    data: StoredData | None = attrs.field(default=None, repr=False)
    filename: str = ""
    timestamp: float | None = attrs.field(factory=time.time, converter=timestamp_of)
    id: uuid.UUID = attrs.field(factory=_new_id, converter=_id)
    checks: Checks = attrs.field(default="on", repr=False)
    file_version: tuple[int, int] | None = attrs.field(default=None, init=False, repr=False)
    is_plain: bool = attrs.field(default=False, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        """Fill in the file name and the content type from the image, where they were not given; check what it all means."""
        if self.object_name is not None or self.data is not None:
            self._take_place()
        elif isinstance(self.image, Path):
            object.__setattr__(self, "file_version", _version_of(self.image))
            if _is_left_out(self.filename):
                object.__setattr__(self, "filename", self.image.name)
        elif self.image is None:
            raise ConfigurationError("a frame needs its image: give image=, object_name= or data=")
        if self.content_type is None and isinstance(self.filename, str):
            found = content_type_of_name(self.filename) or _content_type_of_image(self.image)
            object.__setattr__(self, "content_type", found)
        super().__attrs_post_init__()
        # Copied: the caller may fill the same lists anew while the frame waits.
        object.__setattr__(self, "prediction", copied(self.prediction))
        if self.shadow_prediction is not None:
            object.__setattr__(self, "shadow_prediction", copied(self.shadow_prediction))
        if checked_checks(self.checks) == "on":
            self._check()

    def _check(self) -> None:
        """Check what the frame means.

        Raises:
            ImplausibleError: Something cannot be meant.
        """
        image = self.image
        if isinstance(image, bytes):
            if is_right_at_a_glance(self, image, None):
                object.__setattr__(self, "is_plain", True)
                return
            # Its size first: where that is wrong, all coordinates seem so.
            self.check_image(image)
        elif self.data is not None:
            check_known_size(self.data, self.width, self.height)
        check_options(self, is_size_known=isinstance(image, bytes))

    def _take_place(self) -> None:
        """Fill in what is known of an image in the storage, where it was not given.

        Raises:
            ConfigurationError: There is an image beside it, another name than that of the data, or it is no data.
        """
        if self.image is not None:
            raise ConfigurationError("image is given beside object_name or data: give one of them")
        data = self.data
        if data is not None:
            name = getattr(data, "object_name", None)
            if not isinstance(name, str) or not hasattr(data, "content_type"):
                raise ConfigurationError(f"data must be Data of a datalake, got {type(data).__name__}")
            if self.object_name not in {None, name}:
                raise ConfigurationError(f"object_name {self.object_name!r} is not that of the data, {name!r}")
            object.__setattr__(self, "object_name", name)
            if self.content_type is None:
                object.__setattr__(self, "content_type", content_type_of(data.content_type))
        name = object_file_name(self.object_name)  # type: ignore[arg-type]  # what is no text is refused there
        if _is_left_out(self.filename):
            object.__setattr__(self, "filename", name)
        if self.content_type is None:
            object.__setattr__(self, "content_type", content_type_of_name(name))
        if self.upload_dir is not None:
            raise ConfigurationError("upload_dir is for images that are sent, and this one lies in the storage")

    @classmethod
    def from_array(
        cls,
        pixels: Any,
        *,
        prediction: PredictionFormat,
        latency: float,
        order: ChannelOrder = "bgr",
        format: EncodedFormat = "jpeg",  # noqa: A002 - the field's word
        quality: int = QUALITY,
        max_side: int | None = None,
        filename: str | None = None,
        **options: Unpack[FrameDetails],
    ) -> Frame:
        """Return the frame of an array of pixels, encoded here. Needs the extra `images`.

        Encoding takes some milliseconds on the calling thread, and lets other threads run: beside an event loop, use
        `await asyncio.to_thread(Frame.from_array, ...)`.

        Args:
            pixels: Height x width x 3, or height x width for gray; bytes 0 to 255, of numpy or torch.
            prediction: In pixels of the array.
            latency: Inference time of the model in seconds.
            order: Order of the channels: "bgr" as OpenCV has them, "rgb", or "gray".
            format: "jpeg" or "png".
            quality: Of a JPEG, 1 to 100.
            max_side: Make the image smaller, so that its longer side has so many pixels; predictions move along.
            filename: By default the frame's id with the extension of the format.
            **options: Any other field of `Frame` but the image, its size and its content type. `shadow_prediction` is in pixels of
                the array, as `prediction` is.

        Raises:
            TypeError: An option that is no field of `Frame`, or that the array itself says, such as `width`: as Python refuses it.
            ConfigurationError: No such array, a value cannot be used, or the extra is not installed.
            ImplausibleError: The extension of `filename` says another format, or what `Frame` refuses.
        """
        told = sorted(_TOLD_BY_AN_ARRAY & options.keys())
        if told:  # as Python refuses what is no argument, which of `Frame` it is
            raise TypeError(f"an array takes no {', '.join(told)}: its pixels and the format say it")
        encoding = Encoding(order=order, format=format, quality=quality, max_side=max_side)
        is_checked = checked_checks(options.get("checks", "on")) == "on"
        if is_checked:
            _check_extension(filename, encoding)
        made = encode(pixels, encoding, prediction, options.get("shadow_prediction"), is_checked=is_checked)
        said = options.get("id")
        id_ = _new_id() if said is None else _id(said)
        extension = "jpg" if format == "jpeg" else format
        options["id"], options["shadow_prediction"] = id_, made.shadow_prediction
        return cls(
            image=made.content, width=made.width, height=made.height, prediction=made.prediction, latency=latency,
            filename=f"{id_}.{extension}" if filename is None or _is_left_out(filename) else filename, content_type=encoding.content_type, **options,
        )  # fmt: skip

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


def _is_left_out(filename: object) -> bool:
    """Return whether a name is to be found; 0, False and [] are no names either, and are refused."""
    return filename is None or (isinstance(filename, str) and not filename)


def _check_extension(filename: object, encoding: Encoding) -> None:
    """Refuse the name of a file of another format than an array becomes.

    Raises:
        ImplausibleError: Its extension says one.
    """
    said = content_type_of_name(filename) if isinstance(filename, str) else None
    if said is not None and said is not encoding.content_type:
        raise ImplausibleError(
            f"filename {shown(filename)} says {said.name}, and the format is {encoding.format}: give the format {said.name.lower()}, or "
            "the name its extension"
        )


def no_frame(value: object, taker: str) -> ConfigurationError:
    """Return the error for something that is given in place of a frame; an image without prediction gets the way out."""
    hint = ": make one with image.with_prediction(...)" if hasattr(value, "with_prediction") else ""
    return ConfigurationError(f"{taker}, got {type(value).__name__}{hint}")


_setters: Final = [getattr(Frame, one.name).__set__ for one in attrs.fields(Frame)]
_values: Final = operator.attrgetter(*(one.name for one in attrs.fields(Frame)))


def with_id(frame: Frame, id_: uuid.UUID) -> Frame:
    """Return the same frame under another id, without checking it once more."""
    if frame.id is id_:
        return frame
    if type(frame) is Frame:
        # A job does this with every frame: `copy` takes ten times as long, and a loop of Python twice.
        other = Frame.__new__(Frame)
        any(map(operator.call, _setters, itertools.repeat(other), _values(frame)))
    else:
        other = copy.copy(frame)
    object.__setattr__(other, "id", id_)
    return other


def smaller(frame: Frame, quality: int, max_side: int) -> Frame | None:
    """Return the same frame with its image encoded smaller, and what was predicted moved along. Blocking: some milliseconds.

    Args:
        frame: Its image is there as bytes.
        quality: Of the JPEG, 1 to 100.
        max_side: Pixels of its longer side at most.

    Returns:
        None where it cannot be made smaller so: it is no JPEG, is turned by its EXIF, cannot be decoded, or is as small already.
    """
    image, size = frame.image, (frame.width, frame.height)
    if not isinstance(image, bytes):
        return None
    # A shape that is too small for fewer pixels keeps the image at its size: the prediction counts for more.
    for side in (max_side, max(size)):
        try:
            made = encode_smaller(image, size, quality, side, frame.prediction, frame.shadow_prediction)
            if made is None:
                return None
            return attrs.evolve(
                frame, image=made.content, width=made.width, height=made.height, prediction=made.prediction,
                shadow_prediction=made.shadow_prediction,
            )  # fmt: skip
        except ConfigurationError:
            continue
    return None


def _content_type_of_image(image: bytes | Path | None) -> SupportedContentType | None:
    """Tell the content type by the first bytes, or return None."""
    if isinstance(image, bytes):
        for signature, content_type in _SIGNATURES:
            if image.startswith(signature):
                return content_type
    return None
