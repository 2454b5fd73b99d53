"""Review campaigns against the emulator: made, changed, stepped, shared out, closed."""

from __future__ import annotations

import datetime
from uuid import uuid4

import pytest

from picsellia_async import (
    AssignmentStatus,
    CampaignStepType,
    ConfigurationError,
    ConflictError,
    NoDataError,
    NotFoundError,
)
from picsellia_async.emulator import Fault

from ..support.client import ONE_BOX, calls

pytestmark = pytest.mark.anyio

PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)
DAY = datetime.date(2030, 5, 17)


@pytest.fixture
async def campaign(deployment):
    """A campaign of the deployment, which holds five predicted assets."""
    for number in range(5):
        await deployment.monitor_bytes(PNG, "image/png", f"{number}.png", 0.02, 10, 10, ONE_BOX)
    return await deployment.create_campaign("first look")


async def test_a_deployment_has_one_campaign(client, deployment):
    """None at first, then the one that was made; a second one is a conflict."""
    with pytest.raises(NoDataError, match="deployment 'awesome-deploy' has no review campaign"):
        await deployment.get_campaign()
    made = await deployment.create_campaign("look", None, "closely", DAY, True, auto_close_on_completion=True)
    assert made.deployment_id == deployment.id
    assert await deployment.get_campaign() == made
    assert await (await client.get_deployment(deployment.name)).get_campaign() == made
    assert await client.list_review_campaigns() == [made]
    with pytest.raises(ConflictError):
        await deployment.create_campaign()
    described = await made.sync()
    assert (described.description, described.instructions_text, described.end_date) == ("look", "closely", "2030-05-17")
    assert (described.auto_add_new_assets, described.auto_close_on_completion) == (True, True)


async def test_an_empty_path_is_no_file(deployment, emulator):
    """As in the vendor's SDK: the campaign is made without instructions, and nothing is stored."""
    made = await deployment.create_campaign("look", "")
    assert made.deployment_id == deployment.id
    assert not [entry for entry in emulator.journal if "storage" in entry.path]


async def test_a_deleted_campaign_is_forgotten(deployment, campaign):
    """The first `get_campaign` after it says 404, the next one asks the deployment again."""
    await campaign.delete()
    with pytest.raises(NotFoundError):
        await deployment.get_campaign()
    with pytest.raises(NoDataError):
        await deployment.get_campaign()


async def test_a_campaign_is_changed_closed_and_opened(client, campaign):
    """What was set is what is read."""
    step = await campaign.add_step("look", "review")
    await campaign.update(
        "again",
        instructions_text="now",
        end_date=datetime.datetime(2031, 1, 2, tzinfo=datetime.UTC),
        auto_add_new_assets=True,
        default_entry_step=step,
    )
    described = await campaign.sync()
    assert (described.description, described.end_date, described.default_entry_step_id) == (
        "again",
        "2031-01-02",
        step.id,
    )
    await campaign.close()
    assert await client.list_review_campaigns(is_closed=True) == [campaign]
    assert await client.list_review_campaigns(is_closed=False) == []
    await campaign.reopen()
    assert await client.list_review_campaigns(is_closed=False) == [campaign]


async def test_steps(client, campaign):
    """Added in order, changed, shared out, deleted with a place for their tasks."""
    user, other = (await client.list_users())[:2]
    look = await campaign.add_step("look", CampaignStepType.REVIEW, "first", [(user, 2), (other.id, 1.0)])
    check = await campaign.add_step("check", "QUALITY_CONTROL", order=1, sample_rate=0.5)
    steps = await campaign.list_steps()
    assert [step.name for step in steps] == ["look", "check"]
    assert [step.order for step in steps] == sorted(step.order for step in steps)
    assert (check.type, check.campaign_id) == (CampaignStepType.QUALITY_CONTROL, campaign.id)
    await look.update(name="look closely", assignees=[(str(other.id), 1)], sample_rate=1)
    assert (await look.sync()).name == look.name == "look closely"
    await (await campaign.sync_assets()).wait_for_done(0.01)
    await look.redistribute_assignments()
    await look.delete(check.id)
    assert await campaign.list_steps() == [check]
    assert {task.step_id for task in await campaign.list_assignments()} == {check.id}


async def test_tasks(client, deployment, campaign):
    """Assets become tasks, once; they are listed by state, step and user, and change hands."""
    user, other = (await client.list_users())[:2]
    step = await campaign.add_step("look", "REVIEW", assignees=[(user, 1)])
    running = await campaign.sync_assets()
    await running.wait_for_done(0.01)
    tasks = await campaign.list_assignments()
    assert len(tasks) == 5
    assert {task.asset_id for task in tasks} == {asset.id for asset in await deployment.list_predicted_assets()}
    assert [task.id async for task in campaign.iter_assignments(limit=3)] == [task.id for task in tasks[:3]]
    assert len(await campaign.list_assignments(step.id, "to_do", user, limit=4)) == 4
    assert await campaign.list_assignments(status=AssignmentStatus.DONE) == []
    await campaign.reassign(tasks[:2], other)
    await campaign.reassign(tasks[2])
    assert len(await campaign.list_assignments(user=other)) == 2
    [nobody_s] = await campaign.list_assignments(user="unassigned")
    assert nobody_s == tasks[2]
    assert (await tasks[0].sync()).assigned_user_id == tasks[0].user_id == other.id
    assert tasks[0].filename.endswith(".png")
    assert (await tasks[0].reset_url()).startswith("http")
    assert (tasks[0].status, tasks[0].step_id, tasks[0].campaign_id) == ("TO_DO", step.id, campaign.id)
    with pytest.raises(NoDataError, match="cannot be synchronised"):
        await campaign.sync_assets()


async def test_a_review_advances_its_task(deployment, campaign):
    """A reviewed asset's task is done."""
    await campaign.add_step("look", "REVIEW")
    await (await campaign.sync_assets()).wait_for_done(0.01)
    asset = (await deployment.list_predicted_assets(limit=1))[0]
    await asset.add_review(classifications=None)
    done = await campaign.list_assignments(status="DONE")
    assert [task.asset_id for task in done] == [asset.id]


async def test_issues_are_counted(client, campaign):
    """Counts come per user."""
    users = await client.list_users()
    step = await campaign.add_step("look", "REVIEW", assignees=[(users[0], 1)])
    for counts in (
        await campaign.get_campaign_issue_counts(),
        await campaign.get_campaign_issue_counts(users, [step, str(step.id)]),
    ):
        assert all(count.opened >= 0 and count.closed >= 0 for count in counts)


async def test_what_a_campaign_refuses(client, campaign, emulator):
    """Each bad value is named, and nothing is sent."""
    step = await campaign.add_step("look", "REVIEW")
    foreign = type(step)(step.description, None, uuid4())
    before = len(emulator.journal)
    for call, message in (
        (lambda: campaign.add_step("x", "ANNOTATION"), "must be REVIEW or QUALITY_CONTROL, got ANNOTATION"),
        (lambda: campaign.add_step("x", "LOOK"), "'LOOK' is no CampaignStepType; accepted are ANNOTATION, REVIEW"),
        (lambda: campaign.add_step("", "REVIEW"), "name must be a non-empty str"),
        (lambda: campaign.add_step("x", "REVIEW", sample_rate=2), "sample_rate must be at most 1, got 2"),
        (lambda: campaign.add_step("x", "REVIEW", assignees=["u"]), r"assignees\[0\] must be \(user, weight\)"),
        (lambda: campaign.add_step("x", "REVIEW", assignees=[("u", 1)]), r"assignees\[0\]\[0\] must be a UUID"),
        (
            lambda: campaign.add_step("x", "REVIEW", assignees=[(uuid4(), -1)]),
            r"assignees\[0\]\[1\] must be at least 0, got -1",
        ),
        (lambda: campaign.update(end_date="soon"), "end_date must be a date or its ISO text, got 'soon'"),
        (lambda: campaign.update(default_entry_step=foreign), "belongs to another campaign"),
        (lambda: campaign.update(default_entry_step=step.id), "default_entry_step must be a ReviewCampaignStep"),
        (lambda: campaign.list_assignments(status="LATE"), "'LATE' is no AssignmentStatus"),
        (lambda: campaign.list_assignments(step_id="x"), "step_id must be a UUID"),
        (lambda: campaign.list_assignments(user="nobody"), "user must be a UUID"),
        (lambda: campaign.reassign([]), "assignments must not be empty"),
        (lambda: campaign.reassign([step]), r"assignments\[0\] must be an Assignment"),
        (lambda: campaign.get_campaign_issue_counts(users=["x"]), r"users\[0\] must be a UUID"),
        (lambda: step.delete("x"), "pending_assignments_destination_step_id must be a UUID"),
        (lambda: campaign.upload_instructions_file("missing.pdf"), "path: there is no file"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            await call()
    assert len(emulator.journal) == before


async def test_a_campaign_is_not_made_twice_when_its_answer_is_lost(client, deployment, emulator):
    """Making one is not idempotent: the lost answer is an error, and one campaign is there."""
    emulator.faults.add(Fault(kind="stored_then_dropped", endpoint="create_campaign", times=1))
    with pytest.raises(Exception, match="for POST"):
        await deployment.create_campaign()
    assert len(calls(emulator, "create_campaign")) == 1
    assert await client.list_review_campaigns() == [await deployment.get_campaign()]
