"""Arguments of bulk calls about data: one value for all of them, or one for each."""

from __future__ import annotations

from typing import Any

from picsellia_async._wire.platform_requests import DataChanges
from picsellia_async._wire.unset import UNSET, Unset
from picsellia_async.errors import ConfigurationError, shown
from picsellia_async.resources.data_source import source_name
from picsellia_async.resources.tag import tag_names
from picsellia_async.validation import dump_json, json_object, sequence, whole_number


def metas_of(sizes: Any, count: int) -> list[dict[str, int] | Unset]:
    """Return the `meta` of each file."""
    if sizes is None:
        return [UNSET] * count
    pairs = [sizes] if isinstance(sizes, tuple) else sequence(sizes, "sizes")
    if len(pairs) != count or not all(isinstance(pair, (list, tuple)) and len(pair) == 2 for pair in pairs):
        raise ConfigurationError(f"sizes must be (width, height) for each of the {count} paths, got {shown(sizes)}")
    return [{"width": whole_number(pair[0], "sizes", 1), "height": whole_number(pair[1], "sizes", 1)} for pair in pairs]


def per_path(value: Any, count: int, name: str) -> list[dict[str, Any] | Unset]:
    """Return the metadata of each file; checked here, since the files are stored before the request that carries it is made."""
    if value is None:
        return [UNSET] * count
    several = not isinstance(value, dict)
    found = sequence(value, name) if several else [value] * count
    if len(found) != count:
        raise ConfigurationError(f"{name} must be one dict, or one for each of the {count} paths, got {len(found)}")
    for i, one in enumerate(found if several else found[:1]):
        place = f"{name}[{i}]" if several else name
        dump_json(json_object(one, place), place)
    return list(found)


def changes_of(change: Any, name: str) -> DataChanges:
    """Return what a caller wants changed of one data."""
    names = ("metadata", "custom_metadata", "tags", "data_source")
    unknown = [key for key in json_object(change, name) if key not in names]
    if unknown:
        raise ConfigurationError(f"{name}: unknown key {unknown[0]!r}; known are {', '.join(names)}")
    fields = {key: change.get(key) for key in names}
    fields["tags"] = None if fields["tags"] is None else tag_names(fields["tags"], f"{name}['tags']")
    fields["data_source"] = source_name(fields["data_source"], f"{name}['data_source']")
    return DataChanges(**fields)
