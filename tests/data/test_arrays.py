"""Images from arrays: encoded, made smaller with their predictions, and every buffer of an encoded image."""

from __future__ import annotations

import io
import mmap

import cv2
import numpy as np
import pytest

from picsellia_async import (
    ConfigurationError,
    DetectionPredictionFormat,
    Frame,
    KeypointPredictionFormat,
    LinePredictionFormat,
    MaskPredictionFormat,
    PointPredictionFormat,
    SegmentationPredictionFormat,
    image_size,
)
from picsellia_async.sources import directory

pytest.importorskip("simplejpeg")

WIDTH, HEIGHT = 64, 48
NORMALIZED = np.linspace(-2.5, 2.6, HEIGHT * WIDTH * 3, dtype=np.float32).reshape(HEIGHT, WIDTH, 3)
RED = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
RED[:, :, 2] = 255
BOX = DetectionPredictionFormat([0], [[4, 8, 24, 32]], [0.5])


def decoded(frame):
    return cv2.imdecode(np.frombuffer(frame.image, np.uint8), cv2.IMREAD_UNCHANGED)


@pytest.mark.parametrize("encoding", ["jpeg", "png"])
@pytest.mark.parametrize("order", ["bgr", "rgb"])
def test_an_array_becomes_an_image(order, encoding):
    """Size, colours and content type are those of the array."""
    pixels = RED if order == "bgr" else RED[:, :, ::-1]
    frame = Frame.from_array(pixels, prediction=BOX, latency=0.02, order=order, format=encoding, source="cam-1")
    assert (frame.width, frame.height, frame.source) == (WIDTH, HEIGHT, "cam-1")
    assert frame.content_type.name == encoding.upper()
    assert frame.filename == f"{frame.id}.{'jpg' if encoding == 'jpeg' else 'png'}"
    assert image_size(frame.image) == (WIDTH, HEIGHT)
    assert np.abs(decoded(frame).astype(int) - RED).max() <= 2


@pytest.mark.parametrize("shape", [(HEIGHT, WIDTH), (HEIGHT, WIDTH, 1)])
@pytest.mark.parametrize("encoding", ["jpeg", "png"])
def test_gray_arrays(shape, encoding):
    """Height x width, with or without an axis of one channel."""
    frame = Frame.from_array(np.full(shape, 100, np.uint8), prediction=BOX, latency=0.02, order="gray", format=encoding)
    assert decoded(frame).shape == (HEIGHT, WIDTH)


def test_a_smaller_image_takes_its_prediction_along():
    """The longer side has `max_side` pixels, and both predictions are in pixels of what is sent."""
    frame = Frame.from_array(
        RED, prediction=BOX, latency=0.02, max_side=32, shadow_prediction=BOX, shadow_latency=0.1, filename="a.jpg"
    )
    assert (frame.width, frame.height, image_size(frame.image), frame.filename) == (32, 24, (32, 24), "a.jpg")
    assert frame.prediction.detection_boxes == frame.shadow_prediction.detection_boxes == [[2, 4, 12, 16]]
    assert Frame.from_array(RED, prediction=BOX, latency=0.02, max_side=640).prediction == BOX


@pytest.mark.parametrize(
    ("prediction", "field", "found"),
    [
        (SegmentationPredictionFormat([0], [0.5], [[[4, 8], [24, 8], [24, 32]]]), "detection_masks", [[[2, 4], [12, 4], [12, 16]]]),
        (LinePredictionFormat([0], [0.5], [[[4, 8], [24, 8]]]), "lines", [[[2, 4], [12, 4]]]),
        (PointPredictionFormat([0], [0.5], [[4, 8]]), "points", [[2, 4]]),
        (KeypointPredictionFormat([0], [0.5], [[[4, 8, 2]]]), "keypoints", [[[2, 4, 2]]]),
    ],
)  # fmt: skip
def test_every_shape_moves_along(prediction, field, found):
    """Polygons, lines, points and skeletons, too."""
    frame = Frame.from_array(RED, prediction=prediction, latency=0.02, max_side=32)
    assert getattr(frame.prediction, field) == found


def test_pixel_masks_move_along():
    """A mask is resized with its image."""
    pytest.importorskip("faster_coco_eval")
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[4:24, 8:32] = True
    frame = Frame.from_array(
        RED, prediction=MaskPredictionFormat.from_binary_masks([mask], [0], [0.5]), latency=0.02, max_side=32
    )
    assert frame.prediction.to_binary_masks((32, 24))[0].sum() == 10 * 12


@pytest.mark.parametrize(
    ("width", "height", "side"), [(1280, 720, 640), (1920, 1080, 640), (1000, 750, 333), (900, 600, 31)]
)
def test_pixel_masks_stay_where_they_are(width, height, side):
    """Pixels of the small image are those that a mask covers by half or more: taken at one corner of each, it moved by half a pixel."""
    pytest.importorskip("faster_coco_eval")
    cv2 = pytest.importorskip("cv2")
    middles = [(300, 200, 90, 40), (505, 333, 60, 150), (640, 411, 77, 77), (411, 300, 200, 131)]
    masks = [
        cv2.ellipse(np.zeros((height, width), np.uint8), (x, y), (a, b), 20, 0, 360, 1, -1) for x, y, a, b in middles
    ]
    prediction = MaskPredictionFormat.from_binary_masks(masks, [0] * 4, [0.5] * 4)
    frame = Frame.from_array(np.zeros((height, width), np.uint8), prediction=prediction, latency=0.02, max_side=side)
    size = frame.width, frame.height
    shifts = []
    for mask, found in zip(masks, frame.prediction.to_binary_masks(size), strict=True):
        truth = cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA)
        assert (found == (truth >= 0.5)).mean() > 0.999  # no other mask of whole pixels is nearer to it
        shifts.append(
            [
                (np.nonzero(found)[axis] + 0.5).mean() - (np.nonzero(mask)[axis] + 0.5).mean() * scale
                for axis, scale in ((0, size[1] / height), (1, size[0] / width))
            ]
        )
    if side > 100:  # with fewer, a shape has some ten pixels, and each of them moves its middle
        assert np.abs(shifts).mean() < 0.05
        assert np.abs(shifts).max() < 0.1
    assert np.abs(np.mean(shifts, axis=0)).max() < 0.1


def test_what_is_thinner_than_a_pixel_of_the_smaller_image_stays():
    """A line of one pixel, a single pixel and a flat triangle: none is an object without an area afterwards."""
    pytest.importorskip("faster_coco_eval")
    line, dot = np.zeros((600, 800), bool), np.zeros((600, 800), bool)
    line[101, 100:700] = True
    dot[599, 799] = True
    pixels = np.zeros((600, 800), np.uint8)
    masks = MaskPredictionFormat.from_binary_masks([line, dot], [0, 1], [0.5, 0.5])
    frame = Frame.from_array(pixels, prediction=masks, latency=0.02, max_side=80)
    found = frame.prediction.to_binary_masks((80, 60))
    assert [one.sum() for one in found] == [60, 1]
    assert found[0][10].sum() == 60
    assert found[1][59, 79] == 1
    polygon = SegmentationPredictionFormat([0], [0.5], [[[100, 101], [400, 102], [700, 103]]])
    frame = Frame.from_array(pixels, prediction=polygon, latency=0.02, max_side=80)
    assert frame.prediction.detection_masks == [[[10, 10], [70, 10], [70, 11], [10, 11]]]


@pytest.mark.parametrize(
    ("pixels", "options", "message"),
    [
        (RED / 255, {}, r"multiply by 255, round and convert, \(pixels \* 255\)\.round\(\)\.astype\(numpy\.uint8\)"),
        (RED.astype(np.int32), {}, r"got int32: astype"),
        (RED.astype(np.int32) - 300, {}, r"go from -300 to .*undo that first.*clip"),
        (
            NORMALIZED,
            {},
            r"got float32: its values go from -2\.\d+ to 2\.\d+, as an image that was normalised.*pixels \* std \+ mean",
        ),
        (np.abs(NORMALIZED), {}, r"normalised.*pixels \* std \+ mean"),
        (NORMALIZED * 60 + 128, {}, r"normalised.*pixels \* std \+ mean"),
        (NORMALIZED * np.nan, {}, "it holds NaN"),
        (RED.tobytes(), {}, r"pixels is 9216 bytes, and no array.*Frame\(image=\.\.\.\).*frombuffer.*reshape"),
        (bytearray(RED), {}, "and no array"),
        (memoryview(RED.tobytes()), {}, "and no array"),
        (RED.transpose(2, 0, 1), {}, r"channels first: pixels\.transpose\(1, 2, 0\)"),
        (np.zeros((4, 4, 4), np.uint8), {}, "drop the alpha channel"),
        (np.zeros((4, 4, 2), np.uint8), {}, "must be height x width x 3"),
        (np.zeros((0, 4, 3), np.uint8), {}, "must be height x width x 3"),
        (RED, {"order": "gray"}, 'order="gray" takes height x width'),
        (RED, {"order": "bgra"}, "order must be"),
        (RED, {"format": "webp"}, "format must be"),
        (RED, {"quality": 101}, "quality must be 1 to 100"),
        (RED, {"max_side": 0}, "max_side must be at least 1"),
        ((RED * 16.0).astype(np.uint16), {}, r"\(pixels \* \(255 / full\)\).*the same for every image"),
        (RED, {"filename": "a.PNG"}, "filename 'a.PNG' says PNG, and the format is jpeg: give the format png"),
        (
            RED,
            {"filename": "a.jpeg", "format": "png"},
            "filename 'a.jpeg' says JPEG, and the format is png: give the format jpeg",
        ),
    ],
)
def test_what_is_no_array_of_pixels_is_refused(pixels, options, message):
    """The message says how to make one of it."""
    with pytest.raises(ConfigurationError, match=message):
        Frame.from_array(pixels, prediction=BOX, latency=0.02, **options)


@pytest.mark.parametrize(
    ("filename", "options"),
    [("a.jfif", {}), ("a.png", {"format": "png"}), ("a.tiff", {}), ("a", {}), ("a.png", {"checks": "off"})],
)
def test_a_name_that_the_format_does_not_contradict_is_kept(filename, options):
    """Extensions that say neither format, and none, say nothing about it."""
    assert Frame.from_array(RED, prediction=BOX, latency=0.02, filename=filename, **options).filename == filename


@pytest.mark.anyio
async def test_an_array_is_monitored(deployment, emulator):
    """Encoded off the loop, and stored with the boxes where they belong."""
    receipt = await deployment.monitor_array(RED, 0.02, BOX, order="bgr", max_side=32, tags=["night"], filename="a.jpg")
    asset = await deployment.find_predicted_asset(oracle_prediction_id=receipt["id"])
    assert (asset.width, asset.height) == (32, 24)
    with pytest.raises(ConfigurationError, match="channels first"):
        await deployment.monitor_array(RED.transpose(2, 0, 1), 0.02, BOX)


ENCODED = cv2.imencode(".jpg", RED)[1]


@pytest.mark.anyio
async def test_every_buffer_of_an_encoded_image(deployment, tmp_path):
    """What `imencode` returns, a BytesIO and an mmap are bytes, for frames and calls alike."""
    path = tmp_path / "a.jpg"
    path.write_bytes(ENCODED.tobytes())
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        for image in (ENCODED, ENCODED.reshape(-1, 1), io.BytesIO(ENCODED.tobytes()), mapped):
            frame = Frame(image=image, filename="a.jpg", width=WIDTH, height=HEIGHT, latency=0.02, prediction=BOX)
            assert frame.image == ENCODED.tobytes()
            assert (await deployment.monitor_bytes(image, "image/jpeg", "a.jpg", 0.02, HEIGHT, WIDTH, BOX))["id"]


@pytest.mark.anyio
@pytest.mark.parametrize(
    "image", [RED, RED.astype(float), RED[0], "a.jpg", None], ids=["pixels", "floats", "row", "text", "None"]
)
async def test_what_is_no_encoded_image_is_refused(image, deployment):
    """An array of pixels is told about the ways to encode it."""
    way_out = r".*Frame\.from_array and deployment\.monitor_array" if isinstance(image, np.ndarray) else ""
    with pytest.raises(ConfigurationError, match=f"image must be.*{way_out}"):
        await deployment.monitor_bytes(image, "image/jpeg", "a.jpg", 0.02, HEIGHT, WIDTH, BOX)


@pytest.mark.anyio
async def test_images_of_a_folder_need_a_prediction(deployment, tmp_path):
    """An image in place of a frame is told how it becomes one."""
    (tmp_path / "a.jpg").write_bytes(ENCODED.tobytes())
    with pytest.raises(ConfigurationError, match=r"takes a Frame, got Image: make one with image\.with_prediction"):
        await deployment.monitor_many(directory(tmp_path))


def test_an_array_too_long_for_a_jpeg_is_told_the_way_out():
    """A line camera's strip: 65,500 pixels a side are what JPEG encoders take; PNG and a smaller image do."""
    strip = np.zeros((8, 65_501), np.uint8)
    with pytest.raises(
        ConfigurationError, match=r"at most 65500 pixels a side, got 65501 x 8.*max_side=.*format=\"png\""
    ):
        Frame.from_array(strip, prediction=BOX, latency=0.02, order="gray", checks="off")
    for options in ({"format": "png"}, {"max_side": 1000}):
        assert Frame.from_array(strip, prediction=BOX, latency=0.02, order="gray", checks="off", **options).image
