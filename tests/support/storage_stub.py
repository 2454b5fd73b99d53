"""`Stub`: storages of the kinds that the emulator is not."""

from __future__ import annotations

import asyncio
import json

from picsellia_async import AsyncClient, RetryPolicy
from picsellia_async._services.storage import upload_file
from picsellia_async.enums import ObjectDataType

QUICK = RetryPolicy(attempts=4, backoff_initial=0.001, backoff_max=0.002)


class Stub:
    """Platform and storage of another kind on one port: scripted answers, and a record of what came."""

    ORGANIZATION = "00000000-0000-4000-8000-000000000001"

    def __init__(self, kind, signature="s", failing=None):
        self.kind = kind
        self.signature = signature
        self.failing = failing
        self.stored = []
        self.without_etag = False

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *exc_info):
        self._server.close()

    async def _serve(self, reader, writer):
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.decode().split("\r\n")
                method, target, _ = lines[0].split(" ")
                headers = {k.lower(): v for k, _, v in (line.partition(": ") for line in lines[1:] if line)}
                if self.failing == "cut" and target.startswith("/store"):
                    return
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                status, answer, extra = self._answer(method, target, headers, body)
                writer.write(f"HTTP/1.1 {status} X\r\ncontent-length: {len(answer)}\r\n{extra}\r\n".encode() + answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def _answer(self, method, target, headers, body):
        if target.startswith("/store"):
            self.stored.append((method, target, headers, body))
            if self.failing == "status":
                return 403, b"no", ""
            etag = "" if self.without_etag else 'etag: "e"\r\n'
            last = "content-range" not in headers or headers["content-range"].split("-")[1].split("/")[0] == str(
                int(headers["content-range"].split("/")[1]) - 1
            )
            return (200 if last else 308), b"", etag
        return 200, json.dumps(self._platform(target)).encode(), ""

    def _platform(self, target):
        fields = {"x-ms-meta": "1"} if self.kind == "azure" else {"key": "{k}", "x-amz-signature": self.signature}
        by_end = {
            "/ping": {"default_organization": self.ORGANIZATION, "username": "u"},
            "/generate_object_name": {"object_name": "dir/o.pdf"},
            "/generate_presigned_url": {
                "client_type": self.kind.upper(),
                "presigned_url_data": {"url": f"{self.url}/store/{{o}}?sig={self.signature}", "fields": fields},
            },
            "/init_multipart_upload": {
                "google": {"client_type": "google", "url": f"{self.url}/store/r?id={self.signature}"},
                "azure": {"client_type": "azure"},
                "nameless": {},
                "minio": {"client_type": "minio", "upload_id": "1"},
            }[self.kind],
            "/generate_part_presigned_url": {"url": f"{self.url}/store/p?sig={self.signature}"},
        }
        for end, answer in by_end.items():
            if target.endswith(end):
                return answer
        return {"id": self.ORGANIZATION, "name": "o", "default_connector_id": self.ORGANIZATION}


async def upload(stub, path):
    """Store a file there."""
    async with AsyncClient("token", host=stub.url, retry=QUICK) as client:
        return await upload_file(client._account, path, ObjectDataType.DATA)
