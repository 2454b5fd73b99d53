"""Datasets, models and projects."""

from __future__ import annotations

import attrs
import pytest

from picsellia_async import (
    AsyncClient,
    ConfigurationError,
    DecodeError,
    NoBaseExperimentError,
    NoDataError,
    NotFoundError,
    PermissionDeniedError,
)
from picsellia_async.emulator import Fault

from ..support.client import calls

pytestmark = pytest.mark.anyio


async def test_datasets_and_their_versions(client):
    """By name, by id, listed; assets of a version by list and iterator."""
    found = await client.get_dataset("my-dataset")
    assert await client.get_dataset_by_id(found.id) == found
    assert await client.list_datasets(limit=5) == [found]
    assert (await found.sync()).name == "my-dataset"
    versions = await found.list_versions()
    latest = await found.get_version("latest")
    assert latest in versions
    assert (latest.name, latest.origin_id, latest.version) == ("my-dataset", found.id, "latest")
    assert await found.get_version_by_id(str(latest.id)) == latest
    assert await client.get_dataset_version_by_id(latest.id) == latest
    assert (await latest.sync()).type is latest.type
    assert await found.list_versions(limit=1) == versions[:1]
    with pytest.raises(NotFoundError):
        await found.get_version("none")
    with pytest.raises(ConfigurationError, match="version must be a non-empty str, got 0"):
        await found.get_version(0)


async def test_assets_of_a_dataset_version(client):
    """Lists, iterators and explicit values; an empty version raises or yields nothing."""
    for version in await (await client.get_dataset("my-dataset")).list_versions():
        assets = [asset async for asset in version.iter_assets()]
        if not assets:
            with pytest.raises(NoDataError):
                await version.list_assets()
            continue
        assert await version.list_assets() == assets
        assert await version.list_assets(ids=[assets[0].id]) == assets[:1]
        assert await version.list_assets(data_ids=[assets[0].data_id]) == assets[:1]
        assert assets[0] in await version.list_assets(filenames_startswith=[assets[0].filename[:4]])
        assert assets[0].data.filename == assets[0].filename
        assert assets[0].object_name


async def test_models_and_where_they_come_from(client):
    """By name, by id, listed; versions by number and by name; context, experiment and log."""
    found = await client.get_model("my-model")
    assert await client.list_models() == [found]
    assert (await found.sync()).private is found.private
    version = await found.get_version(0)
    assert version.version == 0
    assert await client.get_model_version_by_id(version.id) == version
    assert (await found.get_version("latest")) in await found.list_versions()
    assert (version.origin_id, version.origin_name) == (found.id, "my-model")
    assert version.labels["0"] == "person"
    context = await version.get_context()
    experiment = await version.get_source_experiment()
    assert context.experiment_id == experiment.id
    assert await client.get_experiment_by_id(experiment.id) == experiment
    assert (await experiment.sync()).status == experiment.status
    assert (await experiment.get_log("parameters")).data["epochs"]
    assert context.parameters == {"epochs": 20}
    assert (await context.sync()).datas == context.datasets
    datasets = await context.retrieve_datasets()
    versions = await (await client.get_dataset("my-dataset")).list_versions()
    assert datasets == {"train": versions[0], "test": versions[1]}
    assert await context.get_dataset_version("test") == versions[1]
    with pytest.raises(NoDataError, match="not trained with a dataset 'val'; there are: train, test"):
        await context.get_dataset_version("val")
    bare = type(context)(attrs.evolve(context.description, datas=None), None)
    with pytest.raises(NoDataError, match="trained with no datasets"):
        await bare.retrieve_datasets()
    with pytest.raises(NoDataError, match="there are: none"):
        await bare.get_dataset_version("train")
    for bad in (True, 1.5, None):
        with pytest.raises(ConfigurationError, match="version must be a number or a name"):
            await found.get_version(bad)


async def test_a_model_version_that_was_uploaded(client, emulator):
    """It has no experiment, and says so; a context that is forbidden is asked for in public."""
    version = await (await client.get_model("my-model")).get_version(0)
    emulator.faults.add(Fault(kind="status", status=403, endpoint="get_model_context", times=1))
    context = await version.get_context()
    assert len(calls(emulator, "get_public_model_context")) == 1
    with pytest.raises(NoBaseExperimentError):
        await type(context)(attrs.evolve(context.description, experiment_id=None), None).get_experiment()


async def test_projects(client):
    """By name under either argument, by id, listed; their datasets; what is not attached is named with what is."""
    found = await client.get_project(name="my-project")
    assert await client.get_project(project_name="my-project") == found
    assert await client.get_project("my-project") == found
    assert await client.get_project_by_id(found.id) == found
    assert await client.list_projects() == [found]
    assert (await found.sync()).name == found.name == "my-project"
    dataset_ = await found.get_dataset("my-dataset")
    assert dataset_ == await client.get_dataset("my-dataset")
    assert {version.name for version in await found.list_dataset_versions()} == {"my-dataset"}
    with pytest.raises(NoDataError, match="has no dataset 'other'; attached are: my-dataset"):
        await found.get_dataset("other")
    for arguments in ({}, {"name": "a", "project_name": "a"}):
        with pytest.raises(ConfigurationError, match="either name or project_name"):
            await client.get_project(**arguments)


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("get_dataset", (3,)),
        ("get_model", ("",)),
        ("get_model_by_id", ("x",)),
        ("get_deployment_by_id", (None,)),
        ("list_models", {"limit": 0}),
        ("list_datasets", {"offset": -1}),
        ("list_projects", {"order_by": "name"}),
        ("create_datasource", ("",)),
        ("create_deployment", ("version",)),
        ("list_review_campaigns", ("yes",)),
        ("get_job_by_id", ("x",)),
        ("list_users", (5,)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_what_cannot_be_asked_for_is_refused_before_any_request(client, emulator, method, arguments):
    """One typed error, nothing sent."""
    before = len(emulator.journal)
    call = getattr(client, method)
    with pytest.raises(ConfigurationError):
        await (call(**arguments) if isinstance(arguments, dict) else call(*arguments))
    assert len(emulator.journal) == before


async def test_labels(client, deployment, emulator):
    """A label is fetched; those of a deployment cannot be changed, the platform says."""
    found = (await deployment.list_labels())[0]
    assert (await found.sync()).name == found.name
    assert found.group_id is None
    for call in (found.update("other"), found.delete()):
        with pytest.raises(PermissionDeniedError, match="belongs to a deployment and cannot be changed"):
            await call
    assert [label.name for label in await deployment.list_labels()] == ["person", "bicycle", "car", "truck"]
    with pytest.raises(ConfigurationError, match="group_id must be a UUID"):
        await found.update(group_id="x")
    (request,) = calls(emulator, "update_label")
    assert request.status == 403
    emulator.faults.add(
        Fault(kind="status", status=200, endpoint="update_label", body=f'{{"id": "{found.id}", "name": "x"}}')
    )
    emulator.faults.add(Fault(kind="status", status=204, endpoint="delete_label", body=""))
    await found.update("x")
    assert found.name == "x"
    await found.delete()


async def test_an_answer_of_another_shape_is_a_decode_error(client, emulator):
    """A body that lacks what the call returns is told field by field."""
    emulator.faults.add(Fault(kind="status", status=200, body='{"id": 5}', endpoint="find_model", times=1))
    with pytest.raises(DecodeError, match="name"):
        await client.get_model("my-model")


async def test_other_organizations_are_closed(client, emulator):
    """What belongs to another organization is forbidden or not found, never handed over."""
    organization_id, token = await emulator.add_organization("other")
    async with AsyncClient(token, organization_id, host=emulator.url) as stranger:
        theirs = await stranger.get_deployment(emulator.deployment_name)
        ours = await client.get_deployment(emulator.deployment_name)
        assert theirs.id != ours.id
        with pytest.raises(Exception, match=r"40[34] for GET"):
            await stranger.get_deployment_by_id(ours.id)
        foreign = type(theirs)(ours.description, stranger._account)
        for call in (foreign.sync(), foreign.update("x"), foreign.delete(), foreign.list_labels()):
            with pytest.raises(Exception, match=r"40[34] for"):
                await call
