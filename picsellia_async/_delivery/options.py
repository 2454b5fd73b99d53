"""The options of an uploader: their names for type checkers (`UploaderOptions`), what they are by default and may be (`Options`).

Loaded with the client, whose signatures show the options; the uploader itself is not.
"""

from __future__ import annotations

import difflib
import inspect
import math
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, TypedDict, TypeVar

import attrs

from picsellia_async._scalars import plain_scalar
from picsellia_async.config import RetryPolicy
from picsellia_async.errors import ConfigurationError, shown
from picsellia_async.validation import boolean, checked_path

if TYPE_CHECKING:
    from picsellia_async._delivery.outcomes import Health, Outcome, UploaderStatistics

_Call = TypeVar("_Call", bound=Callable[..., object])

WhenFull: TypeAlias = Literal["wait", "raise", "drop_newest", "drop_oldest", "thin"]
"""What `submit` does when the uploader holds as much as it may."""

Order: TypeAlias = Literal["oldest", "newest"]
"""Which frame of a source is sent next."""

Rung: TypeAlias = tuple[int, int]
"""A step of `degrade`: quality of the JPEG, 1 to 100, and pixels of its longer side at most."""

Durability: TypeAlias = Literal["commit", "interval"]
"""`commit`: accepted means on disk. `interval`: it will be within `commit_interval`."""

CONCURRENCY_MAX: Final = 1000
"""Most requests in flight that may be asked for."""


class UploaderOptions(TypedDict, total=False):
    """Keyword arguments of `AsyncDeployment.uploader`, which describes them."""

    concurrency: int | Literal["auto"]
    max_pending_bytes: int
    max_pending_frames: int | None
    when_full: WhenFull
    ordered_by: Literal["source"] | None
    spool: str | Path | None
    max_spool_bytes: int
    min_free_bytes: int | None
    durability: Durability
    commit_interval: float
    deduplicate: bool
    close_timeout: float
    on_outcome: Callable[[Outcome], object] | None
    on_health: Callable[[Health, Health, BaseException | None], object] | None
    progress: Callable[[UploaderStatistics], object] | None
    retry: RetryPolicy
    max_attempts: int | None
    max_age: float | None
    by_source: bool
    max_bytes_per_second: float | None
    order: Order
    allowed: Callable[[], object] | None
    seed: int | None
    degrade: Iterable[Rung] | None
    shared_spool: bool


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


def _is_whole_bound(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    _is_bound(instance, attribute, value)
    if isinstance(value, float) and math.isfinite(value) and not value.is_integer():
        raise ConfigurationError(f"{attribute.name} must be a whole number, got {shown(value)}")


def _is_directory(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if value is not None:
        checked_path(value, attribute.name)


def _is_boolean(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
    boolean(value, attribute.name)


def _is_seed(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
        raise ConfigurationError(f"{attribute.name} must be a whole number, got {shown(value)}")


def _is_policy(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if not isinstance(value, RetryPolicy):
        raise ConfigurationError(f"{attribute.name} must be a RetryPolicy, got {shown(value)}")


def _rungs(value: Any) -> Any:
    if value is None or isinstance(value, str) or not isinstance(value, Iterable):
        return value
    return tuple(tuple(map(plain_scalar, one)) if isinstance(one, (tuple, list)) else one for one in value)


def _are_rungs(_: object, attribute: attrs.Attribute[Any], value: Any) -> None:
    if value is None:
        return
    before = (100, 2**31)
    for rung in value if isinstance(value, tuple) and value else (value,):
        is_pair = (
            isinstance(rung, (tuple, list)) and len(rung) == 2 and all(type(one) is int and one > 0 for one in rung)
        )
        if not is_pair or rung[0] > before[0] or rung[1] > before[1]:
            raise ConfigurationError(
                f"{attribute.name} must be pairs of JPEG quality (1 to 100) and longest side, from the best to the smallest, such as "
                f"[(85, 1920), (60, 1280), (40, 640)], got {shown(rung)}"
            )
        before = (rung[0], rung[1])
    if not all(find_spec(name) for name in ("numpy", "cv2", "simplejpeg")):
        raise ConfigurationError(f"{attribute.name} needs the extra 'images': pip install 'picsellia-async[images]'")


@attrs.frozen(kw_only=True)
class Options:
    """Checked options; the fields are those of `UploaderOptions`.

    Raises:
        ConfigurationError: An option is of the wrong kind or out of range.
    """

    concurrency: int | Literal["auto"] = attrs.field(default=32, validator=_is_concurrency)
    max_pending_bytes: int = attrs.field(default=64 * 2**20, validator=_is_whole_bound)
    max_pending_frames: int | None = attrs.field(default=None, validator=_is_whole_bound)
    when_full: WhenFull = attrs.field(
        default="wait", validator=_one_of("wait", "raise", "drop_newest", "drop_oldest", "thin")
    )
    ordered_by: Literal["source"] | None = attrs.field(default=None, validator=_one_of(None, "source"))
    spool: str | Path | None = attrs.field(default=None, validator=_is_directory)
    max_spool_bytes: int = attrs.field(default=10 * 2**30, validator=_is_whole_bound)
    min_free_bytes: int | None = attrs.field(default=None, validator=_is_whole_bound)
    durability: Durability = attrs.field(default="commit", validator=_one_of("commit", "interval"))
    commit_interval: float = attrs.field(default=0.1, validator=_is_bound)
    deduplicate: bool = attrs.field(default=False, validator=_is_boolean)
    close_timeout: float = attrs.field(default=30.0, validator=_is_amount)
    on_outcome: Callable[[Outcome], object] | None = attrs.field(default=None, validator=_is_plain_function)
    on_health: Callable[[Health, Health, BaseException | None], object] | None = attrs.field(
        default=None, validator=_is_plain_function
    )
    progress: Callable[[UploaderStatistics], object] | None = attrs.field(default=None, validator=_is_plain_function)
    retry: RetryPolicy = attrs.field(default=RetryPolicy(), validator=_is_policy)
    max_attempts: int | None = attrs.field(default=None, validator=_is_whole_bound)
    max_age: float | None = attrs.field(default=None, validator=_is_bound)
    by_source: bool = attrs.field(default=False, validator=_is_boolean)
    max_bytes_per_second: float | None = attrs.field(default=None, validator=_is_bound)
    order: Order = attrs.field(default="oldest", validator=_one_of("oldest", "newest"))
    allowed: Callable[[], object] | None = attrs.field(default=None, validator=_is_plain_function)
    seed: int | None = attrs.field(default=None, validator=_is_seed)
    degrade: Iterable[Rung] | None = attrs.field(default=None, converter=_rungs, validator=_are_rungs)
    shared_spool: bool = attrs.field(default=False, validator=_is_boolean)

    def __attrs_post_init__(self) -> None:
        """Refuse options that contradict each other."""
        if self.shared_spool and self.spool is None:
            raise ConfigurationError("shared_spool=True needs spool=, the directory that is shared")
        if self.when_full == "thin" and self.spool is None:
            raise ConfigurationError('when_full="thin" needs spool=, the directory of what is thinned')
        if self.order == "newest" and self.ordered_by is not None:
            raise ConfigurationError('order="newest" and ordered_by="source" contradict each other')

    @property
    def waiting_bytes(self) -> float:
        """Bytes up to which frames that are on disk as well wait in memory."""
        half = self.max_pending_bytes / 2
        # Frames in memory are not thinned: with as many there as the spool holds, none would be.
        return min(half, self.max_spool_bytes / 4) if self.when_full == "thin" else half


def check_names(names: Iterable[str]) -> None:
    """Refuse an option that there is not.

    Raises:
        TypeError: So it is; the message names the nearest one.
    """
    known = attrs.fields_dict(Options)
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"
            raise TypeError(f"uploader has no option {name!r}; {hint}")


def shows_options(call: _Call) -> _Call:
    """Show the options one by one in `help()`, in place of `**options`: type checkers read `UploaderOptions`, people this."""
    signature = inspect.signature(call)
    own = [one for one in signature.parameters.values() if one.kind is not one.VAR_KEYWORD]
    options = inspect.signature(Options).parameters.values()
    call.__signature__ = signature.replace(parameters=[*own, *options])  # type: ignore[attr-defined]
    return call
