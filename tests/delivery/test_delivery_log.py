"""Which lines an uploader writes to the log, and when."""

from __future__ import annotations

import logging

import pytest

from picsellia_async._delivery.delivery_log import DeliveryLog
from picsellia_async._delivery.outcomes import Health
from picsellia_async._delivery.trouble import Counts

from .log_lines import NONE, follow, lost


def test_an_outage_has_a_beginning_summaries_and_an_end() -> None:
    """At once, every 30 seconds, and when the host has answered for 5 seconds; with the numbers as text and as values."""
    log = DeliveryLog(has_spool=True)
    log.changed(100.0, Health.DOWN, "TransportError: refused", Counts(3, 10, 0, 0))
    (begin,) = log.lines(100.0, Counts(3, 10, 0, 0), [])
    assert begin.level == logging.WARNING
    assert begin.text == (
        "the monitoring host does not answer (TransportError: refused): frames wait in the spool, 3 so far"
    )
    assert (begin.fields["health"], begin.fields["pending"], begin.fields["delivered"]) == ("down", 3, 10)
    summaries = follow(log, 165.0, Counts(377, 10, 0, 0))
    assert [line.text.partition(" for ")[2][:8] for line in summaries] == ["30 s now", "60 s now"]
    assert summaries[0].fields["trouble_seconds"] == 30.0
    log.changed(165.0, Health.OK, "", Counts(377, 10, 0, 0))
    (end,) = follow(log, 1000.0, Counts(7, 380, 0, 0))
    assert (
        end.text
        == "the monitoring host answers again after 65 s: 370 frames were delivered since it began, 0 lost meanwhile, 7 wait"
    )


def test_frames_that_are_not_taken_are_told() -> None:
    """What `submit` refused is in the lines about lost frames, in the one at the end of trouble, and in the last one."""
    log = DeliveryLog(has_spool=True)
    log.changed(0.0, Health.DISK_FULL, "OSError: full", NONE)
    log.lines(0.0, NONE, [])
    log.lost(1.0)
    (early,) = follow(log, 3.0, Counts(0, 0, 0, 0, refused=5))
    assert early.text.endswith("0 wait to be delivered; 5 not taken (`submit` raised) so far")
    log.changed(20.0, Health.OK, "", Counts(0, 0, 0, 0, refused=221))
    (end,) = follow(log, 26.0, Counts(2, 25, 0, 0, refused=221))
    assert "25 frames were delivered since it began, 0 lost meanwhile, 221 not taken, 2 wait" in end.text
    assert end.text.endswith("; 216 not taken (`submit` raised) since the last line")
    (last,) = log.closing(30.0, Counts(0, 27, 0, 0, refused=221), [], [], "/spool")
    assert last.level == logging.WARNING
    assert last.text == "an uploader closed with 221 frames not delivered: 221 not taken (`submit` raised)"
    assert last.fields["refused"] == 221


def test_lines_of_closing_say_for_how_long_there_was_trouble() -> None:
    """As values too, like every other line."""
    log = DeliveryLog(has_spool=True)
    log.changed(10.0, Health.DOWN, "TransportError: refused", NONE)
    log.lines(10.0, NONE, [])
    assert log.closing_waits(27.0, Counts(40, 0, 0, 0), 9.0).fields["trouble_seconds"] == 17.0
    (last,) = log.closing(36.0, Counts(0, 0, 0, 0, spooled=40), [], [], "/spool")
    assert (last.fields["trouble_seconds"], last.fields["health"]) == (26.0, "down")


def test_a_disk_without_an_error_does_not_show_that_of_the_host() -> None:
    """What is in brackets belongs to the trouble before them."""
    log = DeliveryLog(has_spool=True)
    log.changed(0.0, Health.DOWN, "503", NONE)
    log.disk_changed(10.0, Health.DISK_FULL, "", NONE)
    assert any(line.text.startswith("the disk of the spool is full: no more") for line in follow(log, 75.0))


def test_a_day_of_outage_is_under_3000_lines() -> None:
    """However many frames are lost meanwhile."""
    log = DeliveryLog(has_spool=False)
    log.changed(0.0, Health.DOWN, "", NONE)
    lines = []
    for second in range(0, 24 * 3600, 6):
        log.lost(float(second))
        lines += log.lines(float(second), Counts(0, 0, 0, second), [lost("a.jpg")])
    assert 2000 < len(lines) < 3000
    assert "30 dropped since the last line, first a.jpg" in lines[5].text


@pytest.mark.parametrize(("bad", "well"), [(1.0, 1.0), (5.0, 5.0), (10.0, 20.0), (40.0, 40.0)])
def test_a_host_that_comes_and_goes_is_told_seldom(bad: float, well: float) -> None:
    """Under three lines a minute over an hour."""
    log = DeliveryLog(has_spool=False)
    lines, now = [], 0.0
    while now < 3600.0:
        log.changed(now, Health.DOWN, "", NONE)
        lines += follow(log, now + bad)
        log.changed(now + bad, Health.OK, "", NONE)
        lines += follow(log, now + bad + well)
        now += bad + well
    assert 10 < len(lines) < 180


def test_short_pauses_are_not_told() -> None:
    """A rate limit asks for one every second."""
    log = DeliveryLog(has_spool=False)
    for second in range(100):
        log.changed(float(second), Health.THROTTLED, "", NONE)
        assert follow(log, second + 0.5) == []
        log.changed(second + 0.5, Health.OK, "", NONE)
        assert follow(log, second + 1.0) == []
    log.changed(100.0, Health.THROTTLED, "", NONE)
    assert len(follow(log, 106.0)) == 1


def test_lost_frames_are_told_at_once_soon_after_and_then_every_30_seconds() -> None:
    """With the first names and reasons since the line before."""
    log = DeliveryLog(has_spool=False)
    log.lost(10.0)
    first = [lost("a.jpg"), lost("b.jpg")]
    (line,) = follow(log, 11.0, Counts(0, 5, 2, 1), first)
    assert line.text == (
        "frames were not delivered: 2 rejected and 1 dropped so far, first a.jpg, b.jpg (BadRequestError: bad)"
    )
    assert first == []
    told = []
    for second in range(12, 132):
        log.lost(float(second))
        lines = follow(log, float(second), Counts(0, 5, second, 1), [lost("c.jpg")])
        told += [second] * len(lines)
    assert told == [21, 51, 81, 111]


def test_a_second_outage_is_told_within_ten_seconds_of_the_first() -> None:
    """And its lost frames a second after the first: the last word must not be that all is well."""
    log = DeliveryLog(has_spool=False)
    log.changed(0.0, Health.DOWN, "503", NONE)
    follow(log, 3.0)
    log.changed(3.0, Health.OK, "", NONE)
    assert follow(log, 13.0)[-1].text.startswith("the monitoring host answers again")
    log.changed(13.0, Health.DOWN, "503", NONE)
    assert follow(log, 22.0) == []
    (begin,) = follow(log, 23.0)
    assert begin.text.startswith("the monitoring host does not answer (503)")
    log.lost(25.0)
    (line,) = follow(log, 30.0, Counts(9, 0, 0, 4), [lost("a.jpg")])
    assert "4 dropped so far, first a.jpg" in line.text


def test_an_outage_with_short_breaks_is_told_as_one_that_lasts() -> None:
    """Also soon after the last one; where frames are lost before that, they are told at once."""
    log = DeliveryLog(has_spool=False)
    log.changed(0.0, Health.DOWN, "", NONE)
    log.lines(0.0, NONE, [])
    log.changed(2.0, Health.OK, "", NONE)
    follow(log, 8.0)
    told = []
    for second in range(8, 24, 2):
        log.changed(float(second), Health.DOWN, "503", NONE)
        if second == 12:
            log.lost(12.0)
        told += follow(log, second + 1.0, Counts(0, 0, 0, 1))
        log.changed(second + 1.0, Health.OK, "", NONE)
        told += follow(log, second + 1.5)
    assert [line.text.partition(":")[0] for line in told] == [
        "frames were not delivered",
        "the monitoring host does not answer (503)",
    ]


@pytest.mark.parametrize("loses", [False, True])
@pytest.mark.parametrize(("bad", "well"), [(1.0, 6.0), (11.0, 6.0), (31.0, 91.0), (11.0, 61.0)])
def test_a_day_of_flapping_is_under_3000_lines(bad: float, well: float, loses: bool) -> None:
    """Whatever its rhythm, and whether frames are lost all the time; no line waits longer than half a minute."""
    log = DeliveryLog(has_spool=False)
    lines, now, dropped = 0, 0.0, 0
    while now < 24 * 3600.0:
        for health, seconds in ((Health.DOWN, bad), (Health.OK, well)):
            log.changed(now, health, "", NONE)
            end = now + seconds
            while now < end:
                if loses:
                    dropped += 1
                    log.lost(now)
                now = min(now + 5.0, end)
                lines += len(follow(log, now, Counts(0, 0, 0, dropped), [lost("a.jpg")]))
    assert 1000 < lines < 3000


def test_the_first_loss_of_an_outage_is_not_left_to_its_summary() -> None:
    """It brings the summary forward; the next is 30 seconds later."""
    log = DeliveryLog(has_spool=False)
    log.changed(0.0, Health.DOWN, "503", NONE)
    log.lines(0.0, NONE, [])
    log.lost(5.0)
    (line,) = follow(log, 10.0, Counts(20, 0, 0, 3), [lost("a.jpg")])
    assert line.text == (
        "the monitoring host does not answer, for 6 s now (503): frames wait in memory, 20 so far; "
        "3 dropped so far, first a.jpg (BadRequestError: bad)"
    )
    assert follow(log, 35.0) == []
    assert len(follow(log, 36.0)) == 1


def test_closing_tells_a_refusal_that_was_not_told_yet_and_nothing_says_it_again() -> None:
    """With what becomes of the frames; the last line has each reason once."""
    log = DeliveryLog(has_spool=False)
    waiting = Counts(30, 0, 0, 0)
    log.changed(0.0, Health.REFUSED, "403", waiting)
    line = log.closing_waits(1.0, waiting, 29.0)
    assert (line.level, line.text) == (
        logging.ERROR,
        "closing: up to 29 s more for 30 frames; the service refuses this account (403): rejected before, if that lasts",
    )
    log.changed(2.0, Health.REFUSED, "403", waiting, is_sure=True, is_final=True)
    assert log.lines(2.0, waiting, []) == []
    assert log.closing_waits(2.0, waiting, 28.0).level == logging.WARNING
    failure = lost("a.jpg", "403")
    (last,) = log.closing(3.0, Counts(0, 0, 30, 0), [failure], [failure], "")
    assert last.text == (
        "an uploader closed with 30 frames not delivered: 30 rejected; the service refuses this account (403), first a.jpg"
    )


def test_a_refused_account_is_an_error_and_is_told_once_it_lasts() -> None:
    """Or at once, when it is final; other troubles are warnings."""
    log = DeliveryLog(has_spool=False)
    log.changed(0.0, Health.REFUSED, "", NONE)
    assert log.lines(0.0, NONE, []) == []
    log.changed(0.5, Health.REFUSED, "403", NONE, is_sure=True)
    (line,) = log.lines(0.5, NONE, [])
    assert line.level == logging.ERROR
    assert line.text == "the service refuses this account (403): frames are rejected: no spool keeps them"
    assert log.lines(31.0, Counts(5, 0, 0, 0), [])[0].text.endswith("frames are rejected, the 5 that wait too: no spool keeps them")  # fmt: skip
    log = DeliveryLog(has_spool=True)
    log.changed(0.5, Health.REFUSED, "401", NONE, is_sure=True)
    assert log.lines(0.5, Counts(1, 0, 0, 0), [])[0].text.endswith("(401): frames wait in the spool, 1 so far")


def test_frames_of_a_lost_spool_are_told_as_in_memory() -> None:
    """Its directory was deleted during an outage."""
    log = DeliveryLog(has_spool=True)
    log.changed(0.0, Health.DOWN, "503", NONE)
    log.lines(0.0, NONE, [])
    log.disk_changed(4.0, Health.DEGRADED, "deleted", NONE)
    begin, summary = follow(log, 30.0, Counts(151, 0, 0, 0, spool_frames=0))
    assert begin.text.endswith(
        "(deleted): what can be read is delivered; 151 frames wait (0 in the spool, 151 in memory)"
    )
    assert "frames wait, 151 so far (0 in the spool, 151 in memory); the spool has damaged" in summary.text


def test_frames_that_a_full_disk_kept_in_memory_are_told_when_it_has_room_again() -> None:
    """They are not written then: "100 wait" said nothing of that a kill would take them."""
    log = DeliveryLog(has_spool=True)
    log.disk_changed(0.0, Health.DISK_FULL, "ENOSPC", NONE)
    follow(log, 1.0, Counts(100, 0, 0, 0, spool_frames=0))
    log.disk_changed(4.0, Health.OK, "", NONE)
    (end,) = follow(log, 10.0, Counts(100, 0, 0, 0, spool_frames=0))
    assert end.text.endswith("0 lost meanwhile, 100 wait (0 in the spool, 100 in memory)")


def test_frames_that_only_a_file_of_a_lost_spool_has_are_not_told_as_in_memory() -> None:
    """They can be read until the uploader is closed, and are in no memory."""
    log = DeliveryLog(has_spool=True)
    log.disk_changed(0.0, Health.DEGRADED, "deleted", NONE, is_gone=True)
    (begin,) = follow(log, 1.0, Counts(80, 0, 0, 0, spool_frames=0, in_lost_files=63))
    assert begin.text.endswith("80 wait (0 in the spool, 17 in memory, 63 in files that nobody finds again)")
    assert (begin.level, begin.fields["in_memory"], begin.fields["in_lost_files"]) == (logging.ERROR, 17, 63)


def test_closing_tells_what_was_not_delivered() -> None:
    """By kind, with the spool's place and what is wrong; where all is delivered, that, for who asks for INFO."""
    log = DeliveryLog(has_spool=True)
    (line,) = log.closing(0.0, Counts(0, 50, 0, 0), [], [], "")
    assert (line.level, line.text) == (logging.INFO, "an uploader closed: all 50 frames were delivered")
    log.changed(0.0, Health.DOWN, "refused", NONE)
    assert log.closing_waits(0.0, Counts(45, 5, 2, 3), 9.0).fields["health"] == "down"
    (line,) = log.closing(1.0, Counts(0, 5, 2, 3, 40), [lost("z.jpg")], [lost("a.jpg")], "/spool")
    assert line.text == (
        "an uploader closed with 45 frames not delivered: 2 rejected, 3 dropped, 40 left in the spool /spool for the next run; "
        "the monitoring host does not answer (refused), first a.jpg (BadRequestError: bad)"
    )


def test_closing_tells_that_an_outage_had_ended() -> None:
    """Also within the seconds for which nobody believes it yet."""
    log = DeliveryLog(has_spool=False)
    log.changed(0.0, Health.DOWN, "", NONE)
    log.lines(0.0, NONE, [])
    log.changed(9.0, Health.OK, "", NONE)
    assert [line.text[:36] for line in log.closing(9.5, NONE, [], [], "")] == [
        "the monitoring host answers again af",
        "an uploader closed: it had no frames",
    ]
