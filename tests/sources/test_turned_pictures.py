"""Pictures with an EXIF turn: whether results speak of them as shown or as stored is told by the sizes of a file, or is said to be open."""

from __future__ import annotations

import json

import pytest

from picsellia_async.sources import coco_results, manifest, yolo_labels
from picsellia_async.sources._order_watch import shape_beyond

from ..support.sources import encoded, frames_before, listed, turned

pytestmark = pytest.mark.anyio

COUNT = 80
"""More than the first images that other checks look at."""
PREDICTION = {"detection_classes": [0], "detection_boxes": [[1, 2, 30, 40]], "detection_scores": [0.5]}
OPEN = "has an EXIF turn .* nothing tells whether its shapes are of the picture as shown"


@pytest.fixture
def coco(tmp_path):
    """Return what reads results of pictures with these turns and told sizes (none: not told), behind others without a turn."""

    def source(turns, told, **options):
        images, results = [], []
        for number, turn in enumerate([1] * COUNT + list(turns)):
            (tmp_path / f"{number:03d}.jpg").write_bytes(turned(64, 48, turn))
            size = (64, 48) if turn == 1 else told[number - COUNT]
            sizes = {} if size is None else {"width": size[0], "height": size[1]}
            images.append({"id": number, "file_name": f"{number:03d}.jpg", **sizes})
            results.append({"image_id": number, "category_id": 0, "bbox": [1, 2, 3, 4], "score": 0.5})
        (tmp_path / "r.json").write_text(json.dumps({"images": images, "annotations": results}))
        return coco_results(tmp_path / "r.json", tmp_path, **{"categories": "indexes", "on_bad": "skip", **options})

    return source


@pytest.mark.parametrize("on_bad", ["raise", "skip"])
@pytest.mark.parametrize(("turns", "count"), [((3, 6), 1), ((6, 8), 2), ((2, 4, 3, 5), 1)])
async def test_sizes_of_stored_pixels_refuse_the_file(coco, turns, count, on_bad):
    """A picture turned by a half has one size either way, and would be sent with its boxes elsewhere."""
    source = coco(turns, [(64, 48)] * len(turns), on_bad=on_bad)
    message = f"sizes are those of stored pixels.*: {count} pictures with a turn fit only so.*orientation='stored' reads all so"
    assert await frames_before(source, message) == []
    frames = await listed(coco(turns, [(64, 48)] * len(turns), on_bad=on_bad, orientation="stored"))
    assert len(frames) == COUNT + len(turns)


async def test_sizes_as_shown_refuse_a_file_that_is_read_as_stored(coco):
    """The other way round."""
    source = coco((3, 6), [(64, 48), (48, 64)], orientation="stored")
    assert await frames_before(source, "sizes are those of pictures as shown.*orientation='shown' reads all so") == []


async def test_one_size_of_stored_pixels_is_that_picture(coco):
    """Where no other picture has a turn, or another one agrees with what is taken, it is a bad item of its own."""
    for turns, told in (((6,), [(64, 48)]), ((6, 6, 3), [(64, 48), (48, 64), (64, 48)])):
        source = coco(turns, told)
        assert len(await listed(source)) == COUNT + len(turns) - 1
        assert "orientation='stored' reads it so" in source.problems[0]


@pytest.mark.parametrize(
    ("turns", "told", "count"),
    [
        ((3, 3), [(64, 48)] * 2, 1),
        ((3, 6), [None] * 2, 1),
        ((3, 6), [(64, 48), (48, 64)], 0),
        ((6, 3), [(48, 64), None], 0),
    ],
    ids=["fits both ways", "no sizes", "agrees", "another one agrees"],
)
async def test_what_no_size_tells_is_said_once(coco, caplog, turns, told, count):
    """In the log and in the source, where it was not said which way they are."""
    source = coco(turns, told)
    assert len(await listed(source)) == COUNT + len(turns)
    assert len(source.warnings) == len([one for one in caplog.messages if "EXIF turn" in one]) == count
    for orientation in ("shown", "stored") if None in told or count else ():
        source = coco(turns, told, orientation=orientation)
        await listed(source)
        assert source.warnings == ()


@pytest.mark.parametrize("kind", ["yolo", "manifest"])
async def test_shares_and_lines_without_a_size_say_nothing_of_a_turn(tmp_path, kind):
    """One warning names the first picture with a turn that has shapes; what is said by the caller is not doubted."""
    for name, turn in (("a", 1), ("b", 6), ("c", 3), ("d", 8)):
        (tmp_path / f"{name}.jpg").write_bytes(turned(64, 48, turn))
        (tmp_path / f"{name}.txt").write_text("" if name == "b" else "0 0.5 0.5 0.2 0.4 0.9\n")
    empty = {name: [] for name in PREDICTION}
    lines = [{"image": f"{name}.jpg", "prediction": empty if name == "b" else PREDICTION} for name in "abcd"]
    (tmp_path / "m.jsonl").write_text("\n".join(map(json.dumps, lines)))

    def source(**options):
        if kind == "yolo":
            return yolo_labels(tmp_path, tmp_path, **options)
        return manifest(tmp_path / "m.jsonl", **options)

    reading = source()
    assert len(await listed(reading)) == 4
    (warning,) = reading.warnings
    assert "c.jpg' has an EXIF turn (3), and nothing tells" in warning
    for orientation in ("shown", "stored"):
        reading = source(orientation=orientation)
        assert len(await listed(reading)) == 4
        assert reading.warnings == ()


async def test_a_line_that_says_its_size_is_not_doubted(tmp_path):
    """As `predict` writes it."""
    (tmp_path / "a.jpg").write_bytes(turned(64, 48, 6))
    (tmp_path / "m.jsonl").write_text(
        json.dumps({"image": "a.jpg", "width": 48, "height": 64, "prediction": PREDICTION})
    )
    reading = manifest(tmp_path / "m.jsonl")
    assert len(await listed(reading)) == 1
    assert reading.warnings == ()


@pytest.mark.parametrize("told", [True, False], ids=["sizes told", "sizes read"])
@pytest.mark.parametrize(
    ("turn", "box", "why"),
    [
        (1, [10, 30, 5, 30], "every shape fits with x and y changed"),
        (1, [1, 30, 40, 60], "those of other images .*network's input"),
        (6, [30, 10, 30, 5], "fit the picture as stored: orientation='stored' reads them so"),
    ],
    ids=["y and x", "anything", "stored pixels"],
)
async def test_boxes_beyond_their_images_are_told_by_what_they_may_be(tmp_path, turn, box, why, told):
    """Another order of the numbers, the pixels as stored, other images or other pixels."""
    size = {"width": 64, "height": 48} if turn == 1 else {"width": 48, "height": 64}
    images = [{"id": n, "file_name": f"{n}.jpg", **(size if told else {})} for n in range(3)]
    for n in range(3):
        (tmp_path / f"{n}.jpg").write_bytes(turned(64, 48, turn))
    results = [{"image_id": n, "category_id": 0, "bbox": box, "score": 0.5 + n / 10} for n in range(3)]
    (tmp_path / "r.json").write_text(json.dumps({"images": images, "annotations": results}))
    source = coco_results(tmp_path / "r.json", tmp_path, categories="indexes", on_bad="skip")
    assert await frames_before(source, f"the shapes of 3 of 3 images reach beyond their images .*{why}") == []


@pytest.mark.parametrize("orientation", [None, "stored", "shown"])
@pytest.mark.parametrize("turn", [1, 6])
async def test_sizes_that_no_picture_has_are_no_turn(tmp_path, turn, orientation):
    """Swapped sides of pictures without a turn, or sides of others: what is told is the size, and no option that does not mend it."""
    told = (48, 64) if turn == 1 else (60, 40)
    images = [{"id": n, "file_name": f"{n}.jpg", "width": told[0], "height": told[1]} for n in range(3)]
    for n in range(3):
        (tmp_path / f"{n}.jpg").write_bytes(turned(64, 48, turn))
    box = [30, 10, 32, 30] if turn == 1 else [10, 20, 30, 27]
    results = [{"image_id": n, "category_id": 0, "bbox": box, "score": 0.5 + n / 10} for n in range(3)]
    (tmp_path / "r.json").write_text(json.dumps({"images": images, "annotations": results}))
    source = coco_results(tmp_path / "r.json", tmp_path, categories="indexes", on_bad="skip", orientation=orientation)
    size = "48 x 64" if turn == 6 and orientation != "stored" else "64 x 48"
    message = (
        f"sizes are others than the file says.*image_id 0 has {size} pixels, the COCO file says {told[0]} x {told[1]}$"
    )
    assert await frames_before(source, message) == []


@pytest.mark.parametrize("field", ["detection_boxes", "detection_masks", "points"])
@pytest.mark.parametrize(("good", "is_whole"), [(18, True), (19, False)])
async def test_a_tenth_of_a_manifest_beyond_its_images_refuses_it(tmp_path, field, good, is_whole):
    """Two of twenty lines are of a larger image, and the others may be; two of twenty-one are bad frames of their own."""
    shape = {
        "detection_boxes": lambda n: [n, n + 1, n + 2, n + 4],
        "detection_masks": lambda n: [[n, n], [n + 3, n], [n + 3, n + 2]],
        "points": lambda n: [n, n],
    }[field]
    (tmp_path / "a.png").write_bytes(encoded(64, 48, suffix=".png"))
    lines = [
        {"image": "a.png", "prediction": {"detection_classes": [0], "detection_scores": [0.5], field: [shape(n)]}}
        for n in [10] * good + [80] * 2
    ]
    (tmp_path / "m.jsonl").write_text("\n".join(map(json.dumps, lines)))
    source = manifest(tmp_path / "m.jsonl", on_bad="skip")
    if is_whole:
        message = "the shapes of 2 of 20 lines reach beyond their images .*they may be those of other images"
        assert await frames_before(source, message) == []
    else:
        assert (len(await listed(source)), source.skipped) == (good, 2)


@pytest.mark.parametrize(
    "wrong",
    [
        {"width": 0, "height": 0},
        {"width": 10**400, "height": 5},
        {"prediction": {**PREDICTION, "detection_boxes": [[1, 2, 10**400, 40]]}},
        {"prediction": {**PREDICTION, "detection_boxes": [[1, -(10**400), 30, 40]]}},
    ],
    ids=["no width", "long width", "long box", "long negative box"],
)
async def test_lines_with_impossible_numbers_are_bad_items_of_their_own(tmp_path, wrong):
    """A size of 0 tells nothing of the other lines, and a whole number that is no float ends no pass."""
    (tmp_path / "a.png").write_bytes(encoded(64, 48, suffix=".png"))
    line = {"image": "a.png", "prediction": PREDICTION}
    (tmp_path / "m.jsonl").write_text("\n".join(map(json.dumps, [{**line, **wrong}] * 2 + [line] * 2)))
    source = manifest(tmp_path / "m.jsonl", on_bad="skip")
    assert (len(await listed(source)), source.skipped) == (2, 2)


@pytest.mark.parametrize("kind", ["segmentation", "mask", "detection"])
async def test_boxes_beyond_their_images_tell_nothing_where_outlines_are_sent(tmp_path, kind):
    """Boxes beside outlines are not sent then, whatever they are; without outlines in place they are what is read."""
    for number in range(3):
        (tmp_path / f"{number}.png").write_bytes(encoded(64, 48, suffix=".png"))
    shapes = {"bbox": [100, 100, 90, 90], "segmentation": [[1, 2, 30, 2, 30, 40]]}
    if kind == "detection":
        del shapes["segmentation"]
    results = [{"file_name": f"{n}.png", "category_id": 0, "score": 0.5 + n / 10, **shapes} for n in range(3)]
    (tmp_path / "r.json").write_text(json.dumps(results))
    source = coco_results(tmp_path / "r.json", tmp_path, kind=kind, categories="indexes", on_bad="skip")
    if kind == "detection":
        assert await frames_before(source, "the shapes of 3 of 3 images reach beyond their images") == []
    else:
        assert len(await listed(source)) == 3


@pytest.mark.parametrize(("seen", "is_far"), [(0, False), (2, True)])
def test_a_keypoint_that_nobody_sees_is_not_far(seen, is_far):
    """Visibility 0 is "not labelled" in COCO: some tools write -999 there, and the other lines are no worse for it."""
    prediction = {"keypoints": [[[-999, -999, seen], [10, 10, 2]]], "classes": [0], "scores": [0.5]}
    assert bool(shape_beyond("line 1", prediction, (640, 480))) is is_far
