"""An address of somebody else, as errors show it: where a redirect leads, what a storage signed, a proxy, a camera's. Pure.

What is not ours may hold a credential anywhere, in any spelling, and also where readers of addresses do not agree on what its host is.
So all is hidden but what is known to be none: scheme, host, and the plain words of the path. What is not quite an address is
told by its length alone.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urljoin

from picsellia_async._error_text import hide_secrets, is_credential

_ADDRESS: Final = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]{0,11}://)(?:[^/?#\s\\]*@)?"
    r"(?P<host>[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.?|\[[0-9a-f:.]{2,45}(?:%25[a-z0-9._-]{1,16})?\])(?P<port>:\d{1,5})?"
    r"(?P<path>(?:/[^\s?#@\\]*)?)(?P<rest>(?:[?#][^\s@\\]*)?)",
    re.IGNORECASE | re.ASCII,
)
"""Behind its host is no `@`: what is before it would be user and password of another one."""
_PORT_MAX: Final = 65535
_CODED_AT: Final = "%40"
_PLAIN: Final = re.compile(r"[\w.~-]*", re.ASCII)
"""What a part of a path is made of that is no more than a word: other signs are of fields, lists and codings."""
_EXTENSION: Final = re.compile(r"\.[a-z]{1,5}\Z")
_LABEL_MIN: Final = 20
"""Characters from which on a part of a host's name may be a token in the wrong place."""
_LABEL: Final = re.compile(r"[a-z0-9_]+", re.IGNORECASE)


def foreign_address(address: str, asked: str = "") -> str:
    """Return the address of somebody else as errors show it.

    Args:
        address: Absolute; of any kind, since a host may send anything.
        asked: The address of ours that it answers: what is the same in both paths is shown.
    """
    return _plain(address, asked) or _no_plain(address)


def _plain(address: str, asked: str) -> str | None:
    found = _ADDRESS.fullmatch(address)
    if found is None or not _is_port(found["port"], found["path"] + found["rest"]):
        return None
    host = ".".join(map(_shown_label, found["host"].split(".")))
    return hide_secrets(f"{found['scheme']}{host}{found['port'] or ''}{foreign_path(found['path'], asked)}")


def redirect_place(location: str, asked: str) -> str:
    """Return where a redirect leads, as errors show it.

    Args:
        location: As the host gave it, absolute or relative.
        asked: The address that it answers, as errors show it.
    """
    try:
        return _plain(urljoin(asked, location), asked) or _no_plain(location)
    except ValueError:  # no address at all
        return _no_plain(location)


def _no_plain(address: str) -> str:
    return f"*** (no plain address, {len(address)} characters)"


def foreign_path(path: str, asked: str = "") -> str:
    """Return the path of such an address, of which the host is known: without query, and of each part whether it is a plain word.

    Args:
        path: With or without query.
        asked: The address of ours that it answers.
    """
    known = frozenset(asked.split("/"))
    parts = re.split("[?#]", path, maxsplit=1)[0].split("/")
    return "/".join(part if part in known or _is_plain(part) else "***" for part in parts)


def _is_port(port: str | None, behind: str) -> bool:
    """Return whether a colon and digits, if any, are a port, rather than a password of which `/`, `?` or `#` is a character."""
    return port is None or (0 < int(port[1:]) <= _PORT_MAX and _CODED_AT not in behind)


def _shown_label(label: str) -> str:
    return "***" if len(label) >= _LABEL_MIN and _LABEL.fullmatch(label) and is_credential(label) else label


def _is_plain(part: str) -> bool:
    return _PLAIN.fullmatch(part) is not None and not is_credential(_EXTENSION.sub("", part))
