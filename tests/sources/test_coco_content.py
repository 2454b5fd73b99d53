"""What COCO files of real tools hold: encodings, scores, masks, classes, and entries that are wrong."""

from __future__ import annotations

import json

import numpy as np
import pytest

from picsellia_async import ConfigurationError, MaskPredictionFormat
from picsellia_async.sources import SourceError, coco_results

from ..support.sources import listed

pytestmark = pytest.mark.anyio

MASK = np.zeros((48, 64), np.uint8)
MASK[10:20, 5:40] = 1
MASK[30:31, 60:64] = 1
COUNTS = [250, *([10, 38] * 34), 10, 1018, 1, 47, 1, 47, 1, 47, 1, 17]
"""Run lengths of `MASK`, down its columns."""


def result(name="a.jpg", **fields):
    return {"image_id": name, "category_id": 0, "bbox": [1, 2, 3, 4], "score": 0.5, **fields}


@pytest.fixture
def read(tmp_path, make_image):
    """Return the frames of a content, and the source."""
    for name in ("a.jpg", "b.jpg"):
        make_image(tmp_path / "images" / name)

    async def frames(content, **options):
        path = tmp_path / "r.json"
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        source = coco_results(path, tmp_path / "images", **options)
        return await listed(source), source

    return frames


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
async def test_other_encodings_are_read(read, encoding):
    """Notepad and PowerShell write a byte order mark or UTF-16."""
    frames, _ = await read(json.dumps([result()]).encode(encoding))
    assert len(frames) == 1


async def test_one_nan_is_one_problem(read):
    """Python writes NaN into JSON: the entry is refused, the file is not."""
    results = [result(), result("b.jpg", score=float("nan"))]
    frames, source = await read(results, on_bad="skip")
    assert [frame.filename for frame in frames] == ["a.jpg"]
    assert source.skipped == 1
    assert "result 1: score must be finite" in source.problems[0]


async def test_a_key_twice_is_one_problem(read):
    """Nobody can tell which box is meant, and parsers take the last one: the image is refused, the others are read."""
    twice = json.dumps(result()).replace('"bbox"', '"bbox": [1, 1, 2, 2], "bbox"')
    for form in ("[%s]", '{"info": "\\": x", "annotations": [%s]}'):
        frames, source = await read((form % f"{twice}, {json.dumps(result('b.jpg'))}").encode(), on_bad="skip")
        assert [frame.filename for frame in frames] == ["b.jpg"]
        assert source.skipped == 1
        assert "the key 'bbox' is there twice" in source.problems[0]


@pytest.mark.parametrize(
    "content",
    [
        '{"annotations": [], "annotations": [%s]}',
        '{"images": [{"id": 1, "file_name": "b.jpg", "file_name": "a.jpg"}], "annotations": [%s]}',
        '{"categories": [{"id": 1, "id": 2, "name": "x"}], "annotations": [%s]}',
    ],
)
async def test_a_key_twice_in_what_all_are_read_by(read, content):
    """Images, categories and the file itself: it may concern any result, and skipping does not help."""
    with pytest.raises(SourceError, match="is there twice in one object"):
        await read((content % json.dumps(result())).encode(), on_bad="skip")


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"bbox": [10, 10, -5, 5]}, "negative width"),
        ({"bbox": [10, 10, 0, 5]}, "no width or no height"),
        ({"bbox": [10, 10, 5, 0.0]}, "no width or no height"),
        ({"score": 93}, "score must be 0 to 1"),
        ({"score": None}, "no score"),
        ({"category_id": None}, "category_id"),
        ({"category_id": "person"}, "is a name"),
    ],
)
async def test_a_result_that_cannot_be_right_is_refused(read, bad, message):
    """With file, image and place in the file; what was read before it is delivered."""
    with pytest.raises(SourceError, match=message) as caught:
        await read([result("b.jpg"), result(**bad)])
    assert "image_id 'a.jpg': result 1: " in str(caught.value)
    frames, source = await read([result("b.jpg"), result(**bad)], on_bad="skip")
    assert ([frame.filename for frame in frames], source.skipped) == (["b.jpg"], 1)


async def test_ground_truth_is_no_prediction(read):
    """A file without any score is refused, also when bad items are skipped, unless a score is given."""
    truth = {
        "images": [{"id": 1, "file_name": "a.jpg"}],
        "annotations": [{"id": 5, "image_id": 1, "category_id": 0, "bbox": [1, 2, 3, 4], "area": 12, "iscrowd": 0}],
    }
    for on_bad in ("raise", "skip"):
        with pytest.raises(SourceError, match="ground truth"):
            await read(truth, on_bad=on_bad)
    frames, _ = await read(truth, score=0.75)
    assert frames[0].prediction.detection_scores == [0.75]


@pytest.mark.parametrize(
    "segmentation",
    [
        {"size": [48, 64], "counts": COUNTS},
        {"size": [48, 64], "counts": "TEXT"},
        {"counts": COUNTS},
        COUNTS,
        "TEXT",
    ],
    ids=["numbers", "text", "no size", "numbers alone", "text alone"],
)
async def test_run_lengths_become_masks(read, segmentation):
    """Whatever form they have, the platform gets the text of the same pixels."""
    text = encoded_text()
    if segmentation == "TEXT":
        segmentation = text
    elif isinstance(segmentation, dict) and segmentation["counts"] == "TEXT":
        segmentation = {**segmentation, "counts": text}
    frames, _ = await read([result(segmentation=segmentation, bbox=[5, 10, 59, 21], iscrowd=1)], kind="mask")
    assert frames[0].prediction == MaskPredictionFormat([0], [0.5], [text])


@pytest.mark.parametrize("box", [(3, 30, 20, 12), (40, 2, 15, 40), (0, 0, 30, 10)])
async def test_runs_along_rows_are_refused(read, box):
    """As numpy's own order has them: the same count of pixels, elsewhere. The box of the result tells, where it does."""
    x, y, width, height = box
    mask = np.zeros((48, 64), np.uint8)
    mask[y : y + height, x : x + width] = 1
    down, along = (runs(mask.ravel(order)) for order in ("F", "C"))
    frames, _ = await read([result(segmentation=down, bbox=list(box))], kind="mask")
    assert (frames[0].prediction.to_binary_masks((64, 48))[0] == mask.astype(bool)).all()
    with pytest.raises(SourceError, match="result 0: segmentation: its runs go along rows"):
        await read([result(segmentation=along, bbox=list(box))], kind="mask")
    await read([result(segmentation=along, bbox=None)], kind="mask")


def runs(pixels):
    """Return run lengths, beginning with background, by their definition."""
    found, last = [0], 0
    for pixel in pixels.tolist():
        if pixel != last:
            found.append(0)
            last = pixel
        found[-1] += 1
    return found


async def test_polygons_among_run_lengths_become_masks(read):
    """Annotation tools mix them in one file: the platform gets the pixels inside."""
    frames, _ = await read(
        [
            result(segmentation=[[10, 10, 10, 20, 20, 20, 20, 10]], bbox=[10, 10, 10, 10]),
            result(segmentation=encoded_text(), bbox=[5, 10, 59, 21]),
        ],
        kind="mask",
    )
    prediction = frames[0].prediction
    assert prediction.detection_masks[1] == encoded_text()
    assert prediction.to_binary_masks((64, 48))[0][10:20, 10:20].all()
    assert prediction.to_binary_masks((64, 48))[0].sum() == 100


def encoded_text():
    """Return the text form, by its definition: 5 bits a character, differences from the fourth number on."""
    text = ""
    for index, count in enumerate(COUNTS):
        value = count - COUNTS[index - 2] if index > 2 else count
        more = True
        while more:
            bits = value & 31
            value >>= 5
            more = value != (-1 if bits & 16 else 0)
            text += chr(48 + (bits | 32 if more else bits))
    return text


def test_the_text_form_is_that_of_the_reference():
    """pycocotools, where it is installed, writes the same text."""
    coco = pytest.importorskip("pycocotools.mask")
    assert coco.encode(np.asfortranarray(MASK))["counts"].decode() == encoded_text()


@pytest.mark.parametrize(
    ("segmentation", "message"),
    [
        ({"size": [64, 48], "counts": COUNTS}, "height and width"),
        ({"size": [48, 64], "counts": COUNTS[:-1]}, "cover 3055 pixels"),
        ({"size": [48, 64], "counts": [-1, 3073]}, "negative"),
        ("\x7f", "does not have"),
        ("oo", "middle of a number"),
        ([64 * 48], "has no pixel"),
        ([[5, 5, 9, 5, 7, 5]], "polygon without width or height"),
        ({"size": [48, 64], "counts": [10, 0, 64 * 48 - 10]}, "has no pixel"),
        ([[0, 0, 5, 0]], "no polygon of three points"),
        ([[64.1, 1, 64.6, 9, 64.3, 5]], "lies beside the image by less than a pixel, and is no object"),
        ([[0.1, 0.1, 0.9, 0.1, 0.9, 0.9]], "shares of the image"),
        ([[10, 5, 40, 5, 40, 60]], "points look like y, x, and must be x, y: result 0"),
        ([[900, 0, 905, 0, 905, 5]], "x=900, y=0, which is beyond the image"),
        ([], "run lengths"),
    ],
)
async def test_run_lengths_of_another_image_are_refused(read, segmentation, message):
    """Sides exchanged, pixels missing, a text that is none."""
    with pytest.raises(SourceError, match=message):
        await read([result(segmentation=segmentation)], kind="mask")


@pytest.mark.parametrize(
    ("segmentation", "message"),
    [
        ({"size": [48, 64], "counts": COUNTS}, 'kind="mask"'),
        ("abc", 'kind="mask"'),
        ([], "no polygon"),
        ([[5, 5, 9, 5, 7, 5]], "without width or height"),
    ],
)
async def test_what_is_no_polygon_names_the_way_out(read, segmentation, message):
    """A run-length mask, a crowd, or nothing, where polygons were asked for."""
    with pytest.raises(SourceError, match=message):
        await read([result(segmentation=segmentation)], kind="segmentation")


async def test_a_flat_polygon_is_one_polygon(read):
    """Some tools leave the outer list out."""
    frames, _ = await read([result(segmentation=[0, 0, 5, 0, 5, 5])], kind="segmentation")
    assert frames[0].prediction.detection_masks == [[[0, 0], [5, 0], [5, 5]]]


CATEGORIES = [{"id": 1, "name": "person"}, {"id": 3, "name": "car"}, {"name": "no id"}, None]


async def test_classes_are_found_by_name(read):
    """The file's categories tell the names; the deployment's label map tells the indexes."""
    content = {"annotations": [result(category_id=3), result(category_id=1)], "categories": CATEGORIES}
    frames, _ = await read(content, label_map={"car": 7, "person": 2})
    assert frames[0].prediction.detection_classes == [7, 2]
    frames, _ = await read(content, categories={"car": 4, 1: 5})
    assert frames[0].prediction.detection_classes == [4, 5]


async def test_two_indexes_for_one_class_are_refused(read):
    """By its number and by its name: which one was meant nobody can tell."""
    content = {"annotations": [result(category_id=3)], "categories": CATEGORIES}
    for categories in ({"car": 0, 3: 1}, {3: 1, "car": 0}):
        with pytest.raises(SourceError, match=r"categories gives class 3 .car. two indexes: "):
            await read(content, categories=categories)
    frames, _ = await read(content, categories={"car": 1, 3: 1})
    assert frames[0].prediction.detection_classes == [1]


async def test_an_id_with_a_name_is_no_index(read):
    """1 is a person in the file, whatever 1 is in the label map: the file is refused unless somebody says what its ids are."""
    content = {"annotations": [result(category_id=1)], "categories": CATEGORIES}
    for on_bad in ("raise", "skip"):
        with pytest.raises(SourceError, match=r"category ids are no indexes .* 1 'person'.*label_map=.*categories="):
            await read(content, on_bad=on_bad)
    frames, _ = await read(content, categories="indexes")
    assert frames[0].prediction.detection_classes == [1]


async def test_ids_without_names_are_told(read, caplog):
    """Nobody says what they are: they are taken for indexes, and the log says so once, unless the caller does."""
    await read([result(), result("b.jpg")])
    (line,) = [one for one in caplog.messages if "category ids" in one]
    assert "r.json: category ids are taken for indexes of the label map" in line
    caplog.clear()
    for options in ({"categories": "indexes"}, {"categories": {0: 0}}):
        await read([result()], **options)
    assert not [one for one in caplog.messages if "category ids" in one]


@pytest.mark.parametrize("kind", ["detection", "segmentation", "mask"])
async def test_predictions_remember_the_names_of_their_classes(read, kind):
    """A deployment whose label map has them elsewhere refuses the frames."""
    shape = {"segmentation": [[5, 5, 20, 5, 20, 20]]}
    content = {
        "annotations": [result(category_id=3, **shape), result(category_id=1, **shape)],
        "categories": CATEGORIES,
    }
    frames, _ = await read(content, kind=kind, label_map={"car": 7, "person": 2, "bus": 1})
    assert frames[0].prediction.class_names == {7: "car", 2: "person"}


async def test_an_unknown_name_names_the_nearest(read):
    """And a class whose name is not known is never taken as an index."""
    content = {"annotations": [result(category_id=3)], "categories": CATEGORIES}
    with pytest.raises(SourceError, match="has no 'car'; nearest: 'cart'"):
        await read(content, label_map={"cart": 0, "person": 1})
    with pytest.raises(SourceError, match="class 3 has no name"):
        await read([result(category_id=3)], label_map={"car": 0})
    with pytest.raises(ConfigurationError, match="together"):
        await read(content, label_map={}, categories={})


async def test_a_list_without_results_is_an_error(read):
    """A model that found nothing in any image is told from one that did not run by `empty=True`."""
    with pytest.raises(SourceError, match="holds no result"):
        await read([])
    frames, _ = await read([], empty=True)
    assert len(frames) == 2


async def test_entries_that_are_no_objects_end_nothing(read):
    """A number, a list, an entry without any image: one problem each."""
    frames, source = await read([3, [result()], {"score": 1}, result()], on_bad="skip")
    assert ([frame.filename for frame in frames], source.skipped) == (["a.jpg"], 3)
