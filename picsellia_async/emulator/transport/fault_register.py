"""Scripted faults: what goes wrong, at which requests, how often, and an account of what really did.

Here is the register that decides when a `Fault` fires, and its account. Faults are acted out by
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
import random
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import attrs

from picsellia_async.emulator.endpoint_index import Target, has_jwt, resolve
from picsellia_async.emulator.transport.fault import Fault, FaultKind
from picsellia_async.errors import ConfigurationError


@attrs.frozen
class Request:
    """What a fault can match: the request line, and what it is for."""

    method: str
    path: str
    """Path without the query."""
    target: Target = attrs.field(factory=Target)
    """Service and endpoint, as far as the table of endpoints knows them."""
    acted: list[str] = attrs.field(factory=list, eq=False)
    """Ids of the faults that acted on it, in their order."""


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
            added.append(Script(fault, random.Random(fault.seed), pattern))  # noqa: S311 - faults, not secrets
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

    @property
    def acted(self) -> int:
        """How often faults acted: the length of the account."""
        return len(self._account)

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

    def request(self, method: str, path: str, authorization: bytes = b"", acted: list[str] | None = None) -> Request:
        """Return a request with its service and endpoint named.

        Args:
            method: Verb.
            path: Without the query.
            authorization: Header; platform and monitoring share paths.
            acted: Where the faults of another level have written down that they acted on it; None: nowhere yet.
        """
        return Request(
            method, path, resolve(method, path, is_jwt=has_jwt(authorization)), [] if acted is None else acted
        )

    def draw(self, request: Request, *, byte_level: bool) -> Iterator[tuple[Fault, Script]]:
        """Yield the faults of one level that fire at a request, in order; the caller stops when one ends it."""
        now = self._clock()
        for script in self._scripts:
            if script.fault.is_byte_level is byte_level and script.matches(request) and script.is_due(now):
                yield script.fault, script

    def record(self, fault: Fault, request: Request) -> None:
        """Enter into the account that a fault acted."""
        self._account.append(Firing(fault.id, fault.kind, request, self._clock()))
        request.acted.append(fault.id)

    def now(self) -> float:
        """Return the register's clock."""
        return self._clock()

    def _note_levels(self) -> None:
        self.has_byte_level = any(script.fault.is_byte_level for script in self._scripts)
