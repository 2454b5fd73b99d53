"""`ImageLookup`: which file of a folder another tool means by a name, a number or a label file. Blocking: for threads."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Final

from picsellia_async.sources._errors import Problems, SourceError
from picsellia_async.sources._folder import OTHER_PICTURES, walk
from picsellia_async.sources._image_index import IMAGES, WAY_OF_IDS, ImageIndex
from picsellia_async.sources._layout import Layout, Spread, are_without_folders, is_uncounted
from picsellia_async.sources._tool_paths import (
    fitting,
    folded,
    folders_of,
    is_absolute,
    is_path,
    label_parts,
    label_places,
    lying_in,
    path_parts,
    rooted_parts,
    shared_tail,
    spellings,
    tails,
)

_NAMED_MAX: Final = 3
"""Files that a message about several names."""
_CONVERT: Final = "only JPEG and PNG are taken: convert it"


class ImageLookup:
    """The images of one folder. It is listed when a plain look does not find a file, once."""

    def __init__(self, folder: Path, problems: Problems, *, outside: bool = False, is_own: bool = False) -> None:
        """Store the folder.

        Args:
            folder: Where the images are.
            problems: Gets the directories that cannot be listed.
            outside: Whether names may lead out of the folder.
            is_own: Whether names are the caller's, so that one that leads out of the folder is meant so; other tools write from
                where they ran, and there is often no such file.
        """
        self._folder = folder
        self._problems = problems
        self._outside = outside
        self._is_own = is_own
        self._listed: ImageIndex | None = None
        self._meant: dict[str, str] = {}
        """By file, the name that led to it by its tail alone."""
        self._expected: Sequence[str] = ()
        self._expected_ids: Sequence[int | str] = ()
        self._layout: Layout | None = None
        """Of the names, or of the labels."""
        self._spread: Spread | None = None
        self._of_ids: tuple[Layout, Spread] | None = None
        self._starts: dict[str, int] = {}
        """By name, how many of its leading folders are missing here, where the layout was looked for: what lies there is found once."""
        self._inside: dict[Path, bool] = {}
        """Whether a directory really lies in the folder, of those in which files were found."""
        self._directories: dict[Path, bool] = {}
        """Whether there is such a directory, of those that were looked for."""

    def all(self) -> Iterator[Path]:
        """Yield every image."""
        yield from walk(self._folder, IMAGES, self._problems)

    def filename(self, path: Path) -> str:
        """Return the name on the platform: the path below the folder, or the last name where it is outside."""
        below = path.relative_to(self._folder) if path.is_relative_to(self._folder) else path
        return path.name if below.is_absolute() or ".." in below.parts else below.as_posix()

    def expect(self, names: Sequence[str], ids: Sequence[int | str] = ()) -> None:
        """Tell all names of the file, and its ids without a name, before the first is looked for.

        Where one lies tells where the others are not to be sought.
        """
        self._expected, self._expected_ids = names, ids

    def expect_labels(self, labels: Iterable[PurePosixPath]) -> None:
        """Tell all label files before the first image is looked for, as `expect` does."""
        self._spread = spread = Spread()
        paths: list[tuple[Sequence[str], Sequence[str] | None]] = []
        labels = list(labels)
        is_bare_open = are_without_folders(
            (found, any(lying_in(place, found) for place in label_places(one)))
            for one in labels
            if len(label_parts(one)) == 1 and is_uncounted(one.name)
            for found in (self._index().of_label(one)[0],)
        )
        for label in labels:
            parts, places = label_parts(label), label_places(label)
            found, others = self._index().near_label(label)
            fit = fitting(parts[:-1], found)
            here = next((one for place in places for one in lying_in(place, found)), None)
            tail = (
                _longest_tails(parts[:-1], found) if len(parts) > 1 else []
            )  # a label alone says no folder that may be missing
            is_exact = here is not None or any(lying_in(place, others) for place in places)
            if is_exact and not (is_bare_open and len(parts) == 1 and is_uncounted(label.name)):
                paths.append((parts, ()))
            paths += [(parts, parts[: len(parts) - 1 - len(folders_of(one))]) for one in tail]
            if here is None and not tail and _is_whole_in(parts[:-1], fit):
                paths.append((parts, None))
            spread.add(parts[:-1], fit, here or next(iter(tail), None), is_exact=here is not None)
        self._layout = Layout.of(paths)

    def named(self, name: str) -> Path:
        """Return the file that a path of another tool means: as it stands, or by its longest tail below the folder.

        Leading folders of the path may be missing here, and folders here may be missing in the path, but not both:
        `cam2/1.jpg` never means `cam1/1.jpg`. A relative path of the caller's own means that very path, in whatever case.

        Raises:
            SourceError: There is none, several fit, it leads out of the folder, or another name led to the same file.
        """
        ways = spellings(name)
        refused = ""
        for spelling in ways:
            found, refusal = self._straight(spelling)
            if found is not None:
                self._refuse_linked(name, found)
                return found
            refused = refused or refusal
        if refused:
            raise SourceError(refused)
        is_whole = self._is_own and not (name.startswith(("/", "\\")) or "://" in name or is_absolute(ways[-1]))
        for spelling in ways:
            tail = self._by_tail(spelling, is_whole=is_whole)
            if tail is not None:
                other = self._meant.setdefault(tail, name)
                if other != name:
                    raise SourceError(f"{name!r} and {other!r} both lead to {tail!r}, and one of them must be wrong")
                self._refuse_linked(name, self._folder / tail)
                return self._folder / tail
        parts = path_parts(ways[-1])
        same = self._index().of_name(parts[-1]) if parts else []
        near = [] if same or not parts else self._index().near_name(parts)
        raise SourceError(self._no_image(name, same) + (self._named_outside(ways) or _named_otherwise(near)))

    def _named_outside(self, ways: Sequence[str]) -> str:
        """Say that a whole path leads to a file out of the folder, which is not taken unasked."""
        there = next((one for one in ways if is_absolute(one) and not self._outside and _is_file(Path(one))), None)
        return "" if there is None else f"; the file {there!r} is out of that folder: outside=True allows that"

    def numbered(self, image_id: int | str) -> Path:
        """Return the file that an image id means: a text is a name with or without extension, a number is one in the name.

        Raises:
            SourceError: There is none, or several fit.
        """
        if isinstance(image_id, str) and is_path(image_id):
            return self.named(image_id)
        found = self._index().of_id(image_id)
        if not found:
            near = _named_otherwise(self._index().near_name([str(image_id)]))
            raise SourceError(f"no image of that name or number in {str(self._folder)!r}{near}; {WAY_OF_IDS}")
        if len(found) == 1:
            self._refuse_nearer([PurePosixPath(found[0]).name], found)
        path = self._only(found, f"image id {image_id!r}", WAY_OF_IDS)
        layout, spread = self._layout_of_ids()
        if self._are_others([path.name], found, layout, spread):
            raise SourceError(
                f"{found[0]!r} is in another folder than the images of other ids, and may be another picture; {WAY_OF_IDS}"
            )
        self._note_doubt(str(image_id), [path.name], found[0], layout, spread)
        return path

    def check_numbers(self, ids: Iterable[int | str]) -> tuple[int, str] | None:
        """Check that image ids can be the numbers in file names: `ImageIndex.check_numbers`."""
        return self._index().check_numbers(ids)

    def check_counted(self, stems: Iterable[str]) -> None:
        """Check that label files are counted as the images are: `ImageIndex.check_counted`."""
        self._index().check_counted(stems)

    def labelled(self, label: PurePosixPath) -> Path:
        """Return the image of a label file, given by its path below the labels' folder without extension.

        As with paths, the image may lie in fewer folders than its label or in more, but not in another one.

        Raises:
            SourceError: There is none, or several fit.
        """
        found, others = self._index().near_label(label)
        name, named = label.as_posix(), label_parts(label)
        for place in label_places(label):
            here = lying_in(place, found)
            if here:
                return self._only(here, f"label file {name!r}")
            self._refuse_other(label, lying_in(place, others))
        layout, spread = self._layout or Layout(), self._spread or Spread()
        fit = [] if layout.is_exact(named) else fitting(named[:-1], [*found, *others])
        fit = [one for one in fit if layout.allows([*named[:-1], posixpath.basename(one)], one)]
        if not fit or (len(fit) == 1 and spread.is_of_another_set(named[:-1], fit[0])):
            raise SourceError(self._no_image(name, self._index().of_label(label)[0] or fit, is_label=True))
        self._refuse_other(label, [one for one in fit if one in others])
        path = self._only(fit, f"label file {name!r}")
        self._note_doubt(name, [*named[:-1], path.name], fit[0], layout, spread)
        return path

    @staticmethod
    def _refuse_other(label: PurePosixPath, others: list[str]) -> None:
        """Refuse to take a picture of the same name elsewhere for one that cannot be used.

        Raises:
            SourceError: There is one.
        """
        if others:
            raise SourceError(f"the image of label file {label.as_posix()!r} is {others[0]!r}, and {_CONVERT}")

    def has(self, label: PurePosixPath) -> bool:
        """Return whether there is an image of that name, with its extension or without."""
        return any(folded(label.name) in one for one in (self._index().by_name, self._index().by_stem))

    def _refuse_linked(self, name: str, found: Path) -> None:
        """Refuse a file whose directory is a link that leads out of the folder; a link to a file is that file.

        Raises:
            SourceError: So it is.
        """
        if self._outside:
            return
        place = found.parent
        if place not in self._inside:
            self._inside[place] = place.resolve().is_relative_to(self._folder.resolve())
        if not self._inside[place]:
            raise SourceError(
                f"{name!r} leads out of {str(self._folder)!r} by a link to a directory: outside=True allows that"
            )

    def _straight(self, name: str) -> tuple[Path | None, str]:
        """Return the file at that very path, and why a path out of the folder is refused."""
        path = self._folder / name  # the name alone, where it is absolute
        is_whole = is_absolute(name)
        if is_whole:
            path = Path(name)
            is_below = path.is_relative_to(self._folder) and ".." not in path.relative_to(self._folder).parts
        else:
            # Also a path that goes out of the folder and in again, as from an export beside it.
            is_below = Path(os.path.abspath(path)).is_relative_to(os.path.abspath(self._folder))  # noqa: PTH100 - keeps links
        found = path if (is_below or self._outside or not is_whole) and _is_file(path) else None
        if is_below and found is not None and ".." in path.parts:
            found = self._folder / os.path.relpath(path, self._folder)
        is_missing = found is None and (is_whole or not self._is_own)
        if is_below or self._outside or is_missing:
            return found, ""
        return None, f"{name!r} leads out of {str(self._folder)!r}: outside=True allows that"

    def _by_tail(self, name: str, *, is_whole: bool) -> str | None:
        """Return the path below the folder that a path's tail is; with `is_whole` no part of it may be missing."""
        parts = path_parts(name)
        if not parts:
            return None
        known = self._starts.get(name)
        all_tails = list(tails(parts))
        for start, tail in enumerate(all_tails[:1] if is_whole else all_tails):
            if _is_file(self._folder / tail) if known is None else start == known:
                self._refuse_elsewhere(name, [tail], is_tail=True)
                return tail
            if not is_whole and start < len(parts) - 1:
                self._refuse_other_kind(tail)
        found = self._index().of_name(parts[-1])
        self._refuse_nearer(parts, found)
        if is_whole:
            fit = [one for one in found if folded(one) == folded(all_tails[0])]
        else:
            fit = fitting(parts[:-1], self._index().of_path(parts))
        if not fit:
            return None
        is_tail = folded(fit[0]) in {folded(one) for one in all_tails}
        self._refuse_elsewhere(name, fit, is_tail=is_tail)
        return self._relative(fit, name)

    def _refuse_elsewhere(self, name: str, found: list[str], *, is_tail: bool) -> None:
        """Refuse files of a name in folders other than where the other names of the file tell its place: they are other pictures.

        Raises:
            SourceError: Each of them is one.
        """
        if self._layout is None:
            self._layout = self._layout_of_names()
        layout, parts = self._layout, rooted_parts(name)
        is_listed = not is_tail or self._listed is not None  # else all are found by the ends of their paths
        spread = self._spread_of_names() if is_listed else Spread()
        if self._are_others(parts, found, layout, spread):
            raise SourceError(self._no_image(name, found))
        if len(found) == 1:
            self._note_doubt(name, parts, found[0], layout, spread)

    @staticmethod
    def _are_others(parts: Sequence[str], found: Sequence[str], layout: Layout, spread: Spread) -> bool:
        """Return whether the others of the file tell that all files of a name are other pictures."""
        here = [one for one in found if layout.allows(parts, one)]
        return not here or (len(found) == 1 and spread.is_of_another_set(parts[:-1], found[0]))

    def _note_doubt(self, name: str, parts: Sequence[str], found: str, layout: Layout, spread: Spread) -> None:
        """Remember a file that nothing tells to be another picture, and that lies where no other of the file does."""
        if not layout.agrees(parts, found) or spread.may_be_of_another_set(
            [one for one in parts[:-1] if one != "/"], found
        ):
            self._problems.elsewhere.setdefault(name, found)

    def _layout_of_names(self) -> Layout:
        """Look where the names of the file lie; the first of a series that lies exactly at its place tells all of it."""
        paths: list[tuple[Sequence[str], Sequence[str] | None]] = []
        exact = Layout()
        is_bare_open = self._are_bare_names_open()
        for name in self._expected:
            ways = spellings(name)
            parts = path_parts(ways[-1])
            if not parts or exact.is_exact(parts) or (is_bare_open and len(parts) == 1 and is_uncounted(parts[0])):
                continue
            found = next((path for each in ways if (path := self._straight(each)[0]) is not None), None)
            if found is not None and found.is_relative_to(self._folder) and ".." not in found.parts:
                exact.add(parts, ())
                paths.append((parts, ()))
                continue
            base = next((one for each in ways if (one := self._base(each)) is not None), None)
            if base is not None or _is_whole_in(parts[:-1], self._index().of_path(parts)):
                paths.append((rooted_parts(ways[-1]) if base is None else parts, base))
        return Layout.of(paths)

    def _are_bare_names_open(self) -> bool:
        """Return whether the file's names without folders say nothing of where their files lie: `are_without_folders`."""
        bare = [parts[0] for name in self._expected if len(parts := path_parts(spellings(name)[-1])) == 1]
        exact = {one: _is_file(self._folder / one) for one in bare if is_uncounted(one)}
        if 2 * sum(exact.values()) >= len(exact):
            return False  # the folder need not be listed for it
        return are_without_folders((self._index().of_name(one), is_exact) for one, is_exact in exact.items())

    def _spread_of_names(self) -> Spread:
        """Return in which folders the names of the file are found."""
        if self._spread is None:
            self._spread = spread = Spread()
            for name in self._expected:
                ways = [parts for each in spellings(name) if (parts := path_parts(each))]
                parts = next((one for one in ways if self._index().of_name(one[-1])), [])
                found = self._index().of_path(parts) if parts else []
                there = {folded(one): one for one in found} | {
                    one: one for one in found
                }  # a.jpg is not A.jpg beside it
                place = next(
                    (there[tail] for one in tails(parts) for tail in (one, folded(one)) if tail in there), None
                )
                is_exact = place is not None and place.count("/") == len(parts) - 1
                spread.add(parts[:-1], fitting(parts[:-1], found), place, is_exact=is_exact)
        return self._spread

    def _layout_of_ids(self) -> tuple[Layout, Spread]:
        """Return where the images of the file's ids lie: an id is as good as a name without folders."""
        if self._of_ids is None:
            self._of_ids = layout, spread = Layout(), Spread()
            uncounted = (self._index().of_id(one) for one in self._expected_ids if is_uncounted(str(one)))
            is_open = are_without_folders((found, any("/" not in path for path in found)) for found in uncounted)
            for one in self._expected_ids:
                found = self._index().of_id(one)
                place = next((path for path in found if "/" not in path), None)
                spread.add([], found, place, is_exact=place is not None)
                if place is not None and not (is_open and is_uncounted(place)):
                    layout.add([place], ())
        return self._of_ids

    def _base(self, name: str) -> Sequence[str] | None:
        """Return the leading folders of a path without which there is such a file; None where there is none."""
        parts, rooted = path_parts(name), rooted_parts(name)
        all_tails = list(tails(parts))
        found = next((one for one in all_tails if _is_file(self._folder / one)), None)
        if found is not None:
            self._starts[name] = all_tails.index(found)
        elif parts:
            there = {folded(one) for one in self._index().of_path(parts)}
            found = next((one for one in all_tails if folded(one) in there), None)
        return None if found is None else rooted[: len(rooted) - found.count("/") - 1]

    def _refuse_other_kind(self, tail: str) -> None:
        """Refuse a shorter tail where the place of a longer one holds a picture of another kind, `a/1.webp` for `a/1.jpg`.

        Raises:
            SourceError: It does.
        """
        stem = posixpath.splitext(tail)[0]
        if not self._is_directory((self._folder / tail).parent):
            return
        kinds = (kind for one in sorted(OTHER_PICTURES) for kind in (one, one.upper()))
        other = next((f"{stem}{kind}" for kind in kinds if _is_file(self._folder / f"{stem}{kind}")), None)
        if other is not None:
            raise SourceError(
                f"{tail!r} may be {other!r}, and {_CONVERT}; a file of that name in another folder may be another picture"
            )

    def _is_directory(self, path: Path) -> bool:
        if path not in self._directories:
            try:
                self._directories[path] = path.is_dir()
            except (OSError, ValueError):  # a name that no directory can have
                self._directories[path] = False
        return self._directories[path]

    def _refuse_nearer(self, parts: Sequence[str], found: list[str]) -> None:
        """Refuse to look further where the very place of a name holds a picture of another kind, `1.webp` for `1.jpg`.

        Raises:
            SourceError: It does, and no file that was found lies there.
        """
        place = folded("/".join(parts[:-1]))
        others = self._index().others_by_stem.get(folded(PurePosixPath(parts[-1]).stem), [])
        here = next((one for one in others if folded(posixpath.dirname(one)) == place), None)
        if here is not None and found and not any(folded(posixpath.dirname(one)) == place for one in found):
            raise SourceError(
                f"{'/'.join(parts)!r} may be {here!r}, and {_CONVERT}; {min(found)!r} is in another folder, and may be another "
                "picture"
            )

    def _no_image(self, name: str, found: list[str], *, is_label: bool = False) -> str:
        """Say that there is none, which one of that name lies elsewhere, and what to do where that one is meant."""
        missing = f"no image {name!r} in {str(self._folder)!r}"
        if not found:
            return missing
        other = min(found)
        way = "move the label file to" if is_label else "the file must name it"
        meant = PurePosixPath(other).with_suffix(".txt").as_posix() if is_label else other
        return f"{missing}; {other!r} is in another folder, and may be another picture: if it is meant, {way} {meant!r}"

    def _only(self, found: list[str], what: str, way: str = "") -> Path:
        return self._folder / self._relative(found, what, way)

    @staticmethod
    def _relative(found: list[str], what: str, way: str = "") -> str:
        if len(found) > 1:
            names = ", ".join(map(repr, sorted(found)[:_NAMED_MAX]))
            more = ", ..." if len(found) > _NAMED_MAX else ""
            raise SourceError(
                f"{what} fits {len(found)} files: {names}{more}; {way or 'its folder before its name tells which is meant'}"
            )
        return found[0]

    def _index(self) -> ImageIndex:
        """Return what is in the folder, listed once."""
        if self._listed is None:
            self._listed = ImageIndex(self._folder, self._problems)
        return self._listed


def _is_whole_in(folders: Sequence[str], found: Iterable[str]) -> bool:
    """Return whether a file lies in all folders of a name, with others above them."""
    return bool(folders) and any(shared_tail(folders, folders_of(one)) == len(folders) for one in found)


def _named_otherwise(near: Sequence[str]) -> str:
    """Say which files nearly have the name: nobody can tell whether one is the picture that was meant."""
    if not near:
        return ""
    names = ", ".join(map(repr, near[:_NAMED_MAX]))
    return f"; there is {names}, which may be another picture: if it is meant, the file must name it so"


def _longest_tails(folders: Sequence[str], found: Iterable[str]) -> list[str]:
    """Return the files that lie in the last of a name's folders, as many of them as there are: `day/1` is no `1` beside `day`."""
    tails_ = [one for one in found if shared_tail(folders, folders_of(one)) == len(folders_of(one))]
    most = max((len(folders_of(one)) for one in tails_), default=0)
    return [one for one in tails_ if len(folders_of(one)) == most]


def _is_file(path: Path) -> bool:
    """Return whether a file is there; a link whose file is gone stands for it, and no other file does."""
    try:
        return path.is_file() or (path.is_symlink() and not path.exists())
    except (OSError, ValueError):  # a name that no file can have: too long, or with a zero byte
        return False
