"""Checks of meaning: what is well formed, and cannot be meant. Pure; one module for calls, predictions and frames alike.

Each refusal is an `ImplausibleError` that names field and value, what it looks like, and the way out. What is right costs little: a
comparison per coordinate, a few microseconds per image.
"""

from __future__ import annotations

import numbers
import time
from collections.abc import Collection
from typing import Any, Final, Literal, TypeAlias, get_args

import attrs

from picsellia_async._bounds import SHAPE_CHECKS, known_size
from picsellia_async._data_labels import check_labels_of_data
from picsellia_async.enums import SupportedContentType
from picsellia_async.errors import ConfigurationError, ImplausibleError, shown
from picsellia_async.image_header import (
    CGBI,
    JPEG_END,
    JPEG_SIGNATURE,
    PNG_SIGNATURE,
    SIGNATURE_BYTES,
    START_BYTES,
    TAIL_BYTES,
    ImageHeader,
    chunks_end,
    ends_at_once,
    has_end,
    header_is_cut,
    looks_like,
    read_header,
    size_at_start,
    stored_size,
)
from picsellia_async.monitor_options import MonitorOptions
from picsellia_async.predictions import (
    DetectionPredictionFormat,
    PredictionFormat,
)
from picsellia_async.predictions.base import said_of_size
from picsellia_async.validation import choice, place_without_number, without_number

Checks: TypeAlias = Literal["on", "off"]
"""Whether values that cannot be meant are refused, or passed on as the vendor's SDK passes them on."""

_SETTINGS: Final = get_args(Checks)

LATENCY_MAX: Final = 3600.0
"""Seconds; nobody waits longer for a model."""
LATENCY_INTEGER_MAX: Final = 10
"""Seconds from which an integer latency is refused: clocks in seconds give floats, those in milliseconds often integers."""
LATENCY_TOLD: Final = 5.0
"""Seconds from which a latency is sent with a warning: most models take less, and most milliseconds are more."""
LATENCY_MIN: Final = 1e-4
"""Seconds; what a unit makes less of is not meant in it."""
TIMESTAMP_MIN: Final = 946_684_800.0
"""2000-01-01."""
TIMESTAMP_AHEAD: Final = 86_400.0
"""Seconds that a timestamp may lie ahead: clocks differ, by less than a day."""
CHANNELS: Final = (1, 3, 4, 2)
"""Bytes per pixel by which raw pixels are recognised."""

_JPEG: Final = SupportedContentType.JPEG
_PNG: Final = SupportedContentType.PNG
# Looking a member up at its class costs 0.3 us in Python 3.11, a tenth of all checks.

_PER_CENT_MIN: Final = 10
"""The highest of per cents is nearly always above; that of a model's raw output seldom is."""

_APP1: Final = 0xE1
"""Second byte of the marker of the segment that holds EXIF."""

_UNITS: Final = ((1e3, "milliseconds"), (1e6, "microseconds"), (1e9, "nanoseconds"))


def checked_checks(value: Any) -> Checks:
    """Return the setting.

    Raises:
        ConfigurationError: It is neither "on" nor "off".
    """
    if type(value) is not str or value not in _SETTINGS:
        choice(value, "checks", _SETTINGS)
    found: Checks = value
    return found


def is_right_at_a_glance(
    options: MonitorOptions, image: bytes | memoryview | None, indexes: frozenset[int] | None
) -> bool:
    """Whether boxes and their JPEG pass all checks, told in one step: the frames of a camera, one like the other.

    Never said of what `check_options`, `check_image` or `check_classes` refuse; where it is not said, they decide. They are a dozen
    calls, and each costs half a microsecond while a core sends images, since its caches are cold.

    Args:
        options: What is said of the image.
        image: The encoded image.
        indexes: Indexes of the label map; None: it is not known.
    """
    prediction, width, height = options.prediction, options.width, options.height
    if (
        type(prediction) is not DetectionPredictionFormat
        or type(image) is not bytes
        or options.content_type is not _JPEG
        or (options.has_optional and not _is_optional_right(options))
        or (options.timestamp is not None and not TIMESTAMP_MIN <= options.timestamp <= time.time())
        or prediction.image_size is not None
        or (indexes is not None and prediction.class_names is not None)
        or options.latency >= LATENCY_INTEGER_MAX
        or size_at_start(image[:START_BYTES]) != (width, height)
        or not image.endswith(JPEG_END)
    ):
        return False
    classes, scores, boxes = prediction.detection_classes, prediction.detection_scores, prediction.detection_boxes
    try:
        if not len(classes) == len(scores) == len(boxes):
            return False  # its lists were changed since it was made
        for score in scores:
            if not 0.0 <= score <= 1.0:  # nor is NaN
                return False
        for top, left, bottom, right in boxes:
            # Only integers have bits: a fraction that was put in afterwards is a TypeError.
            if not (top | left | bottom | right >= 0 and top < bottom <= height and left < right <= width):
                return False
        return not classes or (
            type(sum(classes)) is int and (min(classes) >= 0 if indexes is None else indexes.issuperset(classes))
        )
    except (TypeError, ValueError):  # entries of a wrong kind: its lists were changed since it was made
        return False


def _is_optional_right(options: MonitorOptions) -> bool:
    """Whether `check_options` refuses nothing of what may be left out; never said of a shadow prediction or a directory."""
    return (
        options.shadow_prediction is None
        and not (options.source and (options.source.isspace() or not options.source.isprintable()))
        and not (options.tags and not (all(map(str.strip, options.tags)) and all(map(str.isprintable, options.tags))))
        and not options.upload_dir
        and not ((options.custom_metadata or options.custom_metrics or options.metadata) and _without_number(options))
    )


def check_options(options: MonitorOptions, now: float | None = None, *, is_size_known: bool = True) -> None:
    """Check what is said about an image, except for the image itself.

    Args:
        options: As they were given.
        now: Epoch seconds; by default the clock's.
        is_size_known: Whether width and height were held against the image. Else a message about coordinates that would fit with the
            two exchanged says so: boxes in another order look the same.

    Raises:
        ImplausibleError: A value cannot be meant.
    """
    if options.latency >= LATENCY_INTEGER_MAX:
        check_latency(options.latency, "latency")
    check = check_prediction if is_size_known else _check_without_image
    check(options.prediction, options.width, options.height, "prediction")
    if options.timestamp is not None:
        check_timestamp(options.timestamp, now)
    check_labels_of_data(options.tags or (), options.source, options.upload_dir)
    place = _without_number(options)
    if place is not None:
        raise ImplausibleError(f'{without_number(place)}; checks="off" sends null')
    if options.shadow_prediction is not None:
        check(options.shadow_prediction, options.width, options.height, "shadow_prediction")
        check_latency(options.shadow_latency or 0.0, "shadow_latency")


def _without_number(options: MonitorOptions) -> str | None:
    """Return where in the metadata a number is none, or None."""
    for name in ("metadata", "custom_metadata", "custom_metrics"):
        found = getattr(options, name)
        place = place_without_number(found, name) if found else None
        if place is not None:
            return place
    return None


def check_latency(latency: float, name: str) -> None:
    """Refuse what looks like another unit.

    Raises:
        ImplausibleError: Above an hour, or an integer of `LATENCY_INTEGER_MAX` or more. A float is taken at its word.
    """
    if latency > LATENCY_MAX:
        way_out = 'checks="off" sends it as it is'
    elif isinstance(latency, int) and latency >= LATENCY_INTEGER_MAX:
        way_out = f"or write {latency}.0 where seconds are meant"
    else:
        return
    units = [(factor, unit) for factor, unit in _UNITS if LATENCY_MIN <= latency / factor <= LATENCY_TOLD]
    if units:
        factor, unit = units[0]
        looks = f"looks like {unit}: divide by {factor:.0f} ({latency / factor:g})"
    else:
        looks = "is no such time"
    if latency > LATENCY_MAX:
        looks += "; or it is a clock's reading: take the difference of two"
    raise ImplausibleError(f"{name} is in seconds, and {latency:g} {looks}; {way_out}")


def check_timestamp(timestamp: float, now: float | None = None) -> None:
    """Refuse a time that is none of a prediction.

    Raises:
        ImplausibleError: Before 2000, or more than a day from now.
    """
    present = time.time() if now is None else now
    latest = present + TIMESTAMP_AHEAD
    # A board without a clock of its own counts from 1970 until the network tells it the time: nothing can be said then.
    if TIMESTAMP_MIN <= timestamp <= latest or present < TIMESTAMP_MIN:
        return
    for factor, unit in _UNITS:
        if TIMESTAMP_MIN <= timestamp / factor <= latest:
            raise ImplausibleError(
                f"timestamp is in epoch seconds, and {timestamp:.0f} looks like {unit}: divide by {factor:.0f}"
            )
    if timestamp > latest:
        raise ImplausibleError(f"timestamp {timestamp:.0f} is more than a day from now: it is in epoch seconds")
    raise ImplausibleError(
        f"timestamp {timestamp:g} is before 2000. It looks like a clock that does not count from 1970: use time.time()"
    )


def check_image(
    image: bytes | memoryview,
    content_type: SupportedContentType | None = None,
    size: tuple[int, int] | None = None,
    name: str = "image",
) -> None:
    """Check the first and the last bytes of an encoded image against what is said about it. What cannot be read is not checked.

    Args:
        image: Encoded image.
        content_type: What it is said to be; None: JPEG or PNG.
        size: Width and height that it is said to have.
        name: How messages call it.

    Raises:
        ImplausibleError: Neither JPEG nor PNG, not of that type, not of that size, or cut off.
    """
    if type(image) is memoryview and type(image.obj) is bytes and len(image.obj) == image.nbytes:
        image = image.obj  # a view of all of it: what is behind it is searched without a copy
    start = image[:SIGNATURE_BYTES] if type(image) is bytes else bytes(image[:SIGNATURE_BYTES])
    if start.startswith(JPEG_SIGNATURE):
        found = _JPEG
    elif start.startswith(PNG_SIGNATURE):
        found = _PNG
    else:
        raise ImplausibleError(f"{name} is neither JPEG nor PNG: {_what(start, len(image), size)}")
    if content_type is not None and found is not content_type:
        raise ImplausibleError(
            f"{name} holds a {found.name}, but content_type or file name say {content_type.name}: give "
            f'content_type="image/{found.name.lower()}"'
        )
    if found is _PNG and start[12:16] == b"CgBI":
        raise ImplausibleError(f"{name} is {CGBI}")
    # The start is looked at here and not in `stored_size`: each call less is half a microsecond where the caches are cold.
    stored = size_at_start(image[:START_BYTES]) if found is _JPEG and type(image) is bytes else None
    if stored is None:
        stored = stored_size(image)
    if stored is not None and size is not None and stored != size:
        _refuse_size(image, size, name)
    if found is _PNG and stored is not None and not chunks_end(image):
        raise _cut(image, "PNG", name, "chunks that follow one another up to IEND")
    if image[-2:] != JPEG_END:  # else it is a whole JPEG
        _check_end(image, found.name, name, is_sure=stored is not None)


def is_turned(image: bytes | memoryview, size: tuple[int, int]) -> bool:
    """Whether viewers show a JPEG turned, by its EXIF, and the size said of it is that of its pixels as stored.

    Right by the size alone; coordinates of the stored pixels lie beside their objects in every viewer.
    """
    # APP1 comes first, or second behind JFIF; all others cost no more than this look.
    if len(image) < SIGNATURE_BYTES or _APP1 not in {image[3], image[21]}:
        return False
    header = read_header(image)
    return header is not None and header.stored_size == size != header.shown_size


def _check_end(image: bytes | memoryview, kind: str, name: str, *, is_sure: bool) -> None:
    """Refuse what ends before its picture does. Of what only begins as an image nothing is said.

    Raises:
        ImplausibleError: It does.
    """
    if ends_at_once(bytes(image[-TAIL_BYTES:])):
        return
    data = bytes(image)
    is_cut = not has_end(data) if is_sure else kind == "JPEG" and header_is_cut(data)
    if not is_cut:
        return
    raise _cut(data, kind, name, "the marker FF D9 at its end: append it where an encoder leaves it out")


def _cut(image: bytes | memoryview, kind: str, name: str, missing: str) -> ImplausibleError:
    return ImplausibleError(
        f'{name} is cut off: {len(image)} bytes of a {kind} without {missing}. Send the whole file; checks="off" sends anything'
    )


def _what(start: bytes, count: int, size: tuple[int, int] | None) -> str:
    raw = () if size is None else [n for n in CHANNELS if count == size[0] * size[1] * n]
    if size is not None and raw:
        return (
            f"its {count} bytes look like raw pixels of {size[0]} x {size[1]} x {raw[0]}. Give the array to "
            "Frame.from_array or deployment.monitor_array, which encode it"
        )
    return f'{looks_like(start)}. The platform shows JPEG and PNG; checks="off" sends anything'


def _refuse_size(image: bytes | memoryview, size: tuple[int, int], name: str) -> None:
    """Let a turned photo pass, of which shown and stored size are both right.

    Raises:
        ImplausibleError: The sizes contradict each other.
    """
    header = read_header(image)
    if header is not None:
        check_header_size(header, size, name)


def check_header_size(header: ImageHeader, size: tuple[int, int], name: str) -> None:
    """Refuse another width and height than those of the picture, as it is shown or as its pixels lie.

    Raises:
        ImplausibleError: They are others.
    """
    if size in {header.shown_size, header.stored_size}:
        return
    where = (
        f"width and height are {size[0]} and {size[1]}, but the header of {name} says {header.width} x {header.height}"
    )
    if size == header.stored_size[::-1]:
        raise ImplausibleError(f"{where}: they look swapped. A numpy shape is height first")
    raise ImplausibleError(f"{where}: give the size of the image that is sent, and coordinates in its pixels")


def check_known_size(data: Any, width: int, height: int) -> None:
    """Refuse another size than the platform knows of an image in the storage. It may know that of the stored pixels or the shown one.

    Args:
        data: What the platform knows of it; where that is no width and height, nothing is checked.
        width: As it was given.
        height: As it was given.

    Raises:
        ImplausibleError: It is another one.
    """
    known = known_size(data)
    if known is not None and (width, height) not in {known, known[::-1]}:
        raise ImplausibleError(
            f"width and height are {width} x {height}, and the platform knows the data {data.object_name!r} as "
            f"{known[0]} x {known[1]}: give the size of the image that the prediction is for"
        )


def check_prediction(prediction: PredictionFormat, width: int, height: int, name: str = "prediction") -> None:
    """Check scores, classes and coordinates of a prediction on an image of this size.

    Raises:
        ImplausibleError: A value cannot be meant.
    """
    try:
        _check_prediction(prediction, width, height, name)
    except ConfigurationError:
        raise
    except (AttributeError, TypeError, ValueError):  # the caller has changed its lists since it was made
        raise _changed(name) from None


def _check_without_image(prediction: PredictionFormat, width: int, height: int, name: str) -> None:
    """As `check_prediction`, where nothing tells whether the size is right."""
    try:
        check_prediction(prediction, width, height, name)
    except ImplausibleError as error:
        if prediction.image_size is not None:
            raise  # the size that it was made for tells
        try:
            check_prediction(prediction, height, width, name)
        except ImplausibleError:
            raise error from None
        raise ImplausibleError(
            f"{error}. Or width and height are swapped: it fits an image of {height} x {width}, and image_size(image) tells which is right"
        ) from None


def _check_prediction(prediction: PredictionFormat, width: int, height: int, name: str) -> None:
    prediction.check_lengths()
    classes = prediction.detection_classes
    if not isinstance(sum(classes), numbers.Integral):
        raise _changed(name)
    if classes and min(classes) < 0:
        check_classes(prediction, None, name)
    check_scores(prediction, name)
    made_for = prediction.image_size
    if made_for is not None and made_for != (width, height):
        swapped = ": they look swapped" if made_for == (height, width) else ""
        raise ImplausibleError(
            f"{said_of_size(name, made_for)}, and width and height are {width} and {height}{swapped}. Give width and height of the image "
            "that is sent, and masks of its size"
        )
    check = SHAPE_CHECKS.get(prediction.model_type)
    if check is not None:
        check(prediction, width, height, name)


def check_unchanged(prediction: PredictionFormat, name: str = "prediction") -> None:
    """Refuse a prediction whose lists hold something else than what its constructor lets in.

    Raises:
        ConfigurationError: The caller has changed them since it was made.
    """
    if attrs.evolve(prediction) != prediction:
        raise _changed(name)


def _changed(name: str) -> ConfigurationError:
    return ConfigurationError(
        f"{name} has an entry of a wrong kind: its lists were changed after it was made; make a new one"
    )


def check_scores(prediction: PredictionFormat, name: str = "prediction") -> None:
    """Check that scores are 0 to 1.

    Raises:
        ImplausibleError: One is not.
    """
    scores: list[float] = getattr(prediction, "detection_scores", [])
    # Only the sum tells NaN: it is neither above nor below.
    if scores and not (max(scores) <= 1 and min(scores) >= 0 and sum(scores) >= 0):
        _refuse_score(scores, name)


def check_classes(prediction: PredictionFormat, indexes: Collection[int] | None, name: str = "prediction") -> None:
    """Check that the classes of a prediction are indexes of a label map.

    Args:
        prediction: The prediction.
        indexes: Indexes of the label map; None: it is not known, and only what is no index of any is refused.
        name: How messages call it.

    Raises:
        ImplausibleError: One is not.
    """
    classes = prediction.detection_classes
    if not classes:
        return
    if indexes is None:
        bad = [one for one in classes if one < 0] if min(classes) < 0 else []
        known = "an index is 0 or more"
    else:
        bad = [one for one in classes if one not in indexes]
        known = f"the label map has {_range(indexes)}"
    if bad:
        place = classes.index(bad[0])
        raise ImplausibleError(
            f"{name}.detection_classes[{place}] is {bad[0]}, which is no index of the label map: {known}. "
            "Category ids and the model's own classes are looked up by name: label_map=await deployment.label_map()"
        )


def _range(indexes: Collection[int]) -> str:
    if not indexes:
        return "no labels"
    first, last = min(indexes), max(indexes)
    return f"{first} to {last}" if len(indexes) == last - first + 1 else shown(sorted(indexes))


def _refuse_score(scores: list[float], name: str) -> None:
    place = next(i for i, score in enumerate(scores) if not 0 <= score <= 1)
    score = scores[place]
    if _PER_CENT_MIN < max(scores) <= 100 and min(scores) >= 0:
        hint = "looks like per cent: divide by 100"
    else:
        hint = "looks like the model's raw output: apply its sigmoid or softmax"
    raise ImplausibleError(f"{name}.detection_scores[{place}] is {score:g}, not 0 to 1; it {hint}")
