"""`Sink`: what becomes of frames that the model has seen: the rules decide, and what they keep is submitted."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from picsellia_async._delivery.outcomes import Delivered, Outcome
from picsellia_async.errors import ClosedError, ImplausibleError, PicselliaError
from picsellia_async.frames import Frame, FrameDetails
from picsellia_async.pipeline._candidate import Candidate, Decision
from picsellia_async.pipeline._feed import Feed, Work
from picsellia_async.pipeline._log import FailureLog, lines_of
from picsellia_async.pipeline._model import Predicted
from picsellia_async.pipeline._rule import Rule
from picsellia_async.pipeline._statistics import SourceLedger
from picsellia_async.predictions import LabelMap, PredictionFormat
from picsellia_async.uploader import Uploader


class Sink:
    """Counts every frame that it is given in the ledger of its source."""

    def __init__(
        self,
        uploader: Uploader,
        rule: Rule,
        clock: Callable[[], float],
        *,
        label_map: LabelMap | None,
        frame_options: FrameDetails | None,
        tells_rules: bool,
    ) -> None:
        """Store where frames go, and the rule that decides which.

        Args:
            uploader: What they are submitted to.
            rule: Which are kept.
            clock: Returns monotonic seconds.
            label_map: Index by name, for rules that ask for names.
            frame_options: Further fields of each `Frame`.
            tells_rules: Whether `custom_metadata` tells the rules that kept a frame.
        """
        self._uploader = uploader
        self._rule = rule
        self._clock = clock
        self._labels = None if label_map is None else {index: name for name, index in label_map.items()}
        self._frame_options: FrameDetails = frame_options or {}
        self._tells_rules = tells_rules
        self._failures = FailureLog()
        self._kept = FailureLog("a function of keep= raised, and another rule kept the frames", "keep_errors")
        """They are no failures: the report has them among those submitted."""
        self._write = lines_of(uploader)
        self._candidates: dict[Candidate, Work] = {}
        """Frames that a rule decides on, until it has."""

    async def take(self, work: Work, result: Predicted) -> None:
        """Have the rules decide on a frame that the model has seen.

        Raises:
            ClosedError: The uploader was closed by somebody else.
        """
        feed = work.feed
        if result.error is not None:
            self.fail(feed, "implausible" if isinstance(result.error, ImplausibleError) else "result", result.error)
            return
        feed.ledger.predict(self._clock(), result.latency)
        if result.prediction is None:
            feed.ledger.skipped["nothing"] += 1
            return
        candidate = Candidate(
            image=work.image, prediction=result.prediction, source=feed.name, time=self._clock(), latency=result.latency,
            labels=self._labels_of(result.prediction), picture=result.picture,
        )  # fmt: skip
        self._candidates[candidate] = work
        for decision in self._rule.feed(candidate):
            await self._decided(decision)

    def _labels_of(self, prediction: PredictionFormat) -> tuple[str | None, ...] | None:
        names = prediction.class_names or self._labels
        return None if names is None else tuple(names.get(index) for index in prediction.detection_classes)

    async def _decided(self, decision: Decision) -> None:
        """Submit a frame, or count why not."""
        work = self._candidates.pop(decision.candidate)
        frame = None
        if decision.is_kept:
            frame = self._frame(work, decision)
        else:
            self._skip(work.feed, decision)
        # Before the uploader is waited for: another source's frame may be decided on meanwhile, and a quota must know of this one.
        self._rule.settle(decision.candidate, is_kept=frame is not None)
        if frame is not None:
            await self._submit(frame, work)

    def _skip(self, feed: Feed, decision: Decision) -> None:
        if decision.error is not None:
            self.fail(feed, "keep", decision.error)
        else:
            feed.ledger.skipped[" & ".join(decision.rules)] += 1
            feed.not_kept += 1

    def _frame(self, work: Work, decision: Decision) -> Frame | None:
        """Return the frame to submit; None where it cannot be meant."""
        feed, candidate = work.feed, decision.candidate
        if decision.error is not None:
            self._write(self._kept.failed(self._clock(), "keep", feed.shown, decision.error))
        options: FrameDetails = {**self._frame_options}
        options.setdefault("source", feed.source_of(candidate.image))
        if self._tells_rules:
            told = {"picsellia_async_kept_by": " & ".join(decision.rules), "picsellia_async_not_kept": feed.not_kept}
            options["custom_metadata"] = {**(options.get("custom_metadata") or {}), **told}
        try:
            return candidate.image.with_prediction(candidate.prediction, latency=candidate.latency, **options)
        except PicselliaError as error:
            self.fail(feed, "implausible" if isinstance(error, ImplausibleError) else "result", error)
            return None

    async def _submit(self, frame: Frame, work: Work) -> None:
        feed = work.feed
        feed.not_kept = 0
        try:
            receipt = await self._uploader.submit(frame)
        except ClosedError:
            raise
        except PicselliaError as error:
            self.fail(feed, "submit", error)
        else:
            feed.ledger.submitted += 1
            receipt.call(partial(self._delivered, feed.ledger, work.arrived_at))

    def _delivered(self, ledger: SourceLedger, arrived_at: float, outcome: Outcome) -> None:
        if isinstance(outcome, Delivered):
            ledger.deliver(self._clock() - arrived_at)

    def fail(self, feed: Feed, reason: str, error: BaseException) -> None:
        """Count a frame that failed, and tell the log if it is time to.

        Args:
            feed: Its source.
            reason: As counted.
            error: What went wrong.
        """
        feed.ledger.failed[reason] += 1
        self._write(self._failures.failed(self._clock(), reason, feed.shown, error))

    def tell(self) -> None:
        """Tell the log of frames that failed since the last line, if it is time to: no later failure may come."""
        self._write(self._failures.due(self._clock()), self._kept.due(self._clock()))

    def close(self) -> None:
        """Count frames that rules still hold back as not kept, and tell the log of failures that it has not heard of."""
        for decision in self._rule.flush():
            work = self._candidates.pop(decision.candidate)
            self._rule.settle(decision.candidate, is_kept=False)
            work.feed.ledger.skipped["stopped" if decision.is_kept else " & ".join(decision.rules)] += 1
        self._write(self._failures.rest(self._clock()), self._kept.rest(self._clock()))
