"""What lines of the log call a camera or a video of the web: those of one recorder differ in the query of their addresses, which is shown nowhere."""

from __future__ import annotations

import itertools
import weakref
from typing import Final

import attrs

from picsellia_async._error_text import shown_name

_NUMBERS: Final = itertools.count(1)
_CAMERAS: Final[weakref.WeakValueDictionary[int, CameraName]] = weakref.WeakValueDictionary()
"""The names of all of the process that may still tell something, by their numbers."""


@attrs.define(eq=False)
class CameraName:
    """The name of one camera, or video of the web, and how it is told from others."""

    address: str
    """Redacted."""
    given: str | None = None
    """By the user: to the camera, or to the pipeline, which calls its frames so too."""
    _number: int = attrs.field(default=0, init=False)
    """In the process, in the order in which they were made; 0 where it tells nothing yet."""
    _is_one_of_several: bool = attrs.field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        """Hide what looks like a credential in the name: one may give the address for it."""
        self.given = shown_name(self.given) if self.given else None

    def call(self, given: str) -> None:
        """Take another name, before anything is told.

        Args:
            given: By the user.
        """
        self.given = shown_name(given)

    def begin(self) -> None:
        """Be told from all others from now on."""
        self._number = next(_NUMBERS)
        _CAMERAS[self._number] = self

    def end(self) -> None:
        """Let others have the name to themselves: this camera was closed."""
        _CAMERAS.pop(self._number, None)

    @property
    def label(self) -> str:
        """The name that was given, or the address; with the number behind it where another camera has, or had, the same."""
        text = self.text
        names = [one for reference in _CAMERAS.valuerefs() if (one := reference()) is not None and one.text == text]
        if self in names and len(names) > 1:
            for one in names:
                one._is_one_of_several = True  # noqa: SLF001 - from now on, also when the others are closed
        return f"{text} ({self._number})" if self._is_one_of_several else text

    @property
    def text(self) -> str:
        """The same without a number."""
        return self.given or self.address

    @property
    def in_words(self) -> str:
        """What a line begins with."""
        text, label = self.text, self.label
        where = f" at {self.address!r}" if self.given else ""
        return f"camera {text!r}{label.removeprefix(text)}{where}"

    @property
    def fields(self) -> dict[str, object]:
        """Attributes of the record."""
        label = self.label
        return {"camera": label} if label == self.address else {"camera": label, "address": self.address}


def name_of(camera: CameraName | str) -> CameraName:
    """Return the name of a camera of which nothing but the address is known, or the name itself."""
    return camera if isinstance(camera, CameraName) else CameraName(camera)
