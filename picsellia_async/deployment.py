"""`AsyncDeployment`: the documented calls of a deployment. A facade: each method makes one request object and hands it on.

What the platform keeps about a deployment (tags, users, model versions, pipelines, predicted assets, the campaign) is
inherited from `DeploymentWithAssets` and `DeploymentHandle`.
"""

from __future__ import annotations

import datetime
import posixpath
from collections.abc import AsyncIterable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack
from uuid import UUID

import attrs

from picsellia_async._http.single_flight import SingleFlight
from picsellia_async._services.account import Connection
from picsellia_async._services.files import read_image
from picsellia_async._services.oracle import OracleService
from picsellia_async._services.serving import ServingService
from picsellia_async._wire.bodies import image_view
from picsellia_async._wire.common_requests import CloudImage
from picsellia_async._wire.encoding import Query, encode_body
from picsellia_async._wire.endpoints import GET_DEPLOYMENT_CONNECTOR
from picsellia_async._wire.oracle_requests import MonitorShadowRequest, monitor_metadata, raw_predictions
from picsellia_async._wire.serving_requests import PredictCloudImageRequest, PredictRequest, PredictShadowRequest
from picsellia_async._wire.unset import UNSET, given
from picsellia_async.config import RetryPolicy
from picsellia_async.enums import ServiceMetrics, SupportedContentType
from picsellia_async.errors import BadRequestError, ConfigurationError, HostNotConfiguredError, NotFoundError, shown
from picsellia_async.frames import Frame
from picsellia_async.models import Connector, DeploymentDescription
from picsellia_async.monitor_options import MonitorOptions, content_type_of
from picsellia_async.predictions import PredictionFormat, as_prediction, check_prediction_type
from picsellia_async.resources.data import Data
from picsellia_async.resources.data_source import DataSource, source_name
from picsellia_async.resources.deployment_assets import DeploymentWithAssets
from picsellia_async.resources.handle import expect, registered
from picsellia_async.resources.model import ModelVersion
from picsellia_async.resources.predicted_asset import PredictedAsset
from picsellia_async.resources.tag import Tag, tag_names
from picsellia_async.responses import DeploymentInformation, MonitorAnswer, PredictionAnswer, Statistics
from picsellia_async.validation import boolean, epoch_seconds, sequence, text, uuid, whole_number

if TYPE_CHECKING:
    from picsellia_async._delivery.outcomes import UploadReport
    from picsellia_async.uploader import Uploader, UploaderOptions

Tags = str | Tag | list[str | Tag] | None
"""Names of data tags, tag objects, or a list of both."""


@registered
class AsyncDeployment(DeploymentWithAssets):
    """A deployment; made by `AsyncClient.get_deployment` and the like.

    Signing in at the monitoring and serving hosts happens when they are first used. What every call may raise is listed on
    `AsyncClient`.
    """

    def __init__(self, description: DeploymentDescription, connection: Connection) -> None:
        """Store what the platform said; nothing is sent."""
        super().__init__(description, connection)
        self._adopt(description)

    def _adopt(self, description: DeploymentDescription) -> None:
        super()._adopt(description)
        self._oracle: OracleService | None = None
        self._serving: ServingService | None = None
        # The vendor's SDK keeps the connector for ever, also after the target datalake was changed (docs/wire.md#vendor-quirks).
        self._connector: Connector | None = None
        self._connector_fetch: SingleFlight[Connector] = SingleFlight()

    def __repr__(self) -> str:
        """Return name, type and id."""
        return f"<AsyncDeployment {self.name!r} {self.type} {self.id}>"

    def __reduce__(self) -> tuple[Any, ...]:
        """Refuse to be pickled, and name the way."""
        raise TypeError(
            "an AsyncDeployment cannot be pickled: pickle the AsyncClient and deployment.id, and call get_deployment_by_id"
        )

    def _monitoring(self) -> OracleService:
        if self._oracle is None:
            host = self._description.oracle_host
            if not host:
                raise HostNotConfiguredError(
                    f"deployment {self.name!r} has no monitoring host (oracle_host is not set)"
                )
            self._oracle = self._connection.oracle(host, self.id)
        return self._oracle

    def _predicting(self) -> ServingService:
        if self._serving is None:
            host = self._description.serving_host
            if not host:
                raise HostNotConfiguredError(f"deployment {self.name!r} has no serving host (serving_host is not set)")
            self._serving = self._connection.serving(host, self.id)
        return self._serving

    async def _cloud_image(self, object_name: str, request: PredictRequest | None = None) -> CloudImage:
        """Say where a stored image lies; the connector is fetched once, however many callers wait for it."""
        if self._connector is None:
            if request is not None:
                encode_body(request)  # what cannot be written is refused before anything is sent
            self._connector = await self._connector_fetch.run(self._fetch_connector)
        found = self._connector
        return CloudImage(
            connector_id=found.id,
            client_type=found.client_type,
            bucket_name=found.bucket_name,
            object_name=object_name,
        )

    async def _fetch_connector(self) -> Connector:
        return await self._connection.call(GET_DEPLOYMENT_CONNECTOR, deployment_id=self.id)

    # Information and statistics

    async def retrieve_information(self) -> DeploymentInformation:
        """Return what the monitoring host knows of this deployment. Idempotent.

        Raises:
            HostNotConfiguredError: The deployment has no monitoring host.
            NotFoundError: The host does not know it. (The vendor's SDK returns the error body as if it were the answer.)

        Wire: GET {oracle}/api/deployment/{deployment_id}, 2xx.
        """
        return await self._monitoring().retrieve_information()

    async def get_stats(
        self,
        service: ServiceMetrics | str,
        model_version: ModelVersion | None = None,
        from_timestamp: float | datetime.datetime | None = None,
        to_timestamp: float | datetime.datetime | None = None,
        since: int | None = None,
        includes: list[str] | None = None,
        excludes: list[str] | None = None,
        tags: list[str] | None = None,
    ) -> Statistics:
        """Return statistics of the monitoring host. Idempotent.

        Args:
            service: Which statistics.
            model_version: Only predictions of this version.
            from_timestamp: Only predictions after this time: epoch seconds, or an aware datetime.
            to_timestamp: Only predictions before this time.
            since: Only predictions of the last so many seconds.
            includes: Only these predictions, by their ids at the monitoring host.
            excludes: All but these predictions.
            tags: Only predictions with these tags.

        Returns:
            What the monitoring host answers, unchanged; its keys depend on the service. `["infos"]["info"]` is there when
            aggregated statistics are outdated or were never computed.

        Raises:
            HostNotConfiguredError: The deployment has no monitoring host.
            StatusError: The host refused. (The vendor's SDK returns the error body as if it were the answer.)

        Wire: GET {oracle}/api/deployment/{deployment_id}/predictions/stats, for aggregated ones
            GET {oracle}/api/deployment/{deployment_id}/stats, 2xx.
        """
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
        return await self._monitoring().get_stats(metrics, query)

    # Prediction

    async def predict(
        self,
        file_path: str | Path,
        tags: Tags = None,
        source: str | DataSource | None = None,
        metadata: dict[str, Any] | None = None,
        monitor: bool = True,
        *,
        custom_metadata: dict[str, Any] | None = None,
        upload_dir: str | None = None,
        postprocess: bool = True,
    ) -> PredictionAnswer:
        """Predict on an image file. Arguments after the first, repetition and errors: `predict_bytes`.

        Args:
            file_path: Where the image is; read off the event loop.
            tags: As in `predict_bytes`.
            source: As in `predict_bytes`.
            metadata: As in `predict_bytes`.
            monitor: As in `predict_bytes`.
            custom_metadata: As in `predict_bytes`.
            upload_dir: As in `predict_bytes`.
            postprocess: As in `predict_bytes`.

        Raises:
            ConfigurationError: The file is missing (also `FileNotFoundError`), a directory, or not readable.

        Wire: POST {serving}/api/deployments/{deployment_id}/predict, 200.
        """
        serving = self._predicting()
        request = _predict_request(tags, source, metadata, monitor, custom_metadata, upload_dir, postprocess)
        image = await read_image(file_path, "file_path")
        return await serving.predict(request, Path(file_path).name, image_view(image))

    async def predict_bytes(
        self,
        filename: str,
        raw_image: bytes | bytearray | memoryview,
        tags: Tags = None,
        source: str | DataSource | None = None,
        metadata: dict[str, Any] | None = None,
        monitor: bool = True,
        *,
        custom_metadata: dict[str, Any] | None = None,
        upload_dir: str | None = None,
        postprocess: bool = True,
    ) -> PredictionAnswer:
        """Predict on the bytes of an image. Idempotent only with `monitor=False`; otherwise a prediction is stored.

        Args:
            filename: Name of the image on the platform.
            raw_image: Encoded image; not copied, so it must not change before the call returns.
            tags: Tag names or `Tag` objects, one or a list, for the data that is created.
            source: Name of a data source, or a `DataSource`, for the data that is created.
            metadata: For the data that is created. Keys: docs/wire.md#data-shape. An empty dict is left out.
            monitor: Whether the result also goes to monitoring and the platform.
            custom_metadata: Free keys for the data that is created.
            upload_dir: Prefix of the object name; private object storage only.
            postprocess: Undocumented by the vendor; passed on.

        Returns:
            What the serving host answers, unchanged. Its fields depend on the deployment's type.

        Raises:
            HostNotConfiguredError: The deployment has no serving host.
            PredictionError: The host refused; also of the class of its status.

        Wire: POST {serving}/api/deployments/{deployment_id}/predict, 200.
        """
        request = _predict_request(tags, source, metadata, monitor, custom_metadata, upload_dir, postprocess)
        return await self._predicting().predict(request, text(filename, "filename"), image_view(raw_image))

    async def predict_cloud_image(
        self,
        object_name: str,
        tags: Tags = None,
        source: str | DataSource | None = None,
        metadata: dict[str, Any] | None = None,
        monitor: bool = True,
        *,
        custom_metadata: dict[str, Any] | None = None,
        postprocess: bool = True,
    ) -> PredictionAnswer:
        """Predict on an image in the storage of the target datalake. Idempotent only with `monitor=False`.

        Args:
            object_name: Name of the image in the storage. If it is data of the datalake already, this deployment must not have
                processed it yet, and `source` and `metadata` have no effect.
            tags: As in `predict_bytes`.
            source: As in `predict_bytes`.
            metadata: As in `predict_bytes`.
            monitor: As in `predict_bytes`.
            custom_metadata: As in `predict_bytes`.
            postprocess: As in `predict_bytes`.

        Returns:
            As in `predict_bytes`.

        Raises:
            HostNotConfiguredError: The deployment has no serving host.
            PredictionError: The host refused; also of the class of its status.

        Wire: GET {platform}/api/deployment/{deployment_id}/datalake/connector (once),
            POST {serving}/api/v2/deployments/{deployment_id}/predict, 200.
        """
        request = _predict_request(tags, source, metadata, monitor, custom_metadata, None, postprocess)
        return await self._predict_stored(text(object_name, "object_name"), request)

    async def predict_data(
        self, data: Data, tags: Tags = None, monitor: bool = True, *, postprocess: bool = True
    ) -> PredictionAnswer:
        """Predict on data of the target datalake. Idempotent only with `monitor=False`.

        Args:
            data: The data. An earlier prediction of this deployment on it is dismissed, the vendor says.
            tags: Added to those of the data.
            monitor: As in `predict_bytes`.
            postprocess: As in `predict_bytes`.

        Returns:
            As in `predict_bytes`.

        Raises:
            HostNotConfiguredError: The deployment has no serving host.
            PredictionError: The host refused; also of the class of its status.

        Wire: GET {platform}/api/deployment/{deployment_id}/datalake/connector (once),
            POST {serving}/api/v2/deployments/{deployment_id}/predict, 200.
        """
        request = _predict_request(tags, None, None, monitor, None, None, postprocess)
        return await self._predict_stored(expect(data, Data, "data").object_name, request)

    async def predict_shadow(self, predicted_asset: PredictedAsset, monitor: bool = True) -> PredictionAnswer:
        """Let the shadow model predict on an asset. Idempotent only with `monitor=False`.

        Args:
            predicted_asset: From `find_predicted_asset` or a listing.
            monitor: Whether the result is added to the asset.

        Returns:
            The shapes, as the serving host says them.

        Raises:
            HostNotConfiguredError: The deployment has no serving host.
            PredictionError: The host refused; also of the class of its status.

        Wire: GET {platform}/api/deployment/{deployment_id}/datalake/connector (once),
            POST {serving}/api/v2/deployments/{deployment_id}/predict/shadow, 200.
        """
        asset = expect(predicted_asset, PredictedAsset, "predicted_asset")
        boolean(monitor, "monitor")
        serving = self._predicting()
        cloud_image = await self._cloud_image(asset.object_name)
        request = PredictShadowRequest(
            prediction_id=asset.oracle_prediction_id, monitor=monitor, cloud_image=cloud_image
        )
        return await serving.predict_stored(request)

    async def _predict_stored(self, object_name: str, request: PredictRequest) -> PredictionAnswer:
        serving = self._predicting()
        cloud_request = PredictCloudImageRequest(
            tags=request.tags,
            monitor=request.monitor,
            postprocess=request.postprocess,
            source=request.source or UNSET,
            metadata=request.metadata or UNSET,
            custom_metadata=request.custom_metadata or UNSET,
            cloud_image=await self._cloud_image(object_name, request),
        )
        return await serving.predict_stored(cloud_request)

    # Monitoring

    async def monitor(
        self,
        image_path: str | Path,
        latency: float,
        height: int,
        width: int,
        prediction: PredictionFormat,
        source: str | None = None,
        tags: list[str] | None = None,
        timestamp: float | datetime.datetime | None = None,
        model_version: Any = None,  # noqa: ARG002 - documented, unused since 6.7
        shadow_model_version: Any = None,  # noqa: ARG002 - documented, unused since 6.7
        shadow_latency: float | None = None,
        shadow_raw_predictions: PredictionFormat | None = None,
        shadow_prediction: PredictionFormat | None = None,
        content_type: SupportedContentType | str | None = None,
        metadata: dict[str, Any] | None = None,
        *,
        upload_dir: str | None = None,
        custom_metadata: dict[str, Any] | None = None,
        sample: bool | None = None,
        custom_metrics: dict[str, Any] | None = None,
    ) -> MonitorAnswer:
        """Send a prediction and its image file to the monitoring host. Values, repetition and errors: `monitor_bytes`.

        Args:
            image_path: Where the image is; read off the event loop. Its base name becomes the file name.
            latency: As in `monitor_bytes`.
            height: As in `monitor_bytes`.
            width: As in `monitor_bytes`.
            prediction: As in `monitor_bytes`.
            source: As in `monitor_bytes`.
            tags: As in `monitor_bytes`.
            timestamp: As in `monitor_bytes`.
            model_version: Ignored, as in the vendor's SDK: the service knows the model in use.
            shadow_model_version: Ignored likewise.
            shadow_latency: As in `monitor_bytes`.
            shadow_raw_predictions: Former name of `shadow_prediction`.
            shadow_prediction: As in `monitor_bytes`.
            content_type: As in `monitor_bytes`; by default told from the extension (.jpg, .jpeg, .png).
            metadata: As in `monitor_bytes`.
            upload_dir: As in `monitor_bytes`.
            custom_metadata: As in `monitor_bytes`.
            sample: As in `monitor_bytes`.
            custom_metrics: As in `monitor_bytes`.

        Raises:
            ConfigurationError: The file is missing (also `FileNotFoundError`), a directory, or not readable.

        Wire: POST {oracle}/api/deployment/{deployment_id}/predictions, 201.
        """
        if shadow_raw_predictions is not None:
            if shadow_prediction is not None:
                raise ConfigurationError(
                    "shadow_raw_predictions is the former name of shadow_prediction: give one of them"
                )
            shadow_prediction = self._checked(shadow_raw_predictions, "shadow_raw_predictions")
        oracle = self._monitoring()
        if not isinstance(image_path, (str, Path)) or not Path(image_path).name:
            raise ConfigurationError(f"image_path must be the str or Path of a file, got {shown(image_path)}")
        options = MonitorOptions(
            filename=Path(image_path).name,
            content_type=content_type,
            latency=latency,
            height=height,
            width=width,
            prediction=prediction,
            source=source,
            tags=tags,
            timestamp=timestamp,
            shadow_latency=shadow_latency,
            shadow_prediction=shadow_prediction,
            metadata=metadata,
            upload_dir=upload_dir,
            custom_metadata=custom_metadata,
            sample=sample,
            custom_metrics=custom_metrics,
        )
        return await oracle.monitor(self._metadata(options), image_view(await read_image(image_path)))

    async def monitor_bytes(
        self,
        raw_image: bytes | bytearray | memoryview,
        content_type: SupportedContentType | str,
        filename: str,
        latency: float,
        height: int,
        width: int,
        prediction: PredictionFormat,
        source: str | None = None,
        tags: list[str] | None = None,
        timestamp: float | datetime.datetime | None = None,
        shadow_latency: float | None = None,
        shadow_prediction: PredictionFormat | None = None,
        metadata: dict[str, Any] | None = None,
        *,
        upload_dir: str | None = None,
        custom_metadata: dict[str, Any] | None = None,
        sample: bool | None = None,
        custom_metrics: dict[str, Any] | None = None,
    ) -> MonitorAnswer:
        """Send a prediction and its image to the monitoring host. Not idempotent: a second one would be stored beside the first.

        It is repeated after an answer that says "failed for now" and whenever the host cannot have got the whole request, but not
        after a lost answer: then `TransportError.request_sent` is True and the caller decides. The uploader repeats
        those too, see docs/delivery-guarantees.md.

        Args:
            raw_image: Encoded image, JPEG or PNG, up to 100 MiB. Not copied, so it must not change before the call returns. Sent as
                base64: the body is 4/3 of its size.
            content_type: `image/jpeg` or `image/png`.
            filename: Name of the image on the platform.
            latency: Inference time of the model. The vendor states no unit; its dashboards read as seconds. 0 or more.
            height: Height of the image in pixels, at least 1; trusted, the image is not opened.
            width: Width of the image in pixels, at least 1.
            prediction: Of the deployment's type. The vendor's own prediction objects are accepted.
            source: Name of the data source of the created data; "serving" by default.
            tags: Names of data tags.
            timestamp: When the prediction was made: epoch seconds, or an aware datetime. The service's own time by default.
            shadow_latency: Inference time of the shadow model; goes together with `shadow_prediction`.
            shadow_prediction: What the shadow model predicted, of the deployment's type.
            metadata: For the created data. Keys: docs/wire.md#data-shape. Sent even when empty.
            upload_dir: Prefix of the object name; private object storage only.
            custom_metadata: Free keys for the created data.
            sample: True: the platform always keeps the image; False: never, it only counts; None: the deployment's sample rate decides.
            custom_metrics: Kept on the predicted asset.

        Returns:
            What the monitoring host answers, unchanged; `["id"]` is what `monitor_shadow_from_oracle_prediction_id` and
            `find_predicted_asset(oracle_prediction_id=...)` take.

        Raises:
            ConfigurationError: A value cannot be used, or the prediction is not of the deployment's type. Nothing was sent.
            HostNotConfiguredError: The deployment has no monitoring host.
            MonitorError: The host refused; also of the class of its status (`ConflictError`: processed before).

        Wire: POST {oracle}/api/deployment/{deployment_id}/predictions, 201.
        """
        oracle = self._monitoring()
        image = image_view(raw_image)
        options = MonitorOptions(
            filename=filename,
            content_type=content_type_of(content_type),
            latency=latency,
            height=height,
            width=width,
            prediction=prediction,
            source=source,
            tags=tags,
            timestamp=timestamp,
            shadow_latency=shadow_latency,
            shadow_prediction=shadow_prediction,
            metadata=metadata,
            upload_dir=upload_dir,
            custom_metadata=custom_metadata,
            sample=sample,
            custom_metrics=custom_metrics,
        )
        return await oracle.monitor(self._metadata(options), image)

    async def monitor_cloud_image(
        self,
        object_name: str,
        latency: float,
        height: int,
        width: int,
        prediction: PredictionFormat,
        content_type: SupportedContentType | str,
        source: str | None = None,
        tags: list[str] | None = None,
        timestamp: float | datetime.datetime | None = None,
        shadow_latency: float | None = None,
        shadow_prediction: PredictionFormat | None = None,
        metadata: dict[str, Any] | None = None,
        *,
        custom_metadata: dict[str, Any] | None = None,
        sample: bool | None = None,
        custom_metrics: dict[str, Any] | None = None,
    ) -> MonitorAnswer:
        """Send a prediction on an image in the storage of the target datalake. Not idempotent: see `monitor_bytes`.

        Args:
            object_name: Name of the image in the storage; its last part becomes the file name.
            latency: As in `monitor_bytes`.
            height: As in `monitor_bytes`.
            width: As in `monitor_bytes`.
            prediction: As in `monitor_bytes`.
            content_type: As in `monitor_bytes`.
            source: As in `monitor_bytes`.
            tags: As in `monitor_bytes`.
            timestamp: As in `monitor_bytes`.
            shadow_latency: As in `monitor_bytes`.
            shadow_prediction: As in `monitor_bytes`.
            metadata: As in `monitor_bytes`.
            custom_metadata: As in `monitor_bytes`.
            sample: As in `monitor_bytes`.
            custom_metrics: As in `monitor_bytes`.

        Returns:
            As in `monitor_bytes`.

        Raises:
            ConflictError: This deployment has processed the image before.

        Wire: GET {platform}/api/deployment/{deployment_id}/datalake/connector (once),
            POST {oracle}/api/deployment/{deployment_id}/predictions, 201.
        """
        name = text(object_name, "object_name")
        options = MonitorOptions(
            filename=posixpath.basename(name) or name,
            content_type=content_type_of(content_type),
            latency=latency,
            height=height,
            width=width,
            prediction=prediction,
            source=source,
            tags=tags,
            timestamp=timestamp,
            shadow_latency=shadow_latency,
            shadow_prediction=shadow_prediction,
            metadata=metadata,
            custom_metadata=custom_metadata,
            sample=sample,
            custom_metrics=custom_metrics,
        )
        return await self._monitor_stored(name, options)

    async def monitor_data(
        self,
        data: Data,
        latency: float,
        height: int,
        width: int,
        prediction: PredictionFormat,
        tags: list[str] | None = None,
        timestamp: float | datetime.datetime | None = None,
        shadow_latency: float | None = None,
        shadow_prediction: PredictionFormat | None = None,
        *,
        sample: bool | None = None,
        custom_metrics: dict[str, Any] | None = None,
    ) -> MonitorAnswer:
        """Send a prediction on data of the target datalake. Not idempotent: see `monitor_bytes`.

        Args:
            data: The data, a JPEG or PNG image. An earlier prediction of this deployment on it is dismissed, the vendor says.
            latency: As in `monitor_bytes`.
            height: As in `monitor_bytes`.
            width: As in `monitor_bytes`.
            prediction: As in `monitor_bytes`.
            tags: As in `monitor_bytes`.
            timestamp: As in `monitor_bytes`.
            shadow_latency: As in `monitor_bytes`.
            shadow_prediction: As in `monitor_bytes`.
            sample: As in `monitor_bytes`.
            custom_metrics: As in `monitor_bytes`.

        Returns:
            As in `monitor_bytes`.

        Raises:
            ConflictError: This deployment has processed the image before.

        Wire: GET {platform}/api/deployment/{deployment_id}/datalake/connector (once),
            POST {oracle}/api/deployment/{deployment_id}/predictions, 201.
        """
        name = expect(data, Data, "data").object_name
        options = MonitorOptions(
            filename=posixpath.basename(name) or name,
            content_type=content_type_of(data.content_type),
            latency=latency,
            height=height,
            width=width,
            prediction=prediction,
            tags=tags,
            timestamp=timestamp,
            shadow_latency=shadow_latency,
            shadow_prediction=shadow_prediction,
            sample=sample,
            custom_metrics=custom_metrics,
        )
        return await self._monitor_stored(name, options)

    async def monitor_shadow(
        self, predicted_asset: PredictedAsset, shadow_latency: float, shadow_prediction: PredictionFormat
    ) -> None:
        """Add the shadow model's prediction to an asset. Not idempotent: a second one is a conflict.

        Args:
            predicted_asset: From `find_predicted_asset` or a listing.
            shadow_latency: Inference time of the shadow model; see `monitor_bytes`.
            shadow_prediction: Of the deployment's type.

        Raises:
            ConflictError: The asset has a shadow prediction already.

        Wire: POST {oracle}/api/prediction/{prediction_id}/shadow, 201.
        """
        asset = expect(predicted_asset, PredictedAsset, "predicted_asset")
        await self.monitor_shadow_from_oracle_prediction_id(
            asset.oracle_prediction_id, shadow_latency, shadow_prediction
        )

    async def monitor_shadow_from_oracle_prediction_id(
        self, oracle_prediction_id: str | UUID, shadow_latency: float, shadow_prediction: PredictionFormat
    ) -> None:
        """Add the shadow model's prediction to one that was monitored. Not idempotent: a second one is a conflict.

        Args:
            oracle_prediction_id: `["id"]` of what `monitor` returned.
            shadow_latency: Inference time of the shadow model; see `monitor_bytes`.
            shadow_prediction: Of the deployment's type.

        Raises:
            ConflictError: It has a shadow prediction already.

        Wire: POST {oracle}/api/prediction/{prediction_id}/shadow, 201.
        """
        prediction_id = uuid(oracle_prediction_id, "oracle_prediction_id")
        request = MonitorShadowRequest(
            shadow_raw_predictions=self._wire_prediction(shadow_prediction, "shadow_prediction"),
            shadow_latency=shadow_latency,
        )
        await self._monitoring().monitor_shadow(prediction_id, request)

    # Bulk monitoring

    def uploader(self, **options: Unpack[UploaderOptions]) -> Uploader:
        """Return an uploader for many frames; open it with `async with`.

        Args:
            **options: Described at `UploaderOptions`.

        Raises:
            ConfigurationError: An option is out of range, or options contradict each other.
            HostNotConfiguredError: The deployment has no monitoring host.
        """
        # The uploader is a quarter of the package: who does not use it does not load it.
        from picsellia_async.uploader import Uploader  # noqa: PLC0415

        oracle = self._monitoring()
        # One attempt: the uploader decides on the next one, for all its frames together.
        once = attrs.evolve(oracle, service=attrs.evolve(oracle.service, retry=RetryPolicy.none()))

        async def send(frame: Frame, metadata: bytes) -> dict[str, Any]:
            image = await read_image(frame.image, "image") if isinstance(frame.image, Path) else frame.image
            return dict(await once.monitor(metadata, image_view(image, "image")))

        async def find(frame: Frame) -> bool:
            try:
                await self.find_predicted_asset(filename=frame.filename)
            except (NotFoundError, BadRequestError):
                # 400: several frames of that name. Which of them is this one cannot be told, so it counts as not there.
                return False
            return True

        owner = {"deployment_id": str(self.id), "host": str(self._connection.origin)}
        return Uploader(send, encode=self._metadata, find=find, owner=owner, **options)

    async def monitor_many(
        self, frames: Iterable[Frame] | AsyncIterable[Frame], **options: Unpack[UploaderOptions]
    ) -> UploadReport:
        """Deliver frames through an uploader of its own, and wait for every outcome.

        Repetition and guarantees are the uploader's: at least once. A frame that is refused does not raise; it is in the report.

        Args:
            frames: A sync or async iterable; read only as fast as frames are delivered.
            **options: Described at `UploaderOptions`.

        Returns:
            The report: accepted is delivered + rejected + dropped + spooled.

        Wire: POST {oracle}/api/deployment/{deployment_id}/predictions, 201, per frame.
        """
        from picsellia_async.uploader import deliver_all  # noqa: PLC0415 - see `uploader`

        return await deliver_all(self.uploader(**options), frames)

    async def _monitor_stored(self, object_name: str, options: MonitorOptions) -> MonitorAnswer:
        oracle = self._monitoring()
        metadata = self._metadata(options)  # what cannot be written is refused before anything is sent
        return await oracle.monitor(metadata, await self._cloud_image(object_name))

    def _metadata(self, options: MonitorOptions) -> bytes:
        """Return the request without its image; the predictions must be of this deployment's type."""
        check_prediction_type(options.prediction, self.type, "prediction")
        if options.shadow_prediction is not None:
            check_prediction_type(options.shadow_prediction, self.type, "shadow_prediction")
        return monitor_metadata(options)

    def _wire_prediction(self, prediction: Any, name: str) -> dict[str, Any]:
        return raw_predictions(self._checked(prediction, name))

    def _checked(self, prediction: Any, name: str) -> PredictionFormat:
        checked = as_prediction(prediction, name)
        check_prediction_type(checked, self.type, name)
        return checked


def _predict_request(
    tags: Any, source: Any, metadata: Any, monitor: Any, custom_metadata: Any, upload_dir: Any, postprocess: Any
) -> PredictRequest:
    """Make the request of one prediction; what is None is left out."""
    return PredictRequest(
        tags=tag_names(tags, "tags"),
        monitor=monitor,
        postprocess=postprocess,
        source=given(source_name(source, "source")),
        upload_dir=upload_dir,
        metadata=metadata,
        custom_metadata=custom_metadata,
    )


def _epoch(value: Any, name: str) -> float | None:
    return None if value is None else epoch_seconds(value, name)


def _texts(values: Iterable[Any] | None, name: str) -> list[str] | None:
    """Return texts; ids may be UUIDs."""
    if values is None:
        return None
    return [text(str(v) if isinstance(v, UUID) else v, f"{name}[{i}]") for i, v in enumerate(sequence(values, name))]
