"""`camera`: live video that is never waited for unless you say so, and that comes back after trouble. Needs the extra `video`."""

from __future__ import annotations

import asyncio
import enum
import functools
import os
import random
import threading
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Collection, Mapping
from contextlib import closing
from typing import Final, get_args

import anyio.to_thread
import attrs

from picsellia_async._delivery.callback_log import CallbackLog
from picsellia_async._http.retry import backoff
from picsellia_async._log_line import Line, write
from picsellia_async.config import RetryPolicy
from picsellia_async.errors import ClosedError, ConfigurationError, shown
from picsellia_async.image_header import OrientationRule
from picsellia_async.sources._camera_log import CameraLog
from picsellia_async.sources._closeable import Closeable
from picsellia_async.sources._decoder import Reading
from picsellia_async.sources._errors import SourceError
from picsellia_async.sources._image import Image
from picsellia_async.sources._opening import is_file, open_av
from picsellia_async.sources._reading_threads import start_reading
from picsellia_async.sources._thread_queue import REASONS, Counts, Policy, ThreadQueue
from picsellia_async.sources._video_settings import Pixels, VideoSettings, checked_settings
from picsellia_async.validation import choice, whole_number

_WATCHES: Final = 5
"""Looks in the time after which silence is a failure."""

RECONNECT: Final = RetryPolicy(attempts=2**31, total=None, backoff_initial=0.5, backoff_max=30.0)
"""As often as it takes: a camera may be away for a night."""


SILENT_SECONDS: Final = 5.0
"""Without a packet, after which a camera counts as failing, unless half of its `timeout` is more."""


class CameraState(enum.StrEnum):
    """What a camera is doing."""

    IDLE = "idle"
    """Nobody iterates over it yet."""
    CONNECTING = "connecting"
    """It is being opened, or is open and has given no picture yet."""
    LIVE = "live"
    """Pictures come: at least one since it was opened."""
    FAILING = "failing"
    """Nothing came for 5 seconds (half of `timeout` where that is longer), or it sends, and none of its pictures is whole: for 5 seconds,
    or 10 in a row came damaged."""
    WAITING = "waiting"
    """It failed, and is opened again after a while."""
    ENDED = "ended"
    """The stream ended, or the last attempt failed."""
    CLOSED = "closed"
    """Its reader left, or `aclose` was called."""


@attrs.frozen(kw_only=True)
class CameraStatistics:
    """A snapshot of a camera. Each frame received is in one count: `received == taken + buffered + dropped`."""

    state: CameraState
    """What it is doing."""
    received: int
    """Frames decoded and chosen by `every`."""
    taken: int
    """Frames that the reader has."""
    late: int
    """Of these, those that were late (`Image.is_late`): with `drop_oldest` since for a second, or to the end of the stream, no other came."""
    buffered: int
    """Frames that wait for the reader."""
    dropped: int
    """Frames given up."""
    dropped_by_reason: dict[str, int]
    """The same by reason: `full_oldest` and `full_newest`, the buffer was full; `late`, it could not be handed over in time, and in most
    cases not even made a picture (with `drop_oldest` alone); `closed`, it was in the buffer, or came, at the end."""
    damaged: int
    """Pictures that came damaged and were passed over; they are not among those received."""
    corrupted: int
    """Pictures that build on damaged or missing ones: with `discard_corrupted=True` passed over as well, else among those received."""
    connects: int
    """Times that it was opened."""
    failures: int
    """Times that opening failed or the stream broke off."""
    ends: int
    """Times that the camera ended its stream by itself, without an error."""
    callback_errors: int
    """Times that `on_state` raised."""
    last_error: SourceError | None
    """The latest failure."""


class Camera(Closeable):
    """A live source, made by `camera`. An async iterable of `Image`, for one reader, once."""

    def __init__(
        self,
        settings: VideoSettings,
        policy: Policy,
        buffer: int,
        reconnect: RetryPolicy | None,
        on_state: OnState | None,
    ) -> None:
        """Store the settings; nothing is opened before the iteration begins. See `camera`."""
        self._settings = settings
        self._policy = policy
        self._capacity = buffer
        self._reconnect = reconnect
        self._on_state = on_state
        self._queue: ThreadQueue[Image] | None = None
        self._reading: Reading | None = None
        self._state = CameraState.IDLE
        self._connects = self._failures = self._ends = self._callback_errors = 0
        self._last_error: SourceError | None = None
        self._picture_at = 0.0
        """When the last picture that was handed over came, or was due, on the monotonic clock."""
        self._log = CameraLog(settings.name)
        settings.name.begin()
        self._next_watch: asyncio.TimerHandle | None = None
        self._turning = threading.Lock()
        """The reading thread and the loop of the reader both change the state."""
        self._untold: deque[CameraState] = deque()
        """States that `on_state` was not called with yet, in their order."""
        self._is_telling = False
        """Whether a thread calls `on_state` with them."""
        self._raised = CallbackLog(lambda: settings.name.in_words)
        """What it raised; for who holds `_turning`."""

    def __repr__(self) -> str:
        """Return address and state; user, password and query are not shown."""
        return f"<Camera {self._settings.shown!r} {self._state.value}>"

    @property
    def source(self) -> str:
        """Name of its frames' `Image.source`."""
        return self._settings.source

    @property
    def policy(self) -> Policy:
        """What happens when the buffer is full."""
        return self._policy

    async def aclose(self) -> None:
        """End the iteration at once, also while it connects.

        The thread that hangs in a connect or read is not waited for; it ends by itself within `timeout` seconds.
        """
        try:
            self._turn(CameraState.CLOSED)
        finally:  # `on_state` may end the program
            self._tell_raised(is_end=True)
            self._settings.name.end()
            if self._queue is not None:
                self._queue.stop()

    def statistics(self) -> CameraStatistics:
        """Return a snapshot of the numbers."""
        counts = Counts(0, 0, 0, 0, dict.fromkeys(REASONS, 0)) if self._queue is None else self._queue.counts()
        return CameraStatistics(
            state=self._state,
            received=counts.received,
            taken=counts.taken,
            late=counts.late,
            buffered=counts.waiting,
            dropped=sum(counts.dropped.values()),
            dropped_by_reason=counts.dropped,
            damaged=0 if self._reading is None else self._reading.damaged,
            corrupted=0 if self._reading is None else self._reading.corrupted,
            connects=self._connects,
            failures=self._failures,
            ends=self._ends,
            callback_errors=self._callback_errors,
            last_error=self._last_error,
        )

    async def __aiter__(self) -> AsyncGenerator[Image, None]:
        """Open the camera, and yield its frames as they come.

        Raises:
            SourceError: It cannot be opened or broke off, and `reconnect` gives no further attempt.
            ConfigurationError: It is a file, and `reconnect` was not given; or PyAV is not installed.
            ClosedError: It was closed, or iterated over before.
        """
        await anyio.to_thread.run_sync(open_av)  # an import of 80 ms
        if self._state is not CameraState.IDLE:
            raise ClosedError("a camera is read once, by one reader; make another one with camera(...)")
        self._queue = queue = ThreadQueue[Image](self._capacity, self._policy, _marked_late)
        self._reading = reading = Reading(
            settings=self._settings, connected=self._connected, judged=self._judged,
            left_out=queue.leave_out if self._policy == "drop_oldest" else None,
            is_awaited=queue.is_awaited, buffer=self._capacity, is_once=self._reconnect is None, rest=queue.rest,
            is_over=lambda: queue.is_stopped,
        )  # fmt: skip
        self._turn(CameraState.CONNECTING)
        start_reading(f"camera {self._settings.source}", functools.partial(self._read, queue, reading), queue.stop)
        self._watch(reading, asyncio.get_running_loop())
        try:
            while (image := await queue.take()) is not None:
                yield image
            self._turn(CameraState.ENDED)
        finally:
            if self._next_watch is not None:
                self._next_watch.cancel()
            queue.stop()
            await self.aclose()

    def _watch(self, reading: Reading, loop: asyncio.AbstractEventLoop) -> None:
        """Turn to `failing` where nothing comes: the thread that waits for it cannot."""
        if self._is_silent(reading):
            self._turn(CameraState.FAILING, {CameraState.CONNECTING, CameraState.LIVE})
        self._tell_raised()
        self._next_watch = loop.call_later(self._silent_seconds / _WATCHES, self._watch, reading, loop)

    @property
    def _silent_seconds(self) -> float:
        return max(SILENT_SECONDS, self._settings.timeout / 2)

    def _is_silent(self, reading: Reading) -> bool:
        return time.monotonic() >= reading.waits_since + self._silent_seconds

    # In the thread.

    def _read(self, queue: ThreadQueue[Image], reading: Reading) -> None:
        attempt = 0
        try:
            if self._reconnect is RECONNECT and self._settings.webcam is None and is_file(self._settings.address):
                self._turn(CameraState.ENDED)
                raise ConfigurationError(
                    f"{self._settings.shown!r} is a file: video(...) gives every frame of it, once. A camera reads as fast as it "
                    "can and drops what the reader is too slow for; reconnect=None plays the file once so, a RetryPolicy again "
                    "and again"
                )
            while not queue.is_stopped:
                before = reading.number
                error = self._read_once(queue, reading)
                attempt = 1 if reading.number > before else attempt + 1
                if queue.is_stopped:
                    break
                if self._reconnect is None or attempt >= self._reconnect.attempts:
                    self._turn(CameraState.ENDED)
                    write(self._log.ended("" if error is None else str(error)))
                    return queue.end(error)
                self._turn(CameraState.WAITING)
                now = time.monotonic()
                had_frames = reading.number > before
                if error is None:
                    write(self._log.stream_ended(now, had_frames=had_frames))
                else:
                    write(self._log.failed(now, str(error), self._picture_at if had_frames else None))
                if not self._rest(queue, backoff(self._reconnect, attempt, random.random)):
                    break
                self._turn(CameraState.CONNECTING)
            queue.end()
        except BaseException as error:  # the reader must not wait for ever
            queue.end(error)
            if not isinstance(error, Exception):
                raise
        return None

    def _rest(self, queue: ThreadQueue[Image], seconds: float) -> bool:
        """Wait for the next attempt, and tell meanwhile that the camera is away; return whether there is one."""
        until = time.monotonic() + seconds
        while (now := time.monotonic()) < until:
            if not queue.rest(max(0.0, min(until, self._log.next_at) - now)):
                return False
            write(self._log.waiting(time.monotonic()))
        return True

    def _read_once(self, queue: ThreadQueue[Image], reading: Reading) -> SourceError | None:
        """Open and read until it ends; return what it failed with, None for an end of its own."""
        try:
            with closing(reading.images()) as images:
                for image in images:
                    if not queue.put(image, reading.until):
                        break
                    self._picture_at = reading.came_at
        except SourceError as error:
            if not queue.is_stopped:  # what a reader who left ended is no failure
                self._failures += 1
                self._last_error = error
            return error
        if not queue.is_stopped:
            self._ends += 1
        return None

    def _connected(self) -> None:
        self._connects += 1
        write(self._log.opened())

    def _judged(self, *, is_whole: bool, is_picture: bool = True) -> None:
        now = time.monotonic()
        write(self._log.whole(now) if is_whole else self._log.damaged(now, is_picture=is_picture))
        if self._log.is_damaged:
            self._turn(CameraState.FAILING)
        elif is_whole and self._reading is not None and not self._reading.is_given_up:
            write(self._log.picture(now))
            self._turn(CameraState.LIVE, {CameraState.CONNECTING, CameraState.FAILING})

    def _turn(self, state: CameraState, only_from: Collection[CameraState] = frozenset(CameraState)) -> None:
        with self._turning:
            if self._state in {CameraState.CLOSED, CameraState.ENDED, state} or self._state not in only_from:
                return
            self._state = state
            if self._on_state is not None:
                self._untold.append(state)
        self._tell()

    def _tell(self) -> None:
        """Call `on_state` with what is untold, outside of the lock: else the loop would wait for a call in the thread.

        Where another thread does so, it tells these as well, so that they keep their order.
        """
        while True:
            with self._turning:
                if self._is_telling or not self._untold or self._on_state is None:
                    return
                state, self._is_telling = self._untold.popleft(), True
            raised: BaseException | None = None
            try:
                self._on_state(state)
            except BaseException as error:  # what it raises must not end the camera
                raised = error
                if isinstance(error, (KeyboardInterrupt, SystemExit)):
                    raise
            finally:
                with self._turning:
                    self._is_telling = False
                    if raised is not None:
                        self._callback_errors += 1
                        self._raised.raised("on_state", raised)
            self._tell_raised()

    def _tell_raised(self, *, is_end: bool = False) -> None:
        """Tell the log what `on_state` raised, if it is time to."""
        with self._turning:
            lines = self._raised.rest() if is_end else self._raised.due(time.monotonic())
        write(
            *(Line(line.level, line.text, {**self._settings.name.fields, **line.fields}, line.below) for line in lines)
        )


OnState = Callable[[CameraState], object]
"""Called with each new state, from the thread that reads or the loop that takes; must be quick. What it raises is logged and counted."""


def camera(
    url: str | os.PathLike[str] | int,
    *,
    policy: Policy = "drop_oldest",
    buffer: int = 1,
    reconnect: RetryPolicy | None = RECONNECT,
    every: int = 1,
    every_seconds: float | None = None,
    quality: int = 90,
    pixels: Pixels | None = None,
    orientation: OrientationRule = "shown",
    source: str | None = None,
    timeout: float = 10.0,
    options: Mapping[str, str] | None = None,
    format: str | None = None,  # noqa: A002 - FFmpeg's word
    discard_corrupted: bool = False,
    on_state: OnState | None = None,
) -> Camera:
    """Return a live source: RTSP, MJPEG over HTTP, a webcam, or anything else that FFmpeg opens.

    A thread reads and decodes as fast as frames come; `buffer` frames wait for the reader at most. With "drop_oldest" and a buffer of
    one frame, a frame that is handed over is at most two frame times old (80 ms where these are shorter), plus what the network takes,
    however slow reader and machine are: what is late is dropped and counted. Only where nothing else comes for a second a late one is
    handed over (`Image.is_late`). MJPEG over HTTP has no clock, so that this does not hold for it: late are those behind a silence,
    as many as it has room for, and those of which more than four came in a row without a wait. A picture that comes damaged is passed
    over and counted, and where nothing whole comes any more that is told (`CameraState.FAILING`). Pictures of an MJPEG camera are passed
    on as they came. The logger `picsellia_async` tells of the first failure, each 30 seconds of failing, and when the camera is back.

    Args:
        url: Address; user and password in it are shown nowhere. A number, also as text, is a webcam: 0 is `/dev/video0` on Linux. HTTP
            takes basic and digest sign-in, and does not check certificates, which cameras make themselves.
        policy: When the buffer is full: "drop_oldest" (the reader always gets the newest there is), "drop_newest", or "wait"
            (nothing is dropped here; what the camera does meanwhile is its own affair).
        buffer: Frames that may wait, each a JPEG. More of them bridge a reader's pauses, and are as much older when they are taken.
        reconnect: Waits between attempts, and how many in a row may fail (`total`, `statuses` and `retry_after_max` do not apply). An
            attempt that gave frames begins a new row. None: the first end or failure is the last. A file needs one or the other said:
            by default it is refused, since `video` is what reads it.
        every: Take every n-th frame.
        every_seconds: Instead, take a frame per so many seconds of the video's clock.
        quality: Of the JPEG, 1 to 100, where the camera does not send JPEG itself.
        pixels: "rgb" or "bgr" adds the decoded frame as a numpy array.
        orientation: "shown" turns pictures as the stream's metadata ask for; "stored" does not.
        source: Name for `Image.source` and file names; by default host and path, or the device's name.
        timeout: Seconds for opening, and without a packet, after which the camera counts as failed.
        options: Options of FFmpeg, which then opens MJPEG over HTTP too; RTSP goes over TCP unless they say otherwise.
        format: FFmpeg's name of the input format, where it cannot be told from the address.
        discard_corrupted: Whether to leave out pictures that build on a damaged or missing one, up to the next key frame; else they are
            given with `Image.is_corrupted`. Both are counted.
        on_state: Called with each new state, from the thread that reads or the loop that takes; must be quick.
            What it raises is logged, and counted in `callback_errors`.

    Raises:
        ConfigurationError: An argument is of the wrong kind or out of range. While iterating: PyAV is not installed, or `url` is a
            file and `reconnect` was not given.
    """
    if reconnect is not None and not isinstance(reconnect, RetryPolicy):
        raise ConfigurationError(f"reconnect must be a RetryPolicy or None, got {shown(reconnect)}")
    settings = checked_settings(
        url, every=every, every_seconds=every_seconds, quality=quality, pixels=pixels, orientation=orientation, source=source,
        started_at=None, timeout=timeout, options=options, format=format,
        discard_corrupted=discard_corrupted, is_live=True,
    )  # fmt: skip
    choice(policy, "policy", get_args(Policy))
    return Camera(settings, policy, whole_number(buffer, "buffer", 1), reconnect, on_state)


def call_camera(source: Camera, name: str) -> None:
    """Have the log call a camera so: its frames, and what else is told of them, have that name in a pipeline.

    Args:
        source: The camera, before it is read.
        name: What the pipeline calls it.
    """
    source._settings.name.call(name)  # noqa: SLF001 - one module


def _marked_late(image: Image) -> Image:
    return attrs.evolve(image, is_late=True)
