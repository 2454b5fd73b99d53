"""Callbacks of the user that raise: few lines, each with its count, and no secret in them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest

from picsellia_async._delivery.callback_log import CallbackLog
from picsellia_async._delivery.outcomes import Health

from ..support.frames import make_frame
from .service import Service, down, frames, uploader

pytestmark = pytest.mark.anyio

SECRET = "e4eb58c8a9d24a7c9a51d2a7b6f0e2d1a4b3c2d1"


def errors(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.levelno == logging.ERROR]


def broken(*_: Any) -> bool:
    raise KeyError(f"token={SECRET} http://u:hunter2secret@h/x")


async def test_a_callback_that_always_raises_has_few_lines_and_its_count(caplog: pytest.LogCaptureFixture) -> None:
    """The first error at once with its traceback, then the number every 30 seconds, and the rest at closing."""
    async with uploader(Service(seconds=1.0), on_outcome=broken, concurrency=1) as up:
        for frame in frames(100):
            await up.submit(frame)
        await up.flush()
    assert up.statistics().callback_errors == 100
    told = errors(caplog)
    assert len(told) <= 5
    assert told[0].raised == 1  # type: ignore[attr-defined]
    assert sum(record.raised for record in told) == 100  # type: ignore[attr-defined]
    assert "a callback of the uploader raised: on_outcome: KeyError" in told[0].message
    assert "in broken\n    raise KeyError(" in told[0].message
    assert "29 times since the last line, the last: on_outcome: KeyError" in told[1].message


def raised(log: CallbackLog, now: float, raiser: Callable[[], object]) -> str:
    """Have a callback raise; return what is told."""
    try:
        raiser()
    except Exception as error:  # noqa: BLE001 - whatever it raises
        log.raised("on_outcome", error)
    return "\n".join(f"{line.text}\n{line.below}".rstrip("\n") for line in log.due(now))


def test_a_traceback_is_told_once_of_each_class_and_place() -> None:
    """Then class, message and place alone; another place or class has its own, also where it was not the last of its period."""

    def elsewhere() -> None:
        raise KeyError("other place")

    def of_another_class() -> None:
        raise ValueError("other class")

    log = CallbackLog()
    first, *_ = told = [raised(log, now, broken) for now in (0.0, 30.0, 60.0)]
    assert [text.count("Traceback") for text in told] == [1, 0, 0]
    assert "in broken\n    raise KeyError(" in first
    assert "\n" not in told[1]
    assert f"(in broken, line {broken.__code__.co_firstlineno + 1} of {__file__})" in told[1]
    assert raised(log, 61.0, elsewhere) == raised(log, 62.0, of_another_class) == ""
    text = raised(log, 90.0, broken)
    assert "3 times since the last line" in text
    assert (text.count("Traceback"), "in elsewhere" in text, "ValueError: other class" in text) == (2, True, True)
    assert raised(log, 120.0, of_another_class).count("Traceback") == 0
    assert "Traceback" not in "".join(line.text for line in log.rest())


def test_errors_of_ever_new_places_keep_little() -> None:
    """A callback of generated code: few tracebacks a line, and no more than a hundred kinds are remembered."""
    log = CallbackLog()
    for number in range(1000):
        code = compile("\n" * number + "raise KeyError", "generated.py", "exec")
        text = raised(log, number * 10.0, lambda code=code: exec(code, {}))  # type: ignore[misc]
        assert text.count("Traceback") <= 3
    assert "Traceback" not in text
    assert "KeyError" in raised(log, 20_000.0, broken)


async def test_what_a_burst_raised_is_told_though_nothing_more_is_raised(caplog: pytest.LogCaptureFixture) -> None:
    """The count comes 30 seconds after the first line."""
    async with uploader(Service(), on_outcome=broken) as up:
        for frame in frames(20):
            await up.submit(frame)
        await up.flush()
        await asyncio.sleep(31)
        assert [record.raised for record in errors(caplog)] == [1, 19]  # type: ignore[attr-defined]
    assert len(errors(caplog)) == 2


@pytest.mark.parametrize("option", ["on_outcome", "on_health", "progress", "allowed"])
async def test_no_secret_of_what_a_callback_raised_is_shown(caplog: pytest.LogCaptureFixture, option: str) -> None:
    """Neither in the line nor in its traceback; the error is counted."""
    service = Service(script=lambda _, attempt: down() if attempt < 9 else None)
    async with uploader(service, close_timeout=0.1, **{option: broken}) as up:
        await up.submit(make_frame())
        await up.flush(timeout=100)
    assert up.statistics().callback_errors
    (first, *_) = errors(caplog)
    assert first.callback.startswith(option)  # type: ignore[attr-defined]
    text = caplog.text  # with whatever a formatter adds
    assert "KeyError" in text
    assert (SECRET in text, "hunter2" in text) == (False, False)


async def test_one_callback_hides_no_other(caplog: pytest.LogCaptureFixture) -> None:
    """Each has its own first line."""
    seen: list[Health] = []

    def on_health(_: Health, now: Health, __: BaseException | None) -> None:
        seen.append(now)
        raise ValueError("of health")

    service = Service(script=lambda frame, attempt: down() if attempt < 9 and frame.filename != "0" else None)
    async with uploader(service, on_outcome=broken, on_health=on_health) as up:
        for frame in frames(20):
            await up.submit(frame)
        await up.flush()
    assert seen
    assert {record.callback for record in errors(caplog)} == {"on_outcome", "on_health"}  # type: ignore[attr-defined]


async def test_an_error_that_cannot_be_shown_breaks_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """Its type is told."""

    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no text")

    def raises(_: object) -> None:
        raise Mute

    async with uploader(Service(), on_outcome=raises) as up:
        for frame in frames(5):
            await up.submit(frame)
        await up.flush()
    assert up.report.delivered == 5
    assert "Mute" in errors(caplog)[0].message


async def test_an_answer_and_an_error_by_turns_fill_no_log(caplog: pytest.LogCaptureFixture) -> None:
    """`allowed` that raises each second time it is asked has a line every 30 seconds."""
    asked = 0

    def allowed() -> bool:
        nonlocal asked
        asked += 1
        if asked % 2:
            raise OSError("no modem")
        return False

    async with uploader(Service(), allowed=allowed, close_timeout=0.1) as up:
        await up.submit(make_frame())
        assert await up.flush(timeout=200) == 1
    assert 1 <= len(errors(caplog)) <= 200 / 30 + 2
