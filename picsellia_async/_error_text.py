"""What messages and logs show of an exception that others raised. Pure.

Libraries that read cameras and files put the address into their errors, with the password that is in it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final
from urllib.parse import quote, unquote

_RUN: Final = re.compile(r"\S+")
_AUTHORITY: Final = re.compile(r"(?<=://)[^\s/?#]*")
_NO_PORT: Final = re.compile(r":(?!\d+[/?#])")
_BARE_PASSWORD: Final = re.compile(r":|%3a", re.IGNORECASE)
_NAMED_QUERY: Final = re.compile(r"\?(?=[\w.%\[\]-]+=)")
"""Of a path as clients of HTTP show it."""
_QUERY_BEGIN: Final = re.compile(r"[?#]")
_CHOSEN: Final = ("password", "passwd", "passphrase", "pwd")
HIDDEN_FIELDS: Final = (
    *_CHOSEN,
    *("token", "jwt", "secret", "secret_key", "cookie", "signature", "credential"),
    *("apikey", "api-key", "api_key", "accesskey", "access-key", "access_key", "accesskeyid"),
)
"""Ends of the names of fields that are secret."""
_PASSWORDS_OF_PATHS: Final = (*_CHOSEN, "passwort", "passcode", "pass", "psw", "loginpas")
_KEYS_OF_PATHS: Final = ("token", "jwt", "secret", "secret_key")
_NAMES_OF_PATHS: Final = "|".join(
    sorted(
        {*HIDDEN_FIELDS, *_PASSWORDS_OF_PATHS, *_KEYS_OF_PATHS, "key", "auth", "authorization"}, key=len, reverse=True
    )
)
_OF_PATHS: Final = re.compile(
    rf"(?:(?:{_NAMES_OF_PATHS})(?P<mark>=|:|%3[ad])|(?<![a-z0-9])(?P<name>{_NAMES_OF_PATHS})(?P<between>[/_]))(?P<value>[^/&;?#\s\"'<>]+)",
    re.IGNORECASE,
)
"""Some cameras are signed in to by their path: `/user=admin&password=...&channel=1`, `/pwd/...`, `/admin_password_...`."""
_OF_REASONS: Final = ("token", "jwt", "bearer", "basic")
"""Ends of names behind which hosts give their reasons in any words: "Bearer authentication", "token: expired"."""
_FIELD: Final = re.compile(
    rf"""(?P<name>{"|".join(HIDDEN_FIELDS)})["']?\s*(?P<mark>[:=])\s*(?:[\[(]\s*)?["']?(?P<value>[^\s"',;&]+)""",
    re.IGNORECASE,
)
_BEARER: Final = re.compile(r"\bbearer\s+(?P<value>[\w.~+/=-]{16,})", re.IGNORECASE)
_WORDS: Final = re.compile(r"[A-Z]?[a-z]{0,17}(?:[-_./:'][A-Z]?[a-z]{0,17})*[.:!?)=]{0,3}")
"""Letters as words have them: small ones, a capital at most at their begin."""
_NO_WORD: Final = re.compile(r"[bcdfghj-np-tv-xz]{6}|\b[^\Waeiouy_]{4,}\b")
"""Small letters that no word has."""
_TERM: Final = re.compile(r"(?:sha-?\d{1,3}|md5|oauth2?|utf-?8|[hrep]s\d{3}|https?)[.:!?)]?|\d{1,3}", re.IGNORECASE)
"""Names that have digits: of a digest, of a way to sign in, a status."""
_BEGINS: Final = (
    r"(?:must|should|shall|may|can|cannot|is|was|has|does|did|do|not|too|at|this|field"
    r"|required|missing|empty|blank|invalid|incorrect|wrong|expired|refused|rejected|unknown|mismatch|malformed|revoked|disabled"
    r"|denied|unsupported|null|none|undefined)"
)
_REFUSAL: Final = re.compile(rf"{_BEGINS}[.:!?)]?", re.IGNORECASE)
"""How what is said of a password, or a key, begins. It may be a word itself, but hardly one of these."""
_SENTENCE: Final = re.compile(rf"{_BEGINS}(?:[-_][a-z]{{1,17}}){{1,4}}[.:!?)]?")
"""The same as one word: `does-not-match`."""
_OF_A_SENTENCE: Final = re.compile(
    rf"(?:(?:the|this|your|a|an|no|given|provided|user|session|account|client|header|login|request|service|key|value|one)\s+){{1,4}}"
    rf"{_BEGINS}(?![\w=-])",
    re.IGNORECASE,
)
"""How what is said of a key or a cookie begins where it names something first: `session expired`. One of these words alone may be a key."""
_PARAMETER: Final = re.compile(r"(?:realm|scope|charset|error(?:_description)?)=(?P<value>.*)", re.IGNORECASE)
"""What tells how to sign in, in the header `WWW-Authenticate`."""
_NO_VALUE: Final = re.compile(r"(?:none|null|undefined|missing|empty)[.:!?)]?", re.IGNORECASE)
"""What programs write behind `=` where there is no value."""
_REASON_MAX: Final = 200
"""Characters that a reason may have in a row."""
_CREDENTIAL_MIN: Final = 4
"""Characters from which on something may be a credential."""
_BEHIND: Final = "'\")]>}.,;:"
"""What ends a sentence or a quotation, behind an address."""


_CODINGS_MAX: Final = 3
"""Percent signs around each other: `%253A`."""
_TEXT_MAX: Final = 10_000
"""Characters of an exception's text that are shown: some hold all that they were about, and looking for secrets takes its time."""


def hide_secrets(text: str) -> str:
    """Return text without the user, password and query of the addresses in it, and without fields that are named as secrets."""
    if len(text) > _TEXT_MAX:
        text = text[:_TEXT_MAX].rpartition(" ")[0] or text[:_TEXT_MAX]
        text += f" (and more: {_TEXT_MAX} characters are shown)"
    text = _RUN.sub(lambda run: _in_any_coding(_without_address, run[0]), text)
    return _without_values(_without_values(text, _FIELD), _BEARER)


def shown_name(name: str) -> str:
    """Return a name that the user gave, of a source or a thing that is measured, as logs and labels show it: some give the address for it.

    Args:
        name: Perhaps an address, with or without scheme.
    """
    return _RUN.sub(lambda run: _in_any_coding(_without_bare_user, run[0]), hide_secrets(name))


def _in_any_coding(hide: Callable[[str], str], run: str) -> str:
    """Return a text without spaces as `hide` returns it; as it reads behind its percent signs where these hide a secret from that."""
    shown = hidden = hide(run)
    for _ in range(_CODINGS_MAX):
        if "%" not in hidden:
            break
        # What is no part of a run, or is shown by its number, stays so.
        text = "".join(one if one.isprintable() and one != " " else quote(one) for one in unquote(hidden))
        hidden = hide(text)
        if hidden != text:
            shown = hidden
    return shown


def _without_address(run: str) -> str:
    """Return a text without spaces without what is secret of the addresses in it."""
    return without_secret_path(_without_query(_without_user(run)))


def name_repr(name: str | None) -> str:
    """Return the `repr` of such a name, for those of what holds one."""
    return repr(name if name is None else shown_name(name))


def _without_bare_user(run: str) -> str:
    """Return a text without spaces without `user:password` before an `@`, where no scheme says that it is an address."""
    before, at, host = run.rpartition("@")
    is_user = at and "://" not in run and _BARE_PASSWORD.search(before) is not None
    return f"***@{host}" if is_user else run


def _without_user(run: str) -> str:
    """Return a text without spaces without user and password of the addresses in it.

    Up to the last `@`: a password may hold a slash; behind a port it is one of the path.
    """
    last = run.rfind("@")
    if last < 0 or "://" not in run:
        return run
    shown, at = "", 0
    for found in _AUTHORITY.finditer(run):
        start, end = found.span()
        if start >= at:
            colon = _NO_PORT.search(run, start)
            is_password = colon is not None and colon.start() < min(end, last)
            to = last if is_password else run.rfind("@", start, end)
            if to >= start:
                shown, at = f"{shown}{run[at:start]}***@", to + 1
    return shown + run[at:]


def secrets_of_path(run: str) -> list[tuple[int, int]]:
    """Return from where to where an address without spaces, or text with one, holds secrets in its path, by their names there."""
    scheme = run.find("://")
    path = run.find("/", scheme + 3) if scheme >= 0 else -1
    places = []
    found = None if path < 0 else _OF_PATHS.search(run, path)
    while found is not None:
        start, end = found.span("value")
        end -= len(found["value"]) - len(found["value"].rstrip(_BEHIND))
        if start < end and (
            found["mark"] or _is_secret_of_path(found["name"].lower(), found["between"], run[start:end])
        ):
            places.append((start, end))
            start = end
        found = _OF_PATHS.search(run, start)
    return places


def _is_secret_of_path(name: str, between: str, value: str) -> bool:
    """Return whether what follows a name in a path is secret; `key_frames` and `auth/login` are no more than words."""
    if len(value) > _REASON_MAX:
        return True
    if name in _PASSWORDS_OF_PATHS:
        return between == "/" or name != "pass" or is_credential(value)
    return (between == "/" and name in _KEYS_OF_PATHS) or is_credential(value)


def without_secret_path(run: str) -> str:
    """Return an address without spaces, or text with one, without the secrets in its path."""
    shown, at = "", 0
    for start, end in secrets_of_path(run):
        shown, at = f"{shown}{run[at:start]}***", end
    return shown + run[at:]


def _without_query(run: str) -> str:
    """Return a text without spaces without the query of the address, or path, in it."""
    named, scheme = _NAMED_QUERY.search(run), run.find("://")
    begin = None if scheme < 0 else _QUERY_BEGIN.search(run, scheme + 3)
    if begin is None or (named is not None and named.start() < scheme):
        begin = named
    if begin is None:
        return run
    rest = run[begin.end() :]
    return f"{run[: begin.end()]}***{rest[len(rest.rstrip(_BEHIND)) :]}"


def is_credential(value: str) -> bool:
    """Return whether what stands behind `token` or `Bearer` looks like a credential, and not like the reason of a refusal.

    Words are small letters: "expired", "This field is required". A credential has digits, capitals within, or no vowels.
    """
    if len(value) < _CREDENTIAL_MIN or _TERM.fullmatch(value):
        return False
    return _WORDS.fullmatch(value) is None or _NO_WORD.search(value) is not None


def is_sentence(name: str, said: str) -> bool:
    """Return whether what stands behind the name of a field, in small letters, begins like a sentence; a password may be one."""
    return not name.endswith(_CHOSEN) and _OF_A_SENTENCE.match(said) is not None


def is_secret(name: str, mark: str, value: str, said: str = "") -> bool:
    """Return whether the value of a field is secret.

    Args:
        name: Of the field, or its end.
        mark: What stands between both. Behind `=` no sentence begins, but there may be no value: `token=None`.
        value: Its first word.
        said: All that stands there, from this word on.
    """
    if mark != ":":
        return _NO_VALUE.fullmatch(value) is None
    name = name.lower()
    if name.endswith(_OF_REASONS):
        parameter = _PARAMETER.fullmatch(value)
        return is_credential(value if parameter is None else parameter["value"])
    if is_sentence(name, said) or _REFUSAL.fullmatch(value):
        return False
    # A password is chosen by people, who take words and hyphens; a key is none that is a sentence.
    return name.endswith(_CHOSEN) or _SENTENCE.fullmatch(value) is None or is_credential(value)


def _without_values(text: str, form: re.Pattern[str]) -> str:
    """Return a text with the values of fields, or of a scheme, hidden where they are secret; in one that is none the next may begin."""
    shown, at = "", 0
    found = form.search(text)
    while found is not None:
        start, end = found.span("value")
        parts = found.groupdict()
        name, mark, value = parts.get("name", "bearer"), parts.get("mark", ":"), found["value"]
        if len(value) > _REASON_MAX or is_secret(name, mark, value.rstrip("}])"), text[start : start + _REASON_MAX]):
            shown, at, start = f"{shown}{text[at:start]}***", end, end
        found = form.search(text, start)
    return shown + text[at:]


def words_of(error: BaseException, read: Callable[[BaseException], str] = str) -> str:
    """Return the message of an exception, or what is said in its place where reading it raises: a class of the user's may have faults.

    Args:
        error: The exception.
        read: `str` or `repr`.
    """
    try:
        return read(error)
    except Exception as fault:  # noqa: BLE001 - a class of the user's may raise anything; it is named in the text
        return f"(no text: its {read.__name__}() raised {type(fault).__name__})"


def typed_text(error: BaseException | None) -> str:
    """Return type and message of an exception as it has them; empty where there is none."""
    return "" if error is None else f"{type(error).__name__}: {words_of(error)}"


def error_text(error: BaseException) -> str:
    """Return type and message of an exception, without secrets."""
    said = hide_secrets(words_of(error))
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def error_repr(error: BaseException | None) -> str:
    """Return the `repr` of an exception, without secrets; "None" where there is none."""
    return "None" if error is None else hide_secrets(words_of(error, repr))
