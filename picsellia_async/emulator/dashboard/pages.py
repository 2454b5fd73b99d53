"""`Pages`: the templates, and what they share. Jinja2 is imported when the first page is asked for: most emulators never show one."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from picsellia_async.emulator.endpoint_index import CONTROL_PREFIX

if TYPE_CHECKING:
    from jinja2 import Environment

_HERE: Final = Path(__file__).parent
STATIC: Final[Mapping[str, str]] = {
    "dashboard.css": "text/css",
    "dashboard.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}
"""Files that the pages load, by name, with their type."""


class Pages:
    """Makes pages from templates; every text is escaped unless a template says otherwise."""

    def __init__(self) -> None:
        self._environment: Environment | None = None

    async def render(self, template: str, /, **context: Any) -> str:
        """Return a page, made in a thread: a hundred pictures with their shapes take longer than others should wait.

        Args:
            template: Name of its file.
            **context: What it shows. Nothing of the store: that belongs to the thread of the event loop.
        """
        return await asyncio.to_thread(self._render, template, context)

    def _render(self, template: str, context: dict[str, Any]) -> str:
        if self._environment is None:
            self._environment = _environment()
        return self._environment.get_template(template).render(context)


def read_static(name: str) -> bytes:
    """Return a file of `STATIC`."""
    return (_HERE / "static" / name).read_bytes()


def moment(seconds: float) -> datetime.datetime:
    """Return a time in UTC; what no calendar holds (milliseconds sent as seconds) is the end of it."""
    try:
        return datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    except (OverflowError, ValueError, OSError):
        return datetime.datetime.max.replace(tzinfo=datetime.UTC)


def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415 - see above

    found = Environment(
        loader=FileSystemLoader(_HERE / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )  # fmt: skip
    found.globals["base"] = CONTROL_PREFIX
    found.filters["moment"] = moment
    return found
