"""Closed sets of the wire, with its exact values (docs/wire.md#enums)."""

from __future__ import annotations

import enum
from typing import Any, Self, cast

from picsellia_async.errors import ConfigurationError, shown


class WireEnum(enum.StrEnum):
    """An enum whose member values are what travels; text is accepted in any case."""

    @classmethod
    def of(cls, value: Self | str, name: str | None = None) -> Self:
        """Return the member for a member, a member name or a wire value, in any case.

        Args:
            value: What somebody gave.
            name: Argument that it was given for, for the message.

        Raises:
            ConfigurationError: The text names no member; the message lists the values.
        """
        if isinstance(value, cls):
            return value
        # The vendor's own enum members are accepted in place of ours: their name is what both share.
        text = value.name if isinstance(value, enum.Enum) else value
        if isinstance(text, str):
            wanted = text.upper()
            # Not `__members__`, which is made anew by each access: this is on the way of every frame.
            found: Any = cls._member_map_.get(wanted) or cls._value2member_map_.get(wanted)
            if found is not None:
                member: Self = found
                return member
        raise _no_member(cls, value, name)

    @classmethod
    def read(cls, value: object) -> Self:
        """Return the member for a word of a service, in any case. A word that is none of ours becomes a member of its own.

        Services grow: a status that came up after this release has the name and value that the service gave it, and equals its
        text. It is not among the members that arguments are checked against.

        Raises:
            TypeError: The value is no text.
        """
        if isinstance(value, cls):
            return value
        if not isinstance(value, str) or not value:
            raise TypeError(f"{cls.__name__} is read from a text, got {shown(value)}")
        known = cls._value2member_map_.get(value.upper())
        if known is not None:
            return cast("Self", known)
        unknown = str.__new__(cls, value)
        unknown._name_ = unknown._value_ = value
        return unknown

    def __reduce_ex__(self, _protocol: object) -> tuple[Any, ...]:
        """Pickle the word: an unknown one is read anew where it arrives."""
        return type(self).read, (self._value_,)


def _no_member(cls: type[enum.Enum], value: object, name: str | None) -> ConfigurationError:
    where = "" if name is None else f"{name}: "
    return ConfigurationError(f"{where}{shown(value)} is no {cls.__name__}; accepted are {', '.join(cls.__members__)}")


class InferenceType(WireEnum):
    """What a model predicts; `type` of deployments, model versions and dataset versions."""

    NOT_CONFIGURED = "NOT_CONFIGURED"
    CLASSIFICATION = "CLASSIFICATION"
    OBJECT_DETECTION = "OBJECT_DETECTION"
    SEGMENTATION = "SEGMENTATION"
    POINT = "POINT"
    KEYPOINT = "KEYPOINT"
    LINE = "LINE"
    MASK = "MASK"
    MULTI = "MULTI"


class SupportedContentType(WireEnum):
    """Image formats that the monitoring host takes; upper-case there, as opposed to the platform's lower-case."""

    PNG = "IMAGE/PNG"
    JPEG = "IMAGE/JPEG"


class ServiceMetrics(enum.Enum):
    """Statistics of the monitoring host: (`service` on the wire, whether the aggregated route serves it)."""

    PREDICTIONS_OUTLYING_SCORE = ("ae_outlier", False)
    PREDICTIONS_DATA = ("metrics", False)
    REVIEWS_OBJECT_DETECTION_STATS = ("object_detection", False)
    REVIEWS_CLASSIFICATION_STATS = ("classification", False)
    REVIEWS_LABEL_DISTRIBUTION_STATS = ("label_distribution", False)
    AGGREGATED_LABEL_DISTRIBUTION = ("label_distribution", True)
    AGGREGATED_OBJECT_DETECTION_STATS = ("object_detection", True)
    AGGREGATED_PREDICTIONS_DATA = ("metrics", True)
    AGGREGATED_DRIFTING_PREDICTIONS = ("ks_drift", True)

    @property
    def service(self) -> str:
        """Value of the `service` query parameter."""
        return self.value[0]

    @property
    def is_aggregated(self) -> bool:
        """Whether `/stats` answers it instead of `/predictions/stats`."""
        return self.value[1]

    @classmethod
    def of(cls, value: ServiceMetrics | str, name: str | None = None) -> ServiceMetrics:
        """Return the member for a member or its name in any case.

        Args:
            value: What somebody gave.
            name: Argument that it was given for, for the message.

        Raises:
            ConfigurationError: The text names no member; the message lists the names.
        """
        if isinstance(value, cls):
            return value
        text = value.name if isinstance(value, enum.Enum) else value
        if isinstance(text, str) and text.upper() in cls.__members__:
            return cls[text.upper()]
        raise _no_member(cls, value, name)


class TagTarget(WireEnum):
    """What a tag can be put on."""

    DATA = "DATA"
    ASSET = "ASSET"
    MODEL_VERSION = "MODEL_VERSION"
    MODEL = "MODEL"
    DATASET_VERSION = "DATASET_VERSION"
    DATASET = "DATASET"
    DEPLOYMENT = "DEPLOYMENT"
    PREDICTED_ASSET = "PREDICTED_ASSET"


Target = TagTarget
"""Name used by the examples of the vendor's documentation."""


class ContinuousTrainingTrigger(WireEnum):
    """What starts a continuous training; `NONE` is a value of its own."""

    FEEDBACK_LOOP = "FEEDBACK_LOOP"
    NONE = "NONE"


class ContinuousTrainingType(WireEnum):
    """How a continuous training runs."""

    EXPERIMENT = "EXPERIMENT"


class ContinuousDeploymentPolicy(WireEnum):
    """What happens to a newly trained model version."""

    DEPLOY_CHAMPION = "DEPLOY_CHAMPION"
    DEPLOY_SHADOW = "DEPLOY_SHADOW"
    DEPLOY_MANUAL = "DEPLOY_MANUAL"


class DataType(WireEnum):
    """Kind of a data."""

    IMAGE = "IMAGE"
    VIDEO = "VIDEO"


class DataUploadStatus(WireEnum):
    """How far the platform is with a data."""

    PENDING = "PENDING"
    COMPUTING = "COMPUTING"
    DONE = "DONE"
    ERROR = "ERROR"


class Framework(WireEnum):
    """Framework of a model version."""

    TENSORFLOW = "TENSORFLOW"
    PYTORCH = "PYTORCH"
    ONNX = "ONNX"
    NOT_CONFIGURED = "NOT_CONFIGURED"


class CampaignStepType(WireEnum):
    """Kind of a campaign step; review campaigns take the last two."""

    ANNOTATION = "ANNOTATION"
    REVIEW = "REVIEW"
    QUALITY_CONTROL = "QUALITY_CONTROL"


class AssignmentStatus(WireEnum):
    """State of one assignment of a campaign."""

    TO_DO = "TO_DO"
    TO_REWORK = "TO_REWORK"
    DONE = "DONE"
    SKIPPED = "SKIPPED"


class JobRunStatus(WireEnum):
    """State of a job run (v2 jobs)."""

    PENDING = "PENDING"
    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    KILLED = "KILLED"


class JobStatus(WireEnum):
    """State of an older job (v1)."""

    RUNNING = "RUNNING"
    SUCCESS = "SUCCESS"
    TERMINATED = "TERMINATED"
    FAILED = "FAILED"


class ExperimentStatus(WireEnum):
    """State of an experiment."""

    RUNNING = "RUNNING"
    CANCELED = "CANCELED"
    TERMINATED = "TERMINATED"
    FAILED = "FAILED"
    WAITING = "WAITING"
    SUCCESS = "SUCCESS"


class LogType(WireEnum):
    """Kind of an experiment log."""

    VALUE = "VALUE"
    IMAGE = "IMAGE"
    LINE = "LINE"
    TABLE = "TABLE"
    BAR = "BAR"
    HEATMAP = "HEATMAP"
    LABELMAP = "LABELMAP"
    EVALUATION = "EVALUATION"


class ObjectDataType(WireEnum):
    """What an object in the storage is for."""

    AGENTS_REPORT = "AGENTS_REPORT"
    ARTIFACT = "ARTIFACT"
    DATA = "DATA"
    DATA_PROJECTION = "DATA_PROJECTION"
    LOGGING = "LOGGING"
    LOG_IMAGE = "LOG_IMAGE"
    MODEL_FILE = "MODEL_FILE"
    MODEL_THUMB = "MODEL_THUMB"
    CAMPAIGN_FILE = "CAMPAIGN_FILE"
    REVIEW_CAMPAIGN_FILE = "REVIEW_CAMPAIGN_FILE"
