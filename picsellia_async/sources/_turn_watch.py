"""Whether the results of a file speak of pictures as viewers show them, after their EXIF turn, or of their stored pixels. Pure.

Theory of operation. A size that a file tells fits a picture that is turned by a quarter in one of the two ways only, and tells of all
pictures of the file; one that is mirrored or turned by a half fits in both, and its boxes would lie elsewhere unseen. Where nothing
tells, as in shares, that is said once: cv2 and viewers turn, PIL and torchvision do not.
"""

from __future__ import annotations

from typing import Final, get_args

import attrs

from picsellia_async.image_header import ImageHeader, OrientationRule
from picsellia_async.validation import choice

_TURNED_MIN: Final = 2
"""Pictures with a turn from which on sizes that fit the other way are no slip of one."""


def check_orientation_rule(value: OrientationRule | None) -> None:
    """Check what the caller says; None is nothing.

    Raises:
        ConfigurationError: It is neither "shown" nor "stored".
    """
    if value is not None:
        choice(value, "orientation", get_args(OrientationRule))


@attrs.define
class TurnWatch:
    """Follows the pictures of one file that have a turn."""

    _given: OrientationRule | None
    """What the caller says; None: nothing, and "shown" is taken."""
    _fits: int = attrs.field(default=0, init=False)
    """Pictures that the told size fits in this way only."""
    _fits_other: int = attrs.field(default=0, init=False)
    _fits_both: int = attrs.field(default=0, init=False)
    _example: str = attrs.field(default="", init=False)
    _is_told: bool = attrs.field(default=False, init=False)

    @property
    def orientation(self) -> OrientationRule:
        """What is taken."""
        return self._given or "shown"

    @property
    def is_sure(self) -> bool:
        """Whether a told size agrees."""
        return self._fits > 0

    def see(self, name: str, header: ImageHeader, told: tuple[int, int]) -> None:
        """Take note of a picture.

        Args:
            name: For messages.
            header: Of the picture.
            told: Width and height that the file tells.
        """
        if header.orientation == 1:
            return
        here, other = header.shown_size, header.stored_size
        if self.orientation == "stored":
            here, other = other, here
        if told == here == other:
            self._fits_both += 1
        elif told == here:
            self._fits += 1
        elif told == other:
            self._fits_other += 1
            self._example = (
                self._example or f"{name} has {here[0]} x {here[1]} pixels, and the file says {told[0]} x {told[1]}"
            )

    @property
    def verdict(self) -> str:
        """Why the file speaks of pictures the other way; "" where it need not."""
        if self._fits or not self._fits_other or self._fits_other + self._fits_both < _TURNED_MIN:
            return ""
        other = "stored" if self.orientation == "shown" else "shown"
        what = (
            "of stored pixels, before the EXIF turn"
            if other == "stored"
            else "of pictures as shown, after their EXIF turn"
        )
        return (
            f"its sizes are those {what}: {self._fits_other} pictures with a turn fit only so ({self._example}), and none only as "
            f"{self.orientation}. The others with a turn would be sent with their shapes at the wrong place: orientation={other!r} reads all so"
        )

    def doubt(self, name: str, header: ImageHeader, *, has_shapes: bool) -> str:
        """Return what is to be told of a picture: once, and where it has shapes, and nothing tells which way they are; else ""."""
        if not has_shapes or self._given is not None or self._fits or self._is_told or header.orientation == 1:
            return ""
        self._is_told = True
        return (
            f"{name} has an EXIF turn ({header.orientation}), and nothing tells whether its shapes are of the picture as shown, as cv2 "
            "reads it, or of its stored pixels, as PIL and torchvision do: they are taken as shown. orientation='stored' takes "
            "them so, orientation='shown' says that they are right"
        )
