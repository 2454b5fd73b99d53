"""The pages for people: the latest images with their shapes drawn over them, and one page for each; nothing of a client runs there."""

from __future__ import annotations

import asyncio
import re
import sys
from typing import Any

import pytest

from picsellia_async import MaskPredictionFormat
from picsellia_async.emulator.dashboard.overlay import SHAPES_MAX, shapes_of, svg

from ..support.images import jpeg, png
from .conftest import BOXES, Wire, change

pytestmark = pytest.mark.anyio

OWN_SCRIPT = '<script src="/emulator/static/dashboard.js" defer>'

CLASSES = {"detection_classes": [0, 3], "detection_scores": [0.9, 0.25]}
[MASK] = MaskPredictionFormat.from_rle([{"size": [48, 64], "counts": [63, 50, 2959]}], [0], [0.9]).detection_masks
LABELS = {"0": "person", "3": "truck"}


def drawn(raw: dict[str, Any], width: int = 64, height: int = 48) -> str:
    return svg(shapes_of(raw, LABELS), width, height, text_size=0.1)


@pytest.mark.parametrize(
    ("shapes", "elements"),
    [
        ({"detection_boxes": [[1, 2, 11, 22], [5, 6, 7, 8]]}, ['polygon points="2,1 22,1 22,11 2,11"', 'polygon points="6,5 8,5 8,7 6,7"']),
        ({"detection_masks": [[[1, 2], [3, 4], [5, 6]], [[7, 8], [9, 10], [11, 12]]]}, ['polygon points="1,2 3,4 5,6"', 'polygon points="7,8 9,10 11,12"']),
        ({"lines": [[[1, 2], [3, 4]], [[5, 6], [7, 8]]]}, ['polyline points="1,2 3,4"', 'polyline points="5,6 7,8"']),
        ({"lines": [[[1, 2], [3, 4], [5, 9]]]}, ['polyline points="1,2 3,4 5,9"']),
        ({"points": [[1, 2], [3, 4]]}, ['circle cx="1" cy="2"', 'circle cx="3" cy="4"']),
        ({"keypoints": [[[1, 2, 2], [3, 4, 1], [0, 0, 0]], []]}, ['circle cx="1" cy="2" r="1.6"/', 'circle cx="3" cy="4" r="1.6" class="hidden"/']),
        ({"detection_masks": [MASK, "no mask \x7f"]}, ['path class="mask" d="M1 15h1v33h-1zM2 0h1v17h-1z"']),
        ({}, []),
    ],
    ids=["boxes", "polygons", "lines", "a line of three points", "points", "skeletons", "masks", "classes"],
)  # fmt: skip
def test_each_format_is_drawn(shapes: dict[str, Any], elements: list[str]) -> None:
    """In the coordinates of the prediction; x is across, y is down."""
    picture = drawn(CLASSES | shapes)
    assert 'viewBox="0 0 64 48"' in picture
    found = re.findall(r"<((?:polygon|polyline|circle|path) [^>]*?)(?: r=\"[\d.]+\")?/?>", picture)
    assert len(found) == len(elements)
    for element in elements:
        assert f"<{element}" in picture


def test_a_shape_says_its_class_and_score() -> None:
    """By name where the label map has one; the text of a client is no markup."""
    raw = {
        "detection_classes": [0, 8],
        "detection_scores": [0.9, 0.256],
        "points": [[1, 2], [3, 4]],
        "detection_texts": ["<b>", ""],
    }
    picture = drawn(raw)
    assert "person 0.90 “&lt;b&gt;”</text>" in picture
    assert "class 8 0.26</text>" in picture


def test_a_label_ends_within_the_image() -> None:
    """A browser's bold letters are 0.63 of their height wide on average; beside the right edge a label begins further left."""
    picture = drawn({"detection_classes": [0], "detection_scores": [0.9], "points": [[639, 100]]}, 640, 480)
    found = re.search(r'font-size="([\d.]+)".*<text x="([\d.]+)"[^>]*>([^<]*)<', picture)
    assert found is not None
    assert float(found[2]) + float(found[1]) * 0.63 * len(found[3]) <= 640


async def test_classes_of_a_whole_image_are_no_shapes(wire: Wire) -> None:
    """The image's page says what they are."""
    change(wire.emulator, "deployment", wire.emulator.deployment_id, type="CLASSIFICATION")
    receipt = await wire.monitored(jpeg(), raw_predictions=CLASSES | {"detection_texts": None})
    page = (await wire.http.get(f"/emulator/predictions/{receipt['id']}")).text
    assert "2 classes of the whole image." in page


def test_shapes_are_bounded() -> None:
    """A thousand of them do not make a page of megabytes."""
    raw = {"detection_classes": [0] * 1000, "detection_scores": [0.5] * 1000, "points": [[1, 2]] * 1000}
    assert drawn(raw).count("<circle") == SHAPES_MAX


@pytest.mark.parametrize(
    "raw",
    [
        {"detection_classes": [0, 0], "detection_boxes": [[1, 2, 3, 4]], "detection_scores": []},
        {"detection_classes": [0], "detection_boxes": [[9, 9, 1, 1]], "detection_scores": [0.5]},
        {"detection_classes": [0], "detection_masks": ["1" * 90_000], "detection_scores": [0.5]},
        {"detection_classes": []},
    ],
    ids=["different lengths", "upside down", "a mask of too many pieces", "nothing"],
)
def test_what_cannot_be_meant_does_not_fail_a_page(raw: dict[str, Any]) -> None:
    """With the checks off, anything may have been stored."""
    assert drawn(raw).startswith("<svg")


@pytest.mark.parametrize(("image", "type_"), [(jpeg(), "image/jpeg"), (png(), "image/png")], ids=["JPEG", "PNG"])
async def test_the_latest_images_are_shown_with_their_boxes(image: bytes, type_: str, wire: Wire) -> None:
    """On the first page and on the image's own, which the first one leads to; the image is the one that was sent."""
    receipt = await wire.monitored(image, shadow_raw_predictions=BOXES, shadow_latency=0.1, source="cam-7")
    path = f"/emulator/predictions/{receipt['id']}"
    for page, pictures in (("/emulator/", 1), (path, 2)):
        answer = await wire.http.get(page)
        assert answer.headers["content-type"].startswith("text/html")
        assert answer.text.count(f'src="{path}/image"') == pictures
        assert answer.text.count('points="2,1 22,1 22,11 2,11"') == pictures
        assert "person 0.90" in answer.text
        assert "cam-7" in answer.text
    assert f'href="{path}"' in (await wire.http.get("/emulator/")).text
    picture = await wire.http.get(f"{path}/image")
    assert (picture.content, picture.headers["content-type"]) == (image, type_)


async def test_the_image_of_a_cloud_object_is_shown(wire: Wire) -> None:
    """It lay in the storage before, and was never sent."""
    connector = await wire.ok("GET", f"{wire.deployment}/datalake/connector")
    named = {name: connector[name] for name in ("client_type", "bucket_name")}
    cloud = {"connector_id": connector["id"], "object_name": "directory/s3/object-name.jpeg", **named}
    receipt = await wire.monitored(None, cloud_image=cloud)
    picture = await wire.http.get(f"/emulator/predictions/{receipt['id']}/image")
    assert (picture.status_code, picture.headers["content-type"]) == (200, "image/jpeg")


async def test_nothing_that_was_uploaded_runs(wire: Wire) -> None:
    """What is no JPEG or PNG by its bytes is not given to a browser; texts are escaped; a picture comes in a sandbox."""
    evil = "<script>alert(1)</script>"
    change(wire.emulator, "model_version", (await wire.versions("model"))[0]["id"], labels={"0": evil})
    texts = {
        "filename": evil,
        "source": evil,
        "tags": [evil],
        "custom_metadata": {evil: evil},
        "custom_metrics": {"m": evil},
    }
    receipt = await wire.monitored(
        evil.encode(), **texts, raw_predictions=BOXES | {"detection_texts": [evil, '"><img>']}
    )
    path = f"/emulator/predictions/{receipt['id']}"
    for page in ("/emulator/", path):
        answer = await wire.http.get(page)
        assert re.findall("<script[^>]*>", answer.text) == [OWN_SCRIPT]
        assert "<img>" not in answer.text
        assert not re.search(r"\son\w+=|\sstyle=|javascript:", answer.text)
        assert "'unsafe" not in answer.headers["content-security-policy"]
    refused = await wire.http.get(f"{path}/image")
    assert (refused.status_code, refused.headers["content-type"]) == (415, "application/json")
    shown = await wire.monitored(jpeg())
    picture = await wire.http.get(f"/emulator/predictions/{shown['id']}/image")
    assert picture.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert picture.headers["x-content-type-options"] == "nosniff"


async def test_pages_bear_odd_times_and_missing_predictions(wire: Wire) -> None:
    """Milliseconds in place of seconds are shown as the end of time; an unknown prediction is a 404."""
    receipt = await wire.monitored(jpeg(), timestamp=1.7e15)
    page = await wire.http.get(f"/emulator/predictions/{receipt['id']}")
    assert "9999-12-31" in page.text
    for path in ("/emulator/predictions/none", "/emulator/predictions/none/image"):
        assert (await wire.http.get(path)).status_code == 404


async def test_the_pages_load_their_own_files_only(wire: Wire) -> None:
    """Script, style and icon come from the emulator with their types; no other name is a file."""
    page = (await wire.http.get("/emulator/")).text
    for name, type_ in (
        ("dashboard.js", "text/javascript"),
        ("dashboard.css", "text/css"),
        ("icon.svg", "image/svg+xml"),
    ):
        assert f'"/emulator/static/{name}"' in page
        answer = await wire.http.get(f"/emulator/static/{name}")
        assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (200, type_)
        assert "http" not in answer.text.replace("http://www.w3.org/2000/svg", "")
    for name in ("..%2fpages.py", "%2e%2e/%2e%2e/pages.py", "pages.py", "", "base.html"):
        assert (await wire.http.get(f"/emulator/static/{name}")).status_code == 404


async def test_jinja_is_imported_with_the_first_page() -> None:
    """An emulator whose pages nobody looks at starts without it."""
    code = (
        "import asyncio, sys; from picsellia_async.emulator import Emulator\n"
        "async def main():\n"
        "    async with Emulator(): pass\n"
        "asyncio.run(main()); print('jinja2' in sys.modules)"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE)
    assert (await process.communicate())[0].strip() == b"False"


async def test_a_page_names_the_request_that_brought_the_prediction(wire: Wire) -> None:
    """Its line of the journal; of two with the same image, the one that was under way at the time. An invented one has none."""
    first = await wire.monitored(jpeg())
    await wire.monitored(jpeg())
    page = (await wire.http.get(f"/emulator/predictions/{first['id']}")).text
    assert page.count("oracle monitor") == 1
    assert "requests with this image" not in page
    await wire.emulator.add_predictions(1)
    [*_, invented] = wire.emulator.predictions()
    assert "The journal does not have it" in (await wire.http.get(f"/emulator/predictions/{invented['id']}")).text
