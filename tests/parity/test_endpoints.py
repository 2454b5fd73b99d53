"""Our endpoint table, which client and emulator share, holds every exchange that the vendor's SDK makes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from picsellia_async._wire.endpoints import ENDPOINTS, Endpoint

from .record import WIRE

STORAGE = "storage"
"""Object storage is addressed by URLs that the platform signs; it has no line in the table."""

FAULTS = {"no_endpoint": "the doubled prefix of the vendor's assignment.sync()"}
"""Recorded requests that no service can have an answer for."""

REFUSALS = {403}
"""Recorded statuses that are answers of the table's lines, but no success."""

NOT_RECORDED = {
    "get_assignment": "the vendor's request for it is at fault, see FAULTS",
    "get_old_job": "jobs of the first kind are returned by no call of the table",
    "init_multipart_upload": "above 25 MiB only; see test_large_files",
    "generate_part_presigned_url": "above 25 MiB only; see test_large_files",
    "complete_part_upload": "above 25 MiB only; see test_large_files",
    "retrieve_presigned_url": "no public call of the vendor's SDK on deployments reaches it",
}
"""Lines of our table that no row exercises, and why."""

EXCHANGES = {
    f"{path.stem}-{index}": (exchange["request"], content["status"])
    for path in sorted(WIRE.glob("*.json"))
    for content in [json.loads(path.read_text(encoding="utf-8"))]
    for index, exchange in enumerate(content["exchanges"])
    if exchange["request"]["service"] != STORAGE and content["endpoint"] not in FAULTS
}


def matching(verb: str, path: str) -> Iterator[Endpoint[Any]]:
    """Find the endpoints of that verb whose template the path fills; a template without a gap goes before one with it."""
    found = []
    for endpoint in ENDPOINTS.values():
        pattern = re.sub(r"\{\w+\}", "[^/]+", endpoint.path)
        if endpoint.method == verb and re.fullmatch(pattern, path):
            found.append(endpoint)
    fewest = min((endpoint.path.count("{") for endpoint in found), default=0)
    return (endpoint for endpoint in found if endpoint.path.count("{") == fewest)


@pytest.mark.parametrize(("request_", "status"), EXCHANGES.values(), ids=EXCHANGES)
def test_recorded_exchange_has_its_line(request_: dict[str, Any], status: int) -> None:
    """Exactly one endpoint of that service has the verb and path, and the recorded status is a success for it."""
    candidates = list(matching(request_["verb"], request_["path"]))
    on_service = [endpoint for endpoint in candidates if endpoint.host.value == request_["service"]]
    assert len(on_service) == 1, [endpoint.name for endpoint in candidates]
    assert (status in on_service[0].ok) is (status not in REFUSALS)


def test_every_line_is_exercised() -> None:
    """A line of the table that the vendor's SDK is not seen to use is a line that may be wrong."""
    used = {
        endpoint.name
        for request, _ in EXCHANGES.values()
        for endpoint in matching(request["verb"], request["path"])
        if endpoint.host.value == request["service"]
    }
    assert set(ENDPOINTS) - used == set(NOT_RECORDED)
