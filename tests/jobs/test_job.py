"""Jobs that can be run again: each item is stored once, whatever ended the runs before."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import sys
import time
from collections import Counter

import pytest

from picsellia_async import AsyncClient, ConfigurationError, DetectionPredictionFormat, Frame, RetryPolicy
from picsellia_async.emulator import Fault
from picsellia_async.errors import ServerError
from picsellia_async.jobs import Job, JournalError, run
from picsellia_async.jobs._journal import Journal

from ..support.client import stored_names
from ..support.sources import encoded, encoded_frames

pytestmark = pytest.mark.anyio

IMAGES = [encoded(value=number) for number in range(12)]


ALL = Counter(f"{number}.jpg" for number in range(12))


async def test_what_a_lost_journal_knew_is_looked_up(tmp_path, deployment, emulator):
    """With `look_up` a run without journal, and one of another input, store nothing twice, and send what is not there."""
    first = await run(encoded_frames(range(8)), deployment, journal=tmp_path / "lost")
    assert first.delivered == 8
    second = await run(encoded_frames(), deployment, journal=tmp_path / "new", input="moved", look_up=True)
    assert (second.delivered, second.delivered_before, second.found, second.upload.delivered) == (12, 8, 8, 4)
    assert stored_names(emulator) == ALL


async def test_what_was_refused_may_have_come_another_way(tmp_path, deployment, emulator):
    """Frames that were refused and sent since by somebody else, as a file of failures, are not sent again."""
    emulator.faults.add(Fault(kind="status", endpoint="monitor", status=422, times=3))
    first = await run(encoded_frames(), deployment, journal=tmp_path / "j", concurrency=1)
    assert first.rejected == 3
    missing = [number for number in range(12) if f"{number}.jpg" not in stored_names(emulator)]
    await run(encoded_frames(missing), deployment, journal=tmp_path / "failures")
    again = await run(encoded_frames(), deployment, journal=tmp_path / "j")
    assert (again.delivered, again.found, again.upload.accepted, again.is_complete) == (12, 3, 0, True)
    assert stored_names(emulator) == ALL


@pytest.mark.parametrize("damage", ["text", "cut"])
async def test_a_damaged_journal_says_what_to_do(tmp_path, deployment, damage):
    """It is not begun anew by silence: what it knew would be stored twice."""
    await run(encoded_frames(), deployment, journal=tmp_path / "j")
    content = (tmp_path / "j").read_bytes()
    (tmp_path / "j").write_bytes(b"text" * 2000 if damage == "text" else content[:1500])
    with pytest.raises(JournalError, match=r"Move it away; with look_up=True a run asks the platform for each item"):
        await run(encoded_frames(), deployment, journal=tmp_path / "j")


async def test_a_second_run_sends_what_is_new(tmp_path, deployment, emulator):
    """Frames that were delivered are passed over, whatever order they come in; the account tells both."""
    first = await run(encoded_frames(range(8)), deployment, journal=tmp_path / "j")
    assert (first.delivered, first.delivered_before, first.is_complete) == (8, 0, True)
    second = await run(encoded_frames(range(11, -1, -1)), deployment, journal=tmp_path / "j")
    assert (second.delivered, second.delivered_before, second.upload.accepted) == (12, 8, 4)
    assert second.is_complete
    assert stored_names(emulator) == ALL


async def test_frames_of_files_are_known_again(tmp_path, deployment, emulator):
    """By name, size and prediction: not by when the file was written, and without its being read."""
    path = tmp_path / "a.jpg"
    path.write_bytes(IMAGES[0])

    def one(**fields):
        prediction = DetectionPredictionFormat([0], [[1, 2, 30, 40]], [fields.pop("score", 0.5)])
        return [Frame(image=path, width=64, height=48, prediction=prediction, latency=0.01, **fields)]

    for fields, count in (({}, 1), ({"latency": 0.01, "timestamp": 1.7e9, "source": "gate"}, 1), ({"score": 0.6}, 2)):
        fields.pop("latency", None)
        path.touch()
        await run(one(**fields), deployment, journal=tmp_path / "j")
        assert stored_names(emulator)["a.jpg"] == count


async def test_names_that_a_prediction_remembers_do_not_matter(tmp_path, deployment, emulator):
    """With a label map or with its indexes it is the same prediction, and the same item."""
    boxes, label_map = [[1, 2, 30, 40]], await deployment.label_map()
    for classes, known in ((list(label_map)[:1], label_map), ([next(iter(label_map.values()))], None)):
        prediction = DetectionPredictionFormat.from_xyxy(boxes, classes, [0.5], label_map=known)
        frame = Frame(image=IMAGES[0], filename="0.jpg", width=64, height=48, prediction=prediction, latency=0.01)
        await run([frame], deployment, journal=tmp_path / "j")
    assert stored_names(emulator) == {"0.jpg": 1}


async def test_equal_frames_are_as_many_items(tmp_path, deployment, emulator):
    """A scene that does not move: three frames are stored three times, and not again."""
    for before in (0, 3):
        report = await run((one for _ in range(3) for one in encoded_frames([0])), deployment, journal=tmp_path / "j")
        assert (report.delivered, report.delivered_before) == (3, before)
    assert stored_names(emulator)["0.jpg"] == 3


async def test_refused_frames_are_tried_again(tmp_path, emulator, deployment):
    """By the next run, and only those; the report of the first says that it is not complete."""
    fault = emulator.faults.add(Fault(kind="status", endpoint="monitor", status=422, times=3))
    first = await run(encoded_frames(), deployment, journal=tmp_path / "j", concurrency=1)
    assert (first.rejected, first.delivered, first.left, first.is_complete) == (3, 9, 0, False)
    emulator.faults.remove(fault.id)
    second = await run(encoded_frames(), deployment, journal=tmp_path / "j")
    assert (second.upload.accepted, second.is_complete) == (3, True)
    assert stored_names(emulator) == ALL


async def test_what_an_outage_left_is_delivered_by_the_next_run(tmp_path, emulator, deployment):
    """Given up at closing: not delivered, and sent again."""
    fault = emulator.faults.add(Fault(kind="status", endpoint="monitor", status=503))
    job = Job(deployment, journal=tmp_path / "j", close_timeout=0.0)
    async with job:
        async for frame in job.pending(encoded_frames()):
            await job.uploader.submit(frame)
    assert (job.report.left, job.report.is_complete) == (12, False)
    emulator.faults.remove(fault.id)
    assert (await run(encoded_frames(), deployment, journal=tmp_path / "j")).is_complete
    assert stored_names(emulator) == ALL


KILLED = """
import asyncio, os, sys
from picsellia_async import AsyncClient, DetectionPredictionFormat, Frame
from picsellia_async.jobs import Job

async def main(url, token, organization, name, journal, folder):
    async with AsyncClient(token, organization, host=url) as client:
        deployment = await client.get_deployment(name)
        async with Job(deployment, journal=journal, concurrency=4) as job:
            frames = (
                Frame(
                    image=open(f"{folder}/{number}.jpg", "rb").read(), filename=f"{number}.jpg", width=64, height=48,
                    latency=0.01, prediction=DetectionPredictionFormat([0], [[1, 2, 30, 40]], [0.5]),
                )
                for number in range(12)
            )
            count = 0
            async for _ in job.uploader.stream(job.pending(frames)):
                count += 1
                if count == 5:  # some are delivered and not written down yet, some are under way
                    os.kill(os.getpid(), 9)

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
async def test_what_was_under_way_at_a_kill_is_looked_up(tmp_path, emulator, deployment):
    """Sent and without an outcome in the journal: sent again only where the platform has it not."""
    for number, image in enumerate(IMAGES):
        (tmp_path / f"{number}.jpg").write_bytes(image)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", KILLED, emulator.url, emulator.api_token, str(emulator.organization_id),
        emulator.deployment_name, str(tmp_path / "j"), str(tmp_path),
    )  # fmt: skip
    assert await process.wait() == -signal.SIGKILL
    assert stored_names(emulator).total() >= 5
    report = await run(encoded_frames(), deployment, journal=tmp_path / "j")
    assert (report.is_complete, report.delivered) == (True, 12)
    assert report.found >= 1
    assert report.delivered_before + report.upload.delivered == 12
    assert stored_names(emulator) == ALL


async def test_an_item_that_cannot_be_looked_up_is_not_sent(tmp_path, emulator, deployment):
    """The run ends with the error, and the next one looks again."""
    lost = emulator.faults.add(Fault(kind="stored_then_dropped", endpoint="monitor"))
    fault = emulator.faults.add(Fault(kind="status", endpoint="list_predicted_assets", status=403))
    job = Job(deployment, journal=tmp_path / "j", max_attempts=1, close_timeout=0.0)
    async with job:
        await (await job.uploader.submit(await anext(job.pending(encoded_frames([0])))))
    assert (job.report.left, job.report.rejected) == (1, 0)
    emulator.faults.remove(lost.id)
    report = await run(encoded_frames([0]), deployment, journal=tmp_path / "j")
    assert report.upload.error is not None
    assert (report.upload.accepted, report.left) == (0, 1)
    emulator.faults.remove(fault.id)
    report = await run(encoded_frames([0]), deployment, journal=tmp_path / "j")
    assert (report.found, report.upload.accepted, report.is_complete) == (1, 0, True)
    assert stored_names(emulator) == Counter({"0.jpg": 1})


async def leave_one_under_way(journal, emulator, deployment):
    """Send one frame, whose answer is lost."""
    lost = emulator.faults.add(Fault(kind="stored_then_dropped", endpoint="monitor"))
    job = Job(deployment, journal=journal, max_attempts=1, close_timeout=0.0)
    async with job:
        await (await job.uploader.submit(await anext(job.pending(encoded_frames([0])))))
    emulator.faults.remove(lost.id)


async def test_a_look_up_that_fails_for_a_time_is_repeated(tmp_path, emulator, caplog):
    """A platform that is busy after a kill does not end the run, which says so once; the frame is not sent again."""
    async with AsyncClient(
        emulator.api_token, emulator.organization_id, host=emulator.url, retry=RetryPolicy.none()
    ) as client:
        deployment = await client.get_deployment(emulator.deployment_name)
        await leave_one_under_way(tmp_path / "j", emulator, deployment)
        emulator.faults.add(Fault(kind="status", endpoint="list_predicted_assets", status=503, times=2))
        report = await run(encoded_frames([0]), deployment, journal=tmp_path / "j")
        assert (report.found, report.upload.accepted, report.is_complete) == (1, 0, True)
        assert caplog.text.count("is looked up again until it is known") == 1


async def test_look_ups_end_with_the_attempts_that_a_frame_has(tmp_path, emulator):
    """`max_attempts` bounds them too: then the run ends with the error, and sends nothing."""
    async with AsyncClient(
        emulator.api_token, emulator.organization_id, host=emulator.url, retry=RetryPolicy.none()
    ) as client:
        deployment = await client.get_deployment(emulator.deployment_name)
        await leave_one_under_way(tmp_path / "j", emulator, deployment)
        emulator.faults.add(Fault(kind="status", endpoint="list_predicted_assets", status=503))
        report = await run(encoded_frames([0]), deployment, journal=tmp_path / "j", max_attempts=2)
        assert isinstance(report.upload.error, ServerError)
        assert (report.upload.accepted, report.left) == (0, 1)


async def test_a_cancelled_run_goes_on(tmp_path, emulator, deployment):
    """What was read and not submitted was certainly not sent, and is not looked up."""
    journal = tmp_path / "j"
    read = asyncio.Event()

    async def endless():
        for frame in encoded_frames(range(6)):
            yield frame
        read.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(run(endless(), deployment, journal=journal))
    await read.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    report = await run(encoded_frames(), deployment, journal=journal)
    assert (report.is_complete, report.delivered, report.found) == (True, 12, 0)
    assert stored_names(emulator) == ALL


async def test_fresh_forgets(tmp_path, deployment, emulator):
    """Everything is sent again, and known afterwards."""
    for fresh, before in ((False, 0), (True, 0), (False, 12)):
        report = await run(encoded_frames(), deployment, journal=tmp_path / "j", fresh=fresh)
        assert report.delivered_before == before
    assert stored_names(emulator)["0.jpg"] == 2


async def test_what_the_input_raises_is_told(tmp_path, deployment, emulator):
    """The frames before it are delivered, and the next run passes them over."""

    def broken():
        yield from encoded_frames(range(3))
        raise OSError("the card was pulled")

    report = await run(broken(), deployment, journal=tmp_path / "j")
    assert isinstance(report.upload.error, OSError)
    assert (report.delivered, report.is_complete) == (3, False)
    assert (await run(encoded_frames(), deployment, journal=tmp_path / "j")).delivered_before == 3
    assert stored_names(emulator) == ALL


async def test_what_is_no_frame_is_told(tmp_path, deployment):
    """With its kind, after the frames before it."""
    report = await run([*encoded_frames(range(2)), "1.jpg"], deployment, journal=tmp_path / "j")
    assert "a job takes Frames, got str" in str(report.upload.error)
    assert report.delivered == 2


async def test_a_journal_belongs_to_one_input_and_deployment(tmp_path, client, deployment):
    """Another one is refused with both named, before anything is sent; so is a second run at the same time."""
    journal = tmp_path / "j"
    async with Job(deployment, journal=journal, input="day 1"):
        with pytest.raises(JournalError, match="is in use by another run"):
            await run(encoded_frames(), deployment, journal=journal, input="day 1")
    with pytest.raises(ConfigurationError, match="is of input 'day 1', not 'day 2'"):
        await run(encoded_frames(), deployment, journal=journal, input="day 2")


@pytest.mark.parametrize("content", [b"no database at all, but long enough to be one" * 200, b"other"])
async def test_a_file_that_is_no_journal_is_not_written_to(tmp_path, deployment, content):
    """Whatever it is."""
    path = tmp_path / "j"
    path.write_bytes(content)
    with pytest.raises(JournalError, match=r"'.*j'"):
        await run(encoded_frames(), deployment, journal=path)
    assert path.read_bytes() == content
    with sqlite3.connect(tmp_path / "other") as other:
        other.execute("CREATE TABLE mine (x)")
    with pytest.raises(JournalError, match="is no journal of a job"):
        await run(encoded_frames(), deployment, journal=tmp_path / "other")


async def test_options_that_a_job_cannot_have_are_refused(tmp_path, deployment):
    """A spool, and what is no path."""
    with pytest.raises(ConfigurationError, match="no spool"):
        Job(deployment, journal=tmp_path / "j", spool=tmp_path / "s")
    with pytest.raises(ConfigurationError, match="journal must be a str or Path"):
        Job(deployment, journal=3)


async def test_outcomes_are_told_to_the_caller_too(tmp_path, deployment):
    """`on_outcome` of the uploader, with the ids that the platform has."""
    outcomes = []
    await run(encoded_frames(), deployment, journal=tmp_path / "j", on_outcome=outcomes.append)
    assert len({outcome.frame.id for outcome in outcomes}) == 12
    assert await deployment.is_stored(outcomes[0].frame)
    assert not await deployment.is_stored(next(encoded_frames()))
    with pytest.raises(ConfigurationError, match="frame must be a Frame"):
        await deployment.is_stored("0001.jpg")


async def test_the_journal_is_written_by_one_call_at_a_time(tmp_path, deployment, monkeypatch):
    """Also where closing, or a cancellation, comes while a write is under way on a slow disk: none is made twice or beside another."""
    inside, most, written = 0, 0, Counter()
    end = Journal.end

    def slow_end(self, endings):
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        written.update(one.id for one in endings)
        time.sleep(0.3)
        end(self, endings)
        inside -= 1

    monkeypatch.setattr(Journal, "end", slow_end)
    job = Job(deployment, journal=tmp_path / "j")
    async with job:
        async for frame in job.pending(encoded_frames()):
            await (await job.uploader.submit(frame))
            while not inside and not written:  # noqa: ASYNC110 - the first write has begun, and is under way at the end
                await asyncio.sleep(0.01)
    assert (job.report.delivered, job.report.left) == (12, 0)
    assert (most, set(written.values())) == (1, {1})
