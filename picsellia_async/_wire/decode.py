"""Reading answers: `decode` returns the value or raises the error that the status means. Pure.

Which statuses mean success is said by the endpoint, which error another one means by `errors`. Two more are acted upon elsewhere,
before an answer is read: 401 (`_http/service` signs in anew) and redirects (`_http/session` follows them).
"""

from __future__ import annotations

import codecs
import datetime
import functools
import math
import re
from collections.abc import Callable, Hashable, Iterable
from email.utils import parsedate_to_datetime
from typing import Any, Final, TypeVar, cast, get_origin

import attrs
import orjson
from cattrs import BaseValidationError, transform_error

from picsellia_async._wire.converter import CONVERTER
from picsellia_async._wire.endpoints import Endpoint
from picsellia_async._wire.exchange import ERROR_BYTES_MAX, REASON, Answer
from picsellia_async._wire.foreign_address import redirect_place
from picsellia_async._wire.image_echo import SentImage, without_image
from picsellia_async._wire.page import page_text
from picsellia_async._wire.reader import READER, UNREADABLE
from picsellia_async._wire.redaction import hidden_in, shown_reason, without_secrets
from picsellia_async.errors import DecodeError, StatusError, reason_in, status_error_class
from picsellia_async.models import Value

T = TypeVar("T")
V = TypeVar("V", bound=Value)

BODY_KEPT: Final = 64 * 1024
"""Bytes of an error body that stay on the error."""
_MARGIN: Final = 4 * 1024
"""Bytes behind those that are searched too, so that a secret which the bound cuts is found."""


def decode(endpoint: Endpoint[T], answer: Answer, url: str, attempts: int = 1, *, subject: object = None) -> T:
    """Read an answer.

    Args:
        endpoint: What was called.
        answer: What came back.
        url: Where it was sent, without query and user information.
        attempts: How often it was sent.
        subject: Id of the object that was asked for: an answer about it may leave its id out.

    Returns:
        The body, structured into `endpoint.returns`; None where nothing is returned.

    Raises:
        StatusError: The status does not mean success; the subclass says which one it was.
        DecodeError: It does, but the body is not what the call returns.
    """
    if answer.status not in endpoint.ok:
        raise status_error(endpoint, answer, url, attempts)
    try:
        return _read(endpoint, answer, url, subject)
    except DecodeError as error:
        raise error.with_traceback(None) from None  # the frames of reading hold what came, which may be an echo


def _read(endpoint: Endpoint[T], answer: Answer, url: str, subject: object) -> T:
    if endpoint.returns is type(None):
        return None

    def failed(problem: str, *problems: str) -> DecodeError:
        return DecodeError(problem, answer.status, endpoint.method, url, problems)

    try:
        value: Any = orjson.loads(answer.content)
    except orjson.JSONDecodeError as exc:
        coding = answer.header(b"content-encoding")
        said = str(exc) if coding is None else f"{exc}; Content-Encoding {coding}"
        raise failed(f"the body of {len(answer.content)} bytes is not JSON", said) from None
    takes_object, is_plain = _shape(endpoint.returns)  # type: ignore[arg-type]  # types are hashable
    if takes_object and not isinstance(value, dict):
        raise failed(f"a JSON object was expected, got {type(value).__name__}")
    if is_plain:
        plain: T = value
        return plain
    lacks_id = subject is not None and isinstance(value, dict) and value.get("id") is None
    try:
        made = READER.structure({**value, "id": str(subject)} if lacks_id else value, endpoint.returns)
    except UNREADABLE as exc:
        raise failed(f"cannot read the answer as {endpoint.returns.__name__}", *_problems(exc)) from exc
    if lacks_id and isinstance(made, Value):
        object.__setattr__(made, "raw", value)  # as it came
    return made


@functools.cache
def _shape(returns: Hashable) -> tuple[bool, bool]:
    """Return whether a type is read from a JSON object, and whether it is the JSON itself."""
    kind = get_origin(returns) or returns
    return kind is dict or attrs.has(cast("type", kind)), kind in {dict, object}


def _problems(exc: Exception) -> list[str]:
    return [str(problem) for problem in transform_error(exc)] if isinstance(exc, BaseValidationError) else [repr(exc)]


def updated(description: V, answer: dict[str, Any]) -> V:
    """Return a description with the fields of an answer in place of its own; an update need not repeat them all.

    Raises:
        DecodeError: A field of the answer cannot be read.
    """
    known = CONVERTER.unstructure(attrs.evolve(description, raw={}))
    fields = {**known, **description.raw, **answer}
    if fields.get("id") is None:
        fields["id"] = known["id"]
    try:
        return READER.structure(fields, type(description))
    except BaseValidationError as exc:
        raise DecodeError("the answer to the update cannot be read", problems=tuple(transform_error(exc))) from exc


def status_error(
    endpoint: Endpoint[Any],
    answer: Answer,
    url: str,
    attempts: int = 1,
    secrets: Iterable[str] = (),
    image: SentImage | None = None,
) -> StatusError:
    """Return the error that a status means, with the service's own words where the body holds any (docs/wire.md#statuses).

    Args:
        endpoint: What was called.
        answer: What came back.
        url: Where it was sent, without query and user information.
        attempts: How often it was sent.
        secrets: What the request was signed with: hidden in those words, however they spell it.
        image: What the request carried: hidden as well.
    """
    answer = attrs.evolve(answer, content=_shown(answer.content, secrets, image))
    message, detail = error_text(answer, lambda text: _shown(text.encode(), secrets, image).decode("utf-8", "replace"))
    if reason := answer.header(REASON):
        message = _CONTROLS.sub("?", f"{message} {_phrase(reason, secrets, image)}")
    if place := _without_image(hidden_in(_redirect_place(answer, url), secrets), image):
        message, detail = f"it redirects to {place}, which is not followed", None
        if url.startswith("http://") and place.startswith("https://"):
            message += "; give the address of the host as https://"
    cls = status_error_class(answer.status, endpoint.errors)
    return cls(
        message, answer.status, endpoint.method, url, detail, answer.content[:BODY_KEPT], attempts, retry_after(answer)
    )


def _shown(content: bytes, secrets: Iterable[str], image: SentImage | None) -> bytes:
    """Return what of an error's body is shown, without secrets: JSON as a whole, of anything else as much as the error keeps.

    A page of HTML is nothing to be read to its end, and searching it takes its time.
    """
    # A status that means success elsewhere may come with megabytes, which the transport does not cut.
    content = _as_utf8(content[:ERROR_BYTES_MAX])
    if len(content) > BODY_KEPT and not _is_json(content):
        head = content[: BODY_KEPT + _MARGIN]
        end = max(head.rfind(b" ", BODY_KEPT), head.rfind(b"\n", BODY_KEPT))  # half a word is not known for a secret
        content = head[:end] if end > 0 else head
    content = without_secrets(content, secrets)  # first: what is hidden by its form needs no search
    return content if image is None else without_image(content, image)


def _as_utf8(content: bytes) -> bytes:
    """Return a body in UTF-16, with its mark or without, in UTF-8: in any other coding secrets are not known, and nobody reads them."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) and len(content) > len(codecs.BOM_UTF16):
        return content.decode("utf-16", "replace").encode()
    if b"\0" in content:
        for coding, high in (("utf-16-le", content[1::2]), ("utf-16-be", content[::2])):
            if high.count(0) > len(high) * _HIGH_ZEROS:
                return content.decode(coding, "replace").encode()
    return content


def _is_json(content: bytes) -> bool:
    try:
        orjson.loads(content)
    except orjson.JSONDecodeError:
        return False
    return True


def _redirect_place(answer: Answer, url: str) -> str:
    """Return where a redirect leads, as errors show it; empty where it does not say."""
    location = answer.header(b"location")
    if location is None or not 300 <= answer.status < 400:
        return ""
    return redirect_place(location, url)


def _phrase(reason: str, secrets: Iterable[str], image: SentImage | None) -> str:
    """Return a reason phrase, which a proxy or a gateway may have put a credential or an image into, as text to be shown."""
    content = reason.encode("latin-1")
    content = content if image is None else without_image(content, image)  # before words of it are hidden by their form
    return without_secrets(shown_reason(content), secrets).decode("utf-8", "replace")


def _without_image(text: str, image: SentImage | None) -> str:
    return text if image is None else without_image(text.encode(), image).decode("utf-8", "replace")


_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""Characters that a terminal obeys, those that turn the direction of a line among them."""


def error_text(answer: Answer, hide: Callable[[str], str] = str) -> tuple[str, Any]:
    """Return message and detail of an error body: `{"message", "detail"}`, else the text, that of a page alone, else the bare status.

    Args:
        answer: What came back, without secrets.
        hide: Returns a text without secrets: the elements of a page may have stood in the middle of one.
    """
    try:
        message, detail = _said(answer)
        message = hide(page_text(message)) or message
    except RecursionError:  # JSON nested so deep that it has no text
        message, detail = f"the service said, with status {answer.status}, what is nested too deep to be shown", None
    return _CONTROLS.sub("?", message), _CONTROLS.sub("?", detail) if isinstance(detail, str) else detail


_HIGH_ZEROS: Final = 0.75
"""Share of zeros among every second byte from which on a body is text in UTF-16."""


def _said(answer: Answer) -> tuple[str, Any]:
    body = _body(answer.content)
    detail = None
    if isinstance(body, dict):
        message, detail = body.get("message"), body.get("detail")
        if not isinstance(message, str) or not message:
            message, detail = (reason_in(detail) or str(detail) if detail else reason_in(body)), None
    else:
        message = reason_in(body) or str(body) if body else ""
    return message or f"the service said no more than status {answer.status}", detail


def _body(content: bytes) -> Any:
    """Return a body as JSON, else as text."""
    content = _as_utf8(content)
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        return content.decode("utf-8", "replace").strip()


def retry_after(answer: Answer) -> float | None:
    """Return the seconds to wait that an answer asks for, or None.

    Reads `Retry-After-Ms` (milliseconds), and `Retry-After` in seconds or as an HTTP date. A date is measured against the
    answer's own `Date`, so that a wrong clock on either side does not matter; never below 0.
    """
    if (milliseconds := _float(answer.header(b"retry-after-ms"))) is not None:
        return max(0.0, milliseconds / 1000)
    header = answer.header(b"retry-after")
    if header is None:
        return None
    if (seconds := _float(header)) is not None:
        return max(0.0, seconds)
    when = _http_date(header)
    if when is None:
        return None
    now = answer_date(answer) or datetime.datetime.now(datetime.UTC)
    return max(0.0, (when - now).total_seconds())


def answer_date(answer: Answer) -> datetime.datetime | None:
    """Return the time at which an answer was made, by the clock of the service; None where it does not say."""
    return _http_date(answer.header(b"date") or "")


def _float(value: str | None) -> float | None:
    try:
        number = float(value) if value is not None else None
    except ValueError:
        return None
    return number if number is not None and 0 <= number < math.inf else None


def _http_date(value: str) -> datetime.datetime | None:
    try:
        when = parsedate_to_datetime(value)
    except ValueError:
        return None
    # A date in the form "-0000" is naive and means UTC.
    return when if when.tzinfo else when.replace(tzinfo=datetime.UTC)
