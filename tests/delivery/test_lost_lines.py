"""What lines say of frames that were lost: of which trouble, and whether the service may have them."""

from __future__ import annotations

from uuid import UUID

import pytest

from picsellia_async._delivery.delivery_log import DeliveryLog
from picsellia_async._delivery.outcomes import Failure, Health
from picsellia_async._delivery.trouble import Counts
from picsellia_async._log_line import Line

NONE = Counts(0, 0, 0, 0)


def follow(log: DeliveryLog, until: float, counts: Counts) -> list[Line]:
    """Let time pass; return what is told."""
    lines = []
    while log.next_at <= until:
        lines += log.lines(log.next_at, counts, [])
    return lines


def test_lines_say_how_many_lost_frames_may_be_stored() -> None:
    """The one about lost frames, the end of trouble and closing; as text and as values."""
    log = DeliveryLog(has_spool=False)
    log.lost(0.0)
    (first,) = follow(log, 5.0, Counts(0, 0, 6, 2, may_be_stored=5))
    assert first.text == (
        "frames were not delivered: 6 rejected and 2 dropped so far (5 may be stored all the same: an answer was lost or unclear)"
    )
    assert (first.fields["may_be_stored"], first.fields["new_may_be_stored"]) == (5, 5)
    log.changed(10.0, Health.DOWN, "", Counts(0, 0, 6, 2, may_be_stored=5))
    follow(log, 10.0, Counts(0, 0, 6, 2, may_be_stored=5))
    log.changed(30.0, Health.OK, "", Counts(0, 1, 9, 2, may_be_stored=6))
    (end,) = follow(log, 36.0, Counts(0, 3, 9, 2, may_be_stored=6))
    assert (
        "3 frames were delivered since it began, 3 lost meanwhile (1 may be stored all the same: an answer was lost or unclear), 0 wait"
        in end.text
    )
    assert end.fields["trouble_may_be_stored"] == 1
    failure = Failure(UUID(int=1), "a.jpg", None, "rejected", "bad", may_be_stored=True)
    (last,) = log.closing(40.0, Counts(0, 3, 9, 2, may_be_stored=6), [], [failure], "")
    assert last.text == (
        "an uploader closed with 11 frames not delivered: 9 rejected, 2 dropped (6 may be stored all the same: an answer was "
        "lost or unclear), first a.jpg (bad)"
    )


def test_one_frame_is_not_called_frames() -> None:
    """In the lines about opening, closing, and the end of trouble."""
    log = DeliveryLog(has_spool=False)
    one = Counts(1, 0, 0, 0)
    assert "with 1 frame of a former run" in log.opening(one, "/spool").text
    assert "7 s more for 1 frame" in log.closing_waits(0.0, one, 7.0).text
    log.changed(1.0, Health.DOWN, "", one)
    follow(log, 2.0, one)
    log.changed(3.0, Health.OK, "", one)
    (end,) = follow(log, 9.0, Counts(0, 1, 0, 0))
    assert ": 1 frame was delivered since it began" in end.text
    (last,) = log.closing(10.0, Counts(0, 1, 0, 1), [], [], "")
    assert last.text == "an uploader closed with 1 frame not delivered: 1 dropped"
    (last,) = log.closing(10.0, Counts(0, 1, 0, 0), [], [], "")
    assert last.text == "an uploader closed: its one frame was delivered"


@pytest.mark.parametrize(
    ("lost", "said"),
    [(8, "; 8 rejected so far, 5 of them before this began"), (5, "; 5 rejected so far, 5 of them before")],
)
def test_the_first_line_of_trouble_says_what_was_lost_before_it(lost: int, said: str) -> None:
    """Else the account's refusal seemed to have rejected what a 422 did."""
    log = DeliveryLog(has_spool=True)
    log.changed(0.0, Health.REFUSED, "AuthenticationError: 401", Counts(4, 0, 5, 0))
    (line,) = follow(log, 2.0, Counts(4, 0, lost, 0))
    assert said in line.text
    assert line.fields["new_before_trouble"] == 5


def test_what_was_told_before_trouble_is_not_told_again() -> None:
    """Of a first line only what was lost since the line before is from before."""
    log = DeliveryLog(has_spool=True)
    log.lost(0.0)
    follow(log, 5.0, Counts(0, 0, 5, 0))
    log.changed(20.0, Health.DOWN, "", Counts(4, 0, 5, 0))
    (line,) = follow(log, 20.0, Counts(4, 0, 7, 0))
    assert line.text.endswith("; 2 rejected since the last line")
    assert "new_before_trouble" not in line.fields


@pytest.mark.parametrize("health", [Health.DOWN, Health.REFUSED, Health.THROTTLED])
def test_nobody_says_that_frames_are_taken_where_all_are_lost(health: Health) -> None:
    """The host answers again: that is all that is known."""
    log = DeliveryLog(has_spool=True)
    log.changed(0.0, health, "503", NONE, is_answered=health is Health.DOWN)
    follow(log, 10.0, NONE)
    log.changed(13.0, Health.OK, "", NONE)  # by a 422, and more of them follow
    (end,) = follow(log, 18.0, Counts(0, 0, 114, 0))
    assert end.text.startswith(
        "the monitoring host answers again after 13 s: 0 frames were delivered since it began, 0 lost meanwhile"
    )


def test_what_is_lost_behind_trouble_is_none_of_its_losses() -> None:
    """The line at its end comes five seconds later. Neither do the breaks count of trouble that comes back."""
    log = DeliveryLog(has_spool=True)
    log.changed(0.0, Health.DOWN, "503", Counts(4, 0, 5, 0))
    log.lines(0.0, Counts(4, 0, 5, 0), [])
    log.changed(0.2, Health.OK, "", Counts(4, 0, 6, 1, refused=1))
    log.changed(3.0, Health.DOWN, "503", Counts(4, 0, 40, 1, refused=7))
    log.changed(3.4, Health.OK, "", Counts(4, 0, 40, 3, refused=7))
    (end,) = [line for line in follow(log, 20.0, Counts(0, 9, 90, 3, refused=9)) if "began" in line.text]
    assert "9 frames were delivered since it began, 4 lost meanwhile, 1 not taken, 0 wait" in end.text
    assert [end.fields[f"trouble_{name}"] for name in ("delivered", "lost", "refused")] == [9, 4, 1]


def test_a_moment_of_trouble_is_not_told_as_no_time() -> None:
    """In words; the value has its tenths."""
    log = DeliveryLog(has_spool=True)
    log.changed(0.0, Health.DOWN, "503", NONE)
    log.lines(0.0, NONE, [])
    log.changed(0.3, Health.OK, "", NONE)
    (end,) = follow(log, 20.0, NONE)
    assert end.text.startswith("the monitoring host answers again after less than a second: ")
    assert end.fields["trouble_seconds"] == 0.3


def test_a_directory_that_is_gone_is_told_as_that_in_each_line() -> None:
    """In the first line, the summaries, those of the service's trouble, and the last; it was "damaged records, or its disk fails"."""
    gone = "the directory of the spool is gone"
    log = DeliveryLog(has_spool=True)
    log.disk_changed(0.0, Health.DEGRADED, "a record", NONE)
    log.lines(0.0, NONE, [])
    counts = Counts(151, 0, 0, 0, spool_frames=0)
    log.disk_changed(2.0, Health.DEGRADED, "deleted", NONE, is_gone=True)
    (begin,) = follow(log, 12.0, counts)
    assert begin.text == (
        f"{gone} (deleted): no more frames are spooled until an uploader is opened anew; 151 wait (0 in the spool, 151 in memory)"
    )
    assert follow(log, 42.0, counts)[-1].text.startswith(f"{gone}, for 42 s now (deleted): no more frames are spooled")
    log.changed(43.0, Health.DOWN, "503", counts)
    (both,) = log.lines(43.0, counts, [])
    assert both.text.endswith(
        f"151 so far (0 in the spool, 151 in memory); {gone}, and no more are spooled until an uploader is opened anew"
    )
    (last,) = log.closing(50.0, Counts(0, 0, 0, 151), [], [], "/spool")
    assert f"; {gone} (deleted)" in last.text
