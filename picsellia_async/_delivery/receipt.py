"""A frame on its way (`Item`) and what its owner holds of it (`Receipt`)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from typing import Any, Final
from uuid import UUID

import attrs

from picsellia_async._delivery.frame_state import FRESH, InFlight, Queued
from picsellia_async._delivery.outcomes import Dropped, DropReason, Outcome, Rejected, Spooled
from picsellia_async._error_text import name_repr
from picsellia_async.frames import Frame

_OBJECTS: Final = 1024
"""Bytes that a frame takes beside image, request and prediction: its values and the objects around it."""
_LIST: Final = 88
"""Bytes of a short list."""
_NUMBER: Final = 24
"""Bytes of a number in a list, as a mean over small ones, which Python keeps once, and others."""


def memory_size(image_bytes: int, request: bytes) -> int:
    """Return the bytes that a frame counts in memory: about what it takes there.

    A prediction takes five to twelve times the memory of its text, most of it for numbers and lists. They are counted in
    the text, since walking through the prediction takes ten times as long.

    Args:
        image_bytes: Length of the image.
        request: Text with the prediction: what is sent, or the description on disk.
    """
    return image_bytes + len(request) + _OBJECTS + _LIST * request.count(b"[") + _NUMBER * request.count(b",")


class Receipt:
    """Proof that a frame was accepted. Awaiting it gives the outcome; not awaiting it costs nothing.

    May be awaited any number of times, by several tasks. Cancelling the waiting cancels nothing else.
    """

    __slots__ = ("__weakref__", "_callbacks", "_outcome", "frame_id")

    def __init__(self, frame_id: UUID) -> None:
        """Begin without an outcome.

        Args:
            frame_id: `Frame.id` of the frame.
        """
        self.frame_id: UUID = frame_id
        self._outcome: Outcome | None = None
        self._callbacks: list[Callable[[Outcome], None]] | None = None

    def __repr__(self) -> str:
        """Return the frame's id and what is known."""
        state = "pending" if self._outcome is None else type(self._outcome).__name__
        return f"<Receipt {self.frame_id} {state}>"

    @property
    def outcome(self) -> Outcome | None:
        """The outcome, or None while there is none."""
        return self._outcome

    def __await__(self) -> Generator[Any, None, Outcome]:
        """Wait for the outcome."""
        if self._outcome is None:
            # One future per waiter: cancelling one must not cancel the others.
            future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
            self.call(lambda outcome: None if future.done() else future.set_result(outcome))
            return (yield from future.__await__())
        return self._outcome

    def call(self, callback: Callable[[Outcome], None]) -> None:
        """Call back with the outcome: when it comes, or at once. The callback must not raise."""
        if self._outcome is not None:
            callback(self._outcome)
        elif self._callbacks is None:
            self._callbacks = [callback]
        else:
            self._callbacks.append(callback)

    def resolve(self, outcome: Outcome) -> None:
        """Tell the outcome to whoever waits; the first one stays. For the uploader."""
        if self._outcome is not None:
            return
        self._outcome = outcome
        callbacks, self._callbacks = self._callbacks, None
        raised: BaseException | None = None
        for callback in callbacks or ():
            try:
                callback(outcome)
            except BaseException as error:  # noqa: BLE001 - a user's behind a `SyncReceipt`; the others hear all the same
                raised = raised or error
        if raised is not None:
            raise raised


@attrs.define(eq=False)
class Item:
    """A frame between acceptance and outcome, in memory."""

    frame: Frame
    request: bytes
    """What the uploader's `encode` made of it: all that is sent beside the image. Made once, so that repeats cost nothing and the
    caller may use the frame's dicts again."""
    receipt: Receipt
    """What its owner holds."""
    seq: int
    """Order of acceptance."""
    size: int
    """Bytes reserved for it in memory."""
    accepted_at: float
    """When, on the loop's clock."""
    source: str = attrs.field(default="", repr=name_repr)
    """`Frame.source`, empty for none."""
    state: Queued | InFlight = FRESH
    """Where it stands; `Waiting` is a `Queued`."""
    disk_bytes: int = 0
    """Bytes taken for it on disk; 0: none."""
    delivered_before: int = -1
    """Frames that had been delivered when its last attempt failed; -1: none failed yet."""
    is_written: bool = False
    """Whether it is on disk already."""
    is_passing: bool = False
    """Whether it counts as on its way to disk (`FlowControl.passing`)."""
    file_bytes: int = 0
    """Bytes of its image where that is a file."""


def expired(item: Item, now: float, max_age: float) -> Rejected | Dropped | None:
    """Return the outcome of a frame that is too old to be sent; None where it is not.

    Args:
        item: Neither under way nor queued.
        now: On the loop's clock.
        max_age: Seconds since its acceptance.
    """
    if now - item.accepted_at < max_age:
        return None
    state = item.state
    if state.error is None:
        return Dropped(item.frame, DropReason.TOO_OLD, may_be_stored=state.may_be_stored)
    return Rejected(item.frame, state.error, state.attempts, may_be_stored=state.may_be_stored)


def last_outcome(item: Item, *, is_on_disk: bool) -> Dropped | Spooled:
    """Return the outcome of a frame that closing did not deliver."""
    state = item.state
    if isinstance(state, InFlight):  # a `send` that ignored its cancellation
        state = Queued(state.attempt, may_be_stored=True, error=state.error)
    return state.spooled(item.frame) if is_on_disk else state.dropped(item.frame, DropReason.CLOSED)
