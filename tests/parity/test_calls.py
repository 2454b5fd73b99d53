"""Every row of the table: the vendor's call and ours put the same request on the wire and return the same thing."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import anyio.to_thread
import pytest

from . import answers, ids, sides
from .compare import comparable, identity, outline, requests
from .recorder import Recorder
from .row import Row
from .table import NOT_ON_THE_WIRE, ROWS
from .test_table import public_methods

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.filterwarnings("ignore:list_workers is deprecated:DeprecationWarning"),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
async def test_the_same_call_is_the_same_request(
    row: Row, recorder: Recorder, vendor_client: Any, vendor_names: sides.Names, files: dict[str, Path]
) -> None:
    """Verb, path, query, authorization, organization, content type and body agree, field for field and in order."""
    unordered = "order" in row.differs
    scope: dict[str, Any] = {"deployment_name": row.deployment, **files}

    vendor_scope = scope | {"client": vendor_client, "api": vendor_names}
    theirs = await anyio.to_thread.run_sync(sides.call_vendor, row.call, vendor_scope, recorder.take)
    wanted = requests(recorder.take(), recorder.url, unordered=unordered)

    api = sides.our_names()
    options = {"host": recorder.url, "retry": api.RetryPolicy.none()}
    async with api.AsyncClient(answers.API_TOKEN, checks="off", **options) as client:
        our_scope = scope | {"client": client, "api": api}
        ours = await sides.call_ours(row.ours or row.call, our_scope, recorder.take)
        sent = requests(recorder.take(), recorder.url, unordered=unordered)

    assert wanted, "the vendor's call sent nothing: the row tests nothing"
    if "requests" in row.differs:
        assert [f"{request['verb']} {request['path']}" for request in sent] == list(row.instead)
        assert sent != wanted, "the difference is gone"
    else:
        assert sent == wanted
    if "result" in row.differs:
        assert identity(ours) == identity(theirs)
    else:
        assert outline(ours) == outline(theirs)


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({}, id="default organization"),
        pytest.param({"organization_id": ids.ORGANIZATION}, id="organization by id"),
        pytest.param({"organization_name": "my org"}, id="organization by name"),
    ],
)
async def test_connecting_asks_the_same(options: dict[str, str], recorder: Recorder, vendor_names: sides.Names) -> None:
    """Ping, then the organization; no organization header until it is known."""
    recorder.take()
    await anyio.to_thread.run_sync(lambda: vendor_names.Client(answers.API_TOKEN, host=recorder.url, **options))
    wanted = requests(recorder.take(), recorder.url)

    api = sides.our_names()
    async with api.AsyncClient(answers.API_TOKEN, checks="off", host=recorder.url, **options):
        assert requests(recorder.take(), recorder.url) == wanted


async def test_signing_in_sends_the_same_on_both_services(
    recorder: Recorder, vendor_client: Any, vendor_names: sides.Names
) -> None:
    """Same login requests. The vendor signs in when a deployment is fetched, ours on first use, once per service."""
    recorder.take()
    await anyio.to_thread.run_sync(vendor_client.get_deployment, "awesome-deploy")
    wanted = [comparable(exchange, recorder.url) for exchange in recorder.take() if exchange.is_login]

    api = sides.our_names()
    async with api.AsyncClient(answers.API_TOKEN, checks="off", host=recorder.url) as client:
        deployment = await client.get_deployment("awesome-deploy")
        assert not [exchange for exchange in recorder.take() if exchange.is_login]
        for _ in range(2):
            await deployment.retrieve_information()
            await deployment.predict_bytes("f.jpg", b"raw")
        sent = [comparable(exchange, recorder.url) for exchange in recorder.take() if exchange.is_login]
    assert sent == wanted
    assert [request["path"] for request in sent] == ["/api/auth/login", "/api/login"]


@pytest.mark.parametrize(
    "row",
    [row for row in ROWS if row.name.endswith("_everything") and "monitor_bytes" in row.name],
    ids=lambda row: row.name,
)
async def test_the_vendors_values_are_accepted_in_place_of_ours(
    row: Row, recorder: Recorder, vendor_names: sides.Names
) -> None:
    """Prediction objects and enum members of the vendor's SDK, handed to our client, make the same request as our own."""
    api = sides.our_names()
    sent = []
    async with api.AsyncClient(answers.API_TOKEN, checks="off", host=recorder.url) as client:
        for names in (api, vendor_names):
            scope = {"client": client, "api": names, "deployment_name": row.deployment}
            await sides.call_ours(row.call, scope, recorder.take)
            sent.append(requests(recorder.take(), recorder.url))
    ours, theirs = sent
    assert ours == theirs


def test_every_parameter_of_the_vendors_methods_is_ours(vendor_names: sides.Names) -> None:
    """Names of parameters agree, the undocumented ones of 6.37.0 included, so that keyword calls work unchanged."""
    for method in public_methods(vendor_names.Deployment) - set(NOT_ON_THE_WIRE):
        theirs = set(inspect.signature(getattr(vendor_names.Deployment, method)).parameters)
        ours = set(inspect.signature(getattr(sides.our_names().AsyncDeployment, method)).parameters)
        assert theirs - ours == set(), method
