"""The table is complete: nothing of the vendor's `Deployment` is left out, and no row is idle."""

from __future__ import annotations

import inspect
from collections import Counter
from typing import Any

from . import ids, sides
from .recorder import Recorder
from .table import NOT_ON_THE_WIRE, ROWS


def public_methods(owner: type) -> set[str]:
    """Return the names of the methods that a user may call."""
    return {name for name, _ in inspect.getmembers(owner, inspect.isfunction) if not name.startswith("_")}


def test_every_public_method_of_the_vendors_deployment_has_a_row(vendor_names: sides.Names) -> None:
    """A method that a new version of the vendor's SDK brings fails here until it has a row."""
    covered = {row.method.removeprefix("Deployment.") for row in ROWS if row.method.startswith("Deployment.")}
    assert covered | set(NOT_ON_THE_WIRE) == public_methods(vendor_names.Deployment)
    assert not covered & set(NOT_ON_THE_WIRE)


def test_every_row_names_a_method_that_exists(vendor_names: sides.Names) -> None:
    """A row with a slip in its method would count for nothing."""
    modules = {
        "ReviewCampaign": "picsellia.sdk.review_campaign",
        "ReviewCampaignStep": "picsellia.sdk.review_campaign_step",
        "ReviewCampaignAssignment": "picsellia.sdk.review_campaign_assignment",
        "PredictedAsset": "picsellia.sdk.predicted_asset",
        "MultiData": "picsellia.sdk.data",
    }
    for row in ROWS:
        owner, _, method = row.method.partition(".")
        names = sides.Names(modules[owner]) if owner in modules else vendor_names
        assert method in public_methods(getattr(names, owner)), row.name


def test_row_names_are_unique() -> None:
    """Two rows of one name would hide one of them in a report."""
    assert [name for name, count in Counter(row.name for row in ROWS).items() if count > 1] == []


def test_what_has_no_row_sends_nothing(recorder: Recorder, vendor_client: Any, vendor_names: sides.Names) -> None:
    """`refresh` is the one method without a row, and it does stay off the wire."""
    deployment = vendor_client.get_deployment("awesome-deploy")
    recorder.take()
    deployment.refresh({"id": ids.DEPLOYMENT, "name": "n", "type": "POINT"})
    assert recorder.take() == []
    assert list(NOT_ON_THE_WIRE) == ["refresh"]
