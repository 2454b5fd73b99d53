"""Label files of YOLO that a writer did not finish, and the names that tools give them."""

from __future__ import annotations

import pytest

from picsellia_async.sources import SourceError, yolo_labels

from ..support.sources import listed

pytestmark = pytest.mark.anyio

BOX = "0 0.5 0.5 0.2 0.4"
OUTLINE = "0 0.1 0.1 0.5 0.1 0.5 0.5"


@pytest.fixture
def folder(tmp_path, make_image):
    """Write label files, each beside its image."""

    def write(**labels):
        for name, text in labels.items():
            make_image(tmp_path / f"{name}.jpg", 100, 50)
            (tmp_path / f"{name}.txt").write_text(text)
        return tmp_path

    return write


@pytest.mark.parametrize(
    ("text", "options"),
    [
        (f"{BOX} 0.9\n0 0.25 0.25 0.1 0.1", {"score": 0.5}),
        (f"{BOX} 0.9 1\n0 0.25 0.25 0.1 0.1 0.8", {}),
        (f"{OUTLINE} 0.9\n0 0.2 0.2 0.6 0.2 0.6 0.6", {"kind": "segmentation", "score": 0.5}),
    ],
    ids=["score", "track", "outline"],
)
async def test_a_last_line_that_lacks_a_number_is_cut_off(folder, text, options):
    """Without an end, it has less than each line before it; ended, it is a line without a score."""
    with pytest.raises(SourceError, match=r"a\.txt: line 2: the file is cut off"):
        await listed(yolo_labels(folder(a=text), folder(), **options))
    (frame,) = await listed(yolo_labels(folder(a=f"{text}\n"), folder(), **options))
    assert len(frame.prediction.detection_classes) == 2


@pytest.mark.parametrize("cut", ["a", "c"])
async def test_a_file_alone_without_an_end_may_be_cut_off(folder, cut):
    """Its last number may be 0.4 of 0.44, and nothing else tells: that image is a bad item, the others are delivered."""
    labels = dict.fromkeys("abc", f"{BOX} 0.44\n") | {cut: f"{BOX} 0.4", "empty": ""}
    source = yolo_labels(folder(**labels), folder(), on_bad="skip")
    assert [frame.filename for frame in await listed(source)] == [
        f"{name}.jpg" for name in (*"abc", "empty") if name != cut
    ]
    assert "line 1: the file may be cut off: its last line has no end" in source.problems[0]


@pytest.mark.parametrize("ended", [(), ("a",)], ids=["none is ended", "one is"])
async def test_tools_that_write_no_end_are_read(folder, ended):
    """Where several files have none, or too few have one, a missing end tells nothing."""
    labels = {name: f"{BOX} 0.4" + "\n" * (name in ended) for name in "abc"}
    assert len(await listed(yolo_labels(folder(**labels), folder()))) == 3


async def test_labels_named_after_the_file_find_their_image(tmp_path, make_image):
    """`a.jpg.txt` is that of `a.jpg`, also where `a.png` is there."""
    for name in ("a.jpg", "a.png", "s/b.JPG"):
        make_image(tmp_path / "i" / name)
    (tmp_path / "l/s").mkdir(parents=True)
    for name in ("a.jpg.txt", "s/b.jpg.txt"):
        (tmp_path / "l" / name).write_text(f"{BOX} 0.9\n")
    frames = await listed(yolo_labels(tmp_path / "l", tmp_path / "i"))
    assert [frame.filename for frame in frames] == ["a.jpg", "s/b.JPG"]


@pytest.mark.parametrize("last", ["0.", "8e", "8.1e-"])
@pytest.mark.parametrize("on_bad", ["raise", "skip"])
async def test_a_file_that_ends_within_a_number_is_cut_off(folder, last, on_bad):
    """Alone, and whatever other files say; an end after it makes `0.` a number."""
    source = yolo_labels(folder(a=f"{BOX} {last}"), folder(), on_bad=on_bad)
    if on_bad == "raise":
        with pytest.raises(SourceError, match=r"a\.txt: line 1: the file is cut off: it ends within a number"):
            await listed(source)
    else:
        assert (await listed(source), source.skipped) == ([], 1)
    assert len(await listed(yolo_labels(folder(a=f"{BOX} 0.\n"), folder()))) == 1


@pytest.mark.parametrize("on_bad", ["raise", "skip"])
@pytest.mark.parametrize(
    ("labels", "images", "way"),
    [
        ((1, 2, 3), (0, 1, 2), "from 1 and images from 0.*lowered"),
        ((0, 2), (1, 2, 3), "from 0 and images from 1.*raised"),
    ],
)
async def test_label_files_counted_from_another_number_are_refused(tmp_path, make_image, labels, images, way, on_bad):
    """Those that find an image find the wrong one; told before the first frame."""
    for number in images:
        make_image(tmp_path / f"i/clip_{number}.jpg")
    (tmp_path / "l").mkdir()
    for number in labels:
        (tmp_path / f"l/clip_{number}.txt").write_text(f"{BOX} 0.9\n")
    with pytest.raises(SourceError, match=f"may be counted {way}"):
        await listed(yolo_labels(tmp_path / "l", tmp_path / "i", on_bad=on_bad))


@pytest.mark.parametrize(("labels", "skipped"), [((1, 2), 0), ((0, 1, 3), 1), ((1, 5), 1)])
async def test_label_files_without_an_image_say_nothing_of_the_others(tmp_path, make_image, labels, skipped):
    """An image may be gone, or have no label file."""
    for number in (0, 1, 2):
        make_image(tmp_path / f"clip_{number}.jpg")
    for number in labels:
        (tmp_path / f"clip_{number}.txt").write_text(f"{BOX} 0.9\n")
    source = yolo_labels(tmp_path, tmp_path, on_bad="skip")
    assert (len(await listed(source)), source.skipped) == (len(labels) - skipped, skipped)


@pytest.mark.parametrize("box", ["0.5 0.5 0 0.4", "0.5 0.5 0.2 0", "0.5 0.5 0.2 0."])
async def test_a_box_without_width_or_height_is_refused(folder, box):
    """It is no object; a number that lost its digits is one way to it."""
    with pytest.raises(SourceError, match="line 1: a box without width or height"):
        await listed(yolo_labels(folder(a=f"0 {box} 0.9\n"), folder()))


@pytest.mark.parametrize("kind", ["link", "webp"])
async def test_a_picture_that_cannot_be_used_is_not_replaced_by_its_namesake(tmp_path, make_image, kind):
    """The label's own picture is a dangling link, or of another type: the boxes are not those of another picture of the name."""
    images, labels = tmp_path / "images", tmp_path / "labels"
    make_image(images / "sub" / "a.jpg")
    make_image(images / "b.jpg")
    if kind == "link":
        (images / "a.jpg").symlink_to(tmp_path / "gone.jpg")
    else:
        (images / "a.webp").write_bytes(b"RIFF\x00\x00\x00\x00WEBPVP8 ")
    labels.mkdir()
    for name in ("a", "b"):
        (labels / f"{name}.txt").write_text(f"{BOX} 0.9\n")
    source = yolo_labels(labels, images, on_bad="skip")
    assert [frame.filename for frame in await listed(source)] == ["b.jpg"]
    assert source.skipped == 1
    assert (
        "is a link to a file that is gone" if kind == "link" else "is 'a.webp', and only JPEG and PNG"
    ) in source.problems[0]
