"""The time of videos that were joined from pieces goes on from piece to piece, and what that leaves out is told."""

from __future__ import annotations

import logging
from itertools import pairwise

import pytest

from picsellia_async.sources import video

from ..support.sources import listed, write_h264

pytest.importorskip("av")
pytestmark = pytest.mark.anyio

RATE, FRAMES = 25, 30


@pytest.fixture
def piece(tmp_path):
    """Return a function that writes a video whose clock begins anywhere, and returns its bytes."""

    def write(name, begins=0.0, b_frames=0):
        path, options = tmp_path / f"{begins}-{b_frames}-{name}", {"bf": str(b_frames), "g": "10"}
        return write_h264(path, FRAMES, rate=RATE, step=8, options=options, begins=begins).read_bytes()

    return write


@pytest.mark.parametrize(
    ("name", "first", "second"),
    [
        ("a.ts", (0, 0), (0, 0)),
        ("a.ts", (1000, 2), (0, 0)),
        ("a.ts", (0, 0), (1000, 2)),
        ("a.mkv", (0, 2), (0, 2)),
    ],
    ids=["the same", "back", "ahead", "Matroska"],
)
async def test_each_frame_is_a_frame_time_after_the_one_before(tmp_path, piece, name, first, second):
    """Also at the joint, whatever the pieces' clocks say and in whatever order their frames are coded."""
    joined = tmp_path / name
    joined.write_bytes(piece(name, *first) + piece(name, *second))
    positions = [image.position for image in await listed(video(joined))]
    assert len(positions) == 2 * FRAMES
    assert [round(b - a, 2) for a, b in pairwise(positions)] == [1 / RATE] * (2 * FRAMES - 1)
    assert positions[0] == 0


@pytest.mark.parametrize(
    ("begins", "level", "words"), [(3600, "WARNING", "ahead by 3598"), (0, "INFO", "back by 1.16 s")]
)
async def test_a_joint_is_told_once(tmp_path, piece, caplog, begins, level, words):
    """An hour between the pieces of a recorder is not in the positions: a warning. A clock that begins anew says nothing of a loss."""
    caplog.set_level(logging.INFO, logger="picsellia_async")
    joined = tmp_path / "a.ts"
    joined.write_bytes(piece("a.ts") + piece("a.ts", begins) + piece("a.ts", 2 * begins))
    assert len(await listed(video(joined))) == 3 * FRAMES
    (record,) = [one for one in caplog.records if one.name == "picsellia_async"]
    assert record.levelname == level
    assert words in record.getMessage()


async def test_a_gap_of_a_recording_is_kept(tmp_path, piece):
    """Some seconds without a frame, as a camera leaves them that sends what moves."""
    joined = tmp_path / "a.ts"
    joined.write_bytes(piece("a.ts") + piece("a.ts", 5))
    positions = [image.position for image in await listed(video(joined))]
    assert positions[FRAMES] == pytest.approx(5.0, abs=0.05)
