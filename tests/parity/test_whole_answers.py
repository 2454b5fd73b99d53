"""Answers that are JSON of another kind as a whole, or none: a call that the vendor's SDK survives does not fail here."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any, Final

import anyio.to_thread
import pytest

from . import answers, sides
from .recorder import LOGINS, Recorder
from .row import Row
from .table import ROWS
from .test_changed_answers import IS_WHOLE, our_failure, vendor_failure

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.filterwarnings("ignore:list_workers is deprecated:DeprecationWarning"),
]

ODD: Final = {
    "null": b"null", "a text": b'"text"', "a number": b"7", "a list": b"[1]", "a list of objects": b'[{"an": "object"}]',
    "an object": b'{"an": "object"}', "nothing": b"",
}  # fmt: skip
MORE: Final = {
    "an empty text": b'""', "zero": b"0", "true": b"true", "false": b"false", "an empty list": b"[]", "an empty object": b"{}",
    "no JSON": b"OK",
}  # fmt: skip


NOT_ASKED: Final = {
    "ping", "find_organization", "get_organization", "oracle_login", "serving_login",  # connecting, which is no call of the table
    "init_multipart_upload", "generate_part_presigned_url", "storage_part", "complete_part_upload",  # test_large_files
    "get_assignment",  # the vendor's path for it is another: "no_endpoint"
}  # fmt: skip
"""Endpoints that no row of the table asks."""


async def rows_by_endpoint(
    recorder: Recorder, client: Any, names: sides.Names, files: dict[str, Path]
) -> dict[str, Row]:
    """Return the first row of the table that asks each endpoint, but for sign-ins, which are asked once per deployment."""
    found: dict[str, Row] = {}
    for row in ROWS:
        recorder.take()
        call = functools.partial(vendor_failure, row, None, recorder, client, names, **files)
        assert not await anyio.to_thread.run_sync(call), row.name
        for one in recorder.take():
            if one.path not in LOGINS:
                found.setdefault(one.answer.endpoint, row)
    return found


async def test_any_answer_that_the_vendor_survives_is_survived(
    recorder: Recorder, vendor_client: Any, vendor_names: sides.Names, files: dict[str, Path]
) -> None:
    """Each endpoint that a call asks, answering each kind of JSON."""
    api = sides.our_names()
    theirs = recorder, vendor_client, vendor_names
    survived, fails = set(), []
    options = {"host": recorder.url, "retry": api.RetryPolicy.none()}
    asked = await rows_by_endpoint(*theirs, files)
    async with api.AsyncClient(answers.API_TOKEN, checks="off", **options) as client:
        for endpoint, row in asked.items():
            for kind, content in (ODD | (MORE if IS_WHOLE else {})).items():
                call = functools.partial(vendor_failure, row, (endpoint, content), *theirs, **files)
                if await anyio.to_thread.run_sync(call):
                    continue
                survived.add(endpoint)
                failed = await our_failure(row, (endpoint, content), recorder, client, api, **files)
                fails += [f"{row.name}: {endpoint} is {kind}: {failed}"] if failed else []
    assert fails == []
    assert {"add_review", "set_model", "reassign_campaign", "campaign_issue_counts"} <= survived
    assert set(asked) == answers.ENDPOINTS - NOT_ASKED
