"""`Store`: what one emulator remembers, documents and large tables in one SQLite database, contents beside it.

Theory of operation. The database lives on the event loop's thread: a statement costs tens of microseconds, less than handing it to
another thread. All changes of a request are made in one `transaction`, without an await in between: it is committed at its end, before
the answer goes out, or everything is as it was before, in the database, in the documents that are held in memory, and among the contents.
So an answered request survives a kill of the process at any point, and a refused one changes nothing; a power cut may take the last few,
since the write-ahead log is not synchronised to the disk at every commit.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from picsellia_async.emulator.store.blobs import MEMORY_MAX, Blobs, Content
from picsellia_async.emulator.store.documents import Documents
from picsellia_async.emulator.store.rows import AssignmentRow, DataRow, ObjectRow, PredictionRow
from picsellia_async.emulator.store.table import Table

DATABASE: Final = "emulator.sqlite"
"""Name of the database in the data directory."""

SCHEMA_VERSION: Final = 1
"""Version of the tables; another one in a data directory is refused rather than misread."""

_PAGE_BYTES: Final = 4096
"""What `check` writes: a page of most file systems."""

_INDEXES: Final = """
create index if not exists data_by_name on data (datalake_id, filename);
create index if not exists data_by_object on data (datalake_id, object_name);
create index if not exists prediction_by_deployment on prediction (deployment_id, seq);
create index if not exists asset_by_deployment on prediction (deployment_id, seq) where asset_id is not null;
create index if not exists prediction_by_source on prediction (source, seq);
create index if not exists prediction_by_asset on prediction (asset_id);
create index if not exists prediction_by_data on prediction (data_id);
create index if not exists prediction_by_name on prediction (filename);
create index if not exists prediction_by_object on prediction (object_name);
create index if not exists assignment_by_campaign on assignment (campaign_id, seq);
create index if not exists assignment_by_asset on assignment (asset_id);
"""


def _open(path: str) -> sqlite3.Connection:
    # Opened, used and closed on the thread of one event loop; a threaded emulator is closed from there too. Transactions are begun and
    # ended here and nowhere else (no isolation level): a statement outside of one is committed at once.
    connection = sqlite3.connect(path, check_same_thread=False, cached_statements=256, isolation_level=None)
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


def _make_private(path: Path) -> None:
    """Make a database, or one that is there, readable for its owner only; SQLite gives the files beside it the same mode."""
    # Made with its mode, so that there is no moment in which others may open it.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    for file in path.parent.glob(f"{path.name}*"):
        file.chmod(0o600)  # the log of a process that was killed as well


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
            OSError: The directory cannot be used.
        """
        path = ":memory:"
        if directory is not None:
            _make_private(directory / DATABASE)
            path = str(directory / DATABASE)
        self._connection = connection = _open(path)
        self.data: Table[DataRow] = Table(connection, "data", DataRow)
        self.predictions: Table[PredictionRow] = Table(connection, "prediction", PredictionRow)
        self.assignments: Table[AssignmentRow] = Table(connection, "assignment", AssignmentRow)
        self.objects: Table[ObjectRow] = Table(connection, "object", ObjectRow)
        connection.executescript(_INDEXES)
        self.documents: Documents = Documents(connection)
        self.blobs: Blobs = Blobs(None if directory is None else directory / "objects", memory_max)
        self._undo: list[Callable[[], object]] = []
        """What takes back the changes of the transaction that SQLite does not know of, newest last."""

    @property
    def changes(self) -> int:
        """How many rows were ever changed: as long as it stays, so does everything here."""
        return self._connection.total_changes

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Make changes that all hold or none. They are committed at the end of the block; nothing may be awaited inside.

        Raises:
            sqlite3.Error: They cannot be committed (the disk is full, for instance); everything is as it was before.
        """
        connection = self._connection
        connection.execute("begin")
        self.documents.begin()
        try:
            yield
            connection.execute("commit")
        except BaseException:
            # Some failures (a full disk) make SQLite roll back by itself.
            if connection.in_transaction:
                connection.execute("rollback")
            self.documents.roll_back()
            while self._undo:
                self._undo.pop()()
            raise
        self.documents.end()
        self._undo.clear()
        self.blobs.forget_oldest()

    def undo_with(self, undo: Callable[[], object]) -> None:
        """Call a function if the transaction fails; for what changes outside of the database. Without a transaction, nothing fails."""
        if self._connection.in_transaction:
            self._undo.append(undo)

    def keep(self, content: Content) -> None:
        """Take a content in, as a part of the transaction.

        Raises:
            OSError: It cannot be written.
        """
        self.undo_with(self.blobs.keep(content))

    def clear(self) -> None:
        """Forget everything, inside a transaction; contents in files stay."""
        self.documents.clear()
        for table in (self.data, self.predictions, self.assignments, self.objects):
            table.delete("1")
        self.undo_with(self.blobs.clear())

    async def check(self) -> None:
        """Try whether a request could be stored now, with a page that is written and removed; nothing is changed.

        Raises:
            OSError: No file can be written.
            sqlite3.Error: The database takes no changes.
        """
        page = os.urandom(_PAGE_BYTES)
        self.blobs.drop(await self.blobs.stage(hashlib.sha256(page).hexdigest(), page))
        self._connection.execute("begin immediate")
        self._connection.execute("rollback")

    async def close(self) -> None:
        """Wait for contents under way and close the database. Closing twice is fine."""
        await self.blobs.close()
        self._connection.close()
