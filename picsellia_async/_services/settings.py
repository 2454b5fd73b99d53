"""`Settings`: what an `AsyncClient` was told or found in the environment, read and checked. Nothing here sends anything."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final, Self
from uuid import UUID

import attrs

from picsellia_async._wire.exchange import Origin
from picsellia_async._wire.secret import SecretStr, hide
from picsellia_async.config import DEFAULT_HOST, RetryPolicy, Timeouts
from picsellia_async.errors import ConfigurationError, shown
from picsellia_async.plausibility import Checks, checked_checks
from picsellia_async.validation import checked_path, text, uuid

_TOKEN_LENGTH: Final = 16
"""A token that is as long stands in no host's name by chance."""


def _timeouts(value: Any) -> Timeouts:
    return Timeouts.of(value)


def _directory(value: Any) -> Path | None:
    return None if value is None else checked_path(value, "cache_dir")


def _policy(value: RetryPolicy) -> RetryPolicy:
    if not isinstance(value, RetryPolicy):
        raise ConfigurationError(f"retry must be a RetryPolicy, got {shown(value)}")
    return value


@attrs.frozen(kw_only=True)
class Settings:
    """Who calls which platform, and within what limits."""

    api_token: str = attrs.field(repr=False)
    """Token of the user."""
    origin: Origin
    """The platform."""
    organization_id: UUID | None
    """Organization asked for, by id."""
    organization_name: str | None
    """Organization asked for, by name; the id wins."""
    timeouts: Timeouts = attrs.field(converter=_timeouts)
    """Limits of one attempt."""
    retry: RetryPolicy = attrs.field(converter=_policy)
    """Limits of repetition."""
    checks: Checks = attrs.field(default="on", converter=checked_checks)
    """Whether what cannot be meant is refused."""
    cache_dir: Path | None = attrs.field(default=None, converter=_directory)
    """Where answers are remembered; None: nowhere."""

    @classmethod
    def read(
        cls,
        api_token: str | None,
        organization_id: str | UUID | None,
        organization_name: str | None,
        host: str | None,
        timeout: Any,
        retry: RetryPolicy,
        checks: Checks,
    ) -> Self:
        """Read the arguments of a client; what was not given comes from the environment.

        Raises:
            ConfigurationError: There is no token, or a value cannot be used.
        """
        api_token = hide(api_token)
        if organization_id is None and organization_name is None:
            # What was said in the call counts for more than the environment.
            organization_id = _environment("PICSELLIA_ORGANIZATION_ID")
        if organization_name is None:
            organization_name = _environment("PICSELLIA_ORGANIZATION_NAME")
        api_token = _token(_environment("PICSELLIA_TOKEN") if api_token is None else api_token)
        origin = Origin.parse(host or _environment("PICSELLIA_HOST") or DEFAULT_HOST)
        if len(api_token) >= _TOKEN_LENGTH and api_token.lower() in origin.host:
            raise ConfigurationError("host must not have the API token in it: it would be shown (the value is not)")
        return cls(
            api_token=api_token,
            origin=origin,
            organization_id=None if organization_id is None else uuid(organization_id, "organization_id"),
            organization_name=None if organization_name is None else text(organization_name, "organization_name"),
            timeouts=timeout,
            retry=retry,
            checks=checks,
        )


def _environment(name: str) -> str | None:
    value = os.environ.get(name)
    return SecretStr(value) if value else None  # a token may be in the wrong variable


def _token(token: object) -> str:
    """Return the api token; one that could add a line to the header is refused, and no message shows it."""
    if token is None or token == "":
        raise ConfigurationError("no API token: give api_token= or set PICSELLIA_TOKEN")
    if not isinstance(token, str) or not token.isascii() or not token.isprintable() or " " in token:
        raise ConfigurationError("api_token must be a str of visible ASCII characters (the value is not shown)")
    return SecretStr(token)
