"""`SyncUploader`: an uploader of plain code, with a thread of its own."""

from __future__ import annotations

import logging
import threading
import traceback
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest

from picsellia_async import (
    ClosedError,
    ConfigurationError,
    Delivered,
    NotFoundError,
    PicselliaError,
    RetryPolicy,
    SpoolError,
    SyncUploader,
)
from picsellia_async.emulator import Fault, ThreadedEmulator

from ..support.frames import make_frame


def sync_uploader(emulator: ThreadedEmulator, **options: Any) -> SyncUploader:
    return SyncUploader(emulator.deployment_name, api_token=emulator.api_token, host=emulator.url, **options)


def stored(emulator: ThreadedEmulator) -> Counter[str]:
    return Counter(row["filename"] for row in emulator.predictions())


def test_frames_of_many_threads_are_stored_once(picsellia_emulator: ThreadedEmulator) -> None:
    """Four threads, one uploader: everything submitted is stored exactly once when the block ends."""
    with sync_uploader(picsellia_emulator, max_pending_frames=20) as uploader, ThreadPoolExecutor(4) as pool:
        receipts = list(pool.map(uploader.submit, map(make_frame, range(100))))
        assert isinstance(receipts[0].result(timeout=30), Delivered)
        assert uploader.flush() == 0
        assert uploader.statistics().delivered == 100
    assert uploader.is_closed
    assert uploader.report.accepted == uploader.report.delivered == 100
    assert stored(picsellia_emulator) == {f"frame-{number:06d}.jpg": 1 for number in range(100)}


def test_closing_delivers_what_was_handed_over(picsellia_emulator: ThreadedEmulator) -> None:
    """Nobody waits for the receipts: leaving the block does, also where an error ends it."""
    picsellia_emulator.faults.add(Fault(kind="latency", endpoint="monitor", seconds=0.05))
    uploader = sync_uploader(picsellia_emulator)
    with pytest.raises(ZeroDivisionError), uploader:
        receipts = [uploader.submit(make_frame(number)) for number in range(30)]
        raise ZeroDivisionError
    assert all(isinstance(receipt.outcome, Delivered) for receipt in receipts)
    assert len(stored(picsellia_emulator)) == 30
    with pytest.raises(ClosedError):
        uploader.submit(make_frame())
    uploader.close()


@pytest.mark.anyio
async def test_it_works_where_a_loop_runs_in_this_thread(picsellia_emulator: ThreadedEmulator) -> None:
    """As in Jupyter: the running loop is not touched."""
    with sync_uploader(picsellia_emulator) as uploader:
        outcome = uploader.submit(make_frame()).result(30)
    assert isinstance(outcome, Delivered)


def test_callbacks_come_from_the_uploader_s_thread_and_cannot_wait_for_it(picsellia_emulator: ThreadedEmulator) -> None:
    """`on_outcome` is called there; what would wait for itself is refused, logged and counted, and the next frame is delivered."""
    names: list[str] = []

    def ended(_: object) -> None:
        names.append(threading.current_thread().name)
        uploader.submit(make_frame(100))

    uploader = sync_uploader(picsellia_emulator, on_outcome=ended)
    with uploader:
        for number in range(2):
            uploader.submit(make_frame(number))
    assert names == ["picsellia-uploader"] * 2
    assert uploader.statistics().callback_errors == 2
    assert uploader.report.delivered == 2


def test_what_keeps_it_from_opening_is_raised(picsellia_emulator: ThreadedEmulator, tmp_path: Any) -> None:
    """No such deployment, no token, a spool in use: the error of that, and no thread is left."""
    before = threading.active_count()
    options: dict[str, Any] = {"api_token": picsellia_emulator.api_token, "host": picsellia_emulator.url}
    with pytest.raises(NotFoundError):
        SyncUploader("nobody", **options).open()
    with pytest.raises(ConfigurationError, match="token"):
        SyncUploader("nobody", **{**options, "api_token": ""}).open()
    with sync_uploader(picsellia_emulator, spool=tmp_path), pytest.raises(SpoolError):
        sync_uploader(picsellia_emulator, spool=tmp_path).open()
    assert threading.active_count() == before


def test_options_are_checked_when_it_is_made() -> None:
    """An option that there is not, or out of range, is refused before anything is started; `retry` is for both."""
    with pytest.raises(TypeError, match="concurrency"):
        SyncUploader("name", concurency=3)  # type: ignore[call-arg]
    with pytest.raises(ConfigurationError, match="concurrency"):
        SyncUploader("name", concurrency=0)
    with pytest.raises(ConfigurationError, match="deployment"):
        SyncUploader("")
    assert "new" in repr(SyncUploader("name", retry=RetryPolicy.none(), host="http://127.0.0.1:1"))


def test_no_traceback_shows_the_token() -> None:
    """Of the variables of this library, when it refuses an option and when it cannot connect."""
    uploader = SyncUploader("name", api_token="very-secret", host="http://127.0.0.1:9", retry=RetryPolicy.none())
    for call in (lambda token: SyncUploader("name", api_token=token, concurrency=0), lambda _: uploader.open()):
        with pytest.raises(PicselliaError) as raised:
            call("very-secret")
        for frame, _ in traceback.walk_tb(raised.value.__traceback__):
            if "picsellia_async/" in frame.f_code.co_filename:
                assert "very-secret" not in repr(frame.f_locals)


def test_it_is_opened_once_and_used_while_open(picsellia_emulator: ThreadedEmulator) -> None:
    """Before opening everything but `close` is a ClosedError, and so is opening it again."""
    uploader = SyncUploader(
        UUID(picsellia_emulator.deployment_id), api_token=picsellia_emulator.api_token, host=picsellia_emulator.url
    )
    uploader.close()
    for use in (lambda: uploader.submit(make_frame()), uploader.flush, uploader.statistics, lambda: uploader.report):
        with pytest.raises(ClosedError, match="with SyncUploader"):
            use()
    with uploader, pytest.raises(ClosedError, match="once"):
        uploader.open()
    with pytest.raises(ClosedError, match="once"):
        uploader.open()


def test_one_that_is_forgotten_tells_and_delivers(
    picsellia_emulator: ThreadedEmulator, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody holds it any more and nobody closed it: an error in the log, a ResourceWarning, and its frames arrive."""
    receipt = (uploader := sync_uploader(picsellia_emulator).open()).submit(make_frame())
    thread = next(one for one in threading.enumerate() if one.name == "picsellia-uploader")
    with pytest.warns(ResourceWarning, match="without being closed"):
        del uploader
    thread.join()
    assert isinstance(receipt.outcome, Delivered)
    assert [r.levelno for r in caplog.records if "without being closed" in r.message] == [logging.ERROR]


def test_pause_keeps_frames_until_resume(picsellia_emulator: ThreadedEmulator) -> None:
    """Both are done when they return."""
    with sync_uploader(picsellia_emulator) as uploader:
        uploader.pause()
        receipt = uploader.submit(make_frame())
        assert uploader.flush(timeout=0.02) == 1
        uploader.resume()
        assert isinstance(receipt.result(30), Delivered)


def test_a_system_without_threads_is_told_and_keeps_nobody_waiting(
    picsellia_emulator: ThreadedEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the thread cannot be started, opening raises, and closing has nothing to wait for."""
    up = sync_uploader(picsellia_emulator)

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError, match="new thread"):
            up.open()
    assert up.is_closed
    up.close()
