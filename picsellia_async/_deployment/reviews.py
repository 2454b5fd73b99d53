"""The review campaign of a deployment, in which people look at its predicted assets."""

from __future__ import annotations

import datetime
from pathlib import Path

import attrs

from picsellia_async._deployment.details import Details
from picsellia_async._wire.endpoints import CREATE_CAMPAIGN, GET_CAMPAIGN
from picsellia_async._wire.platform_requests import CreateCampaignRequest, day
from picsellia_async.errors import NoDataError, NotFoundError
from picsellia_async.models import DeploymentDescription
from picsellia_async.resources.campaign import ReviewCampaign, upload_instructions
from picsellia_async.resources.handle import Record


class Reviews:
    """Makes and fetches the campaign; a deployment can have one."""

    def __init__(self, record: Record[DeploymentDescription], details: Details) -> None:
        """Store the parts; nothing is sent."""
        self._record = record
        self._details = details

    async def create(
        self,
        *,
        description: str | None,
        instructions_file_path: str | Path | None,
        instructions_text: str | None,
        end_date: datetime.date | None,
        auto_add_new_assets: bool | None,
        auto_close_on_completion: bool | None,
    ) -> ReviewCampaign:
        """Store the instructions, then make the campaign."""
        request = CreateCampaignRequest(
            description=description,
            instructions_text=instructions_text,
            end_date=None if end_date is None else day(end_date, "end_date"),
            auto_add_new_assets=auto_add_new_assets,
            auto_close_on_completion=auto_close_on_completion,
        )
        record = self._record
        if instructions_file_path is not None and not _is_empty(instructions_file_path):
            stored = await upload_instructions(
                record.account, instructions_file_path, record.id, "instructions_file_path"
            )
            request = attrs.evolve(request, instructions_object_name=stored)
        made = await record.account.call(CREATE_CAMPAIGN, request, deployment_id=record.id)
        record.change(review_campaign_id=made.id)
        return ReviewCampaign(made, record.account)

    async def campaign(self) -> ReviewCampaign:
        """Fetch the campaign."""
        record = self._record
        campaign_id = record.description.review_campaign_id or (await self._details.sync()).review_campaign_id
        if campaign_id is None:
            raise NoDataError(f"deployment {record.description.name!r} has no review campaign")
        try:
            found = await record.account.call(GET_CAMPAIGN, campaign_id=campaign_id)
        except NotFoundError:
            # It was deleted meanwhile; the next call asks the deployment again.
            record.change(review_campaign_id=None)
            raise
        return ReviewCampaign(found, record.account)


def _is_empty(path: str | Path) -> bool:
    """Whether this is the empty text, which is no file, as in the vendor's SDK."""
    return isinstance(path, str) and not path
