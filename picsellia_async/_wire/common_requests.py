"""What the monitoring and the serving host both take: the sign-in, and the place of a stored image."""

from __future__ import annotations

from uuid import UUID

import attrs


@attrs.frozen(kw_only=True, eq=False, repr=False)
class LoginRequest:
    """Sign-in at the monitoring or serving host (docs/wire.md#sign-in)."""

    api_token: str = attrs.field(repr=False)
    """Token of the user."""
    deployment_id: UUID
    """Deployment that the JWT is for."""


@attrs.frozen(kw_only=True, eq=False, repr=False)
class CloudImage:
    """An image that already lies in the object storage (docs/wire.md#monitor-request, `cloud_image`)."""

    connector_id: UUID
    """Storage connector."""
    client_type: str
    """Kind of storage, verbatim as the platform says it."""
    bucket_name: str
    object_name: str
    """Name in the bucket."""
