"""What the commands that deliver frames share: options, the watch for a refused account, the lines about failures."""

from __future__ import annotations

import argparse
import math
import os
import shlex
import sys
from pathlib import Path
from typing import Final, Literal
from uuid import UUID

from picsellia_async._delivery.outcomes import Health, UploadReport
from picsellia_async._error_text import hide_secrets, shown_name
from picsellia_async._log_line import one_line
from picsellia_async._wire.secret import hide
from picsellia_async.cli.wording import in_options
from picsellia_async.client import AsyncClient
from picsellia_async.deployment import AsyncDeployment
from picsellia_async.errors import ConfigurationError
from picsellia_async.spools import read_contents
from picsellia_async.uploader import Uploader

LOOK_SECONDS: Final = 0.5
"""How often it is checked whether the service refuses the account."""

LINES_SHOWN: Final = 20
"""Failures that are told one by one on a terminal; all are counted."""


def add_account(parser: argparse.ArgumentParser, *, default_host: str) -> None:
    """Add the options that say who connects, and where to."""
    parser.add_argument("--api-token", type=hide, metavar="TOKEN", help="token of the user (default: PICSELLIA_TOKEN)")
    parser.add_argument("--organization-id", metavar="UUID", help="organization (default: the token's)")
    parser.add_argument("--host", metavar="URL", help=f"platform (default: PICSELLIA_HOST, else {default_host})")


def add_concurrency(parser: argparse.ArgumentParser) -> None:
    """Add `--concurrency`; `concurrency_of` reads it."""
    parser.add_argument("--concurrency", default="32", metavar="N", help='requests in flight, or "auto" (default 32)')


def concurrency_of(arguments: argparse.Namespace) -> int | Literal["auto"]:
    """Return what `--concurrency` says.

    Raises:
        ConfigurationError: It is neither a number nor "auto".
    """
    given: str = arguments.concurrency
    if given == "auto":
        return "auto"
    if not given.isdecimal():
        raise ConfigurationError(f'--concurrency must be a number or "auto", got {given!r}')
    return int(given)


def seconds(value: str) -> float:
    """Read a time for argparse; whole numbers stay int, which tells `30` from `30.0`.

    Raises:
        ArgumentTypeError: It is no number of seconds; with nan a time limit would never be over.
    """
    try:
        found = int(value) if value.isdecimal() else float(value)
    except ValueError:
        found = math.nan
    if not 0 <= found < math.inf:
        raise argparse.ArgumentTypeError(f"must be seconds, 0 or more, got {value}")
    return found


def check_readable(path: Path, option: str, *, is_folder: bool = False) -> None:
    """Refuse a path of the command line that cannot be read, before anything is sent.

    Raises:
        ConfigurationError: It is not there, is a file where a folder is needed or the other way round, or may not be read.
    """
    if not path.exists():
        raise ConfigurationError(f"{option}: there is no {str(path)!r}")
    if path.is_dir() != is_folder:
        raise ConfigurationError(f"{option}: {str(path)!r} is {'no' if is_folder else 'a'} folder")
    if not os.access(path, os.R_OK):
        raise ConfigurationError(f"{option}: {str(path)!r} may not be read by this user")


async def find_deployment(client: AsyncClient, name: str) -> AsyncDeployment:
    """Fetch the deployment that a command names, by name or id."""
    try:
        id_ = UUID(name)
    except ValueError:
        return await client.get_deployment(name)
    return await client.get_deployment_by_id(id_)


def is_refused(uploader: Uploader) -> bool:
    """Return whether the service refuses the account, which no waiting mends; say so on stderr."""
    if uploader.statistics().health is not Health.REFUSED:
        return False
    why = uploader._reporter.why  # noqa: SLF001 - `last_error` may be that of a frame with a fault of its own
    print(in_options(f"the service refuses this account: {why}"), file=sys.stderr)
    return True


def doctor_of(deployment: str | None, host: str | None) -> str:
    """Return the command that tells what is wrong with a token, its rights, or the way to a host.

    Args:
        deployment: Name or id; None: it is not known.
        host: As it was given or noted down; None: that of the environment.
    """
    words = ["picsellia-async", "doctor"]
    words += [] if host is None else ["--host", hide_secrets(host)]
    words += [] if deployment is None else ["--deployment", deployment]
    return f"`{shlex.join(words)}`"


def on_terminal(text: str | None) -> str:
    """Return a name or reason for a line of a terminal: in one line, and where it is an address without its password."""
    return one_line(shown_name(text or ""))


def pending_in(spool: Path) -> int:
    """Return how many frames wait in a spool to be delivered; all of it is read. Blocking.

    Raises:
        SpoolError: It cannot be read.
    """
    return sum(one.state == "pending" for one in read_contents(spool).frames)


def reason_of_spooled(report: UploadReport) -> str:
    """Return why frames are left in the spool, by the first of which it is known; else empty."""
    return next((one.reason for one in report.failures if one.outcome == "spooled" and one.reason), "")


def print_failures(report: UploadReport, spool: Path | None, *, is_refusal_told: bool = False) -> None:
    """Name the first frames that were lost or refused, on stderr, and say how those in the spool are delivered.

    Args:
        report: Of the uploader.
        spool: Where frames are left; None: there is none, or another line tells of them.
        is_refusal_told: Whether `is_refused` said why they are left.
    """
    for line in [one for one in report.failures if one.outcome != "spooled"][:LINES_SHOWN]:
        stored = " (may be stored)" if line.may_be_stored else ""
        print(
            in_options(f"  {line.outcome} {on_terminal(line.filename) or line.frame_id}: {line.reason}{stored}"),
            file=sys.stderr,
        )
    if report.spooled and spool is not None:
        reason = "" if is_refusal_told else reason_of_spooled(report)
        print(
            f"  {report.spooled} left in the spool{f' ({reason})' if reason else ''}: "
            f"`picsellia-async replay {shlex.quote(str(spool))}` delivers them",
            file=sys.stderr,
        )
