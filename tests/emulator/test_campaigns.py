"""Review campaigns: steps, tasks, who does them, and how they end."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from picsellia_async.emulator import Emulator

from .conftest import Wire

pytestmark = pytest.mark.anyio

NOWHERE = "7b41e5a5-bdac-4ef5-9729-bbdb2b0ceec7"
FIELDS = {
    "description": None, "instructions_text": None, "end_date": None, "auto_add_new_assets": False,
    "auto_close_on_completion": False,
}  # fmt: skip


class Campaign:
    """A campaign of the seeded deployment, and its paths."""

    def __init__(self, wire: Wire, id_: str) -> None:
        self.wire = wire
        self.id = id_
        self.path = f"/api/campaigns/review/{id_}"

    @classmethod
    async def create(cls, wire: Wire, **changes: Any) -> Campaign:
        made = await wire.ok("POST", f"{wire.deployment}/campaigns", {**FIELDS, **changes})
        return cls(wire, made["id"])

    async def step(self, name: str = "review", **changes: Any) -> dict[str, Any]:
        body = {"name": name, "type": "REVIEW", "description": None, "order": None, "sample_rate": None, **changes}
        return dict(await self.wire.ok("POST", f"{self.path}/steps", body))

    async def tasks(self, **params: Any) -> list[dict[str, Any]]:
        return list((await self.wire.ok("GET", f"{self.path}/assignments", params=params))["items"])

    async def sync(self) -> dict[str, Any]:
        return dict(await self.wire.ok("POST", f"{self.path}/assignments/sync", {}))


async def users(wire: Wire) -> list[str]:
    found = await wire.ok("GET", f"/api/access{wire.organization.removeprefix('/api')}/users")
    return [user["id"] for user in found["users"]]


async def test_a_deployment_has_one_campaign(wire: Wire) -> None:
    """Made, shown on the deployment, and not made twice; deleted it can be made again."""
    assert (await wire.ok("GET", wire.deployment))["review_campaign_id"] is None
    campaign = await Campaign.create(wire, description="look", end_date="2030-01-02")
    assert (await wire.ok("GET", wire.deployment))["review_campaign_id"] == campaign.id
    shown = await wire.ok("GET", campaign.path)
    assert (shown["deployment_id"], shown["description"], shown["end_date"]) == (
        wire.emulator.deployment_id, "look", "2030-01-02",
    )  # fmt: skip
    await wire.refused(409, "POST", f"{wire.deployment}/campaigns", FIELDS)
    await wire.refused(422, "POST", f"{wire.deployment}/campaigns", {**FIELDS, "end_date": "tomorrow"})
    await wire.ok("DELETE", campaign.path, status=204)
    await wire.refused(404, "GET", campaign.path)
    await Campaign.create(wire)


async def test_a_campaign_is_changed_closed_and_listed(wire: Wire) -> None:
    """What is given changes; closed ones are told from open ones."""
    campaign = await Campaign.create(wire, description="look")
    changed = await wire.ok("PATCH", campaign.path, {"instructions_text": "twice"})
    assert (changed["description"], changed["instructions_text"]) == ("look", "twice")
    path = f"{wire.organization}/reviewcampaigns"
    for verb, is_closed in (("close", True), ("close", True), ("reopen", False)):
        await wire.ok("POST", f"{campaign.path}/{verb}")
        for asked in (True, False):
            items = (await wire.ok("GET", path, params={"is_closed": str(asked)}))["items"]
            assert [item["id"] for item in items] == ([campaign.id] if asked is is_closed else [])
    assert len((await wire.ok("GET", path))["items"]) == 1
    await wire.refused(400, "PATCH", campaign.path, {"instructions_object_name": "never/uploaded"})


async def test_steps_have_an_order(wire: Wire) -> None:
    """Without one they come last; names are unique; they can be changed."""
    campaign = await Campaign.create(wire)
    await campaign.step("second", order=5)
    await campaign.step("third", type="QUALITY_CONTROL")
    first = await campaign.step("first", order=1)
    steps = (await wire.ok("GET", f"{campaign.path}/steps"))["items"]
    assert [(step["name"], step["order"], step["type"]) for step in steps] == [
        ("first", 1, "REVIEW"), ("second", 5, "REVIEW"), ("third", 6, "QUALITY_CONTROL"),
    ]  # fmt: skip
    body = {"name": "first", "type": "REVIEW", "description": None, "order": None, "sample_rate": None}
    await wire.refused(409, "POST", f"{campaign.path}/steps", body)
    await wire.refused(422, "POST", f"{campaign.path}/steps", {**body, "name": "x", "type": "ANNOTATION"})
    path = f"/api/campaigns/review/steps/{first['id']}"
    await wire.ok("PATCH", path, {"name": "begin", "sample_rate": 0.5})
    shown = await wire.ok("GET", path)
    assert (shown["name"], shown["sample_rate"]) == ("begin", 0.5)
    await wire.refused(404, "PATCH", path, {"assignees": [{"user_id": NOWHERE, "weight": 1.0}]})


async def test_assets_become_tasks(wire: Wire) -> None:
    """Not without a step, not when closed, and each asset once; the job is found and done."""
    campaign = await Campaign.create(wire)
    asset = await wire.asset()
    check = f"{campaign.path}/assignments/sync/available"
    assert "no step" in (await wire.ok("GET", check))["reason"]
    await wire.refused(400, "POST", f"{campaign.path}/assignments/sync", {})
    step = await campaign.step()
    await wire.ok("POST", f"{campaign.path}/close")
    assert "closed" in (await wire.ok("GET", check))["reason"]
    await wire.ok("POST", f"{campaign.path}/reopen")
    assert await wire.ok("GET", check) == {"is_sync_available": True, "reason": None, "unsynced_item_count": 1}
    job = (await campaign.sync())["job"]
    for path in (f"/api/v2/job/{job['id']}", f"{wire.organization}/jobv2s/find?id={job['id']}"):
        assert (await wire.ok("GET", path))["status"] == "SUCCEEDED"
    assert (await wire.ok("GET", f"/api/job/{job['id']}"))["status"] == "SUCCESS"
    [task] = await campaign.tasks()
    assert (task["asset_id"], task["step_id"], task["status"], task["assigned_user_id"]) == (
        asset["id"], step["id"], "TO_DO", None,
    )  # fmt: skip
    assert task["data"]["filename"] == "frame.jpg"
    assert (await wire.ok("GET", f"/api/campaigns/review/assignments/{task['id']}"))["data"]["id"] == asset["data"][
        "id"
    ]
    assert (await wire.ok("GET", check))["is_sync_available"] is False


async def test_new_assets_come_by_themselves(wire: Wire) -> None:
    """With `auto_add_new_assets`, as long as the campaign is open."""
    campaign = await Campaign.create(wire, auto_add_new_assets=True)
    await campaign.step()
    await wire.asset()
    assert len(await campaign.tasks()) == 1
    await wire.ok("POST", f"{campaign.path}/close")
    await wire.asset()
    assert len(await campaign.tasks()) == 1


async def test_tasks_are_shared_by_weight(wire: Wire) -> None:
    """Twice the weight is twice the tasks; they can be handed out anew and handed over."""
    first, second = await users(wire)
    campaign = await Campaign.create(wire)
    step = await campaign.step(assignees=[{"user_id": first, "weight": 2.0}, {"user_id": second, "weight": 1.0}])
    await wire.emulator.add_predictions(6)
    await campaign.sync()
    assert Counter(task["assigned_user_id"] for task in await campaign.tasks()) == {first: 4, second: 2}
    await wire.ok(
        "PATCH", f"/api/campaigns/review/steps/{step['id']}", {"assignees": [{"user_id": second, "weight": 1.0}]}
    )
    await wire.ok("POST", f"/api/campaigns/review/steps/{step['id']}/assignments/redistribute")
    assert len(await campaign.tasks(user_id=second)) == 6
    ids = [task["id"] for task in await campaign.tasks(limit=2)]
    done = await wire.ok(
        "POST", f"{campaign.path}/assignments/reassign", {"assignment_ids": [*ids, NOWHERE], "user_id": None}
    )
    assert set(done["processed_ids"]) == set(ids)
    assert {task["id"] for task in await campaign.tasks(user_id="unassigned")} == set(ids)
    body = {"assignment_ids": ids, "user_id": NOWHERE}
    await wire.refused(404, "POST", f"{campaign.path}/assignments/reassign", body)
    counts = await wire.ok(
        "GET", f"/api/campaigns/review/analytics/{campaign.id}/issues/counts/users", params={"user_ids": [second]}
    )
    assert counts == [{"user_id": second, "opened": 0, "closed": 0}]


async def test_tasks_are_filtered(wire: Wire) -> None:
    """By status, step, user and custom metadata; a status that is none is refused."""
    campaign = await Campaign.create(wire, auto_add_new_assets=True)
    step = await campaign.step()
    asset = await wire.asset(custom_metadata={"line": 1})
    await wire.asset()
    assert len(await campaign.tasks(custom_metadata='{"line": 1}')) == 1
    await wire.ok("POST", f"/api/predicted/asset/{asset['id']}/reviews", {})
    assert [task["asset_id"] for task in await campaign.tasks(status="DONE")] == [asset["id"]]
    assert len(await campaign.tasks(step_id=step["id"], status="TO_DO")) == 1
    await wire.refused(422, "GET", f"{campaign.path}/assignments", params={"status": "done"})
    path = f"{wire.deployment}/predictedassets"
    for params in ({"assignment_status": "DONE"}, {"assignment_step_id": step["id"], "assignment_status": "DONE"}):
        assert [item["id"] for item in (await wire.ok("GET", path, params=params))["items"]] == [asset["id"]]
    assert (await wire.ok("GET", path, params={"assignment_user_id": "unassigned"}))["count"] == 2
    assert (await wire.ok("GET", path, params={"assignment_user_id": NOWHERE}))["count"] == 0


async def test_a_review_moves_the_task_on(wire: Wire) -> None:
    """To the next step that takes it, and from the last one to the end, where the campaign may close."""
    campaign = await Campaign.create(wire, auto_add_new_assets=True, auto_close_on_completion=True)
    await campaign.step("one")
    await campaign.step("never", sample_rate=0.0)
    third = await campaign.step("three", type="QUALITY_CONTROL", sample_rate=1.0)
    asset = await wire.asset()
    await wire.ok("POST", f"/api/predicted/asset/{asset['id']}/reviews", {})
    [task] = await campaign.tasks()
    assert (task["step_id"], task["status"]) == (third["id"], "TO_DO")
    assert (await wire.ok("GET", campaign.path))["is_closed"] is False


async def test_a_campaign_closes_when_all_is_done(wire: Wire) -> None:
    """With `auto_close_on_completion`, after the last task."""
    campaign = await Campaign.create(wire, auto_add_new_assets=True, auto_close_on_completion=True)
    await campaign.step()
    assets = [await wire.asset(), await wire.asset()]
    for asset, is_closed in zip(assets, (False, True), strict=True):
        await wire.ok("POST", f"/api/predicted/asset/{asset['id']}/reviews", {})
        assert (await wire.ok("GET", campaign.path))["is_closed"] is is_closed


async def test_a_deleted_step_hands_its_tasks_over(wire: Wire) -> None:
    """To another step of the campaign, never to itself or a foreign one."""
    campaign = await Campaign.create(wire, auto_add_new_assets=True)
    first, second = await campaign.step("one"), await campaign.step("two")
    await wire.ok("PATCH", campaign.path, {"default_entry_step_id": second["id"]})
    await wire.asset()
    assert [task["step_id"] for task in await campaign.tasks()] == [second["id"]]
    path, key = f"/api/campaigns/review/steps/{second['id']}", "destination_step_id_for_pending_assignments"
    await wire.refused(400, "DELETE", path, {key: second["id"]})
    await wire.refused(404, "DELETE", path, {key: NOWHERE})
    await wire.ok("DELETE", path, {key: first["id"]}, status=204)
    assert [task["step_id"] for task in await campaign.tasks()] == [first["id"]]
    await wire.refused(404, "GET", path)
    assert (await wire.ok("GET", campaign.path))["default_entry_step_id"] is None


async def test_deleted_data_take_their_tasks_along(wire: Wire) -> None:
    """Tasks of other assets stay."""
    campaign = await Campaign.create(wire)
    await campaign.step()
    gone, other = await wire.asset(), await wire.asset()
    await campaign.sync()
    await wire.ok("DELETE", f"/api/data/{gone['data']['id']}", status=204)
    assert [task["asset_id"] for task in await campaign.tasks()] == [other["id"]]


async def test_tasks_of_assets_that_are_not_visible_yet() -> None:
    """A campaign that takes new assets by itself lists their tasks before the visibility delay is over."""
    async with Emulator(visibility_delay=3600.0) as emulator:
        wire = Wire(emulator)
        async with wire.http:
            campaign = await Campaign.create(wire, auto_add_new_assets=True)
            await campaign.step()
            await wire.monitored()
            assert len(await campaign.tasks()) == 1
