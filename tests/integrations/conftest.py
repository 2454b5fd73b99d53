"""Pictures of which some are bad, faults, and what the emulator has stored of them."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

import attrs
import pytest

from picsellia_async.emulator import Emulator, Fault
from picsellia_async.frames import Frame

from ..support.sources import encoded

IS_SOAK = bool(os.environ.get("PICSELLIA_ASYNC_SOAK"))
BASE = encoded()


@attrs.frozen
class Pictures:
    """A folder of pictures."""

    paths: list[str]
    good: dict[str, int]
    """SHA-256 of those that are whole, each once."""
    bad: list[str]
    """Names of those that are cut off."""


@pytest.fixture
def pictures(tmp_path: Path) -> Pictures:
    """10,000 pictures with the soak switch, else 400; one of a hundred is bad."""
    folder = tmp_path / "images"
    folder.mkdir()
    paths, good, bad = [], {}, []
    for number in range(10_000 if IS_SOAK else 400):
        text = b"%010d" % number
        image = BASE[:2] + b"\xff\xfe" + (len(text) + 2).to_bytes(2) + text + BASE[2:]
        if number % 100:
            good[hashlib.sha256(image).hexdigest()] = 1
        else:
            image = image[:40]
            bad.append(f"{number}.jpg")
        (folder / f"{number}.jpg").write_bytes(image)
        paths.append(str(folder / f"{number}.jpg"))
    return Pictures(paths, good, bad)


@pytest.fixture
def troubles(emulator: Emulator) -> None:
    """Two of a hundred requests fail: refused for a moment, stored without an answer, cut."""
    emulator.faults.add(
        *(
            Fault(kind=kind, endpoint="monitor", probability=0.02 / 3, seed=1, **fields)  # type: ignore[arg-type]
            for kind, fields in (
                ("status", {"status": 503}),
                ("stored_then_dropped", {}),
                ("reset", {"after_bytes": 50}),
            )
        ),
        Fault(kind="latency", endpoint="monitor", seconds=0.05),
    )


@pytest.fixture
def stored(emulator: Emulator) -> Callable[[], Awaitable[Counter[str]]]:
    """Return what counts the stored pictures by the digest of their bytes."""

    async def digests() -> Counter[str]:
        return Counter(str(item["sha256"]) for item in emulator.predictions())

    return digests


@pytest.fixture
def frame() -> Callable[[object], Frame]:
    """Return what makes a frame of a path, or of a row with one; defined here, so that it travels by value."""

    def made(row: object) -> Frame:
        from pathlib import Path

        from picsellia_async.frames import Frame
        from picsellia_async.predictions import DetectionPredictionFormat

        path = row if isinstance(row, str) else row["path"] if isinstance(row, dict) else row.path  # type: ignore[attr-defined]
        prediction = DetectionPredictionFormat([0], [[1, 2, 30, 40]], [0.5])
        return Frame(image=Path(str(path)), width=64, height=48, latency=0.01, prediction=prediction)

    return made
