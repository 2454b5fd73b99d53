"""What the services say, as frozen values. Only fields that the documented API shows; nothing here waits or acts.

Services grow and answer otherwise than their documentation says. Fields without a default must be there, the others are read where they can
be; the answer as it came is `raw`. `_wire/converter` does the reading. Shapes: docs/wire.md#shapes.
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar
from uuid import UUID

import attrs

from picsellia_async.enums import (
    DataType,
    DataUploadStatus,
    ExperimentStatus,
    Framework,
    InferenceType,
    JobRunStatus,
    LogType,
    TagTarget,
)

T = TypeVar("T")


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Value:
    """Equality, hash and repr of a frozen value, by its fields. Written once: generated for each class they doubled the time of import."""

    raw: dict[str, Any] = attrs.field(factory=dict, repr=False, eq=False)
    """The answer as it came, with what this SDK does not know; empty for a value that no answer made."""

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return _values(self) == _values(other)

    def __hash__(self) -> int:
        return hash((type(self), *_values(self)))

    def __repr__(self) -> str:
        shown = (field.name for field in _fields(self) if field.repr)
        return f"{type(self).__name__}({', '.join(f'{name}={getattr(self, name)!r}' for name in shown)})"


def _fields(value: Any) -> tuple[attrs.Attribute[Any], ...]:
    fields: tuple[attrs.Attribute[Any], ...] = attrs.fields(type(value))
    return fields


def _values(value: Any) -> list[Any]:
    return [getattr(value, field.name) for field in _fields(value) if field.eq]


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Page(Value, Generic[T]):
    """One page of a listing (docs/wire.md#lists)."""

    items: list[T]
    """What the page holds; an answer without it is no page."""
    count: int | None = None
    """How many match in all; None where the service does not say."""
    next_cursor: str | None = None
    """Opaque text that fetches the next page; None or empty on the last."""
    odd: int = 0
    """Items that could not be read. They count where pages are counted, and are told in the log."""

    @property
    def size(self) -> int:
        """How many items the service gave."""
        return len(self.items) + self.odd


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Ping(Value):
    """Answer of the platform's ping (docs/wire.md#connecting)."""

    username: str | None = None
    """Name of the token's user."""
    default_organization: UUID | None = None
    """Organization used when none was named."""
    sdk_version: str | None = None
    """Version of the vendor's SDK that the platform expects."""


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Organization(Value):
    """An organization of the platform."""

    id: UUID
    name: str
    """Name, unique on the platform."""
    default_connector_id: UUID | None = None
    """Storage used where nothing else is said. Without one the platform gets no `X-Picsellia-Organization` header (docs/wire.md#headers)."""


@attrs.frozen(kw_only=True)
class LoginReceipt:
    """Answer of a JWT sign-in (docs/wire.md#sign-in)."""

    jwt: str = attrs.field(repr=False)
    """The token; never logged. Visible ASCII: it becomes a header, which an answer must not be able to add lines to."""
    expires: Any = None
    """Seconds of life, epoch seconds, or an ISO time: the service's format is not documented."""

    @jwt.validator
    def _check_jwt(self, _: object, value: str) -> None:
        if not value or not value.isascii() or not value.isprintable() or " " in value:
            raise ValueError("the JWT must be visible ASCII characters (the value is not shown)")


@attrs.frozen(kw_only=True, eq=False, repr=False)
class TagDescription(Value):
    """A tag (docs/wire.md#other-shapes)."""

    id: UUID
    name: str
    """Name, unique among tags of one target."""
    target_type: TagTarget
    """What it can be put on."""


@attrs.frozen(kw_only=True, eq=False, repr=False)
class DeploymentDescription(Value):
    """A deployment as the platform tells it (docs/wire.md#deployment-shape)."""

    id: UUID
    name: str
    """Name, unique in the organization."""
    type: InferenceType
    """What its model predicts."""
    oracle_host: str | None = None
    """URL of the monitoring host; None: this deployment is not monitored."""
    serving_host: str | None = None
    """URL of the serving host; None: this deployment does not serve."""
    review_campaign_id: UUID | None = None
    """The review campaign, if there is one."""
    model_version_id: UUID | None = None
    """The model version in use (champion)."""
    shadow_model_version_id: UUID | None = None
    """The model version that runs beside it, if any."""
    target_datalake_id: UUID | None = None
    """Where monitored and predicted images become data."""
    min_threshold: float | None = None
    """Score below which serving drops a shape."""
    sample_rate: float | None = None
    """Share of monitored images that the platform keeps, 0 to 1."""
    tags: list[TagDescription] = attrs.field(factory=list)
    """Tags of the deployment."""


@attrs.frozen(kw_only=True, eq=False, repr=False)
class LabelDescription(Value):
    """A label: one entry of a label map (docs/wire.md#other-shapes)."""

    id: UUID
    """Identifier; reviews name their labels by it."""
    name: str
    group_id: UUID | None = None
    """Group of labels that it belongs to, if any."""


@attrs.frozen(kw_only=True, eq=False, repr=False)
class UserDescription(Value):
    """A user of the platform."""

    id: UUID
    username: str


@attrs.frozen(kw_only=True, eq=False, repr=False)
class UserList(Value):
    """Users of an organization or a deployment; these lists do not say `items` (docs/wire.md#simple-lists)."""

    users: list[UserDescription]
    """Those who have access."""


@attrs.frozen(kw_only=True, eq=False, repr=False)
class JobDescription(Value):
    """A job that the platform runs by itself."""

    id: UUID
    status: JobRunStatus
    """State; the words of older jobs are those of `JobStatus`."""


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Connector(Value):
    """Where a deployment's images are stored (docs/wire.md#deployment-endpoints)."""

    id: UUID
    client_type: str
    """Kind of storage: aws, minio, google or azure in any case; passed on verbatim."""
    bucket_name: str


@attrs.frozen(kw_only=True, eq=False, repr=False)
class ModelDescription(Value):
    """A model: a name over its versions."""

    id: UUID
    name: str
    private: bool = True
    """Whether only the organization sees it."""
    tags: list[TagDescription] = attrs.field(factory=list)
    """Tags of the model; only told when it is fetched by itself."""


@attrs.frozen(kw_only=True, eq=False, repr=False)
class ModelVersionDescription(Value):
    """A version of a model (docs/wire.md#model-version-shape)."""

    id: UUID
    name: str
    """Name of the version."""
    version: int
    """Number, from 0."""
    type: InferenceType
    """What it predicts."""
    framework: Framework | None = None
    """What it runs on."""
    labels: dict[str, str] | None = None
    """Label map: class index as text to label name. `detection_classes` holds these indexes."""
    origin: ModelDescription | None = None
    """The model."""
    tags: list[TagDescription] = attrs.field(factory=list)
    """Tags of the version."""


@attrs.frozen(kw_only=True, eq=False, repr=False)
class ModelContextData(Value):
    """A dataset version that a model version was trained with."""

    name: str
    """Alias in the experiment: train, test, ..."""
    version_id: UUID | None = None
    """The dataset version."""
    repartition: Any = None
    """Shapes per label; passed through."""


@attrs.frozen(kw_only=True, eq=False, repr=False)
class ModelContextDescription(Value):
    """Where a model version comes from (docs/wire.md#model-endpoints)."""

    id: UUID
    experiment_id: UUID | None = None
    """The experiment that made it, if one did."""
    datas: list[ModelContextData] | None = None
    """What it was trained with."""
    parameters: dict[str, Any] | None = None
    """Training parameters."""


@attrs.frozen(kw_only=True, eq=False, repr=False)
class ExperimentDescription(Value):
    """A training run."""

    id: UUID
    name: str
    """Name, unique in the project."""
    project_id: UUID | None = None
    """The project it belongs to."""
    status: ExperimentStatus | None = None
    """State."""


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Log(Value):
    """Something an experiment logged. A log of parameters can be handed on as `experiment_parameters`."""

    id: UUID
    name: str
    """Name, unique in the experiment."""
    type: LogType | None = None
    """Kind of what was logged."""
    data: Any = None
    """What was logged; its shape depends on `type`."""


@attrs.frozen(kw_only=True, eq=False, repr=False)
class DatasetDescription(Value):
    """A dataset: a name over its versions."""

    id: UUID
    name: str
    tags: list[TagDescription] = attrs.field(factory=list)
    """Tags of the dataset; only told when it is fetched by itself."""


@attrs.frozen(kw_only=True, eq=False, repr=False)
class DatasetVersionDescription(Value):
    """A version of a dataset (docs/wire.md#dataset-version-shape)."""

    id: UUID
    origin_id: UUID
    """The dataset."""
    origin_name: str
    """Name of the dataset."""
    version: str
    """Name of the version."""
    type: InferenceType
    """Kind of its annotations."""
    annotation_campaign_id: UUID | None = None
    """The annotation campaign, if there is one."""
    tags: list[TagDescription] = attrs.field(factory=list)
    """Tags of the version."""


@attrs.frozen(kw_only=True, eq=False, repr=False)
class FeedbackLoopDataset(Value):
    """One entry of a deployment's feedback loop."""

    dataset_version: DatasetVersionDescription
    """Where submitted reviews go."""


@attrs.frozen(kw_only=True, eq=False, repr=False)
class TrainingDataStatus(Value):
    """How far the platform is with the metrics over the training data."""

    status: str
    """Words of the platform; not enumerated anywhere."""


@attrs.frozen(kw_only=True, eq=False, repr=False)
class ProjectDescription(Value):
    """A project: a set of experiments."""

    id: UUID
    name: str


@attrs.frozen(kw_only=True, eq=False, repr=False)
class DatalakeDescription(Value):
    """A datalake: where images live."""

    id: UUID
    name: str
    connector_id: UUID | None = None
    """Storage behind it."""


@attrs.frozen(kw_only=True, eq=False, repr=False)
class DataSourceDescription(Value):
    """A data source: where images come from (a camera, say)."""

    id: UUID
    name: str


@attrs.frozen(kw_only=True, eq=False, repr=False)
class DataMeta(Value):
    """Size of an image."""

    width: int | None = None
    """Pixels."""
    height: int | None = None
    """Pixels."""


@attrs.frozen(kw_only=True, eq=False, repr=False)
class DataFields(Value):
    """What is said of an image or video, but its id."""

    datalake_id: UUID | None = None
    """Datalake; lists of one datalake may leave it out."""
    object_name: str
    """Name in the object storage."""
    filename: str
    """Name shown on the platform."""
    type: DataType = DataType.IMAGE
    """Image or video."""
    content_type: str | None = None
    """MIME type in lower case, as opposed to `SupportedContentType`."""
    upload_status: DataUploadStatus | None = None
    """How far the platform is with it."""
    presigned_url: str | None = attrs.field(default=None, repr=False)
    """Download address, good for about an hour; whoever has it may read the image."""
    metadata: dict[str, Any] | None = None
    """Known keys: docs/wire.md#data-shape."""
    custom_metadata: dict[str, Any] | None = None
    """Keys of your own, with any JSON values."""
    meta: DataMeta | None = None
    """Size; None until the platform has opened the image."""
    tags: list[TagDescription] = attrs.field(factory=list)
    """Data tags."""
    data_source: DataSourceDescription | None = None
    """Where it comes from."""


@attrs.frozen(kw_only=True, eq=False, repr=False)
class DataDescription(DataFields):
    """An image or video of a datalake (docs/wire.md#data-shape)."""

    id: UUID


@attrs.frozen(kw_only=True, eq=False, repr=False)
class AssetData(DataFields):
    """The image of an asset, as the asset's answer says it (docs/wire.md#data-shape)."""

    id: UUID | None = None
    """Identifier of the data; None where the answer does not say it, so that the image can be seen, but not asked for."""


@attrs.frozen(kw_only=True, eq=False, repr=False)
class AssetDescription(Value):
    """A data in a dataset version."""

    id: UUID
    data: AssetData
    """The image."""


@attrs.frozen(kw_only=True, eq=False, repr=False)
class PredictedAssetDescription(Value):
    """A monitored image on the platform (docs/wire.md#predicted-asset-shape)."""

    id: UUID
    oracle_prediction_id: UUID
    """Identifier at the monitoring host: the `id` that `monitor` returned."""
    data: AssetData
    """The image."""
    predictions: list[dict[str, Any]] | None = None
    """Predictions as the platform says them, each with `is_shadow`; None in listings."""
    reviews: list[dict[str, Any]] | None = None
    """Reviews as the platform says them; None in listings."""
