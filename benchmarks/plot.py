"""python -m benchmarks.plot RESULT.json PLOT.svg: bars of CPU per frame, plain and TLS, from a result of `monitor`.

Plain SVG, made without a library, so that the plot can be made anew anywhere.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

SCENARIOS = {"100KB x32": "HTTP", "100KB x32 TLS": "TLS 1.3"}
NAMES = {
    "vendor": "vendor's SDK, 32 threads", "httpx": "httpx", "httpx-aiohttp": "httpx over aiohttp",
    "httpx-aiohttp-transport": "its transport alone", "aiohttp": "aiohttp by hand", "pyreqwest": "pyreqwest (Rust)",
    "ours-httpx": "httpx over our transport", "ours-transport": "our transport alone", "ours-exchange": "below httpx's objects",
    "ours": "deployment.monitor_bytes",
}  # fmt: skip
LEFT, WIDTH, ROW, GAP = 210, 470, 18, 46


def main() -> None:
    source, target = Path(sys.argv[1]), Path(sys.argv[2])
    target.write_text(draw(json.loads(source.read_text())["monitor"]))


def draw(monitor: dict[str, Any]) -> str:
    most = max(monitor[scenario]["arms"][arm]["cpu_us"] for scenario in SCENARIOS for arm in NAMES)
    parts: list[str] = []
    y = 0
    for scenario, title in SCENARIOS.items():
        y += GAP
        parts.append(f'<text x="{LEFT}" y="{y - 12}" font-weight="bold">{title}: CPU per frame of 100 KB, us</text>')
        arms = monitor[scenario]["arms"]
        for arm in sorted(NAMES, key=lambda name: -arms[name]["cpu_us"]):
            parts += bar(NAMES[arm], arms[arm]["cpu_us"], most, y, "#1f77b4" if arm.startswith("ours") else "#999999")
            y += ROW
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 60}" height="{y + 12}" font-family="sans-serif" font-size="12">'
    return "\n".join((head, '<rect width="100%" height="100%" fill="white"/>', *parts, "</svg>", ""))


def bar(name: str, value: float, most: float, y: int, colour: str) -> list[str]:
    width = value / most * WIDTH
    return [
        f'<text x="{LEFT - 8}" y="{y + 12}" text-anchor="end">{name}</text>',
        f'<rect x="{LEFT}" y="{y + 2}" width="{width:.1f}" height="{ROW - 5}" fill="{colour}"/>',
        f'<text x="{LEFT + width + 5:.1f}" y="{y + 12}">{value:.0f}</text>',
    ]


if __name__ == "__main__":
    main()
