"""An open page is told what is new: the right things once, without anything left behind by browsers that are slow or gone."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from typing import Any

import httpx
import orjson
import pytest

from picsellia_async.emulator import Emulator, Fault
from picsellia_async.emulator.dashboard import live

from ..support.browser import open_page
from ..support.images import jpeg
from .conftest import BOXES, Wire

pytestmark = pytest.mark.anyio

EVENTS = "/emulator/events"


class Events:
    """The events of one stream, read as they come."""

    def __init__(self, answer: httpx.Response) -> None:
        self._lines = answer.aiter_lines()

    async def next(self, name: str) -> tuple[int, Any]:
        """Return id and data of the next event of a name; others are passed over."""
        fields: dict[str, str] = {}
        async for line in self._lines:
            if line:
                field, _, value = line.partition(": ")
                fields[field] = value
            elif fields.get("event") == name:
                return int(fields["id"]), orjson.loads(fields["data"])
            else:
                fields = {}
        raise EOFError

    async def rest(self) -> list[str]:
        return [line async for line in self._lines]


@contextlib.asynccontextmanager
async def listening(wire: Wire, path: str = EVENTS, **headers: str) -> AsyncIterator[Events]:
    async with wire.http.stream("GET", path, headers=headers) as answer:
        assert answer.status_code == 200, await answer.aread()
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield Events(answer)


async def test_new_predictions_counters_and_reset_are_told(wire: Wire) -> None:
    """Each prediction once, escaped; the numbers at the head; and that everything is gone."""
    await wire.monitored(jpeg(), filename="before.jpg")
    async with listening(wire, f"{EVENTS}?after=1") as events:
        assert (await events.next("counters"))[1]["predictions"] == 1
        await wire.monitored(jpeg(), filename="<b>.jpg")
        last, told = await events.next("predictions")
        assert last == 2
        assert not told["replaces"]
        assert told["html"].count("<li") == told["html"].count("&lt;b&gt;.jpg</strong>") == 1
        assert (await events.next("counters"))[1] == {"predictions": 2, "requests": 3, "failed": 0, "faults": 0}
        wire.emulator.faults.add(Fault(kind="status", status=503, times=1))
        assert (await events.next("counters"))[1]["faults"] == 1
        await wire.monitor()
        assert (await events.next("counters"))[1]["failed"] == 1
        await wire.emulator.reset()
        await events.next("reset")
        assert not [line for line in await events.rest() if line]


async def test_a_browser_that_comes_back_goes_on_where_it_was(wire: Wire) -> None:
    """By the id of the last event, which counts more than the address that it began with."""
    for number in range(3):
        await wire.monitored(jpeg(), filename=f"{number}.jpg")
    async with listening(wire, f"{EVENTS}?after=0", **{"Last-Event-ID": "2"}) as events:
        last, told = await events.next("predictions")
        assert (last, told["html"].count("<li"), "2.jpg" in told["html"]) == (3, 1, True)
    async with listening(wire, EVENTS, **{"Last-Event-ID": "99"}) as events:
        await events.next("reset")  # of an emulator that was started anew meanwhile


async def test_a_page_is_told_what_fits_its_filter(wire: Wire) -> None:
    """And its tiles lead to neighbours within it."""
    async with listening(wire, f"{EVENTS}?after=0&source=x") as events:
        await events.next("counters")
        await wire.monitored(jpeg(), source="y", filename="y.jpg")
        await wire.monitored(jpeg(), source="x", filename="x.jpg")
        _, told = await events.next("predictions")
        assert "y.jpg" not in told["html"]
        assert "?source=x" in told["html"]


async def test_a_page_that_fell_behind_gets_the_newest(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    """In place of what it shows: nothing is missing in between."""
    monkeypatch.setattr("picsellia_async.emulator.dashboard.gallery.PAGE", 3)
    await wire.emulator.add_predictions(20)
    async with listening(wire, f"{EVENTS}?after=1") as events:
        last, told = await events.next("predictions")
        assert (last, told["replaces"], told["html"].count("<li")) == (20, True, 3)
        assert "invented-000019.jpg" in told["html"]


@pytest.mark.parametrize("query", ["after=x", "sorce=cam", "min_score=x", "after=-1"])
async def test_what_cannot_be_meant_is_refused(query: str, wire: Wire) -> None:
    """As on the page itself."""
    assert (await wire.http.get(f"{EVENTS}?{query}")).status_code == 422


async def test_stopping_ends_streams_in_good_order() -> None:
    """Nobody waits for them, and no browser sees a cut; the emulator tells again when it is started again."""
    emulator = Emulator()
    for _ in range(2):
        async with emulator:
            wire = Wire(emulator)
            async with wire.http, listening(wire) as events:
                await events.next("counters")
                stopping = asyncio.create_task(emulator.stop())
                await events.rest()  # a cut would be an error here
                await stopping


async def free_place(wire: Wire) -> None:
    """Return once the only place for a stream is free."""
    while True:
        async with wire.http.stream("GET", EVENTS) as answer:
            if answer.status_code == 200:
                return
            assert answer.status_code == 503


async def test_places_are_few_and_given_back(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that is closed makes room."""
    monkeypatch.setattr(live, "STREAMS_MAX", 1)
    for _ in range(2):
        async with listening(wire) as events:
            await events.next("counters")
            assert (await wire.http.get(EVENTS)).status_code == 503
        await free_place(wire)


async def test_a_browser_that_takes_nothing_is_dropped(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its connection is cut and its place given back; requests go on meanwhile."""
    monkeypatch.setattr(live, "STREAMS_MAX", 1)
    monkeypatch.setattr(live, "PATIENCE", 0.05)
    monkeypatch.setattr(live, "_TICK", 0.0)
    with socket.socket() as browser:
        browser.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        browser.connect(("127.0.0.1", wire.emulator.port))
        browser.sendall(b"GET /emulator/events?after=0 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        while (await wire.http.get(f"{EVENTS}?after=999")).status_code != 503:  # noqa: ASYNC110 - until it has the place
            await asyncio.sleep(0)
        freed = asyncio.create_task(free_place(wire))
        while not freed.done():
            await wire.emulator.add_predictions(50)
        await freed
        await wire.monitored(jpeg())


async def test_pictures_arrive_on_an_open_page(wire: Wire) -> None:
    """In the grid without a reload, first of all, and open by keyboard; a reset empties the page."""
    await wire.monitored(jpeg(), filename="first.jpg")
    async with open_page() as page:
        await page.goto(f"{wire.emulator.url}/emulator/?source=serving")
        await page.evaluate("window.stays = true")
        await page.wait_for_selector("body[data-live=on]")
        await wire.monitored(jpeg(), filename="elsewhere.jpg", source="cam")
        await wire.monitored(
            jpeg(), filename="second <i>.jpg", raw_predictions=BOXES | {"detection_texts": ["<b>", ""]}
        )
        await page.wait_for_selector("#grid li >> nth=1")
        assert await page.locator("#grid strong").all_text_contents() == ["second <i>.jpg", "first.jpg"]
        await page.wait_for_selector("[data-counter=predictions]:text-is('3')")
        assert await page.evaluate("window.stays")
        await wire.emulator.reset()
        await page.wait_for_selector("#nothing:visible")
        assert await page.evaluate("window.stays") is None
        assert page.complaints == []


async def test_the_head_of_the_stream_is_an_answer_of_its_own(wire: Wire) -> None:
    """It holds no place of a page, and the connection goes on."""
    for _ in range(50):
        answer = await wire.http.head(EVENTS)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    async with listening(wire, EVENTS) as events:
        assert (await events.next("counters"))[1]["predictions"] == 0


async def test_a_reset_is_told_where_pictures_go_on_coming(wire: Wire) -> None:
    """Keys go on after it, so that the last one tells nothing."""
    await wire.emulator.add_predictions(2)
    async with listening(wire, f"{EVENTS}?after=2") as events:
        assert (await events.next("counters"))[1]["predictions"] == 2
        await wire.emulator.reset()
        await wire.emulator.add_predictions(1)
        await events.next("reset")
