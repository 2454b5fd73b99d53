"""What cannot be meant never reaches the service, whichever call it is given to; and the switch that lets it pass."""

from __future__ import annotations

import logging

import pytest

from picsellia_async import AsyncClient, DetectionPredictionFormat, Frame, ImplausibleError, PredictionError, Rejected
from picsellia_async.emulator import Fault

from ..support.images import jpeg, png
from ..support.mistakes import HEIGHT, MISTAKES, WIDTH, box

pytestmark = pytest.mark.anyio

GOOD = {
    "raw_image": jpeg(WIDTH, HEIGHT), "content_type": "image/jpeg", "filename": "a.jpg", "latency": 0.02, "width": WIDTH,
    "height": HEIGHT, "prediction": box(10, 20, 110, 220),
}  # fmt: skip
OF_BOXES = [
    name
    for name, (fields, _) in MISTAKES.items()
    if isinstance(fields.get("prediction", GOOD["prediction"]), DetectionPredictionFormat)
]


def arrived(emulator):
    """Return how many predictions reached the monitoring and serving hosts."""
    return sum(entry.endpoint in {"monitor", "monitor_shadow", "predict"} for entry in emulator.journal)


def call(**fields):
    """Return the arguments of `monitor_bytes`; the image may go by the name that `Frame` has for it."""
    image = fields.pop("image", GOOD["raw_image"])
    return {**GOOD, "raw_image": image, **fields}


async def test_with_the_checks_off_it_is_sent(deployment, emulator):
    """Whatever the mistake: the caller's word counts."""
    off = deployment.with_options(checks="off")
    for name in OF_BOXES:
        assert (await off.monitor_bytes(**call(**MISTAKES[name][0])))["id"]
    assert arrived(emulator) == len(OF_BOXES)


async def test_a_class_outside_of_the_label_map_is_refused(deployment, emulator):
    """The map is fetched once, by the first call, however many follow."""
    labels = await deployment.label_map()
    assert list(labels.values()) == list(range(len(labels)))
    for _ in range(3):
        with pytest.raises(ImplausibleError, match=rf"is 99, which is no index.*0 to {len(labels) - 1}"):
            await deployment.monitor_bytes(**call(prediction=DetectionPredictionFormat([99], [[1, 2, 3, 4]], [0.5])))
        await deployment.monitor_bytes(**GOOD)
    assert arrived(emulator) == 3
    assert sum(entry.endpoint == "get_model_version" for entry in emulator.journal) == 1


async def test_a_label_map_that_cannot_be_had_refuses_nothing(deployment, emulator, caplog):
    """Monitoring goes on while the platform is away; one warning says what is not checked."""
    emulator.faults.add(Fault(kind="status", status=503, endpoint="get_model_version"))
    strange = DetectionPredictionFormat([99], [[1, 2, 3, 4]], [0.5])
    with caplog.at_level(logging.WARNING, "picsellia_async"):
        for _ in range(3):
            assert (await deployment.monitor_bytes(**call(prediction=strange)))["id"]
    assert len([record for record in caplog.records if "label map" in record.message]) == 1


async def test_files_are_checked_when_they_are_read(deployment, emulator, tmp_path):
    """A file of another size or format is refused by `monitor`, `predict` and the uploader alike."""
    path = tmp_path / "a.jpg"
    path.write_bytes(jpeg(HEIGHT, WIDTH))
    with pytest.raises(ImplausibleError, match="they look swapped"):
        await deployment.monitor(path, 0.02, HEIGHT, WIDTH, GOOD["prediction"])
    wrong = Frame(image=path, width=WIDTH, height=HEIGHT, latency=0.02, prediction=GOOD["prediction"])
    report = await deployment.monitor_many([wrong])
    assert (report.rejected, report.delivered) == (1, 0)
    path.write_bytes(b"GIF89a")
    with pytest.raises(ImplausibleError, match="looks like GIF"):
        await deployment.predict(path)
    with pytest.raises(ImplausibleError, match="neither JPEG nor PNG"):
        await deployment.predict_bytes("a.jpg", b"raw")
    assert arrived(emulator) == 0


BOX = box(200, 600, 650, 900)
"""Right on 1280 x 720; with the sides exchanged it looks like x1, y1, x2, y2."""


async def test_swapped_sides_of_a_file_are_said_before_an_order_of_boxes(deployment, emulator, tmp_path):
    """The image is there and tells: what is right is not advised away. Where it cannot be read, both are named."""
    path = tmp_path / "a.jpg"
    path.write_bytes(jpeg(WIDTH, HEIGHT))
    with pytest.raises(
        ImplausibleError, match=r"width and height are 720 and 1280, but the header of image says 1280 x 720.*swapped"
    ):
        await deployment.monitor(path, 0.02, WIDTH, HEIGHT, BOX)
    with pytest.raises(
        ImplausibleError,
        match=r"It looks like x1, y1, x2, y2 \(DetectionPredictionFormat\.from_xyxy\)\. Where a .*, right\)$",
    ):
        await deployment.monitor(path, 0.02, HEIGHT, WIDTH, box(700, 20, 1200, 220))
    with pytest.raises(
        ImplausibleError, match=r"It looks like x1, y1.*Or width and height are swapped: it fits an image of 1280 x 720"
    ):
        await deployment.monitor(tmp_path / "none.jpg", 0.02, WIDTH, HEIGHT, BOX)
    await deployment.monitor(path, 0.02, HEIGHT, WIDTH, BOX)
    assert arrived(emulator) == 1


@pytest.mark.parametrize("shadow", [False, True])
@pytest.mark.parametrize("place", ["image", "object_name"])
def test_swapped_sides_are_named_beside_an_order_of_boxes(tmp_path, place, shadow):
    """A frame that names an image does not open it: which of the two is wrong shows there alone."""
    path = tmp_path / "a.jpg"
    path.write_bytes(jpeg(WIDTH, HEIGHT))
    common = {"latency": 0.02, place: path if place == "image" else "folder/a.jpg"}
    said = {"prediction": BOX}
    if shadow:
        said = {"prediction": box(1, 2, 30, 40), "shadow_prediction": BOX, "shadow_latency": 0.1}
    with pytest.raises(
        ImplausibleError, match=r"It looks like x1, y1.*Or width and height are swapped: it fits an image of 1280 x 720"
    ):
        Frame(width=HEIGHT, height=WIDTH, **said, **common)
    with pytest.raises(ImplausibleError, match=r"from_xywh, from_cxcywh|cut with clip=\(width, height\)$"):
        Frame(width=WIDTH, height=HEIGHT, prediction=box(1, 2, 30, 4000), **common)
    Frame(width=WIDTH, height=HEIGHT, **said, **common)


async def test_the_uploader_refuses_what_the_label_map_lacks(deployment, emulator, tmp_path):
    """A frame is told its class is no label, with and without a spool, and the others are delivered."""
    strange = DetectionPredictionFormat([99], [[1, 2, 3, 4]], [0.5])
    common = {"image": jpeg(WIDTH, HEIGHT), "width": WIDTH, "height": HEIGHT, "latency": 0.02}
    for spool in (None, tmp_path / "spool"):
        async with deployment.uploader(spool=spool) as uploader:
            bad = await uploader.submit(Frame(filename="b.jpg", prediction=strange, **common))
            await uploader.submit(Frame(filename="g.jpg", prediction=GOOD["prediction"], **common))
            outcome = await bad
            assert isinstance(outcome, Rejected)
            assert isinstance(outcome.error, ImplausibleError)
        assert (uploader.report.rejected, uploader.report.delivered) == (1, 1)


async def test_shadow_predictions_that_come_later_are_checked(deployment, emulator):
    """Scores and latency; the size of the image is not at hand then."""
    receipt = await deployment.monitor_bytes(**GOOD)
    for latency, prediction in ((0.1, DetectionPredictionFormat([0], [[1, 2, 3, 4]], [93])), (9e9, GOOD["prediction"])):
        with pytest.raises(ImplausibleError):
            await deployment.monitor_shadow_from_oracle_prediction_id(receipt["id"], latency, prediction)


async def test_the_switch_is_on_client_copy_and_deployment(emulator):
    """`checks="off"` on any of them sends what the caller says."""
    strange = call(prediction=box(700, 20, 1200, 220), raw_image=b"no image", latency=21.0)
    async with AsyncClient(emulator.api_token, host=emulator.url, checks="off") as client:
        off = await client.get_deployment(emulator.deployment_name)
        assert (await off.monitor_bytes(**strange))["id"]
        with pytest.raises(PredictionError, match="400"):
            await off.predict_bytes("a.jpg", b"no image")
        on = await client.with_options(checks="on").get_deployment(emulator.deployment_name)
        with pytest.raises(ImplausibleError):
            await on.monitor_bytes(**strange)
        assert (await on.with_options(checks="off").monitor_bytes(**strange))["id"]


async def test_png_says_png(deployment):
    """What is right is sent."""
    assert (await deployment.monitor_bytes(**{**GOOD, "raw_image": png(WIDTH, HEIGHT), "content_type": "png"}))["id"]
