"""Calls that no method wraps, and answers as they came."""

from __future__ import annotations

import pytest

from picsellia_async import ConfigurationError, DecodeError, HostNotConfiguredError, NotFoundError
from picsellia_async.deployment import AsyncDeployment
from picsellia_async.emulator import Fault

from ..support.client import calls, monitor

pytestmark = pytest.mark.anyio


async def test_a_call_to_the_platform(client, deployment, emulator):
    """The answer of the wrapped call and of the raw one are the same; a query and a body travel."""
    path = f"/api/deployment/{deployment.id}"
    assert await client.request("get", path) == deployment.raw
    changed = await client.request("PATCH", path, json={"min_threshold": 0.25})
    assert changed["min_threshold"] == 0.25
    assert (await deployment.sync()).min_threshold == 0.25
    found = await client.request(
        "GET", f"/api/organization/{client.id}/deployments/find", query={"name": deployment.name, "left_out": None}
    )
    assert found["id"] == str(deployment.id)
    assert [entry.query for entry in calls(emulator, "find_deployment")][-1] == f"name={deployment.name}"


async def test_a_call_to_the_hosts_of_a_deployment(deployment, emulator):
    """Signed in as other calls to the host are, once for both."""
    told = await deployment.request("GET", f"/api/deployment/{deployment.id}")
    assert told == await deployment.retrieve_information()
    with pytest.raises(NotFoundError):
        await deployment.request("GET", "/api/nothing/here", service="serving")
    assert len(calls(emulator, "oracle_login")) == 1


async def test_errors_and_repetition_are_those_of_other_calls(quick, emulator):
    """A refusal is typed; an answer "failed for now" is followed by another attempt."""
    with pytest.raises(NotFoundError):
        await quick.request("GET", "/api/no/such/thing")
    emulator.faults.add(Fault(kind="status", endpoint="list_deployments", status=503, times=1))
    page = await quick.request("GET", f"/api/organization/{emulator.organization_id}/deployments")
    assert page["count"] == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("FETCH", "/api"), "method must be one of"),
        (("GET", "api/deployment"), "path must begin with one /"),
        (("GET", "//other.host/api"), "path must begin with one /"),
        (("GET", "/api?name=x"), "give query="),
        (("GET", 3), "path must be a non-empty str"),
        (("GET", "/api", "query"), "query must be"),
        (("GET", "/api", [1]), "query must be"),
        (("GET", "/api", {3: 1}), "query must be"),
    ],
)
async def test_what_is_no_request(client, emulator, arguments, message):
    """Refused before anything is sent."""
    before = len(emulator.journal)
    with pytest.raises(ConfigurationError, match=message):
        await client.request(*arguments[:2], query=arguments[2:][0] if arguments[2:] else None)
    assert len(emulator.journal) == before


async def test_a_path_brings_no_line_into_the_request(client):
    """What a request line cannot hold is escaped."""
    with pytest.raises(NotFoundError) as caught:
        await client.request("GET", "/api/x\r\nx-evil: 1/{é}")
    assert "\r" not in caught.value.url


async def test_json_that_cannot_be_written_and_a_service_that_is_none(client, deployment, emulator):
    """The argument is named."""
    before = len(emulator.journal)
    with pytest.raises(ConfigurationError, match="json"):
        await client.request("POST", "/api/x", json={"a": object()})
    with pytest.raises(ConfigurationError, match="service must be"):
        await deployment.request("GET", "/api/x", service="platform")
    assert len(emulator.journal) == before


async def test_an_answer_that_is_no_json(client):
    """The emulator's dashboard is a page."""
    with pytest.raises(DecodeError, match="not JSON"):
        await client.request("GET", "/emulator")


async def test_a_host_that_is_not_there(deployment, client):
    """The same error as that of the wrapped calls."""
    import attrs

    bare = AsyncDeployment(attrs.evolve(deployment.description, serving_host=None), client._account)
    with pytest.raises(HostNotConfiguredError):
        await bare.request("GET", "/api/x", service="serving")


async def test_every_handle_keeps_the_answer_as_it_came(client, deployment):
    """What this SDK does not know can be read; `custom_metrics` of an asset among it."""
    await monitor(deployment, custom_metrics={"blur": 0.5})
    [asset] = await deployment.list_predicted_assets()
    await asset.sync()
    for handle in (deployment, asset, await client.get_model("my-model"), await client.get_datalake()):
        assert handle.raw["id"] == str(handle.id)
        assert handle.raw is handle.description.raw
    assert asset.custom_metrics == asset.raw.get("custom_metrics")


async def test_what_was_changed_here_is_changed_in_the_answer(deployment, client):
    """`raw` does not contradict the description."""
    other = (await (await client.get_model("my-model")).list_versions())[1]
    await deployment.set_model(other)
    assert deployment.raw["model_version_id"] == str(other.id) == str(deployment.description.model_version_id)
