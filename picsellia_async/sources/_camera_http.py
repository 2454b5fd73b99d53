"""Asking a camera over HTTP, signed in as its address says, whatever its certificate. Blocking.

No error of the library leaves this module: their messages may hold the address with its password.
"""

from __future__ import annotations

import hashlib
import http.client
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Final
from urllib.parse import quote, unquote, urlunsplit

from picsellia_async._wire.foreign_address import redirect_place
from picsellia_async._wire.redaction import hidden_in
from picsellia_async.sources._address import quoting_hint, secrets_of, split_address
from picsellia_async.sources._errors import SourceError
from picsellia_async.sources._reading_threads import end_at_exit

_REDIRECTS: Final = range(300, 400)


class AnswerError(SourceError):
    """A camera answered, with a status that is none of success."""

    def __init__(self, message: str, status: int) -> None:
        """Store the status beside the message."""
        super().__init__(message)
        self.status = status


def is_web(address: str) -> bool:
    """Return whether an address is one of HTTP."""
    return address.lower().startswith(("http://", "https://"))


def answer_of(
    address: str, shown: str, timeout: float, headers: Mapping[str, str] | None = None
) -> http.client.HTTPResponse:
    """Return the answer of a camera, which the caller reads and closes.

    Args:
        address: With user and password, for basic or digest sign-in.
        shown: The address as messages have it.
        timeout: Seconds without a byte.
        headers: Of the request, beside those that the library sends.

    Raises:
        AnswerError: It answers with another status than one of success.
        SourceError: It cannot be reached.
    """
    failure, status = "", 0
    try:
        opener = _opener(address)
        opener.addheaders = list({**dict(opener.addheaders), **(headers or {})}.items())
        response: http.client.HTTPResponse = opener.open(_without_user(address), timeout=timeout)
    except urllib.error.HTTPError as error:
        error.close()
        location = error.headers.get("location") if error.code in _REDIRECTS else None
        if location is None:
            reason = hidden_in(error.reason, secrets_of(address))
        else:  # the reason is the library's, with the address as it is
            reason = f"it redirects to {hidden_in(redirect_place(location, shown), secrets_of(address))}, which is not followed"
        failure, status = f"HTTP {error.code} {reason}".rstrip(), error.code
    except (OSError, http.client.HTTPException, ValueError) as error:
        failure = why_no_answer(error)
    if failure:  # raised outside of `except`: the error, with the query in it, must not even be the context
        hint = quoting_hint(address, is_refused=status == HTTPStatus.UNAUTHORIZED)
        message = f"cannot open {shown!r} as a video: {failure}{hint}"
        raise AnswerError(message, status) if status else SourceError(message)
    end_at_exit(response)
    return response


class _DigestHandler(urllib.request.HTTPDigestAuthHandler):
    """Digest sign-in with user and password of any characters: the standard library takes ASCII alone."""

    def get_algorithm_impls(self, algorithm: str) -> tuple[Callable[[str], str], Callable[[str, str], str]]:
        """Return the functions of the standard, on UTF-8."""
        name = {"MD5": "md5", "SHA": "sha1"}.get(algorithm)
        if name is None:
            raise ValueError("the camera asks for another digest than MD5 and SHA")

        def digest(text: str) -> str:
            return hashlib.new(name, text.encode()).hexdigest()

        return digest, lambda secret, data: digest(f"{secret}:{data}")


def _opener(address: str) -> urllib.request.OpenerDirector:
    passwords = urllib.request.HTTPPasswordMgrWithDefaultRealm()
    user, separator, _ = split_address(address).netloc.rpartition("@")
    if separator:
        name, _, password = user.partition(":")
        passwords.add_password(None, _without_user(address), unquote(name), unquote(password))
    # Cameras have certificates of their own making; FFmpeg, which opens everything else, does not check them either.
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return urllib.request.build_opener(
        urllib.request.HTTPSHandler(context=context),
        _DigestHandler(passwords),
        urllib.request.HTTPBasicAuthHandler(passwords),
    )


def _without_user(address: str) -> str:
    parts = split_address(address)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(
        (parts.scheme, host, quote(parts.path, "/%:@!$&'()*+,;=~"), quote(parts.query, "/%:@!$&'()*+,;=?~"), "")
    )


def why_no_answer(error: BaseException) -> str:
    """Return what is wrong, without the address."""
    if isinstance(error, urllib.error.URLError) and isinstance(error.reason, BaseException):
        error = error.reason
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, UnicodeEncodeError):
        return "user or host has characters that HTTP does not carry"
    return str(getattr(error, "strerror", None) or type(error).__name__)
