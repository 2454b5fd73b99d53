"""A deployment as the platform keeps it: name, tags, users, labels, model versions, pipelines.

`AsyncDeployment` adds the calls that go to the monitoring and serving hosts, and the predicted assets that come of them.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

import attrs

from picsellia_async._wire.decode import updated
from picsellia_async._wire.endpoints import (
    ADD_DEPLOYMENT_USER,
    ATTACH_DATASET_VERSION,
    CHECK_TRAINING_DATA,
    DELETE_DEPLOYMENT,
    DETACH_DATASET_VERSIONS,
    DISABLE_TRAINING_DATA,
    GET_DEPLOYMENT,
    GET_MODEL_VERSION,
    LIST_DEPLOYMENT_LABELS,
    LIST_DEPLOYMENT_USERS,
    LIST_FEEDBACK_LOOP_DATASETS,
    SET_MODEL,
    SET_SHADOW_MODEL,
    SET_TRAINING_DATA,
    SETUP_CONTINUOUS_DEPLOYMENT,
    SETUP_CONTINUOUS_TRAINING,
    SETUP_FEEDBACK_LOOP,
    TOGGLE_PIPELINE,
    UPDATE_DEPLOYMENT,
    Pipeline,
)
from picsellia_async._wire.platform_requests import (
    AddUserRequest,
    ContinuousDeploymentRequest,
    ContinuousTrainingRequest,
    DatasetVersionRequest,
    EmptyRequest,
    IdsRequest,
    ModelVersionRequest,
    ToggleRequest,
    UpdateDeploymentRequest,
)
from picsellia_async._wire.unset import UNSET, given
from picsellia_async.enums import (
    ContinuousDeploymentPolicy,
    ContinuousTrainingTrigger,
    ContinuousTrainingType,
    InferenceType,
    TagTarget,
)
from picsellia_async.errors import BadConfigurationContinuousTrainingError, NoShadowModel, UndefinedObjectError
from picsellia_async.models import DeploymentDescription, Log
from picsellia_async.resources.datalake import Datalake
from picsellia_async.resources.dataset import DatasetVersion
from picsellia_async.resources.handle import expect
from picsellia_async.resources.label import Label
from picsellia_async.resources.model import ModelVersion
from picsellia_async.resources.project import Project
from picsellia_async.resources.tag import Tag, Taggable
from picsellia_async.resources.user import User, Worker
from picsellia_async.validation import boolean, text


class DeploymentHandle(Taggable[DeploymentDescription]):
    """The platform's side of a deployment."""

    tag_target = TagTarget.DEPLOYMENT

    def _adopt(self, description: DeploymentDescription) -> None:
        """Take over what the platform says now."""
        self._description = description

    @property
    def name(self) -> str:
        """Name, unique in the organization."""
        return self._description.name

    @property
    def type(self) -> InferenceType:
        """What the deployment predicts; predictions handed to `monitor` must be of this type."""
        return self._description.type

    # Identity, tags, users, labels

    async def sync(self) -> DeploymentDescription:
        """Fetch this deployment again; `name`, `type`, hosts and the rest of `description` are those of now. Idempotent.

        Raises:
            NotFoundError: It was deleted.

        Wire: GET {platform}/api/deployment/{deployment_id}, 2xx.
        """
        self._adopt(await self._connection.call(GET_DEPLOYMENT, deployment_id=self.id))
        return self._description

    async def get_tags(self) -> list[Tag]:
        """Return the tags that this deployment carries now. Idempotent.

        Wire: GET {platform}/api/deployment/{deployment_id}, 2xx.
        """
        return [Tag(tag, self._connection) for tag in (await self.sync()).tags]

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
        datalake = None if target_datalake is None else expect(target_datalake, Datalake, "target_datalake")
        request = UpdateDeploymentRequest(
            name=given(name),
            min_threshold=given(min_threshold),
            target_datalake_id=UNSET if datalake is None else datalake.id,
            sample_rate=given(sample_rate),
        )
        answer = await self._connection.call(UPDATE_DEPLOYMENT, request, deployment_id=self.id)
        self._adopt(updated(self._description, answer))

    async def delete(self, force_delete: bool = False) -> None:
        """Delete this deployment; its data stays in the datalake. Idempotent.

        Args:
            force_delete: Passed on; the vendor does not say what it changes.

        Wire: DELETE {platform}/api/deployment/{deployment_id}, 2xx.
        """
        query = [("force_delete", boolean(force_delete, "force_delete"))]
        await self._connection.call(DELETE_DEPLOYMENT, query=query, deployment_id=self.id)

    async def list_labels(self) -> list[Label]:
        """Return the labels, made from the model version's label map. Idempotent.

        Wire: GET {platform}/api/deployment/{deployment_id}/labels, 2xx.
        """
        page = await self._connection.call(LIST_DEPLOYMENT_LABELS, deployment_id=self.id)
        return [Label(item, self._connection) for item in page.items]

    async def list_users(self) -> list[User]:
        """Return who has access to this deployment; reviews can be assigned to them. Idempotent.

        Wire: GET {platform}/api/access/deployment/{deployment_id}/users, 2xx.
        """
        found = await self._connection.call(LIST_DEPLOYMENT_USERS, deployment_id=self.id)
        return [User(user, self._connection) for user in found.users]

    async def list_workers(self) -> list[Worker]:
        """Return the users under their former name; see `list_users`. Idempotent.

        Wire: GET {platform}/api/access/deployment/{deployment_id}/users, 2xx.
        """
        found = await self._connection.call(LIST_DEPLOYMENT_USERS, deployment_id=self.id)
        return [Worker(user, self._connection) for user in found.users]

    async def add_user(self, user: User, role: str | None = None) -> None:
        """Give a user access to this deployment. Not idempotent.

        Args:
            user: The user, from `client.list_users()`.
            role: Words of the platform; its documentation mentions ADMIN, USER, LABELER and UNPRIVILEGED.

        Wire: POST {platform}/api/access/deployment/{deployment_id}/users, 2xx.
        """
        request = AddUserRequest(user_id=expect(user, User, "user").id, role=given(role))
        await self._connection.call(ADD_DEPLOYMENT_USER, request, deployment_id=self.id)

    # Model versions

    async def set_model(self, model_version: ModelVersion) -> None:
        """Set the model version in use (champion). Idempotent.

        Args:
            model_version: Of this deployment's type.

        Wire: POST {platform}/api/deployment/{deployment_id}/model, 2xx.
        """
        version = expect(model_version, ModelVersion, "model_version")
        request = ModelVersionRequest(model_version_id=version.id)
        await self._connection.call(SET_MODEL, request, deployment_id=self.id)
        self._description = attrs.evolve(self._description, model_version_id=version.id)

    async def get_model_version(self) -> ModelVersion:
        """Return the model version in use now. Idempotent.

        Raises:
            UndefinedObjectError: The platform does not say which one it is.

        Wire: GET {platform}/api/deployment/{deployment_id}, GET {platform}/api/model/version/{model_version_id}, 2xx.
        """
        version_id = (await self.sync()).model_version_id
        if version_id is None:
            raise UndefinedObjectError(f"the platform names no model version for deployment {self.name!r}")
        return await self._model_version(version_id)

    async def set_shadow_model(self, shadow_model_version: ModelVersion) -> None:
        """Set the model version that runs beside the champion. Idempotent.

        Args:
            shadow_model_version: Of this deployment's type.

        Wire: POST {platform}/api/deployment/{deployment_id}/shadow, 2xx.
        """
        version = expect(shadow_model_version, ModelVersion, "shadow_model_version")
        request = ModelVersionRequest(model_version_id=version.id)
        await self._connection.call(SET_SHADOW_MODEL, request, deployment_id=self.id)
        self._description = attrs.evolve(self._description, shadow_model_version_id=version.id)

    async def get_shadow_model(self) -> ModelVersion:
        """Return the model version that runs beside the champion now. Idempotent.

        Raises:
            NoShadowModel: There is none.

        Wire: GET {platform}/api/deployment/{deployment_id}, GET {platform}/api/model/version/{model_version_id}, 2xx.
        """
        version_id = (await self.sync()).shadow_model_version_id
        if version_id is None:
            raise NoShadowModel(f"deployment {self.name!r} has no shadow model")
        return await self._model_version(version_id)

    async def _model_version(self, version_id: UUID) -> ModelVersion:
        found = await self._connection.call(GET_MODEL_VERSION, model_version_id=version_id)
        return ModelVersion(found, self._connection)

    # Feedback loop: submitted reviews become assets of datasets

    async def setup_feedback_loop(self, dataset_version: DatasetVersion | None = None) -> None:
        """Set up the feedback loop, and attach a dataset version where one is given. Not idempotent.

        Args:
            dataset_version: Former way to attach; `attach_dataset_version_to_feedback_loop` takes several.

        Wire: POST {platform}/api/deployment/{deployment_id}/pipeline/fl/setup, 2xx.
        """
        version = None if dataset_version is None else expect(dataset_version, DatasetVersion, "dataset_version")
        await self._connection.call(SETUP_FEEDBACK_LOOP, EmptyRequest(), deployment_id=self.id)
        if version is not None:
            await self._attach(Pipeline.FEEDBACK_LOOP, version)

    async def attach_dataset_version_to_feedback_loop(self, dataset_version: DatasetVersion) -> None:
        """Add a dataset version to the feedback loop, which must have been set up. Not idempotent.

        Args:
            dataset_version: Where submitted reviews go. Its type and labels must fit the deployment.

        Wire: POST {platform}/api/deployment/{deployment_id}/{pipeline}/datasets, 2xx.
        """
        await self._attach(Pipeline.FEEDBACK_LOOP, dataset_version)

    async def detach_dataset_version_from_feedback_loop(self, dataset_version: DatasetVersion) -> None:
        """Take a dataset version out of the feedback loop. Idempotent.

        Args:
            dataset_version: One that was attached.

        Raises:
            NotFoundError: It is not attached.

        Wire: DELETE {platform}/api/deployment/{deployment_id}/{pipeline}/datasets, 2xx.
        """
        await self._detach(Pipeline.FEEDBACK_LOOP, dataset_version)

    async def list_feedback_loop_datasets(self) -> list[DatasetVersion]:
        """Return the dataset versions of the feedback loop. Idempotent.

        Wire: GET {platform}/api/deployment/{deployment_id}/fl/datasets, 2xx.
        """
        page = await self._connection.call(LIST_FEEDBACK_LOOP_DATASETS, deployment_id=self.id)
        return [DatasetVersion(item.dataset_version, self._connection) for item in page.items]

    async def toggle_feedback_loop(self, active: bool) -> None:
        """Switch the feedback loop on or off. Idempotent.

        Args:
            active: On or off.

        Wire: PUT {platform}/api/deployment/{deployment_id}/pipeline/{pipeline}, 2xx.
        """
        await self._toggle(Pipeline.FEEDBACK_LOOP, active)

    # Training data: what drift and outliers are measured against

    async def set_training_data(self, dataset_version: DatasetVersion) -> None:
        """Say what the model was trained on, so that drift and outlier scores can be computed from now on. Not idempotent.

        Args:
            dataset_version: The training data.

        Wire: POST {platform}/api/deployment/{deployment_id}/pipeline/td/setup, 2xx.
        """
        version = expect(dataset_version, DatasetVersion, "dataset_version")
        request = DatasetVersionRequest(dataset_version_id=version.id)
        await self._connection.call(SET_TRAINING_DATA, request, deployment_id=self.id)

    async def check_training_data_metrics_status(self) -> str:
        """Return how far the metrics over the training data are, in words of the platform. Idempotent.

        Wire: GET {platform}/api/deployment/{deployment_id}/pipeline/td/check, 2xx.
        """
        return (await self._connection.call(CHECK_TRAINING_DATA, deployment_id=self.id)).status

    async def disable_training_data_reference(self) -> None:
        """Stop measuring against the training data. Idempotent.

        Wire: PUT {platform}/api/deployment/{deployment_id}/pipeline/td/disable, 2xx.
        """
        await self._connection.call(DISABLE_TRAINING_DATA, deployment_id=self.id)

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
            trigger: What starts a training. Goes together with `threshold`.
            threshold: How many submitted reviews it takes. (The vendor's SDK drops one without a trigger in silence.)
            experiment_parameters: Training parameters: a dict, or the log that `experiment.get_log("parameters")` returns.
            scan_config: Refused: the service cannot train by scan.

        Raises:
            BadConfigurationContinuousTrainingError: No parameters, a scan, or only one of trigger and threshold. Nothing was sent.

        Wire: POST {platform}/api/deployment/{deployment_id}/pipeline/ct, 2xx.
        """
        if scan_config is not None:
            raise BadConfigurationContinuousTrainingError("scan_config: continuous training by scan is not possible")
        parameters = experiment_parameters.data if isinstance(experiment_parameters, Log) else experiment_parameters
        if not parameters:
            raise BadConfigurationContinuousTrainingError("experiment_parameters must be given, and not be empty")
        request = ContinuousTrainingRequest(
            project_id=expect(project, Project, "project").id,
            trigger=UNSET if trigger is None else ContinuousTrainingTrigger.of(trigger, "trigger"),
            threshold=given(threshold),
            training_type=ContinuousTrainingType.EXPERIMENT,
            experiment_parameters=parameters,
        )
        await self._connection.call(SETUP_CONTINUOUS_TRAINING, request, deployment_id=self.id)

    async def attach_dataset_version_to_continuous_training(self, alias: str, dataset_version: DatasetVersion) -> None:
        """Add a dataset version to continuous training, which must have been set up. Not idempotent.

        Args:
            alias: Its name in the experiments: train, test, eval, ...
            dataset_version: What is trained with.

        Wire: POST {platform}/api/deployment/{deployment_id}/{pipeline}/datasets, 2xx.
        """
        await self._attach(Pipeline.CONTINUOUS_TRAINING, dataset_version, text(alias, "alias"))

    async def detach_dataset_version_from_continuous_training(self, dataset_version: DatasetVersion) -> None:
        """Take a dataset version out of continuous training. Idempotent.

        Args:
            dataset_version: One that was attached.

        Raises:
            NotFoundError: It is not attached.

        Wire: DELETE {platform}/api/deployment/{deployment_id}/{pipeline}/datasets, 2xx.
        """
        await self._detach(Pipeline.CONTINUOUS_TRAINING, dataset_version)

    async def toggle_continuous_training(self, active: bool) -> None:
        """Switch continuous training on or off. Idempotent.

        Args:
            active: On or off.

        Wire: PUT {platform}/api/deployment/{deployment_id}/pipeline/{pipeline}, 2xx.
        """
        await self._toggle(Pipeline.CONTINUOUS_TRAINING, active)

    async def setup_continuous_deployment(self, policy: ContinuousDeploymentPolicy | str) -> None:
        """Say what happens to a newly trained model version. Not idempotent.

        Args:
            policy: It becomes champion, becomes shadow, or waits for a person.

        Wire: POST {platform}/api/deployment/{deployment_id}/pipeline/cd, 2xx.
        """
        request = ContinuousDeploymentRequest(policy=ContinuousDeploymentPolicy.of(policy, "policy"))
        await self._connection.call(SETUP_CONTINUOUS_DEPLOYMENT, request, deployment_id=self.id)

    async def toggle_continuous_deployment(self, active: bool) -> None:
        """Switch continuous deployment on or off. Idempotent.

        Args:
            active: On or off.

        Wire: PUT {platform}/api/deployment/{deployment_id}/pipeline/{pipeline}, 2xx.
        """
        await self._toggle(Pipeline.CONTINUOUS_DEPLOYMENT, active)

    async def _toggle(self, pipeline: Pipeline, active: bool) -> None:
        request = ToggleRequest(active=active)
        await self._connection.call(TOGGLE_PIPELINE, request, deployment_id=self.id, pipeline=pipeline)

    async def _attach(self, pipeline: Pipeline, dataset_version: Any, alias: str | None = None) -> None:
        version = expect(dataset_version, DatasetVersion, "dataset_version")
        request = DatasetVersionRequest(dataset_version_id=version.id, name=given(alias))
        await self._connection.call(ATTACH_DATASET_VERSION, request, deployment_id=self.id, pipeline=pipeline)

    async def _detach(self, pipeline: Pipeline, dataset_version: Any) -> None:
        version = expect(dataset_version, DatasetVersion, "dataset_version")
        request = IdsRequest(ids=[version.id])
        await self._connection.call(DETACH_DATASET_VERSIONS, request, deployment_id=self.id, pipeline=pipeline)
