"""What makes an attempt, and what the sender remembers of one from the moment its item is taken to its end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import attrs

from picsellia_async._delivery.receipt import Item
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


@attrs.define
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
