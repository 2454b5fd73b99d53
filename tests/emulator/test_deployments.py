"""Deployments on the platform: what was set is what is read, names are unique, what is gone is gone."""

from __future__ import annotations

import pytest

from .conftest import Wire, change

pytestmark = pytest.mark.anyio

NOWHERE = "7b41e5a5-bdac-4ef5-9729-bbdb2b0ceec7"


async def test_deployments_are_found_and_listed(wire: Wire) -> None:
    """By name, by id, and in the list; with neither or both, or a wrong one, it is an error."""
    path = f"{wire.organization}/deployments"
    by_name = await wire.ok("GET", f"{path}/find", params={"name": "awesome-deploy"})
    assert await wire.ok("GET", f"{path}/find", params={"id": by_name["id"]}) == by_name
    assert (await wire.ok("GET", path))["items"] == [by_name]
    await wire.refused(404, "GET", f"{path}/find", params={"name": "other"})
    await wire.refused(422, "GET", f"{path}/find")
    await wire.refused(422, "GET", f"{path}/find", params={"name": "a", "id": by_name["id"]})
    await wire.refused(404, "GET", f"/api/organization/{NOWHERE}/deployments")


async def test_lists_are_limited_and_ordered(wire: Wire) -> None:
    """`limit`, `offset` and `order_by`; without a limit everything comes."""
    [first, _] = await wire.versions("model")
    for name in ("b", "c", "a"):
        await wire.ok("POST", f"/api/model/version/{first['id']}/deploy", {"name": name})
    path = f"{wire.organization}/deployments"

    async def names(**params: object) -> list[str]:
        return [item["name"] for item in (await wire.ok("GET", path, params=params))["items"]]

    assert await names() == ["awesome-deploy", "b", "c", "a"]
    assert await names(order_by="name") == ["a", "awesome-deploy", "b", "c"]
    assert await names(order_by="-name", limit=2, offset=1) == ["b", "awesome-deploy"]
    await wire.refused(422, "GET", path, params={"limit": 0})
    await wire.refused(422, "GET", path, params={"limit": "x"})
    await wire.refused(422, "GET", path, params={"order_by": "colour"})


async def test_a_deployment_is_created_with_labels(wire: Wire) -> None:
    """Type and labels come from the model version, the name is made up where none is given, double names are conflicts."""
    [first, second] = await wire.versions("model")
    body = {
        "model_version_id": first["id"],
        "name": "mine",
        "min_threshold": 0.5,
        "shadow_model_version_id": second["id"],
    }
    created = await wire.ok("POST", f"{wire.organization}/deployments", body)
    assert created["type"] == "OBJECT_DETECTION"
    assert (created["min_threshold"], created["shadow_model_version_id"]) == (0.5, second["id"])
    labels = await wire.ok("GET", f"/api/deployment/{created['id']}/labels")
    assert [label["name"] for label in labels["items"]] == ["person", "bicycle", "car", "truck"]
    await wire.refused(409, "POST", f"{wire.organization}/deployments", body)
    unnamed = await wire.ok("POST", f"/api/model/version/{first['id']}/deploy", {})
    assert unnamed["name"]
    await wire.refused(404, "POST", f"/api/model/version/{NOWHERE}/deploy", {})
    await wire.refused(422, "POST", f"{wire.organization}/deployments", {"name": "no model"})


async def test_an_update_changes_what_is_given(wire: Wire) -> None:
    """The rest stays; a name that another has is a conflict, one's own is not."""
    changed = await wire.ok("PATCH", wire.deployment, {"name": "new name", "min_threshold": 0.4})
    assert (changed["name"], changed["min_threshold"], changed["sample_rate"]) == ("new name", 0.4, 1.0)
    assert await wire.ok("GET", wire.deployment) == changed
    assert await wire.ok("PATCH", wire.deployment, {}) == changed
    await wire.ok("PATCH", wire.deployment, {"name": "new name"})
    [first, _] = await wire.versions("model")
    await wire.ok("POST", f"/api/model/version/{first['id']}/deploy", {"name": "taken"})
    await wire.refused(409, "PATCH", wire.deployment, {"name": "taken"})
    await wire.refused(404, "PATCH", wire.deployment, {"target_datalake_id": NOWHERE})
    await wire.refused(422, "PATCH", wire.deployment, {"min_threshold": 2.0})


async def test_models_are_set_and_read(wire: Wire) -> None:
    """Champion and shadow are what was set; one of another type is refused."""
    [first, second] = await wire.versions("model")
    await wire.ok("POST", f"{wire.deployment}/model", {"model_version_id": second["id"]})
    await wire.ok("POST", f"{wire.deployment}/shadow", {"model_version_id": first["id"]})
    deployment = await wire.ok("GET", wire.deployment)
    assert (deployment["model_version_id"], deployment["shadow_model_version_id"]) == (second["id"], first["id"])
    shown = await wire.ok("GET", f"/api/model/version/{second['id']}")
    assert (shown["name"], shown["version"], shown["origin"]["name"]) == ("latest", 1, "my-model")
    change(wire.emulator, "model_version", first["id"], type="LINE")
    await wire.refused(400, "POST", f"{wire.deployment}/model", {"model_version_id": first["id"]})
    await wire.refused(404, "POST", f"{wire.deployment}/shadow", {"model_version_id": NOWHERE})


async def test_a_deleted_deployment_is_gone_but_its_data_stay(wire: Wire) -> None:
    """Everything about it is a 404, and nobody can sign in for it."""
    asset = await wire.asset()
    await wire.ok("DELETE", wire.deployment, params={"force_delete": "False"}, status=204)
    await wire.refused(404, "GET", wire.deployment)
    await wire.refused(404, "GET", f"/api/predicted/asset/{asset['id']}")
    assert (await wire.ok("GET", f"/api/data/{asset['data']['id']}"))["filename"] == "frame.jpg"
    assert (await wire.login()).status_code == 404
    await wire.refused(404, "DELETE", wire.deployment, params={"force_delete": "True"})


async def test_users_have_access(wire: Wire) -> None:
    """The creator has it; another one is added by id and can be given a role again."""
    users = (await wire.ok("GET", f"/api/access{wire.organization.removeprefix('/api')}/users"))["users"]
    assert {user["username"] for user in users} == {"user", "reviewer"}
    path = f"/api/access/deployment/{wire.emulator.deployment_id}/users"
    assert [user["username"] for user in (await wire.ok("GET", path))["users"]] == ["user"]
    reviewer = next(user for user in users if user["username"] == "reviewer")
    for role in ("LABELER", "ADMIN"):
        await wire.ok("POST", path, {"user_id": reviewer["id"], "role": role})
    assert [user["username"] for user in (await wire.ok("GET", path))["users"]] == ["user", "reviewer"]
    await wire.refused(404, "POST", path, {"user_id": NOWHERE})
    only = await wire.ok(
        "GET", f"/api/access{wire.organization.removeprefix('/api')}/users", params={"username": "user"}
    )
    assert [user["username"] for user in only["users"]] == ["user"]


async def test_an_id_that_is_no_uuid_names_nothing(wire: Wire) -> None:
    """404 rather than a failure of the emulator."""
    await wire.refused(404, "GET", "/api/deployment/awesome-deploy")


async def test_what_the_table_does_not_know(wire: Wire) -> None:
    """An unknown path is a 404, a known one with another verb a 405, both with an error body."""
    await wire.refused(404, "GET", "/api/nowhere")
    await wire.refused(405, "PUT", wire.deployment)
