"""The object storage itself: what answers on presigned URLs (docs/wire.md#object-storage).

Nothing here asks for a token: a URL carries its own permission, signed, for one verb, one object and an hour.
"""

from __future__ import annotations

import asyncio
import hashlib

import attrs
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from picsellia_async.emulator.domain import objects
from picsellia_async.emulator.domain.state import State
from picsellia_async.emulator.endpoint_index import STORAGE_PREFIX
from picsellia_async.emulator.refusal import not_found, unprocessable
from picsellia_async.emulator.store.rows import ObjectRow
from picsellia_async.emulator.transport import messages, multipart


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def routes(state: State) -> list[Route]:
    """Return the routes behind presigned URLs."""
    bucket = _Bucket(state)
    form, item = STORAGE_PREFIX + "/{connector_id}", STORAGE_PREFIX + "/{connector_id}/{object_name:path}"
    return [
        Route(form, bucket.post, methods=["POST"]),
        Route(item, bucket.get, methods=["GET"]),
        Route(item, bucket.put, methods=["PUT"]),
    ]


@attrs.frozen
class _Bucket:
    """Answers on presigned URLs."""

    state: State

    async def get(self, request: Request) -> Response:
        """Send an object."""
        connector_id, name = self._check(request, "GET")
        row = objects.get_object(self.state, connector_id, name)
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
        async with multipart.parsed(content, request.headers.get("content-type", "")) as form:
            name, signature, expires = (str(form.get(field, "")) for field in ("key", "signature", "expires"))
            self.state.tokens.check_signature(signature, expires, "POST", connector_id, name)
            file = form.get("file")
            if not isinstance(file, UploadFile):
                raise unprocessable("the file part is missing")
            body = await file.read()
            content_type = str(form.get("Content-Type", "application/octet-stream"))
        row = await self._store(connector_id, name, body, content_type)
        location = messages.origin_of(request, self.state.options.public_url) + objects.path_of(connector_id, name)
        return Response(status_code=204, headers={"etag": f'"{row.etag}"', "location": location})

    async def put(self, request: Request) -> Response:
        """Store one part of an upload."""
        upload_id, number = request.query_params.get("uploadId", ""), request.query_params.get("partNumber", "")
        self._check(request, "PUT", upload_id, number)
        upload = self.state.store.documents.peek("upload", upload_id)
        if upload is None:
            raise not_found("upload", upload_id)
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
        row = objects.store_object(self.state, connector_id, name, content, content_type, sha256)
        await self.state.store.settle()
        return row
