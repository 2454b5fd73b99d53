"""What a collector of OpenTelemetry's SDK holds of an uploader's frames: one span for a frame's life, its attempts below it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from picsellia_async import AsyncClient, UploaderFullError
from picsellia_async._delivery import frame_spans
from picsellia_async.emulator import Fault
from picsellia_async.tracing import Tracing

from ..support.frames import make_frame

pytestmark = pytest.mark.anyio


def lives(collector: Any) -> list[Any]:
    return [span for span in collector.get_finished_spans() if span.name == "picsellia.frame"]


def below(collector: Any, parent: Any) -> list[Any]:
    spans = [
        span for span in collector.get_finished_spans() if span.parent and span.parent.span_id == parent.context.span_id
    ]
    return sorted(spans, key=lambda span: span.start_time)


async def test_two_503_and_a_success_are_one_trace_with_three_attempts(
    traced_deployment, collector, provider, emulator
):
    """One frame's life over two 503 and a success: the submitter's trace has its span, and below it three attempts."""
    emulator.faults.add(Fault(kind="status", endpoint="monitor", status=503, times=2))
    frame = make_frame(7, source="gate")
    async with traced_deployment.uploader() as uploader:
        with provider.get_tracer("test").start_as_current_span("request") as request:
            receipt = await uploader.submit(frame)
        await receipt
    (life,) = lives(collector)
    attempts = below(collector, life)
    assert [span.attributes["http.response.status_code"] for span in attempts] == [503, 503, 201]
    assert [span.attributes.get("http.request.resend_count") for span in attempts] == [None, 1, 2]
    assert all(span.name.startswith("POST /api/deployment/") for span in attempts)
    assert life.parent.span_id == request.get_span_context().span_id
    assert len({span.context.trace_id for span in collector.get_finished_spans()}) == 1
    assert dict(life.attributes) == {
        "picsellia.frame.id": str(frame.id),
        "picsellia.frame.filename": "frame-000007.jpg",
        "picsellia.frame.source": "gate",
        "picsellia.frame.outcome": "delivered",
        "picsellia.frame.attempts": 3,
        "picsellia.frame.duplicate": False,
    }
    assert [event.name for event in life.events] == ["accepted"]
    assert life.end_time >= attempts[-1].end_time


async def test_a_refused_frame_has_failed(traced_deployment, collector, emulator):
    """A frame that the service refuses ends as an error, with the class of the error."""
    emulator.faults.add(Fault(kind="status", endpoint="monitor", status=422))
    async with traced_deployment.uploader() as uploader:
        await (await uploader.submit(make_frame()))
    (life,) = lives(collector)
    assert life.attributes["picsellia.frame.outcome"] == "rejected"
    assert life.attributes["error.type"].startswith("picsellia_async.errors.")
    assert not life.status.is_ok


async def test_a_frame_that_ends_as_it_is_submitted_gets_no_event_afterwards(
    traced_deployment, collector, emulator, caplog
):
    """Once the account is refused for good, `submit` rejects frames itself: nothing is added to a span that has ended."""
    emulator.faults.add(Fault(kind="status", endpoint="monitor", status=401))
    async with traced_deployment.uploader() as uploader:
        await (await uploader.submit(make_frame(1)))
        receipts = [await uploader.submit(make_frame(number)) for number in range(2, 6)]
        assert receipts[-1].outcome is not None
    assert [span.attributes["picsellia.frame.outcome"] for span in lives(collector)] == ["rejected"] * 5
    assert "ended span" not in caplog.text


async def test_frames_of_many_submitters_belong_to_their_traces(traced_deployment, collector, provider):
    """Each of a hundred concurrent submitters finds its own frame in its own trace, whoever sends it."""
    tracer = provider.get_tracer("test")

    async def one(number: int) -> None:
        with tracer.start_as_current_span(f"request {number}"):
            await uploader.submit(make_frame(number))

    async with traced_deployment.uploader(concurrency=4) as uploader:
        await asyncio.gather(*(one(number) for number in range(100)))
    frames = {span.context.trace_id: span for span in lives(collector)}
    requests = {
        span.context.trace_id: span for span in collector.get_finished_spans() if span.name.startswith("request")
    }
    assert len(frames) == 100
    assert all(
        int(frames[trace].attributes["picsellia.frame.filename"][6:12]) == int(span.name.split()[1])
        for trace, span in requests.items()
    )
    assert all(len(below(collector, span)) == 1 for span in frames.values())


async def test_monitor_many_belongs_to_its_caller(traced_deployment, collector, provider):
    """Frames of an iterable, read in a thread, are children of the span around the call."""
    with provider.get_tracer("test").start_as_current_span("job") as job:
        await traced_deployment.monitor_many(make_frame(number) for number in range(5))
    assert {span.parent.span_id for span in lives(collector)} == {job.get_span_context().span_id}
    assert len(lives(collector)) == 5


async def test_a_frame_submitted_twice_has_one_span(traced_deployment, collector):
    """The same frame on its way is one life."""
    async with traced_deployment.uploader() as uploader:
        frame = make_frame()
        await asyncio.gather(uploader.submit(frame), uploader.submit(frame))
    assert len(lives(collector)) == 1


@pytest.mark.parametrize("cancelled", [0, 1])
async def test_a_frame_whose_other_submit_is_cancelled_has_not_failed(
    traced_deployment, collector, tmp_path, cancelled
):
    """Two submits wait for one frame: whichever is cancelled, the span ends as the frame does."""
    async with traced_deployment.uploader(spool=tmp_path) as uploader:
        frame = make_frame()
        tasks = [asyncio.ensure_future(uploader.submit(frame)) for _ in range(2)]
        await asyncio.sleep(0)
        tasks[cancelled].cancel()
        await (await tasks[1 - cancelled])
        assert tasks[cancelled].cancelled()
    (life,) = lives(collector)
    assert life.attributes["picsellia.frame.outcome"] == "delivered"
    assert "error.type" not in life.attributes
    assert [event.name for event in life.events] == ["accepted"]


async def test_a_frame_of_which_all_submits_are_cancelled_has_failed(traced_deployment, collector, tmp_path):
    """The frame is left out, and its one span says why."""
    async with traced_deployment.uploader(spool=tmp_path) as uploader:
        frame = make_frame()
        tasks = [asyncio.ensure_future(uploader.submit(frame)) for _ in range(2)]
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    (life,) = lives(collector)
    assert life.attributes["error.type"] == "asyncio.exceptions.CancelledError"
    assert not life.events or life.events[0].name != "accepted"


async def test_a_frame_that_is_not_taken_says_why(traced_deployment, collector, emulator):
    """Where `submit` raises, the span ends with that error; one that is dropped has the rule."""
    emulator.faults.add(Fault(kind="latency", endpoint="monitor", seconds=60))
    uploader = traced_deployment.uploader(max_pending_frames=1, when_full="raise", close_timeout=0)
    async with uploader:
        await uploader.submit(make_frame(1))
        with pytest.raises(UploaderFullError):
            await uploader.submit(make_frame(2))
    refused, dropped = lives(collector)
    assert refused.attributes["error.type"] == "picsellia_async.errors.UploaderFullError"
    assert dropped.attributes["picsellia.frame.outcome"] == "dropped"
    assert dropped.attributes["error.type"] == "closed"


async def test_frames_of_a_former_run_begin_a_trace(emulator, provider, collector, tmp_path):
    """Who submitted a frame that is found on disk is not known: its span begins with the first attempt, in a trace of its own."""
    emulator.faults.add(Fault(kind="status", endpoint="monitor", status=503))
    async with AsyncClient(emulator.api_token, host=emulator.url, tracing=Tracing(provider)) as client:
        deployment = await client.get_deployment(emulator.deployment_name)
        async with deployment.uploader(spool=tmp_path, close_timeout=0) as uploader:
            await uploader.submit(make_frame())
        assert [span.attributes["picsellia.frame.outcome"] for span in lives(collector)] == ["spooled"]
        emulator.faults.clear()
        collector.clear()
        with provider.get_tracer("test").start_as_current_span("the next run"):
            async with deployment.uploader(spool=tmp_path) as uploader:
                await uploader.flush()
    (life,) = lives(collector)
    assert life.parent is None
    assert life.attributes["picsellia.frame.outcome"] == "delivered"
    assert any(span.name.startswith("POST /api/deployment/") for span in below(collector, life))


async def test_a_backlog_does_not_hold_more_spans_than_the_bound(traced_deployment, collector, emulator, monkeypatch):
    """Frames beyond the bound get their span when they are sent: none is left out, and none counted twice."""
    monkeypatch.setattr(frame_spans, "OPEN_SPANS_MAX", 3)
    async with traced_deployment.uploader(concurrency=1) as uploader:
        for number in range(10):
            await uploader.submit(make_frame(number))
    assert sorted(span.attributes["picsellia.frame.filename"][6:12] for span in lives(collector)) == [
        f"{number:06d}" for number in range(10)
    ]
    assert all(span.attributes["picsellia.frame.outcome"] == "delivered" for span in lives(collector))


async def test_looking_up_belongs_to_the_frame(traced_deployment, collector, emulator):
    """With `deduplicate` the look-up after a lost answer is a call below the frame, behind its first attempt."""
    emulator.faults.add(Fault(kind="reset", endpoint="monitor", direction="down", times=1))
    async with traced_deployment.uploader(deduplicate=True) as uploader:
        await (await uploader.submit(make_frame()))
    (life,) = lives(collector)
    names = [span.name.partition(" ")[0] for span in below(collector, life)]
    assert names == ["POST", "picsellia.list_predicted_assets"]
    assert life.attributes["picsellia.frame.duplicate"] is True
