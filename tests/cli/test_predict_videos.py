"""`picsellia-async predict` over videos: each prediction is on its own frame, and one bad video ends nothing else."""

from __future__ import annotations

import asyncio
import json
import os
import shutil

import pytest

from picsellia_async.cli.main import main

from ..support.sources import written

pytestmark = pytest.mark.anyio

VALUES = (20, 60, 100)
OTHER = (150, 190, 230)


def grey(path):
    """Return the level of a picture of one grey."""
    return round(float(pytest.importorskip("cv2").imread(str(path)).mean()))


def levels(folder, found):
    """Return the grey of each frame that results name, to the nearest 10."""
    return sorted(round(grey(folder / name), -1) for name in found)


@pytest.mark.parametrize(
    "names", [("a/clip.mp4", "b/clip.mp4"), ("clip.mp4", "clip.avi")], ids=["folders", "extensions"]
)
async def test_videos_of_one_name_have_frames_of_their_own(predict, tmp_path, names):
    """Two cameras' recordings in one command: each prediction names the frame that was predicted on."""
    first, second = written(tmp_path / names[0], VALUES), written(tmp_path / names[1], OTHER)
    code, _, _, found = await predict(first, second, "--frames", tmp_path / "kept")
    assert (code, levels(tmp_path, found)) == (0, sorted((*VALUES, *OTHER)))


async def test_a_video_that_took_anothers_place_is_another_one(predict, tmp_path, caplog):
    """The recording of each day has one name: its frames are new, and the lines of the former one go, which is told as for images."""
    video, kept = written(tmp_path / "record.mp4", VALUES), tmp_path / "kept"
    assert (await predict(video, "--frames", kept))[0] == 0
    written(video, OTHER)
    _, out, _, found = await predict(video, "--frames", kept)
    assert out.startswith("3 predicted, 0 before")
    assert levels(tmp_path, found) == sorted(OTHER)
    assert (
        "1 video changed since the prediction: predicted on again, and the lines of the former one removed (3)"
        in caplog.text
    )
    _, _, _, other = await predict(video, "--frames", kept, results=tmp_path / "other.jsonl")
    assert levels(tmp_path, other) == sorted(OTHER)
    _, out, _, _ = await predict(video, "--frames", kept)
    assert out.startswith("0 predicted, 3 before")


async def test_another_video_of_the_same_size_and_time_is_another_one(predict, tmp_path):
    """Recorders make room for a file beforehand, and copying keeps its time: the content tells."""
    video, kept = written(tmp_path / "record.avi", VALUES), tmp_path / "kept"
    second = written(tmp_path / "next" / "record.avi", OTHER)
    for one in (video, second):
        os.truncate(one, 50_000)
        os.utime(one, (1, 1))
    await predict(video, "--frames", kept)
    second.replace(video)
    _, out, _, found = await predict(video, "--frames", kept)
    assert (out.startswith("3 predicted, 0 before"), levels(tmp_path, found)) == (True, sorted(OTHER))


def touched(video):
    os.utime(video, (1, 1))
    return (video,)


def moved(video):
    return (video.rename(video.with_name("archive.mp4")),)


def linked(video):
    link = video.with_name("latest.mp4")
    link.symlink_to(video)
    return video, link


def copied(video):
    return (shutil.copy(video, video.with_name("copy.mp4")),)


@pytest.mark.parametrize("change", [touched, moved, linked, copied])
async def test_a_video_of_the_same_content_is_predicted_on_once(predict, tmp_path, caplog, change):
    """Whatever its time, and whatever it is called by now: its frames have one line each."""
    video, kept = written(tmp_path / "clip.mp4", VALUES), tmp_path / "kept"
    _, _, _, before = await predict(video, "--frames", kept)
    paths = change(video)
    _, out, _, found = await predict(*paths, "--frames", kept)
    assert out.startswith(f"0 predicted, {3 * len(paths)} before")
    assert (found, len(list(kept.iterdir())), "changed since" in caplog.text) == (before, 3, False)


async def test_recordings_that_move_on_keep_their_lines(predict, tmp_path, caplog):
    """The next recording takes the name, and the former one is beside it; where that is replaced in turn, its lines go."""
    video, kept = written(tmp_path / "record.mp4", VALUES), tmp_path / "kept"
    await predict(video, "--frames", kept)
    former = video.rename(tmp_path / "record-1.mp4")
    written(video, OTHER)
    _, out, _, found = await predict(tmp_path / "record*.mp4", "--frames", kept)
    assert (out[:21], "changed since" in caplog.text) == ("3 predicted, 3 before", False)
    assert levels(tmp_path, found) == sorted((*VALUES, *OTHER))
    written(former, (40,))
    _, out, _, found = await predict(tmp_path / "record*.mp4", "--frames", kept)
    assert (out[:21], "1 video changed since" in caplog.text) == ("1 predicted, 3 before", True)
    assert levels(tmp_path, found) == sorted((40, *OTHER))


async def test_a_moved_videos_damaged_frame_is_predicted_on_again(predict, tmp_path):
    """Its file was cut: the line goes, though the video is the same under another path."""
    video, kept = written(tmp_path / "clip.mp4", VALUES), tmp_path / "kept"
    await predict(video, "--frames", kept)
    os.truncate(min(kept.iterdir()), 100)
    _, out, _, found = await predict(*moved(video), "--frames", kept)
    assert (out[:21], levels(tmp_path, found)) == ("1 predicted, 2 before", sorted(VALUES))


async def test_a_video_that_is_not_asked_for_keeps_its_lines(predict, tmp_path):
    """It was replaced, or is gone: only what takes its place in the results removes them."""
    first, second, kept = written(tmp_path / "a.mp4", VALUES), written(tmp_path / "b.mp4", OTHER), tmp_path / "kept"
    await predict(first, second, "--frames", kept)
    written(first, (40,))
    _, out, _, found = await predict(second, "--frames", kept)
    assert (out[:21], levels(tmp_path, found)) == ("0 predicted, 3 before", sorted((*VALUES, *OTHER)))


async def test_every_and_limit_choose_frames(predict, environment, emulator, tmp_path):
    """Frames are named by their number in the video; a larger limit goes on where the smaller one ended, and all can be monitored."""
    video = written(tmp_path / "clip.mp4", range(0, 200, 20))
    for limit in (2, 5):
        code, _, _, found = await predict(video, "--frames", tmp_path / "kept", "--every", 2, "--limit", limit)
        assert (code, [name[-13:] for name in found]) == (
            0,
            [f"-{number:08d}.jpg" for number in range(0, 2 * limit, 2)],
        )
    command = ["monitor", emulator.deployment_name, "--manifest", str(tmp_path / "r.jsonl")]
    assert await asyncio.to_thread(main, command) == 0


async def test_a_frame_that_was_cut_is_written_anew(predict, tmp_path):
    """A full disk or a power cut left a part of it, or something else lies there."""
    video, kept = written(tmp_path / "clip.mp4", VALUES), tmp_path / "kept"
    await predict(video, "--frames", kept)
    first, second, _ = sorted(kept.iterdir())
    whole = first.read_bytes()
    first.write_bytes(whole[:100])
    second.write_bytes(whole)
    code, _, _, found = await predict(video, "--frames", kept, "--fresh")
    assert (code, levels(tmp_path, found)) == (0, sorted(VALUES))
    assert first.read_bytes() == whole
    assert len(list(kept.iterdir())) == len(VALUES)


async def test_a_bad_video_ends_nothing_else(predict, tmp_path):
    """With --skip-bad it is counted and named, and the next one is read; without, the message says that it stops there again."""
    cut = written(tmp_path / "cut.avi", VALUES)
    os.truncate(cut, cut.stat().st_size * 2 // 3)
    good = written(tmp_path / "good.avi", OTHER)
    code, _, err, found = await predict(cut, good, "--frames", tmp_path / "kept")
    assert (code, "the same command stops there again" in err, "goes on from here" in err) == (1, True, False)
    code, out, err, found = await predict(cut, good, "--frames", tmp_path / "kept", "--skip-bad", "--json")
    assert (code, json.loads(out)["skipped"]) == (1, 1)
    assert "cut.avi" in json.loads(out)["problems"][0]
    assert set(OTHER) <= set(levels(tmp_path, found))


async def test_damage_in_a_video_is_told(predict, tmp_path):
    """Frames that could not be decoded are counted."""
    video = written(tmp_path / "clip.avi", VALUES)
    content = video.read_bytes()
    at = content.index(b"\xff\xd8\xff", content.index(b"\xff\xd8\xff") + 3)
    video.write_bytes(content[:at] + bytes(40) + content[at + 40 :])
    code, out, err, _ = await predict(video, "--frames", tmp_path / "kept", "--json")
    assert (code, json.loads(out)["damaged"], json.loads(out)["predicted"]) == (0, 1, 2)
    assert "clip.avi' is damaged: 1 packets or frames could not be decoded" in err


async def test_videos_in_folders_and_patterns(predict, tmp_path):
    """A pattern of videos reads them; a folder is read for its images, and says which videos it holds."""
    written(tmp_path / "day" / "a.avi", VALUES)
    written(tmp_path / "day" / "b.avi", OTHER)
    code, _, err, _ = await predict(tmp_path / "day")
    assert (code, "holds no image" in err or "nothing in" in err) == (1, True)
    assert "are not read (2 .avi)" in err
    code, _, err, _ = await predict(tmp_path / "day" / "*.avi")
    assert (code, "give --frames DIR" in err) == (2, True)
    code, _, _, found = await predict(tmp_path / "day" / "*.avi", "--frames", tmp_path / "kept")
    assert (code, levels(tmp_path, found)) == (0, sorted((*VALUES, *OTHER)))
