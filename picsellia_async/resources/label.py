"""Labels: the entries of a label map."""

from __future__ import annotations

from uuid import UUID

from picsellia_async._wire.endpoints import DELETE_LABEL, GET_LABEL, UPDATE_LABEL
from picsellia_async._wire.platform_requests import UpdateLabelRequest, identifier
from picsellia_async._wire.unset import UNSET, given
from picsellia_async.models import LabelDescription
from picsellia_async.resources.handle import Handle


class Label(Handle[LabelDescription]):
    """A label; reviews name their shapes by it. The platform does not let labels of a deployment be changed."""

    @property
    def name(self) -> str:
        """Name."""
        return self._description.name

    @property
    def group_id(self) -> UUID | None:
        """Group of labels that it belongs to, if any."""
        return self._description.group_id

    async def sync(self) -> LabelDescription:
        """Fetch this label again. Idempotent.

        Wire: GET {platform}/api/label/{label_id}, 2xx.
        """
        self._description = await self._account.call(GET_LABEL, label_id=self.id)
        return self._description

    async def update(self, name: str | None = None, group_id: UUID | str | None = None) -> None:
        """Change this label; what is None stays as it is. Idempotent.

        Args:
            name: New name.
            group_id: New group.

        Wire: PATCH {platform}/api/label/{label_id}, 2xx.
        """
        group = UNSET if group_id is None else identifier(group_id, "group_id")
        request = UpdateLabelRequest(name=given(name), group_id=group)
        self._description = await self._account.call(UPDATE_LABEL, request, label_id=self.id)

    async def delete(self) -> None:
        """Delete this label. Idempotent.

        Wire: DELETE {platform}/api/label/{label_id}, 2xx.
        """
        await self._account.call(DELETE_LABEL, label_id=self.id)
