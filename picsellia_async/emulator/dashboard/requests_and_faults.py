"""The pages of requests and faults: what failed and why, what is scripted, what it did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

import attrs

from picsellia_async.emulator.dashboard.gallery import check_known
from picsellia_async.emulator.query.parameters import Parameters
from picsellia_async.emulator.transport.fault import Fault
from picsellia_async.emulator.transport.fault_register import Faults
from picsellia_async.emulator.transport.journal import Entry, Journal

_SHOWN: Final = 200
"""Lines of a table; the journal itself has all."""

_MEANINGS: Final[Mapping[int, str]] = {
    0: "no answer: the client went away, or the connection was cut",
    400: "the request contradicts itself or what it meets: a body that is no JSON, a prediction of another type than the deployment's",
    401: "no token, or one that is unknown, void or of another service; a client signs in anew and repeats",
    403: "the token is good, but not for this: another organization, another deployment, a presigned address that is over or changed",
    404: "there is no such thing, or not any more",
    405: "the path is there, for another verb",
    409: "it was done before, or the name is taken; repeating it changes nothing",
    413: "the body is larger than the emulator takes (max_body_bytes)",
    415: "the content is of a type that is not taken here",
    422: "the request can be read and not be used: an unknown field or query name, a value out of range, shapes that do not fit",
    429: "too many requests; a client waits, as long as Retry-After says",
    500: "the emulator could not do or store it (a full disk, for instance); nothing was changed",
    502: "a gateway without the service behind it; a client repeats",
    503: "the service does not take more for now; a client waits and repeats",
    504: "a gateway that waited in vain; it may have been done nevertheless",
}
_CLASSES: Final = {
    4: "refused; the same request will be refused again",
    5: "failed in the service; a client may repeat it",
}

PRESETS: Final[tuple[tuple[str, str, Mapping[str, Any]], ...]] = (
    ("outage", "503 for a minute, from the next request on", {"kind": "status", "status": 503, "for_seconds": 60.0}),
    ("hang", "hang: requests are taken and nothing more happens", {"kind": "stall"}),
    ("rate", "rate limit: 429 beyond 5 requests a second", {"kind": "rate_limit", "limit": 5.0, "retry_after": 1.0}),
    ("cut", "cut answers: done, and half of the answer arrives", {"kind": "truncate", "direction": "down"}),
    ("lost", "lost answers: done, and the connection is reset", {"kind": "stored_then_dropped"}),
    ("slow", "slow: every request takes two seconds longer", {"kind": "latency", "seconds": 2.0}),
)  # fmt: skip
"""Id, what it is, and the fault: switches of the page."""


@attrs.frozen
class Line:
    """One request as the page shows it."""

    entry: Entry
    meaning: str
    """Why it failed; empty where it did not."""
    faults: list[str]
    """What was scripted and acted on it."""


def meaning(status: int) -> str:
    """Say what an answer means; empty for a success."""
    if 0 < status < 400:
        return ""
    return _MEANINGS.get(status) or _CLASSES.get(status // 100, "an answer that no service gives")


async def requests(journal: Journal, faults: Faults, query: Parameters) -> dict[str, Any]:
    """Return what the page of requests shows: the latest, newest first; `failed`, `endpoint` and `status` choose among them.

    Raises:
        Refusal: 422, the query cannot be read.
    """
    is_failed, endpoint, status = query.boolean("failed") or False, query.text("endpoint"), query.integer("status")
    check_known(query)
    entries = list(journal)
    kinds = {firing.fault_id: firing.kind.value for firing in faults.account()}
    counts = Counter((entry.service, entry.endpoint or entry.path, entry.status) for entry in entries)
    lines = []
    for entry in reversed(entries):
        if (
            (entry.is_failure or not is_failed)
            and endpoint in (None, entry.endpoint or entry.path)
            and status in (None, entry.status)
        ):
            acted = [f"{kinds[id_]} ({id_})" if id_ in kinds else id_ for id_ in entry.faults]
            lines.append(Line(entry, meaning(entry.status), acted))
            if len(lines) == _SHOWN:
                break
    return {
        "here": "requests",
        "lines": lines,
        "is_failed": is_failed,
        "is_chosen": is_failed or endpoint is not None or status is not None,
        "counts": [(*key, number, meaning(key[2])) for key, number in counts.most_common(50)],
        "kept": len(entries),
    }


async def faults(register: Faults) -> dict[str, Any]:
    """Return what the page of faults shows."""
    account = register.account()
    fired = Counter(firing.fault_id for firing in account)
    scripted = list(register)
    on = {fault.id for fault in scripted}
    return {
        "here": "trouble",
        "presets": [(f"preset-{id_}", words, fault, f"preset-{id_}" in on) for id_, words, fault in PRESETS],
        "scripted": [(fault.id, fault.kind.value, _fields(fault), fired[fault.id]) for fault in scripted],
        "account": list(reversed(account[-_SHOWN:])),
        "acted": len(account),
        "age": register.now(),
    }


def _fields(fault: Fault) -> str:
    return ", ".join(f"{name} {value}" for name, value in fault.to_json().items() if name not in ("id", "kind"))
