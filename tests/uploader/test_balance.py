"""The account balances on every path."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from picsellia_async._delivery.outcomes import Delivered, Outcome
from picsellia_async.errors import (
    AuthenticationError,
    BadRequestError,
    ConflictError,
    RateLimitError,
    RequestTimeoutError,
    ServerError,
)

from ..support.frames import make_frame
from ..support.virtual_time import VirtualLoop
from .service import Service, down, lost, uploader

pytestmark = pytest.mark.anyio


TROUBLES = st.sampled_from(["ok", "ok", "ok", "down", "lost", "500", "400", "409", "429", "401", "timeout", "bug"])


@settings(max_examples=40, deadline=None)
@given(
    troubles=st.lists(TROUBLES, min_size=1, max_size=60),
    options=st.fixed_dictionaries(
        {
            "when_full": st.sampled_from(["wait", "drop_newest", "drop_oldest"]),
            "concurrency": st.sampled_from([1, 3, "auto"]),
            "ordered_by": st.sampled_from([None, "source"]),
            "close_timeout": st.sampled_from([0.0, 1.0, 100.0]),
            "max_pending_frames": st.sampled_from([1, 5, None]),
        }
    ),
)
def test_the_books_balance_on_every_path(troubles: list[str], options: dict[str, Any]) -> None:
    """Whatever fails, in whatever mode, accepted == delivered + rejected + dropped, and each frame has one outcome."""
    errors: dict[str, Callable[[], BaseException | None]] = {
        "ok": lambda: None, "down": down, "lost": lost, "500": lambda: ServerError("x", 500), "bug": lambda: ValueError("x"),
        "400": lambda: BadRequestError("x", 400), "409": lambda: ConflictError("x", 409), "401": lambda: AuthenticationError("x", 401),
        "429": lambda: RateLimitError("x", 429, retry_after=0.5), "timeout": lambda: RequestTimeoutError("x", request_sent=True),
    }  # fmt: skip
    source = random.Random(len(troubles))

    async def run() -> None:
        service = Service(script=lambda frame, attempt: errors[source.choice(troubles)]() if attempt < 9 else None)
        outcomes: list[Outcome] = []
        async with uploader(service, on_outcome=outcomes.append, **options) as up:
            for number in range(40):
                await up.submit(make_frame(number, source=f"cam-{number % 3}"))
                await asyncio.sleep(source.choice([0, 0, 0.01]))
        report = up.report
        assert report.is_balanced
        assert report.accepted == 40 == len({outcome.frame.id for outcome in outcomes}) == len(outcomes)  # type: ignore[union-attr]
        delivered = {outcome.frame.filename for outcome in outcomes if isinstance(outcome, Delivered)}
        assert delivered <= set(service.stored) | (set(service.attempts) if "409" in troubles else set())

    loop = VirtualLoop()
    try:
        loop.run_until_complete(run())
    finally:
        loop.close()
