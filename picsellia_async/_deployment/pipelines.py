"""The pipelines of a deployment: feedback loop, training data, continuous training, continuous deployment."""

from __future__ import annotations

from typing import Any

from picsellia_async._wire.endpoints import (
    ATTACH_DATASET_VERSION,
    CHECK_TRAINING_DATA,
    DETACH_DATASET_VERSIONS,
    DISABLE_TRAINING_DATA,
    LIST_FEEDBACK_LOOP_DATASETS,
    SET_TRAINING_DATA,
    SETUP_CONTINUOUS_DEPLOYMENT,
    SETUP_CONTINUOUS_TRAINING,
    SETUP_FEEDBACK_LOOP,
    TOGGLE_PIPELINE,
    Pipeline,
)
from picsellia_async._wire.platform_requests import (
    ContinuousDeploymentRequest,
    ContinuousTrainingRequest,
    DatasetVersionRequest,
    EmptyRequest,
    IdsRequest,
    ToggleRequest,
)
from picsellia_async._wire.unset import UNSET, Unset, given
from picsellia_async.enums import ContinuousDeploymentPolicy, ContinuousTrainingTrigger, ContinuousTrainingType
from picsellia_async.errors import BadConfigurationContinuousTrainingError
from picsellia_async.models import DeploymentDescription, Log
from picsellia_async.resources.dataset import DatasetVersion
from picsellia_async.resources.handle import Record, expect
from picsellia_async.resources.project import Project


class Pipelines:
    """Sets pipelines up, switches them, and ties dataset versions to them."""

    def __init__(self, record: Record[DeploymentDescription]) -> None:
        """Store the record; nothing is sent."""
        self._record = record

    async def toggle(self, pipeline: Pipeline, active: bool) -> None:
        """Switch a pipeline on or off."""
        request = ToggleRequest(active=active)
        await self._record.account.call(TOGGLE_PIPELINE, request, deployment_id=self._record.id, pipeline=pipeline)

    async def attach(self, pipeline: Pipeline, dataset_version: DatasetVersion, alias: str | None = None) -> None:
        """Add a dataset version to a pipeline."""
        version = expect(dataset_version, DatasetVersion, "dataset_version")
        request = DatasetVersionRequest(dataset_version_id=version.id, name=given(alias))
        await self._record.account.call(
            ATTACH_DATASET_VERSION, request, deployment_id=self._record.id, pipeline=pipeline
        )

    async def detach(self, pipeline: Pipeline, dataset_version: DatasetVersion) -> None:
        """Take a dataset version out of a pipeline."""
        version = expect(dataset_version, DatasetVersion, "dataset_version")
        request = IdsRequest(ids=[version.id])
        await self._record.account.call(
            DETACH_DATASET_VERSIONS, request, deployment_id=self._record.id, pipeline=pipeline
        )

    async def setup_feedback_loop(self, dataset_version: DatasetVersion | None) -> None:
        """Set the feedback loop up, and attach a dataset version where one is given."""
        version = None if dataset_version is None else expect(dataset_version, DatasetVersion, "dataset_version")
        await self._record.account.call(SETUP_FEEDBACK_LOOP, EmptyRequest(), deployment_id=self._record.id)
        if version is not None:
            await self.attach(Pipeline.FEEDBACK_LOOP, version)

    async def feedback_loop_datasets(self) -> list[DatasetVersion]:
        """Fetch the dataset versions of the feedback loop."""
        page = await self._record.account.call(LIST_FEEDBACK_LOOP_DATASETS, deployment_id=self._record.id)
        return [DatasetVersion(item.dataset_version, self._record.account) for item in page.items]

    async def set_training_data(self, dataset_version: DatasetVersion) -> None:
        """Say what drift and outliers are measured against."""
        version = expect(dataset_version, DatasetVersion, "dataset_version")
        request = DatasetVersionRequest(dataset_version_id=version.id)
        await self._record.account.call(SET_TRAINING_DATA, request, deployment_id=self._record.id)

    async def training_data_status(self) -> str:
        """Fetch how far the metrics over the training data are."""
        return (await self._record.account.call(CHECK_TRAINING_DATA, deployment_id=self._record.id)).status

    async def disable_training_data(self) -> None:
        """Stop measuring against the training data."""
        await self._record.account.call(DISABLE_TRAINING_DATA, deployment_id=self._record.id)

    async def setup_continuous_training(
        self,
        project: Project,
        trigger: ContinuousTrainingTrigger | str | None,
        threshold: int | None,
        experiment_parameters: dict[str, Any] | Log | None,
        scan_config: dict[str, Any] | None,
    ) -> None:
        """Set continuous training up; what cannot be trained with is refused before anything is sent."""
        if scan_config is not None:
            raise BadConfigurationContinuousTrainingError("scan_config: continuous training by scan is not possible")
        parameters = experiment_parameters.data if isinstance(experiment_parameters, Log) else experiment_parameters
        if not parameters:
            raise BadConfigurationContinuousTrainingError("experiment_parameters must be given, and not be empty")
        request = ContinuousTrainingRequest(
            project_id=expect(project, Project, "project").id,
            trigger=_trigger(trigger, threshold),
            threshold=given(threshold),
            training_type=ContinuousTrainingType.EXPERIMENT,
            experiment_parameters=parameters,
        )
        await self._record.account.call(SETUP_CONTINUOUS_TRAINING, request, deployment_id=self._record.id)

    async def setup_continuous_deployment(self, policy: ContinuousDeploymentPolicy | str) -> None:
        """Say what happens to a newly trained model version."""
        request = ContinuousDeploymentRequest(policy=ContinuousDeploymentPolicy.of(policy, "policy"))
        await self._record.account.call(SETUP_CONTINUOUS_DEPLOYMENT, request, deployment_id=self._record.id)


def _trigger(
    trigger: ContinuousTrainingTrigger | str | None, threshold: int | None
) -> ContinuousTrainingTrigger | Unset:
    """Return what starts a training: a threshold alone counts submitted reviews, as the documented example means it."""
    if trigger is None:
        return UNSET if threshold is None else ContinuousTrainingTrigger.FEEDBACK_LOOP
    return ContinuousTrainingTrigger.of(trigger, "trigger")
