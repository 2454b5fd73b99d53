"""What is told where one trouble follows another, or stands beside it."""

from __future__ import annotations

import pytest

from picsellia_async._delivery.delivery_log import DeliveryLog
from picsellia_async._delivery.outcomes import Health
from picsellia_async._delivery.trouble import Counts

from .log_lines import NONE, follow, lost


def test_two_troubles_at_once_are_both_told() -> None:
    """The disk fills up during an outage, and has room before that ends: each has its beginning and its end; one summary has both."""
    log = DeliveryLog(has_spool=True)
    log.changed(0.0, Health.DOWN, "503", NONE)
    assert log.lines(0.0, NONE, [])[0].text.endswith("frames wait in the spool, 0 so far")
    log.disk_changed(10.0, Health.DISK_FULL, "no space", NONE)
    assert log.health is Health.DISK_FULL
    begin, *summaries = follow(log, 65.0, Counts(114, 0, 0, 0, spool_frames=103))
    assert begin.text == (
        "the disk of the spool is full (no space): no more frames are spooled until there is room; 114 wait to be delivered"
    )
    assert (begin.fields["health"], begin.fields["spool_frames"]) == ("disk_full", 103)
    assert [line.text for line in summaries] == [
        f"the monitoring host does not answer, for {seconds} s now (503): frames wait, 114 so far (103 in the spool, "
        f"11 in memory); the disk of the spool is full, and no more are spooled until there is room"
        for seconds in (30, 60)
    ]
    log.disk_changed(65.0, Health.OK, "", NONE)
    (end,) = follow(log, 75.0)
    assert end.text.startswith("the disk of the spool has room again after 55 s: ")
    assert end.fields["health"] == "down"
    log.changed(75.0, Health.OK, "", NONE)
    (end,) = follow(log, 1000.0)
    assert end.text.startswith("the monitoring host answers again after 75 s: ")
    assert (end.fields["health"], log.next_at) == ("ok", float("inf"))


def test_a_disk_that_stays_full_behind_an_outage_is_told_on() -> None:
    """The outage has its end; the disk has summaries of its own from then on, and closing tells of it."""
    log = DeliveryLog(has_spool=True)
    log.disk_changed(0.0, Health.DISK_FULL, "no space", NONE)
    lines = follow(log, 5.0)
    log.changed(5.0, Health.DOWN, "503", NONE)
    lines += follow(log, 20.0)
    log.changed(20.0, Health.OK, "", NONE)
    lines += follow(log, 95.0)
    assert [line.text.partition(":")[0] for line in lines] == [
        "the disk of the spool is full (no space)",
        "the monitoring host does not answer (503)",
        "the monitoring host answers again after 15 s",
        "the disk of the spool is full, for 30 s now (no space)",
        "the disk of the spool is full, for 60 s now (no space)",
        "the disk of the spool is full, for 90 s now (no space)",
    ]
    (line,) = log.closing(95.0, Counts(0, 5, 0, 3, spool_frames=0), [], [lost("a.jpg")], "/spool")
    assert "3 dropped; the disk of the spool is full (no space), first a.jpg" in line.text
    assert line.fields["health"] == "disk_full"


def test_a_day_of_two_troubles_is_under_3000_lines() -> None:
    """A disk that is full now and then, during an outage."""
    log = DeliveryLog(has_spool=True)
    log.changed(0.0, Health.DOWN, "", NONE)
    lines = 0
    for second in range(0, 24 * 3600, 20):
        log.disk_changed(float(second), Health.DISK_FULL if second % 40 else Health.OK, "", NONE)
        lines += len(follow(log, float(second)))
    assert 2000 < lines < 3000


def test_the_end_of_changing_trouble_names_no_kind() -> None:
    """503, then a refused account, then silence: the time in the last line is that of all three."""
    log = DeliveryLog(has_spool=True)
    log.changed(0.0, Health.DOWN, "503", NONE, is_answered=True)
    lines = follow(log, 14.0)
    log.changed(14.0, Health.REFUSED, "401", NONE)
    lines += follow(log, 49.0)
    log.changed(49.0, Health.DOWN, "no answer", NONE, lasted=15.0)
    lines += follow(log, 64.0)
    assert [line.text.partition(":")[0] for line in lines] == [
        "the monitoring host fails (503)",
        "the service refuses this account (401)",
        "the monitoring host does not answer (no answer)",
    ]
    log.changed(64.0, Health.OK, "", NONE)
    assert follow(log, 100.0)[-1].text.startswith("the monitoring host takes frames again after 64 s: ")


def test_a_second_hang_is_told_when_it_is_found_out() -> None:
    """It has lasted for 15 seconds by then: nothing is gained by looking on for ten more."""
    log = DeliveryLog(has_spool=False)
    log.changed(15.0, Health.DOWN, "hangs", NONE, lasted=15.0)
    follow(log, 37.0)
    log.changed(37.0, Health.OK, "", NONE)
    follow(log, 49.0)
    log.changed(64.0, Health.DOWN, "hangs", NONE, lasted=15.0)
    (begin,) = follow(log, 64.0)
    assert begin.text.startswith("the monitoring host does not answer (hangs)")
    log.changed(71.0, Health.OK, "", NONE)
    assert follow(log, 80.0)[-1].text.startswith("the monitoring host answers again after 22 s")


@pytest.mark.parametrize(("before", "is_answered"), [(Health.DOWN, True), (Health.REFUSED, False)])
def test_a_hang_behind_other_trouble_is_told_when_it_is_found_out(before: Health, is_answered: bool) -> None:
    """Errors, or a refused account, were told a moment ago: it waits for no summary."""
    log = DeliveryLog(has_spool=True)
    log.changed(0.0, before, "before", NONE, is_answered=is_answered)
    follow(log, 14.0)
    log.changed(29.0, Health.DOWN, "hangs", NONE, lasted=15.0)
    (begin,) = follow(log, 29.0)
    assert begin.text.startswith("the monitoring host does not answer (hangs)")
    log.changed(36.0, Health.OK, "", NONE)
    assert follow(log, 50.0)[-1].text.startswith("the monitoring host takes frames again after 36 s")


def test_another_kind_of_trouble_is_told_once_it_lasts() -> None:
    """A refused account behind errors, after ten seconds; not where errors come again before that."""
    log = DeliveryLog(has_spool=True)
    log.changed(0.0, Health.DOWN, "503", NONE, is_answered=True)
    follow(log, 5.0)
    log.changed(5.0, Health.REFUSED, "401", NONE)
    assert follow(log, 9.0) == []
    log.changed(9.0, Health.DOWN, "503", NONE, is_answered=True)
    assert follow(log, 10.0) == []
    log.changed(10.0, Health.REFUSED, "401", NONE)
    assert follow(log, 19.5) == []
    assert follow(log, 20.0)[0].text.startswith("the service refuses this account (401)")


def test_errors_behind_a_hang_are_told_once_they_last() -> None:
    """Ten seconds later, also where the service was well for a moment; a hang that comes back before that is none anew."""
    log = DeliveryLog(has_spool=True)
    log.changed(15.0, Health.DOWN, "hangs", NONE, lasted=15.0)
    log.lines(15.0, NONE, [])
    log.changed(20.0, Health.OK, "", NONE)
    log.changed(22.0, Health.DOWN, "503", NONE, is_answered=True)
    log.changed(25.0, Health.DOWN, "gone", NONE)
    assert follow(log, 44.0) == []
    assert "does not answer, for 45 s now, with breaks (gone)" in follow(log, 45.0)[0].text
    log.changed(50.0, Health.DOWN, "503", NONE, is_answered=True)
    assert follow(log, 59.5) == []
    assert follow(log, 60.0)[0].text.startswith("the monitoring host fails (503)")


def test_a_day_of_changing_trouble_is_under_3000_lines() -> None:
    """Each kind lasts long enough to be told."""
    log = DeliveryLog(has_spool=True)
    lines = 0
    for second in range(0, 24 * 3600, 11):
        log.changed(float(second), (Health.DOWN, Health.REFUSED)[second % 2], "", NONE, is_answered=True)
        lines += len(follow(log, second + 10.9))
    assert 2000 < lines < 3000
