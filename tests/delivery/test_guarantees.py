"""The table of docs/delivery-guarantees.md, row by row: the real client against a server that answers as a script says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from picsellia_async import AsyncClient, AsyncDeployment
from picsellia_async._delivery.outcomes import Delivered, Dropped, Outcome, Rejected, Spooled
from picsellia_async.config import RetryPolicy, Timeouts
from picsellia_async.emulator import Emulator
from picsellia_async.emulator.transport.fault_register import Fault

from ..support.frames import make_frame
from .emulated import stored_names

pytestmark = pytest.mark.anyio

PAGE = Path(__file__).parents[2] / "docs" / "delivery-guarantees.md"
QUICK = RetryPolicy(backoff_initial=0.01, backoff_max=0.05)


def rows() -> Iterator[str]:
    """Yield the first cell of each row of the page's first table."""
    table = PAGE.read_text(encoding="utf-8").partition("| what happens |")[2].partition("\n\n")[0]
    for line in table.splitlines()[2:]:
        yield line.strip("| ").partition(" | ")[0]


@attrs.frozen
class Case:
    """What the server does to the first frame, and what becomes of it."""

    row: str
    faults: tuple[Fault, ...]
    outcome: type[Outcome]
    attempts: int = 1
    may_be_stored: bool = False
    is_duplicate: bool = False
    copies: int | None = None

    def __str__(self) -> str:
        return re.sub(
            r"\W+", "-", f"{self.row[:30]} {' '.join(f'{one.kind.value} {one.status}' for one in self.faults)}"
        )


def status(*codes: int) -> tuple[Fault, ...]:
    return tuple(Fault(kind="status", status=code, endpoint="monitor", times=1) for code in codes)


def fault(kind: str, **fields: object) -> tuple[Fault, ...]:
    return (Fault(**{"kind": kind, "endpoint": "monitor", "times": 1, **fields}),)  # type: ignore[arg-type]


CASES = [
    Case("201", (), Delivered, copies=1),
    Case("201 with a body that is unreadable or breaks off", fault("garbage"), Delivered, copies=1),
    Case(
        "201 with a body that is unreadable or breaks off",
        fault("truncate", direction="down", after_fraction=0.9),
        Delivered,
        copies=1,
    ),
    *(Case("400, 413, 422, other 4xx", status(code), Rejected, copies=0) for code in (400, 413, 418, 422)),
    Case("another 2xx, its body readable or not", status(202), Rejected, may_be_stored=True),
    *(
        Case("a redirect, 511, or another 2xx with a page of HTML", answer, Delivered, attempts=2, copies=1)
        for answer in (status(302), status(511), fault("status", status=200, body="<html>Guest network</html>"))
    ),
    Case("409 to a first attempt", status(409), Rejected, copies=0),
    Case("409 to a repeat", status(503, 409), Delivered, attempts=2, is_duplicate=True),
    *(Case("408, 425, 429, 503", status(code), Delivered, attempts=2, copies=1) for code in (408, 425, 429, 503)),
    *(
        Case("500, 502, 504, 520 to 524", status(code), Delivered, attempts=2, copies=1)
        for code in (500, 502, 504, 520, 524)
    ),
    Case("other 5xx", status(505), Rejected, may_be_stored=True, copies=0),
    Case(
        "no connection, or cut before the whole request was sent",
        fault("reset", after_fraction=0.5),
        Delivered,
        attempts=2,
        copies=1,
    ),
    Case(
        "cut, stalled or timed out after the whole request was sent",
        fault("stored_then_dropped"),
        Delivered,
        attempts=2,
        copies=2,
    ),
]

ELSEWHERE = {
    "401 after a new sign-in, 402, 403, 404": ["rows::test_a_refused_account"],
    "a sign-in that is refused with any status": ["sign_in::test_a_sign_in_that_is_refused_speaks_of_no_frame"],
    "a certificate that cannot be verified, a client that was closed": [
        "rows::test_a_certificate_that_cannot_be_verified",
        "rows::test_a_client_that_was_closed",
    ],
    "an image file that cannot be read, values that have no JSON form": [
        "rows::test_a_file_that_cannot_be_read",
        "rows::test_values_without_json",
    ],
    "an answer whose head is malformed or breaks off, whatever its status line says": [
        "heads::test_a_201_with_a_malformed_head_is_a_lost_answer"
    ],
    "an exception that is not the library's": ["rows::test_an_exception_that_is_not_the_librarys"],
    "the uploader was full": ["rows::test_the_uploader_was_full", "rows::test_a_full_uploader_that_raises"],
    "its record on disk turns out to be damaged or gone": [
        "damage::test_a_frame_whose_record_is_damaged_while_the_uploader_runs_is_told",
        "damage::test_a_damaged_record_is_set_aside_and_the_rest_delivered",
    ],
    "`max_attempts` or `max_age` reached": ["rows::test_max_attempts", "rows::test_max_age"],
    "older than `max_age` before its first attempt": ["rows::test_a_frame_that_is_too_old_is_not_sent"],
    '`ordered_by="source"`, ten failed attempts while others are delivered': [
        "rows::test_a_frame_that_always_fails_gives_way"
    ],
    "closing, the time is over": ["guarantees::test_closing_when_the_time_is_over"],
    "the process is killed, the machine loses power": [
        "scenarios::test_kill_at_random_points_loses_no_accepted_frame",
        "power_cut::test_what_was_committed_outlives_a_power_cut",
    ],
}
"""Rows that need more than one answer: their tests."""

FILES = {
    "rows": "delivery/test_guarantee_rows.py",
    "guarantees": "delivery/test_guarantees.py",
    "heads": "delivery/test_malformed_heads.py",
    "sign_in": "delivery/test_sign_in_outages.py",
    "scenarios": "delivery/test_scenarios.py",
    "damage": "spool/test_damage.py",
    "power_cut": "spool/test_power_cut.py",
}


def test_every_row_has_its_test() -> None:
    """A row that is added to the page needs a case here, or a test that runs it."""
    assert set(rows()) == {case.row for case in CASES} | ELSEWHERE.keys()
    for name in (name for names in ELSEWHERE.values() for name in names):
        file, _, function = name.partition("::")
        text = (Path(__file__).parents[1] / FILES[file]).read_text(encoding="utf-8")
        assert re.search(rf"^(async )?def {function}\(", text, re.MULTILINE), name


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_a_row_holds(case: Case) -> None:
    """The first frame ends as its row says, and the one after it is delivered."""
    async with (
        Emulator() as emulator,
        AsyncClient(emulator.api_token, host=emulator.url, timeout=Timeouts(20.0, 20.0, 20.0)) as client,
    ):
        deployment = await client.get_deployment(emulator.deployment_name)
        if case.faults:
            emulator.faults.add(*case.faults)
        async with deployment.uploader(retry=QUICK, concurrency=1) as uploader:
            outcome = await (await uploader.submit(make_frame(1, 20_000)))
            assert isinstance(await (await uploader.submit(make_frame(2, 20_000))), Delivered)
        assert isinstance(outcome, case.outcome), outcome
        assert isinstance(outcome, (Delivered, Rejected))
        assert outcome.attempts == case.attempts
        assert getattr(outcome, "may_be_stored", False) is case.may_be_stored
        assert getattr(outcome, "is_duplicate", False) is case.is_duplicate
        if case.copies is not None:
            assert stored_names(emulator).count("frame-000001.jpg") == case.copies


@pytest.mark.parametrize("has_spool", [True, False])
async def test_closing_when_the_time_is_over(
    deployment: AsyncDeployment, emulator: Emulator, tmp_path: Path, has_spool: bool
) -> None:
    """A frame that is under way when the time ends is Spooled with a spool, else Dropped and may be stored."""
    emulator.faults.add(Fault(kind="stall", direction="down", endpoint="monitor"))
    async with deployment.uploader(spool=tmp_path if has_spool else None, close_timeout=0.5) as uploader:
        receipt = await uploader.submit(make_frame(1, 20_000))
    assert isinstance(receipt.outcome, Spooled if has_spool else Dropped)
    if isinstance(receipt.outcome, Dropped):
        assert (receipt.outcome.reason.value, receipt.outcome.may_be_stored) == ("closed", True)
