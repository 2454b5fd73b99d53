"""A peer that answers when it is told to, for tests of who waits for a connection."""

from __future__ import annotations

import asyncio

from .peers import TIMEOUTS, Wire


class Gate:
    """A script that answers when told to, and notes the order of requests."""

    def __init__(self) -> None:
        self.targets: list[bytes] = []
        self.go = asyncio.Semaphore(0)

    async def __call__(self, wire: Wire) -> None:
        while True:
            request = await wire.request()
            self.targets.append(request.target)
            wire.changed.set()
            await self.go.acquire()
            await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(request.target), request.target))

    def open(self) -> None:
        for _ in range(1000):
            self.go.release()


def ask(transport, peer, target: bytes = b"/"):
    return transport.exchange(peer.origin, b"GET", target, b"", None, TIMEOUTS)


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)
