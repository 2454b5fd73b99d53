"""The first page: the latest images with their shapes, deployments, requests."""

from __future__ import annotations

from collections import Counter
from typing import Final

from picsellia_async.emulator.dashboard.markup import document, table
from picsellia_async.emulator.dashboard.prediction import tile
from picsellia_async.emulator.domain.state import State
from picsellia_async.emulator.transport.journal import Journal

LATEST: Final = 24
"""Predictions shown as tiles."""
_REQUESTS: Final = 50
"""Kinds of requests listed."""
_REFRESH: Final = 5
"""Seconds."""

_BODY: Final = """<h1>Picsellia emulator</h1>
<p class="totals"><span><b>{predictions}</b> predictions</span> <span><b>{megabytes:.1f}</b> MB of images</span>
<span><b>{requests}</b> requests</span> <span><b>{failures}</b> answered with an error</span> <span><b>{faults}</b> faults scripted</span></p>
<h2>Latest predictions</h2><ul class="grid">{tiles}</ul>{tables}"""


def render(state: State, journal: Journal, faults: int) -> str:
    """Return the page as HTML; it loads itself anew every few seconds."""
    entries = list(journal)
    latest = state.store.predictions.select(order="seq desc", limit=LATEST)
    deployments = state.store.documents.list("deployment")
    names = {one["id"]: one["name"] for one in deployments}
    statuses = Counter((entry.service, entry.endpoint or entry.path, entry.status) for entry in entries)
    tables = [
        table("Deployments", ("name", "type", "id", "predictions"), (
            (one["name"], one["type"], one["id"], state.store.predictions.count("deployment_id = ?", one["id"])) for one in deployments
        )),
        table("Requests", ("service", "endpoint", "status", "number"), ((*key, n) for key, n in statuses.most_common(_REQUESTS))),
    ]  # fmt: skip
    body = _BODY.format(
        predictions=state.store.predictions.count(),
        megabytes=state.store.predictions.total("size") / 1e6,
        requests=journal.total,
        failures=sum(entry.status >= 400 or not entry.status for entry in entries),
        faults=faults,
        tiles="".join(tile(state, row, names.get(row.deployment_id, row.deployment_id)) for row in latest),
        tables="".join(tables),
    )
    return document("Picsellia emulator", body, refresh=_REFRESH)
