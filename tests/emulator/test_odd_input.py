"""Odd input is refused with a status below 500: numbers without bound, deep nesting, wrong encodings, line ends."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from .conftest import Wire

pytestmark = pytest.mark.anyio

HUGE = (str(2**63), str(2**64), "9" * 5000, "-1", "1e3", "\u0661", "1_0", "", "nan", "inf")


@pytest.mark.parametrize("value", HUGE, ids=lambda value: value[:8])
@pytest.mark.parametrize(
    "path",
    [
        "{deployment}/predictedassets?limit=", "{deployment}/predictedassets?offset=", "{deployment}/predictedassets?cursor=",
        "{deployment}/labels?limit=", "{deployment}/labels?offset=", "/emulator/predictions?limit=", "/emulator/predictions?offset=",
        "/emulator/journal?limit=", "/api/model/{model}/versions/find?version=",
    ],
)  # fmt: skip
async def test_numbers_of_a_query(path: str, value: str, wire: Wire) -> None:
    """Beyond 64 bits, below 0, or no number at all."""
    model = (await wire.ok("GET", f"{wire.organization}/models"))["items"][0]["id"]
    answer = await wire.call("GET", path.format(deployment=wire.deployment, model=model) + quote(value))
    assert 400 <= answer.status_code < 500, answer.text


@pytest.mark.parametrize(
    "query",
    [
        "(" * 500 + 'filename = "a"' + ")" * 500, "latency > " + "9" * 400, "latency > -" + "9" * 400, "(" * 10_000, 'filename = "', "latency",
        "\x00", "filename in (" + ", ".join(["1"] * 5) + ",)", "no.such.field = 1", "= = =",
    ],
    ids=lambda query: f"{query[:12]}{len(query)}",
)  # fmt: skip
async def test_queries_of_the_language(query: str, wire: Wire) -> None:
    """Deeper than anybody writes, larger than numbers are, or no query."""
    await wire.monitored()
    answer = await wire.call("GET", f"{wire.deployment}/predictedassets", params={"q": query})
    assert answer.status_code == 400, answer.text


@pytest.mark.parametrize(
    "changes",
    [
        {"height": 2**63}, {"width": 2**200}, {"height": -(2**63) - 1}, {"latency": 1e400}, {"timestamp": "1" * 400}, {"height": 10**500},
        {"tags": ["\ud800"]}, {"filename": "\ud800.jpg"}, {"image": "\u00e9"}, {"image": ""},
    ],
    ids=lambda changes: str(changes)[:24],
)  # fmt: skip
async def test_fields_of_monitoring(changes: dict[str, Any], wire: Wire) -> None:
    """Numbers that no database holds, texts that no encoding has."""
    await wire.login()
    import json

    body = {
        "filename": "f.jpg",
        "content_type": "IMAGE/JPEG",
        "height": 4,
        "width": 4,
        "latency": 0.1,
        "image": "/9j/YQ==",
    }
    raw = {"detection_classes": [], "detection_texts": None, "detection_boxes": [], "detection_scores": []}
    content = json.dumps({**body, "raw_predictions": raw, **changes}).encode()
    headers = {"Authorization": f"Bearer {wire.jwts['oracle']}"}
    answer = await wire.http.post(f"{wire.deployment}/predictions", content=content, headers=headers)
    assert 400 <= answer.status_code < 500, answer.text


async def storage(wire: Wire) -> str:
    connector = (await wire.ok("GET", f"{wire.deployment}/datalake/connector"))["id"]
    return f"/api/object-storage/{connector}"


@pytest.mark.parametrize("signature", ["\u00e9", "\x00", "", "0" * 10_000])
async def test_signatures(signature: str, wire: Wire) -> None:
    """Whatever is no signature of ours is a 403."""
    asset = await wire.asset()
    url = asset["data"]["presigned_url"].rpartition("=")[0] + "=" + quote(signature)
    assert (await wire.http.get(url)).status_code == 403


@pytest.mark.parametrize(
    "part", [{}, {"PartNumber": 1}, {"ETag": "x"}, {"PartNumber": "x", "ETag": "x"}, {"PartNumber": None, "ETag": 1}]
)
async def test_parts_of_an_upload(part: dict[str, Any], wire: Wire) -> None:
    """Without a number, or without what it was stored as."""
    path = await storage(wire)
    init = {"object_name": "big.bin", "content_type": "image/png"}
    upload_id = (await wire.ok("POST", f"{path}/init_multipart_upload", init))["upload_id"]
    body = {"object_name": "big.bin", "upload_id": upload_id, "parts": [part]}
    await wire.refused(422, "POST", f"{path}/complete_part_upload", body)


@pytest.mark.parametrize("type_", ["image/png\r\nX-Evil: 1", "image/png\n", "png", "", "image/p\u00f1g", "a/b;\x00"])
async def test_content_types(type_: str, wire: Wire) -> None:
    """A content type becomes a header when the object is read; it must not bring another."""
    path = await storage(wire)
    for call in ("generate_presigned_url", "init_multipart_upload"):
        answer = await wire.call("POST", f"{path}/{call}", {"object_name": "a", "content_type": type_})
        assert answer.status_code == 422, answer.text
    wanted = {"object_name": "a", "content_type": "image/png"}
    target = (await wire.ok("POST", f"{path}/generate_presigned_url", wanted))["presigned_url_data"]
    stored = await wire.http.post(target["url"], data={**target["fields"], "Content-Type": type_}, files={"file": b"x"})
    assert stored.status_code == 422


async def test_orders_names_and_hosts(wire: Wire) -> None:
    """Fields without an order, thousands of ids, a charset that nobody knows, a host that is no host."""
    await wire.ok("GET", f"{wire.organization}/models", params={"order_by": "name"})
    await wire.refused(422, "GET", f"{wire.organization}/deployments", params={"order_by": "nothing"})
    await wire.monitored()
    many = [("includes", "0" * 32)] * 40_000
    long = await wire.on("oracle", "GET", f"{wire.deployment}/stats", params=[("service", "metrics"), *many[:1000]])
    assert long.status_code == 200
    answer = await wire.http.post(
        "/storage/x", content=b"--x--", headers={"Content-Type": "multipart/form-data; boundary=x; charset=nope"}
    )
    assert 400 <= answer.status_code < 500
    assert (await wire.http.get("/nowhere", headers={"Host": "[::1"})).status_code in (400, 404)
