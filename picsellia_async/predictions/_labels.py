"""From the classes that a model gives, indexes of its own or names, to indexes of the deployment's label map."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias

import attrs

from picsellia_async.errors import ConfigurationError, ImplausibleError, shown
from picsellia_async.predictions._values import Number
from picsellia_async.validation import sequence, text, whole_number

Classes: TypeAlias = Iterable[Number | str] | None
"""One per shape: an index, or a name; None where `names` has a name per shape."""
Names: TypeAlias = Mapping[int, str] | Sequence[str]
"""Names of the model's own indexes, by index; or, without classes, one name per shape: those of the model are never meant then."""
LabelMap: TypeAlias = Mapping[str, int]
"""Index by name, as `await deployment.label_map()` returns it."""

NEAREST: Final = 3
"""Names that a message offers for one that is not known."""
_WAY: Final = "label_map=await deployment.label_map()"


def indexes(classes: Classes, names: Names | None, label_map: LabelMap | None) -> list[int]:
    """Return one index of the label map per shape.

    Raises:
        ConfigurationError: Names without a label map, an index that `names` lacks, or an unknown name; it names the nearest ones.
        ImplausibleError: An index that the label map lacks.
    """
    if names is not None and label_map is None:
        raise ConfigurationError(f"names= needs the label map that they are looked up in: {_WAY}")
    called = "classes"
    if classes is not None:
        given = sequence(classes, "classes")
        if names is not None:
            own = _own_names(names)
            given = [one if isinstance(one, str) else _own_name(one, i, own) for i, one in enumerate(given)]
    elif names is None or isinstance(names, Mapping):
        raise ConfigurationError("without classes, names must be a list with the name of each shape")
    else:
        called, given = "names", _list(names, "names")
    known = None if label_map is None else known_labels(label_map, given)
    return [_index(one, f"{called}[{i}]", known) for i, one in enumerate(given)]


@attrs.frozen(eq=False)
class KnownLabels:
    """A label map that was checked, and turned around: once, since it may have thousands of labels, and each prediction is made with it."""

    given: LabelMap
    """The mapping itself: as long as it is held, no other one has its id."""
    by_name: dict[str, int]
    """Its indexes by name, as they were when it was looked at."""
    by_index: dict[int, str]
    """The names. Of two names of one index, the last one."""

    def still_says(self, used: Iterable[Any]) -> bool:
        """Whether the mapping says of these names and indexes what it did; False also for what it did not know."""
        given, by_name, by_index = self.given, self.by_name, self.by_index
        for one in used:
            name = one if type(one) is str else by_index.get(one)
            if name is None or name not in by_name or given.get(name) != by_name[name]:
                return False
        return True


_KNOWN: Final[dict[int, KnownLabels]] = {}
_KNOWN_MAX: Final = 8
"""Label maps that are remembered; a program rarely has more than one for each of its deployments."""


def known_labels(label_map: LabelMap, used: Iterable[Any]) -> KnownLabels:
    """Return a label map, checked and turned around; the one remembered, where it still says the same of what is `used`.

    Raises:
        ConfigurationError: It is no mapping of name to index.
    """
    known = _KNOWN.get(id(label_map))
    if (
        known is not None
        and known.given is label_map
        and len(label_map) == len(known.by_name)
        and known.still_says(used)
    ):
        return known
    by_name = checked_label_map(label_map)
    known = KnownLabels(label_map, by_name, {index: name for name, index in by_name.items()})
    for old in list(_KNOWN)[: max(0, len(_KNOWN) - _KNOWN_MAX + 1)]:
        _KNOWN.pop(old, None)  # another thread may have
    _KNOWN[id(label_map)] = known
    return known


def index_of(name: str, where: str, label_map: LabelMap) -> int:
    """Return the index of a name.

    Raises:
        ConfigurationError: The label map lacks it; the message names the nearest ones.
    """
    if name in label_map:
        return label_map[name]
    nearest = ", ".join(map(repr, nearest_names(name, label_map)))
    raise ConfigurationError(
        f"{where}: the label map has no {name!r}; nearest: {nearest or 'none, it is empty'} ({len(label_map)} labels)"
    )


def nearest_names(name: str, known: Iterable[str]) -> list[str]:
    """Return up to `NEAREST` names that are spelled like one that is not known, whatever their case; the first ones where none is."""
    by_folded = {one.casefold(): one for one in known}
    near = difflib.get_close_matches(name.casefold(), by_folded, NEAREST, 0.5) or list(by_folded)[:NEAREST]
    return [by_folded[one] for one in near]


def _index(value: Any, where: str, known: KnownLabels | None) -> int:
    if isinstance(value, str):
        if known is None:
            raise ConfigurationError(f"{where} is the name {value!r}, which needs the label map: {_WAY}")
        return index_of(value, where, known.by_name)
    index = whole_number(value, where)
    if known is not None and index not in known.by_index:
        raise ImplausibleError(
            f"{where} is {index}, which is no index of the label map: it has {indexes_shown(known.by_name)}. Where these are the model's "
            "own numbers give names=, what the model calls them"
        )
    return index


def indexes_shown(label_map: LabelMap) -> str:
    """Return a label map's indexes for a message: `0 to 79`."""
    found = sorted(label_map.values())
    if not found:
        return "none"
    is_range = found == list(range(found[0], found[-1] + 1))
    return f"{found[0]} to {found[-1]}" if is_range and len(found) > 1 else shown(found)


def checked_label_map(label_map: Any) -> dict[str, int]:
    """Return a label map as a dict.

    Raises:
        ConfigurationError: It is no mapping of name to index; an `await` that was forgotten is told as one.
    """
    if not isinstance(label_map, Mapping):
        way = f": {_WAY}" if inspect.isawaitable(label_map) else ""
        raise ConfigurationError(f"label_map must be a mapping of name to index, got {shown(label_map)}{way}")
    if (
        label_map
        and all(isinstance(value, str) for value in label_map.values())
        and all(isinstance(_as_int(key), int) for key in label_map)
    ):
        raise ConfigurationError(
            f"label_map must be name to index, got index to name ({shown(dict(label_map))}): use {_WAY}"
        )
    return {
        text(name, "label_map name"): whole_number(index, f"label_map[{name!r}]", 0)
        for name, index in label_map.items()
    }


def _own_names(names: Any) -> Mapping[int, str]:
    if isinstance(names, Mapping):
        return {whole_number(_as_int(key), "names key"): text(name, f"names[{key!r}]") for key, name in names.items()}
    return {i: text(name, f"names[{i}]") for i, name in enumerate(_list(names, "names"))}


def _as_int(key: Any) -> Any:
    """Model files hold their names as JSON, whose keys are texts: {"0": "person"}."""
    return int(key) if isinstance(key, str) and key.isdecimal() else key


def _own_name(value: Any, place: int, own: Mapping[int, str]) -> str:
    index = whole_number(value, f"classes[{place}]")
    if index not in own:
        raise ConfigurationError(f"classes[{place}] is {index}, which names= lacks: it has {shown(sorted(own))}")
    return own[index]


def _list(values: Any, name: str) -> list[Any]:
    if isinstance(values, str):
        raise ConfigurationError(f"{name} must be a list of names, got the text {values!r}")
    return sequence(values, name)
