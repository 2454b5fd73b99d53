"""Options of `run` for boxes that run for days: what they become, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from picsellia_async import Hours
from picsellia_async.cli.main import root_parser
from picsellia_async.cli.sending import cache_dir_of, sending_options

RUN = ["run", "rtsp://10.0.0.7/main", "--model", "m.onnx", "--labels", "labels.txt", "--deployment", "d"]


def test_what_is_not_given_keeps_the_default_of_the_uploader() -> None:
    """Without options nothing is bounded, and nothing is on disk."""
    arguments = root_parser().parse_args(RUN)
    assert {name: value for name, value in sending_options(arguments).items() if value} == {
        "concurrency": 32, "close_timeout": 30.0, "order": "oldest",
    }  # fmt: skip
    assert cache_dir_of(arguments) is None


def test_each_option_becomes_one_of_the_uploader() -> None:
    """Sizes are in 1024s, hours may have a zone, and steps are pairs."""
    given = [
        "--spool", "s", "--max-spool-bytes", "1.5G", "--min-free-bytes", "64m", "--durability", "interval", "--when-full", "thin",
        "--max-bytes-per-second", "500k", "--hours", "22:00-06:00 Europe/Paris", "--newest-first", "--send-within", "3600",
        "--degrade", "85:1920,60:1280", "--deduplicate", "--close-timeout", "5", "--concurrency", "auto",
    ]  # fmt: skip
    arguments = root_parser().parse_args([*RUN, *given])
    assert sending_options(arguments) == {
        "spool": Path("s"), "max_spool_bytes": 1536 * 2**20, "min_free_bytes": 64 * 2**20, "durability": "interval",
        "when_full": "thin", "max_bytes_per_second": 500 * 2**10, "allowed": Hours("22:00", "06:00", "Europe/Paris"),
        "order": "newest", "max_age": 3600, "degrade": [(85, 1920), (60, 1280)], "deduplicate": True, "close_timeout": 5,
        "concurrency": "auto",
    }  # fmt: skip


def test_the_cache_is_in_the_spool_unless_it_is_given() -> None:
    """Whoever may write the one may write the other."""
    assert cache_dir_of(root_parser().parse_args([*RUN, "--spool", "s"])) == Path("s/cache")
    assert cache_dir_of(root_parser().parse_args([*RUN, "--spool", "s", "--cache-dir", "c"])) == Path("c")


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--max-spool-bytes", "10 apples", "such as 500000, 500k"),
        ("--max-bytes-per-second", "0", "such as 500000, 500k"),
        ("--hours", "at night", "as 22:00-06:00"),
        ("--hours", "22:00-25:00", "25:00"),
        ("--hours", "22:00-06:00 Mars", "Mars"),
        ("--degrade", "85", "as 85:1920"),
        ("--send-within", "-1", "seconds"),
        ("--threads", "0", "0"),
    ],
)
def test_values_that_are_none_are_refused(
    option: str, value: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the option and how it is written."""
    with pytest.raises(SystemExit, match="2"):
        root_parser().parse_args([*RUN, f"{option}={value}"])
    told = capsys.readouterr().err
    assert f"argument {option}: " in told
    assert words in told
