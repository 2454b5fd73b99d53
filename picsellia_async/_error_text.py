"""What messages and logs show of an exception that others raised. Pure.

Libraries that read cameras and files put the address into their errors, with the password that is in it.
"""

from __future__ import annotations

import re
from typing import Final

_USER: Final = re.compile(r"(?<=://)(?:[^\s/?#:]*:(?!\d+[/?#])\S*|[^\s/?#]*)@")
"""Of an address. Up to the last `@`: a password may hold a slash; behind a port it is one of the path."""
_QUERY: Final = re.compile(r"(?:(://[^\s?#]*[?#])|(\?)(?=[\w.%\[\]-]+=))\S*")
"""Of an address, or of a path as clients of HTTP show it."""
HIDDEN_FIELDS: Final = (
    *(
        "token",
        "jwt",
        "password",
        "passwd",
        "passphrase",
        "pwd",
        "secret",
        "secret_key",
        "cookie",
        "signature",
        "credential",
    ),
    *("apikey", "api-key", "api_key", "accesskey", "access-key", "access_key", "accesskeyid"),
)
"""Ends of the names of fields that are secret."""
_FIELD: Final = re.compile(rf"""((?:{"|".join(HIDDEN_FIELDS)})["']?\s*[:=]\s*["']?)[^\s"',;&]+""", re.IGNORECASE)
_BEARER: Final = re.compile(r"(\bbearer\s+)[\w.~+/=-]{16,}", re.IGNORECASE)
_BEHIND: Final = re.compile(r"['\")\]>}.,;:]*\Z")
"""What ends a sentence or a quotation, behind an address."""


_TEXT_MAX: Final = 10_000
"""Characters of an exception's text that are shown: some hold all that they were about, and looking for secrets takes its time."""


def hide_secrets(text: str) -> str:
    """Return text without the user, password and query of the addresses in it, and without fields that are named as secrets."""
    if len(text) > _TEXT_MAX:
        text = text[:_TEXT_MAX].rpartition(" ")[0] or text[:_TEXT_MAX]
        text += f" (and more: {_TEXT_MAX} characters are shown)"
    text = _USER.sub("***@", text)
    text = _QUERY.sub(lambda found: f"{found[1] or found[2]}***{_BEHIND.search(found[0])[0]}", text)  # type: ignore[index]  # it fits all
    text = _FIELD.sub(r"\g<1>***", text)
    return _BEARER.sub(r"\g<1>***", text)


def error_text(error: BaseException) -> str:
    """Return type and message of an exception, without secrets."""
    said = hide_secrets(str(error))
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def error_repr(error: BaseException | None) -> str:
    """Return the `repr` of an exception, without secrets; "None" where there is none."""
    return hide_secrets(repr(error))
