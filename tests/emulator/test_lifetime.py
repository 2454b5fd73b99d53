"""Starting, stopping, and keeping everything across runs."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import re
import signal
import socket
import sqlite3
import ssl
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme

from picsellia_async.emulator import Emulator, Fault
from picsellia_async.emulator.store.blobs import Content
from picsellia_async.emulator.store.store import Store
from picsellia_async.errors import ClosedError, ConfigurationError

from .conftest import JPEG, Wire

pytestmark = pytest.mark.anyio


async def test_everything_survives_a_restart(tmp_path: Path) -> None:
    """Tokens, predictions, images, settings and uploads under way are there again; a JWT stays good."""
    async with Emulator(data_dir=tmp_path / "new" / "dir") as emulator:
        wire = Wire(emulator)
        async with wire.http:
            asset = await wire.asset(tags=["t"])
            await wire.ok("PATCH", wire.deployment, {"name": "renamed"})
        token, jwt = emulator.api_token, wire.jwts["oracle"]
    async with Emulator(data_dir=tmp_path / "new" / "dir") as emulator:
        wire = Wire(emulator)
        wire.jwts["oracle"] = jwt
        async with wire.http:
            assert emulator.api_token == token
            again = await wire.ok("GET", f"/api/predicted/asset/{asset['id']}")
            assert again["data"]["tags"] == asset["data"]["tags"]
            assert (await wire.http.get(again["data"]["presigned_url"])).content == JPEG
            assert (await wire.ok("GET", wire.deployment))["name"] == "renamed"
            await wire.monitored()
            assert (await wire.http.get("/emulator/predictions")).json()["count"] == 2


async def test_two_emulators_do_not_share_a_directory(tmp_path: Path) -> None:
    """The second one names the process that holds it."""
    async with Emulator(data_dir=tmp_path):
        with pytest.raises(ConfigurationError, match="in use by another emulator"):
            await Emulator(data_dir=tmp_path).start()
    async with Emulator(data_dir=tmp_path):
        pass


async def test_tables_of_another_version_are_refused(tmp_path: Path) -> None:
    """Rather than misread, and the database is closed: the last connection takes its log along."""
    with contextlib.closing(sqlite3.connect(tmp_path / "emulator.sqlite")) as database:
        database.execute("pragma user_version = 99")
    with pytest.raises(ConfigurationError, match="version 99") as refused:
        await Emulator(data_dir=tmp_path).start()
    # The traceback keeps what `refused` came through, so that no collection closes the connection instead.
    assert isinstance(refused.value.__context__, ValueError)
    assert {path.name for path in tmp_path.iterdir()} == {"emulator.sqlite", "lock"}  # noqa: ASYNC240 - a few names


@pytest.mark.parametrize("obstacle", ["directory", "database", "lock"])
async def test_a_directory_that_cannot_be_used_is_named(tmp_path: Path, obstacle: str) -> None:
    """A file in its place, a database that is none, a lock that is no file: the message says which directory, nothing stays open."""
    data = tmp_path / "data"
    if obstacle == "directory":
        data.write_text("a file")
    else:
        data.mkdir()
        (data / "emulator.sqlite").write_bytes(b"no database " * 100)
    if obstacle == "lock":
        (data / "lock").mkdir()
    for _ in range(2):
        with pytest.raises(ConfigurationError, match=re.escape(f"data directory {data} cannot be used: ")):
            await Emulator(data_dir=data).start()


async def test_a_taken_port_is_an_error() -> None:
    """Not the end of the process, and nothing stays open."""
    async with Emulator() as emulator:
        with pytest.raises(OSError, match="in use"):
            await Emulator(emulator.port).start()
    async with Emulator(emulator_port := free_port()) as emulator:
        assert emulator.port == emulator_port


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize("options", [{"port": 70000}, {"jwt_lifetime": -1}])
def test_options_out_of_range(options: dict[str, Any]) -> None:
    """Refused before anything is opened."""
    with pytest.raises(ConfigurationError):
        Emulator(**options)


async def test_an_emulator_can_be_started_again() -> None:
    """In memory it begins anew; twice started or stopped is once."""
    emulator = Emulator()
    with pytest.raises(ClosedError):
        _ = emulator.api_token
    for _ in range(2):
        await emulator.start()
        await emulator.start()
        assert emulator.is_running
        wire = Wire(emulator)
        async with wire.http:
            await wire.monitored()
            assert (await wire.http.get("/emulator/predictions")).json()["count"] == 1
        await emulator.stop()
        await emulator.stop()
        assert not emulator.is_running


async def test_it_stops_with_connections_open() -> None:
    """Idle ones are closed at once; nothing is left that warns."""
    async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
        async with Emulator() as emulator:
            url = f"{emulator.url}/emulator/journal"
            assert (await client.get(url)).status_code == 200
        with pytest.raises(httpx.TransportError):
            await client.get(url)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gc.collect()


async def test_a_request_under_way_does_not_hold_it_up(caplog: pytest.LogCaptureFixture) -> None:
    """It gets a second, then its connection is cut, and its handler with it: without a traceback in the log."""
    emulator = Emulator()
    await emulator.start()
    emulator.faults.add(Fault(kind="latency", seconds=3600.0))
    async with httpx.AsyncClient(base_url=emulator.url, trust_env=False, timeout=60) as client:
        calling = asyncio.create_task(client.get("/api/home/ping"))
        while not emulator.faults.account():  # noqa: ASYNC110 - the account has no event
            await asyncio.sleep(0)
        await emulator.stop()
        with pytest.raises(httpx.TransportError):
            await calling
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


async def test_idle_connections_are_closed_without_a_word() -> None:
    """At the end of keep-alive, or when told to; those in use are left alone. A new connection is served."""
    async with Emulator(keep_alive=0.01) as emulator:
        for is_told in (True, False):
            reader, writer = await asyncio.open_connection("127.0.0.1", emulator.port)
            writer.write(b"GET /emulator/faults HTTP/1.1\r\nhost: x\r\n\r\n")
            await reader.readuntil(b"[]}")
            if is_told:
                assert emulator.close_idle_connections() == 1
            assert await reader.read() == b""
            writer.close()
            await writer.wait_closed()


async def test_it_speaks_tls(tmp_path: Path) -> None:
    """With certificate and key; hosts and presigned URLs are https then."""
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    certificate.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "pair.pem"))
    context = ssl.create_default_context()
    authority.configure_trust(context)
    async with Emulator(tls=(tmp_path / "pair.pem", tmp_path / "pair.pem")) as emulator:
        wire = Wire(emulator)
        await wire.http.aclose()
        wire.http = httpx.AsyncClient(base_url=emulator.url, verify=context, trust_env=False, timeout=60)
        async with wire.http:
            assert emulator.url.startswith("https://")
            assert (await wire.ok("GET", wire.deployment))["oracle_host"] == emulator.url
            assert (await wire.http.get((await wire.asset())["data"]["presigned_url"])).content == JPEG


async def test_names_stay_readable_after_the_end() -> None:
    """A test that restarts the emulator needs them."""
    async with Emulator() as emulator:
        facts = (emulator.url, emulator.api_token)
    assert (emulator.url, emulator.api_token) == facts
    with pytest.raises(ClosedError):
        _ = emulator.state


def test_a_missing_extra_is_named() -> None:
    """Importing the emulator without it says what to install."""
    program = "import sys; sys.modules['uvicorn'] = None; import picsellia_async.emulator"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "pip install 'picsellia-async[emulator]'" in ended.stderr


async def test_a_public_url_is_told(tmp_path: Path) -> None:
    """Hosts and presigned URLs use it instead of the address that the client came to."""
    async with Emulator(port := free_port(), public_url=f"http://localhost:{port}") as emulator:
        wire = Wire(emulator)
        wire.http.base_url = httpx.URL(f"http://127.0.0.1:{port}")
        async with wire.http:
            assert (await wire.ok("GET", wire.deployment))["oracle_host"] == f"http://localhost:{port}"
            assert (await wire.asset())["data"]["presigned_url"].startswith(f"http://localhost:{port}/storage/")


async def test_memory_keeps_the_latest_images() -> None:
    """Beyond the limit the oldest contents go; hashes and sizes stay."""
    store = Store(None, memory_max=10)
    for name in "abc":
        with store.transaction():
            store.keep(Content(name, name.encode() * 4))
    assert await store.blobs.get("c") == b"cccc"
    with pytest.raises(Exception, match="no content"):
        await store.blobs.get("a")
    await store.close()


COMMAND = (
    "import sys; from picsellia_async.cli import emulator as command; import argparse;"
    "parser = argparse.ArgumentParser(); command.add_parser(parser.add_subparsers());"
    "arguments = parser.parse_args(['emulator', *sys.argv[1:]]); sys.exit(arguments.run(arguments))"
)


def start(*arguments: str) -> tuple[subprocess.Popen[str], dict[str, str]]:
    process = subprocess.Popen(
        [sys.executable, "-X", "dev", "-W", "error", "-c", COMMAND, *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    return process, json.loads(process.stdout.readline())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_command_stops_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    """One JSON line on stdout, exit code 0 on either signal, no warning on stderr."""
    process, facts = start("--port", "0", "--data-dir", str(tmp_path))
    assert set(facts) == {"url", "api_token", "organization_id", "deployment", "deployment_id", "dashboard"}
    process.send_signal(number)
    output, errors = process.communicate(timeout=20)
    assert (process.returncode, output) == (0, "")
    assert "Warning" not in errors
    assert facts["api_token"] not in errors


def test_the_command_makes_deployments_of_other_types(tmp_path: Path) -> None:
    """`--type` and `--deployment`; what is no type or no pair is said in a line."""
    options = ("--type", "segmentation", "--deployment", "a=b=mask", "--deployment", "people=KEYPOINT")
    process, facts = start("--port", "0", *options)
    path = f"{facts['url']}/api/organization/{facts['organization_id']}/deployments"
    answer = httpx.get(path, headers={"Authorization": f"Bearer {facts['api_token']}"}, trust_env=False, timeout=60)
    process.terminate()
    process.communicate(timeout=20)
    assert [(one["name"], one["type"]) for one in answer.json()["items"]] == [
        ("awesome-deploy", "SEGMENTATION"), ("a=b", "MASK"), ("people", "KEYPOINT"),
    ]  # fmt: skip
    for wrong, words in (
        (["--type", "box"], "'box' is no InferenceType; accepted are"),
        (["--deployment", "cells"], '--deployment must be NAME=TYPE, got "cells"'),
        (["--deployment", "a=MASK", "--deployment", "a=LINE"], "--deployment names 'a' twice"),
    ):
        ended = subprocess.run([sys.executable, "-m", "picsellia_async.cli", "emulator", *wrong], capture_output=True, text=True, check=False)  # fmt: skip
        assert (ended.returncode, ended.stdout) == (2, "")
        assert words in ended.stderr


async def test_what_was_answered_survives_a_kill(tmp_path: Path) -> None:
    """After SIGKILL and a restart every prediction that was answered with 201 is there, with its image; tokens stay good."""
    process, facts = await asyncio.to_thread(start, "--port", "0", "--data-dir", str(tmp_path))
    answered: list[str] = []
    emulator = Emulator()  # only for its names
    async with emulator, httpx.AsyncClient(base_url=facts["url"], trust_env=False, timeout=60) as client:
        wire = Wire(emulator)
        await wire.http.aclose()
        wire.http, wire.api_token = client, facts["api_token"]
        await wire.login()

        async def send(worker: int) -> None:
            for number in range(1000):
                receipt = await wire.monitored(JPEG + f"{worker}/{number}".encode())
                answered.append(receipt["id"])
                if len(answered) == 60:
                    process.kill()

        await asyncio.gather(*(send(worker) for worker in range(8)), return_exceptions=True)
    await asyncio.to_thread(process.communicate)
    assert len(answered) >= 60
    async with Emulator(data_dir=tmp_path) as emulator:
        assert emulator.api_token == facts["api_token"]
        rows = {row.id: row for row in emulator.state.store.predictions.select()}
        assert set(answered) <= set(rows)
        for id_ in answered:
            content = await emulator.state.store.blobs.get(rows[id_].sha256)
            assert content.startswith(JPEG)
