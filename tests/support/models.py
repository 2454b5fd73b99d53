"""Models that a process can import."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from picsellia_async import DetectionPredictionFormat


class Where:
    """Tells the process that it ran in by the class of what it finds; dies once where it is told to."""

    def __init__(self, dies: Path | None = None) -> None:
        self.dies = dies

    def __call__(self, pixels: Any) -> Any:
        if self.dies is not None and self.dies.exists():
            self.dies.unlink()
            os._exit(1)
        return DetectionPredictionFormat([os.getpid()], [[1, 2, 30, 40]], [0.5])


class Dead:
    """Ends its process at each call."""

    def __call__(self, pixels: Any) -> Any:
        os._exit(1)
