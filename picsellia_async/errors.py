"""Every error of this library. One tree, split by who must act; facts are fields.

```
PicselliaError                        base; never raised itself
├─ ConfigurationError (ValueError)    the caller: bad argument or environment; nothing was sent
│  ├─ HostNotConfiguredError          the deployment has no monitoring or serving host
│  ├─ ImplausibleError                well formed, but it cannot mean what it says: shares for pixels, milliseconds for seconds
│  ├─ ContentTypeUnknown              neither JPEG nor PNG
│  ├─ FileNotFoundException, FileIsDirectoryError, FileNotReadableError   (also the OSError of that name)
│  └─ BadConfigurationContinuousTrainingError
├─ ClosedError (RuntimeError)         the caller: the client was closed, or belongs to another event loop
├─ TransportError                     the network: no answer arrived
│  └─ RequestTimeoutError
├─ StatusError                        the service: an answer, but not the one expected
│  ├─ BadRequestError 400, 422        ├─ PayloadTooLargeError 413
│  ├─ AuthenticationError 401         ├─ LockedError 423
│  ├─ QuotaExceededError 402          ├─ RateLimitError 429
│  ├─ PermissionDeniedError 403       ├─ DistantStorageError 208
│  ├─ NotFoundError 404               └─ ServerError 5xx
│  ├─ ConflictError 409                  ├─ InternalServerError 500
│  │                                     └─ BadGatewayError 502
│  ├─ MonitorError                    any of the above (401 excepted) while monitoring
│  └─ PredictionError                 any of the above (401 excepted) while predicting
├─ DecodeError                        a success status with a body that cannot be read
├─ UploaderFullError                  the uploader takes no more frames now; when_full="raise" asked to be told
│  └─ FrameTooLargeError (ValueError)  this frame can never fit
├─ NoDataError, NoShadowModel, UndefinedObjectError, ...  what was asked for is not there
└─ SpoolError                         the queue on disk cannot be used
```

`MonitorError` and `PredictionError` say *where*, the status classes say *what*: a 409 while monitoring is both a
`MonitorError` and a `ConflictError`. Names of the vendor's SDK (`ResourceNotFoundError`, ...) are the same classes.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, Final

import attrs

BODY_SHOWN: Final = 200
"""Characters of an unexpected body that `str()` of an error may show."""

BYTES_SHOWN: Final = 16
"""Bytes up to which a message shows a value of bytes; more may be an image."""


@attrs.define(slots=False, eq=False, str=False, repr=False)
class PicselliaError(Exception):
    """Base of everything this library raises on purpose; never raised itself."""

    message: str
    """What failed, where, and what to do. Never holds a token, an image or a password."""
    items_read: list[Any] = attrs.field(factory=list, init=False)
    """What a listing had read before one of its pages failed; empty elsewhere."""

    def __str__(self) -> str:
        """Return the message."""
        return self.message

    def __repr__(self) -> str:
        """Return the class and its text; the fields that may be long (the body) stay out."""
        return f"{type(self).__name__}({str(self)!r})"


class ConfigurationError(PicselliaError, ValueError):
    """An argument, a value or the environment cannot be used. No request was sent."""


class HostNotConfiguredError(ConfigurationError):
    """The deployment has no monitoring host, or no serving host."""


class ConnectionConfigurationError(ConfigurationError):
    """What the environment, or the client, says of the way to a host cannot be used: a proxy, certificates. No call is at fault."""


class ImplausibleError(ConfigurationError):
    """A value is well formed and cannot be meant: a box beyond its image, a score of 93, another image format than stated.

    The message names field and value, what it looks like, and the way out. `checks="off"` turns these checks off.
    """


class ContentTypeUnknown(ConfigurationError):
    """The image is neither JPEG nor PNG, by name or by argument."""


class BadConfigurationContinuousTrainingError(ConfigurationError):
    """Continuous training was asked for with arguments that contradict each other or are missing."""


class FileNotFoundException(ConfigurationError, FileNotFoundError):
    """There is no such file."""


class FileIsDirectoryError(ConfigurationError, IsADirectoryError):
    """The path names a directory where a file is needed."""


class FileNotReadableError(ConfigurationError, PermissionError):
    """The file may not be read by this user."""


class ClosedError(PicselliaError, RuntimeError):
    """The client or uploader was closed, or is in use by another running event loop."""


@attrs.define(slots=False, eq=False, str=False, repr=False)
class TransportError(PicselliaError):
    """No answer arrived. The httpx error is the `__cause__`."""

    method: str = ""
    """HTTP verb of the request."""
    url: str = ""
    """Scheme, host, port and path; the query and user information are left out."""
    attempts: int = 1
    """How often the call was attempted in all."""
    request_sent: bool = False
    """Whether the service may have received the whole request. False: a repeat cannot duplicate anything."""
    status: int = 0
    """Status of an answer whose body broke off; 0: no answer began."""

    def __str__(self) -> str:
        """Return what failed, where, and after how many attempts; the message alone where nothing was asked."""
        if not self.url:
            return self.message
        return f"{self.message} for {self.method} {self.url}{_after(self.attempts)}"


class RequestTimeoutError(TransportError):
    """A phase of the request (connect, write, read, or the wait for a connection) took longer than its timeout."""


@attrs.define(slots=False, eq=False, str=False, repr=False)
class StatusError(PicselliaError):
    """The service answered, but not with a status that means success for this call."""

    status: int = 0
    """HTTP status of the last answer."""
    method: str = ""
    """HTTP verb of the request."""
    url: str = ""
    """Scheme, host, port and path; the query and user information are left out."""
    detail: Any = None
    """`detail` of the service's error body: text, a list, or None."""
    body: bytes = b""
    """The body as it arrived, without secrets, cut at 64 KiB."""
    attempts: int = 1
    """How often the call was attempted in all."""
    retry_after: float | None = None
    """Seconds that the service asked to wait, or None."""
    request_sent: bool = True
    """Whether the request of the call was sent. False: it is the answer to the sign-in before it, or to what else it needs first."""

    def __str__(self) -> str:
        """Return status, place and the service's words, shortened; the message alone where nobody was asked."""
        if not self.url:
            return self.message
        where = f"{self.status} for {self.method} {self.url}"
        detail = self.detail
        if isinstance(detail, list):
            detail = "; ".join(reason_in(item) or str(item) for item in detail)
        elif isinstance(detail, dict):
            detail = reason_in(detail) or detail
        said = self.message if not detail else f"{self.message}. Detail: {detail}"
        return f"{where}: {shorten(said)}{_after(self.attempts)}"


class DistantStorageError(StatusError):
    """208: the object name is already taken in the storage; or the storage answered what cannot be used."""


class BadRequestError(StatusError):
    """400 or 422: the service refuses the content of the request."""


class PredictionMismatchError(ConfigurationError, BadRequestError):
    """The prediction is not of the deployment's type, or a shadow prediction came without its latency. No request was sent.

    Also a `BadRequestError`, which the vendor's SDK raises here without asking the service; its `status` is 0.
    """


class AuthenticationError(StatusError):
    """401: the token is wrong or has no access to this deployment."""


class QuotaExceededError(StatusError):
    """402: the organization's plan has no resources left."""


class PermissionDeniedError(StatusError):
    """403: the token is good, the action is not allowed."""


class NotFoundError(StatusError):
    """404: no such object."""


class ConflictError(StatusError):
    """409: the name is taken, or this image was processed before."""


class PayloadTooLargeError(StatusError):
    """413: the request is too large for the service."""


class LockedError(StatusError):
    """423: the object is locked by a job."""


class RateLimitError(StatusError):
    """429: too many requests. `retry_after` holds the seconds asked for, where the service says."""


class ServerError(StatusError):
    """5xx: the service or a gateway before it failed."""


class InternalServerError(ServerError):
    """500."""


class BadGatewayError(ServerError):
    """502."""


class MonitorError(StatusError):
    """The monitoring host did not take a prediction. Always raised as a class that also names the status."""


class PredictionError(StatusError):
    """The serving host did not predict. Always raised as a class that also names the status."""


class MonitoringConnectionError(ServerError):
    """501 and above from the monitoring or serving host (the vendor's name for it)."""


@attrs.define(slots=False, eq=False, str=False, repr=False)
class DecodeError(PicselliaError):
    """A success status, but a body that is not what the call returns."""

    status: int = 0
    """HTTP status of the answer."""
    method: str = ""
    """HTTP verb of the request."""
    url: str = ""
    """Scheme, host, port and path."""
    problems: tuple[str, ...] = ()
    """One line per field that could not be read, with its path."""
    request_sent: bool = True
    """Whether the request of the call was sent. False: it is the answer to the sign-in before it that cannot be read."""

    def __str__(self) -> str:
        """Return the place and the first problems."""
        problems = "; ".join(self.problems[:5])
        return f"{self.message} ({self.status} for {self.method} {self.url}){': ' + problems if problems else ''}"


class SpoolError(PicselliaError):
    """The queue on disk cannot be opened, written or read. `message` names the directory."""


@attrs.define(slots=False, eq=False, str=False, repr=False)
class UploaderFullError(PicselliaError):
    """The uploader holds as much as it may (`when_full="raise"`). The frame was not accepted."""

    frame_bytes: int = 0
    """Size of the frame that was refused."""
    pending_bytes: int = 0
    """What is held."""
    max_bytes: int = 0
    """What may be held."""
    pending_frames: int = 0
    """Frames that are held."""
    max_frames: int | None = None
    """Frames that may be held; None: any number."""


class FrameTooLargeError(UploaderFullError, ValueError):
    """The frame is larger than the uploader's whole limit, so that waiting would not help. It was not accepted."""


class NoDataError(PicselliaError):
    """A listing, or a campaign, that the caller counts on is empty or absent."""


class NoShadowModel(PicselliaError):
    """The deployment has no shadow model."""


class NoBaseExperimentError(PicselliaError):
    """The model version does not come from an experiment."""


class NoConnectorFound(PicselliaError):
    """The organization has no default storage connector."""


class NoUrlAvailable(PicselliaError):
    """The object has no download address."""


class UndefinedObjectError(PicselliaError):
    """The platform named an object without an id."""


class WaitingAttemptsTimeout(PicselliaError):
    """A job or a data did not reach its end within the attempts allowed."""


class UploadError(PicselliaError):
    """A file could not be stored in the object storage."""


class UnprocessableData(UploadError):
    """The platform could not process what was uploaded."""


class DownloadError(PicselliaError):
    """A file could not be fetched from the object storage."""


# The vendor's names for the same things (docs/wire.md#error-names), so that an `except` written for its SDK still catches.
ForbiddenError = PermissionDeniedError
InsufficientResourcesError = QuotaExceededError
NetworkError = TransportError
RequestTooLargeError = PayloadTooLargeError
ResourceConflictError = ConflictError
ResourceLockedError = LockedError
ResourceNotFoundError = NotFoundError
TooManyRequestError = RateLimitError
UnauthorizedError = AuthenticationError


def shorten(text: str) -> str:
    """Return the text on one line, cut to `BODY_SHOWN` characters."""
    line = " ".join(text.split())
    return line if len(line) <= BODY_SHOWN else line[: BODY_SHOWN - 1] + "…"


def shown(value: object) -> str:
    """Return how a message shows a value that somebody gave: its `repr`, cut to `BODY_SHOWN` characters; of many bytes, how many."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        size = memoryview(value).nbytes
        if size > BYTES_SHOWN:
            return f"{type(value).__name__} of {size} bytes"
    return shorten(repr(value[:BODY_SHOWN] if isinstance(value, str) else value))


_REASONS: Final = (
    "message",
    "detail",
    "error_description",
    "description",
    "error",
    "errors",
    "title",
    "msg",
    "reason",
    "text",
)
"""Fields in which services and gateways say why, the one that says most first: `{"error": "access_denied", "error_description": ...}`."""
_REASONS_MAX: Final = 3
"""Entries of a list of errors that a message names."""
_REASON_DEPTH: Final = 16
"""Lists and objects around a reason."""


def reason_in(value: object, depth: int = 0) -> str:
    """Return the reason that JSON gives, with its place where it has one (`loc`, as pydantic says it); empty where it gives none.

    Args:
        value: Text, a list, an object; anything else says nothing.
        depth: Lists and objects that it is in.
    """
    if isinstance(value, str):
        return value.strip()
    if depth >= _REASON_DEPTH:
        return ""
    if isinstance(value, list):
        reasons = (reason_in(entry, depth + 1) for entry in value)
        return "; ".join(itertools.islice(filter(None, reasons), _REASONS_MAX))
    if not isinstance(value, dict):
        return ""
    reasons = (reason_in(value[name], depth + 1) for name in _REASONS if name in value)
    reason, place = next(filter(None, reasons), ""), value.get("loc")
    if reason and isinstance(place, list) and place:
        return f"{'.'.join(str(part) for part in place if isinstance(part, (str, int)))}: {reason}"
    return reason


def _after(attempts: int) -> str:
    return f" (after {attempts} attempts)" if attempts > 1 else ""


STATUS_ERRORS: Final[dict[int, type[StatusError]]] = {
    208: DistantStorageError,
    400: BadRequestError,
    401: AuthenticationError,
    402: QuotaExceededError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    413: PayloadTooLargeError,
    422: BadRequestError,
    423: LockedError,
    429: RateLimitError,
    500: InternalServerError,
    502: BadGatewayError,
}
"""Status to class, the only such table; other statuses fall back to `ServerError` (5xx) and `StatusError`."""


def _restore(status: int, family: type[StatusError] | None, fields: tuple[Any, ...]) -> StatusError:
    return status_error_class(status, family)(*fields)


def _reduce(family: type[StatusError]) -> Callable[[StatusError], tuple[Any, ...]]:
    def reduce(self: StatusError) -> tuple[Any, ...]:
        return _restore, (self.status, family, self.args), vars(self)

    return reduce


_FAMILIES: Final[dict[tuple[type[StatusError], type[StatusError]], type[StatusError]]] = {}


def status_error_class(status: int, family: type[StatusError] | None = None) -> type[StatusError]:
    """Return the class that stands for a status in a family of calls.

    Args:
        status: HTTP status of the answer.
        family: `MonitorError` or `PredictionError` where the call belongs to one, `MonitoringConnectionError` for statistics,
            `AuthenticationError` for sign-ins, else None.

    Returns:
        The class of the status; within a family, one that derives from both.
    """
    kind = STATUS_ERRORS.get(status) or (ServerError if status >= 500 else StatusError)
    if family is AuthenticationError:
        # Whatever a sign-in is refused with, 404 for an unknown deployment included, it was refused.
        return family if 400 <= status < 500 and status not in {408, 425, 429} else kind
    if family is None or kind is AuthenticationError:
        return kind
    parents: tuple[type[StatusError], ...] = (family, kind)
    if family is MonitoringConnectionError:
        if status <= 500:
            return kind
        if kind is ServerError:
            return family
    if kind is StatusError:
        return family
    if status > 500 and family is not MonitoringConnectionError:
        parents = (family, MonitoringConnectionError) if kind is ServerError else (*parents, MonitoringConnectionError)
    key = (family, kind)
    if key not in _FAMILIES:
        # Built on first use: ten statuses times two families would be twenty empty classes.
        name = family.__name__.removesuffix("Error") + kind.__name__
        body = {"__reduce__": _reduce(family), "__doc__": f"{kind.__doc__} ({family.__name__})", "__module__": __name__}
        _FAMILIES[key] = type(name, parents, body)
    return _FAMILIES[key]
