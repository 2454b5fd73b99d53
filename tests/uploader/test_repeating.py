"""What is repeated, what is final, and what looking a frame up changes."""

from __future__ import annotations

import asyncio
import itertools
import random

import pytest

from picsellia_async._delivery.outcomes import Delivered, Dropped, DropReason, Outcome, Rejected
from picsellia_async.errors import (
    BadRequestError,
    ConfigurationError,
    ConflictError,
    PayloadTooLargeError,
    ServerError,
    TransportError,
)
from picsellia_async.frames import Frame
from picsellia_async.uploader import Uploader, deliver_all

from ..support.frames import make_frame
from .service import Service, down, frames, lost, uploader

pytestmark = pytest.mark.anyio


async def test_one_oversize_frame_fails_alone() -> None:
    """Of a hundred frames one is too large for the service: 99 are delivered, and one is reported with its error."""

    def script(frame: Frame, attempt: int) -> BaseException | None:
        return (
            PayloadTooLargeError("too large", 413, "POST", "http://x") if frame.filename == "frame-000042.jpg" else None
        )

    outcomes: list[Outcome] = []
    report = await deliver_all(uploader(Service(script=script), on_outcome=outcomes.append), frames(100))
    assert (report.delivered, report.rejected, report.is_balanced) == (99, 1, True)
    (line,) = report.failures
    assert (line.filename, line.outcome) == ("frame-000042.jpg", "rejected")
    assert "413" in line.reason
    (rejected,) = (outcome for outcome in outcomes if isinstance(outcome, Rejected))
    assert isinstance(rejected.error, PayloadTooLargeError)
    assert rejected.frame.filename == "frame-000042.jpg"


async def test_transient_failures_are_repeated_until_they_pass() -> None:
    """However often the service says "not now", the frame arrives; attempts and repeats are counted."""
    service = Service(script=lambda frame, attempt: ServerError("no", 500, "POST", "x") if attempt < 9 else None)
    async with uploader(service) as up:
        outcome = await (await up.submit(make_frame(0)))
    assert isinstance(outcome, Delivered)
    assert (outcome.attempts, up.report.retries) == (9, 8)


async def test_bounds_on_attempts_and_age_reject() -> None:
    """With `max_attempts` or `max_age` a frame that keeps failing is rejected with its last error."""
    for options, attempts in (({"max_attempts": 3}, 3), ({"max_age": 2.0}, None)):
        async with uploader(Service(script=lambda frame, attempt: down()), **options) as up:
            outcome = await (await up.submit(make_frame(0)))
        assert isinstance(outcome, Rejected)
        assert isinstance(outcome.error, TransportError)
        assert attempts in {None, outcome.attempts}


async def test_max_age_ends_no_attempt_and_begins_none() -> None:
    """An attempt that outlives `max_age` counts; a frame that became too old while it waited is dropped without one."""
    service = Service(seconds=5.0)
    async with uploader(service, max_age=1.0, concurrency=1) as up:
        receipts = [await up.submit(make_frame(number)) for number in range(3)]
        outcomes = [await receipt for receipt in receipts]
    assert isinstance(outcomes[0], Delivered)
    assert [outcome.reason for outcome in outcomes[1:] if isinstance(outcome, Dropped)] == [DropReason.TOO_OLD] * 2
    assert (up.report.retries, service.attempts.total()) == (0, 1)


async def test_a_repeat_that_is_too_old_is_rejected_with_its_error() -> None:
    """What failed before has the error of that; what waits behind it is not held back."""
    service = Service(script=lambda frame, attempt: down() if frame.filename.endswith("0.jpg") else None)
    async with uploader(service, max_age=60.0) as up:
        outcome = await (await up.submit(make_frame(0)))
        assert isinstance(outcome, Rejected)
        assert isinstance(outcome.error, TransportError)
        assert isinstance(await (await up.submit(make_frame(1))), Delivered)
    assert up.report.is_balanced


async def test_409_to_a_repeat_is_delivered() -> None:
    """After a lost answer a conflict means that the first attempt arrived."""

    def script(frame: Frame, attempt: int) -> BaseException | None:
        return lost() if attempt == 1 else ConflictError("known", 409, "POST", "x")

    async with uploader(Service(script=script)) as up:
        outcome = await (await up.submit(make_frame(0)))
    assert isinstance(outcome, Delivered)
    assert outcome.is_duplicate
    assert up.report.duplicates == 1


async def test_deduplicate_looks_before_it_repeats() -> None:
    """After a lost answer the platform is asked; what it has is not sent again, what it has not is."""
    service = Service(
        script=lambda frame, attempt: (lost() if "1" in frame.filename else down()) if attempt == 1 else None
    )
    asked: list[str] = []

    async def find(frame: Frame) -> bool:
        asked.append(frame.filename)
        return frame.filename in service.stored

    async with Uploader(service.send, find=find, deduplicate=True, random=lambda: 0.0) as up:
        outcomes = [await (await up.submit(make_frame(number))) for number in (1, 2)]
    assert [outcome.is_duplicate for outcome in outcomes] == [True, False]  # type: ignore[union-attr]
    assert asked == ["frame-000001.jpg"], "a request that was never sent needs no look"
    assert service.attempts == {"frame-000001.jpg": 1, "frame-000002.jpg": 2}


async def test_a_look_that_fails_does_not_stop_the_delivery() -> None:
    """Looking up is repeated where that may help, and skipped where it is not allowed."""
    looks: list[int] = []

    async def find(frame: Frame) -> bool:
        looks.append(1)
        raise down() if len(looks) < 3 else BadRequestError("no", 400, "GET", "x")

    service = Service(script=lambda frame, attempt: lost() if attempt == 1 else None)
    async with Uploader(service.send, find=find, deduplicate=True) as up:
        outcome = await (await up.submit(make_frame(0)))
    assert isinstance(outcome, Delivered)
    assert (len(looks), service.attempts.total()) == (3, 2)


async def test_a_bug_in_send_rejects_the_frame() -> None:
    """An unexpected exception is the frame's outcome, not the uploader's end."""
    service = Service(script=lambda frame, attempt: KeyError("bug") if "03" in frame.filename else None)
    report = await deliver_all(uploader(service), frames(10))
    assert (report.delivered, report.rejected) == (9, 1)
    assert "KeyError" in report.failures[0].reason


async def test_order_within_a_source_survives_failures() -> None:
    """With `ordered_by="source"` each camera's frames arrive in order, though many attempts fail; cameras do not wait for each other."""
    source = random.Random(4)
    service = Service(script=lambda frame, attempt: down() if source.random() < 0.3 else None)
    async with uploader(service, ordered_by="source", concurrency=8) as up:
        for number in range(120):
            await up.submit(make_frame(number, source=f"cam-{number % 3}"))
        await up.flush()
    for camera in range(3):
        own = [name for name in service.stored if int(name[6:12]) % 3 == camera]
        assert own == sorted(own)
        assert len(own) == 40
    assert service.busiest == 3


@pytest.mark.parametrize("sources", [1, 3])
async def test_where_order_is_kept_a_poisoned_frame_gives_way(sources: int) -> None:
    """A frame that always fails is rejected after its attempts, also where its source is the only one; the others keep their order."""
    service = Service(
        script=lambda frame, attempt: (
            ServerError("no", 500, "POST", "x") if frame.filename == "frame-000003.jpg" else None
        )
    )
    async with uploader(service, ordered_by="source") as up:
        for number in range(30):
            await up.submit(make_frame(number, source=f"cam-{number % sources}"))
        assert await up.flush(timeout=900) == 0
    assert (up.report.delivered, up.report.rejected) == (29, 1)
    assert up.report.failures[0].filename == "frame-000003.jpg"
    assert service.attempts["frame-000003.jpg"] <= 12
    for source in range(sources):
        own = [name for name in service.stored if int(name[6:12]) % sources == source]
        assert own == sorted(own)


async def test_where_order_is_kept_an_outage_ends_no_frame() -> None:
    """An hour without the service, and one source: nothing is rejected, and at most one frame overtakes another."""
    loop = asyncio.get_running_loop()
    back_at = loop.time() + 3600.0
    service = Service(script=lambda frame, attempt: down() if loop.time() < back_at else None)
    async with uploader(service, ordered_by="source") as up:
        for number in range(30):
            await up.submit(make_frame(number, source="cam"))
        assert await up.flush(timeout=5000) == 0
    assert up.report.is_complete
    assert sum(a > b for a, b in itertools.pairwise(service.stored)) <= 1


async def test_a_seed_makes_the_waits_the_same() -> None:
    """Two uploaders of one seed wait as long as each other between attempts, one of another seed does not."""

    async def times(seed: int) -> list[float]:
        clock, found = asyncio.get_running_loop().time, []
        begun = clock()

        async def send(frame: Frame, request: bytes) -> dict[str, object]:
            found.append(round(clock() - begun, 6))
            raise ServerError("no", 500, "POST", "x")

        async with Uploader(send, seed=seed, max_attempts=6) as up:
            await (await up.submit(make_frame(0)))
        return found

    assert await times(1) == await times(1) != await times(2)
    with pytest.raises(ConfigurationError, match="seed must be a whole number"):
        Uploader(Service().send, seed=0.5)  # type: ignore[arg-type]
