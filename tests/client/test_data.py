"""Data sources, datalakes and data."""

from __future__ import annotations

from uuid import uuid4

import pytest

from picsellia_async import (
    ConfigurationError,
    ConflictError,
    NotFoundError,
    WaitingAttemptsTimeout,
)

from ..support.client import calls

pytestmark = pytest.mark.anyio


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
