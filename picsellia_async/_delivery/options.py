"""The options of an uploader: what they mean (`UploaderOptions`), what they are by default and may be (`Options`)."""

from __future__ import annotations

import inspect
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias, TypedDict

import attrs

from picsellia_async._delivery.outcomes import Outcome, UploaderStatistics
from picsellia_async._delivery.spool.spool import Durability
from picsellia_async.config import RetryPolicy
from picsellia_async.errors import ConfigurationError, shown

WhenFull: TypeAlias = Literal["wait", "raise", "drop_newest", "drop_oldest"]
"""What `submit` does when the uploader holds as much as it may."""

CONCURRENCY_MAX: Final = 1000
"""Most requests in flight that may be asked for."""


class UploaderOptions(TypedDict, total=False):
    """Keyword arguments of `AsyncDeployment.uploader`."""

    concurrency: int | Literal["auto"]
    """Requests in flight, 1 to 1000; "auto" finds the service's capacity, up to 256. Default 32."""
    max_pending_bytes: int
    """Image bytes in memory, those in flight included. A frame counts at least 1 KiB, an image that is a file with its size.
    Default 64 MiB."""
    max_pending_frames: int | None
    """Frames in memory. Default None: any number."""
    when_full: WhenFull
    """"wait" (the default) until there is room, in the order of arrival; "raise" `UploaderFullError`; "drop_newest" drops the
    frame that is submitted; "drop_oldest" drops the oldest one that is not under way. With a spool this is about
    `max_spool_bytes`."""
    ordered_by: Literal["source"] | None
    """"source" delivers the frames of one source one after the other, in the order of submission. Default None."""
    spool: str | Path | None
    """Directory in which accepted frames survive crash and outage; made if missing. Default None: frames are in memory only."""
    max_spool_bytes: int
    """Bytes of frames in the spool, those of earlier runs included. The files take at most a tenth more,
    and 64 MiB. Default 10 GiB."""
    durability: Durability
    """"commit" (the default): a frame is accepted once it is on disk. "interval": it is on disk at most `commit_interval`
    later."""
    commit_interval: float
    """Seconds between commits in interval mode. Default 0.1."""
    deduplicate: bool
    """After a lost answer, look the frame up by its file name before sending it again. Default False."""
    close_timeout: float
    """Seconds that closing may spend on delivering what is left. Default 30."""
    on_outcome: Callable[[Outcome], object] | None
    """Called with each outcome, in the loop; must be quick. If it raises, that is logged and counted."""
    progress: Callable[[UploaderStatistics], object] | None
    """Called with the statistics, at most five times a second, and at the end."""
    retry: RetryPolicy
    """Waits between attempts of one frame (its `attempts` and `total` do not apply), and the statuses that are repeated."""
    max_attempts: int | None
    """Reject a frame after so many attempts. Default None: try until the uploader closes."""
    max_age: float | None
    """Reject a frame that failed and is older than so many seconds. Default None: never."""


def _is_concurrency(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
    is_count = isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= CONCURRENCY_MAX
    if value != "auto" and not is_count:
        raise ConfigurationError(f'{attribute.name} must be 1 to {CONCURRENCY_MAX} or "auto", got {shown(value)}')


def _one_of(*choices: str | None) -> Callable[[object, attrs.Attribute[Any], object], None]:
    def check(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
        if value not in choices:
            raise ConfigurationError(f"{attribute.name} must be one of {choices}, got {shown(value)}")

    return check


def _is_plain_function(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
    """Coroutine functions are refused: nobody would await what they return."""
    if value is not None and (not callable(value) or inspect.iscoroutinefunction(value)):
        raise ConfigurationError(f"{attribute.name} must be a plain function, got {shown(value)}")


def _is_amount(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or math.isnan(value) or value < 0:
        raise ConfigurationError(f"{attribute.name} must be a number of 0 or more, got {shown(value)}")


def _is_bound(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if value is None and attribute.default is None:
        return
    _is_amount(instance, attribute, value)
    if not value:
        raise ConfigurationError(f"{attribute.name} must be a positive number, got {shown(value)}")


def _is_directory(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if value is not None and (value == "" or not isinstance(value, (str, os.PathLike))):
        raise ConfigurationError(f"{attribute.name} must be the path of a directory, got {shown(value)}")


def _is_policy(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if not isinstance(value, RetryPolicy):
        raise ConfigurationError(f"{attribute.name} must be a RetryPolicy, got {shown(value)}")


@attrs.frozen(kw_only=True)
class Options:
    """Checked options; the fields are those of `UploaderOptions`.

    Raises:
        ConfigurationError: An option is of the wrong kind or out of range.
    """

    concurrency: int | Literal["auto"] = attrs.field(default=32, validator=_is_concurrency)
    max_pending_bytes: int = attrs.field(default=64 * 2**20, validator=_is_bound)
    max_pending_frames: int | None = attrs.field(default=None, validator=_is_bound)
    when_full: WhenFull = attrs.field(default="wait", validator=_one_of("wait", "raise", "drop_newest", "drop_oldest"))
    ordered_by: Literal["source"] | None = attrs.field(default=None, validator=_one_of(None, "source"))
    spool: str | Path | None = attrs.field(default=None, validator=_is_directory)
    max_spool_bytes: int = attrs.field(default=10 * 2**30, validator=_is_bound)
    durability: Durability = attrs.field(default="commit", validator=_one_of("commit", "interval"))
    commit_interval: float = attrs.field(default=0.1, validator=_is_bound)
    deduplicate: bool = False
    close_timeout: float = attrs.field(default=30.0, validator=_is_amount)
    on_outcome: Callable[[Outcome], object] | None = attrs.field(default=None, validator=_is_plain_function)
    progress: Callable[[UploaderStatistics], object] | None = attrs.field(default=None, validator=_is_plain_function)
    retry: RetryPolicy = attrs.field(factory=RetryPolicy, validator=_is_policy)
    max_attempts: int | None = attrs.field(default=None, validator=_is_bound)
    max_age: float | None = attrs.field(default=None, validator=_is_bound)
