"""What the event loop is kept free of: imports, and starting processes, which take it tens of milliseconds."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from picsellia_async import Pipeline

from ..support.models import Where
from ..support.pipelines import Stored, at_once, balanced
from ..support.sources import written

pytestmark = pytest.mark.anyio

PROGRAM = Path(__file__).parents[1] / "support" / "imports_in_the_loop.py"


async def test_nothing_is_imported_while_the_loop_runs(tmp_path: Path) -> None:
    """A video, a model and an uploader from their beginning to their end: their libraries are imported before, or in threads."""
    clip = await asyncio.to_thread(written, tmp_path / "clip.avi", range(0, 200, 20))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-P", str(PROGRAM), str(clip), str(tmp_path / "spool"), stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    told = json.loads(out)
    assert told["sent"] == 10
    assert told["elsewhere"] >= 1  # it does see imports
    assert told["in the loop"] == []


async def test_processes_are_started_beside_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """`run_in="process"`: the threads of the pipeline start them."""
    monkeypatch.syspath_prepend(Path(__file__).parents[2])  # where the other process finds the module of the model
    threads: list[str] = []
    start = multiprocessing.process.BaseProcess.start

    def started(self: Any) -> None:
        threads.append(threading.current_thread().name)
        start(self)

    monkeypatch.setattr(multiprocessing.process.BaseProcess, "start", started)
    async with Pipeline(at_once("cam", 3), Where(), Stored().uploader(), run_in="process") as pipeline:
        report = await pipeline.run()
    assert balanced(report)
    assert report.statistics.predicted == 3
    assert threads
    assert all(name.startswith("picsellia-pipeline") for name in threads)
