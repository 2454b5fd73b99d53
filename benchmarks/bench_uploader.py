"""The uploader against bare `monitor_bytes` in tasks and against the vendor's SDK in a thread pool, in one run.

Claims: the whole costs at most a fifth of the vendor's SDK, and at most 1.15 times bare `monitor_bytes` calls at 100 KB with 32 in flight.
The rounds of the arms are interleaved, and what is told is
the median of the ratios round by round, so that a busy machine slows both sides of a ratio. In the arm `ours-uploader-receipts` each task waits for its frame, which
is not what an uploader is for. `ours-sync-uploader` is plain code that submits from a thread: at most 1.6 times the uploader. Every arm sends the same frames; the sink's count equals the count sent.
"""

from __future__ import annotations

from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import record
from benchmarks.bench_monitor import measure_rounds, now_of_before, ratios, show, summary
from benchmarks.processes import stage

ARMS = ["vendor", "ours", "ours-uploader", "ours-uploader-receipts", "ours-sync-uploader"]
SIZES = {"10KB x32": 10_000, "100KB x32": 100_000, "1MB x32": 1_000_000}
FLIGHT = 32


def run(only: list[str], *, rounds: int, seed: int, frames: int = 1500, against: Path | None = None) -> dict[str, Any]:
    return {name: scenario(name, rounds, seed, frames, against) for name in (only or SIZES)}


def scenario(name: str, rounds: int, seed: int, frames: int, against: Path | None) -> dict[str, Any]:
    frames = frames if SIZES[name] < 1_000_000 else max(1, frames // 8)
    with stage(ARMS, size=SIZES[name], flight=FLIGHT, seed=seed, against=against) as (sink, children):
        measured = measure_rounds(sink, children, rounds, frames, warm_up=max(FLIGHT, frames // 5), order={})
    arms = {arm: summary(reports) for arm, reports in measured.items()}
    all_ratios = ratios(measured["ours-uploader"], measured["ours"])
    result = {
        "settings": {"size": SIZES[name], "flight": FLIGHT, "frames": frames, "rounds": rounds},
        "run": record.moment(against),
        "arms": arms,
        "uploader_of_bare": median(all_ratios),
        "uploader_of_bare_all": [round(ratio, 3) for ratio in all_ratios],
        "receipts_of_bare": median(ratios(measured["ours-uploader-receipts"], measured["ours"])),
        "sync_of_uploader": median(ratios(measured["ours-sync-uploader"], measured["ours-uploader"])),
        "uploader_of_vendor": arms["ours-uploader"]["cpu_us"] / arms["vendor"]["cpu_us"],
        "now_of_before": now_of_before(measured),
    }
    show(name, result)
    print(
        f"uploader of bare: {result['uploader_of_bare']:.3f} ({result['uploader_of_bare_all']}), with receipts "
        f"{result['receipts_of_bare']:.3f}; of the vendor's: {result['uploader_of_vendor']:.3f}; "
        f"from a thread of the uploader: {result['sync_of_uploader']:.3f}"
    )
    return result
