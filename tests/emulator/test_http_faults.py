"""Faults that the middleware makes: other answers, limits, spoiled answers; seen from a raw socket."""

from __future__ import annotations

import asyncio
import email.utils
import time
from collections import Counter

import pytest

from picsellia_async.emulator.transport.fault import Fault

from ..support.raw_http import post
from ..support.small_server import SmallServer

pytestmark = pytest.mark.anyio


async def test_without_a_script_everything_passes(server: SmallServer) -> None:
    """A server with an empty register answers as if there were none."""
    seen = await post(server.port)
    assert (seen.status, server.bodies, server.faults.account()) == (201, [b"0123456789" * 100], ())


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (Fault(kind="status", status=413, times=1), 413),
        (Fault(kind="status", times=1, early=True), 500),
        (Fault(kind="html", times=1), 502),
        (Fault(kind="jwt_expiry", times=1), 401),
        (Fault(kind="rate_limit", limit=0.001, skip=0), 201),
    ],
    ids=lambda value: value.kind.value if isinstance(value, Fault) else str(value),
)
async def test_an_answer_in_place_of_the_handler(server: SmallServer, fault: Fault, status: int) -> None:
    """A scripted status is answered, the handler is not reached, and the account says so."""
    server.faults.add(fault)
    assert (await post(server.port)).status == status
    assert len(server.bodies) == (1 if status == 201 else 0)
    assert server.faults.fired(fault) == (0 if status == 201 else 1)


async def test_times_skip_and_match(server: SmallServer) -> None:
    """`skip`, `times` and `match` choose exactly the requests they say."""
    fault = server.faults.add(Fault(kind="status", status=503, match="^POST /a", skip=1, times=2))
    statuses = [(await post(server.port, path=path)).status for path in ("/a", "/b", "/a", "/a", "/a")]
    assert statuses == [201, 201, 503, 503, 201]
    assert [firing.request.path for firing in server.faults.account()] == ["/a", "/a"]
    assert server.faults.fired(fault.id) == 2


async def test_probability_is_repeatable_by_its_seed(server: SmallServer) -> None:
    """The same seed fires at the same requests."""
    rounds = []
    for _ in range(2):
        server.faults.clear()
        server.faults.add(Fault(kind="status", probability=0.5, seed=7))
        rounds.append([(await post(server.port, b"x")).status for _ in range(20)])
    assert rounds[0] == rounds[1]
    assert set(rounds[0]) == {201, 500}


@pytest.mark.parametrize("form", ["seconds", "ms", "date"])
async def test_each_form_of_retry_after(server: SmallServer, form: str) -> None:
    """Retry-After is sent as seconds, milliseconds or an HTTP date."""
    server.faults.add(Fault.from_json({"kind": "status", "status": 429, "retry_after": 2, "retry_after_form": form}))
    before = time.time()
    head = (await post(server.port)).head
    if form == "date":
        value = head.split(b"retry-after: ")[1].split(b"\r\n")[0].decode()
        assert before + 2 <= email.utils.parsedate_to_datetime(value).timestamp() <= time.time() + 3  # rounded up
    else:
        assert (b"retry-after: 2\r\n" if form == "seconds" else b"retry-after-ms: 2000\r\n") in head + b"\r\n"


async def test_rate_limit_refuses_what_is_above_it(server: SmallServer) -> None:
    """Of a burst above the rate, one second's worth is served and the rest gets 429."""
    fault = server.faults.add(Fault(kind="rate_limit", limit=5, retry_after=1))
    statuses = Counter(one.status for one in await asyncio.gather(*(post(server.port, b"x") for _ in range(100))))
    assert statuses[429] == server.faults.fired(fault) > 0
    assert statuses[201] >= 5
    assert statuses.total() == statuses[429] + statuses[201] == 100


async def test_concurrency_limit_refuses_what_is_above_it(server: SmallServer) -> None:
    """Of eight requests at once, three are served and five refused."""
    server.faults.add(Fault(kind="concurrency_limit", limit=3, seconds=0.2))
    seen = await asyncio.gather(*(post(server.port, b"x") for _ in range(8)))
    assert Counter(one.status for one in seen) == {201: 3, 503: 5}


async def test_capacity_makes_the_rest_wait(server: SmallServer) -> None:
    """Of six requests on two seats the last is served in the third turn, and a fault behind it still fires."""
    server.faults.add(Fault(kind="capacity", limit=2, seconds=0.05), Fault(kind="status", status=418, skip=5))
    began = asyncio.get_running_loop().time()
    seen = await asyncio.gather(*(post(server.port, b"x") for _ in range(6)))
    assert asyncio.get_running_loop().time() - began >= 0.149
    assert Counter(one.status for one in seen) == {201: 5, 418: 1}


async def test_conflict_knows_what_it_has(server: SmallServer) -> None:
    """The same body twice is 409 the second time; another body is handled."""
    fault = server.faults.add(Fault(kind="conflict"))
    assert [(await post(server.port, body)).status for body in (b"a", b"b", b"a", b"a")] == [201, 201, 409, 409]
    assert (server.bodies, server.faults.fired(fault)) == ([b"a", b"b"], 2)


async def test_jwt_expiry_asks_the_store(server: SmallServer) -> None:
    """With a store the tokens are made void and the request goes on to meet its own 401."""
    expired: list[int] = []
    server.faults.expire_tokens = lambda: expired.append(1)
    server.faults.add(Fault(kind="jwt_expiry", times=1))
    assert (await post(server.port)).status == 201
    assert expired == [1]


async def test_garbage_and_stored_then_dropped_store(server: SmallServer, caplog: pytest.LogCaptureFixture) -> None:
    """The handler runs, but the answer is half a document, or none; no log calls that an error of the emulator."""
    server.faults.add(Fault(kind="garbage", times=1), Fault(kind="stored_then_dropped", times=1))
    garbage = await post(server.port)
    dropped = await post(server.port)
    assert garbage.status == 201
    assert garbage.body.startswith(b'{"id":1')
    assert not garbage.body.endswith(b"}")
    assert (dropped.answer, dropped.error) == (b"", ConnectionResetError)
    assert len(server.bodies) == 2
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []
