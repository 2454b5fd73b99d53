"""Tokens: who gets in where, and for how long."""

from __future__ import annotations

import jwt as pyjwt
import pytest

from picsellia_async.emulator import Emulator

from .conftest import BOXES, Wire

pytestmark = pytest.mark.anyio


async def test_bootstrap_of_a_client(wire: Wire) -> None:
    """Ping, organization by name and organization by id lead to the deployment with both hosts."""
    ping = await wire.ok("GET", "/api/home/ping")
    assert ping["default_organization"] == wire.emulator.organization_id
    found = await wire.ok("GET", "/api/organizations/find", params={"name": wire.emulator.organization_name})
    organization = await wire.ok("GET", f"/api/organization/{found['id']}")
    assert organization["default_connector_id"]
    deployment = await wire.ok("GET", f"{wire.organization}/deployments/find", params={"name": "awesome-deploy"})
    assert deployment["id"] == wire.emulator.deployment_id
    assert deployment["oracle_host"] == deployment["serving_host"] == wire.emulator.url


@pytest.mark.parametrize("header", [None, "Bearer wrong", "Token {}", "Bearer", "Basic abc"])
async def test_a_platform_call_needs_the_api_token(wire: Wire, header: str | None) -> None:
    """Without token, with another one or another scheme the answer is 401."""
    headers = {} if header is None else {"Authorization": header.format(wire.api_token)}
    answer = await wire.http.get("/api/home/ping", headers=headers)
    assert answer.status_code == 401
    assert answer.json()["message"]
    assert wire.api_token not in answer.text


async def test_sign_in_answers_whole_seconds(wire: Wire) -> None:
    """`expires` is the lifetime as an integer; the JWT is signed."""
    answer = await wire.login("oracle")
    assert answer.json()["expires"] == 3600
    assert isinstance(answer.json()["expires"], int)
    with pytest.raises(pyjwt.InvalidSignatureError):
        pyjwt.decode(answer.json()["jwt"], "x" * 32, ["HS256"])


@pytest.mark.parametrize("service", ["oracle", "serving"])
async def test_sign_in_refuses_what_it_does_not_know(wire: Wire, service: str) -> None:
    """A wrong api token is a 401, an unknown deployment a 404, an unknown field a 422."""
    assert (await wire.login(service, api_token="wrong")).status_code == 401
    assert (await wire.login(service, deployment_id="7b41e5a5-bdac-4ef5-9729-bbdb2b0ceec7")).status_code == 404
    assert (await wire.login(service, deployment_id="no uuid")).status_code == 422
    assert (await wire.login(service, more=1)).status_code == 422


async def test_get_deployment_is_told_apart_by_the_token(wire: Wire) -> None:
    """One path serves two hosts: the api token means the platform, a JWT monitoring, one of serving neither."""
    await wire.login("oracle")
    await wire.login("serving")
    assert "oracle_host" in (await wire.call("GET", wire.deployment)).json()
    assert "predictions_count" in (await wire.call("GET", wire.deployment, token=wire.jwts["oracle"])).json()
    assert (await wire.call("GET", wire.deployment, token=wire.jwts["serving"])).status_code == 401


async def test_a_jwt_is_good_for_its_own_service_only(wire: Wire) -> None:
    """The JWT of serving does not monitor, and the api token does neither."""
    await wire.login("serving")
    for token in (wire.jwts["serving"], wire.api_token):
        answer = await wire.call("POST", f"{wire.deployment}/predictions", {}, token=token)
        assert answer.status_code == 401


async def test_a_jwt_is_good_for_its_own_deployment_only(wire: Wire) -> None:
    """Another deployment of the same organization is forbidden."""
    [first, _] = await wire.versions("model")
    other = await wire.ok("POST", f"/api/model/version/{first['id']}/deploy", {"name": "other"})
    await wire.login("oracle")
    answer = await wire.call("GET", f"/api/deployment/{other['id']}", token=wire.jwts["oracle"])
    assert answer.status_code == 403


async def test_a_jwt_is_good_for_the_predictions_of_its_own_deployment_only(wire: Wire) -> None:
    """The path of a prediction names no deployment; that of another one is forbidden all the same."""
    receipt = await wire.monitored()
    version = (await wire.versions("model"))[0]
    other = await wire.ok("POST", f"/api/model/version/{version['id']}/deploy", {"name": "other"})
    await wire.login("oracle", deployment_id=other["id"])
    path, body = f"/api/prediction/{receipt['id']}/shadow", {"shadow_raw_predictions": BOXES, "shadow_latency": 0.1}
    assert (await wire.on("oracle", "POST", path, body)).status_code == 403
    await wire.login("oracle")
    assert (await wire.on("oracle", "POST", path, body)).status_code == 201


async def test_a_jwt_expires() -> None:
    """After its lifetime a JWT is a 401, and a new one is good again."""
    now = 1_700_000_000.0
    async with Emulator(jwt_lifetime=10, clock=lambda: now) as emulator:
        wire = Wire(emulator)
        async with wire.http:
            await wire.monitored()
            now += 9.9
            await wire.monitored()
            now += 0.2
            assert (await wire.monitor()).status_code == 401
            assert (await wire.login()).json()["expires"] == 10
            await wire.monitored()


async def test_a_lifetime_is_whole_seconds() -> None:
    """A fraction would come out of `expires` as something that clients cannot read."""
    with pytest.raises(ValueError, match="whole seconds"):
        Emulator(jwt_lifetime=0.5)  # type: ignore[arg-type]


async def test_tokens_of_another_emulator_are_void(wire: Wire) -> None:
    """Two emulators have the same ids but not the same secrets."""
    async with Emulator() as other:
        wires = Wire(other)
        async with wires.http:
            await wires.login()
            assert other.deployment_id == wire.emulator.deployment_id
            answer = await wire.call("GET", wire.deployment, token=wires.jwts["oracle"])
            assert answer.status_code == 401


async def test_another_organization_is_out_of_reach(wire: Wire) -> None:
    """Objects of another organization are forbidden, whichever way they are named; its name is not even found."""
    organization_id, token = await wire.emulator.add_organization("neighbour")
    other = Wire(wire.emulator)
    other.api_token, other.organization = token, f"/api/organization/{organization_id}"
    async with other.http:
        deployment = await other.ok("GET", f"{other.organization}/deployments/find", params={"name": "awesome-deploy"})
        assert deployment["id"] != wire.emulator.deployment_id
        await wire.refused(403, "GET", f"/api/deployment/{deployment['id']}")
        await wire.refused(403, "GET", f"{other.organization}/deployments")
        await wire.refused(404, "GET", "/api/organizations/find", params={"name": "neighbour"})
        assert (await wire.login(deployment_id=deployment["id"])).status_code == 403
        dataset_version = (await other.versions("dataset"))[0]
        body = {"dataset_version_id": dataset_version["id"]}
        await wire.refused(403, "POST", f"{wire.deployment}/fl/datasets", body)
        data = await wire.asset()
        assert (await other.call("GET", f"/api/predicted/asset/{data['id']}")).status_code == 403
        assert (await other.call("GET", f"/api/data/{data['data']['id']}")).status_code == 403


async def test_the_organization_header_is_checked(wire: Wire) -> None:
    """`X-Picsellia-Organization` of another organization is forbidden."""
    headers = {"Authorization": f"Bearer {wire.api_token}", "X-Picsellia-Organization": wire.emulator.deployment_id}
    assert (await wire.http.get("/api/home/ping", headers=headers)).status_code == 403
