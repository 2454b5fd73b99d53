"""Names of images: what no platform, storage or file system can show is refused where the name is given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from picsellia_async import AsyncDeployment, ConfigurationError, DetectionPredictionFormat, Frame
from picsellia_async.emulator import Emulator
from picsellia_async.sources import directory

from ..support.images import jpeg

GOOD: dict[str, Any] = {
    "width": 64, "height": 48, "latency": 0.1, "prediction": DetectionPredictionFormat([0], [[1, 2, 3, 4]], [0.5]),
}  # fmt: skip
BAD = {
    "": "non-empty", "a\0.jpg": "control character", "a\r\nb.jpg": "end of a line", "a\u0085.jpg": "control", "\x7f.jpg": "control",
    "../a.jpg": "leads out of its folder", "a/../../b.jpg": "leads out", "a\\..\\b.jpg": "leads out", "..": "leads out",
    "day/": "names no file", "day/.": "names no file", "x" * 252 + ".jpg": "longer than 255 bytes",
    "ü" * 126 + ".jpg": "longer than 255 bytes", "d/" * 512 + "a.jpg": "or than 1024",
}  # fmt: skip
FINE = [
    "a.jpg", "cam-1/2026/a.jpg", "/data/a.jpg", "a..b.jpg", "...jpg", "Zürich 🚲.jpg", "نص.jpg", "a b\u00a0c.jpg", "x" * 251 + ".jpg",
    "d/" * 510 + ".jpg", "C:\\images\\a.jpg",
]  # fmt: skip


@pytest.mark.anyio
@pytest.mark.parametrize(("name", "why"), BAD.items(), ids=range(len(BAD)))
async def test_what_is_no_name_is_refused(deployment: AsyncDeployment, emulator: Emulator, name: str, why: str) -> None:
    """By `Frame`, `monitor_bytes` and `predict_bytes`, with the way out; nothing is sent."""
    before = len(emulator.journal)
    with pytest.raises(ConfigurationError, match=why):
        # An empty name of a frame is that of its file.
        Frame(image=jpeg(), filename=name, content_type="image/jpeg", **GOOD)
    with pytest.raises(ConfigurationError, match=f"filename .*{why}"):
        await deployment.monitor_bytes(jpeg(), "image/jpeg", name, **GOOD)
    with pytest.raises(ConfigurationError, match=f"filename .*{why}"):
        await deployment.predict_bytes(name, jpeg())
    assert len(emulator.journal) == before


@pytest.mark.parametrize("name", FINE, ids=range(len(FINE)))
def test_odd_names_that_may_be_meant_are_sent(name: str) -> None:
    """Folders, any script, and dots."""
    assert Frame(image=jpeg(), filename=name, content_type="image/jpeg", **GOOD).filename == name


@pytest.mark.anyio
async def test_a_file_of_such_a_name(deployment: AsyncDeployment, emulator: Emulator, tmp_path: Path) -> None:
    """It is refused by the calls that take files, which say where another name is given, and is one bad item of a folder."""
    for name in ("a\nb.jpg", "good.jpg"):
        (tmp_path / name).write_bytes(jpeg())
    before = len(emulator.journal)
    for call in (
        deployment.monitor(tmp_path / "a\nb.jpg", **GOOD),
        deployment.predict(tmp_path / "a\nb.jpg"),
    ):
        with pytest.raises(ConfigurationError, match=r"control character.*filename="):
            await call
    assert len(emulator.journal) == before
    source = directory(tmp_path, on_bad="skip")
    assert [image.filename async for image in source] == ["good.jpg"]
    assert source.skipped == 1


@pytest.mark.parametrize("name", [0, False, [], b"", 0.0])
@pytest.mark.parametrize("place", ["file", "storage", "array"])
def test_what_is_no_text_is_no_name_that_was_left_out(tmp_path: Path, name: Any, place: str) -> None:
    """It would take the name of the file in silence; None and "" do so by right."""
    (tmp_path / "a.jpg").write_bytes(jpeg())

    def made(filename: Any) -> Frame:
        if place == "array":
            said = {name: GOOD[name] for name in ("latency", "prediction")}
            return Frame.from_array(np.zeros((48, 64, 3), np.uint8), filename=filename, **said)
        where: dict[str, Any] = {"image": tmp_path / "a.jpg"} if place == "file" else {"object_name": "x/a.jpg"}
        return Frame(**where, filename=filename, **GOOD)

    assert all(made(one).filename.endswith(".jpg") for one in (None, ""))
    with pytest.raises(ConfigurationError, match="filename"):
        made(name)
