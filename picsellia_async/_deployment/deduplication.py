"""How the uploader knows a frame again that the platform may have: by the frame's own id. Pure.

A name does not tell: cameras and runs give names anew. What the platform shows of a predicted asset has no time, no latency and no
content to compare either (docs/wire.md#predicted-asset-shape), so with `deduplicate` the id travels in the custom metadata.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final
from uuid import UUID

from picsellia_async._wire.queries import Listing
from picsellia_async.frames import Frame
from picsellia_async.models import PredictedAssetDescription

FRAME_ID_KEY: Final = "picsellia_async_frame_id"
"""Key in the custom metadata of the created data."""


def with_frame_id(frame: Frame) -> dict[str, Any]:
    """Return a frame's custom metadata with its id added. The key is ours: a value that came with the frame is replaced."""
    return {**(frame.custom_metadata or {}), FRAME_ID_KEY: str(frame.id)}


def look_up_query(frame_id: UUID) -> Listing:
    """Return the list that is asked for: predicted assets with this id. One that is there is enough."""
    return Listing(filters=(("custom_metadata", {FRAME_ID_KEY: str(frame_id)}),), limit=1)


def is_among(frame_id: UUID, assets: Iterable[PredictedAssetDescription]) -> bool:
    """Whether one of the assets is the frame. A service may ignore the filter, so each asset is read."""
    wanted = str(frame_id)
    return any((asset.data.custom_metadata or {}).get(FRAME_ID_KEY) == wanted for asset in assets)


def is_or_may_be(frame_id: UUID, asset: PredictedAssetDescription) -> bool:
    """Whether the asset of a stored image is the frame: it has its id, or none, since the platform had the image as data before."""
    told = (asset.data.custom_metadata or {}).get(FRAME_ID_KEY)
    return told is None or told == str(frame_id)
