"""Faults by the name of an endpoint: what one would guess fires, what never could is refused."""

from __future__ import annotations

import httpx
import pytest

from picsellia_async import (
    AuthenticationError,
    ConfigurationError,
    DetectionPredictionFormat,
    PredictionError,
    RetryPolicy,
    StatusError,
    TransportError,
)
from picsellia_async.emulator import Fault
from picsellia_async.emulator.endpoint_index import FAULT_NAMES

pytestmark = pytest.mark.anyio

PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)


@pytest.fixture
def once(client, deployment):
    """The deployment, through a client that attempts each call once."""
    return client.with_options(retry=RetryPolicy.none()).get_deployment(deployment.name)


@pytest.mark.parametrize(
    ("names", "call", "error"),
    [
        (("login", "oracle_login", "ORACLE_LOGIN"), lambda d: d.get_stats("PREDICTIONS_DATA"), AuthenticationError),
        (("get_prediction_stats",), lambda d: d.get_stats("PREDICTIONS_DATA"), StatusError),
        (("retrieve_information",), lambda d: d.retrieve_information(), StatusError),
        (("predict", "predict_cloud_image"), lambda d: d.predict_cloud_image("o.png"), PredictionError),
        (("predict_shadow",), lambda d: d.predict_bytes("f.png", PNG), None),
        (("list_predicted_assets",), lambda d: d.list_predicted_assets(), StatusError),
    ],
)
async def test_the_names_that_one_would_guess(names, call, error, once, emulator):
    """The short names, and those that the journal shows, in any case."""
    deployment = await once
    for name in names:
        emulator.faults.clear()
        fault = emulator.faults.add(Fault(kind="status", status=418, endpoint=name))
        if error is None:
            await call(deployment)
            assert emulator.faults.fired(fault) == 0
            continue
        with pytest.raises(error) as refused:
            await call(deployment)
        assert (refused.value.status, emulator.faults.fired(fault)) == (418, 1)


@pytest.mark.parametrize("kind", ["status", "truncate"])
@pytest.mark.parametrize("narrowed", ["endpoint", "service"])
async def test_one_path_of_two_services(kind, narrowed, once, emulator):
    """A fault on what monitoring answers leaves the platform's answer on the same path alone, and the other way round."""
    deployment = await once
    script = {"kind": kind, "status": 418 if kind == "status" else 0, "direction": "up" if kind == "status" else "down"}
    await deployment.retrieve_information()
    for hit, missed, names in (
        (deployment.retrieve_information, deployment.sync, {"endpoint": "retrieve_information", "service": "oracle"}),
        (deployment.sync, deployment.retrieve_information, {"endpoint": "get_deployment", "service": "platform"}),
    ):
        emulator.faults.clear()
        fault = emulator.faults.add(Fault(**script, **{narrowed: names[narrowed]}))
        await missed()
        assert emulator.faults.fired(fault) == 0
        with pytest.raises(StatusError if kind == "status" else TransportError):
            await hit()
        assert emulator.faults.fired(fault) == 1


async def test_every_name_of_the_journal_can_be_scripted(deployment, emulator):
    """What `GET /emulator/journal` calls a request is a name that a fault takes."""
    await deployment.monitor_bytes(PNG, "png", "f.png", 0.1, 4, 4, DetectionPredictionFormat([], [], []))
    named = {entry.endpoint for entry in emulator.journal}
    assert {"oracle_login", "monitor", "find_deployment"} <= named
    assert named <= FAULT_NAMES


async def test_unknown_names_are_refused_with_the_list(emulator):
    """In Python and over HTTP; a fault that can never fire would pass as a test that proves nothing."""
    with pytest.raises(ConfigurationError, match=r"'monitr' is unknown; accepted are .*login.*monitor.*oracle_login"):
        emulator.faults.add(Fault(kind="status", status=500), Fault(kind="status", status=500, endpoint="monitr"))
    assert len(emulator.faults) == 0
    async with httpx.AsyncClient(base_url=emulator.url, timeout=60) as http:
        answer = await http.post("/emulator/faults", json={"kind": "status", "status": 500, "endpoint": "monitr"})
        assert answer.status_code == 422
        assert "predict_cloud_image" in answer.json()["message"]
        assert (await http.get("/emulator/faults")).json()["faults"] == []


@pytest.mark.parametrize("body", [{"kind": "nope"}, {"status": 500}])
async def test_unknown_kinds_are_refused_with_the_list(body, emulator):
    """Whoever scripts a fault over HTTP learns what there is."""
    async with httpx.AsyncClient(base_url=emulator.url, timeout=60) as http:
        answer = await http.post("/emulator/faults", json=body)
    assert answer.status_code == 422
    assert "stored_then_dropped" in answer.json()["message"]
