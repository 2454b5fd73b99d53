"""The checks of `picsellia-async doctor`. No secret gets into a `Check`: of a token it says "present", of a proxy no password."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import enum
import os
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import urlsplit

import anyio.to_thread
import attrs

from picsellia_async._http.auth import Credential
from picsellia_async._http.proxies import Proxies
from picsellia_async._http.retry import speaks_no_tls
from picsellia_async._http.service import Service, anonymous, bearer
from picsellia_async._http.session import HttpSession
from picsellia_async._http.tls import TRUST_VARIABLES, shared_context
from picsellia_async._wire.common_requests import LoginRequest
from picsellia_async._wire.decode import decode
from picsellia_async._wire.encoding import encode_body
from picsellia_async._wire.endpoints import PING, SERVING_LOGIN
from picsellia_async._wire.exchange import Answer, Origin, without_user
from picsellia_async.cli.delivering import find_deployment
from picsellia_async.client import AsyncClient
from picsellia_async.config import DEFAULT_HOST, RetryPolicy, Timeouts
from picsellia_async.deployment import AsyncDeployment
from picsellia_async.errors import (
    AuthenticationError,
    ConfigurationError,
    HostNotConfiguredError,
    NotFoundError,
    PicselliaError,
)

VARIABLES: Final = (
    "PICSELLIA_HOST", "PICSELLIA_ORGANIZATION_ID", "PICSELLIA_ORGANIZATION_NAME", *TRUST_VARIABLES,
)  # fmt: skip
"""Settings whose values may be shown."""

SKEW_SECONDS_MAX: Final = 30.0
"""Difference of the clocks from which presigned addresses and JWTs may be refused."""

STEP_ADVICE: Final = {
    "name": "is the host spelled right, and is there a network?",
    "tcp": "is the port right, and does a firewall or proxy stand between?",
    "tls": "is the port right, and does the host speak TLS there?",
}
"""What to do where a step on the way to the host fails."""

NAMES_SHOWN: Final = 5
"""Deployments that are named; all are counted."""

EXPIRY_DAYS: Final = 14
"""Days before a certificate's end that are worth a warning."""


class Level(enum.StrEnum):
    """How a check ended."""

    OK = "ok"
    """As it should be."""
    WARNING = "warning"
    """It works, but look at it."""
    FAILED = "failed"
    """It does not work."""
    SKIPPED = "skipped"
    """Not checked, because an earlier check failed or it does not apply."""


@attrs.frozen
class Check:
    """One line."""

    name: str
    """Step, as printed; scripts that read the JSON look it up by this."""
    level: Level
    """How it ended."""
    detail: str
    """What was found."""
    advice: str = ""
    """What to do; empty where nothing is wrong."""

    def to_json(self) -> dict[str, str]:
        """Return the fields."""
        return {"name": self.name, "level": self.level.value, "detail": self.detail, "advice": self.advice}


class Examination:
    """One run of all checks; what an earlier one found serves the later ones."""

    def __init__(
        self,
        api_token: str | None,
        host: str | None,
        deployment: str | None,
        timeout: float,
        show: Callable[[Check], object],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Store the settings.

        Args:
            api_token: Else PICSELLIA_TOKEN.
            host: Else PICSELLIA_HOST, else the default.
            deployment: Name or id of a deployment to check, or None.
            timeout: Seconds for each step.
            show: Called with each check as it ends.
            clock: Epoch seconds.
        """
        if not timeout > 0:
            raise ConfigurationError(f"--timeout must be positive seconds, got {timeout}")
        self._token = api_token or os.environ.get("PICSELLIA_TOKEN") or ""
        self._is_token_argument = bool(api_token)
        self._host = host or os.environ.get("PICSELLIA_HOST") or DEFAULT_HOST
        self._deployment = deployment
        self._timeout = timeout
        self._show = show
        self._clock = clock
        self._checks: list[Check] = []

    async def run(self) -> list[Check]:
        """Check one thing after the other, and return the lines; a step that fails ends those that build on it."""
        self._settings()
        try:
            origin = Origin.parse(self._host)
        except ConfigurationError as error:
            self._add("host", Level.FAILED, str(error), "set PICSELLIA_HOST to https://HOST, or leave it out")
            return self._checks
        self._check_host(origin)
        is_proxied = self._proxy(origin)
        # Behind a proxy the machine itself may neither resolve nor reach the host.
        if is_proxied is None or not (is_proxied or await self._reach(origin)):
            return self._checks
        if self._token and await self._platform(origin):
            await self._account()
        return self._checks

    def _add(self, name: str, level: Level, detail: str, advice: str = "") -> None:
        check = Check(name, level, self._clean(detail), advice)
        self._checks.append(check)
        self._show(check)

    def _clean(self, text: str) -> str:
        return text.replace(self._token, "(token)") if self._token else text

    # Settings.

    def _settings(self) -> None:
        found = [f"{name}={without_user(os.environ[name])}" for name in VARIABLES if os.environ.get(name)]
        self._add("settings", Level.OK, ", ".join(found) or "no variable set but those below")
        if not self._token:
            advice = "set PICSELLIA_TOKEN to the API token of your profile on the platform"
            self._add("token", Level.FAILED, "PICSELLIA_TOKEN is not set", advice)
            return
        where = "--api-token" if self._is_token_argument else "PICSELLIA_TOKEN"
        if not self._token.isascii() or not self._token.isprintable() or " " in self._token:
            self._add(
                "token", Level.FAILED, f"{where} holds blanks, line ends or odd characters", "copy the token again"
            )
            self._token = ""
        else:
            self._add("token", Level.OK, f"present in {where}")

    def _check_host(self, origin: Origin) -> None:
        is_local = origin.host in {"localhost", "::1"} or origin.host.startswith("127.")
        parts = urlsplit(self._host)
        if origin.scheme == "http" and not is_local:
            self._add("host", Level.WARNING, f"{origin} is not encrypted: the token travels in clear", "use https://")
        elif parts.path.strip("/") or parts.query:
            self._add("host", Level.WARNING, f"{origin}; path and query of the setting are not used", "leave them out")
        else:
            self._add("host", Level.OK, str(origin))

    def _proxy(self, origin: Origin) -> bool | None:
        """Return whether the host is reached over a proxy; None: over one that cannot be used."""
        proxies = Proxies.of_environment()
        proxy = proxies.of(origin)
        if proxy is None:
            found = f"one is set, but not used for {origin.host} (NO_PROXY)" if proxies else "none"
            self._add("proxy", Level.OK, found)
            return False
        if (trouble := proxy.trouble()) is not None:
            self._add("proxy", Level.FAILED, *trouble)
            return None
        self._add("proxy", Level.OK, f"{proxy} is used ({proxy.variable}); it looks the name up and connects")
        return True

    # From here to the host.

    async def _reach(self, origin: Origin) -> bool:
        """Resolve the name, connect, and shake hands; return whether all of it worked."""
        steps: list[tuple[str, Callable[[Origin], Awaitable[None]]]] = [("name", self._name), ("tcp", self._tcp)]
        if origin.scheme == "https":
            steps.append(("tls", self._tls))
        for name, step in steps:
            try:
                async with asyncio.timeout(self._timeout):
                    await step(origin)
            except ssl.SSLCertVerificationError as error:
                advice = "if your network has a certificate authority of its own, set SSL_CERT_FILE to its file (PEM)"
                self._add(name, Level.FAILED, f"the certificate is not trusted: {error.verify_message}", advice)
                return False
            except ConfigurationError as error:  # certificates that are not there
                self._add(name, Level.FAILED, str(error), "correct the variable, or unset it")
                return False
            except TimeoutError:
                advice = "a firewall may drop the packets; is a proxy needed (HTTPS_PROXY)?"
                self._add(name, Level.FAILED, f"no answer within {self._timeout:g} s", advice)
                return False
            except OSError as error:
                advice = "is it http://?" if speaks_no_tls(error) else STEP_ADVICE[name]
                self._add(name, Level.FAILED, f"{origin}: {error.strerror or error}", advice)
                return False
        return True

    async def _name(self, origin: Origin) -> None:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(origin.host, origin.port, type=socket.SOCK_STREAM)
        self._add("name", Level.OK, f"{origin.host} is {', '.join(sorted({str(one[4][0]) for one in found}))}")

    async def _tcp(self, origin: Origin) -> None:
        started = time.perf_counter()
        _, writer = await asyncio.open_connection(origin.host, origin.port)
        writer.close()
        self._add("tcp", Level.OK, f"port {origin.port} answers in {(time.perf_counter() - started) * 1000:.0f} ms")

    async def _tls(self, origin: Origin) -> None:
        context = await anyio.to_thread.run_sync(shared_context)
        _, writer = await asyncio.open_connection(origin.host, origin.port, ssl=context)
        try:
            certificate: dict[str, Any] = writer.get_extra_info("peercert") or {}
            version = writer.get_extra_info("ssl_object").version()
        finally:
            writer.close()
            with contextlib.suppress(OSError):  # whether the peer closes TLS properly is not checked
                await writer.wait_closed()
        names = dict(pair for part in certificate.get("issuer", ()) for pair in part)
        issuer = names.get("organizationName") or names.get("commonName") or "unknown"
        end = ssl.cert_time_to_seconds(certificate["notAfter"])
        days = int((end - self._clock()) // 86400)
        until = datetime.datetime.fromtimestamp(end, datetime.UTC).date().isoformat()
        detail = f"{version}, certificate of {issuer!r}, valid until {until}"
        if days < EXPIRY_DAYS:
            self._add("tls", Level.WARNING, f"{detail}: {days} days", "have the certificate renewed")
        else:
            self._add("tls", Level.OK, detail)

    # The platform.

    async def _platform(self, origin: Origin) -> bool:
        try:
            async with self._service(origin, bearer(self._token)) as service:
                answer, url, attempts = await service.send(PING)
            self._add("ping", Level.OK, f"{origin} answers as the platform")
            user = decode(PING, answer, url, attempts).username
            self._add("user", Level.OK, f"the token is that of {user or 'a user without name'}")
            self._skew(answer)
        except AuthenticationError as error:
            advice = "make a new token on the platform; is it a token of this host?"
            self._add("user", Level.FAILED, f"the token is refused: {error}", advice)
            return False
        except PicselliaError as error:
            self._add("ping", Level.FAILED, str(error), "is this the address of the platform? is it up?")
            return False
        return True

    def _skew(self, answer: Answer) -> None:
        said = answer.header(b"date")
        try:
            served = parsedate_to_datetime(said or "").timestamp()
        except ValueError:
            self._add("clock", Level.SKIPPED, "the platform does not say its time")
            return
        ahead = self._clock() - served
        if abs(ahead) <= SKEW_SECONDS_MAX:
            self._add("clock", Level.OK, f"within {SKEW_SECONDS_MAX:g} s of the platform's")
            return
        detail = f"this machine's clock is {abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} the platform's"
        self._add("clock", Level.FAILED, detail, "set the clock (NTP): frames get wrong times, sign-ins are refused")

    async def _account(self) -> None:
        try:
            async with AsyncClient(
                self._token, host=self._host, timeout=self._timeout, retry=RetryPolicy.none()
            ) as client:
                self._add("organization", Level.OK, f"{client.organization.name} ({client.organization.id})")
                await self._deployments(client)
        except NotFoundError as error:
            self._add(
                "organization", Level.FAILED, str(error), "PICSELLIA_ORGANIZATION_ID or _NAME names none of yours"
            )
        except PicselliaError as error:
            self._add(
                "organization", Level.FAILED, str(error), "see PICSELLIA_ORGANIZATION_ID, PICSELLIA_ORGANIZATION_NAME"
            )

    async def _deployments(self, client: AsyncClient) -> None:
        try:
            deployments = await client.list_deployments()
        except PicselliaError as error:
            self._add("deployments", Level.FAILED, str(error), "may this user see the organization's deployments?")
            return
        names = sorted(deployment.name for deployment in deployments)
        shown = ", ".join(names[:NAMES_SHOWN]) + (", ..." if len(names) > NAMES_SHOWN else "")
        level = Level.OK if names else Level.WARNING
        self._add("deployments", level, f"{len(names)}: {shown}" if names else "none")
        if self._deployment is not None:
            await self._hosts(client, self._deployment)

    # A deployment.

    async def _hosts(self, client: AsyncClient, name: str) -> None:
        try:
            deployment = await find_deployment(client, name)
        except NotFoundError:
            self._add("deployment", Level.FAILED, f"there is no deployment {name!r}", "see the names above")
            return
        except PicselliaError as error:
            self._add("deployment", Level.FAILED, str(error), "may this user see the deployment?")
            return
        self._add("deployment", Level.OK, f"{deployment.name} ({deployment.type}, {deployment.id})")
        await self._host_of("monitoring", deployment, deployment.retrieve_information)
        await self._host_of("serving", deployment, lambda: self._sign_in_to_serving(deployment))

    async def _host_of(self, name: str, deployment: AsyncDeployment, call: Callable[[], Awaitable[object]]) -> None:
        try:
            await call()
        except HostNotConfiguredError as error:
            self._add(name, Level.WARNING, str(error), "fine, if this deployment is not used that way")
        except AuthenticationError as error:
            self._add(name, Level.FAILED, f"sign-in is refused: {error}", "may this user use the deployment?")
        except PicselliaError as error:
            self._add(name, Level.FAILED, str(error), "is that host reachable from here?")
        else:
            self._add(name, Level.OK, f"{deployment.name} is reached, and sign-in works")

    async def _sign_in_to_serving(self, deployment: AsyncDeployment) -> None:
        """Sign in and do no more: every public call of this host predicts."""
        host = deployment.description.serving_host
        if not host:
            raise HostNotConfiguredError(f"deployment {deployment.name!r} has no serving host")
        request = LoginRequest(api_token=self._token, deployment_id=deployment.id)
        async with self._service(Origin.parse(host, "serving_host"), anonymous()) as service:
            await service.call(SERVING_LOGIN, body=encode_body(request))

    @contextlib.asynccontextmanager
    async def _service(self, origin: Origin, credential: Credential) -> AsyncIterator[Service]:
        """Give a service over a pool of its own, that makes one attempt."""
        session = HttpSession()
        try:
            yield Service(session, origin, credential, RetryPolicy.none(), Timeouts.of(self._timeout))
        finally:
            await session.aclose()
