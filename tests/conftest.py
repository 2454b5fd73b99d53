"""Settings that all tests share."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Run every async test on asyncio, in debug mode."""
    return "asyncio", {"debug": True}
