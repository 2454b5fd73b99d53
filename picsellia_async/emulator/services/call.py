"""`Call`: one request, as far as a handler needs it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

import attrs

from picsellia_async._wire.converter import JsonObject
from picsellia_async.emulator.domain.caller import Caller
from picsellia_async.emulator.query.parameters import Parameters
from picsellia_async.emulator.refusal import uuid_or_404
from picsellia_async.emulator.store.blobs import Blobs, Content

Change: TypeAlias = Callable[[], JsonObject]
"""What an asynchronous handler returns, once it has done all that takes time: the change itself, and the JSON of its answer. It is called
in the transaction of the request, so it looks up anew what others may have changed meanwhile."""


@attrs.define(kw_only=True)
class Call(Caller):
    """One request: its caller, the parts of its URL, and its body."""

    path: Mapping[str, str]
    """Values of the names in braces of the endpoint's path."""
    query: Parameters
    content: bytes = attrs.field(default=b"", repr=False)
    """The body as it arrived; empty where it was structured for the handler."""
    content_type: str = ""
    """Content-Type header; only multipart forms look at it."""
    images: list[str] = attrs.field(factory=list)
    """SHA-256 of the images found in the body; for the journal."""
    contents: list[Content] = attrs.field(factory=list)
    """What was staged for this request; dropped at its end unless it was kept."""

    async def stage(self, blobs: Blobs, sha256: str, data: bytes) -> Content:
        """Bring a content to the storage, for a change to keep it.

        Raises:
            OSError: It cannot be written.
        """
        content = await blobs.stage(sha256, data)
        self.contents.append(content)
        return content

    def id(self, name: str, what: str) -> str:
        """Return an id of the path in canonical form.

        Raises:
            Refusal: 404, it is no UUID.
        """
        return uuid_or_404(self.path[name], what)
