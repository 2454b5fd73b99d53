"""The first-light calls against the emulator over real TCP: connecting, monitoring, predicting, signing in, closing."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import pickle
import subprocess
import sys
import textwrap

import anyio
import attrs
import httpx
import numpy as np
import orjson
import pytest

from picsellia_async import (
    AsyncClient,
    AsyncDeployment,
    AuthenticationError,
    ClosedError,
    ConfigurationError,
    ConflictError,
    ContentTypeUnknown,
    DetectionPredictionFormat,
    HostNotConfiguredError,
    InferenceType,
    MonitorError,
    NotFoundError,
    PointPredictionFormat,
    RateLimitError,
    RequestTimeoutError,
    RetryPolicy,
    ServerError,
    TransportError,
)
from picsellia_async.emulator import Emulator, Fault

pytestmark = pytest.mark.anyio

JPEG = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 8 + b"\xff\xd9"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)
PREDICTION = DetectionPredictionFormat([0, 1], [[1, 2, 3, 4], [5, 6, 7, 8]], [0.9, 0.5])
QUICK = RetryPolicy(backoff_initial=0.001, backoff_max=0.002)


async def monitor(deployment, image=JPEG, content_type="image/jpeg", name="f.jpg", **options):
    return await deployment.monitor_bytes(image, content_type, name, 0.02, 480, 640, PREDICTION, **options)


async def stored(emulator):
    async with httpx.AsyncClient() as control:
        return (await control.get(f"{emulator.url}/emulator/predictions")).json()


def calls(emulator, endpoint):
    return [entry for entry in emulator.journal if entry.endpoint == endpoint]


@pytest.fixture
async def quick(emulator):
    """A client that hardly waits between attempts."""
    async with AsyncClient(emulator.api_token, emulator.organization_id, host=emulator.url, retry=QUICK) as connected:
        yield connected


# Connecting


async def test_connect_by_id_name_or_default(emulator):
    """Id, name, and neither (the token's default organization) all lead to the organization."""
    for arguments in (
        {"organization_id": emulator.organization_id},
        {"organization_name": emulator.organization_name},
        {},
    ):
        async with AsyncClient(emulator.api_token, host=emulator.url, **arguments) as client:
            assert str(client.organization.id) == emulator.organization_id
            assert client.organization.name == emulator.organization_name


async def test_connect_from_the_environment(emulator, monkeypatch):
    """Token, organization and host may come from the environment; arguments win."""
    monkeypatch.setenv("PICSELLIA_TOKEN", emulator.api_token)
    monkeypatch.setenv("PICSELLIA_HOST", emulator.url + "/a/path/that/is/dropped/")
    monkeypatch.setenv("PICSELLIA_ORGANIZATION_NAME", emulator.organization_name)
    async with AsyncClient() as client:
        assert client.organization.name == emulator.organization_name
    monkeypatch.setenv("PICSELLIA_ORGANIZATION_ID", "00000000-0000-0000-0000-000000000000")
    async with AsyncClient(organization_name=emulator.organization_name) as client:
        assert str(client.organization.id) == emulator.organization_id


async def test_the_first_call_connects(emulator):
    """Entering is not needed; 20 first calls at once greet the platform once."""
    client = AsyncClient(emulator.api_token, host=emulator.url)
    found = await asyncio.gather(*(client.get_deployment(emulator.deployment_name) for _ in range(20)))
    assert {d.name for d in found} == {emulator.deployment_name}
    assert len(calls(emulator, "ping")) == 1
    await client.aclose()


@pytest.mark.parametrize("token", ["wrong", "0" * 40])
async def test_a_wrong_token(emulator, token):
    """One clear typed error, at connect, with the status; the token is not in it."""
    with pytest.raises(AuthenticationError) as caught:
        async with AsyncClient(token, host=emulator.url):
            pass
    assert caught.value.status == 401
    assert token not in repr(caught.value)


@pytest.mark.parametrize("token", ["a\r\nX: y", "a b", "é", 7, ""])
def test_a_token_that_is_no_header_value(token, monkeypatch):
    """Refused before anything is sent, without showing it."""
    monkeypatch.delenv("PICSELLIA_TOKEN", raising=False)
    with pytest.raises(ConfigurationError) as caught:
        AsyncClient(token)
    assert "X: y" not in str(caught.value)


async def test_a_missing_organization(emulator):
    """By name and by id: not found, typed."""
    for arguments in ({"organization_name": "nobody"}, {"organization_id": "00000000-0000-4000-8000-000000000000"}):
        with pytest.raises(NotFoundError):
            async with AsyncClient(emulator.api_token, host=emulator.url, **arguments):
                pass


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"host": "no url"}, "host must be"),
        ({"organization_id": "x"}, "organization_id must be a UUID"),
        ({"timeout": -1}, "timeout"),
        ({"max_connections": 0}, "max_connections must be at least 1"),
        ({"retry": 3}, "retry must be a RetryPolicy"),
        ({"transport": object(), "http_client": object()}, "exclude each other"),
    ],
    ids=lambda v: next(iter(v)) if isinstance(v, dict) else None,
)  # fmt: skip
def test_bad_settings_are_named(arguments, message):
    """The constructor says which setting cannot be used."""
    with pytest.raises(ConfigurationError, match=message):
        AsyncClient("token", **arguments)


async def test_an_unreachable_platform():
    """A refused connection is a TransportError that says nothing was sent, after the attempts allowed."""
    client = AsyncClient("token", host="http://127.0.0.1:1", retry=RetryPolicy(attempts=3, backoff_initial=0.001))
    with pytest.raises(TransportError) as caught:
        await client.connect()
    assert (caught.value.attempts, caught.value.request_sent) == (3, False)
    assert isinstance(caught.value.__cause__, httpx.ConnectError)
    await client.aclose()


# Deployments


async def test_find_deployments(client, emulator):
    """By name, by id (text or UUID), and in the list; finding one signs in nowhere."""
    one = await client.get_deployment(name=emulator.deployment_name)
    assert (one.name, str(one.id), one.type) == (
        emulator.deployment_name,
        emulator.deployment_id,
        InferenceType.OBJECT_DETECTION,
    )
    assert (await client.get_deployment_by_id(str(one.id))).id == one.id
    assert (await client.get_deployment_by_id(one.id)).name == one.name
    assert one.id in {d.id for d in await client.list_deployments()}
    assert len(await client.list_deployments(limit=1)) == 1
    assert not calls(emulator, "oracle_login")
    with pytest.raises(NotFoundError):
        await client.get_deployment("nope")
    with pytest.raises(ConfigurationError, match="id must be a UUID"):
        await client.get_deployment_by_id("nope")


async def test_sync_and_information(deployment, emulator):
    """`sync` brings what the platform says now; the monitoring host tells about the deployment."""
    description = await deployment.sync()
    assert description.oracle_host
    assert str(deployment.id) == emulator.deployment_id
    assert isinstance(await deployment.retrieve_information(), dict)


# Monitoring


async def test_monitored_bytes_arrive(deployment, emulator):
    """What was sent is stored, byte for byte, with its options."""
    receipt = await monitor(
        deployment, source="cam-1", tags=["a"], timestamp=1_700_000_000.5, custom_metadata={"k": [1]}
    )
    answer = await stored(emulator)
    (item,) = [i for i in answer["items"] if i["id"] == receipt["id"]]
    assert item["sha256"] == hashlib.sha256(JPEG).hexdigest()
    assert (item["filename"], item["source"], item["tags"], item["timestamp"]) == (
        "f.jpg",
        "cam-1",
        ["a"],
        1_700_000_000.5,
    )
    assert item["deployment_id"] == emulator.deployment_id


async def test_monitored_file_arrives(deployment, emulator, tmp_path):
    """A path or its text; the type comes from the extension, the name is the base name."""
    file = tmp_path / "frame.PNG"
    file.write_bytes(PNG)
    await deployment.monitor(file, 0.1, 10, 20, PREDICTION)
    await deployment.monitor(str(file), 0.1, 10, 20, PREDICTION, content_type="image/png")
    items = (await stored(emulator))["items"]
    assert [(i["filename"], i["sha256"]) for i in items[-2:]] == [("frame.PNG", hashlib.sha256(PNG).hexdigest())] * 2


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
async def test_every_kind_of_bytes(deployment, emulator, kind):
    """bytes, bytearray and memoryview are the same image."""
    await monitor(deployment, kind(JPEG))
    assert (await stored(emulator))["items"][-1]["sha256"] == hashlib.sha256(JPEG).hexdigest()


async def test_a_large_image_arrives(deployment, emulator):
    """5 MB travel in slices and arrive whole."""
    image = b"\xff\xd8\xff" + np.random.default_rng(1).bytes(5_000_000)
    await monitor(deployment, image)
    assert (await stored(emulator))["items"][-1]["sha256"] == hashlib.sha256(image).hexdigest()


async def test_numpy_scalars_as_arguments(deployment):
    """Latency, height and width may be numpy's."""
    receipt = await deployment.monitor_bytes(
        JPEG, "image/jpeg", "f.jpg", np.float32(0.5), np.int64(480), np.int32(640), PREDICTION, shadow_latency=np.float64(1),
        shadow_prediction=PREDICTION,
    )  # fmt: skip
    assert receipt["id"]


async def test_no_monitoring_or_serving_host(client, emulator):
    """A deployment without the host says so when it is used, and not before."""
    found = await client.get_deployment(emulator.deployment_name)
    bare = attrs.evolve(found.description, oracle_host=None, serving_host=None)
    deployment = AsyncDeployment(bare, client._account)
    with pytest.raises(HostNotConfiguredError, match="monitoring host"):
        await monitor(deployment)
    with pytest.raises(HostNotConfiguredError, match="serving host"):
        await deployment.predict_bytes("f.jpg", JPEG)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"prediction": PointPredictionFormat([0], [1], [[1, 2]])}, ConfigurationError, "POINT"),
        ({"prediction": {"detection_classes": []}}, ConfigurationError, "prediction must be a prediction format"),
        ({"shadow_prediction": PointPredictionFormat([], [], []), "shadow_latency": 0.1}, ConfigurationError, "shadow_prediction"),
        ({"shadow_latency": 0.1}, ConfigurationError, "given together"),
        ({"content_type": "image/webp"}, ContentTypeUnknown, "image/webp"),
        ({"raw_image": "text"}, ConfigurationError, "raw_image must be bytes"),
        ({"raw_image": b""}, ConfigurationError, "raw_image"),
        ({"latency": float("nan")}, ConfigurationError, "latency"),
        ({"height": 0}, ConfigurationError, "height"),
        ({"tags": "cam"}, ConfigurationError, "tags"),
    ],
    ids=lambda v: next(iter(v)) if isinstance(v, dict) else None,
)  # fmt: skip
async def test_bad_input_is_refused_before_anything_is_sent(deployment, emulator, arguments, error, message):
    """The field and the value are named, and the journal stays as it was."""
    before = emulator.journal.total
    good = {
        "raw_image": JPEG, "content_type": "image/jpeg", "filename": "f.jpg", "latency": 0.1, "height": 1, "width": 1,
        "prediction": PREDICTION,
    }  # fmt: skip
    with pytest.raises(error, match=message):
        await deployment.monitor_bytes(**(good | arguments))
    assert emulator.journal.total == before


async def test_bad_files(deployment, tmp_path):
    """Missing, a directory, empty, and no image by name: each its own clear error, also as the OSError it is."""
    with pytest.raises(FileNotFoundError, match="no file") as caught:
        await deployment.monitor(tmp_path / "no.jpg", 0.1, 1, 1, PREDICTION)
    assert isinstance(caught.value, ConfigurationError)
    (tmp_path / "dir.jpg").mkdir()
    with pytest.raises(IsADirectoryError, match="directory"):
        await deployment.monitor(tmp_path / "dir.jpg", 0.1, 1, 1, PREDICTION)
    (tmp_path / "empty.jpg").touch()
    with pytest.raises(ConfigurationError, match="0 bytes"):
        await deployment.monitor(tmp_path / "empty.jpg", 0.1, 1, 1, PREDICTION)
    (tmp_path / "f.gif").write_bytes(JPEG)
    with pytest.raises(ContentTypeUnknown):
        await deployment.monitor(tmp_path / "f.gif", 0.1, 1, 1, PREDICTION)
    with pytest.raises(ConfigurationError, match="image_path must be"):
        await deployment.monitor(None, 0.1, 1, 1, PREDICTION)


UNREADABLE = """
import asyncio, concurrent.futures.thread, os, sys
from picsellia_async._services.files import read_image
from picsellia_async import ConfigurationError
if os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
try:
    asyncio.run(read_image(sys.argv[1]))
except PermissionError as exc:
    assert isinstance(exc, ConfigurationError), type(exc)
    print(exc)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="file modes of POSIX")
def test_a_file_without_read_permission(tmp_path):
    """A typed error that is also a PermissionError; tried as another user where the tests run as root."""
    file = tmp_path / "secret.jpg"
    file.write_bytes(JPEG)
    file.chmod(0)
    done = subprocess.run([sys.executable, "-c", UNREADABLE, str(file)], capture_output=True, text=True, check=False)
    assert "may not be read" in done.stdout, done.stderr


# Predicting


async def test_predict_bytes_and_file(deployment, emulator, tmp_path):
    """The serving host's answer is handed on; tags, source and metadata travel."""
    answer = await deployment.predict_bytes("é.jpg", JPEG, tags=["a"], source="cam", metadata={"latitude": 1.5})
    assert isinstance(answer, dict)
    file = tmp_path / "f.png"
    file.write_bytes(PNG)
    assert isinstance(await deployment.predict(file, "tag", monitor=False), dict)
    with pytest.raises(FileNotFoundError):
        await deployment.predict(tmp_path / "no.png")
    with pytest.raises(ConfigurationError, match="monitor must be True or False"):
        await deployment.predict_bytes("f.jpg", JPEG, monitor="no")
    with pytest.raises(ConfigurationError, match="filename"):
        await deployment.predict_bytes("", JPEG)


# Sign-in


async def test_an_expired_jwt_under_200_calls_is_renewed_once(deployment, emulator):
    """All JWTs are void, 200 calls are under way: exactly one login, and all succeed."""
    await monitor(deployment)
    emulator.state.tokens.expire()
    before = len(calls(emulator, "oracle_login"))
    receipts = await asyncio.gather(*(monitor(deployment, name=f"{i}.jpg") for i in range(200)))
    assert len(calls(emulator, "oracle_login")) == before + 1
    assert len({r["id"] for r in receipts}) == 200
    assert (await stored(emulator))["count"] == 201


async def test_two_handles_of_one_deployment_share_the_sign_in(client, emulator):
    """A handle that is fetched again brings no login of its own, and neither do other limits."""
    for _ in range(3):
        await monitor(await client.get_deployment(emulator.deployment_name))
    await monitor(await client.with_options(timeout=5).get_deployment(emulator.deployment_name))
    assert len(calls(emulator, "oracle_login")) == 1


async def test_a_refused_login(quick, emulator):
    """The monitoring host refuses the token: AuthenticationError at the call, and the next call asks again."""
    deployment = await quick.get_deployment(emulator.deployment_name)
    emulator.faults.add(Fault(kind="status", service="oracle", endpoint="login", status=403, times=1))
    with pytest.raises(AuthenticationError) as caught:
        await monitor(deployment)
    assert caught.value.status == 403
    assert await monitor(deployment)


async def test_a_second_401_is_final(deployment, emulator):
    """A host that refuses fresh tokens too ends the call after one renewal."""
    emulator.faults.add(Fault(kind="status", endpoint="monitor", status=401))
    with pytest.raises(AuthenticationError):
        await monitor(deployment)
    assert len(calls(emulator, "oracle_login")) == 2
    assert len(calls(emulator, "monitor")) == 2


# Repetition


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524])
async def test_an_answer_for_now_is_repeated(quick, emulator, status):
    """408, 425, 429, 500, 502 to 504, 520 to 524: twice refused, then stored once."""
    deployment = await quick.get_deployment(emulator.deployment_name)
    emulator.faults.add(Fault(kind="status", endpoint="monitor", status=status, times=2))
    await monitor(deployment)
    assert len(calls(emulator, "monitor")) == 3
    assert (await stored(emulator))["count"] == 1


@pytest.mark.parametrize(
    ("status", "error"), [(400, MonitorError), (409, ConflictError), (413, MonitorError), (422, MonitorError)]
)
async def test_an_answer_for_good_is_not_repeated(quick, emulator, status, error):
    """One attempt, the error of its real status."""
    deployment = await quick.get_deployment(emulator.deployment_name)
    emulator.faults.add(Fault(kind="status", endpoint="monitor", status=status))
    with pytest.raises(error) as caught:
        await monitor(deployment)
    assert (caught.value.status, caught.value.attempts) == (status, 1)
    assert isinstance(caught.value, MonitorError)


def test_no_other_status_is_repeated():
    """The table of statuses is exactly this one, so that none is left out and none slips in."""
    assert RetryPolicy().statuses == {408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524}


async def test_the_last_failure_is_raised_with_the_attempts(quick, emulator):
    """After the policy's attempts the error of the last answer reaches the caller."""
    deployment = await quick.get_deployment(emulator.deployment_name)
    emulator.faults.add(Fault(kind="html", endpoint="monitor"))
    with pytest.raises(MonitorError) as caught:
        await monitor(deployment)
    assert isinstance(caught.value, ServerError)
    assert (caught.value.status, caught.value.attempts) == (502, QUICK.attempts)
    assert f"/api/deployment/{emulator.deployment_id}/predictions" in caught.value.url
    assert caught.value.message
    assert emulator.api_token not in str(caught.value)


async def test_retry_after_is_reported(emulator):
    """With a single attempt the seconds asked for are on the error, in each form."""
    async with AsyncClient(emulator.api_token, host=emulator.url, retry=RetryPolicy.none()) as client:
        deployment = await client.get_deployment(emulator.deployment_name)
        for form in ("seconds", "ms", "date"):
            emulator.faults.add(
                Fault(kind="status", endpoint="monitor", status=429, retry_after=7, retry_after_form=form, times=1)
            )
            with pytest.raises(RateLimitError) as caught:
                await monitor(deployment)
            # From a date the answer's Date is taken, which uvicorn renews about once a second, later on a busy machine.
            assert caught.value.retry_after == pytest.approx(7, abs=4 if form == "date" else 0)


async def test_a_lost_answer_stores_one_prediction(quick, emulator):
    """The service stored the frame and dropped the connection: the error says so, and nothing is sent twice."""
    deployment = await quick.get_deployment(emulator.deployment_name)
    await monitor(deployment)
    emulator.faults.add(Fault(kind="stored_then_dropped", endpoint="monitor", times=1))
    with pytest.raises(TransportError) as caught:
        await monitor(deployment, name="once.jpg")
    assert caught.value.request_sent
    names = [item["filename"] for item in (await stored(emulator))["items"]]
    assert names.count("once.jpg") == 1


async def test_a_lost_answer_of_an_idempotent_call_is_repeated(quick, emulator):
    """Reading again harms nobody."""
    deployment = await quick.get_deployment(emulator.deployment_name)
    emulator.faults.add(Fault(kind="stored_then_dropped", endpoint="retrieve_information", times=2))
    assert await deployment.retrieve_information()


async def test_a_reset_before_the_body_ended_is_repeated(quick, emulator):
    """The service cannot have the whole frame: it is sent again, and stored once."""
    deployment = await quick.get_deployment(emulator.deployment_name)
    emulator.faults.add(Fault(kind="reset", endpoint="monitor", after_bytes=100_000, times=1))
    image = b"\xff\xd8\xff" + bytes(8_000_000)
    await monitor(deployment, image)
    assert (await stored(emulator))["count"] == 1


async def test_a_stalled_answer_times_out(emulator):
    """The read timeout ends the call with its own class; the connection is not used again."""
    async with AsyncClient(emulator.api_token, host=emulator.url, timeout=0.2, retry=QUICK) as client:
        deployment = await client.get_deployment(emulator.deployment_name)
        await monitor(deployment)
        emulator.faults.add(Fault(kind="latency", endpoint="monitor", seconds=30, times=1))
        with pytest.raises(RequestTimeoutError) as caught:
            await monitor(deployment)
        assert caught.value.request_sent
        assert await monitor(deployment)


async def test_waits_are_cancelled_at_once(emulator):
    """A call that waits for its next attempt ends when it is cancelled."""
    async with AsyncClient(emulator.api_token, host=emulator.url) as client:
        deployment = await client.get_deployment(emulator.deployment_name)
        emulator.faults.add(Fault(kind="status", endpoint="monitor", status=503, retry_after=100))
        with anyio.move_on_after(0.3) as scope:
            await monitor(deployment)
        assert scope.cancelled_caught


# Scenarios of closing, loops and processes


async def test_a_hundred_calls_at_once_with_default_settings(deployment, emulator, caplog):
    """No PoolTimeout, no lost call; neither where more calls than connections are made, so that most have to wait in line."""
    caplog.set_level("DEBUG", "picsellia_async")
    for count in (100, 300):
        receipts = await asyncio.gather(*(monitor(deployment, name=f"{i}.jpg") for i in range(count)))
        assert len({r["id"] for r in receipts}) == count
    assert "failed" not in caplog.text, "no call needed a second attempt"


async def test_a_long_queue_is_not_a_timeout(emulator):
    """Two connections, 300 calls, a short timeout: waiting in line is not charged to the request."""
    async with AsyncClient(emulator.api_token, host=emulator.url, max_connections=2, timeout=1.0) as client:
        deployment = await client.get_deployment(emulator.deployment_name)
        emulator.faults.add(Fault(kind="latency", endpoint="monitor", seconds=0.01))
        receipts = await asyncio.gather(*(monitor(deployment) for _ in range(300)))
    assert len(receipts) == 300


async def test_closing_twice_and_use_after_close(emulator):
    """Closing twice is fine; a call after it is one typed error that says what to do."""
    client = AsyncClient(emulator.api_token, host=emulator.url)
    deployment = await client.get_deployment(emulator.deployment_name)
    await monitor(deployment)
    await client.aclose()
    await client.aclose()
    assert client.is_closed
    for call in (monitor(deployment), deployment.sync(), client.get_deployment("x"), client.connect()):
        with pytest.raises(ClosedError, match="closed"):
            await call
    assert "closed" in repr(client)


async def test_closing_ends_calls_under_way(emulator):
    """A call whose client is closed under it ends at once, with a typed error."""
    client = AsyncClient(emulator.api_token, host=emulator.url)
    deployment = await client.get_deployment(emulator.deployment_name)
    await monitor(deployment)
    emulator.faults.add(Fault(kind="latency", endpoint="monitor", seconds=60))
    call = asyncio.create_task(monitor(deployment))
    while not emulator.faults.account():  # noqa: ASYNC110 - nothing else tells that the request has arrived
        await asyncio.sleep(0.01)
    await client.aclose()
    with pytest.raises((ClosedError, TransportError)):
        await call


async def test_a_copy_with_other_limits_shares_the_pool(client, emulator):
    """`with_options` changes limits only; closing the copy closes nothing."""
    copy = client.with_options(timeout=0.05, retry=RetryPolicy.none())
    deployment = await copy.get_deployment(emulator.deployment_name)
    assert len(calls(emulator, "ping")) == 1
    emulator.faults.add(Fault(kind="latency", endpoint="monitor", seconds=5, times=1))
    with pytest.raises(RequestTimeoutError):
        await monitor(deployment)
    await copy.aclose()
    assert not client.is_closed
    assert await monitor(await client.get_deployment(emulator.deployment_name))


def run(code, *arguments, **environment):
    return subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", textwrap.dedent(code), *arguments],
        capture_output=True, text=True, timeout=60, check=False, env=os.environ | environment,
    )  # fmt: skip


@pytest.fixture
def url_and_token():
    """An emulator in a thread of its own, for processes that block."""
    with Emulator().run_in_thread() as running:
        yield running.url, running.api_token


PRELUDE = """
import asyncio, sys
from picsellia_async import *
url, token = sys.argv[1:]
client = AsyncClient(token, host=url)
prediction = DetectionPredictionFormat([0], [[1, 2, 3, 4]], [0.5])
async def once():
    deployment = await client.get_deployment("awesome-deploy")
    receipt = await deployment.monitor_bytes(b"\\xff\\xd8\\xff", "jpeg", "f.jpg", 0.1, 1, 1, prediction)
    assert receipt["id"]
"""


def test_three_event_loops_one_after_the_other(url_and_token):
    """Made outside of any loop, then used in three `asyncio.run`: each works."""
    done = run(PRELUDE + textwrap.dedent("""
        import warnings
        warnings.simplefilter("ignore", ResourceWarning)  # each loop ends with the client still open, which asyncio notes
        for _ in range(3):
            asyncio.run(once())
        asyncio.run(client.aclose())
        print("done")
    """), *url_and_token)  # fmt: skip
    assert done.stdout == "done\n", done.stderr


def test_dropping_an_open_client_only_warns(url_and_token):
    """A client that nobody closed says so by a ResourceWarning, and nothing else is printed."""
    done = run(PRELUDE + textwrap.dedent("""
        import gc, warnings
        warnings.simplefilter("always")
        asyncio.run(once())
        del client
        gc.collect()
    """), *url_and_token)  # fmt: skip
    assert done.returncode == 0
    assert "unclosed <AsyncClient" in done.stderr
    assert "Traceback" not in done.stderr
    assert "never retrieved" not in done.stderr
    assert url_and_token[1] not in done.stderr


def test_made_at_import_used_in_a_loop_of_its_own(url_and_token):
    """As a web framework with its own loop does."""
    done = run(PRELUDE + textwrap.dedent("""
        loop = asyncio.new_event_loop()
        loop.run_until_complete(once())
        loop.run_until_complete(client.aclose())
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
        print("done")
    """), *url_and_token)  # fmt: skip
    assert done.stdout == "done\n", done.stderr


def test_the_constructor_needs_no_loop():
    """Plain synchronous code may make a client; no socket is opened."""
    client = AsyncClient("token", host="http://127.0.0.1:1")
    assert not client.is_closed
    assert "token" not in repr(client)


def test_two_running_loops_are_refused(url_and_token):
    """Another thread's loop gets one clear error that names the fix."""
    done = run(PRELUDE + textwrap.dedent("""
        import threading
        errors = []
        def other():
            try:
                asyncio.run(once())
            except ClosedError as exc:
                errors.append(str(exc))
        async def main():
            async with client:
                await once()
                await asyncio.to_thread(other)
        asyncio.run(main())
        print(errors[0])
    """), *url_and_token)  # fmt: skip
    assert "one AsyncClient per event loop" in done.stdout, done.stderr


async def test_settings_travel_to_other_processes(client, emulator):
    """A client is pickled as its settings and connects anew; a deployment says why it is not, and its description is a value."""
    again = pickle.loads(pickle.dumps(client))
    async with again:
        deployment = await again.get_deployment(emulator.deployment_name)
        assert await monitor(deployment)
    with pytest.raises(TypeError, match=r"pickle the AsyncClient and deployment\.id"):
        pickle.dumps(deployment)
    assert pickle.loads(pickle.dumps(deployment.description)) == deployment.description
    with pytest.raises(TypeError, match="transport="):
        pickle.dumps(AsyncClient("t", transport=httpx.MockTransport(lambda request: httpx.Response(200))))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="fork")
def test_a_fork_after_use(url_and_token):
    """The child of a pre-loading server opens connections of its own."""
    done = run(PRELUDE + textwrap.dedent("""
        import os, warnings
        warnings.simplefilter("ignore", ResourceWarning)
        asyncio.run(once())
        child = os.fork()
        asyncio.run(once())
        if child:
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
            asyncio.run(client.aclose())
            print("done")
        else:
            os._exit(0)
    """), *url_and_token)  # fmt: skip
    assert done.stdout == "done\n", done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="fork")
def test_a_fork_while_the_loop_runs(url_and_token):
    """The parent's loop looks as if it ran in the child too; the child's own takes over all the same, and the parent goes on."""
    done = run(PRELUDE + textwrap.dedent("""
        import os, warnings
        warnings.simplefilter("ignore", ResourceWarning)
        async def main():
            async with client:
                await once()
                child = os.fork()
                if child == 0:
                    asyncio.events._set_running_loop(None)
                    try:
                        asyncio.run(asyncio.wait_for(once(), 5))
                    except BaseException as error:
                        print(repr(error), flush=True)
                        os._exit(1)
                    os._exit(0)
                status = await asyncio.to_thread(os.waitpid, child, 0)
                assert os.waitstatus_to_exitcode(status[1]) == 0
                await once()
            print("done")
        asyncio.run(main())
    """), *url_and_token)  # fmt: skip
    assert done.stdout == "done\n", (done.stdout, done.stderr)


def test_trio_is_refused_clearly():
    """Only asyncio is supported, and the error says so."""
    trio = pytest.importorskip("trio")

    async def main():
        with pytest.raises(ClosedError, match="asyncio"):
            await AsyncClient("token", host="http://127.0.0.1:1").connect()

    trio.run(main)


# The caller's own transport or client


async def test_the_callers_own_client_stays_open(emulator):
    """Requests go through its public `send`; closing ours leaves it open."""
    seen = []

    async def hook(request):
        seen.append(request.url.path)

    async with httpx.AsyncClient(event_hooks={"request": [hook]}) as own:
        async with AsyncClient(emulator.api_token, host=emulator.url, http_client=own) as client:
            deployment = await client.get_deployment(emulator.deployment_name)
            await monitor(deployment, b"\xff\xd8\xff" + bytes(1_000_000))
        assert not own.is_closed
    assert any(path.endswith("/predictions") for path in seen)
    assert (await stored(emulator))["count"] == 1


async def test_the_callers_own_transport_is_closed_with_the_client(emulator):
    """Any httpx transport does, stock httpx among them; a 401 replays the body over real sockets."""

    class Counting(httpx.AsyncHTTPTransport):
        closed = 0

        async def aclose(self):
            type(self).closed += 1
            await super().aclose()

    async with AsyncClient(emulator.api_token, host=emulator.url, transport=Counting()) as client:
        deployment = await client.get_deployment(emulator.deployment_name)
        await monitor(deployment)
        emulator.state.tokens.expire()
        await monitor(deployment, b"\xff\xd8\xff" + bytes(1_000_000))
    assert Counting.closed == 1
    assert (await stored(emulator))["count"] == 2


async def test_redirects_never_carry_credentials_to_another_host():
    """A GET follows to another host without its token; a POST with a body does not follow at all."""
    seen = []

    def answer(request):
        seen.append((request.method, request.url.host, request.headers.get("authorization")))
        if request.url.path == "/api/home/ping" and request.url.host == "a":
            return httpx.Response(307, headers={"location": "http://b/api/home/ping"})
        if request.url.path == "/api/home/ping":
            return httpx.Response(200, json={"default_organization": "00000000-0000-4000-8000-000000000001"})
        if request.url.path.endswith("/deployments/find"):
            described = {
                "id": "00000000-0000-4000-8000-000000000002",
                "name": "d",
                "type": "OBJECT_DETECTION",
                "oracle_host": "http://o",
            }
            return httpx.Response(200, json=described)
        if request.url.path == "/api/auth/login":
            return httpx.Response(200, json={"jwt": "j", "expires": 60})
        if request.url.host == "o":
            return httpx.Response(307, headers={"location": "http://evil/x"})
        return httpx.Response(200, json={"id": "00000000-0000-4000-8000-000000000001", "name": "o"})

    async with AsyncClient("secret", host="http://a", transport=httpx.MockTransport(answer)) as client:
        deployment = await client.get_deployment("d")
        with pytest.raises(MonitorError) as caught:
            await monitor(deployment)
    assert caught.value.status == 307
    assert ("GET", "b", None) in seen
    assert all(host != "evil" for _, host, _ in seen)
    assert {auth for _, host, auth in seen if host == "a"} == {"Bearer secret"}


async def test_a_proxy_in_the_environment_chooses_the_stock_transport(emulator, monkeypatch, caplog):
    """`HTTP_PROXY` is honoured (here it leads nowhere), `NO_PROXY` too, and the choice is told at debug level."""
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    with caplog.at_level(logging.DEBUG, "picsellia_async"):
        client = AsyncClient(emulator.api_token, host=emulator.url, retry=RetryPolicy.none())
        with pytest.raises(TransportError):
            await client.connect()
        await client.aclose()
    assert "httpx's own transport" in caplog.text
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    async with AsyncClient(emulator.api_token, host=emulator.url) as client:
        assert await monitor(await client.get_deployment(emulator.deployment_name))


# Secrets


async def test_no_secret_in_logs_and_errors(emulator, caplog):
    """Token and JWT appear in no log line of ours at debug level, through success, retry and failure."""
    with caplog.at_level(logging.DEBUG):
        async with AsyncClient(emulator.api_token, host=emulator.url, retry=QUICK) as client:
            deployment = await client.get_deployment(emulator.deployment_name)
            emulator.faults.add(Fault(kind="status", endpoint="monitor", status=503, times=2))
            await monitor(deployment)
            emulator.faults.add(Fault(kind="status", endpoint="monitor", status=500))
            with pytest.raises(MonitorError) as caught:
                await monitor(deployment)
            lines = await deployment._hosts.oracle().service.credential.acquire()
    jwt = lines.decode().split()[2]
    ours = "\n".join(
        record.getMessage() for record in caplog.records if record.name.startswith(("picsellia_async", "httpx"))
    )
    assert "attempt 1 of monitor failed" in ours
    for text in (ours, str(caught.value), repr(caught.value), repr(client), repr(deployment)):
        assert emulator.api_token not in text
        assert jwt not in text


async def test_json_of_the_caller_is_sent_as_it_is(deployment, emulator):
    """Dates, UUIDs and numpy values in metadata have the JSON that the vendor's encoder gives them."""
    import datetime
    import uuid

    await monitor(
        deployment, custom_metadata={"d": datetime.date(2026, 1, 2), "u": uuid.UUID(int=1), "n": np.float64(1.5)}
    )
    assert orjson.loads(orjson.dumps((await stored(emulator))["count"])) == 1


def test_import_is_light():
    """Nothing of the extras is loaded by `import picsellia_async`."""
    extras = "{'uvicorn', 'starlette', 'rich', 'av', 'cv2', 'numpy', 'jwt', 'opentelemetry'}"
    code = f"import sys, httpx; known = set(sys.modules); import picsellia_async; print(({extras} & set(sys.modules)) - known)"
    assert run(code).stdout == "set()\n"
