"""The recorded exchanges in tests/wire are what the vendor's SDK sends today."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path
from typing import Any

import pytest

from . import sides
from .record import WIRE, record, text
from .recorder import Recorder

pytestmark = pytest.mark.filterwarnings("ignore:list_workers is deprecated:DeprecationWarning")


def test_the_version_under_comparison_is_installed() -> None:
    """The table, docs/wire.md and the recorded files speak of this version and no other."""
    assert importlib.metadata.version("picsellia") == sides.VENDOR_VERSION


def test_recorded_files_are_current(
    recorder: Recorder, vendor_client: Any, vendor_names: sides.Names, files: dict[str, Path]
) -> None:
    """The files equal a new recording; `python -m tests.parity.record` writes them again."""
    fresh = record(recorder, vendor_client, vendor_names, files)
    assert {path.name for path in WIRE.glob("*.json")} == set(fresh)
    for name, content in fresh.items():
        assert (WIRE / name).read_text(encoding="utf-8") == text(content), name
