"""Bodies that the platform takes, in the order in which the wire carries their fields (docs/wire.md#endpoints).

A field that was not given is `UNSET` and stays out; fields that travel even as null are declared `nullable` and have no default. Rules that tie fields together are validators, for client and emulator alike.
"""

# ruff: noqa: RUF009 - `required`, `optional` and `nullable` return attrs fields, not values

from __future__ import annotations

import datetime
from typing import Any, Final
from uuid import UUID

import attrs

from picsellia_async._wire.converter import JsonObject
from picsellia_async._wire.fields import any_text, nullable, optional, required
from picsellia_async._wire.unset import UNSET, Unset
from picsellia_async.enums import (
    CampaignStepType,
    ContinuousDeploymentPolicy,
    ContinuousTrainingTrigger,
    ContinuousTrainingType,
    DataType,
    DataUploadStatus,
    TagTarget,
)
from picsellia_async.errors import BadConfigurationContinuousTrainingError, ConfigurationError, shown
from picsellia_async.validation import boolean, finite_object, real_number, text, texts, uuid, whole_number

UPLOAD_STATUSES: Final = (
    DataUploadStatus.PENDING,
    DataUploadStatus.COMPUTING,
    DataUploadStatus.DONE,
    DataUploadStatus.ERROR,
)
"""Always named on paged lists, all four (docs/wire.md#paged-lists)."""

DATA_TYPES: Final = (DataType.IMAGE, DataType.VIDEO)
"""Always named on paged lists, both (docs/wire.md#paged-lists)."""

BULK_UPDATE_MAX: Final = 100
"""Most data in one bulk update (docs/wire.md#limits)."""

IMPORT_MAX: Final = 500
"""Most named objects in one import."""


def identifier(value: Any, name: str) -> UUID:
    """Return the id of a handle or description, or the UUID for a UUID or its text.

    Raises:
        ConfigurationError: The value is none of these.
    """
    return uuid(getattr(value, "id", value), name)


def share(value: Any, name: str) -> float:
    """Return a number from 0 to 1.

    Raises:
        ConfigurationError: The value is something else.
    """
    number = real_number(value, name, 0.0)
    if number > 1.0:
        raise ConfigurationError(f"{name} must be at most 1, got {shown(value)}")
    return number


def day(value: Any, name: str) -> str:
    """Return the ISO date of a date, a datetime or an ISO text.

    Raises:
        ConfigurationError: The value is no date.
    """
    if isinstance(value, datetime.datetime):
        value = value.date()
    if isinstance(value, datetime.date):
        return value.isoformat()
    try:
        return datetime.date.fromisoformat(value).isoformat()
    except (TypeError, ValueError):
        raise ConfigurationError(f"{name} must be a date or its ISO text, got {shown(value)}") from None


# Deployments


@attrs.frozen(kw_only=True, eq=False, repr=False)
class CreateDeploymentRequest:
    """A new deployment (docs/wire.md#organization-endpoints)."""

    model_version_id: UUID
    """The champion."""
    name: str | Unset = optional(text, "name")
    """Made up by the platform otherwise."""
    min_threshold: float | Unset = optional(share, "min_threshold")
    """Score below which serving drops a shape, 0 to 1."""
    target_datalake_id: UUID | Unset = UNSET
    """The default datalake otherwise."""
    shadow_model_version_id: UUID | Unset = UNSET
    """Runs beside the champion."""
    disable_serving: bool | Unset = UNSET
    """True: no serving host. Travels only when it is True."""


@attrs.frozen(kw_only=True, eq=False, repr=False)
class DeployModelVersionRequest:
    """A new deployment of a model version."""

    name: str | Unset = optional(text, "name")
    """Made up by the platform otherwise."""
    min_threshold: float | Unset = optional(share, "min_threshold")
    """Score below which serving drops a shape, 0 to 1."""
    target_datalake_id: UUID | Unset = UNSET
    """The default datalake otherwise."""


@attrs.frozen(kw_only=True, eq=False, repr=False)
class UpdateDeploymentRequest:
    """Changes to a deployment; what is left out stays as it is."""

    name: str | Unset = optional(text, "name")
    min_threshold: float | Unset = optional(share, "min_threshold")
    """Score below which serving drops a shape, 0 to 1."""
    target_datalake_id: UUID | Unset = UNSET
    """Where new images go."""
    sample_rate: float | Unset = optional(share, "sample_rate")
    """Share of monitored images that the platform keeps, 0 to 1."""


@attrs.frozen(kw_only=True, eq=False, repr=False)
class ModelVersionRequest:
    """Names a model version: set as champion, or as shadow."""

    model_version_id: UUID
    """The model version."""


@attrs.frozen(kw_only=True, eq=False, repr=False)
class EmptyRequest:
    """`{}`."""


@attrs.frozen(kw_only=True, eq=False, repr=False)
class ToggleRequest:
    """Switches a pipeline on or off."""

    active: bool = required(boolean, "active")
    """On or off."""


@attrs.frozen(kw_only=True, eq=False, repr=False)
class DatasetVersionRequest:
    """Names a dataset version: attached to a pipeline, or set as training data."""

    dataset_version_id: UUID
    """The dataset version."""
    name: str | Unset = optional(text, "alias")
    """Alias in the training (`train`, `test`, ...); continuous training only."""


@attrs.frozen(kw_only=True, eq=False, repr=False)
class IdsRequest:
    """Names objects to detach or to delete."""

    ids: list[UUID]
    """Their ids."""


@attrs.frozen(kw_only=True, eq=False, repr=False)
class ContinuousTrainingRequest:
    """Sets up continuous training."""

    project_id: UUID
    """Where experiments are made."""
    trigger: ContinuousTrainingTrigger | Unset = UNSET
    """What starts one."""
    threshold: int | Unset = optional(whole_number, "threshold", 1)
    """How many submitted reviews it takes."""
    training_type: ContinuousTrainingType
    """The only one there is. No default: defaults do not travel, this does."""
    experiment_parameters: JsonObject = required(finite_object, "experiment_parameters")
    """Training parameters."""

    def __attrs_post_init__(self) -> None:
        """Refuse half of a trigger: the vendor's SDK drops it in silence, and no training ever starts (docs/wire.md#deployment-endpoints)."""
        if (self.trigger is UNSET) != (self.threshold is UNSET):
            lone, missing = ("threshold", "trigger") if self.trigger is UNSET else ("trigger", "threshold")
            raise BadConfigurationContinuousTrainingError(
                f"{lone} was given without {missing}; continuous training needs both, or neither "
                f"(trigger is one of {', '.join(ContinuousTrainingTrigger.__members__)})"
            )


@attrs.frozen(kw_only=True, eq=False, repr=False)
class ContinuousDeploymentRequest:
    """Sets up continuous deployment."""

    policy: ContinuousDeploymentPolicy
    """What happens to a new model version."""


@attrs.frozen(kw_only=True, eq=False, repr=False)
class AddUserRequest:
    """Gives a user access."""

    user_id: UUID
    role: str | Unset = optional(text, "role")
    """Words of the platform; its documentation mentions ADMIN, USER, LABELER, UNPRIVILEGED."""


# Campaigns


@attrs.frozen(kw_only=True, eq=False, repr=False)
class CreateCampaignRequest:
    """A new review campaign; the first five travel even as null."""

    description: str | None = nullable(any_text, "description")
    """Free text."""
    instructions_text: str | None = nullable(any_text, "instructions_text")
    """What reviewers are to do."""
    end_date: str | None = nullable(day, "end_date")
    """ISO date."""
    auto_add_new_assets: bool | None = nullable(boolean, "auto_add_new_assets")
    """Whether new predicted assets become tasks."""
    auto_close_on_completion: bool | None = nullable(boolean, "auto_close_on_completion")
    """Whether it closes when all tasks are done."""
    instructions_object_name: str | Unset = optional(text, "instructions_object_name")
    """Instructions file, by its name in the object storage."""


@attrs.frozen(kw_only=True, eq=False, repr=False)
class UpdateCampaignRequest:
    """Changes to a campaign; what is left out stays as it is."""

    description: str | Unset = optional(any_text, "description")
    """Free text."""
    instructions_object_name: str | Unset = optional(text, "instructions_object_name")
    """Instructions file, by its name in the object storage."""
    instructions_text: str | Unset = optional(any_text, "instructions_text")
    """What reviewers are to do."""
    end_date: str | Unset = optional(day, "end_date")
    """ISO date."""
    auto_add_new_assets: bool | Unset = optional(boolean, "auto_add_new_assets")
    """Whether new predicted assets become tasks."""
    auto_close_on_completion: bool | Unset = optional(boolean, "auto_close_on_completion")
    """Whether it closes when all tasks are done."""
    default_entry_step_id: UUID | Unset = UNSET
    """Step where new tasks begin."""


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Assignee:
    """Who gets tasks of a step, and how many compared to the others."""

    user_id: UUID
    weight: float = required(real_number, "weight", 0.0)
    """Share of the tasks, relative to the other weights."""


@attrs.frozen(kw_only=True, eq=False, repr=False)
class AddStepRequest:
    """A new step of a review campaign; nulls travel."""

    name: str = required(text, "name")
    type: CampaignStepType = attrs.field()
    """REVIEW or QUALITY_CONTROL."""
    description: str | None = nullable(any_text, "description")
    """Free text."""
    order: int | None = nullable(whole_number, "order", 0)
    """Place among the steps; None: last."""
    sample_rate: float | None = nullable(share, "sample_rate")
    """Share of the tasks that pass through this step, 0 to 1."""
    assignees: list[Assignee] | Unset = UNSET
    """Who gets the tasks."""

    @type.validator  # noqa: A003 - the wire's name
    def _check_type(self, _: object, value: CampaignStepType) -> None:
        if value is CampaignStepType.ANNOTATION:
            raise ConfigurationError(
                "type of a review campaign's step must be REVIEW or QUALITY_CONTROL, got ANNOTATION"
            )


@attrs.frozen(kw_only=True, eq=False, repr=False)
class UpdateStepRequest:
    """Changes to a step; what is left out stays as it is."""

    name: str | Unset = optional(text, "name")
    sample_rate: float | Unset = optional(share, "sample_rate")
    """Share of the tasks that pass through this step, 0 to 1."""
    assignees: list[Assignee] | Unset = UNSET
    """Who gets the tasks; takes the place of all assignees before."""


@attrs.frozen(kw_only=True, eq=False, repr=False)
class DeleteStepRequest:
    """Says where the tasks of a deleted step go."""

    destination_step_id_for_pending_assignments: UUID
    """Another step of the campaign."""


@attrs.frozen(kw_only=True, eq=False, repr=False)
class ReassignRequest:
    """Gives tasks to somebody else."""

    assignment_ids: list[UUID]
    """The tasks."""
    user_id: UUID | None = attrs.field()
    """Who gets them; null: nobody."""


@attrs.frozen(kw_only=True, eq=False, repr=False)
class ReviewRequest:
    """A review of a predicted asset; without any shape it says "nothing there". Coordinates are pixels, x before y."""

    rectangles: list[JsonObject] | Unset = UNSET
    """`{x, y, w, h, label_id}`, as opposed to the `[top, left, bottom, right]` of predictions."""
    polygons: list[JsonObject] | Unset = UNSET
    """`{polygon: [[x, y], ...], label_id}`."""
    classifications: list[JsonObject] | Unset = UNSET
    """`{label_id}`."""
    lines: list[JsonObject] | Unset = UNSET
    """`{line: [[x, y], ...], label_id}`."""
    points: list[JsonObject] | Unset = UNSET
    """`{point: [x, y], label_id}`."""


# Tags, data sources, labels


@attrs.frozen(kw_only=True, eq=False, repr=False)
class CreateTagRequest:
    """A new tag of the organization."""

    name: str = required(text, "name")
    """Name, unique among tags of one target."""
    target_type: TagTarget
    """What it can be put on."""


@attrs.frozen(kw_only=True, eq=False, repr=False)
class NameRequest:
    """A name: of a new data tag or data source, or the new one of an old object."""

    name: str = required(text, "name")


@attrs.frozen(kw_only=True, eq=False, repr=False)
class UpdateLabelRequest:
    """Changes to a label; what is left out stays as it is."""

    name: str | Unset = optional(text, "name")
    group_id: UUID | Unset = UNSET


# Data


@attrs.frozen(kw_only=True, eq=False, repr=False)
class FilterRequest:
    """Body of the XGET lists: one list of values, then what every list says (docs/wire.md#long-lists)."""

    ids: list[UUID] | Unset = UNSET
    filenames: list[str] | Unset = UNSET
    """Names shown on the platform."""
    object_names: list[str] | Unset = UNSET
    """Names in the object storage."""
    filename_startswith: list[str] | Unset = UNSET
    """Beginnings of names; assets only."""
    data_ids: list[UUID] | Unset = UNSET
    """Identifiers of the data behind assets; assets only."""
    q: str | Unset = optional(text, "q")
    """Query (docs/wire.md#query-language)."""
    upload_statuses: list[DataUploadStatus]
    """All four."""
    types: list[DataType]
    """Both."""


@attrs.frozen(kw_only=True, eq=False, repr=False)
class CreateDataRequest:
    """A new data, whose file is in the storage already."""

    type: DataType
    """Image or video."""
    filename: str = required(text, "filename")
    """Name shown on the platform."""
    object_name: str = required(text, "object_name")
    """Name in the object storage."""
    content_type: str = required(text, "content_type")
    """MIME type in lower case."""
    tags: list[UUID]
    """Ids of data tags."""
    data_source_id: UUID | None = attrs.field()
    """Where it comes from."""
    meta: JsonObject | Unset = optional(finite_object, "meta")
    """`{width, height}` in pixels."""
    metadata: JsonObject | Unset = optional(finite_object, "metadata")
    """Known keys: docs/wire.md#data-shape."""
    custom_metadata: JsonObject | Unset = optional(finite_object, "custom_metadata")
    """Keys of your own, with any JSON values."""


@attrs.frozen(kw_only=True, eq=False, repr=False)
class UpdateDataRequest:
    """New metadata of a data; null removes it."""

    metadata: JsonObject | None = nullable(finite_object, "metadata")
    """Known keys: docs/wire.md#data-shape."""


@attrs.frozen(kw_only=True, eq=False, repr=False)
class UpdateCustomMetadataRequest:
    """New custom metadata of a data; null removes it."""

    custom_metadata: JsonObject | None = nullable(finite_object, "custom_metadata")
    """Keys of your own, with any JSON values."""


@attrs.frozen(kw_only=True, eq=False, repr=False)
class DataChanges:
    """What a bulk update changes of one data, or an import says of one object; nulls travel."""

    metadata: JsonObject | None = nullable(finite_object, "metadata")
    """Known keys: docs/wire.md#data-shape."""
    custom_metadata: JsonObject | None = nullable(finite_object, "custom_metadata")
    """Keys of your own, with any JSON values."""
    tags: list[str] | None = nullable(texts, "tags")
    """Names of data tags."""
    data_source: str | None = nullable(text, "data_source")
    """Name of the data source."""


@attrs.frozen(kw_only=True, eq=False, repr=False)
class UpdateMultipleDataRequest:
    """Changes to up to 100 data."""

    datalake_id: UUID
    objects: dict[str, DataChanges] = attrs.field()
    """Changes by the text of the data's id."""

    @objects.validator
    def _check_count(self, _: object, value: dict[str, DataChanges]) -> None:
        if not 1 <= len(value) <= BULK_UPDATE_MAX:
            raise ConfigurationError(f"objects must have 1 to {BULK_UPDATE_MAX} entries, got {len(value)}")


@attrs.frozen(kw_only=True, eq=False, repr=False)
class ImportObjectsRequest:
    """Objects of a bucket that shall become data: all below some prefixes, or named ones."""

    datalake_id: UUID
    prefixes: list[str] | Unset = optional(texts, "prefixes")
    """Beginnings of object names."""
    tag_ids: list[UUID] | Unset = UNSET
    """Ids of data tags; with prefixes."""
    data_source_id: UUID | Unset = UNSET
    """Where they come from; with prefixes."""
    objects: dict[str, DataChanges] | Unset = attrs.field(default=UNSET)
    """What is said of each object, by its name."""

    @objects.validator
    def _check_count(self, _: object, value: dict[str, DataChanges] | Unset) -> None:
        if value is not UNSET and not 1 <= len(value) <= IMPORT_MAX:
            raise ConfigurationError(f"cloud_objects must have 1 to {IMPORT_MAX} entries, got {len(value)}")
