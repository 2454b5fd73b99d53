"""Jobs over Ray Data: the batches of a dataset are delivered by actors that hold one client each. Extra `ray`."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any, Final, Unpack

import attrs

from picsellia_async._delivery.options import UploaderOptions
from picsellia_async.errors import ConfigurationError
from picsellia_async.frames import StatedId
from picsellia_async.integrations._parts import (
    MakeFrame,
    PartReport,
    PartSettings,
    PartsReport,
    begin,
    deliver_part,
    end,
    frames_of,
    leases_of,
)
from picsellia_async.jobs._identity import said_by
from picsellia_async.jobs.job import Identity

__all__ = ["PartReport", "PartsReport", "deliver"]

_NAME_CHARACTERS: Final = 32


def deliver(
    dataset: Any,
    deployment: str,
    *,
    journals: str | Path,
    frame: MakeFrame,
    input: str = "",  # noqa: A002 - the field's word
    identity: Identity = "content",
    actors: int = 2,
    batch_size: int = 1000,
    host: str | None = None,
    organization_id: str | None = None,
    **options: Unpack[UploaderOptions],
) -> PartsReport:
    """Deliver the rows of a Ray dataset by `map_batches`, and wait. Blocking.

    Each batch is a job with a journal of its own, named by what is in it. A batch whose actor was lost is run again by Ray: what
    its journal has as delivered is passed over, and what was under way is looked up. The same call again sends what is left.

    Args:
        dataset: A `ray.data.Dataset`.
        deployment: Name. The actors sign in with `PICSELLIA_TOKEN` of their environment (`ray.init(runtime_env={"env_vars": ...})`).
        journals: Folder that this process and all actors see; made where it is not there. On a network file system its locks must work.
        frame: Makes the frame of a row, a dict of its columns, in the actor.
        input: As in `jobs.run`.
        identity: As in `jobs.run`. Equal items in two batches are stored twice under one id.
        actors: How many. `actors * concurrency` requests are in flight in all.
        batch_size: Rows of a job; a hundred images per thousandth of a second of its own cost.
        host: Platform; None: `PICSELLIA_HOST` of the actors.
        organization_id: None: that of the token.
        **options: Of the uploader, but for functions and a spool. `concurrency`, requests in flight of one actor, is 16 by default.

    Returns:
        The account of all batches, and of the merged journal.

    Raises:
        ConfigurationError: An argument cannot be used, or the extra is not installed.
        JournalError: An earlier run's batch is still being delivered.
    """
    try:
        import ray.data  # noqa: PLC0415, F401 - an extra, imported on use
    except ModuleNotFoundError as error:
        raise ConfigurationError("jobs over Ray need the extra 'ray': pip install 'picsellia-async[ray]'") from error
    options.setdefault("concurrency", 16)
    settings = PartSettings(
        deployment=deployment, journals=os.fspath(Path(journals).absolute()), input=input, identity=identity, host=host,
        organization_id=organization_id, options=options,
    )  # fmt: skip
    leases_of(settings, None)
    begin(settings)
    told = dataset.map_batches(
        _Deliver, fn_constructor_kwargs={"settings": settings, "frame": frame}, batch_size=batch_size,
        batch_format="numpy", concurrency=actors,
    )  # fmt: skip
    fields = [one.name for one in attrs.fields(PartReport) if one.name != "failures"]
    reports = [
        PartReport(
            **{name: row[name] for name in fields}, failures=tuple(zip(row["names"], row["reasons"], strict=True))
        )
        for row in told.iter_rows()
    ]
    return end(settings, reports)


class _Deliver:
    """Delivers batches; an actor of Ray."""

    def __init__(self, settings: PartSettings, frame: MakeFrame) -> None:
        self._settings = settings
        self._frame = frame

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[Any]]:
        rows = [dict(zip(batch, values, strict=True)) for values in zip(*batch.values(), strict=True)]
        frames = list(frames_of(rows, self._frame))
        by_id = self._settings.identity == "id"
        facts = (one.id.bytes if by_id or isinstance(one.id, StatedId) else said_by(one) for one in frames)
        name = hashlib.sha256(b"".join(facts)).hexdigest()[:_NAME_CHARACTERS]
        report = attrs.asdict(deliver_part(frames, self._settings, name))
        failures = report.pop("failures")
        return {
            **{key: [value] for key, value in report.items()},
            "names": [[name for name, _ in failures]],
            "reasons": [[reason for _, reason in failures]],
        }
