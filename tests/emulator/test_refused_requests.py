"""A request that is refused or fails changes nothing: not in the database, not in memory, not among the files."""

from __future__ import annotations

import contextlib
import copy
import json
import sqlite3
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from picsellia_async._wire.endpoints import ENDPOINTS, Host
from picsellia_async.emulator import Emulator

from .conftest import Wire
from .world import CHANGING, Sending, World

pytestmark = pytest.mark.anyio

WRONG_VALUES: tuple[Any, ...] = (None, -1, 2**70, "", "x", [], ["x"], {"x": 1})
UNKNOWN_ID = str(uuid.UUID(int=7))
REFUSED_ALWAYS = frozenset({"update_label", "delete_label"})
"""Labels of deployments cannot be changed."""


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A filled emulator with a data directory."""
    async with Emulator(data_dir=tmp_path) as emulator:
        wire = Wire(emulator)
        async with wire.http:
            world = World(wire)
            await world.fill()
            yield world


def state_of(emulator: Emulator, directory: Path) -> dict[str, Any]:
    """Return everything that the emulator knows: what is committed, what it holds in memory, its files, its draws."""
    with contextlib.closing(sqlite3.connect(directory / "emulator.sqlite")) as database:
        names = [
            name for (name,) in database.execute("select name from sqlite_master where type = 'table' order by name")
        ]
        tables = {
            name: list(database.execute(f"select * from {name} order by 1"))
            for name in names
            if name != "sqlite_sequence"
        }
    return {
        "tables": tables,
        "documents": copy.deepcopy(list(emulator.state.store.documents)),
        "files": sorted(str(path) for path in (directory / "objects").rglob("*") if path.is_file()),
        "random": emulator.state.random.getstate(),
    }


async def send(
    wire: Wire, name: str, sending: Sending, query: str = "", content: bytes | None = None
) -> httpx.Response:
    """Send a request to an endpoint."""
    endpoint = ENDPOINTS[name]
    service = endpoint.host.value
    if endpoint.host is not Host.PLATFORM and service not in wire.jwts:
        await wire.login(service)
    token = wire.api_token if endpoint.host is Host.PLATFORM else wire.jwts[service]
    parts: dict[str, Any] = {"headers": {"Authorization": f"Bearer {token}"}}
    if sending.form is not None:
        parts |= {"data": sending.form, "files": {"media": ("f.jpg", b"\xff\xd8\xff new")}}
    elif content is not None or sending.body is not None:
        parts["content"] = json.dumps(sending.body).encode() if content is None else content
    return await wire.http.request(endpoint.method, endpoint.path.format(**sending.path) + query, **parts)


def wrong_details(name: str, sending: Sending) -> Iterator[tuple[str, Sending, str, bytes | None]]:
    """Yield requests that are wrong in one detail (or happen to be right all the same)."""
    yield "unknown name in the query", sending, "?unknown=1", None
    for segment in ENDPOINTS[name].path.split("/"):
        if segment.startswith("{"):
            for id_ in (UNKNOWN_ID, "x"):
                yield (
                    f"{segment}={id_}",
                    Sending({**sending.path, segment[1:-1]: id_}, sending.body, sending.form),
                    "",
                    None,
                )
    if sending.form is not None:
        for field in sending.form:
            yield f"form {field}", Sending(sending.path, None, {**sending.form, field: "[1"}), "", None
        yield "form unknown", Sending(sending.path, None, {**sending.form, "unknown": "1"}), "", None
    if sending.body is None:
        return
    for content in (b"", b"{", b"[]", b"{}", b"null", b"\xff", b"[" * 2000):
        yield f"body {content[:5]!r}", sending, "", content
    for label, body in wrong_bodies(sending.body):
        yield label, Sending(sending.path, body), "", None


def wrong_bodies(body: Any) -> Iterator[tuple[str, Any]]:
    """Yield a body with one thing changed, at any depth."""
    if isinstance(body, dict):
        yield "unknown field", {**body, "unknown": 1}
        for key, value in body.items():
            yield f"without {key}", {k: v for k, v in body.items() if k != key}
            for wrong in WRONG_VALUES:
                yield f"{key}={wrong!r}", {**body, key: wrong}
            for label, changed in wrong_bodies(value):
                yield f"{key}.{label}", {**body, key: changed}
    elif isinstance(body, list) and body and isinstance(body[0], (str, dict)):
        # The last one is wrong: what was done for those before it has to be taken back.
        yield "unknown id behind", [*body, UNKNOWN_ID]
        for label, changed in wrong_bodies(body[-1]):
            yield f"[-1].{label}", [*body[:-1], changed]


@pytest.mark.parametrize("name", CHANGING)
async def test_one_wrong_detail_changes_nothing(name: str, world: World, tmp_path: Path) -> None:
    """Whatever is refused leaves no trace, and is refused with a status below 500; the request without the detail succeeds."""
    if ("campaign" in name or "assignment" in name) and name != "create_campaign":
        await world.add_campaign()
    wire, sending = world.wire, world.sending(name)
    if ENDPOINTS[name].host is not Host.PLATFORM:
        await wire.login(ENDPOINTS[name].host.value)
    before, refused, accepted = state_of(wire.emulator, tmp_path), 0, 0
    for label, wrong, query, content in wrong_details(name, sending):
        answer = await send(wire, name, wrong, query, content)
        after = state_of(wire.emulator, tmp_path)
        assert answer.status_code < 500, (label, answer.text)
        assert after["documents"] == [(kind, doc) for kind, doc in after["documents"] if stored(after, kind, doc)], (
            label
        )
        if answer.status_code >= 400:
            refused += 1
            assert after == before, (label, answer.text)
        else:
            accepted += 1
        before = after
    assert refused
    if not accepted:
        # Nothing that the walk sent got through: so what it varies must, or it would have been wrong in more than one detail.
        answer = await send(wire, name, sending)
        assert answer.status_code < 400 or name in REFUSED_ALWAYS, answer.text


def stored(state: dict[str, Any], kind: str, document: dict[str, Any]) -> bool:
    """Whether memory and database say the same about a document."""
    return any(
        row[1] == kind and row[2] == document["id"] and orjson.loads(row[3]) == document
        for row in state["tables"]["document"]
    )


async def test_the_storage_refuses_without_a_trace(world: World, tmp_path: Path) -> None:
    """Forms and parts with a wrong signature, of the wrong kind or without a file."""
    wire, (url, fields) = world.wire, (world.form["url"], world.form["fields"])
    before = state_of(wire.emulator, tmp_path)
    for changed, files in (
        ({**fields, "signature": "0"}, {"file": b"other"}), ({**fields, "key": "other"}, {"file": b"other"}),
        ({**fields, "expires": "x"}, {"file": b"other"}), (fields, {"nothing": b"other"}), ({**fields, "signature": "é"}, {"file": b"o"}),
    ):  # fmt: skip
        assert 400 <= (await wire.http.post(url, data=changed, files=files)).status_code < 500
    for part_url in (
        world.part_url + "0",
        world.part_url.replace("partNumber=1", "partNumber=2"),
        world.part_url.split("?")[0],
    ):
        assert 400 <= (await wire.http.put(part_url, content=b"other")).status_code < 500
    assert (await wire.http.post(url, content=b"no form")).status_code == 400
    assert state_of(wire.emulator, tmp_path) == before
