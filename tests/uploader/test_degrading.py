"""The ladder of qualities: under backlog images are encoded smaller, predictions move along; on a clock that jumps."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import simplejpeg

from picsellia_async import ConfigurationError, DetectionPredictionFormat, SegmentationPredictionFormat, image_size
from picsellia_async._delivery.ladder import Ladder
from picsellia_async.frames import Frame, smaller
from picsellia_async.pixels import Encoding, encode

from .service import Service, down, uploader

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("disk")]

RUNGS = [(85, 1920), (60, 200), (40, 100)]
NOISE = np.random.default_rng(1).integers(0, 256, (240, 320, 3), np.uint8)
IMAGE = simplejpeg.encode_jpeg(np.ascontiguousarray(NOISE), quality=90, colorspace="BGR")
BOX = DetectionPredictionFormat([0], [[48, 64, 120, 160]], [0.9])


def picture(number: int = 0, **fields: Any) -> Frame:
    values = {
        "image": IMAGE,
        "filename": f"p-{number}.jpg",
        "width": 320,
        "height": 240,
        "latency": 0.01,
        "prediction": BOX,
    }
    return Frame(**{**values, **fields})


def test_predictions_move_along() -> None:
    """The frame is the same but for the picture, its size, and what is said in its pixels; as `from_array` makes it."""
    frame = picture(shadow_prediction=BOX, shadow_latency=0.1, tags=["a"])
    found = smaller(frame, 60, 160)
    assert found is not None
    assert (found.id, found.timestamp, found.tags, found.filename) == (frame.id, frame.timestamp, ["a"], "p-0.jpg")
    assert image_size(found.image) == (found.width, found.height) == (160, 120)
    made = encode(NOISE, Encoding(quality=60, max_side=160), BOX)
    assert found.prediction == found.shadow_prediction == made.prediction
    assert found.prediction.detection_boxes == [[24, 32, 60, 80]]
    assert len(found.image) < len(IMAGE) / 4


def test_what_cannot_be_made_smaller_stays() -> None:
    """A PNG, a picture that is turned by its EXIF, one that is no larger, and what nobody can decode."""
    assert smaller(picture(image=Path("x.jpg")), 60, 320) is None
    assert smaller(picture(image=IMAGE[:1000] + IMAGE[-2:], checks="off"), 60, 320) is None
    assert smaller(picture(width=160, height=120, checks="off"), 60, 320) is None
    tiny = smaller(picture(), 60, 50)
    assert tiny is not None
    assert smaller(tiny, 95, 1000) is None


@pytest.mark.parametrize(
    "degrade",
    [
        "ladder",
        5,
        [],
        [(85,)],
        [(0, 100)],
        [(101, 100)],
        [(60, 0)],
        [(60, 640), (70, 640)],
        [(60, 640), (50, 700)],
        [(60.5, 1)],
    ],
)
def test_ladders_that_are_none(degrade: Any) -> None:
    """Steps that go up, or are no pairs of whole numbers, are refused."""
    with pytest.raises(ConfigurationError, match="degrade must be pairs"):
        uploader(Service(), degrade=degrade)


def test_levels_follow_the_wait_with_hysteresis() -> None:
    """Five seconds a level going down, half of that going up; a pause is no backlog."""
    ladder = Ladder(RUNGS)
    levels = []
    for at, wait in enumerate((0, 4, 6, 4, 3, 2, 11, 8, 6, 4.9, 2.4, 30, 8, 7.4, 0)):
        # A thousand bytes a second, and so many that wait.
        ladder.look(at, wait * 1000, at * 1000, lambda: 0.0, is_closed=False)
        levels.append(ladder.level)
    assert levels == [0, 0, 1, 1, 1, 0, 2, 2, 2, 1, 0, 3, 3, 2, 0]
    ladder.look(100, 10**6, 15_000, lambda: 3600.0, is_closed=True)
    assert ladder.rung is None


async def test_an_uplink_of_a_fifth_of_the_need(caplog: pytest.LogCaptureFixture) -> None:
    """All predictions arrive, no frame waits longer than the ladder allows, and pictures are whole again when the need falls."""
    service = Service(seconds=0.05)
    loop = asyncio.get_running_loop()
    ages: list[float] = []
    need = 5 * (len(IMAGE) * 4 / 3 + 600)
    options = {"max_bytes_per_second": need / 5, "on_outcome": lambda outcome: ages.append(outcome.seconds)}
    async with uploader(service, degrade=RUNGS, **options) as up:
        for number in range(600):
            await up.submit(picture(number))
            # For a minute five a second, then one in five seconds.
            await asyncio.sleep(0.2 if loop.time() < 60 else 5.0)
            if loop.time() > 200:
                break
        last = up.statistics()
        await up.flush()
    assert len(service.stored) == up.report.accepted == up.report.delivered > 250
    assert max(ages) < 20
    assert last.degraded > 200
    assert last.degrade_level == 0
    told = [record.getMessage() for record in caplog.records if "encoded smaller" in record.getMessage()]
    assert len(told) == 2
    assert "until the backlog is gone" in told[0]
    assert f"{last.degraded} were encoded smaller" in told[1]


async def test_an_outage_steps_down_slowly(tmp_path: Path) -> None:
    """By the age of what waits, also on disk; after it the pictures are whole again, and nothing is lost or refused."""
    loop = asyncio.get_running_loop()
    sizes: dict[str, tuple[int, int]] = {}

    def script(frame: Frame, attempt: int) -> BaseException | None:
        if 10 < loop.time() < 40:
            return down()
        sizes[frame.filename] = (frame.width, frame.height)
        return None

    service = Service(script=script)
    async with uploader(service, degrade=RUNGS, spool=tmp_path) as up:
        for number in range(80):
            receipt = await up.submit(picture(number))
            assert await up.submit(picture(number, id=receipt.frame_id)) is receipt
            await asyncio.sleep(1)
        assert up.statistics().degrade_level == 0
        assert await up.flush() == 0
    assert up.report.delivered == 80
    assert [sizes[f"p-{number}.jpg"][0] for number in (0, 9, 14, 24, 38, 79)] == [320, 320, 320, 200, 100, 320]


async def test_a_shape_too_small_for_fewer_pixels_keeps_them() -> None:
    """The picture keeps its size and loses quality alone: no prediction is lost for size."""
    sliver = SegmentationPredictionFormat([0], [0.9], [[[10, 10], [11, 10], [11, 11]]])
    found = smaller(picture(prediction=sliver), 40, 64)
    assert found is not None
    assert (found.width, found.height) == (320, 240)
    assert found.prediction == sliver
    assert len(found.image) < len(IMAGE)
