"""`SyncUploader`: an uploader for programs without an event loop. It has one of its own, in a thread.

Theory of operation. `open` starts a thread that runs the client and the uploader in a loop until it is told to stop; calls of other
threads go through `Uploader.from_thread`. What belongs to the thread (`_Run`) does not refer to the `SyncUploader`, so that one that
was forgotten is noticed. A forked child has no such thread: there `open` begins anew, and all else is refused.
"""

from __future__ import annotations

import asyncio
import atexit
import inspect
import logging
import os
import ssl
import threading
import warnings
import weakref
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Final, Self, Unpack
from uuid import UUID

from picsellia_async._delivery.from_thread import SyncReceipt, UploaderFromThread
from picsellia_async._delivery.options import Options, UploaderOptions, check_names
from picsellia_async._delivery.outcomes import UploaderStatistics, UploadReport
from picsellia_async._http.httpx_family import AsyncHttpClient, AsyncTransport
from picsellia_async._log_line import Line, logger, write
from picsellia_async._wire.secret import hide
from picsellia_async.client import AsyncClient
from picsellia_async.deployment import AsyncDeployment
from picsellia_async.errors import ClosedError, ConfigurationError
from picsellia_async.frames import Frame
from picsellia_async.plausibility import Checks
from picsellia_async.tracing import Tracing
from picsellia_async.uploader import Uploader
from picsellia_async.uploader import record_durations as record_uploader_durations
from picsellia_async.validation import text, uuid

_ABORT_SECONDS: Final = 0.05
"""Between two cancellations of the uploader's closing: the second one ends it at once."""


class SyncUploaderOptions(UploaderOptions, total=False):
    """Keyword arguments of `SyncUploader`: those of the uploader, and of its client."""

    api_token: str | None
    organization_id: str | UUID | None
    organization_name: str | None
    host: str | None
    timeout: Any
    max_connections: int
    max_connections_per_host: int | None
    transport: AsyncTransport | None
    http_client: AsyncHttpClient | None
    verify: ssl.SSLContext | None
    checks: Checks
    tracing: Tracing | None


_OF_CLIENT: Final = frozenset(inspect.signature(AsyncClient).parameters)


class SyncUploader:
    """Delivers frames from plain code: any number of threads call `submit`; a thread of its own does the rest.

    ```python
    with SyncUploader("awesome-deploy", spool=directory) as uploader:
        receipt = uploader.submit(frame)
        outcome = receipt.result(timeout=5)
    ```

    What is promised is what `Uploader` promises. It works where a loop runs already (Jupyter), and in processes that fork: open it
    in the child.
    """

    def __init__(self, deployment: str | UUID, **options: Unpack[SyncUploaderOptions]) -> None:
        """Store the settings; nothing is started. What was not opened may be forked.

        Args:
            deployment: Name of the deployment, or its id as a UUID.
            **options: Those of `AsyncDeployment.uploader`, and those of `AsyncClient`; `retry` is for both. `on_outcome`, `on_health` and
                `progress` are called in the uploader's thread: they must be quick, and must not wait for this uploader.

        Raises:
            ConfigurationError: An option is out of range, or options contradict each other.
            TypeError: There is no such option.
        """
        self._run: _Run | None = None
        self._durations = _Durations()
        self._deployment: str | UUID = deployment
        if "api_token" in options:
            options["api_token"] = hide(options["api_token"])  # tracebacks may show variables
        given: dict[str, Any] = dict(options)
        self._client = {name: value for name, value in given.items() if name in _OF_CLIENT}
        self._options = {name: value for name, value in given.items() if name not in self._client or name == "retry"}
        check_names(self._options)
        Options(**self._options)
        if not isinstance(deployment, UUID):
            text(deployment, "deployment")

    def __repr__(self) -> str:
        """Return the deployment and the state."""
        run = self._run
        state = "new" if run is None else "closed" if run.ended.is_set() else "open"
        return f"<SyncUploader of {str(self._deployment)!r}, {state}>"

    # Life.

    def open(self) -> Self:
        """Start the thread, connect, and open the uploader; return when frames can be submitted.

        In a forked child it begins anew, with an account of its own.

        Raises:
            ClosedError: It was opened before in this process.
            ConfigurationError: No token, or an option of the client that cannot be used.
            NotFoundError: There is no such deployment.
            PicselliaError: What else keeps the client from connecting, or the uploader from opening its spool.
        """
        if self._run is not None and self._run.process == os.getpid():
            raise ClosedError("a SyncUploader is opened once in a process; make another one with SyncUploader(...)")
        if self._run is not None:
            _inherited.append(self._run)
        self._durations = self._durations.here()
        self._run = run = _Run(self._deployment, self._client, self._options, self._durations)
        run.start()
        forgotten = weakref.finalize(self, run.abandon)
        forgotten.atexit = False  # `_close_all` comes earlier, while threads can still be used
        return self

    def close(self) -> None:
        """Stop taking frames, deliver what is left for at most `close_timeout` seconds, and settle the rest; see `Uploader.aclose`.

        Threads that wait in `submit` get a ClosedError. Closing again waits for the same end; in a forked child it does nothing. A
        KeyboardInterrupt meanwhile ends the delivery at once, with the same account.

        Raises:
            ConfigurationError: Called in the uploader's own thread (from `on_outcome`, for instance), which would wait for itself.
        """
        if self._run is not None and self._run.process == os.getpid():
            self._run.close()

    def __enter__(self) -> Self:
        """Open it."""
        return self.open()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it, also when the block ended by an error."""
        self.close()

    @property
    def is_closed(self) -> bool:
        """Whether it was open and is not any more."""
        return self._run is not None and self._run.ended.is_set()

    # Submitting.

    def submit(self, frame: Frame) -> SyncReceipt:
        """Hand over a frame for delivery, from any thread; when it returns and what it raises, see `UploaderFromThread.submit`.

        Args:
            frame: What to deliver.

        Returns:
            A future of the outcome.

        Raises:
            ClosedError: Not open, closed or closing; or opened in the process that this one was forked from.
            PicselliaError: As `UploaderFromThread.submit`.
        """
        return self._opened.submit(frame)

    def flush(self, timeout: float | None = None) -> int:
        """Wait until every frame handed over so far has its outcome.

        Args:
            timeout: Seconds to wait at most; None: no limit.

        Returns:
            How many of these frames have no outcome yet: 0, unless the time ran out.

        Raises:
            ClosedError: Not open, or opened in the process that this one was forked from.
            ConfigurationError: This is the uploader's own thread.
        """
        return self._opened.flush(timeout)

    def pause(self) -> None:
        """Send nothing but what is under way, until `resume`; see `Uploader.pause`."""
        self._opened.pause()

    def resume(self) -> None:
        """Send again. Not open: a ClosedError."""
        self._opened.resume()

    # Telling.

    def statistics(self) -> UploaderStatistics:
        """Return a snapshot of the numbers; frames in the buffer before the uploader are not in it yet. Not open yet: a ClosedError."""
        return self._opened.statistics()

    @property
    def report(self) -> UploadReport:
        """The account so far; once closed it is final, balanced, and has every frame that `submit` took. Not open yet: a ClosedError."""
        return self._opened.report

    @property
    def _opened(self) -> UploaderFromThread:
        run = self._run
        if run is None or run.uploader is None:
            raise ClosedError("the uploader is not open: use `with SyncUploader(...) as uploader`, or open()")
        return run.uploader


def record_durations(uploader: SyncUploader, record: Callable[[float], object]) -> None:
    """Have a function called with the seconds from acceptance to delivery of each frame from now on, in the uploader's thread; for metrics."""
    durations = uploader._durations = uploader._durations.here()  # noqa: SLF001 - one module
    durations.add(record)


def statistics_here(uploader: SyncUploader) -> UploaderStatistics | None:
    """Return a snapshot of the numbers; None where it was not opened in this process: those of the one it was forked from are not ours."""
    run = uploader._run  # noqa: SLF001 - one module
    return uploader.statistics() if run is not None and run.process == os.getpid() and run.uploader else None


class _Durations:
    """Who is told how long frames took: kept for the uploader that `open` makes, and for one that is open."""

    def __init__(self, recorders: Iterable[Callable[[float], object]] = ()) -> None:
        self._process = os.getpid()
        self._lock = threading.Lock()  # `add` is called in any thread, `attach` in the uploader's
        self._recorders = list(recorders)
        self._uploader: Uploader | None = None

    def here(self) -> _Durations:
        """Return these; in a forked child others with the same recorders, as a thread of the parent may have held the lock."""
        return self if self._process == os.getpid() else _Durations(self._recorders)

    def add(self, record: Callable[[float], object]) -> None:
        with self._lock:
            self._recorders.append(record)
            if self._uploader is not None:
                record_uploader_durations(self._uploader, record)

    def attach(self, uploader: Uploader) -> None:
        with self._lock:
            self._uploader = uploader
            for record in self._recorders:
                record_uploader_durations(uploader, record)


class _Run:
    """One life of an uploader in a thread."""

    def __init__(
        self,
        deployment: str | UUID,
        client: dict[str, Any],
        options: dict[str, Any],
        durations: _Durations,
    ) -> None:
        self._deployment = deployment
        self._client = client
        self._options = options
        self._durations = durations
        self.process = os.getpid()
        self.uploader: UploaderFromThread | None = None
        """Set when it is open."""
        self.ended = threading.Event()
        """Set when nothing more happens in the thread."""
        self._opened: Future[UploaderFromThread] = Future()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[Any] | None = None
        self._stop = asyncio.Event()
        # A daemon: at the end of the program Python would wait for it before anybody could tell it to stop. `_close_all` does.
        self._thread = threading.Thread(target=self._main, name="picsellia-uploader", daemon=True)

    def start(self) -> None:
        """Start the thread, and wait until it has opened the uploader."""
        _register_close_all()
        try:
            self._thread.start()
        except RuntimeError:  # the system gives no thread
            self.ended.set()
            raise
        _open.add(self)
        try:
            self.uploader = self._opened.result()
        except BaseException:
            self._call(self._abort)  # Ctrl-C; where opening failed there is nothing left to end
            self._join()
            raise

    def _main(self) -> None:
        try:
            asyncio.run(self._serve())
        except asyncio.CancelledError:  # `_abort`
            if not self._opened.done():
                self._opened.set_exception(ClosedError("opening the uploader was interrupted"))
        except BaseException as error:
            if self._opened.done():
                logger.exception("the thread of a SyncUploader ended by an error")
            else:
                self._opened.set_exception(error)
        finally:
            self.ended.set()

    async def _serve(self) -> None:
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        async with (
            AsyncClient(**self._client) as client,
            (await self._find(client)).uploader(**self._options) as uploader,
        ):
            self._durations.attach(uploader)
            self._opened.set_result(uploader.from_thread())
            await self._stop.wait()

    async def _find(self, client: AsyncClient) -> AsyncDeployment:
        if isinstance(self._deployment, UUID):
            return await client.get_deployment_by_id(uuid(self._deployment, "deployment"))
        return await client.get_deployment(self._deployment)

    def close(self) -> None:
        """End it, and wait for the end."""
        if threading.current_thread() is self._thread:
            raise ConfigurationError(
                "close() was called in the uploader's own thread (from on_outcome, for instance), which would wait for itself"
            )
        self._call(self._stop.set)
        self._join()

    def _join(self) -> None:
        try:
            self.ended.wait()
        except BaseException:  # Ctrl-C while closing: the second cancellation of an async uploader
            self._call(self._abort)
            self.ended.wait()
            raise
        finally:
            if self.ended.is_set():
                if self._thread.is_alive():  # or it was never started
                    self._thread.join()
                _open.discard(self)

    def _call(self, call: Any) -> None:
        """Have the loop call something, where it still runs."""
        if self._loop is not None and not self.ended.is_set():
            try:
                self._loop.call_soon_threadsafe(call)
            except RuntimeError:
                return  # it ended just now

    def _abort(self) -> None:
        if self._task is not None:
            self._task.cancel()
            asyncio.get_running_loop().call_later(_ABORT_SECONDS, self._task.cancel)

    def abandon(self) -> None:
        """Nobody has the uploader any more, and it was not closed."""
        if self.process == os.getpid() and not self.ended.is_set():
            uploader = self.uploader
            self._call(self._stop.set)  # not waited for: this may be any thread, in the middle of anything
            _tell_unclosed("a SyncUploader was left without being closed, and closes now: {}", uploader)

    def close_forgotten(self) -> None:
        """The program ends, and nobody closed the uploader."""
        if self.process == os.getpid() and not self.ended.is_set():
            self.close()
            _tell_unclosed(
                "a SyncUploader was open when the main thread ended, and was closed then: {}. A thread that still uses it must be "
                "joined first",
                self.uploader,
            )


_open: Final[set[_Run]] = set()
"""Lives that have not ended: held here, also where nobody else holds them."""
_inherited: Final[list[_Run]] = []
"""Lives of the process that this one was forked from. Held for good: what is in them is the parent's to close and to tell of."""
_NUMBERS: Final = ("accepted", "delivered", "rejected", "dropped", "spooled", "refused", "may_be_stored")
_SAID: Final = {
    "spooled": "left in the spool",
    "refused": "not taken",
    "may_be_stored": "of the rejected and dropped may be stored all the same",
    "pending": "without outcome yet",
}
_is_registered = False


def _register_close_all() -> None:
    """Have what is still open closed at the end of the program.

    Not by `atexit`: that comes when the pools of threads in the standard library take no more work, which the uploader needs. They use
    the same hook.
    """
    global _is_registered  # noqa: PLW0603 - one hook for the process
    if not _is_registered:
        getattr(threading, "_register_atexit", atexit.register)(_close_all)
        _is_registered = True


def _close_all() -> None:
    for run in list(_open):
        run.close_forgotten()


def _tell_unclosed(what: str, uploader: UploaderFromThread | None) -> None:
    """Tell that nobody closed an uploader, and what became of its frames."""
    report = None if uploader is None else uploader.report
    numbers: dict[str, object] = {} if report is None else {name: getattr(report, name) for name in _NUMBERS}
    if report is not None:
        numbers["pending"] = report.accepted - report.delivered - report.rejected - report.dropped - report.spooled
    said = ", ".join(f"{count} {_SAID.get(name, name)}" for name, count in numbers.items() if count)
    message = f"{what.format(said or 'it had no frames')}; use `with`, or call close()"
    write(Line(logging.ERROR, message, numbers))
    warnings.warn(message, ResourceWarning, stacklevel=1)
