"""Metrics of uploaders, clients, cameras and pipelines, for Prometheus and OpenTelemetry.

What is measured stands in the tables of `_measured`; both exporters go through them. Those numbers are
read when somebody asks for them. Durations cannot be read afterwards: they are recorded from the moment on when somebody registers.

Names and units are OpenTelemetry's. Prometheus gets them in its own spelling: `picsellia.uploader.frames.pending` is
`picsellia_uploader_frames_pending` there, a counter ends in `_total`, and a unit stands before that.
"""

from __future__ import annotations

import functools
import itertools
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, Generic, TypeAlias, TypeVar

import attrs

from picsellia_async._error_text import shown_name
from picsellia_async._histogram import Histogram
from picsellia_async._measured import (
    ATTEMPT_DURATION,
    CAMERA_METRICS,
    CLIENT_METRICS,
    FRAME_DURATION,
    PIPELINE_FRAME_DURATION,
    PIPELINE_METRICS,
    PIPELINE_SOURCE_FRAME_DURATION,
    PIPELINE_SOURCE_METRICS,
    PREDICT_DURATION,
    SOURCE_METRICS,
    UPLOADER_METRICS,
    Attributes,
    Metric,
)
from picsellia_async._version import __version__
from picsellia_async._wire.exchange import Origin
from picsellia_async.client import AsyncClient, record_attempts
from picsellia_async.errors import ConfigurationError, shown
from picsellia_async.pipeline import Pipeline
from picsellia_async.pipeline.pipeline import record_durations as record_pipeline_durations
from picsellia_async.sources import Camera, CameraState
from picsellia_async.sync_uploader import SyncUploader, statistics_here
from picsellia_async.sync_uploader import record_durations as record_sync_durations
from picsellia_async.uploader import Uploader, record_durations
from picsellia_async.validation import boolean

if TYPE_CHECKING:
    from opentelemetry.metrics import CallbackOptions, MeterProvider, Observation
    from prometheus_client import Metric as PrometheusMetric
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

__all__ = [
    "ATTEMPT_DURATION",
    "CAMERA_METRICS",
    "CLIENT_METRICS",
    "FRAME_DURATION",
    "PIPELINE_FRAME_DURATION",
    "PIPELINE_METRICS",
    "PIPELINE_SOURCE_FRAME_DURATION",
    "PIPELINE_SOURCE_METRICS",
    "PREDICT_DURATION",
    "SOURCE_METRICS",
    "UPLOADER_METRICS",
    "Metric",
    "PrometheusCollector",
    "prometheus_name",
    "register_opentelemetry",
]

S = TypeVar("S")


@attrs.frozen(eq=False)
class _Watched(Generic[S]):
    """Things of one kind that are measured, by name. They are held weakly: being watched keeps nothing alive."""

    label: str
    metrics: tuple[Metric[S], ...]
    things: dict[str, Callable[[], Any]]

    def snapshots(self) -> dict[str, S]:
        """Return the statistics of what is still there, by name; a `SyncUploader` has some once it is open."""
        things = ((name, reference()) for name, reference in self.things.items())
        found = ((name, _statistics(thing)) for name, thing in things if thing is not None)
        return {name: statistics for name, statistics in found if statistics is not None}

    def read(self, metric: Metric[S], snapshots: Mapping[str, S]) -> Iterator[tuple[Attributes, float]]:
        """Yield the values; those of sources whose names are shown alike in one sum, for a series comes once."""
        for name, statistics in snapshots.items():
            shown: dict[tuple[object, ...], tuple[Attributes, float]] = {}
            for attributes, value in metric.read(statistics):
                if (source := attributes.get("source")) is None:
                    yield {self.label: name, **attributes}, value
                    continue
                attributes = {self.label: name, **attributes, "source": shown_name(str(source))}  # noqa: PLW2901
                key = tuple(attributes.values())
                shown[key] = attributes, value + (shown[key][1] if key in shown else 0)
            yield from shown.values()


T = TypeVar("T")


def _named(things: Mapping[str, T] | None, argument: str, kinds: tuple[type, ...]) -> dict[str, T]:
    """Return what is to be measured, by the names that labels get: without the password of an address that one took for a name.

    Raises:
        ConfigurationError: It is no mapping of names to things of these kinds.
    """
    one = argument.removesuffix("s")
    if things is None:
        return {}
    if not isinstance(things, Mapping):
        raise ConfigurationError(
            f"{argument} must be a mapping of names to {argument}, {argument}={{'name': {one}}}, got {shown(things)}"
        )
    named: dict[str, T] = {}
    for name, thing in things.items():
        if not isinstance(name, str) or not name.strip():
            raise ConfigurationError(f"the names of {argument} must be text, got {shown(name)}")
        if not isinstance(thing, kinds):
            wanted = " or ".join(kind.__name__ for kind in kinds)
            raise ConfigurationError(f"{argument}[{shown(shown_name(name))}] must be {wanted}, got {shown(thing)}")
        label = text = shown_name(name)
        number = 1
        while label in named:
            number += 1
            label = f"{text} ({number})"
        named[label] = thing
    return named


def _checked(
    uploaders: Mapping[str, Uploader | SyncUploader] | None,
    clients: Mapping[str, AsyncClient] | None,
    cameras: Mapping[str, Camera] | None,
    pipelines: Mapping[str, Pipeline] | None,
) -> tuple[dict[str, Uploader | SyncUploader], dict[str, AsyncClient], dict[str, Camera], dict[str, Pipeline]]:
    """Return all that is to be measured, each by the name that its labels get."""
    return (
        _named(uploaders, "uploaders", (Uploader, SyncUploader)),
        _named(clients, "clients", (AsyncClient,)),
        _named(cameras, "cameras", (Camera,)),
        _named(pipelines, "pipelines", (Pipeline,)),
    )


def _statistics(thing: Any) -> Any:
    return statistics_here(thing) if isinstance(thing, SyncUploader) else thing.statistics()


def _watched(
    uploaders: Mapping[str, Uploader | SyncUploader],
    clients: Mapping[str, AsyncClient],
    cameras: Mapping[str, Camera],
    pipelines: Mapping[str, Pipeline],
    *,
    by_source: bool,
) -> tuple[_Watched[Any], ...]:
    if not (uploaders or clients or cameras or pipelines):
        raise ConfigurationError(
            "nothing to measure: give uploaders={'name': uploader}, clients={'name': client}, cameras={'name': camera}, "
            "or pipelines={'name': pipeline}"
        )
    by_source = boolean(by_source, "by_source")
    metrics = (*UPLOADER_METRICS, *SOURCE_METRICS) if by_source else UPLOADER_METRICS
    stages = (*PIPELINE_METRICS, *PIPELINE_SOURCE_METRICS) if by_source else PIPELINE_METRICS
    return (
        _Watched("uploader", metrics, {name: weakref.ref(uploader) for name, uploader in uploaders.items()}),
        _Watched("client", CLIENT_METRICS, {name: weakref.ref(client) for name, client in clients.items()}),
        _Watched("camera", CAMERA_METRICS, {name: weakref.ref(camera) for name, camera in cameras.items()}),
        _Watched("pipeline", stages, {name: weakref.ref(pipeline) for name, pipeline in pipelines.items()}),
    )


Record: TypeAlias = Callable[[float, Attributes], object]
"""Counts a duration with its attributes in a histogram."""


@attrs.frozen(eq=False)
class _Attempts:
    """Records the attempts of one client, under OpenTelemetry's attributes."""

    client: str
    record: Record

    def attempt(self, method: str, origin: Origin, status: int | None, error: str | None, seconds: float) -> None:
        attributes: Attributes = {
            "client": self.client,
            "http.request.method": method,
            "server.address": origin.host,
            "server.port": origin.port,
        }
        if status is not None:
            attributes["http.response.status_code"] = status
        if error is not None:
            attributes["error.type"] = error
        self.record(seconds, attributes)


def _record_durations(
    uploaders: Mapping[str, Uploader | SyncUploader],
    clients: Mapping[str, AsyncClient],
    pipelines: Mapping[str, Pipeline],
    make: Callable[[Metric[Any]], Record],
    *,
    by_source: bool,
) -> None:
    """Have the durations recorded from now on.

    Args:
        uploaders: By name.
        clients: By name.
        pipelines: By name.
        make: Makes the histogram of a metric.
        by_source: Whether the ages of a pipeline's frames are told by source as well.
    """
    if uploaders:
        record = make(FRAME_DURATION)
        for name, uploader in uploaders.items():
            record_one = functools.partial(_with_attributes, record, {"uploader": name})
            if isinstance(uploader, SyncUploader):
                record_sync_durations(uploader, record_one)
            else:
                record_durations(uploader, record_one)
    if clients:
        record = make(ATTEMPT_DURATION)
        for name, client in clients.items():
            record_attempts(client, _Attempts(name, record))
    if pipelines:
        predicted, delivered = make(PREDICT_DURATION), make(PIPELINE_FRAME_DURATION)
        by_its_source = make(PIPELINE_SOURCE_FRAME_DURATION) if by_source else None
        for name, pipeline in pipelines.items():
            frames = _PipelineFrames(name, predicted, delivered, by_its_source)
            record_pipeline_durations(pipeline, frames.predicted, frames.delivered)


@attrs.frozen(eq=False)
class _PipelineFrames:
    """Records the frames of one pipeline."""

    pipeline: str
    record_prediction: Record
    record_delivery: Record
    record_delivery_of_source: Record | None

    def predicted(self, _source: str, seconds: float) -> None:
        self.record_prediction(seconds, {"pipeline": self.pipeline})

    def delivered(self, source: str, seconds: float) -> None:
        self.record_delivery(seconds, {"pipeline": self.pipeline})
        if self.record_delivery_of_source is not None:
            self.record_delivery_of_source(seconds, {"pipeline": self.pipeline, "source": shown_name(source)})


def _with_attributes(record: Record, attributes: Attributes, seconds: float) -> None:
    record(seconds, attributes)


class PrometheusCollector:
    """A collector for `prometheus_client`: `REGISTRY.register(PrometheusCollector({"yard": uploader}))`.

    A registry takes one collector of uploaders, one of clients, and so on: give all in one mapping, and take the former collector out with
    `unregister` for others. A second one is a ValueError of `prometheus_client`. It reads `statistics()` once at every scrape. That may be done from another thread, as `prometheus_client.start_http_server` does.
    Durations are recorded from the time on when it is made; make one, and keep it.
    """

    def __init__(
        self,
        uploaders: Mapping[str, Uploader | SyncUploader] | None = None,
        *,
        clients: Mapping[str, AsyncClient] | None = None,
        cameras: Mapping[str, Camera] | None = None,
        pipelines: Mapping[str, Pipeline] | None = None,
        by_source: bool = False,
    ) -> None:
        """Store what is measured; nothing is read before the first scrape.

        Args:
            uploaders: By the name that the label `uploader` gets. A `SyncUploader` may be given before it is opened.
            clients: By the name that the label `client` gets. Copies by `with_options` count with their client.
            cameras: By the name that the label `camera` gets.
            pipelines: By the name that the label `pipeline` gets. Their uploaders and cameras are named beside them.
            by_source: Whether frames are counted by `Frame.source` as well. Only where the sources are few. The dropped ones always
                can be; the others need an uploader with the option `by_source=True`.

        Raises:
            ConfigurationError: There is nothing to measure, something is not what its argument is about, or `prometheus_client` is not installed.
        """
        uploaders, clients, cameras, pipelines = _checked(uploaders, clients, cameras, pipelines)
        self._watched = _watched(uploaders, clients, cameras, pipelines, by_source=by_source)
        try:
            import prometheus_client.core  # noqa: PLC0415 - an extra
        except ImportError as error:
            raise ConfigurationError(
                "metrics for Prometheus need the extra 'prometheus': pip install 'picsellia-async[prometheus]'"
            ) from error
        self._counter = prometheus_client.core.CounterMetricFamily
        self._gauge = prometheus_client.core.GaugeMetricFamily
        self._histogram = prometheus_client.core.HistogramMetricFamily
        self._histograms: list[tuple[Metric[Any], Histogram]] = []
        _record_durations(uploaders, clients, pipelines, self._make, by_source=by_source)

    def _make(self, metric: Metric[Any]) -> Record:
        histogram = Histogram(metric.bounds)
        self._histograms.append((metric, histogram))
        return lambda seconds, attributes: histogram.record(seconds, tuple(attributes.items()))

    def describe(self) -> Iterator[PrometheusMetric]:
        """Yield the metrics without values. By their names a registry refuses a second collector of the same, which would double them."""
        for watched in self._watched:
            for metric in watched.metrics if watched.things else ():
                yield self._family(metric)(prometheus_name(metric), metric.description, labels=[watched.label])
        for metric, _ in self._histograms:
            yield self._histogram(prometheus_name(metric), metric.description, labels=[])

    def _family(self, metric: Metric[Any]) -> type[CounterMetricFamily | GaugeMetricFamily]:
        return self._counter if metric.kind == "counter" else self._gauge

    def collect(self) -> Iterator[PrometheusMetric]:
        """Yield the metrics, as Prometheus asks for them."""
        for watched in self._watched:
            snapshots = watched.snapshots()  # one for all metrics: they agree with each other
            for metric in watched.metrics if watched.things else ():
                values = list(watched.read(metric, snapshots))
                names = _names(attributes for attributes, _ in values)
                labels = _labels(names) or [watched.label]
                found = self._family(metric)(prometheus_name(metric), metric.description, labels=labels)
                for attributes, value in values:
                    found.add_metric([str(attributes.get(name, "")) for name in names], value)
                yield found
        for metric, histogram in self._histograms:
            series = [(dict(attributes), counts, total) for attributes, counts, total in histogram.read()]
            names = _names(attributes for attributes, _, _ in series)
            durations = self._histogram(prometheus_name(metric), metric.description, labels=_labels(names))
            for attributes, counts, total in series:
                buckets = zip(
                    (*map(str, map(float, histogram.bounds)), "+Inf"), itertools.accumulate(counts), strict=True
                )
                durations.add_metric([str(attributes.get(name, "")) for name in names], list(buckets), total)
            yield durations


def _names(found: Iterable[Attributes]) -> list[str]:
    """Return the names of all attributes, each once."""
    return list(dict.fromkeys(name for attributes in found for name in attributes))


def _labels(names: list[str]) -> list[str]:
    """Return the names of attributes as Prometheus spells them."""
    return [name.replace(".", "_") for name in names]


def prometheus_name(metric: Metric[Any]) -> str:
    """Return the name by which Prometheus knows a metric."""
    unit = {"By": "_bytes", "s": "_seconds"}.get(metric.unit, "")
    return metric.name.replace(".", "_") + unit + ("_total" if metric.kind == "counter" else "")


def _is_over(thing: Any) -> bool:
    """Return whether nothing more comes from a thing, so that another one may have its name."""
    if isinstance(thing, Camera):
        return thing.statistics().state in {CameraState.CLOSED, CameraState.ENDED}
    return thing is None or bool((thing.uploader if isinstance(thing, Pipeline) else thing).is_closed)


@attrs.define(eq=False)
class _Instruments:
    """What one provider measures. Its SDK makes an instrument of a name once, and drops without a word what comes with that later."""

    watched: tuple[_Watched[Any], ...] = ()
    """Replaced as a whole: a reader goes through it in a thread of its own."""
    made: set[str] = attrs.field(factory=set)
    """Names of the observable instruments."""

    def add(self, watched: tuple[_Watched[Any], ...]) -> None:
        """Measure more.

        Raises:
            ConfigurationError: One has the name of another one that is measured still.
        """
        for new, old in itertools.product(watched, self.watched):
            for name in new.things.keys() & old.things.keys() if new.label == old.label else ():
                if not _is_over(known := old.things[name]()):
                    one = "that one" if known is new.things[name]() else "another one"
                    message = (
                        f"the {new.label} {name!r} is measured already, and {one} is not closed: take another name"
                    )
                    raise ConfigurationError(message)
        names = {(new.label, name) for new in watched for name in new.things}
        for old in self.watched:
            things = {
                name: one for name, one in old.things.items() if (old.label, name) not in names and one() is not None
            }
            watched += (attrs.evolve(old, things=things),) if things else ()
        self.watched = tuple(one for one in watched if one.things)

    def read(self, metric: Metric[Any]) -> Iterator[tuple[Attributes, float]]:
        for watched in self.watched:
            if metric in watched.metrics:
                yield from watched.read(metric, watched.snapshots())


_INSTRUMENTS: Final[weakref.WeakKeyDictionary[Any, _Instruments]] = weakref.WeakKeyDictionary()
"""By provider; only under `_LOCK`."""
_LOCK: Final = threading.Lock()


def _instruments_of(provider: Any, *, is_global: bool) -> _Instruments:
    try:
        found = _INSTRUMENTS.get(provider)
    except TypeError:  # one that cannot be referred to weakly is not known again
        return _Instruments()
    if found is None and is_global:
        # Before there is an SDK the API has a stand-in, whose instruments are those of the SDK later.
        stand_in = (made for one, made in _INSTRUMENTS.items() if type(one).__name__ == "_ProxyMeterProvider")
        found = next(stand_in, None)
    return found or _INSTRUMENTS.setdefault(provider, _Instruments())


def register_opentelemetry(
    uploaders: Mapping[str, Uploader | SyncUploader] | None = None,
    *,
    clients: Mapping[str, AsyncClient] | None = None,
    cameras: Mapping[str, Camera] | None = None,
    pipelines: Mapping[str, Pipeline] | None = None,
    by_source: bool = False,
    meter_provider: MeterProvider | None = None,
) -> None:
    """Register observable instruments with OpenTelemetry, whose reader asks for their values when it exports, and histograms.

    It may be called again, for what is made later. The name of what was closed, or is gone, may be given to another one.

    Args:
        uploaders: By the name that the attribute `uploader` gets. A `SyncUploader` may be given before it is opened.
        clients: By the name that the attribute `client` gets. Copies by `with_options` count with their client.
        cameras: By the name that the attribute `camera` gets.
        pipelines: By the name that the attribute `pipeline` gets. Their uploaders and cameras are named beside them.
        by_source: Whether frames are counted by `Frame.source` as well. Only where the sources are few. The dropped ones always can
            be; the others need an uploader with the option `by_source=True`.
        meter_provider: Whose meter makes the instruments; by default the global one.

    Raises:
        ConfigurationError: There is nothing to measure, something is not what its argument is about, a name is that of another one that is measured and not closed, or
            OpenTelemetry's API is not installed.
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

    def observer(instruments: _Instruments, metric: Metric[Any]) -> Callable[[CallbackOptions], Iterable[Observation]]:
        return lambda _: [metrics.Observation(value, attributes) for attributes, value in instruments.read(metric)]

    def durations(metric: Metric[Any]) -> Record:
        return meter.create_histogram(
            metric.name, metric.unit, metric.description, explicit_bucket_boundaries_advisory=metric.bounds
        ).record

    uploaders, clients, cameras, pipelines = _checked(uploaders, clients, cameras, pipelines)
    found = _watched(uploaders, clients, cameras, pipelines, by_source=by_source)
    with _LOCK:
        instruments = _instruments_of(provider, is_global=provider is metrics.get_meter_provider())
        instruments.add(found)
        new = [one for each in found if each.things for one in each.metrics if one.name not in instruments.made]
        instruments.made.update(metric.name for metric in new)
    for metric in new:
        make[metric.kind](
            metric.name, callbacks=[observer(instruments, metric)], unit=metric.unit, description=metric.description
        )
    _record_durations(uploaders, clients, pipelines, durations, by_source=by_source)
