"""The caller's own transport or client in place of the pool."""

from __future__ import annotations

import logging

import httpx
import pytest

from picsellia_async import (
    AsyncClient,
    MonitorError,
    PicselliaError,
    RetryPolicy,
    TransportError,
)

from ..support.client import monitor, stored

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "uvloop"])
def anyio_backend(request):
    """On both loops."""
    if request.param == "uvloop":
        pytest.importorskip("uvloop")
    return "asyncio", {"use_uvloop": request.param == "uvloop"}


async def test_the_callers_own_client_stays_open(emulator):
    """Requests go through its public `send`; closing ours leaves it open."""
    seen = []

    async def hook(request):
        seen.append(request.url.path)

    async with httpx.AsyncClient(event_hooks={"request": [hook]}) as own:
        async with AsyncClient(emulator.api_token, host=emulator.url, http_client=own) as client:
            deployment = await client.get_deployment(emulator.deployment_name)
            await monitor(deployment, b"\xff\xd8\xff" + bytes(1_000_000))
        assert not own.is_closed
    assert any(path.endswith("/predictions") for path in seen)
    assert (await stored(emulator))["count"] == 1


async def test_the_callers_own_transport_is_closed_with_the_client(emulator):
    """Any httpx transport does, stock httpx among them; a 401 replays the body over real sockets."""

    class Counting(httpx.AsyncHTTPTransport):
        closed = 0

        async def aclose(self):
            type(self).closed += 1
            await super().aclose()

    async with AsyncClient(emulator.api_token, host=emulator.url, transport=Counting()) as client:
        deployment = await client.get_deployment(emulator.deployment_name)
        await monitor(deployment)
        emulator.state.tokens.expire()
        await monitor(deployment, b"\xff\xd8\xff" + bytes(1_000_000))
    assert Counting.closed == 1
    assert (await stored(emulator))["count"] == 2


@pytest.mark.parametrize("place", ["http://b/x", "http://a:81/x", "https://b/x", "ftp://a/x"])
async def test_no_redirect_leaves_the_host(place):
    """A redirect to another host or port is an error with its status, for a GET as well: nothing is sent there."""
    seen = []

    def answer(request):
        seen.append((request.url.host, request.url.port))
        return httpx.Response(307, headers={"location": place})

    with pytest.raises(PicselliaError):
        async with AsyncClient("secret", host="http://a", transport=httpx.MockTransport(answer)):
            pass
    assert set(seen) == {("a", None)}


async def test_https_never_becomes_http():
    """A redirect from https to http of the same host is not followed, with whatever ports; the other way round it is."""
    seen = []

    def answer(request):
        seen.append(str(request.url.copy_with(path="/")))
        if request.url.scheme == "http":
            return httpx.Response(307, headers={"location": str(request.url.copy_with(scheme="https", port=None))})
        return httpx.Response(307, headers={"location": str(request.url.copy_with(scheme="http"))})

    with pytest.raises(PicselliaError):
        async with AsyncClient("secret", host="http://a", transport=httpx.MockTransport(answer)):
            pass
    assert seen == ["http://a/", "https://a/"]


@pytest.mark.parametrize("status", [301, 302, 303])
async def test_a_write_is_not_turned_into_a_get(status):
    """Behind a 302 to a login page a write has not happened: it is an error, and the page is not fetched."""
    seen = []

    def answer(request):
        seen.append((request.method, request.url.path))
        if request.url.path == "/api/home/ping":
            return httpx.Response(200, json={"default_organization": "00000000-0000-4000-8000-000000000001"})
        if request.url.path.endswith("/deployments/find"):
            described = {
                "id": "00000000-0000-4000-8000-000000000002",
                "name": "d",
                "type": "OBJECT_DETECTION",
                "oracle_host": "http://a",
            }
            return httpx.Response(200, json=described)
        if request.url.path == "/api/auth/login":
            return httpx.Response(200, json={"jwt": "j", "expires": 60})
        if request.method == "POST":
            return httpx.Response(status, headers={"location": "/login"})
        return httpx.Response(200, json={"id": "00000000-0000-4000-8000-000000000001", "name": "o"})

    async with AsyncClient("secret", host="http://a", transport=httpx.MockTransport(answer)) as client:
        deployment = await client.get_deployment("d")
        with pytest.raises(MonitorError) as caught:
            await monitor(deployment)
    assert caught.value.status == status
    assert ("GET", "/login") not in seen


async def test_a_sign_in_follows_no_redirect():
    """The body of a sign-in holds the api token: wherever a redirect leads, even within the host, it is not sent there."""
    seen = []

    def answer(request):
        seen.append((request.method, request.url.path))
        if request.url.path == "/api/home/ping":
            return httpx.Response(200, json={"default_organization": "00000000-0000-4000-8000-000000000001"})
        if request.url.path.endswith("/deployments/find"):
            described = {
                "id": "00000000-0000-4000-8000-000000000002",
                "name": "d",
                "type": "OBJECT_DETECTION",
                "oracle_host": "http://a",
            }
            return httpx.Response(200, json=described)
        if request.url.path == "/api/auth/login":
            return httpx.Response(307, headers={"location": "/elsewhere"})
        return httpx.Response(200, json={"id": "00000000-0000-4000-8000-000000000001", "name": "o"})

    async with AsyncClient("secret", host="http://a", transport=httpx.MockTransport(answer)) as client:
        deployment = await client.get_deployment("d")
        with pytest.raises(PicselliaError):
            await monitor(deployment)
    assert ("POST", "/elsewhere") not in seen


async def test_a_proxy_in_the_environment_chooses_the_stock_transport(emulator, monkeypatch, caplog):
    """`HTTP_PROXY` is honoured (here it leads nowhere), `NO_PROXY` too, and the choice is told at debug level."""
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    with caplog.at_level(logging.DEBUG, "picsellia_async"):
        client = AsyncClient(emulator.api_token, host=emulator.url, retry=RetryPolicy.none())
        with pytest.raises(TransportError):
            await client.connect()
        await client.aclose()
    assert "httpx's own transport" in caplog.text
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    async with AsyncClient(emulator.api_token, host=emulator.url) as client:
        assert await monitor(await client.get_deployment(emulator.deployment_name))
