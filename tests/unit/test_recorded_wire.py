"""What the vendor's SDK was seen to send (tests/wire), against the table and the classes that our client and emulator share.

Short of the real service this is what catches a wrong line: both of our sides read the same table and would agree on it.
The files are written by `python -m tests.parity.record`, and tests/parity holds them current.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import attrs
import orjson
import pytest

from picsellia_async._wire.converter import make
from picsellia_async._wire.decode import decode
from picsellia_async._wire.encoding import encode_body, encode_query
from picsellia_async._wire.endpoints import ENDPOINTS, Endpoint
from picsellia_async._wire.exchange import Answer

WIRE = Path(__file__).parent.parent / "wire"
STRICT = make(strict=True)

STORAGE = "storage"
"""Object storage is addressed by URLs that the platform signs; it has no line in the table."""

FAULTS = {"no_endpoint": "the doubled prefix of the vendor's assignment.sync()"}
"""Recorded requests that no service can have an answer for."""

REFUSALS = {403}
"""Recorded statuses that are answers of the table's lines, but no success."""

NOT_RECORDED = {
    "get_assignment": "the vendor's request for it is at fault, see FAULTS",
    "get_old_job": "jobs of the first kind are returned by no call of the table",
    "init_multipart_upload": "above 25 MiB only: tests/parity/test_large_files.py",
    "generate_part_presigned_url": "above 25 MiB only: tests/parity/test_large_files.py",
    "complete_part_upload": "above 25 MiB only: tests/parity/test_large_files.py",
    "retrieve_presigned_url": "no public call of the vendor's SDK on deployments reaches it",
}
"""Lines of our table that no recorded call exercises, and why."""


@attrs.frozen
class Recorded:
    """One exchange of a file."""

    endpoint: str
    request: dict[str, Any]
    answer: dict[str, Any]

    def lines(self) -> list[Endpoint[Any]]:
        """Find the endpoints whose service, verb and path it is; a template without a gap goes before one with it."""
        found = []
        for endpoint in ENDPOINTS.values():
            pattern = re.sub(r"\{\w+\}", "[^/]+", endpoint.path)
            if endpoint.method == self.request["verb"] and re.fullmatch(pattern, self.request["path"]):
                found.append(endpoint)
        fewest = min((endpoint.path.count("{") for endpoint in found), default=0)
        service = self.request["service"]
        return [e for e in found if e.path.count("{") == fewest and e.host.value == service]


EXCHANGES = {
    f"{path.stem}-{index}": Recorded(content["endpoint"], exchange["request"], exchange["answer"])
    for path in sorted(WIRE.glob("*.json"))
    for content in [json.loads(path.read_text(encoding="utf-8"))]
    for index, exchange in enumerate(content["exchanges"])
    if exchange["request"]["service"] != STORAGE and content["endpoint"] not in FAULTS
}

every = pytest.mark.parametrize("recorded", EXCHANGES.values(), ids=EXCHANGES)


@every
def test_recorded_exchange_has_its_line(recorded: Recorded) -> None:
    """Exactly one endpoint has its service, verb and path, and its status is a success there."""
    (endpoint,) = recorded.lines()
    assert (recorded.answer["status"] in endpoint.ok) is (recorded.answer["status"] not in REFUSALS)


@every
def test_recorded_body_is_read_and_written_again(recorded: Recorded) -> None:
    """The request class takes the body with no field too many, and writes the same bytes: names, order, nulls, numbers."""
    (endpoint,) = recorded.lines()
    body = recorded.request.get("json")
    if body is None:
        assert endpoint.takes is None
        return
    value = STRICT.structure(body, endpoint.takes)
    assert encode_body(value) == orjson.dumps(body)


@every
def test_recorded_query_is_written_again(recorded: Recorded) -> None:
    """The pairs of a query survive our encoding: order, repetition, reserved characters."""
    pairs = [tuple(pair) for pair in recorded.request["query"]]
    assert parse_qsl(encode_query(pairs), keep_blank_values=True) == pairs


@every
def test_recorded_answer_is_read(recorded: Recorded) -> None:
    """The shortest answer that satisfies the vendor's SDK satisfies ours, and its id is kept."""
    (endpoint,) = recorded.lines()
    if recorded.answer["status"] in REFUSALS:
        return
    content = b"" if recorded.answer["json"] is None else orjson.dumps(recorded.answer["json"])
    value = decode(endpoint, Answer(recorded.answer["status"], [], content), "http://recorder")
    if endpoint.returns is not type(None) and "id" in recorded.answer["json"]:
        told = value["id"] if isinstance(value, dict) else value.id
        assert str(told) == recorded.answer["json"]["id"]


def test_every_line_is_exercised() -> None:
    """A line of the table that the vendor's SDK is not seen to use is a line that may be wrong."""
    used = {endpoint.name for recorded in EXCHANGES.values() for endpoint in recorded.lines()}
    assert set(ENDPOINTS) - used == set(NOT_RECORDED)
