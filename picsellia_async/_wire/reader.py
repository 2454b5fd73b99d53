"""Reading answers leniently: what this SDK needs must be there, everything else is read where it can be.

Services answer more, less or other than their documentation says. A field with a default that cannot be read keeps its default,
an odd item of a list is left out, and each leaves one line in the log; the answer as it came is `Value.raw`. A field without a
default that cannot be read is an error with the path to it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Final, cast, get_args, get_origin

import attrs
from cattrs import BaseValidationError
from cattrs.gen import make_dict_structure_fn, override
from cattrs.preconf.orjson import OrjsonConverter

from picsellia_async._log_line import logger, tell
from picsellia_async._wire.converter import make
from picsellia_async._wire.redaction import hidden_in
from picsellia_async.enums import WireEnum
from picsellia_async.errors import shown
from picsellia_async.models import Page, Value

UNREADABLE: Final = (BaseValidationError, ValueError, TypeError, KeyError, AttributeError)
"""What reading a value raises where the value is another than was expected."""

Read = Callable[[Any, Any], Any]
"""Reads a JSON value as a type."""


def _reader() -> OrjsonConverter:
    converter = make()
    converter.register_structure_hook(str, _text)
    converter.register_structure_hook(bool, _boolean)
    for enum in WireEnum.__subclasses__():  # each by itself: they are texts, which the hook for `str` would take
        converter.register_structure_hook(enum, lambda value, kind: kind.read(value))
    converter.register_structure_hook_factory(_is_value, lambda kind: _value_reader(converter, kind))
    converter.register_structure_hook_factory(_is_page, lambda kind: _page_reader(converter, kind))
    return converter


def _is_value(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Value) and kind is not Page


def _is_page(kind: Any) -> bool:
    return get_origin(kind) is Page


def _text(value: Any, _: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"a text is expected, got {shown(value)}")
    return value


def _boolean(value: Any, _: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"true or false is expected, got {shown(value)}")
    return value


def _value_reader(converter: OrjsonConverter, kind: type[Value]) -> Read:
    attrs.resolve_types(kind)
    fields = {
        field.name: override(struct_hook=_optional(converter, field, kind))
        for field in attrs.fields(kind)
        if field.default is not attrs.NOTHING and field.name != "raw"
    }
    fields["raw"] = override(omit=True)  # not a field of the answer, but all of it
    structure = make_dict_structure_fn(kind, converter, **cast("Any", fields))

    def read(value: Any, _: Any) -> Value:
        if not isinstance(value, dict):
            raise TypeError(f"a JSON object is expected, got {shown(value)}")
        made = structure(value, kind)
        object.__setattr__(made, "raw", value)
        return made

    return read


def _optional(converter: OrjsonConverter, field: attrs.Attribute[Any], kind: type[Value]) -> Read:
    """Return how a field with a default is read: as its default where it cannot be, without the odd items where it is a list."""
    where = f"{kind.__name__}.{field.name}"
    types = [of for of in get_args(field.type) if of is not type(None)]
    if get_origin(field.type) is list:
        return lambda value, _: _items(converter, value, types[0], where)
    if len(types) == 1 and get_origin(types[0]) is list:  # a list or None
        [of] = get_args(types[0])
        return lambda value, _: _items(converter, value, of, where) if isinstance(value, list) else None
    read = converter.get_structure_hook(field.type)

    def lenient(value: Any, _: Any) -> Any:
        try:
            return read(value, field.type)
        except UNREADABLE as exc:
            if value is not None:
                logger.debug("%s is left out of an answer: %s", where, _reason(exc))
            return field.default

    return lenient


def _items(converter: OrjsonConverter, value: Any, of: Any, where: str) -> list[Any]:
    """Return the items of a list that can be read; none for what is no list."""
    read = converter.get_structure_hook(of)
    items: list[Any] = []
    odd: list[str] = []
    for item in value if isinstance(value, list) else ():
        try:
            items.append(read(item, of))
        except UNREADABLE as exc:
            odd.append(_reason(exc))
    if odd:
        logger.debug("%d of %d items of %s are left out of an answer: %s", len(odd), len(value), where, odd[0])
    return items


def _page_reader(converter: OrjsonConverter, kind: Any) -> Read:
    """Return how a page is read: items that cannot be are left out and counted, unless that are all."""
    [of] = get_args(kind)
    lenient = {
        field.name: _optional(converter, field, Page)
        for field in attrs.fields(attrs.resolve_types(Page))
        if field.name in {"count", "next_cursor"}
    }

    def read(value: Any, _: Any) -> Page[Any]:
        given = value.get("items") if isinstance(value, dict) else None
        if given in ("", {}):
            given = []  # how some services write a list of nothing
        if not isinstance(given, list):
            raise TypeError(f"a page with items is expected, got {shown(value)}")
        item_reader = converter.get_structure_hook(of)
        items: list[Any] = []
        odd: list[Exception] = []
        for item in given:
            try:
                items.append(item_reader(item, of))
            except UNREADABLE as exc:
                odd.append(exc)
        if odd and not items:
            raise odd[0]
        if odd:
            tell(
                logging.WARNING,
                "%(left_out)d of %(items)d items of a list of %(kind)s could not be read and are left out: %(error)s",
                left_out=len(odd), items=len(given), kind=getattr(of, "__name__", str(of)), error=_reason(odd[0]),
            )  # fmt: skip
        rest = {name: hook(value.get(name), None) for name, hook in lenient.items()}
        return Page(items=items, odd=len(odd), **rest)

    return read


def _reason(exc: Exception) -> str:
    """Return why a value could not be read, in one line."""
    inner: Exception = exc
    while isinstance(inner, BaseValidationError) and inner.exceptions:
        inner = inner.exceptions[0]
    return hidden_in(f"{type(inner).__name__}: {inner}", ())


READER: Final = _reader()
"""Reads the answers of the services."""
