"""`predict`: predictions on many images, written to a file line by line, which the next run goes on with.

Theory of operation. The file of results is the journal: a line is written at once when an answer comes, and an image that has one is
passed over by the next run. A process that is killed leaves at most one line without its end, which is cut off. A line tells which
picture was in the file: of another one under the same name it says nothing, so that it is taken out when the next run begins. That of a
frame of a video tells which video: it goes with the frame's file where the video moves, and is taken out where another took its place.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import time
from collections.abc import AsyncGenerator, AsyncIterable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final, Protocol, TypeAlias
from uuid import uuid4

import attrs
import orjson

from picsellia_async import _file_lock
from picsellia_async._delivery.iterables import check, each
from picsellia_async._deployment.prediction_stream import Predicted
from picsellia_async._image_version import ImageVersion
from picsellia_async._log_line import logger
from picsellia_async._video_version import VideoVersion
from picsellia_async.deployment import AsyncDeployment
from picsellia_async.enums import InferenceType
from picsellia_async.errors import ConfigurationError, PicselliaError, shown
from picsellia_async.jobs._errors import JournalError
from picsellia_async.jobs._predicted_videos import PredictedVideos
from picsellia_async.predictions import PREDICTION_FORMATS
from picsellia_async.predictions.base import field_names
from picsellia_async.resources.data import Data
from picsellia_async.resources.tag import Tags
from picsellia_async.validation import boolean, checked_path

_FAILURES_KEPT: Final = 10_000

_ANY: Final = frozenset({"timestamp", "latency", "prediction"})
_NEEDED: Final = {
    "image": frozenset({"image_version", "filename", "width", "height"}) | _ANY,
    "object_name": frozenset({"content_type"}) | _ANY,
}
"""Fields of each line of results, by the field that names its image; a manifest that somebody wrote has fewer or others."""
_OPTIONAL: Final = frozenset({"width", "height", "source", "video", "monitored_as"})
_LINE_STARTS: Final = (b'{"image":"', b'{"object_name":"')
"""Of each line, also of one that a kill has cut."""


_Name: TypeAlias = tuple[str, str]
"""The field of a line that names its image, and the name."""


class ImageFile(Protocol):
    """An image of a source whose content is in a file."""

    @property
    def image(self) -> bytes | Path:
        """The file; bytes are refused, since a manifest names files."""

    @property
    def filename(self) -> str:
        """Name on the platform."""

    @property
    def width(self) -> int:
        """Pixels."""

    @property
    def height(self) -> int:
        """Pixels."""

    @property
    def timestamp(self) -> float:
        """Epoch seconds."""

    @property
    def source(self) -> str | None:
        """Name of the camera or folder."""


@attrs.frozen(kw_only=True)
class PredictReport:
    """The account of one run."""

    predicted: int
    """Images that got their line in this run."""
    predicted_before: int
    """Images that were read and had one, or came in this run before."""
    failed: int
    """Images that were refused; the next run tries them again."""
    failures: tuple[Predicted, ...] = attrs.field(repr=False)
    """The first 10,000 of them, with their errors."""
    error: PicselliaError | None = None
    """What ended the run early: an error of the input, or one that stands against every image."""

    @property
    def is_complete(self) -> bool:
        """Whether every image of the input has its line."""
        return not self.failed and self.error is None


class Prediction:
    """One run, for code that wants to see the results pass; `predict` does for the rest."""

    def __init__(
        self,
        images: Iterable[ImageFile | Data] | AsyncIterable[ImageFile | Data],
        deployment: AsyncDeployment,
        *,
        results: str | Path,
        fresh: bool = False,
        concurrency: int = 16,
        monitor: bool = False,
        tags: Tags = None,
        videos: Collection[Path] = (),
    ) -> None:
        """Store the settings; described at `predict`.

        Args:
            videos: Files whose frames are among the images. Lines of frames of another video that was in one of them are removed.

        Raises:
            ConfigurationError: The type of the deployment has no format of predictions.
        """
        self.path: Path = checked_path(results, "results")
        """The file of results."""
        fresh = boolean(fresh, "fresh")
        monitor = boolean(monitor, "monitor")
        check(images, "images must be an iterable of images of a source")
        self._format = PREDICTION_FORMATS.get(deployment.type)
        if self._format is None:
            raise ConfigurationError(f"a deployment of type {deployment.type} has no format of predictions")
        self._type: InferenceType = deployment.type
        self._fields = field_names(self._format)  # type: ignore[arg-type]  # classes are hashable
        self._images = images
        self._deployment = deployment
        self._folder = os.path.abspath(self.path.parent)  # noqa: PTH100 - Path.absolute keeps `..`
        self._fresh = fresh
        self._concurrency = concurrency
        self._monitor = monitor
        self._tags = tags
        self._videos = videos
        self._known: set[_Name] = set()
        self._versions: dict[_Name, ImageVersion] = {}
        """Of the files that are under way, as they were before they were read for the request."""
        self.is_open: bool = False
        """Whether the file was opened for this run."""
        self.predicted: int = 0
        self.predicted_before: int = 0
        self.failed: int = 0
        self._failures: list[Predicted] = []
        self._file: BinaryIO
        self._is_emptied = False

    async def results(self) -> AsyncGenerator[Predicted, None]:
        """Predict on the images that have no line yet; yield each result once it is in the file.

        Raises:
            ConfigurationError: The file of results cannot be used, an image is in no file, or the extra `jobs` is not installed.
            JournalError: Another run writes to the file of results, or it cannot be written.
            PicselliaError: What stands against every image.
        """
        file = await asyncio.to_thread(self._open)
        self._file = file
        self.is_open = True
        try:
            stream = self._deployment.predict_many(
                self._new(), concurrency=self._concurrency, monitor=self._monitor, tags=self._tags
            )
            async with contextlib.aclosing(stream) as answers:
                async for result in answers:
                    version = self._versions.pop(self._name(result.image), None)  # type: ignore[arg-type]  # as they were given
                    if result.answer is None:
                        self.failed += 1
                        if len(self._failures) < _FAILURES_KEPT:
                            self._failures.append(result)
                    else:
                        self._write(file, self._line(result, version))
                        self.predicted += 1
                    yield result
        finally:
            _file_lock.release(file.fileno())
            file.close()

    def _write(self, file: BinaryIO, line: bytes) -> None:
        # One small write to the cache of the system: it survives the end of the process, and takes no thread.
        try:
            if file.write(line) == len(line):
                return
        except OSError as error:
            raise JournalError(f"the results {os.fspath(self.path)!r} cannot be written: {error}") from error
        raise JournalError(f"the results {os.fspath(self.path)!r} cannot be written: no room on the disk")

    def report(self, error: PicselliaError | None = None) -> PredictReport:
        """Return the account so far."""
        return PredictReport(
            predicted=self.predicted,
            predicted_before=self.predicted_before,
            failed=self.failed,
            failures=tuple(self._failures),
            error=error,
        )

    def _open(self) -> BinaryIO:
        """Open and lock the file behind its last whole line, and learn which images have one.

        Raises:
            ConfigurationError: It cannot be opened, or holds something else than results.
            JournalError: It is in use by another run.
        """
        file: BinaryIO
        try:
            file = self.path.open("a+b", buffering=0)
        except OSError as error:
            raise ConfigurationError(f"results: {error}") from error
        try:
            self._lock(file)
            if self._fresh:
                self._check_first_line()  # emptied with the first image
            else:
                file = self._learn(file)
        except BaseException:
            file.close()
            raise
        return file

    def _check_first_line(self) -> None:
        """Refuse to empty a file of something else.

        Raises:
            ConfigurationError: It is one.
        """
        with self.path.open("rb") as lines:
            first = lines.readline()
        if first.endswith(b"\n"):
            self._image_of(1, first)
        elif not _may_be_ours(first):  # a kill may have left a part of one line
            raise self._no_result(1)

    def _lock(self, file: BinaryIO) -> None:
        try:
            # Another run may have put a new file under this name after it was opened here.
            is_ours = _file_lock.take(file.fileno()) and os.path.samestat(os.fstat(file.fileno()), self.path.stat())
        except OSError as error:
            raise JournalError(f"the results {os.fspath(self.path)!r} cannot be locked: {error}") from error
        if not is_ours:
            raise JournalError(f"the results {os.fspath(self.path)!r} are in use by another run")

    def _learn(self, file: BinaryIO) -> BinaryIO:
        """Learn which images have a line that is about the picture in their file; return the file that has these lines only."""
        replaced: set[int] = set()
        videos = PredictedVideos(self._videos, self._place, self._folder)
        with self.path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                if not line.endswith(b"\n"):
                    if not _may_be_ours(line):
                        # A power cut may leave zeros or anything else in the last block of a file that begins with our lines.
                        if number == 1 and line.strip(b"\0"):
                            raise self._no_result(number)
                        logger.warning(
                            "results %r: the %d bytes behind line %d are no result, and are removed",
                            os.fspath(self.path), len(line), number - 1,
                            extra={"results": os.fspath(self.path), "bytes": len(line)},
                        )  # fmt: skip
                    file.truncate(lines.tell() - len(line))  # the process was killed within its write
                    break
                name, version, video = self._image_of(number, line)
                if video is not None and not videos.keep(number, video):
                    continue
                if version is None or self._is_there(name[1], version):
                    self._known.add(name)
                else:
                    replaced.add(number)
        if not replaced and not videos.outdated and not videos.moved:
            return file
        new = self._without(file, replaced | videos.outdated, videos.moved)
        if replaced:
            logger.warning(
                "results %r: %d image%s changed since the prediction: predicted on again, and the line%s of the former picture removed",
                os.fspath(self.path), len(replaced), *(("", "") if len(replaced) == 1 else ("s", "s")),
                extra={"results": os.fspath(self.path), "changed": len(replaced)},
            )  # fmt: skip
        if videos.outdated:
            changed = len(videos.changed)
            logger.warning(
                "results %r: %d video%s changed since the prediction: predicted on again, and the lines of the former one%s removed (%d)",
                os.fspath(self.path), changed, *(("", "") if changed == 1 else ("s", "s")), len(videos.outdated),
                extra={"results": os.fspath(self.path), "changed_videos": changed, "lines": len(videos.outdated)},
            )  # fmt: skip
        return new

    def _is_there(self, name: str, version: ImageVersion) -> bool:
        """Return whether a file holds the picture that was predicted on; one that is gone is no other picture."""
        try:
            return version.is_in(Path(self._folder, name))
        except OSError:
            return True

    def _without(self, file: BinaryIO, numbers: set[int], moved: Mapping[int, str]) -> BinaryIO:
        """Put a file without some lines, and with the new paths of videos, in the place of the one that is open; return it, open and locked.

        Args:
            file: The one that is open and locked.
            numbers: Of the lines that go.
            moved: Where the video of a line lies by now, by the line's number.

        Raises:
            JournalError: It cannot be written; the former one is as it was.
        """
        target = Path(os.path.realpath(self.path))  # a link stays one
        part = target.with_name(f".{target.name}.{uuid4().hex}.part")
        new: BinaryIO | None = None
        try:
            new = part.open("a+b", buffering=0)
            _file_lock.take(new.fileno())  # before it has its name: no other run may begin with it
            shutil.copymode(target, part)
            with target.open("rb") as lines:
                for number, line in enumerate(lines, start=1):
                    if number in numbers:
                        continue
                    if number in moved:
                        fields = orjson.loads(line)
                        fields["video"]["path"] = moved[number]
                        self._write(new, orjson.dumps(fields) + b"\n")
                    else:
                        self._write(new, line)
            os.fsync(new.fileno())  # a power cut must not leave less than there was
            part.replace(target)
        except BaseException as error:
            if new is not None:
                new.close()
            part.unlink(missing_ok=True)
            if isinstance(error, OSError):
                raise JournalError(f"the results {os.fspath(self.path)!r} cannot be written: {error}") from error
            raise
        _file_lock.release(file.fileno())
        file.close()
        return new

    def _image_of(self, number: int, line: bytes) -> tuple[_Name, ImageVersion | None, VideoVersion | None]:
        """Return the image of a line that `_line` made, which picture it was, where that is a file's, and of which video.

        Raises:
            ConfigurationError: It made none such: what a manifest of somebody's own says, this deployment did not predict.
        """
        try:
            fields = orjson.loads(line)
        except ValueError:
            fields = None
        if isinstance(fields, dict):
            for place, needed in _NEEDED.items():
                if place in fields and needed <= fields.keys() - {place} <= needed | _OPTIONAL:
                    version = ImageVersion.read(fields.get("image_version"))
                    video = VideoVersion.read(fields.get("video"))
                    if (version is not None or place != "image") and (video is not None or "video" not in fields):
                        return (place, fields[place]), version, video
        raise self._no_result(number)

    def _no_result(self, number: int) -> ConfigurationError:
        return ConfigurationError(
            f"results: line {number} of {os.fspath(self.path)!r} is no result that predict wrote; give a file of its own"
        )

    async def _new(self) -> AsyncGenerator[ImageFile | Data, None]:
        async with contextlib.aclosing(each(self._images)) as images:
            async for image in images:
                if self._fresh and not self._is_emptied:
                    # An input that gives no image, as one whose name was mistyped, costs no results.
                    self._file.truncate(0)
                    self._is_emptied = True
                name = self._name(image)
                if name in self._known:
                    self.predicted_before += 1
                    continue
                self._known.add(name)  # given a second time it is the same picture
                if name[0] == "image":
                    # Before it is read for the request: what is put in its place meanwhile is another version.
                    self._versions[name] = await asyncio.to_thread(ImageVersion.of, Path(self._folder, name[1]))
                yield image

    def _name(self, image: ImageFile | Data) -> _Name:
        if isinstance(image, Data):
            return "object_name", image.object_name
        content = getattr(image, "image", None)
        if not isinstance(content, Path):
            raise ConfigurationError(
                f"a file of results names images that are files, or Data of the datalake, got {shown(image)}; write its image to a file first"
            )
        return "image", self._place(content)

    def _place(self, file: Path) -> str:
        """Return how a line names a file: below the folder of results by its path from there, so that all of it can be moved."""
        path = os.path.abspath(file)  # noqa: PTH100 - Path.absolute keeps `..`
        inside = path.startswith(os.path.join(self._folder, ""))  # noqa: PTH118
        return os.path.relpath(path, self._folder) if inside else path

    def _line(self, result: Predicted, version: ImageVersion | None) -> bytes:
        image: Any = result.image
        answer: dict[str, Any] = dict(result.answer or {})
        prediction = {name: answer[name] for name in self._fields if answer.get(name) is not None}
        place, name = self._name(image)
        if isinstance(image, Data):
            # The name on the platform is the last part of the object's name, as `monitor_data` has it.
            of_image: dict[str, Any] = {"content_type": image.content_type, "timestamp": round(time.time(), 3)}
        else:
            of_image = {"filename": image.filename, "timestamp": image.timestamp, "source": image.source}
            # Of a frame that the command line cut out of a video; other images have none.
            video: VideoVersion | None = getattr(image, "video", None)
            if video is not None:
                of_image["video"] = {"path": self._place(Path(video.path)), "digest": video.digest}
        line = {
            place: name,
            "width": image.width,
            "height": image.height,
            **of_image,
            "image_version": None if version is None else attrs.asdict(version),
            "latency": round(result.seconds, 6),
            "prediction": {"type": self._type.value, **prediction},
        }
        if answer.get("id") is not None:
            line["monitored_as"] = answer["id"]
        return orjson.dumps({name: value for name, value in line.items() if value is not None}) + b"\n"


def _may_be_ours(line: bytes) -> bool:
    """Whether a line without an end is the beginning of one of ours."""
    return any(line.startswith(start[: len(line)]) for start in _LINE_STARTS)


async def predict(
    images: Iterable[ImageFile | Data] | AsyncIterable[ImageFile | Data],
    deployment: AsyncDeployment,
    *,
    results: str | Path,
    fresh: bool = False,
    concurrency: int = 16,
    monitor: bool = False,
    tags: Tags = None,
) -> PredictReport:
    """Predict on the images that have no line in a file of results yet, and write theirs.

    The same call again, after a stop or a kill, goes on: images that have a line are passed over, by the path and content of their file
    or their name in the storage, and those that were refused are tried again. A line whose file holds another picture by now is removed, and that
    picture predicted on, which the log tells. An image that is given twice is predicted on once. The file is a manifest: `manifest(results)` reads it, and `picsellia-async monitor --manifest`
    sends it.

    Args:
        images: Images of a source that are files, sync or async: `directory(...)`; or data of the target datalake (`datalake.iter_data()`).
            A line of data whose size the platform does not know yet has none, and a manifest needs it.
        deployment: Has a serving host.
        results: File of JSON lines; made where it is not there. For one run at a time: another one is refused.
        fresh: Whether to empty the file, once the first image was read.
        concurrency: Requests in flight at most.
        monitor: Whether the service stores the predictions as well. Then a line has the id (`monitored_as`), and a manifest of such
            lines is refused, since they would be stored twice. What was under way at a kill is predicted, and stored, again.
        tags: Of the data that is created, with `monitor`.

    Returns:
        The account; what ended it early, if something did, is its `error`.

    Raises:
        ConfigurationError: An argument cannot be used, the file is none of results, or the extra `jobs` is not installed.
        JournalError: Another run writes to the file.
    """
    run = Prediction(
        images, deployment, results=results, fresh=fresh, concurrency=concurrency, monitor=monitor, tags=tags
    )
    error: PicselliaError | None = None
    async with contextlib.aclosing(run.results()) as passing:
        try:
            async for _ in passing:
                pass
        except ConfigurationError:
            raise
        except PicselliaError as raised:
            if not run.is_open:
                raise
            error = raised
    return run.report(error)
