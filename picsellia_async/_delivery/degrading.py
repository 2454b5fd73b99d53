"""Before the intake: while frames would wait too long, images are encoded smaller, in a thread; see `ladder`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import attrs

from picsellia_async._delivery.intake import Files, Intake, closed
from picsellia_async._delivery.ladder import Ladder
from picsellia_async._delivery.ledger import Ledger
from picsellia_async._delivery.receipt import Receipt
from picsellia_async._delivery.sender import Sender
from picsellia_async._delivery.spool.quota import SpoolQuota
from picsellia_async.errors import ConfigurationError
from picsellia_async.frames import Frame, smaller


@attrs.frozen(eq=False)
class Degrading:
    """Encodes frames of one uploader as small as its ladder says."""

    ladder: Ladder
    ledger: Ledger
    sender: Sender
    intake: Intake
    files: Files
    writer: SpoolQuota | None

    def submitting(self, submit: Callable[[Frame], Awaitable[Receipt]]) -> Callable[[Frame], Awaitable[Receipt]]:
        """Return `submit` with this before it."""

        async def encode_and_submit(frame: Frame) -> Receipt:
            self._look()
            if self.ladder.level and frame.id.int not in self.ledger.known:
                frame = await self._smaller(frame)
                if self.intake.is_closed:
                    raise closed()
            return await submit(frame)

        return encode_and_submit

    def _look(self) -> None:
        ledger, now = self.ledger, self.sender.now()
        self.ladder.look(
            now,
            ledger.memory.used_bytes if self.writer is None else self.writer.pending_bytes,
            ledger.bytes_delivered,
            lambda: now - (ledger.oldest_at() or now),
            is_closed=self.sender.uplink.is_closed,
        )

    async def _smaller(self, frame: Frame) -> Frame:
        """Return the frame with a smaller image; as it is, where that cannot be."""
        rung, image = self.ladder.rung, frame.image
        if rung is None or image is None:
            return frame
        try:
            if isinstance(image, Path):
                frame = attrs.evolve(frame, image=await self.files.read(frame, image))
            found = await asyncio.to_thread(smaller, frame, *rung)
        except (ConfigurationError, RuntimeError):  # told where the file is read for sending; the interpreter ends
            return frame
        if found is None:
            return frame
        self.ladder.degraded += 1
        return found
