"""The object storage itself: what answers on presigned URLs (docs/wire.md#object-storage).

Nothing here asks for a token: a URL carries its own permission, signed, for one verb, one object and an hour.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from typing import TypeVar

import attrs
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from picsellia_async.emulator.domain import objects
from picsellia_async.emulator.domain.state import State
from picsellia_async.emulator.endpoint_index import STORAGE_PREFIX
from picsellia_async.emulator.refusal import not_found, unprocessable
from picsellia_async.emulator.store.blobs import Content
from picsellia_async.emulator.store.documents import Document
from picsellia_async.emulator.store.rows import ObjectRow
from picsellia_async.emulator.transport import messages, multipart

T = TypeVar("T")


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
            objects.check_content_type(content_type)

        def change(staged: Content) -> ObjectRow:
            return objects.store_object(self.state, connector_id, name, staged, content_type)

        row = await self._change(await asyncio.to_thread(_sha256, body), body, change)
        location = messages.origin_of(request, self.state.options.public_url) + objects.path_of(connector_id, name)
        return Response(status_code=204, headers={"etag": f'"{row.etag}"', "location": location})

    async def put(self, request: Request) -> Response:
        """Store one part of an upload."""
        upload_id, number = request.query_params.get("uploadId", ""), request.query_params.get("partNumber", "")
        self._check(request, "PUT", upload_id, number)
        self._upload(upload_id)
        content = await messages.read_body(request, self.state.options.max_body_bytes)
        sha256, etag = await asyncio.to_thread(
            lambda: (_sha256(content), hashlib.md5(content, usedforsecurity=False).hexdigest())
        )

        def change(staged: Content) -> None:
            upload = self._upload(upload_id)
            self.state.store.keep(staged)
            upload["parts"][number] = {"sha256": sha256, "etag": etag, "size": len(content)}
            self.state.store.documents.save("upload", upload)

        await self._change(sha256, content, change)
        return Response(headers={"etag": f'"{etag}"'})

    def _upload(self, upload_id: str) -> Document:
        upload = self.state.store.documents.peek("upload", upload_id)
        if upload is None:
            raise not_found("upload", upload_id)
        return upload

    async def _change(self, sha256: str, content: bytes, change: Callable[[Content], T]) -> T:
        """Stage a content, then make a change in one transaction."""
        store = self.state.store
        staged = await store.blobs.stage(sha256, content)
        try:
            with store.transaction():
                return change(staged)
        finally:
            store.blobs.drop(staged)
