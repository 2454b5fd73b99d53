"""`FrameSpans`: a span for each frame's life, from `submit` to its outcome, with its attempts below.

It stands around the parts of an uploader: `submit`, `send`, `find` and `on_outcome`. An uploader without tracing has none of it.
A frame's span is a child of the submitter's, so that the trace of a request to a web service shows what became of its picture.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import attrs

from picsellia_async._delivery.outcomes import Delivered, Dropped, Outcome, Rejected, id_of
from picsellia_async._delivery.receipt import Receipt
from picsellia_async._error_text import shown_name
from picsellia_async._http.observation import SENDS, Sends
from picsellia_async.frames import Frame
from picsellia_async.tracing import Tracing, error_type

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Span

OPEN_SPANS_MAX: Final = 10_000
"""Frames that wait with a span, so that a backlog on disk does not fill the memory. One beyond gets its span with its first attempt."""


@attrs.define(eq=False)
class _Life:
    span: Span
    context: Context
    sends: Sends
    is_accepted: bool
    submits: int = 0
    """Those under way: several may wait for one frame."""


class FrameSpans:
    """The spans of one uploader's frames."""

    def __init__(self, tracing: Tracing, endpoint: str) -> None:
        """Store the parts.

        Args:
            tracing: Makes the spans.
            endpoint: Name of what an attempt calls.
        """
        self._tracing = tracing
        self._endpoint = endpoint
        self._lives: dict[UUID, _Life] = {}

    # Around the parts of an uploader.

    def submitting(self, submit: Callable[[Frame], Awaitable[Receipt]]) -> Callable[[Frame], Awaitable[Receipt]]:
        """Return `submit` that begins a frame's span."""

        async def submit_within_span(frame: Frame) -> Receipt:
            life = self._lives.get(frame.id)
            if life is None:
                if len(self._lives) >= OPEN_SPANS_MAX or self._tracing.is_suppressed:
                    return await submit(frame)
                life = self._begin(frame, is_root=False)
            life.submits += 1
            try:
                receipt = await submit(frame)
            except BaseException as error:
                if life.submits == 1 and not life.is_accepted:  # else another submit has the frame accepted, or may yet
                    self._fail(frame.id, error)
                raise
            finally:
                life.submits -= 1
            # Not one that has its outcome already: its span has ended.
            if self._lives.get(frame.id) is life and not life.is_accepted:
                life.is_accepted = True
                life.span.add_event("accepted")
            return receipt

        return submit_within_span

    def sending(self, send: Callable[[Frame, bytes], Awaitable[dict[str, Any]]]) -> Any:
        """Return `send` whose attempts belong to their frame's span."""

        async def send_within_span(frame: Frame, request: bytes) -> dict[str, Any]:
            with self._within(frame):
                return await send(frame, request)

        return send_within_span

    def finding(self, find: Callable[[Frame], Awaitable[bool]]) -> Callable[[Frame], Awaitable[bool]]:
        """Return `find` whose calls belong to their frame's span."""

        async def find_within_span(frame: Frame) -> bool:
            with self._within(frame):
                return await find(frame)

        return find_within_span

    def ending(self, on_outcome: Callable[[Outcome], object] | None) -> Callable[[Outcome], object]:
        """Return `on_outcome` that ends a frame's span first."""

        def end_span(outcome: Outcome) -> None:
            self._end(outcome)
            if on_outcome is not None:
                on_outcome(outcome)

        return end_span

    def close(self) -> None:
        """End the spans that are left: of frames that stay on disk and cannot be read there."""
        for life in self._lives.values():
            life.span.end()
        self._lives.clear()

    # One life.

    def _begin(self, frame: Frame, *, is_root: bool) -> _Life:
        attributes = {"picsellia.frame.id": str(frame.id), "picsellia.frame.filename": shown_name(frame.filename)}
        if frame.source:
            attributes["picsellia.frame.source"] = shown_name(frame.source)
        span = self._tracing.start("picsellia.frame", "internal", attributes, is_root=is_root)
        life = self._lives[frame.id] = _Life(
            span, self._tracing.below(span), Sends(self._endpoint), is_accepted=is_root
        )
        return life

    @contextlib.contextmanager
    def _within(self, frame: Frame) -> Iterator[None]:
        # One that came from the disk of a former run, or waited beyond `OPEN_SPANS_MAX`: nobody knows its submitter any more.
        life = self._lives.get(frame.id) or self._begin(frame, is_root=True)
        token = SENDS.set(life.sends)
        try:
            with self._tracing.within(life.context):
                yield
        finally:
            SENDS.reset(token)

    def _fail(self, frame_id: UUID, error: BaseException) -> None:
        """`submit` raised: the frame was not taken, or its caller was cancelled."""
        life = self._lives.pop(frame_id, None)
        if life is not None:
            self._tracing.fail(life.span, error_type(error), str(error))
            life.span.end()

    def _end(self, outcome: Outcome) -> None:
        life = self._lives.pop(id_of(outcome), None)
        if life is None:
            return
        span = life.span
        span.set_attribute("picsellia.frame.outcome", type(outcome).__name__.lower())
        span.set_attribute("picsellia.frame.attempts", life.sends.count)
        if isinstance(outcome, Delivered):
            span.set_attribute("picsellia.frame.duplicate", outcome.is_duplicate)
        elif isinstance(outcome, Rejected):
            self._tracing.fail(span, error_type(outcome.error), str(outcome.error))
        elif isinstance(outcome, Dropped):
            self._tracing.fail(span, outcome.reason.value)
        span.end()
