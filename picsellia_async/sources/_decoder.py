"""Decoding and stepping through video with PyAV (extra `video`, imported on use). Blocking: for threads of its own.

No error of PyAV leaves this module: their messages hold the address with its password. A packet that cannot be decoded costs its
own frames and is counted; only what cannot be read on ends the reading.
"""

from __future__ import annotations

import datetime
import math
import secrets
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any, Final, Protocol

import attrs

from picsellia_async._log_line import write
from picsellia_async.sources._camera_http import is_web
from picsellia_async.sources._clock import Clock, Step, seconds_of
from picsellia_async.sources._container import aspect, ends_early, matrix
from picsellia_async.sources._damage import Damage, Decoding
from picsellia_async.sources._errors import SourceError
from picsellia_async.sources._idle_time import idle_seconds
from picsellia_async.sources._image import Image
from picsellia_async.sources._jpeg import (
    STRICT,
    JpegWriter,
    Turn,
    is_one_jpeg,
    is_plain_jpeg,
    is_whole_jpeg,
    jpeg_size,
)
from picsellia_async.sources._lateness import Lateness
from picsellia_async.sources._live_playlist import (
    SEGMENT_SECONDS,
    PlaylistWatch,
    fetch_text,
    is_playlist_address,
)
from picsellia_async.sources._multipart import Picture, Splitter, is_for_us, open_stream, pictures
from picsellia_async.sources._opening import best_stream, is_file, open_av, open_video, reason_of, silence
from picsellia_async.sources._playlist import Playlist, tell_what_lacks
from picsellia_async.sources._video_settings import VideoSettings

_DAMAGE_IN_A_ROW_MAX: Final = 1000
"""Reads that may fail one after the other before a file counts as unreadable."""

_FRAME_A_PACKET: Final = frozenset({"h264", "hevc", "mpeg4", "mpeg2video"})
"""Codecs of which each packet of a file makes one frame."""

_BARE_JPEG: Final = frozenset({"mjpeg", "jpeg_pipe"})
"""Formats of files that are one JPEG after the other."""
_READ_BYTES: Final = 2**18

_LIMITED: Final = 1
"""FFmpeg's number for levels of 16 to 235."""


class Judged(Protocol):
    """Called with each picture that came."""

    def __call__(self, *, is_whole: bool, is_picture: bool = True) -> object:
        """Take note of it.

        Args:
            is_whole: Whether it is of use.
            is_picture: Whether it came damaged itself; else it builds on one that did, or what was sent makes no picture.
        """


def _nobody(*, is_whole: bool, is_picture: bool = True) -> None:
    """Take no note."""


def _slept(seconds: float) -> bool:
    time.sleep(seconds)
    return True


@attrs.define(kw_only=True)
class Reading:
    """One reading of a video, over as many connections as it takes. Written by one thread."""

    settings: VideoSettings
    connected: Callable[[], object] = lambda: None
    """Called once the video is open."""
    judged: Judged = _nobody
    """Called with each picture, from the thread that reads."""
    left_out: Callable[[], object] | None = None
    """Called for each picture that is left out since it is late; None: none may be."""
    is_awaited: Callable[[], bool] = lambda: False
    """Whether the reader takes a late one."""
    buffer: int = 1
    """Pictures that may wait for the reader."""
    is_once: bool = False
    """Whether a camera is not opened again when it ends."""
    is_over: Callable[[], bool] = lambda: False
    """Whether no frames are wanted any more: a stream of which none can be used would be read for ever."""
    rest: Callable[[float], bool] = _slept
    """Waits for so many seconds, and returns whether frames are still wanted."""
    damaged: int = 0
    """Frames and packets that could not be decoded, or lack data."""
    corrupted: int = 0
    """Frames that build on those."""
    waits_since: float = attrs.field(default=math.inf, init=False)
    """Since when nothing came, on the monotonic clock; inf where that is not waited for."""
    is_given_up: bool = attrs.field(default=False, init=False)
    """Whether nothing came for too long: what FFmpeg had of pictures is then handed over, and is no sign of life."""
    number: int = attrs.field(default=0, init=False)
    """Of the next frame, in file names."""
    _stamp: str = attrs.field(init=False)
    _writer: JpegWriter = attrs.field(init=False)
    _turn: Turn = attrs.field(factory=Turn, init=False)
    _lateness: Lateness | None = attrs.field(default=None, init=False)
    """Of a camera; None for a file, which has no age."""
    _watch: PlaylistWatch | None = attrs.field(default=None, init=False)
    """Of a camera that is a live playlist."""
    _aspect: Fraction = attrs.field(factory=lambda: Fraction(1), init=False)
    """Width of a pixel by its height."""

    def __attrs_post_init__(self) -> None:
        """Name the reading, so that no other one, on whatever host, gives its frames the same names."""
        now = datetime.datetime.now(datetime.UTC)
        self._stamp = f"{self.settings.file_stem}-{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(6)}"
        self._writer = JpegWriter(self.settings.quality, self.settings.pixels)

    @property
    def until(self) -> float:
        """Monotonic seconds until which the latest picture is in time."""
        return math.inf if self._lateness is None else self._lateness.until

    @property
    def came_at(self) -> float:
        """Monotonic seconds at which the latest picture came, or would have come if nothing had held it back."""
        return time.monotonic() if self._lateness is None else self._lateness.came_at

    def _is_damaged(self) -> None:
        """Count a picture that lacks data."""
        self.damaged += 1
        self.judged(is_whole=False)

    def images(self) -> Generator[Image, None, None]:
        """Yield the chosen frames as JPEG; closing the generator closes the file or connection.

        Raises:
            SourceError: It cannot be opened, is no video, broke off, or gave no frame at all.
        """
        settings, self.is_given_up = self.settings, False
        if settings.format is None and not settings.options and is_for_us(settings.address):
            response = open_stream(settings.address, settings.shown, settings.timeout)
            if response is not None:
                self.connected()
                step = Step(settings)
                self._begin_lateness()
                with closing(pictures(response, settings.shown)) as found:
                    for picture in self._waited(found):
                        if picture is None:
                            self.judged(is_whole=False, is_picture=False)
                        else:
                            late = self._lateness
                            came = picture.came if late is None else min(picture.came, self._due(late))
                            yield from self._from_jpeg(picture.data, None, came, step, picture.is_whole)
                return
        yield from self._with_ffmpeg(open_av())

    def _with_ffmpeg(self, av: ModuleType) -> Generator[Image, None, None]:
        settings = self.settings
        container, playlist = self._opened(av)
        before = self.number
        try:
            stream = best_stream(av, container, settings)
            self.connected()
            told = tell_what_lacks(playlist, settings.told)
            self.damaged += told
            if container.format.name in _BARE_JPEG and is_file(settings.address):
                rate = stream.guessed_rate
                container.close()
                yield from self._from_file_of_jpegs(float(rate) if rate else None)
                return
            clock = Clock(stream, settings, begins=playlist.begins if playlist else 0.0)
            yield from self._from_stream(av, container, stream, clock, Damage(stream, told))
            is_cut = ends_early(stream, settings, clock)
            if stream.codec_context.name in _FRAME_A_PACKET and not settings.is_live:
                # Some decoders leave a frame out without a word.
                self.damaged = max(self.damaged, clock.packets - clock.frames)
        finally:
            container.close()
        if is_cut:
            raise SourceError(f"{settings.shown!r} is cut off: it ends before its last frame")
        if self.number == before:
            raise SourceError(f"{settings.shown!r} gave no frame: {self.damaged or 'no'} packets could not be decoded")

    def _opened(self, av: ModuleType) -> tuple[Any, Playlist | None]:
        """Open the video; of a live playlist once it has a segment that was not given before."""
        settings = self.settings
        if self._watch is None and settings.is_live and is_playlist_address(settings.address, settings.format):
            self._watch = self._playlist_watch()
        if self._watch is None:
            container, playlist = open_video(av, settings)
            if not settings.is_live or container.format.name != "hls" or not is_web(settings.address):
                return container, playlist
            container.close()
            self._watch = self._playlist_watch()
        opened = open_video(av, settings, is_last_new=self._watch.wait())
        if self.left_out is not None:
            write(self._watch.line_of_segments(settings.name))
        self._watch.forget()
        return opened

    def _playlist_watch(self) -> PlaylistWatch:
        settings = self.settings
        return PlaylistWatch(
            settings.address,
            settings.shown,
            settings.timeout,
            lambda address: fetch_text(address, settings),
            self.rest,
            self.is_once,
        )

    def _from_stream(
        self, av: ModuleType, container: Any, stream: Any, clock: Clock, damage: Damage
    ) -> Iterator[Image]:
        step, decoding = Step(self.settings), Decoding(av, stream)
        unknown = SEGMENT_SECONDS if container.format.name == "dash" else 0.0
        piece = unknown if self._watch is None else self._watch.segment_seconds
        self._begin_lateness(is_parsed=clock.is_parsed, piece=piece)
        self._turn, self._aspect, is_first = Turn(), Fraction(1), True
        is_mjpeg = stream.codec_context.name == "mjpeg"
        passes = is_mjpeg and stream.codec_context.color_range != _LIMITED
        for packet in self._packets(av, container, stream):
            if packet is None:  # it breaks off
                yield from self._known(decoding.rest(), damage, clock, step, is_all=True)
                continue
            clock.read(packet, None if self._lateness is None else self._due(self._lateness))
            # They did not come, so that nothing is judged by them: a recorder that paused leaves out scores of them.
            self.damaged += damage.read(packet)
            if self._passes_over(packet, damage):
                yield from self._known(decoding.rest(), damage, clock, step, is_all=True)
                self._leave_out_chosen(clock.position_passed_over(packet), step)
                continue
            data = bytes(packet) if is_mjpeg and packet.size else b""
            if data and not is_whole_jpeg(data):
                self._is_damaged()
                continue
            frames = None
            if is_first or not (passes and is_plain_jpeg(data)):
                frames = self._frames(av, packet, decoding, damage)
            if is_first and frames:
                is_first = False
                self._learn(frames[0], stream)
                passes = passes and not self._turn
                if passes and is_plain_jpeg(data):
                    frames = None
            if frames is None:
                yield from self._from_jpeg(data, clock.position(packet), clock.captured(packet), step)
                continue
            if not frames:  # nothing yet; or nothing before the next key frame
                self.judged(is_whole=False, is_picture=False)
            yield from self._known(frames, damage, clock, step, is_all=not packet.size)

    def _learn(self, frame: Any, stream: Any) -> None:
        """Learn from the first frame, which is decoded in any case, how the video is to be turned: only frames tell.

        Only that one is asked, since PyAV keeps a frame that was asked until the garbage collector comes.
        """
        if self.settings.orientation == "shown":
            self._turn, self._aspect = Turn(matrix(frame)), aspect(stream)

    def _known(self, frames: list[Any], damage: Damage, clock: Clock, step: Step, *, is_all: bool) -> Iterator[Image]:
        """Take decoded frames; yield the pictures that are wanted, of those of which is known what they build on."""
        clock.frames += len(frames)
        damage.came(frames)
        for frame, place in damage.known(is_all=is_all):
            position = clock.position(frame)
            is_corrupted = damage.is_corrupted(place)
            if damage.was_counted(place):
                continue
            if frame.is_corrupt or (place.is_holed and not self.settings.is_live):
                self._is_damaged()
            elif is_corrupted and self.settings.discard_corrupted:
                self.corrupted += 1
                self.judged(is_whole=False, is_picture=False)
            else:
                self.judged(is_whole=True)
                if step.takes(position):
                    self.corrupted += is_corrupted
                    if not self._leaves_out():
                        yield self._from_frame(frame, position, clock.captured(frame), is_corrupted=is_corrupted)

    def _begin_lateness(self, *, is_parsed: bool = False, piece: float = 0.0) -> None:
        is_live = self.settings.is_live and not is_file(self.settings.address)
        self._lateness = Lateness(is_parsed, self.buffer, piece) if is_live else None

    def _arrived(self, waited: float, moment: float | None = None) -> None:
        if self._lateness is not None:
            self._lateness.read(waited, time.monotonic(), moment)

    @staticmethod
    def _due(lateness: Lateness) -> float:
        """Return the epoch seconds at which the latest packet came, or would have come if nothing had held it back."""
        return time.time() - (time.monotonic() - lateness.came_at)

    def _leaves_out(self) -> bool:
        """Return whether a picture that is to be made is late; then it is counted."""
        late = self._lateness
        if late is None or self.left_out is None or not late.leaves_out(time.monotonic(), is_awaited=self.is_awaited()):
            return False
        self._leave_out()
        return True

    def _leave_out(self) -> None:
        if self.left_out is not None:
            self.left_out()
        self.number += 1

    def _leave_out_chosen(self, position: float | None, step: Step) -> None:
        """Leave a picture out that is not decoded, if it would have been chosen."""
        if step.takes(position):
            self._leave_out()

    def _passes_over(self, packet: Any, damage: Damage) -> bool:
        """Return whether a packet is not to be decoded, since decoding is too slow for the camera."""
        late = self._lateness
        if late is None or self.left_out is None or not packet.size:
            return False
        was_passing, passes = late.is_passing_over, late.passes_over(time.monotonic(), is_key=packet.is_keyframe)
        if was_passing and not passes and not packet.is_keyframe:
            damage.lost()
        return passes

    def _waited(self, found: Iterator[Picture | None]) -> Iterator[Picture | None]:
        """Yield what comes; note since when it is waited for, and how long the thread slept for each picture."""
        slept = 0.0
        while not self.is_over():
            asked = 0.0 if self._lateness is None else idle_seconds()
            self.waits_since = time.monotonic()
            try:
                item = next(found)
            except StopIteration:
                return
            finally:
                self.waits_since = math.inf
            if self._lateness is not None:
                slept += idle_seconds() - asked
                if item is not None:
                    self._arrived(slept)
                    slept = 0.0
            yield item

    def _packets(self, av: ModuleType, container: Any, stream: Any) -> Iterator[Any]:
        """Yield the packets, at the end one without data, which gives back what the decoder holds, and None where it breaks off."""
        failure, failed = "", 0
        packets = container.demux(stream)
        while not failure and not self.is_over():
            asked = 0.0 if self._lateness is None else idle_seconds()
            self.waits_since = begun = time.monotonic()
            try:
                packet = next(packets)
            except (StopIteration, av.EOFError):
                self.waits_since = math.inf
                return
            except av.InvalidDataError as error:
                self._is_damaged()
                failed += 1
                if failed == _DAMAGE_IN_A_ROW_MAX:
                    failure = reason_of(error, self.settings.timeout)
                packets = container.demux(stream)  # the generator ended with the error, the file did not
            except (av.FFmpegError, OSError) as error:
                failure = reason_of(error, self.settings.timeout)
                self.is_given_up = failure == silence(self.settings.timeout)
            else:
                failed = 0
                if self.settings.is_live and time.monotonic() >= begun + self.settings.timeout:
                    # What FFmpeg had of a next packet when it gave up; asked for more it would wait for as long again.
                    failure, self.is_given_up = silence(self.settings.timeout), True
                else:
                    self.waits_since = math.inf
                if self._lateness is not None and packet.size:
                    stamp = packet.pts if packet.dts is None else packet.dts
                    self._arrived(idle_seconds() - asked, seconds_of(stamp, packet.time_base))
                yield packet
        self.waits_since = math.inf
        if failure:
            yield None
            # Raised outside of `except`: the error of PyAV, with the password in it, must not even be its context.
            raise SourceError(f"{self.settings.shown!r} broke off: {failure}")

    def _frames(self, av: ModuleType, packet: Any, decoding: Decoding, damage: Damage) -> list[Any]:
        begun = time.monotonic()
        try:
            frames = decoding.frames(packet)
        except av.EOFError:
            return []
        except (av.FFmpegError, OSError):
            self._is_damaged()
            damage.lost(packet)
            return []
        if self._lateness is not None:
            self._lateness.decoded(time.monotonic() - begun)
        return frames

    def _from_file_of_jpegs(self, rate: float | None) -> Iterator[Image]:
        """Yield the pictures of a file that is one JPEG after the other, each from its own mark: damage costs what it covers."""
        splitter, step, number, is_cut = Splitter(), Step(self.settings), 0, False
        with Path(self.settings.address).open("rb", buffering=0) as file:
            while not is_cut:
                data = file.read(_READ_BYTES)
                for picture in splitter.feed(data) if data else splitter.rest():
                    is_cut = not data
                    position = None if rate is None else number / rate
                    number += 1
                    is_whole = picture.is_whole and is_one_jpeg(picture.data)
                    yield from self._from_jpeg(picture.data, position, picture.came, step, is_whole)
                if not data:
                    break
        if is_cut:
            raise SourceError(f"{self.settings.shown!r} is cut off: it ends before its last frame")

    def _from_frame(self, frame: Any, position: float | None, captured: float, *, is_corrupted: bool = False) -> Image:
        begun = time.monotonic()
        data, pixels, width, height = self._writer.write(frame, self._turn, self._aspect)
        self._is_made(begun)
        return self._image(data, pixels, width, height, position, captured, is_corrupted=is_corrupted)

    def _is_made(self, begun: float) -> None:
        if self._lateness is not None:
            self._lateness.made(begun, time.monotonic())

    def _from_jpeg(
        self,
        data: bytes,
        position: float | None,
        captured: float,
        step: Step,
        is_whole: bool | None = None,
    ) -> Iterator[Image]:
        """Yield the picture as it came; decoded and written anew only where viewers would not show it right."""
        size = jpeg_size(data)
        if size is None or not (is_whole_jpeg(data) if is_whole is None else is_whole):
            self._is_damaged()
            return
        if not step.takes(position):
            self.judged(is_whole=True)
            return
        is_plain = is_plain_jpeg(data)
        if not (is_plain and self.settings.pixels is None) and self._leaves_out():
            self.judged(is_whole=True)
            return
        if not is_plain:
            for frame in self._decoded(data):
                self.judged(is_whole=True)
                yield self._from_frame(frame, position, captured)
            return
        pixels = None
        if self.settings.pixels is not None:
            begun = time.monotonic()
            pixels = self._writer.decoded(data)
            self._is_made(begun)
            if pixels is None:
                self._is_damaged()
                return
        self.judged(is_whole=True)
        yield self._image(data, pixels, size[0], size[1], position, captured)

    def _decoded(self, data: bytes) -> Iterator[Any]:
        av = open_av()
        decoder = av.CodecContext.create("mjpeg", "r")
        decoder.options = STRICT
        try:
            yield from decoder.decode(av.Packet(data))
            yield from decoder.decode(None)
        except av.FFmpegError:
            self._is_damaged()

    def _image(
        self,
        data: bytes,
        pixels: Any,
        width: int,
        height: int,
        position: float | None,
        captured: float,
        *,
        is_corrupted: bool = False,
    ) -> Image:
        settings = self.settings
        is_dated = settings.started_at is not None and position is not None
        number, self.number = self.number, self.number + 1
        return Image(
            image=data, filename=f"{self._stamp}-{number:06d}.jpg", width=width, height=height,
            timestamp=(settings.started_at or 0.0) + (position or 0.0) if is_dated else captured, source=settings.source,
            position=position, pixels=None if settings.pixels is None else pixels, is_corrupted=is_corrupted,
        )  # fmt: skip
