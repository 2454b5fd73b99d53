"""`picsellia-async emulator conform FILE`: where the emulator answers otherwise than a recorded account."""

from __future__ import annotations

import argparse
from pathlib import Path

import orjson

from picsellia_async.cli.interrupts import run as run_interruptible
from picsellia_async.errors import ConfigurationError


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's arguments."""
    parser = subparsers.add_parser(
        "conform", help="compare the emulator with what `doctor --record` kept of an account"
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="the cassette")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the lines")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Compare; 0 where the two answer alike."""
    from picsellia_async.conformance.cassette import Cassette  # noqa: PLC0415 - the other commands need none of it
    from picsellia_async.conformance.comparison import compare, undecided  # noqa: PLC0415 - as above
    from picsellia_async.conformance.emulated import emulated  # noqa: PLC0415 - as above

    account = Cassette.load(args.file)
    try:
        emulator = run_interruptible(emulated())
    except ModuleNotFoundError as exc:
        raise ConfigurationError(str(exc)) from None
    found, unknown = compare(account, emulator), undecided(account, emulator)
    if args.json:
        differences = [{"call": one.call, "place": one.place, "what": one.what} for one in found]
        print(orjson.dumps({"differences": differences, "undecided": unknown}).decode())
    else:
        for one in found:
            print(one)
        print(
            f"{len(found)} differences in {len(account.answers)} answers; {len(unknown)} calls that only one of the two was asked:"
        )
        for call in unknown:
            print(f"  {call}")
    return 1 if found else 0
