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
from picsellia_async.emulator.refusal import bad_request, conflict, unprocessable
from picsellia_async.emulator.services.call import Call, Change
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
    objects.check_content_type(body.content_type)
    connector = in_path(state, call, "connector")
    target = objects.presigned_form(state, call, connector["id"], body.object_name)
    return {"client_type": connector["client_type"], "presigned_url_data": target}


def init_multipart_upload(state: State, call: Call, body: PresignRequest) -> JsonObject:
    """Begin an upload in parts."""
    objects.check_content_type(body.content_type)
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


async def complete_part_upload(state: State, call: Call, body: CompleteUploadRequest) -> Change:
    """Join the parts into the object.

    Raises:
        Refusal: 400, a part was never stored, or is another one than its ETag says.
    """
    hashes, etags = _parts(_upload(state, call, body.upload_id, body.object_name), body)
    data = b"".join([await state.store.blobs.get(sha256) for sha256 in hashes])
    picture = await pictures.inspect(data)
    content = await call.stage(state.store.blobs, picture.sha256, data)

    def change() -> JsonObject:
        upload = _upload(state, call, body.upload_id, body.object_name)
        if _parts(upload, body) != (hashes, etags):
            raise conflict("the parts changed while they were joined")
        name, content_type = upload["object_name"], upload["content_type"]
        row = objects.store_object(state, upload["connector_id"], name, content, content_type)
        etag = hashlib.md5("".join(etags).encode(), usedforsecurity=False).hexdigest() + f"-{len(etags)}"
        state.store.objects.update(row.id, etag=etag)
        state.store.documents.remove("upload", [upload["id"]])
        return {"object_name": name, "size": row.size, "etag": etag}

    return change


def _parts(upload: Document, body: CompleteUploadRequest) -> tuple[list[str], list[str]]:
    """Return hashes and ETags of the parts that a request joins, in order."""
    named = [_part(part) for part in body.parts]
    hashes, etags = [], []
    for number, etag in sorted(named):
        stored = upload["parts"].get(str(number))
        if stored is None or stored["etag"] != etag:
            raise bad_request(f"part {number} is not the one that was stored")
        hashes.append(stored["sha256"])
        etags.append(stored["etag"])
    if not hashes:
        raise unprocessable("at least one part must be named")
    return hashes, etags


def _part(part: JsonObject) -> tuple[int, str]:
    """Return number and ETag of a part."""
    number, etag = part.get("PartNumber"), part.get("ETag")
    if isinstance(number, str) and number.isascii() and number.isdecimal() and len(number) < 10:
        number = int(number)
    if type(number) is not int or not isinstance(etag, str):
        raise unprocessable("each part must have a PartNumber and an ETag", [str(part)])
    return number, etag.strip('"')


def retrieve_presigned_url(state: State, call: Call, body: DownloadRequest) -> JsonObject:
    """Permit to read an object."""
    connector = in_path(state, call, "connector")
    objects.get_object(state, connector["id"], body.object_name)
    return {"presigned_url": objects.presigned_url(state, call, connector["id"], body.object_name)}
