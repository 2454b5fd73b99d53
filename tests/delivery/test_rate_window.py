"""What is learned from a service that takes so many requests and then asks for a pause."""

from __future__ import annotations

import pytest

from picsellia_async._delivery.rate_window import RateWindow


def fill(window: RateWindow, at: float, count: int, pause: float = 0.5, refused: int = 1) -> float:
    """Send until the service has taken `count` and refused some; return when its pause ends."""
    number = window.number
    for _ in range(count + refused):
        window.take(at)
    for _ in range(refused):
        window.refused(at + 0.5, number, pause, 1, 0, is_carried=True)
    return at + 0.5 + pause


def learned(count: int) -> tuple[RateWindow, float]:
    """Return a window that took the same number twice, and the time at which the third begins."""
    window = RateWindow()
    at = fill(window, fill(window, 0.0, count, refused=5), count, refused=3)
    window.take(at)
    return window, at


def test_two_windows_alike_tell_the_number() -> None:
    """However many were refused together: what was taken counts."""
    window, at = learned(100)
    assert window.is_known
    for _ in range(99):
        assert window.wait(at, 0) == 0.0
        window.take(at)
    assert window.wait(at, 50) > 0.0


def test_windows_that_go_by_the_clock_are_as_long_as_the_clock_says() -> None:
    """Whoever begins a while after the service's window began does not take the rest of it for a whole one."""
    window = RateWindow()
    ends_at = 1.0
    for _ in range(2):
        fill(window, ends_at + 0.1, 100, pause=0.4)
        ends_at += 1.0
    window.take(ends_at + 0.1)
    for _ in range(99):
        window.take(ends_at + 0.1)
    assert window.wait(ends_at + 0.1, 1) >= 1.0


def test_the_load_is_the_reason_only_of_refusals_that_come_soon() -> None:
    """Where a whole round was taken since the last pause, and as much at once as now, it is the number that is used up."""
    window = RateWindow()
    for _ in range(40):
        window.take(0.0)
    assert not window.refused(0.5, window.number, 0.5, 20, 20, is_carried=True)
    for _ in range(40):
        window.take(1.0)
    assert not window.refused(1.5, window.number, 0.5, 20, 19, is_carried=False)
    for _ in range(40):
        window.take(2.0)
    number = window.number
    assert window.refused(2.5, number, 0.5, 20, 19, is_carried=True)
    assert window.refused(2.5, number, 0.5, 20, 19, is_carried=False), "sent together with the first"


def test_windows_that_differ_tell_nothing() -> None:
    """A service that refuses now and then has no such number."""
    window = RateWindow()
    at = fill(window, fill(window, 0.0, 100), 60)
    window.take(at)
    assert not window.is_known


def test_small_windows_tell_nothing() -> None:
    """Two refusals after three requests each may be chance."""
    window, _ = learned(3)
    assert not window.is_known


def test_the_next_window_begins_by_itself() -> None:
    """When its time is over the service takes as many again, and nobody had to be refused."""
    window, at = learned(10)
    for _ in range(9):
        window.take(at)
    wait = window.wait(at, 0)
    assert 1.0 <= wait < 1.1
    assert window.wait(at + wait, 0) == 0.0


def test_one_alone_asks_whether_the_number_still_holds() -> None:
    """In a large window each time; its success makes the number forgotten, its refusal keeps it."""
    window, at = learned(200)
    for _ in range(199):
        window.take(at)
    assert window.wait(at, 1) > 0.0
    assert window.wait(at, 0) == 0.0
    window.take(at)
    assert window.wait(at, 0) > 0.0
    window.succeeded(window.number)
    assert not window.is_known


def test_small_windows_are_asked_seldom() -> None:
    """A refusal in ten requests would be too many: one in a hundred is allowed."""
    window, at = learned(10)
    asked = 0
    for turn in range(30):
        if turn:
            window.take(at)
        for _ in range(9):
            window.take(at)
        if not window.wait(at, 0):
            asked += 1
            at = fill(window, at, 0)
        else:
            at += window.wait(at, 0)
            assert window.wait(at, 0) == 0.0
    assert 1 <= asked <= 3


def test_a_request_that_is_not_sent_leaves_its_place() -> None:
    """Its worker was cancelled, or the circuit opened."""
    window, at = learned(10)
    for _ in range(9):
        window.take(at)
    window.give_back(window.number)
    assert window.wait(at, 0) == 0.0


def test_one_whole_window_makes_its_number_supposed() -> None:
    """Behind it one more is sent alone, and nothing else until the answer is there."""
    window = RateWindow()
    at = fill(window, 0.0, 100, refused=5)
    for _ in range(100):
        assert not window.is_bounded or window.wait(at, 1) == 0.0
        window.take(at)
    assert window.wait(at, 3) > 0.0
    assert window.wait(at, 0) == 0.0
    window.take(at)
    assert window.wait(at, 1) > 0.0


def test_a_number_that_is_too_low_grows_in_steps() -> None:
    """Each step that was taken lets twice as many go at once, up to an eighth of the number."""
    window, at = learned(100)
    for _ in range(99):
        window.take(at)
    steps = []
    for _ in range(8):
        window.take(at)
        window.succeeded(window.number)
        step = 0
        while window.wait(at, 1) == 0.0:
            window.take(at)
            step += 1
        steps.append(step)
    assert steps[:4] == [1, 2, 4, 8]
    assert max(steps) <= 1 + 180 // 8


def test_without_a_word_three_refusals_in_a_row_end_a_window() -> None:
    """Single ones count as not taken, and pause nobody; behind three the usual lengths of windows are tried, one request each."""
    window = RateWindow()
    for _ in range(10):
        window.take(0.0)
    assert window.guess(0.1, window.number, 1) is None
    pause = window.guess(0.1, window.number, 3)
    assert pause is not None
    assert 1.0 <= pause < 1.1
    at = 0.1
    for seconds in (2.0, 5.0, 10.0, 15.0, 30.0, 60.0):
        number = window.number
        window.refused(at, number, pause, 1, 0, is_carried=True)
        assert window.guess(at, number, 1) == pytest.approx(pause), "sent together with the first"
        at += pause + 0.01
        window.take(at)
        pause = window.guess(at, window.number, 1)
        assert pause is not None
        assert at + pause == pytest.approx(0.1 + seconds, rel=0.03)


def test_a_question_that_has_no_answer_stops_nobody() -> None:
    """The one request that asks alone ended in an error that says nothing about the number: another one asks."""
    window = RateWindow()
    for number in range(11):
        window.take(number * 0.01)
    assert window.refused(0.1, window.number, 0.9, 5, 0, is_carried=True)
    for number in range(11):
        window.take(1.1 + number * 0.01)
    assert window.wait(1.3, 0) > 0.0
    window.failed(window.number)
    assert window.wait(1.3, 0) == 0.0


def test_one_window_of_ten_minutes_tells_no_number() -> None:
    """A pause after an outage may be as long; nobody waits so long behind a number that was seen once."""
    window = RateWindow()
    for number in range(11):
        window.take(number * 0.01)
    window.refused(0.1, window.number, 600.0, 5, 0, is_carried=True)
    window.take(601.0)
    assert not window.is_bounded
