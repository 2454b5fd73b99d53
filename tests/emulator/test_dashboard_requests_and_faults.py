"""The pages of requests and faults: why something failed, what is scripted, and the buttons."""

from __future__ import annotations

import contextlib
from typing import Any

import httpx
import pytest

from picsellia_async.emulator import Fault
from picsellia_async.emulator.dashboard.requests_and_faults import PRESETS, meaning

from ..support.browser import open_page
from .conftest import JPEG, Wire

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        ({"kind": "status", "status": 503}, 503),
        ({"kind": "latency", "seconds": 0.0}, 201),
        ({"kind": "jwt_expiry"}, 401),
        ({"kind": "garbage"}, 201),
        ({"kind": "stored_then_dropped"}, 0),
        ({"kind": "truncate", "direction": "down"}, 201),
        ({"kind": "lying_length"}, 201),
        ({"kind": "reset", "direction": "up", "after_fraction": 0.5}, 0),
        ({"kind": "reset", "direction": "down", "after_fraction": 0.5}, 201),
        ({"kind": "drip", "bytes_per_second": 1_000_000, "direction": "down"}, 201),
    ],
    ids=str,
)
async def test_a_request_names_the_faults_that_acted_on_it(fault: dict[str, Any], status: int, wire: Wire) -> None:
    """In the journal and on the page, whatever the fault acts on; other requests on the same connection name none."""
    await wire.login()
    wire.emulator.faults.add(Fault(id="scripted", endpoint="monitor", times=1, **fault))
    with contextlib.suppress(httpx.TransportError):
        await wire.monitor(JPEG * 100)
    await wire.login()
    await wire.monitored()
    entries = wire.emulator.journal.of("monitor")
    assert [(entry.status, entry.faults) for entry in entries] == [(status, ["scripted"]), (201, [])]
    shown = (await wire.http.get("/emulator/journal", params={"endpoint": "monitor"})).json()["items"]
    assert [item["faults"] for item in shown] == [["scripted"], []]
    page = (await wire.http.get("/emulator/requests?endpoint=monitor")).text
    assert page.count(f"fault: {fault['kind']} (scripted)") == 1


async def test_several_faults_are_named_in_their_order(wire: Wire) -> None:
    """Of both levels."""
    await wire.login()
    for id_, fault in (
        ("a", {"kind": "latency", "seconds": 0.0}),
        ("b", {"kind": "status"}),
        ("c", {"kind": "drip", "direction": "down"}),
    ):
        wire.emulator.faults.add(Fault(id=id_, endpoint="monitor", **fault))
    await wire.monitor()
    [entry] = wire.emulator.journal.of("monitor")
    assert entry.faults == ["a", "b", "c"]


def test_every_failure_has_a_meaning() -> None:
    """Those that the services are known to give, and any other; a success has none."""
    for status in (0, 400, 401, 403, 404, 405, 409, 413, 415, 422, 429, 500, 502, 503, 504, 418, 599, 100, 700):
        assert (not meaning(status)) is (status == 100), status
    assert meaning(418) != meaning(599)
    assert meaning(201) == meaning(304) == ""


async def test_requests_are_chosen(wire: Wire) -> None:
    """By failure, endpoint and status; newest first; texts of clients are escaped, and unknown names refused."""
    await wire.monitored()
    await wire.monitor(raw_predictions={})
    await wire.http.get("/api/<b>")

    async def rows(query: str) -> list[str]:
        page = (await wire.http.get(f"/emulator/requests{query}")).text
        return page.split("newest first")[1].split("<tr>")[2:]

    assert ["404" in row for row in await rows("")] == [True, False, False, False]
    assert "/api/&lt;b&gt;" in (await rows(""))[0]
    assert len(await rows("?failed=1")) == 2
    [row] = await rows("?endpoint=monitor&status=400")
    assert "prediction of another type" in row
    assert (await wire.http.get("/emulator/requests?faild=1")).status_code == 422


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset[0])
async def test_presets_are_faults(preset: Any, wire: Wire) -> None:
    """The emulator takes each of them, for every endpoint that the page offers."""
    for endpoint in (None, "monitor", "predict", "login", "storage"):
        body = {**preset[2], "id": f"preset-{preset[0]}", **({"endpoint": endpoint} if endpoint else {})}
        assert (await wire.http.post("/emulator/faults", json=body)).status_code == 201
        page = (await wire.http.get("/emulator/trouble")).text
        assert page.count('aria-checked="true"') == 1
        await wire.http.delete("/emulator/faults")


async def test_faults_by_switch_and_button(wire: Wire) -> None:
    """A switch scripts and removes its fault, the account fills by itself, a broken one is refused with the reason."""
    await wire.login()
    async with open_page() as page:
        await page.goto(f"{wire.emulator.url}/emulator/trouble")
        await page.select_option("#endpoint", "monitor")
        await page.focus("#preset-outage")
        await page.keyboard.press("Space")
        await page.wait_for_selector("#preset-outage[aria-checked=true]:focus")
        [fault] = wire.emulator.faults
        assert (fault.kind, fault.status, fault.for_seconds, fault.endpoint) == ("status", 503, 60.0, "monitor")
        await page.wait_for_selector("body[data-live=on]")
        assert (await wire.monitor()).status_code == 503
        await page.wait_for_selector("caption:text('Faults acted 1 times')")
        await page.click("#preset-outage")
        await page.wait_for_selector("#preset-outage[aria-checked=false]")
        assert len(wire.emulator.faults) == 0
        await page.click("#own summary")
        await page.fill("#json", '{"kind": "earthquake"}')
        await page.click("#script")
        await page.wait_for_selector("#message:text('earthquake')")
        await page.fill("#json", '{"kind": "garbage", "id": "mine", "times": 2}')
        await page.click("#script")
        await page.click("[data-remove=mine]")
        await page.wait_for_selector("#scripted p:text('Nothing is scripted')")


async def test_requests_appear_by_themselves(wire: Wire) -> None:
    """And what is open on the page stays so."""
    await wire.login()
    async with open_page() as page:
        await page.goto(f"{wire.emulator.url}/emulator/requests")
        await page.click("#kinds summary")
        await wire.monitor(raw_predictions={})  # before or after the stream is there
        await page.wait_for_selector("td:text('prediction of another type') >> nth=1")
        assert await page.locator("details[open]").count() == 1
        assert page.complaints == []


async def test_reset_asks_before_and_settings_are_copied(wire: Wire) -> None:
    """Nothing is forgotten where the question is declined; the token is on no page and in no log of it."""
    await wire.monitored()
    async with open_page(permissions=["clipboard-read", "clipboard-write"]) as page:
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        await page.goto(f"{wire.emulator.url}/emulator/trouble")
        await page.click("[data-copy]")
        await page.wait_for_selector("#message:text('in the clipboard')")
        copied = await page.evaluate("navigator.clipboard.readText()")
        assert copied == f"PICSELLIA_HOST={wire.emulator.url}\nPICSELLIA_TOKEN={wire.api_token}\n"
        assert wire.api_token not in await page.content() + str(said)
        page.once("dialog", lambda dialog: dialog.dismiss())
        await page.click("[data-reset]")
        assert len(wire.emulator.predictions()) == 1
        page.once("dialog", lambda dialog: dialog.accept())
        await page.click("[data-reset]")
        await page.wait_for_selector("#nothing:visible")
        assert wire.emulator.predictions() == []
