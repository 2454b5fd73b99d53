"""The journal of a command, so that the same command goes on where it stopped. Where it is by default, and what is said of it."""

from __future__ import annotations

import argparse
import hashlib
import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from picsellia_async._content_digest import content_digest, file_digest
from picsellia_async.cli.delivering import pending_in
from picsellia_async.cli.output_files import write_whole
from picsellia_async.errors import ConfigurationError
from picsellia_async.jobs import JobReport
from picsellia_async.jobs._errors import JournalError, JournalInUseError
from picsellia_async.jobs.parts import copy_journal

_READS: Final = ("manifest", "coco", "yolo", "images", "annotations")
"""Options that say what is read, in the order in which they are named."""
_AS: Final = ("segmentation", "mask")
"""Options by which the same input is another one."""
_CONTENT: Final = ".content"
"""Ends the name of the file that says what a journal's manifest was."""
_INPUTS: Final = "inputs"
"""Name of the file in a spool that says which inputs were read into it."""


def add_journal(parser: argparse.ArgumentParser) -> None:
    """Add the options of the journal."""
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--journal",
        type=Path,
        metavar="FILE",
        help="what was delivered (default: in the user's state directory; none with --spool)",
    )
    which.add_argument("--no-journal", action="store_true", help="send everything, and remember nothing")
    parser.add_argument(
        "--verify", action="store_true", help="at the end, look what of all that was delivered is there"
    )
    parser.add_argument("--fresh", action="store_true", help="forget what was delivered, and send everything again")
    parser.add_argument(
        "--look-up",
        action="store_true",
        help="ask the platform for each item that the journal does not know before it is sent: where the journal is lost, or a folder moved",
    )


def check_journal(args: argparse.Namespace) -> None:
    """Refuse options that do not go together.

    Raises:
        ConfigurationError: So it is.
    """
    if args.spool is not None and args.journal is not None:
        raise ConfigurationError("--journal does not go with --spool: frames in a spool are delivered by replay")
    for name in ("fresh", "look_up", "verify"):
        if getattr(args, name) and not has_journal(args):
            option = f"--{name.replace('_', '-')}"
            raise ConfigurationError(f"{option} needs a journal, which there is none of with --no-journal and --spool")
    if args.journal is not None and args.journal.is_dir():
        raise ConfigurationError(f"--journal: {str(args.journal)!r} is a folder")


def has_journal(args: argparse.Namespace) -> bool:
    """Return whether the command keeps one."""
    return args.spool is None and not args.no_journal


def input_of(args: argparse.Namespace) -> str:
    """Return the input of a command, the same whatever folder it is run in and however its paths are spelled."""
    words = [f"--{name} {getattr(args, name).resolve()}" for name in _READS if getattr(args, name) is not None]
    return " ".join([*words, *(f"--{name}" for name in _AS if getattr(args, name))])


def journal_of(args: argparse.Namespace, owner: Mapping[str, str]) -> Path:
    """Return the file of the journal: each deployment and input has its own.

    Args:
        args: Of the command.
        owner: Host and deployment.

    Raises:
        ConfigurationError: No file was given, and where the user's state belongs cannot be told.
    """
    if args.journal is not None:
        given: Path = args.journal
        return given
    try:
        import platformdirs  # noqa: PLC0415 - an extra, imported on use
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            "where the journal belongs on this platform is told by the extra 'cli': pip install 'picsellia-async[cli]', or give "
            "--journal FILE or --no-journal"
        ) from error
    facts = "\0".join([*(f"{name}={owner[name]}" for name in sorted(owner)), input_of(args)])
    name = hashlib.blake2b(facts.encode(), digest_size=12).hexdigest()
    return platformdirs.user_state_path("picsellia-async") / "jobs" / f"{name}.journal"


def begin_with_copy(args: argparse.Namespace, journal: Path, owner: Mapping[str, str]) -> None:
    """Have a manifest that is a copy of another one, or was moved, begin with what the journal of that knows. Blocking.

    Beside each journal of a manifest is a file that says which content was read last.

    Args:
        args: Of the command.
        journal: Of `journal_of`.
        owner: Host and deployment.

    Raises:
        ConfigurationError: The manifest cannot be read, or the folder of journals cannot be used.
        JournalInUseError: A journal of the same content is in use.
    """
    if args.journal is not None or args.manifest is None:
        return
    try:
        digest = file_digest(args.manifest)
    except OSError as error:
        raise ConfigurationError(f"--manifest: {error}") from error
    content = " ".join([*(owner[name] for name in sorted(owner)), digest])
    try:
        if not journal.exists() and not args.fresh:
            _copy_known(journal, content.encode(), input_of(args))
        write_whole(journal.with_suffix(_CONTENT), content.encode())
    except OSError as error:
        raise ConfigurationError(f"the folder of journals cannot be used: {error}") from error


def _copy_known(journal: Path, content: bytes, name: str) -> None:
    """Make a journal of what all journals of the same content know: a run with `--limit` may have begun in one place."""
    found = [path for path in journal.parent.glob(f"*{_CONTENT}") if path.stem != journal.stem]
    same = sorted(path.with_suffix(journal.suffix) for path in found if path.read_bytes() == content)
    known = [path for path in same if path.exists()]
    if not known:
        return
    try:
        places = ", ".join(map(repr, copy_journal(known, journal, name)))
        print(f"the manifest is that of {places} in another place", file=sys.stderr)
    except JournalInUseError:
        raise
    except (ConfigurationError, JournalError) as error:  # the former of a journal of another format
        print(
            f"the manifest is known, but what was delivered is not ({error}); --look-up asks the platform",
            file=sys.stderr,
        )


def check_spool(args: argparse.Namespace, content: str) -> None:
    """Refuse to read an input into a spool in which frames of it wait: they would be delivered twice. Blocking.

    Args:
        args: Of the command.
        content: Of `content_of`.

    Raises:
        ConfigurationError: So it is.
        SpoolError: The spool cannot be read.
    """
    inputs = args.spool / _INPUTS
    if not inputs.is_file() or content not in inputs.read_text().splitlines():
        return
    waiting = pending_in(args.spool)
    if waiting:
        spool = shlex.quote(str(args.spool))
        raise ConfigurationError(
            f"--spool: {waiting} frames wait in {str(args.spool)!r}, and an earlier run put those of this input there: `picsellia-async "
            f"replay {spool}` delivers them. With --spool nothing remembers what was delivered: then the same command would send all again"
        )


def note_input(args: argparse.Namespace, content: str, *, is_first: bool) -> None:
    """Write down that the frames of an input are on their way into a spool, which is open here. Blocking.

    Args:
        args: Of the command.
        content: Of `content_of`.
        is_first: Whether nothing else waits in it: what was written down before is over.
    """
    with (args.spool / _INPUTS).open("w" if is_first else "a") as file:
        print(content, file=file)


def content_of(args: argparse.Namespace) -> str:
    """Return what tells the input of a command, as it is now. Blocking.

    Raises:
        ConfigurationError: It cannot be read.
    """
    path: Path = args.manifest or args.coco or args.yolo
    try:
        if not path.is_dir():
            return file_digest(path)
        files = sorted((one.name, (state := one.stat()).st_size, state.st_mtime_ns) for one in os.scandir(path))
        return content_digest(repr(files).encode(errors="surrogateescape")).hex()
    except OSError as error:
        raise ConfigurationError(f"the input cannot be read: {error}") from error


def tell_empty(journal: Path) -> None:
    """Say on stderr that the file of a journal is there and empty, as a full disk leaves it."""
    if journal.is_file() and not journal.stat().st_size and not Path(f"{journal}-wal").exists():
        print(
            f"the journal {str(journal)!r} is empty: nothing is known of an earlier run (--look-up asks the platform)",
            file=sys.stderr,
        )


def tell_end(report: JobReport, journal: Path, unread: int | None, way_on: str) -> None:
    """Say on stderr how to go on, where something is left.

    Args:
        report: Of the run.
        journal: Its file.
        unread: Items of the input that were not read; None: it is not known how many.
        way_on: What the same command does.
    """
    if report.changed:
        print(
            f"{report.changed} of those delivered before say something else now, under the same id, and were not sent: give a "
            "corrected prediction another id (--fresh sends everything again)",
            file=sys.stderr,
        )
    if report.rejected or report.left or unread != 0 or report.upload.error is not None:
        rest = ", the rest not read" if unread is None else f", {unread} not read" if unread else ""
        print(
            f"{report.rejected} refused and {report.left} left{rest}: {way_on} (journal {str(journal)!r})",
            file=sys.stderr,
        )
