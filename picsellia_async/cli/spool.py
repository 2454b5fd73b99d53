"""`picsellia-async spool`: what a spool holds, and what is to become of it."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import attrs

from picsellia_async.cli.batch import count
from picsellia_async.cli.delivering import on_terminal, seconds
from picsellia_async.cli.wording import in_options, report_in_options
from picsellia_async.errors import ConfigurationError
from picsellia_async.spools import MANIFEST, SpoolChanges, SpoolContents, SpooledFrame, export_frames, read_contents

_STATES: Final = ("pending", "rejected", "damaged")
_CHANGED: Final = ("pending", "rejected")
"""States of frames that can be exported and dropped."""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's arguments."""
    parser = subparsers.add_parser("spool", help="see what a spool holds; export, requeue or drop frames of it")
    parser.set_defaults(run=run)
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="count frames by state and source, with their bytes and age")
    listing.add_argument("spools", type=Path, nargs="+", metavar="SPOOL", help="directory that was given as spool=")
    listing.add_argument("--json", action="store_true", help="print one JSON object for each spool")
    show = _action(actions, "show", "name the frames, the oldest first", states=_STATES)
    show.add_argument("--limit", type=count, metavar="N", help="only the first N")
    show.add_argument("--json", action="store_true", help="print one JSON object for each frame")
    export = _action(actions, "export", "write refused frames as images and a manifest; they stay", states=_CHANGED)
    export.add_argument("--to", type=Path, required=True, metavar="DIR", help="folder; made where it is not there")
    _action(actions, "requeue", "have refused frames delivered again, by the next uploader or replay")
    _action(actions, "drop", "delete frames and their images; say which", states=_CHANGED)
    explain = actions.add_parser("explain", help="tell the life of one frame")
    explain.add_argument("spool", type=Path, metavar="SPOOL", help="directory that was given as spool=")
    explain.add_argument("frame", metavar="FRAME", help="its id or file name")


def _action(
    actions: argparse._SubParsersAction[argparse.ArgumentParser], name: str, text: str, states: Sequence[str] = ()
) -> argparse.ArgumentParser:
    parser = actions.add_parser(name, help=text)
    parser.add_argument("spool", type=Path, metavar="SPOOL", help="directory that was given as spool=")
    parser.add_argument(
        "frames", nargs="*", metavar="FRAME", help="ids or file names (default: all that the options say)"
    )
    if states:
        parser.add_argument("--state", choices=states, action="append", help="only these; may be given several times")
    parser.add_argument("--source", metavar="NAME", help="only frames of this source")
    parser.add_argument("--older", type=seconds, metavar="SECONDS", help="only those accepted at least so long ago")
    return parser


def run(args: argparse.Namespace) -> int:
    """Carry out the action; 1 where a frame is damaged and was not exported, or is not there to be explained, else 0."""
    return int(_ACTIONS[args.action](args))


def _list(args: argparse.Namespace) -> int:
    now = time.time()
    for path in args.spools:
        contents = read_contents(path)
        groups: dict[tuple[str, str], list[SpooledFrame]] = {}
        for frame in _kept(contents.frames):
            groups.setdefault((frame.state, frame.source), []).append(frame)
        rows = [_row(state, source, frames, now) for (state, source), frames in sorted(groups.items())]
        if args.json:
            print(json.dumps({**_facts(contents), "groups": rows}))
            continue
        print(f"{path}: {_whose(contents)}{_use(contents)}")
        for row in rows:
            ages = f"oldest {_age(row['oldest_seconds'])}, newest {_age(row['newest_seconds'])}"
            source = on_terminal(row["source"]) or "(no source)"
            print(f"  {row['state']} {source}: {row['frames']} frames, {_size(row['bytes'])}, {ages}")
        print(f"  {_sum(contents)}")
    return 0


def _row(state: str, source: str, frames: list[SpooledFrame], now: float) -> dict[str, Any]:
    times = [one.accepted_at for one in frames]
    return {
        "state": state, "source": source or None, "frames": len(frames), "bytes": sum(one.size for one in frames),
        "oldest_seconds": round(now - min(times), 3), "newest_seconds": round(now - max(times), 3),
    }  # fmt: skip


def _facts(contents: SpoolContents) -> dict[str, Any]:
    facts = {"spool": str(contents.path), **contents.owner, "used_by_process": contents.holder}
    return {**facts, "damaged": contents.damaged}


def _kept(frames: Iterable[SpooledFrame]) -> list[SpooledFrame]:
    return [one for one in frames if one.state != "ended"]


def _sum(contents: SpoolContents) -> str:
    states = [one.state for one in contents.frames]
    damaged = "not told while it is in use" if contents.damaged is None else str(contents.damaged)
    return f"{states.count('pending')} pending, {states.count('rejected')} rejected, damaged: {damaged}"


def _whose(contents: SpoolContents) -> str:
    deployment, host = contents.owner.get("deployment_id"), contents.owner.get("host")
    return f"deployment {deployment} at {host}" if deployment else "of no deployment"


def _use(contents: SpoolContents) -> str:
    return "" if contents.holder is None else f", in use by process {contents.holder}"


def _show(args: argparse.Namespace) -> int:
    contents = read_contents(args.spool)
    frames = _chosen(contents.frames, args, args.state or _STATES)
    now = time.time()
    for one in frames[: args.limit]:
        if args.json:
            fields = attrs.asdict(one) | {"id": str(one.id), "accepted_at": _time(one.accepted_at)}
            print(json.dumps(report_in_options(fields)))
        else:
            reason = f": {on_terminal(in_options(one.reason))}" if one.reason else ""
            print(
                f"{one.id} {one.state} {_age(now - one.accepted_at)} {on_terminal(one.source) or '-'} {on_terminal(one.filename) or '-'} "
                f"{_size(one.size)}{reason}"
            )
    if args.limit is not None and len(frames) > args.limit:
        print(f"{len(frames) - args.limit} more", file=sys.stderr)
    return 0


def _export(args: argparse.Namespace) -> int:
    with SpoolChanges(args.spool) as spool:
        frames = _chosen(spool.frames(), args, args.state or ("rejected",))
        written = export_frames(spool, frames, args.to) if frames else 0
    print(f"{written} frames exported to {str(args.to)!r}; they are in the spool as before")
    if written < len(frames):
        print(f"{len(frames) - written} are damaged and were left out", file=sys.stderr)
    if written:
        manifest = shlex.quote(str(args.to / MANIFEST))
        print(
            f"once repaired, `picsellia-async monitor DEPLOYMENT --manifest {manifest}` sends them; then "
            f"`picsellia-async spool drop {_words(args)}` deletes them here",
            file=sys.stderr,
        )
    return 0 if written == len(frames) else 1


def _words(args: argparse.Namespace) -> str:
    """Return what chooses the same frames in another action."""
    words = [str(args.spool), *args.frames]
    for state in args.state or ("rejected",):
        words += ["--state", state]
    if args.source is not None:
        words += ["--source", args.source]
    if args.older is not None:
        words += ["--older", str(args.older)]
    return shlex.join(words)


def _requeue(args: argparse.Namespace) -> int:
    with SpoolChanges(args.spool) as spool:
        done = spool.requeue(_chosen(spool.frames(), args, ("rejected",)))
    print(f"{done} frames queued again: `picsellia-async replay {shlex.quote(str(args.spool))}` delivers them")
    return 0


def _drop(args: argparse.Namespace) -> int:
    if not (args.frames or args.state):
        raise ConfigurationError("which frames are to be deleted? Name them, or give --state")
    with SpoolChanges(args.spool) as spool:
        done = spool.drop(_chosen(spool.frames(), args, args.state or _CHANGED))
    print(f"{done} frames deleted from the spool")
    return 0


def _explain(args: argparse.Namespace) -> int:
    contents = read_contents(args.spool)
    found = [one for one in contents.frames if args.frame in {str(one.id), one.filename}]
    for one in found:
        print("\n".join(_life(one, contents)))
    if not found:
        print(
            f"the spool {str(args.spool)!r} holds no frame {args.frame!r}: it was delivered, given up or deleted, or never "
            "accepted here. What was sent with --deduplicate has its id on the platform, in the custom metadata "
            "(picsellia_async_frame_id)",
            file=sys.stderr,
        )
    return 0 if found else 1


def _life(frame: SpooledFrame, contents: SpoolContents) -> list[str]:
    spool = shlex.quote(str(contents.path))
    source = f", from source {on_terminal(frame.source)}" if frame.source else ""
    age = _age(time.time() - frame.accepted_at)
    lines = [
        f"frame {frame.id}: {on_terminal(frame.filename) or '(no name can be read)'}",
        f"  accepted {_time(frame.accepted_at)} ({age} ago){source}, as number {frame.number}, for {_whose(contents)}",
        f"  kept in {frame.file} of {str(contents.path)!r}, {_size(frame.size)}",
    ]
    if frame.state == "pending":
        if frame.reason:
            lines.append(f"  was refused ({on_terminal(in_options(frame.reason))}), and queued again")
        next_ = (
            f"process {contents.holder} delivers it"
            if contents.holder is not None
            else f"`picsellia-async replay {spool}` or the next uploader of this spool delivers it"
        )
        lines.append(f"  is pending: {next_}")
    elif frame.state == "rejected":
        actions = f"`picsellia-async spool requeue {spool} {frame.id}` (or `export`, `drop`)"
        lines += [
            f"  was refused by the service: {on_terminal(in_options(frame.reason))}",
            f"  is kept until its room is needed: {actions}",
        ]
    elif frame.state == "damaged":
        lines.append("  is damaged: its image or description cannot be read")
    else:
        lines.append("  has ended: it was delivered, given up or deleted; its bytes are erased soon")
    return lines


def _chosen(frames: Iterable[SpooledFrame], args: argparse.Namespace, states: Sequence[str]) -> list[SpooledFrame]:
    """Return the frames that the arguments say.

    Raises:
        ConfigurationError: One that is named is not among them.
    """
    now, names = time.time(), set(args.frames)
    chosen = [
        one
        for one in frames
        if one.state in states
        and (args.source is None or one.source == args.source)
        and (args.older is None or now - one.accepted_at >= args.older)
        and (not names or not names.isdisjoint((str(one.id), one.filename)))
    ]
    missing = names.difference(*((str(one.id), one.filename) for one in chosen))
    if missing:
        raise ConfigurationError(
            f"the spool {str(args.spool)!r} has no frame {min(missing)!r} that is {' or '.join(states)} and fits the options"
        )
    return chosen


def _time(epoch: float) -> str:
    return datetime.fromtimestamp(epoch, UTC).isoformat(timespec="seconds")


def _age(age: float) -> str:
    """Return a time in the two largest units that are worth saying."""
    whole = max(0, int(age))
    for unit, length, smaller, part in (("d", 86400, "h", 3600), ("h", 3600, "min", 60), ("min", 60, "s", 1)):
        if whole >= length:
            return f"{whole // length} {unit} {whole % length // part} {smaller}"
    return f"{whole} s"


def _size(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 1_000_000 else f"{size / 1e3:.1f} KB"


_ACTIONS: Final = {
    "list": _list, "show": _show, "export": _export, "requeue": _requeue, "drop": _drop, "explain": _explain,
}  # fmt: skip
