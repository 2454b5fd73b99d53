"""An example of the reference: its text, what it needs, what it leaves, and which of its words are slips."""

from __future__ import annotations

import attrs


@attrs.frozen
class Slip:
    """A slip of the reference: what it says, what it means, and why."""

    said: str
    meant: str
    why: str


@attrs.frozen
class Example:
    """One documented example.

    Args:
        method: The method that it stands under.
        text: The reference's text.
        slips: What is read otherwise than it stands.
        given: Run before, in the same names.
        then: Run after, in the same names.
    """

    method: str
    text: str
    slips: tuple[Slip, ...] = ()
    given: str = ""
    then: str = ""
