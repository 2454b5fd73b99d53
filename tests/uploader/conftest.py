"""Every test here runs on a clock that jumps."""

from __future__ import annotations

from typing import Any

import pytest

from ..support.virtual_time import VirtualLoop


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Asyncio with a clock that jumps: no test of this folder waits."""
    return "asyncio", {"debug": True, "loop_factory": VirtualLoop}
