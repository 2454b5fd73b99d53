"""Pages of listings: simple lists, cursors, offsets and filters (docs/wire.md#lists). Rows stay in the database until their page is due."""

from __future__ import annotations

import base64
import binascii
import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Final, Generic, TypeVar

import attrs
import orjson

from picsellia_async._wire.converter import JsonObject
from picsellia_async._wire.platform_requests import FilterRequest
from picsellia_async._wire.unset import or_none
from picsellia_async.emulator.query import language
from picsellia_async.emulator.query.parameters import Parameters
from picsellia_async.emulator.refusal import bad_request, unprocessable
from picsellia_async.emulator.store.table import Row, Table
from picsellia_async.enums import DataType, DataUploadStatus

T = TypeVar("T")
R = TypeVar("R", bound=Row)

PAGE_MAX: Final = 1000
"""Items of a page at most, and without a limit (docs/wire.md#limits)."""


def simple(query: Parameters, items: list[T], show: Callable[[T], JsonObject], name: str = "items") -> JsonObject:
    """Return one page of a simple list: everything unless `limit` says otherwise (docs/wire.md#simple-lists, assumed)."""
    limit = query.integer("limit", 1)
    offset = query.integer("offset") or 0
    shown = [show(item) for item in items]
    for order in reversed(query.texts("order_by")):
        _sort(shown, order)
    end = None if limit is None else offset + limit
    return {name: shown[offset:end], "count": len(shown)}


def _sort(shown: list[JsonObject], order: str) -> None:
    name = order.removeprefix("-")
    if any(name not in item for item in shown):
        raise unprocessable(f"order_by {order!r} is no field of the items")
    try:
        shown.sort(key=lambda item: (item[name] is not None, item[name]), reverse=order.startswith("-"))
    except TypeError:
        raise unprocessable(f"order_by {order!r} is a field that has no order") from None


def check_listed_kinds(query: Parameters) -> None:
    """Read what every paged list says (docs/wire.md#paged-lists) and refuse words that are no status or type.

    Raises:
        Refusal: 422.
    """
    for name, enum in (("upload_statuses", DataUploadStatus), ("types", DataType)):
        wrong = [value for value in query.texts(name) if value not in enum.__members__]
        if wrong:
            raise unprocessable(f"unknown {name}", wrong)


@attrs.define(kw_only=True)
class Where:
    """A condition on a table: SQL with its values, joined by `and`."""

    sql: list[str] = attrs.field(factory=list)
    """Conditions, joined by `and`."""
    values: list[object] = attrs.field(factory=list)
    """Their values, in order."""

    def add(self, sql: str, *values: object) -> None:
        """Add a condition."""
        self.sql.append(sql)
        self.values.extend(values)

    def add_any_of(self, column: str, values: list[str]) -> None:
        """Add the condition that a column has one of some values."""
        # One value, whatever the length of the list: SQLite takes 32,766 of them at most.
        self.add(f"{column} in (select value from json_each(?))", orjson.dumps(values).decode())  # noqa: S608 - a name from the code

    def add_custom_metadata(self, wanted: JsonObject | None, data: str) -> None:
        """Leave out what cannot have these custom metadata, so that not every row is shown to be looked at.

        Args:
            wanted: Keys and values; only texts are looked for, which are written in one way. What is left is still to be compared.
            data: SQL that gives the custom metadata of a row.
        """
        for name, value in (wanted or {}).items():
            if isinstance(value, str):
                self.add(f"instr({data}, ?)", orjson.dumps({name: value})[1:-1])

    def text(self) -> str:
        """Return the whole condition."""
        return " and ".join(self.sql) or "1"


@attrs.frozen(kw_only=True)
class Paged(Generic[R]):
    """A listing that comes in pages of rows (docs/wire.md#paged-lists)."""

    table: Table[R]
    """Where the rows are."""
    where: Where
    """Those that are listed."""
    show: Callable[[list[R]], list[JsonObject]]
    """Makes the items of some rows."""
    columns: Mapping[str, str]
    """What `order_by` may name, and the column that stands for it."""
    matches: Callable[[JsonObject], bool] | None = None
    """A further condition on the item; None: there is none."""

    def page(self, query: Parameters) -> JsonObject:
        """Return the page that the query asks for: by cursor, newest first, or by offset where there is an order."""
        limit = min(query.integer("limit", 1) or PAGE_MAX, PAGE_MAX)
        offset = query.integer("offset") or 0
        orders = query.texts("order_by")
        cursor = query.text("cursor")
        matches = _all_of(self.matches, language.condition(query.text("q")))
        count = self._count(matches)
        if cursor is not None:
            self.where.add("seq < ?", read_cursor(cursor))
        # Items that are alike follow the direction of the order, so that turning it round turns the list round.
        ties = "seq" if orders and not orders[0].startswith("-") else "seq desc"
        order = ", ".join([*map(self._column, orders), ties])
        # One more than asked for tells whether there is a next page.
        rows = self._rows(matches, order, limit + 1, offset)
        is_last = len(rows) <= limit or bool(orders)
        rows = rows[:limit]
        items = self.show(rows)
        return {"items": items, "count": count, "next_cursor": None if is_last else make_cursor(rows[-1].seq or 0)}

    def _column(self, order: str) -> str:
        column = self.columns.get(order.removeprefix("-"))
        if column is None:
            raise unprocessable(f"order_by {order!r} must be one of {', '.join(self.columns)}")
        return f"{column} desc" if order.startswith("-") else column

    def _count(self, matches: Callable[[JsonObject], bool] | None) -> int:
        if matches is None:
            return self.table.count(self.where.text(), *self.where.values)
        return sum(1 for _ in self._matching(matches, "seq"))

    def _rows(self, matches: Callable[[JsonObject], bool] | None, order: str, limit: int, offset: int) -> list[R]:
        if matches is None:
            return self.table.select(self.where.text(), *self.where.values, order=order, limit=limit, offset=offset)
        return list(itertools.islice(self._matching(matches, order), offset, offset + limit))

    def _matching(self, matches: Callable[[JsonObject], bool], order: str) -> Iterator[R]:
        for row in self.table.select(self.where.text(), *self.where.values, order=order):
            if matches(self.show([row])[0]):
                yield row


def _all_of(*conditions: Callable[[JsonObject], bool] | None) -> Callable[[JsonObject], bool] | None:
    given = [condition for condition in conditions if condition is not None]
    return (lambda item: all(condition(item) for condition in given)) if given else None


def make_cursor(seq: int) -> str:
    """Return the cursor behind a row; base64, so that it needs escaping in URLs as the service's may."""
    return base64.b64encode(b"%d" % seq).decode()


def read_cursor(cursor: str) -> int:
    """Return the row that a cursor stands behind.

    Raises:
        Refusal: 400, it is no cursor of ours.
    """
    try:
        seq = int(base64.b64decode(cursor, validate=True))
    except (binascii.Error, ValueError):
        seq = -1
    if not 0 <= seq < 2**63:
        raise bad_request(f"{cursor!r} is no cursor")
    return seq


def has_custom_metadata(wanted: JsonObject | None, path: str) -> Callable[[JsonObject], bool] | None:
    """Return the condition that the object at a path holds these keys with these values; None where nothing is asked."""
    if wanted is None:
        return None

    def matches(item: JsonObject) -> bool:
        found = language.value_of(item, path)
        return isinstance(found, dict) and all(key in found and found[key] == value for key, value in wanted.items())

    return matches


def filtered(
    query: Parameters,
    items: list[JsonObject],
    body: FilterRequest,
    paths: Mapping[str, str],
    metadata_path: str = "data.custom_metadata",
) -> JsonObject:
    """Return the items that the body's list names, and that match its query and the custom metadata (docs/wire.md#long-lists).

    Args:
        query: The query of the URL; `custom_metadata` is in it.
        items: What there is to choose from.
        body: The lists and the query.
        paths: Where the values of each list stand in the items; empty where the items are chosen already.
        metadata_path: Where the custom metadata stand in the items.

    Raises:
        Refusal: 422, none or several lists are given.
    """
    lists = {name: values for name in paths if (values := or_none(getattr(body, name))) is not None}
    if paths and len(lists) != 1:
        raise unprocessable(f"exactly one of {', '.join(paths)} must be given")
    wanted = [
        (_begins_with if name.endswith("_startswith") else _is_among)(paths[name], {str(value) for value in values})
        for name, values in lists.items()
    ]
    tests = [
        language.condition(or_none(body.q)), has_custom_metadata(query.json("custom_metadata"), metadata_path),
        *wanted,
    ]  # fmt: skip
    matches = _all_of(*tests)
    found = [item for item in items if matches is None or matches(item)]
    return {"items": found, "count": len(found), "next_cursor": None}


def _begins_with(path: str, values: set[str]) -> Callable[[JsonObject], bool]:
    beginnings = tuple(values)
    return lambda item: str(language.value_of(item, path)).startswith(beginnings)


def _is_among(path: str, values: set[str]) -> Callable[[JsonObject], bool]:
    return lambda item: language.value_of(item, path) in values
