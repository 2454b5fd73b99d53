"""Health and readiness of the emulator, as orchestrators ask for them: without a token."""

from __future__ import annotations

import shutil

import httpx
import pytest

from picsellia_async.emulator import Emulator, Fault

pytestmark = pytest.mark.anyio


async def ask(emulator: Emulator, name: str) -> httpx.Response:
    async with httpx.AsyncClient(base_url=emulator.url, trust_env=False) as client:
        return await client.get(f"/emulator/health/{name}")


@pytest.mark.parametrize("name", ["live", "ready"])
async def test_a_new_emulator_is_well_and_faults_leave_that_alone(name):
    async with Emulator() as emulator:
        emulator.faults.add(Fault(kind="status", status=503))
        answer = await ask(emulator, name)
        assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
        assert list(emulator.journal) == [], "who looks after it is none of its requests"


async def test_it_is_not_ready_where_nothing_can_be_stored(tmp_path):
    """Its directory was taken away; the process still answers."""
    async with Emulator(data_dir=tmp_path / "kept") as emulator:
        assert (await ask(emulator, "ready")).status_code == 200
        assert not list((tmp_path / "kept" / "objects" / "incoming").iterdir()), "what it tried is removed"
        shutil.rmtree(tmp_path / "kept" / "objects")
        answer = await ask(emulator, "ready")
        assert answer.status_code == 503
        assert answer.json()["detail"].startswith("nothing can be stored: ")
        assert (await ask(emulator, "live")).status_code == 200
