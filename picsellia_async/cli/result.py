"""What became of a `monitor` command: as JSON, and as lines."""

from __future__ import annotations

import argparse
import itertools
import shlex
import sys
from pathlib import Path
from typing import Any, Final

import attrs

from picsellia_async._delivery.outcomes import UploadReport
from picsellia_async._error_text import error_text
from picsellia_async.cli.batch import Batch
from picsellia_async.cli.delivering import LINES_SHOWN, print_failures
from picsellia_async.cli.failure_file import FailureFile
from picsellia_async.cli.resuming import has_journal, tell_end
from picsellia_async.cli.wording import in_options
from picsellia_async.errors import ConfigurationError, PicselliaError
from picsellia_async.frames import Frame
from picsellia_async.jobs import JobReport, JournalError, JournalLostError, VerifyReport
from picsellia_async.sources import Source, SourceError

FAILURES_NAMED: Final = 100
"""Frames, or images taken from elsewhere, that the JSON names."""


@attrs.define
class Result:
    """What is known at the end, however it came."""

    report: UploadReport | None = None
    job: JobReport | None = None
    """Where there is a journal."""
    journal: Path | None = None
    verified: VerifyReport | None = None
    failures: FailureFile | None = None
    batch: Batch | None = None
    """Known once the deployment is, whose label map its source may need."""
    cannot: list[str] = attrs.field(factory=list)
    """What a dry run found that would be refused."""
    error: PicselliaError | None = None
    is_interrupted: bool = False
    is_refusal_told: bool = False
    """Whether it was said that the service refuses the account, and why."""
    source: Source[Frame] | None = None

    @property
    def skipped(self) -> int:
        """Items that could not be used."""
        return 0 if self.source is None else self.source.skipped

    @property
    def unread(self) -> int | None:
        """Items that were not read, or of which the journal learned nothing; None where only reading tells, and before anything was sent."""
        if self.batch is None or (self.job is None and self.report is None):
            return None
        if self.is_interrupted and not self.batch.read and not self.batch.is_read and self.batch.total is None:
            return None  # it was interrupted before it was known what there is
        if self.job is not None:
            known = self.job.delivered + self.job.rejected + self.job.left
        else:
            # What a former run left in the spool is not of this input.
            known = 0 if self.report is None else self.report.accepted - self.report.recovered
        return self.batch.unread(known, self.skipped)

    @property
    def problems(self) -> tuple[str, ...]:
        """What was wrong with them."""
        return () if self.source is None else tuple(map(in_options, self.source.problems))

    @property
    def stopped_by(self) -> str | None:
        """The error that ended it."""
        return None if self.error is None else in_options(error_text(self.error))


def to_json(args: argparse.Namespace, result: Result) -> dict[str, Any]:
    """Return the account as JSON-ready values."""
    report: dict[str, Any] = {} if result.report is None else result.report.to_json()
    failures = report.pop("failures", [])
    return {
        **report,
        **({"cannot_be_sent": len(result.cannot)} if args.dry_run else {}),
        "items": 0 if result.batch is None else result.batch.read,
        "journal": None if result.journal is None else str(result.journal),
        "delivered_before": 0 if result.job is None else result.job.delivered_before,
        "changed": 0 if result.job is None else result.job.changed,
        "left": 0 if result.job is None else result.job.left,
        "not_read": result.unread,
        **_verified(result.verified),
        "skipped": result.skipped,
        "elsewhere": {}
        if result.source is None
        else dict(itertools.islice(result.source.elsewhere.items(), FAILURES_NAMED)),
        "warnings": [] if result.source is None else list(result.source.warnings),
        "interrupted": result.is_interrupted,
        "error": result.stopped_by,
        "failures_count": sum(report.get(name, 0) for name in ("rejected", "dropped", "spooled")),
        "failures": failures[:FAILURES_NAMED],
        "cannot": result.cannot[:FAILURES_NAMED],
        "problems": list(result.problems),
    }


def print_result(args: argparse.Namespace, result: Result) -> None:
    """Print the account on stdout, and what is not well on stderr."""
    report, read = result.report, 0 if result.batch is None else result.batch.read
    if args.dry_run:
        print(
            f"{read - len(result.cannot)} of {read} can be sent, {len(result.cannot)} cannot, {result.skipped} skipped; nothing was sent"
        )
        for line in result.cannot[:LINES_SHOWN]:
            print(f"  cannot be sent {line}", file=sys.stderr)
    if report is not None:
        print(
            f"{report.delivered} of {report.accepted} delivered, {report.rejected} refused, {report.dropped} dropped, "
            f"{report.spooled} left in the spool, {result.skipped} skipped"
            f"{_before(result.job)}"
        )
        print_failures(report, args.spool, is_refusal_told=result.is_refusal_told)
    for problem in result.problems[:LINES_SHOWN]:
        print(f"  skipped {problem}", file=sys.stderr)
    if result.error is not None:
        print(f"stopped: {result.stopped_by}", file=sys.stderr)


def _verified(report: VerifyReport | None) -> dict[str, Any]:
    if report is None:
        return {}
    fields = attrs.asdict(report) | {"missing": [str(id_) for id_ in report.missing[:FAILURES_NAMED]]}
    return {"verified": fields}


def tell_way_on(args: argparse.Namespace, result: Result) -> None:
    """Say on stderr how to go on, where something was refused or is left."""
    if result.job is not None and result.journal is not None:
        tell_end(result.job, result.journal, result.unread, _way_on(args, result))
    elif not has_journal(args) and result.report is not None and result.unread != 0:
        rest = "the rest" if result.unread is None else result.unread
        print(f"{rest} not read: {_way_on(args, result)}", file=sys.stderr)
    elif (
        result.journal is not None
        and isinstance(result.error, JournalError)
        and not isinstance(result.error, JournalLostError)  # whose message says how to go on
    ):
        print("what its journal does not know is looked up: the same command goes on from here", file=sys.stderr)
    if result.verified is not None:
        missing = result.verified.delivered - result.verified.seen
        way_out = "; --fresh --look-up sends what is not there" if missing and not result.verified.undecided else ""
        print(f"verified: {result.verified}{way_out}", file=sys.stderr)
    if result.failures is not None and result.failures.count:
        _tell_failures(args.deployment, result.failures)


def _way_on(args: argparse.Namespace, result: Result) -> str:
    """Return what the same command does with what is left."""
    again = "" if has_journal(args) else "; without a journal it sends all from the beginning"
    if result.report is not None and result.report.spooled:
        again += ", once the spool is delivered"
    if isinstance(result.error, SourceError):
        # What is wrong with the whole of a file --skip-bad does not pass over either.
        skip = ", and --skip-bad goes on behind it" if result.error.is_of_item and not args.skip_bad else ""
        if skip and result.batch is not None and not result.batch.read:
            skip += ", unless all are bad like this first one: --skip-bad --dry-run counts them and sends nothing"
        return f"the same command stops there again{skip}{again}"
    if isinstance(result.error, ConfigurationError):  # of what the input says: two items with one id
        return f"the same command stops there again{again}"
    job = None if result.batch is None else result.batch.job
    # What of it is in the input only reading tells, and that was not come to.
    is_known = job is not None and job.delivered_at_start and not job.delivered_before
    return f"the same command tries them again{', and nothing that was delivered before' if is_known else again}"


def _tell_failures(deployment: str, failures: FailureFile) -> None:
    words = ["picsellia-async", "monitor", deployment, "--manifest", str(failures.path)]
    command = shlex.join([*words, *(["--outside"] if failures.is_outside else [])])
    print(
        f"{failures.count} failures in {str(failures.path)!r}: once repaired, `{command}` sends them; one of the two ways, since this "
        "command does not know what the other sent, and would store it twice (with --look-up it asks the platform)",
        file=sys.stderr,
    )


def _before(job: JobReport | None) -> str:
    return f", {job.delivered_before} delivered before" if job is not None and job.delivered_before else ""
