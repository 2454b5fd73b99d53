"""`AsyncDeployment`: the documented calls of a deployment. A facade: each method hands its arguments to the part that knows.

The parts live in `_deployment/`, one file per subject.
"""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import AsyncGenerator, AsyncIterable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Unpack
from uuid import UUID

from picsellia_async._bounds import known_size
from picsellia_async._delivery.options import UploaderOptions, shows_options
from picsellia_async._deployment.assets import PredictedAssets, assignment_filters
from picsellia_async._deployment.bulk import Bulk
from picsellia_async._deployment.details import Details
from picsellia_async._deployment.hosts import Hosts
from picsellia_async._deployment.meaning import Meaning
from picsellia_async._deployment.model_versions import ModelVersions
from picsellia_async._deployment.monitoring import Monitoring, image_name, shadow_of
from picsellia_async._deployment.pipelines import Pipelines
from picsellia_async._deployment.predicting import Predicting
from picsellia_async._deployment.reviews import Reviews
from picsellia_async._services.account import Account
from picsellia_async._services.raw_request import QueryArgument
from picsellia_async._wire.endpoints import Pipeline
from picsellia_async._wire.queries import Listing
from picsellia_async.enums import (
    ContinuousDeploymentPolicy,
    ContinuousTrainingTrigger,
    InferenceType,
    ServiceMetrics,
    SupportedContentType,
    TagTarget,
)
from picsellia_async.frames import Frame
from picsellia_async.models import DeploymentDescription, Log
from picsellia_async.monitor_options import MonitorDetails, MonitorOptions, content_type_of, object_file_name
from picsellia_async.pixels import QUALITY, ChannelOrder, EncodedFormat
from picsellia_async.plausibility import Checks
from picsellia_async.predictions import PredictionFormat, as_prediction, copied
from picsellia_async.resources.campaign import ReviewCampaign
from picsellia_async.resources.data import Data
from picsellia_async.resources.data_source import DataSource
from picsellia_async.resources.datalake import Datalake
from picsellia_async.resources.dataset import DatasetVersion
from picsellia_async.resources.handle import expect
from picsellia_async.resources.label import Label
from picsellia_async.resources.model import ModelVersion
from picsellia_async.resources.predicted_asset import PredictedAsset
from picsellia_async.resources.project import Project
from picsellia_async.resources.tag import Tag, Taggable, Tags
from picsellia_async.resources.user import User, Worker
from picsellia_async.responses import DeploymentInformation, MonitorAnswer, PredictionAnswer, Statistics
from picsellia_async.validation import choice, text, uuid

if TYPE_CHECKING:
    from picsellia_async._delivery.outcomes import UploadReport
    from picsellia_async._deployment.prediction_stream import Predictable, Predicted
    from picsellia_async.uploader import Uploader


class AsyncDeployment(Taggable[DeploymentDescription]):
    """A deployment; made by `AsyncClient.get_deployment` and the like.

    Signing in at the monitoring and serving hosts happens when they are first used. What every call may raise is listed on
    `AsyncClient`.
    """

    tag_target = TagTarget.DEPLOYMENT

    def __init__(self, description: DeploymentDescription, account: Account) -> None:
        """Store what the platform said; nothing is sent."""
        super().__init__(description, account)
        record = self._record
        self._hosts = Hosts(record)
        self._details = Details(record)
        self._models = ModelVersions(record, self._details)
        self._meaning = Meaning(record)
        self._predicting = Predicting(self._hosts, self._meaning)
        self._monitoring = Monitoring(record, self._hosts, self._meaning)
        self._assets = PredictedAssets(record)
        self._bulk = Bulk(record, self._hosts, self._monitoring, self._meaning, self._assets)
        self._reviews = Reviews(record, self._details)
        self._pipelines = Pipelines(record)

    def __repr__(self) -> str:
        """Return name, type and id."""
        return f"<AsyncDeployment {self.name!r} {self.type} {self.id}>"

    def __reduce__(self) -> tuple[Any, ...]:
        """Refuse to be pickled, and name the way."""
        raise TypeError(
            "an AsyncDeployment cannot be pickled: pickle the AsyncClient and deployment.id, and call get_deployment_by_id"
        )

    def with_options(self, *, checks: Checks) -> AsyncDeployment:
        """Return a handle of this deployment with another setting, over the same pool and JWTs.

        Args:
            checks: "off": predictions and images are sent as they are, however implausible (docs/right-data.md#checks).
        """
        return AsyncDeployment(self.description, self._account.with_checks(checks))

    @property
    def host(self) -> str:
        """Address of the platform: scheme, host, and port where it is not the scheme's own."""
        return str(self._account.settings.origin)

    @property
    def name(self) -> str:
        """Name, unique in the organization."""
        return self.description.name

    @property
    def type(self) -> InferenceType:
        """What the deployment predicts; predictions handed to `monitor` must be of this type."""
        return self.description.type

    # Identity, tags, users, labels

    async def sync(self) -> DeploymentDescription:
        """Fetch this deployment again; `name`, `type`, hosts and the rest of `description` are those of now. Idempotent.

        Raises:
            NotFoundError: It was deleted.

        Wire: GET {platform}/api/deployment/{deployment_id}, 2xx.
        """
        return await self._details.sync()

    async def get_tags(self) -> list[Tag]:
        """Return the tags that this deployment carries now. Idempotent.

        Wire: GET {platform}/api/deployment/{deployment_id}, 2xx.
        """
        return [Tag(tag, self._account) for tag in (await self._details.sync()).tags]

    async def update(
        self,
        name: str | None = None,
        target_datalake: Datalake | None = None,
        min_threshold: float | None = None,
        *,
        sample_rate: float | None = None,
    ) -> None:
        """Change this deployment; what is None stays as it is. Idempotent.

        Args:
            name: New name.
            target_datalake: Where new images go.
            min_threshold: Score below which serving drops a shape, 0 to 1.
            sample_rate: Share of monitored images that the platform keeps, 0 to 1; all are counted.

        Raises:
            ConflictError: Another deployment has the name.

        Wire: PATCH {platform}/api/deployment/{deployment_id}, 2xx.
        """
        await self._details.update(name, target_datalake, min_threshold, sample_rate)

    async def delete(self, force_delete: bool = False) -> None:
        """Delete this deployment; its data stays in the datalake. Idempotent.

        Args:
            force_delete: Passed on; the vendor does not say what it changes.

        Wire: DELETE {platform}/api/deployment/{deployment_id}, 2xx.
        """
        await self._details.delete(force_delete)

    async def label_map(self) -> dict[str, int]:
        """Return the label map of the model version in use: index by name, in the order of the indexes. Idempotent.

        The indexes are what `detection_classes` holds; constructors such as `DetectionPredictionFormat.from_xyxy` take names with
        it. Empty where the model version has none.

        Raises:
            UndefinedObjectError: The platform names no model version.

        Wire: GET {platform}/api/deployment/{deployment_id}, GET {platform}/api/model/version/{model_version_id}, 2xx.
        """
        return await self._meaning.label_map()

    async def list_labels(self) -> list[Label]:
        """Return the labels, made from the model version's label map. Idempotent.

        Wire: GET {platform}/api/deployment/{deployment_id}/labels, 2xx.
        """
        return await self._details.labels()

    async def list_users(self) -> list[User]:
        """Return who has access to this deployment; reviews can be assigned to them. Idempotent.

        Wire: GET {platform}/api/access/deployment/{deployment_id}/users, 2xx.
        """
        return [User(user, self._account) for user in await self._details.users()]

    async def list_workers(self) -> list[Worker]:
        """Return the users under their former name; see `list_users`. Idempotent.

        Wire: GET {platform}/api/access/deployment/{deployment_id}/users, 2xx.
        """
        return [Worker(user, self._account) for user in await self._details.users()]

    async def add_user(self, user: User, role: str | None = None) -> None:
        """Give a user access to this deployment. Not idempotent.

        Args:
            user: The user, from `client.list_users()`.
            role: Words of the platform; its documentation mentions ADMIN, USER, LABELER and UNPRIVILEGED.

        Wire: POST {platform}/api/access/deployment/{deployment_id}/users, 2xx.
        """
        await self._details.add_user(user, role)

    # Model versions

    async def set_model(self, model_version: ModelVersion) -> None:
        """Set the model version in use (champion). Idempotent.

        Args:
            model_version: Of this deployment's type.

        Wire: POST {platform}/api/deployment/{deployment_id}/model, 2xx.
        """
        await self._models.set_champion(model_version)

    async def get_model_version(self) -> ModelVersion:
        """Return the model version in use now. Idempotent.

        Raises:
            UndefinedObjectError: The platform does not say which one it is.

        Wire: GET {platform}/api/deployment/{deployment_id}, GET {platform}/api/model/version/{model_version_id}, 2xx.
        """
        return await self._models.champion()

    async def set_shadow_model(self, shadow_model_version: ModelVersion) -> None:
        """Set the model version that runs beside the champion. Idempotent.

        Args:
            shadow_model_version: Of this deployment's type.

        Wire: POST {platform}/api/deployment/{deployment_id}/shadow, 2xx.
        """
        await self._models.set_shadow(shadow_model_version)

    async def get_shadow_model(self) -> ModelVersion:
        """Return the model version that runs beside the champion now. Idempotent.

        Raises:
            NoShadowModel: There is none.

        Wire: GET {platform}/api/deployment/{deployment_id}, GET {platform}/api/model/version/{model_version_id}, 2xx.
        """
        return await self._models.shadow()

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
        """Predict on an image file; repeated as `predict_bytes`, with its errors.

        Further arguments: `predict_bytes`.

        Args:
            file_path: Where the image is; read off the event loop.

        Raises:
            ConfigurationError: The file is missing (also `FileNotFoundError`), a directory, or not readable.

        Wire: POST {serving}/api/deployments/{deployment_id}/predict, 200.
        """
        request = self._predicting.request(
            tags=tags, source=source, metadata=metadata, monitor=monitor, custom_metadata=custom_metadata,
            upload_dir=upload_dir, postprocess=postprocess,
        )  # fmt: skip
        return await self._predicting.on_file(file_path, request)

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
            ImplausibleError: A blank tag or source, an `upload_dir` that leads out of its own, or an image that is neither JPEG nor PNG.
            PredictionError: The host refused; also of the class of its status.

        Wire: POST {serving}/api/deployments/{deployment_id}/predict, 200.
        """
        request = self._predicting.request(
            tags=tags, source=source, metadata=metadata, monitor=monitor, custom_metadata=custom_metadata,
            upload_dir=upload_dir, postprocess=postprocess,
        )  # fmt: skip
        return await self._predicting.on_bytes(filename, raw_image, request)

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

        Further arguments: `predict_bytes`.

        Args:
            object_name: Name of the image in the storage. If it is data of the datalake already, this deployment must not have
                processed it yet, and `source` and `metadata` have no effect.

        Returns:
            What `predict_bytes` returns.

        Raises:
            HostNotConfiguredError: The deployment has no serving host.
            PredictionError: The host refused; also of the class of its status.

        Wire: GET {platform}/api/deployment/{deployment_id}/datalake/connector (once),
            POST {serving}/api/v2/deployments/{deployment_id}/predict, 200.
        """
        request = self._predicting.request(
            tags=tags, source=source, metadata=metadata, monitor=monitor, custom_metadata=custom_metadata,
            postprocess=postprocess,
        )  # fmt: skip
        return await self._predicting.on_stored(text(object_name, "object_name"), request)

    async def predict_data(
        self, data: Data, tags: Tags = None, monitor: bool = True, *, postprocess: bool = True
    ) -> PredictionAnswer:
        """Predict on data of the target datalake. Idempotent only with `monitor=False`.

        Further arguments: `predict_bytes`.

        Args:
            data: The data. An earlier prediction of this deployment on it is dismissed, the vendor says.
            tags: Added to those of the data.

        Returns:
            What `predict_bytes` returns.

        Raises:
            HostNotConfiguredError: The deployment has no serving host.
            PredictionError: The host refused; also of the class of its status.

        Wire: GET {platform}/api/deployment/{deployment_id}/datalake/connector (once),
            POST {serving}/api/v2/deployments/{deployment_id}/predict, 200.
        """
        request = self._predicting.request(tags=tags, monitor=monitor, postprocess=postprocess)
        return await self._predicting.on_stored(expect(data, Data, "data").object_name, request)

    async def predict_many(
        self,
        images: Iterable[Predictable] | AsyncIterable[Predictable],
        *,
        concurrency: int = 16,
        monitor: bool = True,
        tags: Tags = None,
        source: str | DataSource | None = None,
        postprocess: bool = True,
    ) -> AsyncGenerator[Predicted, None]:
        """Predict on many images, so many at a time, and yield their answers as they come; each repeated as `predict_bytes`.

        An image that is refused gives a `Predicted` with the error; what stands against all of them (no serving host, a token that is
        refused) is raised. Leaving the loop early ends the calls under way. `picsellia_async.jobs.predict` goes on where a run was stopped.

        Args:
            images: Sync or async, read no faster than answers come: paths, images of `picsellia_async.sources`, or `Data` of the
                target datalake (`datalake.iter_data()`), which is read by the serving host.
            concurrency: Requests in flight at most, 1 to 1,000.
            monitor: As in `predict_bytes`.
            tags: As in `predict_bytes`, for all images.
            source: As in `predict_bytes`, for all images.
            postprocess: As in `predict_bytes`.

        Raises:
            ConfigurationError: A value cannot be used, or the iterable gave something else.
            HostNotConfiguredError: The deployment has no serving host.

        Wire: POST {serving}/api/deployments/{deployment_id}/predict, 200, per image.
        """
        from picsellia_async._deployment.prediction_stream import PredictionStream  # noqa: PLC0415 - who predicts on one does not need it

        request = self._predicting.request(tags=tags, source=source, monitor=monitor, postprocess=postprocess)
        stream = PredictionStream(self._predicting, request, concurrency)
        async with contextlib.aclosing(stream.results(images)) as results:
            async for result in results:
                yield result

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
        return await self._predicting.shadow(predicted_asset, monitor)

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
        """Send a prediction and its image file to the monitoring host; repeated as `monitor_bytes`, with its errors.

        Further arguments: `MonitorOptions`.

        Args:
            image_path: Where the image is; read off the event loop. Its base name becomes the file name.
            model_version: Has no effect, here and in the vendor's SDK: the service knows the model in use.
            shadow_model_version: Has no effect likewise.
            shadow_raw_predictions: Former name of `shadow_prediction`.

        Raises:
            ConfigurationError: The file is missing (also `FileNotFoundError`), a directory, or not readable.

        Wire: POST {oracle}/api/deployment/{deployment_id}/predictions, 201.
        """
        options = MonitorOptions(
            filename=await image_name(image_path, content_type),
            content_type=content_type,
            latency=latency,
            height=height,
            width=width,
            prediction=prediction,
            source=source,
            tags=tags,
            timestamp=timestamp,
            shadow_latency=shadow_latency,
            shadow_prediction=shadow_of(shadow_prediction, shadow_raw_predictions, self.type),
            metadata=metadata,
            upload_dir=upload_dir,
            custom_metadata=custom_metadata,
            sample=sample,
            custom_metrics=custom_metrics,
        )
        return await self._monitoring.send_file(options, image_path)

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

        Further arguments: `MonitorOptions`.

        Args:
            raw_image: Encoded image, JPEG or PNG, up to 100 MiB. Not copied, so it must not change before the call returns. Sent as
                base64: the body is 4/3 of its size. All arguments are read when the coroutine first runs: a task reads them later.
            content_type: `image/jpeg` or `image/png`.
            filename: Name of the image on the platform.

        Returns:
            What the monitoring host answers, unchanged; `["id"]` is what `monitor_shadow_from_oracle_prediction_id` and
            `find_predicted_asset(oracle_prediction_id=...)` take.

        Raises:
            ConfigurationError: A value cannot be used, or the prediction is not of the deployment's type. Nothing was sent.
            HostNotConfiguredError: The deployment has no monitoring host.
            MonitorError: The host refused; also of the class of its status (`ConflictError`: processed before).

        Wire: POST {oracle}/api/deployment/{deployment_id}/predictions, 201.
        """
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
        return await self._monitoring.send_bytes(options, raw_image)

    async def monitor_array(
        self,
        pixels: Any,
        latency: float,
        prediction: PredictionFormat,
        *,
        filename: str | None = None,
        order: ChannelOrder = "bgr",
        format: EncodedFormat = "jpeg",  # noqa: A002 - the field's word
        quality: int = QUALITY,
        max_side: int | None = None,
        **options: Unpack[MonitorDetails],
    ) -> MonitorAnswer:
        """Encode an array of pixels in a thread, and send it with its prediction. Not idempotent: see `monitor_bytes`.

        Args:
            pixels: Height x width x 3, or height x width for gray; bytes 0 to 255. Must not change before the call returns; read
                when the coroutine first runs, as all arguments are.
            latency: As in `monitor_bytes`.
            prediction: In pixels of the array; of the deployment's type.
            filename: Name of the image on the platform; a new UUID by default.
            order: As in `Frame.from_array`.
            format: As in `Frame.from_array`.
            quality: As in `Frame.from_array`.
            max_side: As in `Frame.from_array`; the prediction's coordinates move along.
            **options: As in `monitor_bytes`: `source`, `tags`, `timestamp`, `shadow_latency`, `shadow_prediction`, `metadata`,
                `upload_dir`, `custom_metadata`, `sample`, `custom_metrics`.

        Returns:
            As in `monitor_bytes`.

        Raises:
            ConfigurationError: No such array, a value cannot be used, or the extra `images` is not installed.

        Wire: POST {oracle}/api/deployment/{deployment_id}/predictions, 201.
        """
        details: MonitorDetails = {"timestamp": None, **options}
        own = copied(as_prediction(prediction))  # the caller may change it while the thread encodes
        shadow = options.get("shadow_prediction")
        details["shadow_prediction"] = None if shadow is None else copied(as_prediction(shadow, "shadow_prediction"))

        def make(checks: Checks) -> Frame:
            return Frame.from_array(
                pixels, latency=latency, prediction=own, filename=filename, order=order, format=format,
                quality=quality, max_side=max_side, checks=checks, **details,
            )  # fmt: skip

        return await self._monitoring.send_array(make)

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

        Further arguments: `MonitorOptions`.

        Args:
            object_name: Name of the image in the storage; its last part becomes the file name.
            content_type: `image/jpeg` or `image/png`.

        Returns:
            What `monitor_bytes` returns.

        Raises:
            ConflictError: This deployment has processed the image before.

        Wire: GET {platform}/api/deployment/{deployment_id}/datalake/connector (once),
            POST {oracle}/api/deployment/{deployment_id}/predictions, 201.
        """
        options = MonitorOptions(
            filename=object_file_name(object_name),
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
        return await self._monitoring.send_stored(options, object_name)

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

        Further arguments: `MonitorOptions`. Where the platform knows the size of the data, `height` and `width` must be it. With the
        sides exchanged it is sent, since a photo may be turned by its EXIF, and told once in the log.

        Args:
            data: The data, a JPEG or PNG image. An earlier prediction of this deployment on it is dismissed, the vendor says.

        Returns:
            What `monitor_bytes` returns.

        Raises:
            ConflictError: This deployment has processed the image before.

        Wire: GET {platform}/api/deployment/{deployment_id}/datalake/connector (once),
            POST {oracle}/api/deployment/{deployment_id}/predictions, 201.
        """
        options = MonitorOptions(
            filename=object_file_name(expect(data, Data, "data").object_name),
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
        return await self._monitoring.send_stored(options, data.object_name, data)

    async def monitor_shadow(
        self, predicted_asset: PredictedAsset, shadow_latency: float, shadow_prediction: PredictionFormat
    ) -> None:
        """Add the shadow model's prediction to an asset. Not idempotent: a second one is a conflict.

        Args:
            predicted_asset: From `find_predicted_asset` or a listing.
            shadow_latency: Inference time of the shadow model, 0 or more.
            shadow_prediction: Of the deployment's type.

        Raises:
            ConflictError: The asset has a shadow prediction already.

        Wire: POST {oracle}/api/prediction/{prediction_id}/shadow, 201.
        """
        asset = expect(predicted_asset, PredictedAsset, "predicted_asset")
        prediction_id, size = asset.oracle_prediction_id, known_size(asset)
        await self._monitoring.send_shadow(prediction_id, shadow_latency, shadow_prediction, size)

    async def monitor_shadow_from_oracle_prediction_id(
        self, oracle_prediction_id: str | UUID, shadow_latency: float, shadow_prediction: PredictionFormat
    ) -> None:
        """Add the shadow model's prediction to one that was monitored. Not idempotent: a second one is a conflict.

        Args:
            oracle_prediction_id: `["id"]` of what `monitor` returned.
            shadow_latency: Inference time of the shadow model, 0 or more.
            shadow_prediction: Of the deployment's type.

        Raises:
            ConflictError: It has a shadow prediction already.

        Wire: POST {oracle}/api/prediction/{prediction_id}/shadow, 201.
        """
        prediction_id = uuid(oracle_prediction_id, "oracle_prediction_id")
        await self._monitoring.send_shadow(prediction_id, shadow_latency, shadow_prediction)

    # Bulk monitoring

    @shows_options
    def uploader(self, **options: Unpack[UploaderOptions]) -> Uploader:
        """Return an uploader for many frames; open it with `async with`.

        Args:
            concurrency: Requests in flight, 1 to 1000; "auto" finds the service's capacity, up to 256.
            max_pending_bytes: Bytes of frames in memory, those in flight included: 64 MiB. A frame counts its image (one that is a
                file with the file's size), its request, 1 KiB, and about what the lists of its prediction take.
            max_pending_frames: Frames in memory; None: any number.
            when_full: "wait" until there is room, in the order of arrival; "raise" `UploaderFullError`; "drop_newest" drops the
                frame that is submitted; "drop_oldest" the oldest one that is not under way. With a spool this is about
                `max_spool_bytes`. "thin", with a spool only: drop frames between others on disk, so that what stays is spread
                evenly over the time; also where the disk is nearly full. Frames then wait in memory up to a quarter of `max_spool_bytes`.
            ordered_by: "source" delivers the frames of one source one after the other, in the order of submission.
            spool: Directory in which accepted frames survive crash and outage; made if missing. None: frames are in memory only.
            max_spool_bytes: Bytes of frames in the spool, those of earlier runs included: 10 GiB. The files take at most a tenth
                more, and 64 MiB.
            min_free_bytes: Room on the spool's file system that is left to others: with less than that the disk is full. None: 1 % of
                the file system, at least 4 MiB (but no more than half of it), at most 256 MiB.
            durability: "commit": a frame is accepted once it is on disk. "interval": it is on disk at most `commit_interval` later.
            commit_interval: Seconds between commits in interval mode.
            deduplicate: Send each frame's id along, in its custom metadata as `picsellia_async_frame_id`, and after a lost answer
                look it up by that before sending it again.
            close_timeout: Seconds that closing may spend on delivering what is left.
            on_outcome: Called with each outcome, in the loop; must be quick. If it raises, that is logged and counted.
            on_health: Called with the health before, the health now and the error that tells why (or None; a TimeoutError where the
                host hangs), at each change; as `on_outcome`.
            progress: Called with the statistics, at most five times a second, and at the end.
            retry: Waits between attempts of one frame (its `attempts` and `total` do not apply), and the statuses that are repeated.
            max_attempts: Reject a frame after so many attempts; None: try until the uploader closes.
            max_age: Seconds since its acceptance after which a frame is not sent any more: it is rejected with the error of its
                last attempt, or dropped where there was none. None: never.
            by_source: Count what becomes of frames by `Frame.source` as well, for `statistics().by_source`.
            max_bytes_per_second: Of all requests together, repeats included; None: as fast as it goes. A frame begins when those before
                it are paid for, and is sent at full speed; a second's worth may be saved up.
            order: Which frame of a source is sent next: the "oldest" or the "newest".
            allowed: Whether frames may be sent now: `Hours("22:00", "06:00", zone="Europe/Paris")` or a plain function, asked once a
                second at most, while frames wait. Closing does not wait for it.
            degrade: Steps of (JPEG quality, longest side), from the best to the smallest, such as [(85, 1920), (60, 1280), (40, 640)]: where
                a new frame would wait 5, 10, 15 s, it is encoded so, and predictions move along. Needs the extra `images`.
            shared_spool: Whether several processes of a host share the directory `spool`: each takes a slot of it, and what a process
                that is gone left is taken over by another.
            seed: Makes what is drawn at random, the waits between attempts, the same in each run; None: another in each. A
                frame's id is its own, and a job's ids are the same in each run anyway.

        Raises:
            ConfigurationError: An option is out of range, or options contradict each other.
            TypeError: There is no such option; the message names the nearest one.
            HostNotConfiguredError: The deployment has no monitoring host.
        """
        return self._bulk.uploader(**options)

    @shows_options
    async def monitor_many(
        self,
        frames: Iterable[Frame] | AsyncIterable[Frame],
        *,
        on_failure: Literal["report", "raise"] = "report",
        **options: Unpack[UploaderOptions],
    ) -> UploadReport:
        """Deliver frames through an uploader of its own, and wait for every outcome.

        Repetition and guarantees are the uploader's: at least once. A frame that is refused is in the report.

        Args:
            frames: A sync or async iterable; read only as fast as frames are delivered.
            on_failure: "raise": raise at the end where a frame was not delivered, or the iterable raised. "report": only the report
                tells.

        Further arguments: `uploader`.

        Returns:
            The report: accepted is delivered + rejected + dropped + spooled.

        Raises:
            DeliveryError: With `on_failure="raise"`; it has the report.

        Wire: POST {oracle}/api/deployment/{deployment_id}/predictions, 201, per frame.
        """
        from picsellia_async.uploader import deliver_all  # noqa: PLC0415 - loaded with the first uploader

        choice(on_failure, "on_failure", ("report", "raise"))
        report = await deliver_all(self._bulk.uploader(**options), frames)
        if on_failure == "raise":
            report.raise_for_failures()
        return report

    async def check(self, frame: Frame) -> None:
        """Check a frame as the uploader does before it sends it, its image file and its classes included; send nothing.

        Args:
            frame: What would be sent.

        Raises:
            ConfigurationError: It would be refused: the file cannot be read, a value cannot be meant, the prediction is not of the
                deployment's type or its classes are not of the label map.

        Wire: GET {platform}/api/deployment/{deployment_id}, GET {platform}/api/model/version/{model_version_id}, 2xx.
        """
        await self._bulk.check(frame)

    async def is_stored(self, frame: Frame) -> bool:
        """Return whether the platform has a frame that an uploader with `deduplicate` sent, now or in an earlier process. Idempotent.

        Args:
            frame: Its `id` is looked for in the custom metadata of what the deployment predicted.

        Raises:
            ConfigurationError: It is no `Frame`.

        Wire: GET {platform}/api/deployment/{deployment_id}/predictedassets, 200.
        """
        return await self._bulk.is_stored(frame)

    # Information and statistics

    async def retrieve_information(self) -> DeploymentInformation:
        """Return what the monitoring host knows of this deployment. Idempotent.

        Raises:
            HostNotConfiguredError: The deployment has no monitoring host.
            NotFoundError: The host does not know it. (The vendor's SDK returns the error body as if it were the answer.)

        Wire: GET {oracle}/api/deployment/{deployment_id}, 2xx.
        """
        return await self._monitoring.information()

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
        return await self._monitoring.statistics(
            service, model_version=model_version, from_timestamp=from_timestamp, to_timestamp=to_timestamp, since=since,
            includes=includes, excludes=excludes, tags=tags,
        )  # fmt: skip

    async def request(
        self,
        method: str,
        path: str,
        *,
        service: Literal["oracle", "serving"] = "oracle",
        query: QueryArgument = None,
        json: object = None,
    ) -> Any:
        """Make a call to the monitoring or serving host that this SDK does not wrap, signed in for this deployment.

        Repeated as `AsyncClient.request`, with its errors; calls to the platform are made there.

        Args:
            method: GET, POST, PUT, PATCH or DELETE.
            path: From the root of the host, `/api/...`.
            service: "oracle" is the monitoring host, "serving" the serving host.
            query: A dict, or pairs in order; a list as a value repeats the key, None is left out.
            json: The body, if there is one.

        Returns:
            The JSON of the answer; None where it is empty.

        Raises:
            HostNotConfiguredError: The deployment has no such host.

        Wire: `method` of {oracle}`path` or {serving}`path`, 2xx.
        """
        return await self._hosts.request(service, method, path, query, json)

    # Predicted assets

    async def find_predicted_asset(
        self,
        id: str | UUID | None = None,  # noqa: A002 - the documented name
        oracle_prediction_id: str | UUID | None = None,
        object_name: str | None = None,
        filename: str | None = None,
        data_id: str | UUID | None = None,
    ) -> PredictedAsset:
        """Return the one predicted asset that matches. Idempotent.

        A prediction that was just monitored may not be there yet; one that was not sampled never will be.

        Args:
            id: Identifier.
            oracle_prediction_id: `["id"]` of what `monitor` returned.
            object_name: Name of the image in the storage.
            filename: Name of the image on the platform.
            data_id: Identifier of the image's data.

        Raises:
            ConfigurationError: No criterion was given, or an id that is no UUID. Nothing was sent.
            NotFoundError: None matches.
            BadRequestError: Several match, two of one file name for instance.

        Wire: GET {platform}/api/deployment/{deployment_id}/predictedassets/find, 2xx.
        """
        return await self._assets.find(
            id=id,
            oracle_prediction_id=oracle_prediction_id,
            object_name=object_name,
            filename=filename,
            data_id=data_id,
        )

    async def list_predicted_assets(
        self,
        limit: int | None = None,
        offset: int | None = None,
        page_size: int | None = None,
        order_by: list[str] | None = None,
        *,
        q: str | None = None,
        assignment_status: str | None = None,
        assignment_step_id: UUID | str | None = None,
        assignment_user_id: UUID | str | None = None,
        custom_metadata: dict[str, Any] | None = None,
    ) -> list[PredictedAsset]:
        """Return predicted assets, newest first, never more than `limit`. Idempotent. For many: `iter_predicted_assets`.

        Args:
            limit: At most so many; all by default.
            offset: Skip so many.
            page_size: Items per request, up to 1000, the default.
            order_by: Names of fields, `-` before a name for descending order. Lets the pages be fetched at once.
            q: Query (docs/wire.md#query-language).
            assignment_status: Only assets with a task in this state.
            assignment_step_id: Only assets with a task in this step.
            assignment_user_id: Only assets with a task of this user; "unassigned": of nobody.
            custom_metadata: Only assets whose data has these custom metadata.

        Raises:
            NoDataError: None matches.
            PicselliaError: A page could not be fetched; `items_read` of the error holds what was read before it.

        Wire: GET {platform}/api/deployment/{deployment_id}/predictedassets, 2xx.
        """
        filters = assignment_filters(
            assignment_status=assignment_status, assignment_step_id=assignment_step_id,
            assignment_user_id=assignment_user_id, custom_metadata=custom_metadata,
        )  # fmt: skip
        listing = Listing(filters=filters, q=q, limit=limit, offset=offset, page_size=page_size, order_by=order_by)
        return await self._assets.all(listing)

    def iter_predicted_assets(
        self,
        limit: int | None = None,
        offset: int | None = None,
        page_size: int | None = None,
        order_by: list[str] | None = None,
        *,
        q: str | None = None,
        assignment_status: str | None = None,
        assignment_step_id: UUID | str | None = None,
        assignment_user_id: UUID | str | None = None,
        custom_metadata: dict[str, Any] | None = None,
    ) -> AsyncGenerator[PredictedAsset, None]:
        """Yield predicted assets, one page in memory. Idempotent. Further arguments: `list_predicted_assets`.

        A deployment without any yields nothing.

        Wire: GET {platform}/api/deployment/{deployment_id}/predictedassets, 2xx.
        """
        filters = assignment_filters(
            assignment_status=assignment_status, assignment_step_id=assignment_step_id,
            assignment_user_id=assignment_user_id, custom_metadata=custom_metadata,
        )  # fmt: skip
        listing = Listing(filters=filters, q=q, limit=limit, offset=offset, page_size=page_size, order_by=order_by)
        return self._assets.each(listing)

    # Review campaign

    async def create_campaign(
        self,
        description: str | None = None,
        instructions_file_path: str | Path | None = None,
        instructions_text: str | None = None,
        end_date: datetime.date | None = None,
        auto_add_new_assets: bool | None = False,
        auto_close_on_completion: bool | None = False,
    ) -> ReviewCampaign:
        """Make the review campaign of this deployment; it can have one. Not idempotent.

        Args:
            description: Free text.
            instructions_file_path: File that is stored as instructions; see `ReviewCampaign.upload_instructions_file`. Empty is none.
            instructions_text: What reviewers are to do.
            end_date: Last day.
            auto_add_new_assets: Whether new predicted assets become tasks.
            auto_close_on_completion: Whether it closes when all tasks are done.

        Raises:
            ConflictError: There is one already.
            UploadError: The instructions could not be stored; no campaign was made.

        Wire: POST {platform}/api/deployment/{deployment_id}/campaigns, 2xx.
        """
        return await self._reviews.create(
            description=description, instructions_file_path=instructions_file_path, instructions_text=instructions_text,
            end_date=end_date, auto_add_new_assets=auto_add_new_assets, auto_close_on_completion=auto_close_on_completion,
        )  # fmt: skip

    async def get_campaign(self) -> ReviewCampaign:
        """Return the review campaign of this deployment. Idempotent.

        Raises:
            NoDataError: There is none.

        Wire: GET {platform}/api/campaigns/review/{campaign_id}, 2xx.
        """
        return await self._reviews.campaign()

    # Feedback loop: submitted reviews become assets of datasets

    async def setup_feedback_loop(self, dataset_version: DatasetVersion | None = None) -> None:
        """Set up the feedback loop, and attach a dataset version where one is given. Not idempotent.

        Args:
            dataset_version: Former way to attach; `attach_dataset_version_to_feedback_loop` takes several.

        Wire: POST {platform}/api/deployment/{deployment_id}/pipeline/fl/setup, 2xx.
        """
        await self._pipelines.setup_feedback_loop(dataset_version)

    async def attach_dataset_version_to_feedback_loop(self, dataset_version: DatasetVersion) -> None:
        """Add a dataset version to the feedback loop, which must have been set up. Not idempotent.

        Args:
            dataset_version: Where submitted reviews go. Its type and labels must fit the deployment.

        Wire: POST {platform}/api/deployment/{deployment_id}/{pipeline}/datasets, 2xx.
        """
        await self._pipelines.attach(Pipeline.FEEDBACK_LOOP, dataset_version)

    async def detach_dataset_version_from_feedback_loop(self, dataset_version: DatasetVersion) -> None:
        """Take a dataset version out of the feedback loop. Idempotent.

        Args:
            dataset_version: One that was attached.

        Raises:
            NotFoundError: It is not attached.

        Wire: DELETE {platform}/api/deployment/{deployment_id}/{pipeline}/datasets, 2xx.
        """
        await self._pipelines.detach(Pipeline.FEEDBACK_LOOP, dataset_version)

    async def list_feedback_loop_datasets(self) -> list[DatasetVersion]:
        """Return the dataset versions of the feedback loop. Idempotent.

        Wire: GET {platform}/api/deployment/{deployment_id}/fl/datasets, 2xx.
        """
        return await self._pipelines.feedback_loop_datasets()

    async def toggle_feedback_loop(self, active: bool) -> None:
        """Switch the feedback loop on or off. Idempotent.

        Args:
            active: On or off.

        Wire: PUT {platform}/api/deployment/{deployment_id}/pipeline/{pipeline}, 2xx.
        """
        await self._pipelines.toggle(Pipeline.FEEDBACK_LOOP, active)

    # Training data: what drift and outliers are measured against

    async def set_training_data(self, dataset_version: DatasetVersion) -> None:
        """Say what the model was trained on, so that drift and outlier scores can be computed from now on. Not idempotent.

        Args:
            dataset_version: The training data.

        Wire: POST {platform}/api/deployment/{deployment_id}/pipeline/td/setup, 2xx.
        """
        await self._pipelines.set_training_data(dataset_version)

    async def check_training_data_metrics_status(self) -> str:
        """Return how far the metrics over the training data are, in words of the platform. Idempotent.

        Wire: GET {platform}/api/deployment/{deployment_id}/pipeline/td/check, 2xx.
        """
        return await self._pipelines.training_data_status()

    async def disable_training_data_reference(self) -> None:
        """Stop measuring against the training data. Idempotent.

        Wire: PUT {platform}/api/deployment/{deployment_id}/pipeline/td/disable, 2xx.
        """
        await self._pipelines.disable_training_data()

    # Continuous training and deployment

    async def setup_continuous_training(
        self,
        project: Project,
        dataset_version: DatasetVersion | None = None,  # noqa: ARG002 - documented, without effect
        model_version: ModelVersion | None = None,  # noqa: ARG002 - documented, without effect
        trigger: ContinuousTrainingTrigger | str | None = None,
        threshold: int | None = None,
        experiment_parameters: dict[str, Any] | Log | None = None,
        scan_config: dict[str, Any] | None = None,
    ) -> None:
        """Set up trainings that start by themselves after enough submitted reviews. Not idempotent.

        Args:
            project: Where the experiments are made.
            dataset_version: Has no effect; see `attach_dataset_version_to_continuous_training`.
            model_version: Has no effect: the deployment knows its model version.
            trigger: What starts a training; with a threshold alone, submitted reviews do (`FEEDBACK_LOOP`).
            threshold: How many submitted reviews it takes. Needed with a trigger. (The vendor's SDK drops one without a trigger in silence.)
            experiment_parameters: Training parameters: a dict, or the log that `experiment.get_log("parameters")` returns.
            scan_config: Refused: the service cannot train by scan.

        Raises:
            BadConfigurationContinuousTrainingError: No parameters, a scan, or a trigger without threshold. Nothing was sent.

        Wire: POST {platform}/api/deployment/{deployment_id}/pipeline/ct, 2xx.
        """
        await self._pipelines.setup_continuous_training(project, trigger, threshold, experiment_parameters, scan_config)

    async def attach_dataset_version_to_continuous_training(self, alias: str, dataset_version: DatasetVersion) -> None:
        """Add a dataset version to continuous training, which must have been set up. Not idempotent.

        Args:
            alias: Its name in the experiments: train, test, eval, ...
            dataset_version: What is trained with.

        Wire: POST {platform}/api/deployment/{deployment_id}/{pipeline}/datasets, 2xx.
        """
        await self._pipelines.attach(Pipeline.CONTINUOUS_TRAINING, dataset_version, text(alias, "alias"))

    async def detach_dataset_version_from_continuous_training(self, dataset_version: DatasetVersion) -> None:
        """Take a dataset version out of continuous training. Idempotent.

        Args:
            dataset_version: One that was attached.

        Raises:
            NotFoundError: It is not attached.

        Wire: DELETE {platform}/api/deployment/{deployment_id}/{pipeline}/datasets, 2xx.
        """
        await self._pipelines.detach(Pipeline.CONTINUOUS_TRAINING, dataset_version)

    async def toggle_continuous_training(self, active: bool) -> None:
        """Switch continuous training on or off. Idempotent.

        Args:
            active: On or off.

        Wire: PUT {platform}/api/deployment/{deployment_id}/pipeline/{pipeline}, 2xx.
        """
        await self._pipelines.toggle(Pipeline.CONTINUOUS_TRAINING, active)

    async def setup_continuous_deployment(self, policy: ContinuousDeploymentPolicy | str) -> None:
        """Say what happens to a newly trained model version. Not idempotent.

        Args:
            policy: It becomes champion, becomes shadow, or waits for a person.

        Wire: POST {platform}/api/deployment/{deployment_id}/pipeline/cd, 2xx.
        """
        await self._pipelines.setup_continuous_deployment(policy)

    async def toggle_continuous_deployment(self, active: bool) -> None:
        """Switch continuous deployment on or off. Idempotent.

        Args:
            active: On or off.

        Wire: PUT {platform}/api/deployment/{deployment_id}/pipeline/{pipeline}, 2xx.
        """
        await self._pipelines.toggle(Pipeline.CONTINUOUS_DEPLOYMENT, active)
