"""Sending frames: CPU per frame, frames per second, latency, memory, loop lag, for every arm, in turns.

Supports the claims of docs/performance.md.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import record
from benchmarks.arms import ARMS
from benchmarks.processes import BEFORE, Child, Sink, stage, turns

FLOORS = ["body", "wire"]
ALL = [name for name in ARMS if name not in FLOORS]
FAST = ["aiohttp", "pyreqwest", "ours-transport", "ours-exchange", "ours"]
LAG = ["aiohttp", "pyreqwest", "ours"]

SCENARIOS: dict[str, dict[str, Any]] = {
    "100KB x32": {"size": 100_000, "flight": 32, "arms": [*FLOORS, *ALL], "frames": 1000},
    "100KB x32 TLS": {"size": 100_000, "flight": 32, "tls": True, "arms": [*FLOORS, *ALL], "frames": 600},
    "10KB x32": {"size": 10_000, "flight": 32, "arms": [*FLOORS, "vendor", *FAST], "frames": 1500},
    "10KB x1": {"size": 10_000, "flight": 1, "arms": [*FLOORS, "vendor", *FAST], "frames": 500},
    "100KB x1": {"size": 100_000, "flight": 1, "arms": [*FLOORS, "vendor", *FAST], "frames": 500},
    "1MB x32": {"size": 1_000_000, "flight": 32, "arms": [*FLOORS, "vendor", *FAST], "frames": 200},
    "1MB x32 TLS": {"size": 1_000_000, "flight": 32, "tls": True, "arms": [*FLOORS, "vendor", *FAST], "frames": 150},
    "5MB x8": {"size": 5_000_000, "flight": 8, "arms": [*FLOORS, "vendor", *FAST], "frames": 50},
    "5MB x1": {"size": 5_000_000, "flight": 1, "arms": [*FLOORS, "vendor", *FAST], "frames": 30},
    "100KB x32 20ms": {"size": 100_000, "flight": 32, "delay": 0.02, "arms": ["httpx", *FAST], "frames": 1000},
    "100KB x32 50ms": {"size": 100_000, "flight": 32, "delay": 0.05, "arms": ["httpx", *FAST], "frames": 1000},
    "100KB x256": {"size": 100_000, "flight": 256, "arms": ["httpx", *FAST], "frames": 600},
    "100KB x256 50ms": {"size": 100_000, "flight": 256, "delay": 0.05, "arms": FAST, "frames": 10240},
    "100KB x1000 50ms": {"size": 100_000, "flight": 1000, "delay": 0.05, "arms": FAST, "frames": 20000},
    "lag 200KB 300/s": {"size": 200_000, "flight": 32, "arms": LAG, "frames": 900, "rate": 300.0, "lag": True},
    "lag 5MB 10/s": {"size": 5_000_000, "flight": 8, "arms": LAG, "frames": 30, "rate": 10.0, "lag": True},
}


def run(
    only: list[str], *, rounds: int, seed: int, keep: Callable[[dict[str, Any]], None], against: Path | None = None
) -> dict[str, Any]:
    """Run scenarios; after each, `keep` gets all results so far."""
    results: dict[str, Any] = {}
    for name in only or SCENARIOS:
        results[name] = scenario(name, rounds=rounds, seed=seed, against=against)
        keep(results)
    return results


def scenario(name: str, *, rounds: int, seed: int, against: Path | None) -> dict[str, Any]:
    settings = dict(SCENARIOS[name])
    frames, order = settings.pop("frames"), {key: settings.pop(key) for key in ("rate", "lag") if key in settings}
    rounds = min(rounds, 3) if order else rounds
    with stage(**settings, seed=seed, against=against) as (sink, children):
        warm_up = max(settings["flight"] * 2, frames // 10)
        measured = measure_rounds(sink, children, rounds, frames, warm_up=warm_up, order=order)
    result = {
        "settings": {**SCENARIOS[name], "rounds": rounds},
        "run": record.moment(against),
        "arms": {a: summary(m) for a, m in measured.items()},
        "now_of_before": now_of_before(measured),
    }
    show(name, result)
    return result


def measure_rounds(
    sink: Sink, children: dict[str, Child], rounds: int, frames: int, *, warm_up: int, order: dict[str, Any]
) -> dict[str, list[dict[str, Any]]]:
    """Warm all (connections, caches, allocator), then let them take turns."""
    for arm, child in children.items():
        measure(sink, arm, child, warm_up, {})
    measured: dict[str, list[dict[str, Any]]] = {arm: [] for arm in children}
    for number in range(rounds):
        for arm, child in turns(children, number):
            measured[arm].append(measure(sink, arm, child, frames, order))
    return measured


def now_of_before(measured: dict[str, list[dict[str, Any]]]) -> dict[str, float]:
    """CPU of each arm as a multiple of its CPU in the other checkout, where one was given."""
    return {
        arm.removesuffix(BEFORE): statistics.median(ratios(measured[arm.removesuffix(BEFORE)], reports))
        for arm, reports in measured.items()
        if arm.endswith(BEFORE)
    }


def ratios(these: list[dict[str, Any]], those: list[dict[str, Any]]) -> list[float]:
    """CPU by CPU of rounds that followed each other."""
    return [cpu(one) / cpu(other) for one, other in zip(these, those, strict=True)]


def cpu(report: dict[str, Any]) -> float:
    return (report["user"] + report["system"]) / report["frames"]


def measure(sink: Sink, arm: str, child: Child, frames: int, order: dict[str, Any]) -> dict[str, Any]:
    before = sink.counts()
    report = child.ask(frames=frames, **order)
    after = sink.counts()
    report["server"] = after["cpu"] - before["cpu"]
    arrived = after["predictions"] - before["predictions"]
    if arm != "body" and arrived != frames:
        raise RuntimeError(f"{arm}: sent {frames} frames, {arrived} arrived")
    return report


def summary(reports: list[dict[str, Any]]) -> dict[str, Any]:
    all_cpu = [cpu(r) * 1e6 for r in reports]
    result = {
        "cpu_us": statistics.median(all_cpu),
        "cpu_us_all": [round(value, 1) for value in all_cpu],
        "user_us": statistics.median(r["user"] / r["frames"] * 1e6 for r in reports),
        "system_us": statistics.median(r["system"] / r["frames"] * 1e6 for r in reports),
        "server_cpu_us": statistics.median(r["server"] / r["frames"] * 1e6 for r in reports),
        "frames_per_second": statistics.median(r["frames"] / r["wall"] for r in reports),
        "p50_ms": statistics.median(r["p50"] for r in reports) * 1e3,
        "p99_ms": statistics.median(r["p99"] for r in reports) * 1e3,
        "peak_mb": max(r["peak"] for r in reports) / 1e6,
        "peak_over_idle_mb": max(r["peak"] - r["resident_before"] for r in reports) / 1e6,
    }
    if "lag_p99" in reports[0]:
        result["lag_p99_ms"] = statistics.median(r["lag_p99"] for r in reports) * 1e3
        result["lag_max_ms"] = statistics.median(r["lag_max"] for r in reports) * 1e3
        result["lag_max_ms_all"] = [round(r["lag_max"] * 1e3, 2) for r in reports]
    return result


def show(name: str, result: dict[str, Any]) -> None:
    print(f"\n{name}: {result['settings']['rounds']} rounds of {result['settings']['frames']} frames")
    ours = result["arms"].get("ours")
    columns = [
        "cpu_us",
        "user_us",
        "system_us",
        "server_cpu_us",
        "frames_per_second",
        "p50_ms",
        "p99_ms",
        "peak_mb",
        "lag_p99_ms",
    ]
    print(f"{'arm':>30} " + " ".join(f"{column:>17}" for column in columns) + f" {'cpu / ours':>12}")
    for arm, figures in result["arms"].items():
        cells = " ".join(f"{figures[c]:>17.2f}" if c in figures else f"{'':>17}" for c in columns)
        ratio = f"{figures['cpu_us'] / ours['cpu_us']:>12.2f}" if ours else ""
        print(f"{arm:>30} {cells} {ratio}", flush=True)
    for arm, ratio in result["now_of_before"].items():
        print(f"{arm:>30}: {ratio:.3f} of before", flush=True)
