"""What the monitoring host is told about predictions, and what it tells."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Callable, Coroutine, Iterable
from pathlib import Path
from typing import Any
from uuid import UUID

from picsellia_async._deployment.hosts import Hosts
from picsellia_async._deployment.meaning import Meaning
from picsellia_async._services.files import file_size, read_image
from picsellia_async._services.oracle import OracleService
from picsellia_async._wire.bodies import image_view
from picsellia_async._wire.encoding import Query
from picsellia_async._wire.oracle_requests import MonitorShadowRequest, monitor_metadata, raw_predictions
from picsellia_async.enums import InferenceType, ServiceMetrics, SupportedContentType
from picsellia_async.errors import ConfigurationError, FileNotFoundException, ImplausibleError, shown
from picsellia_async.frames import Frame
from picsellia_async.models import DeploymentDescription
from picsellia_async.monitor_options import MonitorOptions, content_type_of_name
from picsellia_async.plausibility import LATENCY_TOLD, Checks, check_known_size
from picsellia_async.predictions import PredictionFormat, as_prediction, check_prediction_type, copied
from picsellia_async.resources.data import Data
from picsellia_async.resources.handle import Record, expect
from picsellia_async.resources.model import ModelVersion
from picsellia_async.responses import DeploymentInformation, MonitorAnswer, Statistics
from picsellia_async.validation import checked_path, epoch_seconds, seconds, sequence, text, whole_number


class Monitoring:
    """Tells and asks the monitoring host."""

    def __init__(self, record: Record[DeploymentDescription], hosts: Hosts, meaning: Meaning) -> None:
        """Store the parts; nothing is sent."""
        self._record = record
        self._hosts = hosts
        self._meaning = meaning

    def encode(self, options: MonitorOptions, custom_metadata: dict[str, Any] | None = None) -> bytes:
        """Return the request of a prediction, all but the image.

        Args:
            options: What is sent.
            custom_metadata: Sent in place of that of the options; None: that of the options.

        Raises:
            ConfigurationError: A prediction is not of the deployment's type, or metadata have no JSON form.
        """
        type_ = self._record.description.type
        if options.prediction.model_type is not type_:
            check_prediction_type(options.prediction, type_, "prediction")
        if options.shadow_prediction is not None:
            check_prediction_type(options.shadow_prediction, type_, "shadow_prediction")
        if options.latency >= LATENCY_TOLD or options.prediction.left_out or options.prediction.doubt:
            self._meaning.tell(options)
        return monitor_metadata(options, custom_metadata)

    def send_bytes(
        self, options: MonitorOptions, raw_image: bytes | bytearray | memoryview
    ) -> Coroutine[Any, Any, MonitorAnswer]:
        """Check a prediction with its image; return what sends them when it is awaited."""
        oracle, image = self._hosts.oracle(), image_view(raw_image)
        metadata = self.encode(options)
        if self._meaning.check(options, raw_image if type(raw_image) is bytes else image):
            return oracle.monitor(metadata, image)
        return self._send_checked(oracle, metadata, image, options.prediction)

    async def _send_checked(
        self, oracle: OracleService, metadata: bytes, image: memoryview, prediction: PredictionFormat
    ) -> MonitorAnswer:
        """Send a prediction with its image once its labels are checked."""
        await self._meaning.check_labels(prediction)
        return await oracle.monitor(metadata, image)

    async def send_file(self, options: MonitorOptions, image_path: str | Path) -> MonitorAnswer:
        """Send a prediction with its image file, read off the event loop."""
        oracle, metadata = self._hosts.oracle(), self.encode(options)
        # Checked before the file is read: meanwhile the caller may change the prediction, which is encoded already.
        try:
            has_labels = self._meaning.check(options)
        except ImplausibleError:
            await self._check_with_image(options, image_path)
            raise
        prediction = options.prediction if has_labels else copied(options.prediction)
        image = image_view(await read_image(image_path))
        self._meaning.check_image_of(options, image)
        if not has_labels:
            await self._meaning.check_labels(prediction)
        return await oracle.monitor(metadata, image)

    async def _check_with_image(self, options: MonitorOptions, image_path: str | Path) -> None:
        """Check what was refused once more with its image: it tells whether the size or the coordinates are wrong, as with bytes.

        Raises:
            ImplausibleError: What is wrong.
        """
        try:
            image = image_view(await read_image(image_path))
        except ConfigurationError:
            return  # what is wrong without it counts
        self._meaning.check(options, image)

    async def send_array(self, make: Callable[[Checks], Frame]) -> MonitorAnswer:
        """Make a frame of an array of pixels off the event loop, and send it."""
        oracle = self._hosts.oracle()
        frame = await asyncio.to_thread(make, "on" if self._meaning.is_checked else "off")
        metadata = self.encode(frame)
        if frame.checks == "on":
            self._meaning.tell_flat(frame)
            if not self._meaning.fits(frame.prediction):
                await self._meaning.check_labels(frame.prediction)
        return await oracle.monitor(metadata, image_view(frame.image))

    async def send_stored(self, options: MonitorOptions, object_name: str, data: Data | None = None) -> MonitorAnswer:
        """Send a prediction on an image in the storage; `data` is what the platform knows of it, where it is at hand."""
        # Encoded first: what cannot be written is refused before the storage is asked for.
        oracle, metadata = self._hosts.oracle(), self.encode(options)
        if data is not None and self._meaning.is_checked:
            check_known_size(data, options.width, options.height)
        has_labels = self._meaning.check(options)
        if data is not None:
            self._meaning.tell_swapped(options, data)
        if not has_labels:
            await self._meaning.check_labels(options.prediction)
        return await oracle.monitor(metadata, await self._hosts.cloud_image(object_name))

    async def send_shadow(
        self,
        prediction_id: UUID,
        shadow_latency: float,
        shadow_prediction: PredictionFormat,
        size: tuple[int, int] | None = None,
    ) -> None:
        """Add the shadow model's prediction to one that was monitored; `size` is that of its image, where it is known."""
        prediction = as_prediction(shadow_prediction, "shadow_prediction")
        check_prediction_type(prediction, self._record.description.type, "shadow_prediction")
        request = MonitorShadowRequest(
            shadow_raw_predictions=raw_predictions(prediction), shadow_latency=shadow_latency
        )
        self._meaning.check_shadow(prediction, seconds(shadow_latency, "shadow_latency"), size)
        await self._hosts.oracle().monitor_shadow(prediction_id, request)

    async def information(self) -> DeploymentInformation:
        """Fetch what the host knows of the deployment."""
        return await self._hosts.oracle().retrieve_information()

    async def statistics(
        self,
        service: ServiceMetrics | str,
        *,
        model_version: ModelVersion | None,
        from_timestamp: float | datetime.datetime | None,
        to_timestamp: float | datetime.datetime | None,
        since: int | None,
        includes: list[str] | None,
        excludes: list[str] | None,
        tags: list[str] | None,
    ) -> Statistics:
        """Fetch statistics."""
        metrics = ServiceMetrics.of(service, "service")
        version = None if model_version is None else expect(model_version, ModelVersion, "model_version")
        query: Query = [
            ("model_id", None if version is None else version.id),
            ("from_timestamp", _epoch(from_timestamp, "from_timestamp")),
            ("to_timestamp", _epoch(to_timestamp, "to_timestamp")),
            ("since", None if since is None else whole_number(since, "since", 0)),
            ("includes", _texts(includes, "includes")),
            ("excludes", _texts(excludes, "excludes")),
            ("tags", _texts(tags, "tags")),
        ]
        return await self._hosts.oracle().get_stats(metrics, query)


async def image_name(image_path: str | Path, content_type: SupportedContentType | str | None) -> str:
    """Return the name that the image of a file gets on the platform.

    Raises:
        ConfigurationError: The value is no path of a file; where nothing tells the content type, also: it is a directory, or has no
            extension and is not there.
    """
    name = checked_path(image_path, "image_path").name
    if not name:
        raise ConfigurationError(f"image_path must be the str or Path of a file, got {shown(image_path)}")
    if content_type is None and content_type_of_name(name) is None:
        try:
            await file_size(image_path, "image_path")  # a directory is told as one, not as a file without an extension
        except FileNotFoundException:
            if not Path(name).suffix:
                raise  # else its name tells more: it could not be sent if it were there
    return name


def shadow_of(
    shadow_prediction: PredictionFormat | None, shadow_raw_predictions: PredictionFormat | None, type_: InferenceType
) -> PredictionFormat | None:
    """Return the shadow prediction, under whichever of its two names it was given.

    Raises:
        ConfigurationError: It was given under both; or is none, or not of the deployment's type, under its former name.
    """
    if shadow_raw_predictions is None:
        return shadow_prediction
    if shadow_prediction is not None:
        raise ConfigurationError("shadow_raw_predictions is the former name of shadow_prediction: give one of them")
    prediction = as_prediction(shadow_raw_predictions, "shadow_raw_predictions")
    check_prediction_type(prediction, type_, "shadow_raw_predictions")  # here, where its name is known
    return prediction


def _epoch(value: float | datetime.datetime | None, name: str) -> float | None:
    return None if value is None else epoch_seconds(value, name)


def _texts(values: Iterable[object] | None, name: str) -> list[str] | None:
    """Return texts; ids may be UUIDs."""
    if values is None:
        return None
    return [text(str(v) if isinstance(v, UUID) else v, f"{name}[{i}]") for i, v in enumerate(sequence(values, name))]
