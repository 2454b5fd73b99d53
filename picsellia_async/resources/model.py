"""Models, their versions, and where these come from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from picsellia_async._scalars import plain_scalar
from picsellia_async._wire.endpoints import (
    DEPLOY_MODEL_VERSION,
    FIND_VERSION_OF_MODEL,
    GET_CONTEXT,
    GET_DATASET_VERSION,
    GET_EXPERIMENT,
    GET_MODEL,
    GET_MODEL_CONTEXT,
    GET_MODEL_VERSION,
    GET_PUBLIC_MODEL_CONTEXT,
    LIST_MODEL_VERSIONS,
)
from picsellia_async._wire.platform_requests import DeployModelVersionRequest
from picsellia_async._wire.queries import simple_query
from picsellia_async._wire.unset import UNSET, given
from picsellia_async.enums import Framework, InferenceType, TagTarget
from picsellia_async.errors import (
    ConfigurationError,
    NoBaseExperimentError,
    NoDataError,
    PermissionDeniedError,
    shown,
)
from picsellia_async.models import (
    ModelContextData,
    ModelContextDescription,
    ModelDescription,
    ModelVersionDescription,
)
from picsellia_async.resources.datalake import Datalake
from picsellia_async.resources.dataset import DatasetVersion
from picsellia_async.resources.handle import Handle, expect
from picsellia_async.resources.project import Experiment
from picsellia_async.resources.tag import Tag, Taggable
from picsellia_async.validation import text, whole_number

if TYPE_CHECKING:
    from picsellia_async.deployment import AsyncDeployment


class ModelContext(Handle[ModelContextDescription]):
    """Where a model version comes from: experiment, datasets, parameters."""

    @property
    def experiment_id(self) -> UUID | None:
        """The experiment that made it; None: it was uploaded."""
        return self._description.experiment_id

    @property
    def datasets(self) -> list[ModelContextData]:
        """What it was trained with."""
        return self._description.datas or []

    @property
    def parameters(self) -> dict[str, Any]:
        """Training parameters."""
        return self._description.parameters or {}

    async def sync(self) -> ModelContextDescription:
        """Fetch this context again. Idempotent.

        Wire: GET {platform}/api/model/context/{context_id}, 2xx.
        """
        self._description = await self._account.call(GET_CONTEXT, context_id=self.id)
        return self._description

    async def get_dataset_version(self, name: str) -> DatasetVersion:
        """Return the dataset version that it was trained with under that alias. Idempotent.

        Args:
            name: Alias in the experiment: train, test, ...

        Raises:
            NoDataError: There is none; the message names those that are there.

        Wire: GET {platform}/api/dataset/version/{dataset_version_id}, 2xx.
        """
        wanted = text(name, "name")
        for data in self.datasets:
            if data.name == wanted:
                return await self._dataset_version(data)
        there = ", ".join(data.name for data in self.datasets) or "none"
        raise NoDataError(f"this model version was not trained with a dataset {wanted!r}; there are: {there}")

    async def retrieve_datasets(self) -> dict[str, DatasetVersion]:
        """Return the dataset versions that it was trained with, by alias. Idempotent.

        Raises:
            NoDataError: There are none.

        Wire: GET {platform}/api/dataset/version/{dataset_version_id} once for each, 2xx.
        """
        if not self.datasets:
            raise NoDataError("this model version was trained with no datasets")
        return {data.name: await self._dataset_version(data) for data in self.datasets}

    async def _dataset_version(self, data: ModelContextData) -> DatasetVersion:
        found = await self._account.call(GET_DATASET_VERSION, dataset_version_id=data.version_id)
        return DatasetVersion(found, self._account)

    async def get_experiment(self) -> Experiment:
        """Return the experiment that made the model version. Idempotent.

        Raises:
            NoBaseExperimentError: None did.

        Wire: GET {platform}/api/experiment/{experiment_id}, 2xx.
        """
        if self.experiment_id is None:
            raise NoBaseExperimentError("this model version does not come from an experiment")
        found = await self._account.call(GET_EXPERIMENT, experiment_id=self.experiment_id)
        return Experiment(found, self._account)


class ModelVersion(Taggable[ModelVersionDescription]):
    """A version of a model."""

    tag_target = TagTarget.MODEL_VERSION

    @property
    def name(self) -> str:
        """Name of the version."""
        return self._description.name

    @property
    def version(self) -> int:
        """Number of the version, from 0."""
        return self._description.version

    @property
    def type(self) -> InferenceType:
        """What it predicts."""
        return self._description.type

    @property
    def framework(self) -> Framework | None:
        """What it runs on; None where the platform did not say."""
        return self._description.framework

    @property
    def labels(self) -> dict[str, str] | None:
        """Label map: class index as text to label name."""
        return self._description.labels

    @property
    def origin_id(self) -> UUID | None:
        """The model."""
        return self._description.origin.id if self._description.origin else None

    @property
    def origin_name(self) -> str | None:
        """Name of the model."""
        return self._description.origin.name if self._description.origin else None

    def get_resource_url_on_platform(self) -> str:
        """Return the address of this version on the pages of the platform; sends nothing."""
        return f"{self._account.settings.origin}/model/version/{self.id}"

    async def sync(self) -> ModelVersionDescription:
        """Fetch this version again. Idempotent.

        Wire: GET {platform}/api/model/version/{model_version_id}, 2xx.
        """
        self._description = await self._account.call(GET_MODEL_VERSION, model_version_id=self.id)
        return self._description

    async def get_tags(self) -> list[Tag]:
        """Return the tags that it carries now. Idempotent.

        Wire: GET {platform}/api/model/version/{model_version_id}, 2xx.
        """
        return [Tag(tag, self._account) for tag in (await self.sync()).tags]

    async def get_context(self) -> ModelContext:
        """Return where it comes from. Idempotent.

        Wire: GET {platform}/api/model/version/{model_version_id}/context, on 403 .../public/context, 2xx.
        """
        try:
            found = await self._account.call(GET_MODEL_CONTEXT, model_version_id=self.id)
        except PermissionDeniedError:
            found = await self._account.call(GET_PUBLIC_MODEL_CONTEXT, model_version_id=self.id)
        return ModelContext(found, self._account)

    async def get_source_experiment(self) -> Experiment:
        """Return the experiment that made this version. Idempotent.

        Raises:
            NoBaseExperimentError: None did.

        Wire: GET {platform}/api/model/version/{model_version_id}/context, GET {platform}/api/experiment/{experiment_id}, 2xx.
        """
        return await (await self.get_context()).get_experiment()

    async def deploy(
        self, name: str | None = None, target_datalake: Datalake | None = None, min_threshold: float | None = None
    ) -> AsyncDeployment:
        """Make a deployment of this version. Not idempotent: a second one is made, or the name is taken.

        Args:
            name: Name of the deployment; made up by the platform otherwise.
            target_datalake: Where its images go; the default datalake otherwise.
            min_threshold: Score below which serving drops a shape, 0 to 1.

        Raises:
            ConflictError: The name is taken.
            QuotaExceededError: The organization's plan has no resources left.

        Wire: POST {platform}/api/model/version/{model_version_id}/deploy, 2xx.
        """
        datalake = None if target_datalake is None else expect(target_datalake, Datalake, "target_datalake")
        request = DeployModelVersionRequest(
            name=given(name),
            min_threshold=given(min_threshold),
            target_datalake_id=UNSET if datalake is None else datalake.id,
        )
        found = await self._account.call(DEPLOY_MODEL_VERSION, request, model_version_id=self.id)
        # A deployment leads to its model versions, and a model version to a deployment: one of the two imports must wait.
        from picsellia_async.deployment import AsyncDeployment  # noqa: PLC0415

        return AsyncDeployment(found, self._account)


class Model(Taggable[ModelDescription]):
    """A model: a name over its versions."""

    tag_target = TagTarget.MODEL

    @property
    def name(self) -> str:
        """Name."""
        return self._description.name

    @property
    def private(self) -> bool:
        """Whether only the organization sees it."""
        return self._description.private

    def get_resource_url_on_platform(self) -> str:
        """Return the address of this model on the pages of the platform; sends nothing."""
        return f"{self._account.settings.origin}/model/{self.id}"

    async def sync(self) -> ModelDescription:
        """Fetch this model again. Idempotent.

        Wire: GET {platform}/api/model/{model_id}, 2xx.
        """
        self._description = await self._account.call(GET_MODEL, model_id=self.id)
        return self._description

    async def get_tags(self) -> list[Tag]:
        """Return the tags that it carries now. Idempotent.

        Wire: GET {platform}/api/model/{model_id}, 2xx.
        """
        return [Tag(tag, self._account) for tag in (await self.sync()).tags]

    async def get_version(self, version: int | str) -> ModelVersion:
        """Return a version by its number or its name. Idempotent.

        Args:
            version: Number from 0, or name ("latest", for instance).

        Raises:
            NotFoundError: There is none.

        Wire: GET {platform}/api/model/{model_id}/versions/find, 2xx.
        """
        number = plain_scalar(version)
        if isinstance(number, bool) or not isinstance(number, (int, str)):
            raise ConfigurationError(f"version must be a number or a name, got {shown(version)}")
        named = isinstance(number, str)
        query = [("name", text(version, "version")) if named else ("version", whole_number(version, "version", 0))]
        found = await self._account.call(FIND_VERSION_OF_MODEL, query=query, model_id=self.id)
        return ModelVersion(found, self._account)

    async def list_versions(
        self, limit: int | None = None, offset: int | None = None, order_by: list[str] | None = None
    ) -> list[ModelVersion]:
        """Return the versions, in one request. Idempotent.

        Args:
            limit: At most so many; all by default.
            offset: Skip so many.
            order_by: Names of fields, `-` before a name for descending order.

        Wire: GET {platform}/api/model/{model_id}/versions, 2xx.
        """
        query = simple_query(limit, offset, order_by)
        page = await self._account.call(LIST_MODEL_VERSIONS, query=query, model_id=self.id)
        return [ModelVersion(item, self._account) for item in page.items[:limit]]
