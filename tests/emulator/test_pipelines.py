"""Feedback loop, training data, continuous training and deployment: set, read, attached, detached, and what reviews set in motion."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import Wire, change

pytestmark = pytest.mark.anyio

NOWHERE = "7b41e5a5-bdac-4ef5-9729-bbdb2b0ceec7"


async def fresh(wire: Wire) -> str:
    """Return the path of a new deployment, where nothing is set up."""
    [first, _] = await wire.versions("model")
    created = await wire.ok("POST", f"/api/model/version/{first['id']}/deploy", {"name": "fresh"})
    return f"/api/deployment/{created['id']}"


async def attached(wire: Wire, path: str) -> list[str]:
    items = (await wire.ok("GET", f"{path}/fl/datasets"))["items"]
    return [item["dataset_version"]["version"] for item in items]


async def test_datasets_of_the_feedback_loop(wire: Wire) -> None:
    """Attached ones are listed; twice is a conflict; detached by their own ids; what is not attached cannot be detached."""
    path = await fresh(wire)
    versions = await wire.versions("dataset")
    one = {"dataset_version_id": versions[0]["id"]}
    assert await attached(wire, path) == []
    await wire.refused(400, "POST", f"{path}/fl/datasets", one)
    await wire.ok("POST", f"{path}/pipeline/fl/setup", {})
    for version in versions:
        await wire.ok("POST", f"{path}/fl/datasets", {"dataset_version_id": version["id"]})
    assert await attached(wire, path) == ["first", "second", "latest"]
    await wire.refused(409, "POST", f"{path}/fl/datasets", one)
    await wire.ok("DELETE", f"{path}/fl/datasets", {"ids": [versions[0]["id"]]}, status=204)
    assert await attached(wire, path) == ["second", "latest"]
    both = {"ids": [versions[1]["id"], versions[0]["id"]]}
    text = await wire.refused(404, "DELETE", f"{path}/fl/datasets", both)
    assert versions[0]["id"] in text
    assert versions[1]["id"] not in text
    assert await attached(wire, path) == ["second", "latest"]
    await wire.refused(404, "DELETE", f"{path}/fl/datasets", {"ids": []})
    await wire.refused(404, "POST", f"{path}/fl/datasets", {"dataset_version_id": NOWHERE})
    await wire.refused(422, "POST", f"{path}/fl/datasets", {**one, "name": "train"})


async def test_a_dataset_of_another_type_is_refused(wire: Wire) -> None:
    """The feedback loop and the training data check the type."""
    version = (await wire.versions("dataset"))[0]
    change(wire.emulator, "dataset_version", version["id"], type="LINE")
    body = {"dataset_version_id": version["id"]}
    await wire.refused(400, "POST", f"{wire.deployment}/fl/datasets", body)
    await wire.refused(400, "POST", f"{wire.deployment}/pipeline/td/setup", body)


async def test_pipelines_are_switched(wire: Wire) -> None:
    """Those of the seeded deployment are set up; elsewhere a switch needs a setup first; there are three."""
    for name in ("fl", "ct", "cd"):
        await wire.ok("PUT", f"{wire.deployment}/pipeline/{name}", {"active": True})
    path = await fresh(wire)
    for name in ("fl", "ct", "cd"):
        await wire.refused(400, "PUT", f"{path}/pipeline/{name}", {"active": True})
    await wire.refused(404, "PUT", f"{path}/pipeline/xy", {"active": True})
    await wire.refused(404, "POST", f"{path}/cd/datasets", {"dataset_version_id": NOWHERE})
    await wire.refused(422, "PUT", f"{path}/pipeline/fl", {"active": "yes"})


async def test_training_data(wire: Wire) -> None:
    """The status says whether they are set; disabling twice is fine."""
    version = (await wire.versions("dataset"))[0]
    check = f"{wire.deployment}/pipeline/td/check"
    assert await wire.ok("GET", check) == {"status": "NOT_CONFIGURED"}
    await wire.ok("POST", f"{wire.deployment}/pipeline/td/setup", {"dataset_version_id": version["id"]})
    assert await wire.ok("GET", check) == {"status": "SUCCEEDED"}
    for _ in range(2):
        await wire.ok("PUT", f"{wire.deployment}/pipeline/td/disable")
    assert await wire.ok("GET", check) == {"status": "NOT_CONFIGURED"}


async def training(wire: Wire, path: str, **changes: Any) -> dict[str, Any]:
    project = await wire.ok("GET", f"{wire.organization}/projects/find", params={"name": "my-project"})
    return {
        "project_id": project["id"], "trigger": "FEEDBACK_LOOP", "threshold": 2, "training_type": "EXPERIMENT",
        "experiment_parameters": {"epochs": 3}, **changes,
    }  # fmt: skip


async def test_datasets_of_continuous_training(wire: Wire) -> None:
    """They need an alias, which is unique; half a trigger is refused."""
    path = await fresh(wire)
    versions = await wire.versions("dataset")
    body = await training(wire, path)
    await wire.refused(422, "POST", f"{path}/pipeline/ct", {**body, "trigger": "SOMETIMES"})
    await wire.refused(422, "POST", f"{path}/pipeline/ct", {k: v for k, v in body.items() if k != "trigger"})
    await wire.refused(404, "POST", f"{path}/pipeline/ct", {**body, "project_id": NOWHERE})
    await wire.ok("POST", f"{path}/pipeline/ct", body)
    train = {"dataset_version_id": versions[0]["id"], "name": "train"}
    await wire.ok("POST", f"{path}/ct/datasets", train)
    await wire.refused(422, "POST", f"{path}/ct/datasets", {"dataset_version_id": versions[1]["id"]})
    await wire.refused(409, "POST", f"{path}/ct/datasets", {**train, "name": "test"})
    await wire.refused(409, "POST", f"{path}/ct/datasets", {**train, "dataset_version_id": versions[1]["id"]})
    await wire.ok("DELETE", f"{path}/ct/datasets", {"ids": [versions[0]["id"]]}, status=204)
    await wire.refused(404, "DELETE", f"{path}/ct/datasets", {"ids": [versions[0]["id"]]})


async def review(wire: Wire, count: int = 1) -> list[dict[str, Any]]:
    """Monitor and review so many images; return the assets."""
    assets = [await wire.asset() for _ in range(count)]
    for asset in assets:
        await wire.ok("POST", f"/api/predicted/asset/{asset['id']}/reviews", {})
    return assets


async def test_reviews_feed_the_datasets_of_an_active_loop(wire: Wire) -> None:
    """A review is submitted then, and its image is an asset of the attached dataset version."""
    [asset] = await review(wire)
    assert (await wire.ok("GET", f"/api/predicted/asset/{asset['id']}"))["status"] == "REVIEWED"
    version = (await wire.versions("dataset"))[0]
    await wire.ok("POST", f"{wire.deployment}/pipeline/fl/setup", {})
    await wire.ok("POST", f"{wire.deployment}/fl/datasets", {"dataset_version_id": version["id"]})
    before = (await wire.ok("GET", f"/api/dataset/version/{version['id']}/assets"))["count"]
    [asset] = await review(wire)
    assert (await wire.ok("GET", f"/api/predicted/asset/{asset['id']}"))["status"] == "SUBMITTED"
    after = await wire.ok("GET", f"/api/dataset/version/{version['id']}/assets")
    assert after["count"] == before + 1
    assert after["items"][-1]["data"]["id"] == asset["data"]["id"]


@pytest.mark.parametrize("policy", ["DEPLOY_CHAMPION", "DEPLOY_SHADOW", "DEPLOY_MANUAL"])
async def test_enough_reviews_train_and_deploy(wire: Wire, policy: str) -> None:
    """At the threshold a new model version is made from the parameters, and the policy says what becomes of it."""
    await wire.ok("POST", f"{wire.deployment}/pipeline/fl/setup", {})
    await wire.ok("POST", f"{wire.deployment}/pipeline/ct", await training(wire, wire.deployment))
    await wire.ok("POST", f"{wire.deployment}/pipeline/cd", {"policy": policy})
    dataset = (await wire.versions("dataset"))[2]
    await wire.ok("POST", f"{wire.deployment}/ct/datasets", {"dataset_version_id": dataset["id"], "name": "fresh"})
    await review(wire)
    assert len(await wire.versions("model")) == 2
    await review(wire)
    versions = await wire.versions("model")
    assert [version["version"] for version in versions] == [0, 1, 2]
    new = versions[-1]
    context = await wire.ok("GET", f"/api/model/version/{new['id']}/context")
    log = await wire.ok("GET", f"/api/experiment/{context['experiment_id']}/logs/find", params={"name": "parameters"})
    assert log["data"] == {"epochs": 3}
    assert context["datas"] == [{"name": "fresh", "version_id": dataset["id"], "repartition": {}}]
    deployment = await wire.ok("GET", wire.deployment)
    assert (deployment["model_version_id"] == new["id"]) is (policy == "DEPLOY_CHAMPION")
    assert (deployment["shadow_model_version_id"] == new["id"]) is (policy == "DEPLOY_SHADOW")
    await review(wire)
    assert len(await wire.versions("model")) == 3


async def test_an_unknown_policy_is_refused(wire: Wire) -> None:
    """The three words are the only ones."""
    await wire.refused(422, "POST", f"{wire.deployment}/pipeline/cd", {"policy": "DEPLOY_NEVER"})
