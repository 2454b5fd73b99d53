"""Jobs: work that the platform does by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from picsellia_async._services.account import Account
from picsellia_async._wire.endpoints import GET_JOB, GET_OLD_JOB
from picsellia_async.enums import JobRunStatus, JobStatus
from picsellia_async.errors import ConfigurationError
from picsellia_async.models import JobDescription
from picsellia_async.resources.handle import Handle, wait_for_state
from picsellia_async.validation import sequence

ENDED: Final = frozenset({"SUCCEEDED", "SUCCESS", "TERMINATED", "FAILED", "KILLED"})
"""Words for a job that will not change any more (docs/wire.md#user-endpoints)."""


class Job(Handle[JobDescription]):
    """A job."""

    def __init__(self, description: JobDescription, account: Account, version: int = 2) -> None:
        """Store what the platform said; nothing is sent.

        Args:
            description: The job.
            account: Way to the platform.
            version: 2, or 1 for jobs of the older kind, which live elsewhere.
        """
        super().__init__(description, account)
        self._version = version

    @property
    def status(self) -> JobRunStatus | JobStatus:
        """State when last fetched; a `JobStatus` for jobs of the older kind."""
        status = self._description.status
        return status if self._version == 2 else JobStatus.read(status.value)

    @property
    def has_ended(self) -> bool:
        """Whether it had ended, well or badly, when last fetched."""
        return self.status in ENDED

    async def sync(self) -> JobDescription:
        """Fetch this job again. Idempotent.

        Wire: GET {platform}/api/v2/job/{job_id}, 2xx.
        """
        endpoint = GET_JOB if self._version == 2 else GET_OLD_JOB
        self._description = await self._account.call(endpoint, job_id=self.id)
        return self._description

    async def wait_for_done(
        self,
        blocking_time_increment: float = 1.0,
        attempts: int = 20,
        *,
        sleep: Callable[[float], Awaitable[Any]] = asyncio.sleep,
    ) -> JobRunStatus | JobStatus:
        """Fetch this job until it has ended, and return its status. A job that failed ends as well. Idempotent.

        Args:
            blocking_time_increment: Seconds between two looks.
            attempts: How often to look.
            sleep: Waits so many seconds.

        Raises:
            WaitingAttemptsTimeout: It had not ended at the last look.

        Wire: GET {platform}/api/v2/job/{job_id}, 2xx.
        """
        await self._wait(ENDED, blocking_time_increment, attempts, sleep)
        return self.status

    async def wait_for_status(
        self,
        statuses: str | JobStatus | JobRunStatus | list[str | JobStatus | JobRunStatus],
        blocking_time_increment: float = 1.0,
        attempts: int = 20,
        *,
        sleep: Callable[[float], Awaitable[Any]] = asyncio.sleep,
    ) -> JobRunStatus | JobStatus:
        """Fetch this job until it has one of some states. Idempotent.

        Args:
            statuses: One state or a list, in any case.
            blocking_time_increment: Seconds between two looks.
            attempts: How often to look.
            sleep: Waits so many seconds.

        Returns:
            The state.

        Raises:
            WaitingAttemptsTimeout: It had none of them at the last look.

        Wire: GET {platform}/api/v2/job/{job_id}, 2xx.
        """
        items = sequence(statuses, "statuses") if isinstance(statuses, (list, tuple, set, frozenset)) else [statuses]
        if not items:
            raise ConfigurationError("statuses must not be empty")
        kind = JobRunStatus if self._version == 2 else JobStatus
        wanted = frozenset(kind.of(item, "statuses").value for item in items)
        await self._wait(wanted, blocking_time_increment, attempts, sleep)
        return self.status

    async def _wait(
        self, wanted: frozenset[str], seconds: float, attempts: int, sleep: Callable[[float], Awaitable[Any]]
    ) -> None:
        async def look() -> str:
            await self.sync()
            return self.status

        await wait_for_state(f"job {self.id}", look, wanted, seconds, attempts, sleep)
