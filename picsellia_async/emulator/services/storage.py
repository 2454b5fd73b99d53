"""Handlers of the platform's storage calls (docs/wire.md#object-storage): names of objects, and presigned URLs for them.

Small files come as one form (POST), large ones in parts (PUT) that are joined when the upload is completed. What answers on those URLs is
`bucket`.
"""

from __future__ import annotations

import hashlib

from picsellia_async._wire.converter import JsonObject
from picsellia_async._wire.storage_requests import (
    CompleteUploadRequest,
    DownloadRequest,
    ObjectNameRequest,
    PartRequest,
    PresignRequest,
)
from picsellia_async._wire.unset import or_none
from picsellia_async.emulator.domain import objects, pictures
from picsellia_async.emulator.domain.state import State
from picsellia_async.emulator.refusal import bad_request, unprocessable
from picsellia_async.emulator.services.call import Call
from picsellia_async.emulator.services.lookups import in_path, organization_in_path
from picsellia_async.emulator.store.documents import Document


def generate_object_name(state: State, call: Call, body: ObjectNameRequest) -> JsonObject:
    """Make up a name for a new object; it always has a random part (docs/wire.md#monitor-fields)."""
    organization_in_path(state, call)
    in_path(state, call, "connector")
    prefix = (or_none(body.upload_dir) or body.type.value.lower()).strip("/")
    return {"object_name": f"{prefix}/{state.new_id()}/{body.filename}"}


def generate_presigned_url(state: State, call: Call, body: PresignRequest) -> JsonObject:
    """Permit to store an object as a form."""
    connector = in_path(state, call, "connector")
    target = objects.presigned_form(state, call, connector["id"], body.object_name)
    return {"client_type": connector["client_type"], "presigned_url_data": target}


def init_multipart_upload(state: State, call: Call, body: PresignRequest) -> JsonObject:
    """Begin an upload in parts."""
    connector = in_path(state, call, "connector")
    upload = state.store.documents.add(
        "upload", organization_id=call.organization_id, connector_id=connector["id"], object_name=body.object_name,
        content_type=body.content_type, parts={},
    )  # fmt: skip
    return {"client_type": connector["client_type"], "upload_id": upload["id"]}


def _upload(state: State, call: Call, upload_id: str, object_name: str) -> Document:
    upload = state.document(call, "upload", upload_id)
    if upload["connector_id"] != in_path(state, call, "connector")["id"] or upload["object_name"] != object_name:
        raise bad_request("the upload is for another object")
    return upload


def generate_part_presigned_url(state: State, call: Call, body: PartRequest) -> JsonObject:
    """Permit to store one part."""
    upload = _upload(state, call, body.upload_id, body.object_name)
    query = {"uploadId": upload["id"], "partNumber": str(body.part_no)}
    return {"url": objects.presigned_url(state, call, upload["connector_id"], body.object_name, "PUT", **query)}


async def complete_part_upload(state: State, call: Call, body: CompleteUploadRequest) -> JsonObject:
    """Join the parts into the object.

    Raises:
        Refusal: 400, a part was never stored, or is another one than its ETag says.
    """
    upload = _upload(state, call, body.upload_id, body.object_name)
    hashes, etags = [], []
    for part in sorted(body.parts, key=lambda part: int(part["PartNumber"])):
        stored = upload["parts"].get(str(part["PartNumber"]))
        if stored is None or stored["etag"] != str(part["ETag"]).strip('"'):
            raise bad_request(f"part {part['PartNumber']} is not the one that was stored")
        hashes.append(stored["sha256"])
        etags.append(stored["etag"])
    if not hashes:
        raise unprocessable("at least one part must be named")
    content = b"".join([await state.store.blobs.get(sha256) for sha256 in hashes])
    sha256 = (await pictures.inspect(content)).sha256
    row = objects.store_object(
        state, upload["connector_id"], upload["object_name"], content, upload["content_type"], sha256
    )
    etag = hashlib.md5("".join(etags).encode(), usedforsecurity=False).hexdigest() + f"-{len(etags)}"
    state.store.objects.update(row.id, etag=etag)
    state.store.documents.remove("upload", [upload["id"]])
    return {"object_name": upload["object_name"], "size": row.size, "etag": etag}


def retrieve_presigned_url(state: State, call: Call, body: DownloadRequest) -> JsonObject:
    """Permit to read an object."""
    connector = in_path(state, call, "connector")
    objects.get_object(state, connector["id"], body.object_name)
    return {"presigned_url": objects.presigned_url(state, call, connector["id"], body.object_name)}
