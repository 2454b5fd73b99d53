"""What the log calls cameras: two of one recorder differ in the query of their addresses alone, and that is shown nowhere."""

from __future__ import annotations

import gc

import pytest

from picsellia_async import Pipeline, RetryPolicy
from picsellia_async.sources import SourceError, camera
from picsellia_async.sources._camera_log import CameraLog
from picsellia_async.sources._live_playlist import PlaylistWatch

from ..support.pipelines import same
from ..support.sources import listed

pytestmark = pytest.mark.anyio

RECORDER = "http://admin:hidden@127.0.0.1:9/realmonitor"
SHOWN = "http://127.0.0.1:9/realmonitor"
ONCE = RetryPolicy(attempts=2, total=None, backoff_initial=0.0)
BOTH = {"door1": "channel=1&key=secret", "door2": "channel=2&key=secret"}


def told(caplog) -> list[tuple[str, str]]:
    """Return how each line about a camera begins, and what its record calls the camera."""
    records = [record for record in caplog.records if hasattr(record, "camera")]
    assert all("secret" not in f"{vars(record)}{record.getMessage()}" for record in records)
    assert all("hidden" not in f"{vars(record)}{record.getMessage()}" for record in records)
    return [(record.getMessage().partition(" fail")[0], record.camera) for record in records]


async def read_all(*cameras) -> None:
    for one in cameras:
        with pytest.raises(SourceError):
            await listed(one)


@pytest.fixture(autouse=True)
def no_cameras_of_others() -> None:
    """Cameras of other tests that nobody holds any more are gone."""
    gc.collect()


async def test_a_name_of_the_callers_is_told(caplog):
    """With the address behind it, which has it in the record too."""
    await read_all(*(camera(f"{RECORDER}?{query}", source=name, reconnect=ONCE) for name, query in BOTH.items()))
    assert told(caplog)[::2] == [(f"camera 'door1' at '{SHOWN}'", "door1"), (f"camera 'door2' at '{SHOWN}'", "door2")]
    assert {record.address for record in caplog.records if hasattr(record, "camera")} == {SHOWN}


async def test_a_pipelines_name_is_told(caplog, deployment):
    """It is what the pipeline's own lines, frames and metrics call the camera, also where that has a name of its own."""
    cameras = {
        "door1": camera(f"{RECORDER}?channel=1", reconnect=ONCE),
        "door2": camera(f"{RECORDER}?channel=2", reconnect=ONCE, source="other"),
    }
    async with Pipeline(cameras, same, deployment.uploader(), handle_signals=False) as pipeline:
        await pipeline.run()
    assert set(told(caplog)) == {(f"camera '{name}' at '{SHOWN}'", name) for name in ("door1", "door2")}


async def test_cameras_without_names_have_numbers(caplog):
    """Those whose addresses are the same but for what is hidden; others have none, nor has one whose namesakes are closed."""
    first, second = (camera(f"{RECORDER}?channel={number}", reconnect=ONCE) for number in (1, 2))
    other = camera("http://127.0.0.1:9/other?channel=1", reconnect=ONCE)
    await read_all(other, first, second)
    (ours, its_name), *_ = found = told(caplog)
    assert (ours, its_name) == ("camera 'http://127.0.0.1:9/other'", "http://127.0.0.1:9/other")
    one, two = found[2], found[-1]
    assert one[0].removeprefix(f"camera '{SHOWN}'") == one[1].removeprefix(SHOWN)
    numbers = [int(name.removeprefix(f"{SHOWN} (").removesuffix(")")) for _, name in (one, two)]
    assert numbers[1] > numbers[0]
    caplog.clear()
    await read_all(camera(f"{RECORDER}?channel=3", reconnect=ONCE))
    assert told(caplog)[0] == (f"camera '{SHOWN}'", SHOWN)


async def test_a_number_once_told_stays(caplog):
    """The other one is closed: the same camera has not another name for that."""
    first, second = (camera(f"{RECORDER}?channel={number}", reconnect=ONCE) for number in (1, 2))
    await read_all(first)
    await second.aclose()
    assert first._log.name.label.startswith(f"{SHOWN} (")
    assert told(caplog)[-1][1] == first._log.name.label


def test_an_address_given_for_a_name_is_redacted():
    """One may write the address there: its password is no more to be seen than in the address."""
    source = camera(f"{RECORDER}?channel=1", source=f"{RECORDER}?channel=1&token=verysecretvalue")
    line = source._log.ended("")
    assert "hidden" not in f"{line}"
    assert "verysecret" not in f"{line}"


def test_an_address_alone_is_what_it_was():
    """No name, no namesake: the line begins with the address, and the record has nothing else."""
    line = CameraLog("rtsp://cam").ended("")
    assert line.text == "camera 'rtsp://cam' came to the end of its stream"
    assert line.fields == {"camera": "rtsp://cam", "failures": 0, "ends": 0, "trouble_seconds": 0.0}


def test_the_line_about_a_live_playlist_has_the_name():
    """It is written elsewhere."""
    address = "http://127.0.0.1:9/live.m3u8"
    watched = PlaylistWatch(address, address, 1.0, lambda _: None, lambda _: True)
    line = watched.line_of_segments(camera(address, source="door1")._settings.name)
    assert line is not None
    assert line.text.startswith(f"camera 'door1' at '{address}' is a live playlist")
    assert line.fields == {"camera": "door1", "address": address}
