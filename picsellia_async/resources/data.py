"""Data: images and videos of a datalake."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from picsellia_async._services.account import Account
from picsellia_async._wire.endpoints import DELETE_DATA, GET_DATA, GET_DATA_URL, UPDATE_CUSTOM_METADATA, UPDATE_DATA
from picsellia_async._wire.platform_requests import UpdateCustomMetadataRequest, UpdateDataRequest
from picsellia_async.enums import DataType, DataUploadStatus, TagTarget
from picsellia_async.errors import UndefinedObjectError, UnprocessableData, shown
from picsellia_async.models import AssetData, DataDescription
from picsellia_async.resources.data_source import DataSource
from picsellia_async.resources.downloadable import Downloadable
from picsellia_async.resources.handle import wait_for_state
from picsellia_async.resources.tag import Tag, Taggable


class Data(Taggable[DataDescription], Downloadable[DataDescription]):
    """An image or video of a datalake."""

    tag_target = TagTarget.DATA

    def __init__(self, description: DataDescription, account: Account, datalake_id: UUID | None = None) -> None:
        """Store what the platform said; nothing is sent.

        Args:
            description: The data.
            account: Way to the platform.
            datalake_id: Datalake it was listed from, where the description does not say.
        """
        super().__init__(description, account)
        self._datalake_id = description.datalake_id or datalake_id

    @property
    def datalake_id(self) -> UUID | None:
        """Datalake it is in; None where the platform did not say."""
        return self._datalake_id

    @property
    def filename(self) -> str:
        """Name shown on the platform."""
        return self._description.filename

    @property
    def object_name(self) -> str:
        """Name in the object storage."""
        return self._description.object_name

    @property
    def type(self) -> DataType:
        """Image or video."""
        return self._description.type

    @property
    def content_type(self) -> str | None:
        """MIME type in lower case."""
        return self._description.content_type

    @property
    def upload_status(self) -> DataUploadStatus | None:
        """How far the platform is with it; None where the platform did not say."""
        return self._description.upload_status

    @property
    def width(self) -> int | None:
        """Pixels; None until the platform has opened it."""
        return self._description.meta.width if self._description.meta else None

    @property
    def height(self) -> int | None:
        """Pixels; None until the platform has opened it."""
        return self._description.meta.height if self._description.meta else None

    @property
    def metadata(self) -> dict[str, Any] | None:
        """Metadata with known keys (docs/wire.md#data-shape)."""
        return self._description.metadata

    @property
    def custom_metadata(self) -> dict[str, Any] | None:
        """Metadata with free keys."""
        return self._description.custom_metadata

    @property
    def url(self) -> str | None:
        """Download address as last fetched, good for about an hour; None where the platform did not say. `reset_url` makes a new one."""
        return self._description.presigned_url

    def is_ready(self) -> bool:
        """Return whether the platform no longer worked on it when last fetched: it was done, or gave up."""
        return self.upload_status not in {None, DataUploadStatus.PENDING, DataUploadStatus.COMPUTING}

    async def sync(self) -> DataDescription:
        """Fetch this data again. Idempotent.

        Wire: GET {platform}/api/data/{data_id}, 2xx.
        """
        self._description = await self._account.call(GET_DATA, data_id=self.id)
        self._datalake_id = self._description.datalake_id or self._datalake_id
        return self._description

    async def get_tags(self) -> list[Tag]:
        """Return the data tags that it carries now. Idempotent.

        Wire: GET {platform}/api/data/{data_id}, 2xx.
        """
        return [Tag(tag, self._account) for tag in (await self.sync()).tags]

    async def get_datasource(self) -> DataSource | None:
        """Return where it comes from, or None. Idempotent.

        Wire: GET {platform}/api/data/{data_id}, 2xx.
        """
        source = (await self.sync()).data_source
        return None if source is None else DataSource(source, self._account)

    async def reset_url(self) -> str:
        """Return a new download address, good for about an hour. Idempotent.

        Wire: GET {platform}/api/data/{data_id}/presigned-url, 2xx.
        """
        url = (await self._account.call(GET_DATA_URL, data_id=self.id)).presigned_url
        self._record.change(presigned_url=url)
        return url

    async def update_metadata(self, metadata: dict[str, Any] | None) -> None:
        """Replace the metadata. Idempotent.

        Args:
            metadata: Keys: docs/wire.md#data-shape. None removes it.

        Wire: PATCH {platform}/api/data/{data_id}, 2xx.
        """
        request = UpdateDataRequest(metadata=metadata)
        self._description = await self._account.call(UPDATE_DATA, request, data_id=self.id)

    async def update_custom_metadata(self, custom_metadata: dict[str, Any] | None) -> None:
        """Replace the custom metadata. Idempotent.

        Args:
            custom_metadata: Free keys. None removes it.

        Wire: PATCH {platform}/api/data/{data_id}/custom-metadata, 2xx.
        """
        request = UpdateCustomMetadataRequest(custom_metadata=custom_metadata)
        await self._account.call(UPDATE_CUSTOM_METADATA, request, data_id=self.id)
        self._record.change(custom_metadata=request.custom_metadata)

    async def delete(self) -> None:
        """Delete this data, and with it its predicted assets. Idempotent.

        Wire: DELETE {platform}/api/data/{data_id}, 2xx.
        """
        await self._account.call(DELETE_DATA, data_id=self.id)

    async def wait_for_upload_done(
        self,
        blocking_time_increment: float = 1.0,
        attempts: int = 20,
        *,
        sleep: Callable[[float], Awaitable[Any]] = asyncio.sleep,
    ) -> DataUploadStatus | None:
        """Fetch this data until the platform is done with it, and return its status. Idempotent.

        Args:
            blocking_time_increment: Seconds between two looks.
            attempts: How often to look.
            sleep: Waits so many seconds.

        Raises:
            WaitingAttemptsTimeout: It was not done at the last look.
            UnprocessableData: The platform gave up.

        Wire: GET {platform}/api/data/{data_id}, 2xx.
        """

        async def look() -> str | None:
            await self.sync()
            return self.upload_status

        states = {DataUploadStatus.DONE, DataUploadStatus.ERROR}
        await wait_for_state(f"data {self.id}", look, states, blocking_time_increment, attempts, sleep)
        if self.upload_status == DataUploadStatus.ERROR:
            raise UnprocessableData(f"the platform could not process {shown(self.filename)}, data {self.id}")
        return self.upload_status


def known_id(data: AssetData) -> UUID:
    """Return the id of an asset's image, for a call that asks for it.

    Raises:
        UndefinedObjectError: The platform did not say it. Nothing was sent.
    """
    if data.id is None:
        raise UndefinedObjectError(f"the platform did not say the id of the data {data.filename!r} behind this asset")
    return data.id
