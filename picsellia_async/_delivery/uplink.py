"""What an uploader may send of the uplink: so many bytes a second, or nothing while it is paused or `allowed` says no.

Pure but for asking the user's function; the clock is passed in.

Theory of operation. A token bucket that may be overdrawn: an attempt may begin while the balance is not negative, and takes all its
bytes at once, so that a frame of any size gets through, and the next one waits until that is paid for. What is not used is kept for
a second at most. Over any time the bytes of attempts begun are at most those of the rate, of that second, and of one frame.
"""

from __future__ import annotations

import math
from typing import Final

import attrs

from picsellia_async._delivery.permission import Permission
from picsellia_async._delivery.receipt import Item

_SAVED_SECONDS: Final = 1.0
"""How much of the rate may be saved up."""
_HEAD_BYTES: Final = 512
"""Of a request, about: method, path, JWT and the other header lines."""


@attrs.define(eq=False)
class Uplink:
    """Asked before each attempt, while `is_bound`."""

    bytes_per_second: float | None = None
    """None: as fast as it goes."""
    permission: Permission | None = None
    """None: sending is always allowed."""
    is_paused: bool = attrs.field(default=False, init=False)
    """Whether nothing may be sent."""
    is_bound: bool = attrs.field(init=False)
    """Whether there is anything to ask; a plain attribute, read before every attempt."""
    _balance: float = attrs.field(default=0.0, init=False)
    _at: float = attrs.field(default=-math.inf, init=False)

    def __attrs_post_init__(self) -> None:
        """Settle whether there is a bound."""
        self.pause(is_paused=False)

    def pause(self, *, is_paused: bool) -> None:
        """Begin or end a pause."""
        self.is_paused = is_paused
        self.is_bound = is_paused or self.bytes_per_second is not None or self.permission is not None

    @property
    def is_allowed(self) -> bool:
        """Whether sending was allowed when somebody asked last."""
        return self.permission is None or self.permission.is_given

    @property
    def is_closed(self) -> bool:
        """Whether nothing may be sent, for nobody knows how long."""
        return self.is_paused or not self.is_allowed

    def wait(self, now: float) -> float:
        """Return the seconds until an attempt may begin: 0.0 now, infinity not before the pause ends."""
        if self.is_paused:
            return math.inf
        if self.permission is not None and (wait := self.permission.wait(now)):
            return wait
        rate = self.bytes_per_second
        if rate is None:
            return 0.0
        # Nothing is saved up before the first attempt.
        earned = 0.0 if self._at == -math.inf else (now - self._at) * rate
        self._balance = min(self._balance + earned, _SAVED_SECONDS * rate)
        self._at = now
        # Less than a byte is the rounding of floats: a wait too short for the clock to show would be asked for again and again.
        return -self._balance / rate if self._balance <= -1.0 else 0.0

    def take(self, item: Item) -> None:
        """An attempt begins."""
        self._balance -= _wire_bytes(item)

    def give_back(self, item: Item) -> None:
        """It was not made after all."""
        self._balance += _wire_bytes(item)


def _wire_bytes(item: Item) -> float:
    """Return what an attempt sends: the image in base64, the request, and the head."""
    image = item.frame.image
    size = len(image) if isinstance(image, bytes) else item.file_bytes
    return size * 4 / 3 + len(item.request) + _HEAD_BYTES
