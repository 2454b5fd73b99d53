"""A machine of random steps over an uploader with a spool: whatever service, disk and owner do, each frame keeps its account."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from picsellia_async._delivery.outcomes import Outcome, Spooled
from picsellia_async._delivery.receipt import Receipt
from picsellia_async.errors import (
    ClosedError,
    SpoolError,
    UploaderFullError,
)
from picsellia_async.frames import Frame
from picsellia_async.uploader import Uploader

from ..support.frames import make_frame
from .makers import OWNER
from .moody_service import Service
from .simulation import Disk, SpoolLoop, flip

STEPS = 1_000_000 if os.environ.get("PICSELLIA_ASYNC_SOAK") else 10_000

STEPS_EACH = 50

SHARED_MEMORY = Path("/dev/shm")

KINDS = [
    "ok",
    "422",
    "503",
    "429",
    "refused",
    "lost",
    "slow",
    "401",
    "409",
    "502",
    "202",
    "garbage",
    "no memory",
    "closed",
]


class UploaderMachine(RuleBasedStateMachine):
    """One spool, one service, and one process after the other."""

    def __init__(self) -> None:
        super().__init__()
        folder = SHARED_MEMORY if SHARED_MEMORY.is_dir() else None
        self.directory = Path(tempfile.mkdtemp(dir=folder))
        self.patch = pytest.MonkeyPatch()
        self.disk = Disk()
        self.disk.install(self.patch)
        self.service = Service()
        self.loop = SpoolLoop()
        self.up: Uploader | None = None
        self.frames: list[Frame] = []
        self.lives: Counter[UUID] = Counter()
        self.submits: list[tuple[Frame, asyncio.Task[Receipt]]] = []
        self.receipts: dict[int, Receipt] = {}
        self.owed: set[UUID] = set()
        """Accepted, perhaps by an earlier process, on disk, and without an end."""
        self.unsettled: list[UUID] = []
        """Delivered since the disk was quiet last."""
        self.flips = self.quarantined = 0
        self.options: dict[str, Any] = {}

    # The machinery.

    def run(self, seconds: float = 0.0005) -> None:
        """Let time pass, and the disk come to rest."""
        self.loop.run_until_complete(asyncio.sleep(seconds))
        self.collect()
        self.unsettled.clear()

    def collect(self) -> None:
        """Look at what `submit` returned."""
        waiting = []
        for frame, task in self.submits:
            if not task.done():
                waiting.append((frame, task))
                continue
            error = None if task.cancelled() else task.exception()
            assert error is None or isinstance(error, (SpoolError, UploaderFullError, ClosedError)), error
            if error is None and not task.cancelled():
                self.receipts[id(task.result())] = task.result()
        self.submits = waiting

    def on_outcome(self, process: int, outcome: Outcome) -> None:
        if process != self.service.process or isinstance(outcome, Spooled):
            return
        self.owed.discard(outcome.frame.id)
        self.unsettled.append(outcome.frame.id)

    def start(self) -> None:
        self.disk.revive()
        self.service.process += 1
        process = self.service.process
        self.up = Uploader(
            lambda frame, _: self.service.send(process, frame), spool=self.directory, owner=OWNER, commit_interval=0.001, random=lambda: 0.5,
            on_outcome=lambda outcome: self.on_outcome(process, outcome), **self.options,
        )  # fmt: skip
        self.loop.jobs = self.disk.jobs
        self.loop.run_until_complete(self.up.__aenter__())
        self.disk.jobs.wait_for_thread()
        self.run()

    # The rules.

    @initialize(
        durability=st.sampled_from(["commit", "interval"]),
        when_full=st.sampled_from(["wait", "raise", "drop_newest", "drop_oldest", "thin"]),
        ordered_by=st.sampled_from([None, "source"]),
        max_pending_bytes=st.sampled_from([12_000, 2**20]),
        max_spool_bytes=st.sampled_from([40_000, 2**30]),
        concurrency=st.sampled_from([1, 3, 32]),
    )
    def begin(self, **options: Any) -> None:
        self.options = {**options, "close_timeout": 5.0}
        self.start()

    def new_frame(self, size: int, source: str) -> Frame:
        number = len(self.frames)
        # Nothing of it is random or of this moment: its length decides what fits where.
        frame = make_frame(number, size, source=source, id=UUID(int=number + 1), timestamp=1_700_000_000.0)
        self.frames.append(frame)
        return frame

    def submit_one(self, frame: Frame) -> None:
        assert self.up is not None
        self.service.known[frame.id] = frame
        self.lives[frame.id] += 1
        self.submits.append((frame, self.loop.create_task(self.up.submit(frame))))

    @precondition(lambda self: self.up is not None and len(self.submits) < 20)
    @rule(count=st.integers(1, 6), size=st.sampled_from([100, 3000, 9000]), source=st.integers(0, 2))
    def submit_new(self, count: int, size: int, source: int) -> None:
        for _ in range(count):
            self.submit_one(self.new_frame(size, f"cam-{source}"))
        self.run()

    @precondition(lambda self: self.up is not None and self.frames and len(self.submits) < 20)
    @rule(back=st.integers(0, 10))
    def submit_again(self, back: int) -> None:
        self.submit_one(self.frames[max(0, len(self.frames) - 1 - back)])
        self.run()

    @precondition(lambda self: self.submits)
    @rule(place=st.integers(0, 5))
    def cancel_a_submit(self, place: int) -> None:
        self.submits[place % len(self.submits)][1].cancel()
        self.run()

    @rule(kind=st.sampled_from(KINDS))
    def change_weather(self, kind: str) -> None:
        self.service.weather = kind

    @rule(kinds=st.lists(st.sampled_from(KINDS), max_size=5))
    def script_answers(self, kinds: list[str]) -> None:
        self.service.script.extend(kinds)

    @precondition(lambda self: self.frames)
    @rule(back=st.integers(0, 5))
    def dislike_a_frame(self, back: int) -> None:
        self.service.disliked.add(self.frames[max(0, len(self.frames) - 1 - back)].id)

    @rule(seconds=st.sampled_from([0.011, 0.03, 1.0, 20.0, 400.0]))
    def let_time_pass(self, seconds: float) -> None:
        if seconds >= 1.0:
            self.disk.jobs.end_timed_wait()
        self.run(seconds)

    @rule(left=st.sampled_from([None, None, 0, 5_000, 30_000]))
    def change_room(self, left: int | None) -> None:
        self.disk.left = left

    @rule(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
    def flip_a_bit(self, place: float, bit: int) -> None:
        self.flips += flip(self.directory, place, bit)

    @precondition(lambda self: self.up is not None)
    @rule(timeout=st.sampled_from([0.0, 1.0, 60.0]))
    def flush(self, timeout: float) -> None:
        assert self.up is not None
        left = self.loop.run_until_complete(self.up.flush(timeout))
        assert 0 <= left <= self.up.statistics().accepted
        self.run()

    @precondition(lambda self: self.up is not None)
    @rule()
    def close(self) -> None:
        assert self.up is not None
        self.loop.run_until_complete(self.up.aclose())
        self.loop.jobs = None  # the thread has ended
        self.run()
        report = self.up.report
        assert not self.submits
        assert report.is_balanced, report
        assert report.accepted == report.delivered + report.rejected + report.dropped + report.spooled
        numbers = self.up.statistics()
        assert (numbers.pending_bytes, numbers.in_flight) == (0, 0)
        for receipt in self.receipts.values():
            assert receipt.outcome is not None
        self.leave()

    def leave(self) -> None:
        """The process is gone: what it owed, the next one owes."""
        assert self.up is not None
        self.quarantined += self.up.statistics().quarantined
        is_kept = self.options["durability"] == "commit"
        for receipt in self.receipts.values():
            if isinstance(receipt.outcome, Spooled) or (receipt.outcome is None and is_kept):
                self.owed.add(receipt.frame_id)
        self.receipts.clear()
        self.up = None
        self.loop.jobs = None

    @precondition(lambda self: self.up is not None)
    @rule(changes=st.integers(0, 25), count=st.integers(0, 5), seconds=st.sampled_from([0.0005, 0.011, 0.03]))
    def kill(self, changes: int, count: int, seconds: float) -> None:
        assert self.up is not None
        self.disk.kill_after = changes
        for _ in range(count):
            self.submit_one(self.new_frame(2000, "cam-0"))
        self.loop.run_until_complete(asyncio.sleep(seconds))
        self.collect()
        up = self.up
        # Delivered, and perhaps not marked; under way, and perhaps stored.
        self.service.repeats_allowed.update(self.unsettled)
        self.unsettled.clear()
        self.leave()
        self.service.process += 1
        # Nothing of it reaches the disk any more; it is closed only so that nothing of it is left.
        self.disk.release()
        self.loop.jobs = self.disk.jobs
        for _, task in self.submits:
            task.cancel()
        self.loop.run_until_complete(up.aclose())
        self.loop.jobs = None
        self.loop.run_until_complete(asyncio.sleep(0.001))
        self.submits.clear()
        self.start()

    @precondition(lambda self: self.up is None)
    @rule()
    def restart(self) -> None:
        self.disk.left = None
        self.start()

    @invariant()
    def no_frame_is_stored_too_often(self) -> None:
        for frame_id, copies in self.service.stored.items():
            assert copies <= self.lives[frame_id] + self.service.repeats_allowed[frame_id], frame_id

    @invariant()
    def the_account_adds_up(self) -> None:
        if self.up is None:
            return
        numbers = self.up.statistics()
        assert numbers.pending_frames >= 0
        assert min(numbers.spool_bytes, numbers.pending_bytes, numbers.queued, numbers.spool_frames) >= 0
        if not numbers.pending_frames and not self.submits:
            assert numbers.pending_bytes == 0
        assert self.flips or not numbers.quarantined

    def teardown(self) -> None:
        try:
            if self.options:
                self.end()
        finally:
            self.loop.jobs = None
            self.patch.undo()
            self.loop.close()
            shutil.rmtree(self.directory)

    def end(self) -> None:
        """The service and the disk are well again: all that is owed arrives."""
        self.service.weather = "ok"
        self.service.script.clear()
        self.service.disliked.clear()
        self.disk.left = None
        for _ in range(2):
            if self.up is not None:
                self.run(100.0)
                self.close()
            self.start()
        assert self.up is not None
        assert self.loop.run_until_complete(self.up.flush(3600)) == 0
        self.run()
        self.close()
        assert len(self.owed) <= min(self.flips, self.quarantined), (self.owed, self.flips, self.quarantined)
        self.no_frame_is_stored_too_often()


UploaderMachine.TestCase.settings = settings(
    max_examples=STEPS // STEPS_EACH,
    stateful_step_count=STEPS_EACH,
    suppress_health_check=list(HealthCheck),
    deadline=None,
    derandomize="PICSELLIA_ASYNC_SOAK" not in os.environ,
    print_blob=True,
)


class TestUploader(UploaderMachine.TestCase):  # type: ignore[misc, name-defined]
    """No frame is lost, none is delivered that was not submitted, none too often, and every account is balanced."""


def test_room_is_given_back_once_where_a_write_fails_behind_its_frame():
    """A frame that gives way while it is written, to a disk that then has no room for it: the bound of the spool holds."""
    machine = UploaderMachine()
    machine.begin(
        durability="interval",
        max_pending_bytes=12_000,
        max_spool_bytes=40_000,
        concurrency=1,
        ordered_by=None,
        when_full="thin",
    )
    machine.change_weather(kind="no memory")
    machine.submit_new(count=2, size=3000, source=0)
    machine.change_room(left=0)
    machine.submit_new(count=5, size=9000, source=0)
    machine.the_account_adds_up()
    machine.teardown()
