"""`PredictedVideos`: what became of the videos that lines of results are about: replaced, moved, or as they were. Blocking: for threads."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import cached_property
from pathlib import Path

from picsellia_async._video_version import VideoVersion


class PredictedVideos:
    """The videos of a run, and what became of those that lines are about."""

    def __init__(self, files: Collection[Path], place: Callable[[Path], str], folder: str) -> None:
        """Store what tells them.

        Args:
            files: The videos.
            place: Returns the path that lines have for a file.
            folder: Where these paths begin.
        """
        self._files = files
        self._place = place
        self._folder = folder
        self._elsewhere: dict[str, str | None] = {}
        """Digests of what lies at the other paths of lines."""
        self.outdated: set[int] = set()
        """Lines of videos that are no more where they were, and another is."""
        self.changed: set[str] = set()
        """The paths of those."""
        self.moved: dict[int, str] = {}
        """Where the video of a line lies by now, of those that are under another path."""

    @cached_property
    def _digests(self) -> dict[str, str]:
        """Of the videos, by the path that lines have. Read for the first line that is about a video: most results have none."""
        found = {self._place(path): VideoVersion.of(path) for path in self._files}
        return {path: video.digest for path, video in found.items() if video is not None}

    @cached_property
    def _paths(self) -> dict[str, str]:
        """The first path of each digest."""
        return {digest: path for path, digest in reversed(self._digests.items())}

    def keep(self, number: int, video: VideoVersion) -> bool:
        """Return whether a line still is about its video; remember it where it is not, or where the video was moved."""
        path = self._paths.get(video.digest)
        is_given = video.path in self._digests
        if path is None:
            if is_given:
                self.outdated.add(number)
                self.changed.add(video.path)
            return not is_given
        if (self._digests[video.path] if is_given else self._at(video.path)) != video.digest:
            # The next video under the new path is to be known as another one.
            self.moved[number] = path
        return True

    def _at(self, path: str) -> str | None:
        if path not in self._elsewhere:
            video = VideoVersion.of(Path(self._folder, path))
            self._elsewhere[path] = None if video is None else video.digest
        return self._elsewhere[path]
