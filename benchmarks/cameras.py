"""Ten minutes of four RTSP cameras over UDP that lose packets, are restarted twice and freeze once: do the promises hold?

    python -m benchmarks.cameras [--seconds 600] [--loss 0.03] [--json FILE]

Exit code 1 where one does not: frames come to the end, each is in one count, memory is flat, and a frame is at most two frame times
old when it is handed over. Its age is taken from the stream's own clock, which pictures that came whole tie to the clock of
this machine: a picture whose losses are concealed shows an older code than its own, and is counted. A run with `--loss 0` tells what
the loss costs. On a machine that others use, `nice -n -15` measures the camera and not them.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from array import array
from contextlib import aclosing
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks import record

PORT = 18554
STREAMS = ("h264-25", "h264-5", "jpeg-25", "jpeg-5")
RESTARTS, FREEZE = (0.4, 0.7), 0.15
"""When, as shares of the run."""
FREEZE_SECONDS = 15.0
RESTART_SECONDS = 5.0
CODE_SECONDS_MAX = 10.0
"""By which a code may be off and still be one."""
MIB_GROWN_MAX = 16
"""From the end of the first tenth on."""
BUSY_SHARE = 0.2
"""Share of the time for which threads wait, from which on ages say more of the machine than of the camera."""
CODE_ROWS, CELL, BITS = 32, 14, 44
NETWORK_SECONDS = 0.02
"""What encoder, kernel and scheduler may take on this machine."""


class Server:
    """The RTSP server, in a process of the Python that has GStreamer."""

    def __init__(self, loss: float) -> None:
        self.loss = loss
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            [
                os.environ.get("GSTREAMER_PYTHON", "/usr/bin/python3"),
                Path(__file__).with_name("rtsp_server.py"),
                str(PORT),
                str(self.loss),
            ],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
        )  # fmt: skip
        if self.process.stdout.readline() != "ready\n":
            raise SystemExit(
                "the server did not start: is GStreamer's RTSP server installed? See benchmarks/rtsp_server.py"
            )

    def freeze(self, seconds: float) -> None:
        print("freeze", seconds, file=self.process.stdin)

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


class Watch:
    """One camera and what was seen of it."""

    def __init__(self, name: str) -> None:
        from picsellia_async import RetryPolicy
        from picsellia_async.sources import camera

        self.name, self.rate = name, int(name.split("-")[1])
        self.camera = camera(
            f"rtsp://127.0.0.1:{PORT}/{name}",
            options={"rtsp_transport": "udp"},
            timeout=5,
            reconnect=RetryPolicy(attempts=2**31, total=None, backoff_initial=0.5, backoff_max=2),
        )
        self.seen = array("d")
        """Of each frame: connection, moment of the handing over, timestamp, position, the moment that its code tells, and its mark.

        Bare numbers: what is noted of the frames must not look like a growth of the camera's memory."""

    async def read(self) -> None:
        async with self.camera, aclosing(aiter(self.camera)) as images:
            async for image in images:
                now = time.time()
                connection = self.camera.statistics().connects
                self.seen.extend(
                    (connection, now, image.timestamp, image.position, code(image.image), image.is_corrupted)
                )

    def found(self) -> dict[str, Any]:
        ages, ways, concealed, unmarked = [], [], 0, 0
        seen = list(zip(*[iter(self.seen)] * 6, strict=True))
        for connection in {one[0] for one in seen}:
            frames = [one for one in seen if one[0] == connection]
            # What a damaged picture shows is older than itself, or nonsense; most of those that show a time are whole.
            offsets = [told - position for _, now, _, position, told, _ in frames if abs(now - told) < CODE_SECONDS_MAX]
            if not offsets:
                continue
            offset = statistics.median(offsets)
            marks = [
                mark for _, _, _, position, told, mark in frames if abs(told - position - offset) > 0.5 / self.rate
            ]
            concealed += len(marks)
            unmarked += marks.count(0.0)
            ages += [now - position - offset for _, now, _, position, *_ in frames]
            ways += [stamp - position - offset for _, _, stamp, position, *_ in frames]
        counts = self.camera.statistics()
        moments = [one[1] for one in seen]
        return {
            "frames": len(seen),
            "concealed": concealed,
            "concealed_unmarked": unmarked,
            "age": quantiles(ages),
            "timestamp_error": quantiles(ways),
            "longest_gap": max(b - a for a, b in pairwise(moments)),
            "last_frame": moments[-1],
            "received": counts.received,
            "taken": counts.taken,
            "dropped": counts.dropped_by_reason,
            "damaged": counts.damaged,
            "corrupted": counts.corrupted,
            "connects": counts.connects,
            "failures": counts.failures,
            "balances": counts.received == counts.taken + counts.buffered + counts.dropped,
        }


def quantiles(values: list[float]) -> dict[str, float]:
    ordered = sorted(values)
    return {
        f"p{share}": round(ordered[min(len(ordered) - 1, len(ordered) * share // 100)], 4) for share in (50, 95, 99)
    }


def code(jpeg: bytes) -> float:
    """The epoch seconds in the picture's upper rows."""
    import simplejpeg

    rows = simplejpeg.decode_jpeg(jpeg, "GRAY")[CODE_ROWS // 4 : CODE_ROWS * 3 // 4]
    bits = [rows[:, bit * CELL + 4 : bit * CELL + 10].mean() > 120 for bit in range(BITS)]
    return sum(1 << bit for bit, one in enumerate(bits) if one) / 1000


def resident() -> float:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def waited() -> float:
    """Seconds that threads of this process waited for a processor: other processes' work, which ages frames too."""
    total = 0
    for thread in os.listdir("/proc/self/task"):
        try:
            with open(f"/proc/self/task/{thread}/schedstat", encoding="ascii") as file:
                total += int(file.read().split()[1])
        except OSError:
            continue
    return total / 1e9


async def watched(seconds: float, loss: float) -> dict[str, Any]:
    server = Server(loss)
    cameras = [Watch(name) for name in STREAMS]
    tasks = [asyncio.create_task(one.read()) for one in cameras]
    begun, memory, restarts, is_to_freeze = time.monotonic(), [], list(RESTARTS), True
    while (now := time.monotonic() - begun) < seconds:
        await asyncio.sleep(min(5.0, seconds - now))
        memory.append(round(resident(), 1))
        if is_to_freeze and now > FREEZE * seconds:
            is_to_freeze = False
            server.freeze(FREEZE_SECONDS)
        if restarts and now > restarts[0] * seconds:
            restarts.pop(0)
            server.stop()
            await asyncio.sleep(RESTART_SECONDS)
            await asyncio.to_thread(server.start)
    lateness, end = waited() / seconds, time.time()
    for one in cameras:
        await one.camera.aclose()
    await asyncio.gather(*tasks)
    server.stop()
    found = {one.name: one.found() for one in cameras}
    for one in found.values():
        one["still_live"] = end - one.pop("last_frame") < 10
    return {
        "seconds": seconds, "loss": loss, "streams": found, "resident_mib": memory, "waited_for_cpu": round(lateness, 3),
    }  # fmt: skip


def broken(result: dict[str, Any]) -> list[str]:
    """The promises that did not hold."""
    found = []
    for name, one in result["streams"].items():
        rate = int(name.split("-")[1])
        limit = 2 / rate + NETWORK_SECONDS
        for share in ("p50", "p95"):
            if one["age"][share] > limit:
                found.append(f"{name}: age {share} {one['age'][share]:.3f} s, promised {limit:.3f}")
        if not one["still_live"]:
            found.append(f"{name}: stopped before the end")
        if not one["balances"]:
            found.append(f"{name}: frames are in no count")
        if one["connects"] < 1 + len(RESTARTS):
            found.append(f"{name}: opened {one['connects']} times")
    memory = result["resident_mib"]
    grown = memory[-1] - memory[len(memory) // 10]
    if grown > MIB_GROWN_MAX:
        found.append(f"memory grew by {grown:.0f} MiB")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cameras")
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--loss", type=float, default=0.03)
    parser.add_argument("--json", type=Path, help="write the figures, with versions, machine and commit")
    options = parser.parse_args()
    result = asyncio.run(watched(options.seconds, options.loss))
    for name, one in result["streams"].items():
        print(name, json.dumps(one))
    memory = result["resident_mib"]
    print(f"memory {memory[len(memory) // 10]} MiB, at most {max(memory)}, at the end {memory[-1]}")
    print(f"threads waited {result['waited_for_cpu']:.1%} of the time for a processor")
    if options.json:
        record.write(options.json, {**record.facts(0), "cameras": result})
    failures = broken(result)
    print("\n".join(failures) or "all promises held")
    if failures and result["waited_for_cpu"] > BUSY_SHARE:
        print("other work kept the processors: what it added to the ages is not the camera's; try `nice -n -15`")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
