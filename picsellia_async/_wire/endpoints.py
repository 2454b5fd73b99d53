"""The table of endpoints: verb, path, host, success and result of every call. The map of the API.

The client builds its requests from it and the emulator registers its handlers by it, so no path is spelled twice.
Facts come from WIRE.md; the section stands behind each group.
"""

from __future__ import annotations

import enum
from typing import Any, Final, Generic, TypeVar

import attrs

from picsellia_async.errors import AuthenticationError, MonitorError, PredictionError, StatusError
from picsellia_async.models import DeploymentDescription, LoginReceipt, Organization, Page, Ping

T = TypeVar("T")

SUCCESS: Final = frozenset(range(200, 300)) - {208}
"""What the platform accepts: any 2xx but 208, which says that an object name is taken (WIRE.md 5.1)."""


class Host(enum.Enum):
    """The remote hosts."""

    PLATFORM = "platform"
    """Models, datasets, tags, campaigns; api token."""
    ORACLE = "oracle"
    """Monitoring; one JWT per deployment."""
    SERVING = "serving"
    """Predictions; one JWT per deployment."""


@attrs.frozen(kw_only=True, eq=False)
class Endpoint(Generic[T]):
    """One exchange of the API."""

    name: str
    """Name of the constant in lower case; the emulator's handler is called so."""
    method: str
    """HTTP verb; `XGET` is a verb of the platform (WIRE.md 7.3)."""
    path: str
    """Template; names in braces are filled in by the call."""
    host: Host
    """Which service answers."""
    returns: type[T]
    """What the body is read as; `NoneType` where it is not read."""
    ok: frozenset[int] = SUCCESS
    """Statuses that mean success."""
    idempotent: bool
    """Whether carrying it out twice is harmless. If not, it is repeated only when the service cannot have got it whole, or
    answered that it failed."""
    direct: bool = False
    """Whether the call may skip httpx's client layer: no redirects to follow, no cookies, no compression."""
    errors: type[StatusError] | None = None
    """Family of its errors, beside the class of the status."""


ENDPOINTS: Final[dict[str, Endpoint[Any]]] = {}
"""Every endpoint by name."""


def _endpoint(name: str, method: str, path: str, host: Host, returns: type[T], **options: Any) -> Endpoint[T]:
    """Make and register an endpoint. What GET, XGET, PUT, PATCH and DELETE do can be done twice, what POST does cannot."""
    options.setdefault("idempotent", method != "POST")
    endpoint = Endpoint(name=name, method=method, path=path, host=host, returns=returns, **options)
    if name in ENDPOINTS:
        raise ValueError(f"endpoint {name} stands twice in the table")
    ENDPOINTS[name] = endpoint
    return endpoint


Nothing = type(None)

# Sign-in (WIRE.md 3.2). The body holds the api token, so redirects are not followed.
ORACLE_LOGIN: Final = _endpoint(
    "oracle_login", "POST", "/api/auth/login", Host.ORACLE, LoginReceipt,
    ok=frozenset({200}), idempotent=True, direct=True, errors=AuthenticationError,
)  # fmt: skip
SERVING_LOGIN: Final = _endpoint(
    "serving_login", "POST", "/api/login", Host.SERVING, LoginReceipt,
    ok=frozenset({200}), idempotent=True, direct=True, errors=AuthenticationError,
)  # fmt: skip

# Bootstrap (WIRE.md 3.5).
PING: Final = _endpoint("ping", "GET", "/api/home/ping", Host.PLATFORM, Ping)
FIND_ORGANIZATION: Final = _endpoint(
    "find_organization", "GET", "/api/organizations/find", Host.PLATFORM, Organization
)
GET_ORGANIZATION: Final = _endpoint(
    "get_organization", "GET", "/api/organization/{organization_id}", Host.PLATFORM, Organization
)

# Deployments of an organization (WIRE.md 8.1).
FIND_DEPLOYMENT: Final = _endpoint(
    "find_deployment", "GET", "/api/organization/{organization_id}/deployments/find", Host.PLATFORM, DeploymentDescription
)
LIST_DEPLOYMENTS: Final = _endpoint(
    "list_deployments", "GET", "/api/organization/{organization_id}/deployments", Host.PLATFORM, Page[DeploymentDescription]
)

# One deployment, platform side (WIRE.md 8.2).
GET_DEPLOYMENT: Final = _endpoint(
    "get_deployment", "GET", "/api/deployment/{deployment_id}", Host.PLATFORM, DeploymentDescription
)

# Monitoring host (WIRE.md 8.3): success is exactly 201 for predictions. Reading checks the status, unlike the vendor's SDK.
RETRIEVE_INFORMATION: Final = _endpoint(
    "retrieve_information", "GET", "/api/deployment/{deployment_id}", Host.ORACLE, dict[str, Any], direct=True
)
MONITOR: Final = _endpoint(
    "monitor", "POST", "/api/deployment/{deployment_id}/predictions", Host.ORACLE, dict[str, Any],
    ok=frozenset({201}), direct=True, errors=MonitorError,
)  # fmt: skip

# Serving host (WIRE.md 8.4): "deployments" in the plural, success is exactly 200.
PREDICT: Final = _endpoint(
    "predict", "POST", "/api/deployments/{deployment_id}/predict", Host.SERVING, dict[str, Any],
    ok=frozenset({200}), direct=True, errors=PredictionError,
)  # fmt: skip
