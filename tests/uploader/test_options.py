"""The options: what `help()` shows of them, and what is refused."""

from __future__ import annotations

import inspect
import pydoc
from typing import Any

import attrs
import pytest

from picsellia_async import AsyncDeployment
from picsellia_async._delivery.options import Options, UploaderOptions
from picsellia_async.errors import ConfigurationError
from picsellia_async.uploader import Uploader, deliver_all

from .service import Service, uploader

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    "options",
    [
        {"concurrency": 0}, {"concurrency": True}, {"concurrency": "many"}, {"when_full": "explode"}, {"ordered_by": "size"},
        {"durability": "never"}, {"max_pending_bytes": 0}, {"max_pending_frames": 0}, {"max_attempts": 0}, {"max_age": -1},
        {"close_timeout": -1}, {"close_timeout": None}, {"max_age": float("nan")}, {"spool": 3}, {"spool": ""}, {"retry": None},
        {"concurrency": 1001}, {"deduplicate": True}, {"on_outcome": 3}, {"progress": deliver_all}, {"commit_interval": 0},
        {"min_free_bytes": 0}, {"when_full": "thin"},
    ],
    ids=lambda options: "-".join(f"{name}={value}"[:30] for name, value in options.items()),
)  # fmt: skip
async def test_bad_options_are_refused_when_made(options: dict[str, Any]) -> None:
    """Every option out of range is a ConfigurationError that names it, before anything runs."""
    with pytest.raises(ConfigurationError, match=next(iter(options))):
        uploader(Service(), **options)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("concurency", "did you mean 'concurrency'"),
        ("dedup", "did you mean 'deduplicate'"),
        ("x", "there are concurrency, "),
    ],
)
async def test_a_mistyped_option_names_the_nearest_one(name: str, hint: str) -> None:
    """Where none is near, all are listed."""
    with pytest.raises(TypeError, match=f"uploader has no option '{name}'; {hint}"):
        uploader(Service(), **{name: 3})


OPTIONS = list(inspect.signature(Options).parameters.values())


@pytest.mark.parametrize("call", [AsyncDeployment.uploader, AsyncDeployment.monitor_many, Uploader])
async def test_help_lists_each_option_with_type_and_default(call: Any) -> None:
    """What is called with options shows them one by one, not as `**options`."""
    parameters = list(inspect.signature(call).parameters.values())
    assert parameters[-len(OPTIONS) :] == OPTIONS
    assert not any(one.kind is one.VAR_KEYWORD for one in parameters)
    shown = pydoc.plain(pydoc.render_doc(call))
    assert all(str(option) in shown for option in OPTIONS)


async def test_type_checkers_and_people_see_the_same_options() -> None:
    """The keyword names and types of `UploaderOptions` are those of the options as they are checked, in one order."""
    declared = {name: kind.__forward_arg__ for name, kind in UploaderOptions.__annotations__.items()}
    assert declared == {field.name: field.type for field in attrs.fields(Options)}
