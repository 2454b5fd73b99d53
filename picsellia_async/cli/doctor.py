"""`picsellia-async doctor`: one check after the other, from the settings to the sign-in of a deployment, a line each."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from picsellia_async._wire.secret import hide
from picsellia_async.cli.checks import Check, Examination, Level
from picsellia_async.cli.interrupts import run as run_interruptible

_MARKS = {Level.OK: "ok      ", Level.WARNING: "warning ", Level.FAILED: "failed  ", Level.SKIPPED: "skipped "}


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's arguments."""
    parser = subparsers.add_parser("doctor", help="check token, host, clock, TLS, proxy, and a deployment")
    parser.add_argument(
        "--deployment", metavar="NAME", help="check monitoring and serving of this deployment (name or id) too"
    )
    parser.add_argument("--api-token", type=hide, metavar="TOKEN", help="token of the user (default: PICSELLIA_TOKEN)")
    parser.add_argument("--host", metavar="URL", help="platform (default: PICSELLIA_HOST, else Picsellia's)")
    parser.add_argument("--timeout", type=float, default=10.0, metavar="SECONDS", help="of each step (default 10)")
    parser.add_argument(
        "--record",
        type=Path,
        metavar="FILE",
        help="keep the shapes of the account's answers (fields, types, statuses; nothing else of it), by calls that only read",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the lines")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Check; 0 where nothing failed."""

    def show(check: Check) -> None:
        if not args.json:
            print(_MARKS[check.level] + f"{check.name}: {check.detail}", flush=True)
            if check.advice:
                print(f"        -> {check.advice}", flush=True)

    examination = Examination(args.api_token, args.host, args.deployment, args.timeout, show)
    checks = run_interruptible(examination.run())
    is_well = not any(check.level is Level.FAILED for check in checks)
    if args.record is not None:
        checks.append(
            _record(args) if is_well else Check("record", Level.SKIPPED, "a check failed: nothing was recorded")
        )
        show(checks[-1])
    if args.json:
        print(json.dumps({"ok": is_well, "checks": [check.to_json() for check in checks]}))
    return 0 if is_well else 1


def _record(args: argparse.Namespace) -> Check:
    from picsellia_async.conformance.recording import record  # noqa: PLC0415 - checking needs none of it

    cassette = run_interruptible(record(args.api_token, args.host, args.deployment, args.timeout))
    cassette.save(args.record)
    return Check(
        "record", Level.OK, f"the shapes of {len(cassette.answers)} answers are in {args.record}",
        "read it before you pass it on; picsellia-async emulator conform compares the emulator with it",
    )  # fmt: skip
