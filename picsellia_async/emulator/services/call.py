"""`Call`: one request, as far as a handler needs it."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from picsellia_async.emulator.domain.caller import Caller
from picsellia_async.emulator.query.parameters import Parameters
from picsellia_async.emulator.refusal import uuid_or_404


@attrs.define(kw_only=True)
class Call(Caller):
    """One request: its caller, the parts of its URL, and its body."""

    path: Mapping[str, str]
    """Values of the names in braces of the endpoint's path."""
    query: Parameters
    """The query."""
    content: bytes = attrs.field(default=b"", repr=False)
    """The body as it arrived; empty where it was structured for the handler."""
    content_type: str = ""
    """Content-Type header; only multipart forms look at it."""
    images: list[str] = attrs.field(factory=list)
    """SHA-256 of the images found in the body; for the journal."""

    def id(self, name: str, what: str) -> str:
        """Return an id of the path in canonical form.

        Raises:
            Refusal: 404, it is no UUID.
        """
        return uuid_or_404(self.path[name], what)
