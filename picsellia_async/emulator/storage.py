"""Object storage (WIRE.md 13): handlers that hand out names and presigned URLs, and the routes behind those URLs."""

from __future__ import annotations

from starlette.routing import Route

from picsellia_async.emulator.state import State


def routes(_state: State) -> list[Route]:
    """Return the routes behind presigned URLs."""
    return []
