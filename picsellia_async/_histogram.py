"""`Histogram`: how many values fell into each bucket, by attributes, within bounds of memory. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from typing import Final, TypeAlias

Attributes: TypeAlias = tuple[tuple[str, str | int], ...]
"""Names and values, in one order."""

SERIES_MAX: Final = 500
"""Sets of attributes that are told apart; what is beyond is counted together."""

OVERFLOW: Final[Attributes] = (("otel.metric.overflow", "true"),)
"""Their attributes, as OpenTelemetry has them."""


class Histogram:
    """Counts values. Those with the same attributes are recorded by one thread; another may read."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        """Begin empty.

        Args:
            bounds: Upper bounds of the buckets, inclusive; one more takes what is above them.
        """
        self.bounds = bounds
        self._series: dict[Attributes, list[float]] = {}

    def record(self, value: float, attributes: Attributes = ()) -> None:
        """Count a value."""
        series = self._series.get(attributes)
        if series is None:
            if len(self._series) >= SERIES_MAX:
                attributes = OVERFLOW
            # The counts, and behind them the sum: copied in one step, they belong together.
            series = self._series.setdefault(attributes, [0.0] * (len(self.bounds) + 2))
        series[bisect_left(self.bounds, value)] += 1
        series[-1] += value

    def read(self) -> Iterator[tuple[Attributes, list[float], float]]:
        """Yield the attributes, the count of each bucket, and the sum of the values."""
        for attributes, series in list(self._series.items()):
            found = series.copy()
            yield attributes, found[:-1], found[-1]
