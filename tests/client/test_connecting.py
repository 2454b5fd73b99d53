"""Finding the organization and its deployments, and what is told where that fails."""

from __future__ import annotations

import asyncio
import logging

import httpx
import numpy as np
import orjson
import pytest

from picsellia_async import (
    AsyncClient,
    AuthenticationError,
    ConfigurationError,
    InferenceType,
    MonitorError,
    NotFoundError,
    RetryPolicy,
    Timeouts,
    TransportError,
)
from picsellia_async._http import session
from picsellia_async.emulator import Fault

from ..support.client import QUICK, calls, monitor, stored
from ..support.pipelines import until

pytestmark = pytest.mark.anyio


# Connecting


async def test_connect_by_id_name_or_default(emulator):
    """Id, name, and neither (the token's default organization) all lead to the organization."""
    for arguments in (
        {"organization_id": emulator.organization_id},
        {"organization_name": emulator.organization_name},
        {},
    ):
        async with AsyncClient(emulator.api_token, host=emulator.url, **arguments) as client:
            assert str(client.organization.id) == emulator.organization_id
            assert client.organization.name == emulator.organization_name


async def test_connect_from_the_environment(emulator, monkeypatch):
    """Token, organization and host may come from the environment; arguments win."""
    monkeypatch.setenv("PICSELLIA_TOKEN", emulator.api_token)
    monkeypatch.setenv("PICSELLIA_HOST", emulator.url + "/a/path/that/is/dropped/")
    monkeypatch.setenv("PICSELLIA_ORGANIZATION_NAME", emulator.organization_name)
    async with AsyncClient() as client:
        assert client.organization.name == emulator.organization_name
    monkeypatch.setenv("PICSELLIA_ORGANIZATION_ID", "00000000-0000-0000-0000-000000000000")
    async with AsyncClient(organization_name=emulator.organization_name) as client:
        assert str(client.organization.id) == emulator.organization_id


async def test_the_first_call_connects(emulator):
    """Entering is not needed; 20 first calls at once ping the platform once."""
    client = AsyncClient(emulator.api_token, host=emulator.url)
    found = await asyncio.gather(*(client.get_deployment(emulator.deployment_name) for _ in range(20)))
    assert {d.name for d in found} == {emulator.deployment_name}
    assert len(calls(emulator, "ping")) == 1
    await client.aclose()


@pytest.mark.parametrize("token", ["wrong", "0" * 40])
async def test_a_wrong_token(emulator, token):
    """One clear typed error, at connect, with the status; the token is not in it."""
    with pytest.raises(AuthenticationError) as caught:
        async with AsyncClient(token, host=emulator.url):
            pass
    assert caught.value.status == 401
    assert token not in repr(caught.value)


@pytest.mark.parametrize("token", ["a\r\nX: y", "a b", "é", 7, ""])
def test_a_token_that_is_no_header_value(token, monkeypatch):
    """Refused before anything is sent, without showing it."""
    monkeypatch.delenv("PICSELLIA_TOKEN", raising=False)
    with pytest.raises(ConfigurationError) as caught:
        AsyncClient(token)
    assert "X: y" not in str(caught.value)


async def test_a_missing_organization(emulator):
    """By name and by id: not found, typed."""
    for arguments in ({"organization_name": "nobody"}, {"organization_id": "00000000-0000-4000-8000-000000000000"}):
        with pytest.raises(NotFoundError):
            async with AsyncClient(emulator.api_token, host=emulator.url, **arguments):
                pass


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"host": "no url"}, "host must be"),
        ({"organization_id": "x"}, "organization_id must be a UUID"),
        ({"timeout": -1}, "timeout"),
        ({"max_connections": 0}, "max_connections must be at least 1"),
        ({"max_connections_per_host": 0}, "max_connections_per_host must be at least 1"),
        ({"retry": 3}, "retry must be a RetryPolicy"),
        ({"transport": object(), "http_client": object()}, "exclude each other"),
    ],
    ids=lambda v: next(iter(v)) if isinstance(v, dict) else None,
)  # fmt: skip
def test_bad_settings_are_named(arguments, message):
    """The constructor says which setting cannot be used."""
    with pytest.raises(ConfigurationError, match=message):
        AsyncClient("token", **arguments)


async def test_an_unreachable_platform():
    """A refused connection is a TransportError that says nothing was sent, after the attempts allowed."""
    policy = RetryPolicy(attempts=3, total=None, backoff_initial=0.001)
    client = AsyncClient("token", host="http://127.0.0.1:1", retry=policy)
    with pytest.raises(TransportError) as caught:
        await client.connect()
    assert (caught.value.attempts, caught.value.request_sent) == (3, False)
    assert isinstance(caught.value.__cause__, httpx.ConnectError)
    await client.aclose()


async def test_waiting_for_a_refused_connection_is_told_once(caplog):
    """Calls that are tried again because nobody listens say so in one warning, however many they are."""
    policy = RetryPolicy(total=0.3, backoff_initial=0.01)
    client = AsyncClient("token", host="http://127.0.0.1:1", retry=policy)
    for _ in range(2):
        with pytest.raises(TransportError):
            await client.connect()
    told = [line for name, level, line in caplog.record_tuples if (name, level) == ("picsellia_async", logging.WARNING)]
    assert len(told) == 1
    assert told[0].startswith("http://127.0.0.1:1 refuses connections; calls are tried again for up to 0.3 s")
    await client.aclose()


async def test_a_platform_that_does_not_answer_is_told(caplog, monkeypatch):
    """A program that waits for it says so while it waits, and once: it would look as if it hung."""
    monkeypatch.setattr(session, "SILENT_SECONDS", 0.05)
    callers: list[asyncio.Task[None]] = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        callers.append(asyncio.current_task())
        await reader.read()
        writer.close()
        await writer.wait_closed()

    silent = await asyncio.start_server(listen, "127.0.0.1", 0)
    host = f"http://127.0.0.1:{silent.sockets[0].getsockname()[1]}"
    client = AsyncClient("token", host=host)
    waiting = [asyncio.create_task(client.connect()) for _ in range(3)]

    def told() -> list[str]:
        return [
            line for name, level, line in caplog.record_tuples if (name, level) == ("picsellia_async", logging.WARNING)
        ]

    await until(told)
    assert told() == [
        f"{host} has not answered for 0.05 s; the call waits on, within its time-outs (is the name right, and the host up?)"
    ]
    for task in waiting:
        task.cancel()
    await asyncio.wait(waiting)
    await client.aclose()
    await asyncio.wait(callers)
    silent.close()


# Deployments


async def test_find_deployments(client, emulator):
    """By name, by id (text or UUID), and in the list; finding one signs in nowhere."""
    one = await client.get_deployment(name=emulator.deployment_name)
    assert (one.name, str(one.id), one.type) == (
        emulator.deployment_name,
        emulator.deployment_id,
        InferenceType.OBJECT_DETECTION,
    )
    assert (await client.get_deployment_by_id(str(one.id))).id == one.id
    assert (await client.get_deployment_by_id(one.id)).name == one.name
    assert one.id in {d.id for d in await client.list_deployments()}
    assert len(await client.list_deployments(limit=1)) == 1
    assert not calls(emulator, "oracle_login")
    with pytest.raises(NotFoundError):
        await client.get_deployment("nope")
    with pytest.raises(ConfigurationError, match="id must be a UUID"):
        await client.get_deployment_by_id("nope")


async def test_sync_and_information(deployment, emulator):
    """`sync` brings what the platform says now; the monitoring host tells about the deployment."""
    description = await deployment.sync()
    assert description.oracle_host
    assert str(deployment.id) == emulator.deployment_id
    assert isinstance(await deployment.retrieve_information(), dict)


# Secrets


async def test_no_secret_in_logs_and_errors(emulator, caplog):
    """Token and JWT appear in no log line of ours at debug level, through success, retry and failure."""
    with caplog.at_level(logging.DEBUG):
        async with AsyncClient(emulator.api_token, host=emulator.url, retry=QUICK) as client:
            deployment = await client.get_deployment(emulator.deployment_name)
            emulator.faults.add(Fault(kind="status", endpoint="monitor", status=503, times=2))
            await monitor(deployment)
            emulator.faults.add(Fault(kind="status", endpoint="monitor", status=500))
            with pytest.raises(MonitorError) as caught:
                await monitor(deployment)
            lines = await deployment._hosts.oracle().service.credential.acquire(Timeouts())
    jwt = lines.decode().split()[2]
    ours = "\n".join(
        record.getMessage() for record in caplog.records if record.name.startswith(("picsellia_async", "httpx"))
    )
    assert "attempt 1 of monitor failed" in ours
    for text in (ours, str(caught.value), repr(caught.value), repr(client), repr(deployment)):
        assert emulator.api_token not in text
        assert jwt not in text


async def test_json_of_the_caller_is_sent_as_it_is(deployment, emulator):
    """Dates, UUIDs and numpy values in metadata have the JSON that the vendor's encoder gives them."""
    import datetime
    import uuid

    await monitor(
        deployment, custom_metadata={"d": datetime.date(2026, 1, 2), "u": uuid.UUID(int=1), "n": np.float64(1.5)}
    )
    assert orjson.loads(orjson.dumps((await stored(emulator))["count"])) == 1
