"""`Feed`: one source of a pipeline, with its frames on their way."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterable, Iterable, Mapping
from typing import Any, Final, Literal, TypeAlias

import attrs

from picsellia_async._error_text import name_repr, shown_name
from picsellia_async.errors import ConfigurationError, shown
from picsellia_async.pipeline._model import Predicted
from picsellia_async.pipeline._statistics import SourceLedger
from picsellia_async.sources import Camera, Image
from picsellia_async.sources.camera import call_camera

Sources: TypeAlias = AsyncIterable[Image] | Iterable[AsyncIterable[Image]] | Mapping[str, AsyncIterable[Image]]
"""One source, several, or several by name."""
WhenBusy: TypeAlias = Literal["wait", "drop_oldest"]
"""What happens to a source's frame whose turn has not come when the next one comes: the source waits, or the frame is given up."""

ORDERED_FRAMES: Final = 64
"""So many frames of a source wait for one that is still with the model; then they pass it, so that a call that hangs fills no memory."""


@attrs.define(eq=False)
class Feed:
    """A source, and what is known of its frames."""

    name: str = attrs.field(repr=name_repr)
    """In the statistics."""
    source: AsyncIterable[Image]
    is_named: bool
    """Whether the caller gave the name, which is then `Frame.source` too."""
    waits: bool
    """Whether the source waits while its frame's turn has not come."""
    ledger: SourceLedger = attrs.field(factory=SourceLedger)
    not_kept: int = 0
    """Frames left out by rules since the last one that was submitted."""
    flying: deque[Work] = attrs.field(factory=deque)
    """Frames that the model has, or has had, in the order in which they came."""
    settling: asyncio.Lock = attrs.field(factory=asyncio.Lock)
    """One task at a time decides and submits: frames leave in the order in which they came, whichever worker is first."""

    def next_done(self) -> Work | None:
        """Take out the next frame to settle; None: it is still with the model."""
        first = self.flying[0] if self.flying else None
        if first is not None and first.result is None and len(self.flying) > ORDERED_FRAMES:
            first = next((work for work in self.flying if work.result is not None), None)
        if first is None or first.result is None:
            return None
        self.flying.remove(first)
        return first

    @property
    def shown(self) -> str:
        """The name as logs and messages show it."""
        return shown_name(self.name)

    def source_of(self, image: Image) -> str:
        """Return `Frame.source` of a frame."""
        return self.name if self.is_named or image.source is None else image.source


@attrs.define(eq=False)
class Work:
    """A frame on its way through the pipeline."""

    feed: Feed
    image: Image
    arrived_at: float
    """On the loop's clock."""
    result: Predicted | Exception | None = None
    """What the model said, or raised; None: it has not yet."""

    def end(self, result: Predicted | Exception) -> None:
        """Take what the model said, and let go of the pixels: the frame may wait for others."""
        self.result = result
        self.image = attrs.evolve(self.image, pixels=None)


def feeds_of(sources: Any, when_busy: WhenBusy | None) -> dict[str, Feed]:
    """Return the sources by name.

    Raises:
        ConfigurationError: There is none, something is no source, or two have the same name.
    """
    named: Iterable[tuple[str | None, Any]]
    if isinstance(sources, AsyncIterable):
        named = [(None, sources)]
    elif isinstance(sources, Mapping):
        named = sources.items()
    elif isinstance(sources, Iterable) and not isinstance(sources, (str, bytes)):
        named = [(None, source) for source in sources]
    else:
        raise ConfigurationError(f"sources must be one source or several, such as camera(...), got {shown(sources)}")
    feeds: dict[str, Feed] = {}
    for number, (given, source) in enumerate(named, start=1):
        if not isinstance(source, AsyncIterable):
            raise ConfigurationError(
                f"a source must be an async iterable of Image, such as camera(...), got {shown(source)}"
            )
        name = given or getattr(source, "source", None) or f"source-{number}"
        if not isinstance(name, str) or name in feeds:
            raise ConfigurationError(
                f"two sources are called {shown(shown_name(name) if isinstance(name, str) else name)}: give camera(..., source=), or a dict of sources by name"
            )
        waits = when_busy == "wait" if when_busy else not (isinstance(source, Camera) and source.policy != "wait")
        if given is not None and isinstance(source, Camera):
            call_camera(source, name)
        feeds[name] = Feed(name, source, given is not None, waits)
    if not feeds:
        raise ConfigurationError("a pipeline needs at least one source")
    return feeds


def check_image(image: Any, feed: Feed, *, needs_pixels: bool) -> None:
    """Refuse what a source must not give.

    Raises:
        ConfigurationError: It is no `Image`, or has no pixels, or pixels of another size than its picture.
    """
    if not isinstance(image, Image):
        raise ConfigurationError(f"{feed.shown}: a source of a pipeline gives Image, got {shown(image)}")
    if needs_pixels and image.pixels is None:
        raise ConfigurationError(
            f'{feed.shown} gives no pixels: ask for them, camera(..., pixels="rgb") or "bgr", whichever the model takes; or give '
            'the pipeline input="image" for a model that takes the Image'
        )
    shape = getattr(image.pixels, "shape", None)
    if needs_pixels and shape is not None and tuple(shape[:2]) != (image.height, image.width):
        raise ConfigurationError(
            f"{feed.shown} gives pixels of {shape[1]} x {shape[0]} beside a picture of {image.width} x {image.height}: what the model "
            'finds in the ones would lie beside the objects of the other. Give both in one size; or input="image", and a model that '
            "moves its results to the picture"
        )
