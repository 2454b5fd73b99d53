"""`Fault`: one scripted fault, what goes wrong and at which requests. `fault_register` decides which one fires."""

from __future__ import annotations

import enum
import uuid
from collections.abc import Mapping
from typing import Any, Final, Literal, Self

import attrs
import cattrs

from picsellia_async._wire.endpoints import Host
from picsellia_async.emulator.endpoint_index import FAULT_NAMES
from picsellia_async.emulator.transport.safe_pattern import compile_safely
from picsellia_async.errors import ConfigurationError
from picsellia_async.validation import boolean, choice, real_number, whole_number


class FaultKind(enum.StrEnum):
    """What goes wrong. The first group is answered, delayed or spoiled as a whole; the second acts on the bytes of the connection."""

    LATENCY = "latency"
    """The request waits `seconds` (plus up to `jitter`) before it is handled."""
    STATUS = "status"
    """The request is answered with `status`, `body` and `retry_after` instead of being handled."""
    HTML = "html"
    """As `status` (502 unless given), with the HTML page of a gateway."""
    JWT_EXPIRY = "jwt_expiry"
    """Every token handed out so far is void from this request on; without a store to tell, a 401."""
    RATE_LIMIT = "rate_limit"
    """More than `limit` requests per second are answered with `status` (429 unless given)."""
    CONCURRENCY_LIMIT = "concurrency_limit"
    """More than `limit` requests at once are answered with `status` (503 unless given)."""
    CAPACITY = "capacity"
    """`limit` requests at once are served, `seconds` each; further ones wait for their turn, so the round trip grows."""
    CONFLICT = "conflict"
    """A request with a body that was handled with success before is answered with 409, as by a service that knows its data."""
    GARBAGE = "garbage"
    """The request is handled, but the answer is half a JSON document with a success status."""
    STORED_THEN_DROPPED = "stored_then_dropped"
    """The request is handled, but the connection is cut instead of an answer."""

    RESET = "reset"
    """The connection is reset (RST) after so many bytes."""
    STALL = "stall"
    """Nothing passes any more after so many bytes, for `seconds` or until the connection ends."""
    DRIP = "drip"
    """Bytes pass at `bytes_per_second` only."""
    TRUNCATE = "truncate"
    """The connection is closed in good order (FIN) after so many bytes."""
    LYING_LENGTH = "lying_length"
    """The Content-Length of the answer is off by `delta`; where it promises too much, the connection is closed behind."""


BYTE_LEVEL: Final = frozenset(
    {FaultKind.RESET, FaultKind.STALL, FaultKind.DRIP, FaultKind.TRUNCATE, FaultKind.LYING_LENGTH}
)
"""Kinds that act on the bytes of the connection."""

SERVICES: Final = tuple(host.value for host in Host)
"""What `Fault.service` may be."""

CHOOSING: Final = frozenset({"service", "endpoint", "match", "times", "skip", "probability", "seed", "for_seconds"})
"""Fields of every kind: they choose the requests."""
_ANSWER: Final = frozenset({"status", "body", "retry_after", "retry_after_form", "early"})
_PLACE: Final = frozenset({"direction", "after_bytes", "after_fraction"})
EFFECTIVE: Final[Mapping[FaultKind, frozenset[str]]] = {
    kind: CHOOSING | fields
    for kind, fields in {
        FaultKind.LATENCY: frozenset({"seconds", "jitter"}),
        FaultKind.STATUS: _ANSWER,
        FaultKind.HTML: _ANSWER,
        FaultKind.JWT_EXPIRY: _ANSWER - {"status"},
        FaultKind.RATE_LIMIT: _ANSWER | {"limit"},
        FaultKind.CONCURRENCY_LIMIT: _ANSWER | {"limit", "seconds"},
        FaultKind.CAPACITY: frozenset({"limit", "seconds"}),
        FaultKind.CONFLICT: _ANSWER - {"status", "early"},
        FaultKind.GARBAGE: frozenset(),
        FaultKind.STORED_THEN_DROPPED: frozenset(),
        FaultKind.RESET: _PLACE,
        FaultKind.STALL: _PLACE | {"seconds"},
        FaultKind.DRIP: _PLACE | {"bytes_per_second"},
        FaultKind.TRUNCATE: _PLACE,
        FaultKind.LYING_LENGTH: frozenset({"delta"}),
    }.items()
}
"""Fields that a kind looks at; others are refused, as they would be without effect."""

_LEAST: Final = {"times": 1, "skip": 0, "status": 0, "after_bytes": 0, "bytes_per_second": 1}
_STATUS: Final = {FaultKind.HTML: 502, FaultKind.RATE_LIMIT: 429, FaultKind.CONCURRENCY_LIMIT: 503}


@attrs.frozen(kw_only=True)
class Fault:
    """One scripted fault. Which of the fields count depends on `kind`; one that would have no effect is refused.

    Raises:
        ConfigurationError: A field is out of range, unknown to the table of endpoints, or without effect; or the kind lacks what makes
            it act.
    """

    kind: FaultKind = attrs.field(converter=FaultKind)
    """What goes wrong."""
    service: str | None = None
    """Only requests to this service: `platform`, `oracle`, `serving`, `storage`. None: any. Where platform and monitoring share a path
    (`get_deployment` and `retrieve_information`), the credential tells them apart: an api token or a JWT."""
    endpoint: str | None = None
    """Only this endpoint: a short name (`monitor`, `login`, `predict`, `storage`, ...), which may stand for several routes, or the
    name that the journal shows (`oracle_login`, `predict_cloud_image`, ...). None: any."""
    match: str | None = None
    """Only requests where this regular expression is found in `"POST /path"`. None: any. Patterns that may take exponential time are
    refused: at most 500 characters, four repeats without an upper bound, and no repeat of a group that holds one."""
    times: int | None = None
    """Fires at most so often, 1 or more. None: until removed."""
    skip: int = 0
    """The first so many matching requests are left alone."""
    probability: float = 1.0
    """Chance to fire at each matching request, drawn from a generator seeded with `seed`."""
    seed: int | None = None
    """Seed of `probability` and `jitter`. None: not repeatable."""
    for_seconds: float | None = None
    """Fires only within so many seconds of the first matching request. None: no such limit."""
    status: int = 0
    """Status of the answer, 200 to 599. 0: 500, or what the kind names as its own."""
    body: str | None = None
    """Body of the answer. None: a JSON object with `detail`, or the page of `html`."""
    retry_after: float | None = None
    """Seconds that the answer asks to wait. None: no such header."""
    retry_after_form: Literal["seconds", "date", "ms"] = "seconds"
    """`Retry-After: 2`, `Retry-After: <HTTP date>`, or `Retry-After-Ms: 2000`."""
    early: bool = False
    """Whether the answer goes out before the body of the request was read."""
    seconds: float | None = None
    """Length of a latency, of a stall, or of one request in `capacity` and `concurrency_limit`. None: a stall has no end."""
    jitter: float = 0.0
    """Up to so many seconds are added to a latency."""
    limit: float = 1.0
    """Of `rate_limit` (per second), `concurrency_limit` and `capacity` (at once); above 0."""
    direction: Literal["up", "down"] = "up"
    """Byte level: `up` counts the body of the request, `down` that of the answer."""
    after_bytes: int | None = None
    """Byte level: acts once so many bytes of the body passed. 0: before the head goes on."""
    after_fraction: float | None = None
    """Byte level: the same as a share of the body's length, 0 to 1. `up` with 1.0: the service never sees the last byte.
    Without both: `truncate` acts at half of the body, the others before the head."""
    bytes_per_second: int = 1024
    """Speed of `drip`, 1 or more."""
    delta: int = 10
    """What `lying_length` adds to the Content-Length; below 0 it promises too little."""
    id: str = attrs.field(factory=lambda: uuid.uuid4().hex[:12])
    """Name in the account."""

    def __attrs_post_init__(self) -> None:
        """Refuse what could never fire or act, before it passes for a test."""
        if self.service not in (None, *SERVICES):
            raise ConfigurationError(f"Fault.service {self.service!r} is unknown; accepted are {', '.join(SERVICES)}")
        if self.endpoint is not None and self.endpoint.lower() not in FAULT_NAMES:
            accepted = ", ".join(sorted(FAULT_NAMES))
            raise ConfigurationError(f"Fault.endpoint {self.endpoint!r} is unknown; accepted are {accepted}")
        if self.match is not None:
            compile_safely(self.match, "Fault.match")
        boolean(self.early, "Fault.early")
        self._check_numbers()
        self._check_fields()

    def _check_numbers(self) -> None:
        for name in ("times", "skip", "seed", "status", "after_bytes", "bytes_per_second", "delta"):
            if (value := getattr(self, name)) is not None:
                whole_number(value, f"Fault.{name}", _LEAST.get(name))
        for name in ("probability", "for_seconds", "retry_after", "seconds", "jitter", "limit", "after_fraction"):
            if (value := getattr(self, name)) is not None:
                real_number(value, f"Fault.{name}", 0.0)
        for name in ("probability", "after_fraction"):
            if (getattr(self, name) or 0.0) > 1.0:
                raise ConfigurationError(f"Fault.{name} must be at most 1, got {getattr(self, name)}")
        if self.status and not 200 <= self.status <= 599:
            raise ConfigurationError(f"Fault.status must be 200 to 599, got {self.status}")
        if not self.limit or not self.delta:
            raise ConfigurationError("Fault.limit and Fault.delta must not be 0")
        for name, accepted in (("direction", ("up", "down")), ("retry_after_form", ("seconds", "date", "ms"))):
            choice(getattr(self, name), f"Fault.{name}", accepted)

    def _check_fields(self) -> None:
        """Refuse fields that the kind does not look at, and a kind without what makes it act."""
        effective = EFFECTIVE[self.kind]
        idle = [name for name, default in _DEFAULTS.items() if name not in effective and getattr(self, name) != default]
        if idle:
            accepted = ", ".join(sorted(effective - CHOOSING)) or "none of its own"
            raise ConfigurationError(f"Fault.{idle[0]} has no effect on {self.kind.value}; its fields are: {accepted}")
        if self.kind is FaultKind.LATENCY and self.seconds is None and not self.jitter:
            raise ConfigurationError("a latency needs Fault.seconds, Fault.jitter, or both")
        if self.kind is FaultKind.CAPACITY and self.seconds is None:
            raise ConfigurationError("a capacity needs Fault.seconds, the time that each request takes")
        if self.after_bytes is not None and self.after_fraction is not None:
            raise ConfigurationError("Fault.after_bytes and Fault.after_fraction say the same; give one of them")

    @property
    def is_byte_level(self) -> bool:
        """Whether it acts on the bytes of the connection."""
        return self.kind in BYTE_LEVEL

    @property
    def acts_on(self) -> Literal["up", "down"]:
        """Direction in which a byte-level fault acts; only an answer can lie about its length."""
        return "down" if self.kind is FaultKind.LYING_LENGTH else self.direction

    @property
    def answer_status(self) -> int:
        """Status of the answer that this fault gives."""
        return self.status or _STATUS.get(self.kind, 500)

    def threshold(self, length: int | None) -> int:
        """Return after how many body bytes the fault acts, given the body's length (None: unknown)."""
        if self.after_bytes is not None:
            return self.after_bytes
        if length is None:
            return 0
        if self.after_fraction is None:
            return length // 2 if self.kind is FaultKind.TRUNCATE else 0
        return int(length * self.after_fraction)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Build a fault from the JSON object that `POST /emulator/faults` takes.

        Args:
            data: The fields by name; unknown ones are refused.

        Raises:
            ConfigurationError: A field is unknown, of the wrong type or out of range.
        """
        kinds = [kind.value for kind in FaultKind]
        if data.get("kind") not in kinds:
            raise ConfigurationError(f"kind {data.get('kind')!r} is unknown; accepted are {', '.join(kinds)}")
        try:
            return _CONVERTER.structure(dict(data), cls)
        except cattrs.BaseValidationError as error:
            raise ConfigurationError("; ".join(cattrs.transform_error(error, format_exception=_described))) from error

    def to_json(self) -> dict[str, Any]:
        """Return the fields that differ from their defaults, and the id."""
        fields: dict[str, Any] = _CONVERTER.unstructure(self)
        return {name: value for name, value in fields.items() if name in ("id", "kind") or value != _DEFAULTS[name]}


def _converter() -> cattrs.Converter:
    converter = cattrs.Converter(forbid_extra_keys=True)
    # As they came: `Fault` says what is wrong with them, and a text that happens to be a number is no number.
    for type_ in (int, float, bool, str):
        converter.register_structure_hook(type_, lambda value, _: value)
    return converter


def _described(error: BaseException, type_: type | None) -> str:
    """Say what is wrong with a field; our own errors name the field and the value already."""
    return error.message if isinstance(error, ConfigurationError) else cattrs.v.format_exception(error, type_)


_CONVERTER: Final = _converter()
_DEFAULTS: Final[dict[str, Any]] = {
    field.name: field.default for field in attrs.fields(Fault) if field.name not in ("id", "kind")
}
