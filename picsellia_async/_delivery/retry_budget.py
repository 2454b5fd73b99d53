"""How many repeats the service gets on top of first attempts. Pure."""

from __future__ import annotations

from typing import Final

import attrs

_SHARE: Final = 0.1
"""Of a repeat that a first attempt earns."""


@attrs.define(eq=False)
class RetryBudget:
    """A tenth of the first attempts may be repeats; the price of a repeat that succeeds is given back.

    With an empty budget repeats go one at a time, and only where no first attempt can go instead: so no frame is ever stuck.
    """

    capacity: float = 20.0
    """Repeats that may be saved up."""
    tokens: float = attrs.field(default=20.0, init=False)
    """Repeats that may be made now."""
    in_flight: int = attrs.field(default=0, init=False)
    """Repeats under way."""

    def allows(self, *, others_wait: bool) -> bool:
        """Return whether a repeat may start.

        Args:
            others_wait: Whether a first attempt could start instead.
        """
        return self.tokens >= 1.0 or not (others_wait or self.in_flight)

    def earn(self) -> None:
        """Add the share of a first attempt."""
        if self.tokens < self.capacity:
            self.tokens += _SHARE

    def start(self) -> None:
        """Pay for a repeat."""
        self.tokens = max(0.0, self.tokens - 1.0)
        self.in_flight += 1

    def end(self, *, succeeded: bool) -> None:
        """Give the price back if the repeat was no waste."""
        self.in_flight -= 1
        if succeeded:
            self.tokens = min(self.capacity, self.tokens + 1.0)
