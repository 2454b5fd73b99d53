"""What an organization holds: tags, data sources, datalakes, datasets, models, projects, users. Found by name or id, listed, made.

`AsyncClient` inherits these calls and adds those for deployments.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from picsellia_async._services.account import Account
from picsellia_async._wire.endpoints import (
    CREATE_DATA_SOURCE,
    CREATE_TAG,
    FIND_DATA_SOURCE,
    FIND_DATALAKE,
    FIND_DATASET,
    FIND_DATASET_VERSION,
    FIND_EXPERIMENT,
    FIND_JOB,
    FIND_MODEL,
    FIND_MODEL_VERSION,
    FIND_PROJECT,
    FIND_TAG,
    LIST_CAMPAIGNS,
    LIST_DATA_SOURCES,
    LIST_DATALAKES,
    LIST_DATASETS,
    LIST_MODELS,
    LIST_PROJECTS,
    LIST_TAGS,
    LIST_USERS,
)
from picsellia_async._wire.platform_requests import CreateTagRequest, NameRequest
from picsellia_async._wire.queries import simple_query
from picsellia_async.enums import TagTarget
from picsellia_async.errors import ConfigurationError, NotFoundError
from picsellia_async.resources.campaign import ReviewCampaign
from picsellia_async.resources.data_source import DataSource
from picsellia_async.resources.datalake import Datalake
from picsellia_async.resources.dataset import Dataset, DatasetVersion
from picsellia_async.resources.model import Model, ModelVersion
from picsellia_async.resources.platform_job import Job
from picsellia_async.resources.project import Experiment, Project
from picsellia_async.resources.tag import Tag
from picsellia_async.resources.user import User
from picsellia_async.validation import boolean, text, uuid


class OrganizationCalls:
    """The calls that look into an organization."""

    _account: Account

    # Tags

    async def create_tag(self, name: str, target: TagTarget | str) -> Tag:
        """Make a tag. Not idempotent: a second one of the name is a conflict.

        Args:
            name: Name, unique among tags of one target.
            target: What it can be put on. Data tags belong to a datalake: this makes one of the default datalake; for another
                one there is `datalake.create_data_tag`.

        Raises:
            ConfigurationError: Tags of assets belong to a dataset version and cannot be made here.
            ConflictError: There is one of that name.

        Wire: POST {platform}/api/organization/{organization_id}/tags, 2xx.
        """
        kind = TagTarget.of(target, "target")
        request = CreateTagRequest(name=name, target_type=kind)
        if kind is TagTarget.DATA:
            return await (await self.get_datalake()).create_data_tag(name)
        if kind is TagTarget.ASSET:
            raise ConfigurationError("target: tags of assets belong to a dataset version and cannot be made here")
        return Tag(await self._account.call(CREATE_TAG, request), self._account)

    async def find_tag(self, name: str, target: TagTarget | str) -> Tag:
        """Return the tag of that name. Idempotent.

        Args:
            name: Name of the tag.
            target: What it can be put on; for data tags the default datalake is asked.

        Raises:
            NotFoundError: There is none.

        Wire: GET {platform}/api/organization/{organization_id}/tags/find, 2xx.
        """
        kind = TagTarget.of(target, "target")
        if kind is TagTarget.DATA:
            return await (await self.get_datalake()).get_data_tag(name)
        query = [("name", text(name, "name")), ("target_type", kind.value)]
        return Tag(await self._account.call(FIND_TAG, query=query), self._account)

    async def list_tags(self, target: TagTarget | str) -> list[Tag]:
        """Return the tags of one target, in one request. Idempotent.

        Args:
            target: What they can be put on; for data tags the default datalake is asked.

        Wire: GET {platform}/api/organization/{organization_id}/tags, 2xx.
        """
        kind = TagTarget.of(target, "target")
        if kind is TagTarget.DATA:
            return await (await self.get_datalake()).list_data_tags()
        page = await self._account.call(LIST_TAGS, query=[("target_type", kind.value)])
        return [Tag(item, self._account) for item in page.items]

    async def create_deployment_tag(self, name: str) -> Tag:
        """Make a tag for deployments; see `create_tag`. Not idempotent.

        Wire: POST {platform}/api/organization/{organization_id}/tags, 2xx.
        """
        return await self.create_tag(name, TagTarget.DEPLOYMENT)

    async def find_deployment_tag(self, name: str) -> Tag:
        """Return the tag for deployments of that name; see `find_tag`. Idempotent.

        Wire: GET {platform}/api/organization/{organization_id}/tags/find, 2xx.
        """
        return await self.find_tag(name, TagTarget.DEPLOYMENT)

    async def list_deployment_tags(self) -> list[Tag]:
        """Return the tags for deployments; see `list_tags`. Idempotent.

        Wire: GET {platform}/api/organization/{organization_id}/tags, 2xx.
        """
        return await self.list_tags(TagTarget.DEPLOYMENT)

    async def create_dataset_tag(self, name: str) -> Tag:
        """Make a tag for datasets; see `create_tag`. Not idempotent.

        Wire: POST {platform}/api/organization/{organization_id}/tags, 2xx.
        """
        return await self.create_tag(name, TagTarget.DATASET)

    async def find_dataset_tag(self, name: str) -> Tag:
        """Return the tag for datasets of that name; see `find_tag`. Idempotent.

        Wire: GET {platform}/api/organization/{organization_id}/tags/find, 2xx.
        """
        return await self.find_tag(name, TagTarget.DATASET)

    async def list_dataset_tags(self) -> list[Tag]:
        """Return the tags for datasets; see `list_tags`. Idempotent.

        Wire: GET {platform}/api/organization/{organization_id}/tags, 2xx.
        """
        return await self.list_tags(TagTarget.DATASET)

    async def create_dataset_version_tag(self, name: str) -> Tag:
        """Make a tag for dataset versions; see `create_tag`. Not idempotent.

        Wire: POST {platform}/api/organization/{organization_id}/tags, 2xx.
        """
        return await self.create_tag(name, TagTarget.DATASET_VERSION)

    async def find_dataset_version_tag(self, name: str) -> Tag:
        """Return the tag for dataset versions of that name; see `find_tag`. Idempotent.

        Wire: GET {platform}/api/organization/{organization_id}/tags/find, 2xx.
        """
        return await self.find_tag(name, TagTarget.DATASET_VERSION)

    async def list_dataset_version_tags(self) -> list[Tag]:
        """Return the tags for dataset versions; see `list_tags`. Idempotent.

        Wire: GET {platform}/api/organization/{organization_id}/tags, 2xx.
        """
        return await self.list_tags(TagTarget.DATASET_VERSION)

    async def create_model_tag(self, name: str) -> Tag:
        """Make a tag for models; see `create_tag`. Not idempotent.

        Wire: POST {platform}/api/organization/{organization_id}/tags, 2xx.
        """
        return await self.create_tag(name, TagTarget.MODEL)

    async def find_model_tag(self, name: str) -> Tag:
        """Return the tag for models of that name; see `find_tag`. Idempotent.

        Wire: GET {platform}/api/organization/{organization_id}/tags/find, 2xx.
        """
        return await self.find_tag(name, TagTarget.MODEL)

    async def list_model_tags(self) -> list[Tag]:
        """Return the tags for models; see `list_tags`. Idempotent.

        Wire: GET {platform}/api/organization/{organization_id}/tags, 2xx.
        """
        return await self.list_tags(TagTarget.MODEL)

    async def create_model_version_tag(self, name: str) -> Tag:
        """Make a tag for model versions; see `create_tag`. Not idempotent.

        Wire: POST {platform}/api/organization/{organization_id}/tags, 2xx.
        """
        return await self.create_tag(name, TagTarget.MODEL_VERSION)

    async def find_model_version_tag(self, name: str) -> Tag:
        """Return the tag for model versions of that name; see `find_tag`. Idempotent.

        Wire: GET {platform}/api/organization/{organization_id}/tags/find, 2xx.
        """
        return await self.find_tag(name, TagTarget.MODEL_VERSION)

    async def list_model_version_tags(self) -> list[Tag]:
        """Return the tags for model versions; see `list_tags`. Idempotent.

        Wire: GET {platform}/api/organization/{organization_id}/tags, 2xx.
        """
        return await self.list_tags(TagTarget.MODEL_VERSION)

    # Data sources

    async def create_datasource(self, name: str) -> DataSource:
        """Make a data source. Not idempotent: a second one of the name is a conflict.

        Raises:
            ConflictError: There is one of that name.

        Wire: POST {platform}/api/organization/{organization_id}/datasources, 2xx.
        """
        return DataSource(await self._account.call(CREATE_DATA_SOURCE, NameRequest(name=name)), self._account)

    async def get_datasource(self, name: str) -> DataSource:
        """Return the data source of that name. Idempotent.

        Raises:
            NotFoundError: There is none.

        Wire: GET {platform}/api/organization/{organization_id}/datasources/find, 2xx.
        """
        return DataSource(
            await self._account.call(FIND_DATA_SOURCE, query=[("name", text(name, "name"))]), self._account
        )

    async def get_or_create_datasource(self, name: str) -> DataSource:
        """Return the data source of that name; make it where there is none.

        Wire: GET {platform}/api/organization/{organization_id}/datasources/find,
            POST {platform}/api/organization/{organization_id}/datasources, 2xx.
        """
        try:
            return await self.get_datasource(name)
        except NotFoundError:
            return await self.create_datasource(name)

    async def list_datasources(
        self, limit: int | None = None, offset: int | None = None, order_by: list[str] | None = None
    ) -> list[DataSource]:
        """Return the data sources, in one request. Idempotent. Further arguments: `list_deployments`.

        Wire: GET {platform}/api/organization/{organization_id}/datasources, 2xx.
        """
        page = await self._account.call(LIST_DATA_SOURCES, query=simple_query(limit, offset, order_by))
        return [DataSource(item, self._account) for item in page.items[:limit]]

    # Datalakes

    async def get_datalake(self, id: str | UUID | None = None, name: str | None = None) -> Datalake:  # noqa: A002 - the vendor's name
        """Return a datalake: the default one, or the one of that id or name. Idempotent.

        Raises:
            ConfigurationError: Both were given. Nothing was sent.
            NotFoundError: There is none.

        Wire: GET {platform}/api/organization/{organization_id}/datalake, 2xx.
        """
        if id is not None and name is not None:
            raise ConfigurationError("id and name exclude each other: give one of them")
        query = [("id", None if id is None else uuid(id, "id")), ("name", None if name is None else text(name, "name"))]
        return Datalake(await self._account.call(FIND_DATALAKE, query=query), self._account)

    async def list_datalakes(self) -> list[Datalake]:
        """Return the datalakes. Idempotent.

        Wire: GET {platform}/api/organization/{organization_id}/datalakes, 2xx.
        """
        page = await self._account.call(LIST_DATALAKES)
        return [Datalake(item, self._account) for item in page.items]

    # Datasets

    async def get_dataset(self, name: str) -> Dataset:
        """Return the dataset of that name. Idempotent.

        Raises:
            NotFoundError: There is none.

        Wire: GET {platform}/api/organization/{organization_id}/datasets/find, 2xx.
        """
        return Dataset(await self._account.call(FIND_DATASET, query=[("name", text(name, "name"))]), self._account)

    async def get_dataset_by_id(self, id: UUID | str) -> Dataset:  # noqa: A002 - the vendor's name
        """Return the dataset of that id. Idempotent.

        Raises:
            NotFoundError: There is none.

        Wire: GET {platform}/api/organization/{organization_id}/datasets/find, 2xx.
        """
        return Dataset(await self._account.call(FIND_DATASET, query=[("id", uuid(id, "id"))]), self._account)

    async def list_datasets(
        self, limit: int | None = None, offset: int | None = None, order_by: list[str] | None = None
    ) -> list[Dataset]:
        """Return the datasets, in one request. Idempotent. Further arguments: `list_deployments`.

        Wire: GET {platform}/api/organization/{organization_id}/datasets, 2xx.
        """
        page = await self._account.call(LIST_DATASETS, query=simple_query(limit, offset, order_by))
        return [Dataset(item, self._account) for item in page.items[:limit]]

    async def get_dataset_version_by_id(self, id: UUID | str) -> DatasetVersion:  # noqa: A002 - the vendor's name
        """Return the dataset version of that id. Idempotent.

        Raises:
            NotFoundError: There is none.

        Wire: GET {platform}/api/organization/{organization_id}/datasetversions/find, 2xx.
        """
        return DatasetVersion(
            await self._account.call(FIND_DATASET_VERSION, query=[("id", uuid(id, "id"))]), self._account
        )

    # Models

    async def get_model(self, name: str) -> Model:
        """Return the model of that name. Idempotent.

        Raises:
            NotFoundError: There is none.

        Wire: GET {platform}/api/organization/{organization_id}/models/find, 2xx.
        """
        return Model(await self._account.call(FIND_MODEL, query=[("name", text(name, "name"))]), self._account)

    async def get_model_by_id(self, id: UUID | str) -> Model:  # noqa: A002 - the vendor's name
        """Return the model of that id. Idempotent.

        Raises:
            NotFoundError: There is none.

        Wire: GET {platform}/api/organization/{organization_id}/models/find, 2xx.
        """
        return Model(await self._account.call(FIND_MODEL, query=[("id", uuid(id, "id"))]), self._account)

    async def list_models(
        self, limit: int | None = None, offset: int | None = None, order_by: list[str] | None = None
    ) -> list[Model]:
        """Return the models, in one request. Idempotent. Further arguments: `list_deployments`.

        Wire: GET {platform}/api/organization/{organization_id}/models, 2xx.
        """
        page = await self._account.call(LIST_MODELS, query=simple_query(limit, offset, order_by))
        return [Model(item, self._account) for item in page.items[:limit]]

    async def get_model_version_by_id(self, id: UUID | str) -> ModelVersion:  # noqa: A002 - the vendor's name
        """Return the model version of that id. Idempotent.

        Raises:
            NotFoundError: There is none.

        Wire: GET {platform}/api/organization/{organization_id}/modelversions/find, 2xx.
        """
        return ModelVersion(await self._account.call(FIND_MODEL_VERSION, query=[("id", uuid(id, "id"))]), self._account)

    # Projects and experiments

    async def get_project(self, name: str | None = None, *, project_name: str | None = None) -> Project:
        """Return the project of that name. Idempotent.

        Args:
            name: Name of the project.
            project_name: The vendor's name for `name`.

        Raises:
            ConfigurationError: Neither or both were given. Nothing was sent.
            NotFoundError: There is none.

        Wire: GET {platform}/api/organization/{organization_id}/projects/find, 2xx.
        """
        if (name is None) == (project_name is None):
            raise ConfigurationError("give either name or project_name, which mean the same")
        wanted = text(project_name, "project_name") if name is None else text(name, "name")
        query = [("name", wanted)]
        return Project(await self._account.call(FIND_PROJECT, query=query), self._account)

    async def get_project_by_id(self, id: UUID | str) -> Project:  # noqa: A002 - the vendor's name
        """Return the project of that id. Idempotent.

        Raises:
            NotFoundError: There is none.

        Wire: GET {platform}/api/organization/{organization_id}/projects/find, 2xx.
        """
        return Project(await self._account.call(FIND_PROJECT, query=[("id", uuid(id, "id"))]), self._account)

    async def list_projects(
        self, limit: int | None = None, offset: int | None = None, order_by: list[str] | None = None
    ) -> list[Project]:
        """Return the projects, in one request. Idempotent. Further arguments: `list_deployments`.

        Wire: GET {platform}/api/organization/{organization_id}/projects, 2xx.
        """
        page = await self._account.call(LIST_PROJECTS, query=simple_query(limit, offset, order_by))
        return [Project(item, self._account) for item in page.items[:limit]]

    async def get_experiment_by_id(self, id: UUID | str) -> Experiment:  # noqa: A002 - the vendor's name
        """Return the experiment of that id. Idempotent.

        Raises:
            NotFoundError: There is none.

        Wire: GET {platform}/api/organization/{organization_id}/experiments/find, 2xx.
        """
        return Experiment(await self._account.call(FIND_EXPERIMENT, query=[("id", uuid(id, "id"))]), self._account)

    # Users, jobs, campaigns

    async def list_users(self, username: str | None = None) -> list[User]:
        """Return the users of the organization. Idempotent.

        Args:
            username: Only the user of that name.

        Wire: GET {platform}/api/access/organization/{organization_id}/users, 2xx.
        """
        query = [("username", None if username is None else text(username, "username"))]
        found = await self._account.call(LIST_USERS, query=query)
        return [User(user, self._account) for user in found.users]

    async def get_job_by_id(self, id: UUID | str) -> Job:  # noqa: A002 - the vendor's name
        """Return the job of that id. Idempotent.

        Raises:
            NotFoundError: There is none.

        Wire: GET {platform}/api/organization/{organization_id}/jobv2s/find, 2xx.
        """
        return Job(await self._account.call(FIND_JOB, query=[("id", uuid(id, "id"))]), self._account)

    async def list_review_campaigns(self, is_closed: bool | None = None) -> list[ReviewCampaign]:
        """Return the review campaigns of the organization. Idempotent.

        Args:
            is_closed: Only those that are closed, or only those that are not; all by default.

        Wire: GET {platform}/api/organization/{organization_id}/reviewcampaigns, 2xx.
        """
        query: list[tuple[str, Any]] = [("is_closed", None if is_closed is None else boolean(is_closed, "is_closed"))]
        page = await self._account.call(LIST_CAMPAIGNS, query=query)
        return [ReviewCampaign(item, self._account) for item in page.items]
