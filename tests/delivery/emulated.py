"""What an emulator stored, for comparison with what the uploader reports."""

from __future__ import annotations

from picsellia_async.emulator import Emulator
from picsellia_async.emulator.control import prediction


def stored(emulator: Emulator) -> list[dict[str, object]]:
    """Return every stored prediction as `GET /emulator/predictions` shows it, without its paging."""
    return [prediction(row) for row in emulator.state.store.predictions.select()]


def stored_names(emulator: Emulator) -> list[str]:
    """Return the file names of what is stored, one per copy."""
    return [str(row["filename"]) for row in stored(emulator)]
