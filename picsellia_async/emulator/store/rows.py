"""Rows of the large tables: data, predictions, assignments and objects. Values only; columns of `bytes` hold encoded JSON.

A prediction and the predicted asset made from it are one row: the platform keeps them one to one (docs/wire.md#service-behaviour). Small things
(tags, models, campaigns, ...) are documents of the store instead.
"""

from __future__ import annotations

from typing import Any

import attrs
import orjson


@attrs.define(kw_only=True)
class DataRow:
    """An image or video of a datalake. Sizes are in pixels; where the header tells none, they are 0."""

    id: str
    datalake_id: str
    """Datalake that it lies in."""
    object_name: str
    """Name in the object storage."""
    filename: str
    """Name that people see."""
    type: str = "IMAGE"
    """Member of `DataType`."""
    content_type: str = "image/jpeg"
    """Lower-case MIME type."""
    upload_status: str = "DONE"
    """Member of `DataUploadStatus`."""
    width: int = 0
    height: int = 0
    metadata: bytes = b"null"
    custom_metadata: bytes = b"null"
    source_id: str | None = None
    tag_ids: bytes = b"[]"
    """JSON list of tag ids."""
    created_at: float = 0.0
    """Epoch seconds."""
    sha256: str = ""
    """Of the content, empty where it was never seen (cloud images of a foreign storage)."""
    size: int = 0
    """Bytes of the content."""
    seq: int | None = None
    """Order of arrival; given by the table."""


@attrs.define(kw_only=True)
class PredictionRow:
    """One prediction of a deployment, and the predicted asset that it became unless it was sampled out.

    Width and height are pixels, latencies are seconds.
    """

    id: str
    """Oracle prediction id."""
    deployment_id: str
    asset_id: str | None
    """Predicted asset; None when the sample rate left it out."""
    data_id: str | None
    """Data of the asset."""
    filename: str
    """Name of the image."""
    object_name: str
    """Name in the object storage."""
    content_type: str
    """Upper-case MIME type, as monitoring says it."""
    width: int
    height: int
    latency: float
    timestamp: float
    """Epoch seconds of the prediction."""
    raw: bytes
    """JSON of the prediction in its wire form."""
    source: str = "serving"
    """Name of the data source."""
    tags: bytes = b"[]"
    """JSON list of data tag names."""
    model_version_id: str | None = None
    """Champion at the time."""
    shadow_raw: bytes | None = None
    """JSON of the shadow model's prediction."""
    shadow_latency: float | None = None
    shadow_model_version_id: str | None = None
    """Shadow model at the time."""
    custom_metrics: bytes = b"null"
    sha256: str = ""
    """Of the decoded image."""
    size: int = 0
    """Bytes of the decoded image."""
    signature: str = ""
    """`JPEG` or `PNG` by the first bytes of the image; empty where they say neither."""
    received_at: float = 0.0
    """Epoch seconds of arrival."""
    visible_at: float = 0.0
    """Epoch seconds from which the platform shows the asset."""
    status: str = "TO_REVIEW"
    """`TO_REVIEW`, `REVIEWED` or `SUBMITTED`."""
    reviews: bytes = b"[]"
    """JSON list of reviews."""
    is_served: int = 0
    """1 where the serving host made it."""
    seq: int | None = None
    """Order of arrival; given by the table."""

    def prediction(self) -> dict[str, Any]:
        """Return the prediction in its wire form."""
        found: dict[str, Any] = orjson.loads(self.raw)
        return found


@attrs.define(kw_only=True)
class AssignmentRow:
    """One task of a review campaign: one predicted asset at one step."""

    id: str
    campaign_id: str
    asset_id: str
    step_id: str
    """Step that it waits at."""
    user_id: str | None = None
    """Who is to do it."""
    status: str = "TO_DO"
    """Member of `AssignmentStatus`."""
    seq: int | None = None
    """Order of creation; given by the table."""


@attrs.define(kw_only=True)
class ObjectRow:
    """One object of the object storage."""

    id: str
    """`connector id/object name`."""
    connector_id: str
    """Storage connector."""
    object_name: str
    """Name in the bucket."""
    sha256: str
    """Of the content."""
    size: int
    content_type: str = "application/octet-stream"
    """MIME type."""
    etag: str = ""
    """Without quotes."""
    created_at: float = 0.0
    """Epoch seconds."""
    seq: int | None = None
    """Order of creation; given by the table."""
