"""The uploader against bare `monitor_bytes` in tasks and against the vendor's SDK in a thread pool, in one run.

Claims: the uploader costs at most 25 % of CPU per frame over bare `monitor_bytes` at 100 KB, and the whole at most a fifth of the
vendor's SDK. In the arm `ours-uploader-receipts` each task waits for its frame, which is not what an uploader is for. Every arm sends the same frames; the sink's count equals the count sent.
"""

from __future__ import annotations

from typing import Any

from benchmarks.bench_monitor import measure, show, summary
from benchmarks.processes import stage

ARMS = ["vendor", "ours", "ours-uploader", "ours-uploader-receipts"]
SIZES = {"10KB x32": 10_000, "100KB x32": 100_000, "1MB x32": 1_000_000}
FLIGHT = 32


def run(only: list[str], *, rounds: int, seed: int, frames: int = 1500) -> dict[str, Any]:
    return {name: scenario(name, rounds, seed, frames) for name in (only or SIZES)}


def scenario(name: str, rounds: int, seed: int, frames: int) -> dict[str, Any]:
    frames = frames if SIZES[name] < 1_000_000 else max(1, frames // 8)
    with stage(ARMS, size=SIZES[name], flight=FLIGHT, seed=seed) as (sink, children):
        for arm, child in children.items():
            measure(sink, arm, child, max(FLIGHT, frames // 5), {})
        measured: dict[str, list[dict[str, Any]]] = {arm: [] for arm in children}
        for _ in range(rounds):
            for arm, child in children.items():
                measured[arm].append(measure(sink, arm, child, frames, {}))
    arms = {arm: summary(reports) for arm, reports in measured.items()}
    result = {
        "settings": {"size": SIZES[name], "flight": FLIGHT, "frames": frames, "rounds": rounds},
        "arms": arms,
        "uploader_over_bare": arms["ours-uploader"]["cpu_us"] / arms["ours"]["cpu_us"] - 1,
        "uploader_of_vendor": arms["ours-uploader"]["cpu_us"] / arms["vendor"]["cpu_us"],
    }
    show(name, result)
    print(
        f"uploader over bare: {result['uploader_over_bare']:+.1%}; of the vendor's: {result['uploader_of_vendor']:.3f}"
    )
    return result
