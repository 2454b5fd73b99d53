"""The one cattrs converter of the client, and its strict twin for the emulator. orjson makes and reads the bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Final, TypeAlias, Union, get_args, get_origin
from uuid import UUID

import cattrs
from cattrs.preconf.orjson import OrjsonConverter, make_converter

from picsellia_async._wire.unset import UNSET, UnsetType

JsonObject: TypeAlias = Annotated[dict[str, Any], "json"]
"""JSON that passes through untouched: metadata, predictions, parameters. orjson takes UUIDs, dates and enums in it."""


def _without_unset(type_: Any) -> Any:
    return Union[tuple(arg for arg in get_args(type_) if not _mentions_unset(arg))]  # noqa: UP007 - a tuple of types


def _mentions_unset(type_: Any) -> bool:
    return UnsetType.UNSET in get_args(type_)


def _is_optional(type_: Any) -> bool:
    """Whether a type is a union with `UNSET` in it."""
    return any(_mentions_unset(arg) for arg in get_args(type_)) and get_origin(type_) is not Annotated


def _identity(value: Any, _type: Any = None) -> Any:
    return value


def make(*, strict: bool = False) -> OrjsonConverter:
    """Make a converter. Fields that equal their default are left out: requests default to `UNSET` and nothing else.

    Args:
        strict: Refuse unknown fields when structuring. The emulator does, so that a typo of the client fails at once;
            the client does not, since services grow.
    """
    converter = make_converter(omit_if_default=True, forbid_extra_keys=strict, prefer_attrib_converters=True)
    converter.register_structure_hook(UUID, lambda value, _: value if isinstance(value, UUID) else UUID(value))
    converter.register_structure_hook_func(_is_json, _structure_object)
    converter.register_unstructure_hook_func(_is_json, _identity)
    converter.register_structure_hook_factory(_is_optional, lambda type_: _structure_given(converter, type_))
    converter.register_unstructure_hook_factory(_is_optional, lambda type_: _unstructure_given(converter, type_))
    return converter


def _is_json(type_: Any) -> bool:
    return bool(type_ == JsonObject)


def _structure_given(converter: cattrs.Converter, type_: Any) -> Callable[[Any, Any], Any]:
    inner = _without_unset(type_)
    return lambda value, _: converter.structure(value, inner)


def _unstructure_given(converter: cattrs.Converter, type_: Any) -> Callable[[Any], Any]:
    inner = _without_unset(type_)
    hook = converter.get_unstructure_hook(inner)
    return lambda value: value if value is UNSET else hook(value)


def _structure_object(value: Any, _: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"a JSON object is expected, got {type(value).__name__}")
    return value


CONVERTER: Final = make()
"""The client's converter."""
