"""What the vendor's SDK reads is read here: each answer of its schemas, with one field changed."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys

import pytest

from picsellia_async import campaign_models, models
from picsellia_async._wire.reader import READER, UNREADABLE

from ..support.answers import CHANGES, changed, fields_of, good

pytestmark = pytest.mark.skipif(importlib.util.find_spec("picsellia") is None, reason="needs the vendor's SDK")

PAIRS = {
    "OrganizationSchema": models.Organization, "TagSchema": models.TagDescription, "DatalakeSchema": models.DatalakeDescription,
    "DeploymentSchema": models.DeploymentDescription, "LabelSchema": models.LabelDescription,
    "UserSchema": models.UserDescription, "JobRunSchema": models.JobDescription,
    "TargetDatalakeConnectorSchema": models.Connector, "ModelSchema": models.ModelDescription,
    "ModelVersionSchema": models.ModelVersionDescription, "ModelDataSchema": models.ModelContextData,
    "ModelContextSchema": models.ModelContextDescription, "ExperimentSchema": models.ExperimentDescription,
    "LogSchema": models.Log, "DatasetSchema": models.DatasetDescription,
    "DatasetVersionSchema": models.DatasetVersionDescription, "ProjectSchema": models.ProjectDescription,
    "DataSourceSchema": models.DataSourceDescription, "ImageMetaSchema": models.DataMeta, "DataSchema": models.DataDescription,
    "ImageSchema": models.DataDescription, "AssetSchema": models.AssetDescription,
    "PredictedAssetSchema": models.PredictedAssetDescription, "AssignmentSchema": campaign_models.AssignmentDescription,
    "AssignmentDataSchema": campaign_models.AssignmentData, "CampaignStepSchema": campaign_models.CampaignStepDescription,
    "ReviewCampaignSchema": campaign_models.ReviewCampaignDescription,
}  # fmt: skip
NEEDED_BY_BOTH = {"id"}
"""The vendor's schemas read an object without an id; its objects then raise `UndefinedObjectError`."""

CASES = [
    (schema, field.name, change, changed(kind, field.name, change))
    for schema, kind in PAIRS.items()
    for field in fields_of(kind)
    for change in CHANGES
    if field.name not in NEEDED_BY_BOTH
]

READ_THERE = """
import json, sys, warnings
warnings.simplefilter("ignore")
from picsellia.types import schemas

def survives(schema, answer):
    try:
        getattr(schemas, schema)(**answer)
    except ValueError:
        return False
    return True

json.dump([survives(schema, answer) for schema, answer in json.load(sys.stdin)], sys.stdout)
"""


def read_there(cases):
    """Say of each answer whether the vendor's SDK reads it; in a process of its own, since importing it changes the logging."""
    done = subprocess.run(
        [sys.executable, "-c", READ_THERE], input=json.dumps(cases), capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def test_what_the_vendor_survives_is_read():
    """Whatever field is null, a text, an object or absent: where the vendor's SDK goes on, this one does."""
    survived = read_there([(schema, answer) for schema, _, _, answer in CASES])
    assert sum(survived) > 150
    fails = []
    for there, (schema, field, change, answer) in zip(survived, CASES, strict=True):
        try:
            READER.structure(answer, PAIRS[schema])
        except UNREADABLE:
            fails += [f"{schema}.{field} {change}"] if there else []
    assert fails == []


def test_a_good_answer_is_good_for_both():
    """So that the cases above compare what they say."""
    assert all(read_there([(schema, good(kind)) for schema, kind in PAIRS.items()]))
