"""The proxies that the environment names, and the transport that takes each request over its proxy or directly.

Which proxy a place has is decided place by place, `NO_PROXY` first: a proxy that cannot be used fails the calls that need it, and
no others.
"""

from __future__ import annotations

import ipaddress
import os
import re
import ssl
from collections.abc import Callable
from importlib.util import find_spec
from typing import Final, Self
from urllib.request import getproxies

import anyio.to_thread
import attrs
import httpx

from picsellia_async._http.messages import find_origin
from picsellia_async._http.transport import FastTransport
from picsellia_async._wire.exchange import Origin
from picsellia_async._wire.foreign_address import foreign_address
from picsellia_async._wire.redaction import secrets_of_user
from picsellia_async.errors import ConnectionConfigurationError

PROXY_SCHEMES: Final = ("http", "https", "socks5", "socks5h")
"""Kinds of proxies that httpx's transport can use."""


@attrs.frozen
class Proxy:
    """One proxy of the environment."""

    variable: str
    """What names it: a variable, or "the system" where it is a setting of macOS or Windows."""
    url: str = attrs.field(repr=False)
    """Its address; user and password may be in it."""

    def __str__(self) -> str:
        """Return the address as errors show it."""
        return foreign_address(self.url)

    @property
    def secrets(self) -> set[str]:
        """Its password, and what a sign-in with it sends."""
        user, _, _ = self.url.partition("://")[2].rpartition("@")
        return secrets_of_user(user)

    def check(self) -> None:
        """Look whether httpx can use it; its own errors are of many kinds.

        Raises:
            ConnectionConfigurationError: It cannot; variable and remedy are named.
        """
        if (trouble := self.trouble()) is not None:
            raise ConnectionConfigurationError(": ".join(trouble))

    def trouble(self) -> tuple[str, str] | None:
        """Return why httpx cannot use it, and the remedy; None where it can."""
        scheme = self.url.partition("://")[0].lower()
        what = f"{self.variable} names a proxy that cannot be used, {self}"
        if scheme not in PROXY_SCHEMES:
            return what, f"the address of a proxy begins with one of {', '.join(PROXY_SCHEMES)}, and ://"
        if scheme.startswith("socks") and find_spec("socksio") is None:
            return what, "for SOCKS, pip install 'httpx[socks]'; or except the host in NO_PROXY"
        user, _, place = self.url.partition("://")[2].rpartition("@")
        if re.search("[/?#]", user):
            return what, "this is no address: in user and password / ? and # are written %2F %3F and %23"
        try:
            httpx.Proxy(self.url)
            Origin.parse(f"http://{place}")  # httpx takes any port, and no host: its first call fails then
        except (httpx.InvalidURL, ValueError):
            return what, "this is no address of a host, with a port from 1 to 65535 where one is given"
        return None


@attrs.frozen
class Proxies:
    """What the environment says of proxies."""

    _named: dict[str, Proxy]
    _exceptions: tuple[str, ...]

    @classmethod
    def of_environment(cls) -> Self:
        """Read `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`, in either case; of macOS and Windows, their settings too."""
        found = getproxies()
        named = {
            scheme: Proxy(_variable(scheme), found[scheme] if "://" in found[scheme] else f"http://{found[scheme]}")
            for scheme in ("http", "https", "all")
            if found.get(scheme)
        }
        exceptions = (entry.strip().lower() for entry in found.get("no", "").split(","))
        return cls(named, tuple(entry for entry in exceptions if entry))

    @property
    def secrets(self) -> set[str]:
        """Passwords of the proxies, and what a sign-in with them sends."""
        return set().union(*(proxy.secrets for proxy in self._named.values()))

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self._named)

    def of(self, origin: Origin) -> Proxy | None:
        """Return the proxy for an origin; None: it is reached directly."""
        proxy = self._named.get(origin.scheme) or self._named.get("all")
        if proxy is None or any(_covers(entry, origin) for entry in self._exceptions):
            return None
        return proxy


def _variable(scheme: str) -> str:
    name = f"{scheme}_proxy"
    return next((variable for variable in (name, name.upper()) if os.environ.get(variable)), "the system")


def _covers(entry: str, origin: Origin) -> bool:
    """Tell whether an entry of `NO_PROXY` stands for an origin: `*`, a domain, a host with its port, an address, a network."""
    if entry == "*":
        return True
    host, entry = origin.host, entry.rpartition("://")[2]
    if (address := _address(host)) is not None and (network := _network(entry)) is not None:
        return address in network
    name, separator, port = entry.rpartition(":")
    if separator and port.isdigit() and (":" not in name or name.endswith("]")):
        if int(port) != origin.port:
            return False
        entry = name
    domain = entry.strip("[]").removeprefix("*").strip(".")
    host = host.rstrip(".")
    return bool(domain) and (host == domain or (address is None and host.endswith(f".{domain}")))


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None


def _network(entry: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        return None


class ProxyRouter(httpx.AsyncBaseTransport):
    """Takes each request over the proxy of its place, by httpx's own transport; what needs none goes over the fast one."""

    def __init__(
        self, proxies: Proxies, direct: FastTransport, limits: httpx.Limits, context: Callable[[], ssl.SSLContext]
    ) -> None:
        """Store what is needed; transports are made on first use.

        Args:
            proxies: Which place has which.
            direct: For places without one; closed with this transport.
            limits: Connections over each proxy.
            context: Makes the TLS settings, for hosts and for proxies; called in a thread.
        """
        self._proxies = proxies
        self._direct = direct
        self._limits = limits
        self._context = context
        self._proxied: dict[Proxy, httpx.AsyncHTTPTransport] = {}

    def is_direct(self, origin: Origin) -> bool:
        """Tell whether an origin is reached without a proxy."""
        return self._proxies.of(origin) is None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request.

        Raises:
            ConnectionConfigurationError: Its proxy cannot be used.
        """
        url = request.url
        proxy = self._proxies.of(find_origin(url.raw_scheme, url.raw_host, url.port))
        if proxy is None:
            return await self._direct.handle_async_request(request)
        transport = self._proxied.get(proxy) or await self._open(proxy)
        try:
            response = await transport.handle_async_request(request)
        except httpx.TransportError as error:
            # Else it reads as if the host were down, or its name wrong.
            what = f"over the proxy {proxy} ({proxy.variable})"
            error.args = (f"{error}, {what}" if str(error) else what,)
            raise
        # httpx logs it, and a proxy may say there which password is wrong.
        response.extensions.pop("reason_phrase", None)
        return response

    async def _open(self, proxy: Proxy) -> httpx.AsyncHTTPTransport:
        proxy.check()
        context = await anyio.to_thread.run_sync(self._context)
        if proxy not in self._proxied:  # another call may have been faster
            self._proxied[proxy] = httpx.AsyncHTTPTransport(
                proxy=httpx.Proxy(proxy.url, ssl_context=context if proxy.url.lower().startswith("https:") else None),
                verify=context,
                limits=self._limits,
            )
        return self._proxied[proxy]

    async def aclose(self) -> None:
        """Close all connections."""
        proxied, self._proxied = self._proxied, {}
        for transport in (self._direct, *proxied.values()):
            await transport.aclose()
