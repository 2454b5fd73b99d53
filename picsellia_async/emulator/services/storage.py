"""Object storage (docs/wire.md#object-storage): handlers that hand out names and presigned URLs, and the routes behind those URLs.

Small files come as one form (POST), large ones in parts (PUT) that are joined when the upload is completed. Nothing here asks for a
token: a URL carries its own permission, signed, for one verb, one object and an hour.
"""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any
from urllib.parse import quote

import attrs
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from picsellia_async._wire.storage import (
    CompleteUploadRequest,
    DownloadRequest,
    ObjectNameRequest,
    PartRequest,
    PresignRequest,
)
from picsellia_async.emulator.context import Call, Refusal, bad_request, known, not_found, unprocessable
from picsellia_async.emulator.domain import views
from picsellia_async.emulator.domain.predictions import store_object
from picsellia_async.emulator.store.rows import ObjectRow
from picsellia_async.emulator.store.state import State
from picsellia_async.emulator.store.store import Document
from picsellia_async.emulator.transport import messages
from picsellia_async.emulator.transport import multipart as forms

Json = dict[str, Any]


def generate_object_name(state: State, call: Call, body: ObjectNameRequest) -> Json:
    """Make up a name for a new object; it always has a random part (docs/wire.md#monitor-fields)."""
    state.organization(call)
    state.in_path(call, "connector")
    prefix = (known(body.upload_dir) or body.type.value.lower()).strip("/")
    return {"object_name": f"{prefix}/{state.new_id()}/{body.filename}"}


def generate_presigned_url(state: State, call: Call, body: PresignRequest) -> Json:
    """Permit to store an object as a form."""
    connector = state.in_path(call, "connector")
    expires = f"{state.clock() + state.options.url_lifetime:.3f}"
    fields = {
        "key": body.object_name,
        "expires": expires,
        "signature": state.tokens.sign("POST", connector["id"], body.object_name, expires),
    }
    url = f"{call.origin}/storage/{connector['id']}"
    return {"client_type": connector["client_type"], "presigned_url_data": {"url": url, "fields": fields}}


def init_multipart_upload(state: State, call: Call, body: PresignRequest) -> Json:
    """Begin an upload in parts."""
    connector = state.in_path(call, "connector")
    upload = state.store.documents.add(
        "upload", organization_id=call.organization_id, connector_id=connector["id"], object_name=body.object_name,
        content_type=body.content_type, parts={},
    )  # fmt: skip
    return {"client_type": connector["client_type"], "upload_id": upload["id"]}


def _upload(state: State, call: Call, upload_id: str, object_name: str) -> Document:
    upload = state.document(call, "upload", upload_id)
    if upload["connector_id"] != state.in_path(call, "connector")["id"] or upload["object_name"] != object_name:
        raise bad_request("the upload is for another object")
    return upload


def generate_part_presigned_url(state: State, call: Call, body: PartRequest) -> Json:
    """Permit to store one part."""
    upload = _upload(state, call, body.upload_id, body.object_name)
    query = {"uploadId": upload["id"], "partNumber": str(body.part_no)}
    return {"url": views.presigned_url(state, call, upload["connector_id"], body.object_name, "PUT", **query)}


async def complete_part_upload(state: State, call: Call, body: CompleteUploadRequest) -> Json:
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
    sha256 = await asyncio.to_thread(_sha256, content)
    row = store_object(state, upload["connector_id"], upload["object_name"], content, upload["content_type"], sha256)
    etag = hashlib.md5("".join(etags).encode(), usedforsecurity=False).hexdigest() + f"-{len(etags)}"
    state.store.objects.update(row.id, etag=etag)
    state.store.documents.remove("upload", [upload["id"]])
    return {"object_name": upload["object_name"], "size": row.size, "etag": etag}


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def retrieve_presigned_url(state: State, call: Call, body: DownloadRequest) -> Json:
    """Permit to read an object."""
    connector = state.in_path(call, "connector")
    _object(state, connector["id"], body.object_name)
    return {"presigned_url": views.presigned_url(state, call, connector["id"], body.object_name)}


def _object(state: State, connector_id: str, object_name: str) -> ObjectRow:
    found = state.store.objects.select("id = ?", f"{connector_id}/{object_name}", limit=1)
    if not found:
        raise not_found("object", object_name)
    return found[0]


def routes(state: State) -> list[Route]:
    """Return the routes behind presigned URLs."""
    bucket = _Bucket(state)
    return [
        Route("/storage/{connector_id}", bucket.post, methods=["POST"]),
        Route("/storage/{connector_id}/{object_name:path}", bucket.get, methods=["GET"]),
        Route("/storage/{connector_id}/{object_name:path}", bucket.put, methods=["PUT"]),
    ]


@attrs.frozen
class _Bucket:
    """Answers on presigned URLs."""

    state: State

    async def get(self, request: Request) -> Response:
        """Send an object."""
        connector_id, name = self._check(request, "GET")
        row = _object(self.state, connector_id, name)
        content = await self.state.store.blobs.get(row.sha256)
        return Response(content, media_type=row.content_type, headers={"etag": f'"{row.etag}"'})

    def _check(self, request: Request, method: str, *facts: str) -> tuple[str, str]:
        connector_id, name = request.path_params["connector_id"], request.path_params["object_name"]
        query = request.query_params
        signature, expires = query.get("signature", ""), query.get("expires", "0")
        self.state.tokens.check_signature(signature, expires, method, connector_id, name, *facts)
        return connector_id, name

    async def post(self, request: Request) -> Response:
        """Store an object that comes as a form."""
        connector_id = request.path_params["connector_id"]
        content = await messages.read_body(request, self.state.options.max_body_bytes)
        async with forms.parsed(content, request.headers.get("content-type", "")) as form:
            name, signature, expires = (str(form.get(field, "")) for field in ("key", "signature", "expires"))
            self.state.tokens.check_signature(signature, expires, "POST", connector_id, name)
            file = form.get("file")
            if not isinstance(file, UploadFile):
                raise unprocessable("the file part is missing")
            body = await file.read()
            content_type = str(form.get("Content-Type", "application/octet-stream"))
        row = await self._store(connector_id, name, body, content_type)
        location = f"{messages.origin_of(request, self.state)}/storage/{connector_id}/{quote(name)}"
        return Response(status_code=204, headers={"etag": f'"{row.etag}"', "location": location})

    async def put(self, request: Request) -> Response:
        """Store one part of an upload."""
        upload_id, number = request.query_params.get("uploadId", ""), request.query_params.get("partNumber", "")
        self._check(request, "PUT", upload_id, number)
        upload = self.state.store.documents.peek("upload", upload_id)
        if upload is None:
            raise Refusal(404, "no such upload")
        content = await messages.read_body(request, self.state.options.max_body_bytes)
        sha256, etag = await asyncio.to_thread(
            lambda: (_sha256(content), hashlib.md5(content, usedforsecurity=False).hexdigest())
        )
        self.state.store.blobs.put(sha256, content)
        upload["parts"][number] = {"sha256": sha256, "etag": etag, "size": len(content)}
        self.state.store.documents.save("upload", upload)
        await self.state.store.settle()
        return Response(headers={"etag": f'"{etag}"'})

    async def _store(self, connector_id: str, name: str, content: bytes, content_type: str) -> ObjectRow:
        sha256 = await asyncio.to_thread(_sha256, content)
        row = store_object(self.state, connector_id, name, content, content_type, sha256)
        await self.state.store.settle()
        return row
