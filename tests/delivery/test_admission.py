"""Bounds in frames and bytes, and the line of those who wait."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from picsellia_async._delivery.flow_control import Admission


def test_frames_and_bytes_are_both_bounds() -> None:
    """Whichever bound is reached first keeps the next one out."""
    admission = Admission(100, max_frames=2)
    assert admission.reserve(60)
    assert not admission.reserve(41)
    assert admission.reserve(40)
    admission.release(60)
    assert admission.reserve(1)
    assert not admission.reserve(1)
    assert not admission.can_ever_fit(101)


def test_a_large_one_is_not_starved_by_small_ones() -> None:
    """Small frames behind a waiting large one wait with it, though they would fit."""
    admission = Admission(100)
    order: list[str] = []
    assert admission.reserve(50)
    admission.wait(90, lambda: order.append("large"))
    assert not admission.reserve(10)
    admission.wait(10, lambda: order.append("small"))
    admission.release(50)
    assert order == ["large", "small"]
    assert (admission.used_bytes, admission.used_frames, admission.waiting) == (100, 2, 0)


def test_leaving_the_line_lets_the_next_in() -> None:
    """Cancelling a place, or a grant that was not taken up, serves who stands behind."""
    admission = Admission(100)
    order: list[str] = []
    admission.reserve(50)
    first = admission.wait(90, lambda: order.append("first"))
    second = admission.wait(40, lambda: order.append("second"))
    admission.cancel(first)
    admission.cancel(first)
    assert order == ["second"]
    admission.cancel(second)
    assert (admission.used_bytes, admission.used_frames) == (50, 1)


@given(st.lists(st.tuples(st.integers(1, 60), st.sampled_from(["enter", "release", "cancel"])), max_size=80))
def test_no_order_of_events_breaks_the_bounds(steps: list[tuple[int, str]]) -> None:
    """Whatever happens, the bounds hold, grants come in the order of arrival, and everything can be given back."""
    admission = Admission(100, max_frames=5)
    held: list[int] = []
    granted: list[int] = []
    tickets = []
    for number, (size, action) in enumerate(steps):
        if action == "release" and held:
            admission.release(held.pop())
        elif action == "cancel" and tickets:
            ticket = tickets.pop()
            if not ticket.is_granted:
                admission.cancel(ticket)
        elif admission.reserve(size):
            held.append(size)
        else:
            tickets.append(
                admission.wait(size, lambda number=number, size=size: (granted.append(number), held.append(size)))
            )
        assert admission.used_bytes == sum(held) <= 100
        assert admission.used_frames == len(held) <= 5
    assert granted == sorted(granted)
