"""Bodies with an image in them: JSON metadata first, the base64 of the image spliced in as bytes.

No `str` of the image ever exists. Small bodies are built in one pass and one join. Those of larger images are `ChunkedBody`:
slices of base64 made while the socket takes them, so that a 25 MB image costs one slice of memory and never holds the
event loop for longer than one slice takes to encode (about 60 us). Nothing large lives on while the answer is awaited, so that
the next frame uses the same memory again: many bodies freed together go back to the kernel, which hands out fresh pages for each.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import attrs
import pybase64

SLICE_BYTES: Final = 3 * 2**16
"""Image bytes encoded at a time, 192 KiB (256 KiB of base64); a multiple of 3, so that no slice but the last is padded."""

CHUNKED_FROM_BYTES: Final = 2**15
"""Images above this size travel as `ChunkedBody`: encoded when they are written, nothing of it is left while the answer is awaited.
docs/performance.md has the measurement."""


@attrs.frozen
class ChunkedBody:
    """A body of known length, made anew slice by slice on each pass; the image must not change meanwhile."""

    head: bytes = attrs.field(repr=False)
    """JSON up to and including the quote that opens the image."""
    image: memoryview = attrs.field(repr=False)
    """The raw image."""
    tail: bytes = attrs.field(repr=False)
    """JSON after the image."""

    @property
    def content_length(self) -> int:
        """Size of the whole body in bytes."""
        return len(self.head) + base64_size(self.image.nbytes) + len(self.tail)

    def __iter__(self) -> Iterator[bytes]:
        """Yield the body in order, about 256 KiB at a time."""
        yield self.head
        image = self.image
        for start in range(0, image.nbytes, SLICE_BYTES):
            yield pybase64.b64encode(image[start : start + SLICE_BYTES])
        yield self.tail


def base64_size(size: int) -> int:
    """Return how many bytes the padded base64 of `size` bytes takes."""
    return (size + 2) // 3 * 4


def splice(metadata: bytes, key: bytes, image: memoryview) -> bytes | ChunkedBody:
    """Put an image behind the last field of a JSON object.

    Args:
        metadata: A JSON object with at least one field, as bytes.
        key: Name of the field that takes the base64 of the image.
        image: Raw bytes of the image, contiguous, of format B.

    Returns:
        The whole body where the image is small, else the body in slices.
    """
    head = b'%b,"%b":"' % (metadata[:-1], key)
    if image.nbytes <= CHUNKED_FROM_BYTES:
        return b"".join((head, pybase64.b64encode(image), b'"}'))
    return ChunkedBody(head, image, b'"}')
