"""A camera that sends faster than its pictures can be made stays live: no picture is handed over late while others are in time."""

from __future__ import annotations

import asyncio
import time

import pytest

from picsellia_async.sources import _lateness as lateness_module
from picsellia_async.sources import camera
from picsellia_async.sources._jpeg import JpegWriter
from picsellia_async.sources._lateness import BURST_SECONDS, IN_A_ROW, Lateness
from picsellia_async.sources._thread_queue import LATE_SECONDS, ThreadQueue

from ..support.sources import listed, served, write_h264

pytestmark = pytest.mark.anyio

FRAMES = 60


def left_out(waits, makes=0.001):
    """Return for each packet, by the seconds that it was waited for, whether its picture was left out."""
    late, now, found = Lateness(), 0.0, []
    for waited in waits:
        now += waited
        late.read(waited, now)
        found.append(late.leaves_out(now))
        if not found[-1]:
            late.made(now, now + makes)
            now += makes
    return found


def test_a_camera_that_is_waited_for_loses_nothing():
    """Nor does one whose packets come in small bursts, where their pictures are soon made."""
    assert not any(left_out([0.03] * 50 + [0.1, *[0.0] * IN_A_ROW] * 20))


def test_a_picture_that_takes_as_long_as_the_next_needs_to_come_makes_that_late():
    """So of large pictures fewer come, and each is one that was waited for."""
    found = left_out([0.03, 0.0, 0.0, 0.01] * 20, makes=2 * BURST_SECONDS)
    assert found == [False, True, True, False] * 20


def test_of_what_waits_some_pictures_come_all_the_same():
    """However long the backlog is: one a second."""
    found = left_out([0.001] * 10_000)
    assert not any(found[:IN_A_ROW])
    assert found[IN_A_ROW:].count(False) == 9


def test_a_backlog_ends_with_a_wait():
    """The next picture is made."""
    assert left_out([*[0.0] * 6, 0.02, 0.0])[-3:] == [True, False, False]


RATE = 25


def in_time(seconds_a_picture, *, decoding=0.015, frames=200, keys=50, is_parsed=True):
    """Return when pictures of a camera came and were made, of those that were, and how many packets were passed over.

    The clock is the test's: what comes while the thread works waits for it.
    """
    late, now, made, passed = Lateness(is_parsed), 0.0, [], 0
    for number in range(frames):
        came = number / RATE
        waited = max(0.0, came - now)
        now += waited
        late.read(waited, now, 1000.0 + number / RATE)
        begun = came - is_parsed / RATE  # a parser hands it over when the next one begins
        assert late.came_at == pytest.approx(begun) or number == 0
        if late.passes_over(now, is_key=number % keys == 0):
            passed += 1
            continue
        now += decoding
        late.decoded(decoding)
        if late.leaves_out(now):
            continue
        begun, now = now, now + seconds_a_picture
        late.made(begun, now)
        made.append((came, now, late.until))
    return made, passed


@pytest.mark.parametrize(("seconds", "least"), [(0.005, 200), (0.02, 190), (0.024, 160)])
def test_pictures_that_can_be_made_in_time_are(seconds, least):
    """Of those that take nearly all of the time, most: a few in a row that were there already may be a backlog."""
    made, passed = in_time(seconds)
    assert len(made) >= least
    assert all(now <= until for _, now, until in made)
    assert not passed


def test_a_picture_that_takes_a_little_too_long_leaves_the_others_in_time():
    """22 and 17 ms are nearly the 40 of a frame: some are left out, and no other is old."""
    made, _ = in_time(0.022, decoding=0.017)
    ages = [now - came for came, now, _ in made]
    assert len(made) > 100
    assert max(ages) <= 1 / RATE


def test_pictures_are_left_out_where_none_can_be_made_in_time():
    """Until it is known what they take, one is made."""
    made, _ = in_time(0.1)
    assert len(made) <= 4


def test_where_decoding_is_too_slow_packets_are_passed_over_up_to_a_key_frame():
    """Else each picture would be older than the one before, without an end."""
    made, passed = in_time(0.001, decoding=0.06, frames=1000, is_parsed=False)
    assert passed > 300
    assert made[-1][0] > 30


def test_decoding_that_was_held_up_catches_up():
    """No packet is passed over where decoding is quick enough, however far behind the thread is."""
    late, now = Lateness(), 0.0
    for number in range(200):
        came = number / RATE
        waited = max(0.0, came - now)
        now += waited + (2.0 if number == 100 else 0.0)
        late.read(waited, now, came)
        assert not late.passes_over(now, is_key=number % 50 == 0)
        now += 0.01
        late.decoded(0.01)
    assert waited > 0


def test_what_other_threads_of_python_hold_up_is_late():
    """A wait for them counts as sleep; pictures that are older by more than it are late, and in time once the thread caught up."""
    late, now = Lateness(), 0.0
    for number in range(40):
        came = number / RATE
        now = max(now, came) + 0.01
        late.read(0.01, now, came)
        assert late.came_at >= came
        if number > 20:
            assert late.leaves_out(now)
        now += 0.06
    for number in range(40, 100):
        waited = max(0.0, number / RATE - now)
        now += waited
        late.read(waited, now, number / RATE)
        now += 0.005
    assert waited > 0
    assert late.came_at == pytest.approx(99 / RATE, abs=0.02)
    assert not late.leaves_out(now)


async def test_the_reader_gets_nothing_late_while_others_are_in_time():
    """What waited for too long is dropped, and the next one is waited for."""
    queue = ThreadQueue[str](2, "drop_oldest", lambda item: f"{item}, late")
    queue.put("old", until=-1.0)
    queue.put("new")
    assert await queue.take() == "new"
    assert queue.counts().dropped["late"] == 1


async def test_the_reader_gets_a_late_picture_where_all_are():
    """After a second without any other, marked and counted."""
    queue = ThreadQueue[str](1, "drop_oldest", lambda item: f"{item}, late")
    taken = asyncio.ensure_future(queue.take())
    begun = asyncio.get_running_loop().time()
    while not taken.done():
        queue.put("old", until=-1.0)
        await asyncio.sleep(0.05)
    assert taken.result() == "old, late"
    assert asyncio.get_running_loop().time() >= begun + LATE_SECONDS * 0.9
    counts = queue.counts()
    assert counts.late == counts.taken == 1
    assert counts.received == counts.taken + counts.waiting + sum(counts.dropped.values())


async def test_the_last_picture_of_a_stream_comes_also_late():
    """There is no other one to wait for."""
    queue = ThreadQueue[str](1, "drop_oldest", lambda item: f"{item}, late")
    queue.put("old", until=-1.0)
    queue.end()
    assert await queue.take() == "old, late"
    assert await queue.take() is None


@pytest.mark.parametrize("policy", ["drop_oldest", "drop_newest", "wait"])
async def test_what_is_late_is_in_its_own_count(tmp_path, monkeypatch, policy):
    """All pictures are there at once: with `drop_oldest` late ones are left out; who asked for the others or for all has them made."""
    monkeypatch.setattr(
        lateness_module, "READY_SECONDS", 60.0
    )  # a busy machine reads what is there as slowly as what is not
    async with served(write_h264(tmp_path / "a.ts", FRAMES).read_bytes()) as url:
        source = camera(url, policy=policy, buffer=FRAMES, reconnect=None)
        images = await listed(source)
    found = source.statistics()
    assert found.received == FRAMES == found.taken + found.dropped
    assert found.dropped_by_reason["late"] == FRAMES - len(images)
    assert (found.dropped_by_reason["late"] > 0) is (policy == "drop_oldest")
    assert images[0].filename.endswith("-000000.jpg")


async def test_what_is_handed_over_late_says_so(tmp_path, monkeypatch):
    """Pictures that take longer than there is time come one a second, marked, counted, and in the statistics."""
    data = write_h264(tmp_path / "a.ts", FRAMES).read_bytes()
    size = len(data) // FRAMES
    pieces = [data[start : start + size] for start in range(0, len(data), size)]
    write = JpegWriter.write

    def slow(*arguments):
        time.sleep(0.3)
        return write(*arguments)

    monkeypatch.setattr(JpegWriter, "write", slow)
    async with served(*pieces, pause=0.04) as url:
        source = camera(url, reconnect=None)
        images = await listed(source)
    found = source.statistics()
    late = [image.is_late for image in images]
    assert found.late == sum(late) > 0
    assert all(late[1:])  # the first comes before two others told the distance of frames
    assert len(images) < FRAMES // 4
    assert found.received == FRAMES == found.taken + found.dropped
