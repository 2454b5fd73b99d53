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
    is_refused,
    pending_in,
    print_failures,
    seconds,
)
from picsellia_async.cli.wording import in_options
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
        "--timeout", type=seconds, metavar="SECONDS", help="stop after so long; the rest stays in the spool"
    )
    end.add_argument(
        "--wait", action="store_true", help="stay until all is delivered, also where the platform cannot be reached yet"
    )
    parser.add_argument("--json", action="store_true", help="print the report as one JSON object")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Deliver; 0 where everything was delivered, 1 where something was refused or stays in the spool."""
    owner, concurrency = owner_of(args.spool), concurrency_of(args)
    try:
        report = asyncio.run(_replay(args, owner, concurrency))
    except (ConfigurationError, SpoolError):
        raise
    except KeyboardInterrupt:
        _tell_left(args, _pending(args.spool), "")
        raise
    except PicselliaError as error:
        print(in_options(f"picsellia-async replay: {error_text(error)}"), file=sys.stderr)
        _tell_left(args, _pending(args.spool), "")
        return 1
    if args.json:
        print(json.dumps(report.to_json()))
    else:
        print(
            f"{report.delivered} of {report.accepted} delivered, {report.rejected} refused, {report.spooled} still in the "
            f"spool, {report.quarantined} damaged"
        )
        print_failures(report, None)
    _tell_left(args, report.spooled, next((one.reason for one in report.failures if one.outcome == "spooled"), ""))
    if report.rejected:
        spool = shlex.quote(str(args.spool))
        print(f"  refused frames are kept: `picsellia-async spool show {spool} --state rejected`", file=sys.stderr)
    return 0 if report.is_complete else 1


def _pending(spool: Path) -> int:
    try:
        return pending_in(spool)
    except PicselliaError:  # what ended the command is told, not this
        return 0


def _tell_left(args: argparse.Namespace, count: int, reason: str) -> None:
    """Say on stderr that what is left is safe, and how to go on."""
    if count:
        command = f"`picsellia-async replay {shlex.quote(str(args.spool))}{' --wait' if args.wait else ''}`"
        stays = "" if args.wait else ", with --wait until all is delivered"
        print(
            f"  {count} frames are safe in the spool{f' ({reason})' if reason else ''}: {command} goes on{stays}",
            file=sys.stderr,
        )


async def _replay(args: argparse.Namespace, owner: dict[str, str], concurrency: int | Literal["auto"]) -> UploadReport:
    host = args.host or os.environ.get("PICSELLIA_HOST") or owner.get("host")
    if args.deployment is None and "deployment_id" not in owner:
        raise ConfigurationError("the spool does not say which deployment its frames are for: give --deployment")
    async with contextlib.aclosing(AsyncClient(args.api_token, args.organization_id, host=host)) as client:
        deployment = await _find(args, client, owner)
        with TerminalProgress() as progress:
            uploader = deployment.uploader(
                spool=args.spool,
                concurrency=concurrency,
                deduplicate=args.deduplicate,
                close_timeout=2.0,
                progress=progress,
            )
            async with uploader:
                await _drain(uploader, args.timeout)
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


async def _drain(uploader: Uploader, limit: float | None) -> None:
    """Wait for the end of everything, unless the time is over or the service refuses the account."""
    loop = asyncio.get_running_loop()
    deadline = None if limit is None else loop.time() + limit
    while await uploader.flush(timeout=LOOK_SECONDS):
        if is_refused(uploader) or (deadline is not None and loop.time() >= deadline):
            return
