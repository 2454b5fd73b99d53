"""ASGI middleware that writes every request into the journal, whatever answers it: a handler, a fault, or an error."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final
from urllib.parse import unquote_plus

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from picsellia_async.emulator.endpoint_index import Target, has_jwt, is_control, resolve
from picsellia_async.emulator.transport.faulty_protocol import ACTED_EXTENSION
from picsellia_async.emulator.transport.journal import Entry, Journal

EXCHANGE_KEY: Final = "picsellia_async.exchange"
"""Key of the ASGI scope under which the application leaves what it found out: `Target` and list of image hashes."""

_SECRETS: Final = frozenset({"signature", "api_token", "jwt", "token"})
"""Names of the query whose values stay out of the journal."""


class JournalMiddleware:
    """Writes every request outside the control routes into the journal."""

    def __init__(self, app: ASGIApp, journal: Journal, clock: Callable[[], float]) -> None:
        """Wrap an application.

        Args:
            app: What handles the requests.
            journal: Where they are written down.
            clock: Epoch seconds.
        """
        self._app = app
        self._journal = journal
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request and write it down, even when it fails."""
        if scope["type"] != "http" or is_control(scope["path"]):
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(self._journal, scope, receive, send, self._clock())
        try:
            await self._app(scope, exchange.receive, exchange.send)
            await exchange.send_head()  # of an answer whose body never came
        finally:
            exchange.write_down()


class _Exchange:
    """One request and its answer: counts what passes, and becomes an entry once."""

    def __init__(self, journal: Journal, scope: Scope, receive: Receive, send: Send, at: float) -> None:
        self._journal = journal
        self._scope = scope
        self._receive = receive
        self._send = send
        self._at = at
        self._started = time.perf_counter()
        self._received = 0
        self._sent = 0
        self._status = 0
        self._head: Message | None = None
        self._is_written = False

    async def receive(self) -> Message:
        message = await self._receive()
        self._received += len(message.get("body", b""))
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            # Held until the body comes: an answer without one (204) is complete for the client with its head.
            self._status = message["status"]
            self._head = message
            return
        self._sent += len(message.get("body", b""))
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            # Before the end of the answer goes out: whoever has the answer, in whichever thread, finds the entry.
            self.write_down()
        await self.send_head()
        await self._send(message)

    async def send_head(self) -> None:
        """Send the head that is held, if there is one."""
        if self._head is not None:
            head, self._head = self._head, None
            await self._send(head)

    def write_down(self) -> None:
        if self._is_written:
            return
        self._is_written = True
        target, images = self._scope.get(EXCHANGE_KEY) or (self._target(), ())
        self._journal.write(
            Entry(
                at=self._at,
                method=self._scope["method"],
                path=self._scope["path"],
                query=_without_secrets(self._scope["query_string"].decode("latin-1")),
                service=target.service,
                endpoint=target.endpoint,
                status=self._status,
                seconds=time.perf_counter() - self._started,
                request_bytes=self._received,
                response_bytes=self._sent,
                images=tuple(images),
                faults=self._scope.get("extensions", {}).get(ACTED_EXTENSION, []),
            )
        )

    def _target(self) -> Target:
        """Return what the request is for where the application did not get as far as to say so."""
        authorization = next((value for name, value in self._scope["headers"] if name == b"authorization"), b"")
        return resolve(self._scope["method"], self._scope["path"], is_jwt=has_jwt(authorization))


def _without_secrets(query: str) -> str:
    parts = query.split("&")
    return "&".join(part for part in parts if unquote_plus(part.partition("=")[0]).lower() not in _SECRETS)
