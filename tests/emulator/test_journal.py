"""The journal: what it tells of a request, and what it keeps out."""

from __future__ import annotations

import asyncio

import pytest

from picsellia_async.emulator import Entry
from picsellia_async.emulator.transport.journal import Journal

from .conftest import Wire

pytestmark = pytest.mark.anyio


async def test_the_journal_tells_requests_without_secrets(wire: Wire) -> None:
    """Verb, path, query, names, status, sizes and hashes of images; no token, no signature."""
    asset = await wire.asset()
    await wire.http.get(asset["data"]["presigned_url"])
    await wire.call("GET", "/nowhere")
    entries = list(wire.emulator.journal)
    assert [entry.endpoint for entry in entries] == ["oracle_login", "monitor", "find_predicted_asset", "storage", ""]
    assert [entry.service for entry in entries] == ["oracle", "oracle", "platform", "storage", ""]
    assert [entry.status for entry in entries] == [200, 201, 200, 200, 404]
    monitored = entries[1]
    assert (monitored.method, monitored.path) == ("POST", f"{wire.deployment}/predictions")
    assert len(monitored.images) == 1
    assert monitored.request_bytes > 100 < monitored.response_bytes
    assert entries[2].query.startswith("oracle_prediction_id=")
    text = (await wire.http.get("/emulator/journal")).text
    for secret in (wire.api_token, wire.jwts["oracle"], "signature="):
        assert secret not in text
    shown = (await wire.http.get("/emulator/journal", params={"endpoint": "monitor", "limit": 5})).json()
    assert [item["images"] for item in shown["items"]] == [list(monitored.images)]


async def test_the_journal_can_be_waited_for(wire: Wire) -> None:
    """A test that needs to know that requests have arrived does not sleep."""
    waiting = asyncio.create_task(wire.emulator.journal.wait_for("monitor", 2))
    for _ in range(2):
        assert not waiting.done()
        await wire.monitored()
    await waiting


def test_the_journal_is_bounded() -> None:
    """The oldest entries go, the total stays; cleared it begins anew."""
    journal = Journal(2)
    facts = dict.fromkeys(("method", "path", "query", "service", "endpoint"), "x")
    for status in (1, 2, 3):
        journal.write(Entry(at=0.0, status=status, seconds=0.0, request_bytes=0, response_bytes=0, **facts))
    assert ([entry.status for entry in journal], len(journal), journal.total) == ([2, 3], 2, 3)
    journal.clear()
    assert (len(journal), journal.total) == (0, 0)
