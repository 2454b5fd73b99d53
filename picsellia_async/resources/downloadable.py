"""What can be downloaded from the object storage: data, predicted assets, tasks of campaigns."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from picsellia_async._log_line import tell
from picsellia_async._services.file_names import safe_file_name
from picsellia_async._services.files import UnfinishedFile, look_at
from picsellia_async._services.storage import fetch_object
from picsellia_async.errors import (
    DecodeError,
    DownloadError,
    PermissionDeniedError,
    StatusError,
    TransportError,
    shown,
)
from picsellia_async.resources.handle import D, Handle
from picsellia_async.validation import boolean, checked_path


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
        """Write the file into a directory, and return where it is. Idempotent.

        One that is there already under that name is taken for this one and left alone; the first in a directory is told with a warning.
        Where this client has written it for another object, that is an error: names need not be unique.

        The file is written piece by piece and appears under its name only when it is whole; after a failure or a cancellation
        nothing is left. Directories in the name that the platform says are left out; what cannot be in a name on every system is
        replaced, and a digest keeps such names apart.

        Args:
            target_path: The directory; made where it does not exist.
            force_replace: Fetch it even where there is a file of that name.
            use_id: Name it by `id` and extension instead, which is unique.

        Raises:
            ConfigurationError: Nothing can be written in this directory. Nothing was sent.
            DownloadError: The storage refused, could not be reached, or sent what cannot be used, or the disk is full; the cause says how.
                Or the file is another object's.
            NoUrlAvailable: The platform did not say where it is.

        Wire: GET of the address; GET {platform}/api/data/{data_id}/presigned-url, 2xx, where it is not known or has run out.
        """
        directory = directory_of(target_path)
        name = safe_file_name(self.filename or "")
        if boolean(use_id, "use_id") or not name:
            name = f"{self.id}{Path(name).suffix}"
        path = directory / name
        downloads, may_replace = self._account.downloads, boolean(force_replace, "force_replace")
        file = await look_at(path)
        with downloads.claimed(file, self.id, may_replace=may_replace) as before:
            if before not in (None, self.id):  # its download may have ended after the look
                file = await look_at(path)
                downloads.check(file, before, self.id, may_replace=may_replace)
            if force_replace or not file.is_there:
                async with UnfinishedFile(path, "target_path") as unfinished:
                    await self._fetch(unfinished)
            elif before != self.id and downloads.is_first(directory):
                tell(
                    logging.WARNING,
                    "%(image)s was in %(directory)s before and is taken for the image of that name, as others there are, whatever it shows: "
                    "force_replace=True fetches it anew, use_id=True tells images of one name apart",
                    image=shown(name),
                    directory=shown(str(directory)),
                )
        return path

    async def _fetch(self, file: UnfinishedFile) -> None:
        try:
            try:
                await fetch_object(self._account, self.url or await self.reset_url(), file)
            except PermissionDeniedError:  # the address has run out meanwhile: a new one
                await fetch_object(self._account, await self.reset_url(), file)
            await file.commit()
        except (StatusError, TransportError, DecodeError) as exc:
            raise DownloadError(f"{self.filename!r} could not be downloaded: {exc}") from exc
        except OSError as exc:
            raise DownloadError(f"{self.filename!r} could not be written: {exc.strerror or exc}") from exc


def directory_of(target_path: str | Path) -> Path:
    """Return the directory to write into.

    Raises:
        ConfigurationError: The value is no path.
    """
    return checked_path(target_path, "target_path")
