"""`-v` and `-vv` on the command line: what the library logs, on stderr."""

from __future__ import annotations

import asyncio
import logging
import sys
from pathlib import Path

import pytest

from picsellia_async import AsyncDeployment
from picsellia_async.cli.main import main
from picsellia_async.emulator import Emulator, Fault

from ..support.frames import make_frame

pytestmark = pytest.mark.anyio


@pytest.fixture
async def spool(tmp_path: Path, deployment: AsyncDeployment, emulator: Emulator) -> Path:
    """A spool with three frames, and a service that fails once."""
    emulator.faults.add(Fault(kind="status", status=503, endpoint="monitor"))
    async with deployment.uploader(spool=tmp_path / "spool", close_timeout=0.0) as uploader:
        for number in range(3):
            await uploader.submit(make_frame(number))
    emulator.faults.clear()
    emulator.faults.add(Fault(kind="status", status=503, endpoint="monitor", times=1))
    return tmp_path / "spool"


async def replay(emulator: Emulator, spool: Path, *flags: str) -> int:
    return await asyncio.to_thread(main, ["replay", str(spool), "--api-token", emulator.api_token, *flags])


@pytest.mark.parametrize(("flags", "tells", "details"), [((), False, False), (("-v",), True, False), (("-vv",), True, True), (("-v", "-v"), True, True)])  # fmt: skip
async def test_each_v_tells_more(spool, emulator, capsys, flags, tells, details):
    """Nothing without it; -v tells who is connected, what was found and how it ended; -vv the attempts that fail too."""
    assert await replay(emulator, spool, *flags) == 0
    out, err = capsys.readouterr()
    assert out == "3 of 3 delivered, 0 refused, 0 still in the spool, 0 damaged\n"
    assert (f"INFO connected to {emulator.url}, organization " in err) is tells
    assert (f"INFO signed in at {emulator.url}" in err) is tells
    assert (f"INFO an uploader opened on the spool {spool}, with 3 frames of a former run to deliver" in err) is tells
    assert ("INFO an uploader closed: all 3 frames were delivered" in err) is tells
    assert ("DEBUG attempt 1 of frame " in err) is details
    assert emulator.api_token not in err


async def test_logging_is_as_before_when_the_command_has_ended(spool, emulator, caplog):
    """A program that calls `main` keeps its own logging."""
    caplog.set_level(logging.WARNING)
    logger = logging.getLogger("picsellia_async")
    before = logger.level, logger.propagate, list(logger.handlers)
    assert await replay(emulator, spool, "-vv") == 0
    assert (logger.level, logger.propagate, logger.handlers) == before
    assert not logger.isEnabledFor(logging.INFO)


@pytest.mark.parametrize("command", ["demo", "emulator", "monitor", "replay", "doctor"])
def test_every_command_has_it(command, capsys):
    """`-v` is in the help of each command."""
    with pytest.raises(SystemExit):
        main([command, "--help"])
    assert "-v, --verbose" in capsys.readouterr().out


def test_lines_go_where_stderr_goes_at_that_moment(capsys):
    """A progress bar puts itself before stderr while it is shown: lines go above it, not through it."""
    from picsellia_async.cli.logs import logged

    class Above:
        text = ""

        def write(self, text: str) -> None:
            self.text += text

        def flush(self) -> None:
            pass

    above = Above()
    with logged(1):
        plain, sys.stderr = sys.stderr, above
        try:
            logging.getLogger("picsellia_async").info("a line")
        finally:
            sys.stderr = plain
    assert above.text.endswith(" INFO a line\n")
