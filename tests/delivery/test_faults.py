"""Scripted faults: what the register decides, what the middleware and the tap make of it, seen from a raw socket."""

from __future__ import annotations

import asyncio
import email.utils
import time
from collections import Counter

import attrs
import pytest

from picsellia_async.emulator.transport.fault_proxy import FaultProxy
from picsellia_async.emulator.transport.faults import Fault, FaultKind, Faults, identify
from picsellia_async.errors import ConfigurationError

from .conftest import SmallServer

pytestmark = pytest.mark.anyio

PATH = "/api/deployment/1/predictions"


@attrs.frozen
class Seen:
    """What a raw client saw of one exchange."""

    answer: bytes
    error: type[BaseException] | None = None

    @property
    def status(self) -> int:
        return int(self.answer.split(b" ", 2)[1]) if self.answer else 0

    @property
    def head(self) -> bytes:
        return self.answer.partition(b"\r\n\r\n")[0].lower()

    @property
    def body(self) -> bytes:
        return self.answer.partition(b"\r\n\r\n")[2]


async def post(port: int, body: bytes = b"0123456789" * 100, path: str = PATH, close: bool = True) -> Seen:
    """Send one request over a connection of its own and read until the end of the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answer = b""
    try:
        connection = "close" if close else "keep-alive"
        writer.write(
            f"POST {path} HTTP/1.1\r\nHost: x\r\nConnection: {connection}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        await writer.drain()
        while data := await reader.read(65536):
            answer += data
    except (ConnectionError, BrokenPipeError) as error:
        return Seen(answer, type(error))
    finally:
        writer.transport.abort()
        await asyncio.sleep(0)  # the transport closes in the loop's next turn
    return Seen(answer)


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
    head = (await post(server.port)).head
    if form == "date":
        value = head.split(b"retry-after: ")[1].split(b"\r\n")[0].decode()
        assert 1 <= email.utils.parsedate_to_datetime(value).timestamp() - time.time() <= 3.1
    else:
        assert (b"retry-after: 2\r\n" if form == "seconds" else b"retry-after-ms: 2000\r\n") in head + b"\r\n"


async def test_rate_limit_refuses_what_is_above_it(server: SmallServer) -> None:
    """Of a burst above the rate, one second's worth is served and the rest gets 429."""
    fault = server.faults.add(Fault(kind="rate_limit", limit=5, retry_after=1))
    statuses = Counter([(await post(server.port, b"x")).status for _ in range(8)])
    assert statuses[429] == server.faults.fired(fault) > 0
    assert statuses[201] >= 5


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


async def test_garbage_and_stored_then_dropped_store(server: SmallServer) -> None:
    """The handler runs, but the answer is half a document, or none."""
    server.faults.add(Fault(kind="garbage", times=1), Fault(kind="stored_then_dropped", times=1))
    garbage = await post(server.port)
    dropped = await post(server.port)
    assert garbage.status == 201
    assert garbage.body.startswith(b'{"id":1')
    assert not garbage.body.endswith(b"}")
    assert (dropped.answer, dropped.error) == (b"", ConnectionResetError)
    assert len(server.bodies) == 2


@pytest.mark.parametrize("fraction", [0.0, 0.5, 1.0])
async def test_reset_before_during_and_after_the_body(server: SmallServer, fraction: float) -> None:
    """A reset on the way up is an RST for the client, and the handler never gets the whole request."""
    fault = server.faults.add(Fault(kind="reset", after_fraction=fraction, times=1))
    seen = await post(server.port, b"y" * 200_000)
    assert (seen.answer, seen.error) == (b"", ConnectionResetError)
    assert (server.bodies, server.faults.fired(fault)) == ([], 1)
    assert (await post(server.port)).status == 201


async def test_reset_on_the_way_down_is_stored(server: SmallServer) -> None:
    """A reset before the answer's head, or within its body, comes after the handler."""
    server.faults.add(
        Fault(kind="reset", direction="down", times=1),
        Fault(kind="reset", direction="down", after_bytes=10, times=1),
    )
    first, second = await post(server.port), await post(server.port)
    assert (first.answer, first.error) == (b"", ConnectionResetError)
    assert second.error is ConnectionResetError
    assert len(server.bodies) == 2


async def test_truncate_cuts_the_answer_in_good_order(server: SmallServer) -> None:
    """The head promises more than arrives before the FIN."""
    server.faults.add(Fault(kind="truncate", direction="down", times=1))
    seen = await post(server.port)
    length = int(seen.head.split(b"content-length: ")[1].split(b"\r\n")[0])
    assert seen.error is None
    assert len(seen.body) == length // 2


@pytest.mark.parametrize("delta", [7, -7])
async def test_lying_length(server: SmallServer, delta: int) -> None:
    """The Content-Length is off by `delta`; the body itself is whole."""
    server.faults.add(Fault(kind="lying_length", delta=delta, times=1))
    seen = await post(server.port)
    assert int(seen.head.split(b"content-length: ")[1].split(b"\r\n")[0]) == len(seen.body) + delta


async def test_stall_for_a_while_then_goes_on(server: SmallServer) -> None:
    """A stall with an end delays the request, and changes nothing else."""
    server.faults.add(Fault(kind="stall", after_bytes=100, seconds=0.2, times=1))
    began = asyncio.get_running_loop().time()
    seen = await post(server.port, b"z" * 300_000)
    assert asyncio.get_running_loop().time() - began >= 0.19
    assert (seen.status, server.bodies) == (201, [b"z" * 300_000])


@pytest.mark.parametrize("direction", ["up", "down"])
async def test_stall_without_end_exerts_back_pressure(server: SmallServer, direction: str) -> None:
    """A stalled connection neither answers nor takes more than the kernel's buffers."""
    server.faults.add(Fault.from_json({"kind": "stall", "direction": direction, "times": 1}))
    _, writer = await asyncio.open_connection("127.0.0.1", server.port)
    size = 50_000_000 if direction == "up" else 10
    writer.write(f"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n".encode() + b"a" * size)
    try:
        async with asyncio.timeout(0.5):
            while not server.faults.account():  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.01)
        if direction == "up":
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(writer.drain(), 0.3)
            assert writer.transport.get_write_buffer_size() > 30_000_000
        assert len(server.bodies) == (0 if direction == "up" else 1)
    finally:
        writer.transport.abort()


@pytest.mark.parametrize("direction", ["up", "down"])
async def test_drip_is_slow_and_whole(server: SmallServer, direction: str) -> None:
    """A dripped exchange takes its time, and arrives whole."""
    server.faults.add(Fault.from_json({"kind": "drip", "direction": direction, "bytes_per_second": 4000, "times": 1}))
    began = asyncio.get_running_loop().time()
    seen = await post(server.port, b"d" * 1000)
    assert asyncio.get_running_loop().time() - began >= 0.05
    assert (seen.status, server.bodies) == (201, [b"d" * 1000])
    assert seen.body.endswith(b'"}')


async def test_a_kept_connection_gets_its_tap_at_the_next_request(server: SmallServer) -> None:
    """A fault scripted while a connection idles fires at its next request, and the tap is gone when it was cleared."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)

    async def exchange(body: bytes) -> bytes:
        writer.write(b"POST /k HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        head = await reader.readuntil(b"\r\n\r\n")
        return await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]))

    assert b'"id":1' in await exchange(b"one")
    server.faults.add(Fault(kind="drip", bytes_per_second=100_000, times=1), Fault(kind="reset", skip=1))
    for number in (2, 3):
        assert b'"id":%d' % number in await exchange(b"two" * 5000)
    assert server.faults.counts() == {"drip": 1}
    with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
        await exchange(b"three")
    writer.transport.abort()


async def test_the_proxy_shares_the_tap() -> None:
    """`FaultProxy` passes exchanges on, and resets those that the script names."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        try:
            body = await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]))
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    upstream = await asyncio.start_server(echo, "127.0.0.1", 0)
    faults = Faults()
    async with upstream, FaultProxy("127.0.0.1", upstream.sockets[0].getsockname()[1], faults) as proxy:
        body = b"p" * 3_000_000
        assert (await post(proxy.port, body)).body == body
        faults.add(Fault(kind="reset", after_fraction=0.5, times=1))
        assert (await post(proxy.port, body)).error is ConnectionResetError
        faults.add(Fault(kind="truncate", direction="down", after_bytes=1000, times=1))
        assert len((await post(proxy.port, body)).body) == 1000
        assert (await post(proxy.port, body)).body == body
        assert faults.counts() == {"reset": 1, "truncate": 1}


async def test_the_proxy_resets_when_nobody_is_behind() -> None:
    """Without a server behind, the client's connection is reset."""
    async with FaultProxy("127.0.0.1", 1, Faults()) as proxy:
        assert (await post(proxy.port)).error is ConnectionResetError


def test_json_round_trip() -> None:
    """A fault survives its JSON form, and the register tells script and account."""
    fault = Fault(kind="stall", endpoint="monitor", after_bytes=3, seconds=1.5, times=2, seed=1)
    assert Fault.from_json(fault.to_json()) == fault
    faults = Faults()
    assert faults.add_json([fault.to_json(), {"kind": "html"}])[1].kind is FaultKind.HTML
    faults.record(fault, faults.request("POST", PATH))
    told = faults.to_json()
    assert told["counts"] == {"stall": 1}
    assert [item["fired"] for item in told["faults"]] == [1, 0]
    assert told["account"][0]["endpoint"] == "monitor"
    assert faults.remove(fault.id)
    assert not faults.remove(fault.id)
    assert [fault.kind for fault in faults] == [FaultKind.HTML]


@pytest.mark.parametrize(
    "data",
    [
        {"kind": "nonsense"},
        {"kind": "html", "what": 1},
        {"kind": "html", "probability": 2},
        {"kind": "html", "match": "("},
        [],
        3,
    ],
)
def test_bad_scripts_are_refused(data: object) -> None:
    """An unknown kind or field, a value out of range or a bad pattern is a ConfigurationError, and scripts nothing."""
    faults = Faults()
    with pytest.raises(ConfigurationError):
        faults.add_json(data)
    assert len(faults) == 0


@pytest.mark.parametrize(
    ("method", "path", "named"),
    [
        ("POST", "/oracle/api/auth/login", ("oracle", "login")),
        ("POST", "/api/deployment/1/predictions", ("oracle", "monitor")),
        ("POST", "/serving/api/login", ("serving", "login")),
        ("POST", "/api/v2/deployments/1/predict", ("serving", "predict")),
        ("GET", "/api/home/ping", ("platform", "ping")),
        ("GET", "/api/deployment/1", ("platform", "")),
        ("PUT", "/storage/x", ("storage", "storage")),
        ("GET", "/serving/other", ("serving", "")),
        ("GET", "/favicon.ico", ("", "")),
    ],
)
def test_identify(method: str, path: str, named: tuple[str, str]) -> None:
    """The path alone names service and endpoint as far as it can."""
    assert identify(method, path) == named


def test_a_jwt_is_for_no_platform() -> None:
    """One path serves platform and monitoring; the credential tells them apart."""
    faults = Faults()
    assert faults.request("GET", "/api/deployment/1", b"Bearer 0123456789abcdef").service == "platform"
    assert faults.request("GET", "/api/deployment/1", b"Bearer aa.bb.cc").service == "oracle"
    assert faults.request("POST", "/api/v2/deployments/1/predict", b"Bearer aa.bb.cc").service == "serving"
