"""A service of the benchmarks that works on so many requests at once: further ones wait in its queue, or are refused.

    python -m benchmarks.seats [--times NAME] [--refuses] [--window COUNT]

prints one line of JSON with its address. `GET /seats/COUNT` gives it another number of seats; `GET /counts` tells what it did.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import sys
import time
from collections import deque
from collections.abc import Callable
from typing import Any, ClassVar

from benchmarks.sink import Counts, Sink

SECONDS = 0.05
"""Mean time of a request."""
TIMES: dict[str, Callable[[], float]] = {
    "constant": lambda: 1.0,
    "lognormal 0.6": lambda: random.lognormvariate(-(0.6**2) / 2, 0.6),
    "lognormal 1.0": lambda: random.lognormvariate(-0.5, 1.0),
    "exponential": lambda: random.expovariate(1.0),
    "bimodal": lambda: 0.5 if random.random() < 0.9 else 5.5,
}
"""Service times, as multiples of their mean."""
BUSY = (
    b"HTTP/1.1 503 Busy\r\nserver: seats\r\ncontent-type: application/json\r\n%bcontent-length: 19\r\n\r\n"
    b'{"detail": "busy" }'
)


class Seats(Sink):
    """One connection to the service; what all of them share stands at the class."""

    capacity = 20
    seconds = SECONDS
    times = "constant"
    refuses = False
    window = 0
    """Requests that are taken each second; 0: any number."""
    busy = 0
    worked = 0.0
    """Seconds for which seats were taken."""
    refused = 0
    begun = 0
    """When the window began, in whole seconds, and how many requests it took."""
    taken = 0
    queue: ClassVar[deque[Seats]] = deque()

    def answer(self) -> None:
        if not self.target.endswith(b"/predictions"):
            super().answer()
        elif Seats.window and not self.is_within_rate():
            Seats.refused += 1
            self.missing = 0
            self.transport.write(BUSY % b"retry-after: 1\r\n")
        elif Seats.busy < Seats.capacity:
            self.begin()
        elif Seats.refuses:
            Seats.refused += 1
            self.missing = 0
            self.transport.write(BUSY % b"")
        else:
            Seats.queue.append(self)

    def is_within_rate(self) -> bool:
        now = int(time.monotonic())
        if now != Seats.begun:
            Seats.begun, Seats.taken = now, 0
        is_within = Seats.taken < Seats.window
        Seats.taken += is_within
        return is_within

    def begin(self) -> None:
        Seats.busy += 1
        seconds = Seats.seconds * TIMES[Seats.times]()
        asyncio.get_running_loop().call_later(seconds, self.end, time.perf_counter())

    def end(self, since: float) -> None:
        Seats.worked += time.perf_counter() - since
        Seats.busy -= 1
        super().answer()
        while Seats.queue and Seats.busy < Seats.capacity:
            Seats.queue.popleft().begin()

    def other(self, target: str) -> Any:
        if target == "/counts":
            return {
                "served": self.counts.predictions,
                "refused": Seats.refused,
                "worked": Seats.worked,
                "at": time.perf_counter(),
            }
        if target.startswith("/seats/"):
            Seats.capacity = int(target.removeprefix("/seats/"))
        return super().other(target)


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--times", choices=TIMES, default="constant")
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--window", type=int, default=0)
    parser.add_argument("--refuses", action="store_true")
    options = parser.parse_args()
    Seats.times, Seats.refuses, Seats.seconds, Seats.window = (
        options.times,
        options.refuses,
        options.seconds,
        options.window,
    )
    base: list[str] = []
    counts = Counts()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Seats(counts, 0.0, base[0]), "127.0.0.1", 0)
    base.append(f"http://localhost:{server.sockets[0].getsockname()[1]}")
    print(json.dumps({"base": base[0], "pid": os.getpid()}), flush=True)
    await loop.run_in_executor(None, sys.stdin.read)  # until our parent goes


if __name__ == "__main__":
    asyncio.run(main())
