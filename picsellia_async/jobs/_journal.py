"""`Journal`: which items of a job were delivered, in one SQLite file. Blocking: for threads, one call at a time.

Theory of operation. The items of a batch are written down as sent, in one row, and are on disk before the first of them is handed to
the uploader. Each gets a row of its own with its outcome, many at a time; when all of a batch have one, the row of the batch goes. So
a process that is killed leaves three kinds of items: those with an outcome; those without a line, which were never sent; and those of
the batches that are left, which the service may have or not. The next run writes these down as sent, and looks them up before it
sends them again.

A row of its own per item when it is sent, too, would cost twice: ids are random, and each is on another page.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from operator import itemgetter
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from picsellia_async.errors import ConfigurationError
from picsellia_async.jobs._errors import JournalError, JournalInUseError, JournalLostError
from picsellia_async.jobs._identity import SAID_BYTES, Ids
from picsellia_async.jobs._items import Ended, Ending, Entry, Item, State

_FORMAT: Final = "3"
_APPLICATION: Final = 0x7053A11A
"""`PRAGMA application_id` of our files, so that nobody else's is written to."""

_PAGE_BYTES: Final = 1024
_CACHE_KIB: Final = 32 * 1024
_CHECKPOINT_PAGES: Final = 16 * 1024
"""Pages after which the log is written back to the file; one that changed often meanwhile is written once."""

_SCHEMA: Final = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE items (
    id BLOB PRIMARY KEY, state INTEGER NOT NULL, run INTEGER NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, detail TEXT, said BLOB
) WITHOUT ROWID;
CREATE TABLE batches (number INTEGER PRIMARY KEY, run INTEGER NOT NULL, ids BLOB NOT NULL, said BLOB);
CREATE TABLE files (file BLOB PRIMARY KEY, picture BLOB NOT NULL) WITHOUT ROWID;
"""
_KNOWN: Final = "id, state, run, said FROM items WHERE id"
_ID_BYTES: Final = 16
_DAMAGED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_NOTHING_SAID: Final = bytes(SAID_BYTES)
_ASKED_AT_ONCE: Final = 500
"""Values of one SELECT; SQLite takes 999 in every build."""

_AS_SENT: Final = """
INSERT INTO items (id, state, run, said) VALUES (?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET state = excluded.state, run = excluded.run, said = excluded.said
    WHERE run < excluded.run AND state != ?
"""
_ENDED_AT_ONCE: Final = 40
"""Rows of one INSERT: it takes half as long as one for each."""
_AS_ENDED: Final = """
INSERT INTO items (id, state, run, attempts, detail, said) VALUES {}
ON CONFLICT (id) DO UPDATE SET
    state = excluded.state, run = excluded.run, attempts = attempts + excluded.attempts, detail = excluded.detail,
    said = coalesce(excluded.said, said)
"""
_AS_MERGED: Final = """
INSERT INTO items (id, state, run, attempts, detail, said) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET
    state = excluded.state, attempts = excluded.attempts, detail = excluded.detail, said = excluded.said
    WHERE (CASE excluded.state WHEN 2 THEN 3 WHEN 1 THEN 2 WHEN 3 THEN 1 ELSE 0 END)
        > (CASE items.state WHEN 2 THEN 3 WHEN 1 THEN 2 WHEN 3 THEN 1 ELSE 0 END)
"""


class Journal:
    """One file, open in one process."""

    def __init__(
        self,
        path: Path,
        owner: Mapping[str, str],
        *,
        fresh: bool = False,
        look_up: bool = False,
        base: Path | None = None,
    ) -> None:
        """Store the settings.

        Args:
            path: The file; made with its folder where it is not there.
            owner: Whose items it holds: `deployment_id`, and what else must be the same in each run.
            fresh: Whether to forget what was delivered.
            look_up: Whether items that it does not know count as sent, so that they are looked up.
            base: Journal that is asked about items that this one does not know; nobody may write to it meanwhile.
        """
        self.path = path
        self._base_path = base
        self._base: sqlite3.Connection | None = None
        self._owner = dict(owner)
        self._ids = Ids(self._owner["deployment_id"].encode())
        self._fresh = fresh
        self._of_unknown = State.SENT if look_up else None
        self._file: sqlite3.Connection | None = None
        self._whole_path = path
        """Absolute once it is open: the process may change its folder."""
        self._place: tuple[int, int] | None = None
        """Device and inode of the open file."""
        self._run = 0
        self._repetitions: dict[bytes, int] = {}
        """Of keys that came more than once in this run: how often."""
        self._batch_of: dict[bytes, int] = {}
        """The batch of each item that was begun and has no outcome on disk."""
        self._said: dict[bytes, bytes] = {}
        """Of items in `_batch_of` that have ids of their own: what they say."""
        self._left: dict[int, int] = {}
        """How many of these each batch has."""
        self._batch = 0

    def open(self) -> None:
        """Open the file, and begin a run.

        Raises:
            ConfigurationError: It is the journal of another deployment or input.
            JournalError: It is in use, is no journal, or cannot be opened.
        """
        with self._told("cannot be opened"):
            self._whole_path = self.path.absolute()
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = file = sqlite3.connect(self.path, timeout=0, isolation_level=None, check_same_thread=False)
        try:
            with self._told("cannot be opened"):
                self._prepare(file)
                self._place = self._found_place()
            if self._base_path is not None:
                self._base = self._open_base(self._base_path)
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
        _check_facts(self.path, known, facts)
        self._run = int(known.get("run", "0")) + 1
        file.execute("BEGIN IMMEDIATE")
        if self._fresh:
            file.execute("DELETE FROM items")
            file.execute("DELETE FROM batches")
        for run, ids, said in file.execute("SELECT run, ids, said FROM batches ORDER BY number").fetchall():
            file.executemany(_AS_SENT, _as_sent(run, ids, said))
        file.execute("DELETE FROM batches")
        file.execute("INSERT OR REPLACE INTO facts VALUES ('run', ?)", (str(self._run),))
        file.execute("COMMIT")

    def check_part(self, part: str) -> None:
        """Remember which part of its input the journal is of, such as "0 of 3"; empty for all of it.

        Raises:
            ConfigurationError: It is of another one: what that has not seen, others may have delivered.
            JournalError: The file cannot be written.
        """
        with self._transaction("FULL") as file:
            known = dict(file.execute("SELECT name, value FROM facts")).get("part", "")
            if known and known != part:
                raise ConfigurationError(
                    f"the journal {os.fspath(self.path)!r} is of part {known} of its input, not {f'part {part}' if part else 'all of it'}: "
                    "merge the journals of all parts, and go on with that, or give it as base= with a new journal"
                )
            if part != known:
                file.execute("INSERT INTO facts VALUES ('part', ?)", (part,))

    def _open_base(self, path: Path) -> sqlite3.Connection:
        """Open the journal that is only read.

        Raises:
            ConfigurationError: It is of another deployment or input.
            JournalError: It cannot be read, or is no journal.
        """
        _check_facts(path, self.owner_in(path), self._owner)
        with self._told("has a base that cannot be opened"):
            return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True, check_same_thread=False)

    def close(self) -> None:
        """Close the file; once more does nothing."""
        for file in (self._file, self._base):
            if file is not None:
                file.close()
        self._file = self._base = None

    def pictures(self, files: Sequence[bytes]) -> dict[bytes, bytes]:
        """Return the digests of files that were read before.

        Args:
            files: What tells a file and its version, of `_pictures`.

        Raises:
            JournalError: The file cannot be read.
        """
        with self._told("cannot be read"):
            return dict(self._select("file, picture FROM files WHERE file", files))

    def begin(self, items: Sequence[Item], read: Mapping[bytes, bytes]) -> list[Entry]:
        """Write items down as sent, but for those that were delivered; on disk when it returns.

        Args:
            items: In their order.
            read: Digests of files that were read, by what tells the file.

        Raises:
            ConfigurationError: An id that the input says came before in this run.
            JournalError: The file cannot be written.
        """
        self._batch += 1
        try:
            with self._transaction("FULL") as file:
                if read:
                    file.executemany("INSERT OR REPLACE INTO files VALUES (?, ?)", sorted(read.items()))
                return self._begin(file, items)
        except BaseException:
            self._left.pop(self._batch, None)
            self._batch_of = {id_: batch for id_, batch in self._batch_of.items() if batch != self._batch}
            self._said = {id_: said for id_, said in self._said.items() if id_ in self._batch_of}
            raise

    def _begin(self, file: sqlite3.Connection, items: Sequence[Item]) -> list[Entry]:
        ids = [self._id(item) for item in items]
        keys = [id_.bytes for id_ in ids]
        known: dict[bytes, tuple[Any, ...]] = {}
        self._learn(file, known, keys)
        entries: list[Entry] = []
        new: list[bytes] = []
        passed: list[tuple[int, bytes]] = []
        for item, id_, key in zip(items, ids, keys, strict=True):
            found = known.get(key)
            while key in self._batch_of or (found is not None and found[1] == self._run):
                if item.own_id is not None:
                    raise ConfigurationError(f"two items of the input have the id {id_}")
                self._repetitions[item.key] = self._repetitions.get(item.key, 0) + 1
                id_ = self._id(item)  # noqa: PLW2901 - of the next repetition
                key = id_.bytes  # noqa: PLW2901
                if key not in known:
                    self._learn(file, known, [key])
                found = known.get(key)
            if found is None:
                entries.append(Entry(id_, self._of_unknown))
            else:
                is_changed = item.said is not None and found[2] is not None and item.said != found[2]
                entries.append(Entry(id_, State(found[0]), is_changed))
                if found[0] == State.DELIVERED:
                    passed.append((self._run, key))
                    known[key] = (State.DELIVERED.value, self._run, found[2])
                    continue
            new.append(key)
            self._batch_of[key] = self._batch
            if item.said is not None:
                self._said[key] = item.said
        if passed:
            file.executemany("UPDATE items SET run = ? WHERE id = ?", passed)
        if new:
            self._left[self._batch] = len(new)
            said = b"".join(self._said.get(key, _NOTHING_SAID) for key in new) if self._said else None
            file.execute("INSERT INTO batches VALUES (?, ?, ?, ?)", (self._batch, self._run, b"".join(new), said))
        return entries

    def _learn(self, file: sqlite3.Connection, known: dict[bytes, tuple[Any, ...]], keys: Sequence[bytes]) -> None:
        """Add what is known of items; what only the base knows is written here, too."""
        known.update((row[0], row[1:]) for row in self._select(_KNOWN, keys))
        if self._base is None:
            return
        missing = [key for key in keys if key not in known]
        what = "id, state, 0, attempts, detail, said FROM items WHERE id"
        rows = [row for row in self._select(what, missing, self._base) if row[1] != State.PENDING]
        file.executemany("INSERT INTO items (id, state, run, attempts, detail, said) VALUES (?, ?, ?, ?, ?, ?)", rows)
        known.update({row[0]: (row[1], row[2], row[5]) for row in rows})

    def _id(self, item: Item) -> UUID:
        return item.own_id or self._ids.of(item.key, self._repetitions.get(item.key, 0))

    def _select(
        self, what: str, values: Sequence[bytes], file: sqlite3.Connection | None = None
    ) -> Iterator[tuple[Any, ...]]:
        file = file or self._opened()
        for at in range(0, len(values), _ASKED_AT_ONCE):
            some = values[at : at + _ASKED_AT_ONCE]
            yield from file.execute(f"SELECT {what} IN ({','.join('?' * len(some))})", some)

    def end(self, endings: Sequence[Ending]) -> None:
        """Write outcomes down. They survive the end of the process; where power fails too, these items are looked up again.

        Raises:
            JournalError: The file cannot be written.
        """
        said = self._said
        rows = [
            (one.bytes, int(state), self._run, attempts, detail, None if was_found or not said else said.get(one.bytes))
            for one, state, attempts, detail, was_found in endings
        ]
        rows.sort(key=itemgetter(0))  # in the order of the table: neighbours share pages
        ended = [row[0] for row in rows if row[0] in self._batch_of]
        of_batch = Counter(map(self._batch_of.__getitem__, ended))
        done = [(batch,) for batch, count in of_batch.items() if self._left[batch] == count]
        with self._transaction("NORMAL") as file:
            for at in range(0, len(rows), _ENDED_AT_ONCE):
                some = rows[at : at + _ENDED_AT_ONCE]
                file.execute(_AS_ENDED.format(",".join(["(?, ?, ?, ?, ?, ?)"] * len(some))), list(chain(*some)))
            file.executemany("DELETE FROM batches WHERE number = ?", done)
        # Only now: what could not be written comes once more.
        for id_ in ended:
            del self._batch_of[id_]
            self._said.pop(id_, None)
        for batch, count in of_batch.items():
            self._left[batch] -= count
        for (batch,) in done:
            del self._left[batch]

    def counts(self) -> dict[State, int]:
        """Return the number of items that this run has read, by what is known of them now.

        Raises:
            JournalError: The file cannot be read, or is no longer at its place.
        """
        self._check_place()
        with self._told("cannot be read"):
            rows = self._opened().execute(
                "SELECT state, count(*) FROM items WHERE run = ? GROUP BY state", (self._run,)
            )
            found = Counter({State(state): count for state, count in rows})
        found[State.SENT] += len(self._batch_of)
        return {state: found[state] for state in State}

    def delivered(self) -> int:
        """Return the number of items that were delivered, in whatever run.

        Raises:
            JournalError: The file cannot be read.
        """
        with self._told("cannot be read"):
            row = self._opened().execute("SELECT count(*) FROM items WHERE state = ?", (State.DELIVERED.value,))
            count: int = row.fetchone()[0]
        return count

    @classmethod
    def owner_in(cls, path: Path) -> dict[str, str]:
        """Return whose items a file holds.

        Raises:
            ConfigurationError: It is of another format.
            JournalError: It is not there, cannot be read, or is no journal.
        """
        if not path.exists():
            raise JournalError(f"there is no journal {os.fspath(path)!r}")
        journal = cls(path, {"deployment_id": ""})
        # Not made where it is gone meanwhile. Open to be written to: what a process that was killed left beside the file is put into it.
        address = f"{path.absolute().as_uri()}?mode=rw"
        with journal._told("cannot be read"), contextlib.closing(sqlite3.connect(address, uri=True, timeout=0)) as file:
            if file.execute("PRAGMA application_id").fetchone()[0] != _APPLICATION:
                raise JournalError(f"{os.fspath(path)!r} is no journal of a job")
            facts = dict(file.execute("SELECT name, value FROM facts"))
        _check_facts(path, facts, {"format": _FORMAT})
        return {name: value for name, value in facts.items() if name not in {"format", "run", "part"}}

    def endings(self) -> Iterator[Ended]:
        """Yield the items.

        Raises:
            JournalError: The file cannot be read.
        """
        with self._told("cannot be read"):
            yield from self._opened().execute("SELECT id, state, attempts, detail, said FROM items ORDER BY id")

    def add(self, items: Iterator[Ended]) -> None:
        """Add items of other journals, as items of this run. Of one that is here the better known state stays.

        Raises:
            JournalError: The file cannot be written.
        """
        with self._transaction("FULL") as file:
            file.executemany(_AS_MERGED, ((id_, state, self._run, *rest) for id_, state, *rest in items))
            file.execute("UPDATE items SET run = ?", (self._run,))
            file.execute("DELETE FROM facts WHERE name = 'part'")  # it is of more than one now

    def delivered_ids(self) -> Iterator[tuple[UUID, str | None]]:
        """Yield the items that were delivered: their id, and that of the service's answer.

        Raises:
            JournalError: The file cannot be read.
        """
        with self._told("cannot be read"):
            rows = self._opened().execute("SELECT id, detail FROM items WHERE state = ?", (State.DELIVERED.value,))
            for id_, told in rows:
                yield UUID(bytes=id_), told

    def _opened(self) -> sqlite3.Connection:
        if self._file is None:
            raise JournalError(f"the journal {os.fspath(self.path)!r} is not open")
        return self._file

    def _found_place(self) -> tuple[int, int] | None:
        """Return what is at the path now; None: nothing."""
        try:
            found = self._whole_path.stat()
        except FileNotFoundError:
            return None
        return found.st_dev, found.st_ino

    def _check_place(self) -> None:
        """Refuse to go on with a file that has no name any more: SQLite writes to it without an error, and no run will read it.

        Raises:
            JournalLostError: So it is.
        """
        with self._told("cannot be looked at"):
            is_lost = self._found_place() != self._place
        if is_lost:
            raise JournalLostError(
                f"the journal {os.fspath(self.path)!r} was removed, moved or replaced while this run had it open: the next one does not "
                "know what was delivered. Put it back; where it is gone, look_up=True has a run ask the platform for each item "
                "before it sends it"
            )

    @contextlib.contextmanager
    def _transaction(self, synchronous: str) -> Iterator[sqlite3.Connection]:
        file = self._opened()
        self._check_place()
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
                raise JournalInUseError(f"the journal {name!r} is in use by another run") from error
            is_damaged = getattr(error, "sqlite_errorcode", None) in _DAMAGED
            way_out = ". Move it away; with look_up=True a run asks the platform for each item before it sends it"
            raise JournalError(f"the journal {name!r} {what}: {error}{way_out if is_damaged else ''}") from error


def _check_facts(path: Path, known: Mapping[str, str], wanted: Mapping[str, str]) -> None:
    """Refuse a journal of something else.

    Raises:
        ConfigurationError: A fact is another one.
    """
    for name, value in wanted.items():
        if known.get(name) != value:
            raise ConfigurationError(
                f"the journal {os.fspath(path)!r} is of {name} {known.get(name)!r}, not {value!r}: give each job one of its own"
            )


def _as_sent(run: int, ids: bytes, said: bytes | None) -> Iterator[tuple[bytes, int, int, bytes | None, int]]:
    """Yield the values of `_AS_SENT` for the items of a batch."""
    for number in range(len(ids) // _ID_BYTES):
        one = None if said is None else said[number * SAID_BYTES : (number + 1) * SAID_BYTES]
        id_ = ids[number * _ID_BYTES : (number + 1) * _ID_BYTES]
        yield id_, State.SENT.value, run, None if one == _NOTHING_SAID else one, State.DELIVERED.value
