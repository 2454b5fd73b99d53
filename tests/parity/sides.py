"""The two clients under comparison, behind the same names.

A row of the table is one call written once; it asks for what it needs by parameter name (`deployment`, `data`, ...),
and this module fetches that with the same calls on either side. Here belongs the fetching and the containment of the
vendor's import; no comparison.
"""

from __future__ import annotations

import importlib
import inspect
import logging
import os
import warnings
from collections.abc import Awaitable, Callable, Mapping
from types import ModuleType
from typing import Any, Final

from . import ids

VENDOR_VERSION: Final = "6.37.0"

FETCH: Final[Mapping[str, Callable[..., Any]]] = {
    "deployment": lambda client, deployment_name: client.get_deployment(deployment_name),
    "tag": lambda client: client.find_deployment_tag("cool"),
    "deployment_tags": lambda client: client.list_deployment_tags(),
    "data_tag": lambda datalake: datalake.get_data_tag("bicycle"),
    "source": lambda client: client.get_datasource("camera-1"),
    "model": lambda client: client.get_model("my-model"),
    "model_version": lambda model: model.get_version("latest"),
    "public_model_version": lambda client: client.get_model_version_by_id(ids.PUBLIC_MODEL_VERSION),
    "context": lambda model_version: model_version.get_context(),
    "experiment": lambda context: context.get_experiment(),
    "dataset": lambda client: client.get_dataset("my-dataset"),
    "dataset_version": lambda dataset: dataset.get_version("latest"),
    "project": lambda client: client.get_project("my-project"),
    "datalake": lambda client: client.get_datalake(),
    "data": lambda datalake: datalake.find_data(filename="o.jpeg"),
    "datas": lambda datalake: datalake.list_data(),
    "asset": lambda deployment: deployment.find_predicted_asset(filename="o.jpeg"),
    "campaign": lambda deployment: deployment.get_campaign(),
    "steps": lambda campaign: campaign.list_steps(),
    "assignments": lambda campaign: campaign.list_assignments(),
    "users": lambda client: client.list_users(),
    "labels": lambda deployment: deployment.list_labels(),
    "job": lambda client: client.get_job_by_id(ids.JOB),
}
"""How to get each thing that a row may ask for, from other such things."""


def load_vendor() -> ModuleType:
    """Import the vendor's SDK without its logging set-up, and return its package.

    The import would replace the handlers of the root logger unless told not to, and its dependencies warn.
    """
    os.environ["PICSELLIA_SDK_CUSTOM_LOGGING"] = "1"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        package = importlib.import_module("picsellia")
    logging.getLogger("picsellia").setLevel(logging.CRITICAL)
    return package


class Names:
    """The public names of one side: client, prediction formats, enums, errors."""

    def __init__(self, *modules: str) -> None:
        """Look names up in these modules, in this order."""
        self._modules = [importlib.import_module(module) for module in modules]

    def __getattr__(self, name: str) -> Any:
        """Return the first definition."""
        for module in self._modules:
            if hasattr(module, name):
                return getattr(module, name)
        raise AttributeError(name)


def vendor_names() -> Names:
    """Return the vendor's names."""
    load_vendor()
    return Names("picsellia", "picsellia.types.enums", "picsellia.types.schemas_prediction", "picsellia.exceptions")


def our_names() -> Names:
    """Return ours."""
    return Names("picsellia_async")


def needed(call: Callable[..., Any]) -> list[str]:
    """Return the names of the parameters of a call of the table; one with a default is the table's own."""
    parameters = inspect.signature(call).parameters.values()
    return [parameter.name for parameter in parameters if parameter.default is parameter.empty]


def resolve(name: str, scope: dict[str, Any]) -> Any:
    """Fetch one thing with the vendor's SDK, and what it is fetched from, once per scope."""
    if name not in scope:
        fetch = FETCH[name]
        scope[name] = fetch(**{part: resolve(part, scope) for part in needed(fetch)})
    return scope[name]


async def resolve_async(name: str, scope: dict[str, Any]) -> Any:
    """Fetch one thing with our client, and what it is fetched from, once per scope."""
    if name not in scope:
        fetch = FETCH[name]
        scope[name] = await fetch(**{part: await resolve_async(part, scope) for part in needed(fetch)})
    return scope[name]


def call_vendor(call: Callable[..., Any], scope: dict[str, Any], before: Callable[[], object]) -> Any:
    """Fetch what the call needs, run `before`, then make the call."""
    arguments = {name: resolve(name, scope) for name in needed(call)}
    before()
    return call(**arguments)


async def call_ours(call: Callable[..., Awaitable[Any]], scope: dict[str, Any], before: Callable[[], object]) -> Any:
    """Fetch what the call needs, run `before`, then make the call and await it."""
    arguments = {name: await resolve_async(name, scope) for name in needed(call)}
    before()
    return await call(**arguments)
