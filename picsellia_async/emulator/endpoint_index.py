"""Which endpoint of the table a verb and a path mean. Application, journal and faults all ask here; no path is spelled twice.

A path is looked up by its number of segments and by its fixed segments; where two templates fit
(`/campaigns/review/{campaign_id}/steps` and `/campaigns/review/steps/{step_id}`), the one with fewer free segments is meant, of two
with the same number the one that is fixed further to the left.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import attrs

from picsellia_async._wire.endpoints import ENDPOINTS, Endpoint, Host

OLD_PATHS: Final[Mapping[str, str]] = {
    "predict": "/api/deployment/{deployment_id}/predict",
    "get_deployment_connector": "/sdk/deployment/{deployment_id}/datalake/connector",
}
"""Paths under which older versions of the vendor's SDK reach an endpoint (docs/wire.md#further-facts). The client never uses them."""

CONTROL_PREFIX: Final = "/emulator"
"""Where the emulator's own routes begin. They are never disturbed by a fault and never in the journal."""

STORAGE_PREFIX: Final = "/storage"
"""Where the object storage begins. Its addresses are presigned, so the table does not know them."""

SHORT_NAMES: Final[Mapping[str, frozenset[str]]] = {
    "login": frozenset({"oracle_login", "serving_login"}),
    "predict": frozenset({"predict", "predict_cloud_image"}),
}
"""Names that stand for several endpoints in a fault."""

FAULT_NAMES: Final = frozenset({*ENDPOINTS, *SHORT_NAMES, Host.STORAGE.value})
"""Every name of an endpoint that a fault may have."""


@attrs.frozen
class Match:
    """What a verb and a path mean."""

    endpoints: tuple[Endpoint[Any], ...]
    """One, or one of each service that has this verb and path."""
    path_params: dict[str, str]
    """Values of the names in braces."""


@attrs.frozen
class Target:
    """What a request is for, as journal and faults name it."""

    service: str = ""
    """`platform`, `oracle`, `serving` or `storage`; empty where the table knows no such request."""
    endpoint: str = ""
    """Name of the endpoint in the table, or `storage`; empty where the table knows no such request."""

    def is_called(self, name: str) -> bool:
        """Whether a fault with this name (in lower case) is meant for this request."""
        return name == self.endpoint or self.endpoint in SHORT_NAMES.get(name, ())


@attrs.define
class _Entry:
    """The endpoints of one verb and path."""

    template: tuple[str, ...]
    endpoints: list[Endpoint[Any]] = attrs.field(factory=list)


class EndpointIndex:
    """Endpoints by verb and path."""

    def __init__(self, endpoints: Iterable[Endpoint[Any]]) -> None:
        """Index some endpoints; of those with the same verb and path, the first comes first in a `Match`."""
        self._shapes: dict[tuple[str, int], dict[tuple[int, ...], dict[tuple[str, ...], _Entry]]] = {}
        for endpoint in endpoints:
            self._add(endpoint, endpoint.path)
            if endpoint.name in OLD_PATHS:
                self._add(endpoint, OLD_PATHS[endpoint.name])
        for verb_and_count, shapes in self._shapes.items():
            self._shapes[verb_and_count] = dict(sorted(shapes.items(), key=lambda item: (-len(item[0]), item[0])))

    def _add(self, endpoint: Endpoint[Any], path: str) -> None:
        template = tuple(path.split("/"))
        fixed = tuple(index for index, segment in enumerate(template) if not segment.startswith("{"))
        shapes = self._shapes.setdefault((endpoint.method, len(template)), {})
        key = tuple(template[index] for index in fixed)
        shapes.setdefault(fixed, {}).setdefault(key, _Entry(template)).endpoints.append(endpoint)

    def match(self, method: str, path: str) -> Match | None:
        """Return what a verb and a path mean, or None. HEAD means what GET does."""
        segments = path.split("/")
        shapes = self._shapes.get(("GET" if method == "HEAD" else method, len(segments)), {})
        for fixed, by_key in shapes.items():
            entry = by_key.get(tuple(segments[index] for index in fixed))
            if entry is None:
                continue
            pairs = zip(entry.template, segments, strict=True)
            free = {name[1:-1]: text for name, text in pairs if name.startswith("{")}
            if all(free.values()):
                return Match(tuple(entry.endpoints), free)
        return None

    def methods(self, path: str) -> frozenset[str]:
        """Return the verbs that a path takes."""
        return frozenset(method for method, _ in self._shapes if self.match(method, path) is not None)


_INDEX: Final = EndpointIndex(ENDPOINTS.values())


def resolve(method: str, path: str, *, is_jwt: bool = False) -> Target:
    """Return what a request is for.

    Args:
        method: HTTP verb.
        path: Path without the query.
        is_jwt: Whether the credential is a JWT. It decides where the platform and another service share verb and path.
    """
    if path.startswith(f"{STORAGE_PREFIX}/"):
        return Target(Host.STORAGE.value, Host.STORAGE.value)
    found = _INDEX.match(method, path)
    if found is None:
        return Target()
    for_credential = [endpoint for endpoint in found.endpoints if (endpoint.host is Host.PLATFORM) is not is_jwt]
    endpoint = (for_credential or found.endpoints)[0]
    return Target(endpoint.host.value, endpoint.name)


def has_jwt(authorization: bytes) -> bool:
    """Whether a credential is a JWT, three parts with dots between, and not the platform's api token."""
    return authorization.count(b".") == 2


def is_control(path: str) -> bool:
    """Whether a path is one of the emulator's own routes."""
    return path == CONTROL_PREFIX or path.startswith(f"{CONTROL_PREFIX}/")
