"""Review campaigns as frozen values: what the platform says of a campaign, its steps and its tasks. Nothing here waits or acts.

Shapes: docs/wire.md#predicted-asset-endpoints.
"""

from __future__ import annotations

from uuid import UUID

import attrs

from picsellia_async.enums import AssignmentStatus, CampaignStepType
from picsellia_async.models import JobDescription, Value


@attrs.frozen(kw_only=True, eq=False, repr=False)
class ReviewCampaignDescription(Value):
    """A review campaign (docs/wire.md#predicted-asset-endpoints). All but the first two fields are what its updates set; the platform need not repeat them."""

    id: UUID
    deployment_id: UUID
    """The deployment whose predictions are reviewed."""
    description: str | None = None
    """Free text."""
    instructions_text: str | None = None
    """What reviewers are to do."""
    instructions_object_name: str | None = None
    """Instructions file, by its name in the object storage."""
    end_date: str | None = None
    """ISO date."""
    auto_add_new_assets: bool | None = None
    """Whether new predicted assets become tasks."""
    auto_close_on_completion: bool | None = None
    """Whether it closes when all tasks are done."""
    default_entry_step_id: UUID | None = None
    """Step where new tasks begin."""
    is_closed: bool | None = None
    """Whether it is closed."""


@attrs.frozen(kw_only=True, eq=False, repr=False)
class CampaignStepDescription(Value):
    """A step of a review campaign."""

    id: UUID
    name: str
    order: int | None = None
    """Place among the steps."""
    type: CampaignStepType
    """Kind of the step."""


@attrs.frozen(kw_only=True, eq=False, repr=False)
class AssignmentData(Value):
    """The image of an assignment."""

    id: UUID
    """Identifier of the data."""
    filename: str | None = None
    """Name shown on the platform."""
    object_name: str | None = None
    """Name in the object storage."""
    presigned_url: str | None = attrs.field(default=None, repr=False)
    """Download address, good for about an hour."""


@attrs.frozen(kw_only=True, eq=False, repr=False)
class AssignmentDescription(Value):
    """One task of a review campaign."""

    id: UUID
    asset_id: UUID
    """The predicted asset to review."""
    step_id: UUID
    """Step it is in."""
    status: AssignmentStatus
    """State."""
    assigned_user_id: UUID | None = None
    """Who is to do it; None: nobody yet."""
    data: AssignmentData | None = None
    """The image."""


@attrs.frozen(kw_only=True, eq=False, repr=False)
class SyncAvailability(Value):
    """Whether a campaign can take in new assets now."""

    is_sync_available: bool | None = None
    """Whether it can; None: the platform did not say."""
    reason: str | None = None
    """Why not."""
    unsynced_item_count: int | None = None
    """How many assets wait."""


@attrs.frozen(kw_only=True, eq=False, repr=False)
class JobReceipt(Value):
    """Answer of calls that start a job."""

    job: JobDescription


@attrs.frozen(kw_only=True, eq=False, repr=False)
class IssueCount(Value):
    """Issues that one reviewer raised in a campaign."""

    user_id: UUID | None = None
    """The reviewer; None for tasks of nobody."""
    opened: int | None = None
    """Issues still open; None where the platform does not say."""
    closed: int | None = None
    """Issues closed; None where the platform does not say."""
