"""The rows of the table once more, on our emulator: same requests, same answers, same results, same errors on both sides.

The recorder proves what is sent; here the requests meet state. Both clients start from the same prepareded emulator, so
what one reads the other must read. Ids that the emulator draws are numbered in order of appearance.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio.to_thread
import httpx
import pytest

from picsellia_async.emulator import Emulator, ThreadedEmulator

from . import sides
from .compare import identity, outline
from .row import FORMATS, RAW, Row
from .table import ROWS

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.filterwarnings("ignore:list_workers is deprecated:DeprecationWarning"),
]

UUID_TEXT = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")

VARYING = {"latency"}
"""Keys of answers that hold measured seconds."""

HTTP = httpx.Client()
"""Of the control routes; one for all, since a TLS context takes long to make."""

HERE = [row for row in ROWS if row.deployment == "awesome-deploy" and "requests" not in row.differs]
"""Rows for the deployment that the emulator has from the beginning; the others would all end at its 404."""


@pytest.fixture(scope="module")
def emulator() -> Iterator[ThreadedEmulator]:
    """An emulator in a thread of its own, in which it is always the same moment."""
    with Emulator.run_in_thread(clock=lambda: 1_800_000_000.0) as emulator, HTTP:
        yield emulator


def prepared(emulator: ThreadedEmulator, names: sides.Names) -> Any:
    """Bring the emulator back to its beginning, add what rows ask for, and return a client of the vendor's."""
    HTTP.post(f"{emulator.url}/emulator/reset").raise_for_status()
    client = names.Client(emulator.api_token, host=emulator.url)
    deployment = client.get_deployment("awesome-deploy")
    kind, fields = FORMATS["awesome-deploy"]
    deployment.monitor_bytes(RAW, "image/jpeg", "o.jpeg", 0.5, 10, 20, getattr(names, kind)(**fields))
    cool = client.create_deployment_tag("cool")
    client.create_deployment_tag("warm")
    deployment.add_tags(cool)
    client.get_datalake().create_data_tag("bicycle")
    client.create_datasource("camera-1")
    campaign = deployment.create_campaign()
    campaign.add_step("review", "REVIEW")
    campaign.sync_assets()
    emulator.journal.clear()
    return client


class Outcome:
    """What one call did: its requests, and its result or error; ids numbered in order of appearance."""

    def __init__(self) -> None:
        """Nothing happened yet."""
        self.requests: list[Any] = []
        self.result: Any = None
        self.error: Exception | None = None
        self._numbers: dict[str, int] = {}

    def plain(self, value: Any) -> Any:
        """Return a value with its ids numbered."""
        if isinstance(value, str):
            text = UUID_TEXT.sub(lambda found: f"<{self._numbers.setdefault(found[0], len(self._numbers))}>", value)
            return text.partition("&signature=")[0]
        if isinstance(value, dict):
            return {key: self.plain(item) for key, item in value.items() if key not in VARYING}
        if isinstance(value, list | tuple):
            return [self.plain(item) for item in value]
        return value

    def note(self, emulator: ThreadedEmulator, *, unordered: bool) -> None:
        """Take the requests from the journal, logins apart."""
        found = [
            (entry.method, entry.path, entry.query, entry.request_bytes, entry.status)
            for entry in emulator.journal
            if not entry.endpoint.endswith("_login")
        ]
        # Requests in no certain order cannot have their ids numbered; that each goes to its own id the recorder proves.
        self.requests = sorted(map(masked, found)) if unordered else [self.plain(request) for request in found]


def masked(request: tuple[Any, ...]) -> str:
    """Return a request as text, with all ids alike."""
    return UUID_TEXT.sub("<id>", repr(request))


@pytest.mark.parametrize("row", HERE, ids=lambda row: row.name)
async def test_both_clients_fare_the_same(
    row: Row, emulator: ThreadedEmulator, vendor_names: sides.Names, files: dict[str, Path]
) -> None:
    """Requests (with status and size of the body), results and kinds of errors agree."""
    unordered = "order" in row.differs
    reduce = identity if "result" in row.differs else outline
    scope: dict[str, Any] = {"deployment_name": row.deployment, **files}
    theirs, ours = Outcome(), Outcome()

    def run_vendor() -> None:
        vendor_scope = scope | {"client": prepared(emulator, vendor_names), "api": vendor_names}
        try:
            theirs.result = reduce(sides.call_vendor(row.call, vendor_scope, emulator.journal.clear))
        except Exception as error:  # noqa: BLE001  compared below
            theirs.error = error
        theirs.note(emulator, unordered=unordered)

    await anyio.to_thread.run_sync(run_vendor)
    await anyio.to_thread.run_sync(prepared, emulator, vendor_names)
    api = sides.our_names()
    async with api.AsyncClient(
        emulator.api_token, checks="off", host=emulator.url, retry=api.RetryPolicy.none()
    ) as client:
        emulator.journal.clear()
        try:
            our_scope = scope | {"client": client, "api": api}
            ours.result = reduce(await sides.call_ours(row.ours or row.call, our_scope, emulator.journal.clear))
        except api.PicselliaError as error:
            ours.error = error
        ours.note(emulator, unordered=unordered)

    assert ours.requests == theirs.requests
    if theirs.error is None:
        assert ours.error is None, ours.error
        assert ours.plain(ours.result) == theirs.plain(theirs.result)
    else:
        kind = api.PicselliaError if "error" in row.differs else type(theirs.error)
        assert isinstance(ours.error, getattr(api, kind.__name__, kind)), theirs.error
