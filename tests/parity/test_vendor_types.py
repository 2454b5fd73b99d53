"""The vendor's SDK, unchanged, on a deployment of each type of our emulator: what it sends is taken, and what is served it can send again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from picsellia_async.emulator import Emulator, ThreadedEmulator
from picsellia_async.predictions import PREDICTION_FORMATS

from . import sides
from .pictures import png
from .rows_deployment import SERVICES
from .test_prediction_formats import EXAMPLES

PNG = png(64, 48)
TYPES = {format_.__name__: type_ for type_, format_ in PREDICTION_FORMATS.items()}
SHOWN = {
    "CLASSIFICATION": "classifications", "OBJECT_DETECTION": "rectangles", "SEGMENTATION": "polygons", "LINE": "lines",
    "POINT": "points", "KEYPOINT": "keypoints", "MASK": "masks",
}  # fmt: skip
"""What a predicted asset of the emulator calls the shapes of a type."""


@pytest.fixture(scope="module")
def emulator() -> Iterator[ThreadedEmulator]:
    """One with a deployment of each type, called as it."""
    with Emulator.run_in_thread(deployments={type_.value: type_ for type_ in TYPES.values()}) as running:
        yield running


@pytest.fixture(scope="module")
def client(emulator: ThreadedEmulator, vendor_names: sides.Names) -> Any:
    """The vendor's client."""
    return vendor_names.Client(emulator.api_token, host=emulator.url)


def predictions_of(emulator: ThreadedEmulator, deployment: Any) -> list[dict[str, Any]]:
    return [one for one in emulator.predictions() if one["deployment_id"] == str(deployment.id)]


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_vendors_sdk_works_with_each_type(
    name: str, client: Any, emulator: ThreadedEmulator, vendor_names: sides.Names
) -> None:
    """Monitoring, also of nothing found; predicting; reading back; every statistic."""
    deployment = client.get_deployment(TYPES[name].value)
    assert deployment.type.value == TYPES[name]
    format_ = getattr(vendor_names, name)
    nothing = format_(
        **{field: [] for field in EXAMPLES[name](vendor_names).model_dump() if field != "detection_texts"}
    )
    for filename, prediction in (("some.png", EXAMPLES[name](vendor_names)), ("none.png", nothing)):
        receipt = deployment.monitor_bytes(PNG, "image/png", filename, 0.1, 48, 64, prediction)
        asset = deployment.find_predicted_asset(oracle_prediction_id=receipt["id"])
        assert len(asset.get_champion_prediction()[SHOWN[TYPES[name]]]) == len(prediction.detection_classes)

    answer = deployment.predict_bytes("served.png", PNG)
    fields = {field: answer[field] for field in format_.model_fields if field in answer}
    again = format_(**fields)
    deployment.monitor_bytes(PNG, "image/png", "again.png", 0.1, 48, 64, again)
    labels = {label.name for label in deployment.list_labels()}
    version = deployment.get_model_version()
    assert (version.type.value, set(version.labels.values())) == (TYPES[name], labels)
    assert {str(index) for index in again.detection_classes} <= set(version.labels)

    for service in SERVICES:
        assert isinstance(deployment.get_stats(getattr(vendor_names.ServiceMetrics, service)), dict)
    stored = {one["filename"]: one["raw_predictions"] for one in predictions_of(emulator, deployment)}
    assert list(stored) == ["some.png", "none.png", "served.png", "again.png"]
    assert stored["none.png"]["detection_classes"] == []
    assert stored["again.png"] == stored["served.png"]
