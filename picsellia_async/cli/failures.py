"""`--failures FILE`: a manifest of what was not delivered, each line with its reason, that can be sent after a repair."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, Self, TextIO

from picsellia_async._delivery.outcomes import Dropped, Outcome, Rejected
from picsellia_async.errors import ConfigurationError
from picsellia_async.frames import Frame
from picsellia_async.sources._manifest_line import image_path, manifest_line

_TEXT_MAX: Final = 1000
"""Characters kept of a line that is no JSON object."""
_START: Final = 1000
"""Bytes of a file that tell whether it is a manifest."""


class FailureFile:
    """The manifest; written line by line, so that a run that is killed leaves those that it knew."""

    def __init__(
        self, path: Path, manifest: Path | None, defaults: dict[str, Any], inputs: Iterable[Path] = ()
    ) -> None:
        """Store the settings.

        Args:
            path: The file; what is in it is replaced.
            manifest: What is read, if it is one: its bad lines are written as they were.
            defaults: Fields of those lines that they do not have.
            inputs: Other files that are read.

        Raises:
            ConfigurationError: It is a file that is read, a folder, or holds something else than a manifest.
        """
        if path.is_dir():
            raise ConfigurationError(f"--failures: {str(path)!r} is a folder")
        for one in (manifest, *inputs):
            if one is not None and path.exists() and one.exists() and path.samefile(one):
                raise ConfigurationError(
                    f"--failures names {'the manifest' if one is manifest else 'a file'} that is read, which would be lost"
                )
        _refuse_other_content(path)
        self.path = path
        self.count = 0
        """Lines written."""
        self.is_outside = False
        """Whether an image of these lies outside the file's folder."""
        self._folder = path.absolute().parent
        self._manifest = manifest
        self._defaults = defaults
        self._file: TextIO | None = None
        self._lock = threading.Lock()  # what is skipped is told by the reading thread

    def __enter__(self) -> Self:
        """Open the file.

        Raises:
            ConfigurationError: It cannot be written.
        """
        try:
            self._file = self.path.open("w", encoding="utf-8")
        except OSError as error:
            raise ConfigurationError(f"--failures: {error}") from error
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None

    def ended(self, outcome: Outcome) -> None:
        """Take note of an outcome; for `on_outcome` of the uploader."""
        if isinstance(outcome, Rejected):
            self.refused(outcome.frame, outcome.error)

    def dropped(self, outcome: Outcome) -> None:
        """The same where nothing else remembers what was given up."""
        self.ended(outcome)
        if isinstance(outcome, Dropped) and outcome.frame is not None:
            self.refused(outcome.frame, outcome.error or outcome.reason.value)

    def refused(self, frame: Frame, error: object) -> None:
        """Write a frame and what stood against it."""
        reason = f"{type(error).__name__}: {error}" if isinstance(error, BaseException) else str(error)
        self._write({**manifest_line(frame, self._folder), "reason": reason})

    def skipped(self, message: str, text: str) -> None:
        """Write a line of the manifest that was skipped; of other inputs there is nothing to write, and the same command sends them."""
        if self._manifest is None:
            return
        try:
            line = json.loads(text)
        except ValueError:
            line = None
        if not isinstance(line, dict):
            self._write({"text": text.strip()[:_TEXT_MAX], "reason": message})
            return
        for name, value in self._defaults.items():
            line.setdefault(name, value)
        if isinstance(line.get("image"), str):
            line["image"] = image_path(self._manifest.absolute().parent / line["image"], self._folder)
        self._write({**line, "reason": message})

    def _write(self, line: dict[str, Any]) -> None:
        text = json.dumps(line)
        self.is_outside = self.is_outside or os.path.isabs(line.get("image", ""))  # noqa: PTH117 - it may be of Windows
        with self._lock:
            if self._file is not None:
                self.count += 1
                print(text, file=self._file, flush=True)


def _refuse_other_content(path: Path) -> None:
    """Refuse to replace what no run has written: a label file, a picture, names of classes.

    Raises:
        ConfigurationError: The file does not begin as a manifest does.
    """
    try:
        with path.open("rb") as file:
            start = file.read(_START).lstrip()
    except OSError:
        return  # not there; or told when it is opened
    if start and not start.startswith(b"{"):
        raise ConfigurationError(f"--failures: {str(path)!r} holds something else than a manifest, which would be lost")
