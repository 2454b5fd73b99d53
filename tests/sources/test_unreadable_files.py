"""A video that may not be read is refused as any other bad one, so that who skips bad videos passes over it."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

pytest.importorskip("av")

READ = """
import asyncio, os, sys
from picsellia_async.sources import SourceError, video

async def read(path):
    async for _ in video(path):
        pass

asyncio.run(read(sys.argv[1]))  # imports what another user may not
if os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
for path in sys.argv[2:]:
    try:
        asyncio.run(read(path))
    except SourceError as error:
        print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="file modes of POSIX")
def test_a_video_without_read_permission_is_a_bad_video(make_clip):
    """Whether it is the file or its folder that is closed; tried as another user where the tests run as root."""
    with tempfile.TemporaryDirectory() as name:  # that of pytest is closed to others
        folder = Path(name)
        folder.chmod(0o755)
        closed = folder / "closed"
        closed.mkdir()
        good, *bad = (make_clip(place, frames=2) for place in (folder / "a.mp4", folder / "b.mp4", closed / "c.mp4"))
        bad[0].chmod(0)
        closed.chmod(0)
        done = subprocess.run([sys.executable, "-c", READ, good, *bad], capture_output=True, text=True, check=False)
        closed.chmod(0o755)
    assert done.stdout.splitlines() == [f"cannot open {str(path)!r} as a video: Permission denied" for path in bad], (
        done.stderr
    )
