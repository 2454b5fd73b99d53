"""`manifest`: a file of JSON lines, each a frame. The fields are described in docs/sources.md."""

from __future__ import annotations

import datetime
import os
from collections.abc import Generator
from pathlib import Path
from typing import Any, Final

import attrs
import orjson

from picsellia_async.enums import InferenceType
from picsellia_async.errors import ConfigurationError, shown
from picsellia_async.frames import Frame
from picsellia_async.predictions import PREDICTION_FORMATS, PredictionFormat
from picsellia_async.sources._errors import OnBad, Problems, SourceError
from picsellia_async.sources._image_header import known_size, open_source
from picsellia_async.sources._source import Source
from picsellia_async.sources.directory import checked_path

LINE_BYTES_MAX: Final = 16 * 2**20
"""Longest line read, in bytes: a file without line ends must not fill the memory."""

_FIELDS: Final = frozenset(attribute.name for attribute in attrs.fields(Frame))


def manifest(
    path: str | os.PathLike[str], *, source: str | None = None, latency: float = 0.0, on_bad: OnBad = "raise"
) -> Source[Frame]:
    """Return the frames of a manifest: one JSON object per line, blank lines are passed over.

    A line has `image` (path, relative to the manifest) and `prediction` (the documented fields of a prediction format, and
    optionally `type`), and any other field of `Frame`. `width` and `height` are read from the image's header where they are left
    out, `timestamp` (epoch seconds or ISO 8601 with an offset) is the modification time of the manifest.

    Args:
        path: The manifest, UTF-8.
        source: `Frame.source` of lines that have none.
        latency: Inference time in seconds, of lines that have none.
        on_bad: What to do with a line that is no frame, or whose image is not there: "raise" `SourceError`, or "skip" and count.

    Raises:
        ConfigurationError: An argument is of the wrong kind. While iterating: the manifest is not there.
    """
    file = checked_path(path, "path")

    def read(problems: Problems) -> Generator[Frame, None, None]:
        with open_source(file, "manifest") as lines:
            defaults = {"source": source, "latency": latency, "timestamp": os.fstat(lines.fileno()).st_mtime}
            number = 0
            while line := lines.readline(LINE_BYTES_MAX):
                number += 1
                text = line.removeprefix(b"\xef\xbb\xbf").strip() if number == 1 else line.strip()
                if not text:
                    continue
                try:
                    yield _frame(text, file.parent, defaults)
                except (ConfigurationError, SourceError) as error:
                    problems.add(f"{os.fspath(file)} line {number}: {error}")

    return Source(f"manifest {os.fspath(file)!r}", read, on_bad=on_bad)


def _frame(line: bytes, folder: Path, defaults: dict[str, Any]) -> Frame:
    try:
        fields = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise SourceError(f"no JSON: {error}") from None
    if not isinstance(fields, dict):
        raise SourceError(f"a line must be a JSON object, got {shown(fields)}")
    unknown = fields.keys() - _FIELDS
    if unknown:
        raise SourceError(f"unknown field {min(unknown)!r}")
    for name in ("image", "prediction"):
        if name not in fields:
            raise SourceError(f"the field {name!r} is missing")
    image = folder / checked_path(fields["image"], "image")
    width, height = _size(fields, image)
    given = {
        **defaults, "filename": fields["image"], **fields, "image": image, "width": width, "height": height,
        "prediction": prediction_of(fields["prediction"], "prediction"),
    }  # fmt: skip
    if isinstance(given["timestamp"], str):
        given["timestamp"] = _moment(given["timestamp"])
    if given.get("shadow_prediction") is not None:
        given["shadow_prediction"] = prediction_of(given["shadow_prediction"], "shadow_prediction")
    return Frame(**given)


def _size(fields: dict[str, Any], image: Path) -> tuple[Any, Any]:
    if fields.get("width") is not None and fields.get("height") is not None:
        if not image.is_file():
            raise SourceError(f"there is no file {os.fspath(image)!r}")
        return fields["width"], fields["height"]
    return known_size(image)


def _moment(value: str) -> datetime.datetime:
    try:
        return datetime.datetime.fromisoformat(value)
    except ValueError:
        raise SourceError(f"timestamp must be epoch seconds or ISO 8601, got {value!r}") from None


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
    known = {attribute.name: attribute.default is attrs.NOTHING for attribute in attrs.fields(format_)}
    for field in sorted(fields.keys() - known.keys()):
        raise SourceError(f"{name}: {format_.__name__} has no field {field!r}")
    for field, is_needed in known.items():
        if is_needed and field not in fields:
            raise SourceError(f"{name}: {format_.__name__} needs the field {field!r}")
    return format_(**fields)


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
