"""`picsellia-async replay SPOOL`: deliver what a spool holds, after a crash, an outage, or on another machine."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import shlex
import sys
from pathlib import Path
from typing import Final, Literal

from picsellia_async._delivery.outcomes import UploadReport
from picsellia_async._delivery.spool.owner import owner_of
from picsellia_async._error_text import error_text
from picsellia_async._http.retry import is_repeatable
from picsellia_async.cli.delivering import (
    LOOK_SECONDS,
    add_account,
    add_concurrency,
    concurrency_of,
    doctor_of,
    is_refused,
    pending_in,
    print_failures,
    reason_of_spooled,
    seconds,
)
from picsellia_async.cli.interrupts import run as run_interruptible
from picsellia_async.cli.wording import in_options, report_in_options
from picsellia_async.client import AsyncClient
from picsellia_async.config import RetryPolicy
from picsellia_async.deployment import AsyncDeployment
from picsellia_async.errors import ConfigurationError, PicselliaError, SpoolError
from picsellia_async.progress import TerminalProgress
from picsellia_async.uploader import Uploader

_CONNECT_AGAIN_SECONDS: Final = 0.5
"""Wait before the platform is asked again with --wait; doubled each time, up to the next number."""
_CONNECT_AGAIN_SECONDS_MAX: Final = 30.0


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's arguments."""
    parser = subparsers.add_parser("replay", help="deliver the frames that a spool holds")
    parser.add_argument("spool", type=Path, metavar="SPOOL", help="directory that was given as spool=")
    add_account(parser, default_host="what the spool says")
    parser.add_argument("--deployment", metavar="NAME", help="deployment (default: the one that the spool names)")
    add_concurrency(parser)
    parser.add_argument("--deduplicate", action="store_true", help="look frames up by their ids before sending them")
    end = parser.add_mutually_exclusive_group()
    end.add_argument(
        "--timeout",
        type=seconds,
        metavar="SECONDS",
        help="end after so long, also where nothing was reached; the rest stays in the spool",
    )
    end.add_argument(
        "--wait", action="store_true", help="stay until all is delivered, also where the platform cannot be reached yet"
    )
    parser.add_argument("--json", action="store_true", help="print the report as one JSON object")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Deliver; 0 where everything was delivered, 1 where something was refused or stays in the spool."""
    owner, concurrency = owner_of(args.spool), concurrency_of(args)
    replay = _Replay(args, owner, concurrency)
    try:
        report = run_interruptible(replay.deliver())
    except (ConfigurationError, SpoolError):
        raise
    except KeyboardInterrupt:
        replay.tell_left(_pending(args.spool), "")
        raise
    except PicselliaError as error:
        replay.is_refused = not is_repeatable(RetryPolicy(), error, idempotent=True)
        print(in_options(f"picsellia-async replay: {error_text(error)}"), file=sys.stderr)
        replay.tell_left(_pending(args.spool), "")
        return 1
    if report is None:
        print(
            f"picsellia-async replay: the platform did not answer within {args.timeout} s (--timeout)", file=sys.stderr
        )
        replay.tell_left(_pending(args.spool), "")
        return 1
    if args.json:
        print(json.dumps(report_in_options(report.to_json())))
    else:
        print(
            f"{report.delivered} of {report.accepted} delivered, {report.rejected} refused, {report.spooled} still in the "
            f"spool, {report.quarantined} damaged"
        )
        print_failures(report, None)
    replay.tell_left(report.spooled, "" if replay.is_refused else reason_of_spooled(report))
    if report.rejected:
        spool = shlex.quote(str(args.spool))
        print(f"  refused frames are kept: `picsellia-async spool show {spool} --state rejected`", file=sys.stderr)
    return 0 if report.is_complete else 1


def _pending(spool: Path) -> int:
    try:
        return pending_in(spool)
    except PicselliaError:  # what ended the command is told, not this
        return 0


class _Replay:
    """One run of the command."""

    def __init__(self, args: argparse.Namespace, owner: dict[str, str], concurrency: int | Literal["auto"]) -> None:
        """Store what was given, and what the spool says of itself."""
        self._args = args
        self._owner = owner
        self._concurrency = concurrency
        self._host = args.host or os.environ.get("PICSELLIA_HOST") or owner.get("host")
        self.is_refused = False
        """Whether it ended by what no waiting mends: a token, rights, a name."""

    def tell_left(self, count: int, reason: str) -> None:
        """Say on stderr that what is left is safe, and how to go on."""
        if not count:
            return
        args = self._args
        command = f"`picsellia-async replay {shlex.quote(str(args.spool))}{' --wait' if args.wait else ''}`"
        stays = "" if args.wait else ", with --wait until all is delivered"
        way_on = f"{command} goes on{stays}"
        if self.is_refused:
            host = None if args.host is None and os.environ.get("PICSELLIA_HOST") else self._host
            doctor = doctor_of(args.deployment or self._owner.get("deployment_id"), host)
            way_on = f"waiting mends nothing, {doctor} tells what to mend; then {command} delivers them"
        print(f"  {count} frames are safe in the spool{f' ({reason})' if reason else ''}: {way_on}", file=sys.stderr)

    async def deliver(self) -> UploadReport | None:
        """Deliver; None where the time was over before the platform answered."""
        args = self._args
        if args.deployment is None and "deployment_id" not in self._owner:
            raise ConfigurationError("the spool does not say which deployment its frames are for: give --deployment")
        deadline = None if args.timeout is None else asyncio.get_running_loop().time() + args.timeout
        async with contextlib.aclosing(AsyncClient(args.api_token, args.organization_id, host=self._host)) as client:
            try:
                # Calls are tried again for minutes where a host refuses connections.
                async with asyncio.timeout_at(deadline):
                    deployment = await _find(args, client, self._owner)
            except TimeoutError:
                return None
            with TerminalProgress() as progress:
                uploader = deployment.uploader(
                    spool=args.spool,
                    concurrency=self._concurrency,
                    deduplicate=args.deduplicate,
                    close_timeout=2.0,
                    progress=progress,
                )
                async with uploader:
                    self.is_refused = await _drain(uploader, deadline)
        return uploader.report


async def _find(args: argparse.Namespace, client: AsyncClient, owner: dict[str, str]) -> AsyncDeployment:
    """Connect, and ask for the deployment; with --wait until there is an answer."""
    wait = _CONNECT_AGAIN_SECONDS
    while True:
        try:
            if args.deployment is not None:
                return await client.get_deployment(args.deployment)
            return await client.get_deployment_by_id(owner["deployment_id"])
        except PicselliaError as error:
            if not args.wait or not is_repeatable(RetryPolicy(), error, idempotent=True):
                raise
            if wait == _CONNECT_AGAIN_SECONDS:
                print(in_options(f"waiting: {error_text(error)}"), file=sys.stderr)
        await asyncio.sleep(wait)
        wait = min(2 * wait, _CONNECT_AGAIN_SECONDS_MAX)


async def _drain(uploader: Uploader, deadline: float | None) -> bool:
    """Wait for the end of everything, unless the time is over; return whether the service refuses the account.

    Args:
        uploader: Open.
        deadline: Of the loop's clock; None: there is none.
    """
    loop = asyncio.get_running_loop()
    while True:
        left = LOOK_SECONDS if deadline is None else min(LOOK_SECONDS, deadline - loop.time())
        if not await uploader.flush(timeout=max(0.0, left)):
            return False
        if is_refused(uploader):
            return True
        if deadline is not None and loop.time() >= deadline:
            return False
