"""What all handles share, and tags."""

from __future__ import annotations

import copy
import inspect
import pickle
import re

import attrs
import pytest

from picsellia_async import (
    AsyncClient,
    ConfigurationError,
    ConflictError,
    NotFoundError,
    TagTarget,
    Target,
)
from picsellia_async._wire.endpoints import ENDPOINTS
from picsellia_async.resources import (
    campaign,
    data,
    data_source,
    datalake,
    dataset,
    label,
    model,
    platform_job,
    predicted_asset,
    project,
    tag,
)
from picsellia_async.resources.downloadable import Downloadable
from picsellia_async.resources.handle import Handle

pytestmark = pytest.mark.anyio


# What all handles share


async def test_handles_act_and_values_are_frozen(client, deployment):
    """A handle carries a frozen description, equals another of its id, hashes, and cannot be pickled; the value can."""
    first = await client.get_model("my-model")
    second = await client.get_model_by_id(first.id)
    assert first == second
    assert len({first, second}) == 1
    assert first != await client.get_dataset("my-dataset")
    assert first != first.id
    assert repr(first) == f"<Model 'my-model' {first.id}>"
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        first.description.name = "other"
    with pytest.raises(TypeError, match="Model cannot be pickled"):
        pickle.dumps(first)
    assert pickle.loads(pickle.dumps(first.description)) == first.description
    assert copy.deepcopy(first.description) == first.description
    assert deployment == await client.get_deployment_by_id(str(deployment.id))


HANDLES = sorted(
    {
        value
        for module in (
            campaign,
            data,
            data_source,
            datalake,
            dataset,
            platform_job,
            label,
            model,
            predicted_asset,
            project,
            tag,
        )
        for _, value in inspect.getmembers(module, inspect.isclass)
        if issubclass(value, Handle) and value not in {Handle, Downloadable}
    }
    | {AsyncClient},
    key=lambda cls: cls.__name__,
)
WIRE = re.compile(r"(GET|XGET|POST|PUT|PATCH|DELETE)(?: or XGET)? \{platform\}(/\S+?)[,.]?(?= |$)")
TABLE = {(endpoint.method, endpoint.path) for endpoint in ENDPOINTS.values()}


@pytest.mark.parametrize("cls", HANDLES, ids=lambda cls: cls.__name__)
def test_every_call_names_its_request_and_whether_it_is_repeated(cls):
    """Docstrings say what is sent, in the words of the table, and what happens after a lost answer."""
    for name, member in inspect.getmembers(
        cls, lambda m: inspect.iscoroutinefunction(m) or inspect.isasyncgenfunction(m)
    ):
        if name.startswith("_") or name in {"aclose", "request"}:
            continue
        doc = inspect.getdoc(member)
        said = WIRE.findall(doc.split("Wire:")[1])
        assert said, name
        assert set(said) <= TABLE, name
        assert "dempotent" in doc or name.startswith("get_or_create") or "`" in doc.splitlines()[0], name


# Tags


@pytest.mark.parametrize("target", ["deployment", "dataset", "dataset_version", "model", "model_version"])
async def test_tags_of_each_target(client, target):
    """Made, found and listed by target; a second one of the name is a conflict, an unknown one a 404."""
    made = await getattr(client, f"create_{target}_tag")("t")
    assert (made.name, made.target_type) == ("t", TagTarget[target.upper()])
    assert await getattr(client, f"find_{target}_tag")("t") == made
    assert await getattr(client, f"list_{target}_tags")() == [made]
    assert await client.find_tag("t", target) == made
    with pytest.raises(ConflictError):
        await client.create_tag("t", target)
    with pytest.raises(NotFoundError):
        await client.find_tag("u", target)
    assert (await made.sync()).name == "t"


async def test_data_tags_belong_to_the_default_datalake(client):
    """`create_tag(name, Target.DATA)` of the documented example makes one there."""
    made = await client.create_tag("bicycle", Target.DATA)
    assert made.target_type is TagTarget.DATA
    lake = await client.get_datalake()
    assert await lake.get_data_tag("bicycle") == made
    assert await client.find_tag("bicycle", "data") == made
    assert await client.list_tags("DATA") == await lake.list_data_tags() == [made]
    assert await lake.get_or_create_data_tag("bicycle") == made
    assert (await lake.get_or_create_data_tag("car")).name == "car"
    with pytest.raises(ConfigurationError, match="tags of assets belong to a dataset version"):
        await client.create_tag("a", "asset")
    with pytest.raises(ConfigurationError, match="'car' is no TagTarget; accepted are DATA, ASSET"):
        await client.create_tag("a", "car")


async def test_tags_on_every_kind_of_object(client):
    """Data, datasets, models and their versions take tags of their kind and tell them."""
    dataset_ = await client.get_dataset("my-dataset")
    model_ = await client.get_model("my-model")
    objects = {
        "dataset": dataset_,
        "dataset_version": (await dataset_.list_versions())[0],
        "model": model_,
        "model_version": await model_.get_version(0),
        "data": (await (await client.get_datalake()).list_data(limit=1))[0],
    }
    for target, handle in objects.items():
        made = await client.create_tag("t", target)
        await handle.add_tags(made)
        assert await handle.get_tags() == [made]
        await made.detach_from(handle)
        assert await handle.get_tags() == []
