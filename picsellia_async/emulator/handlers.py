"""Which function answers which endpoint: the handlers of `services`, bound to the table by their names.

A handler is a function `(state, call)`, or `(state, call, body)` where the table says what the endpoint takes. An asynchronous one
returns a `Change`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from types import ModuleType
from typing import Any, Final, TypeAlias

import attrs

from picsellia_async._wire.endpoints import Endpoint
from picsellia_async.emulator.services import oracle, serving, sign_in, storage
from picsellia_async.emulator.services.platform import (
    access,
    assignments,
    bootstrap,
    campaigns,
    datalakes,
    datasets,
    deployments,
    models,
    pipelines,
    predicted_assets,
    tags,
)

Handler: TypeAlias = Callable[..., Any]

MODULES: Final[tuple[ModuleType, ...]] = (
    oracle, serving, sign_in, predicted_assets, bootstrap, deployments, pipelines, campaigns, assignments, tags, models, datasets,
    datalakes, access, storage,
)  # fmt: skip
"""Where handlers live. Where services share verb and path, the one that comes first here is named in a refusal."""


@attrs.frozen
class Binding:
    """An endpoint with its handler."""

    endpoint: Endpoint[Any]
    """Line of the table."""
    handler: Handler
    """The function that answers."""
    is_async: bool
    """Whether the handler is awaited."""


def handlers_of(modules: Iterable[ModuleType]) -> dict[str, Handler]:
    """Return the handlers of modules by name: their functions whose first parameters are `state` and `call`.

    Raises:
        ValueError: Two handlers have the same name.
    """
    found: dict[str, Handler] = {}
    for module in modules:
        for name, function in inspect.getmembers(module, inspect.isfunction):
            parameters = [parameter.lstrip("_") for parameter in inspect.signature(function).parameters]
            is_own = function.__module__ == module.__name__ and not name.startswith("_")
            if is_own and parameters in (["state", "call"], ["state", "call", "body"]):
                if name in found:
                    raise ValueError(f"two handlers are called {name}")
                found[name] = function
    return found


def bind(endpoints: Mapping[str, Endpoint[Any]], modules: Iterable[ModuleType]) -> list[Binding]:
    """Return every endpoint with its handler, in the order of the handlers' modules.

    Args:
        endpoints: The table.
        modules: Where handlers live.

    Raises:
        ValueError: An endpoint without a handler, a handler without an endpoint, or two handlers of one name.
    """
    handlers = handlers_of(modules)
    missing = sorted(set(endpoints) - set(handlers))
    idle = sorted(set(handlers) - set(endpoints))
    if missing or idle:
        raise ValueError(f"endpoints without handler: {missing}; handlers without endpoint: {idle}")
    bindings = [
        Binding(endpoints[name], handler, inspect.iscoroutinefunction(handler)) for name, handler in handlers.items()
    ]
    for binding in bindings:
        if ("body" in inspect.signature(binding.handler).parameters) != (binding.endpoint.takes is not None):
            raise ValueError(f"{binding.endpoint.name}: table and handler do not agree on whether there is a body")
    return bindings
