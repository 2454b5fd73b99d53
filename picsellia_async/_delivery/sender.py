"""Takes items from the queue and sends them: workers, repeats, and the waits between.

Theory of operation. A worker is a task that sends one item after the other and ends when there is nothing it may send; so an
idle uploader has no tasks, and a busy one creates none per frame. `start_workers` starts workers up to the limit, and is called
whenever something changed that may let one start: an item came, an attempt ended, a time was reached.

A failed attempt never keeps its worker waiting. Its item goes to a heap of waiting items, and the one timer brings it back when
its time has come. Repeats go before first attempts, as far as the budget for repeats allows; while the service is probed, after.

A worker may be cancelled by somebody else (a debugger, a task killer, the end of `asyncio.run`). Its item then goes back to the
head of its queue, and a timer starts workers anew; if the loop is ending, the timer never fires, and nothing is left behind.
"""

from __future__ import annotations

import asyncio
import contextvars
import math
from collections.abc import Callable
from typing import Final

import attrs

from picsellia_async._delivery.account_evidence import AccountEvidence
from picsellia_async._delivery.answer_watch import AnswerWatch
from picsellia_async._delivery.attempt import Attempt, Find, Send, Taken, look_up
from picsellia_async._delivery.circuit_breaker import CircuitBreaker, Signal
from picsellia_async._delivery.concurrency_limit import Limit
from picsellia_async._delivery.fair_queue import FairQueue
from picsellia_async._delivery.frame_state import (
    ATTEMPTS_IN_ORDER,
    FRESH,
    INTERRUPTED,
    Answered,
    Failed,
    Found,
    InFlight,
    Interrupted,
    Queued,
    Result,
    Rules,
    Verdict,
    Waiting,
    ended_in,
    judge,
    signal_of,
)
from picsellia_async._delivery.ledger import Ledger
from picsellia_async._delivery.outcomes import Delivered, Rejected
from picsellia_async._delivery.rate_window import RateWindow
from picsellia_async._delivery.receipt import Item, expired
from picsellia_async._delivery.refusals import Refusals
from picsellia_async._delivery.repeats import Repeats
from picsellia_async._delivery.reporter import Reporter
from picsellia_async._delivery.retry_budget import RetryBudget
from picsellia_async._delivery.uplink import Uplink
from picsellia_async._error_text import typed_text
from picsellia_async._http.loop import clock_of
from picsellia_async._log_line import logger
from picsellia_async.errors import RequestTimeoutError, StatusError

_START_AFTER_CANCEL: Final = 0.01  # seconds until a cancelled worker is replaced


class Sender:
    """The workers of one uploader."""

    now: Callable[[], float]
    """Returns the loop's clock, once started."""

    def __init__(
        self,
        send: Send,
        find: Find | None,
        queue: FairQueue[Item],
        ledger: Ledger,
        limit: Limit,
        rules: Rules,
        random: Callable[[], float],
        reporter: Reporter,
        uplink: Uplink,
    ) -> None:
        """Store the parts; nothing runs before `start`.

        Args:
            send: One attempt.
            find: Looks a frame up before it is repeated after a lost answer; None: never.
            queue: Items to be sent for the first time.
            ledger: Is told every outcome.
            limit: Requests in flight.
            rules: Bounds of repetition.
            random: Returns a number in [0, 1).
            reporter: Is told how every attempt ended.
            uplink: Bounds what is sent.
        """
        self._reporter = reporter
        self._send = send
        self._find = find
        self.queue: Final = queue
        self.uplink = uplink
        self._ledger = ledger
        self.limit = limit
        self._rules = rules
        self._random = random
        self._breaker = CircuitBreaker(random)
        self._window = RateWindow()
        self._refusals = Refusals(limit, self._window, self._breaker)
        self._budget = RetryBudget()
        self.watch = AnswerWatch(lambda: self.in_flight, limit, reporter)
        self.retried = 0
        self.last_error: BaseException | None = None
        self.delivered_at: float | None = None
        """When a frame was delivered last, on the loop's clock; a 409 or an answer without text counts as well."""
        self._account = AccountEvidence(has_spool=rules.has_spool)
        self.refused = asyncio.Event()
        """Set while the account is refused, and no spool keeps its frames or it never worked: a run may end."""
        self._stalled = asyncio.Event()
        """Set when an attempt ended, nothing is under way, and the circuit is not closed."""
        self._workers: dict[asyncio.Task[None], Taken | None] = {}
        """Tasks, each with what was taken for it until it has begun."""
        self._active = 0
        self._repeats = Repeats()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = math.inf
        self._is_stopped = False

    def start(self) -> None:
        """Bind to the running loop. Requests run in the context of this call, not in those of the submitters."""
        self._loop = asyncio.get_running_loop()
        self.now = clock_of(self._loop)
        self._context = contextvars.copy_context()

    @property
    def in_flight(self) -> int:
        """Requests under way."""
        return len(self._refusals.under_way)

    @property
    def waiting(self) -> int:
        """Items to be repeated."""
        return len(self._repeats)

    def push(self, item: Item) -> None:
        """Queue an accepted item."""
        self.queue.push(item)
        if self._active < self.limit.value:
            self.start_workers()
        if not self._account.is_clean and self.refused.is_set() and not self._rules.has_spool:
            self._reject_queued()

    def start_workers(self) -> None:
        """Start workers for what may be sent now, up to the limit."""
        while self._active < self.limit.value and not self._is_stopped and (self.queue.turn or self._repeats.due):
            now = self.now()
            if wait := self._refusals.wait(now, self._active):
                self._wake_at(now + wait)
                return
            if (item := self._take(now)) is None:
                return
            taken = Taken(item, self._breaker.epoch, self._window.number)
            task = self._loop.create_task(self._work(taken), context=self._context.copy())
            if not self._active:
                self.watch.begin(self._loop)
            # Here, not in its first step: this loop would start too many, and one cancelled before it would lose its item.
            self._active += 1
            self._workers[task] = taken
            task.add_done_callback(self._worker_done)

    def _worker_done(self, task: asyncio.Task[None]) -> None:
        taken = self._workers.pop(task)
        if taken is not None:
            # Cancelled before its first step: its body, and with it every `finally`, never ran.
            self._active -= 1
            self._give_back(taken)

    def _give_back(self, taken: Taken) -> None:
        """Put an item that was taken but not sent back to where it came from, and with it the permission to send it."""
        self._breaker.abandoned(taken.epoch)
        self._window.give_back(taken.window)
        item = taken.item
        self.uplink.give_back(item)
        if item.state == FRESH:
            self.queue.put_back(item)
        else:
            self._repeats.due.appendleft(item)
        self._wake_at(self.now() + _START_AFTER_CANCEL)

    def _take(self, now: float) -> Item | None:
        """Return the next item that may be sent now, or None; then whatever changes that starts workers."""
        is_ready = bool(self.queue.turn)
        # A frame that has failed before tells less about the service than a new one: it may be the frame's own fault.
        is_probe = is_ready and not self._breaker.is_closed
        repeats = self._repeats.due and not is_probe and self._budget.allows(others_wait=is_ready)
        if self._is_stopped or not (repeats or is_ready):
            return None
        wait = self._refusals.wait_for_window(now) if self._window.is_bounded else 0.0
        if self.uplink.is_bound:
            wait = max(wait, self.uplink.wait(now))
            if self.uplink.is_closed and not self.in_flight:
                self._stalled.set()
        if not (wait or self._breaker.is_closed):
            wait = self._breaker.admit(now)
        if wait:
            self._wake_at(now + wait)
            return None
        self._window.take(now)
        item = self._repeats.due.popleft() if repeats else self.queue.pop()
        if item is not None and self._rules.max_age is not None:
            item = self._first_young(item, now, self._rules.max_age)
        if item is not None and self.uplink.is_bound:
            self.uplink.take(item)
        return item

    def _first_young(self, item: Item | None, now: float, max_age: float) -> Item | None:
        """Return this item, or the next one that is not too old to be sent; end those that are."""
        while item is not None and (outcome := expired(item, now, max_age)) is not None:
            self.queue.release(item.source)
            self._ledger.end(item, outcome)
            self._reporter.look()
            item = self.queue.pop()
        if item is None:  # the permission to send goes back unused
            self._breaker.abandoned(self._breaker.epoch)
            self._window.give_back(self._window.number)
            self._wake_at(now if self._repeats.due else math.inf)  # those that are due had no turn
        return item

    async def _work(self, first: Taken) -> None:
        task = asyncio.current_task()
        if task is not None:
            # From here on the item is ours to settle; `_worker_done` must not give it back as well.
            self._workers[task] = None
        try:
            if first.epoch != self._breaker.epoch:
                # The circuit opened between the start of this task and its first step.
                self._give_back(first)
                return
            item: Item | None = first.item
            now = self.now()
            while item is not None:
                now = await self._attempt(item, now)
                item = self._take(now) if self._active <= self.limit.value else None
        finally:
            # Here and not in a callback: between the two `start_workers` would count a worker that takes nothing more.
            self._active -= 1

    async def _attempt(self, item: Item, now: float) -> float:
        """Send an item once, and settle what comes of it whatever that is; return when that was done."""
        item.state = state = item.state.next() if isinstance(item.state, Queued) else item.state
        if state.attempt == 1:
            if self._budget.tokens < self._budget.capacity:
                self._budget.earn()
        else:
            self.retried += 1
            self._budget.start()
        attempt = Attempt(self._breaker.epoch, self._window.number, len(under_way := self._refusals.under_way) + 1, now)
        under_way.add(attempt)
        result: Result = INTERRUPTED
        try:
            found = await look_up(self._find, item.frame, self._rules.policy) if state.may_be_stored else None
            try:
                result = found or Answered(await self._send(item.frame, item.request))
            except BaseException as error:  # the one place: every error becomes an outcome or a repeat
                result = ended_in(error)
                if isinstance(result, Interrupted):
                    raise
        finally:
            # Also on cancellation and on errors that end the program: an item must never be lost.
            under_way.discard(attempt)
            if state.attempt > 1:
                self._budget.end(succeeded=isinstance(result, (Answered, Found)))
            self._settle(item, state, result, attempt, self.now())
        return self.now()  # once more: callbacks of the user were called meanwhile

    def _settle(self, item: Item, state: InFlight, result: Result, attempt: Attempt, now: float) -> None:
        if isinstance(result, Answered):
            self._answered(attempt, now, has_frame=True)
            self.limit.sample(now, now - attempt.started, attempt.in_flight, refused=False)
            age = now - item.accepted_at
            following: Delivered | Rejected | Queued = Delivered(item.frame, result.receipt, state.attempt, seconds=age)
        else:
            following = self._following(item, state, result, attempt, now)
        if isinstance(following, Queued):
            item.state = following
            self._keep(item, following)
        else:
            if isinstance(following, Delivered):
                self.delivered_at = now
            if self.queue.keeps_order:
                self.queue.release(item.source)
            self._ledger.end(item, following)
        if not self._account.is_clean and self.refused.is_set() and not self._rules.has_spool:
            self._reject_queued()
        if not self._refusals.under_way and (self.uplink.is_closed or not self._breaker.is_closed):
            self._stalled.set()
        is_well = self._breaker.is_closed and self._account.is_clean and not self.watch.is_silent
        signal = Signal.WELL if is_well else self.signal
        why = self._account.latest if signal is Signal.REFUSES else self.last_error
        is_final = not is_well and self.refused.is_set()
        self._reporter.saw(signal, why, is_final=is_final, is_new=isinstance(result, Failed))
        if self._active < self.limit.value:
            self.start_workers()

    def _following(
        self, item: Item, state: InFlight, result: Failed | Found | Interrupted, attempt: Attempt, now: float
    ) -> Delivered | Rejected | Queued:
        """Learn from an attempt that did not simply go well; return what follows for its frame."""
        delivered = self._ledger.delivered
        others_delivered = -1 < item.delivered_before < delivered
        if isinstance(result, Failed):
            item.delivered_before = delivered
            self._learn_from(item, state, result.error, others_delivered, now, attempt)
        elif isinstance(result, Interrupted):
            self._breaker.abandoned(attempt.epoch)
            self._window.failed(attempt.window)
        else:
            self._answered(attempt, now, has_frame=True)
        return state.next(
            item.frame,
            result,
            self._rules if self._account.refused_since is None else self._rules_now(others_delivered=others_delivered),
            now=now,
            accepted_at=item.accepted_at,
            random=self._random,
            others_delivered=others_delivered,
        )

    def _keep(self, item: Item, state: Queued) -> None:
        if isinstance(state, Waiting) and not self.queue.has_others_out(item.source):
            self._repeats.wait(state.until, item)
            self._wake_at(state.until)
            if state.attempts >= ATTEMPTS_IN_ORDER:
                # Where order is kept and this is the only source, only its next frame can show who is to blame.
                self.queue.try_next(item.source)
            return
        if isinstance(state, Waiting):
            # It was let out to be compared with the one before it, and keeps its place behind that one.
            item.state = state.due()
        self.queue.put_back(item)
        self._wake_at(self.now() + _START_AFTER_CANCEL)

    def _learn_from(
        self, item: Item, state: InFlight, error: BaseException, others_delivered: bool, now: float, attempt: Attempt
    ) -> None:
        self.last_error = error
        logger.debug("attempt %d of frame %s failed: %s", state.attempt, item.frame.id, typed_text(error))
        verdict = judge(error, self._rules.policy, may_be_stored=state.may_be_stored, is_repeat=state.attempt > 1)
        if verdict is not Verdict.REFUSED or not others_delivered:
            self._account.learn(item.seq, error, verdict, now, has_worked=self._ledger.delivered > 0)
        self._judge_account(now)
        is_refused = self._account.refused_since is not None and not others_delivered
        signal = signal_of(error, verdict, account_is_refused=is_refused)
        self._account.is_last = self._account.is_last and signal not in {Signal.DOWN, Signal.BUSY}
        is_timeout = isinstance(error, RequestTimeoutError)
        if verdict is Verdict.OURS:
            self._breaker.abandoned(attempt.epoch)
        elif signal is Signal.WELL:
            self._answered(attempt, now, has_frame=False)
        else:
            if isinstance(error, StatusError):
                self.watch.failed(now, ends_silence=signal is Signal.REFUSES)
            is_probe = self._breaker.is_probe(attempt.epoch)
            pause, is_rate = self._refusals.pause(now, error, attempt)
            if is_probe and pause is None and self._refusals.is_outage(error, signal):
                self.limit.refused_alone()
            start = self._refusals.start_behind(error, is_rate=is_rate)
            self._breaker.failed(now, attempt.epoch, signal, pause, *start)
            if pause is not None or is_rate:
                return  # `Refusals` told the limit
        if (signal in {Signal.WELL, Signal.BUSY} and verdict is not Verdict.OURS) or is_timeout:
            self.limit.sample(
                now, now - attempt.started, attempt.in_flight, refused=signal is Signal.BUSY or is_timeout
            )

    def _answered(self, attempt: Attempt, now: float, *, has_frame: bool) -> None:
        """The service is there; it has the frame, or refuses it for its content."""
        if has_frame and not self._account.is_clean:
            self._account.delivered()
            self.refused.clear()
        self.watch.answered(now)
        if self._breaker.failures or not self._breaker.is_closed:
            # After a pause of a rate limit there is nothing to feel for: what the service takes is known.
            usual = 1 if self._window.is_known or self._window.is_rate else self.limit.value
            self._breaker.succeeded(attempt.epoch, usual)
        if self._window.is_bounded:
            self._window.succeeded(attempt.window)

    def _judge_account(self, now: float) -> None:
        """Let a run end where waiting for the account helps nobody."""
        if self._account.is_clean:
            self.refused.clear()
        elif not self.refused.is_set() and self._account.is_final(now, has_worked=self._ledger.delivered > 0):
            self.refused.set()
            self._reporter.saw(self.signal, self._account.error, is_final=True)

    def _rules_now(self, *, others_delivered: bool) -> Rules:
        """Return the rules; without a spool frames wait for the account until its refusal is final, and not after."""
        if self._rules.has_spool or others_delivered:
            return self._rules
        if self.refused.is_set():
            return attrs.evolve(self._rules, max_attempts=1)
        return attrs.evolve(self._rules, waits_for_account=True)

    def _reject_queued(self) -> None:
        """The account is refused for good: give the frames that wait the same outcome, without a request for each."""
        error, items = self._account.error, self._repeats.clear()
        for item in items:
            self.queue.release(item.source)
        items += iter(self.queue.pop_oldest, None)
        for item in items:
            state = item.state
            if error is not None:
                self._ledger.end(item, Rejected(item.frame, error, state.attempts, may_be_stored=state.may_be_stored))
        self._reporter.look()  # lost between two attempts is lost to the trouble that there is, which the next one may end

    # Waiting.

    def _wake_at(self, when: float) -> None:
        if when >= self._timer_at or when == math.inf or self._is_stopped:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = when
        self._timer = self._loop.call_at(when, self._wake)

    def _wake(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._timer_at = None, math.inf
        self._repeats.release(self.now())
        self.start_workers()
        self._wake_at(self._repeats.next_at)

    def take_oldest(self, before: int | None = None) -> Item | None:
        """Take the oldest item that is not under way, to be dropped: from the queue, or of those that wait to be repeated.

        Args:
            before: Only one that was accepted before this order.
        """
        tried = self._repeats.oldest()
        bound = math.inf if before is None else before
        item = self.queue.pop_oldest(bound if tried is None else min(tried.seq, bound))
        if item is not None or tried is None or tried.seq >= bound:
            return item
        self._repeats.remove(tried)
        self.queue.release(tried.source)
        self.start_workers()
        return tried

    # Ending.

    def shorten_own_pauses(self, seconds: float) -> None:
        """Closing begins: end our own waits, and keep later ones short. A pause that the service asked for is kept.

        Args:
            seconds: How long closing may take.
        """
        now = self.now()
        self._breaker.closing(now)
        self._rules = attrs.evolve(self._rules, ends_at=now + seconds)
        self._repeats.shorten(self._rules, now)
        self._wake()

    def pause(self, *, is_paused: bool) -> None:
        """Begin no attempts any more, or do so again."""
        self.uplink.pause(is_paused=is_paused)
        self._stalled.set()
        self.start_workers()

    async def wait_hopeless(self, deadline: float) -> None:
        """Wait until nothing can be delivered before a time any more: all that is left is a pause that is longer, or a final refusal."""
        while self.in_flight or not (
            self.uplink.is_closed
            or (not self._breaker.is_closed and (self._breaker.until > deadline or self.refused.is_set()))
        ):
            self._stalled.clear()
            await self._stalled.wait()

    async def stop(self, grace: float) -> None:
        """Cancel what is under way; wait a little for it to end.

        Args:
            grace: Seconds. A `send` that ignores its cancellation is left to itself after that.
        """
        self._is_stopped = True
        self.watch.stop()
        if self._timer is not None:
            self._timer.cancel()
        for task in self._workers:
            task.cancel()
        if self._workers:
            await asyncio.wait(set(self._workers), timeout=grace)  # a copy: each that ends takes itself out of the dict

    @property
    def signal(self) -> Signal:
        """What keeps senders waiting; WELL where nothing does: also while the load grows again after an outage."""
        if not self.watch.is_silent and self._account.is_heard(is_asked=self._breaker.is_refused):
            return Signal.REFUSES
        if self._breaker.is_closed or self._breaker.is_answered:
            return Signal.DOWN if self.watch.is_silent else Signal.WELL
        return Signal.BUSY if self._breaker.is_asked else Signal.DOWN
