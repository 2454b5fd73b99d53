"""HTTP over a raw socket: what a client sees of an exchange, byte for byte."""

from __future__ import annotations

import asyncio

import attrs

MONITOR_PATH = "/api/deployment/1/predictions"


@attrs.frozen
class Seen:
    """What a raw client saw of one exchange."""

    answer: bytes
    error: type[BaseException] | None = None

    @property
    def status(self) -> int:
        return int(self.answer.split(b" ", 2)[1]) if self.answer else 0

    @property
    def head(self) -> bytes:
        return self.answer.partition(b"\r\n\r\n")[0].lower()

    @property
    def body(self) -> bytes:
        return self.answer.partition(b"\r\n\r\n")[2]


async def post(port: int, body: bytes = b"0123456789" * 100, path: str = MONITOR_PATH, close: bool = True) -> Seen:
    """Send one request over a connection of its own and read until the end of the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answer = b""
    try:
        connection = "close" if close else "keep-alive"
        writer.write(
            f"POST {path} HTTP/1.1\r\nHost: x\r\nConnection: {connection}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        await writer.drain()
        while data := await reader.read(65536):
            answer += data
    except (ConnectionError, BrokenPipeError) as error:
        return Seen(answer, type(error))
    finally:
        writer.transport.abort()
        await asyncio.sleep(0)  # the transport closes in the loop's next turn
    return Seen(answer)
