"""Pages of listings: simple lists, cursors, offsets and filters (docs/wire.md#lists). Rows stay in the database until their page is due."""

from __future__ import annotations

import base64
import binascii
import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Generic, TypeVar

import attrs

from picsellia_async._wire.platform_requests import FilterRequest
from picsellia_async.emulator.context import Call, bad_request, known, unprocessable
from picsellia_async.emulator.query import language as querying
from picsellia_async.emulator.store.store import Row, Table

T = TypeVar("T")
R = TypeVar("R", bound=Row)

Json = dict[str, Any]

PAGE_MAX: Final = 1000
"""Items of a page at most, and without a limit (docs/wire.md#limits)."""


def simple(call: Call, items: list[T], show: Callable[[T], Json], name: str = "items") -> Json:
    """Return one page of a simple list: everything unless `limit` says otherwise (docs/wire.md#simple-lists, assumed)."""
    limit = call.query.integer("limit", 1)
    offset = call.query.integer("offset") or 0
    shown = [show(item) for item in items]
    for order in reversed(call.query.texts("order_by")):
        _sort(shown, order)
    end = None if limit is None else offset + limit
    return {name: shown[offset:end], "count": len(shown)}


def _sort(shown: list[Json], order: str) -> None:
    name = order.removeprefix("-")
    if any(name not in item for item in shown):
        raise unprocessable(f"order_by {order!r} is no field of the items")
    shown.sort(key=lambda item: (item[name] is not None, item[name]), reverse=order.startswith("-"))


@attrs.define(kw_only=True)
class Where:
    """A condition on a table: SQL with its values, joined by `and`."""

    sql: list[str] = attrs.field(factory=list)
    """Conditions."""
    values: list[object] = attrs.field(factory=list)
    """Their values, in order."""

    def add(self, sql: str, *values: object) -> None:
        """Add a condition."""
        self.sql.append(sql)
        self.values.extend(values)

    def add_any_of(self, column: str, values: list[str]) -> None:
        """Add the condition that a column has one of some values."""
        self.add(f"{column} in ({', '.join('?' * len(values))})", *values)

    def text(self) -> str:
        """Return the whole condition."""
        return " and ".join(self.sql) or "1"


@attrs.frozen(kw_only=True)
class Paged(Generic[R]):
    """A listing that comes in pages of rows (docs/wire.md#paged-lists)."""

    table: Table[R]
    """Where the rows are."""
    where: Where
    """Which ones."""
    show: Callable[[list[R]], list[Json]]
    """Makes the items of some rows."""
    columns: Mapping[str, str]
    """What `order_by` may name, and the column that stands for it."""
    matches: Callable[[Json], bool] | None = None
    """A further condition on the item; None: there is none."""

    def page(self, call: Call) -> Json:
        """Return the page that the query asks for: by cursor, newest first, or by offset where there is an order."""
        limit = min(call.query.integer("limit", 1) or PAGE_MAX, PAGE_MAX)
        offset = call.query.integer("offset") or 0
        orders = call.query.texts("order_by")
        cursor = call.query.text("cursor")
        matches = _all_of(self.matches, querying.condition(call.query.text("q")))
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

    def _count(self, matches: Callable[[Json], bool] | None) -> int:
        if matches is None:
            return self.table.count(self.where.text(), *self.where.values)
        return sum(1 for _ in self._matching(matches, "seq"))

    def _rows(self, matches: Callable[[Json], bool] | None, order: str, limit: int, offset: int) -> list[R]:
        if matches is None:
            return self.table.select(self.where.text(), *self.where.values, order=order, limit=limit, offset=offset)
        return list(itertools.islice(self._matching(matches, order), offset, offset + limit))

    def _matching(self, matches: Callable[[Json], bool], order: str) -> Iterator[R]:
        for row in self.table.select(self.where.text(), *self.where.values, order=order):
            if matches(self.show([row])[0]):
                yield row


def _all_of(*conditions: Callable[[Json], bool] | None) -> Callable[[Json], bool] | None:
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
        return int(base64.b64decode(cursor, validate=True))
    except (binascii.Error, ValueError):
        raise bad_request(f"{cursor!r} is no cursor") from None


def has_custom_metadata(wanted: Json | None, path: str) -> Callable[[Json], bool] | None:
    """Return the condition that the object at a path holds these keys with these values; None where nothing is asked."""
    if wanted is None:
        return None

    def matches(item: Json) -> bool:
        found = querying.value_of(item, path)
        return isinstance(found, dict) and all(key in found and found[key] == value for key, value in wanted.items())

    return matches


def filtered(
    call: Call,
    items: list[Json],
    body: FilterRequest,
    paths: Mapping[str, str],
    metadata_path: str = "data.custom_metadata",
) -> Json:
    """Return the items that the body's list names, and that match its query and the custom metadata (docs/wire.md#long-lists).

    Args:
        call: The call; `custom_metadata` is in its query.
        items: What there is to choose from.
        body: The lists and the query.
        paths: Where the values of each list stand in the items; empty where the items are chosen already.
        metadata_path: Where the custom metadata stand in the items.

    Raises:
        Refusal: 422, none or several lists are given.
    """
    lists = {name: values for name in paths if (values := known(getattr(body, name))) is not None}
    if paths and len(lists) != 1:
        raise unprocessable(f"exactly one of {', '.join(paths)} must be given")
    wanted = [
        (_begins_with if name.endswith("_startswith") else _is_among)(paths[name], {str(value) for value in values})
        for name, values in lists.items()
    ]
    tests = [
        querying.condition(known(body.q)), has_custom_metadata(call.query.json("custom_metadata"), metadata_path),
        *wanted,
    ]  # fmt: skip
    matches = _all_of(*tests)
    found = [item for item in items if matches is None or matches(item)]
    return {"items": found, "count": len(found), "next_cursor": None}


def _begins_with(path: str, values: set[str]) -> Callable[[Json], bool]:
    beginnings = tuple(values)
    return lambda item: str(querying.value_of(item, path)).startswith(beginnings)


def _is_among(path: str, values: set[str]) -> Callable[[Json], bool]:
    return lambda item: querying.value_of(item, path) in values
