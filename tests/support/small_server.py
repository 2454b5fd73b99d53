"""A small server over real TCP whose connections and answers obey scripted faults."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import attrs
import orjson
import uvicorn

from picsellia_async.emulator.transport.fault_middleware import FaultMiddleware
from picsellia_async.emulator.transport.fault_register import Faults
from picsellia_async.emulator.transport.faulty_protocol import faulty_protocol


@attrs.define
class SmallServer:
    """An ASGI application that keeps each request's body and answers 201."""

    faults: Faults
    port: int = 0
    bodies: list[bytes] = attrs.field(factory=list)
    paths: list[str] = attrs.field(factory=list)

    async def app(
        self, scope: Any, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
    ) -> None:
        """Read the whole body, keep it, answer."""
        body = b""
        while True:
            message = await receive()
            if message["type"] != "http.request":
                return
            body += message["body"]
            if not message.get("more_body"):
                break
        self.bodies.append(body)
        self.paths.append(scope["path"])
        answer = orjson.dumps({"id": len(self.bodies), "padding": "x" * 200})
        headers = [(b"content-length", b"%d" % len(answer)), (b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 201, "headers": headers})
        await send({"type": "http.response.body", "body": answer})


@asynccontextmanager
async def serve(app: Any, **config: Any) -> AsyncIterator[int]:
    """Serve an ASGI application on a free port of 127.0.0.1 and yield the port."""
    listener = socket.create_server(("127.0.0.1", 0))
    settings = uvicorn.Config(
        app, log_level="error", lifespan="off", loop="asyncio", timeout_graceful_shutdown=1, **config
    )
    server = uvicorn.Server(settings)
    task = asyncio.create_task(server._serve([listener]))
    while not server.started:  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0.005)
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        await task
        listener.close()


@asynccontextmanager
async def serve_with_faults() -> AsyncIterator[SmallServer]:
    """Serve a small server with an empty register of faults."""
    small = SmallServer(Faults())
    async with serve(FaultMiddleware(small.app, small.faults), http=faulty_protocol(small.faults)) as port:
        small.port = port
        yield small
