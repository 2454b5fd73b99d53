"""python -m benchmarks.tables RESULT.json ...: the tables of docs/performance.md, from results of `monitor`, `uploader`, `checks` and `body`.

Each placeholder of the page, `<!-- table NAME -->` to `<!-- end -->`, is filled anew: no figure is typed by hand.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.processes import BEFORE

PAGE = Path(__file__).resolve().parent.parent / "docs" / "performance.md"
PLACE = re.compile(r"(<!-- table (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
NAMES = {
    "body": "building the body, nothing sent", "wire": "one blocking socket, nothing checked", "vendor": "vendor's SDK, 32 threads",
    "httpx": "httpx", "httpx-aiohttp": "httpx over aiohttp", "httpx-aiohttp-transport": "its transport alone",
    "aiohttp": "aiohttp by hand", "pyreqwest": "pyreqwest (Rust)", "ours-httpx": "httpx over our transport",
    "ours-transport": "our transport alone", "ours-exchange": "below httpx's objects", "ours": "`deployment.monitor_bytes`",
    "ours-uploader": "uploader, submit and flush", "ours-uploader-receipts": "uploader, each receipt awaited",
}  # fmt: skip


def main() -> None:
    results: dict[str, Any] = {}
    for name in sys.argv[1:]:
        for kind, figures in json.loads(Path(name).read_text()).items():
            if isinstance(figures, dict):
                results.setdefault(kind, {}).update(figures)
    text = PAGE.read_text()
    PAGE.write_text(PLACE.sub(lambda found: found[1] + table(*TABLES[found[2]](results)) + found[3], text))


def table(heads: list[str], rows: Iterator[list[str]]) -> str:
    rule = ["---", *["---:"] * (len(heads) - 1)]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (heads, rule, *rows))


def now(result: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The arms of a scenario without those of another checkout."""
    return ((name, arm) for name, arm in result["arms"].items() if not name.endswith(BEFORE))


def cpu(results: dict[str, Any]) -> tuple[list[str], Iterator[list[str]]]:
    """CPU per frame, plain and TLS, and as a multiple of the public call."""
    sides = [results["monitor"][name]["arms"] for name in ("100KB x32", "100KB x32 TLS")]

    def cell(arms: dict[str, Any], name: str) -> str:
        value = arms[name]["cpu_us"]
        return f"{value:.0f} ({value / arms['ours']['cpu_us']:.2f})"

    rows = ([label, *(cell(arms, name) for arms in sides)] for name, label in NAMES.items())
    return ["Way", "HTTP", "TLS 1.3"], rows


def flight(results: dict[str, Any]) -> tuple[list[str], Iterator[list[str]]]:
    """Throughput against a slow server, beside what can be had at most."""
    heads = ["In flight", "Way", "Frames/s", "Of what can be had", "CPU us", "p50 ms", "p99 ms", "Peak MB"]

    def rows() -> Iterator[list[str]]:
        for scenario, result in results["monitor"].items():
            if not scenario.endswith(" 50ms"):
                continue
            many = result["settings"]["flight"]
            for name, arm in now(result):
                most = min(many / result["settings"]["delay"], 1e6 / arm["cpu_us"])
                share = arm["frames_per_second"] / most
                yield [
                    str(many), NAMES[name], f"{arm['frames_per_second']:.0f}", f"{share:.0%}",
                    *(f"{arm[key]:.0f}" for key in ("cpu_us", "p50_ms", "p99_ms", "peak_mb")),
                ]  # fmt: skip

    return heads, rows()


def sizes(results: dict[str, Any]) -> tuple[list[str], Iterator[list[str]]]:
    """CPU per frame and memory, by size of the image and requests in flight."""
    ways = ["body", "wire", "vendor", "aiohttp", "pyreqwest", "ours"]

    def rows() -> Iterator[list[str]]:
        for scenario, result in results["monitor"].items():
            arms = result["arms"]
            if "wire" in arms and "delay" not in result["settings"]:
                peak = f"{arms['ours']['peak_mb']:.0f}"
                yield [scenario, *(f"{arms[way]['cpu_us']:.0f}" for way in ways), peak]

    return ["Size x in flight", *(NAMES[way] for way in ways), "Our peak MB"], rows()


def lag(results: dict[str, Any]) -> tuple[list[str], Iterator[list[str]]]:
    """How late the event loop wakes a timer."""

    def rows() -> Iterator[list[str]]:
        for scenario, result in results["monitor"].items():
            if scenario.startswith("lag "):
                for name, arm in now(result):
                    load = scenario.removeprefix("lag ")
                    yield [load, NAMES[name], f"{arm['lag_p99_ms']:.2f}", f"{arm['lag_max_ms']:.2f}"]

    return ["Load", "Way", "p99 ms", "longest ms"], rows()


def body(results: dict[str, Any]) -> tuple[list[str], Iterator[list[str]]]:
    """What building a body costs, and how long it holds the loop."""
    keys = {
        "at_once_us": "At once us", "longest_piece_us": "Longest piece us", "thread_us": "In a thread us",
        "loop_held_us": "Loop held by the thread us",
    }  # fmt: skip
    rows = ([name, *(f"{figures[key]:.0f}" for key in keys)] for name, figures in results["body"].items())
    return ["Image", *keys.values()], rows


def uploader(results: dict[str, Any]) -> tuple[list[str], Iterator[list[str]]]:
    """CPU of the uploader as a multiple of bare calls: median and range of the ratios round by round."""

    def rows() -> Iterator[list[str]]:
        for scenario, result in results["uploader"].items():
            every = result["uploader_of_bare_all"]
            yield [
                scenario, f"{result['uploader_of_bare']:.2f} ({min(every):.2f} to {max(every):.2f})",
                f"{result['receipts_of_bare']:.2f}", f"{result['uploader_of_vendor']:.2f}",
            ]  # fmt: skip

    heads = ["Size x in flight", "Of bare calls (lowest to highest round)", "Each receipt awaited, of bare calls"]
    return [*heads, "Of the vendor's SDK"], rows()


def checks(results: dict[str, Any]) -> tuple[list[str], Iterator[list[str]]]:
    """CPU of a call with and without the checks of meaning."""
    rows = (
        [scenario, f"{result['cpu_us']['on']:.0f}", f"{result['cpu_us']['off']:.0f}", f"{result['on_of_off']:.3f}"]
        for scenario, result in results["checks"].items()
    )
    return ["Size x in flight", "Checked, CPU us", "Not checked, CPU us", "Median of the ratios"], rows


TABLES: dict[str, Callable[[dict[str, Any]], tuple[list[str], Iterator[list[str]]]]] = {
    "cpu": cpu, "flight": flight, "sizes": sizes, "lag": lag, "body": body, "uploader": uploader,
    "checks": checks,
}  # fmt: skip


if __name__ == "__main__":
    main()
