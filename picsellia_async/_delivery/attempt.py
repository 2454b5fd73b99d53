"""What makes an attempt, and what the sender remembers of one from the moment its item is taken to its end."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import attrs

from picsellia_async._delivery.frame_state import Failed, Found, Verdict, judge
from picsellia_async._delivery.receipt import Item
from picsellia_async._log_line import logger
from picsellia_async.config import RetryPolicy
from picsellia_async.errors import PicselliaError
from picsellia_async.frames import Frame

Send: TypeAlias = Callable[[Frame, bytes], Awaitable[dict[str, Any]]]
"""Makes exactly one attempt to deliver a frame, with the request that was made of it, and raises the errors of
`picsellia_async.errors`."""

Find: TypeAlias = Callable[[Frame], Awaitable[bool]]
"""Looks a frame up on the platform."""


@attrs.frozen
class Taken:
    """What a worker was started with."""

    item: Item
    """What is sent."""
    epoch: int
    """Of the circuit breaker."""
    window: int
    """Of the rate window."""


@attrs.define(eq=False)
class Attempt:
    """How things stood when an attempt began."""

    epoch: int
    """Of the circuit breaker."""
    window: int
    """Of the rate window."""
    in_flight: int
    """Requests under way, this one included."""
    started: float
    """On the loop's clock."""
    order: int = attrs.field(factory=itertools.count().__next__, init=False)
    """Rises with each attempt: several begin in one tick of the clock, which is a millisecond long in uvloop."""


async def look_up(find: Find | None, frame: Frame, policy: RetryPolicy) -> Found | Failed | None:
    """Return what looking a frame up told, or None if it must be sent.

    Args:
        find: None: nobody looks.
        frame: The frame, which may be stored.
        policy: Its statuses are those that are repeated.
    """
    if find is None:
        return None
    try:
        return Found() if await find(frame) else None
    except PicselliaError as error:
        if judge(error, policy, may_be_stored=False) is Verdict.REPEAT:
            return Failed(error)
        logger.warning("frame %s cannot be looked up, and is sent again: %s", frame.id, error)
        return None
