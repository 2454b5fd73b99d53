"""The arms: ways to send frames to the monitoring host. Each runs in a process of its own, driven over its stdin.

    python -m benchmarks.arms NAME --base URL --size BYTES --flight N [--core N]

reads lines of JSON (`{"frames": 1000}`), sends so many frames, and answers with a line of JSON: wall and CPU seconds,
latencies, peak memory. Arms that are no SDK build the body in the best way we know and read the answer with orjson.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import os
import random
import resource
import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import orjson
import pybase64

from benchmarks.sink import DEPLOYMENT

BOXES = [[10, 20, 110, 220], [30, 40, 230, 140], [50, 60, 90, 100]]
SCORES = [0.9, 0.8, 0.7]
CLASSES = [0, 1, 2]
PATH = f"/api/deployment/{DEPLOYMENT}/predictions"
TOKEN = "e30.e30.bench"


WIDTH, HEIGHT = 1920, 1080


def photo(size: int, seed: int) -> bytes:
    """Bytes that begin as a photo of `WIDTH` x `HEIGHT` does (JFIF, two quantisation tables, the size), go on as noise, and end as one."""
    jfif = b"\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"
    tables = b"".join(b"\xff\xdb\x00\x43%b" % bytes([number]).ljust(65, b"\x10") for number in range(2))
    channels = b"\x03\x01\x22\x00\x02\x11\x01\x03\x11\x01"
    frame = b"\xff\xc0\x00\x11\x08" + HEIGHT.to_bytes(2) + WIDTH.to_bytes(2) + channels
    head, end = b"\xff\xd8" + jfif + tables + frame + b"\xff\xda", b"\xff\xd9"
    return head + random.Random(seed).randbytes(size - len(head) - len(end)) + end


def metadata(number: int) -> dict:
    return {
        "filename": f"frame-{number}.jpg",
        "content_type": "IMAGE/JPEG",
        "height": HEIGHT,
        "width": WIDTH,
        "raw_predictions": {"detection_classes": CLASSES, "detection_boxes": BOXES, "detection_scores": SCORES},
        "latency": 0.02,
    }


def build(number: int, image: bytes) -> bytes:
    """The body, as a careful programmer builds it by hand: one pass over the image, one join."""
    return b"".join((orjson.dumps(metadata(number))[:-1], b',"image":"', pybase64.b64encode(image), b'"}'))


class Arm:
    """One way. `frame` sends one frame and returns the id that came back."""

    threads = 0

    def __init__(self, base: str, flight: int, image: bytes) -> None:
        self.base = base
        self.flight = flight
        self.image = image
        self.url = base + PATH
        self.headers = {"authorization": f"Bearer {TOKEN}", "content-type": "application/json"}

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def frame(self, number: int) -> str:
        raise NotImplementedError


class Body(Arm):
    """The floor: the body is built, nothing is sent."""

    async def frame(self, number: int) -> str:
        return str(len(build(number, self.image)))


class Wire(Arm):
    """The floor with the network: one blocking socket, one frame after the other, no event loop, nothing checked."""

    async def start(self) -> None:
        secured, _, place = self.base.partition("://")
        host, _, port = place.partition(":")
        self.sock = socket.create_connection((host, int(port)))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if secured == "https":
            self.sock = tls_context(self.base).wrap_socket(self.sock, server_hostname=host)
        lines = "".join(f"{name}: {value}\r\n" for name, value in {"host": place, **self.headers}.items())
        self.head = f"POST {PATH} HTTP/1.1\r\n{lines}content-length: ".encode()

    async def stop(self) -> None:
        self.sock.close()

    async def frame(self, number: int) -> str:
        body = build(number, self.image)
        self.sock.sendall(b"%b%d\r\n\r\n" % (self.head, len(body)))
        self.sock.sendall(body)
        answer = b""
        while not answer.endswith(b"}"):
            answer += self.sock.recv(1 << 16)
        return orjson.loads(answer.partition(b"\r\n\r\n")[2])["id"]


class Httpx(Arm):
    """Stock httpx."""

    def client(self):
        import httpx

        limits = httpx.Limits(max_connections=self.flight, max_keepalive_connections=self.flight)
        return httpx.AsyncClient(limits=limits, timeout=None)

    async def start(self) -> None:
        self.session = self.client()

    async def stop(self) -> None:
        await self.session.aclose()

    async def frame(self, number: int) -> str:
        response = await self.session.post(self.url, content=build(number, self.image), headers=self.headers)
        return orjson.loads(response.content)["id"]


class HttpxAiohttp(Httpx):
    """httpx over aiohttp, through `AsyncClient.post`."""

    def client(self):
        import httpx
        from httpx_aiohttp import HttpxAiohttpClient

        limits = httpx.Limits(max_connections=self.flight, max_keepalive_connections=self.flight)
        return HttpxAiohttpClient(limits=limits, timeout=None)


class HttpxAiohttpTransport(HttpxAiohttp):
    """The same, through the transport."""

    async def frame(self, number: int) -> str:
        return await through_transport(self, self.session._transport, number)


class OursHttpx(Httpx):
    """Our transport in httpx's client, through `AsyncClient.post`."""

    def client(self):
        import httpx

        from picsellia_async._http.transport import FastTransport

        return httpx.AsyncClient(
            transport=FastTransport(max_connections=self.flight, max_connections_per_host=self.flight), timeout=None
        )


class OursTransport(OursHttpx):
    """Our transport, through `handle_async_request`."""

    async def frame(self, number: int) -> str:
        return await through_transport(self, self.session._transport, number)


async def through_transport(arm: Arm, transport, number: int) -> str:
    import httpx

    request = httpx.Request("POST", arm.url, content=build(number, arm.image), headers=arm.headers)
    response = await transport.handle_async_request(request)
    try:
        return orjson.loads(await response.aread())["id"]
    finally:
        await response.aclose()


class OursExchange(Arm):
    """Our transport, below httpx's objects."""

    async def start(self) -> None:
        from picsellia_async._http.transport import FastTransport
        from picsellia_async._wire.exchange import Origin
        from picsellia_async.config import Timeouts

        self.transport = FastTransport(max_connections=self.flight, max_connections_per_host=self.flight)
        self.origin = Origin.parse(self.base)
        self.timeouts = Timeouts()
        self.lines = "".join(f"{name}: {value}\r\n" for name, value in self.headers.items()).encode()
        self.target = PATH.encode()

    async def stop(self) -> None:
        await self.transport.aclose()

    async def frame(self, number: int) -> str:
        body = build(number, self.image)
        answer = await self.transport.exchange(self.origin, b"POST", self.target, self.lines, body, self.timeouts)
        return orjson.loads(answer.content)["id"]


class Ours(Arm):
    """The public call: `deployment.monitor_bytes`."""

    async def start(self) -> None:
        import picsellia_async
        from picsellia_async.predictions import DetectionPredictionFormat

        self.client = picsellia_async.AsyncClient(
            "token", host=self.base, max_connections=self.flight, max_connections_per_host=self.flight
        )
        self.deployment = await self.client.get_deployment("bench")
        self.make = DetectionPredictionFormat

    async def stop(self) -> None:
        await self.client.aclose()

    async def frame(self, number: int) -> str:
        prediction = self.make(detection_classes=CLASSES, detection_boxes=BOXES, detection_scores=SCORES)
        answer = await self.deployment.monitor_bytes(
            self.image, "image/jpeg", f"frame-{number}.jpg", 0.02, HEIGHT, WIDTH, prediction
        )
        return answer["id"]


class OursUploaderReceipts(Ours):
    """The uploader, fed by as many tasks as there are requests in flight; each waits for its frame's outcome."""

    async def start(self) -> None:
        await super().start()
        from picsellia_async.frames import Frame

        self.frame_class = Frame
        self.latencies: list[float] = []
        self.uploader = self.deployment.uploader(concurrency=self.flight, **self.options())
        await self.uploader.__aenter__()

    def options(self) -> dict:
        return {}

    async def stop(self) -> None:
        await self.uploader.aclose()
        await super().stop()

    def make_frame(self, number: int):
        prediction = self.make(detection_classes=CLASSES, detection_boxes=BOXES, detection_scores=SCORES)
        return self.frame_class(
            image=self.image, filename=f"frame-{number}.jpg", width=WIDTH, height=HEIGHT, latency=0.02, prediction=prediction
        )  # fmt: skip

    async def frame(self, number: int) -> str:
        outcome = await (await self.uploader.submit(self.make_frame(number)))
        return outcome.receipt["id"]


class OursUploader(OursUploaderReceipts):
    """The uploader as it is used: frames are submitted as fast as it takes them, and flushed. It says itself how long each took."""

    def options(self) -> dict:
        return {"on_outcome": lambda outcome: self.latencies.append(outcome.seconds)}

    async def batch(self, frames: int, latencies: list[float]) -> None:
        self.latencies = latencies
        for number in range(frames):
            await self.uploader.submit(self.make_frame(number))
        if await self.uploader.flush() or len(latencies) != frames:
            raise RuntimeError("frames without outcome")


class OursSyncUploader(OursUploader):
    """The same from plain code: one thread submits as fast as it may, the uploader has a loop of its own in another."""

    threads = 1

    async def start(self) -> None:
        import picsellia_async
        from picsellia_async.predictions import DetectionPredictionFormat

        self.make, self.frame_class, self.latencies = DetectionPredictionFormat, picsellia_async.Frame, []
        self.uploader = picsellia_async.SyncUploader(
            "bench", api_token="token", host=self.base, max_connections=self.flight, max_connections_per_host=self.flight,
            concurrency=self.flight, **self.options()
        )  # fmt: skip
        self.uploader.open()

    async def stop(self) -> None:
        self.uploader.close()

    def batch_in_thread(self, frames: int, latencies: list[float]) -> None:
        self.latencies = latencies
        for number in range(frames):
            self.uploader.submit(self.make_frame(number))
        if self.uploader.flush() or len(latencies) != frames:
            raise RuntimeError("frames without outcome")


class Aiohttp(Arm):
    """aiohttp by hand."""

    async def start(self) -> None:
        import aiohttp

        connector = aiohttp.TCPConnector(limit=self.flight, ssl=tls_context(self.base))
        self.session = aiohttp.ClientSession(
            connector=connector, headers=self.headers, timeout=aiohttp.ClientTimeout(total=None)
        )

    async def stop(self) -> None:
        await self.session.close()

    async def frame(self, number: int) -> str:
        async with self.session.post(self.url, data=build(number, self.image)) as response:
            return orjson.loads(await response.read())["id"]


class Pyreqwest(Arm):
    """pyreqwest (Rust)."""

    async def start(self) -> None:
        from pyreqwest.client import ClientBuilder

        builder = ClientBuilder().max_connections(self.flight).http1_only().no_proxy()
        if os.environ.get("SSL_CERT_FILE"):
            authority = Path(os.environ["SSL_CERT_FILE"]).read_bytes()  # noqa: ASYNC240 - before the clock starts
            builder = builder.add_root_certificate_pem(authority)
        self.client = builder.build()
        await self.client.__aenter__()

    async def stop(self) -> None:
        await self.client.__aexit__(None, None, None)

    async def frame(self, number: int) -> str:
        request = self.client.post(self.url).headers(self.headers).body_bytes(build(number, self.image)).build()
        response = await request.send()
        return orjson.loads(bytes(await response.bytes()))["id"]


class Vendor(Arm):
    """The vendor's SDK, 6.37.0, with threads, and a pool as large."""

    threads = 1

    async def start(self) -> None:
        import logging

        logging.disable(logging.WARNING)
        from picsellia import Client
        from picsellia.types.schemas_prediction import DetectionPredictionFormat
        from requests.adapters import HTTPAdapter

        client = Client(api_token="token", host=self.base)
        self.deployment = client.get_deployment("bench")
        self.make = DetectionPredictionFormat
        session = self.deployment.oracle_connection.session
        for scheme in ("http://", "https://"):
            session.mount(scheme, HTTPAdapter(pool_connections=1, pool_maxsize=self.flight))

    def frame_in_thread(self, number: int) -> str:
        prediction = self.make(detection_classes=CLASSES, detection_boxes=BOXES, detection_scores=SCORES)
        return self.deployment.monitor_bytes(
            self.image, "image/jpeg", f"frame-{number}.jpg", 0.02, HEIGHT, WIDTH, prediction
        )["id"]


ARMS: dict[str, type[Arm]] = {
    "body": Body,
    "wire": Wire,
    "vendor": Vendor,
    "httpx": Httpx,
    "httpx-aiohttp": HttpxAiohttp,
    "httpx-aiohttp-transport": HttpxAiohttpTransport,
    "aiohttp": Aiohttp,
    "pyreqwest": Pyreqwest,
    "ours-httpx": OursHttpx,
    "ours-transport": OursTransport,
    "ours-exchange": OursExchange,
    "ours": Ours,
    "ours-uploader": OursUploader,
    "ours-uploader-receipts": OursUploaderReceipts,
    "ours-sync-uploader": OursSyncUploader,
}


def tls_context(base: str):
    if not base.startswith("https"):
        return False
    import httpx

    return httpx.create_ssl_context()


def cpu() -> tuple[float, float]:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime, usage.ru_stime


def peak_bytes() -> int:
    with open("/proc/self/status") as file:
        line = next(line for line in file if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def reset_peak() -> None:
    with contextlib.suppress(OSError), open("/proc/self/clear_refs", "w") as file:
        file.write("5")


async def round_async(arm: Arm, frames: int, *, lag: bool, rate: float) -> dict:
    numbers = iter(range(frames))
    latencies: list[float] = []

    async def worker() -> None:
        for number in numbers:
            begun = time.perf_counter()
            await arm.frame(number)
            latencies.append(time.perf_counter() - begun)

    probe = LagProbe()
    prober = asyncio.ensure_future(probe.run()) if lag else None
    if hasattr(arm, "batch"):
        await arm.batch(frames, latencies)
    elif rate:
        await paced(arm, frames, rate, latencies)
    else:
        await asyncio.gather(*[worker() for _ in range(min(arm.flight, frames))])
    if prober is not None:
        prober.cancel()
        return {"latencies": latencies, **probe.result()}
    return {"latencies": latencies}


async def paced(arm: Arm, frames: int, rate: float, latencies: list[float]) -> None:
    """Frames at a fixed rate, as cameras give them."""
    running = set()

    async def one(number: int) -> None:
        begun = time.perf_counter()
        await arm.frame(number)
        latencies.append(time.perf_counter() - begun)

    begin = time.perf_counter()
    for number in range(frames):
        await asyncio.sleep(max(0.0, begin + number / rate - time.perf_counter()))
        task = asyncio.ensure_future(one(number))
        running.add(task)
        task.add_done_callback(running.discard)
    await asyncio.gather(*running)


class LagProbe:
    """How much later than asked the event loop wakes a timer of 1 ms."""

    def __init__(self) -> None:
        self.lags: list[float] = []

    async def run(self) -> None:
        while True:
            begun = time.perf_counter()
            await asyncio.sleep(0.001)
            self.lags.append(time.perf_counter() - begun - 0.001)

    def result(self) -> dict:
        lags = sorted(self.lags)
        return {"lag_p99": lags[int(len(lags) * 0.99)], "lag_max": lags[-1], "lag_probes": len(lags)}


def round_threads(arm: Vendor, frames: int) -> dict:
    numbers = iter(range(frames))
    lock = threading.Lock()
    latencies: list[float] = []
    if hasattr(arm, "batch_in_thread"):
        arm.batch_in_thread(frames, latencies)
        return {"latencies": latencies}

    def worker() -> None:
        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            begun = time.perf_counter()
            arm.frame_in_thread(number)
            latencies.append(time.perf_counter() - begun)

    with ThreadPoolExecutor(arm.flight) as pool:
        for future in [pool.submit(worker) for _ in range(min(arm.flight, frames))]:
            future.result()
    return {"latencies": latencies}


async def serve(arm: Arm) -> None:
    loop = asyncio.get_running_loop()
    await arm.start()
    print(json.dumps({"ready": True}), flush=True)
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        order = json.loads(line)
        gc.collect()
        before_peak = resident()
        reset_peak()
        begun, (user, system) = time.perf_counter(), cpu()
        if arm.threads:
            measured = await loop.run_in_executor(None, round_threads, arm, order["frames"])
        else:
            measured = await round_async(arm, order["frames"], lag=order.get("lag", False), rate=order.get("rate", 0.0))
        wall, (user_after, system_after) = time.perf_counter() - begun, cpu()
        latencies = sorted(measured.pop("latencies"))
        report = {
            "frames": order["frames"],
            "wall": wall,
            "user": user_after - user,
            "system": system_after - system,
            "p50": latencies[len(latencies) // 2],
            "p99": latencies[int(len(latencies) * 0.99)],
            "resident_before": before_peak,
            "peak": peak_bytes(),
            **measured,
        }
        print(json.dumps(report), flush=True)
    await arm.stop()


def resident() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("arm", choices=ARMS)
    parser.add_argument("--base", required=True)
    parser.add_argument("--size", type=int, required=True)
    parser.add_argument("--flight", type=int, required=True)
    parser.add_argument("--core", type=int)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


if __name__ == "__main__":
    options = parse()
    if options.core is not None:
        os.sched_setaffinity(0, {options.core})
    image = photo(options.size, options.seed)
    asyncio.run(serve(ARMS[options.arm](options.base, options.flight, image)))
