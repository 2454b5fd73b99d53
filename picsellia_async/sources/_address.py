"""The address of a camera or video, as it may be shown: without user, password and query. Pure."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, unquote, urlsplit

from picsellia_async._error_text import secrets_of_path, shown_name, without_secret_path
from picsellia_async._wire.redaction import secrets_of_user
from picsellia_async.errors import ConfigurationError, shown

_USER: re.Pattern[str] = re.compile(r"(?<=://)[^/?#]*@")

_CODED_USER: re.Pattern[str] = re.compile("%(?:25)*40")

_QUOTING = "in user and password @ / ? # [ ] and % are written %40 %2F %3F %23 %5B %5D and %25 (urllib.parse.quote(password, safe='') does so)"
"""How raw characters are written."""

_PERCENT = "where % is a character of user or password, it is written %25"

_PERCENT_CODE: re.Pattern[str] = re.compile(r"%[0-9A-Fa-f]{2}")

_VALUE_MIN = 4
"""Characters of a value from which on it is looked for wherever it stands."""

_DRIVE: re.Pattern[str] = re.compile(r"[A-Za-z]:[\\/]")


def is_url(address: str) -> bool:
    """Return whether the address goes over the network (or names a protocol), and is no file."""
    return "@" not in address.partition("://")[0] and "://" in address


def lacks_scheme(address: str) -> bool:
    """Return whether an address begins with user and password, `user:password@host`, so that `rtsp://` was forgotten."""
    before, at, _ = address.rpartition("@")
    is_path = address.startswith(".") or re.match(r"/(?!/)", address) or _DRIVE.match(address)
    return bool(at) and not is_url(address) and not is_path and re.search(r":|%3a", before, re.IGNORECASE) is not None


def redacted(address: str) -> str:
    """Return the address as messages, logs and reprs show it."""
    shown = _redacted(address)
    return shown_name(shown) if _CODED_USER.search(shown) else shown


def _redacted(address: str) -> str:
    """Return an address without what is secret as it stands; it may be coded as a whole, or the name of a file that was made of one."""
    if lacks_scheme(address):
        return "..." + re.split(r"[?#]", address.rpartition("@")[2], maxsplit=1)[0]
    if not is_url(address):
        return address
    shown = _USER.sub("", address)
    scheme, rest = shown.split("://", 1)
    # A password with `/`, `?` or `#` in it cannot be told from host and path.
    path = f"{scheme}://..." if "@" in rest else re.split(r"[?#]", shown, maxsplit=1)[0]
    return without_secret_path(path)


def quoting_hint(address: str, *, is_refused: bool = False) -> str:
    """Return how user and password are written, where raw characters in them may be why an address cannot be opened; else empty.

    Args:
        address: With user and password.
        is_refused: Whether the camera was reached and took none of them: then a `%41` in them, which stands for an A, may be why.
    """
    if not is_url(address):
        return ""
    before, mark, after = re.match(r"([^/?#]*)([/?#]?)(.*)", address.split("://", 1)[1], re.DOTALL).groups()  # type: ignore[union-attr]  # it fits all
    port = before.rpartition(":")[2]
    is_cut = bool(mark) and "@" in after and ("@" in before or (":" in before and not port.isdecimal()))
    if is_cut:
        return f"; {_QUOTING}"
    return f"; {_PERCENT}" if is_refused and _PERCENT_CODE.search("".join(_USER.findall(address))) else ""


def split_address(address: str) -> SplitResult:
    """Return the parts of an address. Brackets in user and password, which would be taken for those of an IPv6 host, are quoted.

    Raises:
        ValueError: It has none; with a part of the password in its message.
    """
    return urlsplit(_USER.sub(lambda user: user[0].replace("[", "%5B").replace("]", "%5D"), address, count=1))


def secrets_of(address: str) -> set[str]:
    """Return what a camera may repeat of its address that nobody else may read: the password, and the values of its query.

    Makers call the field of the password as they like, so that each value may be one: those that are too short to be looked for
    alone are with their name.
    """
    parts = split_address(address)
    where = f"://{parts.path}"
    named = {unquote(where[start:end]) for start, end in secrets_of_path(where)}
    fields = [field for field in re.split("[&;]", parts.query) if field]
    values = {field.partition("=")[2] for field in fields}
    long = {spelling for value in values for spelling in (value, unquote(value)) if len(value) >= _VALUE_MIN}
    return {*secrets_of_user(parts.netloc.rpartition("@")[0]), *named, *long, *fields}


def source_name(address: str) -> str:
    """Return a name for the frames of an address: the file's, the device's, or host and path."""
    if is_url(address):
        return redacted(address).split("://", 1)[1].strip("/").replace("/", "-") or "camera"
    return re.split(r"[\\/]", address)[-1] or "video"


def checked_address(value: object, name: str) -> str:
    """Return the address as text.

    Raises:
        ConfigurationError: It is neither text nor path, or empty, or has a password without a scheme, or one that hides the host.
    """
    text = str(value) if hasattr(value, "__fspath__") else value
    if not isinstance(text, str) or not text:
        raise ConfigurationError(f"{name} must be a path or URL, got {shown(value)}")
    if lacks_scheme(text):
        raise ConfigurationError(
            f"{name} {redacted(text)!r} has user and password and no scheme: write rtsp:// or http:// before them (a file of "
            "such a name is read by its absolute path)"
        )
    if is_url(text) and not _can_be_split(text):
        # Raised here: the error of the standard library has a part of the password in its message.
        raise ConfigurationError(f"{name} {redacted(text)!r} is no address: {_QUOTING}")
    return text


def _can_be_split(address: str) -> bool:
    try:
        split_address(address)
    except ValueError:
        return False
    return True
