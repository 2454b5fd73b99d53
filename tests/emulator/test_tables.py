"""The endpoint table and the handlers."""

from __future__ import annotations

import types
from typing import Any

import pytest

from picsellia_async._wire.endpoints import ENDPOINTS
from picsellia_async.emulator import app


def module_of(name: str, *functions: Any) -> types.ModuleType:
    module = types.ModuleType(name)
    for function in functions:
        function.__module__ = name
        setattr(module, function.__name__, function)
    return module


def ping(state: object, call: object) -> None: ...


def test_every_endpoint_has_one_handler_and_the_other_way_round() -> None:
    """The table and the handlers name the same set."""
    assert set(app.handlers_of(app.MODULES)) == set(ENDPOINTS)


def test_an_endpoint_without_handler_is_refused() -> None:
    """An emulator that lacks a handler does not start."""
    with pytest.raises(ValueError, match="endpoints without handler: \\['get_organization'"):
        app.bind({name: ENDPOINTS[name] for name in ("ping", "get_organization")}, [module_of("m", ping)])


def test_a_handler_without_endpoint_is_refused() -> None:
    """A handler that nothing reaches is a mistake."""
    with pytest.raises(ValueError, match="handlers without endpoint: \\['ping'\\]"):
        app.bind({}, [module_of("m", ping)])


def test_two_handlers_of_one_name_are_refused() -> None:
    """It must be clear who answers."""
    with pytest.raises(ValueError, match="two handlers are called ping"):
        app.handlers_of([module_of("m", ping), module_of("m", ping)])


def test_table_and_handler_agree_on_the_body() -> None:
    """A handler that would never see the body that the table promises is refused."""
    with pytest.raises(ValueError, match="do not agree"):
        app.bind({"create_tag": ENDPOINTS["create_tag"]}, [module_of("m", create_tag)])


def create_tag(state: object, call: object) -> None: ...


def test_requests_are_named_by_the_table() -> None:
    """Journal and fault scripts call a request by the name of its endpoint."""
    assert app.named("XGET", "/api/datalake/1/datas") == ("platform", "filter_data")
    assert app.named("PUT", "/storage/1/a/b") == ("storage", "storage")
    assert app.named("GET", "/nowhere") == ("", "")
    assert app.identify("POST", "/api/auth/login") == ("oracle", "login")
    assert app.identify("GET", "/api/tag/1") == ("platform", "get_tag")
    assert app.identify("GET", "/api/deployment/1") == ("platform", "get_deployment")
    assert app.identify("GET", "/api/deployment/1", True) == ("oracle", "retrieve_information")
