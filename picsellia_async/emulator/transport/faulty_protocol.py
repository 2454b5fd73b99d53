"""uvicorn's HTTP protocol with byte-level faults, and with the platform's verb XGET, which httptools does not know.

While no byte-level fault is scripted, a connection has no `FaultyConnection` at all: the price is one attribute read per piece of data.
Once one is scripted, a connection gets its own where its next request begins, and loses it between two requests after the script was
cleared.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from picsellia_async.emulator.transport.byte_faults import FaultyConnection, reset
from picsellia_async.emulator.transport.fault_register import Faults

ABORT_EXTENSION: Final = "picsellia_async.abort"
"""Key in the ASGI scope's `extensions`: a function without arguments that resets the connection."""

ACTED_EXTENSION: Final = "picsellia_async.acted"
"""Key in the ASGI scope's `extensions`: the list of the ids of the faults that acted on the request, which grows as they do."""

_STANDS_FOR_XGET: Final = b"REPORT"
"""A verb that httptools knows and that nobody sends here."""


class _Transport:
    """The transport that the server sees: goes through the faulty connection while there is one."""

    def __init__(self, link: asyncio.Transport) -> None:
        self.link = link
        self.faulty: FaultyConnection | None = None

    def write(self, data: bytes) -> None:
        if self.faulty is None:
            self.link.write(data)
        else:
            self.faulty.written(data)

    def writelines(self, pieces: list[bytes]) -> None:
        self.write(b"".join(pieces))

    def close(self) -> None:
        (self.faulty or self.link).close()

    def pause_reading(self) -> None:
        (self.faulty or self.link).pause_reading()

    def resume_reading(self) -> None:
        (self.faulty or self.link).resume_reading()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.link, name)


def faulty_protocol(faults: Faults) -> type[HttpToolsProtocol]:  # noqa: C901 - a class of short methods
    """Return a class for uvicorn's `Config(http=...)` whose connections obey the byte-level faults.

    Args:
        faults: The register to draw from; may be changed while the server runs.
    """

    class FaultyProtocol(HttpToolsProtocol):
        """uvicorn's protocol over a transport that may be faulty."""

        _is_idle = True
        _seen: _Transport

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self._seen = _Transport(transport)  # type: ignore[arg-type] # always a full transport here
            super().connection_made(self._seen)  # type: ignore[arg-type]
            # uvicorn writes access lines once anybody, pytest say, has put a handler on its logger: they have the whole query,
            # and so the signatures of presigned addresses. The journal tells what came, without them.
            self.access_log = False

        def data_received(self, data: bytes) -> None:
            # Only where a request begins: put in between, it would take the middle of a body for a head.
            if self._seen.faulty is None and faults.has_byte_level and self._is_idle:
                self._seen.faulty = FaultyConnection(faults, self._seen.link, self._parse)
            self._is_idle = False
            if self._seen.faulty is None:
                self._parse(data)
            else:
                self._seen.faulty.received(data)

        def _parse(self, data: bytes) -> None:
            # XGET is a verb of the platform (docs/wire.md#long-lists). A request line begins a piece of data: nobody pipelines.
            super().data_received(_STANDS_FOR_XGET + data[4:] if data.startswith(b"XGET /") else data)

        def on_headers_complete(self) -> None:
            super().on_headers_complete()
            if self.scope["method"] == _STANDS_FOR_XGET.decode():
                self.scope["method"] = "XGET"

        def on_message_begin(self) -> None:
            super().on_message_begin()
            link = self._seen.link
            faulty = self._seen.faulty
            acted: list[str] = [] if faulty is None else faulty.acted
            extensions: dict[Any, Any] = {ABORT_EXTENSION: lambda: reset(link), ACTED_EXTENSION: acted}
            self.scope["extensions"] = extensions

        def on_response_complete(self) -> None:
            super().on_response_complete()
            self._is_idle = not self.pipeline
            faulty = self._seen.faulty
            if faulty is not None and not faults.has_byte_level and faulty.is_between_requests:
                self._seen.faulty = None

        def connection_lost(self, exc: Exception | None) -> None:
            # Timers of a stall or drip would otherwise fire on a closed transport, and keep the connection in memory until then.
            if self._seen.faulty is not None:
                self._seen.faulty.end()
            super().connection_lost(exc)

        def shutdown(self) -> None:
            if self._seen.faulty is not None and self._seen.faulty.is_holding:
                self._seen.faulty.abort()  # a stall has no end of its own; the server's has come
                return
            super().shutdown()

    return FaultyProtocol
