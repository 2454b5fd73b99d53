"""ASGI middleware that keeps web pages out of the emulator, and what was uploaded from running in a browser.

Whoever runs the emulator also runs a browser, and any page in it can send requests to 127.0.0.1. The services ask for a token, which a page does not
have. The control routes ask for none, so they answer only:

- to a `Host` that names this machine or this network: an IP address, a name without a dot, `*.localhost`, `*.internal`, or the host
  of `public_url`. A page of another site can point its own name at 127.0.0.1 (DNS rebinding), but then it is that name that it sends.
- to an `Origin` (and `Sec-Fetch-Site`) that is the emulator's own, where a browser sends one: it does with everything that changes
  something, and a test client does not.

Every answer says `nosniff`, so that a browser does not take an image for a page. Objects of the storage come in a sandbox without
scripts: uploaded HTML or SVG never runs on the emulator's origin.
"""

from __future__ import annotations

import ipaddress
from typing import Final
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from picsellia_async.emulator.endpoint_index import STORAGE_PREFIX, is_control
from picsellia_async.emulator.refusal import Refusal, forbidden
from picsellia_async.emulator.transport.messages import error_response

_PRIVATE_SUFFIXES: Final = (".localhost", ".internal")
"""Names that public name servers never give out (RFC 6761, and ICANN's reservation of 2024)."""
_NOSNIFF: Final = (b"x-content-type-options", b"nosniff")
SANDBOX_POLICY: Final = "default-src 'none'; sandbox"
"""Content security policy of what clients uploaded: it may be shown, and do nothing."""
_SANDBOX: Final = (b"content-security-policy", SANDBOX_POLICY.encode())
PAGE_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
"""Content security policy of the emulator's own pages: nothing from elsewhere, nothing that stands in the markup, in no frame."""


class SecurityMiddleware:
    """Refuses control requests of foreign pages, and adds the headers that keep browsers from running what was uploaded."""

    def __init__(self, app: ASGIApp, public_url: str | None) -> None:
        """Wrap an application.

        Args:
            app: What handles the requests.
            public_url: The address that clients are told, whose host is trusted as well; None: there is none.
        """
        self._app = app
        self._public_host = "" if public_url is None else (urlsplit(public_url).hostname or "").lower()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        added = [_NOSNIFF, _SANDBOX] if scope["path"].startswith(f"{STORAGE_PREFIX}/") else [_NOSNIFF]

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), *added]}
            await send(message)

        refusal = self._refusal(scope) if is_control(scope["path"]) else None
        if refusal is not None:
            await error_response(refusal)(scope, receive, send_safely)
            return
        await self._app(scope, receive, send_safely)

    def _refusal(self, scope: Scope) -> Refusal | None:
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        host = headers.get(b"host", "")
        if not self._is_trusted(host):
            return forbidden(f"the control routes do not answer under the name {host!r}; --public-url makes it known")
        origin = headers.get(b"origin")
        if origin is not None and _host_of(origin) != host.lower():
            return forbidden(f"the control routes do not answer to pages of {origin!r}")
        if headers.get(b"sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return forbidden("the control routes do not answer to pages of other sites")
        return None

    def _is_trusted(self, host: str) -> bool:
        try:
            name = (urlsplit(f"//{host}").hostname or "").lower()
        except ValueError:
            return False
        if name and (name == self._public_host or "." not in name or name.endswith(_PRIVATE_SUFFIXES)):
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True


def _host_of(origin: str) -> str:
    """Return `host:port` of an origin, as a Host header has it; empty where there is none (`null`)."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""
