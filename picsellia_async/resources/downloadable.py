"""What can be downloaded from the object storage: data, predicted assets, tasks of campaigns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from picsellia_async._services.files import exists, write_file
from picsellia_async._services.storage import fetch_object
from picsellia_async.errors import (
    ConfigurationError,
    DownloadError,
    PermissionDeniedError,
    StatusError,
    TransportError,
    shown,
)
from picsellia_async.resources.handle import D, Handle
from picsellia_async.validation import boolean


class Downloadable(Handle[D]):
    """A handle with a file in the object storage."""

    @property
    def filename(self) -> Any:
        """Name of the file."""
        raise NotImplementedError

    @property
    def url(self) -> str | None:
        """Download address as last fetched; None: not known."""
        raise NotImplementedError

    async def reset_url(self) -> str:
        """Return a new download address."""
        raise NotImplementedError

    async def download(self, target_path: str | Path = "./", force_replace: bool = False, use_id: bool = False) -> Path:
        """Write the file into a directory, and return where it is. Idempotent. One that is there already is left alone.

        The file appears under its name only when it is whole; it is held in memory until then. Directories in the name that the
        platform says are left out.

        Args:
            target_path: The directory; made where it does not exist.
            force_replace: Fetch it even where there is a file of that name.
            use_id: Name it by `id` and extension instead: names need not be unique.

        Raises:
            DownloadError: The storage refused, or could not be reached; the cause says how.
            NoUrlAvailable: The platform did not say where it is.

        Wire: GET of the address; GET {platform}/api/data/{data_id}/presigned-url, 2xx, where it is not known or has run out.
        """
        directory = directory_of(target_path)
        name = Path(self.filename or "").name
        if boolean(use_id, "use_id") or not name:
            name = f"{self.id}{Path(name).suffix}"
        path = directory / name
        if boolean(force_replace, "force_replace") or not await exists(path):
            await write_file(path, await self._fetch(), "target_path")
        return path

    async def _fetch(self) -> bytes:
        try:
            try:
                return await fetch_object(self._account, self.url or await self.reset_url())
            except PermissionDeniedError:  # the address has run out meanwhile: a new one
                return await fetch_object(self._account, await self.reset_url())
        except (StatusError, TransportError) as exc:
            raise DownloadError(f"{self.filename!r} could not be downloaded: {exc}") from exc


def directory_of(target_path: str | Path) -> Path:
    """Return the directory to write into.

    Raises:
        ConfigurationError: The value is no path.
    """
    if not isinstance(target_path, (str, Path)) or not str(target_path):
        raise ConfigurationError(f"target_path must be a str or Path, got {shown(target_path)}")
    return Path(target_path)
