"""Recording an account (an emulator stands for it), and comparing the emulator with what was recorded."""

from __future__ import annotations

import json
import re

import attrs
import pytest

from picsellia_async import AsyncClient, ConfigurationError, RetryPolicy
from picsellia_async._http.recorder import RecordingTransport
from picsellia_async.cli.main import main
from picsellia_async.conformance import Cassette, compare, emulated, record, undecided
from picsellia_async.emulator import Fault

pytestmark = pytest.mark.anyio


async def test_the_emulator_answers_as_itself():
    one, other = await emulated(), await emulated()
    assert compare(one, other) == []
    assert undecided(one, other) == []


async def test_recording_reads_much_and_keeps_nothing(emulator):
    """Every name, id and token of the account is looked for in the file's text."""
    await emulator.add_predictions(2)
    cassette = await record(emulator.api_token, emulator.url, emulator.deployment_name, 60)
    text = json.dumps([one.to_json() for one in cassette.answers])
    own = {emulator.api_token, emulator.organization_id, emulator.organization_name, emulator.deployment_id,
           emulator.deployment_name, "my-model", "my-dataset", "target-datalake", "person", "invented-", "reviewer"}  # fmt: skip
    assert [word for word in own if word in text] == []
    assert re.search(r"[0-9a-f]{8}-[0-9a-f]{4}", text) is None
    asked = {one.path for one in cassette.answers}
    assert {"/api/auth/login", "/api/deployment/{id}/predictedassets", "/api/predicted/asset/{id}"} <= asked
    assert len(asked) > 25


async def test_recording_changes_nothing(emulator):
    await emulator.add_predictions(2)
    before = emulator.predictions()
    await record(emulator.api_token, emulator.url, None, 60)
    methods = {(entry.method, entry.endpoint) for entry in emulator.journal}
    assert {endpoint for method, endpoint in methods if method != "GET"} == {"oracle_login"}
    assert emulator.predictions() == before


async def test_what_may_change_something_is_refused_before_it_is_sent(emulator):
    async with AsyncClient(
        emulator.api_token, host=emulator.url, retry=RetryPolicy.none(), transport=RecordingTransport(lambda _: None)
    ) as client:
        deployment = await client.get_deployment(emulator.deployment_name)
        sent = len(emulator.journal)
        with pytest.raises(ConfigurationError, match="recording only reads, and this is DELETE"):
            await deployment.delete()
    assert len(emulator.journal) == sent


async def test_refusals_are_recorded(emulator):
    emulator.faults.add(Fault(kind="status", status=403, body='{"detail": "zebra"}', endpoint="list_deployment_labels"))
    cassette = await record(emulator.api_token, emulator.url, None, 60)
    [answer] = [one for one in cassette.answers if one.path.endswith("/labels")]
    assert answer.status == 403
    assert [str(one) for one in compare(cassette, await emulated()) if one.call == answer.call] == [
        f"{answer.call}: status 403, the emulator 200"
    ]


def test_the_command_tells_the_differences(tmp_path, capsys):
    """A field that the emulator lacks, put into a recording of the emulator itself."""
    import asyncio

    cassette = asyncio.run(emulated())
    cassette.save(tmp_path / "same.json")
    assert main(["emulator", "conform", str(tmp_path / "same.json")]) == 0
    assert "0 differences in" in capsys.readouterr().out
    first = cassette.answers[0]
    assert first.shape is not None
    more = {**first.shape.fields, "brand_new": first.shape.fields["username"]}
    changed = attrs.evolve(first, shape=attrs.evolve(first.shape, fields=more))
    Cassette((changed,)).save(tmp_path / "other.json")
    assert main(["emulator", "conform", "--json", str(tmp_path / "other.json")]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["differences"] == [
        {"call": first.call, "place": "brand_new", "what": "text, the emulator has no such field"}
    ]
    assert len(told["undecided"]) == len(cassette.answers) - 1
