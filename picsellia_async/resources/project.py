"""Projects, and the experiments in them."""

from __future__ import annotations

from uuid import UUID

from picsellia_async._wire.endpoints import (
    FIND_EXPERIMENT_LOG,
    GET_EXPERIMENT,
    GET_PROJECT,
    LIST_PROJECT_DATASET_VERSIONS,
)
from picsellia_async.enums import ExperimentStatus
from picsellia_async.errors import NoDataError
from picsellia_async.models import DatasetDescription, ExperimentDescription, Log, ProjectDescription
from picsellia_async.resources.dataset import Dataset, DatasetVersion
from picsellia_async.resources.handle import Handle
from picsellia_async.validation import text


class Experiment(Handle[ExperimentDescription]):
    """A training run."""

    @property
    def name(self) -> str:
        """Name, unique in the project."""
        return self._description.name

    @property
    def project_id(self) -> UUID | None:
        """The project it belongs to."""
        return self._description.project_id

    @property
    def status(self) -> ExperimentStatus | None:
        """State when last fetched; None where the platform did not say."""
        return self._description.status

    def get_resource_url_on_platform(self) -> str:
        """Return the address of this experiment on the pages of the platform; sends nothing."""
        return f"{self._account.settings.origin}/experiment/{self.id}"

    async def sync(self) -> ExperimentDescription:
        """Fetch this experiment again. Idempotent.

        Wire: GET {platform}/api/experiment/{experiment_id}, 2xx.
        """
        self._description = await self._account.call(GET_EXPERIMENT, experiment_id=self.id)
        return self._description

    async def get_log(self, name: str) -> Log:
        """Return the log of that name. Idempotent.

        A log of parameters may be handed on as `experiment_parameters` of `setup_continuous_training`.

        Args:
            name: Name of the log, "parameters" for instance.

        Raises:
            NotFoundError: There is none.

        Wire: GET {platform}/api/experiment/{experiment_id}/logs/find, 2xx.
        """
        query = [("name", text(name, "name"))]
        return await self._account.call(FIND_EXPERIMENT_LOG, query=query, experiment_id=self.id)


class Project(Handle[ProjectDescription]):
    """A project: a set of experiments, and the datasets they use."""

    @property
    def name(self) -> str:
        """Name."""
        return self._description.name

    def get_resource_url_on_platform(self) -> str:
        """Return the address of this project on the pages of the platform; sends nothing."""
        return f"{self._account.settings.origin}/project/{self.id}"

    async def sync(self) -> ProjectDescription:
        """Fetch this project again. Idempotent.

        Wire: GET {platform}/api/project/{project_id}, 2xx.
        """
        self._description = await self._account.call(GET_PROJECT, project_id=self.id)
        return self._description

    async def list_dataset_versions(self) -> list[DatasetVersion]:
        """Return the dataset versions attached to this project. Idempotent.

        Wire: GET {platform}/api/project/{project_id}/datasets, 2xx.
        """
        page = await self._account.call(LIST_PROJECT_DATASET_VERSIONS, project_id=self.id)
        return [DatasetVersion(item, self._account) for item in page.items]

    async def get_dataset(self, name: str) -> Dataset:
        """Return the dataset of that name among those attached to this project. Idempotent.

        Args:
            name: Name of the dataset.

        Raises:
            NoDataError: No version of such a dataset is attached; the message names those that are.

        Wire: GET {platform}/api/project/{project_id}/datasets, 2xx.
        """
        wanted = text(name, "name")
        versions = await self.list_dataset_versions()
        for version in versions:
            if version.name == wanted:
                return Dataset(DatasetDescription(id=version.origin_id, name=wanted), self._account)
        attached = ", ".join(sorted({version.name for version in versions})) or "none"
        raise NoDataError(f"project {self.name!r} has no dataset {wanted!r}; attached are: {attached}")
