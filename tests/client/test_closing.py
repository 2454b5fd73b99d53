"""Many calls at once, closing, event loops and processes."""

from __future__ import annotations

import asyncio
import os
import pickle
import subprocess
import sys
import textwrap

import httpx
import pytest

from picsellia_async import (
    AsyncClient,
    ClosedError,
    RequestTimeoutError,
    RetryPolicy,
    TransportError,
)
from picsellia_async.emulator import Emulator, Fault

from ..support.client import calls, monitor

pytestmark = pytest.mark.anyio


async def test_hundreds_of_calls_at_once_with_the_default_pool(emulator, caplog):
    """No PoolTimeout, no lost call; neither where more calls than connections are made, so that most have to wait in line."""
    caplog.set_level("DEBUG", "picsellia_async")
    # How long the service takes to answer a hundred at once says how busy the machine is.
    async with AsyncClient(emulator.api_token, host=emulator.url, timeout=300.0) as client:
        deployment = await client.get_deployment(emulator.deployment_name)
        for count in (100, 300):
            receipts = await asyncio.gather(*(monitor(deployment, name=f"{i}.jpg") for i in range(count)))
            assert len({r["id"] for r in receipts}) == count
    assert not [line for name, _, line in caplog.record_tuples if name == "picsellia_async" and "failed" in line]
    assert len(calls(emulator, "monitor")) == 400, "no call needed a second attempt"


async def test_a_long_queue_is_not_a_timeout(emulator, monkeypatch):
    """Two connections, 300 calls, a short timeout: waiting in line is not charged to the request."""
    loop, limits = asyncio.get_running_loop(), {"max_connections": 2, "timeout": 1.0, "retry": RetryPolicy.none()}
    async with AsyncClient(emulator.api_token, host=emulator.url, **limits) as client:
        deployment = await client.get_deployment(emulator.deployment_name)
        now = loop.time()

        async def call():
            # Only an answer moves the loop's clock: 15 seconds pass for the last in line, however fast the machine.
            nonlocal now
            await monitor(deployment)
            now += 0.05

        with monkeypatch.context() as patch:
            patch.setattr(loop, "time", lambda: now)
            await asyncio.gather(*(call() for _ in range(300)))
    assert len(calls(emulator, "monitor")) == 300


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
        capture_output=True, text=True, timeout=300, check=False, env=os.environ | environment,
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
    receipt = await deployment.monitor_bytes(b"\\xff\\xd8\\xff", "jpeg", "f.jpg", 0.1, 48, 64, prediction)
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
                        asyncio.run(asyncio.wait_for(once(), 60))
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
