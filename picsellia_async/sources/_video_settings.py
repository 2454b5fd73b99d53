"""What of a video or camera is read, and how: `VideoSettings`, checked when made. Pure."""

from __future__ import annotations

import datetime
import os
import re
import sys
from collections.abc import Mapping
from typing import Final, Literal, TypeAlias, get_args

import attrs

from picsellia_async._error_text import shown_name
from picsellia_async.errors import ConfigurationError, shown
from picsellia_async.image_header import OrientationRule
from picsellia_async.sources._address import checked_address, is_url, redacted, source_name
from picsellia_async.sources._camera_name import CameraName
from picsellia_async.validation import boolean, choice, epoch_seconds, real_number, whole_number

Pixels: TypeAlias = Literal["rgb", "bgr"]
"""Order of the channels of `Image.pixels`."""

_DEVICES: Final = {"linux": ("/dev/video{}", "v4l2"), "darwin": ("{}", "avfoundation"), "win32": ("{}", "vfwcap")}
"""Address and FFmpeg's format of a webcam's number, by platform."""
STEM_BYTES_MAX: Final = 150
"""A name has 255 bytes at most on the usual file systems, and time, random part and number follow."""
_UNSAFE: Final = re.compile(r"[^\w.-]+")


@attrs.frozen(kw_only=True)
class VideoSettings:
    """What is read and how: checked when made, holds the address with its password."""

    address: str = attrs.field(repr=False)
    every: int
    every_seconds: float | None
    quality: int
    pixels: Pixels | None
    orientation: OrientationRule
    source: str
    started_at: float | None
    timeout: float
    options: Mapping[str, str] = attrs.field(repr=False)
    format: str | None
    discard_corrupted: bool
    is_live: bool
    webcam: int | None = None
    """Its number, where the caller gave one."""
    given_source: str | None = None
    """`source`, where the caller gave it."""
    name: CameraName = attrs.field(init=False, eq=False, repr=False)
    """What lines of the log call it; another one with each copy of the settings."""

    @name.default
    def _begin_name(self) -> CameraName:
        return CameraName(self.shown, self.given_source)

    @property
    def shown(self) -> str:
        """The address without user, password and query."""
        return redacted(self.address) if self.webcam is None else f"webcam {self.webcam}"

    @property
    def told(self) -> str:
        """What lines of the log call it, where they need not say what it is."""
        return self.name.label if self.is_live or is_url(self.address) else self.shown

    @property
    def file_stem(self) -> str:
        """The source's name as every file system takes it: without their special characters, and not too long."""
        safe = _UNSAFE.sub("-", shown_name(self.source)).encode()[:STEM_BYTES_MAX].decode(errors="ignore")
        return safe.strip("-.") or "video"


def checked_settings(
    address: str | os.PathLike[str] | int,
    *,
    every: int,
    every_seconds: float | None,
    quality: int,
    pixels: Pixels | None,
    orientation: OrientationRule,
    source: str | None,
    started_at: float | datetime.datetime | None,
    timeout: float,
    options: Mapping[str, str] | None,
    format: str | None,  # noqa: A002 - FFmpeg's word
    discard_corrupted: bool,
    is_live: bool,
) -> VideoSettings:
    """Check what a caller gave.

    Raises:
        ConfigurationError: A value is of the wrong kind or out of range.
    """
    webcam = _webcam_number(address) if is_live else None
    if webcam is not None:
        address, device = _webcam(webcam)
        format = format or device  # noqa: A001 - FFmpeg's word
    text = checked_address(address, "url_or_path")
    if every_seconds is not None:
        if every != 1:
            raise ConfigurationError("every and every_seconds must not be given together")
        real_number(every_seconds, "every_seconds", 0.0)
    whole_number(every, "every", 1)
    if not 1 <= whole_number(quality, "quality") <= 100:
        raise ConfigurationError(f"quality must be 1 to 100, got {shown(quality)}")
    choice(pixels, "pixels", (None, *get_args(Pixels)))
    choice(orientation, "orientation", get_args(OrientationRule))
    if real_number(timeout, "timeout") <= 0:
        raise ConfigurationError(f"timeout must be positive seconds, got {shown(timeout)}")
    if format is None and text.startswith("/dev/video"):
        format = "v4l2"  # noqa: A001 - FFmpeg's word
    return VideoSettings(
        address=text, every=every, every_seconds=every_seconds, quality=quality, pixels=pixels, orientation=orientation,
        source=source or source_name(text), started_at=None if started_at is None else epoch_seconds(started_at, "started_at"),
        timeout=timeout, options={**(options or {})}, format=format, discard_corrupted=boolean(discard_corrupted, "discard_corrupted"),
        is_live=is_live, webcam=webcam, given_source=source,
    )  # fmt: skip


def _webcam_number(address: object) -> int | None:
    """Return the number that an address is, also as text, as a command line hands it on; a file of such a name is `./0`."""
    if isinstance(address, str) and address.isdecimal():
        return int(address)
    return address if isinstance(address, int) and not isinstance(address, bool) else None


def _webcam(number: int) -> tuple[str, str]:
    address, device = _DEVICES.get(sys.platform, _DEVICES["linux"])
    return address.format(whole_number(number, "url", 0)), device
