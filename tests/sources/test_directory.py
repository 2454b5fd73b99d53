"""`directory`: the images of a folder."""

from __future__ import annotations

import os
import sys
import threading
from contextlib import aclosing
from pathlib import Path

import pytest

from picsellia_async import ConfigurationError
from picsellia_async.predictions import DetectionPredictionFormat
from picsellia_async.sources import SourceError, directory, yolo_labels
from picsellia_async.sources import _source as source_module

from ..support.sources import listed, turned

pytestmark = pytest.mark.anyio


async def test_images_come_in_order_with_their_facts(tmp_path, make_image):
    """Names in order, subdirectories at their own; JPEG and PNG sizes from the header; other and hidden files stay out."""
    for name in ("b.jpg", "a/2.PNG", "a/1.jpeg", "c/deep/x.jpg", ".hidden.jpg", ".cache/y.jpg"):
        make_image(tmp_path / name, 65, 33)
    (tmp_path / "note.txt").write_text("no image")
    os.utime(tmp_path / "b.jpg", (0, 1_700_000_000))
    images = await listed(directory(tmp_path, source="belt"))
    assert [one.filename for one in images] == ["a/1.jpeg", "a/2.PNG", "b.jpg", "c/deep/x.jpg"]
    assert {(one.width, one.height, one.source) for one in images} == {(65, 33, "belt")}
    assert images[2].timestamp == 1_700_000_000
    assert images[2].image == tmp_path / "b.jpg"
    assert [one.filename for one in await listed(directory(tmp_path, "B*", recursive=False))] == ["b.jpg"]
    assert len(await listed(directory(tmp_path, hidden=True))) == 6


async def test_links_are_files_but_no_directories(tmp_path, make_image):
    """A link to a file is taken, a link to a directory (a loop, here) is not."""
    make_image(tmp_path / "a.jpg")
    (tmp_path / "b.jpg").symlink_to(tmp_path / "a.jpg")
    (tmp_path / "loop").symlink_to(tmp_path, target_is_directory=True)
    assert [one.filename for one in await listed(directory(tmp_path))] == ["a.jpg", "b.jpg"]


async def test_a_link_whose_file_is_gone_is_told(tmp_path, make_image):
    """As an image it cannot be used, under another name it is left out; neither goes without a word."""
    make_image(tmp_path / "a.jpg")
    (tmp_path / "c.jpg").symlink_to(tmp_path / "nowhere.jpg")
    (tmp_path / "c.txt").symlink_to(tmp_path / "nowhere.txt")
    source = directory(tmp_path, on_bad="skip")
    assert [one.filename for one in await listed(source)] == ["a.jpg"]
    assert (source.skipped, source.left_out) == (1, {".txt": 1})
    assert "c.jpg' is a link to a file that is gone" in source.problems[0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "it is empty"),
        (b"\xff\xd8\xff\xe0\x00", "begins as a JPEG"),
        (b"\x89PNG\r\n\x1a\nxxxx", "begins as a PNG"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "it looks like WebP"),
        (b"any text", "it begins with"),
    ],
    ids=["empty", "jpeg", "png", "webp", "text"],
)
async def test_what_is_no_image_in_spite_of_its_name_is_named_or_skipped(tmp_path, make_image, content, message):
    """Neither a WebP nor a text nor a broken header passes as .jpg; the images around it do, and each is counted."""
    make_image(tmp_path / "a.jpg")
    (tmp_path / "b.jpg").write_bytes(content)
    make_image(tmp_path / "c.jpg")
    seen = []
    with pytest.raises(SourceError, match=message) as caught:
        async for image in directory(tmp_path):
            seen.append(image.filename)
    assert seen == ["a.jpg"]
    assert str(tmp_path / "b.jpg") in str(caught.value)
    source = directory(tmp_path, on_bad="skip")
    assert [image.filename for image in await listed(source)] == ["a.jpg", "c.jpg"]
    assert source.skipped == len(source.problems) == 1


@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
async def test_a_picture_that_is_cut_off_is_a_problem(tmp_path, make_image, name):
    """A transfer that broke off leaves a header and no end; what programs append behind a whole picture does no harm."""
    whole = make_image(tmp_path / name, 640, 480).read_bytes()
    (tmp_path / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SourceError, match="cut off"):
        await listed(directory(tmp_path))
    for appended in (b"\0" * 200, b"\xff\xd8" + b"motion" * 100):
        (tmp_path / name).write_bytes(whole + appended)
        assert len(await listed(directory(tmp_path))) == 1


async def test_a_thumbnail_does_not_end_the_picture(tmp_path, make_image):
    """The end of the small JPEG within the EXIF data is not the end of the photo around it."""
    inner = make_image(tmp_path / "inner.jpg", 16, 8).read_bytes()
    whole = make_image(tmp_path / "a.jpg", 640, 360).read_bytes()
    photo = whole[:2] + b"\xff\xe1" + (len(inner) + 2).to_bytes(2) + inner + whole[2:]
    (tmp_path / "a.jpg").write_bytes(photo[:-100])
    with pytest.raises(SourceError, match="cut off"):
        await listed(directory(tmp_path, "a.jpg"))


@pytest.mark.parametrize(("orientation", "size"), [("shown", (300, 400)), ("stored", (400, 300))])
async def test_a_photo_has_the_size_that_a_viewer_shows(tmp_path, orientation, size):
    """400 x 300 as stored with a quarter turn in its EXIF is 300 x 400 to everybody who looks at it."""
    (tmp_path / "a.jpg").write_bytes(turned(400, 300, 6))
    (image,) = await listed(directory(tmp_path, orientation=orientation))
    assert (image.width, image.height) == size


async def test_segments_before_the_frame_are_passed_over(tmp_path, make_image):
    """A thumbnail in EXIF, itself a JPEG of another size, and fill bytes do not confuse the reader."""
    inner = make_image(tmp_path / "inner.jpg", 16, 8).read_bytes()
    whole = make_image(tmp_path / "a.jpg", 640, 360).read_bytes()
    exif = b"\xff\xff\xe1" + (len(inner) + 2).to_bytes(2) + inner
    (tmp_path / "a.jpg").write_bytes(whole[:2] + exif + whole[2:])
    (image,) = await listed(directory(tmp_path, "a.jpg"))
    assert (image.width, image.height) == (640, 360)


async def test_what_is_no_directory_is_refused(tmp_path, make_image):
    """One error for what the caller named: missing, or a file."""
    with pytest.raises(FileNotFoundError, match="there is no directory"):
        await listed(directory(tmp_path / "nowhere"))
    with pytest.raises(ConfigurationError, match="cannot be listed"):
        await listed(directory(make_image(tmp_path / "a.jpg")))
    for arguments in (("",), (3,), (tmp_path, ""), (tmp_path, [])):
        with pytest.raises(ConfigurationError):
            directory(*arguments)
    with pytest.raises(ConfigurationError, match="on_bad"):
        directory(tmp_path, on_bad="ignore")


async def test_a_directory_is_read_as_far_as_asked(tmp_path, make_image, monkeypatch):
    """Of ten thousand images, a reader that takes forty has no more than one batch beyond them opened, in threads only."""
    image = make_image(tmp_path / "0/0.jpg").read_bytes()
    for number in range(10_000):
        path = tmp_path / f"{number // 500}" / f"{number}.jpg"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(image) if not number % 500 else os.link(
            tmp_path / f"{number // 500}/{number // 500 * 500}.jpg", path
        )
    opened = []
    read = Path.open

    def counted(path, *arguments, **options):
        opened.append(threading.current_thread())
        return read(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", counted)
    count = 0
    async with aclosing(aiter(directory(tmp_path))) as images:
        async for _ in images:
            count += 1
            if count == 40:
                break
    assert 40 <= len(opened) <= 40 + source_module.BATCH_ITEMS
    assert threading.main_thread() not in opened


async def test_images_become_frames_that_are_delivered(tmp_path, make_image, deployment, emulator):
    """A directory, a model between, the uploader: the names on the platform tell the folders apart."""
    for name in ("a/1.jpg", "b/1.jpg"):
        make_image(tmp_path / name)

    async def frames():
        async for image in directory(tmp_path):
            yield image.with_prediction(DetectionPredictionFormat([0], [[1, 2, 3, 4]], [0.5]), latency=0.01)

    report = await deployment.monitor_many(frames())
    assert (report.accepted, report.is_complete) == (2, True)
    assets = await deployment.list_predicted_assets()
    assert sorted(asset.filename for asset in assets) == ["a/1.jpg", "b/1.jpg"]


@pytest.mark.skipif(sys.platform == "win32", reason="pipes and devices of POSIX")
async def test_pipes_and_devices_are_counted_and_never_opened(tmp_path, make_image):
    """Who opens a pipe waits for its writer; what is left out is told by extension, of label files too."""
    images, labels = tmp_path / "i", tmp_path / "l"
    make_image(images / "a.jpg")
    labels.mkdir()
    (labels / "a.txt").write_text("0 0.5 0.5 0.2 0.4 0.9\n")
    os.mkfifo(images / "b.jpg")
    os.mkfifo(labels / "b.txt")
    (images / "c.jpg").symlink_to("/dev/zero")
    source = directory(images)
    assert [image.filename for image in await listed(source)] == ["a.jpg"]
    assert source.left_out == {".jpg": 2}
    frames = yolo_labels(labels, images)
    assert [frame.filename for frame in await listed(frames)] == ["a.jpg"]
    assert frames.left_out[".txt"] == 1
