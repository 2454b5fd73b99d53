"""A camera behind a network that stood still and then passes on what it held: none of that is handed over as new."""

from __future__ import annotations

import asyncio
import itertools
import random

import pytest

from picsellia_async.sources import camera
from picsellia_async.sources._lateness import Lateness

from ..support.sources import encoded, ended, listed

pytestmark = pytest.mark.anyio

FIRST = 1000.0
"""Of the streams' clocks."""


def sent(rate, seconds):
    """Return when a camera sends."""
    return [number / rate for number in range(round(rate * seconds))]


def held(moments, stall, seconds, pace=0.0):
    """Return when packets come that a network holds back from `stall` on for so long, and then sends with `pace` seconds between them."""
    came, free = [], 0.0
    for moment in moments:
        at = max(moment, stall + seconds if moment >= stall else 0.0, free)
        free = at + pace
        came.append(at)
    return came


def read(moments, came, *, stamps=None, is_parsed=False, takes=0.0005):
    """Return of each packet its true age when a quick reader has it, its age as told, and whether it is late."""
    late, now, found = Lateness(is_parsed), 0.0, []
    stamps = itertools.repeat(None) if stamps is None else stamps
    # What is parsed is handed over when the next one begins.
    handed_over = [*came[1:], came[-1] + came[1] - came[0]] if is_parsed else came
    for moment, at, stamp in zip(moments, handed_over, stamps, strict=False):
        waited = max(0.0, at - now)
        now += waited
        late.read(waited, now, stamp)
        found.append((now - moment, now - late.came_at, now > late.until))
        now += takes
    return found


def allowed(rate):
    """Return seconds of age that are no lateness."""
    return max(2 / rate, 0.08) + 0.01


@pytest.mark.parametrize("is_parsed", [False, True])
@pytest.mark.parametrize("rate", [5, 25])
@pytest.mark.parametrize(
    ("seconds", "pace"), [(0.5, 0.0), (1.5, 0.0), (6.0, 0.0), (7.0, 0.0), (7.0, 0.02), (3.0, 0.03)]
)
def test_what_a_network_held_is_late_by_the_clock(rate, seconds, pace, is_parsed):
    """Each picture older than two frame times is late, as old as it is told to be, and the others are not; also where it comes by and by."""
    moments = sent(rate, 30.0)
    found = read(
        moments, held(moments, 10.0, seconds, pace), stamps=[FIRST + one for one in moments], is_parsed=is_parsed
    )[3:]
    assert all(
        is_late is (age > max(2 / rate, 0.08)) for age, _, is_late in found if abs(age - max(2 / rate, 0.08)) > 0.01
    )
    assert all(told == pytest.approx(age, abs=0.01) for age, told, _ in found)
    assert sum(is_late for *_, is_late in found) >= seconds * rate - 4


def test_several_stalls_in_a_row_leave_no_picture_unmarked():
    """The network stands still again before it sent all that it held."""
    moments = sent(25, 40.0)
    came = held(held(moments, 10.0, 5.0, 0.02), 16.0, 3.0, 0.02)
    found = read(moments, came, stamps=[FIRST + one for one in moments])
    assert all(is_late for age, _, is_late in found if age > allowed(25))


def test_a_delay_that_lasts_is_the_networks():
    """Pictures are late for three seconds, and in time from then on; if it shrinks after all, what it held is late."""
    moments = sent(25, 40.0)
    came = [moment + 2.0 * (10.0 <= moment < 20.0) for moment in moments]
    came = [max(at, 22.0) if moment >= 20.0 else at for moment, at in zip(moments, came, strict=True)]
    found = read(moments, came, stamps=[FIRST + one for one in moments])
    marks = {moment: is_late for moment, (_, _, is_late) in zip(moments, found, strict=True)}
    assert all(marks[one] for one in moments if 10.0 <= one < 11.0)
    assert not any(marks[one] for one in moments if 13.5 <= one < 20.0)
    assert all(marks[one] for one in moments if 20.12 <= one < 21.9)
    assert not any(marks[one] for one in moments if one > 22.1)


@pytest.mark.parametrize("speed", [0.8, 0.992, 0.9999, 1.0001, 1.05])
def test_a_clock_that_runs_wrong_makes_no_picture_late(speed):
    """Some cameras stamp by count what they send more slowly; that is told within a few seconds."""
    moments = sent(25, 60.0)
    found = read(moments, moments, stamps=[FIRST + one / speed for one in moments])
    assert not any(is_late for *_, is_late in found[100:])


def test_a_camera_that_begins_its_clock_anew_is_in_time():
    """Nothing is late because of it."""
    moments = sent(25, 20.0)
    found = read(moments, moments, stamps=[FIRST + one - 900.0 * (one > 10.0) for one in moments])
    assert not any(is_late for *_, is_late in found)


@pytest.mark.parametrize("is_parsed", [False, True])
def test_a_camera_that_pauses_and_says_so_is_in_time(is_parsed):
    """Its clock tells the pause, and the picture behind it is of now."""
    moments = [one for one in sent(25, 30.0) if not 10.0 <= one < 17.0]
    found = read(moments, moments, stamps=[FIRST + one for one in moments], is_parsed=is_parsed)
    behind = next(number for number, one in enumerate(moments) if one >= 17.0)
    assert not any(is_late for *_, is_late in found[behind:])
    assert all(told < 0.05 for _, told, _ in found[behind:])


@pytest.mark.parametrize("pace", [0.0, 0.005])
@pytest.mark.parametrize("rate", [5, 25])
@pytest.mark.parametrize("seconds", [1.5, 6.0, 7.0])
def test_what_a_network_held_is_late_without_a_clock(rate, seconds, pace):
    """As many pictures as the silence has room for, also where each is waited for a little; those that come as usual are in time."""
    moments = sent(rate, 30.0)
    found = read(moments, held(moments, 10.0, seconds, pace))
    assert all(is_late for age, _, is_late in found if age > allowed(rate))
    unneeded = [number for number, (age, _, is_late) in enumerate(found) if is_late and age <= allowed(rate)]
    assert len(unneeded) <= 6
    assert all(age - 0.1 < told < age + 0.5 for age, told, _ in found)


@pytest.mark.parametrize(("rate", "after", "seconds"), [(5, 0.5, 4.0), (5, 1.2, 7.0), (8, 1.0, 3.0), (25, 0.2, 1.5), (1, 4.0, 5.0), (3, 2.2, 4.0), (0.5, 14.0, 17.0)])  # fmt: skip
def test_a_stall_soon_after_the_connection_is_one(rate, after, seconds):
    """Before a camera's rate is known well, a wait of over a second that is four times the longest as yet is no picture of its own time."""
    moments = sent(rate, after + seconds + 60.0)
    found = read(moments, held(moments, after, seconds))
    assert all(is_late for age, _, is_late in found if age > allowed(rate))
    assert sum(is_late for age, _, is_late in found if age <= allowed(rate)) <= 6


@pytest.mark.parametrize("rate", [1, 5, 25])
def test_a_camera_that_begins_with_what_it_held_is_in_time(rate):
    """Some send a few pictures at once to who connects, and then go on: one of them at most is taken for late."""
    moments = [0.0, 0.001, 0.002, *[1.5 + one for one in sent(rate, 30.0)]]
    assert sum(is_late for *_, is_late in read(moments, moments)) <= 3


def test_pictures_that_wait_for_a_network_are_late_without_a_clock():
    """One that sends a few, waits for an answer, and sends more is no camera that goes on: that shows by a row of waits."""
    moments = sent(25, 30.0)
    came = held(moments, 10.0, 7.0)
    came = [
        max(at, 17.0 + 0.04 * (number - 250)) if 250 <= number < 253 else max(at, 17.09 if number >= 253 else 0.0)
        for number, at in enumerate(came)
    ]
    found = read(moments, came)
    assert all(is_late for age, _, is_late in found if age > allowed(25))


@pytest.mark.parametrize(("rate", "late"), [(5, 1), (25, 3)])
def test_a_camera_that_dropped_its_pictures_is_in_time_at_once(rate, late):
    """Behind a stall they come as usual: that is told by a tenth of a second of waits."""
    moments = [one for one in sent(rate, 30.0) if not 10.0 <= one < 17.0]
    found = read(moments, moments)
    assert sum(is_late for *_, is_late in found) <= late


@pytest.mark.parametrize("rates", [(25, 5), (5, 25), (25, 1)])
def test_a_camera_that_changes_its_rate_is_in_time(rates):
    """The first picture after the longest wait so far may be old; the next wait of that length tells that it is none."""
    first, second = rates
    moments = sent(first, 10.0) + [10.0 + one for one in sent(second, 20.0)]
    assert sum(is_late for *_, is_late in read(moments, moments)) <= 1


def test_bursts_and_uneven_intervals_are_in_time():
    """Of a camera that sends in bursts, and of one that sends where something moves."""
    bursts = [number // 4 * 0.16 for number in range(400)]
    assert not any(is_late for *_, is_late in read(bursts, bursts))
    uneven = list(itertools.accumulate([0.05, 0.4, 0.1, 0.3, 0.02, 0.6] * 30))
    assert not any(is_late for *_, is_late in read(uneven, uneven))


def test_what_waited_for_a_busy_machine_is_late_without_a_clock():
    """The thread stood still for three seconds, and slept for none of them."""
    late, now, marks = Lateness(), 0.0, []
    for came in sent(25, 20.0):
        waited = max(0.0, came - now)
        now += waited + (3.0 if came == 10.0 else 0.0)
        late.read(waited, now)
        marks.append((now - came, now > late.until))
        now += 0.0005
    assert all(is_late for age, is_late in marks if age > allowed(25))


def test_what_comes_by_pieces_is_in_time_for_two_of_them():
    """As segments of HLS, which the player finds when it looks at the playlist; what a recorder held back for longer is late."""
    moments = sent(25, 60.0)
    # Each second's pictures come at its end, and a little later, by when the playlist is looked at.
    came = [int(moment) + 1.0 + 0.3 * (int(moment) % 3) for moment in moments]
    came = [max(at, 37.0) if at >= 30.0 else at for at in came]
    late, now, marks = Lateness(piece=1.0), 0.0, []
    for moment, at in zip(moments, came, strict=True):
        waited = max(0.0, at - now)
        now += waited
        late.read(waited, now, FIRST + moment)
        marks.append((now - moment, now > late.until))
    assert not any(is_late for age, is_late in marks if age < 2.0)
    assert all(is_late for age, is_late in marks if age > 3.3)


def groups(size, gap, count):
    """Return when pictures come of which so many are sent at once."""
    return [number // size * gap for number in range(size * count)]


@pytest.mark.parametrize("seconds", [0.7, 4.0])
@pytest.mark.parametrize(("size", "gap"), [(2, 0.08), (2, 0.0667), (3, 0.09), (3, 0.099), (4, 0.16)])
def test_a_camera_that_sends_groups_is_in_time_soon_after_a_silence(size, gap, seconds):
    """It dropped its pictures: a second later none is late any more, and none was told to be older than the silence."""
    before = groups(size, gap, 60)
    behind = before[-1] + seconds
    moments = [*before, *(behind + one for one in groups(size, gap, 200))]
    found = read(moments, moments)
    assert not any(is_late for moment, (_, _, is_late) in zip(moments, found, strict=True) if moment > behind + 1.0)
    assert all(told <= seconds + 0.01 for _, told, _ in found)


def test_what_a_network_held_and_sends_in_groups_is_late():
    """Four pictures at a time, twice as many as are made: that is what it held, until it has caught up."""
    moments = sent(25, 40.0)
    came = [
        max(moment, 17.0 + (number - 250) // 4 * 0.08 if number >= 250 else 0.0)
        for number, moment in enumerate(moments)
    ]
    found = read(moments, came)
    assert all(is_late for age, _, is_late in found if age > allowed(25))


@pytest.mark.parametrize(("step", "oldest"), [(0.042, 0.61), (0.09, 0.61), (0.33, 4.0)])
def test_a_reader_that_pauses_and_is_slow_then_gets_no_late_pictures_for_ever(step, oldest):
    """The thread never waits, since the reader takes so long: what has not shrunk for three seconds is no backlog."""
    late, now, found = Lateness(), 0.0, []
    for interval, waited in [(0.04, 0.03)] * 100 + [(0.6, 0.0)] + [(step, 0.0)] * 300:
        now += interval
        late.read(waited, now)
        found.append((now - 4.6, now - late.came_at, now > late.until))
    assert not any(is_late for since, _, is_late in found if since > 4.0)
    assert any(is_late for since, _, is_late in found if since > 0.0)
    assert all(told <= oldest for _, told, _ in found)


@pytest.mark.parametrize("rates", [(14, 20), (23, 25), (20, 25)])
def test_a_camera_that_stamps_by_count_and_sends_unevenly_is_mostly_in_time(rates):
    """Its clock is off now more and now less; the delay only grows, which no backlog does for long."""
    chance, moments = random.Random(1), [0.0]
    while moments[-1] < 120.0:
        rate = chance.uniform(*rates)
        moments += [moments[-1] + number / rate for number in range(1, round(rate) + 1)]
    found = read(moments, moments, stamps=[FIRST + number / 25 for number in range(len(moments))])
    told = [age for moment, (_, age, _) in zip(moments, found, strict=True) if moment > 10.0]
    late = [is_late for moment, (*_, is_late) in zip(moments, found, strict=True) if moment > 10.0]
    assert sum(late) < len(late) / 10
    assert max(told) < 1.0


def test_a_delay_that_lasts_is_the_networks_also_where_it_varies():
    """It never comes back for five seconds: from then on it is no lateness."""
    chance, moments = random.Random(2), sent(25, 60.0)
    came = [one + (0.5 + chance.uniform(0.0, 0.1) + 0.08 * (int(one) % 2) if one >= 20.0 else 0.0) for one in moments]
    found = read(moments, sorted(came), stamps=[FIRST + one for one in moments])
    marks = [is_late for moment, (*_, is_late) in zip(moments, found, strict=True) if moment > 30.0]
    assert sum(marks) < len(marks) / 2


@pytest.mark.parametrize("policy", ["wait", "drop_newest"])
async def test_what_was_held_says_so_where_nothing_is_dropped(policy):
    """With each policy a late picture is marked, counted, and has the time when it was due; only `drop_oldest` drops it."""
    before, behind, silence = encoded(value=10), encoded(value=200), 2.0

    def part(picture):
        return b"--b\r\nContent-Type: image/jpeg\r\n\r\n" + picture + b"\r\n"

    async def send(_, writer):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=b\r\n\r\n")
        for _ in range(20):
            writer.write(part(before))
            await writer.drain()
            await asyncio.sleep(0.02)
        await asyncio.sleep(silence)
        writer.write(100 * part(behind))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(send, "127.0.0.1", 0)
    source = camera(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", policy=policy, reconnect=None)
    images = await listed(source)
    server.close()
    await ended("camera")
    found = source.statistics()
    last = [image for image in images if image.image == before][-1]
    first = next(image for image in images if image.image == behind)
    assert first.is_late
    assert first.timestamp - last.timestamp < silence / 2
    assert found.late == sum(image.is_late for image in images)
    assert found.dropped_by_reason["late"] == 0
    assert found.received == len(images) + found.dropped == 120


@pytest.mark.parametrize("seconds", [2.0, 3.0, 5.0])
@pytest.mark.parametrize("burst", [0.1, 0.3, 0.8])
@pytest.mark.parametrize("rate", [5, 25])
def test_a_second_stall_right_after_what_the_first_one_held_is_one(rate, burst, seconds):
    """A network that sends by bursts and with jitter, and then stands still twice, as long: that is no camera that has become slow."""
    chance, moments, came = random.Random(1), sent(rate, 40.0), [0.0]
    for moment in moments:
        if 5.0 <= moment < 11.0:
            due = (moment // burst + 1) * burst
        elif 15.0 <= moment < 21.0:
            due = moment + chance.expovariate(50)
        elif 21.0 <= moment < 21.2 + 2 * seconds:
            due = (moment // seconds + 1) * seconds
        else:
            due = moment
        came.append(max(due, came[-1]))
    found = read(moments, came[1:])
    assert all(is_late for age, _, is_late in found if age > max(allowed(rate), burst + 0.1, 0.35))
