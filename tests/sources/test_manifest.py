"""`manifest`: frames from JSON lines."""

from __future__ import annotations

import gzip
import json
import os
from collections import Counter
from contextlib import aclosing

import attrs
import pytest

from picsellia_async import _image_version
from picsellia_async._image_version import ImageVersion
from picsellia_async.predictions import DetectionPredictionFormat
from picsellia_async.sources import SourceError, manifest

from ..support.sources import listed

pytestmark = pytest.mark.anyio

DETECTION = {"detection_classes": [1], "detection_boxes": [[1, 2, 30, 40]], "detection_scores": [0.5]}


def write_lines(path, *lines):
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines))
    return path


async def test_a_manifest_gives_frames(tmp_path, make_image):
    """Images relative to the manifest; sizes from the header; every other field of a frame is taken over."""
    make_image(tmp_path / "images/a.jpg", 80, 60)
    path = write_lines(
        tmp_path / "m.jsonl",
        "\ufeff" + json.dumps({"image": "images/a.jpg", "prediction": DETECTION}),
        "",
        {
            "image": "images/a.jpg", "filename": "other.jpg", "width": 50, "height": 40, "latency": 0.25, "source": "cam-9",
            "tags": ["x"], "timestamp": "2026-01-02T03:04:05+00:00", "metadata": {"k": 1}, "sample": True,
            "prediction": {"type": "OBJECT_DETECTION", **DETECTION}, "id": "0e0f6b5e-6f0b-4a55-9d57-1d1f0c6f1a11",
        },
    )  # fmt: skip
    os.utime(path, (0, 1_600_000_000))
    first, second = await listed(manifest(path, source="belt", latency=0.5))
    assert (first.image, first.filename, first.width, first.height) == (
        tmp_path / "images/a.jpg",
        "images/a.jpg",
        80,
        60,
    )
    assert (first.source, first.latency, first.timestamp) == ("belt", 0.5, 1_600_000_000)
    assert first.prediction == DetectionPredictionFormat([1], [[1, 2, 30, 40]], [0.5])
    assert (second.filename, second.width, second.height, second.latency) == ("other.jpg", 50, 40, 0.25)
    assert (second.source, second.tags, second.metadata, second.sample) == ("cam-9", ["x"], {"k": 1}, True)
    assert second.timestamp == 1_767_323_045
    assert str(second.id).startswith("0e0f6b5e")


async def test_a_repeated_id_names_both_lines(tmp_path, make_image):
    """The uploader knows frames by their ids: the second would vanish as a repetition of the first."""
    make_image(tmp_path / "a.jpg")
    line = {"image": "a.jpg", "prediction": DETECTION}
    known = {**line, "id": "0e0f6b5e-6f0b-4a55-9d57-1d1f0c6f1a11"}
    upper = {**line, "id": "0E0F6B5E-6F0B-4A55-9D57-1D1F0C6F1A11"}
    path = write_lines(tmp_path / "m.jsonl", line, known, line, upper)
    with pytest.raises(SourceError, match=r"line 4: the id 0e0f6b5e.* is that of line 2 too"):
        await listed(manifest(path))
    source = manifest(path, on_bad="skip")
    assert len(await listed(source)) == 3
    assert source.skipped == 1


@pytest.mark.parametrize(
    ("prediction", "name"),
    [
        ({"detection_classes": [1], "detection_scores": [0.5]}, "Classification"),
        ({"detection_classes": [1], "detection_scores": [0.5], "detection_masks": [[[0, 0], [1, 1], [2, 0]]]}, "Segmentation"),
        ({"detection_classes": [1], "detection_scores": [0.5], "detection_masks": ["5ko2"]}, "Mask"),
        ({"type": "MASK", "detection_classes": [], "detection_scores": [], "detection_masks": []}, "Mask"),
        ({"detection_classes": [1], "detection_scores": [0.5], "lines": [[[0, 0], [1, 1]]]}, "Line"),
        ({"detection_classes": [1], "detection_scores": [0.5], "points": [[0, 0]]}, "Point"),
        ({"detection_classes": [1], "detection_scores": [0.5], "keypoints": [[[0, 0, 1]]]}, "Keypoint"),
    ],
)  # fmt: skip
async def test_the_fields_tell_the_format(tmp_path, make_image, prediction, name):
    """`type` is needed only where the fields leave it open."""
    make_image(tmp_path / "a.jpg")
    path = write_lines(tmp_path / "m.jsonl", {"image": "a.jpg", "prediction": prediction})
    (frame,) = await listed(manifest(path))
    assert type(frame.prediction).__name__ == f"{name}PredictionFormat"


GOOD = {"image": "a.jpg", "prediction": DETECTION, "custom_metadata": {'no "key": at': "all", 'a"': ":"}}
BAD_LINES = [
    ("{", "no JSON"),
    ("[1]", "must be a JSON object"),
    ({"prediction": DETECTION}, "field 'image' is missing"),
    ({"image": "a.jpg"}, "field 'prediction' is missing"),
    ({**GOOD, "colour": 1}, "unknown field 'colour'"),
    ({**GOOD, "image": "b.jpg"}, "no image 'b.jpg'"),
    ({**GOOD, "image": "b.jpg", "width": 1, "height": 1}, "no image 'b.jpg'"),
    ({**GOOD, "image": ["a.jpg"]}, "image must be a str or Path"),
    ({**GOOD, "image": "broken.jpg"}, "cannot be used as JPEG or PNG"),
    ({**GOOD, "latency": "fast"}, "latency"),
    (
        {
            "image": "a.jpg",
            "prediction": {
                "detection_classes": [1],
                "detection_scores": [0.5],
                "detection_masks": [[[0, 9], [1, 9], [20, 9]]],
            },
        },
        "a polygon without width or height",
    ),
    (
        {
            "image": "a.jpg",
            "prediction": {"detection_classes": [1], "detection_scores": [0.5], "detection_masks": ["PP3"]},
        },
        "a mask without a pixel",
    ),
    ({**GOOD, "timestamp": "yesterday"}, "ISO 8601"),
    ({**GOOD, "timestamp": 1_764_290_000_000}, "looks like milliseconds"),
    ({**GOOD, "image": "../other/a.jpg"}, "leads out of"),
    ('{"image": "a.jpg", "prediction": {"detection_classes": [1], "detection_scores": [NaN]}}', "finite"),
    ('{"image": "b.jpg", "image" : "a.jpg", "prediction": {}}', "the key 'image' is there twice"),
    (
        '{"image": "a.jpg", "prediction": {"detection_classes": [1], "detection_classes": [2]}}',
        "'detection_classes' is there twice",
    ),
    ('{"image": "a.jpg", "prediction": {}, "metadata": {"a": [[{"b": 1, "b": 1}]]}}', "the key 'b' is there twice"),
    ({**GOOD, "prediction": [1]}, "prediction must be a JSON object"),
    ({**GOOD, "prediction": {**DETECTION, "type": "POLYGON"}}, "POLYGON"),
    ({**GOOD, "prediction": {**DETECTION, "lines": []}}, "has no field 'lines'"),
    ({**GOOD, "prediction": {"detection_boxes": []}}, "needs the field 'detection_classes'"),
    ({**GOOD, "prediction": {**DETECTION, "detection_scores": []}}, "detection_scores"),
]


@pytest.mark.parametrize(
    ("line", "message"), BAD_LINES, ids=[f"{n}-{message}" for n, (_, message) in enumerate(BAD_LINES)]
)
async def test_a_bad_line_is_named_or_skipped(tmp_path, make_image, line, message):
    """The error has file and line; skipping counts it, keeps what was wrong, and gives the lines around it."""
    make_image(tmp_path / "a.jpg")
    (tmp_path / "broken.jpg").write_bytes(b"no image")
    path = write_lines(tmp_path / "m.jsonl", GOOD, "", line, GOOD)
    seen = []
    with pytest.raises(SourceError, match="line 3: ") as caught:
        async for frame in manifest(path):
            seen.append(frame)
    assert message in str(caught.value)
    assert len(seen) == 1
    source = manifest(path, on_bad="skip")
    assert len(await listed(source)) == 2
    assert source.skipped == 1
    assert message in source.problems[0]


@pytest.mark.parametrize("on_bad", ["raise", "skip"])
@pytest.mark.parametrize(
    ("text", "message"),
    [
        (json.dumps([GOOD, GOOD], indent=2), "is one JSON array"),
        (json.dumps([GOOD]), "is one JSON array"),
        ("\n" + json.dumps([]), "is one JSON array"),
        (json.dumps(GOOD, indent=2), "JSON objects of several lines"),
    ],
    ids=["array of lines", "array", "behind a blank line", "objects of lines"],
)
async def test_another_form_of_json_is_named_with_the_way_out(tmp_path, make_image, text, message, on_bad):
    """It is whole and right, and no line of it is a frame: nothing is said of lines that are cut off."""
    make_image(tmp_path / "a.jpg")
    with pytest.raises(SourceError, match=rf"m\.jsonl .*{message}.* one .*object per line.*jq -c") as caught:
        await listed(manifest(write_lines(tmp_path / "m.jsonl", text), on_bad=on_bad))
    assert "cut off" not in str(caught.value)


async def test_a_missing_manifest_is_a_configuration_error(tmp_path):
    """It is the FileNotFoundError, too, that everybody expects."""
    with pytest.raises(FileNotFoundError, match="manifest: there is no file"):
        await listed(manifest(tmp_path / "none.jsonl"))


async def test_a_manifest_is_read_line_by_line(tmp_path, make_image):
    """The end of a long file is not needed for its beginning."""
    make_image(tmp_path / "a.jpg")
    path = write_lines(tmp_path / "m.jsonl", *[GOOD] * 200, "broken")
    frames = aiter(manifest(path))
    async with aclosing(frames):
        assert (await anext(frames)).filename == "a.jpg"


@pytest.mark.parametrize(
    "name", ["images\\\\a.jpg", "images%2Fa.jpg", "C:\\\\data\\\\images\\\\a.jpg", "/elsewhere/images/a.jpg"]
)
async def test_paths_of_other_systems_are_found(tmp_path, make_image, name):
    """A manifest made on Windows, percent-encoded or elsewhere finds its images; their name here is their path here."""
    make_image(tmp_path / "images/a.jpg")
    path = write_lines(tmp_path / "m.jsonl", f'{{"image": "{name}", "prediction": {json.dumps(DETECTION)}}}')
    (frame,) = await listed(manifest(path))
    assert (frame.image, frame.filename) == (tmp_path / "images/a.jpg", "images/a.jpg")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
async def test_a_manifest_in_another_encoding_is_read(tmp_path, make_image, encoding):
    """PowerShell writes UTF-16, and others a byte order mark."""
    make_image(tmp_path / "ä.jpg")
    (tmp_path / "m.jsonl").write_bytes((json.dumps({**GOOD, "image": "ä.jpg"}) + "\n").encode(encoding))
    (frame,) = await listed(manifest(tmp_path / "m.jsonl"))
    assert frame.filename == "ä.jpg"


async def test_an_image_outside_needs_leave(tmp_path, make_image):
    """`outside=True` takes it, under its own name."""
    make_image(tmp_path / "other/a.jpg")
    (tmp_path / "here").mkdir()
    path = write_lines(tmp_path / "here/m.jsonl", {**GOOD, "image": "../other/a.jpg"})
    (frame,) = await listed(manifest(path, outside=True))
    assert frame.filename == "a.jpg"


async def test_an_empty_manifest_is_an_error(tmp_path):
    """No line, no success."""
    with pytest.raises(SourceError, match="has no line"):
        await listed(manifest(write_lines(tmp_path / "m.jsonl", "")))


async def test_a_manifest_in_latin_1_is_told(tmp_path, make_image):
    """Its umlauts are no characters of UTF-8: those lines are bad items, and nothing is delivered under a name that is not meant."""
    make_image(tmp_path / "1.jpg")
    lines = [
        json.dumps({"image": "1.jpg", "source": name, "prediction": DETECTION}, ensure_ascii=False)
        for name in ("gate", "T\u00fcr")
    ]
    (tmp_path / "m.jsonl").write_bytes("\n".join(lines).encode("latin-1"))
    source = manifest(tmp_path / "m.jsonl", on_bad="skip")
    assert [frame.source for frame in await listed(source)] == ["gate"]
    assert "line 2" in source.problems[0]
    assert "not in UTF-8: byte 0xfc at position" in source.problems[0]


async def test_a_packed_manifest_is_told(tmp_path):
    """It is neither cut off nor no JSON."""
    (tmp_path / "m.jsonl").write_bytes(gzip.compress(b"{}"))
    with pytest.raises(SourceError, match="packed with gzip: unpack it first"):
        await listed(manifest(tmp_path / "m.jsonl"))


async def test_null_is_a_field_that_was_left_out(tmp_path, make_image):
    """Of what has a default; pandas writes NaN so."""
    make_image(tmp_path / "1.jpg")
    line = {
        "image": "1.jpg",
        "prediction": DETECTION,
        **dict.fromkeys(("latency", "timestamp", "source", "width", "height")),
    }
    path = write_lines(tmp_path / "m.jsonl", line)
    os.utime(path, (1e9, 1e9))
    (frame,) = await listed(manifest(path, latency=0.5, source="gate"))
    assert (frame.latency, frame.timestamp, frame.source, frame.width) == (0.5, 1e9, "gate", 64)


@pytest.fixture
def predicted(tmp_path, make_image):
    """Return a manifest as `predict` writes it, of three pictures of 200 x 100."""
    lines = []
    for number in range(3):
        make_image(tmp_path / f"{number}.jpg", 200, 100)
        version = attrs.asdict(ImageVersion.of(tmp_path / f"{number}.jpg"))
        prediction = {**DETECTION, "detection_boxes": [[60, 150, 90, 170]]}
        lines.append({"image": f"{number}.jpg", "image_version": version, "prediction": prediction})
    return write_lines(tmp_path / "m.jsonl", *lines)


async def test_a_picture_is_read_once_to_know_it_again(predicted, monkeypatch):
    """Those of the first lines, too, which are looked at before the first frame."""
    read = Counter()
    digest = _image_version.file_digest

    def counted(path):
        read[path.name] += 1
        return digest(path)

    monkeypatch.setattr(_image_version, "file_digest", counted)
    for number in range(3):
        os.utime(predicted.parent / f"{number}.jpg", (0, 1_600_000_000))  # the content alone tells
    assert len(await listed(manifest(predicted))) == 3
    assert read == Counter({"0.jpg": 1, "1.jpg": 1, "2.jpg": 1})


async def test_a_replaced_picture_is_a_matter_of_its_lines(predicted, make_image):
    """The shapes that do not fit the new ones do not tell that the manifest is in another order."""
    for number in range(2):
        make_image(predicted.parent / f"{number}.jpg", 100, 240)
    source = manifest(predicted, on_bad="skip")
    assert [frame.filename for frame in await listed(source)] == ["2.jpg"]
    assert ["holds another picture" in one for one in source.problems] == [True, True]


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"image,prediction\na.jpg,none\n", "looks like CSV"), (b"PK\x03\x04\x14\0", "is a zip, as Excel")],
)
@pytest.mark.parametrize("on_bad", ["raise", "skip"])
async def test_a_table_is_called_so(tmp_path, content, words, on_bad):
    """Not line by line, as broken JSON."""
    (tmp_path / "m.jsonl").write_bytes(content)
    with pytest.raises(SourceError, match=words):
        await listed(manifest(tmp_path / "m.jsonl", on_bad=on_bad))


async def test_null_for_the_other_place_of_an_image_is_as_left_out(tmp_path, make_image):
    """Tables with a column for each write it."""
    make_image(tmp_path / "a.jpg")
    stored = {
        "object_name": "x/a.jpg",
        "image": None,
        "filename": "a.jpg",
        "width": 64,
        "height": 48,
        "prediction": DETECTION,
    }
    path = write_lines(tmp_path / "m.jsonl", {"image": "a.jpg", "object_name": None, "prediction": DETECTION}, stored)
    frames = await listed(manifest(path))
    assert [(frame.filename, frame.object_name) for frame in frames] == [("a.jpg", None), ("a.jpg", "x/a.jpg")]
