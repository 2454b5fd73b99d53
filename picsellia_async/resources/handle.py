"""What all handles share: an account, a frozen description of what the platform said, and how arguments are checked.

A handle acts (its coroutines send requests), its description is a value.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Container, Sequence
from typing import Any, Generic, Protocol, TypeVar
from uuid import UUID

import attrs

from picsellia_async._services.account import Account
from picsellia_async.errors import ConfigurationError, WaitingAttemptsTimeout, shown
from picsellia_async.validation import real_number, whole_number


class Described(Protocol):
    """A description that names its object."""

    @property
    def id(self) -> UUID:
        """Identifier."""

    @property
    def raw(self) -> dict[str, Any]:
        """The answer as it came."""


D = TypeVar("D", bound=Described)
H = TypeVar("H")


@attrs.define(eq=False)
class Record(Generic[D]):
    """What the platform said last about one object, and the account to ask with. What a handle is composed of shares it."""

    account: Account
    """Way to the platform."""
    description: D
    """What the platform said last."""

    @property
    def id(self) -> UUID:
        """Identifier."""
        return self.description.id

    def change(self, **fields: object) -> None:
        """Put new values in place of fields of the description, and of the answer as it came."""
        raw = {**self.description.raw, **{name: _plain(value) for name, value in fields.items()}}
        self.description = attrs.evolve(self.description, **fields, raw=raw)  # type: ignore[misc]  # descriptions are attrs values


class Handle(Generic[D]):
    """Something on the platform that can be acted upon. Two handles are equal when they are of one kind and one id."""

    def __init__(self, description: D, account: Account) -> None:
        """Store what the platform said; nothing is sent."""
        self._record = Record(account, description)

    @property
    def _account(self) -> Account:
        return self._record.account

    @property
    def _description(self) -> D:
        return self._record.description

    @_description.setter
    def _description(self, description: D) -> None:
        self._record.description = description

    @property
    def id(self) -> UUID:
        """Identifier."""
        return self._description.id

    @property
    def description(self) -> D:
        """What the platform said last: when this handle was made, or at the last `sync` or update."""
        return self._description

    @property
    def raw(self) -> dict[str, Any]:
        """The answer behind `description` as it came, with fields that this SDK does not know. Not to be changed."""
        return self._description.raw

    def __repr__(self) -> str:
        name = getattr(self._description, "name", None)
        named = "" if name is None else f"{name!r} "
        return f"<{type(self).__name__} {named}{self.id}>"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Handle):
            return NotImplemented
        return type(self) is type(other) and self.id == other.id

    def __hash__(self) -> int:
        return hash((type(self), self.id))

    def __reduce__(self) -> tuple[Any, ...]:
        """Refuse to be pickled: an account cannot travel."""
        raise TypeError(
            f"{type(self).__name__} cannot be pickled: it is tied to an AsyncClient. Pickle its `description` or `id`, and "
            "fetch it anew from an AsyncClient of the other process"
        )


def _plain(value: object) -> object:
    """Return a value as answers carry it."""
    return str(value) if isinstance(value, UUID) else value


async def wait_for_state(
    name: str,
    look: Callable[[], Awaitable[str | None]],
    wanted: Container[str],
    seconds: float,
    attempts: int,
    sleep: Callable[[float], Awaitable[Any]],
) -> None:
    """Look until something is in one of some states.

    Args:
        name: What is looked at, for the message.
        look: Fetches it and returns its state.
        wanted: States that end the waiting.
        seconds: Between two looks.
        attempts: How often to look.
        sleep: Waits so many seconds.

    Raises:
        ConfigurationError: `seconds` or `attempts` cannot be used.
        WaitingAttemptsTimeout: It was in none of them at the last look.
    """
    real_number(seconds, "blocking_time_increment", 0.0)
    state: str | None = None
    for attempt in range(whole_number(attempts, "attempts", 1)):
        if attempt:
            await sleep(seconds)
        state = await look()
        if state in wanted:
            return
    raise WaitingAttemptsTimeout(f"{name} was still {state} after {attempts} looks")


def expect(value: Any, kind: type[H], name: str) -> H:
    """Return the handle.

    Raises:
        ConfigurationError: The value is something else.
    """
    if not isinstance(value, kind):
        raise ConfigurationError(f"{name} must be {_one(kind)}, got {shown(value)}")
    return value


def expect_all(values: Any, kind: type[H], name: str) -> list[H]:
    """Return the handles of one handle or of a list of them.

    Raises:
        ConfigurationError: The list is empty, or something in it is no such handle.
    """
    if isinstance(values, kind):
        return [values]
    if not isinstance(values, Sequence) or isinstance(values, (str, bytes)):
        raise ConfigurationError(f"{name} must be {_one(kind)} or a list of them, got {shown(values)}")
    if not values:
        raise ConfigurationError(f"{name} must not be empty")
    return [expect(value, kind, f"{name}[{i}]") for i, value in enumerate(values)]


def _one(kind: type[Any]) -> str:
    return f"{'an' if kind.__name__[0] in 'AEIO' else 'a'} {kind.__name__}"
