"""httpx's `trace` extension: which steps a request went through. Named as httpcore names them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

Trace = Callable[[str, dict[str, Any]], Any]
"""Called with an event's name and its facts; returns an awaitable."""


class traced:  # noqa: N801 - used like a function
    """Report the start and the end of a step to httpx's `trace` callback, under httpcore's event names."""

    def __init__(self, trace: Trace | None, name: str, info: dict[str, Any]) -> None:
        self._trace = trace
        self._name = name
        self._info = info
        self.return_value: Any = None

    async def __aenter__(self) -> Self:
        """Report the start."""
        if self._trace is not None:
            await self._trace(f"{self._name}.started", self._info)
        return self

    async def __aexit__(self, _kind: object, error: BaseException | None, _where: object) -> None:
        """Report the end."""
        if self._trace is None:
            return
        if error is None:
            await self._trace(f"{self._name}.complete", {"return_value": self.return_value})
        elif isinstance(error, Exception):
            await self._trace(f"{self._name}.failed", {"exception": error})
