"""Proxies of the environment: which place has which, and what is said of one that cannot be used."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import traceback
from importlib.util import find_spec

import httpx
import pytest

from picsellia_async import AsyncClient, ConnectionConfigurationError, RetryPolicy, TransportError
from picsellia_async._http.proxies import Proxies
from picsellia_async._wire.exchange import Origin

from ..support.client import monitor, stored

VARIABLES = [name for base in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY") for name in (base, base.lower())]


@pytest.fixture(params=["asyncio", "uvloop"])
def anyio_backend(request):
    """On both loops."""
    if request.param == "uvloop":
        pytest.importorskip("uvloop")
    return "asyncio", {"use_uvloop": request.param == "uvloop"}


@pytest.fixture
def environment(monkeypatch):
    """Set the variables of proxies, and no others of them."""

    def use(**variables):
        for name in VARIABLES:
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    use()
    return use


@contextlib.asynccontextmanager
async def forwarding():
    """A proxy for plain http; gives its port, and the places that it was asked for."""
    asked = []

    async def pump(reader, writer):
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(1 << 16):
                writer.write(data)
                await writer.drain()
            writer.close()

    async def serve(reader, writer):
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            head = await reader.readuntil(b"\r\n")
            method, url, version = head.split()
            place, _, path = url.removeprefix(b"http://").partition(b"/")
            asked.append(place.decode())
            host, port = place.split(b":")
            back, forth = await asyncio.open_connection(host.decode(), int(port))
            forth.write(b"%b /%b %b\r\nConnection: close\r\n" % (method, path, version))
            await asyncio.gather(pump(reader, forth), pump(back, writer))

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1], asked


@pytest.mark.anyio
@pytest.mark.parametrize("broken", ["socks://h:1", "socks5://h:1", "ftp://h:1", "http://[h:1"])
async def test_what_no_proxy_excepts_needs_none(emulator, environment, broken):
    """A proxy that cannot be used hinders no host that `NO_PROXY` names: sign-in and frames go as without it."""
    environment(ALL_PROXY=broken, NO_PROXY="example.com, 127.0.0.1")
    async with AsyncClient(emulator.api_token, host=emulator.url) as client:
        await monitor(await client.get_deployment(emulator.deployment_name))
    environment()
    assert (await stored(emulator))["count"] == 1


@pytest.mark.anyio
async def test_calls_and_frames_go_over_the_proxy(emulator, environment):
    """What `NO_PROXY` does not except goes over the proxy, first calls at the same time too."""
    async with forwarding() as (port, asked):
        environment(HTTP_PROXY=f"127.0.0.1:{port}", NO_PROXY="localhost,.example.com,127.0.0.1:1")
        async with AsyncClient(emulator.api_token, host=emulator.url) as client:
            first, _ = await asyncio.gather(
                client.get_deployment(emulator.deployment_name), client.get_deployment(emulator.deployment_name)
            )
            await monitor(first)
    assert set(asked) == {f"127.0.0.1:{emulator.port}"}
    environment()
    assert (await stored(emulator))["count"] == 1


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("variable", "value", "remedy"),
    [
        ("ALL_PROXY", "socks://me:geheim@h:1", "begins with one of http, https, socks5, socks5h"),
        ("all_proxy", "ftp://me:geheim@h:1", "begins with one of http, https, socks5, socks5h"),
        ("HTTP_PROXY", "http://me:geheim@h:port", "this is no address"),
        ("HTTP_PROXY", "http://me:geheim@h:99999", "this is no address of a host, with a port from 1 to 65535"),
        ("HTTP_PROXY", "me:geheim@h:0", "this is no address"),
        ("HTTP_PROXY", "http://me:geheim@h:-1", "this is no address"),
        ("HTTP_PROXY", "http://me:geheim@", "this is no address"),
        ("HTTP_PROXY", "http://me:geheim@:80", "this is no address"),
        ("HTTP_PROXY", "http://me:geheim@a host", "this is no address"),
        ("HTTP_PROXY", "http:/me:geheim@h:80", "this is no address"),
        ("HTTP_PROXY", "http://me:ge/heim@h:80", "/ \\? and # are written %2F %3F and %23"),
        pytest.param(
            "ALL_PROXY",
            "socks5://me:geheim@h:1",
            r"pip install 'httpx\[socks\]'",
            marks=pytest.mark.skipif(find_spec("socksio") is not None, reason="socksio is installed"),
        ),
    ],
)
async def test_a_proxy_that_cannot_be_used(environment, variable, value, remedy):
    """One typed error before anything is sent or repeated: variable and remedy, no password."""
    environment(**{variable: value})
    client = AsyncClient("token", host="http://127.0.0.1:9", retry=RetryPolicy(backoff_initial=100))
    with pytest.raises(
        ConnectionConfigurationError, match=f"^{variable} names a proxy that cannot be used, .*{remedy}"
    ) as caught:
        await client.connect()
    assert "heim" not in str(caught.value)
    await client.aclose()


@pytest.mark.anyio
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_proxy_that_is_down_is_named(environment, scheme):
    """Else the host seems to be down; the password is not shown."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    environment(**{f"{scheme.upper()}_PROXY": f"http://me:geheim@127.0.0.1:{port}"})
    client = AsyncClient("token", host=f"{scheme}://picsellia.invalid", retry=RetryPolicy.none())
    with pytest.raises(TransportError) as caught:
        await client.connect()
    assert f"over the proxy http://127.0.0.1:{port} ({scheme.upper()}_PROXY) for " in str(caught.value)
    assert str(caught.value).startswith("ConnectError: ")
    assert "geheim" not in "".join(traceback.format_exception(caught.value))
    await client.aclose()


@pytest.mark.anyio
async def test_a_proxy_that_hangs_up_is_named(environment):
    """Whatever goes wrong on the way may be its doing."""
    async with await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        environment(HTTP_PROXY=f"http://me:geheim@127.0.0.1:{port}")
        client = AsyncClient("token", host="http://picsellia.invalid", retry=RetryPolicy.none())
        with pytest.raises(TransportError, match=rf"over the proxy http://127.0.0.1:{port} \(HTTP_PROXY\)"):
            await client.connect()
        await client.aclose()


@pytest.mark.anyio
@pytest.mark.parametrize("port", [99999, 65536])
async def test_a_port_beyond_all_ports_of_a_client_of_ones_own(port):
    """Over asyncio anyio raises a group of errors that are none of httpx's; over uvloop the look-up fails. Here it is one of ours."""
    async with httpx.AsyncClient(proxy=f"http://me:geheim@127.0.0.1:{port}", trust_env=False) as own:
        client = AsyncClient("token", host="http://127.0.0.1:9", http_client=own, retry=RetryPolicy.none())
        with pytest.raises(
            (ConnectionConfigurationError, TransportError), match=r"no port from 0 to 65535|ConnectError"
        ) as caught:
            await client.connect()
        assert "geheim" not in "".join(traceback.format_exception(caught.value))
        await client.aclose()


@pytest.mark.parametrize(
    ("no_proxy", "url", "is_excepted"),
    [
        ("*", "https://a.example", True),
        ("a.example", "https://a.example", True),
        ("A.Example", "https://a.example:8443", True),
        ("example", "https://a.example", True),
        (".example", "https://a.example", True),
        ("*.example", "https://a.example", True),
        ("xample", "https://a.example", False),
        ("b.example, ,a.example", "https://a.example", True),
        ("a.example:8443", "https://a.example:8443", True),
        ("a.example:8443", "https://a.example", False),
        ("https://a.example", "https://a.example", True),
        ("10.1.2.3", "https://10.1.2.3", True),
        ("10.0.0.0/8", "https://10.1.2.3", True),
        ("10.0.0.0/8", "https://11.1.2.3", False),
        ("2.3", "https://10.1.2.3", False),
        ("::1", "https://[::1]:8443", True),
        ("[::1]:8443", "https://[::1]:8443", True),
        ("[::1]:8443", "https://[::1]", False),
        ("fd00::/8", "https://[fd12::1]", True),
        ("a.example", "https://a.example.", True),
        ("", "https://a.example", False),
    ],
)
def test_what_no_proxy_stands_for(environment, no_proxy, url, is_excepted):
    """Domains with what is below them, addresses, networks, ports."""
    environment(HTTPS_PROXY="http://proxy:1", NO_PROXY=no_proxy)
    assert (Proxies.of_environment().of(Origin.parse(url)) is None) is is_excepted


def test_the_variable_of_the_scheme_comes_first(environment):
    """`HTTPS_PROXY` is for https, `ALL_PROXY` for what has none of its own; small letters count like large ones."""
    environment(https_proxy="http://one:1", ALL_PROXY="http://me:geheim@two:2")
    proxies = Proxies.of_environment()
    assert str(proxies.of(Origin.parse("https://a"))) == "http://one:1"
    assert (str(proxies.of(Origin.parse("http://a"))), "geheim" in repr(proxies)) == ("http://two:2", False)
    environment(NO_PROXY="a")
    assert not Proxies.of_environment()


@pytest.mark.anyio
async def test_an_overflow_that_is_of_no_port_stays_what_it_is():
    """A transport of the caller's may raise it for reasons of its own."""

    def refuse(_: httpx.Request) -> httpx.Response:
        raise OverflowError("int too large to convert to float")

    with pytest.raises(OverflowError, match="float"):
        async with AsyncClient("t", host="http://127.0.0.1:1", transport=httpx.MockTransport(refuse)):
            pass
