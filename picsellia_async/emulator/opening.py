"""Opens what an emulator keeps, in memory or in a directory that no other one uses, and brings it to its beginning."""

from __future__ import annotations

import contextlib
import secrets
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import attrs

from picsellia_async.emulator import seed
from picsellia_async.emulator.seed import Beginning
from picsellia_async.emulator.store.documents import Document
from picsellia_async.emulator.store.lock import lock_directory
from picsellia_async.emulator.store.store import Store
from picsellia_async.errors import ConfigurationError


@attrs.frozen
class Opened:
    """A store that is ready to be served."""

    store: Store
    beginning: Beginning
    """What it begins with, and goes back to."""

    @property
    def secret(self) -> Document:
        """What JWTs are signed with."""
        return self.store.documents.get("secret", "jwt")

    def reset(self, api_token: str, now: float) -> None:
        """Bring the store back to its beginning; the secret and the token of the first user stay."""
        secret = dict(self.secret)
        with self.store.transaction():
            self.store.clear()
            self.store.documents.add("secret", **secret)
            seed.add_organization(self.store, now, self.beginning, api_token=api_token)


@contextlib.asynccontextmanager
async def opened(directory: Path | None, beginning: Beginning, now: float) -> AsyncIterator[Opened]:
    """Open a store, and close it at the end.

    Args:
        directory: Where everything is kept, made if it is not there; None keeps it in memory.
        beginning: What a new one holds.
        now: Epoch seconds, for the dates of what is made.

    Raises:
        ConfigurationError: The directory cannot be written, is in use by another emulator, was written by another version, or has a
            deployment of another type.
    """
    with contextlib.ExitStack() as stack:
        if directory is not None:
            _take(directory, stack)
        try:
            store = Store(directory)
        except ValueError as exc:
            raise ConfigurationError(str(exc)) from None
        except (sqlite3.Error, OSError) as exc:
            raise _unusable(directory, exc) from exc
        try:
            with store.transaction():
                if store.documents.peek("secret", "jwt") is None:
                    store.documents.add("secret", id="jwt", key=secrets.token_hex(32))
                begun = seed.begin(store, now, beginning)
            yield Opened(store, begun)
        finally:
            await store.close()


def _take(directory: Path, stack: contextlib.ExitStack) -> None:
    """Make a directory where there is none, and hold it until the end of the stack."""
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        stack.enter_context(lock_directory(directory))
    except OSError as exc:
        raise _unusable(directory, exc.strerror or exc) from exc


def _unusable(directory: Path | None, reason: object) -> ConfigurationError:
    return ConfigurationError(f"the data directory {directory} cannot be used: {reason}")
