"""Settings as values: timeouts and the retry policy. Nothing here does I/O or knows httpx."""

from __future__ import annotations

import math
from collections.abc import Iterable
from sys import float_info
from typing import Any, Final, Self

import attrs

from picsellia_async._scalars import plain_scalar
from picsellia_async.errors import ConfigurationError, shown

DEFAULT_HOST: Final = "https://app.picsellia.com"
"""Platform used when neither `host` nor `PICSELLIA_HOST` names one (docs/wire.md#hosts)."""

RETRY_STATUSES: Final = frozenset({408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524})
"""Answers by which a service (or a gateway before it) says that the call failed for now."""

ATTEMPT_BYTES_PER_SECOND: Final = 50_000
"""A body, of a request or an answer, gives its attempt one second more for each so many bytes: the slowest way that still serves."""

IMAGE_BYTES_MAX: Final = 100 * 2**20
"""Largest image taken, in bytes. docs/wire.md#limits knows no limit of the service; ours keeps a mistake (a video,
a disk image) from becoming a request of hundreds of megabytes."""


def _statuses(value: Any) -> frozenset[int]:
    """Return a set of error statuses; a text, a single number and statuses that mean success are refused."""
    if isinstance(value, Iterable) and not isinstance(value, (str, bytes)):
        found = frozenset(value)
        if all(type(status) is int and 300 <= status <= 599 for status in found):
            return found
    raise ConfigurationError(f"retry.statuses must be HTTP statuses from 300 to 599, got {shown(value)}")


def _phase(name: str, default: float | None) -> Any:
    return attrs.field(default=default, converter=lambda value: _seconds(value, f"timeout.{name}"))


def _seconds(value: Any, name: str) -> float | None:
    """Return a number of seconds, or None for "no limit"; refuse what is neither, and negative or non-finite numbers."""
    value = plain_scalar(value)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ConfigurationError(f"{name} must be a number of seconds or None, got {shown(value)}")
    if not 0 < value < float_info.max:
        raise ConfigurationError(f"{name} must be a positive, finite number of seconds, got {shown(value)}")
    return float(value)


@attrs.frozen
class Timeouts:
    """How long each phase of one attempt may take, in seconds; None means without limit."""

    connect: float | None = _phase("connect", 10.0)
    """Opening a connection: name lookup, TCP and TLS handshake."""
    read: float | None = _phase("read", 60.0)
    """Between the end of the request and the answer, and between two pieces of the answer."""
    write: float | None = _phase("write", 60.0)
    """Until the peer takes the next piece of the request."""
    pool: float | None = _phase("pool", None)
    """Waiting for a free connection. No limit by default: a caller in the queue is not late, it waits its turn."""
    attempt: float | None = _phase("attempt", 300.0)
    """One whole attempt, from the connection at hand to the end of the answer, plus one second for each `ATTEMPT_BYTES_PER_SECOND`
    bytes sent or received. The other limits begin anew with each byte, so a peer that drips would hold its caller for ever."""

    @classmethod
    def of(cls, value: Any) -> Self:
        """Read seconds, None, `Timeouts` or `httpx.Timeout` (anything with the four attributes).

        Args:
            value: One number of seconds for connect, read and write alike; None for no limit at all; or an object
                with `connect`, `read`, `write` and `pool`.

        Raises:
            ConfigurationError: The value is none of these, or not positive.
        """
        if isinstance(value, cls):
            return value
        if all(hasattr(value, phase) for phase in ("connect", "read", "write", "pool")):
            return cls(value.connect, value.read, value.write, value.pool)
        if value is None:
            return cls(None, None, None, None, None)
        seconds = _seconds(value, "timeout")
        return cls(seconds, seconds, seconds)


@attrs.frozen
class RetryPolicy:
    """When and how often one call is attempted again.

    The wait before attempt n + 1 is drawn from `[(1 - jitter) * w, w]` with
    `w = min(backoff_max, backoff_initial * 2 ** (n - 1))` seconds. A `Retry-After` of the service replaces it, up to `retry_after_max`.
    After the last attempt the error of that attempt is raised, with the number of attempts in it.
    """

    attempts: int = attrs.field(default=5)
    """Attempts in total, the first included; at least 1."""
    total: float | None = attrs.field(default=120.0)
    """Seconds from the first attempt after which no further one begins, and one under way ends (later by what its size allows, as
    in `Timeouts.attempt`); None for no limit."""
    backoff_initial: float = attrs.field(default=0.5)
    """Seconds before the second attempt."""
    backoff_max: float = attrs.field(default=20.0)
    """Longest wait of our own, in seconds."""
    jitter: float = attrs.field(default=0.5)
    """Share of the wait that is random, 0 to 1."""
    retry_after_max: float = attrs.field(default=120.0)
    """Longest Retry-After that is honoured, in seconds. A service that asks for more gets no further attempt."""
    statuses: frozenset[int] = attrs.field(default=RETRY_STATUSES, converter=_statuses)
    """Answers after which the call is attempted again."""

    @attempts.validator
    def _check_attempts(self, _: object, value: int) -> None:
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ConfigurationError(f"retry.attempts must be a whole number of at least 1, got {shown(value)}")

    @total.validator
    @backoff_initial.validator
    @backoff_max.validator
    @retry_after_max.validator
    def _check_seconds(self, attribute: attrs.Attribute[Any], value: float | None) -> None:
        if value is None and attribute.name == "total":
            return
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < math.inf:
            raise ConfigurationError(f"retry.{attribute.name} must be finite seconds, 0 or more, got {shown(value)}")

    @jitter.validator
    def _check_jitter(self, _: object, value: float) -> None:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
            raise ConfigurationError(f"retry.jitter must be between 0 and 1, got {shown(value)}")

    @classmethod
    def none(cls) -> Self:
        """Return the policy that never attempts a call twice."""
        return cls(attempts=1, total=None)
