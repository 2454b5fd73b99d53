"""Options of a command that delivers for days: what is on disk, what the uplink takes, and when. As those of the uploader."""

from __future__ import annotations

import argparse
import math
import re
from pathlib import Path
from typing import Final

from picsellia_async._delivery.options import Rung, UploaderOptions
from picsellia_async._delivery.permission import Hours
from picsellia_async.cli.delivering import add_concurrency, concurrency_of, seconds
from picsellia_async.errors import ConfigurationError

_UNITS: Final = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}
_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)([kmgt]?)", re.IGNORECASE)
_HOURS: Final = re.compile(r"([\d:]+)-([\d:]+)(?: (\S+))?")
_RUNG: Final = re.compile(r"(\d+):(\d+)")
_CACHE: Final = "cache"
"""Beside the files of the spool, so that whoever may write one may write the other."""


def size(value: str) -> int:
    """Read a number of bytes for argparse: `500M` is 500 times 2**20.

    Raises:
        ArgumentTypeError: It is no such number, or none at all.
    """
    found = _SIZE.fullmatch(value)
    number = float(found[1]) * _UNITS[found[2].lower()] if found else 0.0
    if not 1 <= number < math.inf:
        raise argparse.ArgumentTypeError(f"must be bytes, such as 500000, 500k, 64M or 10G, got {value}")
    return int(number)


def hours(value: str) -> Hours:
    """Read hours of the day for argparse, as `22:00-06:00`, maybe with a time zone.

    Raises:
        ArgumentTypeError: They are none.
    """
    found = _HOURS.fullmatch(value)
    if found is None:
        raise argparse.ArgumentTypeError(f"must be as 22:00-06:00 or '22:00-06:00 Europe/Paris', got {value}")
    try:
        return Hours(*found.groups())
    except ConfigurationError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def rungs(value: str) -> list[Rung]:
    """Read steps of quality and size for argparse, as `85:1920,60:1280`.

    Raises:
        ArgumentTypeError: They are none.
    """
    found = [_RUNG.fullmatch(one) for one in value.split(",")]
    pairs = [(int(one[1]), int(one[2])) for one in found if one is not None]
    if len(pairs) < len(found):
        raise argparse.ArgumentTypeError(f"must be JPEG quality and longest side, as 85:1920,60:1280, got {value}")
    return pairs


def add_sending(parser: argparse.ArgumentParser) -> None:
    """Add the options; `sending_options` and `cache_dir_of` read them."""
    add_concurrency(parser)
    group = parser.add_argument_group("delivery")
    group.add_argument("--spool", type=Path, metavar="DIR", help="frames survive a crash and an outage")
    group.add_argument(
        "--cache-dir", type=Path, metavar="DIR", help="start without network from what is here (default: SPOOL/cache)"
    )
    group.add_argument("--max-spool-bytes", type=size, metavar="SIZE", help="bound of the spool (default 10G)")
    group.add_argument("--min-free-bytes", type=size, metavar="SIZE", help="room on its disk that is left to others")
    group.add_argument(
        "--durability",
        choices=("commit", "interval"),
        help="interval: a crash may take the last 0.1 s (default commit)",
    )
    group.add_argument(
        "--when-full", choices=("wait", "drop_newest", "drop_oldest", "thin"), help="default: wait, and cameras drop"
    )
    group.add_argument("--max-bytes-per-second", type=size, metavar="SIZE", help="of all requests together")
    group.add_argument("--hours", type=hours, metavar="HOURS", help="send only then, as 22:00-06:00")
    group.add_argument("--newest-first", action="store_true", help="send what came last, then the backlog from its end")
    group.add_argument("--send-within", type=seconds, metavar="SECONDS", help="what is older is not sent any more")
    group.add_argument("--degrade", type=rungs, metavar="STEPS", help="encode smaller under backlog: 85:1920,60:1280")
    group.add_argument("--deduplicate", action="store_true", help="look a frame up before it is sent a second time")
    group.add_argument(
        "--close-timeout", type=seconds, default=30.0, metavar="SECONDS", help="for what is left (default 30)"
    )


def cache_dir_of(arguments: argparse.Namespace) -> Path | None:
    """Return where the client remembers what the platform said: as it was given, or in the spool; None: nowhere."""
    given: Path | None = arguments.cache_dir
    spool: Path | None = arguments.spool
    return given if given is not None or spool is None else spool / _CACHE


def sending_options(arguments: argparse.Namespace) -> UploaderOptions:
    """Return what was given, as options of the uploader; what was not keeps its default."""
    options: UploaderOptions = {
        "spool": arguments.spool, "concurrency": concurrency_of(arguments), "close_timeout": arguments.close_timeout,
        "deduplicate": arguments.deduplicate, "min_free_bytes": arguments.min_free_bytes, "allowed": arguments.hours,
        "max_bytes_per_second": arguments.max_bytes_per_second, "max_age": arguments.send_within, "degrade": arguments.degrade,
        "order": "newest" if arguments.newest_first else "oldest",
    }  # fmt: skip
    if arguments.max_spool_bytes is not None:
        options["max_spool_bytes"] = arguments.max_spool_bytes
    if arguments.durability is not None:
        options["durability"] = arguments.durability
    if arguments.when_full is not None:
        options["when_full"] = arguments.when_full
    return options
