"""What the platform keeps about a deployment: what was set is what is read."""

from __future__ import annotations

import pytest

from picsellia_async import (
    ConfigurationError,
    ConflictError,
    HostNotConfiguredError,
    NoShadowModel,
    NotFoundError,
)
from picsellia_async.emulator import Fault

from ..support.client import calls

pytestmark = pytest.mark.anyio

PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)


# Identity, tags, users, labels


async def test_update_and_sync(client, deployment, emulator):
    """Name, threshold, sample rate and datalake are those that were set, in this handle and in another."""
    other = await client.get_deployment_by_id(deployment.id)
    datalake = await client.get_datalake()
    await deployment.update("new name", datalake, 0.25, sample_rate=0.5)
    assert deployment.name == "new name"
    assert deployment.description.oracle_host == other.description.oracle_host
    described = await other.sync()
    assert (described.name, described.min_threshold, described.sample_rate) == ("new name", 0.25, 0.5)
    assert described.target_datalake_id == datalake.id
    await deployment.update()
    assert deployment.name == "new name"


async def test_a_taken_name_is_a_conflict(client, deployment, versions):
    """Two deployments cannot share a name."""
    made = await client.create_deployment(versions[0], name="second", min_threshold=0.1)
    with pytest.raises(ConflictError):
        await made.update(name=deployment.name)
    with pytest.raises(ConflictError):
        await client.create_deployment(versions[0], name="second")


async def test_made_deployments(client, versions):
    """What was asked for is there; without serving there is no serving host; a version deploys itself as well."""
    datalake = await client.get_datalake()
    made = await client.create_deployment(versions[0], versions[1], "mine", 0.3, datalake, disable_serving=True)
    assert made.type is versions[0].type
    assert (await made.get_model_version(), await made.get_shadow_model()) == (versions[0], versions[1])
    with pytest.raises(HostNotConfiguredError, match="serving_host"):
        await made.predict_bytes("f.png", PNG)
    deployed = await versions[1].deploy("by version", datalake, 0.2)
    assert type(deployed) is type(made)
    assert (await client.get_deployment("by version")) == deployed
    assert {d.name for d in await client.list_deployments()} >= {"mine", "by version"}


async def test_delete(client, deployment):
    """A deleted deployment is not found any more; deleting it again is a 404."""
    await deployment.delete(force_delete=True)
    with pytest.raises(NotFoundError):
        await deployment.sync()
    with pytest.raises(NotFoundError):
        await deployment.delete()


async def test_a_delete_whose_answer_was_lost_is_done(client, deployment, emulator):
    """The repeat finds nothing any more, which is what was wanted."""
    emulator.faults.add(Fault(kind="stored_then_dropped", endpoint="delete_deployment", times=1))
    await deployment.delete()
    assert [entry.status for entry in calls(emulator, "delete_deployment")][-1] == 404
    with pytest.raises(NotFoundError):
        await deployment.sync()


async def test_tags(client, deployment):
    """Tags are put on and taken off, one or several; those of other targets are refused."""
    cool, hot = await client.create_deployment_tag("cool"), await client.create_tag("hot", "deployment")
    await deployment.add_tags([cool, hot])
    assert [tag.name for tag in await deployment.get_tags()] == ["cool", "hot"]
    await deployment.remove_tags(hot)
    assert await deployment.get_tags() == [cool]
    await hot.attach_on(deployment)
    await cool.detach_from([deployment])
    assert await deployment.get_tags() == [hot]
    await hot.update("warm")
    assert [tag.name for tag in await deployment.get_tags()] == ["warm"]
    await hot.delete()
    assert await deployment.get_tags() == []


async def test_tags_that_are_refused(client, deployment, emulator):
    """Empty lists, other objects and tags of other targets: named, and nothing is sent."""
    dataset_tag = await client.create_dataset_tag("d")
    before = len(emulator.journal)
    for tags, message in (
        ([], "tags must not be empty"),
        ("cool", "tags must be a Tag or a list of them, got 'cool'"),
        (["cool"], r"tags\[0\] must be a Tag, got 'cool'"),
        (None, "tags must be a Tag or a list of them, got None"),
        (dataset_tag, "tag 'd' is for DATASET objects and cannot be used with a DEPLOYMENT object"),
    ):
        for call in (deployment.add_tags, deployment.remove_tags):
            with pytest.raises(ConfigurationError, match=message):
                await call(tags)
    with pytest.raises(ConfigurationError, match="tag 'd' is for DATASET objects"):
        await dataset_tag.attach_on(deployment)
    assert len(emulator.journal) == before


async def test_users_and_labels(client, deployment, emulator):
    """Workers are the users under another name; added users appear; labels are those of the label map."""
    users = await client.list_users()
    newcomer = next(user for user in users if user.username == "reviewer")
    if newcomer not in await deployment.list_users():
        await deployment.add_user(newcomer, role="LABELER")
    assert newcomer in await deployment.list_users()
    workers = await deployment.list_workers()
    assert {worker.user_id for worker in workers} == {user.id for user in await deployment.list_users()}
    assert await client.list_users("reviewer") == [newcomer]
    version = await deployment.get_model_version()
    assert [label.name for label in await deployment.list_labels()] == list(version.labels.values())
    with pytest.raises(ConfigurationError, match="user must be a User, got 'reviewer'"):
        await deployment.add_user("reviewer")


# Model versions


async def test_model_versions(deployment, versions):
    """Champion and shadow are those that were set; without a shadow there is a typed error."""
    with pytest.raises(NoShadowModel, match="deployment 'awesome-deploy' has no shadow model"):
        await deployment.get_shadow_model()
    await deployment.set_model(versions[1])
    await deployment.set_shadow_model(versions[0])
    told = deployment.description
    assert (told.model_version_id, told.shadow_model_version_id) == (versions[1].id, versions[0].id)
    assert await deployment.get_model_version() == versions[1]
    assert await deployment.get_shadow_model() == versions[0]
    with pytest.raises(ConfigurationError, match="model_version must be a ModelVersion, got <Async"):
        await deployment.set_model(deployment)


async def test_models_that_another_client_set(client, deployment, versions):
    """Champion and shadow are asked for, not remembered."""
    other = await client.get_deployment(deployment.name)
    await other.set_model(versions[1])
    assert await deployment.get_model_version() == versions[1]
    await other.set_shadow_model(versions[0])
    assert await deployment.get_shadow_model() == versions[0]
