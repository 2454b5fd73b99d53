"""What a spool holds is read beside its owner, and changed while it is nobody's."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import attrs
import pytest

from picsellia_async.errors import ConfigurationError, PayloadTooLargeError, SpoolError, TransportError
from picsellia_async.frames import Frame
from picsellia_async.sources import manifest
from picsellia_async.spools import SpoolChanges, export_frames, read_contents
from picsellia_async.uploader import Uploader

from ..support.frames import make_frame
from ..support.sources import encoded
from .makers import OWNER, Service, fill, uploader

pytestmark = pytest.mark.anyio


async def refuse_even(frame: Frame, request: bytes) -> dict[str, Any]:
    """Refuse frames with even numbers; no answer for the others."""
    if int(frame.filename[6:12]) % 2:
        raise TransportError("refused", "POST", "http://x")
    raise PayloadTooLargeError("413 for POST", status=413)


async def leave(directory: Path, count: int = 6, image: bytes | None = None) -> list[Frame]:
    """Leave so many frames, of which those with even numbers were refused."""
    frames = [make_frame(number, source="gate" if number < 2 else None) for number in range(count)]
    if image is not None:
        frames = [attrs.evolve(one, image=image) for one in frames]
    async with Uploader(refuse_even, spool=directory, owner=OWNER, close_timeout=0.0) as up:
        receipts = [await up.submit(frame) for frame in frames]
        await asyncio.gather(*receipts[::2], return_exceptions=True)
    return frames


async def test_frames_are_told_with_state_source_age_and_reason(tmp_path):
    """Each once, in the order of acceptance, with what its record says; reading changes no byte."""
    frames = await leave(tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    contents = read_contents(tmp_path)
    assert (contents.owner, contents.holder, contents.damaged) == (OWNER, None, 0)
    assert [(one.id, one.filename) for one in contents.frames] == [(one.id, one.filename) for one in frames]
    assert [one.state for one in contents.frames] == ["rejected", "pending"] * 3
    assert [one.source for one in contents.frames] == ["gate", "gate", "", "", "", ""]
    assert ["413" in one.reason for one in contents.frames] == [True, False] * 3
    times = [one.accepted_at for one in contents.frames]
    assert times == sorted(times)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


async def test_requeued_frames_are_delivered_in_their_place(tmp_path):
    """The next uploader finds them among the others; those that were not refused are left alone."""
    frames = await leave(tmp_path)
    with SpoolChanges(tmp_path) as spool:
        assert spool.requeue(spool.frames()) == 3
        assert spool.requeue(spool.frames()) == 0
    service = Service()
    async with uploader(service, tmp_path, concurrency=1) as up:
        assert await up.flush() == 0
    assert sorted(service.stored) == [one.filename for one in frames]
    assert read_contents(tmp_path).frames == ()


async def test_dropped_frames_are_gone_with_their_images(tmp_path):
    """Whatever their state; the others are delivered as before."""
    frames = await leave(tmp_path)
    with SpoolChanges(tmp_path) as spool:
        assert spool.drop(spool.frames()[:4]) == 4
    assert [one.filename for one in read_contents(tmp_path).frames] == [one.filename for one in frames[4:]]
    data = b"".join(path.read_bytes() for path in tmp_path.glob("*.seg"))
    assert [one.image[:12] in data for one in frames] == [False] * 4 + [True] * 2
    service = Service()
    async with uploader(service, tmp_path) as up:
        assert await up.flush() == 0
    assert service.stored == [frames[5].filename]


async def test_an_export_is_a_manifest_of_the_same_frames(tmp_path):
    """Ids, names, predictions and pictures are those of the frames, and the reason is told; the spool keeps them."""
    frames = await leave(tmp_path / "spool", image=encoded())
    with SpoolChanges(tmp_path / "spool") as spool:
        refused = [one for one in spool.frames() if one.state == "rejected"]
        assert export_frames(spool, refused, tmp_path / "out") == 3
        with pytest.raises(ConfigurationError, match=r"an export in .* already"):
            export_frames(spool, refused, tmp_path / "out")
    read = [frame async for frame in manifest(tmp_path / "out" / "manifest.jsonl")]
    assert [one.id for one in read] == [one.id for one in frames[::2]]
    for frame, original in zip(read, frames[::2], strict=True):
        assert frame.image.read_bytes() == original.image
        for name in ("filename", "prediction", "source", "timestamp", "latency", "width", "height"):
            assert getattr(frame, name) == getattr(original, name)
    assert (tmp_path / "out" / "manifest.jsonl").read_text().count("PayloadTooLargeError: 413") == 3
    assert len(read_contents(tmp_path / "spool").frames) == 6


async def test_damage_is_counted_and_told(tmp_path):
    """A record whose image was overwritten: it cannot be read as a frame, and the others are."""
    await leave(tmp_path, 2)
    (segment,) = tmp_path.glob("*.seg")
    data = segment.read_bytes()
    segment.write_bytes(data.replace(make_frame(0).image[:12], b"x" * 12))
    with SpoolChanges(tmp_path) as spool:
        first, second = spool.frames()
        with pytest.raises(SpoolError, match="damaged"):
            spool.frame(first)
        assert spool.frame(second).image == make_frame(1).image
        assert export_frames(spool, [first, second], tmp_path / "out") == 1
    segment.write_bytes(data[:-100])
    assert read_contents(tmp_path).damaged == 1


async def test_a_spool_in_use_is_read_and_not_changed(tmp_path):
    """Its process is named; damage is not told, since a record that is being written looks like it."""
    service = Service(is_up=False)
    async with uploader(service, tmp_path) as up:
        await up.submit(make_frame(1))
        contents = read_contents(tmp_path)
        assert (len(contents.frames), contents.damaged) == (1, None)
        assert contents.holder is not None
        with pytest.raises(SpoolError, match=rf"is in use by process {contents.holder}"), SpoolChanges(tmp_path):
            pass
    assert read_contents(tmp_path).holder is None


async def test_reading_beside_deliveries_tells_frames_that_were_there(tmp_path):
    """Segments that grow, shrink and go: no read fails, and none tells a frame that was never accepted, or one twice."""
    names = {one.filename for one in await fill(tmp_path, 200, 20_000)}
    async with uploader(Service(), tmp_path, concurrency=4) as up:
        flushed = asyncio.create_task(up.flush())
        reads = 0
        while not flushed.done():
            found = [one.filename for one in (await asyncio.to_thread(read_contents, tmp_path)).frames]
            assert len(found) == len(set(found))
            assert names.issuperset(found)
            reads += 1
            await asyncio.sleep(0.02)
        assert reads


def test_a_directory_that_is_no_spool_is_refused(tmp_path):
    """Nothing is made in it."""
    for refused in (lambda: read_contents(tmp_path), SpoolChanges(tmp_path).__enter__):
        with pytest.raises(ConfigurationError, match="there is no spool in"):
            refused()
    assert not list(tmp_path.iterdir())
