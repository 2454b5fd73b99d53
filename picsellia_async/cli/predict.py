"""`picsellia-async predict DEPLOYMENT PATH...`: predictions on images, as JSON lines that `monitor --manifest` reads."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import glob
import json
import sys
import time
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import attrs

from picsellia_async.cli.batch import TOLD_SECONDS, count
from picsellia_async.cli.delivering import LINES_SHOWN, add_account, find_deployment
from picsellia_async.cli.interrupts import wait_interruptible
from picsellia_async.cli.output_files import check_output
from picsellia_async.cli.result import FAILURES_NAMED
from picsellia_async.client import AsyncClient
from picsellia_async.errors import ConfigurationError, PicselliaError
from picsellia_async.jobs import Prediction, PredictReport
from picsellia_async.monitor_options import EXTENSIONS
from picsellia_async.progress import ProgressBar
from picsellia_async.sources import Image, OnBad, directory, video
from picsellia_async.sources._folder import IMAGE_PATTERNS


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's arguments."""
    parser = subparsers.add_parser("predict", help="ask a deployment for predictions on images or a video")
    parser.add_argument("deployment", metavar="DEPLOYMENT", help="name or id")
    parser.add_argument("paths", nargs="+", metavar="PATH", help="image, folder, pattern in quotes, or video")
    parser.add_argument("--results", type=Path, required=True, metavar="FILE", help="JSON lines, a manifest of results")
    parser.add_argument("--frames", type=Path, metavar="DIR", help="where frames of a video are kept as JPEG")
    parser.add_argument("--every", type=count, default=1, metavar="N", help="every n-th frame of a video (default 1)")
    parser.add_argument("--limit", type=count, metavar="N", help="read only the first N images")
    parser.add_argument("--fresh", action="store_true", help="empty the file of results first")
    parser.add_argument("--skip-bad", action="store_true", help="skip and count what is no image; default: stop there")
    parser.add_argument("--monitor", action="store_true", help="let the service store the predictions as well")
    parser.add_argument("--tag", action="append", default=[], metavar="NAME", help="--monitor: data tag; repeatable")
    parser.add_argument("--concurrency", type=count, default=16, metavar="N", help="requests in flight (default 16)")
    add_account(parser, default_host="Picsellia's")
    parser.add_argument("--json", action="store_true", help="print the report as one JSON object")
    parser.set_defaults(run=run)


@attrs.define
class _Input:
    """The images of all paths, and the account of their reading."""

    args: argparse.Namespace
    read: int = 0
    problems: list[str] = attrs.field(factory=list)
    skipped: int = 0

    async def images(self) -> AsyncGenerator[Image, None]:
        """Yield them, path by path."""
        for path in self.args.paths:
            async with contextlib.aclosing(self._of(path)) as images:
                async for image in images:
                    self.read += 1
                    yield image
                    if self.read == self.args.limit:
                        return

    async def _of(self, path: str) -> AsyncGenerator[Image, None]:
        if _is_video(path):
            async for image in self._of_video(path):
                yield image
            return
        on_bad: OnBad = "skip" if self.args.skip_bad else "raise"
        folder, pattern, is_deep = _folder_of(path)
        source = directory(folder, pattern, recursive=is_deep, on_bad=on_bad)
        try:
            async for image in source:
                yield image
        finally:
            self.skipped += source.skipped
            self.problems.extend(source.problems)

    async def _of_video(self, path: str) -> AsyncGenerator[Image, None]:
        folder: Path = self.args.frames
        async with video(path, every=self.args.every) as frames:
            number = 0
            async for frame in frames:
                kept = folder / f"{Path(path).stem}-{number:08d}.jpg"
                number += self.args.every
                if not await asyncio.to_thread(kept.exists):
                    await asyncio.to_thread(_keep, kept, frame.image)
                yield attrs.evolve(frame, image=kept, filename=kept.name)


def _keep(path: Path, image: bytes | Path) -> None:
    """Write a frame; it has its name once it is whole, so that a kill leaves none that is cut."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_bytes(image if isinstance(image, bytes) else image.read_bytes())
    part.replace(path)


def _is_video(path: str) -> bool:
    return not Path(path).is_dir() and not glob.has_magic(path) and Path(path).suffix.lower() not in EXTENSIONS


def _folder_of(path: str) -> tuple[Path, str | tuple[str, ...], bool]:
    """Return a folder, the pattern of names in it, and whether it is for folders below as well."""
    if Path(path).is_dir():
        return Path(path), IMAGE_PATTERNS, True
    if Path(path).exists():
        return Path(path).parent, glob.escape(Path(path).name), False
    parts = Path(path).parts
    whole = next(number for number, part in enumerate(parts) if glob.has_magic(part))
    return Path(*parts[:whole]), "/".join(parts[whole:]), len(parts) - whole > 1


def _check(args: argparse.Namespace) -> None:
    for path in args.paths:
        if glob.has_magic(path) or "://" in path:
            continue
        if not Path(path).exists():
            raise ConfigurationError(f"there is no {path!r}")
    videos = [path for path in args.paths if _is_video(path)]
    if videos and args.frames is None:
        raise ConfigurationError(
            f"{videos[0]!r} is a video: give --frames DIR, where its frames are kept for --results"
        )
    check_output(args.results, "--results", [Path(path) for path in args.paths if not glob.has_magic(path)])
    if args.tag and not args.monitor:
        raise ConfigurationError("--tag needs --monitor: nothing is stored without it")


def run(args: argparse.Namespace) -> int:
    """Predict; 0 where all was, 1 where something was refused or skipped, 130 after an interrupt."""
    _check(args)
    given = _Input(args)
    report, is_interrupted = asyncio.run(_interruptible(args, given))
    if args.json:
        print(json.dumps(_to_json(report, given, is_interrupted)))
    else:
        print(
            f"{report.predicted} predicted, {report.predicted_before} before, {report.failed} refused, {given.skipped} skipped; "
            f"results in {str(args.results)!r}"
        )
        for one in report.failures[:LINES_SHOWN]:
            print(f"  refused {_name(one.image)}: {type(one.error).__name__}: {one.error}", file=sys.stderr)
        for problem in given.problems[:LINES_SHOWN]:
            print(f"  skipped {problem}", file=sys.stderr)
    if report.error is not None:
        print(f"stopped: {type(report.error).__name__}: {report.error}", file=sys.stderr)
    is_well = report.is_complete and not given.skipped and not is_interrupted
    if not is_well:
        print("the same command goes on from here", file=sys.stderr)
    return 130 if is_interrupted else 0 if is_well else 1


def _name(image: object) -> str:
    return str(getattr(image, "filename", image))


def _to_json(report: PredictReport, given: _Input, is_interrupted: bool) -> dict[str, Any]:
    return {
        "predicted": report.predicted,
        "predicted_before": report.predicted_before,
        "failed": report.failed,
        "skipped": given.skipped,
        "interrupted": is_interrupted,
        "error": None if report.error is None else f"{type(report.error).__name__}: {report.error}",
        "failures": [
            {"filename": _name(one.image), "reason": f"{type(one.error).__name__}: {one.error}"}
            for one in report.failures[:FAILURES_NAMED]
        ],
        "problems": given.problems[:FAILURES_NAMED],
    }


async def _interruptible(args: argparse.Namespace, given: _Input) -> tuple[PredictReport, bool]:
    """Predict until the end, or until the first Ctrl-C or SIGTERM, which leaves what was asked for and not answered."""
    work = asyncio.create_task(_predict(args, given))
    is_interrupted = False

    def interrupted() -> None:
        nonlocal is_interrupted
        is_interrupted = True

    await wait_interruptible(work, interrupted)
    if work.cancelled():
        return PredictReport(predicted=0, predicted_before=0, failed=0, failures=()), True
    return work.result(), is_interrupted


async def _predict(args: argparse.Namespace, given: _Input) -> PredictReport:
    async with AsyncClient(args.api_token, args.organization_id, host=args.host) as client:
        deployment = await find_deployment(client, args.deployment)
        work = Prediction(
            given.images(), deployment, results=args.results, fresh=args.fresh, concurrency=args.concurrency,
            monitor=args.monitor, tags=args.tag or None,
        )  # fmt: skip
        print(f"{client.host}, organization {client.name}, deployment {deployment.name}", file=sys.stderr)
        error: PicselliaError | None = None
        told = time.monotonic()
        try:
            with ProgressBar("predicting") as bar:
                async with contextlib.aclosing(work.results()) as results:
                    async for _ in results:
                        done = work.predicted + work.failed
                        bar.show(done + work.predicted_before, None, "predicting")
                        if not sys.stderr.isatty() and time.monotonic() - told >= TOLD_SECONDS:
                            told = time.monotonic()
                            words = f"{work.predicted} predicted, {work.predicted_before} before, {work.failed} refused"
                            print(words, file=sys.stderr, flush=True)
        except asyncio.CancelledError:
            # An interrupt: what has its line is told, and the rest is for the next run.
            return work.report()
        except ConfigurationError:
            raise
        except PicselliaError as raised:
            if not work.is_open:
                raise
            error = raised
        return work.report(error)
