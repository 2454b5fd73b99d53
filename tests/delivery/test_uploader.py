"""The uploader with a `send` of our own: admission, repetition, receipts, closing. No HTTP, and a virtual clock."""

from __future__ import annotations

import asyncio
import gc
import itertools
import random
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import anyio
import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from picsellia_async._delivery.outcomes import Delivered, Dropped, DropReason, Health, Outcome, Rejected
from picsellia_async.config import RetryPolicy
from picsellia_async.errors import (
    AuthenticationError,
    BadRequestError,
    ClosedError,
    ConfigurationError,
    ConflictError,
    FrameTooLargeError,
    PayloadTooLargeError,
    PicselliaError,
    RateLimitError,
    RequestTimeoutError,
    ServerError,
    TransportError,
    UploaderFullError,
)
from picsellia_async.frames import Frame
from picsellia_async.uploader import Uploader, deliver_all

from ..support.frames import make_frame
from ..support.virtual_time import VirtualLoop

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Asyncio with a clock that jumps: no test of this file waits."""
    return "asyncio", {"debug": True, "loop_factory": VirtualLoop}


def down() -> TransportError:
    return TransportError("ConnectError: refused", "POST", "http://x", 1, request_sent=False)


def lost() -> TransportError:
    return TransportError("ReadError: reset", "POST", "http://x", 1, request_sent=True)


@attrs.define
class Service:
    """Takes frames in `seconds` each; `script` says what an attempt ends in, and when a frame is stored."""

    seconds: float = 0.01
    script: Callable[[Frame, int], BaseException | None] = lambda frame, attempt: None
    stored: list[str] = attrs.field(factory=list)
    arrivals: list[tuple[float, str]] = attrs.field(factory=list)
    attempts: Counter[str] = attrs.field(factory=Counter)
    busy: int = 0
    busiest: int = 0
    hold: asyncio.Event | None = None

    async def send(self, frame: Frame) -> dict[str, Any]:
        name = frame.filename
        self.attempts[name] += 1
        self.arrivals.append((asyncio.get_running_loop().time(), name))
        self.busy += 1
        self.busiest = max(self.busiest, self.busy)
        try:
            if self.hold is not None:
                await self.hold.wait()
            await asyncio.sleep(self.seconds)
            error = self.script(frame, self.attempts[name])
            if error is not None:
                if getattr(error, "request_sent", False):
                    self.stored.append(name)
                raise error
        finally:
            self.busy -= 1
        self.stored.append(name)
        return {"id": name}


def uploader(service: Service, **options: Any) -> Uploader:
    return Uploader(service.send, random=random.Random(1).random, **options)


def frames(count: int, **fields: Any) -> list[Frame]:
    return [make_frame(number, **fields) for number in range(count)]


async def test_frames_arrive_and_receipts_tell() -> None:
    """Every frame is delivered once, its receipt gives the service's answer, and the report balances."""
    service = Service()
    async with uploader(service, concurrency=4) as up:
        receipts = [await up.submit(frame) for frame in frames(50)]
        outcomes = [await receipt for receipt in receipts]
        assert await receipts[0] is outcomes[0]
    assert all(isinstance(outcome, Delivered) for outcome in outcomes)
    assert [outcome.receipt["id"] for outcome in outcomes] == [outcome.frame.filename for outcome in outcomes]
    assert (service.busiest, sorted(service.stored)) == (4, sorted(set(service.stored)))
    report = up.report
    assert (report.accepted, report.delivered, report.bytes) == (50, 50, 50 * 1000)
    assert report.is_balanced
    assert report.is_complete
    assert up.is_closed


async def test_an_idle_uploader_has_no_tasks() -> None:
    """Workers end when there is nothing to send, and come back with the next frame."""
    service = Service()
    async with uploader(service) as up:
        before = len(asyncio.all_tasks())
        await (await up.submit(make_frame(1)))
        await asyncio.sleep(0.1)
        assert len(asyncio.all_tasks()) == before
        assert isinstance(await (await up.submit(make_frame(2))), Delivered)


async def test_a_full_uploader_waits_or_raises_with_sizes() -> None:
    """With "wait" a full uploader just takes its time; with "raise" it says how much is held and what was wanted."""
    service = Service(hold=asyncio.Event())
    async with uploader(service, max_pending_bytes=3000, when_full="raise") as up:
        for frame in frames(2, size=1400):
            await up.submit(frame)
        with pytest.raises(UploaderFullError) as caught:
            await up.submit(make_frame(9, size=1400))
        error = caught.value
        assert (error.frame_bytes, error.pending_bytes, error.max_bytes, error.pending_frames) == (1400, 2800, 3000, 2)
        assert up.statistics().refused == 1
        service.hold.set()
    assert (up.report.accepted, up.report.delivered) == (2, 2)
    service = Service()
    async with uploader(service, max_pending_bytes=3000, concurrency=2) as up:
        for frame in frames(100, size=1400):
            await up.submit(frame)
            assert up.statistics().pending_bytes <= 3000
    assert up.report.delivered == 100


async def test_a_frame_that_never_fits_is_refused_at_once() -> None:
    """Waiting would not help, so there is none: the error names the sizes, whatever the policy."""
    for policy in ("wait", "raise", "drop_newest", "drop_oldest"):
        async with uploader(Service(), max_pending_bytes=2000, when_full=policy) as up:
            with pytest.raises(FrameTooLargeError) as caught:
                await up.submit(make_frame(0, size=2001))
            assert (caught.value.frame_bytes, caught.value.max_bytes) == (2001, 2000)
        assert up.report.accepted == 0


async def test_drop_newest_counts_by_reason_and_source() -> None:
    """The frame that finds no room is dropped, at once, and counted."""
    service = Service(hold=asyncio.Event())
    async with uploader(service, max_pending_frames=2, when_full="drop_newest") as up:
        receipts = [await up.submit(make_frame(number, source=f"cam-{number % 2}")) for number in range(5)]
        assert [receipt.outcome is None for receipt in receipts] == [True, True, False, False, False]
        outcome = receipts[2].outcome
        assert isinstance(outcome, Dropped)
        assert outcome.reason is DropReason.FULL_NEWEST
        statistics = up.statistics()
        assert statistics.dropped_by_reason == {"full_newest": 3}
        assert statistics.dropped_by_source == {"cam-0": 2, "cam-1": 1}
        service.hold.set()
    assert (up.report.delivered, up.report.dropped, up.report.is_balanced) == (2, 3, True)


async def test_drop_oldest_drops_what_is_not_under_way() -> None:
    """The oldest frame in line gives way; those under way stay; with nothing in line the newest is dropped."""
    service = Service(hold=asyncio.Event())
    async with uploader(service, max_pending_frames=3, concurrency=1, when_full="drop_oldest") as up:
        receipts = []
        for number in range(6):
            receipts.append(await up.submit(make_frame(number)))
            await asyncio.sleep(0.001)
        assert [type(receipt.outcome) for receipt in receipts[1:4]] == [Dropped] * 3
        service.hold.set()
    assert service.stored == ["frame-000000.jpg", "frame-000004.jpg", "frame-000005.jpg"]
    service = Service(hold=asyncio.Event())
    async with uploader(service, max_pending_frames=1, when_full="drop_oldest") as up:
        await up.submit(make_frame(0))
        await asyncio.sleep(0.001)
        outcome = (await up.submit(make_frame(1))).outcome
        assert isinstance(outcome, Dropped)
        assert outcome.reason is DropReason.FULL_NEWEST
        service.hold.set()


async def test_drop_oldest_drops_what_waits_to_be_repeated() -> None:
    """In an outage the oldest frames were tried and wait: they give way, tell of their failure, and free the turn of their source."""
    service = Service(script=lambda frame, attempt: down())
    options: dict[str, Any] = {"max_pending_frames": 3, "when_full": "drop_oldest", "close_timeout": 0.0}
    async with uploader(service, ordered_by="source", **options) as up:
        receipts = [await up.submit(make_frame(number, source=f"cam-{number % 2}")) for number in range(3)]
        await asyncio.sleep(0.0101)
        assert (up.statistics().waiting, up.statistics().queued) == (2, 1)
        receipts += [await up.submit(make_frame(number, source=f"cam-{number % 2}")) for number in (3, 4)]
        await asyncio.sleep(0)
        for receipt in receipts[:2]:
            assert isinstance(receipt.outcome, Dropped)
            assert receipt.outcome.reason is DropReason.FULL_OLDEST
            assert isinstance(receipt.outcome.error, TransportError)
        assert [receipt.outcome for receipt in receipts[2:]] == [None] * 3
        assert [service.attempts[f"frame-{number:06d}.jpg"] for number in range(5)] == [1, 1, 1, 1, 0]
    assert up.report.is_balanced
    assert up.report.dropped_by_reason == {"full_oldest": 2, "closed": 3}


async def test_a_large_frame_is_not_starved() -> None:
    """Small frames that come later do not overtake a large one in the line."""
    service = Service(hold=asyncio.Event())
    async with uploader(service, max_pending_bytes=10_000, concurrency=1) as up:
        await up.submit(make_frame(0, size=5000))
        order: list[int] = []

        async def submit(number: int, size: int) -> None:
            await up.submit(make_frame(number, size=size))
            order.append(number)

        tasks = [asyncio.create_task(submit(1, 9000))]
        await asyncio.sleep(0)
        tasks += [asyncio.create_task(submit(number, 1024)) for number in range(2, 6)]
        await asyncio.sleep(0)
        service.hold.set()
        await asyncio.gather(*tasks)
        assert order[0] == 1


async def test_cancelling_a_submit_that_waits_leaves_nothing_behind() -> None:
    """A cancelled submit was not accepted, and its place in the line is free."""
    service = Service(hold=asyncio.Event())
    async with uploader(service, max_pending_frames=1) as up:
        await up.submit(make_frame(0))
        waiting = [asyncio.create_task(up.submit(make_frame(number))) for number in (1, 2)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        service.hold.set()
        receipt = await waiting[1]
        assert isinstance(await receipt, Delivered)
        assert waiting[0].cancelled()
    assert (up.report.accepted, up.report.is_balanced) == (2, True)


async def test_the_same_id_is_the_same_frame() -> None:
    """Submitting a frame again while it is on its way sends it once and returns the same receipt."""
    service = Service(hold=asyncio.Event())
    async with uploader(service, max_pending_frames=2) as up:
        frame = make_frame(1)
        first = await up.submit(frame)
        assert await up.submit(frame) is first
        await up.submit(make_frame(2))
        other = make_frame(3)
        twins = [asyncio.create_task(up.submit(other)) for _ in range(2)]
        await asyncio.sleep(0)
        service.hold.set()
        assert await twins[0] is await twins[1]
    assert (up.report.accepted, max(service.attempts.values())) == (3, 1)


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


async def test_one_frame_too_large_for_the_uploader_fails_alone_in_a_stream() -> None:
    """Streaming turns the refusal into an outcome; the others go on."""
    batch = [make_frame(number, size=5000 if number == 3 else 1000) for number in range(10)]
    async with uploader(Service(), max_pending_bytes=4000) as up:
        outcomes = [outcome async for outcome in up.stream(batch)]
    assert Counter(type(outcome) for outcome in outcomes) == {Delivered: 9, Rejected: 1}
    assert (up.report.accepted, up.report.is_balanced, up.statistics().refused) == (10, True, 0)


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


async def test_sources_are_served_in_turn() -> None:
    """A camera with a long line does not delay the others."""
    service = Service()
    async with uploader(service, concurrency=1) as up:
        for number in range(20):
            await up.submit(make_frame(number, source="busy"))
        await up.submit(make_frame(99, source="calm"))
        await up.flush()
    assert service.stored.index("frame-000099.jpg") <= 2


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


async def test_nobody_comes_before_retry_after_and_arrivals_are_spread() -> None:
    """A hundred in flight get 429 with Retry-After 2: none comes earlier, one probe goes first, the others follow spread out."""
    throttled_at: list[float] = []

    def script(frame: Frame, attempt: int) -> BaseException | None:
        if attempt > 1:
            return None
        throttled_at.append(asyncio.get_running_loop().time())
        return RateLimitError("slow down", 429, "POST", "x", retry_after=2.0)

    service = Service(seconds=0.05, script=script)
    async with uploader(service, concurrency=100) as up:
        for frame in frames(100):
            await up.submit(frame)
        await up.flush()
    later = sorted(at for at, _ in service.arrivals)[100:]
    assert len(later) == 100
    assert later[0] - throttled_at[-1] >= 2.0
    assert later[1] - later[0] >= 0.05 - 1e-9, "the probe is answered before a second one goes"
    moments = Counter(round(at, 3) for at in later)
    assert max(moments.values()) <= 50
    assert len(moments) >= 6
    assert up.report.delivered == 100


async def test_an_outage_is_probed_not_hammered() -> None:
    """In a minute of outage extra load stays within a tenth of the frames offered plus the probes; afterwards all arrive."""
    back_at = asyncio.get_running_loop().time() + 60.0
    service = Service(script=lambda frame, attempt: down() if asyncio.get_running_loop().time() < back_at else None)
    async with uploader(service, concurrency=32) as up:
        for frame in frames(400):
            await up.submit(frame)
        await asyncio.sleep(1.0)
        assert up.statistics().health is Health.DOWN
        await up.flush()
        assert up.statistics().health is Health.OK
    during = [name for at, name in service.arrivals if at < back_at]
    assert len(during) - len(set(during)) <= 0.1 * 400
    assert len(during) <= 32 + 15
    assert up.report.delivered == 400


@pytest.mark.parametrize(
    "error",
    [
        down(),
        lost(),
        RequestTimeoutError("ReadTimeout", "POST", "http://x", 1, request_sent=True),
        ServerError("bad gateway", 502, "POST", "x"),
        RateLimitError("unavailable", 503, "POST", "x"),
    ],
    ids=["refused", "reset", "timeout", "502", "503"],
)
async def test_one_probe_at_a_time_while_the_service_is_down(error: PicselliaError) -> None:
    """Whatever an outage looks like: of 64 in flight one is left, its pauses grow to 15 seconds, and then all are back."""
    service = Service(seconds=0.2, script=lambda frame, attempt: error if is_out else None)
    is_out = True
    async with uploader(service, concurrency=64) as up:
        for frame in frames(200):
            await up.submit(frame)
        await asyncio.sleep(0.45)
        assert (service.busiest, service.busy) == (64, 0)
        begun, service.busiest = len(service.arrivals), 0
        await asyncio.sleep(600)
        assert service.busiest == 1
        probes = [at for at, _ in service.arrivals[begun:]]
        pauses = [after - before for before, after in itertools.pairwise(probes)]
        assert all(0.5 <= pause <= 15.0 * 1.2 + 0.3 for pause in pauses)
        assert min(pauses[5:]) >= 15.0
        is_out = False
        assert await up.flush(timeout=60) == 0
    assert up.report.delivered == 200


@pytest.mark.parametrize("concurrency", [1, 8, 64])
async def test_repeats_stay_within_the_budget(concurrency: int) -> None:
    """While every second frame fails again and again, repeats are a tenth of the first attempts, and do not keep those out."""
    until = asyncio.get_running_loop().time() + 20.0

    def script(frame: Frame, attempt: int) -> BaseException | None:
        is_bad = int(frame.filename[6:12]) % 2 and asyncio.get_running_loop().time() < until
        return ServerError("no", 500, "POST", "x") if is_bad else None

    service = Service(seconds=0.1, script=script)
    count = concurrency * 200
    retry = RetryPolicy(backoff_initial=0.05, backoff_max=0.1)
    async with uploader(service, concurrency=concurrency, retry=retry) as up:
        for frame in frames(count):
            await up.submit(frame)
        await asyncio.sleep(until - asyncio.get_running_loop().time())
        early = [name for at, name in service.arrivals if at < until]
        firsts = len(set(early))
        await up.flush()
    assert firsts >= 80
    assert len(early) - firsts <= 0.1 * firsts + 21, "a tenth, and what was saved up"
    assert up.report.is_complete


async def test_a_wrong_token_is_told_at_once() -> None:
    """Without a spool, an account that never worked rejects frames instead of keeping them."""
    service = Service(script=lambda frame, attempt: AuthenticationError("who", 401, "POST", "x"))
    async with uploader(service) as up:
        outcome = await (await up.submit(make_frame(0)))
        assert isinstance(outcome, Rejected)
        assert up.statistics().health is Health.REFUSED


async def test_a_token_that_worked_is_believed_for_a_while() -> None:
    """A login that is refused for half a minute loses nothing; one that stays refused rejects in the end."""
    loop = asyncio.get_running_loop()
    start = loop.time()

    def script(frame: Frame, attempt: int) -> BaseException | None:
        refused = 5.0 < loop.time() - start < 35.0 or loop.time() - start > 100.0
        return AuthenticationError("who", 401, "POST", "x") if refused else None

    service = Service(script=script)
    async with uploader(service) as up:
        assert isinstance(await (await up.submit(make_frame(0))), Delivered)
        await asyncio.sleep(6.0)
        outcome = await (await up.submit(make_frame(1)))
        assert isinstance(outcome, Delivered)
        assert outcome.attempts > 1
        await asyncio.sleep(100.0)
        assert isinstance(await (await up.submit(make_frame(2))), Rejected)


async def test_the_reader_does_not_run_ahead() -> None:
    """A generator is pulled no further ahead of the outcomes than the uploader holds."""
    pulled = acknowledged = 0
    lead: list[int] = []

    async def source() -> AsyncIterator[Frame]:
        nonlocal pulled
        for frame in frames(300):
            pulled += 1
            lead.append(pulled - acknowledged)
            yield frame

    async with uploader(Service(), max_pending_frames=10, concurrency=4) as up:
        async for _ in up.stream(source()):
            acknowledged += 1
    assert (pulled, acknowledged) == (300, 300)
    assert max(lead) <= 10 + 4 + 2


async def test_a_slow_reader_of_outcomes_slows_the_stream() -> None:
    """Outcomes that nobody takes hold frames; so the stream pauses instead of piling them up."""
    pulled = 0

    def source() -> Any:
        nonlocal pulled
        for frame in frames(1000):
            pulled += 1
            yield frame

    async with uploader(Service(), max_pending_frames=10) as up:
        stream = up.stream(source())
        await anext(stream)
        await asyncio.sleep(10.0)
        assert pulled <= 64 + 10 + 2
        await stream.aclose()  # type: ignore[attr-defined]


async def test_an_iterable_that_raises_raises_after_its_outcomes() -> None:
    """What came before the error is delivered and yielded; then the error is raised."""

    def source() -> Any:
        yield from frames(5)
        raise OSError("camera unplugged")

    seen = []
    async with uploader(Service()) as up:
        with pytest.raises(OSError, match="unplugged"):
            async for outcome in up.stream(source()):
                seen.append(outcome)
        with pytest.raises(ConfigurationError):
            async for outcome in up.stream(["no frame"]):  # type: ignore[list-item]
                seen.append(outcome)
    assert len(seen) == 5


async def test_a_stream_tells_of_a_frame_it_saw_twice() -> None:
    """The same frame twice gives two outcomes and one request."""
    frame = make_frame(1)
    service = Service()
    async with uploader(service) as up:
        outcomes = [outcome async for outcome in up.stream([frame, frame])]
    assert len(outcomes) == 2
    assert service.attempts.total() == 1


async def test_callbacks_that_raise_break_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """An exception in `on_outcome` or `progress` is logged and counted; everything else goes on."""

    def broken(_: object) -> None:
        raise RuntimeError("callback")

    async with uploader(Service(), on_outcome=broken, progress=broken) as up:
        for frame in frames(20):
            await up.submit(frame)
        await up.flush()
    assert (up.report.delivered, up.report.is_balanced) == (20, True)
    assert up.statistics().callback_errors > 20
    assert "callback" in caplog.text


async def test_callbacks_see_every_outcome_and_may_submit() -> None:
    """`on_outcome` is called once per frame, also for frames submitted from within it."""
    seen: list[Outcome] = []
    tasks = []
    async with uploader(Service()) as up:

        def again(outcome: Outcome) -> None:
            seen.append(outcome)
            if len(seen) < 5:
                tasks.append(asyncio.ensure_future(up.submit(make_frame(len(seen)))))

        up._books.on_outcome = again
        await up.submit(make_frame(0))
        for _ in range(20):
            await up.flush()
            await asyncio.sleep(0.01)
    assert len(seen) == up.report.accepted == 5


async def test_progress_is_told_now_and_then_and_at_the_end() -> None:
    """`progress` gets snapshots at most five times a second, and the final one."""
    calls: list[tuple[float, int]] = []
    loop = asyncio.get_running_loop()
    async with uploader(
        Service(seconds=0.1), concurrency=1, progress=lambda s: calls.append((loop.time(), s.delivered))
    ) as up:
        for frame in frames(30):
            await up.submit(frame)
        await up.flush()
    assert calls[-1][1] == 30
    gaps = [b[0] - a[0] for a, b in itertools.pairwise(calls[:-1])]
    assert len(calls) >= 10
    assert min(gaps) >= 0.19


async def test_statistics_show_what_goes_on() -> None:
    """A snapshot tells where the frames are."""
    service = Service(hold=asyncio.Event())
    async with uploader(service, concurrency=2) as up:
        for frame in frames(5):
            await up.submit(frame)
        await asyncio.sleep(0.001)
        s = up.statistics()
        assert (s.accepted, s.pending_frames, s.in_flight, s.queued, s.concurrency) == (5, 5, 2, 3, 2)
        assert s.pending_bytes == 5 * 1024
        assert "5 accepted, 5 pending, 2 in flight" in repr(up)
        service.hold.set()
        assert await up.flush() == 0
        assert up.statistics().round_trip > 0


async def test_files_are_read_when_sent_and_missing_ones_rejected(tmp_path: Path) -> None:
    """A frame may name a file; one that is missing is that frame's own trouble."""
    path = tmp_path / "a.jpg"
    path.write_bytes(b"x" * 5000)
    there = Frame(image=path, width=1, height=1, latency=0.1, prediction=make_frame().prediction)
    missing = attrs.evolve(there, image=tmp_path / "b.jpg", filename="b.jpg", id=make_frame().id)
    # Threads and a virtual clock do not go together: the file's size is asked with the real one running.
    async with uploader(Service(), close_timeout=1e6) as up:
        first, second = await up.submit(there), await up.submit(missing)
        assert isinstance(second.outcome, Rejected)
        assert isinstance(await first, Delivered)
    assert (up.report.accepted, up.report.bytes) == (2, 5000)


async def test_a_killed_worker_is_replaced() -> None:
    """When somebody cancels the workers, flush returns in time and reports, and the frames arrive after all."""
    service = Service(seconds=0.5)
    async with uploader(service, concurrency=2) as up:
        for frame in frames(6):
            await up.submit(frame)
        await asyncio.sleep(0.1)
        for task in list(up._sender._workers):
            task.cancel()
        left = await up.flush(timeout=0.2)
        assert left == 6
        assert await up.flush(timeout=10) == 0
    assert (up.report.delivered, up.report.is_balanced) == (6, True)


async def test_a_worker_cancelled_before_its_first_step_loses_nothing() -> None:
    """The item of a task that never ran goes back to its line."""
    service = Service()
    async with uploader(service) as up:
        receipt = await up.submit(make_frame(0))
        for task in list(up._sender._workers):
            task.cancel()
        assert isinstance(await receipt, Delivered)


async def test_closing_against_a_dead_service_is_bounded() -> None:
    """`close_timeout=2` against a service that never answers returns within 2.5 seconds and lists what is undelivered."""
    service = Service(hold=asyncio.Event())
    loop = asyncio.get_running_loop()
    async with uploader(service, close_timeout=2.0, concurrency=4) as up:
        for frame in frames(10):
            await up.submit(frame)
        started = loop.time()
    assert 2.0 <= loop.time() - started <= 2.5
    report = up.report
    assert (report.accepted, report.dropped, len(report.undelivered), report.is_balanced) == (10, 10, 10, True)
    assert report.dropped_by_reason == {"closed": 10}
    assert [outcome.may_be_stored for outcome in report.undelivered].count(True) == 4  # type: ignore[union-attr]


async def test_closing_is_bounded_though_send_ignores_cancellation() -> None:
    """A `send` that swallows its cancellation is left to itself; its late answer changes no number."""
    loop = asyncio.get_running_loop()

    async def stubborn(frame: Frame) -> dict[str, Any]:
        for _ in range(3):
            try:
                await asyncio.sleep(5.0)
            except asyncio.CancelledError:
                continue
        return {"id": 1}

    async with Uploader(stubborn, close_timeout=1.0) as up:
        receipt = await up.submit(make_frame(0))
        started = loop.time()
    assert loop.time() - started <= 1.5
    assert isinstance(receipt.outcome, Dropped)
    await asyncio.sleep(20.0)
    assert (up.report.delivered, up.report.dropped, up.report.is_balanced) == (0, 1, True)


async def test_frames_submitted_right_before_closing_arrive() -> None:
    """1,500 frames and an immediate close: 1,500 arrive."""
    service = Service()
    async with uploader(service) as up:
        for frame in frames(1500):
            await up.submit(frame)
    assert (up.report.delivered, len(set(service.stored))) == (1500, 1500)


async def test_closing_during_a_long_retry_after_wakes_at_once() -> None:
    """A pause of 60 seconds that the service asked for is longer than closing may take, so closing does not wait at all."""
    service = Service(script=lambda frame, attempt: RateLimitError("later", 429, "POST", "x", retry_after=60.0))
    loop = asyncio.get_running_loop()
    async with uploader(service, close_timeout=30.0) as up:
        await up.submit(make_frame(0))
        await asyncio.sleep(1.0)
        assert up.statistics().health is Health.THROTTLED
        started = loop.time()
    assert loop.time() - started <= 0.5
    assert up.report.dropped == 1
    assert service.attempts.total() == 1, "nobody sends before the time, not even to say goodbye"


async def test_closing_ends_own_pauses_and_delivers() -> None:
    """A frame that waits for its next attempt is attempted at once when closing begins."""
    service = Service(script=lambda frame, attempt: down() if attempt <= 4 else None)
    loop = asyncio.get_running_loop()
    policy = RetryPolicy(backoff_initial=10.0, backoff_max=100.0)
    async with uploader(service, retry=policy) as up:
        receipt = await up.submit(make_frame(0))
        await asyncio.sleep(45.0)
        assert service.attempts.total() == 3
        started = loop.time()
        closing = asyncio.create_task(up.aclose())
        await asyncio.sleep(0.1)
        assert service.attempts.total() == 4
        await closing
    assert loop.time() - started <= 30.5
    assert receipt.outcome is not None


async def test_producers_and_flushes_do_not_deadlock() -> None:
    """64 producers that flush all the time, and everything ends."""
    service = Service()
    async with uploader(service, max_pending_frames=20) as up:

        async def produce(producer: int) -> None:
            for number in range(10):
                await up.submit(make_frame(producer * 100 + number))
                await up.flush()

        await asyncio.gather(*(produce(producer) for producer in range(64)))
    assert (up.report.delivered, up.report.is_balanced) == (640, True)


async def test_flush_waits_for_what_was_accepted_before() -> None:
    """Frames that come after the call do not keep it waiting."""
    service = Service(seconds=1.0)
    async with uploader(service, concurrency=1) as up:
        for frame in frames(3):
            await up.submit(frame)
        flushing = asyncio.create_task(up.flush())
        await asyncio.sleep(0)
        for number in range(3, 30):
            await up.submit(make_frame(number))
        assert await flushing == 0
        assert len(service.stored) == 3


async def test_cancelling_the_surrounding_task_settles_everything() -> None:
    """A cancelled block closes as any other: what can be delivered is, the books balance, and the cancellation goes on."""
    service = Service(seconds=0.2)
    up = uploader(service, concurrency=2)

    async def application() -> None:
        async with up:
            for frame in frames(10):
                await up.submit(frame)
            await asyncio.sleep(100)

    task = asyncio.create_task(application())
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (up.report.delivered, up.report.is_balanced) == (10, True)


async def test_a_second_cancellation_ends_the_flush() -> None:
    """Who cancels twice does not want to wait: the rest is settled at once."""
    service = Service(hold=asyncio.Event())
    up = uploader(service, close_timeout=30.0)

    async def application() -> None:
        async with up:
            await up.submit(make_frame(0))
            await asyncio.sleep(100)

    loop = asyncio.get_running_loop()
    task = asyncio.create_task(application())
    await asyncio.sleep(0.1)
    started = loop.time()
    for _ in range(3):
        task.cancel()
        await asyncio.sleep(0.1)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert loop.time() - started <= 1.0
    assert (up.report.dropped, up.report.is_balanced) == (1, True)


async def test_an_anyio_scope_that_is_cancelled_closes_in_order() -> None:
    """A cancelled anyio scope, which cancels again and again, counts as one cancellation."""
    service = Service(seconds=0.2)
    up = uploader(service)
    with anyio.move_on_after(0.1):
        async with up:
            for frame in frames(5):
                await up.submit(frame)
            await anyio.sleep(100)
    assert (up.report.delivered, up.report.is_balanced) == (5, True)


async def test_an_error_in_the_block_still_closes() -> None:
    """The block's own exception comes through, after the frames were delivered."""
    up = uploader(Service())
    with pytest.raises(ZeroDivisionError):
        async with up:
            await up.submit(make_frame(0))
            raise ZeroDivisionError
    assert up.report.delivered == 1


async def test_use_outside_of_its_life_is_one_typed_error() -> None:
    """Before opening, after closing, and opened twice: ClosedError with the way out; closing twice is fine."""
    up = uploader(Service())
    with pytest.raises(ClosedError, match="async with"):
        await up.submit(make_frame(0))
    async with up:
        with pytest.raises(ClosedError, match="once"):
            await up.__aenter__()
    await up.aclose()
    with pytest.raises(ClosedError, match="closed"):
        await up.submit(make_frame(0))
    unopened = uploader(Service())
    await unopened.aclose()
    assert unopened.is_closed
    assert unopened.report.is_balanced


async def test_submits_that_wait_are_sent_away_by_closing() -> None:
    """Whoever waits for room when closing begins gets ClosedError, and the frame was not accepted."""
    service = Service(seconds=5.0)
    async with uploader(service, max_pending_frames=1) as up:
        await up.submit(make_frame(0))
        waiting = asyncio.create_task(up.submit(make_frame(1)))
        await asyncio.sleep(0)
    with pytest.raises(ClosedError):
        await waiting
    assert (up.report.accepted, up.report.delivered) == (1, 1)


async def test_leaving_without_closing_warns_with_the_count() -> None:
    """An uploader that is dropped with frames in it says how many."""
    service = Service(script=lambda frame, attempt: down())
    up = uploader(service)
    await up.__aenter__()
    for frame in frames(3):
        await up.submit(frame)
    await asyncio.sleep(100.0)
    up._sender._timer.cancel()  # type: ignore[union-attr] # as the end of a loop does
    del up
    with pytest.warns(ResourceWarning, match="3 frames have no outcome"):
        gc.collect()


@pytest.mark.parametrize(
    "options",
    [
        {"concurrency": 0}, {"concurrency": True}, {"concurrency": "many"}, {"when_full": "explode"}, {"ordered_by": "size"},
        {"durability": "never"}, {"max_pending_bytes": 0}, {"max_pending_frames": 0}, {"max_attempts": 0}, {"max_age": -1},
        {"close_timeout": -1}, {"close_timeout": None}, {"max_age": float("nan")}, {"spool": 3}, {"spool": ""}, {"retry": None},
        {"concurrency": 1001}, {"deduplicate": True}, {"on_outcome": 3}, {"progress": deliver_all}, {"commit_interval": 0},
    ],
    ids=lambda options: "-".join(f"{name}={value}"[:30] for name, value in options.items()),
)  # fmt: skip
async def test_bad_options_are_refused_when_made(options: dict[str, Any]) -> None:
    """Every option out of range is a ConfigurationError that names it, before anything runs."""
    with pytest.raises(ConfigurationError, match=next(iter(options))):
        uploader(Service(), **options)


async def test_auto_settles_at_the_capacity() -> None:
    """Through the uploader: within 10 seconds of its clock the limit is within 15 % of a hidden capacity, also after a change of it."""
    seats = 20
    busy = 0
    line: deque[asyncio.Future[None]] = deque()

    async def send(frame: Frame) -> dict[str, Any]:
        nonlocal busy
        if busy < seats:
            busy += 1
        else:
            turn = asyncio.get_running_loop().create_future()
            line.append(turn)
            await turn
        await asyncio.sleep(0.1)
        busy -= 1
        while line and busy < seats:
            # The seat is handed over, so that nobody who comes meanwhile takes it.
            busy += 1
            line.popleft().set_result(None)
        return {}

    async def limit(up: Uploader) -> float:
        """Eight seconds on, the mean over the two after."""
        await asyncio.sleep(8.0)
        seen = []
        for _ in range(20):
            await asyncio.sleep(0.1)
            seen.append(up.statistics().concurrency)
        return sum(seen) / len(seen)

    async with Uploader(send, concurrency="auto", max_pending_frames=100, close_timeout=0) as up:

        async def produce() -> None:
            for number in itertools.count():
                await up.submit(make_frame(number))

        producing = asyncio.create_task(produce())
        for capacity in (20, 10, 20):
            seats = capacity
            assert await limit(up) == pytest.approx(capacity, rel=0.15)
        producing.cancel()
        await asyncio.wait([producing])
    assert up.report.is_balanced


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
