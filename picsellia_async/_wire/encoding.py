"""Values as they travel: JSON bytes and the text of queries (docs/wire.md#encoding)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias
from urllib.parse import urlencode

import attrs

from picsellia_async._wire.converter import CONVERTER
from picsellia_async._wire.unset import UNSET
from picsellia_async.validation import dump_json

Query: TypeAlias = Iterable[tuple[str, Any]]
"""Pairs in order; None and `UNSET` are left out, lists are repeated."""


def encode_query(query: Query) -> str:
    """Encode a query as the vendor's SDK does: form encoding, `True`/`False`, repeated keys, dicts as compact JSON (docs/wire.md#encoding)."""
    pairs: list[tuple[str, str]] = []
    for key, value in query:
        if value is None or value is UNSET:
            continue
        values = value if isinstance(value, (list, tuple)) else [value]
        pairs += [(key, _query_text(item, key)) for item in values]
    return urlencode(pairs)


def _query_text(value: Any, name: str) -> str:
    if isinstance(value, dict):
        return dump_json(value, name).decode()
    return str(value)


def encode_body(request: Any) -> bytes:
    """Return the JSON bytes of a request class, in the order of its fields, or of a list; `UNSET` fields are left out.

    Raises:
        ConfigurationError: A value has no JSON form.
    """
    fields = CONVERTER.unstructure(request)
    if isinstance(fields, list):
        return dump_json(fields)
    # cattrs puts fields without a default first, the wire does not.
    ordered = {name: fields[name] for name in attrs.fields_dict(type(request)) if name in fields}
    return dump_json(ordered)
