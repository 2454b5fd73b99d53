"""docs/examples/fastapi_app.py, under uvicorn in a process of its own: cameras, a service that hangs, SIGTERM."""

from __future__ import annotations

import asyncio
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import httpx
import pytest

from picsellia_async.emulator import Emulator, Fault

from ..support.images import jpeg, png

pytestmark = pytest.mark.anyio

DOCS = Path(__file__).parents[2] / "docs"
EXAMPLE = DOCS / "examples" / "fastapi_app.py"
REPORT = re.compile(r"monitored (\d+) of (\d+) frames, (\d+) rejected, (\d+) dropped, (\d+) left in the spool")


@attrs.define
class Application:
    """A running example."""

    process: asyncio.subprocess.Process
    http: httpx.AsyncClient

    async def post(self, camera: str, number: int) -> int:
        """Hand in a frame and return the status."""
        return (await self.http.post(f"/cameras/{camera}/frames", content=jpeg(640 + number, 480))).status_code

    async def post_all(self, count: int) -> set[int]:
        """Hand in so many frames from three cameras, and return the statuses."""
        return set(await asyncio.gather(*(self.post(f"cam-{number % 3}", number) for number in range(count))))

    async def health(self, key: str) -> object:
        """Return a number of `/health`."""
        return (await self.http.get("/health")).json()[key]

    async def terminate(self) -> list[int]:
        """Send SIGTERM, wait for the end, and return the numbers of the report: delivered, accepted, rejected, dropped, spooled."""
        self.process.send_signal(signal.SIGTERM)
        _, err = await self.process.communicate()
        # uvicorn ends by the signal that it was sent, after it has shut down.
        assert self.process.returncode in {0, -signal.SIGTERM}, err.decode()
        assert b"Traceback" not in err, err.decode()
        told = REPORT.search(err.decode())
        assert told is not None, err.decode()
        return [int(number) for number in told.groups()]


@asynccontextmanager
async def application(emulator: Emulator, spool: Path | str = "") -> AsyncIterator[Application]:
    """Start the example with uvicorn, on a free port."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-X", "dev", "-m", "uvicorn", "--app-dir", str(EXAMPLE.parent), "fastapi_app:app", "--port", "0",
        "--timeout-graceful-shutdown", "5", "--no-access-log", stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
        env={
            "PATH": "", "SPOOL": str(spool), "PICSELLIA_TOKEN": emulator.api_token, "PICSELLIA_HOST": emulator.url,
            "DEPLOYMENT": emulator.deployment_name,
        },
    )  # fmt: skip
    try:
        assert process.stderr is not None
        seen = b""
        while not (port := re.search(rb"running on http://127\.0\.0\.1:(\d+)", seen)):
            line = await process.stderr.readline()
            seen += line
            assert line, seen.decode()
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{int(port[1])}", timeout=30, trust_env=False) as http:
            yield Application(process, http)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def names(emulator: Emulator) -> list[str]:
    """Return the file names of what is stored, one per copy."""
    return [row.filename for row in emulator.state.store.predictions.select()]


def test_the_page_shows_the_file() -> None:
    """What is read in the docs is what is tested here."""
    assert f"```python\n{EXAMPLE.read_text(encoding='utf-8')}```\n" in (DOCS / "fastapi.md").read_text(encoding="utf-8")


async def test_sigterm_flushes_what_the_handlers_handed_in(emulator: Emulator) -> None:
    """SIGTERM comes while every frame is still on its way: all of them are delivered before the process ends."""
    fault = emulator.faults.add(Fault(kind="latency", endpoint="monitor", seconds=0.3))
    async with application(emulator) as running:
        assert await running.post_all(40) == {200}
        assert await running.health("delivered") != 40
        assert await running.terminate() == [40, 40, 0, 0, 0]
    assert emulator.faults.fired(fault) == 40
    assert len(set(names(emulator))) == len(names(emulator)) == 40


async def test_a_png_is_named_as_one_and_what_is_refused_keeps_the_answer(emulator: Emulator) -> None:
    """A PNG is monitored as one; an image that the SDK refuses is a 422 that says why and still has the model's answer."""
    async with application(emulator) as running:
        path = "/cameras/cam-1/frames"
        stored = await running.http.post(path, content=png(640, 480))
        small = await running.http.post(path, content=jpeg(64, 48))  # the model's box lies beyond it
        assert (stored.status_code, small.status_code) == (200, 422)
        assert "detail" not in stored.json()
        assert "box" in small.json()["detail"]
        assert small.json()["boxes"] == stored.json()["boxes"]
        assert (await running.http.post(path, content=b"GIF89a")).status_code == 422
        assert await running.health("refused") == {"frame": 1, "image": 1}
        assert [await running.health(key) for key in ("accepted", "rejected")] == [1, 0]
        assert await running.terminate() == [1, 1, 0, 0, 0]
    assert [name.rpartition(".")[2] for name in names(emulator)] == ["png"]


async def test_what_is_no_image_is_the_callers_fault(emulator: Emulator) -> None:
    """As a 503 it would be sent again; and a name in a path, with a line end in it, makes no line of the log."""
    async with application(emulator) as running:
        for body in (b"", b"GIF89a"):
            assert (await running.http.post("/predict", content=body)).status_code == 422
        refused = await running.http.post("/cameras/c%0AERROR all/frames", content=b"GIF89a")
        assert refused.status_code == 422
        running.process.send_signal(signal.SIGTERM)
        _, err = await running.process.communicate()
    lines = err.decode().splitlines()
    assert any("a frame of 'c\\nERROR all' is refused" in line for line in lines)
    assert any(re.match(r"\d{4}-.* INFO picsellia_async: an uploader closed", line) for line in lines)


async def test_handlers_answer_while_the_service_hangs(emulator: Emulator) -> None:
    """A service that takes requests and never answers: every handler answers before one frame is delivered, and all arrive later."""
    emulator.faults.add(Fault(kind="stall", endpoint="monitor", direction="down", times=4, seconds=3.0))
    emulator.faults.add(Fault(kind="stall", endpoint="predict", direction="down", times=1))
    async with application(emulator) as running:
        assert await running.post_all(60) == {200}
        refused = await running.http.post("/predict", content=b"\xff\xd8\xff")
        assert (refused.status_code, "no prediction" in refused.json()["detail"]) == (503, True)
        assert (await running.http.post("/predict", content=b"\xff\xd8\xff")).status_code == 200
        assert (await running.http.post("/cameras/cam-1/frames", content=b"")).status_code == 422
        delivered, accepted, *others = await running.terminate()
    assert (delivered, accepted, others) == (60, 60, [0, 0, 0])
    assert len(set(names(emulator))) == 60


async def test_frames_of_an_outage_wait_in_the_spool_for_the_next_start(emulator: Emulator, tmp_path: Path) -> None:
    """The service is down until the application ends: its frames are in the spool, and the next start delivers them."""
    emulator.faults.add(Fault(kind="status", status=503, endpoint="monitor"))
    async with application(emulator, tmp_path / "spool") as running:
        assert await running.post_all(30) == {200}
        while await running.health("monitoring") != "down":  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.02)
        assert await running.terminate() == [0, 30, 0, 0, 30]
    assert names(emulator) == []
    emulator.faults.clear()
    async with application(emulator, tmp_path / "spool") as running:
        while await running.health("delivered") != 30:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.02)
        assert await running.terminate() == [30, 30, 0, 0, 0]
    assert len(set(names(emulator))) == len(names(emulator)) == 30
