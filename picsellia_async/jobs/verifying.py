"""`verify`: what a journal says was delivered, beside what the platform lists."""

from __future__ import annotations

from pathlib import Path
from typing import Final
from uuid import UUID

import anyio.to_thread
import attrs

from picsellia_async._deployment.deduplication import FRAME_ID_KEY
from picsellia_async.deployment import AsyncDeployment
from picsellia_async.jobs._errors import JournalError
from picsellia_async.jobs._journal import Journal
from picsellia_async.jobs.job import Identity, owner_of

_MISSING_KEPT: Final = 10_000


@attrs.frozen(kw_only=True)
class VerifyReport:
    """What was delivered, by the journal, and what of it the platform shows."""

    delivered: int
    """Items that the journal has as delivered."""
    seen: int
    """Of these: items that the platform lists."""
    more_than_once: int
    """Of these: items that it lists more than once."""
    missing: tuple[UUID, ...] = attrs.field(repr=False)
    """`Frame.id` of those that it does not list, at most the first 10,000; the others are counted in `delivered - seen`."""
    undecided: str = ""
    """Why nothing can be said of what is not listed; empty: it can."""

    @property
    def is_complete(self) -> bool:
        """Whether every delivered item is listed, once."""
        return self.delivered == self.seen and not self.more_than_once

    def __str__(self) -> str:
        """Return the account in one line."""
        rest = self.delivered - self.seen
        line = f"{self.delivered} delivered, {self.seen} of them seen on the platform, {rest} not"
        line += f", {self.more_than_once} more than once" if self.more_than_once else ""
        if rest and self.undecided:
            return f"{line}: whether these are lost cannot be said, since {self.undecided}"
        first = ", ".join(map(str, self.missing[:3]))
        return f"{line}: {first}{', ...' if len(self.missing) > len(self.missing[:3]) else ''}" if rest else line


async def verify(
    deployment: AsyncDeployment,
    *,
    journal: str | Path,
    input: str = "",  # noqa: A002 - the field's word
    identity: Identity = "content",
) -> VerifyReport:
    """Read the deployment's predicted assets, and tell which items of a job they hold.

    All of the listing is read, a page at a time; the ids of the journal are in memory, some 300 bytes an item. Not while the job runs.

    Args:
        deployment: That of the job.
        journal: Its file.
        input: That of the job.
        identity: That of the job.

    Returns:
        What was found. Where the deployment keeps a sample only, what is not listed may be as it should: `undecided` says so.

    Raises:
        ConfigurationError: The journal is of another deployment or input.
        JournalError: It is not there, in use, or no journal.
        PicselliaError: The platform cannot be asked.

    Wire: GET {platform}/api/deployment/{deployment_id}, 2xx; GET {platform}/api/deployment/{deployment_id}/predictedassets, 200.
    """
    by_answer, delivered = await anyio.to_thread.run_sync(
        _delivered, Path(journal), owner_of(deployment, input, identity)
    )
    seen: set[UUID] = set()
    twice: set[UUID] = set()
    async for asset in deployment.iter_predicted_assets():
        id_ = _frame_id((asset.description.data.custom_metadata or {}).get(FRAME_ID_KEY))
        if id_ not in delivered:  # the platform keeps no custom metadata for an image that it had as data before
            id_ = by_answer.get(str(asset.oracle_prediction_id), id_)
        if id_ in delivered:
            (twice if id_ in seen else seen).add(id_)
    rate = (await deployment.sync()).sample_rate
    missing = sorted(delivered - seen)
    return VerifyReport(
        delivered=len(delivered),
        seen=len(seen),
        more_than_once=len(twice),
        missing=tuple(missing[:_MISSING_KEPT]),
        undecided="" if rate is None or rate >= 1.0 else f"the deployment keeps a share of {rate} of what it is sent",
    )


def _delivered(path: Path, owner: dict[str, str]) -> tuple[dict[str, UUID], set[UUID]]:
    """Return the ids of the items that were delivered, and those of them whose answer had an id by that."""
    if not path.is_file():
        raise JournalError(f"there is no journal {str(path)!r}")
    journal = Journal(path, owner)
    journal.open()
    try:
        found = dict(journal.delivered_ids())
    finally:
        journal.close()
    return {told: id_ for id_, told in found.items() if told is not None}, set(found)


def _frame_id(value: object) -> UUID:
    try:
        return UUID(str(value))
    except ValueError:
        return UUID(int=0)
