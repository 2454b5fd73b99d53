"""CPU of sources per frame, beside OpenCV's `VideoCapture` and `imencode` at the same quality, interleaved in one process.

Claims: decoding H.264 to JPEG with the right colours costs at most what OpenCV costs; MJPEG that is passed on costs a tenth of it;
a COCO file of 100,000 results is read in one pass whose memory does not grow after the file is loaded; a folder of 100,000 files
takes less than 64 MiB, and gives its first image within 200 ms. Everything is made here.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

QUALITY = 90
SIZES = {"h264-360p": (640, 360), "h264-720p": (1280, 720), "h264-1080p": (1920, 1080), "mjpeg-720p": (1280, 720)}
SCENARIOS = [*SIZES, "folder", "large-folder", "coco"]
LINKS_MAX = 10_000
"""Links to one file: file systems have a limit."""


def run(only: list[str], *, rounds: int, seed: int, frames: int = 100) -> dict[str, Any]:
    result = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in only or SCENARIOS:
            if name in SIZES:
                clip = made_clip(
                    Path(folder) / f"{name}.{'avi' if name.startswith('mjpeg') else 'mp4'}", name, frames, seed
                )
                result[name] = compared(
                    name, {"ours": lambda c=clip: ours(c), "opencv": lambda c=clip: opencv(c)}, rounds
                )
            elif name == "folder":
                root = made_folder(Path(folder) / "images", 20 * frames)
                result[name] = compared(
                    name, {"ours": lambda r=root: listed(r), "opencv": lambda r=root: read_all(r)}, rounds
                )
            elif name == "large-folder":
                result[name] = large_folder(made_folder(Path(folder) / "many", 1000 * frames), rounds)
            else:
                result[name] = coco(Path(folder) / "coco", 1000 * frames, 20 * frames)
    return result


def compared(name: str, arms: dict[str, Callable[[], int]], rounds: int) -> dict[str, Any]:
    costs: dict[str, list[float]] = {arm: [] for arm in arms}
    for _ in range(rounds):
        for arm, work in arms.items():
            begun = time.process_time()
            count = work()
            costs[arm].append((time.process_time() - begun) / count * 1000)
    found = {arm: statistics.median(one) for arm, one in costs.items()}
    ratio = statistics.median(a / b for a, b in zip(costs["ours"], costs["opencv"], strict=True))
    print(f"{name:12} ours {found['ours']:.3f} ms, OpenCV {found['opencv']:.3f} ms of CPU a frame; ratio {ratio:.2f}")
    return {"cpu_ms": found, "ratio": ratio, "rounds": rounds}


def made_clip(path: Path, name: str, frames: int, seed: int) -> Path:
    """A scene of blurred noise that moves: neither flat, which would flatter the encoder, nor noise, which no camera sends."""
    import av
    import cv2
    import numpy as np

    width, height = SIZES[name]
    scene = np.random.default_rng(seed).integers(0, 255, (height // 8 + 40, width // 8 + 40, 3), np.uint8)
    scene = cv2.resize(scene, ((width // 8 + 40) * 8, (height // 8 + 40) * 8), interpolation=cv2.INTER_CUBIC)
    codec = "mjpeg" if name.startswith("mjpeg") else "libx264"
    with av.open(str(path), "w") as container:
        stream = container.add_stream(
            codec, rate=25, options={"preset": "veryfast", "crf": "23"} if codec != "mjpeg" else {}
        )
        stream.width, stream.height = width, height
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        if codec == "mjpeg":
            stream.bit_rate = 40_000_000
        for number in range(frames):
            x, y = number * 3 % 320, number * 2 % 320
            picture = np.ascontiguousarray(scene[y : y + height, x : x + width])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        container.mux(stream.encode())
    return path


def ours(path: Path) -> int:
    from picsellia_async.sources import video

    async def count() -> int:
        return sum([1 async for _ in video(path, quality=QUALITY)])

    return asyncio.run(count())


def opencv(path: Path) -> int:
    import cv2

    capture, count = cv2.VideoCapture(str(path)), 0
    while True:
        good, picture = capture.read()
        if not good:
            return count
        cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes()
        count += 1


def made_folder(root: Path, count: int) -> Path:
    import cv2
    import numpy as np

    root.mkdir(parents=True)
    first = root / "0000000.jpg"
    cv2.imwrite(str(first), np.full((480, 640, 3), 90, np.uint8))
    for number in range(1, count):
        path = root / f"{number:07d}.jpg"
        if number % LINKS_MAX:
            os.link(first, path)
        else:
            path.write_bytes(first.read_bytes())
            first = path
    return root


def listed(root: Path) -> int:
    from picsellia_async.sources import directory

    async def count() -> int:
        return sum([1 async for _ in directory(root)])

    return asyncio.run(count())


def read_all(root: Path) -> int:
    """What a script with OpenCV does for the size of an image."""
    import cv2

    count = 0
    for path in sorted(root.iterdir()):
        cv2.imread(str(path)).shape  # noqa: B018 - the size is the point
        count += 1
    return count


def large_folder(root: Path, rounds: int) -> dict[str, Any]:
    """Each round in a process of its own, since memory that was taken once is seldom given back."""
    found = []
    for _ in range(rounds):
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            found.append(pool.submit(read_large, root).result())
    middle = {name: statistics.median(one[name] for one in found) for name in found[0]}
    print(
        f"large folder {middle['images']} images: first after {middle['first_ms']:.0f} ms, {middle['first_cpu_ms']:.0f} ms of CPU; "
        f"{middle['mib_above_import']:.1f} MiB above import; {middle['cpu_ms']:.4f} ms of CPU an image"
    )
    return {**middle, "rounds": rounds}


def read_large(root: Path) -> dict[str, float]:
    from picsellia_async.sources import directory

    async def read() -> dict[str, float]:
        await asyncio.to_thread(int)  # the first thread of a process is no part of it
        imported, begun, begun_cpu = resident_kib(), time.perf_counter(), time.process_time()
        first = first_cpu = count = 0
        async for _ in directory(root):
            if not count:
                first, first_cpu = time.perf_counter() - begun, time.process_time() - begun_cpu
            count += 1
        return {
            "images": count, "first_ms": 1000 * first, "first_cpu_ms": 1000 * first_cpu,
            "mib_above_import": (peak_kib() - imported) / 1024, "cpu_ms": 1000 * (time.process_time() - begun_cpu) / count,
        }  # fmt: skip

    return asyncio.run(read())


def coco(root: Path, results: int, images: int) -> dict[str, Any]:
    from picsellia_async.sources import coco_results

    made_folder(root, images)
    path = root.parent / "results.json"
    one = {"category_id": 1, "bbox": [1.5, 2.5, 30.0, 40.0]}
    # Each result of an image has a score of its own: one that is there twice is refused.
    path.write_text(
        json.dumps([{"image_id": number % images, "score": (number + 1) / results, **one} for number in range(results)])
    )

    async def read() -> tuple[float, list[int], int]:
        begun, memory, count = time.process_time(), [], 0
        async for frame in coco_results(path, root, categories="indexes"):
            if count % (images // 10) == 0:
                memory.append(resident())
            count += len(frame.prediction.detection_boxes)
        return time.process_time() - begun, memory, count

    cpu, memory, count = asyncio.run(read())
    if count != results:
        raise AssertionError(f"{count} of {results} results were read")
    print(
        f"coco         {results} results of {images} images: {cpu / images * 1000:.3f} ms of CPU an image; resident "
        f"{memory[0]} MiB at the first image, {max(memory)} at most, {path.stat().st_size >> 20} MiB of JSON"
    )
    return {"cpu_ms": cpu / images * 1000, "resident_mib": memory, "results": results, "images": images}


def resident() -> int:
    return resident_kib() >> 10


def resident_kib() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") >> 10


def peak_kib() -> int:
    """Of this program; what getrusage tells includes the process that started it."""
    with open("/proc/self/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM"))
