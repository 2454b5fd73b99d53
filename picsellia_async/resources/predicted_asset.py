"""Predicted assets: monitored images on the platform, with their predictions and reviews."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, cast
from uuid import UUID

import attrs

from picsellia_async._bounds import check_drawn, known_size
from picsellia_async._services.account import Account
from picsellia_async._wire.endpoints import (
    ADD_REVIEW,
    DELETE_PREDICTED_ASSET,
    GET_DATA,
    GET_DATA_URL,
    GET_PREDICTED_ASSET,
)
from picsellia_async._wire.platform_requests import ReviewRequest
from picsellia_async._wire.unset import UNSET, Unset
from picsellia_async.enums import DataType
from picsellia_async.errors import ConfigurationError, ImplausibleError, shown
from picsellia_async.models import PredictedAssetDescription
from picsellia_async.predictions._shares import refuse_shares
from picsellia_async.resources.data import Data, known_id
from picsellia_async.resources.downloadable import Downloadable
from picsellia_async.resources.handle import expect
from picsellia_async.resources.label import Label
from picsellia_async.responses import AssetPrediction, AssetReview
from picsellia_async.validation import sequence, whole_number


class PredictedAsset(Downloadable[PredictedAssetDescription]):
    """A monitored image on the platform."""

    def __init__(self, description: PredictedAssetDescription, account: Account, deployment_id: UUID) -> None:
        """Store what the platform said; nothing is sent."""
        super().__init__(description, account)
        self._deployment_id = deployment_id

    @property
    def deployment_id(self) -> UUID:
        """The deployment that predicted."""
        return self._deployment_id

    @property
    def oracle_prediction_id(self) -> UUID:
        """Identifier at the monitoring host: the `id` that `monitor` returned."""
        return self._description.oracle_prediction_id

    @property
    def data_id(self) -> UUID | None:
        """Identifier of the image's data; None where the platform did not say."""
        return self._description.data.id

    @property
    def filename(self) -> str:
        """Name shown on the platform."""
        return self._description.data.filename

    @property
    def object_name(self) -> str:
        """Name in the object storage."""
        return self._description.data.object_name

    @property
    def type(self) -> DataType:
        """Image or video."""
        return self._description.data.type

    @property
    def url(self) -> str | None:
        """Download address of the image as last fetched, good for about an hour; None where the platform did not say."""
        return self._description.data.presigned_url

    @property
    def custom_metrics(self) -> dict[str, Any] | None:
        """What `monitor(custom_metrics=...)` gave, where the platform says it."""
        found = self.raw.get("custom_metrics")
        return found if isinstance(found, dict) else None

    @property
    def width(self) -> int | None:
        """Pixels; None until the platform has opened the image."""
        return self._description.data.meta.width if self._description.data.meta else None

    @property
    def height(self) -> int | None:
        """Pixels; None until the platform has opened the image."""
        return self._description.data.meta.height if self._description.data.meta else None

    @property
    def metadata(self) -> dict[str, Any] | None:
        """Metadata of the data."""
        return self._description.data.metadata

    @property
    def custom_metadata(self) -> dict[str, Any] | None:
        """Custom metadata of the data."""
        return self._description.data.custom_metadata

    async def sync(self) -> PredictedAssetDescription:
        """Fetch this asset again, with its predictions and reviews. Idempotent.

        Wire: GET {platform}/api/predicted/asset/{predicted_asset_id}, 2xx.
        """
        self._description = await self._account.call(GET_PREDICTED_ASSET, predicted_asset_id=self.id)
        return self._description

    async def reset_url(self) -> str:
        """Return a new download address of the image, good for about an hour. Idempotent.

        Raises:
            UndefinedObjectError: The platform did not say the id of the data. Nothing was sent.

        Wire: GET {platform}/api/data/{data_id}/presigned-url, 2xx.
        """
        data_id = known_id(self._description.data)
        url = (await self._account.call(GET_DATA_URL, data_id=data_id)).presigned_url
        self._record.change(data=attrs.evolve(self._description.data, presigned_url=url))
        return url

    async def get_data(self) -> Data:
        """Return the image's data. Idempotent.

        Raises:
            UndefinedObjectError: The platform did not say its id. Nothing was sent.

        Wire: GET {platform}/api/data/{data_id}, 2xx.
        """
        data_id = known_id(self._description.data)
        return Data(await self._account.call(GET_DATA, data_id=data_id), self._account)

    async def delete(self) -> None:
        """Delete this asset; its data stays. Idempotent.

        Wire: DELETE {platform}/api/predicted/asset/{predicted_asset_id}, 2xx.
        """
        await self._account.call(DELETE_PREDICTED_ASSET, predicted_asset_id=self.id)

    async def get_champion_prediction(self) -> AssetPrediction | None:
        """Return what the deployment's model predicted last, as the platform says it; None where it is not there yet. Idempotent.

        Wire: GET {platform}/api/predicted/asset/{predicted_asset_id}, 2xx.
        """
        return _last_prediction(await self.sync(), shadow=False)

    async def get_shadow_prediction(self) -> AssetPrediction | None:
        """Return what the shadow model predicted last, as the platform says it, or None. Idempotent.

        Wire: GET {platform}/api/predicted/asset/{predicted_asset_id}, 2xx.
        """
        return _last_prediction(await self.sync(), shadow=True)

    async def get_review(self) -> AssetReview | None:
        """Return the last review, as the platform says it, or None. Idempotent.

        Wire: GET {platform}/api/predicted/asset/{predicted_asset_id}, 2xx.
        """
        reviews = (await self.sync()).reviews
        return cast("AssetReview", reviews[-1]) if reviews else None

    async def add_review(
        self,
        rectangles: list[tuple[int, int, int, int, Label]] | None = None,
        polygons: list[tuple[list[list[int]], Label]] | None = None,
        classifications: list[Label] | None = None,
        lines: list[tuple[list[list[int]], Label]] | None = None,
        points: list[tuple[list[int], Label]] | None = None,
    ) -> AssetReview:
        """Say what is really on the image. A review cannot be changed afterwards. Not idempotent.

        Without any shape the review says that there is nothing. Labels come from `deployment.list_labels()`. Coordinates are
        pixels, x before y, as opposed to the boxes of predictions.

        Args:
            rectangles: `(x, y, width, height, label)` each.
            polygons: `([[x, y], ...], label)` each.
            classifications: Labels.
            lines: `([[x, y], ...], label)` each.
            points: `([x, y], label)` each.

        Returns:
            What the platform answers, as it came: the review, as far as is known.

        Raises:
            ConfigurationError: A shape that cannot be read; the message names field and index. Nothing was sent.
            ImplausibleError: A shape beyond the image by more than a tenth of a side, where its size is known; shares of the image in place
                of pixels; a rectangle without width or height (docs/right-data.md#checks).

        Wire: POST {platform}/api/predicted/asset/{predicted_asset_id}/reviews, 2xx.
        """
        drawn = {"rectangles": rectangles, "polygons": polygons, "lines": lines, "points": points}
        # Lists from here on: they are read twice.
        given = {name: [] if values is None else sequence(values, name) for name, values in drawn.items()}
        request = ReviewRequest(
            rectangles=_shapes(given["rectangles"], "rectangles", _rectangle),
            polygons=_shapes(given["polygons"], "polygons", _path("polygon")),
            classifications=_shapes(classifications, "classifications", _classification),
            lines=_shapes(given["lines"], "lines", _path("line")),
            points=_shapes(given["points"], "points", _point),
        )
        if self._account.settings.checks == "on":
            _check_pixels(request, given)
            if size := known_size(self):
                _check_drawn(request, size)
        # Whatever JSON it is: the review is there, and cannot be taken back.
        return cast("AssetReview", await self._account.call(ADD_REVIEW, request, predicted_asset_id=self.id))


def _last_prediction(description: PredictedAssetDescription, *, shadow: bool) -> AssetPrediction | None:
    found = [one for one in description.predictions or [] if bool(one.get("is_shadow")) is shadow]
    return cast("AssetPrediction", found[-1]) if found else None


Shape = Callable[[Any, str], dict[str, Any]]
"""Reads one shape that a caller gave."""


def _shapes(values: Iterable[Any] | None, name: str, read: Shape) -> list[dict[str, Any]] | Unset:
    """Return the shapes as the wire has them; `UNSET` where there are none."""
    if values is None:
        return UNSET
    return [read(value, f"{name}[{i}]") for i, value in enumerate(sequence(values, name))] or UNSET


_KEYS: Final = {"polygons": "polygon", "lines": "line", "points": "point"}
"""What a shape stands under in the request, by field."""


def _of(request: ReviewRequest, field: str) -> list[dict[str, Any]]:
    """Return the shapes of a field."""
    shapes: list[dict[str, Any]] | Unset = getattr(request, field)
    return [] if shapes is UNSET else shapes


def _check_pixels(request: ReviewRequest, given: Mapping[str, list[Any]]) -> None:
    """Refuse shares of the image, which rounding makes 0 and 1, and rectangles of no size.

    Args:
        request: Has the rounded shapes.
        given: What the caller gave, by field.

    Raises:
        ImplausibleError: There is such a shape.
    """
    for field, values in given.items():
        found = _of(request, field)
        if field == "rectangles":
            rounded = [[one["x"], one["y"], one["x"] + one["w"], one["y"] + one["h"]] for one in found]
            drawn = [list(one[:-1]) for one in values]
        else:
            rounded, drawn = [one[_KEYS[field]] for one in found], [one[0] for one in values]
        refuse_shares(rounded, drawn, field, "multiply x by the width and y by the height of the image")
    for i, one in enumerate(_of(request, "rectangles")):
        if one["w"] == 0 or one["h"] == 0:
            numbers = ", ".join(str(one[side]) for side in "xywh")
            raise ImplausibleError(
                f"rectangles[{i}] is x, y, width, height, and has no width or no height: {numbers}; it is no object"
            )


def _check_drawn(request: ReviewRequest, size: tuple[int, int]) -> None:
    """Refuse shapes beyond the image.

    Raises:
        ImplausibleError: There is one.
    """
    for field, key in _KEYS.items():
        for i, shape in enumerate(_of(request, field)):
            check_drawn(f"{field}[{i}]", [shape[key]] if key == "point" else shape[key], size)
    for i, one in enumerate(_of(request, "rectangles")):
        x, y, width, height = (one[side] for side in "xywh")
        if width < 0 or height < 0:
            raise ImplausibleError(
                f"rectangles[{i}] is x, y, width, height, and has a side below 0: {x}, {y}, {width}, {height}"
            )
        check_drawn(f"rectangles[{i}] (x, y, width, height)", [(x, y), (x + width, y + height)], size)


def _parts(value: Any, count: int, form: str, name: str) -> list[Any]:
    parts = list(value) if isinstance(value, (list, tuple)) else []
    if len(parts) != count:
        raise ConfigurationError(f"{name} must be {form}, got {shown(value)}")
    return parts


def _pair(value: Any, name: str) -> list[int]:
    values = sequence(value, name)
    if len(values) != 2:
        raise ConfigurationError(f"{name} must be [x, y], got {shown(value)}")
    return [whole_number(v, f"{name}[{i}]", rounded=True) for i, v in enumerate(values)]


def _rectangle(value: Any, name: str) -> dict[str, Any]:
    *numbers, label = _parts(value, 5, "(x, y, width, height, label)", name)
    pixels = [whole_number(v, f"{name}[{i}]", rounded=True) for i, v in enumerate(numbers)]
    return {**dict(zip("xywh", pixels, strict=True)), "label_id": expect(label, Label, name).id}


def _path(key: str) -> Shape:
    def read(value: Any, name: str) -> dict[str, Any]:
        points, label = _parts(value, 2, "([[x, y], ...], label)", name)
        pairs = [_pair(point, f"{name}[{i}]") for i, point in enumerate(sequence(points, name))]
        return {key: pairs, "label_id": expect(label, Label, name).id}

    return read


def _point(value: Any, name: str) -> dict[str, Any]:
    point, label = _parts(value, 2, "([x, y], label)", name)
    return {"point": _pair(point, name), "label_id": expect(label, Label, name).id}


def _classification(value: Any, name: str) -> dict[str, Any]:
    return {"label_id": expect(value, Label, name).id}
