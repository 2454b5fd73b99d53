"""A TCP proxy that obeys the byte-level faults, for servers that cannot be tapped from inside. The faults are `tap`'s."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

from picsellia_async.emulator.transport.byte_faults import Tap, reset
from picsellia_async.emulator.transport.faults import Faults


class _Upstream(asyncio.Protocol):
    """The proxy's connection to the server behind."""

    def __init__(self, client: _Downstream) -> None:
        self._client = client

    def data_received(self, data: bytes) -> None:
        if self._client.tap is not None:
            self._client.tap.written(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._client.server_lost(exc)

    def pause_writing(self) -> None:
        if self._client.tap is not None:
            self._client.tap.pause_reading()

    def resume_writing(self) -> None:
        if self._client.tap is not None:
            self._client.tap.resume_reading()


class _Downstream(asyncio.Protocol):
    """The proxy's connection to a client."""

    def __init__(self, proxy: FaultProxy) -> None:
        self._proxy = proxy
        self.tap: Tap | None = None
        self._upstream: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]
        self._transport.pause_reading()
        self._proxy.track(self, asyncio.ensure_future(self._connect()))

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            upstream, _ = await loop.create_connection(lambda: _Upstream(self), *self._proxy.upstream)
        except OSError:
            reset(self._transport)
            return
        if self._transport.is_closing():
            upstream.abort()
            return
        self._upstream = upstream
        self.tap = Tap(self._proxy.faults, self._transport, upstream.write)
        self._transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        if self.tap is not None:
            self.tap.received(data)

    def pause_writing(self) -> None:
        if self._upstream is not None:
            self._upstream.pause_reading()

    def resume_writing(self) -> None:
        if self._upstream is not None and not self._upstream.is_closing():
            self._upstream.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._proxy.forget(self)
        if self.tap is not None:
            self.tap.end()
        if self._upstream is not None:
            self._upstream.abort()

    def server_lost(self, exc: Exception | None) -> None:
        if exc is not None:
            reset(self._transport)
        elif self.tap is not None:
            self.tap.close()

    def abort(self) -> None:
        reset(self._transport)


class FaultProxy:
    """A TCP proxy on 127.0.0.1 that obeys the byte-level faults, for servers that cannot be tapped from inside."""

    def __init__(self, upstream_host: str, upstream_port: int, faults: Faults, *, port: int = 0) -> None:
        """Store the settings; `async with` starts and stops it.

        Args:
            upstream_host: Server behind.
            upstream_port: Its port.
            faults: The register to draw from.
            port: Port to listen on; 0 takes a free one.
        """
        self.faults = faults
        self.upstream: tuple[str, int] = (upstream_host, upstream_port)
        self.port: int = port
        self._server: asyncio.Server | None = None
        self._open: dict[_Downstream, asyncio.Future[None]] = {}

    @property
    def url(self) -> str:
        """Address that clients use instead of the server's."""
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        """Listen."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Downstream(self), "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop listening and reset every connection."""
        if self._server is None:
            return
        self._server.close()
        connecting = list(self._open.values())
        for connection in list(self._open):
            connection.abort()
        for task in connecting:
            task.cancel()
        await asyncio.gather(*connecting, return_exceptions=True)
        await self._server.wait_closed()

    def track(self, connection: _Downstream, connecting: asyncio.Future[None]) -> None:
        """Remember an open connection and the task that connects it to the server."""
        self._open[connection] = connecting

    def forget(self, connection: _Downstream) -> None:
        """Forget a connection that is gone."""
        self._open.pop(connection, None)
