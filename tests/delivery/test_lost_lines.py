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
    log.changed(30.0, Health.OK, "", NONE)
    (end,) = follow(log, 36.0, Counts(0, 3, 9, 2, may_be_stored=6))
    assert (
        "3 frames were delivered since it began, 3 lost (1 may be stored all the same: an answer was lost or unclear), 0 wait"
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
    log.changed(13.0, Health.OK, "", NONE)
    (end,) = follow(log, 18.0, Counts(0, 0, 114, 0))
    assert end.text.startswith(
        "the monitoring host answers again after 13 s: 0 frames were delivered since it began, 114 lost"
    )
