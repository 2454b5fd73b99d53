"""A file above the vendor's limit of 25 MiB goes up in parts, over the same four endpoints, and arrives whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio.to_thread
import pytest

from . import answers, sides
from .recorder import Exchange, Recorder

pytestmark = pytest.mark.anyio

SIZE = 25 * 2**20 + 1000
"""Bytes; the vendor sends a part of 25 MiB and one of 1000 bytes."""


def uploaded(exchanges: list[Exchange]) -> bytes:
    """Put the parts together in the order of their numbers."""
    parts = {int(e.path.rpartition("/")[2]): e.body for e in exchanges if e.answer.endpoint == "storage_part"}
    assert sorted(parts) == list(range(1, len(parts) + 1))
    return b"".join(parts[number] for number in sorted(parts))


def said(exchanges: list[Exchange], endpoint: str) -> list[dict[str, Any]]:
    """Return the bodies sent to one endpoint."""
    return [exchange.json for exchange in exchanges if exchange.answer.endpoint == endpoint]


async def test_upload_in_parts(
    recorder: Recorder, vendor_client: Any, vendor_names: sides.Names, tmp_path: Path
) -> None:
    """Init, part and complete say the same; the size of a part, and whether parts overlap, is each client's own choice."""
    path = tmp_path / "instructions.pdf"
    content = bytes(range(256)) * (SIZE // 256) + bytes(SIZE % 256)
    path.write_bytes(content)
    theirs_deployment = vendor_client.get_deployment("awesome-deploy")
    recorder.take()
    await anyio.to_thread.run_sync(lambda: theirs_deployment.create_campaign(instructions_file_path=str(path)))
    theirs = recorder.take()

    api = sides.our_names()
    async with api.AsyncClient(answers.API_TOKEN, checks="off", host=recorder.url) as client:
        deployment = await client.get_deployment("awesome-deploy")
        recorder.take()
        await deployment.create_campaign(instructions_file_path=str(path))
        ours = recorder.take()

    assert uploaded(theirs) == content
    assert uploaded(ours) == content
    for endpoint in ("generate_object_name", "init_multipart_upload", "create_campaign"):
        assert said(ours, endpoint) == said(theirs, endpoint)
        assert len(said(ours, endpoint)) == 1
    for exchanges in (ours, theirs):
        numbers = [body.pop("part_no") for body in said(exchanges, "generate_part_presigned_url")]
        (complete,) = said(exchanges, "complete_part_upload")
        assert complete.pop("parts") == [{"ETag": '"e"', "PartNumber": number} for number in sorted(numbers)]
        assert complete == {"object_name": "campaigns/instructions.txt", "upload_id": "upload-1"}
    assert {e.answer.endpoint for e in ours} == {e.answer.endpoint for e in theirs}
    tokens = {exchange.header("authorization") for exchange in ours if exchange.answer.endpoint == "storage_part"}
    assert tokens == {None}
