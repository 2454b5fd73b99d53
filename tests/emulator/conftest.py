"""An emulator of its own for each test, and plain HTTP clients for its services."""

from __future__ import annotations

import base64
import logging
from collections.abc import AsyncIterator
from typing import Any

import httpx
import orjson
import pytest

from picsellia_async.emulator import Emulator

from ..support.small_server import SmallServer, serve_with_faults

JPEG = b"\xff\xd8\xff\xe0 an image"
BOXES = {
    "detection_classes": [0, 1],
    "detection_texts": None,
    "detection_boxes": [[1, 2, 11, 22], [5, 6, 7, 8]],
    "detection_scores": [0.9, 0.5],
}


def change(emulator: Emulator, kind: str, id_: str, **fields: Any) -> None:
    """Change a document behind the wire, where the wire knows no way."""
    document = emulator.state.store.documents.get(kind, id_)
    document.update(fields)
    emulator.state.store.documents.save(kind, document)


class Wire:
    """Requests to one emulator, with the token that each service wants."""

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator
        self.http = httpx.AsyncClient(base_url=emulator.url, trust_env=False, timeout=60)
        self.api_token = emulator.api_token
        self.organization = f"/api/organization/{emulator.organization_id}"
        self.deployment = f"/api/deployment/{emulator.deployment_id}"
        self.jwts: dict[str, str] = {}

    async def login(self, service: str = "oracle", **changes: Any) -> httpx.Response:
        body = {"api_token": self.api_token, "deployment_id": self.emulator.deployment_id, **changes}
        path = "/api/auth/login" if service == "oracle" else "/api/login"
        answer = await self.http.post(path, content=orjson.dumps(body))
        if answer.status_code == 200:
            self.jwts[service] = answer.json()["jwt"]
        return answer

    async def call(
        self, method: str, path: str, body: Any = None, *, token: str | None = None, params: Any = None
    ) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.api_token if token is None else token}"}
        content = None if body is None else orjson.dumps(body)
        return await self.http.request(method, path, content=content, headers=headers, params=params)

    async def ok(self, method: str, path: str, body: Any = None, *, params: Any = None, status: int = 200) -> Any:
        answer = await self.call(method, path, body, params=params)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    async def refused(self, status: int, method: str, path: str, body: Any = None, *, params: Any = None) -> str:
        answer = await self.call(method, path, body, params=params)
        assert answer.status_code == status, answer.text
        assert set(answer.json()) == {"message", "detail"}
        return answer.text

    async def on(self, service: str, method: str, path: str, body: Any = None, *, params: Any = None) -> httpx.Response:
        if service not in self.jwts:
            await self.login(service)
        return await self.call(method, path, body, token=self.jwts[service], params=params)

    async def monitor(self, raw: bytes | None = JPEG, **changes: Any) -> httpx.Response:
        body: dict[str, Any] = {
            "filename": "frame.jpg",
            "content_type": "IMAGE/JPEG",
            "height": 48,
            "width": 64,
            "raw_predictions": BOXES,
            "latency": 0.25,
            **changes,
        }
        if raw is not None and "image" not in body:
            body["image"] = base64.b64encode(raw).decode()
        return await self.on("oracle", "POST", f"{self.deployment}/predictions", body)

    async def monitored(self, raw: bytes | None = JPEG, **changes: Any) -> dict[str, Any]:
        answer = await self.monitor(raw, **changes)
        assert answer.status_code == 201, answer.text
        return answer.json()

    async def asset(self, **changes: Any) -> dict[str, Any]:
        """Monitor something and return its predicted asset."""
        receipt = await self.monitored(**changes)
        path = f"{self.deployment}/predictedassets/find"
        return await self.ok("GET", path, params={"oracle_prediction_id": receipt["id"]})

    async def predict(self, image: bytes, **fields: Any) -> httpx.Response:
        if "serving" not in self.jwts:
            await self.login("serving")
        fields = {"monitor": "True", "postprocess": "True", **fields}
        return await self.http.post(
            f"/api/deployments/{self.emulator.deployment_id}/predict",
            files={"media": (fields.pop("filename", "frame.png"), image)},
            data=fields,
            headers={"Authorization": f"Bearer {self.jwts['serving']}"},
        )

    async def versions(self, kind: str) -> list[dict[str, Any]]:
        """Return the versions of the seeded model or dataset."""
        origin = await self.ok("GET", f"{self.organization}/{kind}s/find", params={"name": f"my-{kind}"})
        return (await self.ok("GET", f"/api/{kind}/{origin['id']}/versions"))["items"]


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    async with Emulator() as emulator:
        yield emulator


@pytest.fixture(autouse=True)
def quiet_httpx(monkeypatch: pytest.MonkeyPatch) -> None:
    """These tests ask with a client of httpx's own, which tells the whole of a presigned address at INFO."""
    monkeypatch.setattr(logging.getLogger("httpx"), "disabled", True)


@pytest.fixture
async def wire(emulator: Emulator) -> AsyncIterator[Wire]:
    wire = Wire(emulator)
    async with wire.http:
        yield wire


@pytest.fixture
async def server() -> AsyncIterator[SmallServer]:
    """A small server with an empty register of faults."""
    async with serve_with_faults() as small:
        yield small
