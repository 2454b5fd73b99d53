"""The object storage: files sent to presigned addresses, whole or in parts (docs/wire.md#object-storage).

The platform gives a name and a permission, the storage takes the bytes. Files above `MULTIPART_FROM_BYTES` go in parts, several
at once. The vendor's SDK has 25 MiB for both the threshold and the parts; ours are smaller, so that an upload holds
`PART_BYTES * PARTS_AT_ONCE` bytes of memory whatever the size of the file, and a failed part costs little to send again.
"""

from __future__ import annotations

import functools
import mimetypes
import string
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import quote, urlsplit
from uuid import UUID

import attrs

from picsellia_async._http.auth import StaticCredential
from picsellia_async._services.account import Account
from picsellia_async._services.files import file_size, read_slice
from picsellia_async._services.paging import concurrently
from picsellia_async._wire.bodies import multipart_body
from picsellia_async._wire.endpoint import Endpoint, Host
from picsellia_async._wire.endpoints import (
    COMPLETE_PART_UPLOAD,
    GENERATE_OBJECT_NAME,
    GENERATE_PART_PRESIGNED_URL,
    GENERATE_PRESIGNED_URL,
    INIT_MULTIPART_UPLOAD,
)
from picsellia_async._wire.exchange import ANSWER_BYTES_MAX, Answer, Origin, Sink
from picsellia_async._wire.foreign_address import foreign_address
from picsellia_async._wire.secret import SecretBytes, SecretStr
from picsellia_async._wire.storage_requests import (
    CompleteUploadRequest,
    MultipartUpload,
    ObjectNameRequest,
    PartRequest,
    PresignRequest,
)
from picsellia_async._wire.unset import given
from picsellia_async.enums import ObjectDataType
from picsellia_async.errors import (
    BadRequestError,
    ConfigurationError,
    DecodeError,
    DistantStorageError,
    NoConnectorFound,
    PermissionDeniedError,
    PicselliaError,
    StatusError,
    TransportError,
    UploadError,
    shown,
)

T = TypeVar("T")

PART_BYTES: Final = 8 * 2**20
"""Size of one part. Storages of the S3 kind take no part below 5 MiB, the last one aside."""

MULTIPART_FROM_BYTES: Final = 2 * PART_BYTES
"""Files above this size go in parts."""

FILE_BYTES_MAX: Final = 64 * 2**30
"""Largest file that is fetched. It goes to the disk piece by piece; the limit ends an answer that has no end."""

PARTS_AT_ONCE: Final = 4
"""Parts of one file under way at a time."""

_BYTES: Final = "application/octet-stream"
_STORED: Final = frozenset({200, 201, 202, 204})
_STORED_OR_MORE: Final = _STORED | {308}
_STORAGE_ERRORS: Final = (StatusError, TransportError)


async def upload_file(
    account: Account,
    path: str | Path,
    type_: ObjectDataType,
    *,
    context: dict[str, Any] | None = None,
    upload_dir: str | None = None,
    connector_id: UUID | None = None,
    name: str = "path",
) -> str:
    """Store a file and return its object name.

    Args:
        account: Way to the platform.
        path: The file.
        type_: What it is for.
        context: `{"deployment_id": ...}` for campaign files.
        upload_dir: Prefix of the object name.
        connector_id: Storage connector; the organization's default one otherwise.
        name: Argument that named the file, for messages.

    Raises:
        ConfigurationError: No such file, a directory, not readable, or empty.
        NoConnectorFound: The organization has no default connector.
        UploadError: The storage refused, or could not be reached; the cause says how.
    """
    size = await file_size(path, name)
    await read_slice(Path(path), 0, 1, name)  # so that a file that may not be read is told before anything is sent
    connector = connector_id or (await account.organization()).default_connector_id
    if connector is None:
        raise NoConnectorFound("the organization has no default storage connector, so files cannot be stored")
    request = ObjectNameRequest(
        filename=Path(path).name, type=type_, context=given(context), upload_dir=given(upload_dir)
    )
    object_name = (await account.call(GENERATE_OBJECT_NAME, request, connector_id=connector)).object_name
    upload = _Upload(account, Path(path), size, connector, object_name, content_type_of_file(path))
    try:
        await upload.run()
    except PicselliaError as exc:
        if isinstance(exc, _STORAGE_ERRORS):
            raise UploadError(f"{str(path)!r} could not be stored: {exc}") from exc
        raise
    return object_name


def content_type_of_file(path: str | Path) -> str:
    """Return the MIME type that the extension stands for; `application/octet-stream` for an unknown one."""
    return mimetypes.guess_type(Path(path).name)[0] or _BYTES


@attrs.frozen(eq=False)
class _Upload:
    """One file on its way to one storage."""

    account: Account
    path: Path
    size: int
    connector_id: UUID
    object_name: str
    content_type: str

    async def run(self) -> None:
        """Send the file: in parts where it is large and the storage knows parts, else whole."""
        permission = await self._begin() if self.size > MULTIPART_FROM_BYTES else None
        kind = (permission.client_type or "").lower() if permission else ""
        if permission and permission.upload_id and kind in {"aws", "minio"}:
            await self._send_parts(permission.upload_id)
        elif permission and permission.url and kind == "google":
            await self._send_ranges(permission.url)
        else:
            await self._send_whole()

    async def _begin(self) -> MultipartUpload | None:
        """Ask for a multipart upload; None where the platform says that there is none (400)."""
        try:
            return await self._platform(INIT_MULTIPART_UPLOAD, self._request())
        except BadRequestError:
            return None

    async def _send_whole(self) -> None:
        content = await read_slice(self.path, 0, self.size)
        permission = await self._platform(GENERATE_PRESIGNED_URL, self._request())
        target = permission.presigned_url_data
        fields = list(target.fields.items())
        if permission.client_type.lower() == "azure":
            headers = [*fields, ("x-ms-blob-type", "BlockBlob")]
            await self._send("PUT", target.url, content, self.content_type, headers)
            return
        form = [*fields, ("Content-Type", self.content_type)]
        body, content_type = multipart_body(form, "file", self.object_name, memoryview(content))
        body = SecretBytes(body)  # its fields are signed: with them anybody could store
        await self._send("POST", target.url, body, content_type)

    async def _send_parts(self, upload_id: str) -> None:
        """Send the parts, several at once, and have them put together."""
        parts: list[dict[str, Any]] = []
        count = -(-self.size // PART_BYTES)
        jobs = [functools.partial(self._send_part, upload_id, number) for number in range(1, count + 1)]
        await concurrently(jobs, parts.append, PARTS_AT_ONCE)
        request = CompleteUploadRequest(object_name=self.object_name, upload_id=upload_id, parts=parts)
        await self._platform(COMPLETE_PART_UPLOAD, request)

    async def _send_part(self, upload_id: str, number: int) -> dict[str, Any]:
        start = (number - 1) * PART_BYTES
        content = await read_slice(self.path, start, min(PART_BYTES, self.size - start))
        request = PartRequest(object_name=self.object_name, upload_id=upload_id, part_no=number)
        target = await self._platform(GENERATE_PART_PRESIGNED_URL, request)
        try:
            answer = await self._send("PUT", target.url, content, _BYTES)
        except PermissionDeniedError:
            # The permission has run out while the part waited for its turn: one more.
            target = await self._platform(GENERATE_PART_PRESIGNED_URL, request)
            answer = await self._send("PUT", target.url, content, _BYTES)
        tag = answer.header(b"etag")
        if tag is None:
            raise DistantStorageError(
                f"the storage took part {number} without an ETag, so the upload cannot be completed",
                answer.status,
                "PUT",
            )
        return {"ETag": tag, "PartNumber": number}

    async def _send_ranges(self, url: str) -> None:
        """Send a resumable upload, which takes its pieces in order."""
        for start in range(0, self.size, PART_BYTES):
            stop = min(start + PART_BYTES, self.size)
            content = await read_slice(self.path, start, stop - start)
            headers = [("content-range", f"bytes {start}-{stop - 1}/{self.size}")]
            await self._send("PUT", url, content, self.content_type, headers, ok=_STORED_OR_MORE)

    def _request(self) -> PresignRequest:
        return PresignRequest(object_name=self.object_name, content_type=self.content_type)

    async def _platform(self, endpoint: Endpoint[T], request: object) -> T:
        return await self.account.call(endpoint, request, connector_id=self.connector_id)

    async def _send(
        self,
        method: str,
        url: str,
        content: bytes,
        content_type: str,
        headers: Sequence[tuple[str, str]] = (),
        ok: frozenset[int] = _STORED,
    ) -> Answer:
        """Send bytes to a presigned address. Storing the same bytes under the same name again harms nobody."""
        url = SecretStr(url)
        lines = SecretBytes("".join(f"{name}: {value}\r\n" for name, value in headers).encode())
        service = self.account.service(_storage(url), StaticCredential(lines))
        endpoint = _presigned("store_object", method, url, ok)
        answer, _, _ = await service.send(endpoint, body=content, content_type=content_type)
        return answer


async def fetch_object(account: Account, url: str, sink: Sink) -> None:
    """Fetch the bytes at a presigned address, piece by piece.

    Raises:
        StatusError: The storage refused; `PermissionDeniedError` where the address has run out.
        TransportError: It could not be reached.
        DecodeError: The address is none, or the body is larger than `FILE_BYTES_MAX` or not packed as it says.
        OSError: Raised by the sink.
    """
    url = SecretStr(url)
    service = account.service(_storage(url))
    await service.send(_presigned("fetch_object", "GET", url, frozenset({200}), FILE_BYTES_MAX, sink))


def _storage(url: str) -> Origin:
    """Return the storage that a presigned address leads to.

    Raises:
        DecodeError: It leads nowhere; the platform gave it, so no setting of the caller's is at fault.
    """
    try:
        return Origin.parse(url.partition("?")[0], "presigned url")  # its query is a key
    except ConfigurationError as exc:
        raise DecodeError(f"the platform gave a presigned address that cannot be used: {_place_of(url)}") from exc


def _place_of(url: object) -> str:
    """Return a presigned address as errors show it: its query is a key."""
    return foreign_address(url) if isinstance(url, str) else shown(url)


def _presigned(
    name: str,
    method: str,
    url: str,
    ok: frozenset[int],
    answer_max: int = ANSWER_BYTES_MAX,
    sink: Sink | None = None,
) -> Endpoint[None]:
    """Return the endpoint that a presigned address is.

    Raises:
        DecodeError: It holds what no address holds: blanks, line ends.
    """
    if not url.isprintable() or " " in url:  # `urlsplit` drops line ends, and another object would be asked for
        raise DecodeError(f"the platform gave a presigned address with blanks or line ends in it: {_place_of(url)}")
    parts = urlsplit(url)
    target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    if not target.isascii():
        target = quote(target, safe=string.punctuation)
    return Endpoint(
        name=name,
        method=method,
        path=target.replace("{", "{{").replace("}", "}}"),
        host=Host.STORAGE,
        returns=type(None),
        ok=ok,
        idempotent=True,
        answer_max=answer_max,
        sink=sink,
    )
