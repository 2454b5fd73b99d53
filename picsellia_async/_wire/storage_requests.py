"""What the platform's storage calls take and answer (docs/wire.md#object-storage). Used by the upload alone, so no part of the public models."""

# ruff: noqa: RUF009 - `required`, `optional` and `nullable` return attrs fields, not values

from __future__ import annotations

import attrs

from picsellia_async._wire.converter import JsonObject
from picsellia_async._wire.fields import optional, required
from picsellia_async._wire.secret import hide
from picsellia_async._wire.unset import Unset
from picsellia_async.enums import ObjectDataType
from picsellia_async.validation import json_object, text, whole_number


def _hide_values(fields: JsonObject) -> JsonObject:
    return {name: hide(value) for name, value in fields.items()}


@attrs.frozen(kw_only=True, eq=False, repr=False)
class ObjectName:
    """A name made for a new object."""

    object_name: str
    """Name in the bucket."""


@attrs.frozen(kw_only=True, eq=False, repr=False)
class PresignedTarget:
    """Where a whole file goes."""

    url: str = attrs.field(converter=hide)
    """Address; its query is a signature."""
    fields: JsonObject = attrs.field(factory=dict, converter=_hide_values)
    """Form fields (headers, for azure) that have to go along."""


@attrs.frozen(kw_only=True, eq=False, repr=False)
class PresignedUpload:
    """Permission to store one file in one request."""

    client_type: str
    """Kind of storage: aws, minio, google or azure, in any case."""
    presigned_url_data: PresignedTarget
    """Where and with what."""


@attrs.frozen(kw_only=True, eq=False, repr=False)
class MultipartUpload:
    """Permission to store one file in parts."""

    client_type: str | None = None
    """Kind of storage; absent where multipart uploads do not exist."""
    upload_id: str | None = None
    """Names the upload (aws, minio)."""
    url: str | None = attrs.field(default=None, converter=hide)
    """Address of the resumable upload (google)."""


@attrs.frozen(kw_only=True, eq=False, repr=False)
class PartTarget:
    """Where one part goes."""

    url: str = attrs.field(converter=hide)
    """Address; its query is a signature."""


@attrs.frozen(kw_only=True, eq=False, repr=False)
class PresignedDownload:
    """Permission to read an object."""

    presigned_url: str = attrs.field(converter=hide)
    """Address, good for about an hour."""


@attrs.frozen(kw_only=True, eq=False, repr=False)
class ObjectNameRequest:
    """Asks for a name in the bucket."""

    filename: str = required(text, "filename")
    """Name of the file."""
    type: ObjectDataType
    """What it is for."""
    context: JsonObject | Unset = optional(json_object, "context")
    """`{deployment_id}` for campaign files."""
    upload_dir: str | Unset = optional(text, "upload_dir")
    """Prefix of the object name; private storage only."""


@attrs.frozen(kw_only=True, eq=False, repr=False)
class PresignRequest:
    """Asks for permission to store an object, whole or in parts."""

    object_name: str = required(text, "object_name")
    """Name in the bucket."""
    content_type: str = required(text, "content_type")
    """MIME type."""


@attrs.frozen(kw_only=True, eq=False, repr=False)
class PartRequest:
    """Asks for permission to store one part."""

    object_name: str = required(text, "object_name")
    """Name in the bucket."""
    upload_id: str = required(text, "upload_id")
    """Names the upload."""
    part_no: int = required(whole_number, "part_no", 1)
    """From 1."""


@attrs.frozen(kw_only=True, eq=False, repr=False)
class CompleteUploadRequest:
    """Says that all parts are stored."""

    object_name: str = required(text, "object_name")
    """Name in the bucket."""
    upload_id: str = required(text, "upload_id")
    """Names the upload."""
    parts: list[JsonObject]
    """`{ETag, PartNumber}` each, in order."""


@attrs.frozen(kw_only=True, eq=False, repr=False)
class DownloadRequest:
    """Asks for permission to read an object."""

    object_name: str = required(text, "object_name")
    """Name in the bucket."""
