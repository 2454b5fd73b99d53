"""The pipelines of a deployment, and set-ups that contradict themselves."""

from __future__ import annotations

import pytest

from picsellia_async import (
    BadConfigurationContinuousTrainingError,
    ConfigurationError,
    ContinuousDeploymentPolicy,
    ContinuousTrainingTrigger,
    NotFoundError,
)

from ..support.client import calls

pytestmark = pytest.mark.anyio


async def test_feedback_loop(deployment, dataset_versions):
    """Set up, attach, list, detach, switch; detaching what is not attached is a 404."""
    first, second, *_ = dataset_versions
    await deployment.setup_feedback_loop(first)
    await deployment.attach_dataset_version_to_feedback_loop(second)
    assert await deployment.list_feedback_loop_datasets() == [first, second]
    await deployment.detach_dataset_version_from_feedback_loop(first)
    assert await deployment.list_feedback_loop_datasets() == [second]
    with pytest.raises(NotFoundError):
        await deployment.detach_dataset_version_from_feedback_loop(first)
    await deployment.toggle_feedback_loop(False)
    await deployment.toggle_feedback_loop(active=True)


async def test_training_data(deployment, dataset_versions):
    """A reference is set, its metrics have a state, it is switched off."""
    await deployment.set_training_data(dataset_versions[0])
    assert await deployment.check_training_data_metrics_status()
    await deployment.disable_training_data_reference()


async def test_continuous_training(client, deployment, dataset_versions):
    """Parameters come from a dict or from an experiment's log; datasets have aliases."""
    project = await client.get_project(name="my-project")
    version = await (await client.get_model("my-model")).get_version(0)
    log = await (await version.get_source_experiment()).get_log("parameters")
    await deployment.setup_continuous_training(
        project, trigger="feedback_loop", threshold=150, experiment_parameters=log
    )
    await deployment.attach_dataset_version_to_continuous_training("train", dataset_versions[0])
    await deployment.detach_dataset_version_from_continuous_training(dataset_versions[0])
    with pytest.raises(NotFoundError):
        await deployment.detach_dataset_version_from_continuous_training(dataset_versions[0])
    await deployment.toggle_continuous_training(False)
    await deployment.setup_continuous_training(project, experiment_parameters={"epochs": 3})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"trigger": ContinuousTrainingTrigger.FEEDBACK_LOOP}, "trigger was given without threshold"),
        ({"experiment_parameters": None}, "experiment_parameters must be given"),
        ({"experiment_parameters": {}}, "experiment_parameters must be given"),
        ({"scan_config": {}}, "continuous training by scan is not possible"),
    ],
)
async def test_continuous_training_that_contradicts_itself(client, deployment, emulator, options, message):
    """Half a trigger is refused, not dropped; so is what the service cannot do. Nothing is sent."""
    project = await client.get_project("my-project")
    with pytest.raises(BadConfigurationContinuousTrainingError, match=message):
        await deployment.setup_continuous_training(project, **{"experiment_parameters": {"epochs": 3}, **options})
    assert calls(emulator, "setup_continuous_training") == []


async def test_continuous_deployment(deployment):
    """A policy by member or by name, then on and off; an unknown one is named with those that exist."""
    await deployment.setup_continuous_deployment(ContinuousDeploymentPolicy.DEPLOY_MANUAL)
    await deployment.setup_continuous_deployment("deploy_shadow")
    await deployment.toggle_continuous_deployment(True)
    with pytest.raises(ConfigurationError, match=r"'sometimes' is no .*DEPLOY_CHAMPION, DEPLOY_SHADOW, DEPLOY_MANUAL"):
        await deployment.setup_continuous_deployment("sometimes")
    with pytest.raises(ConfigurationError, match="active must be True or False, got 'false'"):
        await deployment.toggle_continuous_deployment("false")
