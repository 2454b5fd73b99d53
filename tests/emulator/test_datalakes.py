"""Datalakes, data, datasets, models and projects: what the seeded organization holds, and what can be done with it."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import Wire, change

pytestmark = pytest.mark.anyio

NOWHERE = "7b41e5a5-bdac-4ef5-9729-bbdb2b0ceec7"


async def datalake(wire: Wire) -> str:
    found = await wire.ok("GET", f"{wire.organization}/datalake")
    return f"/api/datalake/{found['id']}"


async def test_datalakes(wire: Wire) -> None:
    """The default one, by name, by id, in the list."""
    path = f"{wire.organization}/datalake"
    default = await wire.ok("GET", path)
    assert default["name"] == "target-datalake"
    for params in ({"name": "target-datalake"}, {"id": default["id"]}):
        assert await wire.ok("GET", path, params=params) == default
    await wire.refused(404, "GET", path, params={"name": "other"})
    assert (await wire.ok("GET", f"{path}s"))["items"] == [default]
    assert await wire.ok("GET", f"/api/datalake/{default['id']}") == default


async def test_data_are_found(wire: Wire) -> None:
    """By each property; several that match are a bad request."""
    path = f"{await datalake(wire)}/datas"
    data = (await wire.ok("GET", path, params={"limit": 1}))["items"][0]
    for key in ("id", "filename", "object_name"):
        assert (await wire.ok("GET", f"{path}/find", params={key: data[key]}))["id"] == data["id"]
    await wire.refused(404, "GET", f"{path}/find", params={"filename": "none"})
    await wire.refused(422, "GET", f"{path}/find")
    await wire.asset()
    await wire.asset()
    await wire.refused(400, "GET", f"{path}/find", params={"filename": "frame.jpg"})


async def test_metadata_are_replaced(wire: Wire) -> None:
    """Both kinds, with null as well."""
    asset = await wire.asset(metadata={"weather": "rain"}, custom_metadata={"line": 1})
    path = f"/api/data/{asset['data']['id']}"
    await wire.ok("PATCH", path, {"metadata": {"weather": "sun"}})
    await wire.ok("PATCH", f"{path}/custom-metadata", {"custom_metadata": None})
    shown = await wire.ok("GET", path)
    assert (shown["metadata"], shown["custom_metadata"]) == ({"weather": "sun"}, None)
    await wire.refused(422, "PATCH", path, {"metadata": [1]})


def changes(**given: Any) -> dict[str, Any]:
    return {"metadata": None, "custom_metadata": None, "tags": None, "data_source": None, **given}


async def test_several_data_are_changed_and_deleted_at_once(wire: Wire) -> None:
    """Nulls leave things alone; nothing is deleted when one of them is unknown."""
    path = await datalake(wire)
    items = (await wire.ok("GET", f"{path}/datas"))["items"]
    first, second, third = (item["id"] for item in items)
    objects = {
        first: changes(tags=["a"], data_source="cam"),
        second: changes(custom_metadata={"x": 1}, metadata={"y": 2}),
    }
    body = {"datalake_id": path.rpartition("/")[2], "objects": objects}
    await wire.ok("PATCH", f"{path}/data/bulk", body)
    one, two = await wire.ok("GET", f"/api/data/{first}"), await wire.ok("GET", f"/api/data/{second}")
    assert ([tag["name"] for tag in one["tags"]], one["data_source"]["name"], one["metadata"]) == (["a"], "cam", None)
    assert (two["custom_metadata"], two["metadata"], two["tags"]) == ({"x": 1}, {"y": 2}, [])
    await wire.refused(404, "PATCH", f"{path}/data/bulk", {**body, "objects": {NOWHERE: changes()}})
    await wire.refused(422, "PATCH", f"{path}/data/bulk", {**body, "objects": {}})
    await wire.refused(404, "DELETE", f"{path}/datas", {"ids": [first, NOWHERE]})
    await wire.ok("DELETE", f"{path}/datas", {"ids": [first, second]}, status=204)
    assert [item["id"] for item in (await wire.ok("GET", f"{path}/datas"))["items"]] == [third]


async def test_data_of_another_datalake_are_left_alone(wire: Wire) -> None:
    """One of them among those to change or to delete, and nothing at all is changed or deleted."""
    path = await datalake(wire)
    documents = wire.emulator.state.store.documents
    default = documents.get("datalake", path.rpartition("/")[2])
    facts = {name: value for name, value in default.items() if name not in ("id", "seq")}
    other = documents.add("datalake", **{**facts, "name": "other"})
    own, foreign, *_ = (item["id"] for item in (await wire.ok("GET", f"{path}/datas"))["items"])
    wire.emulator.state.store.data.update(foreign, datalake_id=other["id"])
    objects = {own: changes(metadata={"x": 1}), foreign: changes(metadata={"x": 1})}
    body = {"datalake_id": default["id"], "objects": objects}
    assert "another datalake" in await wire.refused(400, "PATCH", f"{path}/data/bulk", body)
    assert "another datalake" in await wire.refused(400, "DELETE", f"{path}/datas", {"ids": [own, foreign]})
    for id_ in (own, foreign):
        assert (await wire.ok("GET", f"/api/data/{id_}"))["metadata"] is None


async def test_deleted_data_leave_the_dataset_versions(wire: Wire) -> None:
    """Their assets are gone; the others stay."""
    version = (await wire.versions("dataset"))[0]
    path = f"/api/dataset/version/{version['id']}/assets"
    gone, *others = (await wire.ok("GET", path))["items"]
    await wire.ok("DELETE", f"/api/data/{gone['data']['id']}", status=204)
    assert [asset["id"] for asset in (await wire.ok("GET", path))["items"]] == [asset["id"] for asset in others]


async def test_objects_of_the_bucket_are_imported(wire: Wire) -> None:
    """Below the prefixes, once."""
    path = await datalake(wire)
    tag = await wire.ok("POST", f"{path}/tags", {"name": "imported"})
    body = {"datalake_id": path.rpartition("/")[2], "prefixes": ["directory/s3"], "tag_ids": [tag["id"]]}
    for _ in range(2):
        assert (await wire.ok("POST", f"{path}/objects", body))["job"]["status"] == "SUCCEEDED"
    items = (await wire.ok("GET", f"{path}/datas", params={"q": 'tags.name = "imported"'}))["items"]
    assert [(item["filename"], item["content_type"], item["meta"]) for item in items] == [
        ("object-name.jpeg", "image/jpeg", {"width": 64, "height": 48})
    ]


async def test_named_objects_are_imported(wire: Wire) -> None:
    """With what is said of each; what is a data already stays as it is, what is not in the storage is passed over."""
    path = await datalake(wire)
    before = (await wire.ok("GET", f"{path}/datas"))["items"]
    said = {
        "metadata": {"weather": "rain"},
        "custom_metadata": {"line": 1},
        "tags": ["a", "b"],
        "data_source": "bucket",
    }
    nothing = {"metadata": None, "custom_metadata": None, "tags": [], "data_source": None}
    objects = {
        "directory/s3/object-name.jpeg": said,
        before[0]["object_name"]: said | {"tags": ["c"]},
        "directory/nowhere.jpeg": nothing,
    }
    body = {"datalake_id": path.rpartition("/")[2], "objects": objects}
    assert (await wire.ok("POST", f"{path}/objects", body))["job"]["status"] == "SUCCEEDED"
    after = (await wire.ok("GET", f"{path}/datas"))["items"]
    (new,) = [item for item in after if item["id"] not in {old["id"] for old in before}]
    assert new["object_name"] == "directory/s3/object-name.jpeg"
    assert (new["metadata"], new["custom_metadata"]) == (said["metadata"], said["custom_metadata"])
    assert ([tag["name"] for tag in new["tags"]], new["data_source"]["name"]) == (["a", "b"], "bucket")
    assert (await wire.ok("GET", f"/api/data/{before[0]['id']}"))["tags"] == []
    await wire.refused(422, "POST", f"{path}/objects", {**body, "prefixes": ["directory"], "tag_ids": []})
    await wire.refused(422, "POST", f"{path}/objects", {"datalake_id": body["datalake_id"]})
    await wire.refused(422, "POST", f"{path}/objects", {**body, "objects": {}})
    await wire.refused(422, "POST", f"{path}/objects", {**body, "objects": {f"o-{i}": nothing for i in range(501)}})


async def test_models_and_what_they_were_made_from(wire: Wire) -> None:
    """Two versions, found by name, number, `latest` and id; context, experiment and log lead to the parameters."""
    model = await wire.ok("GET", f"{wire.organization}/models/find", params={"name": "my-model"})
    assert await wire.ok("GET", f"{wire.organization}/models/find", params={"id": model["id"]}) == model
    assert (await wire.ok("GET", f"{wire.organization}/models"))["items"] == [model]
    path = f"/api/model/{model['id']}/versions"
    first = await wire.ok("GET", f"{path}/find", params={"version": 0})
    latest = await wire.ok("GET", f"{path}/find", params={"name": "latest"})
    assert (first["version"], latest["version"], first["type"]) == (0, 1, "OBJECT_DETECTION")
    assert first["labels"]["0"] == "person"
    await wire.refused(404, "GET", f"{path}/find", params={"version": 7})
    await wire.refused(422, "GET", f"{path}/find", params={"version": "x"})
    found = await wire.ok("GET", f"{wire.organization}/modelversions/find", params={"id": first["id"]})
    assert found == first
    context = await wire.ok("GET", f"/api/model/version/{first['id']}/context")
    assert await wire.ok("GET", f"/api/model/version/{first['id']}/public/context") == context
    assert await wire.ok("GET", f"/api/model/context/{context['id']}") == context
    await wire.refused(404, "GET", f"/api/model/context/{NOWHERE}")
    trained_with = {data["name"]: data["version_id"] for data in context["datas"]}
    versions = await wire.versions("dataset")
    assert trained_with == {"train": versions[0]["id"], "test": versions[1]["id"]}
    experiment = await wire.ok("GET", f"/api/experiment/{context['experiment_id']}")
    query = {"id": experiment["id"]}
    assert await wire.ok("GET", f"{wire.organization}/experiments/find", params=query) == experiment
    log = await wire.ok("GET", f"/api/experiment/{experiment['id']}/logs/find", params={"name": "parameters"})
    assert (log["type"], log["data"]["epochs"]) == ("TABLE", 20)
    await wire.refused(404, "GET", f"/api/experiment/{experiment['id']}/logs/find", params={"name": "loss"})


async def test_latest_is_the_highest_version_of_a_model(wire: Wire) -> None:
    """Unless a version is called so."""
    versions = await wire.versions("model")
    change(wire.emulator, "model_version", versions[1]["id"], name="v1")
    path = f"/api/model/{versions[0]['origin']['id']}/versions/find"
    assert (await wire.ok("GET", path, params={"name": "latest"}))["version"] == 1


async def test_datasets_and_projects(wire: Wire) -> None:
    """Three versions, found by name and id; the project holds them."""
    dataset = await wire.ok("GET", f"{wire.organization}/datasets/find", params={"name": "my-dataset"})
    assert (await wire.ok("GET", f"{wire.organization}/datasets"))["items"] == [dataset]
    assert await wire.ok("GET", f"/api/dataset/{dataset['id']}") == dataset
    versions = await wire.versions("dataset")
    assert [version["version"] for version in versions] == ["first", "second", "latest"]
    path = f"/api/dataset/{dataset['id']}/versions/find"
    latest = await wire.ok("GET", path, params={"version": "latest"})
    assert latest == versions[2] == await wire.ok("GET", path, params={"id": latest["id"]})
    assert latest["origin_name"] == "my-dataset"
    await wire.refused(404, "GET", path, params={"version": "never"})
    found = await wire.ok("GET", f"{wire.organization}/datasetversions/find", params={"id": latest["id"]})
    assert found == latest == await wire.ok("GET", f"/api/dataset/version/{latest['id']}")
    project = await wire.ok("GET", f"{wire.organization}/projects/find", params={"name": "my-project"})
    assert (await wire.ok("GET", f"{wire.organization}/projects"))["items"] == [project]
    assert await wire.ok("GET", f"/api/project/{project['id']}") == project
    await wire.refused(404, "GET", f"/api/project/{NOWHERE}")
    assert (await wire.ok("GET", f"/api/project/{project['id']}/datasets"))["items"] == versions


async def test_labels(wire: Wire) -> None:
    """Read, but neither renamed nor deleted: they come with the deployment and cannot be changed."""
    asset = await wire.asset()
    labels = (await wire.ok("GET", f"{wire.deployment}/labels"))["items"]
    path = f"/api/label/{labels[0]['id']}"
    for body in ({"name": "walker"}, {"group_id": NOWHERE}, {}):
        assert "cannot be changed" in await wire.refused(403, "PATCH", path, body)
    assert "cannot be changed" in await wire.refused(403, "DELETE", path)
    assert await wire.ok("GET", path) == {"id": labels[0]["id"], "name": "person", "group_id": None}
    shown = await wire.ok("GET", f"/api/predicted/asset/{asset['id']}")
    assert shown["predictions"][0]["rectangles"][0]["label"] == {"id": labels[0]["id"], "name": "person"}
    for method, body in (("PATCH", {"name": "walker"}), ("DELETE", None)):
        await wire.refused(404, method, f"/api/label/{NOWHERE}", body)
