"""Reading one response after the other from the bytes of a connection. Pure: no socket, no waiting, no caller.

httptools (llhttp) does the parsing. What it leaves to its user is here: interim responses, the answer to HEAD, bodies that
end with the connection, limits, and the one question that decides whether a connection may be used again: was there
anything beyond the response?
"""

from __future__ import annotations

import math
from typing import Any, Final

import httptools

from picsellia_async._wire.exchange import ERROR_BYTES_MAX

VERSIONS: Final = ("1.1", "1.0")
"""Versions of HTTP that we speak."""

HEAD_BYTES_MAX: Final = 1 << 16
"""Bytes of status line, headers, chunk framing and trailers accepted per response."""

FRAMING_PER_BODY_BYTE: Final = 16
"""Framing allowed beyond that for each byte of body: a server may send chunks of one byte."""

_TLS_ALERT: Final = b"\x15\x03"
"""How TLS servers begin their answer to plain HTTP."""


class MalformedResponse(Exception):
    """The peer does not speak HTTP/1.1, or too much of it."""


class ResponseParser:
    """The response that is being read. The fields are its public face; `begin` clears them for the next one."""

    __slots__ = (
        "_body_max",
        "_chunks",
        "_cut_at",
        "_framing",
        "_head_only",
        "_interim",
        "_parser",
        "complete",
        "head_seen",
        "headers",
        "keep_alive",
        "reason",
        "status",
        "surplus",
        "too_large",
        "touched",
        "waiting_bytes",
    )

    def __init__(self) -> None:
        self._parser: Any = None
        # After one of these no other response is expected.
        self.surplus = False
        """Bytes came after the response: nothing on this connection can be trusted any more."""
        self.too_large = False
        """The body was cut."""
        self._interim = False
        self.begin(head_only=False)

    def begin(self, *, head_only: bool, body_max: float | None = None) -> None:
        """Expect a response.

        Args:
            head_only: It has no body, whatever its headers say: the answer to HEAD.
            body_max: Nobody takes the body before its end, so it is cut after so many bytes, that of an error after
                `ERROR_BYTES_MAX`. None: it is taken as it comes.
        """
        self._cut_at = body_max
        self.status = 0
        self.reason = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.touched = False
        """A byte of it came."""
        self.head_seen = False
        """Status and headers are there."""
        self.complete = False
        self.keep_alive = False
        """The peer will take another request on this connection."""
        self.waiting_bytes = 0
        """Size of the body received and not taken."""
        self._chunks: list[bytes] = []
        self._framing = HEAD_BYTES_MAX
        self._body_max = math.inf if body_max is None else body_max
        self._head_only = head_only
        if self._parser is None:
            self._parser = httptools.HttpResponseParser(self)

    def feed(self, data: memoryview | bytes) -> None:
        """Read bytes.

        Raises:
            MalformedResponse: They are not what they should be, before the response was complete.
        """
        self.touched = True
        self._framing -= len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            raise MalformedResponse("the peer switched protocols without being asked") from None
        except httptools.HttpParserError as error:
            self.surplus = True
            if not self.complete:
                if data[:2] == _TLS_ALERT and not self.head_seen:
                    raise MalformedResponse("the peer speaks TLS at this port: is it https?") from None
                raise MalformedResponse(f"malformed response: {error.__context__ or error}") from None
        if self._framing < 0 and not self.complete:
            raise MalformedResponse(f"more than {HEAD_BYTES_MAX} bytes of headers or framing")

    def take(self) -> bytes:
        """Return the body received since the last time."""
        chunks, self._chunks = self._chunks, []
        self.waiting_bytes = 0
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def finish_at_end(self) -> bool:
        """Learn that no more bytes will come; return whether that completes the response (RFC 9112, section 6.3)."""
        if self.head_seen and not self.complete and self._ends_with_connection():
            self.complete = True
        return self.complete

    def _ends_with_connection(self) -> bool:
        codings = [value for name, value in self.headers if name.lower() == b"transfer-encoding"]
        if codings:
            return not codings[-1].lower().rstrip().endswith(b"chunked")
        return all(name.lower() != b"content-length" for name, _ in self.headers)

    def http_version(self) -> bytes:
        """Return `HTTP/1.1` or `HTTP/1.0`. Only while the response is new."""
        return b"HTTP/1.1" if self._parser is None else b"HTTP/" + self._parser.get_http_version().encode("ascii")

    def close(self) -> None:
        """Let go of the C parser, which refers back to us."""
        self._parser = None

    # -- httptools' callbacks -------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """A response begins; after a complete one it is surplus."""
        if self.complete:
            self.surplus = True

    def on_status(self, reason: bytes) -> None:
        """Keep the reason phrase."""
        if not self.head_seen:
            self.reason += reason  # it comes in as many pieces as the bytes did

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header; those of a trailer are dropped."""
        if not self.head_seen:
            self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Forget an interim response (1xx); keep the final one."""
        if self.head_seen:
            return
        status = self._parser.get_status_code()
        if status < 200:
            if status == 101:
                raise MalformedResponse("the peer switched protocols without being asked")
            if status < 100:
                raise MalformedResponse(f"there is no status {status:03}")
            self._interim = True
            self.headers = []
            self.reason = b""
            return
        if self._parser.get_http_version() not in VERSIONS:
            raise MalformedResponse("the peer answered in another version of HTTP")
        self.status = status
        self.head_seen = True
        if status >= 300 and self._cut_at is not None:
            self._body_max = ERROR_BYTES_MAX
        if self._head_only:
            # The C parser does not know the request and would wait for a body; the next response gets a new one.
            words = b",".join(value for name, value in self.headers if name.lower() == b"connection").lower()
            self.keep_alive = self._parser.get_http_version() == "1.1" and b"close" not in words
            self._parser = None
            self.complete = True

    def on_body(self, data: bytes) -> None:
        """Keep a piece of the body."""
        if self.complete:
            self.surplus = True
            return
        size = len(data)
        self._framing += size * (FRAMING_PER_BODY_BYTE + 1)
        self.waiting_bytes += size
        self._chunks.append(data)
        if self.waiting_bytes > self._body_max:
            self.complete = self.surplus = self.too_large = True

    def on_message_complete(self) -> None:
        """The response is whole."""
        if self._interim:
            self._interim = False
        elif not self.complete:
            self.complete = True
            self.keep_alive = self._parser.should_keep_alive()
