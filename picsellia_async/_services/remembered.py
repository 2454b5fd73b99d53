"""What the platform said last, on disk (`cache_dir=`), so that a program starts while the network is away.

Theory of operation. A file per answer: the organization, a deployment, a label map. Asking goes to the platform as ever; where it has not
answered within half a second, or cannot be reached, what is remembered is used, and the question goes on in the background until it is
answered. Nothing secret is in a file: no token, no JWT, and of the answers only the fields that this SDK knows.

An address in such a file is where the user's token is sent to sign in. So a file counts only if nobody but this user could have
written it, if it is whole, and if it says the same host and organization as this client. Any other is told of and left alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import secrets
import stat
import time
import zlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

import anyio.to_thread
import attrs
import orjson

from picsellia_async._http.retry import is_repeatable
from picsellia_async._log_line import logger
from picsellia_async._services.settings import Settings
from picsellia_async.config import RetryPolicy
from picsellia_async.errors import PicselliaError

T = TypeVar("T")


START_SECONDS: Final = 0.5
"""How long the platform may take to answer where the answer is remembered."""
_AGAIN_SECONDS: Final = 1.0
"""Wait before the platform is asked again; doubled each time, up to the next number."""
_AGAIN_SECONDS_MAX: Final = 30.0
_VERSION: Final = 1
_BYTES_MAX: Final = 4 * 2**20


@attrs.frozen(eq=False)
class Kind(Generic[T]):
    """How a value is written down, and read."""

    to_json: Callable[[T], Any]
    from_json: Callable[[Any], T]
    """May raise anything where it is no such value."""


class Memory:
    """The answers that one client remembers."""

    def __init__(self, directory: Path, settings: Settings) -> None:
        """Store where; nothing is read or made.

        Args:
            directory: Made if missing, for its user alone.
            settings: Say whose answers these are.
        """
        self._directory = directory
        self._identity = {
            "host": str(settings.origin),
            "organization_id": None if settings.organization_id is None else str(settings.organization_id),
            "organization_name": settings.organization_name,
        }
        if settings.organization_id is None and settings.organization_name is None:
            # The token says which organization is meant. 32 bits tell two tokens apart, and tell nothing of either.
            self._identity["token"] = hashlib.sha256(b"cache " + settings.api_token.encode()).hexdigest()[:8]
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_told = False

    async def ask(self, key: str, kind: Kind[T], fetch: Callable[[], Awaitable[T]], use: Callable[[T], object]) -> T:
        """Return what the platform says, or what it said last where it cannot be reached now.

        Args:
            key: What is asked for.
            kind: How it is written down.
            fetch: Asks the platform.
            use: Told of the answer where it comes later.

        Raises:
            PicselliaError: What `fetch` raises, where nothing is remembered, or that is no trouble of the network.
        """
        found = await anyio.to_thread.run_sync(self._read, key, kind)
        if found is None:
            value = await fetch()
            await anyio.to_thread.run_sync(self._write, key, kind.to_json(value))
            return value
        value, at = found
        asking = asyncio.ensure_future(fetch())
        try:
            # Where another question is not answered yet, this one will not be either: a start waits once.
            await asyncio.wait([asking], timeout=0.0 if self._tasks else START_SECONDS)
        except asyncio.CancelledError:
            asking.cancel()
            raise
        if asking.done() and not _is_away(asking):
            value = asking.result()
            await anyio.to_thread.run_sync(self._write, key, kind.to_json(value))
            return value
        logger.warning(
            "%s cannot be reached now: going on with what it said %s ago (%s)",
            self._identity["host"], _ago(time.time() - at), key,
        )  # fmt: skip
        task = asyncio.create_task(self._ask_again(key, kind, asking, fetch, use))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return value

    async def _ask_again(
        self,
        key: str,
        kind: Kind[T],
        asking: asyncio.Future[T],
        fetch: Callable[[], Awaitable[T]],
        use: Callable[[T], object],
    ) -> None:
        wait = _AGAIN_SECONDS
        try:
            while True:
                await asyncio.wait([asking])
                if not _is_away(asking):
                    break
                await asyncio.sleep(wait)
                wait = min(2 * wait, _AGAIN_SECONDS_MAX)
                asking = asyncio.ensure_future(fetch())
        finally:
            asking.cancel()
        error = asking.exception()
        if error is not None:
            logger.warning("%s answers again, and refuses (%s): %s", self._identity["host"], key, error)
            return
        value = asking.result()
        use(value)
        await anyio.to_thread.run_sync(self._write, key, kind.to_json(value))
        logger.info("%s answers again (%s)", self._identity["host"], key)

    async def aclose(self) -> None:
        """Stop asking."""
        tasks = [task for task in self._tasks if task.get_loop() is asyncio.get_running_loop()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    # Files. Blocking.

    def _path(self, key: str) -> Path:
        name = hashlib.sha256(orjson.dumps([self._identity, key])).hexdigest()[:40]
        return self._directory / f"{name}.json"

    def _read(self, key: str, kind: Kind[T]) -> tuple[T, float] | None:
        path = self._path(key)
        try:
            content = _read_own(path)
            if content is None:
                return None
            found = orjson.loads(content)
            body = found["body"]
            if zlib.crc32(orjson.dumps(body)) != found["checksum"] or body["version"] != _VERSION:
                raise ValueError("it is damaged, or of another version")
            if body["identity"] != self._identity or body["key"] != key:
                raise ValueError("it is about another host, organization or deployment")
            return kind.from_json(body["value"]), float(body["at"])
        except Exception as error:  # noqa: BLE001 - whatever stands there, the platform is asked
            logger.warning("%s is not used: %s", path, error)
            return None

    def _write(self, key: str, value: Any) -> None:
        path = self._path(key)
        body = {"version": _VERSION, "identity": self._identity, "key": key, "at": time.time(), "value": value}
        temporary = path.with_name(f"{path.name}.{secrets.token_hex(4)}.tmp")
        try:
            missing = [one for one in (self._directory, *self._directory.parents) if not one.exists()]
            # `parents=True` would leave their mode to the umask, and one of them may be a spool.
            for one in reversed(missing):
                one.mkdir(mode=0o700, exist_ok=True)
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(orjson.dumps({"body": body, "checksum": zlib.crc32(orjson.dumps(body))}))
                    file.flush()
                    os.fsync(file.fileno())  # a power cut would else leave the name with an empty file behind it
                temporary.replace(path)
            except BaseException:
                with contextlib.suppress(OSError):
                    temporary.unlink()
                raise
        except OSError as error:
            if not self._is_told:
                self._is_told = True
                logger.warning("what the platform says cannot be remembered in %s: %s", self._directory, error)


def _is_away(asking: asyncio.Future[Any]) -> bool:
    """Whether this is an end that only says that the platform cannot be reached; also one that has none yet."""
    if not asking.done():
        return True
    error = None if asking.cancelled() else asking.exception()
    return isinstance(error, PicselliaError) and is_repeatable(RetryPolicy(), error, idempotent=True)


def _read_own(path: Path) -> bytes | None:
    """Return a file that nobody but this user can have written; None where there is none."""
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except FileNotFoundError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        for state in (os.fstat(file.fileno()), path.parent.stat()):
            is_safe = os.name != "posix" or (state.st_uid == os.geteuid() and not state.st_mode & 0o022)
            if not is_safe:
                raise PermissionError("others could have written it: it or its directory is not this user's alone")
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise PermissionError("it is no plain file")
        return file.read(_BYTES_MAX)


def _ago(seconds: float) -> str:
    for unit, size in (("days", 86_400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"
