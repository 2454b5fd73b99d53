"""The control routes under `/emulator`: predictions, faults, reset, the page."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from picsellia_async.emulator import Fault

from .conftest import JPEG, Wire

pytestmark = pytest.mark.anyio


async def test_reset_goes_back_to_the_beginning(wire: Wire) -> None:
    """Predictions, changes, journal and faults are gone; ids, api token and JWTs stay good."""
    await wire.monitored()
    await wire.ok("PATCH", wire.deployment, {"name": "renamed"})
    wire.emulator.faults.add(Fault(kind="latency", seconds=0.0))
    assert (await wire.http.post("/emulator/reset")).status_code == 200
    assert (await wire.http.get("/emulator/predictions")).json()["count"] == 0
    assert (await wire.http.get("/emulator/journal")).json()["count"] == 0
    assert len(wire.emulator.faults) == 0
    assert (await wire.ok("GET", wire.deployment))["name"] == "awesome-deploy"
    await wire.monitored()


async def test_predictions_are_paged_on_the_control_route(wire: Wire) -> None:
    """`limit`, `offset` and `deployment_id`; oldest first."""
    for number in range(3):
        await wire.monitored(filename=f"{number}.jpg")

    async def names(**params: Any) -> tuple[int, list[str]]:
        found = (await wire.http.get("/emulator/predictions", params=params)).json()
        return found["count"], [item["filename"] for item in found["items"]]

    assert await names() == (3, ["0.jpg", "1.jpg", "2.jpg"])
    assert await names(limit=1, offset=1) == (3, ["1.jpg"])
    assert await names(deployment_id="x") == (0, [])
    assert (await wire.http.get("/emulator/predictions", params={"limit": "x"})).status_code == 400


async def test_faults_over_http(wire: Wire) -> None:
    """Scripted, fired, accounted for and taken out; a broken one is refused."""
    fault = {"kind": "status", "status": 503, "endpoint": "monitor", "times": 1}
    made = await wire.http.post("/emulator/faults", json=fault)
    assert made.status_code == 201
    assert (await wire.monitor()).status_code == 503
    await wire.monitored()
    account = (await wire.http.get("/emulator/faults")).json()
    assert account["counts"] == {"status": 1}
    assert (await wire.http.post("/emulator/faults", json={"kind": "earthquake"})).status_code == 422
    assert (
        await wire.http.post("/emulator/faults", content=b"{", headers={"Content-Type": "application/json"})
    ).status_code == 400
    id_ = made.json()["faults"][0]["id"]
    assert (await wire.http.delete("/emulator/faults", params={"id": "none"})).status_code == 404
    assert (await wire.http.delete("/emulator/faults", params={"id": id_})).json()["faults"] == []
    assert (await wire.http.delete("/emulator/faults")).json()["account"] == []
    entry = wire.emulator.journal.of("monitor")[0]
    assert (entry.status, entry.service) == (503, "oracle")


async def test_a_fault_voids_every_jwt(wire: Wire) -> None:
    """`jwt_expiry` makes the request that meets it, and the ones behind, a 401 until the next sign-in."""
    await wire.login()
    wire.emulator.faults.add(Fault(kind="jwt_expiry", endpoint="monitor", times=1))
    assert (await wire.monitor()).status_code == 401
    await wire.login()
    await wire.monitored()


async def test_byte_level_faults_reach_the_connection(wire: Wire) -> None:
    """A reset in the body of a request: the client sees no answer, nothing is stored."""
    await wire.login()
    wire.emulator.faults.add(Fault(kind="reset", endpoint="monitor", direction="up", after_fraction=0.5, times=1))
    with pytest.raises(httpx.TransportError):
        await wire.monitor(JPEG * 100)
    assert (await wire.http.get("/emulator/predictions")).json()["count"] == 0
    await wire.monitored()


async def test_the_page_shows_what_arrived(wire: Wire) -> None:
    """Names and numbers, escaped."""
    await wire.monitored(filename="<b>.jpg", source="cam & co")
    for path in ("/emulator", "/emulator/"):
        page = await wire.http.get(path)
        assert page.headers["content-type"].startswith("text/html")
        assert "&lt;b&gt;.jpg" in page.text
        assert "cam &amp; co" in page.text
        assert "awesome-deploy" in page.text
    assert wire.emulator.dashboard == f"{wire.emulator.url}/emulator/"
