"""What paged lists ask for, page by page (docs/wire.md#lists). Pure; `_services/paging` sends it.

Two ways to page, picked by the caller's arguments as the vendor's SDK picks them:

* *Cursor*: without `order_by`. Each answer names the next page, so pages follow one another.
* *Offset*: with `order_by`. The first answer says how many there are, so the others can be fetched at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, TypeVar
from uuid import UUID

import attrs

from picsellia_async._wire.platform_requests import DATA_TYPES, UPLOAD_STATUSES, FilterRequest, identifier
from picsellia_async.errors import ConfigurationError, shown
from picsellia_async.validation import json_object, sequence, text, whole_number

T = TypeVar("T")

UNASSIGNED: Final = "unassigned"
"""In place of a user: tasks of nobody."""

PAGE_SIZE: Final = 1000
"""Most items that one page may hold (docs/wire.md#limits), and the default."""


def _limit(value: Any) -> int | None:
    return None if value is None else whole_number(value, "limit", 1)


def _offset(value: Any) -> int | None:
    return None if value is None else whole_number(value, "offset", 0)


def _query(value: Any) -> str | None:
    return None if value is None else text(value, "q")


def _page_size(value: Any) -> int:
    # More than a page may hold is asked for as several pages, so it is no mistake.
    return PAGE_SIZE if value is None else min(PAGE_SIZE, whole_number(value, "page_size", 1))


def order_of(value: Any) -> list[str] | None:
    """Return the names of fields to order by, or None; an empty list counts as None.

    Raises:
        ConfigurationError: The value is no list of texts.
    """
    if value is None:
        return None
    return [text(item, f"order_by[{i}]") for i, item in enumerate(sequence(value, "order_by"))] or None


def simple_query(limit: Any, offset: Any, order_by: Any) -> list[tuple[str, Any]]:
    """Return the query of a list that is one request (docs/wire.md#simple-lists).

    Raises:
        ConfigurationError: A value cannot be used.
    """
    return [("limit", _limit(limit)), ("offset", _offset(offset)), ("order_by", order_of(order_by))]


@attrs.frozen(kw_only=True)
class Listing:
    """A paged list: which items, how many, in what order, in what pieces.

    Raises:
        ConfigurationError: A value cannot be used.
    """

    filters: tuple[tuple[str, Any], ...] = ()
    """Further query parameters, which come first."""
    q: str | None = attrs.field(default=None, converter=_query)
    """Query (docs/wire.md#query-language)."""
    limit: int | None = attrs.field(default=None, converter=_limit)
    """Never more than so many items; None: all."""
    offset: int | None = attrs.field(default=None, converter=_offset)
    """Skip so many."""
    page_size: int = attrs.field(default=PAGE_SIZE, converter=_page_size)
    """Items per request."""
    order_by: list[str] | None = attrs.field(default=None, converter=order_of)
    """Names of fields, `-` before a name for descending order; None: newest first, by cursor."""

    def first(self) -> list[tuple[str, Any]]:
        """Return the query of the first page."""
        size = self._size(0)
        if self.order_by is not None:
            return self.at(self.offset or 0, size)
        return [*self.filters, ("q", self.q), ("limit", size), ("offset", self.offset), *_CONSTANT]

    def after(self, cursor: str, got: int) -> list[tuple[str, Any]]:
        """Return the query of the page behind a cursor, when `got` items are there already."""
        return [*self.filters, ("q", self.q), ("limit", self._size(got)), *_CONSTANT, ("cursor", cursor)]

    def at(self, offset: int, size: int) -> list[tuple[str, Any]]:
        """Return the query of the page at an offset."""
        place = [("limit", size), ("offset", offset), ("order_by", self.order_by)]
        return [*self.filters, *place, ("q", self.q), *_CONSTANT]

    def rest(self, got: int, count: int | None) -> Iterator[list[tuple[str, Any]]]:
        """Yield the queries of the pages after the first one, by offset.

        Args:
            got: Items that the first page held.
            count: Items that match in all, as the first page said; None: it did not say, and nothing is yielded.
        """
        start = self.offset or 0
        wanted = max(0, (count or 0) - start)
        wanted = wanted if self.limit is None else min(wanted, self.limit)
        # A service that gives less than it was asked for gives as little the next time.
        size = min(self.page_size, got)
        for done in range(got, wanted, size) if size else ():
            yield self.at(start + done, size if self.limit is None else min(size, wanted - done))

    def left(self, got: int) -> int | None:
        """Return how many more items are wanted; None: all there are."""
        return None if self.limit is None else self.limit - got

    def cut(self, items: list[T]) -> list[T]:
        """Return the part of a whole result that was asked for, where the service cannot be told."""
        start = self.offset or 0
        return items[start:] if self.limit is None else items[start : start + self.limit]

    def _size(self, got: int) -> int:
        left = self.left(got)
        return self.page_size if left is None else min(self.page_size, left)


_CONSTANT: Final = (("upload_statuses", [str(s) for s in UPLOAD_STATUSES]), ("types", [str(t) for t in DATA_TYPES]))
"""Always on paged lists, and last (docs/wire.md#paged-lists)."""


def paged_constants() -> list[tuple[str, Any]]:
    """Return what paged lists always say; finding a data says it too (docs/wire.md#datalake-endpoints)."""
    return list(_CONSTANT)


def metadata_filter(value: Any) -> dict[str, Any] | None:
    """Return the custom metadata to filter by, or None.

    Raises:
        ConfigurationError: The value is no dict.
    """
    return None if value is None else json_object(value, "custom_metadata")


def user_filter(value: Any, name: str) -> UUID | str | None:
    """Return the id of the user to filter by, or "unassigned", or None.

    Raises:
        ConfigurationError: The value is neither a user nor an id nor that word.
    """
    return value if value is None or value == UNASSIGNED else identifier(value, name)


def either(criteria: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """Return the criteria that were given.

    Raises:
        ConfigurationError: None was.
    """
    found = [(name, value) for name, value in criteria if value is not None]
    if not found:
        raise ConfigurationError(f"give at least one of {', '.join(name for name, _ in criteria)}")
    for name, value in found:
        if not isinstance(value, UUID):
            text(value, name)
    return found


def query_of_tags(q: str | None, names: list[str], *, intersect: bool, field: str = "tags.name") -> str | None:
    """Return the query with a condition on tags added (docs/wire.md#query-language).

    Raises:
        ConfigurationError: A name with a quotation mark in it, for which the query language has no known form.
    """
    if any('"' in name for name in names):
        raise ConfigurationError(f"tags with a quotation mark in their name cannot be searched for, got {shown(names)}")
    quoted = [f'"{name}"' for name in names]
    if not quoted:
        return q
    condition = (
        " and ".join(f"{field} = {name}" for name in quoted) if intersect else f"{field} in ({','.join(quoted)})"
    )
    return f"{q} and {condition}" if q else condition


def values_in_chunks(listing: Listing, **filters: Any) -> list[FilterRequest] | None:
    """Return the XGET bodies of a list that is filtered by explicit values, 1000 values each; None without such a filter.

    Raises:
        ConfigurationError: More than one filter, an empty one, or a value that cannot be used.
    """
    given = {name: values for name, values in filters.items() if values is not None}
    if not given:
        return None
    if len(given) > 1:
        raise ConfigurationError(f"{' and '.join(given)} exclude each other: give one of them")
    [(name, values)] = given.items()
    read = identifier if name.endswith("ids") else text
    checked = [read(value, f"{name}[{i}]") for i, value in enumerate(sequence(values, name))]
    if not checked:
        raise ConfigurationError(f"{name} must not be empty")
    chunks = [checked[i : i + PAGE_SIZE] for i in range(0, len(checked), PAGE_SIZE)]
    fields: dict[str, Any] = {"q": listing.q, "upload_statuses": list(UPLOAD_STATUSES), "types": list(DATA_TYPES)}
    return [FilterRequest(**{**fields, _FIELD.get(name, name): chunk}) for chunk in chunks]


_FIELD: Final = {"filenames_startswith": "filename_startswith"}
"""Arguments that the wire calls otherwise."""
