"""What a user of a deployment reaches in the vendor's SDK, member for member beside ours: the pairs, and every difference.

A difference is written as it is found:

- `Class.member`: the vendor has it, we do not; `+Class.member`: the other way round.
- `Class.member(parameter)`, `+Class.member(parameter)`: the same of a parameter.
- `Class.member(parameter=)`: its default differs. `Class.member(parameter by keyword)`: by position there, by keyword only here.
- `Class.member is a call`, `Class.member(order)`: a value on one side only; by position in another order.

`*` for the class stands for several. Here belong tables and nothing that runs them.
"""

from __future__ import annotations

from typing import Final

import attrs


@attrs.frozen
class Difference:
    """Members that differ for one reason.

    Args:
        reason: Why.
        row: First words of the row of docs/differences.md that tells it; None: nobody who uses the SDK meets it.
        members: The differences, without their class, by class.
    """

    reason: str
    row: str | None
    members: dict[str, tuple[str, ...]]


PAIRS: Final[dict[str, tuple[str, str]]] = {
    "Client": ("picsellia.client", "picsellia_async.client:AsyncClient"),
    "Deployment": ("picsellia.sdk.deployment", "picsellia_async.deployment:AsyncDeployment"),
    "Data": ("picsellia.sdk.data", "picsellia_async.resources.data:Data"),
    "DataSource": ("picsellia.sdk.datasource", "picsellia_async.resources.data_source:DataSource"),
    "Datalake": ("picsellia.sdk.datalake", "picsellia_async.resources.datalake:Datalake"),
    "Dataset": ("picsellia.sdk.dataset", "picsellia_async.resources.dataset:Dataset"),
    "DatasetVersion": ("picsellia.sdk.dataset_version", "picsellia_async.resources.dataset:DatasetVersion"),
    "Asset": ("picsellia.sdk.asset", "picsellia_async.resources.dataset:Asset"),
    "Experiment": ("picsellia.sdk.experiment", "picsellia_async.resources.project:Experiment"),
    "Job": ("picsellia.sdk.job", "picsellia_async.resources.platform_job:Job"),
    "Label": ("picsellia.sdk.label", "picsellia_async.resources.label:Label"),
    "Log": ("picsellia.sdk.log", "picsellia_async.models:Log"),
    "Model": ("picsellia.sdk.model", "picsellia_async.resources.model:Model"),
    "ModelContext": ("picsellia.sdk.model_context", "picsellia_async.resources.model:ModelContext"),
    "ModelVersion": ("picsellia.sdk.model_version", "picsellia_async.resources.model:ModelVersion"),
    "PredictedAsset": ("picsellia.sdk.predicted_asset", "picsellia_async.resources.predicted_asset:PredictedAsset"),
    "Project": ("picsellia.sdk.project", "picsellia_async.resources.project:Project"),
    "ReviewCampaign": ("picsellia.sdk.review_campaign", "picsellia_async.resources.campaign:ReviewCampaign"),
    "ReviewCampaignAssignment": (
        "picsellia.sdk.review_campaign_assignment", "picsellia_async.resources.campaign:Assignment",
    ),
    "ReviewCampaignStep": ("picsellia.sdk.review_campaign_step", "picsellia_async.resources.campaign:ReviewCampaignStep"),
    "Tag": ("picsellia.sdk.tag", "picsellia_async.resources.tag:Tag"),
    "User": ("picsellia.sdk.user", "picsellia_async.resources.user:User"),
    "Worker": ("picsellia.sdk.worker", "picsellia_async.resources.user:Worker"),
}  # fmt: skip
"""The vendor's class -> its module, and ours."""

DIFFERENCES: Final = (
    Difference(
        "everywhere: an object's description is a value of its own, and `raw` is the answer as it came",
        "`sync()`",
        {
            "*": ("+description", "+raw"),
        },
    ),
    Difference(
        "what handles are made of; calls that nothing wraps go through `request`",
        "inner parts",
        {
            "*": (
                "+tag_target", "connection", "connexion", "ids", "refresh", "target_type", "id_with_extension",
                "large",
            ),
            "Deployment": ("oracle_connection", "oracle_connexion", "serving_connection", "serving_connexion"),
        },
    ),
    Difference(
        "the life of the client, and its options",
        "constructor",
        {
            "Client": ("+aclose", "+connect", "+host", "+is_closed", "+organization", "+statistics", "+with_options"),
        },
    ),
    Difference(
        "calls that the SDK does not wrap",
        "calls that the SDK does not wrap",
        {
            "Client": ("+request",),
            "Deployment": ("+request",),
        },
    ),
    Difference(
        "named in the vendor's documentation",
        "names in the vendor's documentation",
        {
            "Client": (
                "+create_tag", "+find_tag", "+get_project(name)", "+list_tags",
                "get_project(project_name by keyword)", "get_project(project_name=)",
            ),
            "ModelVersion": ("+get_source_experiment",),
            "Project": ("+get_dataset",),
        },
    ),
    Difference(
        "iterators, one page in memory",
        "many items",
        {
            "Deployment": ("+iter_predicted_assets",),
            "Datalake": ("+iter_data",),
            "DatasetVersion": ("+iter_assets",),
            "ReviewCampaign": ("+iter_assignments",),
        },
    ),
    Difference(
        "what bulk monitoring, checks and arrays need",
        "more calls",
        {
            "Deployment": (
                "+check", "+host", "+is_stored", "+label_map", "+monitor_array", "+monitor_many", "+predict_many", "+uploader",
                "+with_options",
            ),
        },
    ),
    Difference(
        "several objects are plain lists",
        "several objects",
        {
            "Datalake": ("+delete_data",),
        },
    ),
    Difference(
        "the reference's parameters go by position, later ones by keyword",
        "parameters that the reference lacks",
        {
            "Deployment": (
                "list_predicted_assets(assignment_status by keyword)",
                "list_predicted_assets(assignment_step_id by keyword)",
                "list_predicted_assets(assignment_user_id by keyword)",
                "list_predicted_assets(custom_metadata by keyword)", "list_predicted_assets(q by keyword)",
                "monitor(custom_metadata by keyword)", "monitor(custom_metrics by keyword)",
                "monitor(sample by keyword)", "monitor(upload_dir by keyword)",
                "monitor_bytes(custom_metadata by keyword)", "monitor_bytes(custom_metrics by keyword)",
                "monitor_bytes(sample by keyword)", "monitor_bytes(upload_dir by keyword)",
                "monitor_cloud_image(custom_metadata by keyword)", "monitor_cloud_image(custom_metrics by keyword)",
                "monitor_cloud_image(sample by keyword)", "monitor_data(custom_metrics by keyword)",
                "monitor_data(sample by keyword)", "predict(custom_metadata by keyword)",
                "predict(postprocess by keyword)", "predict(upload_dir by keyword)",
                "predict_bytes(custom_metadata by keyword)", "predict_bytes(postprocess by keyword)",
                "predict_bytes(upload_dir by keyword)", "predict_cloud_image(custom_metadata by keyword)",
                "predict_cloud_image(postprocess by keyword)", "predict_data(postprocess by keyword)",
                "update(sample_rate by keyword)",
            ),
            "Datalake": (
                "upload_data(custom_metadata by keyword)", "upload_data(metadata by keyword)",
                "upload_data(sizes by keyword)", "upload_data(upload_dir by keyword)",
            ),
            "DatasetVersion": ("list_assets(custom_metadata by keyword)",),
        },
    ),
    Difference(
        "a bound on what is returned",
        "more calls",
        {
            "ReviewCampaign": ("+list_assignments(limit)",),
        },
    ),
    Difference(
        "fields of the answer",
        "more calls",
        {
            "Asset": ("+data",),
            "Job": ("+has_ended",),
            "PredictedAsset": ("+custom_metadata", "+custom_metrics"),
        },
    ),
    Difference(
        "waiting can be replaced, for tests",
        "waiting",
        {
            "Data": ("+wait_for_upload_done(sleep)",),
            "Job": ("+wait_for_done(sleep)", "+wait_for_status(sleep)"),
        },
    ),
    Difference(
        "files are sent concurrently by themselves, and errors are raised",
        "`upload_data(max_workers=",
        {
            "Datalake": (
                "upload_data(error_manager)", "upload_data(fill_metadata)", "upload_data(max_workers)",
                "upload_data(wait_for_unprocessable_data)",
            ),
        },
    ),
    Difference(
        "a client reads its organization when it connects",
        "`client.sync()`",
        {
            "Client": ("sync",),
        },
    ),
    Difference(
        "asks nobody; warns that it should not be called",
        "`sync()` of users",
        {
            "User": ("sync",),
            "Worker": ("get_infos", "sync"),
        },
    ),
    Difference(
        "an asset's data has them",
        "`asset` of a dataset",
        {
            "Asset": (
                "content_type", "custom_metadata", "dataset_version_id", "download", "duration", "get_data",
                "get_data_tags", "height", "metadata", "reset_url", "to_data_schema", "type", "url", "width",
            ),
        },
    ),
    Difference(
        "always 0: the vendor no longer supports it",
        None,
        {
            "Data": ("duration",),
        },
    ),
    Difference(
        "compares the versions of SDK and platform for its own banner",
        None,
        {
            "Client": ("is_sdk_outdated",),
        },
    ),
    Difference(
        "beyond what a deployment reaches",
        "not here",
        {
            "Client": (
                "create_dataset", "create_model", "create_processing", "create_project", "get_compute_connector",
                "get_processing", "get_public_model", "get_public_processing", "list_annotation_campaigns",
                "list_processings", "list_public_models",
            ),
            "Data": ("embeddings", "list_projections"),
            "Datalake": (
                "count_embeddings", "create_chart", "create_projection", "delete_custom_metadata_schema_key",
                "embeddings_computation_status", "get_custom_metadata_schema", "import_cloud_projections",
                "launch_processing", "list_charts", "list_embeddings", "set_allow_extra_custom_metadata",
                "similar_search", "text_search", "update_custom_metadata_schema", "upsert_custom_metadata_schema_key",
                "visual_search",
            ),
            "Dataset": (
                "add_user", "create_version", "delete", "find_worker", "list_users", "list_workers", "update",
            ),
            "DatasetVersion": (
                "activate_visual_search", "add_data", "build_coco_file_locally", "build_pascal_voc_locally",
                "compute_shapes_embeddings", "convert_tags_to_classification", "copy_assets_to", "count_embeddings",
                "create_asset_tag", "create_campaign", "create_label", "create_label_group",
                "deactivate_visual_search", "delete", "delete_all_annotations", "delete_shape_embeddings",
                "embeddings_computation_status", "export_annotation_file", "find_asset", "fork", "get_asset_tag",
                "get_asset_tag_analytics", "get_attributes", "get_campaign", "get_data_tag_analytics", "get_label",
                "get_or_create_asset_tag", "get_or_create_label", "get_shapes_embeddings_status", "get_skeletons",
                "import_annotation_voc_file", "import_annotations_coco_file", "import_annotations_coco_video_file",
                "import_annotations_yolo_files", "launch_processing", "list_annotations", "list_asset_tags",
                "list_assets(assignment_status)", "list_assets(assignment_step_id)",
                "list_assets(assignment_user_id)", "list_embeddings", "list_fast_trainings", "list_label_groups",
                "list_labels", "list_polygons_embeddings", "list_rectangles_embeddings", "load_annotations", "lock",
                "retrieve_stats", "set_attributes", "set_type", "similar_search", "split_into_multi_assets",
                "start_fast_training", "synchronize", "text_search", "train_test_split", "train_test_val_split",
                "unlock", "update",
            ),
            "Asset": (
                "add_tags", "create_annotation", "delete", "delete_annotations", "embeddings", "get_annotation",
                "get_tags", "list_annotations", "remove_tags", "sync",
            ),
            "Experiment": (
                "add_evaluation", "add_evaluations", "attach_dataset", "attach_model_version", "base_dir",
                "checkpoint_dir", "compute_evaluations_metrics", "config_dir", "create_artifact", "delete",
                "delete_all_artifacts", "delete_all_logs", "detach_dataset", "download_artifacts",
                "end_logging_buffer", "export_as_model", "export_in_existing_model", "exported_model_dir",
                "get_artifact", "get_attached_dataset_versions", "get_base_experiment", "get_base_model_version",
                "get_dataset", "get_logging_file", "launch", "list_artifacts", "list_attached_dataset_versions",
                "list_evaluations", "list_logs", "log", "log_parameters", "metrics_dir", "png_dir", "record_dir",
                "results_dir", "run_train_test_split_on_dataset", "send_logging", "set_base_experiment",
                "set_base_model_version", "start_logging_buffer", "start_logging_chapter", "store",
                "store_local_artifact", "store_logging_file", "update", "update_job_status",
            ),
            "Job": (
                "end_logging_buffer", "send_logging", "start_logging_buffer", "start_logging_chapter",
                "store_logging_file", "update_job_run_with_status",
            ),
            "Label": ("get_attributes", "get_group", "get_skeleton", "set_attributes", "set_group", "set_skeleton"),
            "Log": ("append", "delete", "sync", "update"),
            "Model": ("create_version", "delete", "update"),
            "ModelContext": ("get_infos",),
            "ModelVersion": ("delete", "get_file", "launch_processing", "list_files", "store", "update"),
            "Project": (
                "attach_dataset", "create_experiment", "delete", "delete_all_experiments", "detach_dataset",
                "get_experiment", "get_experiment_by_id", "list_experiments", "update",
            ),
        },
    ),
)  # fmt: skip
"""All of them, by reason."""
