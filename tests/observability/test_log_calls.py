"""Calls of the log: what an application's filters and handlers raise ends nothing, and a record is one line."""

from __future__ import annotations

import asyncio
import io
import logging
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import picsellia_async
from picsellia_async import _log_line
from picsellia_async._log_line import Line, logger, one_line, tell, write
from picsellia_async.errors import ServerError
from picsellia_async.frames import Frame

from ..support.frames import make_frame
from ..uploader.service import Service, uploader

pytestmark = pytest.mark.anyio

PACKAGE = Path(picsellia_async.__file__).parent
OURS = logging.getLogger("picsellia_async")
RAISED = [RuntimeError("a fault"), asyncio.CancelledError(), pytest.fail.Exception("failed"), GeneratorExit()]
SEPARATORS = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"


@pytest.fixture(autouse=True)
def nothing_was_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_log_line, "_FAILED", set())


class Raising(logging.Handler):
    """A handler, and a filter, whose author forgot about it."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error, self.calls = error, 0

    def emit(self, record: logging.LogRecord) -> None:
        self.calls += 1
        raise self.error

    def filter(self, record: logging.LogRecord) -> bool:
        return record.name != "picsellia_async" or self.emit(record)  # type: ignore[func-returns-value]


@pytest.fixture(params=["handler", "filter"])
def broken(request: pytest.FixtureRequest) -> Iterator[Raising]:
    """One that raises for each line, of each level; the test says what."""
    one = Raising(RuntimeError("a fault"))
    level = OURS.level
    OURS.setLevel(logging.DEBUG)
    add, remove = (
        (OURS.addHandler, OURS.removeHandler) if request.param == "handler" else (OURS.addFilter, OURS.removeFilter)
    )
    add(one)
    yield one
    remove(one)
    OURS.setLevel(level)


@pytest.mark.parametrize("error", RAISED, ids=lambda error: type(error).__name__)
async def test_a_handler_that_raises_costs_no_frame(
    broken: Raising, error: BaseException, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Delivery through errors and repeats goes on, with a spool and without, and the books balance; stderr says it once."""
    broken.error = error
    for spool in (None, tmp_path / "spool"):
        failing = ServerError("busy", 503, "POST", "http://x")
        service = Service(
            script=lambda frame, attempt, failing=failing: (
                failing if attempt == 1 and "-000000" in frame.filename else None
            )
        )
        async with uploader(service, spool=spool, close_timeout=60.0) as up:
            for number in range(10):
                await up.submit(make_frame(number))
            assert await asyncio.wait_for(up.flush(), 60) == 0
        assert (up.report.delivered, up.report.is_balanced) == (10, True)
    assert broken.calls >= 4
    told = capsys.readouterr().err
    assert told.count("Logging error: a filter or handler of picsellia_async raised ---\n") == 1
    assert type(error).__name__ in told


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt()], ids=["SystemExit", "KeyboardInterrupt"])
def test_what_ends_the_program_ends_it_with_each_frames_outcome(broken: Raising, error: BaseException) -> None:
    """As in callbacks: raised out of the loop, once, though each line raises it; closing tells what became of all."""
    ups = []

    async def main() -> None:
        service = Service(script=lambda _frame, _attempt: ServerError("busy", 503, "POST", "http://x"))
        async with uploader(service, close_timeout=0.1) as up:
            ups.append(up)
            for number in range(5):
                await up.submit(make_frame(number))
            broken.error = error
            await asyncio.sleep(30)

    with pytest.raises(type(error)):
        asyncio.run(main())
    assert (ups[0].report.accepted, ups[0].report.is_balanced, ups[0].is_closed) == (5, True, True)


def test_outside_of_loops_only_the_main_thread_is_ended() -> None:
    """Another thread would end without a word, and who waits for it would wait for ever."""
    broken, ended = Raising(SystemExit(3)), []
    OURS.addHandler(broken)
    try:
        thread = threading.Thread(target=lambda: (logger.error("one"), ended.append(True)))
        thread.start()
        thread.join()
        with pytest.raises(SystemExit):
            logger.error("two")
    finally:
        OURS.removeHandler(broken)
    assert ended == [True]


def test_no_module_has_a_logger_of_its_own() -> None:
    """Each call of the library goes the one way; the emulator and the command line's `-v` are programs, not the library."""
    own = [
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        if "getLogger(" in path.read_text(encoding="utf-8") and "emulator" not in path.parts
    ]
    assert sorted(own) == ["_log_line.py", "cli/logs.py"]


@pytest.mark.parametrize("one", [*SEPARATORS, "\x1b", "\x07", "\x9b", "\u202e", "\u2066", "\udcff", "\x00"], ids=ascii)
def test_a_name_ends_no_line(one: str) -> None:
    """Nor does it move the cursor, or turn what follows it: it is shown as Python writes it. The values stay as they are."""
    shown = one.encode("unicode_escape").decode()
    name = f"cam{one}ERROR all is lost.jpg"
    stream = io.StringIO()
    records: list[logging.LogRecord] = []
    handler = logging.StreamHandler(stream)
    handler.addFilter(lambda record: records.append(record) or True)
    OURS.addHandler(handler)
    try:
        logger.warning("lost: %s, %r, %d", name, name, 3)
        logger.warning("lost: %s", Path(name.replace("\0", "")))
        logger.error("lost: %s", ValueError(name))
        tell(logging.WARNING, "%(name_of)s of %(count)d", name_of=name, count=2)
        write(Line(logging.WARNING, f"lost: {name}, 100%", {"camera": name}))
    finally:
        OURS.removeHandler(handler)
    lines = stream.getvalue().removesuffix("\n").split("\n")
    assert len(lines) == 5
    assert [len(line.splitlines()) for line in lines] == [1] * 5
    assert not any(one in line for line in lines)
    assert lines[0] == f"lost: cam{shown}ERROR all is lost.jpg, {name!a}, 3"
    assert lines[4] == f"lost: cam{shown}ERROR all is lost.jpg, 100%"
    assert (records[4].camera, records[3].name_of) == (name, name)  # type: ignore[attr-defined]


def test_what_is_no_control_stays() -> None:
    """Letters of all scripts, signs, and what joins the parts of an emoji."""
    text = "caméra 門 שער 👩\u200d🔧 \u00a0% {}"
    assert one_line(text) == text


def test_a_record_says_who_wrote_it() -> None:
    """File and function are those of the call, not of what is between."""
    records: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = records.append  # type: ignore[method-assign]
    OURS.addHandler(handler)
    try:
        logger.warning("a")
        tell(logging.WARNING, "b")
        logger.error("c", exc_info=ValueError("d"))
    finally:
        OURS.removeHandler(handler)
    assert {record.funcName for record in records} == {"test_a_record_says_who_wrote_it"}
    assert {record.filename for record in records} == {"test_log_calls.py"}


async def test_lines_about_frames_are_one_line_each(caplog: pytest.LogCaptureFixture) -> None:
    """Names of files come from disks, and from who uploads."""

    def script(frame: Frame, attempt: int) -> BaseException:
        return ServerError(f"no\nCRITICAL {frame.filename}", 501, "POST", "http://x")

    async with uploader(Service(script=script), close_timeout=1.0) as up:
        await up.submit(make_frame(filename="gate\u2028x.jpg"))
        await asyncio.sleep(1.5)
    lines = [record.getMessage() for record in caplog.records if record.name == "picsellia_async"]
    assert any(re.search(r"gate\\u2028x\.jpg", line) for line in lines)
    assert [line for line in lines if len(line.splitlines()) != 1] == []
