"""The line on a terminal that follows an uploader."""

from __future__ import annotations

import io
import sys
from typing import Any

import attrs
import pytest

from picsellia_async._delivery.outcomes import Health, UploaderStatistics
from picsellia_async.errors import ConfigurationError
from picsellia_async.progress import OFF_VARIABLE, TerminalProgress, describe
from picsellia_async.uploader import Uploader


async def send(frame: object, request: bytes) -> dict[str, Any]:
    raise AssertionError


NOTHING = Uploader(send).statistics()


def seen(**fields: Any) -> UploaderStatistics:
    return attrs.evolve(NOTHING, **fields)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """The terminal can do everything, and is wide enough."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.delenv(OFF_VARIABLE, raising=False)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "delivering"),
        ({"rejected": 2, "dropped": 1, "retried": 3}, "delivering, 2 rejected, 1 dropped, 3 repeated"),
        ({"health": Health.DOWN, "dropped": 4}, "delivering, 4 dropped, service down"),
    ],
)
def test_the_words_name_trouble_only(fields: dict[str, Any], words: str) -> None:
    """Failures and the service's health are named where there is something to say."""
    assert describe(seen(**fields)) == words


@pytest.mark.parametrize(("total", "shown"), [(10, "4/10"), (None, "4/6")])
def test_the_bar_counts_what_ended(total: int | None, shown: str) -> None:
    """Frames with an outcome, of the total or, where that is not known, of those accepted so far; the last state stays."""
    terminal = Terminal()
    with TerminalProgress(total, stream=terminal) as progress:
        progress(seen(accepted=6, pending_frames=2, rejected=1))
        assert "1 rejected" in terminal.getvalue()
        assert shown in terminal.getvalue()
    after = len(terminal.getvalue())
    progress(seen(accepted=9))
    assert len(terminal.getvalue()) == after


@pytest.mark.parametrize("reason", ["no terminal", "switched off"])
def test_nothing_is_shown(reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not where the output is no terminal, nor where the environment says no: then rich is not needed either."""
    monkeypatch.setitem(sys.modules, "rich.progress", None)
    stream = io.StringIO() if reason == "no terminal" else Terminal()
    if reason == "switched off":
        monkeypatch.setenv(OFF_VARIABLE, "1")
    with TerminalProgress(stream=stream) as progress:
        progress(seen(accepted=1))
    assert stream.getvalue() == ""


def test_a_terminal_without_rich_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the extra."""
    monkeypatch.setitem(sys.modules, "rich.progress", None)
    with pytest.raises(ConfigurationError, match=r"picsellia-async\[cli\]"), TerminalProgress(stream=Terminal()):
        pass
