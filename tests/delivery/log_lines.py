"""The lines of a delivery log, read in time that a test lets pass."""

from __future__ import annotations

from uuid import UUID

from picsellia_async._delivery.delivery_log import DeliveryLog
from picsellia_async._delivery.outcomes import Failure
from picsellia_async._delivery.trouble import Counts
from picsellia_async._log_line import Line

NONE = Counts(0, 0, 0, 0)


def follow(log: DeliveryLog, until: float, counts: Counts = NONE, first: list[Failure] | None = None) -> list[Line]:
    """Let time pass; return what is told."""
    lines = []
    while log.next_at <= until:
        lines += log.lines(log.next_at, counts, [] if first is None else first)
    return lines


def lost(name: str, reason: str = "BadRequestError: bad") -> Failure:
    return Failure(UUID(int=1), name, None, "rejected", reason)
