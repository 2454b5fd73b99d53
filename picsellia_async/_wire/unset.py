"""`UNSET`: a field that was not given, as opposed to one that was given as None."""

from __future__ import annotations

import enum
from typing import Final, Literal, TypeAlias, TypeVar

T = TypeVar("T")


class UnsetType(enum.Enum):
    """Type of `UNSET`, its only member."""

    UNSET = "UNSET"

    def __bool__(self) -> bool:
        """Return False, so that `value or default` reads naturally."""
        return False

    def __repr__(self) -> str:
        """Return the bare name."""
        return "UNSET"


UNSET: Final = UnsetType.UNSET
"""The field is left out of the request: "do not change it", "use the default"."""

Unset: TypeAlias = Literal[UnsetType.UNSET]
"""For annotations: `float | None | Unset`."""


def given(value: T | None) -> T | Unset:
    """Return the value, or `UNSET` for None: documented signatures say None where they mean "not given"."""
    return UNSET if value is None else value


def or_none(value: T | Unset) -> T | None:
    """Return the value, or None where it was not given: the way back from `given`."""
    return None if value is UNSET else value
