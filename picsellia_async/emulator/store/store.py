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
from pathlib import Path
from typing import Final

from picsellia_async.emulator.store.blobs import MEMORY_MAX, Blobs
from picsellia_async.emulator.store.documents import Documents
from picsellia_async.emulator.store.rows import AssignmentRow, DataRow, ObjectRow, PredictionRow
from picsellia_async.emulator.store.table import Table

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
