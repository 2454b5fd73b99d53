"""The spool's thread: whatever fails in it, nobody waits for ever, and it goes on."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from picsellia_async._delivery.outcomes import Health
from picsellia_async._delivery.spool.spool import Spool
from picsellia_async._delivery.spool.store import Store
from picsellia_async.errors import SpoolError

from ..support.frames import make_frame
from .makers import OWNER, Service, uploader
from .stores import make_record, opened

pytestmark = pytest.mark.anyio

ERRORS = [OSError(5, "Input/output error"), TypeError("a str"), MemoryError(), ValueError("x"), SystemExit()]


def put(spool: Spool, number: int) -> asyncio.Future[bool]:
    """Put a record; the future tells whether it was known, or raises."""
    answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    def done(error: BaseException | None, is_known: bool) -> None:
        if error is None:
            answer.set_result(is_known)
        else:
            answer.set_exception(error)

    spool.put(make_record(number), done)
    return answer


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
async def test_an_error_of_any_kind_reaches_the_one_it_concerns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    """A commit that fails refuses its frames with a typed error and shows in health; the next one goes well."""
    async with uploader(Service(), tmp_path) as up:
        with monkeypatch.context() as patch:
            patch.setattr(Store, "commit", raising(error))
            with pytest.raises(SpoolError, match="cannot be written"):
                await up.submit(make_frame(1))
            assert up.statistics().health is Health.DEGRADED
        await up.submit(make_frame(2))
        assert up.statistics().health is Health.OK
    assert (up.report.delivered, up.report.is_balanced) == (1, True)


def raising(error: BaseException) -> Callable[..., Any]:
    def fail(*_: object) -> None:
        raise error

    return fail


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
async def test_frames_taken_at_once_are_delivered_from_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    """In interval mode a disk that never works costs no frame of this run."""
    monkeypatch.setattr(Store, "commit", raising(error))
    async with uploader(Service(seconds=0.05), tmp_path, durability="interval", commit_interval=0.01) as up:
        for number in range(10):
            await up.submit(make_frame(number))
        assert await up.flush(timeout=300) == 0
    assert (up.report.delivered, up.report.is_balanced) == (10, True)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
async def test_a_question_that_fails_is_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    """Reading that ends in an error of any kind raises it where somebody waits."""
    spool = Spool(tmp_path, OWNER)
    await spool.open()
    with monkeypatch.context() as patch:
        patch.setattr(Store, "claim", raising(error))
        with pytest.raises(SpoolError):
            await spool.claim([1])
    assert (await spool.claim([1])).damaged == [(1, None)], "it is not there"
    await spool.close(10)


async def test_tidying_that_fails_ends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in quiet moments is tried again, and closing goes on."""
    monkeypatch.setattr("picsellia_async._delivery.spool.spool._QUIET_SECONDS", 0.01)
    tidied = threading.Event()

    def fail(_: Store) -> None:
        tidied.set()
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Store, "tidy", fail)
    spool = Spool(tmp_path, OWNER)
    await spool.open()
    assert await put(spool, 1) is False
    await asyncio.to_thread(tidied.wait, 30)
    assert await put(spool, 2) is False
    assert await spool.close(10)
    with opened(tmp_path) as now:
        assert now.found == [1, 2]


async def test_every_put_is_answered_once_also_around_the_end(tmp_path: Path) -> None:
    """Records that are handed in while the spool closes, or after it, are written or refused, and never forgotten."""
    spool = Spool(tmp_path, OWNER)
    await spool.open()
    answers = [put(spool, number) for number in range(1, 20)]
    closing = asyncio.create_task(spool.close(10))
    for number in range(20, 40):
        answers.append(put(spool, number))
        await asyncio.sleep(0)
    assert await closing
    answers.append(put(spool, 40))
    results = await asyncio.wait_for(asyncio.gather(*answers, return_exceptions=True), 300)
    with opened(tmp_path) as now:
        assert now.found == [number for number, result in enumerate(results, 1) if result is False]
    assert isinstance(results[-1], SpoolError)
    with pytest.raises(SpoolError, match="closed"):
        await spool.claim([1])


async def test_a_process_without_room_for_a_thread_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Opening raises a typed error, and closing ends."""
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", raising(RuntimeError("can't start new thread")))
        spool = Spool(tmp_path, OWNER)
        with pytest.raises(SpoolError, match="can't start new thread"):
            await spool.open()
    assert await spool.close(1)


async def test_a_frame_refused_before_it_was_written_becomes_a_dead_letter(tmp_path: Path) -> None:
    """Writing and refusing in one commit keeps the frame for its reader; writing and delivering writes nothing."""
    spool = Spool(tmp_path, OWNER, durability="interval", commit_interval=30)
    await spool.open()
    answers = [put(spool, number) for number in (1, 2)]
    spool.reject(1, "bad box")
    spool.acknowledge(2)
    await spool.sync()
    assert [await answer for answer in answers] == [False, False]
    assert await spool.close(10)
    with opened(tmp_path) as now:
        assert [(letter.seq, letter.reason) for letter in now.store.dead_letters()] == [(1, "bad box")]
        assert now.recovery.last_seq == 1


async def test_marks_that_could_not_be_written_are_written_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A frame delivered while the disk fails is not sent again by the next run, once the disk works."""
    monkeypatch.setattr("picsellia_async._delivery.spool.spool._QUIET_SECONDS", 0.01)
    spool = Spool(tmp_path, OWNER)
    await spool.open()
    await asyncio.gather(put(spool, 1), put(spool, 2))
    with monkeypatch.context() as patch:
        patch.setattr("picsellia_async._delivery.spool.disk.write_at", raising(OSError(5, "Input/output error")))
        spool.acknowledge(1)
        await spool.sync()
        assert isinstance(spool.error, SpoolError)
    async with asyncio.timeout(300):
        while spool.error is not None:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)
    assert await spool.close(10)
    with opened(tmp_path) as now:
        assert now.found == [2]
