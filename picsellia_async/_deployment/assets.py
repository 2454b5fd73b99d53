"""The predicted assets of a deployment: one by its marks, or many, page by page."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any
from uuid import UUID

from picsellia_async._services.paging import collect, iterate
from picsellia_async._wire.endpoints import FIND_PREDICTED_ASSET, LIST_PREDICTED_ASSETS
from picsellia_async._wire.platform_requests import identifier
from picsellia_async._wire.queries import Listing, either, metadata_filter, user_filter
from picsellia_async.errors import NoDataError
from picsellia_async.models import DeploymentDescription, Page, PredictedAssetDescription
from picsellia_async.resources.handle import Record
from picsellia_async.resources.predicted_asset import PredictedAsset
from picsellia_async.validation import text, uuid


class PredictedAssets:
    """Finds and lists predicted assets."""

    def __init__(self, record: Record[DeploymentDescription]) -> None:
        """Store the record; nothing is sent."""
        self._record = record

    async def find(
        self,
        *,
        id: str | UUID | None = None,  # noqa: A002 - the documented name
        oracle_prediction_id: str | UUID | None = None,
        object_name: str | None = None,
        filename: str | None = None,
        data_id: str | UUID | None = None,
    ) -> PredictedAsset:
        """Fetch the one that matches."""
        criteria = [
            ("id", _uuid(id, "id")),
            ("oracle_prediction_id", _uuid(oracle_prediction_id, "oracle_prediction_id")),
            ("object_name", object_name),
            ("filename", filename),
            ("data_id", _uuid(data_id, "data_id")),
        ]
        query = either(criteria)
        found = await self._record.account.call(FIND_PREDICTED_ASSET, query=query, deployment_id=self._record.id)
        return self._made(found)

    async def all(self, listing: Listing) -> list[PredictedAsset]:
        """Fetch the assets of a listing; none is an error."""
        found = await collect(listing, self._page, self._made)
        if not found:
            raise NoDataError(f"no predicted asset of deployment {self._record.description.name!r} matches")
        return found

    async def each(self, listing: Listing) -> AsyncGenerator[PredictedAsset, None]:
        """Yield the assets of a listing, one page in memory."""
        async for description in iterate(listing, self._page):
            yield self._made(description)

    async def first_page(self, listing: Listing) -> list[PredictedAssetDescription]:
        """Fetch the first page of a listing; none is an empty list."""
        return (await self._page(listing.first())).items

    async def _page(self, query: list[tuple[str, Any]]) -> Page[PredictedAssetDescription]:
        return await self._record.account.call(LIST_PREDICTED_ASSETS, query=query, deployment_id=self._record.id)

    def _made(self, description: PredictedAssetDescription) -> PredictedAsset:
        return PredictedAsset(description, self._record.account, self._record.id)


def assignment_filters(
    *,
    assignment_status: str | None,
    assignment_step_id: UUID | str | None,
    assignment_user_id: UUID | str | None,
    custom_metadata: dict[str, Any] | None,
) -> tuple[tuple[str, Any], ...]:
    """Return the query parameters that a list of predicted assets has beside those of every list."""
    return (
        ("assignment_status", None if assignment_status is None else text(assignment_status, "assignment_status")),
        (
            "assignment_step_id",
            None if assignment_step_id is None else identifier(assignment_step_id, "assignment_step_id"),
        ),
        ("assignment_user_id", user_filter(assignment_user_id, "assignment_user_id")),
        ("custom_metadata", metadata_filter(custom_metadata)),
    )


def _uuid(value: str | UUID | None, name: str) -> UUID | None:
    return None if value is None else uuid(value, name)
