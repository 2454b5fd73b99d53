"""`AsyncDeployment`: the documented calls of a deployment. A facade: each method makes one request object and hands it on."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID

from picsellia_async._services.connection import Connection
from picsellia_async._services.files import read_image
from picsellia_async._services.oracle import OracleService
from picsellia_async._services.serving import ServingService
from picsellia_async._wire.endpoints import GET_DEPLOYMENT
from picsellia_async._wire.requests import (
    MonitorRequest,
    PredictRequest,
    content_type_of,
    image_view,
    raw_predictions,
    source_name,
    tag_names,
)
from picsellia_async._wire.unset import UNSET, given
from picsellia_async.enums import InferenceType, SupportedContentType
from picsellia_async.errors import ConfigurationError, HostNotConfiguredError
from picsellia_async.models import DeploymentDescription
from picsellia_async.predictions import PredictionFormat, as_prediction, check_prediction_type


class AsyncDeployment:
    """A deployment; made by `AsyncClient.get_deployment` and the like.

    Signing in at the monitoring and serving hosts happens when they are first used. What every call may raise is listed on
    `AsyncClient`.
    """

    def __init__(self, description: DeploymentDescription, connection: Connection) -> None:
        """Store what the platform said; nothing is sent."""
        self._connection = connection
        self._adopt(description)

    def _adopt(self, description: DeploymentDescription) -> None:
        self._description = description
        self._oracle: OracleService | None = None
        self._serving: ServingService | None = None

    def __repr__(self) -> str:
        """Return name, type and id."""
        return f"<AsyncDeployment {self.name!r} {self.type} {self.id}>"

    def __reduce__(self) -> tuple[Any, ...]:
        """Refuse to be pickled, and name the way."""
        raise TypeError(
            "an AsyncDeployment cannot be pickled: pickle the AsyncClient and deployment.id, and call get_deployment_by_id"
        )

    @property
    def id(self) -> UUID:
        """Identifier."""
        return self._description.id

    @property
    def name(self) -> str:
        """Name, unique in the organization."""
        return self._description.name

    @property
    def type(self) -> InferenceType:
        """What the deployment predicts; predictions handed to `monitor` must be of this type."""
        return self._description.type

    @property
    def description(self) -> DeploymentDescription:
        """What the platform said last: when this handle was made, or at the last `sync`."""
        return self._description

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

    # Identity

    async def sync(self) -> DeploymentDescription:
        """Fetch this deployment again; `name`, `type`, hosts and the rest of `description` are those of now. Idempotent.

        Raises:
            NotFoundError: It was deleted.

        Wire: GET {platform}/api/deployment/{deployment_id}, 2xx.
        """
        self._adopt(await self._connection.call(GET_DEPLOYMENT, deployment_id=self.id))
        return self._description

    async def retrieve_information(self) -> dict[str, Any]:
        """Return what the monitoring host knows of this deployment. Idempotent.

        Raises:
            HostNotConfiguredError: The deployment has no monitoring host.
            NotFoundError: The host does not know it. (The vendor's SDK returns the error body as if it were the answer.)

        Wire: GET {oracle}/api/deployment/{deployment_id}, 200.
        """
        return await self._monitoring().retrieve_information()

    # Prediction

    async def predict(
        self,
        file_path: str | Path,
        tags: Any = None,
        source: Any = None,
        metadata: dict[str, Any] | None = None,
        monitor: bool = True,
        *,
        custom_metadata: dict[str, Any] | None = None,
        upload_dir: str | None = None,
        postprocess: bool = True,
    ) -> dict[str, Any]:
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
        tags: Any = None,
        source: Any = None,
        metadata: dict[str, Any] | None = None,
        monitor: bool = True,
        *,
        custom_metadata: dict[str, Any] | None = None,
        upload_dir: str | None = None,
        postprocess: bool = True,
    ) -> dict[str, Any]:
        """Predict on the bytes of an image. Idempotent only with `monitor=False`; otherwise a prediction is stored.

        Args:
            filename: Name of the image on the platform.
            raw_image: Encoded image; not copied, so it must not change before the call returns.
            tags: Tag names or `Tag` objects, one or a list, for the data that is created.
            source: Name of a data source, or a `DataSource`, for the data that is created.
            metadata: For the data that is created. Keys: WIRE.md 9.5. An empty dict is left out.
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
        if not isinstance(filename, str) or not filename:
            raise ConfigurationError(f"filename must be a non-empty str, got {filename!r}")
        return await self._predicting().predict(request, filename, image_view(raw_image))

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
        timestamp: float | None = None,
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
    ) -> dict[str, Any]:
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
        if shadow_raw_predictions is not None and shadow_prediction is not None:
            raise ConfigurationError("shadow_raw_predictions is the former name of shadow_prediction: give one of them")
        oracle = self._monitoring()
        if not isinstance(image_path, (str, Path)):
            raise ConfigurationError(f"image_path must be a str or Path, got {image_path!r}")
        request = self._monitor_request(
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
            shadow_prediction=shadow_prediction if shadow_prediction is not None else shadow_raw_predictions,
            metadata=metadata,
            upload_dir=upload_dir,
            custom_metadata=custom_metadata,
            sample=sample,
            custom_metrics=custom_metrics,
        )
        return await oracle.monitor(request, image_view(await read_image(image_path)))

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
        timestamp: float | None = None,
        shadow_latency: float | None = None,
        shadow_prediction: PredictionFormat | None = None,
        metadata: dict[str, Any] | None = None,
        *,
        upload_dir: str | None = None,
        custom_metadata: dict[str, Any] | None = None,
        sample: bool | None = None,
        custom_metrics: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
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
            metadata: For the created data. Keys: WIRE.md 9.5. Sent even when empty.
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
        request = self._monitor_request(
            filename=filename,
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
        return await oracle.monitor(request, image)

    def _monitor_request(
        self, *, filename: str, content_type: Any, prediction: Any, shadow_prediction: Any, **fields: Any
    ) -> MonitorRequest:
        """Make the request of one prediction; fields that are None are left out."""
        return MonitorRequest(
            filename=filename,
            content_type=content_type_of(content_type, filename),
            raw_predictions=self._wire_prediction(prediction, "prediction"),
            shadow_raw_predictions=(
                UNSET if shadow_prediction is None else self._wire_prediction(shadow_prediction, "shadow_prediction")
            ),
            **fields,
        )

    def _wire_prediction(self, prediction: Any, name: str) -> dict[str, Any]:
        checked = as_prediction(prediction, name)
        check_prediction_type(checked, self.type, name)
        return raw_predictions(checked)


def _predict_request(
    tags: Any,
    source: Any,
    metadata: dict[str, Any] | None,
    monitor: bool,
    custom_metadata: dict[str, Any] | None,
    upload_dir: str | None,
    postprocess: bool,
) -> PredictRequest:
    return PredictRequest(
        tags=tag_names(tags),
        monitor=monitor,
        postprocess=postprocess,
        source=source_name(source),
        upload_dir=given(upload_dir),
        metadata=given(metadata),
        custom_metadata=given(custom_metadata),
    )
