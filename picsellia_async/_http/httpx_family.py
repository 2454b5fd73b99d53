"""httpx and httpx2, its successor of the same shape: the one place that knows both.

A client or a transport of the caller's own may come from either, and raises the errors of its own. httpx2 is never imported
here: who hands in something of it has done that.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any, Final, Protocol

import httpx

_MODULES: Final = ("httpx", "httpx2")


class AsyncTransport(Protocol):
    """What `httpx.AsyncBaseTransport` and `httpx2.AsyncBaseTransport` have in common."""

    async def handle_async_request(self, request: Any, /) -> Any:
        """Send a request of the family's, return its response."""

    async def aclose(self) -> None:
        """Close all connections."""


class AsyncHttpClient(Protocol):
    """What we use of `httpx.AsyncClient` and `httpx2.AsyncClient`."""

    @property
    def build_request(self) -> Callable[..., Any]:
        """Make a request with the client's defaults."""

    @property
    def send(self) -> Callable[..., Any]:
        """Send a request, return its response."""

    async def aclose(self) -> None:
        """Close all connections."""


def _families() -> list[ModuleType]:
    return [sys.modules[name] for name in _MODULES if name in sys.modules]


def family_of(value: object) -> ModuleType:
    """Return the module whose client or transport this is."""
    for family in _families():
        if isinstance(value, (family.AsyncClient, family.AsyncBaseTransport)):
            return family
    return httpx


def is_client(value: object) -> bool:
    """Tell whether this is an asynchronous client of either."""
    return isinstance(value, _classes("AsyncClient"))


def is_transport(value: object) -> bool:
    """Tell whether this is an asynchronous transport of either."""
    return isinstance(value, _classes("AsyncBaseTransport"))


def errors(*names: str) -> tuple[type[Exception], ...]:
    """Return the exceptions of these names, those of both. What follows `except` is not evaluated where nothing fails."""
    return tuple(kind for name in names for kind in _classes(name))


def _classes(name: str) -> tuple[type[Any], ...]:
    return tuple(getattr(family, name) for family in _families())
