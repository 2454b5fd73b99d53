"""Sign-in: the platform's token, and the JWT of a monitoring or serving host.

A credential has three verbs: `current`, `acquire` and `invalidate(lines)`. The last one takes the header lines that were refused, so
that a late 401 does not throw away a newer sign-in. Who meets the 401 calls it and sends again: `Service` in `service`. A JWT is
fetched on first use and single-flight: however many callers wait, one login runs, as a task of its own, so that a caller who is
cancelled takes nothing from the others. A login is one attempt: those who wait for it have policies of their own, and each repeats
by its own, or not at all, as an uploader, which must see every failure.
"""

from __future__ import annotations

import datetime
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

import attrs

from picsellia_async._http.single_flight import SingleFlight
from picsellia_async._wire.secret import SecretBytes
from picsellia_async.config import Timeouts
from picsellia_async.models import LoginReceipt

RENEW_BEFORE_SECONDS: Final = 60.0
"""How long before its end a JWT counts as used up; a tenth of its life where that is less."""

_EPOCH_FROM: Final = 10**9
"""A number of `expires` from here on is a time (2001 or later), below it a duration."""


class Credential(Protocol):
    """What signs the requests to one service."""

    def current(self) -> bytes | None:
        """Return header lines that can be used at once, or None where `acquire` must be awaited."""

    async def acquire(self, timeouts: Timeouts) -> bytes:
        """Return header lines, each ended by CRLF; the limits are those of a request that must be made for them."""

    def invalidate(self, lines: bytes) -> bool:
        """Take note that the service refused these lines; return whether `acquire` may give better ones."""


@attrs.define
class StaticCredential:
    """Header lines that do not change: the platform's api token, or none at all."""

    lines: bytes = attrs.field(repr=False)
    """Header lines, each ended by CRLF."""

    def current(self) -> bytes | None:
        """Return the lines."""
        return self.lines

    async def acquire(self, timeouts: Timeouts) -> bytes:  # noqa: ARG002 - the protocol's signature
        """Return the lines."""
        return self.lines

    def invalidate(self, lines: bytes) -> bool:  # noqa: ARG002 - the protocol's signature
        """Return False: there is nothing to renew (docs/wire.md#sign-in)."""
        return False


@attrs.define(eq=False)
class JwtCredential:
    """The JWT of one service and deployment."""

    login: Callable[[Timeouts], Awaitable[tuple[LoginReceipt, datetime.datetime | None]]]
    """Makes one attempt to sign in; returns the receipt and the service's own time of the answer, where it said one."""
    clock: Callable[[], float] = attrs.field(repr=False)
    """Monotonic seconds."""
    sign_ins: int = attrs.field(default=0, init=False)
    """Times that a JWT was fetched."""
    _lines: bytes | None = attrs.field(default=None, init=False, repr=False)
    _renew_at: float = attrs.field(default=0.0, init=False)
    _flight: SingleFlight[bytes] = attrs.field(factory=SingleFlight, init=False, repr=False)

    def current(self) -> bytes | None:
        """Return the header line of the JWT at hand while it is good for a while longer."""
        return self._lines if self.clock() < self._renew_at else None

    async def acquire(self, timeouts: Timeouts) -> bytes:
        """Return the header line of a JWT that is good for a while, signing in where there is none.

        Args:
            timeouts: Limits of the login; those of who came first where one runs already.

        Raises:
            AuthenticationError: The service refuses the api token for this deployment.
            TransportError: The service cannot be reached.
        """
        return self.current() or await self._flight.run(lambda: self._renew(timeouts))

    def invalidate(self, lines: bytes) -> bool:
        """Forget the JWT if it is still the one that was refused."""
        if self._lines == lines:
            self._lines = None
        return True

    async def aclose(self) -> None:
        """Stop a login that still runs."""
        await self._flight.aclose()

    async def _renew(self, timeouts: Timeouts) -> bytes:
        receipt, served_at = await self.login(timeouts)
        lifetime = lifetime_seconds(receipt.expires, served_at or datetime.datetime.now(datetime.UTC))
        margin = min(RENEW_BEFORE_SECONDS, lifetime / 10)
        self._renew_at = self.clock() + lifetime - margin
        self.sign_ins += 1
        self._lines = SecretBytes(b"authorization: Bearer %b\r\n" % receipt.jwt.encode("ascii"))
        return self._lines


def lifetime_seconds(expires: object, now: datetime.datetime) -> float:
    """Return how long a JWT lives, in seconds; infinity where `expires` says nothing usable, since then only a 401 can tell.

    Args:
        expires: Seconds of life, epoch seconds, or an ISO time (docs/wire.md#sign-in knows the field, not its format).
        now: The service's time when it answered.
    """
    seconds = 0.0
    if isinstance(expires, str):
        seconds = _seconds_in(expires, now)
    elif isinstance(expires, (int, float)) and not isinstance(expires, bool):
        seconds = float(expires)
    if seconds >= _EPOCH_FROM:
        seconds -= now.timestamp()
    return seconds if seconds > 0 else float("inf")


def _seconds_in(text: str, now: datetime.datetime) -> float:
    try:
        return float(text)
    except ValueError:
        pass
    try:
        when = datetime.datetime.fromisoformat(text)
    except ValueError:
        return 0.0
    # A time without a zone is taken as UTC, the service's clock.
    return ((when if when.tzinfo else when.replace(tzinfo=datetime.UTC)) - now).total_seconds()
