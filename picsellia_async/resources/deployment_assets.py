"""The predicted assets of a deployment, and the campaign in which people review them."""

from __future__ import annotations

import datetime
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any
from uuid import UUID

import attrs

from picsellia_async._services.paging import collect, iterate
from picsellia_async._wire.endpoints import CREATE_CAMPAIGN, FIND_PREDICTED_ASSET, GET_CAMPAIGN, LIST_PREDICTED_ASSETS
from picsellia_async._wire.platform_requests import CreateCampaignRequest, day, identifier
from picsellia_async._wire.queries import Listing, either, metadata_filter, user_filter
from picsellia_async.errors import NoDataError, NotFoundError
from picsellia_async.models import Page, PredictedAssetDescription
from picsellia_async.resources.campaign import ReviewCampaign, upload_instructions
from picsellia_async.resources.deployment import DeploymentHandle
from picsellia_async.resources.predicted_asset import PredictedAsset
from picsellia_async.validation import text, uuid


class DeploymentWithAssets(DeploymentHandle):
    """The platform's side of a deployment, with what came of its predictions."""

    # Predicted assets

    async def find_predicted_asset(
        self,
        id: str | UUID | None = None,  # noqa: A002 - the documented name
        oracle_prediction_id: str | UUID | None = None,
        object_name: str | None = None,
        filename: str | None = None,
        data_id: str | UUID | None = None,
    ) -> PredictedAsset:
        """Return the one predicted asset that matches. Idempotent.

        A prediction that was just monitored may not be there yet; one that was not sampled never will be.

        Args:
            id: Identifier.
            oracle_prediction_id: `["id"]` of what `monitor` returned.
            object_name: Name of the image in the storage.
            filename: Name of the image on the platform.
            data_id: Identifier of the image's data.

        Raises:
            ConfigurationError: No criterion was given, or an id that is no UUID. Nothing was sent.
            NotFoundError: None matches.
            BadRequestError: Several match, two of one file name for instance.

        Wire: GET {platform}/api/deployment/{deployment_id}/predictedassets/find, 2xx.
        """
        criteria = [
            ("id", None if id is None else uuid(id, "id")),
            (
                "oracle_prediction_id",
                None if oracle_prediction_id is None else uuid(oracle_prediction_id, "oracle_prediction_id"),
            ),
            ("object_name", object_name),
            ("filename", filename),
            ("data_id", None if data_id is None else uuid(data_id, "data_id")),
        ]
        found = await self._connection.call(FIND_PREDICTED_ASSET, query=either(criteria), deployment_id=self.id)
        return self._asset(found)

    async def list_predicted_assets(
        self,
        limit: int | None = None,
        offset: int | None = None,
        page_size: int | None = None,
        order_by: list[str] | None = None,
        *,
        q: str | None = None,
        assignment_status: str | None = None,
        assignment_step_id: UUID | str | None = None,
        assignment_user_id: UUID | str | None = None,
        custom_metadata: dict[str, Any] | None = None,
    ) -> list[PredictedAsset]:
        """Return predicted assets, newest first, never more than `limit`. Idempotent. For many: `iter_predicted_assets`.

        Args:
            limit: At most so many; all by default.
            offset: Skip so many.
            page_size: Items per request, up to 1000, the default.
            order_by: Names of fields, `-` before a name for descending order. Lets the pages be fetched at once.
            q: Query (docs/wire.md#query-language).
            assignment_status: Only assets with a task in this state.
            assignment_step_id: Only assets with a task in this step.
            assignment_user_id: Only assets with a task of this user; "unassigned": of nobody.
            custom_metadata: Only assets whose data has these custom metadata.

        Raises:
            NoDataError: None matches.
            PicselliaError: A page could not be fetched; `items_read` of the error holds what was read before it.

        Wire: GET {platform}/api/deployment/{deployment_id}/predictedassets, 2xx.
        """
        filters = _assignment_filters(assignment_status, assignment_step_id, assignment_user_id, custom_metadata)
        listing = Listing(filters=filters, q=q, limit=limit, offset=offset, page_size=page_size, order_by=order_by)
        found = await collect(listing, self._page, self._asset)
        if not found:
            raise NoDataError(f"no predicted asset of deployment {self.name!r} matches")
        return found

    def iter_predicted_assets(
        self,
        limit: int | None = None,
        offset: int | None = None,
        page_size: int | None = None,
        order_by: list[str] | None = None,
        *,
        q: str | None = None,
        assignment_status: str | None = None,
        assignment_step_id: UUID | str | None = None,
        assignment_user_id: UUID | str | None = None,
        custom_metadata: dict[str, Any] | None = None,
    ) -> AsyncGenerator[PredictedAsset, None]:
        """Yield predicted assets, one page in memory; arguments as in `list_predicted_assets`. Idempotent.

        A deployment without any yields nothing.

        Wire: GET {platform}/api/deployment/{deployment_id}/predictedassets, 2xx.
        """
        filters = _assignment_filters(assignment_status, assignment_step_id, assignment_user_id, custom_metadata)
        listing = Listing(filters=filters, q=q, limit=limit, offset=offset, page_size=page_size, order_by=order_by)
        return self._iterate(listing)

    async def _iterate(self, listing: Listing) -> AsyncGenerator[PredictedAsset, None]:
        async for description in iterate(listing, self._page):
            yield self._asset(description)

    async def _page(self, query: list[tuple[str, Any]]) -> Page[PredictedAssetDescription]:
        return await self._connection.call(LIST_PREDICTED_ASSETS, query=query, deployment_id=self.id)

    def _asset(self, description: PredictedAssetDescription) -> PredictedAsset:
        return PredictedAsset(description, self._connection, self.id)

    # Review campaign

    async def create_campaign(
        self,
        description: str | None = None,
        instructions_file_path: str | Path | None = None,
        instructions_text: str | None = None,
        end_date: datetime.date | None = None,
        auto_add_new_assets: bool | None = False,
        auto_close_on_completion: bool | None = False,
    ) -> ReviewCampaign:
        """Make the review campaign of this deployment; it can have one. Not idempotent.

        Args:
            description: Free text.
            instructions_file_path: File that is stored as instructions; see `ReviewCampaign.upload_instructions_file`.
            instructions_text: What reviewers are to do.
            end_date: Last day.
            auto_add_new_assets: Whether new predicted assets become tasks.
            auto_close_on_completion: Whether it closes when all tasks are done.

        Raises:
            ConflictError: There is one already.
            UploadError: The instructions could not be stored; no campaign was made.

        Wire: POST {platform}/api/deployment/{deployment_id}/campaigns, 2xx.
        """
        request = CreateCampaignRequest(
            description=description,
            instructions_text=instructions_text,
            end_date=None if end_date is None else day(end_date, "end_date"),
            auto_add_new_assets=auto_add_new_assets,
            auto_close_on_completion=auto_close_on_completion,
        )
        if instructions_file_path is not None:
            name = "instructions_file_path"
            stored = await upload_instructions(self._connection, instructions_file_path, self.id, name)
            request = attrs.evolve(request, instructions_object_name=stored)
        made = await self._connection.call(CREATE_CAMPAIGN, request, deployment_id=self.id)
        self._description = attrs.evolve(self._description, review_campaign_id=made.id)
        return ReviewCampaign(made, self._connection)

    async def get_campaign(self) -> ReviewCampaign:
        """Return the review campaign of this deployment. Idempotent.

        Raises:
            NoDataError: There is none.

        Wire: GET {platform}/api/campaigns/review/{campaign_id}, 2xx.
        """
        campaign_id = self._description.review_campaign_id or (await self.sync()).review_campaign_id
        if campaign_id is None:
            raise NoDataError(f"deployment {self.name!r} has no review campaign")
        try:
            found = await self._connection.call(GET_CAMPAIGN, campaign_id=campaign_id)
        except NotFoundError:
            # It was deleted meanwhile; the next call asks the deployment again.
            self._description = attrs.evolve(self._description, review_campaign_id=None)
            raise
        return ReviewCampaign(found, self._connection)


def _assignment_filters(
    status: str | None, step_id: Any, user_id: Any, custom_metadata: Any
) -> tuple[tuple[str, Any], ...]:
    return (
        ("assignment_status", None if status is None else text(status, "assignment_status")),
        ("assignment_step_id", None if step_id is None else identifier(step_id, "assignment_step_id")),
        ("assignment_user_id", user_filter(user_id, "assignment_user_id")),
        ("custom_metadata", metadata_filter(custom_metadata)),
    )
