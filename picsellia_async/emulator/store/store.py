# ruff: noqa: S608 - names of tables and columns come from the code, values are bound
"""What the emulator remembers: documents and large tables in one SQLite database, contents beside it.

Theory of operation. The database lives on the event loop's thread: a statement costs tens of microseconds, less than handing it to
another thread. Handlers change it at will; nothing is committed until `settle`, which the application awaits before a success goes
out. Requests that change something at the same time share one group: their image files are written by one worker thread, then one
commit takes all of them. So an answered request survives a kill of the process at any point; a power cut may take the last
few, since the write-ahead log is not synchronised to the disk at every commit. Documents (the small things: tags, models,
campaigns) are held in memory as well and are written through.
"""

from __future__ import annotations

import asyncio
import sqlite3
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final, Generic, Protocol, TypeVar

import attrs
import orjson

from picsellia_async.emulator.context import not_found
from picsellia_async.emulator.store.blobs import MEMORY_MAX, Blobs
from picsellia_async.emulator.store.rows import AssignmentRow, DataRow, ObjectRow, PredictionRow


class Row(Protocol):
    """What all rows have."""

    id: str
    seq: int | None


R = TypeVar("R", bound=Row)

Document = dict[str, Any]
"""A small thing: a JSON object with an `id`."""

SCHEMA_VERSION: Final = 1
"""Version of the tables; another one in a data directory is refused rather than misread."""

_INDEXES: Final = """
create index if not exists data_by_name on data (datalake_id, filename);
create index if not exists data_by_object on data (datalake_id, object_name);
create index if not exists prediction_by_deployment on prediction (deployment_id, seq);
create index if not exists asset_by_deployment on prediction (deployment_id, seq) where asset_id is not null;
create index if not exists prediction_by_asset on prediction (asset_id);
create index if not exists prediction_by_data on prediction (data_id);
create index if not exists prediction_by_name on prediction (filename);
create index if not exists prediction_by_object on prediction (object_name);
create index if not exists assignment_by_campaign on assignment (campaign_id, seq);
create index if not exists assignment_by_asset on assignment (asset_id);
"""


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


class Documents:
    """The small things by kind and id, in the order of their creation."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Read what the database holds."""
        self._connection = connection
        connection.execute(
            "create table if not exists document (seq integer primary key autoincrement, kind text not null, id text not null,"
            " body blob not null, unique (kind, id))"
        )
        self._kinds: dict[str, dict[str, Document]] = {}
        for kind, id_, body in connection.execute("select kind, id, body from document order by seq"):
            self._kinds.setdefault(kind, {})[id_] = orjson.loads(body)

    def add(self, kind: str, **fields: Any) -> Document:
        """Add a document; an `id` is made up unless given."""
        document = {"id": str(uuid.uuid4()), **fields}
        self._kinds.setdefault(kind, {})[document["id"]] = document
        self.save(kind, document)
        return document

    def save(self, kind: str, document: Document) -> None:
        """Write a document that was changed in place."""
        self._connection.execute(
            "insert into document (kind, id, body) values (?, ?, ?) on conflict (kind, id) do update set body = excluded.body",
            (kind, document["id"], orjson.dumps(document)),
        )

    def get(self, kind: str, id_: str | None) -> Document:
        """Return a document.

        Raises:
            Refusal: 404, there is none.
        """
        found = self._kinds.get(kind, {}).get(id_ or "")
        if found is None:
            raise not_found(kind, id_ or "")
        return found

    def peek(self, kind: str, id_: str | None) -> Document | None:
        """Return a document, or None."""
        return self._kinds.get(kind, {}).get(id_ or "")

    def list(self, kind: str, **fields: Any) -> list[Document]:
        """Return the documents whose fields have these values, oldest first."""
        wanted = fields.items()
        return [doc for doc in self._kinds.get(kind, {}).values() if all(doc.get(k) == v for k, v in wanted)]

    def find(self, kind: str, **fields: Any) -> Document | None:
        """Return the first document whose fields have these values, or None."""
        wanted = fields.items()
        for document in self._kinds.get(kind, {}).values():
            if all(document.get(key) == value for key, value in wanted):
                return document
        return None

    def remove(self, kind: str, ids: Iterable[str]) -> None:
        """Remove documents."""
        for id_ in list(ids):
            self._kinds.get(kind, {}).pop(id_, None)
            self._connection.execute("delete from document where kind = ? and id = ?", (kind, id_))

    def clear(self) -> None:
        """Remove all documents."""
        self._kinds.clear()
        self._connection.execute("delete from document")


def _open(path: str) -> sqlite3.Connection:
    # The store is opened, used and closed on the thread of one event loop; a threaded emulator is closed from there too.
    connection = sqlite3.connect(path, check_same_thread=False, cached_statements=256)
    try:
        connection.execute("pragma journal_mode = wal")
        connection.execute("pragma synchronous = normal")
        version = connection.execute("pragma user_version").fetchone()[0]
        if version not in (0, SCHEMA_VERSION):
            raise ValueError(f"{path} has version {version} of the emulator's tables, this one reads {SCHEMA_VERSION}")
        connection.execute(f"pragma user_version = {SCHEMA_VERSION}")
    except BaseException:
        connection.close()
        raise
    return connection


class Store:
    """Database and contents of one emulator."""

    def __init__(self, directory: Path | None, memory_max: int = MEMORY_MAX) -> None:
        """Open or make the database.

        Args:
            directory: Where everything is kept; None keeps it in memory.
            memory_max: Bytes of contents kept in memory without a directory.

        Raises:
            ValueError: The directory was written by another version of the emulator.
            sqlite3.Error: The database cannot be opened, or is none.
        """
        path = ":memory:" if directory is None else str(directory / "emulator.sqlite")
        self._connection = connection = _open(path)
        self.data: Table[DataRow] = Table(connection, "data", DataRow)
        self.predictions: Table[PredictionRow] = Table(connection, "prediction", PredictionRow)
        self.assignments: Table[AssignmentRow] = Table(connection, "assignment", AssignmentRow)
        self.objects: Table[ObjectRow] = Table(connection, "object", ObjectRow)
        connection.executescript(_INDEXES)
        self.documents: Documents = Documents(connection)
        self.blobs: Blobs = Blobs(None if directory is None else directory / "objects", memory_max)
        self._is_volatile = directory is None
        self._group: asyncio.Task[None] | None = None
        self._writing: asyncio.Task[None] | None = None

    @property
    def is_changed(self) -> bool:
        """Whether something waits for a commit."""
        return self._connection.in_transaction

    async def settle(self) -> None:
        """Return once everything that was changed so far survives a kill of the process."""
        if self._is_volatile:
            self._connection.commit()
            return
        if self._group is None:
            self._group = asyncio.create_task(self._write_group(self._writing))
        # A request that goes away must not take the commit of the others with it.
        await asyncio.shield(self._group)

    async def _write_group(self, before: asyncio.Task[None] | None) -> None:
        if before is not None and not before.done():
            await asyncio.wait([before])
        self._writing, self._group = self._group, None
        await self.blobs.write()
        self._connection.commit()

    def commit(self) -> None:
        """Commit at once; contents are not written."""
        self._connection.commit()

    def clear(self) -> None:
        """Forget everything."""
        self.documents.clear()
        for table in (self.data, self.predictions, self.assignments, self.objects):
            table.delete("1")
        self.blobs.clear()

    async def close(self) -> None:
        """Write what is left and close the database. Closing twice is fine."""
        if self._writing is not None and not self._writing.done():
            await asyncio.wait([self._writing])
        await self.blobs.write()
        if self._connection.in_transaction:
            self._connection.commit()
        self._connection.close()
