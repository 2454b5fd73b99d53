"""`--failures FILE`: a manifest of what was not delivered, each line with its reason, that can be sent after a repair."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, Self, TextIO
from uuid import uuid4

from picsellia_async._delivery.outcomes import Dropped, Outcome, Rejected
from picsellia_async._error_text import error_text
from picsellia_async.cli.output_files import check_output, check_own_lines
from picsellia_async.errors import ConfigurationError
from picsellia_async.frames import Frame
from picsellia_async.sources._manifest_line import image_path, manifest_line

_TEXT_MAX: Final = 1000
"""Characters kept of a line that is no JSON object."""


def check_failures(path: Path, inputs: Iterable[Path]) -> None:
    """Refuse a file of failures that is an input or a file of another kind, or that cannot be written.

    Args:
        path: The file; it need not be there.
        inputs: Files and folders that are read.

    Raises:
        ConfigurationError: So it is.
    """
    check_output(path, "--failures", inputs)
    check_own_lines(path, "--failures", frozenset({"reason"}), "no file of failures")
    folder = Path(os.path.realpath(path)).parent
    if not folder.is_dir():
        raise ConfigurationError(f"--failures: there is no folder {str(folder)!r}")
    if not os.access(path if path.exists() else folder, os.W_OK) or (path.is_file() and not os.access(folder, os.W_OK)):
        raise ConfigurationError(f"--failures: {str(path)!r} may not be written by this user")


class FailureFile:
    """The manifest; written line by line, so that a run that is killed leaves those that it knew."""

    def __init__(self, path: Path, manifest: Path | None, defaults: dict[str, Any]) -> None:
        """Store the settings.

        Args:
            path: The file, of which `check_failures` has taken a look. What an earlier run left in it is replaced, by the first line or
                at the end.
            manifest: What is read, if it is one: its bad lines are written as they were.
            defaults: Fields of those lines that they do not have.
        """
        self.path = path
        self.count: int = 0
        """Lines written."""
        self.is_outside: bool = False
        """Whether an image of these lies outside the file's folder."""
        self._folder = path.absolute().parent
        self._manifest = manifest
        self._defaults = defaults
        self._file: TextIO | None = None
        self._is_open = False
        self._lock = threading.Lock()  # what is skipped is told by the reading thread

    def __enter__(self) -> Self:
        """Begin; the file is opened for its first line."""
        self._is_open = True
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Close the file. Where nothing failed in a run that did not, it is empty."""
        with self._lock:
            try:
                if self._is_open and self._file is None and kind is None:
                    self._file = self._opened("")
            except OSError as error:
                self._tell(error)
            self._close()

    def _close(self) -> None:
        self._is_open = False
        file, self._file = self._file, None
        if file is not None:
            with contextlib.suppress(OSError):  # told where it was written
                file.close()

    def _tell(self, error: OSError) -> None:
        """Say once that the file is not whole, a full disk's for instance: the run goes on, and tells what became of everything."""
        print(f"--failures: {str(self.path)!r} cannot be written any further: {error.strerror}", file=sys.stderr)
        self._close()

    def ended(self, outcome: Outcome) -> None:
        """Take note of an outcome; for `on_outcome` of the uploader."""
        if isinstance(outcome, Rejected):
            self.refused(outcome.frame, outcome.error, may_be_stored=outcome.may_be_stored)

    def dropped(self, outcome: Outcome) -> None:
        """The same where nothing else remembers what was given up."""
        self.ended(outcome)
        if isinstance(outcome, Dropped) and outcome.frame is not None:
            self.refused(outcome.frame, outcome.error or outcome.reason.value, may_be_stored=outcome.may_be_stored)

    def refused(self, frame: Frame, error: object, *, may_be_stored: bool = False) -> None:
        """Write a frame and what stood against it, and whether sending it once more may store it twice."""
        reason = error_text(error) if isinstance(error, BaseException) else str(error)
        if may_be_stored:
            reason += " (may be stored all the same: an answer was lost or unclear)"
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
            if not self._is_open:
                return
            try:
                if self._file is None:
                    self._file = self._opened(f"{text}\n")
                else:
                    print(text, file=self._file, flush=True)
            except OSError as error:
                self._tell(error)
            else:
                self.count += 1

    def _opened(self, text: str) -> TextIO:
        """Replace the file by one of this text, and open that for what comes after it."""
        target = Path(os.path.realpath(self.path))  # a link stays one
        if target.exists() and not target.is_file():
            file = self.path.open("w", encoding="utf-8")  # a pipe or device
            try:
                print(text, end="", file=file, flush=True)
            except OSError:
                with contextlib.suppress(OSError):  # it tries once more
                    file.close()
                raise
            return file
        part = target.with_name(f".{target.name}.{uuid4().hex}.part")
        try:
            part.write_text(text, encoding="utf-8")
            part.replace(target)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        return target.open("a", encoding="utf-8")
