"""ASGI middleware that acts out the HTTP-level faults of a register. The register itself is in `fault_register`."""

from __future__ import annotations

import asyncio
import email.utils
import hashlib
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final, TypeAlias

import attrs
import orjson

from picsellia_async.emulator.endpoint_index import is_control
from picsellia_async.emulator.transport.fault import Fault, FaultKind
from picsellia_async.emulator.transport.fault_register import Faults, Request, Script
from picsellia_async.emulator.transport.faulty_protocol import ABORT_EXTENSION, ACTED_EXTENSION

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
ASGIApp: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

HTML: Final = (
    b"<html><head><title>502 Bad Gateway</title></head><body><center><h1>502 Bad Gateway</h1></center></body></html>"
)


class FaultMiddleware:
    """ASGI middleware that acts out the HTTP-level faults of a register around an application."""

    def __init__(self, app: ASGIApp, faults: Faults) -> None:
        """Wrap an application.

        Args:
            app: The application that would handle the requests.
            faults: The register to draw from.
        """
        self._app = app
        self._faults = faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request, or what the script makes of it. Requests under `/emulator/` are never disturbed."""
        if scope["type"] != "http" or not len(self._faults) or is_control(scope["path"]):
            await self._app(scope, receive, send)
            return
        authorization = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        acted = scope.get("extensions", {}).get(ACTED_EXTENSION)
        request = self._faults.request(scope["method"], scope["path"], authorization, acted)
        draw = self._faults.draw(request, byte_level=False)

        async def rest(scope: Scope, receive: Receive, send: Send) -> None:
            """Go on with the faults behind; a limit that lets the request in calls this in place of the application."""
            for fault, script in draw:
                exchange = _Exchange(self._faults, fault, script, request, scope, receive, send)
                if fault.kind is FaultKind.LATENCY:
                    await exchange.wait()
                elif not exchange.is_let_through():
                    await exchange.act(self._app, rest)
                    return
            await self._app(scope, receive, send)

        await rest(scope, receive, send)


@attrs.frozen
class _Exchange:
    """One request that one fault fired at."""

    faults: Faults
    fault: Fault
    script: Script
    request: Request
    scope: Scope
    receive: Receive
    send: Send

    async def wait(self) -> None:
        self.faults.record(self.fault, self.request)
        await asyncio.sleep((self.fault.seconds or 0.0) + self.script.random.random() * self.fault.jitter)

    def is_let_through(self) -> bool:
        """Whether a limit is not reached, so that the request goes on to the next fault."""
        return self.fault.kind is FaultKind.RATE_LIMIT and not self.script.is_over_rate(self.faults.now())

    async def act(self, app: ASGIApp, rest: ASGIApp) -> None:
        kind = self.fault.kind
        if kind is FaultKind.JWT_EXPIRY and self.faults.expire_tokens is not None:
            self.faults.record(self.fault, self.request)
            self.faults.expire_tokens()
            await rest(self.scope, self.receive, self.send)
        elif kind is FaultKind.CONCURRENCY_LIMIT:
            await self._limit(rest)
        elif kind is FaultKind.CAPACITY:
            await self._serve_in_turn(rest)
        elif kind is FaultKind.CONFLICT:
            await self._refuse_known(rest)
        elif kind is FaultKind.GARBAGE or kind is FaultKind.STORED_THEN_DROPPED:
            await self._handle_then_spoil(app)
        else:
            self.faults.record(self.fault, self.request)
            await self._answer()

    async def _limit(self, app: ASGIApp) -> None:
        if self.script.busy >= self.fault.limit:
            self.faults.record(self.fault, self.request)
            await self._answer()
            return
        self.script.busy += 1
        try:
            if self.fault.seconds:
                await asyncio.sleep(self.fault.seconds)
            await app(self.scope, self.receive, self.send)
        finally:
            self.script.busy -= 1

    async def _serve_in_turn(self, app: ASGIApp) -> None:
        if self.script.turns is None:
            self.script.turns = asyncio.Semaphore(int(self.fault.limit))
        self.faults.record(self.fault, self.request)
        async with self.script.turns:
            await asyncio.sleep(self.fault.seconds or 0.0)
            await app(self.scope, self.receive, self.send)

    async def _refuse_known(self, app: ASGIApp) -> None:
        """Answer 409 to a body that was handled before; else hand it on, and remember it if it is handled with success."""
        body = b""
        message: Message = {"more_body": True}
        while message.get("more_body"):
            message = await self.receive()
            body += message.get("body", b"")
        digest = hashlib.sha256(body).digest()
        if digest in self.script.known:
            self.faults.record(self.fault, self.request)
            await self._send(409)
            return
        waiting = [{"type": "http.request", "body": body, "more_body": False}]

        async def replay() -> Message:
            return waiting.pop() if waiting else await self.receive()

        async def note(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] < 300:
                self.script.known.add(digest)
            await self.send(message)

        await app(self.scope, replay, note)

    async def _answer(self) -> None:
        if not self.fault.early:
            while (await self.receive()).get("more_body", False):
                pass
        await self._send(401 if self.fault.kind is FaultKind.JWT_EXPIRY else self.fault.answer_status)

    async def _send(self, status: int) -> None:
        body, content_type = _body(self.fault, status)
        length = b"%d" % len(body)
        headers = [(b"content-type", content_type), (b"content-length", length), *_retry_after(self.fault)]
        await self.send({"type": "http.response.start", "status": status, "headers": headers})
        await self.send({"type": "http.response.body", "body": body})

    async def _handle_then_spoil(self, app: ASGIApp) -> None:
        """Let the application handle the request, keep its answer back, and send the scripted one."""
        answer: list[Message] = []

        async def keep(message: Message) -> None:
            answer.append(message)

        await app(self.scope, self.receive, keep)
        self.faults.record(self.fault, self.request)
        status = answer[0]["status"] if answer else 500
        body = b"".join(message.get("body", b"") for message in answer[1:])
        abort = self.scope.get("extensions", {}).get(ABORT_EXTENSION)
        if self.fault.kind is FaultKind.STORED_THEN_DROPPED and abort is not None:
            abort()
            # Else uvicorn reports, as an error of ours, that there was no answer.
            while (await self.receive())["type"] != "http.disconnect":
                pass
            return
        body = body[: len(body) // 2]
        # In another server, the nearest to a cut that ASGI allows: a head that promises a body that never comes.
        is_cut = self.fault.kind is FaultKind.STORED_THEN_DROPPED
        length = len(body) + 1 if is_cut else len(body)
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % length)]
        await self.send({"type": "http.response.start", "status": status, "headers": headers})
        if not is_cut:
            await self.send({"type": "http.response.body", "body": body})


def _body(fault: Fault, status: int) -> tuple[bytes, bytes]:
    if fault.kind is FaultKind.HTML:
        return (HTML if fault.body is None else fault.body.encode()), b"text/html"
    if fault.body is not None:
        return fault.body.encode(), b"application/json"
    return orjson.dumps({"detail": f"scripted fault {fault.kind.value} {status}"}), b"application/json"


def _retry_after(fault: Fault) -> list[tuple[bytes, bytes]]:
    if fault.retry_after is None:
        return []
    if fault.retry_after_form == "ms":
        return [(b"retry-after-ms", b"%d" % round(fault.retry_after * 1000))]
    if fault.retry_after_form == "date":
        # Whole seconds only: rounded up, so that the date is never earlier than asked for.
        when = email.utils.formatdate(int(time.time() + fault.retry_after + 0.999), usegmt=True)
        return [(b"retry-after", when.encode())]
    seconds = fault.retry_after
    return [(b"retry-after", (b"%d" % seconds) if seconds == int(seconds) else str(seconds).encode())]
