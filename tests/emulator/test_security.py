"""Web pages are kept out of the control routes, uploads do not run in a browser, and the files are their owner's."""

from __future__ import annotations

import logging
import os
import stat
from pathlib import Path

import httpx
import pytest

from picsellia_async.emulator import Emulator

from .conftest import Wire

pytestmark = pytest.mark.anyio

CONTROL = (
    ("GET", "/emulator"), ("GET", "/emulator/"), ("GET", "/emulator/predictions"), ("GET", "/emulator/journal"),
    ("GET", "/emulator/predictions/{id}"), ("GET", "/emulator/predictions/{id}/image"),
    ("POST", "/emulator/predictions/{id}/review"), ("GET", "/emulator/static/dashboard.js"), ("GET", "/emulator/events"),
    ("GET", "/emulator/sources"), ("GET", "/emulator/statistics"), ("GET", "/emulator/requests"), ("GET", "/emulator/trouble"), ("POST", "/emulator/connection"),
    ("POST", "/emulator/reset"), ("GET", "/emulator/faults"), ("POST", "/emulator/faults"), ("DELETE", "/emulator/faults"),
)  # fmt: skip
BODIES = {"/emulator/faults": {"kind": "html"}, "/emulator/predictions/{id}/review": {"right": []}}


@pytest.mark.parametrize(("method", "path"), CONTROL)
@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"}, {"Host": "evil.example:8765"}, {"Host": "127.0.0.1.evil.example"}, {"Host": "[::1"}, {"Host": ""},
        {"Origin": "https://evil.example"}, {"Origin": "null"}, {"Origin": "http://127.0.0.1:1"}, {"Sec-Fetch-Site": "cross-site"},
    ],
    ids=str,
)  # fmt: skip
async def test_foreign_pages_are_refused(method: str, path: str, headers: dict[str, str], wire: Wire) -> None:
    """By the name that they came to, or by where they come from; nothing is read or changed."""
    receipt = await wire.monitored()
    body = BODIES.get(path) if method == "POST" else None
    answer = await wire.http.request(method, path.replace("{id}", receipt["id"]), headers=headers, json=body)
    assert answer.status_code in (400, 403)
    assert "frame.jpg" not in answer.text
    assert wire.api_token not in answer.text
    assert [row.status for row in wire.emulator.state.store.predictions.select()] == ["TO_REVIEW"]
    assert len(wire.emulator.faults) == 0


@pytest.mark.parametrize(
    "host", ["localhost:1", "127.0.0.1", "[::1]:8765", "emulator:8765", "a.localhost", "host.docker.internal"]
)
async def test_names_of_this_machine_and_network_are_answered(host: str, wire: Wire) -> None:
    """A name without a dot, an address, or a name that no public name server gives out; a page of its own as well."""
    own = {"Host": host, "Origin": f"http://{host}", "Sec-Fetch-Site": "same-origin"}
    for headers in ({"Host": host}, own):
        assert (await wire.http.post("/emulator/reset", headers=headers)).status_code == 200


async def test_the_host_of_the_public_url_is_answered() -> None:
    """Whoever names the emulator's address says that it is trusted."""
    async with (
        Emulator(public_url="http://emulator.example.com:8765") as emulator,
        httpx.AsyncClient(timeout=60) as http,
    ):
        for host, status in (("emulator.example.com:8765", 200), ("example.com", 403)):
            url = f"http://127.0.0.1:{emulator.port}/emulator/journal"
            assert (await http.get(url, headers={"Host": host})).status_code == status


async def test_services_answer_under_any_name(wire: Wire) -> None:
    """They ask for a token, which a foreign page does not have."""
    headers = {"Authorization": f"Bearer {wire.api_token}", "Host": "platform.example.com"}
    assert (await wire.http.get("/api/home/ping", headers=headers)).status_code == 200
    assert (await wire.http.get("/api/home/ping", headers={"Host": "platform.example.com"})).status_code == 401


async def test_uploaded_pages_do_not_run(wire: Wire) -> None:
    """HTML and SVG are delivered as they are, in a sandbox; nothing is guessed from content."""
    connector = (await wire.ok("GET", f"{wire.deployment}/datalake/connector"))["id"]
    path = f"/api/object-storage/{connector}"
    for type_ in ("text/html", "image/svg+xml"):
        wanted = {"object_name": "page", "content_type": type_}
        target = (await wire.ok("POST", f"{path}/generate_presigned_url", wanted))["presigned_url_data"]
        fields = {**target["fields"], "Content-Type": type_}
        stored = await wire.http.post(target["url"], data=fields, files={"file": b"<script>alert(1)</script>"})
        assert stored.status_code == 204
        url = (await wire.ok("POST", f"{path}/retrieve_presigned_url", {"object_name": "page"}))["presigned_url"]
        answer = await wire.http.get(url)
        assert answer.headers["content-type"].startswith(type_)
        assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"
        assert answer.headers["x-content-type-options"] == "nosniff"


async def test_every_answer_forbids_guessing_and_the_page_forbids_scripts(wire: Wire) -> None:
    """Errors and JSON as well as the page, which runs the script of the emulator and no other: none that stands in the markup."""
    for path in ("/emulator/", "/nowhere", "/api/home/ping", "/storage/x/y"):
        assert (await wire.http.get(path)).headers["x-content-type-options"] == "nosniff"
    policy = (await wire.http.get("/emulator/")).headers["content-security-policy"]
    assert "default-src 'none'" in policy
    directives = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert (directives.pop("script-src"), directives["style-src"]) == ("'self'", "'self'")
    assert "script" not in str(directives)
    assert "unsafe" not in policy


async def test_the_token_is_given_to_the_button_alone(wire: Wire) -> None:
    """No page has it, the journal neither; the answer that has it is kept by nobody, and no link leads to it."""
    await wire.monitored()
    settings = await wire.http.post("/emulator/connection")
    assert settings.json()["env"] == f"PICSELLIA_HOST={wire.emulator.url}\nPICSELLIA_TOKEN={wire.api_token}\n"
    assert settings.headers["cache-control"] == "no-store"
    assert (await wire.http.get("/emulator/connection")).status_code == 405
    for path in ("", "sources", "statistics", "requests", "trouble", "journal", "predictions", "faults"):
        assert wire.api_token not in (await wire.http.get(f"/emulator/{path}")).text


async def test_control_bodies_are_json_and_bounded(wire: Wire) -> None:
    """What a form of a page could send is refused, and what is larger than a mebibyte."""
    plain = await wire.http.post(
        "/emulator/faults", content=b'{"kind": "html"}', headers={"Content-Type": "text/plain"}
    )
    large = await wire.http.post("/emulator/faults", json={"kind": "html", "body": "x" * 2**20})
    assert (plain.status_code, large.status_code, len(wire.emulator.faults)) == (415, 413, 0)


async def test_no_secret_is_in_the_journal(wire: Wire) -> None:
    """Wherever it stands in the query, and however its name is written."""
    for query in (
        "signature=secret1&a=1",
        "b=1&Signature=secret2",
        "%73ignature=secret3",
        "api_token=secret4&token=secret5",
    ):
        await wire.http.get(f"/storage/x/y?{query}")
    text = (await wire.http.get("/emulator/journal")).text
    assert "secret" not in text
    assert "b=1" in text


@pytest.mark.skipif(os.name != "posix", reason="modes of files")
async def test_files_are_their_owners(tmp_path: Path) -> None:
    """Also those that are there already, in a directory that others may enter."""
    tmp_path.chmod(0o755)  # noqa: ASYNC240 - a few files, before anything runs
    (tmp_path / "lock").touch(0o644)
    (tmp_path / "emulator.sqlite").touch(0o644)
    (tmp_path / "objects").mkdir(0o755)
    async with Emulator(data_dir=tmp_path) as emulator:
        wire = Wire(emulator)
        async with wire.http:
            await wire.monitored()
        modes = {path.relative_to(tmp_path): stat.S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*")}  # noqa: ASYNC240 - a few files
    assert {path.parts[0] for path in modes} >= {"lock", "emulator.sqlite", "emulator.sqlite-wal", "objects"}
    assert {path: oct(mode) for path, mode in modes.items() if mode not in (0o600, 0o700)} == {}


@pytest.mark.parametrize(("host", "is_warned"), [("127.0.0.1", False), ("0.0.0.0", True)])
async def test_listening_beyond_this_machine_is_warned_of(host: str, is_warned: bool, caplog) -> None:
    """Once, with the address."""
    with caplog.at_level(logging.WARNING, "picsellia_async"):
        async with Emulator(host=host):
            pass
    assert [record.levelname for record in caplog.records if host in record.message] == ["WARNING"] * is_warned
