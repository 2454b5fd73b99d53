"""Jobs over Dask: the partitions of a bag, a dataframe or delayed lists are delivered by the workers of a cluster. Extra `dask`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack
from uuid import uuid4

from picsellia_async._delivery.options import UploaderOptions
from picsellia_async.errors import ConfigurationError
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
    names,
)
from picsellia_async.jobs.job import Identity

if TYPE_CHECKING:
    from distributed import Semaphore

__all__ = ["PartReport", "PartsReport", "deliver"]


def deliver(
    items: Any,
    deployment: str,
    *,
    journals: str | Path,
    frame: MakeFrame | None = None,
    input: str = "",  # noqa: A002 - the field's word
    identity: Identity = "content",
    limit: int | None = None,
    host: str | None = None,
    organization_id: str | None = None,
    **options: Unpack[UploaderOptions],
) -> PartsReport:
    """Deliver the items of a Dask collection on the cluster of the current `distributed.Client`, and wait. Blocking.

    Each partition is a job with a journal of its own. A partition whose worker was lost is run again by Dask, on another worker: what
    its journal has as delivered is passed over, and what was under way is looked up. The same call again, with the items cut in
    whatever way, sends what is left.

    Args:
        items: A bag, a dataframe (its rows come as named tuples), or a list of delayed objects that each give an iterable.
        deployment: Name. The workers sign in with `PICSELLIA_TOKEN` of their environment; no token is in the graph.
        journals: Folder that this process and all workers see; made where it is not there. On a network file system its locks must work.
        frame: Makes the frame of an item, on the worker. None: items are frames.
        input: As in `jobs.run`.
        identity: As in `jobs.run`. Equal items in two partitions are stored twice under one id.
        limit: Requests in flight in all of the cluster, held by a `distributed.Semaphore`; None: `concurrency` for each thread of a worker.
        host: Platform; None: `PICSELLIA_HOST` of the workers.
        organization_id: None: that of the token.
        **options: Of the uploader, but for functions and a spool. `concurrency`, requests in flight of one partition, is 16 by default.

    Returns:
        The account of all partitions, and of the merged journal.

    Raises:
        ConfigurationError: An argument cannot be used, the extra is not installed, or there is no client of Dask.
        JournalError: An earlier run's partition is still being delivered.
        PicselliaError: What a worker met.
    """
    try:
        import dask  # noqa: PLC0415 - an extra, imported on use
        import distributed  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise ConfigurationError("jobs over Dask need the extra 'dask': pip install 'picsellia-async[dask]'") from error
    try:
        client = distributed.get_client()
    except ValueError as error:
        raise ConfigurationError("there is no client of Dask: make a distributed.Client first") from error
    options.setdefault("concurrency", 16)
    settings = PartSettings(
        deployment=deployment, journals=os.fspath(Path(journals).absolute()), input=input, identity=identity, host=host,
        organization_id=organization_id, options=options,
    )  # fmt: skip
    leases = leases_of(settings, limit)
    parts = _partitions(items)
    begin(settings)
    semaphore = distributed.Semaphore(leases, name=f"picsellia-async-{uuid4()}") if leases else None
    one = dask.delayed(_deliver, pure=False)
    tasks = [one(part, settings, name, frame, semaphore) for part, name in zip(parts, names(len(parts)), strict=True)]
    try:
        reports = client.gather(client.compute(tasks))
    finally:
        # A lease that is left is of a worker that was lost: the scheduler forgets it by itself, and closing would warn.
        if semaphore is not None and not semaphore.get_value():
            semaphore.close()
    return end(settings, reports)


def _partitions(items: Any) -> Sequence[Any]:
    """Return the delayed partitions of whatever collection.

    Raises:
        ConfigurationError: It is none.
    """
    if hasattr(items, "to_delayed"):
        return list(items.to_delayed())
    if (
        isinstance(items, Sequence)
        and not isinstance(items, (str, bytes))
        and all(hasattr(one, "dask") for one in items)
    ):
        return list(items)
    raise ConfigurationError(
        f"items must be a bag, a dataframe or a list of delayed objects, got {type(items).__name__}"
    )


def _deliver(
    items: Any, settings: PartSettings, name: str, frame: MakeFrame | None, semaphore: Semaphore | None
) -> PartReport:
    """Deliver a partition; on a worker."""
    rows: Iterable[object] = items.itertuples() if hasattr(items, "itertuples") else items
    with semaphore if semaphore is not None else nullcontext():
        return deliver_part(frames_of(rows, frame), settings, name)
