"""The spool's SQLite file: records in, records out. Blocking; `spool` runs it in its one thread.

Layout. `frame` has one small row per record, `image` the bytes: counting 50,000 records reads no image. Pages are 32 KiB, which
makes an image of 100 KB three pages instead of twenty-five (measured: 3,600 instead of 1,900 records per second). The
journal is a WAL with `synchronous=FULL`: a commit has reached the disk when it returns.

Every record has a checksum over its order, its id, its description and its image. One that does not fit is set aside
(`state` CORRUPT), never deleted, and never delivered. Where the file itself is damaged, what can still be read is copied
into a new one, and the old one stays beside it as `quarantine-N.db`.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import attrs
import orjson

from picsellia_async.errors import ConfigurationError, SpoolError

VERSION: Final = 1
"""Of the layout."""

PENDING, REJECTED, CORRUPT = 0, 1, 2

OVERHEAD_BYTES: Final = 512
"""What a record takes beside its description and its image, as counted against `max_spool_bytes`."""

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS spool (version INTEGER NOT NULL, owner TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS frame (
  seq INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, size INTEGER NOT NULL, crc INTEGER NOT NULL,
  state INTEGER NOT NULL DEFAULT 0, reason TEXT, description BLOB NOT NULL,
  source TEXT NOT NULL DEFAULT '', accepted_at REAL NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS image (seq INTEGER PRIMARY KEY, data BLOB NOT NULL);
"""


@attrs.frozen
class Record:
    """One frame as the file holds it."""

    seq: int
    """Order of acceptance."""
    id: bytes
    """The 16 bytes of `Frame.id`."""
    description: bytes
    """`codec.encode`."""
    image: bytes
    """Encoded image."""
    source: str = ""
    """`Frame.source`, empty for none."""
    accepted_at: float = 0.0
    """When, in epoch seconds; 0 where that is not known."""

    @property
    def size(self) -> int:
        """Bytes as counted against the limit."""
        return len(self.description) + len(self.image) + OVERHEAD_BYTES

    @property
    def checksum(self) -> int:
        """CRC-32 over order, id, description and image."""
        head = b"%d:%b:%b" % (self.seq, self.id, self.description)
        return zlib.crc32(self.image, zlib.crc32(head))


@attrs.frozen
class Recovery:
    """What a file held when it was opened."""

    frames: int = 0
    """Records to be delivered."""
    bytes: int = 0
    """Their sizes, and those of rejected ones."""
    last_seq: int = 0
    """Order of the newest record."""
    rejected: int = 0
    """Dead letters: records that the service refused, kept until their room is needed."""
    rejected_bytes: int = 0
    """Their sizes."""
    quarantined: int = 0
    """Damaged records."""


def _now_unreadable(error: sqlite3.Error) -> bool:
    """Return whether the file's content is damaged, as opposed to a disk that is full or a lock."""
    return isinstance(error, sqlite3.DatabaseError) and not isinstance(
        error, (sqlite3.OperationalError, sqlite3.IntegrityError, sqlite3.ProgrammingError)
    )


class SpoolFile:
    """An open file."""

    def __init__(self, directory: Path, owner: Mapping[str, str]) -> None:
        """Store where; `open` opens.

        Args:
            directory: Exists, and is locked by this process.
            owner: Whose frames these are: `deployment_id`, and what helps to find it again. A file of another deployment is
                refused; an empty owner takes any.
        """
        self.path = directory / "spool.db"
        self._directory = directory
        self._owner = dict(owner)
        self._db: sqlite3.Connection | None = None

    def open(self) -> Recovery:
        """Open or create the file, and count what it holds.

        Raises:
            SpoolError: It belongs to another owner, is of a newer version, or cannot be opened.
        """
        try:
            try:
                self._connect()
                return self._count(0)
            except sqlite3.DatabaseError as error:
                if not _now_unreadable(error):
                    raise
                return self.salvage()
        except (sqlite3.Error, OSError) as error:
            raise SpoolError(f"the spool {str(self._directory)!r} cannot be opened: {error}") from error

    def _connect(self) -> None:
        # Made before SQLite opens it, since SQLite knows no mode; the WAL takes the mode of the file.
        os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
        self.path.chmod(0o600)
        db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        self._db = db
        for pragma in (
            "page_size=32768", "journal_mode=WAL", "synchronous=FULL", "wal_autocheckpoint=1000",
            f"journal_size_limit={64 * 2**20}", "secure_delete=OFF",
        ):  # fmt: skip
            db.execute(f"PRAGMA {pragma}")
        db.executescript(_SCHEMA)
        row = db.execute("SELECT version, owner FROM spool").fetchone()
        if row is None:
            db.execute("INSERT INTO spool VALUES (?, ?)", (VERSION, orjson.dumps(self._owner).decode()))
            return
        self._check(*row)

    def _check(self, version: int, owner: str) -> None:
        if version > VERSION:
            raise SpoolError(f"the spool {str(self._directory)!r} was written by a newer version of picsellia_async")
        held: dict[str, str] = orjson.loads(owner)
        theirs, ours = held.get("deployment_id"), self._owner.get("deployment_id")
        if theirs and ours and theirs != ours:
            raise SpoolError(
                f"the spool {str(self._directory)!r} holds frames of deployment {theirs}, not of {ours}; "
                "use another directory"
            )
        if ours and held != self._owner:
            text = orjson.dumps(self._owner).decode()
            self._connection.execute("UPDATE spool SET owner = ?", (text,))

    @property
    def _connection(self) -> sqlite3.Connection:
        if self._db is None:
            raise SpoolError(f"the spool {str(self._directory)!r} is closed")
        return self._db

    def _count(self, quarantined: int) -> Recovery:
        counts = dict.fromkeys((PENDING, REJECTED, CORRUPT), (0, 0))
        last = 0
        rows = self._connection.execute("SELECT state, count(*), total(size), max(seq) FROM frame GROUP BY state")
        for state, count, size, seq in rows:
            counts[state] = (count, int(size))
            last = max(last, seq)
        frames, size = counts[PENDING]
        rejected, rejected_bytes = counts[REJECTED]
        return Recovery(frames, size + rejected_bytes, last, rejected, rejected_bytes, counts[CORRUPT][0] + quarantined)

    def apply(
        self, puts: Sequence[Record], acknowledged: Sequence[int], rejected: Sequence[tuple[int, str]]
    ) -> list[int]:
        """Make one transaction of what happened meanwhile, and return once it is on disk.

        Args:
            puts: New records.
            acknowledged: Delivered or given up: these are deleted.
            rejected: Refused for good, with the reason: these are kept as dead letters.

        Returns:
            Orders of new records whose id the file already held; they were not written.
        """
        db = self._connection
        db.execute("BEGIN IMMEDIATE")
        try:
            # Before the inserts: a frame that is submitted again right after its outcome is a new record.
            for table in ("frame", "image"):
                db.executemany(f"DELETE FROM {table} WHERE seq = ?", [(seq,) for seq in acknowledged])  # noqa: S608 - a literal
            known = [record.seq for record in puts if not self._insert(record)]
            db.executemany(
                "UPDATE frame SET state = 1, reason = ? WHERE seq = ?", [(text, seq) for seq, text in rejected]
            )
            db.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                db.execute("ROLLBACK")
            raise
        return known

    def _insert(self, record: Record) -> bool:
        db = self._connection
        row = db.execute("SELECT seq, state FROM frame WHERE id = ?", (record.id,)).fetchone()
        if row is not None:
            if row[1] == PENDING:
                return False
            db.execute("DELETE FROM frame WHERE seq = ?", (row[0],))
            db.execute("DELETE FROM image WHERE seq = ?", (row[0],))
        values = (
            record.seq, record.id, record.size, record.checksum, record.description, record.source, record.accepted_at
        )  # fmt: skip
        db.execute(
            "INSERT INTO frame (seq, id, size, crc, description, source, accepted_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
            values,
        )
        db.execute("INSERT INTO image VALUES (?, ?)", (record.seq, record.image))
        return True

    def list_pending(self, found: Callable[[int, str, int], None]) -> None:
        """Tell order, source and size of every pending record, in order."""
        for row in self._connection.execute("SELECT seq, source, size FROM frame WHERE state = 0 ORDER BY seq"):
            found(*row)

    def claim(self, seqs: Sequence[int]) -> tuple[list[Record], list[int]]:
        """Read records.

        Args:
            seqs: Their orders.

        Returns:
            The records, and the orders of those that are missing, or were damaged and are set aside.
        """
        records: list[Record] = []
        damaged: list[int] = []
        db = self._connection
        for seq in seqs:
            row = db.execute(
                "SELECT id, description, source, accepted_at, crc FROM frame WHERE seq = ? AND state = 0", (seq,)
            ).fetchone()
            image = db.execute("SELECT data FROM image WHERE seq = ?", (seq,)).fetchone()
            record = None if row is None or image is None else Record(seq, row[0], row[1], image[0], row[2], row[3])
            if record is None or record.checksum != row[4]:
                damaged.append(seq)
                db.execute("UPDATE frame SET state = 2, reason = 'checksum' WHERE seq = ?", (seq,))
            else:
                records.append(record)
        return records, damaged

    def ids(self, seqs: Sequence[int]) -> list[tuple[int, bytes]]:
        """Return order and id of those of the records that are there."""
        db = self._connection
        rows = [db.execute("SELECT seq, id FROM frame WHERE seq = ? AND state = 0", (seq,)).fetchone() for seq in seqs]
        return [row for row in rows if row is not None]

    def drop_rejected(self, min_bytes: int) -> tuple[int, int]:
        """Delete the oldest dead letters until so many bytes are free; return how many, and their bytes."""
        gone: list[int] = []
        freed = 0
        rows = self._connection.execute("SELECT seq, size FROM frame WHERE state = 1 ORDER BY seq LIMIT 10000")
        for seq, size in rows.fetchall():
            if freed >= min_bytes:
                break
            gone.append(seq)
            freed += size
        self.apply([], gone, [])
        return len(gone), freed

    def salvage(self) -> Recovery:
        """Copy what can still be read into a new file; the damaged one stays as `quarantine-N.db`.

        Returns:
            What the new file holds. At least one record counts as quarantined.
        """
        records, lost = _readable(self.path)
        if self._db is not None:
            with contextlib.suppress(sqlite3.Error):
                self._db.close()
        number = next(n for n in range(1, 10**6) if not (self._directory / f"quarantine-{n}.db").exists())
        for suffix in ("", "-wal", "-shm"):
            source = Path(f"{self.path}{suffix}")
            if source.exists():
                source.rename(self._directory / f"quarantine-{number}.db{suffix}")
        self._connect()
        # Read lazily from the old file under its new name: it may be larger than memory.
        old = self._directory / f"quarantine-{number}.db"
        for record in _read_each(old, records):
            self.apply([record], [], [])
        return self._count(max(1, lost))

    def close(self) -> None:
        """Close; what was committed is on disk."""
        db, self._db = self._db, None
        if db is not None:
            with contextlib.suppress(sqlite3.Error):
                db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            db.close()


def _readable(path: Path) -> tuple[list[int], int]:
    """Return the orders of records that can be read whole and are undamaged, and how many are known but cannot."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        known = _known_orders(db)
        # A page in the middle may hide its orders from both ends: asking for each alone costs little.
        asked = range(min(known), min(max(known), min(known) + 10**6) + 1) if known else ()
        good = [seq for seq in asked if next(_read_each(path, [seq], db), None) is not None]
    return good, len(known.difference(good))


def _known_orders(db: sqlite3.Connection) -> set[int]:
    """Return the orders that either table knows, read from both ends as far as that goes."""
    found: set[int] = set()
    for table in ("frame", "image"):
        for direction in ("ASC", "DESC"):
            with contextlib.suppress(sqlite3.DatabaseError):
                for (seq,) in db.execute(f"SELECT seq FROM {table} ORDER BY seq {direction}"):  # noqa: S608 - literals
                    found.add(seq)
    return found


def _read_each(path: Path, orders: Sequence[int], db: sqlite3.Connection | None = None) -> Iterator[Record]:
    with contextlib.ExitStack() as stack:
        if db is None:
            db = stack.enter_context(contextlib.closing(sqlite3.connect(path)))
        for seq in orders:
            with contextlib.suppress(sqlite3.DatabaseError):
                row = db.execute(
                    "SELECT id, crc, description, state, source, accepted_at FROM frame WHERE seq = ?", (seq,)
                ).fetchone()
                data = db.execute("SELECT data FROM image WHERE seq = ?", (seq,)).fetchone()
                if row is None or data is None or row[3] != PENDING:
                    continue
                record = Record(seq, row[0], row[2], data[0], row[4], row[5])
                if record.checksum == row[1]:
                    yield record


def owner_of(directory: Path) -> dict[str, str]:
    """Return what a spool says about whose frames it holds, without opening it for delivery.

    Raises:
        ConfigurationError: There is no spool.
        SpoolError: It cannot be read.
    """
    path = directory / "spool.db"
    if not path.is_file():
        raise ConfigurationError(f"there is no spool in {str(directory)!r}")
    try:
        with contextlib.closing(sqlite3.connect(path)) as db:
            row = db.execute("SELECT owner FROM spool").fetchone()
    except sqlite3.Error as error:
        raise SpoolError(f"the spool {str(directory)!r} cannot be read: {error}") from error
    owner: dict[str, str] = {} if row is None else orjson.loads(row[0])
    return owner
