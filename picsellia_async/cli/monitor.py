"""`picsellia-async monitor DEPLOYMENT`: send the predictions of a file, with their images, to a deployment."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import sys
import time
from collections import Counter
from collections.abc import AsyncIterable, Iterator
from pathlib import Path
from typing import Any

from picsellia_async._delivery.outcomes import Health
from picsellia_async._error_text import error_text
from picsellia_async.cli.batch import Batch, Progress, add_limit
from picsellia_async.cli.delivering import (
    LOOK_SECONDS,
    add_account,
    add_concurrency,
    check_readable,
    concurrency_of,
    find_deployment,
    is_refused,
    seconds,
)
from picsellia_async.cli.deployment_type import check_type
from picsellia_async.cli.failure_file import FailureFile, check_failures
from picsellia_async.cli.interrupts import wait_interruptible
from picsellia_async.cli.output_files import check_output
from picsellia_async.cli.result import Result, print_result, tell_way_on, to_json
from picsellia_async.cli.resuming import (
    add_journal,
    begin_with_copy,
    check_journal,
    check_spool,
    content_of,
    has_journal,
    input_of,
    journal_of,
    note_input,
    tell_empty,
)
from picsellia_async.cli.wording import in_options, report_in_options
from picsellia_async.client import AsyncClient
from picsellia_async.deployment import AsyncDeployment
from picsellia_async.errors import ConfigurationError, ImplausibleError, PicselliaError, UndefinedObjectError
from picsellia_async.frames import Frame
from picsellia_async.image_header import OrientationRule
from picsellia_async.jobs import Job, verify
from picsellia_async.plausibility import check_latency
from picsellia_async.sources import OnBad, Source, coco_results, manifest, yolo_labels
from picsellia_async.uploader import Uploader, UploaderOptions


def _latency(value: str) -> float:
    """Read the inference time. An integer stays one: `30` may be meant in milliseconds, `30.0` is seconds.

    Raises:
        ArgumentTypeError: It is no time, or looks like milliseconds.
    """
    found = seconds(value)
    try:
        check_latency(found, "it")
    except ImplausibleError as error:
        raise argparse.ArgumentTypeError(in_options(str(error))) from None
    return found


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's arguments."""
    parser = subparsers.add_parser("monitor", help="send predictions and their images to a deployment")
    parser.add_argument("deployment", metavar="DEPLOYMENT", help="name or id")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--manifest", type=Path, metavar="FILE", help="JSON lines, one frame each")
    what.add_argument("--coco", type=Path, metavar="RESULTS", help="COCO results; with --images")
    what.add_argument("--yolo", type=Path, metavar="DIR", help="directory of YOLO label files; with --images")
    parser.add_argument("--images", type=Path, metavar="DIR", help="directory of the images of --coco or --yolo")
    parser.add_argument("--annotations", type=Path, metavar="FILE", help="COCO file with the names of the images")
    shape = parser.add_mutually_exclusive_group()
    shape.add_argument("--segmentation", action="store_true", help="--coco, --yolo: polygons instead of boxes")
    shape.add_argument("--mask", action="store_true", help="--coco: run-length masks instead of boxes")
    _add_classes(parser)
    parser.add_argument("--score", type=float, metavar="N", help="confidence where the file has none (default: refuse)")
    turn = parser.add_mutually_exclusive_group()
    turn.add_argument(
        "--stored",
        action="store_true",
        help="boxes are of pictures as stored, before their EXIF turn: viewers show them beside their objects",
    )
    turn.add_argument(
        "--shown",
        action="store_true",
        help="boxes are of pictures as viewers show them: the default, without a word where nothing in the file tells",
    )
    parser.add_argument(
        "--outside", action="store_true", help="--manifest, --coco: images may lie outside their folder"
    )
    parser.add_argument(
        "--empty", action="store_true", help="--coco, --yolo: images without a result or label file too"
    )
    parser.add_argument(
        "--skip-bad", action="store_true", help="skip and count what cannot be used; default: stop there"
    )
    parser.add_argument("--source", metavar="NAME", help="name of the source, where a frame has none")
    parser.add_argument("--latency", type=_latency, default=0.0, metavar="SECONDS", help="inference time (default 0)")
    add_limit(parser)
    parser.add_argument("--tag", action="append", default=[], metavar="NAME", help="data tag of each frame; repeatable")
    parser.add_argument("--dry-run", action="store_true", help="check every frame as for sending, and send nothing")
    parser.add_argument(
        "--failures",
        type=Path,
        metavar="FILE",
        help="manifest of what was refused, with reasons, to be sent once repaired",
    )
    _add_delivery(parser)
    add_journal(parser)
    add_account(parser, default_host="Picsellia's")
    parser.add_argument("--json", action="store_true", help="print the report as one JSON object")
    parser.set_defaults(run=run)


def _add_classes(parser: argparse.ArgumentParser) -> None:
    classes = parser.add_mutually_exclusive_group()
    classes.add_argument(
        "--categories", metavar="MAP", help='index by class number or name: JSON, or a file of it: {"car": 0, "7": 1}'
    )
    classes.add_argument(
        "--class-numbers", action="store_true", help="the file's class numbers are indexes of the label map"
    )
    parser.add_argument("--names", type=Path, metavar="FILE", help="--yolo: class names, data.yaml or a name per line")


def _add_delivery(parser: argparse.ArgumentParser) -> None:
    add_concurrency(parser)
    parser.add_argument("--spool", type=Path, metavar="DIR", help="keep frames here until they are delivered")
    parser.add_argument(
        "--when-full", choices=("wait", "drop_newest", "drop_oldest"), default="wait", help="default: wait for room"
    )
    parser.add_argument(
        "--deduplicate", action="store_true", help="look a frame up by its id before it is sent a second time"
    )
    parser.add_argument("--close-timeout", type=float, default=30.0, metavar="SECONDS", help="at the end (default 30)")
    parser.add_argument("--seed", type=int, metavar="N", help="draw the waits between attempts the same in each run")
    parser.add_argument("--max-attempts", type=int, metavar="N", help="give a frame up after so many (default: never)")


def run(args: argparse.Namespace) -> int:
    """Deliver; 0 where all was, 1 where something was refused, skipped or is left, 130 after an interrupt."""
    _check_input(args)
    options = _options(args)
    result = asyncio.run(_interruptible(args, _categories(args.categories), options))
    if args.json:
        print(json.dumps(report_in_options(to_json(args, result))))
    else:
        print_result(args, result)
    tell_way_on(args, result)
    if result.is_interrupted:
        return 130
    account = result.report if result.job is None else result.job
    verified = result.verified
    # What is there more than once is no loss: --fresh sent it again as it was asked to.
    if verified is not None and verified.seen < verified.delivered and not verified.undecided:
        return 1
    complete = not result.cannot if args.dry_run else account is not None and account.is_complete
    return 0 if complete and result.error is None and not result.skipped else 1


def _check_input(args: argparse.Namespace) -> None:
    """Refuse options that do not go together, and paths that are not there or cannot be read.

    Raises:
        ConfigurationError: So it is.
    """
    only = {
        "manifest": ("outside",),
        "coco": ("images", "annotations", "mask", "outside", "segmentation", "empty", "score", "categories", "class_numbers"),
        "yolo": ("images", "names", "segmentation", "empty", "score", "categories", "class_numbers"),
    }  # fmt: skip
    kind = next(one for one in only if getattr(args, one) is not None)
    for name in sorted({one for names in only.values() for one in names} - set(only[kind])):
        if getattr(args, name) not in {None, False}:
            raise ConfigurationError(f"--{name.replace('_', '-')} does not go with --{kind}")
    check_journal(args)
    if args.names is not None and args.class_numbers:
        raise ConfigurationError("--names does not go with --class-numbers, which takes the numbers as they are")
    if args.spool is not None and args.spool.exists() and not args.spool.is_dir():
        raise ConfigurationError(f"--spool: {str(args.spool)!r} is no folder")
    if kind != "manifest":
        if args.images is None:
            raise ConfigurationError("--coco and --yolo need --images, the directory of the images")
        check_readable(args.images, "--images", is_folder=True)
    check_readable(getattr(args, kind), f"--{kind}", is_folder=kind == "yolo")
    for name in ("annotations", "names"):
        if getattr(args, name) is not None:
            check_readable(getattr(args, name), f"--{name}")
    _check_outputs(args)


def _check_outputs(args: argparse.Namespace) -> None:
    """Refuse to write what is read.

    Raises:
        ConfigurationError: A file to be written is an input, or of another kind.
    """
    given = [args.manifest, args.coco, args.yolo, args.images, args.annotations, args.names]
    inputs = [path for path in given if path is not None]
    if args.categories is not None and not args.categories.lstrip().startswith("{"):
        inputs.append(Path(args.categories))
    if args.failures is not None:
        check_failures(args.failures, inputs)
    if args.journal is not None:
        check_output(args.journal, "--journal", inputs)


def _categories(text: str | None) -> dict[int | str, int] | None:
    """Return what `--categories` says; keys that are numbers are class numbers.

    Raises:
        ConfigurationError: It is neither JSON nor a file of it, or maps to something else than whole numbers.
    """
    if text is None:
        return None
    try:
        found = _object(text if text.lstrip().startswith("{") else Path(text).read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"--categories must be JSON or a file of it: {error}") from error
    if not isinstance(found, dict) or not all(type(value) is int for value in found.values()):
        raise ConfigurationError('--categories must map classes to indexes: {"car": 0}')
    numbers = [int(key) for key in found if key.isdecimal()]
    twice = next((number for number in numbers if numbers.count(number) > 1), None)
    if twice is not None:
        raise ConfigurationError(f"--categories has the class number {twice} twice, in two spellings")
    return {int(key) if key.isdecimal() else key: value for key, value in found.items()}


def _object(text: str) -> Any:
    """Return what JSON says; of a key that occurs twice the last value would win unseen.

    Raises:
        ValueError: It is no JSON, or has a key twice.
    """

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        twice = [key for key, count in Counter(key for key, _ in found).items() if count > 1]
        if twice:
            raise ValueError(f"it has {twice[0]!r} twice")
        return dict(found)

    return json.loads(text, object_pairs_hook=pairs)


async def _source(
    args: argparse.Namespace, categories: dict[int | str, int] | None, deployment: AsyncDeployment
) -> Source[Frame]:
    """Return what is to be sent. Class names are looked up in the deployment's label map, unless numbers are asked for."""
    on_bad: OnBad = "skip" if args.skip_bad else "raise"
    orientation: OrientationRule | None = "stored" if args.stored else "shown" if args.shown else None
    if args.manifest is not None:
        return manifest(
            args.manifest, source=args.source, latency=args.latency, on_bad=on_bad, orientation=orientation,
            outside=args.outside,
        )  # fmt: skip
    chosen: dict[str, Any] = {
        "kind": "segmentation" if args.segmentation else "mask" if args.mask else "detection", "empty": args.empty,
        "source": args.source, "latency": args.latency, "on_bad": on_bad, "orientation": orientation, "score": args.score,
        "categories": "indexes" if args.class_numbers else categories,
    }  # fmt: skip
    if chosen["categories"] is None:
        # A file's class number is no index: taken for one in silence, persons would become bicycles.
        chosen["label_map"] = await _label_map(deployment)
    elif args.class_numbers:
        with contextlib.suppress(PicselliaError):  # the check of each frame tells that it has none
            chosen["label_map"] = await deployment.label_map() or None
    else:
        await _check_indexes(categories or {}, deployment)
    if args.coco is not None:
        return coco_results(args.coco, args.images, annotations=args.annotations, outside=args.outside, **chosen)
    return yolo_labels(args.yolo, args.images, names=args.names, **chosen)


async def _check_indexes(categories: dict[int | str, int], deployment: AsyncDeployment) -> None:
    """Refuse a mapping to an index that the label map does not have: its other indexes may be of another one too.

    Raises:
        ConfigurationError: It has one.
    """
    known: set[int] = set()
    with contextlib.suppress(PicselliaError):  # the check of each frame tells that there is none
        known = {int(index) for index in (await deployment.label_map()).values()}
    wrong = [key for key, index in categories.items() if known and index not in known]
    if wrong:
        raise ConfigurationError(
            f"--categories: {wrong[0]!r} has the index {categories[wrong[0]]}, which the deployment's label map does not: "
            f"{min(known)} to {max(known)}"
        )


async def _label_map(deployment: AsyncDeployment) -> dict[str, int]:
    try:
        found = await deployment.label_map()
    except UndefinedObjectError:
        found = {}
    if not found:
        raise ConfigurationError("the deployment's model has no label map: give --categories or --class-numbers")
    return found


def _options(args: argparse.Namespace) -> UploaderOptions:
    return {
        "concurrency": concurrency_of(args), "spool": args.spool, "when_full": args.when_full, "deduplicate": args.deduplicate,
        "close_timeout": args.close_timeout, "max_attempts": args.max_attempts, "seed": args.seed,
    }  # fmt: skip


async def _interruptible(
    args: argparse.Namespace, categories: dict[int | str, int] | None, options: UploaderOptions
) -> Result:
    """Deliver; the first Ctrl-C (or SIGTERM) ends the reading and closes the uploader, the second one ends closing."""
    result = Result()
    work = asyncio.create_task(_deliver(args, categories, options, result))

    def interrupted() -> None:
        if not result.is_interrupted:
            print("interrupted: closing, once more to stop at once", file=sys.stderr)
        result.is_interrupted = True

    await wait_interruptible(work, interrupted)
    if not work.cancelled():
        work.result()
    return result


async def _deliver(
    args: argparse.Namespace, categories: dict[int | str, int] | None, options: UploaderOptions, result: Result
) -> None:
    async with AsyncClient(args.api_token, args.organization_id, host=args.host) as client:
        deployment = await find_deployment(client, args.deployment)
        check_type(args, deployment.name, deployment.type)
        result.source = source = await _source(args, categories, deployment)
        where = f"{client.host}, organization {client.name}, deployment {deployment.name}"
        lines = None if args.manifest is None else await asyncio.to_thread(_lines, args.manifest)
        result.batch = batch = Batch(where, source, total=lines, limit=args.limit, tags=args.tag)
        with _failures(args, result) as failures:
            if failures is not None:
                source.on_skipped = failures.skipped
                options["on_outcome"] = failures.ended if has_journal(args) else failures.dropped
            try:
                if args.dry_run:
                    await _check_all(batch, deployment, result)
                    return
                async with Progress(batch) as progress:
                    options["progress"] = progress
                    if has_journal(args):
                        await _run_job(args, deployment, options, batch, result)
                    else:
                        await _send_all(args, deployment.uploader(**options), batch, result)
            except PicselliaError as error:
                # What was sent before is reported all the same.
                if result.report is None and not args.dry_run:
                    raise
                result.error = error


def _lines(manifest: Path) -> int | None:
    """Return how many lines there are that are not blank; None of another JSON file, whose lines are no items."""
    try:
        with manifest.open("rb") as file:
            lines = (line for line in file if not line.isspace())
            first = next(lines, b"").strip()
            if first == b"{" or first.startswith(b"["):
                return None
            return bool(first) + sum(1 for _ in lines)
    except OSError as error:
        raise ConfigurationError(f"--manifest: {error}") from error


@contextlib.contextmanager
def _failures(args: argparse.Namespace, result: Result) -> Iterator[FailureFile | None]:
    if args.failures is None:
        yield None
        return
    defaults = {"source": args.source, "latency": args.latency}
    if args.manifest is not None:
        defaults["timestamp"] = args.manifest.stat().st_mtime
    with FailureFile(args.failures, args.manifest, defaults) as failures:
        result.failures = failures
        yield failures


async def _check_all(batch: Batch, deployment: AsyncDeployment, result: Result) -> None:
    """Do with every frame what is done before it is sent."""
    async with contextlib.aclosing(batch.items()) as items:
        async for frame in items:
            try:
                await deployment.check(frame)
            except ConfigurationError as error:
                result.cannot.append(in_options(f"{frame.filename}: {error_text(error)}"))
                if result.failures is not None:
                    result.failures.refused(frame, error)


async def _run_job(
    args: argparse.Namespace,
    deployment: AsyncDeployment,
    options: UploaderOptions,
    batch: Batch,
    result: Result,
) -> None:
    owner = {"deployment_id": str(deployment.id), "host": deployment.host}
    journal = journal_of(args, owner)
    tell_empty(journal)
    await asyncio.to_thread(begin_with_copy, args, journal, owner)
    job = Job(deployment, journal=journal, input=input_of(args), fresh=args.fresh, look_up=args.look_up, **options)
    batch.job = job
    try:
        async with job:
            result.journal = job.journal
            batch.uploader = job.uploader
            result.is_refusal_told = await _send(job.uploader, job.pending(batch.items()))
    finally:
        result.report = job.uploader.report if job.uploader.is_closed else None
        result.job = job.report
    if args.verify:
        result.verified = await verify(deployment, journal=job.journal, input=input_of(args))


async def _send_all(args: argparse.Namespace, uploader: Uploader, batch: Batch, result: Result) -> None:
    content = None if args.spool is None else await asyncio.to_thread(content_of, args)
    if content is not None:
        await asyncio.to_thread(check_spool, args, content)
    try:
        async with uploader:
            batch.uploader = uploader
            if content is not None:
                is_first = not uploader.statistics().pending_frames
                await asyncio.to_thread(note_input, args, content, is_first=is_first)
            outage = None if content is None else _Outage(batch, uploader, args.close_timeout)
            result.is_refusal_told = await _send(uploader, batch.items(), outage)
    finally:
        result.report = uploader.report if uploader.is_closed else None


class _Outage:
    """Whether waiting may end: all was read and lies in the spool, and for some seconds the service took nothing."""

    def __init__(self, batch: Batch, uploader: Uploader, seconds: float) -> None:
        """Store what tells it."""
        self._batch = batch
        self._uploader = uploader
        self._seconds = seconds
        self._since: float | None = None
        self._ended = 0

    def is_long(self) -> bool:
        """Return whether it has lasted for the seconds; called again and again."""
        if not self._batch.is_read:
            return False
        found = self._uploader.statistics()
        ended, troubles = found.accepted - found.pending_frames, set(found.troubles)
        if self._since is None or ended != self._ended:
            self._since, self._ended = time.monotonic(), ended
        # Not where the disk is in trouble, too: then closing may lose frames. A slow line is no trouble, nor a pause that the service asks for.
        is_service = troubles == {Health.DOWN}
        return is_service and time.monotonic() - self._since >= self._seconds


async def _send(uploader: Uploader, source: AsyncIterable[Frame], outage: _Outage | None = None) -> bool:
    """Send all, and wait for the outcomes, as long as the service takes this account's frames; return whether it was said that it does not.

    Args:
        uploader: Open.
        source: Of the frames.
        outage: Ends the waiting, where frames are safe; None: without a spool nothing is, and it goes on.
    """

    async def feed() -> None:
        async for _ in uploader.stream(source):
            pass
        await uploader.flush()

    task = asyncio.create_task(feed())
    try:
        while not (await asyncio.wait([task], timeout=LOOK_SECONDS))[0]:
            if is_refused(uploader):
                return True
            if outage is not None and outage.is_long():
                return False
        task.result()
        return False
    finally:
        task.cancel()
        await asyncio.wait([task])
