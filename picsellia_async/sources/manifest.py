"""`manifest`: a file of JSON lines, each a frame. The fields are described in docs/sources.md."""

from __future__ import annotations

import contextlib
import datetime
import io
import itertools
import os
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final
from uuid import UUID

import attrs

from picsellia_async._image_version import ImageVersion
from picsellia_async.enums import InferenceType
from picsellia_async.errors import PicselliaError, shown
from picsellia_async.frames import Frame, StatedId
from picsellia_async.image_header import ImageHeader, OrientationRule
from picsellia_async.plausibility import check_header_size
from picsellia_async.predictions import PREDICTION_FORMATS, PredictionFormat
from picsellia_async.sources._beyond_watch import OTHER_PIXELS, BeyondWatch
from picsellia_async.sources._errors import OnBad, Problems, SourceError
from picsellia_async.sources._image_files import GZIP, ZIP, image_file, open_source, parsed_json, text_encoding
from picsellia_async.sources._lookup import ImageLookup
from picsellia_async.sources._order_watch import NUMBER_END, OrderWatch, has_coordinates, shape_beyond
from picsellia_async.sources._other_text import what_it_is
from picsellia_async.sources._repeated_keys import refuse_repeated
from picsellia_async.sources._source import Source, watched
from picsellia_async.sources._turn_watch import TurnWatch, check_orientation_rule
from picsellia_async.validation import boolean, checked_path, uuid

LINE_CHARACTERS_MAX: Final = 16 * 2**20
"""Longest line read: a file without line ends must not fill the memory."""

_LOOKED_AT: Final = 1000
"""Lines that are looked at for another order of coordinates before the first frame."""

_PASSED_OVER: Final = frozenset({"reason", "image_version", "video"})
"""Fields that go into no `Frame`: `reason` is what a manifest of failures has, why a frame was not delivered. `image_version` and `video`
are what `predict` writes: which picture was in the file, which is checked, and of which video it is a frame."""

_FIELDS: Final = _PASSED_OVER | {one.name for one in attrs.fields(Frame) if one.init and one.name != "data"}


def manifest(
    path: str | os.PathLike[str],
    *,
    orientation: OrientationRule | None = None,
    outside: bool = False,
    source: str | None = None,
    latency: float = 0.0,
    on_bad: OnBad = "raise",
) -> Source[Frame]:
    """Return the frames of a manifest: one JSON object per line, blank lines are passed over.

    A line has `image` (path, relative to the manifest), or `object_name` of an image in the storage of the deployment's datalake with
    `width` and `height`; and `prediction` (the documented fields of a prediction format, and optionally `type`), and any other field
    of `Frame` but `data`. `width` and `height` of a file are read from its header where they are left
    out, `timestamp` (epoch seconds or ISO 8601 with an offset) is the modification time of the manifest. Paths written on Windows
    and absolute ones are found by their longest tail below the manifest's folder; a relative one means that very path. A line with
    the `id` of a line before it is bad. A file in which some coordinates cannot be meant, and all of which fit in another order
    (x1, y1, x2, y2 for instance), is refused as a whole: before the first frame where its first 1,000 lines tell, else at that line. So is
    one of whose first 1,000 lines two, and a tenth of those with shapes, reach beyond their images by more than a tenth.

    Args:
        path: The manifest, UTF-8 or UTF-16.
        orientation: Size that is read from a header: as viewers show the picture ("shown"), or as its pixels lie ("stored"). None is
            "shown", and tells once where a picture has an EXIF turn and its line does not say the size.
        outside: Whether images may lie outside the manifest's folder.
        source: `Frame.source` of lines that have none.
        latency: Inference time in seconds, of lines that have none.
        on_bad: What to do with a line that is no frame, or whose image is not there: "raise" `SourceError`, or "skip" and count.

    Raises:
        ConfigurationError: An argument is of the wrong kind. While iterating: the manifest is not there.
    """
    file = checked_path(path, "path")
    outside = boolean(outside, "outside")
    check_orientation_rule(orientation)

    def read(problems: Problems) -> Generator[Frame, None, None]:
        with open_source(file, "manifest") as lines:
            defaults = {"source": source, "latency": latency, "timestamp": os.fstat(lines.fileno()).st_mtime}
            # What else lies beside the manifest is no input, and nothing to tell of.
            lookup = ImageLookup(file.parent, Problems("skip"), outside=outside, is_own=True)
            line_of: dict[UUID, int] = {}
            reader = _Reader(file, lookup, TurnWatch(orientation), defaults)
            reader.look()
            is_first = True
            for number, text in enumerate(_lines(lines), start=1):
                if not text.strip():
                    continue
                if is_first:
                    _check_lines(text.strip(), os.fspath(file))
                    is_first = False
                frame = None
                with problems.item(f"{os.fspath(file)} line {number}", text):
                    made = reader.frame(number, text.strip().encode(errors="surrogateescape"), problems)
                    # With the same id the second frame would be taken for the first one, and not be sent.
                    if isinstance(made.id, StatedId) and line_of.setdefault(made.id, number) != number:
                        raise SourceError(f"the id {made.id} is that of line {line_of[made.id]} too")
                    frame = made
                reader.check_order()
                if frame is not None:
                    yield frame

    return Source(
        f"manifest {os.fspath(file)!r}",
        watched(read, os.fspath(file)),
        on_bad=on_bad,
        nothing=f"{os.fspath(file)} has no line",
    )


def _lines(file: BinaryIO) -> Iterator[str]:
    """Yield the lines as text, whichever of its encodings JSON comes in; a line that is none of it fails later, as JSON.

    Raises:
        SourceError: The file is packed, or a zip.
    """
    start = file.read(4)
    file.seek(0)
    if start.startswith(GZIP):
        raise SourceError(f"{file.name} is packed with gzip: unpack it first")
    if start == ZIP:
        raise SourceError(f"{file.name} is a zip, as Excel files are, and a manifest has one JSON object per line")
    encoding = text_encoding(start)
    # Bytes that are no UTF-8 are kept, so that their line alone is refused.
    errors = "surrogateescape" if encoding.startswith("utf-8") else "replace"
    with io.TextIOWrapper(file, encoding, errors) as text:
        while line := text.readline(LINE_CHARACTERS_MAX):
            yield line


def _check_lines(first: str, name: str) -> None:
    """Refuse a file whose first line is that of another form.

    Raises:
        SourceError: It is a list, an object of several lines, XML, a web page, or CSV.
    """
    if first.startswith("["):
        raise SourceError(
            f"{name} is one JSON array, and a manifest has one JSON object per line: `jq -c '.[]'` makes lines of it"
        )
    if first.startswith("<"):
        raise SourceError(f"{name}: {what_it_is(first)}; a manifest has one JSON object per line")
    if "," in first and "{" not in first:
        raise SourceError(f"{name} looks like CSV, and a manifest has one JSON object per line")
    if first == "{":
        raise SourceError(
            f"{name} has JSON objects of several lines, and a manifest has one object per line: `jq -c .` makes lines of them"
        )


@attrs.define
class _Reader:
    """Reads lines, and follows whether all of them are in another order than the documented one."""

    file: Path
    lookup: ImageLookup
    turns: TurnWatch
    defaults: dict[str, Any]
    """Of fields that a line does not have."""
    _watch: OrderWatch = attrs.field(factory=OrderWatch, init=False)

    def look(self) -> None:
        """Look at the first lines before any of them is sent. What is wrong with a line is told when its turn comes. Blocking.

        Raises:
            SourceError: They are in another order, or many reach beyond their images.
        """
        far = BeyondWatch()
        with open_source(self.file, "manifest") as lines:
            for number, text in enumerate(itertools.islice(_lines(lines), _LOOKED_AT), start=1):
                with contextlib.suppress(PicselliaError, ValueError, TypeError, OverflowError, OSError):
                    fields = parsed_json(text.strip().encode(errors="surrogateescape"))
                    if isinstance(fields, dict) and has_coordinates(fields.get("prediction")):
                        place, size, header = self._place(fields)
                        version = _version(fields)
                        # A picture that was replaced tells nothing of the line's order. Its bytes are read once: at the line's turn.
                        if version is None or "image" not in place or version.may_be_in(place["image"]):
                            self._see(number, fields, size, header)
                            if (told := _told_size(fields, size)) is not None:
                                far.see(shape_beyond(f"line {number}", fields["prediction"], told))
        self.check_order()
        if far.is_whole:
            raise SourceError(f"{os.fspath(self.file)}: {far.told('lines')}: {OTHER_PIXELS}")

    def check_order(self) -> None:
        """Refuse a file that is in another order, whose lines before this one fit by chance.

        Raises:
            SourceError: It is.
        """
        if self._watch.verdict:
            raise SourceError(f"{os.fspath(self.file)}: {self._watch.verdict}; the file is not read any further")

    def _place(self, fields: dict[str, Any]) -> tuple[dict[str, Any], tuple[int, int], ImageHeader | None]:
        """Return what tells the image of a line, its size, and the header of a file.

        Raises:
            SourceError: Nothing tells it, or not all that is needed.
        """
        if fields.get("object_name") is None:
            if fields.get("image") is None:
                raise SourceError("the field 'image' is missing")
            image = image_file(self.lookup.named(os.fspath(checked_path(fields["image"], "image"))))
            filename = self.lookup.filename(image.path)
            place = {"image": image.path, "filename": filename, "content_type": image.content_type}
            return place, image.size(self.turns.orientation), image.header
        if fields.get("image") is not None:
            raise SourceError("'image' is given beside 'object_name': an image is in a file, or in the storage")
        size = fields.get("width"), fields.get("height")
        if None in size:
            raise SourceError("a line with 'object_name' needs 'width' and 'height': the image is not here to be read")
        return {}, size, None  # type: ignore[return-value]  # what is no number is refused by the frame

    def _see(self, number: int, fields: dict[str, Any], size: tuple[int, int], header: ImageHeader | None) -> None:
        """Note the order of a line's coordinates.

        Raises:
            ImplausibleError: Its width and height are swapped by the header of its image, so that right coordinates seem to be, too.
        """
        told = _told_size(fields, size)
        if told is None:
            return
        if header is not None and told == header.stored_size[::-1]:
            check_header_size(header, told, shown(fields["image"]))
        if isinstance(fields.get("prediction"), dict):
            self._watch.see(f"line {number}", fields["prediction"], told)

    def frame(self, number: int, line: bytes, problems: Problems) -> Frame:
        """Return the frame of a line; its id is a `StatedId` where the line says it.

        Raises:
            SourceError: It is none.
            ConfigurationError: A value cannot be used.
        """
        fields = parsed_json(line)
        if not isinstance(fields, dict):
            raise SourceError(f"a line must be a JSON object, got {shown(fields)}")
        refuse_repeated(fields)
        unknown = fields.keys() - _FIELDS
        if unknown:
            raise SourceError(f"unknown field {min(unknown)!r}")
        if "prediction" not in fields:
            raise SourceError("the field 'prediction' is missing")
        name = fields.get("filename")
        if name is not None and (
            not isinstance(name, str) or not name
        ):  # the number of a row, which is no name, may be 0
            raise SourceError(f"filename must be a non-empty str, got {shown(name)}")
        place, (width, height), header = self._place(fields)
        version = _version(fields)
        if "image" in place and version is not None and not version.is_in(place["image"]):
            raise SourceError(
                f"{os.fspath(place['image'])!r} holds another picture than the one that was predicted on: predict again with the same results"
            )
        self._see(number, fields, (width, height), header)
        given = {
            **self.defaults, **place, "width": width, "height": height,
            **{
                name: value for name, value in fields.items()
                if name not in _PASSED_OVER and (value is not None or name not in {"width", "height", "filename", "content_type", *self.defaults})
            },
            "prediction": prediction_of(fields["prediction"], "prediction"),
        }  # fmt: skip
        if "image" in place:
            given["image"] = place["image"]
        if given.get("id") is not None:
            given["id"] = StatedId(str(uuid(given["id"], "id")))
        given["timestamp"] = _moment(given["timestamp"])
        if given.get("shadow_prediction") is not None:
            given["shadow_prediction"] = prediction_of(given["shadow_prediction"], "shadow_prediction")
        made = Frame(**given)
        is_told = fields.get("width") is not None or fields.get("height") is not None
        if header is not None and not is_told:
            doubt = self.turns.doubt(
                f"line {number}: {fields['image']!r}", header, has_shapes=has_coordinates(fields["prediction"])
            )
            problems.warn(doubt, os.fspath(self.file))
        return made


def _told_size(fields: dict[str, Any], size: tuple[int, int]) -> tuple[int, int] | None:
    """Return the size that a line says, or that of its image; None where it is no size, or none that floats can reckon with."""
    width, height = fields.get("width", size[0]), fields.get("height", size[1])
    are_sizes = all(type(one) is int and 0 < one < NUMBER_END for one in (width, height))
    return (width, height) if are_sizes else None


def _version(fields: dict[str, Any]) -> ImageVersion | None:
    """Return which picture a line is about; None where it does not say.

    Raises:
        SourceError: What it says is no version.
    """
    if fields.get("image_version") is None:
        return None
    version = ImageVersion.read(fields["image_version"])
    if version is None:
        raise SourceError(f"image_version must be as predict writes it, got {shown(fields['image_version'])}")
    return version


def _moment(value: object) -> object:
    if isinstance(value, str):
        try:
            return datetime.datetime.fromisoformat(value)
        except ValueError:
            raise SourceError(f"timestamp must be epoch seconds or ISO 8601, got {value!r}") from None
    return value


def prediction_of(value: Any, name: str) -> PredictionFormat:
    """Return the prediction that a JSON object describes: `type`, or the fields themselves, tell its format.

    Raises:
        ConfigurationError: A value cannot be used.
        SourceError: Fields are unknown or missing, or do not tell the format.
    """
    if not isinstance(value, dict):
        raise SourceError(f"{name} must be a JSON object, got {shown(value)}")
    fields = dict(value)
    type_ = fields.pop("type", None)
    format_ = PREDICTION_FORMATS.get(_told_type(fields) if type_ is None else InferenceType.of(type_))
    if format_ is None:
        raise SourceError(f"{name}.type {type_!r} cannot be monitored")
    _check_boxes(fields.get("detection_boxes"), name)
    known = {attribute.name: attribute.default is attrs.NOTHING for attribute in attrs.fields(format_)}
    for field in sorted(fields.keys() - known.keys()):
        raise SourceError(f"{name}: {format_.__name__} has no field {field!r}")
    for field, is_needed in known.items():
        if is_needed and field not in fields:
            raise SourceError(f"{name}: {format_.__name__} needs the field {field!r}")
    return format_(**fields)


def _check_boxes(boxes: object, name: str) -> None:
    """Refuse a box that is no object, as the readers of other files do.

    Raises:
        SourceError: Its sides are none.
    """
    for place, box in enumerate(boxes if isinstance(boxes, list) else ()):
        if isinstance(box, list) and len(box) == 4 and (box[0] == box[2] or box[1] == box[3]):
            raise SourceError(
                f"{name}.detection_boxes[{place}] is {shown(box)}: it has no width or no height, and is no object"
            )


def _told_type(fields: dict[str, Any]) -> InferenceType:
    masks = fields.get("detection_masks")
    if masks is not None:
        is_text = isinstance(masks, list) and bool(masks) and isinstance(masks[0], str)
        return InferenceType.MASK if is_text else InferenceType.SEGMENTATION
    for name, type_ in (
        ("detection_boxes", InferenceType.OBJECT_DETECTION), ("lines", InferenceType.LINE),
        ("points", InferenceType.POINT), ("keypoints", InferenceType.KEYPOINT),
    ):  # fmt: skip
        if name in fields:
            return type_
    return InferenceType.CLASSIFICATION
