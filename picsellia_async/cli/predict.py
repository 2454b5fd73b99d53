"""`picsellia-async predict DEPLOYMENT PATH...`: predictions on images, as JSON lines that `monitor --manifest` reads."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import glob
import json
import os
import re
import sys
import time
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, Final

import attrs

from picsellia_async._deployment.prediction_stream import Predicted
from picsellia_async._error_text import error_text
from picsellia_async._video_version import VideoVersion
from picsellia_async.cli.batch import TOLD_SECONDS, count
from picsellia_async.cli.delivering import LINES_SHOWN, add_account, find_deployment
from picsellia_async.cli.interrupts import wait_interruptible
from picsellia_async.cli.output_files import check_output, write_whole
from picsellia_async.cli.result import FAILURES_NAMED
from picsellia_async.cli.wording import in_options, report_in_options
from picsellia_async.client import AsyncClient
from picsellia_async.errors import ConfigurationError, PicselliaError
from picsellia_async.jobs import Prediction, PredictReport
from picsellia_async.monitor_options import EXTENSIONS
from picsellia_async.progress import ProgressBar
from picsellia_async.sources import Image, OnBad, SourceError, directory, video
from picsellia_async.sources._errors import Problems
from picsellia_async.sources._folder import IMAGE_PATTERNS, alternatives, matcher, walk
from picsellia_async.sources._video_settings import STEM_BYTES_MAX

VIDEO_EXTENSIONS: Final = frozenset(
    [
        ".mp4",
        ".m4v",
        ".mov",
        ".mkv",
        ".webm",
        ".avi",
        ".ts",
        ".m2ts",
        ".mts",
        ".mpg",
        ".mpeg",
        ".mjpeg",
        ".mjpg",
        ".h264",
        ".h265",
        ".264",
        ".265",
        ".hevc",
        ".wmv",
        ".flv",
        ".3gp",
        ".ogv",
    ]
)
"""Names of videos in folders and patterns; a path of its own is one whatever it is called."""
_DIGEST_CHARACTERS: Final = 12
_FRAME_NAME: Final = re.compile(rf"(.*-([0-9a-f]{{{_DIGEST_CHARACTERS}}}))-\d{{8,}}\.jpg")
"""Of a frame of a video that is a file: what the names of its frames begin with, and within that its digest."""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's arguments."""
    parser = subparsers.add_parser("predict", help="ask a deployment for predictions on images or a video")
    parser.add_argument("deployment", metavar="DEPLOYMENT", help="name or id")
    parser.add_argument("paths", nargs="+", metavar="PATH", help="image, folder, pattern in quotes, or video")
    parser.add_argument("--results", type=Path, required=True, metavar="FILE", help="JSON lines, a manifest of results")
    parser.add_argument("--frames", type=Path, metavar="DIR", help="where frames of a video are kept as JPEG")
    parser.add_argument("--every", type=count, default=1, metavar="N", help="every n-th frame of a video (default 1)")
    parser.add_argument("--limit", type=count, metavar="N", help="read only the first N images")
    parser.add_argument("--fresh", action="store_true", help="empty the file of results, once an image was read")
    parser.add_argument("--skip-bad", action="store_true", help="skip and count what is no image; default: stop there")
    parser.add_argument("--monitor", action="store_true", help="let the service store the predictions as well")
    parser.add_argument("--tag", action="append", default=[], metavar="NAME", help="--monitor: data tag; repeatable")
    parser.add_argument("--concurrency", type=count, default=16, metavar="N", help="requests in flight (default 16)")
    add_account(parser, default_host="Picsellia's")
    parser.add_argument("--json", action="store_true", help="print the report as one JSON object")
    parser.set_defaults(run=run)


@attrs.frozen
class _Frame(Image):
    """A frame of a video."""

    video: VideoVersion | None = None
    """Of a video that is a file."""


@attrs.define
class _Input:
    """The images of all paths, and the account of their reading."""

    args: argparse.Namespace
    read: int = 0
    problems: list[str] = attrs.field(factory=list)
    skipped: int = 0
    damaged: int = 0
    """Packets and frames of videos that could not be decoded."""
    corrupted: int = 0
    """Frames of videos that build on those."""
    told: list[str] = attrs.field(factory=list)
    """What was read, and not all of it."""
    _stems: dict[str, str] | None = None
    """What the names of frames begin with, by the digest of their video, of those in the folder of frames and of this run."""
    _base: str = attrs.field(init=False)
    """The folder below which names of images are unique; empty where one is enough."""

    def __attrs_post_init__(self) -> None:
        """Find the folder that all paths have in common."""
        self._base = _common_folder([path for path in self.args.paths if not _is_video(path)])

    def videos(self) -> list[Path]:
        """Return the videos that are files. Blocking."""
        found: list[Path] = []
        for path in self.args.paths:
            if _is_video(path) and "://" not in path:
                with contextlib.suppress(SourceError):  # told when it is read
                    found.extend(map(Path, _videos_of(path)))
        return found

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
            for one in await asyncio.to_thread(_videos_of, path):
                async with contextlib.aclosing(self._of_video(one)) as frames:
                    async for frame in frames:
                        yield frame
            return
        on_bad: OnBad = "skip" if self.args.skip_bad else "raise"
        folder, pattern, is_deep = _folder_of(path)
        source = directory(folder, pattern, recursive=is_deep, on_bad=on_bad)
        try:
            async for image in source:
                yield self._named(image) if self._base else image
        finally:
            self.skipped += source.skipped
            self.problems.extend(source.problems)
            videos = {one: number for one, number in source.left_out.items() if one in VIDEO_EXTENSIONS}
            if videos and pattern == IMAGE_PATTERNS:
                found = ", ".join(f"{number} {one}" for one, number in sorted(videos.items()))
                ways = os.fspath(folder / "**" / f"*{min(videos)}")
                self.told.append(f"videos in {path!r} are not read ({found}): {ways!r} with --frames DIR does")

    def _named(self, image: Image) -> Image:
        """Return the image with a name that no image of another path has."""
        file = Path(os.fspath(image.image))  # type: ignore[arg-type]  # a directory gives files
        return attrs.evolve(image, filename=Path(os.path.relpath(file, self._base)).as_posix())

    def _stem(self, video: VideoVersion) -> str:
        """Return what the names of a video's frames begin with: another one for each content, whatever the file is called by now.

        Cameras call the recording of each day `record.mp4`.
        """
        if self._stems is None:
            self._stems = _stems_in(self.args.frames)
        digest = video.digest[:_DIGEST_CHARACTERS]
        name = Path(video.path).stem.encode()[:STEM_BYTES_MAX].decode(errors="ignore")
        return self._stems.setdefault(digest, f"{name}-{digest}")

    async def _of_video(self, path: str) -> AsyncGenerator[Image, None]:
        folder: Path = self.args.frames
        version = None if "://" in path else await asyncio.to_thread(VideoVersion.of, Path(path))
        stem = None if version is None else await asyncio.to_thread(self._stem, version)
        async with video(path, every=self.args.every) as frames:
            number = 0
            try:
                async for frame in frames:
                    kept = folder / (frame.filename if stem is None else f"{stem}-{number:08d}.jpg")
                    number += self.args.every
                    await asyncio.to_thread(write_whole, kept, frame.image)  # type: ignore[arg-type]  # a video gives bytes
                    own = {**attrs.asdict(frame, recurse=False), "image": kept, "filename": kept.name}
                    yield _Frame(**own, video=version)
            except SourceError as error:
                if not self.args.skip_bad:
                    raise
                self.skipped += 1
                self.problems.append(str(error))
            finally:
                self.damaged += frames.damaged
                self.corrupted += frames.corrupted
                if frames.damaged or frames.corrupted:
                    self.told.append(
                        f"{path!r} is damaged: {frames.damaged} packets or frames could not be decoded and were left out, and "
                        f"{frames.corrupted} frames that were read build on lost ones"
                    )


def _stems_in(folder: Path) -> dict[str, str]:
    """Return what the names of a folder's frames begin with, by the digest in them."""
    try:
        names = sorted(os.listdir(folder))  # noqa: PTH208 - names alone, of what may be a million files
    except OSError:  # it is made with the first frame
        return {}
    return {found[2]: found[1] for name in reversed(names) if (found := _FRAME_NAME.fullmatch(name))}


def _common_folder(paths: list[str]) -> str:
    if len(paths) < 2:
        return ""
    try:
        return os.path.commonpath([os.path.abspath(_folder_of(path)[0]) for path in paths])  # noqa: PTH100 - Path.absolute keeps `..`
    except ValueError:  # drives of Windows
        return ""


def _videos_of(path: str) -> list[str]:
    """Return the videos that a path or pattern means. Blocking.

    Raises:
        SourceError: A pattern fits none.
    """
    if not glob.has_magic(path) or Path(path).exists():
        return [path]
    folder, pattern, is_deep = _folder_of(path)
    found = [os.fspath(one) for one in walk(folder, matcher((str(pattern),)), Problems("skip"), recursive=is_deep)]
    if not found:
        raise SourceError(f"nothing in {os.fspath(folder)!r} matches {pattern}")
    return found


def _is_video(path: str) -> bool:
    """Return whether a path is no folder and no image; a pattern is one of videos where all its names are."""
    if Path(path).is_dir():
        return False
    if glob.has_magic(path) and not Path(path).exists():
        return all(Path(one).suffix.lower() in VIDEO_EXTENSIONS for one in alternatives(path))
    return Path(path).suffix.lower() not in EXTENSIONS


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
        print(json.dumps(report_in_options(_to_json(report, given, is_interrupted))))
    else:
        print(
            f"{report.predicted} predicted, {report.predicted_before} before, {report.failed} refused, {given.skipped} skipped; "
            f"results in {str(args.results)!r}"
        )
        for one in report.failures[:LINES_SHOWN]:
            print(f"  refused {_name(one.image)}: {_reason(one)}", file=sys.stderr)
        for problem in given.problems[:LINES_SHOWN]:
            print(f"  skipped {in_options(problem)}", file=sys.stderr)
    for words in given.told:
        print(words, file=sys.stderr)
    if report.error is not None:
        print(f"stopped: {in_options(error_text(report.error))}", file=sys.stderr)
    is_well = report.is_complete and not given.skipped and not is_interrupted
    if isinstance(report.error, SourceError):
        behind = "" if args.skip_bad or not given.read else ", and --skip-bad goes on behind it"
        print(f"the same command stops there again{behind}", file=sys.stderr)
    elif not is_well:
        print("the same command goes on from here", file=sys.stderr)
    return 130 if is_interrupted else 0 if is_well else 1


def _reason(one: Predicted) -> str:
    return "" if one.error is None else in_options(error_text(one.error))


def _name(image: object) -> str:
    return str(getattr(image, "filename", image))


def _to_json(report: PredictReport, given: _Input, is_interrupted: bool) -> dict[str, Any]:
    return {
        "predicted": report.predicted,
        "predicted_before": report.predicted_before,
        "failed": report.failed,
        "skipped": given.skipped,
        "damaged": given.damaged,
        "corrupted": given.corrupted,
        "interrupted": is_interrupted,
        "error": None if report.error is None else error_text(report.error),
        "failures": [
            {"filename": _name(one.image), "reason": _reason(one)} for one in report.failures[:FAILURES_NAMED]
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
            monitor=args.monitor, tags=args.tag or None, videos=await asyncio.to_thread(given.videos),
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
