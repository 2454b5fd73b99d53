"""Live playlists of HLS: which of their segments a camera has not given yet. Blocking, but for what reads and compares them.

Theory of operation. FFmpeg begins some segments before the end of a playlist, and follows it from there. It does so too where the
recorder stands still or has ended, and each time that the playlist is opened again. So a playlist is looked at before FFmpeg opens it:
what it holds at the first look is from before, and only once it has grown FFmpeg may begin, with its last segment.
"""

from __future__ import annotations

import http.client
import logging
import math
import re
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Final
from urllib.parse import urljoin, urlunsplit

import attrs

from picsellia_async._log_line import Line
from picsellia_async.sources._address import split_address
from picsellia_async.sources._camera_http import AnswerError, answer_of, is_web, why_no_answer
from picsellia_async.sources._camera_name import CameraName, name_of
from picsellia_async.sources._errors import SourceError
from picsellia_async.sources._playlist import END, HEAD, NESTED
from picsellia_async.sources._video_settings import VideoSettings

SEGMENT_SECONDS: Final = 6.0
"""Of the pieces of a stream that does not tell: what Apple advises."""
_BYTES_MAX: Final = 2**22
_NESTED_MAX: Final = 3
"""Playlists of playlists, one within the other."""
_PATH: Final = re.compile(r"\.m3u8?$", re.IGNORECASE)
_LOOKS: Final = 4
"""At a playlist in the time of a segment."""
_LOOK_SECONDS_MIN: Final = 0.1
_TARGETS: Final = 2
"""Segments' times for which a playlist may stay as it is."""
_TARGET_SECONDS_MAX: Final = 60.0
_LEFT_TO_FFMPEG: Final = frozenset({HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND})
"""Servers answer so to a player that sends another `User-Agent`, or brings no cookie."""


@attrs.frozen
class LivePlaylist:
    """What a playlist of segments says."""

    begins: int
    """Number of its first segment, counted from the beginning of the recording."""
    segments: tuple[str, ...]
    """Their addresses, as written."""
    target: float
    """Seconds of its longest segment."""
    has_end: bool
    """Whether it says that none follows."""

    @property
    def ends(self) -> int:
        """Number of the segment that is to come next."""
        return self.begins + len(self.segments)

    def has_grown_since(self, before: LivePlaylist) -> bool:
        """Return whether it has a segment that was not there; also where the recorder has begun anew and counts from zero."""
        if not self.segments:
            return False
        is_anew = self.begins < before.begins or self.ends < before.ends
        # Behind the ? there may be a signature, which is another one at each look.
        names = {name.partition("?")[0] for name in before.segments}
        return is_anew or self.ends > before.ends or self.segments[-1].partition("?")[0] not in names


def parse_playlist(text: str) -> LivePlaylist | str | None:
    """Return what a playlist says, the address of the first one in a playlist of playlists, or None for any other text."""
    lines = [line.strip() for line in text.removeprefix("\ufeff").splitlines()]
    if not lines or not lines[0].startswith(HEAD):
        return None
    names = tuple(line for line in lines if line and not line.startswith("#"))
    if any(line.startswith(NESTED) for line in lines):
        return names[0] if names else None
    return LivePlaylist(
        int(_number(lines, "#EXT-X-MEDIA-SEQUENCE:", 0.0)),
        names,
        min(_number(lines, "#EXT-X-TARGETDURATION:", 1.0), _TARGET_SECONDS_MAX),
        END in lines,
    )


def _number(lines: list[str], tag: str, default: float) -> float:
    found = next((line.removeprefix(tag) for line in lines if line.startswith(tag)), "")
    try:
        number = float(found)
    except ValueError:
        return default
    return number if math.isfinite(number) and number >= 0 else default


def is_playlist_address(address: str, format_: str | None) -> bool:
    """Return whether an address is, by its name, that of a playlist over HTTP."""
    return is_web(address) and (
        format_ == "hls" or (format_ is None and _PATH.search(split_address(address).path) is not None)
    )


@attrs.define
class PlaylistWatch:
    """Looks at the playlist of one camera, over all of its connections."""

    address: str = attrs.field(repr=False)
    shown: str
    timeout: float
    fetch: Callable[[str], tuple[str, str] | None] = attrs.field(repr=False)
    """Returns the text at an address, and the address that it came from, behind redirects; None where only FFmpeg can have it."""
    rest: Callable[[float], bool] = attrs.field(repr=False)
    """Waits for so many seconds, and returns whether the camera is still wanted."""
    is_once: bool = False
    """Whether the camera is opened once: then a recording that has ended is played."""
    clock: Callable[[], float] = time.monotonic
    _seen: LivePlaylist | None = attrs.field(default=None, init=False)
    """At the first look since FFmpeg was reading; what it holds may have been given."""
    _was_seen: bool = attrs.field(default=False, init=False)
    """Whether it could be looked at, ever."""
    _is_told: bool = attrs.field(default=False, init=False)
    """Whether the log was told of its segments."""

    segment_seconds: float = attrs.field(default=SEGMENT_SECONDS, init=False)
    """Of its longest segment, as far as is known."""

    def line_of_segments(self, camera: CameraName | None = None) -> Line | None:
        """Return the line for a policy that drops most pictures, since they come at once; None where it was told.

        Args:
            camera: Its name; by default its address.
        """
        name = name_of(camera or self.shown)
        was_told, self._is_told = self._is_told, True
        text = (
            f"{name.in_words} is a live playlist: its pictures come by segments, all of one at once, and policy='drop_oldest' makes "
            "few of them, about one a second; policy='wait' gives all"
        )
        return None if was_told else Line(logging.WARNING, text, name.fields)

    def forget(self) -> None:
        """Take note that FFmpeg begins: what it will have read is not known until the next look."""
        self._seen = None

    def wait(self) -> bool:
        """Wait for a segment that was not there at the first look; return whether there is one, False where that cannot be told.

        Raises:
            SourceError: The playlist has ended, or has had no new segment for too long; or it cannot be had.
        """
        begun = self.clock()
        while True:
            playlist = self._look()
            if playlist is None or (playlist.has_end and self.is_once):
                return False
            self.segment_seconds = playlist.target
            if self._seen is None or playlist.has_end:
                self._seen = playlist
            if playlist.has_end:
                raise SourceError(
                    f"{self.shown!r} is a recording that has ended ({END}): no picture in it is new, and it is looked at until it goes on"
                )
            if playlist.has_grown_since(self._seen):
                return True
            seconds = self.clock() - begun
            if seconds >= max(self.timeout, _TARGETS * playlist.target):
                raise SourceError(
                    f"{self.shown!r} stands still: its playlist has had no new segment for {seconds:.0f} s"
                )
            if not self.rest(max(_LOOK_SECONDS_MIN, playlist.target / _LOOKS)):
                raise SourceError(f"{self.shown!r} was closed before its playlist had a new segment")

    def _look(self) -> LivePlaylist | None:
        """Return the playlist as it is; None where it is none, or one that only FFmpeg opens.

        Raises:
            SourceError: It cannot be had, or no longer.
        """
        address = self.address
        for _ in range(_NESTED_MAX):
            try:
                answer = self.fetch(address)
            except AnswerError as error:
                # One that was seen is gone for a while: FFmpeg, which might find it again, would begin before its end.
                if self._was_seen or error.status not in _LEFT_TO_FFMPEG:
                    raise
                return None
            if answer is None:
                return None
            found = parse_playlist(answer[0])
            if not isinstance(found, str):
                self._was_seen = self._was_seen or found is not None
                return found
            address = _with_user_of(self.address, urljoin(answer[1], found))
            if not is_web(address):  # a playlist may name files of this machine
                return None
        return None


def _with_user_of(first: str, address: str) -> str:
    """Return an address with user and password of the first one where both are of one host; to others they are not told."""
    user, separator, host = split_address(first).netloc.rpartition("@")
    parts = split_address(address)
    is_same = (parts.scheme, parts.netloc.casefold()) == (split_address(first).scheme, host.casefold())
    return urlunsplit(parts._replace(netloc=f"{user}@{parts.netloc}")) if separator and is_same else address


def fetch_text(address: str, settings: VideoSettings) -> tuple[str, str] | None:
    """Return the text at an address, and the address behind redirects; None where FFmpeg, which has more options, may have it.

    Raises:
        SourceError: It cannot be had, and there are no such options.
    """
    text, failure = "", ""
    try:
        response = answer_of(address, settings.shown, settings.timeout, _headers(settings.options))
    except SourceError:
        if settings.options:
            return None
        raise
    try:
        text = response.read(_BYTES_MAX).decode("utf-8", "replace")
    except (OSError, http.client.HTTPException, ValueError) as error:
        failure = why_no_answer(error)
    finally:
        response.close()
    if failure:  # raised outside of `except`: the error, with the address in it, must not even be its context
        raise SourceError(f"cannot open {settings.shown!r} as a video: {failure}")
    return text, response.geturl()


def _headers(options: Mapping[str, str]) -> dict[str, str]:
    """Return the headers of a request that FFmpeg's options ask for."""
    pairs = (line.partition(":") for line in options.get("headers", "").splitlines())
    found = {name.strip(): value.strip() for name, colon, value in pairs if colon}
    return found | ({"User-Agent": options["user_agent"]} if "user_agent" in options else {})
