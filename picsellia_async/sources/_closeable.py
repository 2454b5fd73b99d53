"""`Closeable`: what every source has for its end, `aclose` and an `async with` block that calls it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self


class Closeable(ABC):
    """An `async with` block over a source closes it at its end, also where the loop in it was left early."""

    async def __aenter__(self) -> Self:
        """Return the source. Nothing is opened before the iteration begins."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        await self.aclose()

    @abstractmethod
    async def aclose(self) -> None:
        """End the reading at once."""
