"""`Documents`: the small things (tags, models, campaigns, ...), held in memory and written through to the database.

A document that is handed out is the one that is held, and may be changed in place before it is saved. So within a transaction every
document that was handed out is noted; if the transaction fails, those are read again from the database, which SQLite has rolled back.
"""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from picsellia_async.emulator.refusal import not_found

Document = dict[str, Any]
"""A small thing: a JSON object with an `id`."""


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
        self._seen: set[tuple[str, str]] | None = None
        """Kinds and ids of what was handed out or saved in the transaction; None: there is no transaction."""
        self._before: dict[str, dict[str, Document]] = {}
        """Kinds that lost documents in the transaction, as they were: documents have an order, which adding again would change."""

    def begin(self) -> None:
        """Begin a transaction."""
        self._seen = set()

    def end(self) -> None:
        """End a transaction that was committed."""
        self._seen = None
        self._before.clear()

    def roll_back(self) -> None:
        """End a transaction that SQLite has rolled back: memory follows the database."""
        seen = self._seen or set()
        self._kinds.update(self._before)
        self.end()
        for kind, id_ in seen:
            row = self._connection.execute(
                "select body from document where kind = ? and id = ?", (kind, id_)
            ).fetchone()
            held = self._kinds.setdefault(kind, {})
            if row is None:
                held.pop(id_, None)
            elif id_ in held:
                # In place: another request, waiting for a thread, may hold the same document.
                held[id_].clear()
                held[id_].update(orjson.loads(row[0]))

    def __iter__(self) -> Iterator[tuple[str, Document]]:
        """Iterate over all documents with their kinds."""
        for kind, held in list(self._kinds.items()):
            for document in list(held.values()):
                yield kind, document

    def add(self, kind: str, **fields: Any) -> Document:
        """Add a document; an `id` is made up unless given."""
        document = {"id": str(uuid.uuid4()), **fields}
        self.save(kind, document)
        self._kinds.setdefault(kind, {})[document["id"]] = document
        return document

    def save(self, kind: str, document: Document) -> None:
        """Write a document that was changed in place."""
        self._hand_out(kind, document)
        self._connection.execute(
            "insert into document (kind, id, body) values (?, ?, ?) on conflict (kind, id) do update set body = excluded.body",
            (kind, document["id"], orjson.dumps(document)),
        )

    def get(self, kind: str, id_: str | None) -> Document:
        """Return a document.

        Raises:
            Refusal: 404, there is none.
        """
        found = self.peek(kind, id_)
        if found is None:
            raise not_found(kind, id_ or "")
        return found

    def peek(self, kind: str, id_: str | None) -> Document | None:
        """Return a document, or None."""
        found = self._kinds.get(kind, {}).get(id_ or "")
        return None if found is None else self._hand_out(kind, found)

    def list(self, kind: str, **fields: Any) -> list[Document]:
        """Return the documents whose fields have these values, oldest first."""
        return list(self._matching(kind, fields))

    def find(self, kind: str, **fields: Any) -> Document | None:
        """Return the first document whose fields have these values, or None."""
        return next(self._matching(kind, fields), None)

    def _matching(self, kind: str, fields: dict[str, Any]) -> Iterator[Document]:
        wanted = fields.items()
        for document in self._kinds.get(kind, {}).values():
            if all(document.get(key) == value for key, value in wanted):
                yield self._hand_out(kind, document)

    def _hand_out(self, kind: str, document: Document) -> Document:
        if self._seen is not None:
            self._seen.add((kind, document["id"]))
        return document

    def remove(self, kind: str, ids: Iterable[str]) -> None:
        """Remove documents."""
        held = self._kinds.get(kind, {})
        self._note_before(kind)
        for id_ in list(ids):
            held.pop(id_, None)
            self._connection.execute("delete from document where kind = ? and id = ?", (kind, id_))

    def clear(self) -> None:
        """Remove all documents."""
        for kind in self._kinds:
            self._note_before(kind)
        self._kinds = {}
        self._connection.execute("delete from document")

    def _note_before(self, kind: str) -> None:
        if self._seen is not None and kind not in self._before:
            self._before[kind] = dict(self._kinds.get(kind, {}))
