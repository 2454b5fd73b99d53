"""What the client finds and the handles that come of it, against the emulator."""

from __future__ import annotations

import copy
import inspect
import pickle
import re
from uuid import uuid4

import attrs
import pytest

from picsellia_async import (
    AsyncClient,
    ConfigurationError,
    ConflictError,
    DecodeError,
    NoBaseExperimentError,
    NoDataError,
    NotFoundError,
    PermissionDeniedError,
    TagTarget,
    Target,
    WaitingAttemptsTimeout,
)
from picsellia_async._wire.endpoints import ENDPOINTS
from picsellia_async.emulator import Fault
from picsellia_async.resources import (
    campaign,
    data,
    data_source,
    datalake,
    dataset,
    job,
    label,
    model,
    predicted_asset,
    project,
    tag,
)
from picsellia_async.resources.downloadable import Downloadable
from picsellia_async.resources.handle import Handle

pytestmark = pytest.mark.anyio


def calls(emulator, endpoint):
    return [entry for entry in emulator.journal if entry.endpoint == endpoint]


# What all handles share


async def test_handles_act_and_values_are_frozen(client, deployment):
    """A handle carries a frozen description, equals another of its id, hashes, and cannot be pickled; the value can."""
    first = await client.get_model("my-model")
    second = await client.get_model_by_id(first.id)
    assert first == second
    assert len({first, second}) == 1
    assert first != await client.get_dataset("my-dataset")
    assert first != first.id
    assert repr(first) == f"<Model 'my-model' {first.id}>"
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        first.description.name = "other"
    with pytest.raises(TypeError, match="Model cannot be pickled"):
        pickle.dumps(first)
    assert pickle.loads(pickle.dumps(first.description)) == first.description
    assert copy.deepcopy(first.description) == first.description
    assert deployment == await client.get_deployment_by_id(str(deployment.id))


HANDLES = sorted(
    {
        value
        for module in (campaign, data, data_source, datalake, dataset, job, label, model, predicted_asset, project, tag)
        for _, value in inspect.getmembers(module, inspect.isclass)
        if issubclass(value, Handle) and value not in {Handle, Downloadable}
    }
    | {AsyncClient},
    key=lambda cls: cls.__name__,
)
WIRE = re.compile(r"(GET|XGET|POST|PUT|PATCH|DELETE)(?: or XGET)? \{platform\}(/\S+?)[,.]?(?= |$)")
TABLE = {(endpoint.method, endpoint.path) for endpoint in ENDPOINTS.values()}


@pytest.mark.parametrize("cls", HANDLES, ids=lambda cls: cls.__name__)
def test_every_call_names_its_request_and_whether_it_is_repeated(cls):
    """Docstrings say what is sent, in the words of the table, and what happens after a lost answer."""
    for name, member in inspect.getmembers(
        cls, lambda m: inspect.iscoroutinefunction(m) or inspect.isasyncgenfunction(m)
    ):
        if name.startswith("_") or name == "aclose":
            continue
        doc = inspect.getdoc(member)
        said = WIRE.findall(doc.split("Wire:")[1])
        assert said, name
        assert set(said) <= TABLE, name
        assert "dempotent" in doc or name.startswith("get_or_create") or "`" in doc.splitlines()[0], name


# Tags


@pytest.mark.parametrize("target", ["deployment", "dataset", "dataset_version", "model", "model_version"])
async def test_tags_of_each_target(client, target):
    """Made, found and listed by target; a second one of the name is a conflict, an unknown one a 404."""
    made = await getattr(client, f"create_{target}_tag")("t")
    assert (made.name, made.target_type) == ("t", TagTarget[target.upper()])
    assert await getattr(client, f"find_{target}_tag")("t") == made
    assert await getattr(client, f"list_{target}_tags")() == [made]
    assert await client.find_tag("t", target) == made
    with pytest.raises(ConflictError):
        await client.create_tag("t", target)
    with pytest.raises(NotFoundError):
        await client.find_tag("u", target)
    assert (await made.sync()).name == "t"


async def test_data_tags_belong_to_the_default_datalake(client):
    """`create_tag(name, Target.DATA)` of the documented example makes one there."""
    made = await client.create_tag("bicycle", Target.DATA)
    assert made.target_type is TagTarget.DATA
    lake = await client.get_datalake()
    assert await lake.get_data_tag("bicycle") == made
    assert await client.find_tag("bicycle", "data") == made
    assert await client.list_tags("DATA") == await lake.list_data_tags() == [made]
    assert await lake.get_or_create_data_tag("bicycle") == made
    assert (await lake.get_or_create_data_tag("car")).name == "car"
    with pytest.raises(ConfigurationError, match="tags of assets belong to a dataset version"):
        await client.create_tag("a", "asset")
    with pytest.raises(ConfigurationError, match="'car' is no TagTarget; accepted are DATA, ASSET"):
        await client.create_tag("a", "car")


async def test_tags_on_every_kind_of_object(client):
    """Data, datasets, models and their versions take tags of their kind and tell them."""
    dataset_ = await client.get_dataset("my-dataset")
    model_ = await client.get_model("my-model")
    objects = {
        "dataset": dataset_,
        "dataset_version": (await dataset_.list_versions())[0],
        "model": model_,
        "model_version": await model_.get_version(0),
        "data": (await (await client.get_datalake()).list_data(limit=1))[0],
    }
    for target, handle in objects.items():
        made = await client.create_tag("t", target)
        await handle.add_tags(made)
        assert await handle.get_tags() == [made]
        await made.detach_from(handle)
        assert await handle.get_tags() == []


# Data sources, datalakes, data


async def test_data_sources(client):
    """Made, found, renamed, deleted."""
    made = await client.create_datasource("cam")
    assert await client.get_datasource("cam") == made
    assert await client.get_or_create_datasource("cam") == made
    assert made in await client.list_datasources(order_by=["name"])
    with pytest.raises(ConflictError):
        await client.create_datasource("cam")
    await made.update("cam-2")
    assert made.name == (await made.sync()).name == "cam-2"
    await made.delete()
    with pytest.raises(NotFoundError):
        await client.get_datasource("cam-2")
    assert (await client.get_or_create_datasource("cam-3")).name == "cam-3"


async def test_datalakes(client):
    """The default one, by name, by id; both at once is refused."""
    default = await client.get_datalake()
    assert await client.get_datalake(name=default.name) == default
    assert await client.get_datalake(str(default.id)) == default
    assert await client.list_datalakes() == [default]
    assert (await default.sync()).connector_id == default.connector_id
    with pytest.raises(ConfigurationError, match="id and name exclude each other"):
        await client.get_datalake(default.id, default.name)
    with pytest.raises(NotFoundError):
        await client.get_datalake(name="none")


async def test_data_is_changed_and_deleted(client):
    """Metadata is replaced or removed, one by one or in bulk; deleted data is gone."""
    lake = await client.get_datalake()
    first, second, third, *_ = await lake.list_data()
    await first.update_metadata({"weather": "rain"})
    await first.update_custom_metadata({"line": 1})
    await first.sync()
    assert (first.metadata, first.custom_metadata) == ({"weather": "rain"}, {"line": 1})
    await first.update_metadata(None)
    assert (await first.sync()).metadata is None
    await lake.update_multiple_data(
        {first.id: {"custom_metadata": {"line": 2}}, str(second.id): {"tags": ["bulk"], "data_source": "cam"}}
    )
    assert (await first.sync()).custom_metadata == {"line": 2}
    assert [t.name for t in await second.get_tags()] == ["bulk"]
    await first.delete()
    await lake.delete_data([second, third])
    for gone in (first, second, third):
        with pytest.raises(NotFoundError):
            await gone.sync()


async def test_bulk_changes_that_are_refused(client, emulator):
    """Nothing, too much, unknown keys, ids that are none."""
    lake = await client.get_datalake()
    for objects, message in (
        ({}, "objects must have 1 to 100 entries, got 0"),
        ({uuid4(): {} for _ in range(101)}, "objects must have 1 to 100 entries, got 101"),
        (
            {uuid4(): {"name": "x"}},
            "unknown key 'name'; known are metadata, custom_metadata, tags, data_source",
        ),
        ({"x": {}}, "objects must be a UUID or its text, got 'x'"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            await lake.update_multiple_data(objects)
    with pytest.raises(ConfigurationError, match="data must not be empty"):
        await lake.delete_data([])
    assert calls(emulator, "update_multiple_data") == []


async def test_importing_from_the_bucket_is_a_job(client):
    """Objects that lie in the bucket become data; the job can be waited for and found again."""
    lake = await client.get_datalake()
    running = await lake.import_bucket_objects(["directory/"], tags=["imported"], source="bucket")
    await running.wait_for_done(0.01)
    assert running.has_ended
    assert await running.wait_for_status(["succeeded", "failed"], 0.01) == running.status
    assert (await client.get_job_by_id(running.id)) == running
    assert await lake.find_data(object_name="directory/s3/object-name.jpeg")
    with pytest.raises(ConfigurationError, match="prefixes must not be empty"):
        await lake.import_bucket_objects([])


async def test_importing_named_objects_is_a_job(client, emulator):
    """Each with its own metadata, tags and source; what cannot be is refused before anything is sent."""
    lake = await client.get_datalake()
    name = "directory/s3/object-name.jpeg"
    running = await lake.import_cloud_objects(
        {name: {"metadata": {"weather": "rain"}, "tags": ["a"], "data_source": "bucket", "custom_metadata": {"n": 1}}}
    )
    assert running.has_ended
    found = await lake.find_data(object_name=name)
    assert (found.metadata, found.custom_metadata) == ({"weather": "rain"}, {"n": 1})
    assert [tag.name for tag in await found.get_tags()] == ["a"]
    assert (await found.get_datasource()).name == "bucket"
    before = len(emulator.journal)
    for objects, message in (
        ({}, "cloud_objects must have 1 to 500 entries, got 0"),
        ({f"o-{i}": {} for i in range(501)}, "cloud_objects must have 1 to 500 entries, got 501"),
        ([name], "cloud_objects must be a dict by object name"),
        ({name: {"tag": ["a"]}}, "unknown key 'tag'; known are metadata, custom_metadata, tags, data_source"),
        ({"": {}}, "cloud_objects must be a non-empty str"),
        ({name: {"tags": [5]}}, "tags"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            await lake.import_cloud_objects(objects)
    assert len(emulator.journal) == before


async def test_waiting_ends(client, emulator):
    """A job that does not end, a data that is not done: an error after the attempts, and no sleep beyond them."""
    lake = await client.get_datalake()
    running = await lake.import_bucket_objects(["directory/"])
    documents = emulator.state.store.documents
    document = documents.get("job", str(running.id))
    document["status"] = "RUNNING"
    documents.save("job", document)
    slept = []

    async def sleep(seconds):
        slept.append(seconds)

    with pytest.raises(WaitingAttemptsTimeout, match="still RUNNING after 3 looks"):
        await running.wait_for_done(7, 3, sleep=sleep)
    assert slept == [7, 7]
    [one] = await lake.list_data(limit=1)
    await one.wait_for_upload_done(7, 1, sleep=sleep)
    emulator.state.store.data.update(str(one.id), upload_status="PENDING")
    with pytest.raises(WaitingAttemptsTimeout, match="still PENDING after 2 looks"):
        await one.wait_for_upload_done(7, 2, sleep=sleep)
    assert slept == [7, 7, 7]


# Datasets, models, projects


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
