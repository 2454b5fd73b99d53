"""Where a frame stands, and what each end of an attempt makes of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picsellia_async._delivery.circuit_breaker import Signal
from picsellia_async._delivery.frame_state import (
    Answered,
    Failed,
    Found,
    InFlight,
    Interrupted,
    Queued,
    Rules,
    Verdict,
    Waiting,
    judge,
    may_have_stored,
    retry_after,
    signal_of,
)
from picsellia_async._delivery.outcomes import Delivered, Dropped, DropReason, Rejected, Spooled
from picsellia_async.config import RetryPolicy
from picsellia_async.errors import (
    ClosedError,
    ConfigurationError,
    ConnectionConfigurationError,
    DecodeError,
    HostNotConfiguredError,
    MonitorError,
    StatusError,
    TransportError,
    status_error_class,
)

from ..support.frames import make_frame

FRAME = make_frame()
POLICY = RetryPolicy()
RULES = Rules()


def status(code: int, after: float | None = None) -> StatusError:
    return status_error_class(code, MonitorError)("said", code, "POST", "http://x", retry_after=after)


def lost(sent: bool = True) -> TransportError:
    return TransportError("lost", "POST", "http://x", 1, sent)


def end(
    state: InFlight, result: object, rules: Rules = RULES, now: float = 0.0, *, others_delivered: bool = False
) -> object:
    return state.next(
        FRAME,
        result,  # type: ignore[arg-type]
        rules,
        now=now,
        accepted_at=0.0,
        random=lambda: 0.0,
        others_delivered=others_delivered,
    )


def said(error: BaseException, *, account_is_refused: bool = False) -> Signal:
    """Return what a failure says about the service."""
    verdict = judge(error, POLICY, may_be_stored=False)
    return signal_of(error, verdict, account_is_refused=account_is_refused)


def test_the_straight_way() -> None:
    """Queued, in flight, delivered; the outcome tells answer, attempts and time."""
    state = Queued().next()
    assert state == InFlight(1)
    assert end(state, Answered({"id": 7}), now=1.5) == Delivered(FRAME, {"id": 7}, 1, seconds=1.5)


@pytest.mark.parametrize("code", [408, 425, 429, 500, 502, 503, 504, 520, 524])
def test_transient_answers_are_repeated(code: int) -> None:
    """An answer that says "for now" makes the frame wait, and tells whether the frame may be stored."""
    waiting = end(InFlight(1), Failed(status(code)))
    assert isinstance(waiting, Waiting)
    assert waiting.until == POLICY.backoff_initial
    assert waiting.may_be_stored is (code >= 500 and code != 503)
    assert waiting.due().next() == InFlight(2, waiting.may_be_stored, waiting.error)


@pytest.mark.parametrize("code", [400, 409, 413, 418, 422, 423])
def test_refusals_of_the_frame_are_final(code: int) -> None:
    """What the service says about this frame is not asked again."""
    outcome = end(InFlight(1), Failed(status(code)))
    assert isinstance(outcome, Rejected)
    assert outcome.error.status == code  # type: ignore[attr-defined]


def test_409_to_a_repeat_is_a_delivery() -> None:
    """A conflict counts as delivered where there was an earlier attempt, in this run or before it."""
    assert isinstance(end(InFlight(2, may_be_stored=True), Failed(status(409))), Delivered)
    assert isinstance(end(InFlight(2, may_be_stored=False), Failed(status(409))), Delivered)
    assert isinstance(end(InFlight(1, may_be_stored=False), Failed(status(409))), Rejected)


@pytest.mark.parametrize("code", [401, 402, 403, 404])
def test_a_refusal_is_the_frames_own_where_others_are_delivered(code: int) -> None:
    """Until others were delivered meanwhile such a frame waits: with a spool for as long as it takes, without for three attempts."""
    refusal = Failed(status(code))
    assert isinstance(end(InFlight(1), refusal), Waiting)
    assert isinstance(end(InFlight(3), refusal), Rejected)
    assert isinstance(end(InFlight(30), refusal, Rules(has_spool=True)), Waiting)
    for rules in (Rules(), Rules(has_spool=True)):
        assert isinstance(end(InFlight(2), refusal, rules, others_delivered=True), Rejected)
    assert said(status(code), account_is_refused=True) is Signal.REFUSES
    assert said(status(code)) is Signal.WELL


def test_where_order_is_kept_a_frame_gives_way() -> None:
    """After ten failed attempts, and only if others were delivered since the last: in an outage nobody is."""
    rules = Rules(keeps_order=True, has_spool=True)
    assert isinstance(end(InFlight(10), Failed(status(500)), rules, others_delivered=True), Rejected)
    assert isinstance(end(InFlight(9), Failed(status(500)), rules, others_delivered=True), Waiting)
    assert isinstance(end(InFlight(99), Failed(status(500)), rules), Waiting)
    assert isinstance(end(InFlight(99), Failed(status(500)), Rules(), others_delivered=True), Waiting)


def test_a_lost_answer_is_remembered() -> None:
    """Once an answer was lost the frame may be stored, whatever follows; before the request was sent it cannot be."""
    after_loss = end(InFlight(1), Failed(lost()))
    assert isinstance(after_loss, Waiting)
    assert after_loss.may_be_stored
    later = end(after_loss.due().next(), Failed(status(429)))
    assert isinstance(later, Waiting)
    assert later.may_be_stored
    assert not end(InFlight(1), Failed(lost(sent=False))).may_be_stored  # type: ignore[attr-defined]


def test_an_unreadable_answer_is_a_delivery_with_a_note() -> None:
    """The status says stored; the error is kept for who wants to know."""
    outcome = end(InFlight(1), Failed(DecodeError("garbage", 201)))
    assert isinstance(outcome, Delivered)
    assert isinstance(outcome.error, DecodeError)


@pytest.mark.parametrize("code", [200, 202, 204])
def test_another_success_that_cannot_be_read_is_another_success(code: int) -> None:
    """Its body may be packed oddly or break off: the frame is not sent again and again to a service that may have stored it."""
    for error in (DecodeError("packed as br", code), TransportError("broke off", request_sent=True, status=code)):
        outcome = end(InFlight(1), Failed(error))
        assert isinstance(outcome, Rejected)
        assert outcome.may_be_stored


def test_an_unreadable_sign_in_sends_nothing() -> None:
    """The frame waits: its own request was never made."""
    outcome = end(InFlight(1), Failed(DecodeError("no JWT", 200, request_sent=False)))
    assert isinstance(outcome, Waiting)
    assert not outcome.may_be_stored


@pytest.mark.parametrize(
    ("code", "verdict"), [(400, Verdict.REFUSED), (409, Verdict.REFUSED), (422, Verdict.REFUSED), (500, Verdict.REPEAT)]
)
def test_a_refused_sign_in_is_not_about_the_frame(code: int, verdict: Verdict) -> None:
    """The frame was not sent: it is neither wrong nor stored, by a 409 behind a lost answer neither."""
    error = status_error_class(code)("no", code, request_sent=False)
    assert judge(error, RetryPolicy(), may_be_stored=True, is_repeat=True) is verdict
    assert not may_have_stored(error)


@pytest.mark.parametrize("coding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be"])
@pytest.mark.parametrize("code", [301, 302, 303, 307, 308, 511, 200])
def test_a_network_that_wants_a_sign_in_ends_no_frame(code: int, coding: str) -> None:
    """It answers in place of the service, with a redirect or a page of HTML. The frame waits as in any outage, and is stored nowhere."""
    page = "\r\n<!DOCTYPE html><title>Guest network</title>".encode(coding)
    error = status_error_class(code, MonitorError)("sign in", code, body=page)
    outcome = end(InFlight(1), Failed(error))
    assert isinstance(outcome, Waiting)
    assert not outcome.may_be_stored
    assert said(error) is Signal.DOWN


def test_found_and_interrupted() -> None:
    """A frame that was found is a duplicate delivery; an interrupted one goes back to its line and may be stored."""
    found = end(InFlight(2, may_be_stored=True), Found())
    assert isinstance(found, Delivered)
    assert found.is_duplicate
    assert end(InFlight(1), Interrupted()) == Queued(1, may_be_stored=True)


@pytest.mark.parametrize("before", [False, True])
def test_an_interrupted_request_that_was_not_sent(before: bool) -> None:
    """It stores nothing; an answer that was lost before stays lost."""
    unsent = Interrupted(request_sent=False)
    assert end(InFlight(2, may_be_stored=before), unsent) == Queued(2, may_be_stored=before)


def test_bounds_end_the_repeating() -> None:
    """`max_attempts` and `max_age` reject with the last error."""
    assert isinstance(end(InFlight(3), Failed(lost()), Rules(max_attempts=3)), Rejected)
    assert isinstance(end(InFlight(2), Failed(lost()), Rules(max_attempts=3)), Waiting)
    assert isinstance(end(InFlight(2), Failed(lost()), Rules(max_age=10.0), now=10.0), Rejected)
    assert isinstance(end(InFlight(2), Failed(lost()), Rules(max_age=10.0), now=9.0), Waiting)


def test_bad_content_is_rejected_and_says_nothing_about_the_service() -> None:
    """An error about the frame's values ends the frame."""
    assert isinstance(end(InFlight(1), Failed(ConfigurationError("type"))), Rejected)
    assert said(ConfigurationError("type")) is Signal.WELL
    assert judge(ClosedError("closed"), POLICY, may_be_stored=False) is Verdict.HOLD


@pytest.mark.parametrize("kind", [ConnectionConfigurationError, HostNotConfiguredError])
def test_a_client_that_cannot_send_ends_no_frame_on_disk(kind: type[ConfigurationError]) -> None:
    """A proxy or a certificate that cannot be used, and a deployment without a host, are no frame's fault: they wait for who mends it."""
    error = kind("HTTP_PROXY: this is no address")
    assert isinstance(end(InFlight(1), Failed(error), Rules(has_spool=True)), Waiting)
    assert isinstance(end(InFlight(1), Failed(error)), Rejected)
    assert said(error) is Signal.REFUSES


@pytest.mark.parametrize(
    "error", [RuntimeError("cannot schedule new futures after shutdown"), MemoryError(), OSError(24, "files")]
)
def test_errors_that_are_not_the_librarys_end_no_frame_on_disk(error: BaseException) -> None:
    """They say nothing about the frame: with a spool it waits, without one there is nowhere to wait beyond this process."""
    assert isinstance(end(InFlight(1), Failed(error), Rules(has_spool=True)), Waiting)
    assert isinstance(end(InFlight(1), Failed(error)), Rejected)


def test_an_answer_that_breaks_off_after_stored_is_a_delivery() -> None:
    """201 says stored, whatever becomes of the body; another success status does not, and may mean it."""
    cut = TransportError("cut", "POST", "http://x", 1, True, 201)
    assert isinstance(end(InFlight(1), Failed(cut)), Delivered)
    assert isinstance(end(InFlight(1), Failed(TransportError("cut", "POST", "http://x", 1, True, 500))), Waiting)
    other = end(InFlight(1), Failed(status(202)))
    assert isinstance(other, Rejected)
    assert other.may_be_stored


def test_signals_and_retry_after() -> None:
    """429 and 503 mean busy, silence and 500 down; only answers can ask for time."""
    assert said(status(429)) is said(status(503)) is Signal.BUSY
    assert said(lost()) is said(status(500)) is Signal.DOWN
    assert (retry_after(status(429, 2.0)), retry_after(lost())) == (2.0, None)
    assert may_have_stored(lost())
    assert not may_have_stored(ValueError())


def test_leaving_the_way() -> None:
    """A frame that is given up, or stays on disk, says what happened last."""
    waiting = Waiting(2, may_be_stored=True, error=lost(), until=5.0)
    dropped = waiting.dropped(FRAME, DropReason.CLOSED)
    assert isinstance(dropped, Dropped)
    assert (dropped.reason, dropped.may_be_stored) == (DropReason.CLOSED, True)
    assert dropped.error is waiting.error
    spooled = waiting.spooled(FRAME)
    assert isinstance(spooled, Spooled)
    assert spooled.frame_id == FRAME.id


RESULTS = st.sampled_from(
    [
        Answered({}),
        Found(),
        Interrupted(),
        *(Failed(e) for e in (lost(), lost(False), status(503), status(400), status(401), status(409))),
    ]
)


@given(st.lists(RESULTS, min_size=1, max_size=30), st.booleans(), st.none() | st.integers(1, 5))
def test_no_path_loses_a_frame(results: list[object], holds: bool, max_attempts: int | None) -> None:
    """Whatever the attempts end in, a frame is queued, waiting, or has exactly one outcome; attempts count up by one."""
    rules = Rules(has_spool=holds, max_attempts=max_attempts)
    state: object = Queued()
    for number, result in enumerate(results, start=1):
        if isinstance(state, Waiting):
            state = state.due()
        assert isinstance(state, Queued)
        flight = state.next()
        assert flight.attempt == number
        state = end(flight, result, rules)
        if isinstance(state, (Delivered, Rejected)):
            assert state.attempts == number
            return
    assert isinstance(state, Queued)


def test_closing_leaves_a_spooled_frame_its_last_attempt() -> None:
    """The one before is made early; the last one not before its own time, so that no short wait rejects what a spool keeps."""
    policy = RetryPolicy(backoff_initial=100.0, backoff_max=1000.0, jitter=0.0)
    spooled = Rules(policy, max_attempts=3, has_spool=True, ends_at=31.0)
    assert (spooled.pause(1, 0.0, never), spooled.pause(2, 0.0, never)) == (30.0, 200.0)
    assert (spooled.due_at_closing(1, 99.0, 0.0), spooled.due_at_closing(2, 99.0, 0.0)) == (30.0, 99.0)
    in_memory = Rules(policy, max_attempts=3, ends_at=31.0)
    assert (in_memory.pause(1, 0.0, never), in_memory.pause(2, 0.0, never)) == (15.0, 30.0)
    assert (in_memory.due_at_closing(1, 99.0, 0.0), in_memory.due_at_closing(2, 99.0, 0.0)) == (0.0, 30.0)


def never() -> float:
    return 0.0
