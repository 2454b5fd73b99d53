"""Calls about an asset whose size the platform knows: shapes beyond it are refused there as they are with the image itself."""

from __future__ import annotations

from typing import Any

import pytest

from picsellia_async import AsyncClient, AsyncDeployment, DetectionPredictionFormat, ImplausibleError
from picsellia_async.emulator import Emulator

from ..support.images import jpeg

pytestmark = pytest.mark.anyio

WIDTH, HEIGHT = 64, 48


async def monitored(deployment: AsyncDeployment) -> Any:
    prediction = DetectionPredictionFormat([0], [[1, 2, 30, 40]], [0.5])
    await deployment.monitor_bytes(jpeg(WIDTH, HEIGHT), "image/jpeg", "a.jpg", 0.1, HEIGHT, WIDTH, prediction)
    return await deployment.find_predicted_asset(filename="a.jpg")


async def test_data_of_another_size_are_not_monitored(client: AsyncClient, deployment: AsyncDeployment) -> None:
    """The platform knows the size of its data: a prediction for another one is refused, unless the checks are off."""
    [data] = await (await client.get_datalake()).list_data(limit=1)
    prediction = DetectionPredictionFormat([0], [[1, 2, 30, 40]], [0.5])
    with pytest.raises(
        ImplausibleError, match=r"width and height are 51 x 50, and the platform knows the data .* as 64 x 48"
    ):
        await deployment.monitor_data(data, 0.1, 50, 51, prediction)
    await deployment.monitor_data(data, 0.1, WIDTH, HEIGHT, prediction)  # turned: it may be the stored size


async def test_a_shadow_that_comes_later_lies_in_the_image(deployment: AsyncDeployment) -> None:
    """Its boxes are compared with the size of the asset; where only the id is given, no size is known."""
    asset = await monitored(deployment)
    beyond = DetectionPredictionFormat([0], [[10, 20, 30, 90]], [0.5])
    with pytest.raises(ImplausibleError, match=r"shadow_prediction\.detection_boxes\[0\].*beyond the image of 64 x 48"):
        await deployment.monitor_shadow(asset, 0.1, beyond)
    await deployment.monitor_shadow_from_oracle_prediction_id(asset.oracle_prediction_id, 0.1, beyond)


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        (lambda label: {"rectangles": [(10, 20, 70, 10, label)]}, r"rectangles\[0\] \(x, y, width, height\) has a point x=80, y=30.*beyond the image of 64 x 48"),
        (lambda label: {"rectangles": [(1, 2, 3, 4, label), (30, 20, -10, 10, label)]}, r"rectangles\[1\] is x, y, width, height, and has a side below 0"),
        (lambda label: {"rectangles": [(0.1, 0.2, 0.5, 0.6, label)]}, r"rectangles are all about 0 to 1, \[0\.1, 0\.2, 0\.5, 0\.6\].*shares of the image"),
        (lambda label: {"rectangles": [(1, 2, 3, 4, label), (10, 20, 0, 5, label)]}, r"rectangles\[1\] .*has no width or no height: 10, 20, 0, 5"),
        (lambda label: {"polygons": [([[0.1, 0.2], [0.5, 0.2], [0.5, 0.9]], label)]}, "polygons are all about 0 to 1"),
        (lambda label: {"points": [([0.5, 0.5], label)]}, "points are all about 0 to 1"),
        (lambda label: {"rectangles": iter([(0.1, 0.2, 0.5, 0.6, label)])}, "rectangles are all about 0 to 1"),
        (lambda label: {"polygons": [([[1, 2], [3, 60], [5, 6]], label)]}, r"polygons\[0\] has a point x=3, y=60.*it looks like y, x"),
        (lambda label: {"lines": [([[1, 2], [100, 4]], label)]}, r"lines\[0\]"),
        (lambda label: {"points": [([1, 2], label), ([100, 90], label)]}, r"points\[1\]"),
    ],
    ids=["rectangle", "left of itself", "shares", "no width", "shares of polygons", "shares of points", "shares of an iterator", "polygon", "line", "point"],
)  # fmt: skip
async def test_a_review_lies_in_the_image(
    deployment: AsyncDeployment, emulator: Emulator, shapes: Any, message: str
) -> None:
    """What a reviewer draws is refused beyond the image, in shares of it or without a size, unless the checks are off."""
    asset = await monitored(deployment)
    label = (await deployment.list_labels())[0]
    before = len(emulator.journal)
    with pytest.raises(ImplausibleError, match=message):
        await asset.add_review(**shapes(label))
    assert len(emulator.journal) == before
    await asset.add_review(rectangles=[(0, 0, WIDTH, HEIGHT, label), (60, 40, 8, 10, label)])


async def test_a_review_without_checks(client: AsyncClient, deployment: AsyncDeployment) -> None:
    """They go as they are."""
    unchecked = await client.with_options(checks="off").get_deployment(deployment.name)
    asset = await monitored(unchecked)
    label = (await unchecked.list_labels())[0]
    assert await asset.add_review(rectangles=[(500, 400, 10, 10, label), (0.1, 0.2, 0.5, 0.6, label)])
