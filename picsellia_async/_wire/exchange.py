"""The two ends of one HTTP exchange as plain values: where it goes, and what came back."""

from __future__ import annotations

import importlib
import re
import weakref
from typing import Final, Protocol, Self
from urllib.parse import urlsplit

import attrs

from picsellia_async._error_text import hide_secrets
from picsellia_async.errors import ConfigurationError

ANSWER_BYTES_MAX: Final = 64 * 2**20
"""Bytes of an answer's body, unpacked. The largest known ones, pages of a thousand items, have a hundredth of it; what is beyond is
a mistake or an attack, and is not taken into memory."""
ERROR_BYTES_MAX: Final = 1 << 18
"""Bytes of body read at most of an answer that is no success, where the whole answer is wanted: nobody reads more of it."""

DEFAULT_PORTS: Final = {"http": 80, "https": 443}
"""The schemes there are, with their ports."""

_HOST_NAME: Final = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?|[0-9a-f]*:[0-9a-f:.]+(%25[a-z0-9._-]+)?")
"""A name, an IPv4 or an IPv6 address, in lower case. What else `urlsplit` lets through (spaces, `%0d`) belongs in no header."""
_TOKEN: Final = re.compile(r"[\w+=-]{20,}")
"""What may be a token in the wrong place; names have dots between shorter parts."""

_AT: Final = re.compile("@|%40")
"""What is behind user and password, also in an address that was coded as a whole."""


@attrs.frozen(eq=False, weakref_slot=True)
class Origin:
    """Scheme, host and port of a service; the key of the connection pool. Of each there is one object, so that comparing costs nothing."""

    scheme: str
    """`http` or `https`."""
    host: str
    """Name or address, without the brackets of IPv6."""
    port: int
    """1 to 65535."""
    host_header: bytes = attrs.field(init=False, repr=False)
    """Value of the Host header; the port is left out where it is the scheme's default."""

    def __new__(cls, scheme: str, host: str, port: int) -> Self:
        """Return the object of that origin, where there is one."""
        known = _origins.get((scheme, host, port))
        if known is None:
            known = _origins[scheme, host, port] = object.__new__(cls)
        return known  # type: ignore[return-value]  # there are no subclasses

    def __attrs_post_init__(self) -> None:
        """Render the Host header once; it goes into every request."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        if self.port != DEFAULT_PORTS[self.scheme]:
            name = f"{name}:{self.port}"
        object.__setattr__(self, "host_header", name.encode("ascii"))

    @classmethod
    def parse(cls, url: str, name: str = "host") -> Self:
        """Read the origin of an absolute URL; path, query and user information are dropped (docs/wire.md#hosts).

        Raises:
            ConfigurationError: The text is no http or https URL with a host.
        """
        try:
            parts = urlsplit(url)
            port = parts.port
            hostname = _ascii(parts.hostname or "")
        except (ValueError, TypeError, AttributeError):
            raise ConfigurationError(f"{name} must be an http or https URL, got {_without_password(url)}") from None
        # Some readers of URLs take a backslash for a slash: for them another host would follow.
        if parts.scheme not in DEFAULT_PORTS or not _HOST_NAME.fullmatch(hostname) or port == 0 or "\\" in url:
            raise ConfigurationError(f"{name} must be an http or https URL, got {_without_password(url)}")
        return cls(parts.scheme, hostname, port or DEFAULT_PORTS[parts.scheme])

    def __reduce__(self) -> tuple[type[Origin], tuple[str, str, int]]:
        """Let copies, and what comes from another process, be the one object of that origin."""
        return Origin, (self.scheme, self.host, self.port)

    def __str__(self) -> str:
        """Return the URL of the origin, without a trailing slash."""
        return f"{self.scheme}://{self.host_header.decode('ascii')}"


_origins: Final[weakref.WeakValueDictionary[tuple[str, str, int], Origin]] = weakref.WeakValueDictionary()
"""Those in use."""


def _ascii(hostname: str) -> str:
    """Spell an international name as DNS does. Python's own codec is of 2003 and takes `faß.de` for `fass.de`."""
    if hostname.isascii():
        return hostname
    idna = importlib.import_module("idna")  # 3 ms that most need not pay
    name: bytes = idna.encode(hostname, uts46=True)
    return name.decode("ascii")


def without_user(url: str) -> str:
    """Return an address of ours without user and password. All before the last `@` goes: a password may hold a slash."""
    scheme, separator, rest = url.rpartition("://")
    return f"{scheme}{separator}{_AT.split(rest)[-1]}"


def _without_password(url: object) -> str:
    text = repr(url)
    return _TOKEN.sub("***", hide_secrets(text)) if _AT.search(text) is None else "a URL with user information"


REASON: Final = b":reason"
"""Stands among the headers of an error without a body for the reason phrase of its status line: there is nothing else to read."""


@attrs.frozen
class Answer:
    """A whole HTTP response."""

    status: int
    headers: list[tuple[bytes, bytes]] = attrs.field(repr=False)
    """Names in lower case."""
    content: bytes = attrs.field(repr=False)
    """The body, decoded from its transfer and content encoding."""

    def header(self, name: bytes) -> str | None:
        """Return the first header of that lower-case name, as text, or None."""
        for key, value in self.headers:
            if key == name:
                return value.decode("latin-1")
        return None


class Sink(Protocol):
    """Where the body of a successful answer goes piece by piece, in place of memory."""

    async def begin(self) -> None:
        """Forget what came before: an answer begins, perhaps that to a repetition."""

    async def write(self, piece: bytes) -> None:
        """Take the next piece."""
