"""Reading single values that people hand in: numbers, ids, names. Raises `ConfigurationError` with field and value.

Scalars and arrays of numpy and torch are recognised by their methods (`item`, `tolist`), never by importing either.
"""

from __future__ import annotations

import dataclasses
import datetime
import io
import math
import os
import re
import unicodedata
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import orjson

from picsellia_async._error_text import shown_name
from picsellia_async._scalars import is_masked, plain_scalar
from picsellia_async.errors import ConfigurationError, shown

JSON_DEPTH_MAX: Final = 250
"""How deep JSON may be nested; orjson writes a little more."""

PART_BYTES_MAX: Final = 255
"""Bytes in UTF-8 of a file's own name, and of each folder's: what ext4, APFS and NTFS take."""
NAME_BYTES_MAX: Final = 1024
"""Bytes in UTF-8 of a whole name: the longest key of S3 and Google Cloud Storage."""
PLACE_DEPTH: Final = 5
"""How deep in a value a message says where something has no JSON form."""

_EXIF_TIME: Final = re.compile(r"\d{4}:\d\d:\d\d \d\d:\d\d:\d\d")
_NUMERIC: Final = frozenset("biuf")
"""Kinds of numpy's arrays that are written as they are: true or false, integers, floats."""
_TIMES: Final = frozenset("mM")
"""Kinds of numpy's arrays of durations and times."""
_IMMUTABLE: Final = frozenset({str, int, float, bool})


def is_scalar(value: Any) -> bool:
    """Whether this is one number and no list of them; 0-d arrays and tensors have a length, and raise when asked for it."""
    return not hasattr(value, "__len__") or getattr(value, "ndim", None) == 0


def whole_number(value: Any, name: str, minimum: int | None = None, *, rounded: bool = False) -> int:
    """Return a Python int for an int, an integral float, or a scalar of numpy or torch.

    Args:
        value: The number. A bool is refused: it is nearly always a mistake.
        name: How the message calls it, `detection_boxes[3][1]` for instance.
        minimum: Least value accepted.
        rounded: Round a fraction to the nearest whole number (halves to the even one) instead of refusing it.

    Raises:
        ConfigurationError: The value is no such number.
    """
    number = value if type(value) is int else _to_int(value, name, rounded=rounded)
    if minimum is not None and number < minimum:
        raise ConfigurationError(f"{name} must be at least {minimum}, got {shown(number)}")
    return number


def _to_int(value: Any, name: str, *, rounded: bool) -> int:
    number = _plain(value)
    if isinstance(number, int):
        return number
    if number is not None and math.isfinite(number) and (rounded or number.is_integer()):
        return round(number)
    raise ConfigurationError(f"{name} must be a {'finite' if rounded else 'whole'} number, got {shown(value)}")


def real_number(value: Any, name: str, minimum: float | None = None) -> float:
    """Return a Python float for a finite int, float, or scalar of numpy or torch.

    Raises:
        ConfigurationError: The value is no finite number, or below `minimum`.
    """
    number = value if type(value) is float else _to_float(value, name)
    if not math.isfinite(number):
        raise ConfigurationError(f"{name} must be finite, got {shown(value)}")
    if minimum is not None and number < minimum:
        raise ConfigurationError(f"{name} must be at least {minimum:g}, got {shown(value)}")
    return number


def seconds(value: Any, name: str) -> float:
    """Return a duration of 0 or more. An integer stays one: whether seconds or milliseconds were meant is told by it.

    Raises:
        ConfigurationError: The value is no finite number, or below 0.
    """
    number = real_number(value, name, 0.0)
    plain = value if type(value) is float else _plain(value)
    return plain if isinstance(plain, int) else number


def _array_kind(value: Any) -> str:
    """Return numpy's letter for what an array or scalar of it holds; "" for all else, tensors of torch too."""
    kind: str = getattr(getattr(value, "dtype", None), "kind", "")
    return kind


def _number_of(value: Any) -> str:
    """Return what makes seconds of a duration; "" for anything else."""
    if isinstance(value, datetime.timedelta):
        return ": .total_seconds() gives seconds"
    if _array_kind(value) == "m":
        return ': value / numpy.timedelta64(1, "s") gives seconds'
    return ""


def _to_float(value: Any, name: str) -> float:
    plain = _plain(value)
    if plain is None:
        raise ConfigurationError(f"{name} must be a number, got {shown(value)}{_number_of(value)}")
    try:
        return float(plain)
    except OverflowError:
        return math.inf


def _plain(value: Any) -> int | float | None:
    """Return Python's number for a number of Python, or a scalar or array of one number of numpy or torch; None for all else."""
    plain = value
    if not isinstance(value, (int, float)):
        item = getattr(value, "item", None)
        if item is None or is_masked(value):
            return None
        try:
            plain = item()
        except (TypeError, ValueError, RuntimeError):  # several values; torch raises RuntimeError
            return None
        if not isinstance(plain, (int, float)):
            # numpy's longdouble is its own item; bool_ and complex have no such method.
            return float(plain) if hasattr(plain, "__float__") else None
    # numpy's float64 is a float: of its own type it would be printed as such.
    return None if isinstance(plain, bool) else float(plain) if isinstance(plain, float) else int(plain)


def sequence(value: Any, name: str) -> list[Any]:
    """Return a list for a list, tuple, numpy array or other iterable that is no text, bytes, set or mapping.

    Raises:
        ConfigurationError: The value is none of these.
    """
    if type(value) is list:
        return value
    tolist = getattr(value, "tolist", None)
    if tolist is not None:
        refuse_masked(value, name)
        value = tolist()
    if isinstance(value, (str, bytes, bytearray, memoryview, dict)) or not isinstance(value, Iterable):
        raise ConfigurationError(f"{name} must be a list, got {shown(value)}")
    if isinstance(value, AbstractSet):  # what belongs to which shape is told by the order
        raise ConfigurationError(f"{name} must be a list, got a {type(value).__name__}, which has no order")
    return list(value)


def refuse_masked(
    array: Any, name: str, way: str = "leave their shapes out, or say by filled(...) what they are"
) -> None:
    """Refuse an array of numpy of which values are masked; `way` is what the message advises.

    Raises:
        ConfigurationError: One is; an array with a mask that masks nothing is taken.
    """
    if is_masked(array):
        raise ConfigurationError(f"{name} has masked values, which stand for nothing: {way}")


def buffer(value: Any, name: str) -> bytes | bytearray | memoryview:
    """Return the memory of an encoded image: bytes, a BytesIO, an mmap, or the array of bytes that OpenCV's `imencode` returns.

    Raises:
        ConfigurationError: None of these; an array of pixels is told the way.
    """
    if isinstance(value, (bytes, bytearray, memoryview)):
        return value
    if isinstance(value, io.BytesIO):
        return value.getvalue()
    way_out = "Frame.from_array and deployment.monitor_array encode an array of pixels"
    try:
        view = memoryview(value)
    except (TypeError, ValueError):  # numpy's times have no buffer
        if hasattr(value, "shape") or hasattr(value, "getbands"):
            hint = f": {way_out}"
        elif isinstance(value, str):
            hint = ": Frame takes the file's pathlib.Path, deployment.monitor its path"
        elif isinstance(value, tuple):
            hint = ": of what cv2.imencode returns, (is_encoded, buffer), give the buffer"
        else:
            hint = ": give what its read() returns" if hasattr(value, "read") else ""
        raise ConfigurationError(
            f"{name} must be bytes or a buffer of them, got {type(value).__name__}{hint}"
        ) from None
    if view.itemsize != 1 or (view.ndim > 1 and view.shape and view.shape[1:] != (1,)):
        raise ConfigurationError(f"{name} must be an encoded image, got an array of shape {view.shape}: {way_out}")
    return view


def text(value: Any, name: str, *, empty: bool = False) -> str:
    """Return the text; refuse other types, and the empty text unless `empty`.

    Raises:
        ConfigurationError: The value is no such text.
    """
    if not isinstance(value, str) or not (value or empty):
        raise ConfigurationError(f"{name} must be {'a' if empty else 'a non-empty'} str, got {shown(value)}")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            # Half of a surrogate pair: what `os.fsdecode` makes of a file name that is no UTF-8.
            raise ConfigurationError(f"{name} must be text that UTF-8 can carry, got {shown(value)}") from None
    return value


def file_name(value: Any, name: str) -> str:
    """Return the name of an image, which may name folders with `/`.

    Raises:
        ConfigurationError: Empty, with characters that no file name has (NUL, line ends), ending or going through `..`, or longer
            than a file system (255 bytes a part) or an object storage (1,024 bytes) takes.
    """
    if (
        type(value) is str
        and 0 < len(value) <= PART_BYTES_MAX
        and value.isascii()
        and value.isprintable()
        and ".." not in value
        and value[-1] not in "/. "
    ):
        return value  # the usual case
    found = text(value, name)
    parts = found.replace("\\", "/").split("/")
    if any(unicodedata.category(one) == "Cc" for one in found):
        problem = "has a control character, such as the end of a line"
    elif ".." in parts:
        problem = "leads out of its folder by '..'"
    elif found.isspace():
        problem = "is blank"
    elif parts[-1] in {"", "."}:
        problem = "ends in a folder, and names no file"
    elif max(len(part.encode()) for part in parts) > PART_BYTES_MAX or len(found.encode()) > NAME_BYTES_MAX:
        problem = f"is longer than {PART_BYTES_MAX} bytes between two slashes, or than {NAME_BYTES_MAX} in all"
    else:
        return found
    way_out = "monitor_bytes, predict_bytes and Frame take another filename="
    raise ConfigurationError(f"{name} {problem}, got {shown(shown_name(found))}: {way_out}")


def checked_path(value: Any, name: str) -> Path:
    """Return the path of a file or a folder.

    Raises:
        ConfigurationError: The value is no path, is empty, or has what no path can have: NUL, or half of a surrogate pair.
    """
    if not isinstance(value, (str, os.PathLike)) or not os.fspath(value):
        raise ConfigurationError(f"{name} must be a str or Path, got {shown(value)}")
    found = os.fsdecode(value)
    try:
        is_possible = b"\0" not in os.fsencode(found)
    except UnicodeEncodeError:
        is_possible = False
    if not is_possible:
        raise ConfigurationError(f"{name} has a character that no path can have, got {shown(found)}")
    return Path(found)


def texts(value: Any, name: str) -> list[str]:
    """Return a list of str for a list or tuple of str; a single text is refused, its letters are not meant.

    Raises:
        ConfigurationError: The value, or one of its items, is something else.
    """
    items = sequence(value, name)
    if all(type(item) is str and item.isascii() for item in items):
        return items.copy()  # the usual case, without a name for each item
    return [text(item, f"{name}[{i}]", empty=True) for i, item in enumerate(items)]


def json_object(value: Any, name: str) -> dict[str, Any]:
    """Return the dict; refuse what is none, or has keys that are no text.

    Raises:
        ConfigurationError: The value is no dict of text keys.
    """
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise ConfigurationError(f"{name} must be a dict with str keys, got {shown(value)}")
    return value


def finite_object(value: Any, name: str) -> dict[str, Any]:
    """Return the dict of text keys; refuse numbers in it that JSON cannot hold.

    Raises:
        ConfigurationError: The value is no dict of text keys, or a number in it is NaN or infinite.
    """
    found = json_object(value, name)
    place = place_without_number(found, name)
    if place is not None:
        raise ConfigurationError(without_number(place))
    return found


def without_number(place: str) -> str:
    """Say what is wrong with NaN or infinity at a place."""
    return (
        f"{place} is NaN or infinite, which JSON cannot hold, so that null would be stored: leave it out, or give None"
    )


def place_without_number(value: Any, name: str, depth: int = 0) -> str | None:
    """Return where in a value the first NaN or infinity is; None: nowhere."""
    if type(value) in _IMMUTABLE or value is None:
        return name if type(value) is float and not math.isfinite(value) else None
    if depth > JSON_DEPTH_MAX:
        return None  # refused elsewhere
    if isinstance(value, dict):
        pairs: Iterable[tuple[Any, Any]] = value.items()
    elif isinstance(value, (list, tuple)):
        pairs = enumerate(value)
    else:
        plain = getattr(value, "tolist", None)
        return None if plain is None else place_without_number(plain(), name, depth + 1)
    for key, item in pairs:
        if type(item) is float and math.isfinite(item):
            continue  # many numbers are the usual case of long lists
        place = place_without_number(item, f"{name}[{key!r}]", depth + 1)
        if place is not None:
            return place
    return None


def copied_object(value: Any, name: str) -> dict[str, Any]:
    """Return a copy of a dict with text keys. Dicts, lists, dataclasses and arrays in it are copied too: it is nobody else's to change.

    Arrays of numpy stay such, scalars of numpy and tensors of torch become Python's numbers and lists, dataclasses dicts.

    Raises:
        ConfigurationError: The value is no dict of text keys, is nested deeper than JSON is written (it may hold itself), or holds
            what has no JSON form; the message says where.
    """
    found = {str(key): _copied(item, name, 1) for key, item in json_object(value, name).items()}
    dump_json(found, name)
    return found


def _copied(value: Any, name: str, depth: int) -> Any:
    if value is None or type(value) in _IMMUTABLE:
        return value
    if depth > JSON_DEPTH_MAX:
        raise ConfigurationError(f"{name} is nested more than {JSON_DEPTH_MAX} deep, or holds itself")
    if isinstance(value, dict):
        # numpy's texts are texts, and no keys to orjson.
        return {
            str(key) if isinstance(key, str) else key: _copied(item, name, depth + 1) for key, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [_copied(item, name, depth + 1) for item in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: _copied(getattr(value, field.name), f"{name}.{field.name}", depth + 1)
            for field in dataclasses.fields(value)
            if not field.name.startswith("_")  # what orjson leaves out too
        }
    return _copied_array(value, name) if hasattr(value, "tolist") else value


def _copied_array(value: Any, name: str) -> Any:
    refuse_masked(value, name)
    if _array_kind(value) in _NUMERIC and value.ndim:
        return value.copy()
    plain = value.tolist()
    if _array_kind(value) in _TIMES and "NaT" in str(value):
        raise ConfigurationError(f"{name} has NaT, which JSON cannot hold, so that null would be stored: leave it out")
    return float(plain) if type(plain) is type(value) and hasattr(plain, "__float__") else plain  # numpy's longdouble


def dump_json(value: Any, name: str = "") -> bytes:
    """Return compact JSON; NaN becomes null, UUIDs and dates text, as on the vendor's side (docs/wire.md#headers).

    Args:
        value: What is written.
        name: Argument that it was given for; by default its keys are the names of arguments.

    Raises:
        ConfigurationError: Something in it has no JSON form.
    """
    try:
        return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY)
    except TypeError as exc:
        place, why = _unwritable(value, name, exc)
        raise ConfigurationError(
            f"{place} cannot be written as JSON: {why}. It takes text, numbers of up to 64 bits, lists and dicts: sorted(...), str(...)"
        ) from exc


def _unwritable(value: Any, name: str, why: TypeError) -> tuple[str, TypeError]:
    """Return where in a value something has no JSON form, and why; not deeper than `PLACE_DEPTH`, since it may hold itself."""
    for _ in range(PLACE_DEPTH):
        pairs = (
            value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, (list, tuple)) else ()
        )
        for key, item in pairs:
            try:
                orjson.dumps(item, option=orjson.OPT_SERIALIZE_NUMPY)
            except TypeError as exc:
                value, why = item, exc
                name = f"{name}[{key!r}]" if name else str(key)
                break
        else:
            break
    return name or "the request", why


def uuid(value: Any, name: str) -> UUID:
    """Return the UUID for a UUID or its text.

    Raises:
        ConfigurationError: The value is neither.
    """
    if isinstance(value, UUID):
        return value
    try:
        return UUID(value)
    except (TypeError, ValueError, AttributeError):
        raise ConfigurationError(f"{name} must be a UUID or its text, got {shown(value)}") from None


def boolean(value: Any, name: str) -> bool:
    """Return Python's bool for one of Python, numpy or torch; refuse everything else, since `"false"` is true.

    Raises:
        ConfigurationError: The value is no bool.
    """
    found = plain_scalar(value)
    if not isinstance(found, bool):
        raise ConfigurationError(f"{name} must be True or False, got {shown(value)}")
    return found


def choice(value: Any, name: str, choices: Iterable[str | None]) -> None:
    """Refuse what is none of a few texts.

    Args:
        value: What was given.
        name: How the message calls it.
        choices: What it may be; the message lists them in this order.

    Raises:
        ConfigurationError: It is something else.
    """
    allowed = list(choices)
    if not isinstance(value, (str, type(None))) or value not in allowed:
        *others, last = ("None" if one is None else f'"{one}"' for one in allowed)
        raise ConfigurationError(f"{name} must be {', '.join(others)} or {last}, got {shown(value)}")


def epoch_seconds(value: Any, name: str) -> float:
    """Return seconds since 1970 for a number or an aware datetime.

    Raises:
        ConfigurationError: The value is neither; a datetime without a zone is refused, since it may mean any.
    """
    if isinstance(value, datetime.datetime):
        if value.tzinfo is None:
            raise ConfigurationError(
                f"{name} must have a time zone, got {shown(value)}: .astimezone() where it is local time, or "
                ".replace(tzinfo=datetime.timezone.utc)"
            )
        return value.timestamp()
    if _plain(value) is None:
        way = ""
        if isinstance(value, str):
            way = f": {_datetime_of(value)}"
        elif _array_kind(value) == "M":
            way = ': .astype("datetime64[us]").item().replace(tzinfo=datetime.timezone.utc)'
        raise ConfigurationError(
            f"{name} must be a number of epoch seconds or an aware datetime, got {shown(value)}{way}"
        )
    return real_number(value, name)


def _datetime_of(value: str) -> str:
    """Return what makes a timestamp of a text in one of the usual forms: seconds, EXIF's, or ISO 8601."""
    try:
        float(value)
    except ValueError:
        pass
    else:
        return "float(...)"
    if _EXIF_TIME.fullmatch(value.strip()):
        return 'datetime.datetime.strptime(..., "%Y:%m:%d %H:%M:%S").astimezone()'
    return "datetime.datetime.fromisoformat(...).astimezone()"
