"""The endpoint table and the handlers."""

from __future__ import annotations

import types
from typing import Any

import pytest

from picsellia_async._wire.endpoints import ENDPOINTS
from picsellia_async.emulator import handlers


def module_of(name: str, *functions: Any) -> types.ModuleType:
    module = types.ModuleType(name)
    for function in functions:
        function.__module__ = name
        setattr(module, function.__name__, function)
    return module


def ping(state: object, call: object) -> None: ...


def test_every_endpoint_has_one_handler_and_the_other_way_round() -> None:
    """The table and the handlers name the same set."""
    assert set(handlers.handlers_of(handlers.MODULES)) == set(ENDPOINTS)


def test_an_endpoint_without_handler_is_refused() -> None:
    """An emulator that lacks a handler does not start."""
    with pytest.raises(ValueError, match="endpoints without handler: \\['get_organization'"):
        handlers.bind({name: ENDPOINTS[name] for name in ("ping", "get_organization")}, [module_of("m", ping)])


def test_a_handler_without_endpoint_is_refused() -> None:
    """A handler that nothing reaches is a mistake."""
    with pytest.raises(ValueError, match="handlers without endpoint: \\['ping'\\]"):
        handlers.bind({}, [module_of("m", ping)])


def test_two_handlers_of_one_name_are_refused() -> None:
    """It must be clear who answers."""
    with pytest.raises(ValueError, match="two handlers are called ping"):
        handlers.handlers_of([module_of("m", ping), module_of("m", ping)])


def test_table_and_handler_agree_on_the_body() -> None:
    """A handler that would never see the body that the table promises is refused."""
    with pytest.raises(ValueError, match="do not agree"):
        handlers.bind({"create_tag": ENDPOINTS["create_tag"]}, [module_of("m", create_tag)])


def create_tag(state: object, call: object) -> None: ...
