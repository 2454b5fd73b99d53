"""Whether a refusal (401, 402, 403, 404) is about one frame or about the account. Pure; the clock is passed in.

The answer alone does not say. A firewall that dislikes an image answers 403, and so does a service whose permission was taken
away. What tells them apart is what happens to other frames:

* Frames that are delivered between two refusals of a frame show that the refusal is that frame's own.
* Three different frames refused, and none delivered between them, mean the account. So does a 401: it comes after a new sign-in.
* A frame that is refused three times with nothing to compare it with counts as the account, too, unless it can be given up.

A delivery ends the refusal of the account, and so do three answers in a row that are about frames themselves (a box that is wrong):
they come from behind the door. Until it is final other frames are tried, one at a time.
"""

from __future__ import annotations

from typing import Final

import attrs

from picsellia_async._delivery.frame_state import Verdict
from picsellia_async.errors import AuthenticationError, ClosedError, StatusError

FRAMES: Final = 3
"""Different frames, or refusals of the only one, that mean the account; and frames that were judged, which mean that it is accepted."""

TRUST_SECONDS: Final = 60.0
"""How long an account that worked before is believed to work again."""
DOUBT_SECONDS: Final = 2.0
"""How long other frames are tried before an account that never worked counts as refused for good, a 401 aside."""


@attrs.define(eq=False)
class AccountEvidence:
    """What is known about the account."""

    has_spool: bool = False
    """Whether frames are kept whatever happens."""
    refused_since: float | None = attrs.field(default=None, init=False)
    """When it began to be refused, on the loop's clock; None while it is not."""
    error: BaseException | None = attrs.field(default=None, init=False)
    """The refusal that decided."""
    latest: BaseException | None = attrs.field(default=None, init=False)
    """The last refusal: what other frames end in meanwhile, for faults of their own, is no reason of it."""
    is_sure: bool = attrs.field(default=False, init=False)
    """Whether a single refusal would do."""
    is_clean: bool = attrs.field(default=True, init=False)
    """Whether nothing speaks against it; a plain attribute, read after every attempt."""
    is_last: bool = attrs.field(default=False, init=False)
    """Whether a refusal was the last that was heard of the service: behind one it may fail or hang as well."""
    _judged: int = attrs.field(default=0, init=False)
    """Frames in a row that got an answer about themselves."""
    _refusals: dict[int, int] = attrs.field(factory=dict, init=False)
    """Refusals by the order of the frame, since the last delivery."""

    def is_heard(self, *, is_asked: bool) -> bool:
        """Return whether the account is refused, and the service says so still.

        Args:
            is_asked: Whether a frame is tried, or about to be, to see if it still is: an answer to one that was under way before does not tell.
        """
        return self.is_last and (self.refused_since is not None or is_asked)

    def delivered(self) -> None:
        """The service took a frame."""
        self._refusals.clear()
        self.refused_since = self.error = None
        self.is_sure = False
        self.is_clean = True
        self._judged = 0

    def learn(self, seq: int, error: BaseException, verdict: Verdict, now: float, *, has_worked: bool) -> None:
        """An attempt failed, and no other frame was delivered since it did so before.

        Args:
            seq: Order of the frame.
            error: What it ended in.
            verdict: What that means for the frame.
            now: Monotonic seconds.
            has_worked: Whether frames were delivered before.
        """
        if verdict is Verdict.REFUSED:
            is_kept = self.has_spool or not has_worked
            self.refused(seq, error, now, is_sure=isinstance(error, AuthenticationError), is_kept=is_kept)
        elif verdict is Verdict.HOLD:
            self.refused(seq, error, now, is_sure=True, is_kept=True)
        elif self.refused_since is not None and _is_judged(error, verdict):
            self._judged += 1
            if verdict is Verdict.DELIVERED or self._judged >= FRAMES:
                self.delivered()

    def refused(self, seq: int, error: BaseException, now: float, *, is_sure: bool, is_kept: bool) -> None:
        """The service refused a frame, and no other was delivered since it did so before.

        Args:
            seq: Order of the frame.
            error: The refusal.
            now: Monotonic seconds.
            is_sure: Whether this refusal alone means the account.
            is_kept: Whether the frame goes on waiting after `FRAMES` refusals.
        """
        self.is_clean = False
        self.is_last = True
        self.latest = error
        self._judged = 0
        self.is_sure = self.is_sure or is_sure
        self._refusals[seq] = self._refusals.get(seq, 0) + 1
        many = len(self._refusals) >= FRAMES or (is_kept and self._refusals[seq] >= FRAMES)
        if self.refused_since is None and (is_sure or many):
            self.refused_since = now
            self.error = error
        elif self.refused_since is not None and isinstance(error, ClosedError):
            self.error = error  # it decides more than the refusals before it: it is final
        if len(self._refusals) > FRAMES:
            del self._refusals[next(iter(self._refusals))]

    def is_final(self, now: float, *, has_worked: bool) -> bool:
        """Return whether waiting for the account helps nobody any more.

        Args:
            now: Monotonic seconds.
            has_worked: Whether frames were delivered before.
        """
        if self.refused_since is None:
            return False
        if isinstance(self.error, ClosedError):
            return True  # our own client's: it never opens again
        patience = TRUST_SECONDS if has_worked else 0.0 if self.is_sure else DOUBT_SECONDS
        return now - self.refused_since >= patience


def _is_judged(error: BaseException, verdict: Verdict) -> bool:
    """Return whether an answer is about the frame: 409, 413, 422 and the like. What a gateway says with a 5xx is not."""
    return verdict is Verdict.DELIVERED or (
        verdict is Verdict.REJECT and isinstance(error, StatusError) and 400 <= error.status < 500
    )
