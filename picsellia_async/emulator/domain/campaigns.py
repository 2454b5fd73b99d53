"""How the tasks of a review campaign are made, assigned and moved on."""

from __future__ import annotations

from collections import Counter

from picsellia_async.emulator.domain.state import State
from picsellia_async.emulator.store.documents import Document
from picsellia_async.emulator.store.rows import AssignmentRow, PredictionRow


def steps_of(state: State, campaign: Document) -> list[Document]:
    """Return the steps of a campaign in their order."""
    return sorted(state.store.documents.list("step", campaign_id=campaign["id"]), key=lambda step: int(step["order"]))


def entry_step(state: State, campaign: Document) -> Document | None:
    """Return the step where new tasks begin: the one named, else the first; None without any."""
    named = state.store.documents.peek("step", campaign["default_entry_step_id"])
    steps = steps_of(state, campaign)
    return named or (steps[0] if steps else None)


def unsynced(state: State, campaign: Document) -> list[PredictionRow]:
    """Return the predicted assets that have no task yet, oldest first."""
    condition = (
        "deployment_id = ? and asset_id is not null and visible_at <= ? and status = 'TO_REVIEW'"
        " and asset_id not in (select asset_id from assignment where campaign_id = ?)"
    )
    return state.store.predictions.select(condition, campaign["deployment_id"], state.clock(), campaign["id"])


def add_tasks(state: State, campaign: Document, step: Document, rows: list[PredictionRow]) -> None:
    """Make a task of each predicted asset and hand it out."""
    load = _load(state, step)
    for row in rows:
        user_id = _next_assignee(step, load)
        state.store.assignments.insert(
            AssignmentRow(
                id=state.new_id(),
                campaign_id=campaign["id"],
                asset_id=row.asset_id or "",
                step_id=step["id"],
                user_id=user_id,
            )
        )


def add_new_asset(state: State, row: PredictionRow) -> None:
    """Make a task of a new predicted asset where the campaign of its deployment takes such by itself."""
    campaign = state.store.documents.find("campaign", deployment_id=row.deployment_id)
    if campaign is None or campaign["is_closed"] or not campaign["auto_add_new_assets"]:
        return
    step = entry_step(state, campaign)
    if step is not None:
        add_tasks(state, campaign, step, [row])


def redistribute(state: State, step: Document) -> None:
    """Hand the open tasks of a step out anew."""
    load: Counter[str] = Counter()
    for row in state.store.assignments.select("step_id = ? and status != 'DONE'", step["id"]):
        state.store.assignments.update(row.id, user_id=_next_assignee(step, load))


def advance(state: State, row: PredictionRow) -> None:
    """Move the task of a reviewed asset to the next step, or finish it. assumed: a step's sample rate decides whether it stops there."""
    for task in state.store.assignments.select("asset_id = ? and status != 'DONE'", row.asset_id):
        campaign = state.store.documents.get("campaign", task.campaign_id)
        steps = steps_of(state, campaign)
        here = next((index for index, step in enumerate(steps) if step["id"] == task.step_id), len(steps))
        following = [step for step in steps[here + 1 :] if _is_drawn(state, step)]
        if following:
            user_id = _next_assignee(following[0], _load(state, following[0]))
            state.store.assignments.update(task.id, step_id=following[0]["id"], user_id=user_id, status="TO_DO")
        else:
            state.store.assignments.update(task.id, status="DONE")
        is_over = not state.store.assignments.count("campaign_id = ? and status != 'DONE'", campaign["id"])
        if is_over and campaign["auto_close_on_completion"]:
            campaign["is_closed"] = True
            state.store.documents.save("campaign", campaign)


def _is_drawn(state: State, step: Document) -> bool:
    rate = step["sample_rate"]
    return rate is None or rate >= 1.0 or state.draw() < rate


def _load(state: State, step: Document) -> Counter[str]:
    rows = state.store.assignments.select("step_id = ? and status != 'DONE'", step["id"])
    return Counter(row.user_id for row in rows if row.user_id)


def _next_assignee(step: Document, load: Counter[str]) -> str | None:
    """Return the assignee with the fewest tasks for their weight, and count one more; None: the step names nobody."""
    candidates = [(entry["user_id"], entry["weight"]) for entry in step["assignees"] if entry["weight"] > 0]
    if not candidates:
        return None
    user_id: str = min(candidates, key=lambda entry: (load[entry[0]] + 1) / entry[1])[0]
    load[user_id] += 1
    return user_id
