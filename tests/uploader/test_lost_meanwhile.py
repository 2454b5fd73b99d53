"""What the line at the end of trouble says was lost to it: all, also what no request was made for."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from picsellia_async.errors import AuthenticationError, PermissionDeniedError, StatusError

from ..support.frames import make_frame
from .service import Service, down, uploader

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("disk")]


@pytest.mark.parametrize("has_worked", [False, True])
@pytest.mark.parametrize(
    "error", [PermissionDeniedError("no", 403, "POST", "x"), AuthenticationError("who", 401, "POST", "x")]
)
async def test_all_that_a_refused_account_cost_is_told_at_its_end(
    error: StatusError, has_worked: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Also what was rejected without a request, between the last one that was refused and the one that was taken."""
    loop = asyncio.get_running_loop()
    begin, end = loop.time() + 2.0 * has_worked, loop.time() + 95.0
    service = Service(script=lambda frame, attempt: error if begin <= loop.time() < end else None)
    async with uploader(service) as up:
        for number in range(1200):
            await up.submit(make_frame(number))
            await asyncio.sleep(0.1)
    (line,) = [record for record in caplog.records if "accepts this account again" in record.getMessage()]
    assert line.trouble_lost == up.report.rejected > 100  # type: ignore[attr-defined]


@pytest.mark.parametrize("when_full", ["drop_oldest", "thin"])
async def test_what_a_full_spool_dropped_in_an_outage_is_lost_to_it(
    tmp_path: Path, when_full: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Also between the last attempt that failed and the one that ended it."""
    loop = asyncio.get_running_loop()
    begin, end = loop.time() + 5.0, loop.time() + 65.0
    service = Service(script=lambda frame, attempt: down() if begin <= loop.time() < end else None)
    async with uploader(service, spool=tmp_path, max_spool_bytes=100_000, when_full=when_full) as up:
        for number in range(450):
            await up.submit(make_frame(number))
            await asyncio.sleep(0.2)
    (line,) = [record for record in caplog.records if "answers again" in record.getMessage()]
    assert line.trouble_lost == up.report.dropped > 100  # type: ignore[attr-defined]
