"""`Documents`: the small things (tags, models, campaigns, ...), held in memory and written through to the database."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Iterable
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
