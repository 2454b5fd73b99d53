"""A cassette: what the services of one account answered, by verb and path, without anything of the account's."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Final, Self

import attrs
import orjson

from picsellia_async._version import __version__
from picsellia_async._wire.endpoints import ENDPOINTS
from picsellia_async.conformance.shapes import Shape, merged
from picsellia_async.errors import ConfigurationError, shown

FORMAT: Final = "picsellia-async cassette 1"

_UUID: Final = re.compile(r"[0-9a-fA-F]{8}-?([0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}")
_FIXED: Final = frozenset(
    segment for endpoint in ENDPOINTS.values() for segment in endpoint.path.split("/") if not segment.startswith("{")
)
"""Segments of the paths of all endpoints."""


@attrs.frozen
class RecordedAnswer:
    """What one call was answered."""

    service: str
    """"platform", "oracle" or "serving"."""
    method: str
    """HTTP verb."""
    path: str
    """With `{id}` for each id and `{text}` for each other segment that no endpoint of this SDK has."""
    query: tuple[str, ...]
    """Names of the query, in order, without values; `service=` of statistics keeps its value."""
    status: int
    """Of the answer."""
    content_type: str
    """Without parameters."""
    shape: Shape | None
    """Of its JSON; None where it had none."""

    @property
    def call(self) -> str:
        """What was called, for people and for looking it up."""
        query = "?" + "&".join(self.query) if self.query else ""
        return f"{self.service} {self.method} {self.path}{query}"

    def to_json(self) -> dict[str, Any]:
        """Return it for a file."""
        given = attrs.asdict(self, recurse=False)
        return {**given, "query": list(self.query), "shape": None if self.shape is None else self.shape.to_json()}


@attrs.frozen
class Cassette:
    """All answers of one recording."""

    answers: tuple[RecordedAnswer, ...]
    """One per call and status."""
    version: str = __version__
    """Of the package that recorded it."""

    @classmethod
    def of(cls, answers: list[RecordedAnswer]) -> Self:
        """Put answers to equal calls together."""
        together: dict[tuple[str, int, str], list[RecordedAnswer]] = {}
        for one in answers:
            together.setdefault((one.call, one.status, one.content_type), []).append(one)
        return cls(
            tuple(
                attrs.evolve(same[0], shape=merged(one.shape for one in same if one.shape is not None))
                for same in together.values()
            )
        )

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a file.

        Raises:
            ConfigurationError: It cannot be read, or is no cassette of this version.
        """
        try:
            given = orjson.loads(path.read_bytes())
        except OSError as error:
            raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from None
        except orjson.JSONDecodeError as error:
            raise ConfigurationError(f"{path} is not JSON: {error}") from None
        if not isinstance(given, dict) or given.get("format") != FORMAT:
            raise ConfigurationError(f"{path} is no cassette: its format is not {FORMAT!r}")
        try:
            answers = [
                RecordedAnswer(
                    service=one["service"], method=one["method"], path=one["path"], query=tuple(one["query"]),
                    status=one["status"], content_type=one["content_type"],
                    shape=None if one["shape"] is None else Shape.from_json(one["shape"]),
                )
                for one in given["answers"]
            ]  # fmt: skip
            return cls(tuple(answers), given["version"])
        except (KeyError, TypeError) as error:
            raise ConfigurationError(f"{path} is no whole cassette: {shown(error)}") from None

    def save(self, path: Path) -> None:
        """Write a file for people to read before they pass it on.

        Raises:
            ConfigurationError: It cannot be written.
        """
        given = {"format": FORMAT, "version": self.version, "answers": [one.to_json() for one in self.answers]}
        try:
            path.write_text(json.dumps(given, indent=1) + "\n", encoding="utf-8")
        except OSError as error:
            raise ConfigurationError(f"{path} cannot be written: {error.strerror}") from None


def template_of(path: str) -> str:
    """Return a path without anything of an account."""
    return "/".join(_segment(one) for one in path.split("/"))


def _segment(text: str) -> str:
    if text in _FIXED:
        return text
    return "{id}" if _UUID.fullmatch(text) or text.isdecimal() else "{text}"
