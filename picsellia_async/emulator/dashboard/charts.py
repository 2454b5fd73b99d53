"""Charts as SVG, made on the server: columns and bars, with their numbers as texts for those who do not see them. Pure."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Final

_WIDTH: Final = 600
_HEIGHT: Final = 120
_GAP: Final = 0.2
"""Share of a column that stays free."""


def columns(values: Sequence[float], titles: Sequence[str], name: str) -> str:
    """Return a chart of columns.

    Args:
        values: Their heights, 0 or more; the largest one fills the chart.
        titles: What is said of each.
        name: What the chart is of.
    """
    top = max(values, default=0) or 1
    step = _WIDTH / max(len(values), 1)
    drawn = "".join(
        f'<g><title>{html.escape(title)}</title><rect class="place" x="{i * step:.1f}" y="0" width="{step:.1f}" height="{_HEIGHT}"/>'
        f'<rect x="{(i + _GAP / 2) * step:.1f}" y="{_HEIGHT * (1 - value / top):.1f}" width="{step * (1 - _GAP):.1f}"'
        f' height="{_HEIGHT * value / top:.1f}"/></g>'
        for i, (value, title) in enumerate(zip(values, titles, strict=True))
    )
    return (
        f'<svg class="chart" viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="none" role="img" aria-label="{html.escape(name)}">'
        f"{drawn}</svg>"
    )


def bins(values: Sequence[float], low: float, high: float, number: int) -> list[list[int]]:
    """Return for each of `number` equal parts of a range the places of the values in it; the end belongs to the last part."""
    width = (high - low) / number or 1.0
    found: list[list[int]] = [[] for _ in range(number)]
    for place, value in enumerate(values):
        if low <= value <= high:
            found[min(number - 1, int((value - low) / width))].append(place)
    return found
