"""Bodies with an image in them: JSON metadata first, the base64 of the image spliced in as bytes.

No `str` of the image ever exists. Small bodies are built in one pass and one join. Those of larger images are `ChunkedBody`:
slices of base64 made while the socket takes them, so that a 25 MB image costs one slice of memory and never holds the
event loop for longer than one slice takes to encode (about 60 us). Nothing large lives on while the answer is awaited, so that
the next frame uses the same memory again: many bodies freed together go back to the kernel, which hands out fresh pages for each.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from typing import Any, Final, TypeAlias

import attrs
import pybase64

from picsellia_async.config import IMAGE_BYTES_MAX
from picsellia_async.errors import ConfigurationError
from picsellia_async.validation import buffer

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

    content_length: int = attrs.field(init=False)
    """Size of the whole body in bytes."""

    @content_length.default
    def _content_length(self) -> int:
        padded = (self.image.nbytes + 2) // 3 * 4  # of base64
        return len(self.head) + padded + len(self.tail)

    def slices(self) -> Iterable[bytes]:
        """Return the body in order, about 256 KiB at a time: at once where it is one slice, else as it is asked for."""
        if self.image.nbytes <= SLICE_BYTES:
            return self.head, pybase64.b64encode(self.image), self.tail
        return self

    def __iter__(self) -> Iterator[bytes]:
        """Yield the body in order, about 256 KiB at a time."""
        yield self.head
        image = self.image
        for start in range(0, image.nbytes, SLICE_BYTES):
            yield pybase64.b64encode(image[start : start + SLICE_BYTES])
        yield self.tail


Body: TypeAlias = bytes | ChunkedBody
"""What the transport sends."""


def image_view(image: Any, name: str = "raw_image") -> memoryview:
    """Return a flat view of the bytes of an encoded image, without copying them.

    Raises:
        ConfigurationError: No bytes-like object, empty, not contiguous, or above `IMAGE_BYTES_MAX`.
    """
    view = memoryview(image if type(image) is bytes else buffer(image, name))
    if not view.contiguous:
        raise ConfigurationError(f"{name} must be contiguous in memory")
    view = view.cast("B") if view.format != "B" or view.ndim != 1 else view
    if not 0 < view.nbytes <= IMAGE_BYTES_MAX:
        raise ConfigurationError(f"{name} must have 1 to {IMAGE_BYTES_MAX} bytes, got {view.nbytes}")
    return view


def splice(metadata: bytes, key: bytes, image: memoryview) -> Body:
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


def multipart_body(
    form: Iterable[tuple[str, str]], file_field: str, filename: str, content: memoryview, boundary: str | None = None
) -> tuple[bytes, str]:
    """Return a multipart/form-data body and its Content-Type.

    httpx's encoder adds a Content-Type to file parts, which the vendor's requests do not have (docs/wire.md#predict-form).

    Args:
        form: Text parts in order.
        file_field: Name of the file part, which comes last.
        filename: File name, as UTF-8.
        content: The file.
        boundary: Text between the parts; random by default.
    """
    boundary = boundary or secrets.token_hex(16)
    opening = f"--{boundary}\r\n"
    head = "".join(
        f'{opening}Content-Disposition: form-data; name="{_quoted(name)}"\r\n\r\n{value}\r\n' for name, value in form
    )
    head += f'{opening}Content-Disposition: form-data; name="{file_field}"; filename="{_quoted(filename)}"\r\n\r\n'
    body = b"".join((head.encode(), content, f"\r\n--{boundary}--\r\n".encode()))
    return body, f"multipart/form-data; boundary={boundary}"


def _quoted(value: str) -> str:
    """Escape what would end the quoted text, as browsers do (HTML, "multipart/form-data encoding algorithm")."""
    return value.replace("\r", "%0D").replace("\n", "%0A").replace('"', "%22")
