"""The numbers of a pipeline: values, and the counting behind them. Pure; times are passed in."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable
from typing import Final, Literal, TypeAlias

import attrs

from picsellia_async._delivery.outcomes import UploadReport
from picsellia_async._error_text import error_repr

SAMPLES: Final = 256
"""Latest values of each source from which p50 and p95 are told."""
RATE_SECONDS: Final = 10.0
"""What `frames_per_second` looks back on."""

EndedBy: TypeAlias = Literal["sources", "stop", "error", "SIGINT", "SIGTERM", "SIGBREAK"]
"""What ended a run: the last source, `stop()`, an error that `run` raises, or a signal."""

FAIL_REASONS: Final = ("model", "result", "implausible", "keep", "submit")
"""Why a frame of a pipeline fails (docs/pipeline.md#what-goes-wrong)."""


@attrs.frozen
class Percentiles:
    """Of the latest 256 values; None before the first."""

    p50: float | None
    """Half of them are at most this."""
    p95: float | None
    """95 % of them are at most this."""


@attrs.frozen(kw_only=True)
class PipelineSourceStatistics:
    """The frames of one source. Each is in one count: `received == submitted + skipped + failed + pending`."""

    received: int
    """Frames that the source gave."""
    submitted: int
    """Frames that the uploader has accepted; what became of them, it tells."""
    skipped: int
    """Frames not sent, as the rules want it."""
    skipped_by_reason: dict[str, int]
    """The same by reason: `superseded` (a newer one came before its turn), `too_old` (`max_age`), `nothing` (the model returned None),
    `stopped` (it was not sent yet when the pipeline was stopped), or the name of the rule of `keep=`."""
    failed: int
    """Frames that something went wrong with."""
    failed_by_reason: dict[str, int]
    """The same by reason: `model` (it raised), `result` (what it returned is no prediction), `implausible` (the prediction cannot be
    meant), `keep` (a function of `keep=` raised), `submit` (the uploader did not accept it)."""
    pending: int
    """Frames that wait, are with the model, are held back by a rule, or are being submitted."""
    predicted: int
    """Frames of which the model told something, or nothing: those that did not fail there."""
    frames_per_second: float
    """Predicted, as a mean over the last 10 seconds."""
    latency: Percentiles
    """Seconds that a call of the model took."""
    age: Percentiles
    """Seconds from a frame's arrival in the pipeline to its delivery, of frames that did not have to be read back from disk."""
    error: Exception | None = attrs.field(repr=error_repr)
    """What the source ended with; None where it runs, or came to its end."""


@attrs.frozen(kw_only=True)
class PipelineStatistics:
    """A snapshot of a pipeline: the same numbers over all sources, and by source."""

    received: int
    """Frames that the sources gave."""
    submitted: int
    """Frames that the uploader has accepted."""
    skipped: int
    """Frames not sent, as the rules want it."""
    skipped_by_reason: dict[str, int]
    """The same by reason, as in `PipelineSourceStatistics`."""
    failed: int
    """Frames that something went wrong with."""
    failed_by_reason: dict[str, int]
    """The same by reason, as in `PipelineSourceStatistics`."""
    pending: int
    """Frames on their way."""
    predicted: int
    """Frames that the model has seen, without failing."""
    frames_per_second: float
    """Predicted, as a mean over the last 10 seconds."""
    latency: Percentiles
    """Seconds that a call of the model took."""
    age: Percentiles
    """Seconds from arrival to delivery."""
    by_source: dict[str, PipelineSourceStatistics]
    """By the source's name."""


@attrs.frozen(kw_only=True)
class PipelineReport:
    """The account of a pipeline that has ended: no frame is pending, and those submitted are accepted in `upload`.

    After an end at once, frames that were just being submitted may be in `upload` though they count as `stopped`.
    """

    upload: UploadReport
    """What became of the frames that were submitted, and of those that the spool held before."""
    statistics: PipelineStatistics
    """The frames of each source."""
    ended_by: EndedBy
    """What ended the run."""
    seconds: float
    """From the begin of the run to now."""

    @property
    def is_complete(self) -> bool:
        """Whether nothing failed: no source, no frame, and all that was submitted is delivered."""
        sources = self.statistics.by_source.values()
        return self.upload.is_complete and not self.statistics.failed and not any(one.error for one in sources)

    def __str__(self) -> str:
        numbers, upload = self.statistics, self.upload
        found = f" ({upload.recovered} of them left by a former run)" if upload.recovered else ""
        return (
            f"{numbers.received} frames of {len(numbers.by_source)} sources in {self.seconds:.0f} s: "
            f"{numbers.submitted} submitted, {_by_reason(numbers.skipped, 'skipped', numbers.skipped_by_reason)}, "
            f"{_by_reason(numbers.failed, 'failed', numbers.failed_by_reason)}; {upload.delivered} of {upload.accepted} "
            f"delivered{found}, {upload.rejected} rejected, {upload.dropped} dropped, {upload.spooled} in the spool"
        )


def _by_reason(count: int, what: str, reasons: dict[str, int]) -> str:
    told = ", ".join(f"{reason} {number}" for reason, number in reasons.items())
    return f"{count} {what} ({told})" if told else f"{count} {what}"


@attrs.define(eq=False)
class SourceLedger:
    """Counts the frames of one source."""

    received: int = 0
    submitted: int = 0
    predicted: int = 0
    skipped: Counter[str] = attrs.field(factory=Counter)
    failed: Counter[str] = attrs.field(factory=Counter)
    error: Exception | None = attrs.field(default=None, repr=error_repr)
    latencies: deque[float] = attrs.field(factory=lambda: deque(maxlen=SAMPLES))
    ages: deque[float] = attrs.field(factory=lambda: deque(maxlen=SAMPLES))
    times: deque[float] = attrs.field(factory=lambda: deque(maxlen=SAMPLES))
    """When the latest predictions were made."""
    latency_recorders: list[Callable[[float], object]] = attrs.field(factory=list)
    """Called with every latency, for histograms."""
    age_recorders: list[Callable[[float], object]] = attrs.field(factory=list)
    """Called with every age."""

    @property
    def pending(self) -> int:
        """Frames without an end."""
        return self.received - self.submitted - self.skipped.total() - self.failed.total()

    def predict(self, now: float, latency: float) -> None:
        """Count a prediction."""
        self.predicted += 1
        self.times.append(now)
        self.latencies.append(latency)
        for record in self.latency_recorders:
            record(latency)

    def deliver(self, age: float) -> None:
        """Note the age of a frame that is delivered."""
        self.ages.append(age)
        for record in self.age_recorders:
            record(age)

    def rate(self, now: float, seconds: float) -> float:
        """Return predictions a second.

        Args:
            now: When.
            seconds: How long the pipeline has run.
        """
        span = min(RATE_SECONDS, seconds)
        if len(self.times) == SAMPLES:  # a fast source: the ring does not reach back so far
            span = min(span, now - self.times[0])
        return sum(now - when <= span for when in list(self.times)) / span if span > 0 else 0.0

    def snapshot(self, now: float, seconds: float) -> PipelineSourceStatistics:
        """Return the numbers as a value."""
        return PipelineSourceStatistics(
            received=self.received,
            submitted=self.submitted,
            skipped=self.skipped.total(),
            skipped_by_reason=dict(self.skipped),
            failed=self.failed.total(),
            failed_by_reason=dict(self.failed),
            pending=self.pending,
            predicted=self.predicted,
            frames_per_second=self.rate(now, seconds),
            latency=percentiles(self.latencies),
            age=percentiles(self.ages),
            error=self.error,
        )


def percentiles(values: Iterable[float]) -> Percentiles:
    """Return the median and the 95th percentile, by the nearest rank."""
    ordered = sorted(values)
    if not ordered:
        return Percentiles(None, None)
    return Percentiles(ordered[(len(ordered) - 1) // 2], ordered[max(0, -(-len(ordered) * 95 // 100) - 1)])


def total(ledgers: dict[str, SourceLedger], now: float, seconds: float) -> PipelineStatistics:
    """Return the numbers of all sources.

    What still grows is copied before it is walked, in one step each: a scrape of metrics asks from another thread.
    """
    by_source = {name: ledger.snapshot(now, seconds) for name, ledger in ledgers.items()}
    skipped: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    for one in by_source.values():
        skipped.update(one.skipped_by_reason)
        failed.update(one.failed_by_reason)
    return PipelineStatistics(
        received=sum(one.received for one in by_source.values()),
        submitted=sum(one.submitted for one in by_source.values()),
        skipped=skipped.total(),
        skipped_by_reason=dict(skipped),
        failed=failed.total(),
        failed_by_reason=dict(failed),
        pending=sum(one.pending for one in by_source.values()),
        predicted=sum(one.predicted for one in by_source.values()),
        frames_per_second=sum(one.frames_per_second for one in by_source.values()),
        latency=percentiles(value for ledger in ledgers.values() for value in list(ledger.latencies)),
        age=percentiles(value for ledger in ledgers.values() for value in list(ledger.ages)),
        by_source=by_source,
    )
