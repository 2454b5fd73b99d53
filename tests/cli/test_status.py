"""How `run` tells how it goes: a row for each source, in a table or a line."""

from __future__ import annotations

import io
import time
from collections.abc import AsyncIterator

import pytest
from rich.console import Console

from picsellia_async import Pipeline
from picsellia_async.cli.status import COLUMNS, Status, table
from picsellia_async.sources import Image, camera

from ..support.frames import PREDICTION
from ..uploader.service import Service, uploader

pytestmark = pytest.mark.anyio


async def images(name: str) -> AsyncIterator[Image]:
    """Give three images."""
    for number in range(3):
        yield Image(
            image=b"\xff\xd8\xff\xe0%d" % number,
            filename=f"{name}-{number}.jpg",
            width=64,
            height=48,
            timestamp=time.time(),
        )


async def broken() -> AsyncIterator[Image]:
    """Fail at once."""
    raise OSError("gone")
    yield


async def test_each_source_has_a_row_with_its_numbers() -> None:
    """State, rate, age and counts of each source, and what the uploader has delivered, in both forms."""
    sources = {"gate": images("gate"), "yard": broken()}
    pipeline = Pipeline(
        sources, lambda _: PREDICTION, uploader(Service(seconds=0.0)), input="image", handle_signals=False
    )
    status = Status(pipeline, sources)
    async with pipeline:
        await pipeline.run()
    gate, yard = status.rows()
    assert (len(gate), gate[:2], gate[4:]) == (len(COLUMNS), ("gate", "-"), ("3", "0", "0", "0"))
    assert yard[:2] == ("yard", "failed")
    assert "gate - " in status.line()
    assert "3 of 3 delivered, 0 pending" in status.line()
    screen = io.StringIO()
    Console(file=screen, width=120).print(table(status))
    assert all(word in screen.getvalue() for word in (*COLUMNS, "gate", "3 of 3 delivered"))


async def test_a_camera_shows_its_state() -> None:
    """That of `camera.statistics()`."""
    sources = {"gate": camera("rtsp://127.0.0.1:9/x", pixels="rgb")}
    pipeline = Pipeline(sources, lambda _: PREDICTION, uploader(Service()))
    assert Status(pipeline, sources).rows()[0][1] == "idle"
