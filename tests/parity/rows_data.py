"""Rows of datalakes, their data, and reviews."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from . import ids
from .row import DATE, ONE, TYPED, Row

DATALAKES: Final = [
    Row("get_datalake_default", "Client.get_datalake", lambda client: client.get_datalake()),
    Row("get_datalake_name", "Client.get_datalake", lambda client: client.get_datalake(name="target-datalake")),
    Row("get_datalake_id", "Client.get_datalake", lambda client: client.get_datalake(id=UUID(ids.DATALAKE))),
    Row("list_datalakes", "Client.list_datalakes", lambda client: client.list_datalakes()),
    Row("datalake_sync", "Datalake.sync", lambda datalake: datalake.sync(), differs=TYPED),
    Row("list_data", "Datalake.list_data", lambda datalake: datalake.list_data()),
    Row("list_data_limit", "Datalake.list_data", lambda datalake: datalake.list_data(limit=1)),
    Row(
        "list_data_everything",
        "Datalake.list_data",
        lambda datalake: datalake.list_data(limit=3, offset=1, tags=["a", "b"], q="x = 1", custom_metadata={"a": 1}),
    ),
    Row(
        "list_data_all_tags",
        "Datalake.list_data",
        lambda datalake, data_tag: datalake.list_data(tags=[data_tag, "b"], intersect_tags=True),
    ),
    Row(
        "list_data_ids",
        "Datalake.list_data",
        lambda datalake: datalake.list_data(ids=[ids.DATA, UUID(ids.SECOND_DATA)], q="x = 1", order_by=["id"]),
    ),
    Row("list_data_filenames", "Datalake.list_data", lambda datalake: datalake.list_data(filenames=["a.jpg", "b"])),
    Row(
        "list_data_object_names",
        "Datalake.list_data",
        lambda datalake: datalake.list_data(object_names=["d/o.jpg"], custom_metadata={"a": 1}),
    ),
    Row(
        "find_data_everything",
        "Datalake.find_data",
        lambda datalake: datalake.find_data("o.jpeg", "dir/o.jpeg", ids.DATA),
    ),
    Row("create_data_tag", "Datalake.create_data_tag", lambda datalake: datalake.create_data_tag("t")),
    Row("get_data_tag", "Datalake.get_data_tag", lambda datalake: datalake.get_data_tag("t")),
    Row(
        "get_or_create_data_tag",
        "Datalake.get_or_create_data_tag",
        lambda datalake: datalake.get_or_create_data_tag("t"),
    ),
    Row("list_data_tags", "Datalake.list_data_tags", lambda datalake: datalake.list_data_tags()),
    Row(
        "datas_delete",
        "MultiData.delete",
        lambda datas: datas.delete(),
        ours=lambda datalake, datas: datalake.delete_data(datas),  # ours lists into a plain list
    ),
    Row(
        "upload_data",
        "Datalake.upload_data",
        lambda datalake, picture: datalake.upload_data(str(picture), sizes=(20, 10)),
        differs=ONE,
    ),
    Row(
        "upload_data_everything",
        "Datalake.upload_data",
        lambda datalake, picture, data_tag, source: datalake.upload_data(
            [picture],
            tags=[data_tag],
            source=source,
            metadata={"weather": "rain"},
            upload_dir="u/",
            custom_metadata={"line": 3},
            sizes=(20, 10),  # without it the vendor opens the file with Pillow to tell its size, ours does not
        ),
        differs=ONE,
    ),
    Row(
        "update_multiple_data",
        "Datalake.update_multiple_data",
        lambda datalake: datalake.update_multiple_data(
            {UUID(ids.DATA): {"metadata": {"weather": "rain"}, "tags": ["t"]}}
        ),
    ),
    Row(
        "import_bucket_objects",
        "Datalake.import_bucket_objects",
        lambda datalake: datalake.import_bucket_objects(["p/"]),
    ),
    Row(
        "import_cloud_objects",
        "Datalake.import_cloud_objects",
        lambda datalake: datalake.import_cloud_objects(
            {"d/o.jpg": {"metadata": {"weather": "rain"}, "tags": ["t"], "data_source": "s"}, "d/p.jpg": {}}
        ),
    ),
    Row("data_sync", "Data.sync", lambda data: data.sync(), differs=TYPED),
    Row("data_get_tags", "Data.get_tags", lambda data: data.get_tags()),
    Row("data_add_tags", "Data.add_tags", lambda data, data_tag: data.add_tags(data_tag)),
    Row("data_remove_tags", "Data.remove_tags", lambda data, data_tag: data.remove_tags([data_tag])),
    Row("data_get_datasource", "Data.get_datasource", lambda data: data.get_datasource()),
    Row("data_reset_url", "Data.reset_url", lambda data: data.reset_url()),
    Row("data_update_metadata", "Data.update_metadata", lambda data: data.update_metadata({"weather": "rain"})),
    Row(
        "data_update_custom_metadata",
        "Data.update_custom_metadata",
        lambda data: data.update_custom_metadata(None),
    ),
    Row("data_delete", "Data.delete", lambda data: data.delete()),
]


REVIEWS: Final = [
    Row("asset_sync", "PredictedAsset.sync", lambda asset: asset.sync(), differs=TYPED),
    Row("asset_get_data", "PredictedAsset.get_data", lambda asset: asset.get_data()),
    Row("asset_reset_url", "PredictedAsset.reset_url", lambda asset: asset.reset_url()),
    Row("asset_delete", "PredictedAsset.delete", lambda asset: asset.delete()),
    Row(
        "asset_champion",
        "PredictedAsset.get_champion_prediction",
        lambda asset: asset.get_champion_prediction(),
    ),
    Row("asset_shadow", "PredictedAsset.get_shadow_prediction", lambda asset: asset.get_shadow_prediction()),
    Row("asset_review", "PredictedAsset.get_review", lambda asset: asset.get_review()),
    Row("add_review_empty", "PredictedAsset.add_review", lambda asset: asset.add_review()),
    Row(
        "add_review_everything",
        "PredictedAsset.add_review",
        lambda asset, labels: asset.add_review(
            rectangles=[(1, 2, 3, 4, labels[0])],
            polygons=[([[0, 0], [1, 0], [1, 1]], labels[0])],
            classifications=[labels[0]],
            lines=[([[0, 0], [1, 1]], labels[0])],
            points=[([3, 4], labels[0])],
        ),
    ),
    Row("list_review_campaigns", "Client.list_review_campaigns", lambda client: client.list_review_campaigns()),
    Row(
        "list_review_campaigns_open",
        "Client.list_review_campaigns",
        lambda client: client.list_review_campaigns(is_closed=False),
    ),
    Row("campaign_sync", "ReviewCampaign.sync", lambda campaign: campaign.sync(), differs=TYPED),
    Row("campaign_update", "ReviewCampaign.update", lambda campaign: campaign.update(description="new")),
    Row(
        "campaign_update_everything",
        "ReviewCampaign.update",
        lambda campaign, steps: campaign.update("d", "o", "t", DATE, True, False, steps[0]),
    ),
    Row("campaign_close", "ReviewCampaign.close", lambda campaign: campaign.close()),
    Row("campaign_reopen", "ReviewCampaign.reopen", lambda campaign: campaign.reopen()),
    Row("campaign_delete", "ReviewCampaign.delete", lambda campaign: campaign.delete()),
    Row(
        "campaign_add_step",
        "ReviewCampaign.add_step",
        lambda campaign: campaign.add_step("review", "REVIEW"),
    ),
    Row(
        "campaign_add_step_everything",
        "ReviewCampaign.add_step",
        lambda campaign, users, api: campaign.add_step(
            "check", api.CampaignStepType.QUALITY_CONTROL, "d", [(users[0], 1.5)], 1, 0.5
        ),
    ),
    Row("campaign_list_steps", "ReviewCampaign.list_steps", lambda campaign: campaign.list_steps()),
    Row(
        "campaign_sync_assets",
        "ReviewCampaign.sync_assets",
        lambda campaign: campaign.sync_assets(),
        differs={"error": "nothing to add is a NoDataError of ours, a bare ValueError of the vendor's"},
    ),
    Row(
        "campaign_list_assignments",
        "ReviewCampaign.list_assignments",
        lambda campaign: campaign.list_assignments(),
    ),
    Row(
        "campaign_list_assignments_everything",
        "ReviewCampaign.list_assignments",
        lambda campaign, users: campaign.list_assignments(UUID(ids.STEP), "DONE", users[0], {"a": 1}, "x = 1"),
    ),
    Row(
        "campaign_list_assignments_unassigned",
        "ReviewCampaign.list_assignments",
        lambda campaign: campaign.list_assignments(user="unassigned"),
    ),
    Row(
        "campaign_reassign",
        "ReviewCampaign.reassign",
        lambda campaign, assignments, users: campaign.reassign(assignments, users[0]),
    ),
    Row(
        "campaign_unassign",
        "ReviewCampaign.reassign",
        lambda campaign, assignments: campaign.reassign(assignments),
    ),
    Row(
        "campaign_issue_counts",
        "ReviewCampaign.get_campaign_issue_counts",
        lambda campaign, users: campaign.get_campaign_issue_counts(users=users),
    ),
    Row(
        "campaign_upload_instructions",
        "ReviewCampaign.upload_instructions_file",
        lambda campaign, instructions: campaign.upload_instructions_file(str(instructions)),
    ),
    Row(
        "assignment_sync",
        "ReviewCampaignAssignment.sync",
        lambda assignments: assignments[0].sync(),
        differs=TYPED
        | {"requests": "the vendor doubles the prefix of this path (docs/wire.md#predicted-asset-endpoints)"},
        instead=(f"GET /api/campaigns/review/assignments/{ids.ASSIGNMENT}",),
    ),
    Row("assignment_reset_url", "ReviewCampaignAssignment.reset_url", lambda assignments: assignments[0].reset_url()),
    Row("step_sync", "ReviewCampaignStep.sync", lambda steps: steps[0].sync(), differs=TYPED),
    Row(
        "step_update",
        "ReviewCampaignStep.update",
        lambda steps, users: steps[0].update("n", [(users[0], 2.0)], 0.5),
    ),
    Row("step_delete", "ReviewCampaignStep.delete", lambda steps: steps[0].delete(UUID(ids.STEP))),
    Row(
        "step_redistribute",
        "ReviewCampaignStep.redistribute_assignments",
        lambda steps: steps[0].redistribute_assignments(),
    ),
    Row("list_organization_users", "Client.list_users", lambda client: client.list_users()),
    Row("find_organization_user", "Client.list_users", lambda client: client.list_users("ada")),
    Row("get_job_by_id", "Client.get_job_by_id", lambda client: client.get_job_by_id(ids.JOB)),
    Row("job_sync", "Job.sync", lambda job: job.sync(), differs=TYPED),
    Row("label_update", "Label.update", lambda labels: labels[0].update("n", UUID(ids.LABEL))),
    Row("label_delete", "Label.delete", lambda labels: labels[0].delete()),
    Row("label_sync", "Label.sync", lambda labels: labels[0].sync(), differs=TYPED),
]
