"""`eval "$(picsellia-async emulator --export)"`: a shell that finds an emulator in the background."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the command refuses it there")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return found.getsockname()[1]


def export(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "picsellia_async.cli", "emulator", "--export", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def variables(script: str) -> dict[str, str]:
    """Return what a shell has once it evaluated the lines."""
    shown = subprocess.run(["sh", "-c", f"{script}\nenv"], capture_output=True, text=True, check=True, env={})
    return dict(line.split("=", 1) for line in shown.stdout.splitlines())


@pytest.fixture
def stops():
    """Processes to be stopped at the end."""
    started: list[int] = []
    yield started.append
    for pid in started:
        os.kill(pid, signal.SIGTERM)
        while Path(f"/proc/{pid}").exists():  # it is no child of ours
            time.sleep(0.05)


def test_it_starts_one_in_the_background_and_finds_that_one_again(stops):
    port = free_port()
    first = variables(export("--port", port).stdout)
    stops(int(first["PICSELLIA_EMULATOR_PID"]))
    assert first["PICSELLIA_HOST"] == f"http://127.0.0.1:{port}"
    ping = httpx.get(
        f"{first['PICSELLIA_HOST']}/api/home/ping", headers={"authorization": f"Bearer {first['PICSELLIA_TOKEN']}"},
        trust_env=False,
    )  # fmt: skip
    assert ping.status_code == 200
    again = variables(export("--port", port).stdout)
    assert {name: again[name] for name in ("PICSELLIA_HOST", "PICSELLIA_TOKEN")} == {
        name: first[name] for name in ("PICSELLIA_HOST", "PICSELLIA_TOKEN")
    }
    assert "PICSELLIA_EMULATOR_PID" not in again, "it was not started by this shell"
    assert "its dashboard is http" in Path(first["PICSELLIA_EMULATOR_LOG"]).read_text()


def test_over_https_the_shell_is_told_whom_to_trust(stops, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = variables(export("--port", 0, "--https", "--data-dir", "a folder").stdout)
    stops(int(found["PICSELLIA_EMULATOR_PID"]))
    log = tmp_path / "a folder" / "emulator.log"
    assert found["PICSELLIA_EMULATOR_LOG"] == str(log), "whole, though it was given from where we are"
    assert found["SSL_CERT_FILE"] == found["REQUESTS_CA_BUNDLE"] == str(tmp_path / "a folder" / "tls" / "ca.pem")
    code = "import httpx, os; print(httpx.get(os.environ['PICSELLIA_HOST'] + '/emulator/health/ready').status_code)"
    said = subprocess.run([sys.executable, "-c", code], env={**os.environ, **found}, capture_output=True, check=True)
    assert said.stdout.strip() == b"200"


def test_what_cannot_serve_says_why_and_exports_nothing(tmp_path):
    (tmp_path / "file").write_text("no directory")
    ended = export("--port", 0, "--data-dir", tmp_path / "file")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "the data directory" in ended.stderr


def test_something_else_on_the_port_is_no_emulator():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(60)
        ended = export("--port", listener.getsockname()[1])
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "is no emulator of these settings" in ended.stderr
