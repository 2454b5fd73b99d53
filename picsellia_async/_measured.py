"""What is measured: tables of metrics, each with the number of `statistics()` that it is read from.

Names and units are OpenTelemetry's. `metrics` has the two exporters that go through the tables.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Final, Generic, Literal, TypeAlias, TypeVar

import attrs

from picsellia_async._delivery.outcomes import DropReason, Health, UploaderStatistics
from picsellia_async.client import ClientStatistics
from picsellia_async.pipeline import PipelineStatistics
from picsellia_async.pipeline._statistics import FAIL_REASONS
from picsellia_async.sources import CameraState, CameraStatistics

S = TypeVar("S")

Attributes: TypeAlias = dict[str, str | int]
Value: TypeAlias = tuple[Attributes, float]
Kind: TypeAlias = Literal["counter", "up_down_counter", "gauge", "histogram"]


@attrs.frozen
class Metric(Generic[S]):
    """One metric: what it is called, and how it is read from a snapshot."""

    name: str
    """In OpenTelemetry's spelling."""
    kind: Kind
    """`counter` only grows; an `up_down_counter` may be summed over uploaders, a `gauge` may not."""
    unit: str
    """A unit of UCUM, as OpenTelemetry writes them: `s`, `By`, `{frame}`."""
    description: str
    """One sentence."""
    read: Callable[[S], Iterable[Value]] = attrs.field(default=lambda _: (), repr=False)
    """Returns values, each with the attributes that tell it from the others; a histogram has none to read."""
    bounds: tuple[float, ...] = ()
    """Of a histogram's buckets."""


def _one(read: Callable[[S], float]) -> Callable[[S], Iterable[Value]]:
    return lambda statistics: [({}, read(statistics))]


def _known(read: Callable[[S], float | None]) -> Callable[[S], Iterable[Value]]:
    """Return the value where there is one."""
    return lambda statistics: [] if (value := read(statistics)) is None else [({}, value)]


def _outcomes(statistics: UploaderStatistics) -> Iterator[Value]:
    yield {"outcome": "delivered"}, statistics.delivered
    yield {"outcome": "rejected"}, statistics.rejected
    yield {"outcome": "spooled"}, statistics.spooled
    yield from _by_reason("dropped", statistics.dropped_by_reason, DropReason)


def _by_reason(outcome: str, counts: Mapping[str, int], known: Iterable[str] = ()) -> Iterator[Value]:
    """Yield one value per reason, those that are known from the beginning.

    `increase()` of Prometheus does not see the first frames of a series that begins with them.
    """
    for reason, count in {**dict.fromkeys(map(str, known), 0), **counts}.items():
        yield {"outcome": outcome, "reason": reason}, count


def _each(label: str, read: Callable[[S], Mapping[str, int]]) -> Callable[[S], Iterable[Value]]:
    """Return one value per entry of a count by something."""
    return lambda statistics: [({label: name}, count) for name, count in read(statistics).items()]


def _states(states: Iterable[StrEnum], read: Callable[[S], Collection[StrEnum]]) -> Callable[[S], Iterable[Value]]:
    """Return 1 for each state that holds, and 0 for each of the others."""
    return lambda statistics: [({"state": one.value}, float(one in read(statistics))) for one in states]


def _while_open(
    read: Callable[[UploaderStatistics], Iterable[Value]],
) -> Callable[[UploaderStatistics], Iterable[Value]]:
    """Return no value once the uploader is closed: how things are now has an end, and an alert about it would go on for ever."""
    return lambda statistics: [] if statistics.is_closed else read(statistics)


_PREFIX: Final = "picsellia.uploader"

UPLOADER_METRICS: Final[tuple[Metric[UploaderStatistics], ...]] = (
    Metric(f"{_PREFIX}.frames.accepted", "counter", "{frame}", "Frames taken.", _one(lambda s: s.accepted)),
    Metric(
        f"{_PREFIX}.frames",
        "counter",
        "{frame}",
        "Frames that have their outcome; for dropped ones with the reason.",
        _outcomes,
    ),
    Metric(
        f"{_PREFIX}.frames.refused",
        "counter",
        "{frame}",
        "Frames that were not taken: `submit` raised. Those that waited for room when closing began count, those that came later do not.",
        _one(lambda s: s.refused),
    ),
    Metric(
        f"{_PREFIX}.frames.may_be_stored",
        "counter",
        "{frame}",
        "Of the frames rejected and dropped, those of which an answer was lost or unclear: the service may have them.",
        _one(lambda s: s.may_be_stored),
    ),
    Metric(
        f"{_PREFIX}.frames.duplicate",
        "counter",
        "{frame}",
        "Frames delivered that the service had already.",
        _one(lambda s: s.duplicates),
    ),
    Metric(
        f"{_PREFIX}.retries",
        "counter",
        "{request}",
        "Repeats sent; without those at once behind a new sign-in.",
        _one(lambda s: s.retried),
    ),
    Metric(
        f"{_PREFIX}.delivered", "counter", "By", "Image bytes of delivered frames.", _one(lambda s: s.bytes_delivered)
    ),
    Metric(
        f"{_PREFIX}.callback.errors",
        "counter",
        "{error}",
        "Times that a callback of yours raised.",
        _one(lambda s: s.callback_errors),
    ),
    Metric(
        f"{_PREFIX}.frames.pending",
        "up_down_counter",
        "{frame}",
        "Frames accepted and without outcome, on disk or in memory.",
        _one(lambda s: s.pending_frames),
    ),
    Metric(
        f"{_PREFIX}.pending",
        "up_down_counter",
        "By",
        "Memory that pending frames hold.",
        _one(lambda s: s.pending_bytes),
    ),
    Metric(
        f"{_PREFIX}.requests.in_flight",
        "up_down_counter",
        "{request}",
        "Requests under way.",
        _one(lambda s: s.in_flight),
    ),
    Metric(
        f"{_PREFIX}.frames.waiting",
        "up_down_counter",
        "{frame}",
        "Frames that wait to be repeated.",
        _one(lambda s: s.waiting),
    ),
    Metric(
        f"{_PREFIX}.concurrency.limit",
        "gauge",
        "{request}",
        "Requests that may be in flight.",
        _while_open(_one(lambda s: s.concurrency)),
    ),
    Metric(
        f"{_PREFIX}.round_trip",
        "gauge",
        "s",
        "Smoothed time from request to answer.",
        _while_open(_one(lambda s: s.round_trip)),
    ),
    Metric(
        f"{_PREFIX}.oldest_frame.age",
        "gauge",
        "s",
        "Since the acceptance of the oldest frame that waits in memory; 0 where none does.",
        _while_open(_one(lambda s: s.oldest_seconds)),
    ),
    Metric(
        f"{_PREFIX}.last_delivery.age",
        "gauge",
        "s",
        "Since a frame was delivered last; no value before the first.",
        _while_open(_known(lambda s: s.delivery_seconds)),
    ),
    Metric(
        f"{_PREFIX}.health",
        "gauge",
        "1",
        "1 for each state in which delivery is, 0 for the others.",
        _while_open(_states(Health, lambda s: s.troubles or (Health.OK,))),
    ),
    Metric(
        f"{_PREFIX}.paused",
        "gauge",
        "1",
        "1 while `pause` keeps it from sending, else 0.",
        _while_open(_one(lambda s: float(s.is_paused))),
    ),
    Metric(
        f"{_PREFIX}.allowed",
        "gauge",
        "1",
        "1 where `allowed` said so when it was asked last, else 0; 1 without.",
        _while_open(_one(lambda s: float(s.is_allowed))),
    ),
    Metric(
        f"{_PREFIX}.frames.degraded",
        "counter",
        "{frame}",
        "Frames whose image was encoded smaller, as `degrade` says.",
        _one(lambda s: s.degraded),
    ),
    Metric(
        f"{_PREFIX}.degrade.level",
        "gauge",
        "1",
        "Which step of `degrade` counts now, from 1; 0: frames are sent as they come.",
        _while_open(_one(lambda s: s.degrade_level)),
    ),
    Metric(
        f"{_PREFIX}.spool.frames",
        "up_down_counter",
        "{frame}",
        "Frames on disk to be delivered, without refused ones that are kept.",
        _one(lambda s: s.spool_frames),
    ),
    Metric(
        f"{_PREFIX}.spool",
        "up_down_counter",
        "By",
        "Room that these take, and refused ones that are kept.",
        _one(lambda s: s.spool_bytes),
    ),
    Metric(
        f"{_PREFIX}.spool.free",
        "gauge",
        "By",
        "What may still be written on their file system; no value without a spool.",
        _while_open(_known(lambda s: s.spool_free_bytes)),
    ),
    Metric(
        f"{_PREFIX}.spool.quarantined",
        "counter",
        "{record}",
        "Damaged records found on disk.",
        _one(lambda s: s.quarantined),
    ),
)
"""What is read from `Uploader.statistics()`; each value has the attribute `uploader`, the name given when it was registered."""

FRAME_DURATION: Final[Metric[UploaderStatistics]] = Metric(
    f"{_PREFIX}.frame.duration",
    "histogram",
    "s",
    "From a frame's acceptance to its delivery.",
    bounds=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 3600, 21600, 86400),
)
"""Recorded for each delivered frame. The last buckets are for what waits out an outage."""


def _source_outcomes(statistics: UploaderStatistics) -> Iterator[Value]:
    for source, counts in statistics.by_source.items():
        yield {"source": source, "outcome": "delivered"}, counts.delivered
        yield {"source": source, "outcome": "rejected"}, counts.rejected
        yield {"source": source, "outcome": "dropped"}, counts.dropped
        yield {"source": source, "outcome": "spooled"}, counts.spooled


SOURCE_METRICS: Final[tuple[Metric[UploaderStatistics], ...]] = (
    Metric(
        f"{_PREFIX}.frames.dropped_by_source",
        "counter",
        "{frame}",
        "Frames dropped, by `Frame.source`.",
        _each("source", lambda s: s.dropped_by_source),
    ),
    Metric(
        f"{_PREFIX}.source.frames",
        "counter",
        "{frame}",
        "Frames that have their outcome, by `Frame.source`.",
        _source_outcomes,
    ),
    Metric(
        f"{_PREFIX}.source.frames.pending",
        "up_down_counter",
        "{frame}",
        "Frames accepted and without outcome, by `Frame.source`.",
        lambda s: [({"source": source}, counts.pending) for source, counts in s.by_source.items()],
    ),
)
"""Only where `by_source=True` asks for them: a metric's values should be few, and sources may be many. All but the first need the
uploader's option of that name too."""


def _connections(statistics: ClientStatistics) -> Iterator[Value]:
    for state, counts in (("active", statistics.connections_active), ("idle", statistics.connections_idle)):
        for place, count in counts.items():
            host, _, port = place.rpartition(":")
            yield {"server.address": host, "server.port": int(port), "http.connection.state": state}, count


CLIENT_METRICS: Final[tuple[Metric[ClientStatistics], ...]] = (
    Metric(
        "http.client.open_connections",
        "up_down_counter",
        "{connection}",
        "Connections that are open, by host and whether a request is under way.",
        _connections,
    ),
    Metric(
        "picsellia.client.connections.opening",
        "up_down_counter",
        "{connection}",
        "Connections that are being opened.",
        _one(lambda s: s.connections_opening),
    ),
    Metric(
        "picsellia.client.requests.waiting",
        "up_down_counter",
        "{request}",
        "Calls that wait for a connection.",
        _one(lambda s: s.waiting),
    ),
    Metric(
        "picsellia.client.sign_ins",
        "counter",
        "{sign_in}",
        "JWTs that monitoring and serving hosts issued.",
        _one(lambda s: s.sign_ins),
    ),
)
"""What is read from `AsyncClient.statistics()`; each value has the attribute `client`."""

ATTEMPT_DURATION: Final[Metric[ClientStatistics]] = Metric(
    "http.client.request.duration",
    "histogram",
    "s",
    "Of one attempt of a call or frame, from its begin to the whole answer.",
    bounds=(0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10),
)
"""Recorded for each attempt, with OpenTelemetry's attributes and buckets."""

CAMERA_METRICS: Final[tuple[Metric[CameraStatistics], ...]] = (
    Metric(
        "picsellia.camera.frames.received",
        "counter",
        "{frame}",
        "Frames decoded and chosen.",
        _one(lambda s: s.received),
    ),
    Metric(
        "picsellia.camera.frames.taken", "counter", "{frame}", "Frames that the reader has.", _one(lambda s: s.taken)
    ),
    Metric(
        "picsellia.camera.frames.dropped",
        "counter",
        "{frame}",
        "Frames given up, by reason.",
        _each("reason", lambda s: s.dropped_by_reason),
    ),
    Metric(
        "picsellia.camera.frames.damaged",
        "counter",
        "{frame}",
        "Pictures that came damaged.",
        _one(lambda s: s.damaged),
    ),
    Metric(
        "picsellia.camera.frames.buffered",
        "up_down_counter",
        "{frame}",
        "Frames that wait for the reader.",
        _one(lambda s: s.buffered),
    ),
    Metric(
        "picsellia.camera.connects", "counter", "{connection}", "Times that it was opened.", _one(lambda s: s.connects)
    ),
    Metric(
        "picsellia.camera.failures",
        "counter",
        "{failure}",
        "Times that opening failed or the stream broke off.",
        _one(lambda s: s.failures),
    ),
    Metric(
        "picsellia.camera.callback.errors",
        "counter",
        "{error}",
        "Times that `on_state` raised.",
        _one(lambda s: s.callback_errors),
    ),
    Metric(
        "picsellia.camera.state",
        "gauge",
        "1",
        "1 for the state in which it is, 0 for the others.",
        _states(CameraState, lambda s: (s.state,)),
    ),
)
"""What is read from `Camera.statistics()`; each value has the attribute `camera`."""


def _stages(statistics: PipelineStatistics) -> Iterator[Value]:
    yield {"outcome": "submitted"}, statistics.submitted
    yield from _by_reason("skipped", statistics.skipped_by_reason)  # rules have any name
    yield from _by_reason("failed", statistics.failed_by_reason, FAIL_REASONS)


PIPELINE_METRICS: Final[tuple[Metric[PipelineStatistics], ...]] = (
    Metric(
        "picsellia.pipeline.frames.received",
        "counter",
        "{frame}",
        "Frames that the sources gave.",
        _one(lambda s: s.received),
    ),
    Metric(
        "picsellia.pipeline.frames",
        "counter",
        "{frame}",
        "Frames that were submitted, skipped or failed; but for the first with the reason.",
        _stages,
    ),
    Metric(
        "picsellia.pipeline.frames.pending",
        "up_down_counter",
        "{frame}",
        "Frames that wait, are with the model, or are being submitted.",
        _one(lambda s: s.pending),
    ),
    Metric(
        "picsellia.pipeline.predictions",
        "counter",
        "{frame}",
        "Frames that the model has seen, without failing.",
        _one(lambda s: s.predicted),
    ),
)
"""What is read from `Pipeline.statistics()`; each value has the attribute `pipeline`."""

PREDICT_DURATION: Final[Metric[PipelineStatistics]] = Metric(
    "picsellia.pipeline.predict.duration",
    "histogram",
    "s",
    "Of the call of the model that a frame was in.",
    bounds=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
"""Recorded for each frame that the model has seen, without failing."""

PIPELINE_FRAME_DURATION: Final[Metric[PipelineStatistics]] = Metric(
    "picsellia.pipeline.frame.duration",
    "histogram",
    "s",
    "From a frame's arrival in the pipeline to its delivery.",
    bounds=FRAME_DURATION.bounds,
)
"""Recorded for each frame that is delivered, but for those that had to be read back from disk."""


def _source_stages(statistics: PipelineStatistics) -> Iterator[Value]:
    for source, counts in statistics.by_source.items():
        yield {"source": source, "outcome": "submitted"}, counts.submitted
        yield {"source": source, "outcome": "skipped"}, counts.skipped
        yield {"source": source, "outcome": "failed"}, counts.failed


PIPELINE_SOURCE_METRICS: Final[tuple[Metric[PipelineStatistics], ...]] = (
    Metric(
        "picsellia.pipeline.source.frames",
        "counter",
        "{frame}",
        "Frames that were submitted, skipped or failed, by source.",
        _source_stages,
    ),
    Metric(
        "picsellia.pipeline.source.frames.pending",
        "up_down_counter",
        "{frame}",
        "Frames that wait, are with the model, or are being submitted, by source.",
        lambda s: [({"source": source}, counts.pending) for source, counts in s.by_source.items()],
    ),
)
"""Only where `by_source=True` asks for them, as `SOURCE_METRICS`."""

PIPELINE_SOURCE_FRAME_DURATION: Final = attrs.evolve(
    PIPELINE_FRAME_DURATION,
    name="picsellia.pipeline.source.frame.duration",
    description="From a frame's arrival in the pipeline to its delivery, by source.",
)
"""Recorded where `by_source=True` asks for it."""
