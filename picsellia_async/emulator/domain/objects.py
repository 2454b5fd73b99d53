"""The objects of the storage: finding one, putting one there, presigned URLs of one, and which of them a cloud image means."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote

from picsellia_async._wire.common_requests import CloudImage
from picsellia_async._wire.converter import JsonObject
from picsellia_async.emulator.domain.caller import Caller
from picsellia_async.emulator.domain.state import State
from picsellia_async.emulator.endpoint_index import STORAGE_PREFIX
from picsellia_async.emulator.refusal import bad_request, not_found, unprocessable
from picsellia_async.emulator.store.blobs import Content
from picsellia_async.emulator.store.documents import Document
from picsellia_async.emulator.store.rows import ObjectRow

_CONTENT_TYPE: Final = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,127}/[A-Za-z0-9!#$&^_.+*-]{1,127}( *;[ -~]*)?")
"""Type, subtype, and parameters without line ends."""


def find_object(state: State, connector_id: str, object_name: str) -> ObjectRow | None:
    """Return an object by its name, or None."""
    found = state.store.objects.select("id = ?", f"{connector_id}/{object_name}", limit=1)
    return found[0] if found else None


def get_object(state: State, connector_id: str, object_name: str) -> ObjectRow:
    """Return an object by its name.

    Raises:
        Refusal: 404, there is none.
    """
    found = find_object(state, connector_id, object_name)
    if found is None:
        raise not_found("object", object_name)
    return found


def store_object(
    state: State,
    connector_id: str,
    object_name: str,
    content: Content,
    content_type: str,
    *,
    is_new: bool = False,
) -> ObjectRow:
    """Put an object into the storage; one of the same name is replaced unless the name `is_new`."""
    state.store.keep(content)
    id_ = f"{connector_id}/{object_name}"
    if not is_new:
        state.store.objects.delete("id = ?", id_)
    row = ObjectRow(
        id=id_, connector_id=connector_id, object_name=object_name, sha256=content.sha256,
        size=len(content.data),
        content_type=content_type, etag=content.sha256[:32], created_at=state.clock(),
    )  # fmt: skip
    return state.store.objects.insert(row)


def check_content_type(content_type: str) -> None:
    """Refuse what is no content type; it becomes a header when the object is read, and must not bring headers of its own.

    Raises:
        Refusal: 422.
    """
    if not _CONTENT_TYPE.fullmatch(content_type):
        raise unprocessable(f"{content_type!r} is no content type")


def name_of_cloud_image(state: State, deployment: Document, image: CloudImage) -> str:
    """Return the object name of a cloud image in the deployment's own storage.

    Raises:
        Refusal: 400, it lies in another storage.
    """
    connector = state.connector_of(deployment)
    if str(image.connector_id) != connector["id"] or image.bucket_name != connector["bucket_name"]:
        raise bad_request("the cloud image is not in the storage of the deployment's target datalake")
    return image.object_name


def presigned_url(
    state: State, caller: Caller, connector_id: str, object_name: str, method: str = "GET", **query: str
) -> str:
    """Return a URL of the object storage that is good for an hour and for one verb (docs/wire.md#limits)."""
    expires = f"{state.clock() + state.options.url_lifetime:.3f}"
    extra = "".join(f"&{name}={quote(value, safe='')}" for name, value in query.items())
    signature = state.tokens.sign(method, connector_id, object_name, *query.values(), expires)
    path = path_of(connector_id, object_name)
    return f"{caller.origin}{path}?expires={expires}{extra}&signature={signature}"


def presigned_form(state: State, caller: Caller, connector_id: str, object_name: str) -> JsonObject:
    """Return where a form with a new object goes, and the fields that permit it for an hour."""
    expires = f"{state.clock() + state.options.url_lifetime:.3f}"
    signature = state.tokens.sign("POST", connector_id, object_name, expires)
    fields = {"key": object_name, "expires": expires, "signature": signature}
    return {"url": f"{caller.origin}{STORAGE_PREFIX}/{connector_id}", "fields": fields}


def path_of(connector_id: str, object_name: str) -> str:
    """Return the path of an object's URL."""
    return f"{STORAGE_PREFIX}/{connector_id}/{quote(object_name)}"
