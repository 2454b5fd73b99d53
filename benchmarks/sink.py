"""The server of the benchmarks: a process of its own that takes frames, counts them, and answers.

It speaks just enough of the wire for the vendor's SDK and for ours to start (ping, organization, deployment, login) and to
monitor. It keeps nothing and checks nothing but the length, so that what is measured is the client.

    python -m benchmarks.sink [--delay SECONDS] [--tls-cert PEM --tls-key PEM] [--core N]

prints one line of JSON with its port.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import ssl
import sys
import time

DEPLOYMENT = "00000000-0000-4000-8000-000000000001"
ORGANIZATION = "00000000-0000-4000-8000-000000000002"
MODEL_VERSION = "00000000-0000-4000-8000-000000000003"


class Counts:
    predictions = 0
    octets = 0


class Sink(asyncio.BufferedProtocol):
    """One connection. Requests come one after the other, as HTTP/1.1 clients send them."""

    def __init__(self, counts: Counts, delay: float, base: str) -> None:
        self.counts = counts
        self.delay = delay
        self.base = base
        self.buffer = bytearray(1 << 18)
        self.view = memoryview(self.buffer)
        self.head = b""
        self.missing = 0
        self.size = 0
        self.target = b""

    def connection_made(self, transport) -> None:
        self.transport = transport

    def get_buffer(self, sizehint: int):
        return self.view

    def buffer_updated(self, nbytes: int) -> None:
        if self.missing:
            self.missing -= nbytes
            if self.missing <= 0:
                self.answer()
            return
        self.head += self.view[:nbytes]
        end = self.head.find(b"\r\n\r\n")
        if end < 0:
            return
        head, rest = self.head[:end], len(self.head) - end - 4
        self.head = b""
        self.target = head.split(b" ", 2)[1]
        self.size = length(head)
        self.missing = self.size - rest
        if b"100-continue" in head:
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if self.missing <= 0:
            self.answer()

    def answer(self) -> None:
        self.missing = 0
        if self.target.endswith(b"/predictions"):
            self.counts.predictions += 1
            self.counts.octets += self.size
            payload = b'{"id":"%032x"}' % self.counts.predictions
            data = reply(201, payload)
            if self.delay:
                asyncio.get_running_loop().call_later(self.delay, self.transport.write, data)
            else:
                self.transport.write(data)
        else:
            self.transport.write(reply(200, json.dumps(self.other(self.target.decode())).encode()))

    def other(self, target: str):
        path = target.partition("?")[0]
        if path == "/api/home/ping":
            return {"sdk_version": "6.37.0", "default_organization": ORGANIZATION, "username": "bench"}
        if path == f"/api/organization/{ORGANIZATION}":
            return {"id": ORGANIZATION, "name": "bench", "default_connector_id": None}
        if path.endswith(("/deployments/find", f"/deployment/{DEPLOYMENT}")):
            return {
                "id": DEPLOYMENT,
                "name": "bench",
                "type": "OBJECT_DETECTION",
                "oracle_host": self.base,
                "serving_host": None,
                "model_version_id": MODEL_VERSION,
            }
        if path.endswith(MODEL_VERSION):
            return {
                "id": MODEL_VERSION,
                "name": "bench",
                "version": 1,
                "type": "OBJECT_DETECTION",
                "framework": "ONNX",
                "labels": {str(index): f"label-{index}" for index in range(80)},
                "origin": {"id": MODEL_VERSION, "name": "bench", "private": True},
                "tags": [],
            }
        if path == "/api/auth/login":
            return {"jwt": "e30.e30.bench", "expires": 3600}
        if path == "/counts":
            return {"predictions": self.counts.predictions, "octets": self.counts.octets, "cpu": time.process_time()}
        return {}


def length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
        if name.lower() == b"transfer-encoding":
            raise ValueError("the sink takes no chunked bodies")
    return 0


def reply(status: int, payload: bytes) -> bytes:
    return (
        b"HTTP/1.1 %d OK\r\nserver: sink\r\ndate: Wed, 25 Nov 2026 00:00:00 GMT\r\n"
        b"content-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
    ) % (status, len(payload), payload)


async def main(options: argparse.Namespace) -> None:
    context = None
    if options.tls_cert:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(options.tls_cert, options.tls_key)
    counts = Counts()
    base = []
    server = await asyncio.get_running_loop().create_server(
        lambda: Sink(counts, options.delay, base[0]), "127.0.0.1", 0, ssl=context, backlog=4096
    )
    port = server.sockets[0].getsockname()[1]
    base.append(f"http{'s' if context else ''}://localhost:{port}")
    print(json.dumps({"base": base[0], "pid": os.getpid()}), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)  # until our parent goes


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--delay", type=float, default=0.0)
    parser.add_argument("--tls-cert")
    parser.add_argument("--tls-key")
    parser.add_argument("--core", type=int)
    return parser.parse_args()


if __name__ == "__main__":
    options = parse()
    if options.core is not None:
        os.sched_setaffinity(0, {options.core})
    asyncio.run(main(options))
