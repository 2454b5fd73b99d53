"""Lists of predicted assets, data and assets against the emulator: limits, iterators, pages that fail, large results."""

from __future__ import annotations

import gc
import json
import os
import tracemalloc
from uuid import uuid4

import httpx
import pytest

from picsellia_async import (
    AsyncClient,
    ConfigurationError,
    NoDataError,
    RetryPolicy,
    ServerError,
)
from picsellia_async.emulator import Emulator, Fault

from ..support.client import ONE_BOX

pytestmark = pytest.mark.anyio

PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)
QUICK = RetryPolicy(attempts=3, backoff_initial=0.001, backoff_max=0.002)
SOAK = bool(os.environ.get("PICSELLIA_ASYNC_SOAK"))
MANY = 100_000 if SOAK else 4_000


def pages(emulator, endpoint="list_predicted_assets"):
    return [entry for entry in emulator.journal if entry.endpoint == endpoint]


@pytest.fixture
async def quick(emulator):
    """A client that hardly waits between attempts."""
    async with AsyncClient(emulator.api_token, host=emulator.url, retry=QUICK) as connected:
        yield connected


async def test_an_empty_list(deployment):
    """The documented list raises `NoDataError`, the iterator yields nothing."""
    with pytest.raises(NoDataError, match="no predicted asset of deployment 'awesome-deploy' matches"):
        await deployment.list_predicted_assets()
    assert [asset async for asset in deployment.iter_predicted_assets()] == []


async def test_limits_over_a_page_are_exact(deployment, emulator):
    """A limit of 1500 gives 1500 in two requests; the vendor's SDK gives 2000 here (docs/wire.md#paged-lists)."""
    await emulator.add_predictions(2300)
    assets = await deployment.list_predicted_assets(limit=1500)
    assert len({asset.id for asset in assets}) == len(assets) == 1500
    assert len(pages(emulator)) == 2
    assert [asset.id async for asset in deployment.iter_predicted_assets(1500)] == [asset.id for asset in assets]


async def test_both_ways_of_paging_agree(deployment, emulator):
    """By cursor and by offset the same assets come, each once; offset and order are those asked for."""
    await emulator.add_predictions(250)
    by_cursor = await deployment.list_predicted_assets(page_size=40)
    by_offset = await deployment.list_predicted_assets(page_size=40, order_by=["-created_at"])
    assert len(by_cursor) == len(by_offset) == 250
    assert {asset.id for asset in by_cursor} == {asset.id for asset in by_offset}
    part = await deployment.list_predicted_assets(limit=60, offset=20, page_size=25, order_by=["-created_at"])
    assert [asset.id for asset in part] == [asset.id for asset in by_offset[20:80]]
    part = await deployment.list_predicted_assets(limit=60, offset=20, page_size=25)
    assert [asset.id for asset in part] == [asset.id for asset in by_cursor[20:80]]


async def test_a_page_that_fails_for_now_is_repeated(quick, emulator):
    """A 503 in the middle of a list costs one request more and no asset."""
    await emulator.add_predictions(90)
    deployment = await quick.get_deployment(emulator.deployment_name)
    emulator.faults.add(Fault(kind="status", status=503, endpoint="list_predicted_assets", skip=1, times=2))
    assets = await deployment.list_predicted_assets(page_size=30)
    assert len({asset.id for asset in assets}) == 90
    assert len(pages(emulator)) == 5


@pytest.mark.parametrize("order_by", [None, ["-created_at"]], ids=["cursor", "offset"])
async def test_a_page_that_fails_for_good_raises_with_what_was_read(quick, emulator, order_by):
    """The error is the service's, and the assets of the pages before are in it as handles."""
    await emulator.add_predictions(90)
    deployment = await quick.get_deployment(emulator.deployment_name)
    whole = await deployment.list_predicted_assets(order_by=order_by)
    emulator.faults.add(Fault(kind="status", status=500, endpoint="list_predicted_assets", skip=1))
    with pytest.raises(ServerError) as caught:
        await deployment.list_predicted_assets(page_size=30, order_by=order_by)
    assert [asset.id for asset in caught.value.items_read] == [asset.id for asset in whole[:30]]
    assert caught.value.attempts == 3


async def test_an_iterator_whose_page_fails_has_yielded_what_came_before(quick, emulator):
    """A consumer can go on from where the error came."""
    await emulator.add_predictions(90)
    deployment = await quick.get_deployment(emulator.deployment_name)
    emulator.faults.add(Fault(kind="status", status=500, endpoint="list_predicted_assets", skip=1, times=3))
    got = []
    with pytest.raises(ServerError):
        async for asset in deployment.iter_predicted_assets(page_size=30):
            got.append(asset.id)
    assert len(got) == 30
    got += [asset.id async for asset in deployment.iter_predicted_assets(offset=len(got), page_size=30)]
    assert len(set(got)) == len(got) == 90


async def test_many_assets_through_the_iterator_in_flat_memory(deployment, emulator):
    """Memory does not grow with the number of assets: what the iterator holds late is what it held early, within a page."""
    await emulator.add_predictions(MANY)
    seen, early = set(), 0
    tracemalloc.start()
    try:
        async for asset in deployment.iter_predicted_assets(page_size=250):
            seen.add(asset.id.int)
            if len(seen) == MANY // 4:
                gc.collect()
                early = _of_the_client()
        gc.collect()
        late = _of_the_client()
    finally:
        tracemalloc.stop()
    assert len(seen) == MANY
    # The difference may be the page in hand, 250 assets of about 3 KB; what grew with the number would be beyond it.
    assert late - early < 750_000


def _of_the_client():
    """Bytes that the client's modules (and cattrs, orjson on their behalf) hold now."""
    wanted = [
        tracemalloc.Filter(True, f"*/{part}/*") for part in ("_wire", "_services", "_http", "resources", "cattrs")
    ]
    wanted += [tracemalloc.Filter(True, "*<cattrs generated*")]
    snapshot = tracemalloc.take_snapshot().filter_traces(wanted)
    return sum(statistic.size for statistic in snapshot.statistics("filename"))


async def test_assets_whose_size_is_not_known_do_not_fail_the_list(deployment, emulator):
    """An asset without `meta` is listed like any other; the vendor's SDK fails the whole list (docs/wire.md#predicted-asset-shape)."""
    await emulator.add_predictions(3)
    store = emulator.state.store
    row = store.data.select("filename = ?", "invented-000001.jpg")[0]
    store.data.update(row.id, width=None, height=None, upload_status="PENDING")
    assets = {asset.filename: asset for asset in await deployment.list_predicted_assets()}
    assert assets["invented-000001.jpg"].width is None
    assert assets["invented-000002.jpg"].width == 640


async def test_filters_of_predicted_assets(client, deployment, emulator):
    """Custom metadata, query, and the state of review tasks narrow the list."""
    for number in range(4):
        await deployment.monitor_bytes(
            PNG, "image/png", f"{number}.png", 0.1, 10, 10, ONE_BOX, custom_metadata={"line": number % 2}
        )
    found = await deployment.list_predicted_assets(custom_metadata={"line": 1})
    assert sorted(asset.filename for asset in found) == ["1.png", "3.png"]
    found = await deployment.list_predicted_assets(q='data.filename = "2.png"')
    assert [asset.filename for asset in found] == ["2.png"]
    campaign = await deployment.create_campaign()
    step = await campaign.add_step("look", "REVIEW", assignees=[(user, 1) for user in await client.list_users()][:1])
    await (await campaign.sync_assets()).wait_for_done(0.01)
    waiting = await deployment.list_predicted_assets(assignment_status="TO_DO", assignment_step_id=step.id)
    assert len(waiting) == 4
    with pytest.raises(NoDataError):
        await deployment.list_predicted_assets(assignment_status="DONE")


async def test_data_of_a_datalake(client, emulator):
    """Lists, iterators and finds agree; tags and explicit values narrow."""
    datalake = await client.get_datalake()
    everything = await datalake.list_data()
    assert [data.id async for data in datalake.iter_data(page_size=2)] == [data.id for data in everything]
    assert all(data.datalake_id == datalake.id and data.is_ready for data in everything)
    first, second, *_ = everything
    assert await datalake.find_data(id=first.id) == first
    assert await datalake.find_data(first.filename) == first
    assert await datalake.find_data(object_name=first.object_name) == first
    assert set(await datalake.list_data(ids=[first.id, str(second.id)])) == {first, second}
    assert await datalake.list_data(filenames=[second.filename]) == [second]
    assert len(await datalake.list_data(object_names=[first.object_name, second.object_name], limit=1)) == 1
    tag, other = await datalake.create_data_tag("a"), await datalake.create_data_tag("b")
    await first.add_tags([tag, other])
    await second.add_tags(tag)
    assert {data.id for data in await datalake.list_data(tags=["a", tag])} == {first.id, second.id}
    assert await datalake.list_data(tags=[tag, "b"], intersect_tags=True) == [first]
    with pytest.raises(NoDataError):
        await datalake.list_data(ids=[uuid4()])
    with pytest.raises(ConfigurationError, match="filenames and ids exclude each other"):
        await datalake.list_data(ids=[uuid4()], filenames=["a"])


async def test_many_explicit_ids_go_in_chunks(client, emulator):
    """2500 ids are three XGET requests; the one that exists is found."""
    datalake = await client.get_datalake()
    [data] = await datalake.list_data(limit=1)
    ids = [uuid4() for _ in range(2499)]
    assert await datalake.list_data(ids=[*ids, data.id]) == [data]
    assert [entry.method for entry in pages(emulator, "filter_data")] == ["XGET"] * 3


async def test_the_iterator_asks_for_nothing_before_it_is_used(deployment, emulator):
    """Arguments are checked when the iterator is made; requests begin with the first item."""
    with pytest.raises(ConfigurationError, match="limit must be at least 1"):
        deployment.iter_predicted_assets(limit=0)
    deployment.iter_predicted_assets(limit=1)
    assert pages(emulator) == []


async def test_an_emulator_of_its_own_may_lie_behind_another_address():
    """A second emulator does not see what the first one holds."""
    async with Emulator() as one, Emulator() as two:
        await one.add_predictions(3)
        async with AsyncClient(two.api_token, host=two.url) as client:
            deployment = await client.get_deployment(two.deployment_name)
            assert [asset async for asset in deployment.iter_predicted_assets()] == []


async def test_an_order_turned_round_turns_the_list_round(client):
    """Data of one and the same moment included: the emulator's first three are that."""
    datalake = await client.get_datalake()
    newest = await datalake.list_data()
    assert len(newest) > 2
    assert await datalake.list_data(order_by=["-created_at"]) == newest
    assert await datalake.list_data(order_by=["created_at"]) == newest[::-1]


@pytest.mark.parametrize(
    "kind",
    ["deployments", "datasources", "datasets", "models", "projects", "data_tags", "dataset_versions", "model_versions"],
)
async def test_a_service_that_ignores_the_limit(kind, client, emulator):
    """Lists that come in one answer are no longer than was asked."""
    lake = await client.get_datalake()
    await client.create_datasource("camera")
    await lake.create_data_tag("seen")
    ask = {
        "data_tags": lake.list_data_tags,
        "dataset_versions": (await client.get_dataset("my-dataset")).list_versions,
        "model_versions": (await client.get_model("my-model")).list_versions,
    }.get(kind) or getattr(client, f"list_{kind}")
    first = (await ask())[0]
    asked = list(emulator.journal)[-1]
    async with httpx.AsyncClient(
        base_url=emulator.url, headers={"Authorization": f"Bearer {emulator.api_token}"}
    ) as http:
        answer = (await http.get(asked.path)).json()
    body = json.dumps({**answer, "items": answer["items"][:1] * 3})
    emulator.faults.add(Fault(kind="status", status=200, body=body, endpoint=asked.endpoint))
    assert len(await ask()) == 3
    assert await ask(limit=2) == [first, first]
