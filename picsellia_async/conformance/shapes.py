"""The shape of JSON: which fields there are and of which types, and nothing of what is in them. Pure."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, Self
from uuid import UUID

import attrs

from picsellia_async import campaign_models, enums, models, responses
from picsellia_async.errors import ConfigurationError, shown

ANY_KEY: Final = "*"
"""Stands for keys that are the account's own words: labels, classes, names of custom metadata."""
FREE: Final = frozenset({"custom_metadata", "custom_metrics", "labels", "metadata", "parameters"})
"""Objects whose keys are the account's own."""
WORDS: Final = frozenset(
    {
        "type",
        "status",
        "state",
        "role",
        "framework",
        "trigger",
        "policy",
        "client_type",
        "content_type",
        "training_type",
    }
)
"""Fields that hold a word of the service's own, which is kept: new ones are what is looked for."""
TYPES: Final = (
    "null",
    "boolean",
    "integer",
    "number",
    "text",
    "empty text",
    "uuid",
    "time",
    "address",
    "word",
    "array",
    "object",
)
"""Every type that a shape tells."""

_KEY: Final = re.compile(r"[a-z][a-zA-Z0-9_]{0,39}")
_WORD: Final = re.compile(r"[A-Z][A-Z_/-]{0,39}")


KNOWN_WORDS: Final = frozenset(
    member.value.upper()
    for kind in vars(enums).values()
    if isinstance(kind, type) and issubclass(kind, enums.WireEnum)
    for member in kind
)
"""Every word of the enums of this SDK."""


def _vocabulary() -> frozenset[str]:
    found: set[str] = set()
    for module in (models, campaign_models, responses):
        for kind in vars(module).values():
            if isinstance(kind, type):
                found.update(getattr(kind, "__annotations__", {}))
    return frozenset(found)


VOCABULARY: Final = _vocabulary()
"""Names of fields that this SDK reads."""
_RECORD: Final = 4
"""Of these in one object: it is a record of the service's, so that its other keys are fields and not the account's own words."""


@attrs.define
class Shape:
    """Which types one place of an answer has, and what is below it."""

    types: set[str] = attrs.field(factory=set)
    """Of `TYPES`."""
    fields: dict[str, Shape] = attrs.field(factory=dict)
    """Of objects, by key."""
    optional: set[str] = attrs.field(factory=set)
    """Keys that not every object had."""
    items: Shape | None = None
    """Of all items of arrays; None: no array had one."""
    words: set[str] = attrs.field(factory=set)
    """The service's own words that stood here."""

    @classmethod
    def of(cls, value: Any, key: str = "", *, is_record: bool = False, has_records: bool = True) -> Self:
        """Return the shape of a JSON value.

        Args:
            value: What `json.loads` gives.
            key: The field that it stands in.
            is_record: Whether all of its keys are surely the service's own, as those of an answer to one object are.
            has_records: Whether keys that this SDK does not read may be the service's own; those of statistics may be names of labels.
        """
        if isinstance(value, dict):
            fields = {} if key in FREE else _fields(value, is_record=is_record, has_records=has_records)
            return cls({"object"}, fields)
        if isinstance(value, list):
            return cls({"array"}, items=merged(Shape.of(one, key, has_records=has_records) for one in value))
        type_ = _type(value)
        is_word = type_ == "text" and key in WORDS and (_WORD.fullmatch(value) or value.upper() in KNOWN_WORDS)
        return cls({"word"}, words={value}) if is_word else cls({type_})

    @classmethod
    def from_json(cls, value: Any) -> Self:
        """Read what `to_json` gave.

        Raises:
            ConfigurationError: It is no such thing.
        """
        if not isinstance(value, dict) or not set(value.get("types", ["?"])) <= set(TYPES):
            raise ConfigurationError(f"a shape is an object with types out of {', '.join(TYPES)}, got {shown(value)}")
        fields = {key: Shape.from_json(one) for key, one in value.get("fields", {}).items()}
        items = Shape.from_json(value["items"]) if value.get("items") else None
        return cls(set(value["types"]), fields, set(value.get("optional", [])), items, set(value.get("words", [])))

    def to_json(self) -> dict[str, Any]:
        """Return it for a file; what is empty is left out."""
        found: dict[str, Any] = {"types": sorted(self.types)}
        if self.words:
            found["words"] = sorted(self.words)
        if self.fields:
            found["fields"] = {key: one.to_json() for key, one in sorted(self.fields.items())}
        if self.optional:
            found["optional"] = sorted(self.optional)
        if self.items is not None:
            found["items"] = self.items.to_json()
        return found


def merged(shapes: Iterable[Shape]) -> Shape | None:
    """Return one shape for several; None for none."""
    given = list(shapes)
    if not given:
        return None
    objects = [one for one in given if "object" in one.types]
    keys = dict.fromkeys(key for one in objects for key in one.fields)
    everywhere = {key for key in keys if all(key in one.fields for one in objects)}
    return Shape(
        types={type_ for one in given for type_ in one.types},
        fields={key: _merged([one.fields[key] for one in objects if key in one.fields]) for key in keys},
        optional=(set(keys) - everywhere) | {key for one in objects for key in one.optional},
        items=merged(one.items for one in given if one.items is not None),
        words={word for one in given for word in one.words},
    )


def _merged(shapes: list[Shape]) -> Shape:
    return merged(shapes) or Shape()


def _fields(value: Mapping[str, Any], *, is_record: bool, has_records: bool) -> dict[str, Shape]:
    known = VOCABULARY.intersection(value)
    if has_records and (is_record or "id" in known or {"count", "items"} <= known or len(known) >= _RECORD):
        known = frozenset(key for key in value if _KEY.fullmatch(key))
    fields = {key: Shape.of(value[key], key, has_records=has_records) for key in known}
    others = merged(Shape.of(value[key], has_records=has_records) for key in value if key not in known)
    return fields if others is None else {**fields, ANY_KEY: others}


def _type(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    return _text_type(value) if isinstance(value, str) else "number"


def _text_type(value: str) -> str:
    if not value:
        return "empty text"
    if value.startswith(("http://", "https://")):
        return "address"
    for type_, read in (("uuid", UUID), ("time", datetime.datetime.fromisoformat)):
        try:
            read(value)
        except ValueError:
            continue
        return type_
    return "text"
