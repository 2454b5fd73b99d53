"""Downloads go to the disk piece by piece, and leave nothing behind that is not whole."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gzip
import tracemalloc
import zlib
from pathlib import Path

import httpx
import pytest

from picsellia_async import AsyncClient, ConfigurationError, DetectionPredictionFormat, DownloadError, RetryPolicy
from picsellia_async._services import storage
from picsellia_async._services.file_names import safe_file_name

pytestmark = pytest.mark.anyio

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40
MIB = 1 << 20


@pytest.fixture(params=["asyncio", "uvloop"])
def anyio_backend(request):
    """On both loops."""
    if request.param == "uvloop":
        pytest.importorskip("uvloop")
    return "asyncio", {"use_uvloop": request.param == "uvloop"}


class Storage(httpx.AsyncBaseTransport):
    """Plays the storage by a script; all else goes to the emulator."""

    def __init__(self):
        self.rest = httpx.AsyncHTTPTransport()
        self.script = []
        """Headers and pieces of one answer each; an exception in place of a piece breaks it off."""

    async def handle_async_request(self, request):
        if request.method != "GET" or request.url.path.startswith("/api/"):
            return await self.rest.handle_async_request(request)
        headers, pieces = self.script.pop(0)
        return httpx.Response(200, headers=headers, content=self.body(pieces))

    async def body(self, pieces):
        for piece in pieces:
            if isinstance(piece, Exception):
                raise piece
            if isinstance(piece, asyncio.Event):
                piece.set()
                await asyncio.Event().wait()
            yield piece

    async def aclose(self):
        await self.rest.aclose()


@pytest.fixture
async def stored(emulator):
    """The transport, and the handle of an image that comes through it."""
    transport = Storage()
    retry = RetryPolicy(attempts=3, backoff_initial=0.001)
    async with AsyncClient(emulator.api_token, host=emulator.url, retry=retry, transport=transport) as client:
        deployment = await client.get_deployment(emulator.deployment_name)
        prediction = DetectionPredictionFormat([], [], [])
        answer = await deployment.monitor_bytes(PNG, "png", "f.png", 0.1, 4, 4, prediction)
        yield transport, await deployment.find_predicted_asset(oracle_prediction_id=answer["id"])


async def test_memory_does_not_grow_with_the_file(stored, tmp_path):
    """64 MiB pass through a few MiB of memory."""
    transport, asset = stored
    transport.script = [({}, (bytes(MIB // 4) for _ in range(256)))]
    tracemalloc.start()
    try:
        made = await asset.download(tmp_path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert made.stat().st_size == 64 * MIB
    assert peak < 8 * MIB


async def test_a_repetition_begins_anew(stored, tmp_path):
    """What came before the answer broke off is not in the file."""
    transport, asset = stored
    transport.script = [({}, [bytes(3 * MIB), httpx.ReadError("cut")]), ({}, [b"the", b" whole"])]
    assert (await asset.download(tmp_path)).read_bytes() == b"the whole"
    assert [path.name for path in tmp_path.iterdir()] == ["f.png"]


@pytest.mark.parametrize(
    ("coding", "packed"),
    [
        ("gzip", gzip.compress(PNG * 50)),
        ("deflate", zlib.compress(PNG * 50)),
        ("deflate", zlib.compressobj(wbits=-15).compress(b"") + zlib.compress(PNG * 50, wbits=-15)),
    ],
    ids=["gzip", "deflate", "bare deflate"],
)
@pytest.mark.parametrize("size", [1, 7, 1 << 20])
async def test_packed_bodies_are_unpacked(stored, tmp_path, coding, packed, size):
    """However the body is packed, and in whatever pieces it comes."""
    transport, asset = stored
    pieces = [packed[start : start + size] for start in range(0, len(packed), size)]
    transport.script = [({"content-encoding": coding}, pieces)]
    assert (await asset.download(tmp_path)).read_bytes() == PNG * 50


BOMB = gzip.compress(bytes(8 * MIB))


@pytest.mark.parametrize(
    ("headers", "pieces", "problem"),
    [
        ({}, [b"x" * MIB] * 5, "larger than 4 MiB"),
        ({"content-encoding": "gzip"}, [BOMB], "larger than 4 MiB"),
        ({"content-encoding": "gzip"}, [BOMB[:1000]], "cut short"),
        ({"content-encoding": "gzip"}, [gzip.compress(PNG) + b"more"], "goes on beyond"),
        ({"content-encoding": "gzip"}, [PNG], "not packed as its Content-Encoding says"),
        ({"content-encoding": "br"}, [PNG], "packed as 'br'"),
    ],
    ids=["endless", "bomb", "cut", "surplus", "not packed", "other coding"],
)
async def test_answers_that_cannot_be_used(stored, tmp_path, monkeypatch, headers, pieces, problem):
    """One typed error, and no file: a body beyond the limit, a few bytes that stand for many, what is not packed as it says."""
    monkeypatch.setattr(storage, "FILE_BYTES_MAX", 4 * MIB)
    transport, asset = stored
    transport.script = [(headers, pieces)]
    with pytest.raises(DownloadError, match=problem):
        await asset.download(tmp_path)
    assert list(tmp_path.iterdir()) == []


async def test_a_cancelled_download_leaves_nothing(stored, tmp_path):
    """In the middle of the body."""
    transport, asset = stored
    waits = asyncio.Event()
    transport.script = [({}, [bytes(2 * MIB), waits])]
    task = asyncio.ensure_future(asset.download(tmp_path))
    await waits.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert list(tmp_path.iterdir()) == []


async def test_downloads_cancelled_anywhere_leave_nothing_or_the_whole(stored, tmp_path):
    """At each turn of the loop, while threads open, write and rename: a whole file under its name, or none."""
    transport, asset = stored
    for turns in range(60):
        place = tmp_path / str(turns)
        place.mkdir()
        transport.script = [({}, [bytes(MIB), b"end"])]
        task = asyncio.ensure_future(asset.download(place))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        assert [path.stat().st_size for path in place.iterdir()] in ([], [MIB + 3])


async def test_a_full_disk(stored, tmp_path, monkeypatch):
    """The error says so; nothing is left, and nothing is tried again."""

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("picsellia_async._services.files.UnfinishedFile._write", full)
    transport, asset = stored
    transport.script = [({}, [bytes(2 * MIB)])]
    with pytest.raises(DownloadError, match=r"'f.png' could not be written: No space left on device"):
        await asset.download(tmp_path)
    assert list(tmp_path.iterdir()) == []


async def test_a_directory_in_the_place_of_the_file(stored, tmp_path):
    """Told before anything is fetched."""
    _, asset = stored
    (tmp_path / "f.png").mkdir()
    with pytest.raises(IsADirectoryError, match="is a directory") as caught:
        await asset.download(tmp_path)
    assert isinstance(caught.value, ConfigurationError)


@pytest.mark.parametrize(
    "url", ["https://h/a b", "https://h/a\r\nX-Evil: 1", "ftp://h/a", "nonsense", "https://h:99999/a"], ids=repr
)
async def test_an_address_that_is_none(stored, tmp_path, monkeypatch, url):
    """What the platform gave is at fault; the error says so without the key in its query."""
    _, asset = stored
    monkeypatch.setattr(type(asset), "url", f"{url}?sig=geheim")
    with pytest.raises(DownloadError, match="the platform gave a presigned address") as caught:
        await asset.download(tmp_path)
    assert "geheim" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("f.png", "f.png"),
        ("ä ö.png", "ä ö.png"),
        (".hidden", ".hidden"),
        ("a/b\\c.png", "c.png"),
        ("..", ""),
        (".", ""),
        ("a/..", ""),
        ("", ""),
        (" . ", ""),
    ],
)
def test_names_that_are_kept_or_left_out(name, made):
    """Directories go; what leads out of the directory is no name."""
    assert safe_file_name(name) == made


@pytest.mark.parametrize(
    "name",
    ["a\0b.png", "a:b.png", "a\nb.png", "CON", "con.png", "LPT1.tar.gz", "end.", "end ", "\ud800.png", "x" * 300 + ".png", "ä" * 128 + ".png", "a." + "x" * 300],
    ids=lambda name: ascii(name)[:20],
)  # fmt: skip
def test_names_that_are_made_safe(name, tmp_path):
    """Each becomes a name that can be used, keeps its extension, and stays another than those of others."""
    made = safe_file_name(name)
    assert 0 < len(made.encode()) <= 255
    assert safe_file_name(made) == made
    assert made not in {name, safe_file_name(name[:1] + "_" + name[2:])}
    (tmp_path / made).write_bytes(b"")
    assert [path.name for path in Path(tmp_path).iterdir()] == [made]
    if name.endswith(".png"):
        assert made.endswith(".png")
