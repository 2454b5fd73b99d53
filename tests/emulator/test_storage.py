"""Object storage: whole files as forms, large ones in parts, presigned URLs that permit one thing for an hour."""

from __future__ import annotations

import hashlib
from typing import Any

import httpx
import pytest

from picsellia_async.emulator import Emulator
from picsellia_async.emulator.domain.pictures import make_png

from .conftest import Wire

pytestmark = pytest.mark.anyio


class Bucket:
    """The default storage of the seeded organization."""

    def __init__(self, wire: Wire, connector_id: str) -> None:
        self.wire = wire
        self.id = connector_id
        self.path = f"/api/object-storage/{connector_id}"

    @classmethod
    async def of(cls, wire: Wire) -> Bucket:
        return cls(wire, (await wire.ok("GET", wire.organization))["default_connector_id"])

    async def name(self, filename: str, **changes: Any) -> str:
        path = f"{self.wire.organization}/connector/{self.id}/generate_object_name"
        made = await self.wire.ok("POST", path, {"filename": filename, "type": "REVIEW_CAMPAIGN_FILE", **changes})
        return str(made["object_name"])

    async def post(self, name: str, content: bytes, **fields: str) -> httpx.Response:
        body = {"object_name": name, "content_type": "text/plain"}
        permission = await self.wire.ok("POST", f"{self.path}/generate_presigned_url", body)
        target = permission["presigned_url_data"]
        form = {**target["fields"], "Content-Type": "text/plain", **fields}
        return await self.wire.http.post(target["url"], data=form, files={"file": (name, content)})

    async def read(self, name: str) -> httpx.Response:
        found = await self.wire.ok("POST", f"{self.path}/retrieve_presigned_url", {"object_name": name})
        return await self.wire.http.get(found["presigned_url"])

    async def begin(self, name: str) -> str:
        body = {"object_name": name, "content_type": "application/pdf"}
        return str((await self.wire.ok("POST", f"{self.path}/init_multipart_upload", body))["upload_id"])

    async def part(self, name: str, upload_id: str, number: int, content: bytes) -> str:
        body = {"object_name": name, "upload_id": upload_id, "part_no": number}
        target = await self.wire.ok("POST", f"{self.path}/generate_part_presigned_url", body)
        answer = await self.wire.http.put(target["url"], content=content)
        assert answer.status_code == 200
        return answer.headers["etag"]

    async def complete(self, name: str, upload_id: str, etags: list[str]) -> httpx.Response:
        parts = [{"ETag": etag, "PartNumber": number} for number, etag in enumerate(etags, 1)]
        body = {"object_name": name, "upload_id": upload_id, "parts": parts}
        return await self.wire.call("POST", f"{self.path}/complete_part_upload", body)


async def test_names_are_fresh(wire: Wire) -> None:
    """They keep the file name, take a prefix, and never repeat."""
    bucket = await Bucket.of(wire)
    first, second = (
        await bucket.name("a.txt", upload_dir="dir/"),
        await bucket.name("a.txt", context={"deployment_id": "x"}),
    )
    assert first.startswith("dir/")
    assert first.endswith("/a.txt")
    assert second != await bucket.name("a.txt")


async def test_a_whole_file_arrives_byte_for_byte(wire: Wire) -> None:
    """Stored as a form, read back with its type and its length."""
    bucket = await Bucket.of(wire)
    name, content = await bucket.name("é ß.txt"), bytes(range(256)) * 9000
    assert (await bucket.post(name, content)).status_code == 204
    answer = await bucket.read(name)
    assert answer.content == content
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.headers["content-length"] == str(len(content))
    assert (await bucket.post(name, b"")).status_code == 204
    assert (await bucket.read(name)).content == b""


async def test_parts_are_joined_in_their_order(wire: Wire) -> None:
    """Whatever order they came in; a part may be stored again; an empty last one is fine."""
    bucket = await Bucket.of(wire)
    name = await bucket.name("big.pdf")
    upload = await bucket.begin(name)
    pieces = [bytes([number]) * 5_000_000 for number in range(3)] + [b""]
    await bucket.part(name, upload, 1, b"a first try")
    etags = {number: await bucket.part(name, upload, number + 1, pieces[number]) for number in (2, 0, 3, 1)}
    done = await bucket.complete(name, upload, [etags[number] for number in range(4)])
    assert done.status_code == 200
    answer = await bucket.read(name)
    assert hashlib.sha256(answer.content).digest() == hashlib.sha256(b"".join(pieces)).digest()
    assert answer.headers["content-type"] == "application/pdf"
    assert (await bucket.complete(name, upload, list(etags.values()))).status_code == 404


async def test_parts_that_are_not_there_are_refused(wire: Wire) -> None:
    """A missing part, another ETag, none at all, the upload of another object."""
    bucket = await Bucket.of(wire)
    upload = await bucket.begin("a")
    etag = await bucket.part("a", upload, 1, b"x")
    assert (await bucket.complete("a", upload, [etag, etag])).status_code == 400
    assert (await bucket.complete("a", upload, ['"other"'])).status_code == 400
    assert (await bucket.complete("a", upload, [])).status_code == 422
    assert (await bucket.complete("b", upload, [etag])).status_code == 400
    assert (await bucket.complete("a", upload, [etag])).status_code == 200


async def test_a_url_permits_one_thing(wire: Wire) -> None:
    """Another object, another verb, or a changed date are a 403; a form without file is refused."""
    bucket = await Bucket.of(wire)
    await bucket.post("a", b"x")
    url = (await wire.ok("POST", f"{bucket.path}/retrieve_presigned_url", {"object_name": "a"}))["presigned_url"]
    assert (await wire.http.get(url)).status_code == 200
    assert (await wire.http.get(url.replace("/a?", "/b?"))).status_code == 403
    assert (await wire.http.get(url.replace("expires=1", "expires=2"))).status_code == 403
    assert (await wire.http.get(url.partition("?")[0])).status_code == 403
    assert (await wire.http.put(url, content=b"y")).status_code == 403
    assert (await bucket.post("a", b"y", key="b")).status_code == 403
    await wire.refused(404, "POST", f"{bucket.path}/retrieve_presigned_url", {"object_name": "none"})


async def test_a_url_expires() -> None:
    """After an hour it is a 403, and a fresh one is good."""
    now = 1_700_000_000.0
    async with Emulator(clock=lambda: now) as emulator:
        wire = Wire(emulator)
        async with wire.http:
            asset = await wire.asset()
            now += 3599
            assert (await wire.http.get(asset["data"]["presigned_url"])).status_code == 200
            now += 2
            assert (await wire.http.get(asset["data"]["presigned_url"])).status_code == 403
            fresh = await wire.ok("GET", f"/api/data/{asset['data']['id']}/presigned-url")
            assert (await wire.http.get(fresh["presigned_url"])).status_code == 200


async def test_a_stored_object_becomes_data(wire: Wire) -> None:
    """With its size read from the header; once; never without the object."""
    bucket = await Bucket.of(wire)
    datalake = await wire.ok("GET", f"{wire.organization}/datalake")
    path = f"/api/datalake/{datalake['id']}/datas"
    tag = await wire.ok("POST", f"/api/datalake/{datalake['id']}/tags", {"name": "t"})
    source = await wire.ok("POST", f"{wire.organization}/datasources", {"name": "s"})
    body = {
        "type": "IMAGE", "filename": "a.png", "object_name": "up/a.png", "content_type": "image/png", "tags": [tag["id"]],
        "data_source_id": source["id"], "custom_metadata": {"x": 1},
    }  # fmt: skip
    await wire.refused(400, "POST", path, body)
    await bucket.post("up/a.png", make_png(30, 20, 1))
    made = await wire.ok("POST", path, body)
    assert (made["meta"], made["tags"], made["data_source"], made["custom_metadata"]) == (
        {"width": 30, "height": 20}, [tag], source, {"x": 1},
    )  # fmt: skip
    await wire.refused(409, "POST", path, body)
    await bucket.post("up/b", b"no image")
    other = {**body, "object_name": "up/b", "meta": {"width": 3, "height": 2}}
    assert (await wire.ok("POST", path, other))["meta"] == {"width": 3, "height": 2}


async def test_instructions_of_a_campaign(wire: Wire) -> None:
    """An uploaded file is named when the campaign is made."""
    bucket = await Bucket.of(wire)
    name = await bucket.name("instructions.txt")
    await bucket.post(name, b"look twice")
    fields = {"description": None, "instructions_text": None, "end_date": None, "auto_add_new_assets": False}
    body = {**fields, "auto_close_on_completion": False, "instructions_object_name": name}
    campaign = await wire.ok("POST", f"{wire.deployment}/campaigns", body)
    assert campaign["instructions_object_name"] == name
