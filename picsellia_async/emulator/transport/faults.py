"""Scripted faults: what goes wrong, at which requests, how often, and an account of what really did.

Here are the values (`Fault`, `Firing`) and the register that decides when one fires (`Faults`). They are acted out by
`fault_middleware` (what an application can do) and by `byte_faults` (what needs the bytes of the connection); both draw from one
register. Handlers of the emulator know nothing of any of them.

Theory of operation. A fault is drawn once per request and level: at the HTTP level when the application is called, at the
byte level when the head of the request has arrived. In the order in which they were added, the first fault that
matches and whose turn it is (`skip`, `times`, `probability`, `for_seconds`) fires; `latency` fires and lets the draw go
on. A byte-level fault enters the account when it acts, not when it is drawn: a reset after a megabyte that never
came did not happen.
"""

from __future__ import annotations

import asyncio
import enum
import random
import re
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Literal, Self

import attrs
import cattrs

from picsellia_async._wire.endpoints import Host
from picsellia_async.emulator.endpoint_index import FAULT_NAMES, Target, has_jwt, resolve
from picsellia_async.emulator.transport.safe_pattern import compile_safely
from picsellia_async.errors import ConfigurationError
from picsellia_async.validation import choice, real_number, whole_number


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
    """One scripted trouble. Which of the fields count depends on `kind`; one that would have no effect is refused.

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


@attrs.frozen
class Request:
    """What a fault can match: the request line, and what it is for."""

    method: str
    """HTTP verb."""
    path: str
    """Path without the query."""
    target: Target = attrs.field(factory=Target)
    """Service and endpoint, as far as the table of endpoints knows them."""


@attrs.frozen
class Firing:
    """One line of the account: this fault acted on this request."""

    fault_id: str
    """`Fault.id`."""
    kind: FaultKind
    """`Fault.kind`."""
    request: Request
    """The request it happened to."""
    at: float
    """When, in seconds of the register's clock."""


@attrs.define
class Script:
    """A fault with what it remembers between requests."""

    fault: Fault
    """What is scripted."""
    random: random.Random
    """Its own generator, so that faults do not disturb each other's draws."""
    pattern: re.Pattern[str] | None
    """`Fault.match`, compiled."""
    seen: int = 0
    """Matching requests so far."""
    fired: int = 0
    """How often it was drawn."""
    first_seen_at: float | None = None
    """When the first matching request came."""
    tokens: float = 1.0
    """Of `rate_limit`: what is left in the bucket."""
    refilled_at: float = 0.0
    """Of `rate_limit`: when the bucket was last looked at."""
    busy: int = 0
    """Of `concurrency_limit`: requests inside."""
    known: set[bytes] = attrs.field(factory=set)
    """Of `conflict`: digests of the bodies that were handled."""
    turns: asyncio.Semaphore | None = None
    """Of `capacity`: made in the loop that serves."""

    def matches(self, request: Request) -> bool:
        """Say whether service, endpoint and pattern fit."""
        fault = self.fault
        if fault.service is not None and fault.service != request.target.service:
            return False
        if fault.endpoint is not None and not request.target.is_called(fault.endpoint.lower()):
            return False
        return self.pattern is None or self.pattern.search(f"{request.method} {request.path}") is not None

    def is_due(self, now: float) -> bool:
        """Count a matching request and say whether the fault fires at it."""
        fault = self.fault
        if self.first_seen_at is None:
            self.first_seen_at = now
        self.seen += 1
        if self.seen <= fault.skip or (fault.times is not None and self.fired >= fault.times):
            return False
        if fault.for_seconds is not None and now - self.first_seen_at > fault.for_seconds:
            return False
        if fault.probability < 1.0 and self.random.random() >= fault.probability:
            return False
        self.fired += 1
        return True

    def is_over_rate(self, now: float) -> bool:
        """Take one token of the bucket (one second of burst); say whether there was none."""
        limit = self.fault.limit
        if not self.refilled_at:
            self.tokens = max(1.0, limit)
        else:
            self.tokens = min(max(1.0, limit), self.tokens + (now - self.refilled_at) * limit)
        self.refilled_at = now
        if self.tokens < 1.0:
            return True
        self.tokens -= 1.0
        return False


class Faults:
    """The register of scripted faults of one server, and the account of what they did.

    Safe to change while the server runs, and from any thread.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin with no faults.

        Args:
            clock: Seconds; for `for_seconds`, `rate_limit` and the account.
        """
        self.expire_tokens: Callable[[], None] | None = None
        """What `jwt_expiry` calls; the server's store sets it."""
        self.has_byte_level: bool = False
        """Whether a fault on the bytes of connections is scripted. A plain attribute: it is read for every piece of data."""
        self._clock = clock
        self._scripts: list[Script] = []
        self._account: list[Firing] = []

    def add(self, *faults: Fault) -> Fault:
        """Script one or more faults and return the last, whose id the account uses.

        Args:
            *faults: In the order in which they are to be tried.

        Raises:
            ConfigurationError: None was given, or an id is taken; then none of them is scripted.
        """
        if not faults:
            raise ConfigurationError("Faults.add needs at least one fault")
        ids = [script.fault.id for script in self._scripts] + [fault.id for fault in faults]
        if taken := [id_ for id_, count in Counter(ids).items() if count > 1]:
            raise ConfigurationError(f"a fault with the id {taken[0]!r} is already scripted")
        added = []
        for fault in faults:
            pattern = re.compile(fault.match) if fault.match is not None else None
            added.append(Script(fault, random.Random(fault.seed), pattern))  # noqa: S311 - trouble, not secrets
        # Replaced as a whole: the server, in another thread perhaps, walks the list that it has.
        self._scripts = [*self._scripts, *added]
        self._note_levels()
        return faults[-1]

    def remove(self, fault_id: str) -> bool:
        """Take one fault out; say whether it was there. The account keeps what it did."""
        before = len(self._scripts)
        self._scripts = [script for script in self._scripts if script.fault.id != fault_id]
        self._note_levels()
        return len(self._scripts) < before

    def clear(self) -> None:
        """Take every fault out. The account stays; `forget` empties it."""
        self._scripts = []
        self._note_levels()

    def forget(self) -> None:
        """Empty the account."""
        self._account = []

    def __iter__(self) -> Iterator[Fault]:
        """Iterate over the scripted faults in their order."""
        return iter([script.fault for script in self._scripts])

    def __len__(self) -> int:
        """Return how many faults are scripted."""
        return len(self._scripts)

    def account(self) -> tuple[Firing, ...]:
        """Return what fired so far, in order."""
        return tuple(self._account)

    def fired(self, fault: Fault | str) -> int:
        """Return how often one fault acted, by itself or by its id."""
        fault_id = fault if isinstance(fault, str) else fault.id
        return sum(firing.fault_id == fault_id for firing in self._account)

    def counts(self) -> dict[str, int]:
        """Return how often faults acted, by kind."""
        return dict(Counter(firing.kind.value for firing in self._account))

    def to_json(self) -> dict[str, Any]:
        """Return the answer of `GET /emulator/faults`: the scripted faults and the account."""
        fired = Counter(firing.fault_id for firing in self._account)
        return {
            "faults": [{**script.fault.to_json(), "fired": fired[script.fault.id]} for script in self._scripts],
            "counts": self.counts(),
            "account": [
                {"fault_id": f.fault_id, "kind": f.kind.value, "at": f.at, "method": f.request.method, "path": f.request.path,
                 "service": f.request.target.service, "endpoint": f.request.target.endpoint}
                for f in self._account
            ],
        }  # fmt: skip

    def add_json(self, data: Any) -> list[Fault]:
        """Script what `POST /emulator/faults` received: one object or a list of them; all or none.

        Args:
            data: The decoded JSON.

        Raises:
            ConfigurationError: Not an object or a list of objects, or one that is no fault.
        """
        items = data if isinstance(data, list) else [data]
        if not items or not all(isinstance(item, dict) for item in items):
            raise ConfigurationError("faults are sent as one JSON object or a list of them")
        faults = [Fault.from_json(item) for item in items]
        self.add(*faults)
        return faults

    def request(self, method: str, path: str, authorization: bytes = b"") -> Request:
        """Return a request with its service and endpoint named."""
        return Request(method, path, resolve(method, path, is_jwt=has_jwt(authorization)))

    def draw(self, request: Request, *, byte_level: bool) -> Iterator[tuple[Fault, Script]]:
        """Yield the faults of one level that fire at a request, in order; the caller stops when one ends it."""
        now = self._clock()
        for script in self._scripts:
            if script.fault.is_byte_level is byte_level and script.matches(request) and script.is_due(now):
                yield script.fault, script

    def record(self, fault: Fault, request: Request) -> None:
        """Enter into the account that a fault acted."""
        self._account.append(Firing(fault.id, fault.kind, request, self._clock()))

    def now(self) -> float:
        """Return the register's clock."""
        return self._clock()

    def _note_levels(self) -> None:
        self.has_byte_level = any(script.fault.is_byte_level for script in self._scripts)
