"""Every test here runs on a clock that jumps."""

from __future__ import annotations

from typing import Any

import pytest

from ..support.virtual_time import DiskLoop, VirtualLoop, wait_for_disks


@pytest.fixture
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """Asyncio with a clock that jumps, no test of this folder waits; with `disk` it waits for the disk."""
    return "asyncio", {"debug": True, "loop_factory": DiskLoop if "disk" in request.fixturenames else VirtualLoop}


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock stands still while a spool's thread is busy."""
    wait_for_disks(monkeypatch)
