"""Data sources: where images come from."""

from __future__ import annotations

from typing import Any

from picsellia_async._wire.endpoints import DELETE_DATA_SOURCE, GET_DATA_SOURCE, UPDATE_DATA_SOURCE
from picsellia_async._wire.platform_requests import NameRequest
from picsellia_async.models import DataSourceDescription
from picsellia_async.resources.handle import Handle
from picsellia_async.validation import text


class DataSource(Handle[DataSourceDescription]):
    """A data source, a camera for instance."""

    @property
    def name(self) -> str:
        """Name, unique in the organization."""
        return self._description.name

    async def sync(self) -> DataSourceDescription:
        """Fetch this data source again. Idempotent.

        Wire: GET {platform}/api/data/source/{data_source_id}, 2xx.
        """
        self._description = await self._account.call(GET_DATA_SOURCE, data_source_id=self.id)
        return self._description

    async def update(self, name: str) -> None:
        """Rename this data source. Idempotent.

        Args:
            name: New name.

        Raises:
            ConflictError: Another data source has the name.

        Wire: PATCH {platform}/api/data/source/{data_source_id}, 2xx.
        """
        request = NameRequest(name=name)
        self._description = await self._account.call(UPDATE_DATA_SOURCE, request, data_source_id=self.id)

    async def delete(self) -> None:
        """Delete this data source; data that came from it stays. Idempotent.

        Wire: DELETE {platform}/api/data/source/{data_source_id}, 2xx.
        """
        await self._account.call(DELETE_DATA_SOURCE, data_source_id=self.id)


def source_name(source: Any, name: str) -> str | None:
    """Return the name for a name or a data source; None for None and the empty text.

    Raises:
        ConfigurationError: It is neither.
    """
    if source is None or source == "":
        return None
    return source.name if isinstance(source, DataSource) else text(source, name)
