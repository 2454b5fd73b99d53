"""What a formatter of JSON gets: each number that a line has in words is a value of the record too."""

from __future__ import annotations

import ast
import json
import logging
import re
from pathlib import Path
from uuid import UUID

import pytest

import picsellia_async
from picsellia_async._delivery.delivery_log import DeliveryLog
from picsellia_async._delivery.outcomes import Failure, Health
from picsellia_async._delivery.trouble import Counts
from picsellia_async._log_line import Line, tell, write
from picsellia_async.pipeline._log import FailureLog
from picsellia_async.pipeline._watch import ModelWatch
from picsellia_async.sources._camera_log import CameraLog

PACKAGE = Path(picsellia_async.__file__).parent
BEFORE = Counts(7, 11, 2, 3, refused=4, spool_frames=5, may_be_stored=1)
AFTER = Counts(46, 77, 15, 19, refused=38, spool_frames=29, may_be_stored=14)
END = Counts(0, 91, 31, 59, spooled=83, refused=43, spool_frames=83, may_be_stored=21)


def delivery_lines() -> list[Line]:
    """Return each kind of line that an uploader writes; both parts are in trouble, and frames are lost."""
    log, lost = DeliveryLog(has_spool=True), [Failure(UUID(int=1), "a.jpg", None, "rejected", "refused")]
    lines = [log.opening(BEFORE, "/spool")]
    log.lost(0.0)
    lines += log.lines(1.0, BEFORE, lost)
    log.changed(100.0, Health.DOWN, "hangs", BEFORE, lasted=15.4)
    lines += log.lines(100.0, BEFORE, [])
    log.disk_changed(113.0, Health.DISK_FULL, "full", BEFORE)
    log.changed(114.0, Health.REFUSED, "no", BEFORE)
    for second in (123.0, 124.0, 156.7):
        lines += log.lines(second, AFTER, lost)
    lines.append(log.closing_waits(160.0, AFTER, 8.6))
    log.changed(161.0, Health.OK, "", AFTER)
    lines += log.lines(167.0, END, lost)
    lines.append(DeliveryLog(has_spool=False).closing_waits(0.0, AFTER, 9.0, 13.6))
    return [
        *lines,
        *log.closing(170.0, END, [], [], "/spool"),
        *DeliveryLog(has_spool=True).closing(0, AFTER, [], [], ""),
    ]


def camera_lines() -> list[Line | None]:
    """Return each kind of line of a camera."""
    log = CameraLog("rtsp://cam")
    lines = [log.opened(), log.stream_ended(5), log.failed(10, "gone"), log.failed(47.6, "gone"), log.picture(53.4)]
    lines += [log.damaged(60 + number / 2) for number in range(9, 24)]
    return [*lines, log.whole(80.7), log.ended("gone"), log.ended("")]


def pipeline_lines() -> list[Line | None]:
    """Return each kind of line of a pipeline's frames and model."""
    log, watch = FailureLog(), ModelWatch()
    failed = [
        log.failed(at, reason, "gate", ValueError("bad")) for at, reason in ((0, "model"), (1, "model"), (31, "keep"))
    ]
    first = watch.begin(0.0, ["gate"])
    watch.begin(14.0, ["yard"])
    return [*failed, watch.look(17.2), watch.end(18.4, first)]


def numbers(value: object) -> set[str]:
    """Return the numbers among the values, as a line writes them."""
    if isinstance(value, dict):
        return {found for one in value.values() for found in numbers(one)}
    return {f"{value:.0f}"} if isinstance(value, (int, float)) and not isinstance(value, bool) else set()


@pytest.mark.parametrize("lines", [delivery_lines, camera_lines, pipeline_lines])
def test_each_number_of_a_line_is_a_value(lines, caplog: pytest.LogCaptureFixture) -> None:
    """As a formatter prints the attributes that `extra=` gave the record, in JSON."""
    own = vars(logging.makeLogRecord({})).keys() | {"message"}
    with caplog.at_level(logging.INFO, "picsellia_async"):
        write(*lines())
    records = [record for record in caplog.records if record.name == "picsellia_async"]
    told = [
        (record.getMessage(), json.loads(json.dumps({k: v for k, v in vars(record).items() if k not in own})))
        for record in records
    ]
    assert len(told) >= 4
    for text, values in told:
        assert set(re.findall(r"(?<![\w.])\d+(?![\w.])", text)) <= numbers(values), (text, values)


def test_no_line_has_a_number_in_words_alone():
    """Every other message with a number in its format is written by `tell`, which gives the record its values as well."""
    numbered = re.compile(r"%[-+ #0-9.]*[dgf]\b|%\.\d+f")
    found = [
        f"{path.relative_to(PACKAGE)}:{call.lineno}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr in {"info", "warning", "error"}
        and isinstance(call.func.value, ast.Name)
        and call.func.value.id == "logger"
        and not any(keyword.arg == "extra" for keyword in call.keywords)
        and any(isinstance(one, ast.Constant) and numbered.search(str(one.value)) for one in call.args)
    ]
    assert not found


def test_a_line_told_at_once_has_its_values(caplog: pytest.LogCaptureFixture):
    """The text is made of the same values that the record has."""
    with caplog.at_level(logging.INFO, "picsellia_async"):
        tell(logging.WARNING, "%(gone)d records are gone from %(spool)s", gone=3, spool="/s")
    (record,) = caplog.records
    assert (record.getMessage(), record.gone, record.spool) == ("3 records are gone from /s", 3, "/s")
