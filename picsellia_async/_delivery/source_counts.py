"""`SourceCounts`: what became of the frames of each source; only where `by_source=True` asks for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final

from picsellia_async._delivery.outcomes import Delivered, Dropped, Outcome, Rejected, SourceStatistics, Spooled

SOURCES_MAX: Final = 1000
"""Sources that are told apart; the frames of further ones are counted together."""
OTHERS: Final = "(others)"
"""Under what name."""


class SourceCounts:
    """Outcomes by `Frame.source`."""

    def __init__(self) -> None:
        """Begin empty."""
        self._counts: dict[str, Counter[type[Outcome]]] = {}

    def count(self, kind: type[Outcome], source: str, frames: int = 1) -> None:
        """Count frames that have their outcome.

        Args:
            kind: Which one.
            source: `Frame.source`, empty for none.
            frames: How many.
        """
        self._of(source)[kind] += frames

    def _of(self, source: str) -> Counter[type[Outcome]]:
        counts = self._counts
        if source not in counts:
            source = source if len(counts) < SOURCES_MAX else OTHERS
            counts.setdefault(source, Counter())
        return counts[source]

    def read(self, pending: Mapping[str, int]) -> dict[str, SourceStatistics]:
        """Return the numbers by source.

        Args:
            pending: Frames without outcome by source.
        """
        known = dict(self._counts)
        waiting: Counter[str] = Counter()
        for source, count in pending.items():
            waiting[source if source in known or len(known) < SOURCES_MAX else OTHERS] += count
        return {
            source: SourceStatistics(
                pending=waiting[source],
                delivered=counts[Delivered],
                rejected=counts[Rejected],
                dropped=counts[Dropped],
                spooled=counts[Spooled],
            )
            for source, counts in ((name, known.get(name, Counter())) for name in {**known, **waiting})
        }
