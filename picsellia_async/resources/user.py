"""Users of the platform. `Worker` is the name that older code has for them."""

from __future__ import annotations

from uuid import UUID

from picsellia_async.models import UserDescription
from picsellia_async.resources.handle import Handle


class User(Handle[UserDescription]):
    """A user; what reviews are assigned to."""

    @property
    def username(self) -> str:
        """Name."""
        return self._description.username


class Worker(User):
    """A user of a deployment, under the former name. A worker's id is the user's."""

    @property
    def user_id(self) -> UUID:
        """Identifier of the user; the same as `id`."""
        return self.id
