# ruff: noqa: S608 - names of tables and columns come from the code, values are bound
"""`Table`: the rows of one attrs class in the database. Values only; nothing here knows what a row means."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from typing import Any, Generic, Protocol, TypeVar

import attrs

from picsellia_async.emulator.refusal import not_found


class Row(Protocol):
    """What all rows have."""

    id: str
    seq: int | None


R = TypeVar("R", bound=Row)


class Table(Generic[R]):
    """One large table; its columns are the fields of an attrs class, its key is `id`."""

    def __init__(self, connection: sqlite3.Connection, name: str, record: type[R]) -> None:
        """Make the table if it is not there."""
        self._connection = connection
        self._record = record
        self._name = name
        fields: Iterable[attrs.Attribute[Any]] = attrs.fields(record)  # type: ignore[arg-type] # rows are attrs classes
        columns = [field.name for field in fields if field.name != "seq"]  # that one is the table's own
        declared = ", ".join("id text not null unique" if column == "id" else column for column in columns)
        connection.execute(f"create table if not exists {name} (seq integer primary key autoincrement, {declared})")
        self._columns = (*columns, "seq")
        marks = ", ".join("?" * len(columns))
        self._insert = f"insert into {name} ({', '.join(columns)}) values ({marks})"
        self._select = f"select {', '.join(self._columns)} from {name}"
        self._values = tuple(columns)

    def insert(self, row: R) -> R:
        """Add a row and return it with its `seq`."""
        cursor = self._connection.execute(self._insert, [getattr(row, name) for name in self._values])
        row.seq = cursor.lastrowid
        return row

    def select(self, where: str = "1", *args: object, order: str = "seq", limit: int = -1, offset: int = 0) -> list[R]:
        """Return the rows that match."""
        return list(self.iterate(where, *args, order=order, limit=limit, offset=offset))

    def iterate(
        self, where: str = "1", *args: object, order: str = "seq", limit: int = -1, offset: int = 0
    ) -> Iterator[R]:
        """Yield the rows that match, without holding all of them."""
        sql = f"{self._select} where {where} order by {order} limit ? offset ?"
        for values in self._connection.execute(sql, (*args, limit, offset)):
            yield self._record(**dict(zip(self._columns, values, strict=True)))

    def get(self, id_: str, what: str) -> R:
        """Return the row of an id.

        Raises:
            Refusal: 404, there is none.
        """
        found = self.select("id = ?", id_, limit=1)
        if not found:
            raise not_found(what, id_)
        return found[0]

    def count(self, where: str = "1", *args: object) -> int:
        """Return how many rows match."""
        found: int = self._connection.execute(f"select count(*) from {self._name} where {where}", args).fetchone()[0]
        return found

    def ends(self) -> tuple[int, int]:
        """Return the first and the last `seq`; without rows, an empty range."""
        # Two look-ups in the tree of the keys; `min` and `max` in one statement would walk all of it.
        sql = f"select (select min(seq) from {self._name}), (select max(seq) from {self._name})"
        first, last = self._connection.execute(sql).fetchone()
        return (1, 0) if first is None else (first, last)

    def groups(self, column: str) -> list[tuple[Any, int, int]]:
        """Return the values of a column, each with its newest `seq` and the number of its rows."""
        sql = f"select {column}, max(seq), count(*) from {self._name} group by {column}"
        return self._connection.execute(sql).fetchall()

    def total(self, column: str, where: str = "1", *args: object) -> int:
        """Return the sum of a column over the rows that match."""
        found: int = self._connection.execute(
            f"select total({column}) from {self._name} where {where}", args
        ).fetchone()[0]
        return int(found)

    def update(self, id_: str, **changes: object) -> None:
        """Change columns of one row."""
        assignments = ", ".join(f"{name} = ?" for name in changes)
        self._connection.execute(f"update {self._name} set {assignments} where id = ?", (*changes.values(), id_))

    def delete(self, where: str, *args: object) -> int:
        """Remove the rows that match and return how many there were."""
        return self._connection.execute(f"delete from {self._name} where {where}", args).rowcount
