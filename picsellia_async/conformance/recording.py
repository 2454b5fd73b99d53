"""Recording an account: calls that only read, in an order in which each finds what it needs."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

import orjson

from picsellia_async._http.recorder import Exchange, RecordingTransport
from picsellia_async.client import AsyncClient
from picsellia_async.config import RetryPolicy
from picsellia_async.conformance.cassette import Cassette, RecordedAnswer, template_of
from picsellia_async.conformance.shapes import Shape
from picsellia_async.deployment import AsyncDeployment
from picsellia_async.enums import ServiceMetrics, TagTarget
from picsellia_async.errors import PicselliaError

T = TypeVar("T")

SOME: Final = 3
"""Items of a list that are looked at."""


async def record(api_token: str | None, host: str | None, deployment: str | None, seconds: float) -> Cassette:
    """Ask an account what can be asked without changing anything, and return the shapes of its answers.

    Args:
        api_token: Else `PICSELLIA_TOKEN`.
        host: Else `PICSELLIA_HOST`.
        deployment: Its name; None: the first one of the organization.
        seconds: For connect, read and write each.

    Raises:
        PicselliaError: The account itself, or the deployment, cannot be reached.
    """
    found: list[RecordedAnswer] = []

    def show(exchange: Exchange) -> None:
        found.append(_recorded(exchange))

    async with AsyncClient(
        api_token, host=host, timeout=seconds, retry=RetryPolicy.none(), transport=RecordingTransport(show)
    ) as client:
        await _organization(client)
        named = deployment or next((one.name for one in await client.list_deployments(limit=SOME)), None)
        if named is not None:
            await _deployment(client, await client.get_deployment(named))
    return Cassette.of(found)


def _recorded(exchange: Exchange) -> RecordedAnswer:
    signs_in_at = {"/api/auth/login": "oracle", "/api/login": "serving"}.get(exchange.path)
    shape = None
    if exchange.content_type == "application/json":
        with contextlib.suppress(orjson.JSONDecodeError):
            is_record = "service" not in dict(exchange.query)
            shape = Shape.of(orjson.loads(exchange.content), is_record=is_record, has_records=is_record)
    query = [f"service={value}" if key == "service" else key for key, value in exchange.query]
    return RecordedAnswer(
        service=signs_in_at or ("oracle" if exchange.is_jwt else "platform"), method=exchange.method,
        path=template_of(exchange.path), query=tuple(dict.fromkeys(query)), status=exchange.status,
        content_type=exchange.content_type, shape=shape,
    )  # fmt: skip


async def _asked(call: Awaitable[T]) -> T | None:
    """Make a call of which the refusal is an answer, too; None then."""
    try:
        return await call
    except PicselliaError:
        return None


async def _organization(client: AsyncClient) -> None:
    for target in TagTarget:
        await _asked(client.list_tags(target))
    await _asked(client.list_users())
    await _asked(client.list_datasources(limit=SOME))
    await _asked(client.list_review_campaigns())
    for datalake in (await _asked(client.list_datalakes()) or [])[:1]:
        await _asked(datalake.list_data(limit=SOME))
        await _asked(datalake.list_data_tags(limit=SOME))
    for dataset in (await _asked(client.list_datasets(limit=SOME)) or [])[:1]:
        for version in (await _asked(dataset.list_versions()) or [])[:1]:
            await _asked(version.list_assets(limit=SOME))
    for model in (await _asked(client.list_models(limit=SOME)) or [])[:1]:
        await _asked(model.get_tags())
        await _asked(model.list_versions())
    await _asked(client.list_projects(limit=SOME))


async def _deployment(client: AsyncClient, deployment: AsyncDeployment) -> None:
    await _asked(client.get_deployment_by_id(deployment.id))
    calls: list[Callable[[], Awaitable[Any]]] = [
        deployment.get_tags, deployment.list_labels, deployment.list_users, deployment.list_workers, deployment.label_map,
        deployment.get_shadow_model, deployment.list_feedback_loop_datasets, deployment.check_training_data_metrics_status,
        deployment.retrieve_information,
        *(functools.partial(deployment.get_stats, service) for service in ServiceMetrics),
    ]  # fmt: skip
    for call in calls:
        await _asked(call())
    version = await _asked(deployment.get_model_version())
    if version is not None:
        await _asked(version.get_tags())
        await _asked(version.get_context())
    for asset in await _asked(deployment.list_predicted_assets(limit=SOME)) or []:
        await _asked(deployment.find_predicted_asset(id=asset.id))
        await _asked(asset.sync())
        await _asked(asset.get_data())
    campaign = await _asked(deployment.get_campaign())
    if campaign is not None:
        await _asked(campaign.list_steps())
        await _asked(campaign.list_assignments())
        await _asked(campaign.get_campaign_issue_counts())
