"""For tests of programs that use this package. The fixtures are in `_pytest_plugin`; pytest finds them by itself."""

from __future__ import annotations

from collections import Counter
from typing import Protocol

from picsellia_async._delivery.outcomes import DeliveryError, UploadReport
from picsellia_async._wire.converter import JsonObject

__all__ = ["assert_nothing_lost"]


class HasUpload(Protocol):
    """A report of something that uploads: of a pipeline, for instance."""

    @property
    def upload(self) -> UploadReport:
        """The account of its uploader."""


class HasPredictions(Protocol):
    """What is asked of an emulator that runs in a thread: `picsellia_emulator`."""

    def predictions(self) -> list[JsonObject]:
        """Return what was stored."""


def assert_nothing_lost(report: UploadReport | HasUpload, emulator: HasPredictions | None = None) -> None:
    """Fail unless every frame of a report was delivered; with an emulator, unless each is there once.

    Args:
        report: Of an uploader, `monitor_many` or a pipeline.
        emulator: What it was sent to, since its last reset by nobody else; a `ThreadedEmulator`, such as `picsellia_emulator`.

    Raises:
        AssertionError: It says how many frames are missing and why, or which were stored twice.
    """
    upload = report if isinstance(report, UploadReport) else report.upload
    try:
        upload.raise_for_failures()
    except DeliveryError as error:
        raise AssertionError(str(error)) from None
    if not upload.is_balanced:
        raise AssertionError(f"{upload.accepted} frames were accepted, and not all of them have an outcome: {upload}")
    if emulator is None:
        return
    stored = Counter((str(item["filename"]), str(item["sha256"])) for item in emulator.predictions())
    twice = [name for (name, _), count in stored.items() if count > 1]
    if twice:
        raise AssertionError(f"{len(twice)} frames were stored more than once, first {', '.join(twice[:3])}")
    if stored.total() != upload.delivered:
        raise AssertionError(f"{upload.delivered} frames were delivered, and {stored.total()} are stored")
