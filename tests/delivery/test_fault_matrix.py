"""More than twenty kinds of trouble at random, the real client, the real emulator, and an account that balances exactly.

CI sends 1,500 frames; PICSELLIA_ASYNC_SOAK=1 sends 20,000.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections import Counter, defaultdict

import pytest

from picsellia_async import AsyncClient
from picsellia_async._delivery.outcomes import Delivered, Dropped, Outcome, Rejected
from picsellia_async.config import RetryPolicy, Timeouts
from picsellia_async.emulator import Emulator
from picsellia_async.emulator.transport.fault import Fault

from ..support.frames import make_frame
from .emulated import stored as stored_rows

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(900)]

IS_SOAK = bool(os.environ.get("PICSELLIA_ASYNC_SOAK"))
FRAMES = 20_000 if IS_SOAK else 1_500

logger = logging.getLogger(__name__)

MONITOR = {"service": "oracle", "endpoint": "monitor"}
LOGIN = {"service": "oracle", "endpoint": "login"}


def matrix(seed: int) -> dict[str, Fault]:
    """Every kind of trouble, each with its own seeded generator. Pauses that the service asks for come a few times only."""
    each = {**MONITOR, "probability": 0.01}
    few = {**MONITOR, "probability": 0.02, "times": 20 if IS_SOAK else 2}
    table = {
        "400": {**each, "kind": "status", "status": 400},
        "401": {**few, "kind": "status", "status": 401},
        "413": {**each, "kind": "status", "status": 413, "early": True},
        "422": {**each, "kind": "status", "status": 422},
        "429": {**each, "kind": "status", "status": 429},
        "429 seconds": {**few, "kind": "status", "status": 429, "retry_after": 1},
        "429 milliseconds": {**few, "kind": "status", "status": 429, "retry_after": 0.2, "retry_after_form": "ms"},
        "429 date": {**few, "kind": "status", "status": 429, "retry_after": 1, "retry_after_form": "date"},
        "500": {**each, "kind": "status", "status": 500},
        "502 html": {**each, "kind": "html"},
        "503": {**each, "kind": "status", "status": 503},
        "503 seconds": {**few, "kind": "status", "status": 503, "retry_after": 1},
        "504": {**each, "kind": "status", "status": 504},
        "jwt expiry": {**few, "kind": "jwt_expiry"},
        "garbage": {**each, "kind": "garbage"},
        "stored then dropped": {**each, "kind": "stored_then_dropped"},
        "latency": {**each, "kind": "latency", "seconds": 0.05, "jitter": 0.1},
        "409 to a known frame": {**MONITOR, "kind": "conflict"},
        "slow login": {**LOGIN, "kind": "latency", "seconds": 0.3, "probability": 0.5},
        "login refused for a while": {**LOGIN, "kind": "status", "status": 401, "skip": 1, "times": 3},
        "login down for a while": {**LOGIN, "kind": "status", "status": 503, "skip": 3, "times": 2},
        "reset before the body": {**each, "kind": "reset", "after_bytes": 0},
        "reset during the body": {**each, "kind": "reset", "after_fraction": 0.5},
        "reset after the body": {**each, "kind": "reset", "after_fraction": 1.0},
        "reset instead of the answer": {**each, "kind": "reset", "direction": "down"},
        "truncated answer": {**each, "kind": "truncate", "direction": "down"},
        "stall up": {**few, "kind": "stall", "after_fraction": 0.5, "seconds": 0.3},
        "stall up for good": {**few, "kind": "stall", "after_fraction": 0.5},
        "stall down for good": {**few, "kind": "stall", "direction": "down"},
        "drip up": {**each, "kind": "drip", "bytes_per_second": 40_000},
        "drip down": {**each, "kind": "drip", "direction": "down", "bytes_per_second": 4_000},
        "length too long": {**each, "kind": "lying_length", "delta": 7},
        "length too short": {**each, "kind": "lying_length", "delta": -7},
    }
    return {
        name: Fault(**{"seed": seed + number, "id": name, **fields})
        for number, (name, fields) in enumerate(table.items())
    }


async def test_whatever_goes_wrong_the_books_balance() -> None:
    """The report balances, and what the server stored is what was delivered, by id and SHA-256.

    More than one copy, or a copy of a frame that was not delivered, exists only where an answer was lost.
    """
    outcomes: dict[str, Outcome] = {}
    faults = matrix(seed=FRAMES)

    def note(outcome: Outcome) -> None:
        assert not isinstance(outcome, Dropped)
        outcomes[outcome.frame.filename] = outcome  # type: ignore[union-attr]

    async with (
        Emulator() as emulator,
        AsyncClient(emulator.api_token, host=emulator.url, timeout=Timeouts(1.0, 1.0, 1.0)) as client,
    ):
        deployment = await client.get_deployment(emulator.deployment_name)
        emulator.faults.add(*faults.values())
        async with deployment.uploader(
            concurrency=32,
            on_outcome=note,
            max_pending_frames=400,
            retry=RetryPolicy(backoff_initial=0.05, backoff_max=1.0),
        ) as uploader:
            for number in range(FRAMES):
                await uploader.submit(make_frame(number, 20_000 + number % 1000, source=f"cam-{number % 7}"))
            assert await uploader.flush(timeout=600) == 0
        emulator.faults.clear()
        stored: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for row in stored_rows(emulator):
            stored[row["filename"]].append((row["id"], row["sha256"]))
        fired = {name: emulator.faults.fired(fault) for name, fault in faults.items()}

    report = uploader.report
    logger.info("%s %s", report.to_json() | {"failures": len(report.failures)}, fired)
    assert report.is_balanced
    assert (report.accepted, len(outcomes), report.dropped, uploader.statistics().callback_errors) == (
        FRAMES,
        FRAMES,
        0,
        0,
    )
    assert all(count for count in fired.values()), f"a fault never fired: {fired}"
    check(outcomes, stored)
    reasons = Counter(line.reason.partition(":")[0] for line in report.failures)
    assert report.rejected == sum(reasons.values())


def check(outcomes: dict[str, Outcome], stored: dict[str, list[tuple[str, str]]]) -> None:
    """Compare outcomes with what the server has, frame by frame."""
    for name, outcome in outcomes.items():
        copies = stored.pop(name, [])
        image = make_frame(int(name[6:12]), 20_000 + int(name[6:12]) % 1000).image
        assert isinstance(image, bytes)
        assert {sha for _, sha in copies} <= {hashlib.sha256(image).hexdigest()}, name
        if isinstance(outcome, Delivered):
            assert copies, f"{name} counts as delivered, but is not stored: {outcome}"
            if outcome.receipt:
                assert outcome.receipt["id"] in {id_ for id_, _ in copies}, name
            assert len(copies) <= outcome.attempts
        elif copies:
            assert isinstance(outcome, Rejected)
            assert outcome.may_be_stored, f"{name} is stored though no answer was lost: {outcome}"
    assert not stored, "the server has frames that nobody sent"
