"""Each mistake, given to each call that takes it: an error, and nothing of it reaches the service."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import pytest

from picsellia_async import (
    AsyncClient,
    AsyncDeployment,
    ConfigurationError,
    DetectionPredictionFormat,
    Frame,
    ImplausibleError,
    Rejected,
)
from picsellia_async.emulator import Emulator

from ..support.images import jpeg
from ..support.mistakes import HEIGHT, MISTAKES, WIDTH, box

pytestmark = pytest.mark.anyio

GOOD: Final[dict[str, Any]] = {
    "image": jpeg(WIDTH, HEIGHT), "width": WIDTH, "height": HEIGHT, "latency": 0.02, "prediction": box(10, 20, 110, 220),
}  # fmt: skip
OF_BOXES: Final = [
    name
    for name, (fields, _) in MISTAKES.items()
    if isinstance(fields.get("prediction", GOOD["prediction"]), DetectionPredictionFormat)
]
"""Those that a deployment of rectangles takes at all."""
OF_IMAGES: Final = [name for name in OF_BOXES if "image" in MISTAKES[name][0]]
SEEN_WITHOUT_A_SIZE: Final = [name for name in OF_IMAGES if name != "PNG as JPEG" and name != "raw pixels"]
"""Predicting says neither content type nor size."""
OF_DATA: Final = ["blank source", "directory above"]
"""What is said about the data that a prediction makes too."""
STATED: Final = [name for name in OF_BOXES if name not in {*OF_IMAGES, "swapped sizes", "another size"}]
"""Those that show without the image."""
OF_STORED: Final = [name for name in STATED if name not in {"blank tag", "blank source", "directory above"}]
"""Those of an image that is stored already: its tags and source are."""

Call = Callable[[AsyncClient, AsyncDeployment, Path, dict[str, Any]], Awaitable[object]]


async def monitor(_: AsyncClient, deployment: AsyncDeployment, folder: Path, fields: dict[str, Any]) -> object:
    path = folder / "a.jpg"
    path.write_bytes(fields.pop("image"))
    return await deployment.monitor(path, **fields)


async def monitor_bytes(_: AsyncClient, deployment: AsyncDeployment, folder: Path, fields: dict[str, Any]) -> object:
    return await deployment.monitor_bytes(
        fields.pop("image"), fields.pop("content_type", "image/jpeg"), "a.jpg", **fields
    )


async def monitor_cloud_image(
    _: AsyncClient, deployment: AsyncDeployment, folder: Path, fields: dict[str, Any]
) -> object:
    del fields["image"]
    return await deployment.monitor_cloud_image("directory/s3/object-name.jpeg", content_type="image/jpeg", **fields)


async def monitor_data(
    client: AsyncClient, deployment: AsyncDeployment, folder: Path, fields: dict[str, Any]
) -> object:
    path = folder / f"{folder.name}.jpg"
    path.write_bytes(fields.pop("image"))
    data = await (await client.get_datalake()).upload_data(path)
    return await deployment.monitor_data(data, **fields)


async def frame_of_bytes(_: AsyncClient, deployment: AsyncDeployment, folder: Path, fields: dict[str, Any]) -> object:
    return await deployment.monitor_many([Frame(filename="a.jpg", **fields)])


async def frame_of_a_file(_: AsyncClient, deployment: AsyncDeployment, folder: Path, fields: dict[str, Any]) -> object:
    path = folder / "a.jpg"
    path.write_bytes(fields.pop("image"))
    async with deployment.uploader() as uploader:
        outcome = await (await uploader.submit(Frame(image=path, **fields)))
    assert isinstance(outcome, Rejected)
    raise outcome.error


async def frame_of_a_spool(_: AsyncClient, deployment: AsyncDeployment, folder: Path, fields: dict[str, Any]) -> object:
    path = folder / "a.jpg"
    path.write_bytes(fields.pop("image"))
    async with deployment.uploader(spool=folder / "spool") as uploader:
        outcome = await (await uploader.submit(Frame(image=path, **fields)))
    assert isinstance(outcome, Rejected)
    raise outcome.error


async def predict(_: AsyncClient, deployment: AsyncDeployment, folder: Path, fields: dict[str, Any]) -> object:
    path = folder / "a.jpg"
    path.write_bytes(fields["image"])
    return await deployment.predict(path, **said_of_data(fields))


async def predict_bytes(_: AsyncClient, deployment: AsyncDeployment, __: Path, fields: dict[str, Any]) -> object:
    return await deployment.predict_bytes("a.jpg", fields["image"], **said_of_data(fields))


def said_of_data(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: fields[name] for name in ("source", "upload_dir") if name in fields}


CALLS: Final[dict[Call, list[str]]] = {
    monitor: OF_BOXES,
    monitor_bytes: OF_BOXES,
    monitor_cloud_image: OF_STORED,
    monitor_data: OF_STORED,
    frame_of_bytes: OF_BOXES,
    frame_of_a_file: OF_BOXES,
    frame_of_a_spool: OF_BOXES,
    predict: [*SEEN_WITHOUT_A_SIZE, *OF_DATA],
    predict_bytes: [*SEEN_WITHOUT_A_SIZE, *OF_DATA],
}
"""Each call, and the mistakes that it can see."""


def arrived(emulator: Emulator) -> list[str | None]:
    """Return the requests with which an image or a prediction reached the service."""
    return [
        entry.endpoint
        for entry in emulator.journal
        if entry.endpoint is not None and entry.endpoint.startswith(("monitor", "predict"))
    ]


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.__name__)
async def test_nothing_is_sent_of_any_mistake(
    call: Call, client: AsyncClient, deployment: AsyncDeployment, emulator: Emulator, tmp_path: Path
) -> None:
    """Whichever mistake, whichever call: it raises, the message names the mistake, and the service hears nothing."""
    assert len(CALLS[call]) > 3
    for number, name in enumerate(CALLS[call]):
        fields, message = MISTAKES[name]
        folder = tmp_path / str(number)
        folder.mkdir()
        with pytest.raises(ImplausibleError, match=message.replace("of image", "of .*image")):
            await call(client, deployment, folder, {**GOOD, **fields})
        assert arrived(emulator) == [], name


@pytest.mark.parametrize(
    "call",
    [call for call in CALLS if call not in {predict, predict_bytes, frame_of_bytes}],
    ids=lambda call: call.__name__,
)
async def test_a_class_outside_of_the_label_map_is_not_sent(
    call: Call, client: AsyncClient, deployment: AsyncDeployment, emulator: Emulator, tmp_path: Path
) -> None:
    """The label map of the model version in use is what classes are compared with."""
    fields = {**GOOD, "prediction": DetectionPredictionFormat([99], [[1, 2, 3, 4]], [0.5])}
    with pytest.raises(ImplausibleError, match="is 99, which is no index of the label map"):
        await call(client, deployment, tmp_path, fields)
    assert arrived(emulator) == []


@pytest.mark.parametrize(
    ("classes", "boxes", "message"),
    [
        ([0], [[0.1, 0.2, 0.5, 0.9]], r"looks like shares of the image.*from_xyxy\(\.\.\., normalized="),
        (["car"], [[1, 2, 3, 4]], r"got the name 'car'.*label_map=await deployment\.label_map\(\)"),
    ],
    ids=["0 to 1", "class names"],
)
def test_some_mistakes_show_before_there_is_a_call(classes: list[Any], boxes: list[Any], message: str) -> None:
    """A prediction of shares, or of names in place of indexes, cannot be made: there is nothing to give to a call."""
    with pytest.raises(ConfigurationError, match=message):
        DetectionPredictionFormat(classes, boxes, [0.5])


async def test_an_upload_and_many_predictions_refuse_what_monitoring_does(
    client: AsyncClient, deployment: AsyncDeployment, emulator: Emulator, tmp_path: Path
) -> None:
    """Wherever a name in the storage is made, a directory above is none; without checks it is sent."""
    path = tmp_path / "a.jpg"
    path.write_bytes(GOOD["image"])
    datalake = await client.get_datalake()
    before = len(emulator.journal)
    with pytest.raises(ImplausibleError, match=r"upload_dir '\.\./x' is no prefix"):
        await datalake.upload_data(path, upload_dir="../x")
    with pytest.raises(ImplausibleError, match="source is blank"):
        await anext(deployment.predict_many([path], source=" "))
    assert len(emulator.journal) == before
    unchecked = await client.with_options(checks="off").get_datalake()
    assert (await unchecked.upload_data(path, upload_dir="../x")).object_name.startswith("../x")
