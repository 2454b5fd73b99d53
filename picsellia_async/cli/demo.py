"""`picsellia-async demo`: the main job on the embedded emulator, with real vision.

A pipeline whose source is a clip or frames that it draws itself, and whose model finds what moves in them. Every frame is monitored
over a real socket; then the emulator is asked what arrived, and that is compared, by number and SHA-256, with what was read.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import statistics
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import anyio
import anyio.to_thread
import attrs

from picsellia_async._delivery.outcomes import Delivered, Outcome
from picsellia_async._http.transport import FastTransport
from picsellia_async.cli.interrupts import run as run_interruptible
from picsellia_async.cli.motion import MotionDetector, images, open_cv
from picsellia_async.client import AsyncClient
from picsellia_async.deployment import AsyncDeployment
from picsellia_async.errors import ConfigurationError
from picsellia_async.pipeline import Pipeline
from picsellia_async.progress import ProgressBar
from picsellia_async.sources import Image

NAMES_SHOWN: Final = 5
"""Unreadable files that are named; all are counted."""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's arguments."""
    parser = commands.add_parser("demo", help="monitor a clip on the embedded emulator and show what arrived")
    parser.add_argument("--source", type=Path, metavar="VIDEO_OR_FOLDER", help="video file or folder of images")
    parser.add_argument("--frames", type=int, default=300, metavar="N", help="at most so many frames (default 300)")
    parser.add_argument("--concurrency", type=int, default=16, metavar="N", help="requests in flight (default 16)")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the demo; 0 where everything that was sent is stored, byte for byte."""
    for name in ("frames", "concurrency"):
        if getattr(arguments, name) < 1:
            raise ConfigurationError(f"--{name} must be at least 1, got {getattr(arguments, name)}")
    open_cv()
    emulator = _emulator()
    if arguments.source is None:
        print("no --source given: making moving frames of our own", file=sys.stderr)
    result = run_interruptible(_demo(emulator, arguments.source, arguments.frames, arguments.concurrency))
    if arguments.json:
        print(json.dumps(result))
    else:
        _print_table(result)
    return 0 if result["equal"] else 1


@attrs.define
class _Sent:
    """What was read and sent."""

    digests: Counter[str] = attrs.field(factory=Counter)
    """Of the images read."""
    boxes: int = 0
    bytes: int = 0
    seconds: list[float] = attrs.field(factory=list)
    """From acceptance to delivery, of each frame."""
    unreadable: list[Path] = attrs.field(factory=list)

    def count(self, outcome: Outcome) -> None:
        """Take note of a frame that was delivered."""
        if isinstance(outcome, Delivered):
            self.boxes += len(outcome.frame.prediction.detection_classes)
            self.seconds.append(outcome.seconds)


def _emulator() -> Any:
    """Return a new emulator; its import takes a while and is done before any loop runs."""
    try:
        from picsellia_async.emulator import Emulator  # noqa: PLC0415 - an extra, imported on use
    except ModuleNotFoundError as exc:
        raise ConfigurationError(str(exc)) from exc
    return Emulator()


async def _demo(emulator: Any, source: Path | None, frames: int, concurrency: int) -> dict[str, Any]:
    sent = _Sent()
    async with (
        emulator,
        # A transport of its own, since a proxy of the environment does not lead to this machine's own address.
        AsyncClient(
            emulator.api_token, emulator.organization_id, host=emulator.url, transport=FastTransport()
        ) as client,
    ):
        deployment = await client.get_deployment(emulator.deployment_name)
        started = time.perf_counter()
        with ProgressBar("monitoring", total=frames) as bar:
            await _monitor_all(deployment, source, frames, concurrency, sent, bar)
            # A clip may hold fewer frames than asked for; nobody knew before.
            bar.finish()
        seconds = time.perf_counter() - started
        stored = await _stored(emulator.url)
    if sent.unreadable:
        names = ", ".join(path.name for path in sent.unreadable[:NAMES_SHOWN])
        print(f"not readable as images, skipped ({len(sent.unreadable)}): {names}", file=sys.stderr)
    return _result(source, sent, stored, seconds)


async def _monitor_all(
    deployment: AsyncDeployment, source: Path | None, frames: int, concurrency: int, sent: _Sent, bar: ProgressBar
) -> None:
    def ended(outcome: Outcome) -> None:
        sent.count(outcome)
        bar.advance()

    # `main` turns Ctrl-C into exit code 130.
    async with Pipeline(
        {"demo": _images(source, frames, sent)}, MotionDetector(),
        deployment.uploader(concurrency=concurrency, on_outcome=ended), handle_signals=False,
    ) as pipeline:  # fmt: skip
        report = await pipeline.run()
    error = report.statistics.by_source["demo"].error
    if error is not None:
        raise error


async def _images(source: Path | None, frames: int, sent: _Sent) -> AsyncIterator[Image]:
    """Read and encode in a thread."""
    found = images(source, frames, sent.unreadable)
    # The loop asks the thread, never the other way round: a thread that asks a loop about to close waits for an answer that never comes,
    # and keeps the process from ending. Left at once when the run ends: the thread ends with its frame.
    while image := await anyio.to_thread.run_sync(next, found, None, abandon_on_cancel=True):
        if isinstance(image.image, bytes):
            sent.digests[hashlib.sha256(image.image).hexdigest()] += 1
            sent.bytes += len(image.image)
        yield image


async def _stored(url: str) -> dict[str, Any]:
    def fetch() -> dict[str, Any]:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"{url}/emulator/predictions") as response:
            answer: dict[str, Any] = json.load(response)
        return answer

    return await anyio.to_thread.run_sync(fetch)


def _result(source: Path | None, sent: _Sent, stored: dict[str, Any], seconds: float) -> dict[str, Any]:
    count = len(sent.seconds)
    digests = Counter(item["sha256"] for item in stored["items"])
    trips = sorted(sent.seconds)
    quantiles = statistics.quantiles(trips, n=100, method="inclusive") if len(trips) > 1 else trips * 99
    return {
        "source": str(source) if source else "own moving frames",
        "frames_sent": count,
        "frames_stored": stored["count"],
        "files_skipped": len(sent.unreadable),
        "boxes": sent.boxes,
        "image_bytes": sent.bytes,
        "seconds": round(seconds, 3),
        "frames_per_second": round(count / seconds, 1),
        "delivery_p50_ms": round(quantiles[49] * 1000, 2),
        "delivery_p95_ms": round(quantiles[94] * 1000, 2),
        "sha256_equal": digests == sent.digests,
        "equal": stored["count"] == count == sum(sent.digests.values()) > 0 and digests == sent.digests,
    }


def _print_table(result: dict[str, Any]) -> None:
    rows = [
        ("source", result["source"]),
        ("frames sent", result["frames_sent"]),
        ("frames stored", result["frames_stored"]),
        ("moving objects (boxes)", result["boxes"]),
        ("image bytes", f"{result['image_bytes']:,}"),
        ("seconds", result["seconds"]),
        ("frames per second", result["frames_per_second"]),
        ("delivery p50", f"{result['delivery_p50_ms']} ms"),
        ("delivery p95", f"{result['delivery_p95_ms']} ms"),
        ("SHA-256 of stored images", "equal" if result["sha256_equal"] else "DIFFERENT"),
        ("sent equals stored", "yes" if result["equal"] else "NO"),
    ]
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        print(f"{name:<{width}}  {value}")
