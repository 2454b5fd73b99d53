"""`picsellia-async replay SPOOL`: deliver what a spool holds, after a crash, an outage, or on another machine."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
from pathlib import Path
from typing import Literal

from picsellia_async._delivery.outcomes import UploadReport
from picsellia_async._delivery.spool.owner import owner_of
from picsellia_async.cli.delivering import (
    LOOK_SECONDS,
    add_account,
    add_concurrency,
    concurrency_of,
    is_refused,
    print_failures,
    seconds,
)
from picsellia_async.client import AsyncClient
from picsellia_async.errors import ConfigurationError
from picsellia_async.progress import TerminalProgress
from picsellia_async.uploader import Uploader


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's arguments."""
    parser = subparsers.add_parser("replay", help="deliver the frames that a spool holds")
    parser.add_argument("spool", type=Path, metavar="SPOOL", help="directory that was given as spool=")
    add_account(parser, default_host="what the spool says")
    parser.add_argument("--deployment", metavar="NAME", help="deployment (default: the one that the spool names)")
    add_concurrency(parser)
    parser.add_argument("--deduplicate", action="store_true", help="look frames up by their ids before sending them")
    parser.add_argument(
        "--timeout", type=seconds, metavar="SECONDS", help="stop after so long; the rest stays in the spool"
    )
    parser.add_argument("--json", action="store_true", help="print the report as one JSON object")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Deliver; 0 where everything was delivered, 1 where something was refused or stays in the spool."""
    owner = owner_of(args.spool)
    report = asyncio.run(_replay(args, owner, concurrency_of(args)))
    if args.json:
        print(json.dumps(report.to_json()))
    else:
        print(
            f"{report.delivered} of {report.accepted} delivered, {report.rejected} refused, {report.spooled} still in the "
            f"spool, {report.quarantined} damaged"
        )
        print_failures(report, args.spool)
    return 0 if report.is_complete else 1


async def _replay(args: argparse.Namespace, owner: dict[str, str], concurrency: int | Literal["auto"]) -> UploadReport:
    host = args.host or os.environ.get("PICSELLIA_HOST") or owner.get("host")
    async with AsyncClient(args.api_token, args.organization_id, host=host) as client:
        if args.deployment is not None:
            deployment = await client.get_deployment(args.deployment)
        elif "deployment_id" in owner:
            deployment = await client.get_deployment_by_id(owner["deployment_id"])
        else:
            raise ConfigurationError("the spool does not say which deployment its frames are for: give --deployment")
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


async def _drain(uploader: Uploader, limit: float | None) -> None:
    """Wait for the end of everything, unless the time is over or the service refuses the account."""
    loop = asyncio.get_running_loop()
    deadline = None if limit is None else loop.time() + limit
    while await uploader.flush(timeout=LOOK_SECONDS):
        if is_refused(uploader) or (deadline is not None and loop.time() >= deadline):
            return
