"""`Caller`: who asks, with which rights, and under which address they reached the emulator."""

from __future__ import annotations

import attrs

from picsellia_async.emulator.store.documents import Document


@attrs.define(kw_only=True)
class Caller:
    """The user behind a request, as far as the rules need to know them."""

    user: Document
    """Whose token was used: the api token, or the one that the JWT of a deployment was issued for."""
    origin: str
    """`http://host:port` under which the client reached the emulator; presigned URLs and hosts begin with it."""
    deployment_id: str | None = None
    """Deployment that the JWT is for; None where an api token was used."""

    @property
    def organization_id(self) -> str:
        """Organization of the user."""
        return str(self.user["organization_id"])
