"""Which endpoint a verb and a path mean."""

from __future__ import annotations

import pytest

from picsellia_async._wire.endpoints import ENDPOINTS
from picsellia_async.emulator.endpoint_index import EndpointIndex, Target, resolve


@pytest.mark.parametrize(
    ("method", "path", "is_jwt", "service", "endpoint"),
    [
        ("XGET", "/api/datalake/1/datas", False, "platform", "filter_data"),
        ("HEAD", "/api/tag/1", False, "platform", "get_tag"),
        ("PUT", "/storage/1/a/b", False, "storage", "storage"),
        ("POST", "/api/auth/login", False, "oracle", "oracle_login"),
        ("POST", "/api/login", False, "serving", "serving_login"),
        ("POST", "/api/deployment/1/predictions", True, "oracle", "monitor"),
        ("POST", "/api/v2/deployments/1/predict", True, "serving", "predict_cloud_image"),
        ("GET", "/api/deployment/1", False, "platform", "get_deployment"),
        ("GET", "/api/deployment/1", True, "oracle", "retrieve_information"),
        ("GET", "/api/campaigns/review/1/steps", False, "platform", "list_campaign_steps"),
        ("GET", "/api/campaigns/review/steps/1", False, "platform", "get_campaign_step"),
        ("GET", "/api/deployment/1/fl/datasets", False, "platform", "list_feedback_loop_datasets"),
        ("GET", "/api/tag/", False, "", ""),
        ("GET", "/api/deployment/1/", False, "", ""),
        ("BREW", "/api/tag/1", False, "", ""),
        ("GET", "/nowhere", False, "", ""),
    ],
)
def test_requests_are_named_by_the_table(method: str, path: str, is_jwt: bool, service: str, endpoint: str) -> None:
    """Journal and faults call a request by the name of its endpoint; what the table does not know has none."""
    assert resolve(method, path, is_jwt=is_jwt) == Target(service, endpoint)


@pytest.mark.parametrize("endpoint", ENDPOINTS.values(), ids=list(ENDPOINTS))
def test_every_endpoint_is_found_by_its_own_path(endpoint) -> None:
    """No template hides another."""
    index = EndpointIndex(ENDPOINTS.values())
    path = "/".join("x-1" if segment.startswith("{") else segment for segment in endpoint.path.split("/"))
    found = index.match(endpoint.method, path)
    assert found is not None
    assert endpoint in found.endpoints
    assert set(found.path_params.values()) <= {"x-1"}
    assert endpoint.method in index.methods(path)


def test_a_short_name_stands_for_several_endpoints() -> None:
    """`login` is the sign-in at either service."""
    assert Target("oracle", "oracle_login").is_called("login")
    assert Target("serving", "serving_login").is_called("login")
    assert not Target("platform", "ping").is_called("login")
