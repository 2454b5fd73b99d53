"""Options that are out of range."""

from __future__ import annotations

from typing import Any

import pytest

from picsellia_async.errors import (
    ConfigurationError,
)
from picsellia_async.uploader import deliver_all

from .service import Service, uploader

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    "options",
    [
        {"concurrency": 0}, {"concurrency": True}, {"concurrency": "many"}, {"when_full": "explode"}, {"ordered_by": "size"},
        {"durability": "never"}, {"max_pending_bytes": 0}, {"max_pending_frames": 0}, {"max_attempts": 0}, {"max_age": -1},
        {"close_timeout": -1}, {"close_timeout": None}, {"max_age": float("nan")}, {"spool": 3}, {"spool": ""}, {"retry": None},
        {"concurrency": 1001}, {"deduplicate": True}, {"on_outcome": 3}, {"progress": deliver_all}, {"commit_interval": 0},
    ],
    ids=lambda options: "-".join(f"{name}={value}"[:30] for name, value in options.items()),
)  # fmt: skip
async def test_bad_options_are_refused_when_made(options: dict[str, Any]) -> None:
    """Every option out of range is a ConfigurationError that names it, before anything runs."""
    with pytest.raises(ConfigurationError, match=next(iter(options))):
        uploader(Service(), **options)
