"""`run_in_thread`: everything that a test without an event loop needs."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from picsellia_async.emulator import Emulator, Fault, ThreadedEmulator
from picsellia_async.errors import ClosedError, ConfigurationError

from .conftest import BOXES

OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@pytest.fixture
def threaded() -> Iterator[ThreadedEmulator]:
    """An emulator in a thread of its own."""
    with Emulator.run_in_thread() as running:
        yield running


def post(url: str, body: dict[str, Any], token: str = "") -> tuple[int, dict[str, Any]]:
    """Send JSON and return status and JSON of the answer."""
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Authorization": f"Bearer {token}"})
    try:
        with OPENER.open(request) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, json.load(refused)


def monitor(emulator: ThreadedEmulator, name: str = "f.jpg") -> int:
    """Sign in and monitor one image; return the status."""
    login = {"api_token": emulator.api_token, "deployment_id": emulator.deployment_id}
    jwt = post(f"{emulator.url}/api/auth/login", login)[1]["jwt"]
    body = {
        "filename": name, "content_type": "IMAGE/JPEG", "height": 4, "width": 4, "raw_predictions": BOXES, "latency": 0.1,
        "image": "/9j/YQ==",
    }  # fmt: skip
    return post(f"{emulator.url}/api/deployment/{emulator.deployment_id}/predictions", body, jwt)[0]


def test_an_entry_is_there_before_its_answer_is(threaded: ThreadedEmulator) -> None:
    """Whoever has an answer finds its request in the journal, whatever the thread."""
    missing = []

    def one(number: int) -> None:
        path = f"/nowhere/{number}"
        post(f"{threaded.url}{path}", {})
        if not any(entry.path == path for entry in threaded.journal):
            missing.append(number)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(one, range(200)))
    assert (missing, threaded.journal.total) == ([], 200)


def test_an_answer_without_a_body_is_no_exception(threaded: ThreadedEmulator) -> None:
    """A 204 is complete with its head; its entry is there before that."""
    organization = f"{threaded.url}/api/organization/{threaded.organization_id}/datasources"
    missing = []
    for number in range(100):
        made = post(organization, {"name": f"{number}"}, threaded.api_token)[1]["id"]
        url = f"{threaded.url}/api/data/source/{made}"
        headers = {"Authorization": f"Bearer {threaded.api_token}"}
        with OPENER.open(urllib.request.Request(url, headers=headers, method="DELETE")) as answer:
            assert answer.status == 204
        if len(threaded.journal.of("delete_data_source")) != number + 1:
            missing.append(number)
    assert missing == []


def test_what_arrived_can_be_read_and_waited_for(threaded: ThreadedEmulator) -> None:
    """Predictions, faults, waiting with a bound."""
    threaded.faults.add(Fault(kind="status", status=503, endpoint="monitor", times=1))
    assert [monitor(threaded, "a.jpg"), monitor(threaded, "b.jpg")] == [503, 201]
    assert [found["filename"] for found in threaded.predictions()] == ["b.jpg"]
    assert threaded.faults.counts() == {"status": 1}
    sending = threading.Timer(0.05, monitor, (threaded,))
    sending.start()
    threaded.wait_for("monitor", 3)
    sending.join()
    with pytest.raises(TimeoutError):
        threaded.wait_for("monitor", 4, timeout=0.05)


def test_it_can_be_filled_and_reset(threaded: ThreadedEmulator) -> None:
    """Without a coroutine in sight."""
    threaded.add_predictions(3)
    assert len(threaded.predictions()) == 3
    assert threaded.add_organization("other")[1] != threaded.api_token
    with pytest.raises(ConfigurationError, match="already"):
        threaded.add_organization("other")
    assert threaded.close_idle_connections() == 0
    threaded.reset()
    assert (threaded.predictions(), len(threaded.journal)) == ([], 0)
    assert monitor(threaded) == 201


def test_after_the_block_it_says_that_it_is_closed() -> None:
    """Names stay readable; what needs it running raises."""
    before = set(
        threading.enumerate()
    )  # among them that of the emulator which the fixtures of pytest share, if a test asked for it
    with Emulator.run_in_thread() as threaded:
        pass
    assert not threaded.is_running
    assert threaded.url.startswith("http://127.0.0.1:")
    for call in (threaded.reset, threaded.predictions, lambda: threaded.wait_for("monitor", 1)):
        with pytest.raises(ClosedError):
            call()
    assert threading.active_count() == len(threading.enumerate())
    assert "picsellia-emulator" not in {thread.name for thread in set(threading.enumerate()) - before}


def test_what_stops_it_from_starting_comes_out() -> None:
    """A taken port is an error here, not in a log."""
    with Emulator.run_in_thread() as first:
        second = Emulator.run_in_thread(first.port)
        with pytest.raises(OSError, match="in use"):
            second.__enter__()
