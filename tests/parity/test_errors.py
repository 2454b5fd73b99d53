"""A status that the vendor's SDK turns into one of its errors, ours turns into the class of that name."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import anyio.to_thread
import pytest

from picsellia_async import errors

from . import answers, ids, sides
from .recorder import Recorder
from .row import FORMATS, RAW

pytestmark = pytest.mark.anyio

PLATFORM = (208, 400, 401, 402, 403, 404, 405, 406, 408, 409, 410, 413, 418, 422, 423, 429, 500, 502, 503, 504)
MONITORING = (200, 202, 204, 400, 401, 402, 403, 404, 409, 413, 422, 429, 500, 502, 503, 504)
SERVING = (201, 202, 204, 400, 401, 402, 403, 404, 409, 413, 422, 429, 500, 502, 503, 504)

BODY = json.dumps({"message": "not today", "detail": ["first", "second"]}).encode()


def _prediction(api: Any) -> Any:
    kind, fields = FORMATS["awesome-deploy"]
    return getattr(api, kind)(**fields)


CALLS: dict[str, tuple[Callable[..., Any], tuple[int, ...]]] = {
    "get_deployment": (lambda client: client.get_deployment("awesome-deploy"), PLATFORM),
    "create_deployment_tag": (lambda client: client.create_deployment_tag("t"), PLATFORM),
    "update": (lambda deployment: deployment.update("n"), PLATFORM),
    "toggle": (lambda deployment: deployment.toggle_feedback_loop(True), PLATFORM),
    "delete": (lambda deployment: deployment.delete(), PLATFORM),
    "list_predicted_assets": (lambda deployment: deployment.list_predicted_assets(), PLATFORM),
    "monitor_bytes": (
        lambda deployment, api: deployment.monitor_bytes(RAW, "jpeg", "f.jpg", 0.5, 1, 1, _prediction(api)),
        MONITORING,
    ),
    "monitor_shadow": (
        lambda deployment, api: deployment.monitor_shadow_from_oracle_prediction_id(
            ids.ORACLE_PREDICTION, 0.5, _prediction(api)
        ),
        MONITORING,
    ),
    "predict_bytes": (lambda deployment: deployment.predict_bytes("f.jpg", RAW), SERVING),
    "predict_shadow": (lambda deployment, asset: deployment.predict_shadow(asset), SERVING),
}

CASES = [
    pytest.param(call, status, id=f"{name}-{status}") for name, (call, statuses) in CALLS.items() for status in statuses
]


@pytest.fixture(autouse=True)
def no_waiting(vendor_names: sides.Names, monkeypatch: pytest.MonkeyPatch, recorder: Recorder) -> Iterator[None]:
    """The vendor's SDK sleeps 7.5 seconds over an answer above 500, and ends as it began."""
    monkeypatch.setattr("picsellia.decorators.time", SimpleNamespace(sleep=lambda _: None))
    yield
    recorder.refusal = None


def refusing(recorder: Recorder, status: int) -> Callable[[], None]:
    """Return what makes the recorder refuse from now on."""

    def refuse() -> None:
        recorder.take()
        recorder.refusal = answers.Answer("refused", status, b"" if status == 204 else BODY)

    return refuse


def requests_but_connector(recorder: Recorder) -> list[tuple[str, str]]:
    """Return verbs and paths, logins among them; ours knows the connector from the call that signed in."""
    found = recorder.take()
    return [(exchange.verb, exchange.path) for exchange in found if exchange.answer.endpoint != "get_target_connector"]


@pytest.mark.parametrize(("call", "status"), CASES)
async def test_same_kind_of_error(
    call: Callable[..., Any], status: int, recorder: Recorder, vendor_client: Any, vendor_names: sides.Names
) -> None:
    """An `except` written for the vendor's SDK catches ours too; ours also tells status and the service's words."""
    refuse = refusing(recorder, status)
    vendor_scope = {"client": vendor_client, "api": vendor_names, "deployment_name": "awesome-deploy"}
    with pytest.raises(vendor_names.PicselliaError) as theirs:
        await anyio.to_thread.run_sync(sides.call_vendor, call, vendor_scope, refuse)
    asked = requests_but_connector(recorder)
    recorder.refusal = None

    api = sides.our_names()
    async with api.AsyncClient(
        answers.API_TOKEN, checks="off", host=recorder.url, retry=api.RetryPolicy.none()
    ) as client:
        scope: dict[str, Any] = {"client": client, "api": api, "deployment_name": "awesome-deploy"}
        await sides.call_ours(call, scope, lambda: None)  # signs in
        with pytest.raises(errors.StatusError) as ours:
            await sides.call_ours(call, scope, refuse)
        sent = requests_but_connector(recorder)

    assert isinstance(ours.value, getattr(errors, type(theirs.value).__name__))
    assert ours.value.status == status
    if status != 204:
        assert "not today" in str(ours.value)
        assert "second" in str(ours.value)
    if status < 500:  # above, the vendor tries five times, ours as often as its retry policy says
        assert sent == asked
