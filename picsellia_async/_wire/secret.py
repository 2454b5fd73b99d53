"""Credentials as values whose `repr` hides them.

Whoever shows the local variables of a traceback (rich, error reporters, `traceback.StackSummary.extract(capture_locals=True)`) shows
their `repr`. So what is a token, or holds one, is of these types wherever a frame of ours keeps it in a variable. They are str and
bytes in all else: equality, hash, JSON, headers.
"""

from __future__ import annotations

from typing import Any, Final, SupportsIndex, overload

HIDDEN: Final = "<hidden>"
"""What is shown in place of a credential."""


class SecretStr(str):
    """Text that is a credential."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Hide it."""
        return HIDDEN

    def __getitem__(self, key: SupportsIndex | slice[Any, Any, Any]) -> SecretStr:
        """Return a part, which is as secret: rich cuts long values before it asks for their `repr`."""
        return SecretStr(super().__getitem__(key))


class SecretBytes(bytes):
    """Bytes that hold a credential: header lines, a body, a signed target."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Hide them."""
        return HIDDEN

    __str__ = __repr__

    @overload
    def __getitem__(self, key: SupportsIndex, /) -> int: ...
    @overload
    def __getitem__(self, key: slice[Any, Any, Any], /) -> SecretBytes: ...
    def __getitem__(self, key: SupportsIndex | slice[Any, Any, Any], /) -> int | SecretBytes:
        """Return a byte, or a part, which is as secret."""
        found = super().__getitem__(key)
        return found if isinstance(found, int) else SecretBytes(found)

    def __add__(self, other: Any, /) -> SecretBytes:
        """Return both together, which are as secret."""
        return SecretBytes(super().__add__(other))


def hide(value: Any) -> Any:
    """Return a text as a secret one; anything else as it is."""
    return SecretStr(value) if type(value) is str else value
