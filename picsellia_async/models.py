"""What the services say, as frozen values. Only fields that the documented API shows; nothing here waits or acts.

Unknown fields of an answer are ignored, since services grow. Shapes: WIRE.md section 9.
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar
from uuid import UUID

import attrs

from picsellia_async.enums import InferenceType, TagTarget

T = TypeVar("T")


@attrs.frozen(kw_only=True)
class Page(Generic[T]):
    """One page of a listing (WIRE.md section 7)."""

    items: list[T] = attrs.field(factory=list)
    """What the page holds."""
    count: int | None = None
    """How many match in all; None where the service does not say."""
    next_cursor: str | None = None
    """Opaque text that fetches the next page; None or empty on the last."""


@attrs.frozen(kw_only=True)
class Ping:
    """Answer of the platform's greeting (WIRE.md 3.5)."""

    username: str | None = None
    """Name of the token's user."""
    default_organization: UUID | None = None
    """Organization used when none was named."""
    sdk_version: str | None = None
    """Version of the vendor's SDK that the platform expects."""


@attrs.frozen(kw_only=True)
class Organization:
    """An organization of the platform."""

    id: UUID
    """Identifier."""
    name: str
    """Name, unique on the platform."""
    default_connector_id: UUID | None = None
    """Storage used where nothing else is said. Without one the platform gets no `X-Picsellia-Organization` header (WIRE.md section 2)."""


@attrs.frozen(kw_only=True)
class LoginReceipt:
    """Answer of a JWT sign-in (WIRE.md 3.2)."""

    jwt: str = attrs.field(repr=False)
    """The token; never logged."""
    expires: Any = None
    """Seconds of life, epoch seconds, or an ISO time: the service's format is not documented."""


@attrs.frozen(kw_only=True)
class TagDescription:
    """A tag (WIRE.md 9.6)."""

    id: UUID
    """Identifier."""
    name: str
    """Name, unique among tags of one target."""
    target_type: TagTarget
    """What it can be put on."""


@attrs.frozen(kw_only=True)
class DeploymentDescription:
    """A deployment as the platform tells it (WIRE.md 9.1)."""

    id: UUID
    """Identifier."""
    name: str
    """Name, unique in the organization."""
    type: InferenceType
    """What its model predicts."""
    oracle_host: str | None = None
    """URL of the monitoring host; None: this deployment is not monitored."""
    serving_host: str | None = None
    """URL of the serving host; None: this deployment does not serve."""
    review_campaign_id: UUID | None = None
    """The review campaign, if there is one."""
    model_version_id: UUID | None = None
    """The model version in use (champion)."""
    shadow_model_version_id: UUID | None = None
    """The model version that runs beside it, if any."""
    target_datalake_id: UUID | None = None
    """Where monitored and predicted images become data."""
    min_threshold: float | None = None
    """Score below which serving drops a shape."""
    sample_rate: float | None = None
    """Share of monitored images that the platform keeps, 0 to 1."""
    tags: list[TagDescription] = attrs.field(factory=list)
    """Tags of the deployment."""
