"""What a pool learns of peers that close their connections right after an answer."""

from __future__ import annotations

from typing import Any

import pytest

from picsellia_async._http.early_closes import EARLY_SECONDS, ENDS_IN_A_ROW, EarlyCloses
from picsellia_async._wire.exchange import Origin

HERE, THERE = Origin.parse("http://here"), Origin.parse("http://there")


class Stub:
    """As much of a connection as is asked for."""

    def __init__(self, origin: Origin) -> None:
        self.origin = origin


@pytest.fixture
def closes() -> EarlyCloses:
    """One that distrusts `HERE`."""
    closes = EarlyCloses()
    assert [closes.ended(HERE, 0.001) for _ in range(ENDS_IN_A_ROW)] == [False] * (ENDS_IN_A_ROW - 1) + [True]
    return closes


def test_only_early_ends_count() -> None:
    """A connection that expired, idle, says nothing about its peer."""
    closes = EarlyCloses()
    assert not any(closes.ended(HERE, EARLY_SECONDS) for _ in range(100))
    assert not closes.ends
    assert not closes.distrusts(HERE)


def test_a_second_answer_ends_the_row() -> None:
    """Early ends between second answers are restarts, not a habit."""
    closes = EarlyCloses()
    for _ in range(10):
        assert not any(closes.ended(HERE, 0.0) for _ in range(ENDS_IN_A_ROW - 1))
        closes.trust(HERE)
    assert not closes.ends


def test_others_are_trusted(closes: EarlyCloses) -> None:
    """What one host does is not held against another one."""
    assert closes.distrusts(HERE)
    assert not closes.distrusts(THERE)


def test_more_ends_are_no_news(closes: EarlyCloses) -> None:
    """Who is distrusted is so already."""
    assert not any(closes.ended(HERE, 0.0) for _ in range(10))


def test_one_connection_is_watched(closes: EarlyCloses) -> None:
    """One connection of a distrusted host is watched at a time; the end of the first one is what is told."""
    first, second = Stub(HERE), Stub(HERE)
    a: Any = first
    b: Any = second
    assert closes.watch(a)
    assert not closes.watch(b)
    assert (closes.watches(a), closes.watches(b)) == (True, False)
    assert closes.ended_watched(a)
    assert closes.watch(b)
    assert not closes.ended_watched(b)
    assert closes.watch(a)
    closes.trust(HERE)
    assert not closes.watches(a)
    assert not closes.distrusts(HERE)
