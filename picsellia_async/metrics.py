"""Metrics of uploaders and cameras, for Prometheus and OpenTelemetry.

One table says what is measured, and from which number of `statistics()` it is read; both exporters go through it. Nothing is
counted twice and nothing is added to the path of a frame: the numbers are read when somebody asks for them.

Names and units are OpenTelemetry's. Prometheus gets them in its own spelling: `picsellia.uploader.frames.pending` is
`picsellia_uploader_frames_pending` there, a counter ends in `_total`, and a unit stands before that.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, Generic, Literal, TypeAlias, TypeVar

import attrs

from picsellia_async._delivery.outcomes import Health, UploaderStatistics
from picsellia_async._version import __version__
from picsellia_async.errors import ConfigurationError
from picsellia_async.sources import Camera, CameraState, CameraStatistics
from picsellia_async.uploader import Uploader

if TYPE_CHECKING:
    from opentelemetry.metrics import CallbackOptions, MeterProvider, Observation
    from prometheus_client import Metric as PrometheusMetric

__all__ = [
    "CAMERA_METRICS",
    "UPLOADER_METRICS",
    "Metric",
    "PrometheusCollector",
    "prometheus_name",
    "register_opentelemetry",
]

S = TypeVar("S")

Attributes: TypeAlias = dict[str, str]
Kind: TypeAlias = Literal["counter", "up_down_counter", "gauge"]


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
    read: Callable[[S], Iterable[tuple[Attributes, float]]] = attrs.field(repr=False)
    """Returns values, each with the attributes that tell it from the others."""


def _one(read: Callable[[S], float]) -> Callable[[S], Iterable[tuple[Attributes, float]]]:
    return lambda statistics: [({}, read(statistics))]


def _outcomes(statistics: UploaderStatistics) -> Iterator[tuple[Attributes, float]]:
    yield {"outcome": "delivered"}, statistics.delivered
    yield {"outcome": "rejected"}, statistics.rejected
    yield {"outcome": "spooled"}, statistics.spooled
    for reason, count in statistics.dropped_by_reason.items():
        yield {"outcome": "dropped", "reason": reason}, count


def _each(label: str, read: Callable[[S], Mapping[str, int]]) -> Callable[[S], Iterable[tuple[Attributes, float]]]:
    """Return one value per entry of a count by something."""
    return lambda statistics: [({label: name}, count) for name, count in read(statistics).items()]


def _states(
    states: Iterable[StrEnum], read: Callable[[S], StrEnum]
) -> Callable[[S], Iterable[tuple[Attributes, float]]]:
    """Return 1 for the state that holds, and 0 for each of the others."""
    return lambda statistics: [({"state": one.value}, float(read(statistics) is one)) for one in states]


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
        "Frames that were not taken: `submit` raised.",
        _one(lambda s: s.refused),
    ),
    Metric(
        f"{_PREFIX}.frames.duplicate",
        "counter",
        "{frame}",
        "Frames delivered that the service had already.",
        _one(lambda s: s.duplicates),
    ),
    Metric(f"{_PREFIX}.retries", "counter", "{request}", "Repeats sent.", _one(lambda s: s.retried)),
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
        _one(lambda s: s.concurrency),
    ),
    Metric(
        f"{_PREFIX}.round_trip", "gauge", "s", "Smoothed time from request to answer.", _one(lambda s: s.round_trip)
    ),
    Metric(
        f"{_PREFIX}.health",
        "gauge",
        "1",
        "1 for the state in which delivery is, 0 for the others.",
        _states(Health, lambda s: s.health),
    ),
    Metric(f"{_PREFIX}.spool.frames", "up_down_counter", "{frame}", "Frames on disk.", _one(lambda s: s.spool_frames)),
    Metric(f"{_PREFIX}.spool", "up_down_counter", "By", "Room that they take.", _one(lambda s: s.spool_bytes)),
    Metric(
        f"{_PREFIX}.spool.quarantined",
        "counter",
        "{record}",
        "Damaged records found on disk.",
        _one(lambda s: s.quarantined),
    ),
)
"""What is read from `Uploader.statistics()`; each value has the attribute `uploader`, the name given when it was registered."""

DROPS_BY_SOURCE: Final[Metric[UploaderStatistics]] = Metric(
    f"{_PREFIX}.frames.dropped_by_source",
    "counter",
    "{frame}",
    "Frames dropped, by `Frame.source`.",
    _each("source", lambda s: s.dropped_by_source),
)
"""Only where `by_source=True` asks for it: a metric's values should be few, and sources may be many."""

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
        "picsellia.camera.state",
        "gauge",
        "1",
        "1 for the state in which it is, 0 for the others.",
        _states(CameraState, lambda s: s.state),
    ),
)
"""What is read from `Camera.statistics()`; each value has the attribute `camera`."""


@attrs.frozen(eq=False)
class _Watched(Generic[S]):
    """Things of one kind that are measured, by name. They are held weakly: being watched keeps nothing alive."""

    label: str
    metrics: tuple[Metric[S], ...]
    things: dict[str, Callable[[], Any]]

    def snapshots(self) -> dict[str, S]:
        """Return the statistics of what is still there, by name."""
        things = ((name, reference()) for name, reference in self.things.items())
        return {name: thing.statistics() for name, thing in things if thing is not None}

    def read(self, metric: Metric[S], snapshots: Mapping[str, S]) -> Iterator[tuple[Attributes, float]]:
        for name, statistics in snapshots.items():
            for attributes, value in metric.read(statistics):
                yield {self.label: name, **attributes}, value


def _watched(
    uploaders: Mapping[str, Uploader], cameras: Mapping[str, Camera], *, by_source: bool
) -> tuple[_Watched[Any], ...]:
    if not uploaders and not cameras:
        raise ConfigurationError("nothing to measure: give uploaders={'name': uploader}, or cameras={'name': camera}")
    metrics = (*UPLOADER_METRICS, DROPS_BY_SOURCE) if by_source else UPLOADER_METRICS
    return (
        _Watched("uploader", metrics, {name: weakref.ref(uploader) for name, uploader in uploaders.items()}),
        _Watched("camera", CAMERA_METRICS, {name: weakref.ref(camera) for name, camera in cameras.items()}),
    )


class PrometheusCollector:
    """A collector for `prometheus_client`: `REGISTRY.register(PrometheusCollector({"yard": uploader}))`.

    It reads `statistics()` once at every scrape. That may be done from another thread, as `prometheus_client.start_http_server` does.
    """

    def __init__(
        self,
        uploaders: Mapping[str, Uploader] | None = None,
        *,
        cameras: Mapping[str, Camera] | None = None,
        by_source: bool = False,
    ) -> None:
        """Store what is measured; nothing is read before the first scrape.

        Args:
            uploaders: By the name that the label `uploader` gets.
            cameras: By the name that the label `camera` gets.
            by_source: Whether dropped frames are counted by `Frame.source` as well. Only where the sources are few.

        Raises:
            ConfigurationError: There is nothing to measure, or `prometheus_client` is not installed.
        """
        self._watched = _watched(uploaders or {}, cameras or {}, by_source=by_source)
        try:
            import prometheus_client.core  # noqa: PLC0415 - an extra
        except ImportError as error:
            raise ConfigurationError(
                "metrics for Prometheus need the extra 'prometheus': pip install 'picsellia-async[prometheus]'"
            ) from error
        self._counter = prometheus_client.core.CounterMetricFamily
        self._gauge = prometheus_client.core.GaugeMetricFamily

    def collect(self) -> Iterator[PrometheusMetric]:
        """Yield the metrics, as Prometheus asks for them."""
        for watched in self._watched:
            snapshots = watched.snapshots()  # one for all metrics: they agree with each other
            for metric in watched.metrics:
                values = list(watched.read(metric, snapshots))
                labels = list(dict.fromkeys(name for attributes, _ in values for name in attributes))
                family = self._counter if metric.kind == "counter" else self._gauge
                found = family(prometheus_name(metric), metric.description, labels=labels or [watched.label])
                for attributes, value in values:
                    found.add_metric([attributes.get(name, "") for name in labels], value)
                yield found


def prometheus_name(metric: Metric[Any]) -> str:
    """Return the name by which Prometheus knows a metric."""
    unit = {"By": "_bytes", "s": "_seconds"}.get(metric.unit, "")
    return metric.name.replace(".", "_") + unit + ("_total" if metric.kind == "counter" else "")


def register_opentelemetry(
    uploaders: Mapping[str, Uploader] | None = None,
    *,
    cameras: Mapping[str, Camera] | None = None,
    by_source: bool = False,
    meter_provider: MeterProvider | None = None,
) -> None:
    """Register observable instruments with OpenTelemetry; its reader asks for their values when it exports.

    Args:
        uploaders: By the name that the attribute `uploader` gets.
        cameras: By the name that the attribute `camera` gets.
        by_source: Whether dropped frames are counted by `Frame.source` as well. Only where the sources are few.
        meter_provider: Whose meter makes the instruments; by default the global one.

    Raises:
        ConfigurationError: There is nothing to measure, or OpenTelemetry's API is not installed.
    """
    try:
        from opentelemetry import metrics  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ConfigurationError("OpenTelemetry needs the extra 'otel': pip install 'picsellia-async[otel]'") from error
    provider = meter_provider or metrics.get_meter_provider()
    meter = provider.get_meter("picsellia_async", __version__)
    make = {
        "counter": meter.create_observable_counter,
        "up_down_counter": meter.create_observable_up_down_counter,
        "gauge": meter.create_observable_gauge,
    }

    def observer(watched: _Watched[Any], metric: Metric[Any]) -> Callable[[CallbackOptions], Iterable[Observation]]:
        return lambda _: [
            metrics.Observation(value, attributes) for attributes, value in watched.read(metric, watched.snapshots())
        ]

    for watched in _watched(uploaders or {}, cameras or {}, by_source=by_source):
        for metric in watched.metrics if watched.things else ():
            make[metric.kind](
                metric.name, callbacks=[observer(watched, metric)], unit=metric.unit, description=metric.description
            )
