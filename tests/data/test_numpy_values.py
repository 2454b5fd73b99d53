"""Arrays of every kind that numpy has, for every argument, and its scalars for every option: right as Python's own, or refused in words."""

from __future__ import annotations

import datetime
import inspect
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, Final

import attrs
import numpy as np
import pytest

from picsellia_async import ConfigurationError, Frame, Timeouts
from picsellia_async._delivery.options import Options

from .test_odd_values import CALLS, arguments_of

ARRAYS: Final = {
    "text": np.array(["0", "1"]),
    "bytes": np.array([b"0", b"1"]),
    "None": np.array([None, None]),
    "objects": np.array([object(), {}], object),
    "decimals": np.array([Decimal(1), Decimal(2)]),
    "dates": np.array([datetime.date(2026, 1, 1)] * 2),
    "records": np.zeros(2, [("x", "f4"), ("y", "f4")]),
    "void": np.zeros(2, "V8"),
    "complex": np.ones(2, complex),
    "times": np.zeros(2, "M8[s]"),
    "durations": np.zeros(2, "m8[s]"),
    "largest": np.full(2, 1e308),
    "long double": np.full(2, np.longdouble(1) * 2) ** 5000,
    "large integers": np.array([10**400, 10**400], object),
    "largest integers": np.full(2, 2**64 - 1, np.uint64),
    "half": np.full(2, 6e4, np.float16),
    "infinite": np.full(2, np.inf),
    "not a number": np.full(2, np.nan),
    "true": np.ones(2, bool),
}
"""By what they hold."""
FORMS: Final = ((1,), (4,), (1, 4), (2, 2), (1, 2, 2), (1, 3, 2), (1, 3, 3), (6,))


def forms(array: np.ndarray) -> Iterator[Any]:
    """Return its first value in arrays, lists and lists of arrays of the forms that shapes have."""
    for form in FORMS:
        found = np.resize(array[:1], form)
        yield from (found, [found], found.tolist())


@pytest.mark.parametrize("kind", ARRAYS)
@pytest.mark.parametrize("name", CALLS)
def test_no_kind_of_array_ends_in_an_error_of_python(name: str, kind: str) -> None:
    """Whatever it holds: taken, or refused by an error of ours."""
    call, right = CALLS[name]
    taken = inspect.signature(call).parameters
    right = {key: value for key, value in right.items() if key in taken or "options" in taken}
    wrong = []
    for argument in arguments_of(call):
        for value in forms(ARRAYS[kind]):
            try:
                call(**right | {argument: value})
            except ConfigurationError:
                pass
            except Exception as error:  # noqa: BLE001 - which is what no call may raise
                wrong.append(f"{argument}={value!a:.60}: {error!r:.120}")
    assert not wrong, "\n".join(wrong)


def scalars(value: Any) -> list[Any]:
    """Return numpy's scalars of Python's bool or number, as an array without a dimension too."""
    found = np.asarray(value)
    small = found.astype({"b": "?", "i": "i2", "f": "f8"}[found.dtype.kind]) if abs(value) < 2**15 else found
    return [found[()], found, small[()]]


def is_plain(value: Any) -> bool:
    """Whether this is a bool or number of Python's."""
    return type(value) in {bool, int, float}


@pytest.mark.parametrize("kind", [Timeouts])
def test_options_take_scalars_of_numpy(kind: type) -> None:
    """Each, and they become Python's: numbers that a program has computed."""
    tried = 0
    for field in attrs.fields(kind):
        default = field.default
        if default is None:
            default = 3 if "int" in str(field.type) else 2.5 if "float" in str(field.type) else None
        if not is_plain(default) or "Callable" in str(field.type):
            continue
        for value in scalars(default):
            found = getattr(kind(**{field.name: value}), field.name)
            assert is_plain(found)
            assert (found, type(found)) == (default, type(default))
            tried += 1
    assert tried >= 3


FLAGS: Final = {
    (name, argument): (call, right)
    for name, (call, right) in CALLS.items()
    for argument, parameter in inspect.signature(call).parameters.items()
    if type(parameter.default) in {bool, int, float}
}
"""Each argument of a call that is True or False, or a number, by default."""


@pytest.mark.parametrize(("name", "argument"), FLAGS, ids=" ".join)
def test_arguments_take_scalars_of_numpy(name: str, argument: str) -> None:
    """As Python's: the result is the same."""
    call, right = FLAGS[name, argument]
    right = {key: value for key, value in right.items() if key in inspect.signature(call).parameters}
    default = inspect.signature(call).parameters[argument].default
    for value in scalars(default):
        call(**right | {argument: value})


def test_a_frame_is_sampled_by_a_comparison_of_numpy() -> None:
    """`sample=scores.max() < 0.5` is true or false."""
    call: Callable[..., Frame] = CALLS["Frame"][0]
    for value in (np.True_, np.False_, np.array(True)):
        found = call(**CALLS["Frame"][1], sample=value)
        assert found.sample is bool(value)
    with pytest.raises(ConfigurationError, match="sample must be True or False"):
        call(**CALLS["Frame"][1], sample=np.array([True, False]))
    rungs = [(np.int64(85), np.int32(1920)), np.array([60, 1280]).tolist()]
    assert Options(degrade=rungs).degrade == ((85, 1920), (60, 1280))
    with pytest.raises(ConfigurationError, match="max_pending_bytes must be a whole number"):
        Options(max_pending_bytes=1.5)
