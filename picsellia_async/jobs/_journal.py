"""`Journal`: which items of a job were delivered, in one SQLite file. Blocking: for threads, one call at a time.

Theory of operation. An item is written down as sent, and is on disk, before its frame is handed to the uploader, and with its
outcome after that; many items at a time. So a process that is killed leaves three kinds of items: delivered ones, which are not sent
again; ones without a line, which were never sent; and sent ones without an outcome, which the service may have or not. Those are
looked up before they are sent again.
"""

from __future__ import annotations

import contextlib
import enum
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final
from uuid import UUID

import attrs

from picsellia_async.errors import ConfigurationError
from picsellia_async.jobs._errors import JournalError
from picsellia_async.jobs._identity import id_of

_FORMAT: Final = "1"
_APPLICATION: Final = 0x7053A11A
"""`PRAGMA application_id` of our files, so that nobody else's is written to."""

_PAGE_BYTES: Final = 1024
_CACHE_KIB: Final = 32 * 1024
_CHECKPOINT_PAGES: Final = 16 * 1024
"""Pages after which the log is written back to the file; one that changed often meanwhile is written once."""

_SCHEMA: Final = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE items (
    id BLOB PRIMARY KEY, state INTEGER NOT NULL, run INTEGER NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, detail TEXT
) WITHOUT ROWID;
"""


class State(enum.IntEnum):
    """What is known of an item."""

    PENDING = 0
    """Read, and certainly not stored: it was given up before it was sent."""
    SENT = 1
    """Handed to the uploader; without an outcome the service may have it."""
    DELIVERED = 2
    """The service has it; `detail` is its answer's id, if there was one."""
    REJECTED = 3
    """The service, or its own content, stands against it; `detail` says why."""


@attrs.frozen
class Entry:
    """An item at the beginning of its turn."""

    id: UUID
    before: State | None
    """What was known of it; None: it is new."""


@attrs.frozen
class Ending:
    """An item at its end."""

    id: UUID
    state: State
    attempts: int = 0
    detail: str | None = None


class Journal:
    """One file, open in one process."""

    def __init__(self, path: Path, owner: Mapping[str, str], *, fresh: bool = False) -> None:
        """Store the settings.

        Args:
            path: The file; made with its folder where it is not there.
            owner: Whose items it holds: `deployment_id`, and what else must be the same in each run.
            fresh: Whether to forget what was delivered.
        """
        self.path = path
        self._owner = dict(owner)
        self._namespace = self._owner["deployment_id"].encode()
        self._fresh = fresh
        self._file: sqlite3.Connection | None = None
        self._run = 0
        self._repetitions: dict[bytes, int] = {}
        """Of keys that came more than once in this run: how often."""

    def open(self) -> None:
        """Open the file, and begin a run.

        Raises:
            ConfigurationError: It is the journal of another deployment or input.
            JournalError: It is in use, is no journal, or cannot be opened.
        """
        with self._told("cannot be opened"):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = file = sqlite3.connect(self.path, timeout=0, isolation_level=None, check_same_thread=False)
        try:
            with self._told("cannot be opened"):
                self._prepare(file)
        except BaseException:
            self.close()
            raise

    def _prepare(self, file: sqlite3.Connection) -> None:
        # One process: two runs of one job would send everything twice. The lock is there from the first access on.
        file.execute("PRAGMA locking_mode=EXCLUSIVE")
        application = file.execute("PRAGMA application_id").fetchone()[0]
        is_new = application == 0 and not file.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if application != _APPLICATION and not is_new:
            raise JournalError(f"{os.fspath(self.path)!r} is no journal of a job")
        if is_new:
            # Ids are random, so that each item is on another page: small ones cost less to write.
            file.execute(f"PRAGMA page_size={_PAGE_BYTES}")
        file.execute("PRAGMA journal_mode=WAL")
        file.execute(f"PRAGMA cache_size=-{_CACHE_KIB}")
        file.execute(f"PRAGMA wal_autocheckpoint={_CHECKPOINT_PAGES}")
        facts = {"format": _FORMAT, **self._owner}
        if is_new:
            file.executescript(f"BEGIN; {_SCHEMA} PRAGMA application_id={_APPLICATION}; COMMIT;")
            file.executemany("INSERT INTO facts VALUES (?, ?)", facts.items())
        known = dict(file.execute("SELECT name, value FROM facts"))
        for name, value in facts.items():
            if known.get(name) != value:
                raise ConfigurationError(
                    f"the journal {os.fspath(self.path)!r} is of {name} {known.get(name)!r}, not {value!r}: give each job one of its own"
                )
        self._run = int(known.get("run", "0")) + 1
        file.execute("BEGIN IMMEDIATE")
        if self._fresh:
            file.execute("DELETE FROM items")
        file.execute("INSERT OR REPLACE INTO facts VALUES ('run', ?)", (str(self._run),))
        file.execute("COMMIT")

    def close(self) -> None:
        """Close the file; once more does nothing."""
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def begin(self, keys: Sequence[bytes]) -> list[Entry]:
        """Write items down as sent, but for those that were delivered; on disk when it returns.

        Args:
            keys: Of `_identity.key_of`. One that came before in this run is another item.

        Raises:
            JournalError: The file cannot be written.
        """
        with self._transaction("FULL") as file:
            return [self._begin(file, key) for key in keys]

    def _begin(self, file: sqlite3.Connection, key: bytes) -> Entry:
        repetition = self._repetitions.get(key, 0)
        while True:
            id_ = id_of(self._namespace, key, repetition)
            row = file.execute("SELECT state, run FROM items WHERE id = ?", (id_.bytes,)).fetchone()
            if row is None:
                file.execute(
                    "INSERT INTO items (id, state, run) VALUES (?, ?, ?)", (id_.bytes, State.SENT.value, self._run)
                )
                return Entry(id_, None)
            before = State(row[0])
            if row[1] != self._run:
                state = before if before is State.DELIVERED else State.SENT
                file.execute("UPDATE items SET state = ?, run = ? WHERE id = ?", (state.value, self._run, id_.bytes))
                return Entry(id_, before)
            repetition += 1
            self._repetitions[key] = repetition

    def end(self, endings: Sequence[Ending]) -> None:
        """Write outcomes down. They survive the end of the process; where power fails too, these items are looked up again.

        Raises:
            JournalError: The file cannot be written.
        """
        rows = [(one.state.value, one.attempts, one.detail, one.id.bytes) for one in endings]
        with self._transaction("NORMAL") as file:
            file.executemany("UPDATE items SET state = ?, attempts = attempts + ?, detail = ? WHERE id = ?", rows)

    def counts(self) -> dict[State, int]:
        """Return the number of items that this run has read, by what is known of them now.

        Raises:
            JournalError: The file cannot be read.
        """
        with self._told("cannot be read"):
            rows = self._opened().execute(
                "SELECT state, count(*) FROM items WHERE run = ? GROUP BY state", (self._run,)
            )
            found = {State(state): count for state, count in rows}
        return {state: found.get(state, 0) for state in State}

    def delivered(self) -> int:
        """Return the number of items that were delivered, in whatever run.

        Raises:
            JournalError: The file cannot be read.
        """
        with self._told("cannot be read"):
            row = self._opened().execute("SELECT count(*) FROM items WHERE state = ?", (State.DELIVERED.value,))
            count: int = row.fetchone()[0]
        return count

    def _opened(self) -> sqlite3.Connection:
        if self._file is None:
            raise JournalError(f"the journal {os.fspath(self.path)!r} is not open")
        return self._file

    @contextlib.contextmanager
    def _transaction(self, synchronous: str) -> Iterator[sqlite3.Connection]:
        file = self._opened()
        with self._told("cannot be written"):
            file.execute(f"PRAGMA synchronous={synchronous}")
            file.execute("BEGIN IMMEDIATE")
            try:
                yield file
                file.execute("COMMIT")
            except BaseException:
                if file.in_transaction:
                    file.execute("ROLLBACK")
                raise

    @contextlib.contextmanager
    def _told(self, what: str) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            name = os.fspath(self.path)
            if isinstance(error, sqlite3.OperationalError) and "locked" in str(error):
                raise JournalError(f"the journal {name!r} is in use by another run") from error
            raise JournalError(f"the journal {name!r} {what}: {error}") from error
