"""The pages of sources and statistics: numbers of what is stored, for the filter of the address."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from picsellia_async.emulator import Emulator
from picsellia_async.emulator.dashboard import figures
from picsellia_async.emulator.dashboard.charts import bins, columns

from ..support.browser import open_page
from ..support.images import jpeg
from .conftest import BOXES, Wire

pytestmark = pytest.mark.anyio


class Clock:
    """Stands still until it is moved."""

    now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def emulator(clock: Clock) -> AsyncIterator[Emulator]:
    async with Emulator(clock=clock) as emulator:
        yield emulator


async def page_of(wire: Wire, path: str) -> str:
    answer = await wire.http.get(f"/emulator/{path}")
    assert answer.status_code == 200, answer.text
    return re.sub(r"\s+", " ", answer.text)


async def test_each_source_has_its_last_picture_and_numbers(wire: Wire, clock: Clock) -> None:
    """The newest first; rate of the last minute, median latency, age; a link to its pictures."""
    for latency in (0.1, 0.3, 0.2):
        await wire.monitored(jpeg(), source="cam <1>", latency=latency)
    clock.now += 30
    last = await wire.monitored(jpeg(), source="b", filename="last.jpg")
    clock.now += 45
    page = await page_of(wire, "sources")
    assert re.findall(r"<strong>(.*?)</strong>", page) == ["b", "cam &lt;1&gt;"]
    b, cam = page.split("<li>")[1:]
    assert f'src="/emulator/predictions/{last["id"]}/image"' in b
    assert "1 picture, 0.0167 a second" in b
    assert "arrived 45 s ago" in b
    assert "3 pictures, 0 a second" in cam
    assert "latency 0.2 s" in cam
    assert 'href="/emulator/?source=cam+%3C1%3E"' in cam


async def test_the_rate_of_a_fast_source_is_that_of_its_latest_pictures(
    wire: Wire, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A minute of it is not gone through."""
    monkeypatch.setattr(figures, "_RECENT", 5)
    for _ in range(9):
        clock.now += 0.5
        await wire.monitored(jpeg(), source="fast")
    assert "9 pictures, 2 a second" in await page_of(wire, "sources")


async def test_only_so_many_sources_are_shown(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest is counted."""
    monkeypatch.setattr(figures, "SOURCES_MAX", 2)
    for name in "abc":
        await wire.monitored(jpeg(), source=name)
    page = await page_of(wire, "sources")
    assert re.findall(r"<strong>(.*?)</strong>", page) == ["c", "b"]
    assert "1 more source sent" in page


async def test_labels_scores_latency_and_volume(wire: Wire) -> None:
    """Of what the filter chooses, and nothing else."""
    for number in range(4):
        await wire.monitored(jpeg(), timestamp=1000.0 + number, latency=0.5, source="x")
    await wire.monitored(
        jpeg(), timestamp=9000.0, latency=7.0, source="y", raw_predictions=BOXES | {"detection_classes": [3, 3]}
    )
    page = await page_of(wire, "statistics?source=x")
    assert "Of 4 predictions, filtered by source <b>x</b>" in page
    assert re.findall(r'<th scope="row">(\w+)</th><td class="number">(\d+)', page) == [
        ("person", "4"),
        ("bicycle", "4"),
    ]
    assert "0.90 to 0.95: 4" in page
    assert "0.50 to 0.55: 4" in page
    assert page.count(" UTC: 0.5 s</title>") == 4
    assert "1970-01-01 00:16:40 UTC: 1</title>" in page
    assert "truck" not in page
    everything = await page_of(wire, "statistics")
    assert "Of 5 predictions." in everything
    assert "7 s</title>" in everything
    assert (await wire.http.get("/emulator/statistics?sorce=x")).status_code == 422


async def test_drift_is_against_the_training_reference_where_there_is_one(wire: Wire) -> None:
    """Else against the earlier half, and with less than two predictions the page says what it needs."""
    assert "Of 0 predictions" in await page_of(wire, "statistics")
    await wire.monitored(jpeg())
    assert "drift needs training data or at least two predictions" in await page_of(wire, "statistics")
    await wire.monitored(jpeg())
    assert "against the earlier half" in await page_of(wire, "statistics")
    version = (await wire.versions("dataset"))[0]
    await wire.ok("POST", f"{wire.deployment}/pipeline/td/setup", {"dataset_version_id": version["id"]})
    page = await page_of(wire, "statistics")
    assert "against the training reference" in page
    assert "<td>width</td>" in page


def test_charts() -> None:
    """Every value is in one part, the end in the last; what is outside is in none, and texts are escaped."""
    assert bins([0.0, 0.5, 1.0, 2.0, -1.0], 0.0, 1.0, 2) == [[0], [1, 2]]
    assert bins([3.0, 3.0], 3.0, 3.0, 2) == [[0, 1], []]
    chart = columns([1, 2, 0], ["<a>", "b", "c"], '"x"')
    assert re.findall(r'y="([\d.]+)" width="160.0" height="([\d.]+)"', chart) == [
        ("60.0", "60.0"),
        ("0.0", "120.0"),
        ("120.0", "0.0"),
    ]
    assert "<title>&lt;a&gt;</title>" in chart
    assert 'aria-label="&quot;x&quot;"' in chart
    assert columns([], [], "").endswith("</svg>")


async def test_the_age_of_a_source_goes_on(wire: Wire, clock: Clock) -> None:
    """Also where nothing arrives: a camera that stands still is seen by that."""
    await wire.monitored(jpeg(), source="cam")
    async with open_page() as page:
        await page.goto(f"{wire.emulator.url}/emulator/sources")
        await page.wait_for_selector("text=arrived 0 s ago")
        clock.now += 77
        await page.wait_for_selector("text=arrived 77 s ago")


@pytest.mark.parametrize("path", ["sources", "statistics"])
async def test_on_a_telephone(path: str, wire: Wire) -> None:
    """Nothing is wider than 390 pixels, and nothing is complained of; the numbers renew themselves."""
    facts: dict[str, Any] = {"source": "a-very-long-name-without-any-break-" * 4}
    await wire.monitored(jpeg(), **facts)
    async with open_page(viewport={"width": 390, "height": 800}) as page:
        await page.goto(f"{wire.emulator.url}/emulator/{path}")
        assert await page.evaluate("document.documentElement.scrollWidth") <= 390
        await wire.monitored(jpeg(), **facts)  # before or after the stream is there

        await page.wait_for_selector("text=/2 (pictures|predictions)/ >> visible=true")
        assert page.complaints == []
