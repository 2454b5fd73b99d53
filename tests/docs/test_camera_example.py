"""docs/examples/watch_camera.py as a process of its own: a live stream, Ctrl-C and SIGTERM, a service that is down."""

from __future__ import annotations

import asyncio
import re
import signal
import sys
from pathlib import Path

import pytest

from picsellia_async.emulator import Emulator, Fault

from ..support.sources import encoded

pytest.importorskip("av")

pytestmark = pytest.mark.anyio

DOCS = Path(__file__).parents[2] / "docs"
EXAMPLE = DOCS / "examples" / "watch_camera.py"
REPORT = re.compile(
    r"(\d+) submitted, .*; (\d+) of (\d+) delivered, (\d+) rejected, (\d+) dropped, (\d+) in the spool\n$"
)


async def test_the_program_is_short() -> None:
    """It is complete in fewer than 25 lines, blank ones aside."""
    assert sum(bool(line.strip()) for line in EXAMPLE.read_text(encoding="utf-8").splitlines()) < 25


async def film(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer as a camera: MJPEG, fifty frames a second, until the reader leaves."""
    picture = encoded()
    try:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\n\r\n")
        while True:
            head = b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(picture)
            writer.write(head + picture + b"\r\n")
            await writer.drain()
            await asyncio.sleep(0.02)
    except (ConnectionError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.close()


async def watch_until(emulator: Emulator, count: int, ended_by: signal.Signals, spool: str = "") -> list[int]:
    """Run the example on a camera until monitoring was called so often; end it, and return the numbers of its report."""
    server = await asyncio.start_server(film, "127.0.0.1", 0)
    address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/stream.mjpg"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-X", "dev", str(EXAMPLE), address, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env={
            "PATH": "", "PICSELLIA_TOKEN": emulator.api_token, "PICSELLIA_HOST": emulator.url,
            **({"SPOOL": spool} if spool else {}),
        },
    )  # fmt: skip
    try:
        await emulator.journal.wait_for("monitor", count)
        process.send_signal(ended_by)
        out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        server.close()
    assert (process.returncode, b"Traceback" in err) == (0, False), err.decode()
    told = REPORT.search(out.decode())
    assert told is not None, out.decode()
    return [int(number) for number in told.groups()]


@pytest.mark.parametrize("page", ["docs/quickstart.md", "README.md"])
def test_the_page_shows_the_file(page: str) -> None:
    """What is read there is what is tested here, and it is short."""
    source = EXAMPLE.read_text(encoding="utf-8")
    assert f"```python no-run\n{source}```\n" in (DOCS.parent / page).read_text(encoding="utf-8")
    assert len([line for line in source.splitlines() if line.strip()]) < 25


@pytest.mark.parametrize("ended_by", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_ends_it_with_every_frame_delivered(emulator: Emulator, ended_by: signal.Signals) -> None:
    """The process ends by itself, without a traceback, and its report agrees with what is stored."""
    submitted, delivered, accepted, *others = await watch_until(emulator, 5, ended_by)
    stored = [row.filename for row in emulator.state.store.predictions.select()]
    assert submitted == delivered == accepted == len(set(stored)) == len(stored)
    assert delivered >= 5
    assert others == [0, 0, 0]


async def test_frames_of_an_outage_are_left_in_the_spool(emulator: Emulator, tmp_path: Path) -> None:
    """The service is down all the time: Ctrl-C ends the example within the close timeout, and the spool holds the frames."""
    emulator.faults.add(Fault(kind="status", status=503, endpoint="monitor"))
    submitted, delivered, accepted, rejected, dropped, spooled = await watch_until(
        emulator, 1, signal.SIGINT, str(tmp_path / "spool")
    )
    assert (delivered, rejected, dropped) == (0, 0, 0)
    assert spooled == accepted == submitted > 0


async def test_an_interrupt_before_it_runs_is_no_traceback() -> None:
    """The service does not answer at the start: Ctrl-C ends the example with 130."""
    asked, released = asyncio.Event(), asyncio.Event()

    async def hang(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        await released.wait()
        writer.close()

    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(EXAMPLE), "rtsp://127.0.0.1:9/", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env={"PATH": "", "PICSELLIA_TOKEN": "t", "PICSELLIA_HOST": f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"},
    )  # fmt: skip
    try:
        await asked.wait()
        process.send_signal(signal.SIGINT)
        _, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        released.set()
        server.close()
    assert (process.returncode, err.decode()) == (130, "")
