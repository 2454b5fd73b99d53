"""What is sent although it may not be meant, told once in the log; and messages whose way out gives right data."""

from __future__ import annotations

import datetime
import logging
from pathlib import Path

import numpy as np
import pytest

from picsellia_async import (
    AsyncClient,
    AsyncDeployment,
    ConfigurationError,
    Data,
    DetectionPredictionFormat,
    Frame,
    ImplausibleError,
    PredictionFormat,
    SegmentationPredictionFormat,
)
from picsellia_async.plausibility import check_latency
from picsellia_async.predictions.base import counted

from ..support.images import jpeg

WIDTH, HEIGHT = 64, 48


def ours(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    """What the library said: asyncio tells of slow steps on a busy machine."""
    return [one for one in caplog.records if one.name == "picsellia_async"]


def boxes() -> DetectionPredictionFormat:
    return DetectionPredictionFormat([1, 0], [[1, 2, 11, 12]] * 2, [0.5, 0.6])


def make_frame(number: int, latency: float, prediction: PredictionFormat) -> Frame:
    return Frame(
        image=jpeg(WIDTH, HEIGHT), filename=f"{number}.jpg", width=WIDTH, height=HEIGHT, latency=latency,
        prediction=prediction,
    )  # fmt: skip


@pytest.mark.anyio
@pytest.mark.parametrize("latency", [21.3, 9])
async def test_a_latency_of_seconds_is_sent_and_told_once(
    deployment: AsyncDeployment, caplog: pytest.LogCaptureFixture, latency: float
) -> None:
    """By calls and frames; 0.021 is told nothing."""
    fields = ("image/jpeg", "a.jpg")
    with caplog.at_level(logging.WARNING, "picsellia_async"):
        await deployment.monitor_bytes(jpeg(WIDTH, HEIGHT), *fields, 0.021, HEIGHT, WIDTH, boxes())
        assert not ours(caplog)
        assert (await deployment.monitor_many([make_frame(n, latency, boxes()) for n in range(2)])).is_complete
        await deployment.monitor_bytes(jpeg(WIDTH, HEIGHT), *fields, latency, HEIGHT, WIDTH, boxes())
    told = [one.getMessage() for one in caplog.records if "looks like milliseconds" in one.getMessage()]
    assert len(told) == 1
    assert f"latency is in seconds, and {latency:g}" in told[0]


@pytest.mark.parametrize(
    ("latency", "message"),
    [
        (21_000_000, r"looks like nanoseconds: divide by 1000000000 \(0\.021\)"),
        (21_000.5, r"looks like microseconds: divide by 1000000 \(0\.0210005\)"),
        (32_763.7, "or it is a clock's reading: take the difference of two"),
        (1.8e18, "is no such time; or it is a clock's reading"),
        (350, r"looks like milliseconds: divide by 1000 \(0\.35\)"),
    ],
)
def test_the_way_out_of_a_latency_gives_a_plausible_one(latency: float, message: str) -> None:
    """Advice that is followed must not be refused again."""
    with pytest.raises(ImplausibleError, match=message):
        check_latency(latency, "latency")


@pytest.mark.parametrize(
    ("array", "hint"),
    [
        (np.ones((8, 8), bool), r"pixels\.astype\(numpy\.uint8\) \* 255"),
        (np.full((8, 8), 40_000, np.uint16), "highest value is 40000: scale to 0 to 255 first"),
        (np.full((8, 8), 200, np.int64), r"got int64: astype\(numpy\.uint8\)"),
        (np.full((8, 8), 200, np.float32), r"got float32: round\(\)\.astype\(numpy\.uint8\)"),
        (np.full((8, 8), 0.5, np.float32), "multiply by 255"),
    ],
)
def test_the_way_out_of_a_dtype_wraps_nothing(array: object, hint: str) -> None:
    """Bytes of what is above 255, or of true and false, would be another picture."""
    with pytest.raises(ConfigurationError, match=hint):
        Frame.from_array(array, prediction=boxes(), latency=0.02, order="gray")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"timestamp": "2026-11-28T09:00:00"}, r"epoch seconds or an aware datetime.*fromisoformat\(\.\.\.\)\.astimezone"),
        ({"timestamp": "1795868491.7"}, r"epoch seconds or an aware datetime.*: float\(\.\.\.\)"),
        ({"timestamp": "2026:11:28 09:00:00"}, r'strptime\(\.\.\., "%Y:%m:%d %H:%M:%S"\)\.astimezone\(\)'),
        ({"timestamp": np.datetime64("2026-11-28T09:00:00")}, r'\.astype\("datetime64\[us\]"\)\.item\(\)\.replace\(tzinfo='),
        ({"latency": datetime.timedelta(seconds=1)}, r"\.total_seconds\(\) gives seconds"),
        ({"latency": np.timedelta64(21, "ms")}, r'numpy\.timedelta64\(1, "s"\) gives seconds'),
        ({"image": (True, b"")}, r"cv2\.imencode returns, \(is_encoded, buffer\), give the buffer"),
        ({"timestamp": datetime.datetime(2026, 11, 28)}, r"must have a time zone.*\.astimezone\(\)"),  # noqa: DTZ001
        ({"image": "/x.jpg"}, r"got str: Frame takes the file's pathlib\.Path"),
        ({"image": open}, r"must be bytes or a buffer of them"),
    ],
)  # fmt: skip
def test_messages_name_the_way_out(fields: dict[str, object], message: str) -> None:
    """What else to give."""
    given = {"image": jpeg(WIDTH, HEIGHT), "filename": "a.jpg", "width": WIDTH, "height": HEIGHT, "latency": 0.1}
    with pytest.raises(ConfigurationError, match=message):
        Frame(**{**given, "prediction": boxes(), **fields})  # type: ignore[arg-type]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("detection_boxes", [5, 5]), ("detection_boxes", None), ("detection_boxes", [None] * 4),
        ("detection_classes", "person"), ("detection_scores", None), ("detection_scores", "0.9"),
    ],
)  # fmt: skip
async def test_an_entry_of_a_wrong_kind_put_in_later_is_refused(
    deployment: AsyncDeployment, name: str, value: object
) -> None:
    """By the package's own error, in calls and frames."""
    for _ in range(2):  # without the label map, and with it
        prediction = boxes()
        getattr(prediction, name)[0] = value
        with pytest.raises(ConfigurationError):
            await deployment.monitor_bytes(jpeg(WIDTH, HEIGHT), "image/jpeg", "a.jpg", 0.1, HEIGHT, WIDTH, prediction)
        with pytest.raises(ConfigurationError):
            make_frame(1, 0.1, prediction)
        await deployment.monitor_bytes(jpeg(WIDTH, HEIGHT), "image/jpeg", "a.jpg", 0.1, HEIGHT, WIDTH, boxes())


@pytest.mark.anyio
async def test_what_a_constructor_left_out_is_counted_and_told_once(
    deployment: AsyncDeployment, caplog: pytest.LogCaptureFixture
) -> None:
    """A polygon of two points has nothing to send; the first prediction of a deployment that lacks a shape is told."""
    polygons = SegmentationPredictionFormat.from_polygons([[[1, 1], [9, 1]]], [0], [0.9])
    assert (polygons.detection_classes, polygons.left_out) == ([], 1)
    prediction = counted(boxes(), None, left_out=polygons.left_out)
    with caplog.at_level(logging.WARNING, "picsellia_async"):
        for _ in range(2):
            await deployment.monitor_bytes(jpeg(WIDTH, HEIGHT), "image/jpeg", "a.jpg", 0.1, HEIGHT, WIDTH, prediction)
        assert (await deployment.monitor_many([make_frame(1, 0.1, prediction)])).is_complete
    told = [one.getMessage() for one in caplog.records if "left out" in one.getMessage()]
    assert len(told) == 1
    assert "shapes of the prediction for 'a.jpg'" in told[0]


@pytest.mark.anyio
async def test_a_latency_that_is_refused_is_not_told_as_sent(
    deployment: AsyncDeployment, caplog: pytest.LogCaptureFixture
) -> None:
    """The error says what it looks like."""
    with caplog.at_level(logging.WARNING, "picsellia_async"):
        for latency in (21, 4000.5):
            with pytest.raises(ImplausibleError):
                await deployment.monitor_bytes(jpeg(), "image/jpeg", "a.jpg", latency, HEIGHT, WIDTH, boxes())
    assert not ours(caplog)


@pytest.mark.anyio
@pytest.mark.parametrize("way", ["call", "frame", "file"])
async def test_the_stored_size_of_a_turned_photo_is_told_once(
    deployment: AsyncDeployment, caplog: pytest.LogCaptureFixture, tmp_path: Path, way: str
) -> None:
    """It is sent, since the size is right; in its shown size, and where the turn changes no side, nothing is told."""
    path = tmp_path / "a.jpg"

    async def send(orientation: int, width: int, height: int) -> None:
        image = jpeg(WIDTH, HEIGHT, orientation=orientation)
        if way == "call":
            await deployment.monitor_bytes(image, "image/jpeg", "a.jpg", 0.1, height, width, boxes())
            return
        path.write_bytes(image)
        given = image if way == "frame" else path
        frame = Frame(image=given, filename="a.jpg", width=width, height=height, latency=0.1, prediction=boxes())
        assert (await deployment.monitor_many([frame])).is_complete

    with caplog.at_level(logging.WARNING, "picsellia_async"):
        for orientation, width, height in ((1, WIDTH, HEIGHT), (3, WIDTH, HEIGHT), (6, HEIGHT, WIDTH)):
            await send(orientation, width, height)
        assert not ours(caplog)
        for _ in range(2):
            await send(6, WIDTH, HEIGHT)
    told = [one.getMessage() for one in ours(caplog)]
    assert len(told) == 1
    assert (
        "'a.jpg' is shown turned, as its EXIF says, and width and height are those of its stored pixels (64 x 48)"
        in told[0]
    )


@pytest.mark.anyio
@pytest.mark.parametrize("way", ["call", "frame", "spooled frame", "check"])
async def test_sides_of_data_the_other_way_round_are_told_once(
    client: AsyncClient, deployment: AsyncDeployment, caplog: pytest.LogCaptureFixture, tmp_path: Path, way: str
) -> None:
    """The platform may know the size of a turned photo as stored, so that it is sent; at the size that is known, nothing is told."""
    first, *others = await (await client.get_datalake()).list_data(limit=3)

    async def send(data: Data, width: int, height: int) -> None:
        if way == "call":
            await deployment.monitor_data(data, 0.1, height, width, boxes())
            return
        frame = Frame(data=data, width=width, height=height, latency=0.1, prediction=boxes())
        if way == "check":
            await deployment.check(frame)
            return
        spool = tmp_path / "spool" if way == "spooled frame" else None
        assert (await deployment.monitor_many([frame], spool=spool)).is_complete

    with caplog.at_level(logging.WARNING, "picsellia_async"):
        await send(first, WIDTH, HEIGHT)
        assert not ours(caplog)
        for data in others:
            await send(data, HEIGHT, WIDTH)
    told = [one.getMessage() for one in ours(caplog)]
    assert len(told) == 1
    assert "are 48 x 64, and the platform knows it as 64 x 48" in told[0]
