"""What the tests of commands share."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys

import pytest

from picsellia_async.cli.main import main


@pytest.fixture
def environment(emulator, monkeypatch, tmp_path):
    """The account, for this process and others."""
    for name in [name for name in os.environ if name.startswith("PICSELLIA")]:
        monkeypatch.delenv(name)
    for name, value in {
        "PICSELLIA_TOKEN": emulator.api_token, "PICSELLIA_HOST": emulator.url, "XDG_STATE_HOME": str(tmp_path / "state"),
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)


@pytest.fixture
def predict(emulator, environment, capsys, tmp_path):
    """Return what runs the command in this process."""

    async def ran(*arguments, results=tmp_path / "r.jsonl"):
        given = ["predict", emulator.deployment_name, *map(str, arguments), "--results", str(results)]
        code = await asyncio.to_thread(main, given)
        out, err = capsys.readouterr()
        found = [json.loads(line) for line in results.read_text().splitlines()] if results.is_file() else []
        return code, out, err, sorted(line["image"] for line in found)

    return ran


@pytest.fixture
def monitor(emulator, environment, capsys):
    """Return what runs the command in this process, and returns exit code, report (None where it gives none) and stderr."""

    async def ran(*arguments, as_text=False):
        given = ["monitor", emulator.deployment_name, *map(str, arguments), *([] if as_text else ["--json"])]
        code = await asyncio.to_thread(main, given)
        out, err = capsys.readouterr()
        return code, out if as_text else json.loads(out) if out else None, err

    return ran


@pytest.fixture
def start_monitor(emulator, environment, tmp_path):
    """Return what starts the command in a process of its own, in the folder of the test."""

    async def started(*arguments):
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "picsellia_async.cli", "monitor", emulator.deployment_name, *map(str, arguments), "--json",
            cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    return started
