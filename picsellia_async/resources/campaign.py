"""Review campaigns: their steps, and the tasks that reviewers get."""

from __future__ import annotations

import datetime
from collections.abc import AsyncGenerator, Iterable, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from picsellia_async._services.account import Account
from picsellia_async._services.paging import collect, iterate
from picsellia_async._services.storage import upload_file
from picsellia_async._wire.endpoints import (
    ADD_CAMPAIGN_STEP,
    CHECK_ASSIGNMENTS_SYNC,
    CLOSE_CAMPAIGN,
    COUNT_CAMPAIGN_ISSUES,
    DELETE_CAMPAIGN,
    DELETE_CAMPAIGN_STEP,
    GET_ASSIGNMENT,
    GET_CAMPAIGN,
    GET_CAMPAIGN_STEP,
    GET_DATA_URL,
    LIST_ASSIGNMENTS,
    LIST_CAMPAIGN_STEPS,
    REASSIGN_ASSIGNMENTS,
    REDISTRIBUTE_ASSIGNMENTS,
    REOPEN_CAMPAIGN,
    SYNC_ASSIGNMENTS,
    UPDATE_CAMPAIGN,
    UPDATE_CAMPAIGN_STEP,
)
from picsellia_async._wire.platform_requests import (
    AddStepRequest,
    Assignee,
    DeleteStepRequest,
    EmptyRequest,
    ReassignRequest,
    UpdateCampaignRequest,
    UpdateStepRequest,
    day,
    identifier,
)
from picsellia_async._wire.queries import Listing, metadata_filter, user_filter
from picsellia_async._wire.unset import UNSET, Unset, given
from picsellia_async.campaign_models import (
    AssignmentDescription,
    CampaignStepDescription,
    IssueCount,
    ReviewCampaignDescription,
)
from picsellia_async.enums import AssignmentStatus, CampaignStepType, ObjectDataType
from picsellia_async.errors import ConfigurationError, NoDataError, NoUrlAvailable, shown
from picsellia_async.models import Page
from picsellia_async.resources.downloadable import Downloadable
from picsellia_async.resources.handle import Handle, expect, expect_all
from picsellia_async.resources.platform_job import Job
from picsellia_async.resources.user import User
from picsellia_async.validation import real_number, sequence, text


class Assignment(Downloadable[AssignmentDescription]):
    """One task of a review campaign."""

    def __init__(self, description: AssignmentDescription, account: Account, campaign_id: UUID) -> None:
        """Store what the platform said; nothing is sent."""
        super().__init__(description, account)
        self._campaign_id = campaign_id

    @property
    def campaign_id(self) -> UUID:
        """The campaign."""
        return self._campaign_id

    @property
    def asset_id(self) -> UUID:
        """The predicted asset to review."""
        return self._description.asset_id

    @property
    def step_id(self) -> UUID:
        """Step it is in."""
        return self._description.step_id

    @property
    def user_id(self) -> UUID | None:
        """Who is to do it; None: nobody yet."""
        return self._description.assigned_user_id

    @property
    def status(self) -> AssignmentStatus:
        """State when last fetched."""
        return self._description.status

    @property
    def data_id(self) -> UUID | None:
        """Identifier of the image's data; None where the platform did not say, here and below."""
        return self._description.data.id if self._description.data else None

    @property
    def filename(self) -> str | None:
        """Name of the image."""
        return self._description.data.filename if self._description.data else None

    @property
    def object_name(self) -> str | None:
        """Name of the image in the object storage."""
        return self._description.data.object_name if self._description.data else None

    async def sync(self) -> AssignmentDescription:
        """Fetch this task again. Idempotent.

        Wire: GET {platform}/api/campaigns/review/assignments/{assignment_id}, 2xx. (The vendor's SDK doubles `/api/` here.)
        """
        self._description = await self._account.call(GET_ASSIGNMENT, assignment_id=self.id)
        return self._description

    @property
    def url(self) -> str | None:
        """Download address of the image as last fetched, good for about an hour; None where the platform did not say."""
        return self._description.data.presigned_url if self._description.data else None

    async def reset_url(self) -> str:
        """Return a new download address of the image, good for about an hour. Idempotent.

        Raises:
            NoUrlAvailable: The platform did not say which data it is.

        Wire: GET {platform}/api/data/{data_id}/presigned-url, 2xx.
        """
        if self._description.data is None:
            raise NoUrlAvailable(f"the data of assignment {self.id} is not known")
        return (await self._account.call(GET_DATA_URL, data_id=self._description.data.id)).presigned_url


class ReviewCampaignStep(Handle[CampaignStepDescription]):
    """A step of a review campaign."""

    def __init__(self, description: CampaignStepDescription, account: Account, campaign_id: UUID) -> None:
        """Store what the platform said; nothing is sent."""
        super().__init__(description, account)
        self._campaign_id = campaign_id

    @property
    def campaign_id(self) -> UUID:
        """The campaign."""
        return self._campaign_id

    @property
    def name(self) -> str:
        """Name."""
        return self._description.name

    @property
    def order(self) -> int | None:
        """Place among the steps."""
        return self._description.order

    @property
    def type(self) -> CampaignStepType:
        """Kind of the step."""
        return self._description.type

    async def sync(self) -> CampaignStepDescription:
        """Fetch this step again. Idempotent.

        Wire: GET {platform}/api/campaigns/review/steps/{step_id}, 2xx.
        """
        self._description = await self._account.call(GET_CAMPAIGN_STEP, step_id=self.id)
        return self._description

    async def update(
        self,
        name: str | None = None,
        assignees: Sequence[tuple[User | UUID | str, float]] | None = None,
        sample_rate: float | None = None,
    ) -> None:
        """Change this step; what is None stays as it is. Idempotent.

        Args:
            name: New name.
            assignees: `(user, weight)` each; takes the place of all before.
            sample_rate: Share of the tasks that pass through this step, 0 to 1.

        Wire: PATCH {platform}/api/campaigns/review/steps/{step_id}, 2xx.
        """
        request = UpdateStepRequest(name=given(name), sample_rate=given(sample_rate), assignees=_assignees(assignees))
        self._description = await self._account.call(UPDATE_CAMPAIGN_STEP, request, step_id=self.id)

    async def redistribute_assignments(self) -> None:
        """Share the open tasks out among the assignees anew. Not idempotent.

        Wire: POST {platform}/api/campaigns/review/steps/{step_id}/assignments/redistribute, 2xx.
        """
        await self._account.call(REDISTRIBUTE_ASSIGNMENTS, step_id=self.id)

    async def delete(self, pending_assignments_destination_step_id: UUID | str) -> None:
        """Delete this step. Idempotent.

        Args:
            pending_assignments_destination_step_id: Step where its open tasks go.

        Wire: DELETE {platform}/api/campaigns/review/steps/{step_id}, 2xx.
        """
        name = "pending_assignments_destination_step_id"
        destination = identifier(pending_assignments_destination_step_id, name)
        request = DeleteStepRequest(destination_step_id_for_pending_assignments=destination)
        await self._account.call(DELETE_CAMPAIGN_STEP, request, step_id=self.id)


class ReviewCampaign(Handle[ReviewCampaignDescription]):
    """A review campaign: people look at the predictions of a deployment."""

    @property
    def deployment_id(self) -> UUID:
        """The deployment whose predictions are reviewed."""
        return self._description.deployment_id

    async def sync(self) -> ReviewCampaignDescription:
        """Fetch this campaign again. Idempotent.

        Wire: GET {platform}/api/campaigns/review/{campaign_id}, 2xx.
        """
        self._description = await self._account.call(GET_CAMPAIGN, campaign_id=self.id)
        return self._description

    async def update(
        self,
        description: str | None = None,
        instructions_object_name: str | None = None,
        instructions_text: str | None = None,
        end_date: datetime.date | None = None,
        auto_add_new_assets: bool | None = None,
        auto_close_on_completion: bool | None = None,
        default_entry_step: ReviewCampaignStep | None = None,
    ) -> None:
        """Change this campaign; what is None stays as it is. Idempotent.

        Args:
            description: Free text.
            instructions_object_name: Instructions file, by its name in the object storage.
            instructions_text: What reviewers are to do.
            end_date: Last day.
            auto_add_new_assets: Whether new predicted assets become tasks.
            auto_close_on_completion: Whether it closes when all tasks are done.
            default_entry_step: Step of this campaign where new tasks begin.

        Raises:
            ConfigurationError: A step of another campaign. Nothing was sent.

        Wire: PATCH {platform}/api/campaigns/review/{campaign_id}, 2xx.
        """
        step_id: UUID | Unset = UNSET
        if default_entry_step is not None:
            step = expect(default_entry_step, ReviewCampaignStep, "default_entry_step")
            if step.campaign_id != self.id:
                raise ConfigurationError(f"default_entry_step: step {step.name!r} belongs to another campaign")
            step_id = step.id
        request = UpdateCampaignRequest(
            description=given(description),
            instructions_object_name=given(instructions_object_name),
            instructions_text=given(instructions_text),
            end_date=UNSET if end_date is None else day(end_date, "end_date"),
            auto_add_new_assets=given(auto_add_new_assets),
            auto_close_on_completion=given(auto_close_on_completion),
            default_entry_step_id=step_id,
        )
        self._description = await self._account.call(UPDATE_CAMPAIGN, request, campaign_id=self.id)

    async def upload_instructions_file(self, path: str | Path) -> None:
        """Store a file and make it the instructions of this campaign. Idempotent: a repeat stores it anew.

        Args:
            path: The file. Above 16 MiB it goes in parts of 8 MiB, four at a time; each is repeated by itself.

        Raises:
            ConfigurationError: The file is missing, a directory, empty, or not readable.
            UploadError: It could not be stored.

        Wire: POST {platform}/api/object-storage/{connector_id}/generate_presigned_url and others (docs/wire.md#object-storage),
            PATCH {platform}/api/campaigns/review/{campaign_id}, 2xx.
        """
        object_name = await upload_instructions(self._account, path, self.deployment_id, "path")
        await self.update(instructions_object_name=object_name)

    async def close(self) -> None:
        """Close this campaign. Idempotent.

        Wire: POST {platform}/api/campaigns/review/{campaign_id}/close, 2xx.
        """
        await self._account.call(CLOSE_CAMPAIGN, campaign_id=self.id)

    async def reopen(self) -> None:
        """Open this campaign again. Idempotent.

        Wire: POST {platform}/api/campaigns/review/{campaign_id}/reopen, 2xx.
        """
        await self._account.call(REOPEN_CAMPAIGN, campaign_id=self.id)

    async def delete(self) -> None:
        """Delete this campaign and its tasks. Idempotent.

        Wire: DELETE {platform}/api/campaigns/review/{campaign_id}, 2xx.
        """
        await self._account.call(DELETE_CAMPAIGN, campaign_id=self.id)

    # Steps

    async def add_step(
        self,
        name: str,
        type: CampaignStepType | str,  # noqa: A002 - the vendor's name
        description: str | None = None,
        assignees: Sequence[tuple[User | UUID | str, float]] | None = None,
        order: int | None = None,
        sample_rate: float | None = None,
    ) -> ReviewCampaignStep:
        """Add a step. Not idempotent: a second one would be added.

        Args:
            name: Name.
            type: REVIEW or QUALITY_CONTROL.
            description: Free text.
            assignees: `(user, weight)` each: who gets the tasks, and how many compared to the others.
            order: Place among the steps; the last by default.
            sample_rate: Share of the tasks that pass through this step, 0 to 1.

        Raises:
            ConfigurationError: Another type, or assignees that cannot be read. Nothing was sent.

        Wire: POST {platform}/api/campaigns/review/{campaign_id}/steps, 2xx.
        """
        request = AddStepRequest(
            name=name,
            type=CampaignStepType.of(type, "type"),
            description=description,
            order=order,
            sample_rate=sample_rate,
            assignees=_assignees(assignees),
        )
        made = await self._account.call(ADD_CAMPAIGN_STEP, request, campaign_id=self.id)
        return ReviewCampaignStep(made, self._account, self.id)

    async def list_steps(self) -> list[ReviewCampaignStep]:
        """Return the steps. Idempotent.

        Wire: GET {platform}/api/campaigns/review/{campaign_id}/steps, 2xx.
        """
        page = await self._account.call(LIST_CAMPAIGN_STEPS, campaign_id=self.id)
        return [ReviewCampaignStep(item, self._account, self.id) for item in page.items]

    # Tasks

    async def sync_assets(self) -> Job:
        """Make tasks of predicted assets that are not in the campaign yet. Not idempotent: it starts a job.

        Returns:
            The job that does it.

        Raises:
            NoDataError: There is nothing to take in, or it cannot be done now; the message holds the platform's reason.

        Wire: GET {platform}/api/campaigns/review/{campaign_id}/assignments/sync/available,
            POST {platform}/api/campaigns/review/{campaign_id}/assignments/sync, 2xx.
        """
        availability = await self._account.call(CHECK_ASSIGNMENTS_SYNC, campaign_id=self.id)
        if availability.is_sync_available is False:
            raise NoDataError(f"assets cannot be synchronised into the campaign now: {availability.reason}")
        receipt = await self._account.call(SYNC_ASSIGNMENTS, EmptyRequest(), campaign_id=self.id)
        return Job(receipt.job, self._account)

    async def list_assignments(
        self,
        step_id: UUID | str | None = None,
        status: AssignmentStatus | str | None = None,
        user: User | UUID | str | None = None,
        custom_metadata: dict[str, Any] | None = None,
        query: str | None = None,
        *,
        limit: int | None = None,
    ) -> list[Assignment]:
        """Return tasks. Idempotent.

        Args:
            step_id: Only those in this step.
            status: Only those in this state.
            user: Only those of this user; "unassigned": those of nobody.
            custom_metadata: Only those of data with these custom metadata.
            query: Query (docs/wire.md#query-language).
            limit: At most so many; all by default.

        Returns:
            The tasks; an empty list where none matches.

        Wire: GET {platform}/api/campaigns/review/{campaign_id}/assignments, 2xx.
        """
        listing = _assignment_listing(step_id, status, user, custom_metadata, query, limit)
        return await collect(listing, self._page, self._assignment)

    def iter_assignments(
        self,
        step_id: UUID | str | None = None,
        status: AssignmentStatus | str | None = None,
        user: User | UUID | str | None = None,
        custom_metadata: dict[str, Any] | None = None,
        query: str | None = None,
        *,
        limit: int | None = None,
    ) -> AsyncGenerator[Assignment, None]:
        """Yield tasks, one page in memory. Idempotent. Further arguments: `list_assignments`.

        Wire: GET {platform}/api/campaigns/review/{campaign_id}/assignments, 2xx.
        """
        return self._iterate(_assignment_listing(step_id, status, user, custom_metadata, query, limit))

    async def _iterate(self, listing: Listing) -> AsyncGenerator[Assignment, None]:
        async for description in iterate(listing, self._page):
            yield self._assignment(description)

    async def _page(self, query: list[tuple[str, Any]]) -> Page[AssignmentDescription]:
        return await self._account.call(LIST_ASSIGNMENTS, query=query, campaign_id=self.id)

    def _assignment(self, description: AssignmentDescription) -> Assignment:
        return Assignment(description, self._account, self.id)

    async def reassign(self, assignments: Assignment | list[Assignment], user: User | None = None) -> None:
        """Give tasks to somebody else. Idempotent.

        Args:
            assignments: One task or a list.
            user: Who gets them; None: nobody.

        Raises:
            ConfigurationError: An empty list, or something that is no task. Nothing was sent.

        Wire: POST {platform}/api/campaigns/review/{campaign_id}/assignments/reassign, 2xx.
        """
        tasks = expect_all(assignments, Assignment, "assignments")
        request = ReassignRequest(
            assignment_ids=[task.id for task in tasks], user_id=None if user is None else expect(user, User, "user").id
        )
        await self._account.call(REASSIGN_ASSIGNMENTS, request, campaign_id=self.id)

    async def get_campaign_issue_counts(
        self,
        users: Iterable[User | UUID | str] | None = None,
        steps: Iterable[ReviewCampaignStep | UUID | str] | None = None,
    ) -> list[IssueCount]:
        """Return how many issues reviewers raised. Idempotent.

        Args:
            users: Only those of these users.
            steps: Only those in these steps.

        Wire: GET {platform}/api/campaigns/review/analytics/{campaign_id}/issues/counts/users, 2xx.
        """
        query = [("user_ids", _ids(users, "users")), ("step_ids", _ids(steps, "steps"))]
        return await self._account.call(COUNT_CAMPAIGN_ISSUES, query=query, campaign_id=self.id)


async def upload_instructions(account: Account, path: str | Path, deployment_id: UUID, name: str) -> str:
    """Store the instructions file of a deployment's campaign and return its object name; errors as in `upload_file`."""
    context = {"deployment_id": str(deployment_id)}
    return await upload_file(account, path, ObjectDataType.REVIEW_CAMPAIGN_FILE, context=context, name=name)


def _ids(values: Iterable[Any] | None, name: str) -> list[UUID] | None:
    if values is None:
        return None
    return [identifier(value, f"{name}[{i}]") for i, value in enumerate(sequence(values, name))]


def _assignees(values: Sequence[tuple[Any, float]] | None) -> list[Assignee] | Unset:
    if not values:
        return UNSET
    assignees = []
    for i, value in enumerate(sequence(values, "assignees")):
        if not isinstance(value, (list, tuple)) or len(value) != 2:
            raise ConfigurationError(f"assignees[{i}] must be (user, weight), got {shown(value)}")
        weight = real_number(value[1], f"assignees[{i}][1]", 0.0)
        assignees.append(Assignee(user_id=identifier(value[0], f"assignees[{i}][0]"), weight=weight))
    return assignees


def _assignment_listing(
    step_id: Any, status: Any, user: Any, custom_metadata: dict[str, Any] | None, query: str | None, limit: int | None
) -> Listing:
    filters = (
        ("status", None if status is None else AssignmentStatus.of(status, "status").value),
        ("step_id", None if step_id is None else identifier(step_id, "step_id")),
        ("user_id", user_filter(user, "user")),
        ("custom_metadata", metadata_filter(custom_metadata)),
    )
    return Listing(filters=filters, q=None if query is None else text(query, "query"), limit=limit)
