"""The uploader against bare `monitor_bytes` in tasks and against the vendor's SDK in a thread pool, in one run.

Claims: the uploader costs at most 1.15 times the CPU of bare `monitor_bytes` per frame at 100 KB with 32 in flight, and the whole at
most a fifth of the vendor's SDK. The rounds of the arms are interleaved, and the claim is about the median of the ratios round by
round, so that a busy machine slows both sides of a ratio. In the arm `ours-uploader-receipts` each task waits for its frame, which
is not what an uploader is for. Every arm sends the same frames; the sink's count equals the count sent.
"""

from __future__ import annotations

from statistics import median
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
        "uploader_of_bare": median(ratios(measured["ours-uploader"], measured["ours"])),
        "uploader_of_vendor": arms["ours-uploader"]["cpu_us"] / arms["vendor"]["cpu_us"],
    }
    show(name, result)
    print(f"uploader of bare: {result['uploader_of_bare']:.3f}; of the vendor's: {result['uploader_of_vendor']:.3f}")
    return result


def ratios(these: list[dict[str, Any]], those: list[dict[str, Any]]) -> list[float]:
    """Return CPU by CPU of rounds that followed each other."""
    return [cpu(one) / cpu(other) for one, other in zip(these, those, strict=True)]


def cpu(report: dict[str, Any]) -> float:
    return (report["user"] + report["system"]) / report["frames"]
