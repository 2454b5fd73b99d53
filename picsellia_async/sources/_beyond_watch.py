"""How many images of a file have shapes that reach beyond them: one may be a slip, a good part tells of all. Pure."""

from __future__ import annotations

from typing import Final

import attrs

BEYOND_MIN: Final = 2
BEYOND_SHARE: Final = 0.1
"""So many images, and this share of those with shapes, whose shapes reach beyond tell that all of the file's are meant otherwise."""

OTHER_PIXELS: Final = (
    "they may be those of other images (another order of the images, another file of annotations), or in pixels of another size, as those of "
    "the network's input, and the shapes that fit would be at the wrong place too"
)
"""What it may be where nothing tells more. Scaling mends the second alone."""


@attrs.define
class BeyondWatch:
    """Counts the images of one file."""

    fewest: int = BEYOND_MIN
    """So many images at least."""
    seen: int = attrs.field(default=0, init=False)
    """Images with shapes."""
    beyond: int = attrs.field(default=0, init=False)
    """Those of them whose shapes reach beyond."""
    example: str = attrs.field(default="", init=False)
    """The first of these."""

    def see(self, example: str) -> None:
        """Take note of an image with shapes.

        Args:
            example: How one of them reaches beyond it; "" where none does.
        """
        self.seen += 1
        if example:
            self.beyond += 1
            self.example = self.example or example

    @property
    def is_whole(self) -> bool:
        """Whether it is the file, and no single images."""
        return self.beyond >= self.fewest and self.beyond >= self.seen * BEYOND_SHARE

    def told(self, what: str) -> str:
        """Return how many they are, with an example.

        Args:
            what: How they are called: "images", "lines".
        """
        return f"the shapes of {self.beyond} of {self.seen} {what} reach beyond their images ({self.example})"
