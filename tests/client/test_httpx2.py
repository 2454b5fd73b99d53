"""A client or a transport of httpx2's in place of the pool."""

from __future__ import annotations

import pytest

from picsellia_async import (
    AsyncClient,
    ConfigurationError,
    PicselliaError,
    RequestTimeoutError,
    RetryPolicy,
    TransportError,
)

from ..support.client import monitor, stored

httpx2 = pytest.importorskip("httpx2", reason="nox -s httpx2 installs it")

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "uvloop"])
def anyio_backend(request):
    """On both loops."""
    if request.param == "uvloop":
        pytest.importorskip("uvloop")
    return "asyncio", {"use_uvloop": request.param == "uvloop"}


async def test_the_callers_own_client(emulator):
    """Requests go through its `send`, in slices where they are large; closing ours leaves it open."""
    seen = []

    async def hook(request):
        seen.append(request.url.path)

    async with httpx2.AsyncClient(event_hooks={"request": [hook]}) as own:
        async with AsyncClient(emulator.api_token, host=emulator.url, http_client=own) as client:
            deployment = await client.get_deployment(emulator.deployment_name)
            await monitor(deployment, b"\xff\xd8\xff" + bytes(1_000_000))
            emulator.state.tokens.expire()
            await monitor(deployment, b"\xff\xd8\xff" + bytes(1_000_000))
        assert not own.is_closed
    assert any(path.endswith("/predictions") for path in seen)
    assert (await stored(emulator))["count"] == 2


async def test_the_callers_own_transport_is_closed_with_the_client(emulator):
    """A transport of httpx2's sends the calls, under a client of httpx2's that we make for it."""

    class Counting(httpx2.AsyncHTTPTransport):
        closed = 0

        async def aclose(self):
            type(self).closed += 1
            await super().aclose()

    async with AsyncClient(emulator.api_token, host=emulator.url, transport=Counting()) as client:
        await monitor(await client.get_deployment(emulator.deployment_name))
    assert Counting.closed == 1
    assert (await stored(emulator))["count"] == 1


@pytest.mark.parametrize(
    ("raised", "expected", "sent"),
    [
        ("ConnectError", TransportError, False),
        ("ConnectTimeout", RequestTimeoutError, False),
        ("ReadTimeout", RequestTimeoutError, True),
        ("RemoteProtocolError", TransportError, True),
    ],
)
async def test_its_errors_are_ours(raised, expected, sent):
    """What httpx2 raises becomes a `TransportError` with httpx2's as its cause, and tells whether the request left."""

    def answer(request):
        raise getattr(httpx2, raised)("no")

    client = AsyncClient("t", host="http://h", transport=httpx2.MockTransport(answer), retry=RetryPolicy.none())
    with pytest.raises(expected) as caught:
        await client.connect()
    assert type(caught.value.__cause__) is getattr(httpx2, raised)
    assert caught.value.request_sent is sent
    await client.aclose()


async def test_a_scheme_that_it_cannot_is_a_configuration_error():
    """What httpx2 calls an unsupported protocol is the caller's to mend."""

    def answer(request):
        raise httpx2.UnsupportedProtocol("no")

    client = AsyncClient("t", host="http://h", transport=httpx2.MockTransport(answer))
    with pytest.raises(ConfigurationError):
        await client.connect()
    await client.aclose()


async def test_no_redirect_leaves_the_host():
    """The rules for redirects hold over httpx2 as well."""
    seen = []

    def answer(request):
        seen.append(request.url.host)
        return httpx2.Response(307, headers={"location": "http://b/x"})

    with pytest.raises(PicselliaError):
        async with AsyncClient("secret", host="http://a", transport=httpx2.MockTransport(answer)):
            pass
    assert set(seen) == {"a"}


def test_a_synchronous_client_is_refused_by_its_full_name():
    """The message tells httpx2's from httpx's."""
    with httpx2.Client() as own, pytest.raises(ConfigurationError, match=r"got httpx2\.Client"):
        AsyncClient("t", http_client=own)
