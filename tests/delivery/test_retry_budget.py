"""The budget for repeats."""

from __future__ import annotations

from picsellia_async._delivery.retry_budget import RetryBudget


def test_the_budget_bounds_extra_load() -> None:
    """While every repeat fails, repeats stay within a tenth of first attempts, plus what was saved up."""
    budget = RetryBudget()
    repeats = 0
    for _ in range(1000):
        budget.earn()
        if budget.tokens >= 1.0:
            budget.start()
            budget.end(succeeded=False)
            repeats += 1
    assert repeats <= 1000 * 0.1 + budget.capacity + 1


def test_an_empty_budget_still_lets_one_repeat_go() -> None:
    """With nothing saved, repeats go one at a time, and only where nothing else can go; what succeeds is given back."""
    budget = RetryBudget()
    for _ in range(30):
        budget.start()
        budget.end(succeeded=False)
    assert budget.tokens < 1.0
    assert not budget.allows(others_wait=True)
    assert budget.allows(others_wait=False)
    budget.start()
    assert not budget.allows(others_wait=False)
    budget.end(succeeded=True)
    assert budget.tokens >= 1.0
