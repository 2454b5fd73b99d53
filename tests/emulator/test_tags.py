"""Tags and data sources."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import Wire

pytestmark = pytest.mark.anyio

NOWHERE = "7b41e5a5-bdac-4ef5-9729-bbdb2b0ceec7"


async def tag(wire: Wire, name: str, target: str = "DEPLOYMENT") -> dict[str, Any]:
    return dict(await wire.ok("POST", f"{wire.organization}/tags", {"name": name, "target_type": target}))


async def test_names_are_unique_by_target(wire: Wire) -> None:
    """The same name on another target is fine, on the same one a conflict, renamed or made."""
    first = await tag(wire, "cool")
    await tag(wire, "cool", "MODEL")
    await wire.refused(409, "POST", f"{wire.organization}/tags", {"name": "cool", "target_type": "DEPLOYMENT"})
    second = await tag(wire, "warm")
    await wire.refused(409, "PATCH", f"/api/tag/{second['id']}", {"name": "cool"})
    await wire.ok("PATCH", f"/api/tag/{first['id']}", {"name": "cool"})
    await wire.refused(422, "POST", f"{wire.organization}/tags", {"name": "cool", "target_type": "CAT"})


async def test_tags_are_found_and_listed(wire: Wire) -> None:
    """By name and target, and all of one target."""
    cool, warm = await tag(wire, "cool"), await tag(wire, "warm")
    await tag(wire, "cool", "MODEL")
    path = f"{wire.organization}/tags"
    assert await wire.ok("GET", f"{path}/find", params={"name": "cool", "target_type": "DEPLOYMENT"}) == cool
    await wire.refused(404, "GET", f"{path}/find", params={"name": "warm", "target_type": "MODEL"})
    assert (await wire.ok("GET", path, params={"target_type": "DEPLOYMENT"}))["items"] == [cool, warm]
    await wire.refused(422, "GET", path, params={"target_type": "CAT"})
    assert await wire.ok("GET", f"/api/tag/{cool['id']}") == cool
    await wire.ok("DELETE", f"/api/tag/{cool['id']}", status=204)
    await wire.refused(404, "GET", f"/api/tag/{cool['id']}")


async def test_a_tag_is_put_on_and_taken_off(wire: Wire) -> None:
    """The deployment shows it meanwhile; what is not on cannot be taken off."""
    cool = await tag(wire, "cool")
    ids = [wire.emulator.deployment_id]
    assert (await wire.ok("POST", f"/api/tag/{cool['id']}/attach", ids))["count"] == 1
    assert (await wire.ok("POST", f"/api/tag/{cool['id']}/attach", ids))["count"] == 0
    assert (await wire.ok("GET", wire.deployment))["tags"] == [cool]
    assert (await wire.ok("POST", f"/api/tag/{cool['id']}/detach", ids))["count"] == 1
    assert (await wire.ok("GET", wire.deployment))["tags"] == []
    await wire.refused(404, "POST", f"/api/tag/{cool['id']}/detach", ids)
    await wire.refused(404, "POST", f"/api/tag/{cool['id']}/attach", [NOWHERE])
    await wire.refused(422, "POST", f"/api/tag/{cool['id']}/attach", {"ids": ids})


async def test_a_deleted_tag_is_on_nothing(wire: Wire) -> None:
    """Whatever carried it loses it."""
    cool = await tag(wire, "cool")
    await wire.ok("POST", f"/api/tag/{cool['id']}/attach", [wire.emulator.deployment_id])
    await wire.ok("DELETE", f"/api/tag/{cool['id']}", status=204)
    assert (await wire.ok("GET", wire.deployment))["tags"] == []


@pytest.mark.parametrize("target", ["MODEL", "MODEL_VERSION", "DATASET", "DATASET_VERSION", "ASSET"])
async def test_every_target_takes_its_tags(wire: Wire, target: str) -> None:
    """And not those of another target."""
    kind = target.partition("_")[0].lower()
    if target == "ASSET":
        version = (await wire.versions("dataset"))[0]
        path = f"/api/dataset/version/{version['id']}/assets"
        id_ = (await wire.ok("GET", path))["items"][0]["id"]
    elif target.endswith("VERSION"):
        id_ = (await wire.versions(kind))[0]["id"]
        path = f"/api/{kind}/version/{id_}"
    else:
        id_ = (await wire.ok("GET", f"{wire.organization}/{kind}s/find", params={"name": f"my-{kind}"}))["id"]
        path = f"/api/{kind}/{id_}"
    made = await tag(wire, "t", target)
    await wire.ok("POST", f"/api/tag/{made['id']}/attach", [id_])
    shown = await wire.ok("GET", path)
    assert (shown["items"][0] if target == "ASSET" else shown)["tags"] == [made]
    other = await tag(wire, "t")
    await wire.refused(404, "POST", f"/api/tag/{other['id']}/attach", [id_])


async def test_predicted_assets_take_no_tags(wire: Wire) -> None:
    """A tag for them can be made, but is refused where it is put on."""
    asset = await wire.asset()
    made = await tag(wire, "t", "PREDICTED_ASSET")
    await wire.refused(422, "POST", f"/api/tag/{made['id']}/attach", [asset["id"]])


async def test_data_tags_belong_to_their_datalake(wire: Wire) -> None:
    """Made on the datalake, by monitoring, or for the organization: one and the same."""
    datalake = await wire.ok("GET", f"{wire.organization}/datalake")
    path = f"/api/datalake/{datalake['id']}/tags"
    made = await wire.ok("POST", path, {"name": "night"})
    assert made["target_type"] == "DATA"
    await wire.refused(409, "POST", f"{wire.organization}/tags", {"name": "night", "target_type": "DATA"})
    asset = await wire.asset(tags=["night", "rain"])
    assert asset["data"]["tags"][0] == made
    names = [item["name"] for item in (await wire.ok("GET", path))["items"]]
    assert names == ["night", "rain"]
    assert (await wire.ok("GET", f"{path}/find", params={"name": "rain"}))["name"] == "rain"
    await wire.refused(404, "GET", f"{path}/find", params={"name": "snow"})
    data_id = asset["data"]["id"]
    await wire.ok("POST", f"/api/tag/{made['id']}/detach", [data_id])
    assert [found["name"] for found in (await wire.ok("GET", f"/api/data/{data_id}"))["tags"]] == ["rain"]


async def test_data_sources(wire: Wire) -> None:
    """Made, found, listed, renamed, deleted; names are unique; monitoring makes what it meets first."""
    path = f"{wire.organization}/datasources"
    made = await wire.ok("POST", path, {"name": "cam-1"})
    await wire.refused(409, "POST", path, {"name": "cam-1"})
    asset = await wire.asset(source="cam-1")
    assert asset["data"]["data_source"] == made
    await wire.asset(source="cam-2")
    assert [item["name"] for item in (await wire.ok("GET", path, params={"order_by": "-name"}))["items"]] == [
        "cam-2",
        "cam-1",
    ]
    second = await wire.ok("GET", f"{path}/find", params={"name": "cam-2"})
    await wire.refused(404, "GET", f"{path}/find", params={"name": "cam-3"})
    await wire.refused(409, "PATCH", f"/api/data/source/{second['id']}", {"name": "cam-1"})
    await wire.ok("PATCH", f"/api/data/source/{second['id']}", {"name": "cam-3"})
    assert (await wire.ok("GET", f"/api/data/source/{second['id']}"))["name"] == "cam-3"
    await wire.ok("DELETE", f"/api/data/source/{made['id']}", status=204)
    await wire.refused(404, "GET", f"/api/data/source/{made['id']}")
    assert (await wire.ok("GET", f"/api/data/{asset['data']['id']}"))["data_source"] is None
