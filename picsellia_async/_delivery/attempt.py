"""What the sender remembers of a request from the moment it is taken to its end."""

from __future__ import annotations

import attrs

from picsellia_async._delivery.receipt import Item


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
