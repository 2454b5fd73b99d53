"""The page that a person looks at: what arrived, made on the server, without scripts."""

from __future__ import annotations

import datetime
import html
from collections import Counter
from collections.abc import Iterable
from typing import Final

import orjson

from picsellia_async.emulator.domain.state import State
from picsellia_async.emulator.transport.journal import Journal

_LATEST: Final = 50

_PAGE: Final = """<!doctype html><html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="5">
<title>Picsellia emulator</title><style>
body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 75rem; margin: 2rem auto; padding: 0 1rem; color: #1c2733 }}
table {{ border-collapse: collapse; width: 100%; margin-bottom: 2rem }} caption {{ text-align: left; font-weight: 600 }}
td, th {{ padding: .2rem .6rem; text-align: left; border-bottom: 1px solid #d9e0e6 }} td.number {{ text-align: right }}
p.totals span {{ display: inline-block; margin-right: 2rem }} b {{ font-size: 1.4rem }}
</style></head><body><h1>Picsellia emulator</h1>
<p class="totals"><span><b>{predictions}</b> predictions</span> <span><b>{megabytes:.1f}</b> MB of images</span>
<span><b>{requests}</b> requests</span> <span><b>{failures}</b> answered with an error</span> <span><b>{faults}</b> faults scripted</span></p>
{tables}</body></html>
"""


def render(state: State, journal: Journal, faults: int) -> str:
    """Return the page as HTML; it loads itself anew every 5 seconds."""
    entries = list(journal)
    latest = state.store.predictions.select(order="seq desc", limit=_LATEST)
    names = {document["id"]: document["name"] for document in state.store.documents.list("deployment")}
    statuses = Counter((entry.service, entry.endpoint or entry.path, entry.status) for entry in entries)
    tables = [
        _table("Deployments", ("name", "id", "predictions"), (
            (name, id_, state.store.predictions.count("deployment_id = ?", id_)) for id_, name in names.items()
        )),
        _table("Requests", ("service", "endpoint", "status", "number"), ((*key, n) for key, n in statuses.most_common(_LATEST))),
        _table(
            "Latest predictions", ("received", "deployment", "filename", "source", "shapes", "bytes", "image", "SHA-256"),
            (
                (
                    datetime.datetime.fromtimestamp(row.received_at, datetime.UTC).strftime("%H:%M:%S"),
                    names.get(row.deployment_id, row.deployment_id), row.filename, row.source,
                    len(orjson.loads(row.raw)["detection_classes"]), row.size, row.signature or "?", row.sha256[:12],
                )
                for row in latest
            ),
        ),
    ]  # fmt: skip
    return _PAGE.format(
        predictions=state.store.predictions.count(),
        megabytes=state.store.predictions.total("size") / 1e6,
        requests=journal.total,
        failures=sum(entry.status >= 400 or not entry.status for entry in entries),
        faults=faults,
        tables="".join(tables),
    )


def _table(caption: str, header: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> str:
    head = "".join(f"<th>{html.escape(name)}</th>" for name in header)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    return f"<table><caption>{html.escape(caption)}</caption><tr>{head}</tr>{body}</table>"


def _cell(value: object) -> str:
    attribute = ' class="number"' if isinstance(value, int) else ""
    return f"<td{attribute}>{html.escape(str(value))}</td>"
