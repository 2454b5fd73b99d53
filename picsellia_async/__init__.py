"""asyncio-native SDK for Picsellia deployments. Everything public is importable from here; docs/index.md is the way in.

Names are imported when they are first used: importing the package costs next to nothing, and a program that only makes
predictions never loads the handles of campaigns.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from picsellia_async._version import __version__

if TYPE_CHECKING:
    from picsellia_async._delivery.from_thread import (
        SyncReceipt,
        UploaderFromThread,
    )
    from picsellia_async._delivery.outcomes import (
        Delivered,
        DeliveryError,
        Dropped,
        DropReason,
        Health,
        Rejected,
        SourceStatistics,
        Spooled,
        UploaderStatistics,
        UploadReport,
    )
    from picsellia_async._delivery.permission import (
        Hours,
    )
    from picsellia_async._delivery.receipt import (
        Receipt,
    )
    from picsellia_async._deployment.prediction_stream import (
        Predicted,
    )
    from picsellia_async._http.pool import (
        PoolCounts,
    )
    from picsellia_async._http.transport import (
        FastTransport,
    )
    from picsellia_async.client import (
        AsyncClient,
        ClientStatistics,
    )
    from picsellia_async.config import (
        RetryPolicy,
        Timeouts,
    )
    from picsellia_async.deployment import (
        AsyncDeployment,
    )
    from picsellia_async.enums import (
        AssignmentStatus,
        CampaignStepType,
        ContinuousDeploymentPolicy,
        ContinuousTrainingTrigger,
        ContinuousTrainingType,
        DataType,
        DataUploadStatus,
        ExperimentStatus,
        Framework,
        InferenceType,
        JobRunStatus,
        JobStatus,
        LogType,
        ObjectDataType,
        ServiceMetrics,
        SupportedContentType,
        TagTarget,
        Target,
    )
    from picsellia_async.errors import (
        AuthenticationError,
        BadConfigurationContinuousTrainingError,
        BadGatewayError,
        BadRequestError,
        ClosedError,
        ConfigurationError,
        ConflictError,
        ConnectionConfigurationError,
        ContentTypeUnknown,
        DecodeError,
        DistantStorageError,
        DownloadError,
        FileIsDirectoryError,
        FileNotFoundException,
        FileNotReadableError,
        ForbiddenError,
        FrameTooLargeError,
        HostNotConfiguredError,
        ImplausibleError,
        InsufficientResourcesError,
        InternalServerError,
        LockedError,
        MonitorError,
        MonitoringConnectionError,
        NetworkError,
        NoBaseExperimentError,
        NoConnectorFound,
        NoDataError,
        NoShadowModel,
        NotFoundError,
        NoUrlAvailable,
        PayloadTooLargeError,
        PermissionDeniedError,
        PicselliaError,
        PredictionError,
        PredictionMismatchError,
        QuotaExceededError,
        RateLimitError,
        RequestTimeoutError,
        RequestTooLargeError,
        ResourceConflictError,
        ResourceLockedError,
        ResourceNotFoundError,
        ServerError,
        SpoolError,
        StatusError,
        TooManyRequestError,
        TransportError,
        UnauthorizedError,
        UndefinedObjectError,
        UnprocessableData,
        UploaderFullError,
        UploadError,
        WaitingAttemptsTimeout,
    )
    from picsellia_async.frames import (
        Frame,
    )
    from picsellia_async.image_header import (
        image_size,
    )
    from picsellia_async.models import (
        DeploymentDescription,
        Organization,
    )
    from picsellia_async.monitor_options import (
        MonitorOptions,
    )
    from picsellia_async.pipeline import (
        Pipeline,
        PipelineReport,
        PipelineSourceStatistics,
        PipelineStatistics,
    )
    from picsellia_async.predictions import (
        ClassificationPredictionFormat,
        DetectionPredictionFormat,
        KeypointPredictionFormat,
        LinePredictionFormat,
        MaskPredictionFormat,
        PointPredictionFormat,
        PredictionFormat,
        SegmentationPredictionFormat,
    )
    from picsellia_async.resources.campaign import (
        Assignment,
        ReviewCampaign,
        ReviewCampaignStep,
    )
    from picsellia_async.resources.data import (
        Data,
    )
    from picsellia_async.resources.data_source import (
        DataSource,
    )
    from picsellia_async.resources.datalake import (
        Datalake,
    )
    from picsellia_async.resources.dataset import (
        Asset,
        Dataset,
        DatasetVersion,
    )
    from picsellia_async.resources.label import (
        Label,
    )
    from picsellia_async.resources.model import (
        Model,
        ModelContext,
        ModelVersion,
    )
    from picsellia_async.resources.platform_job import (
        Job,
    )
    from picsellia_async.resources.predicted_asset import (
        PredictedAsset,
    )
    from picsellia_async.resources.project import (
        Experiment,
        Project,
    )
    from picsellia_async.resources.tag import (
        Tag,
    )
    from picsellia_async.resources.user import (
        User,
        Worker,
    )
    from picsellia_async.responses import (
        DeploymentInformation,
        MonitorAnswer,
        PredictionAnswer,
        Statistics,
    )
    from picsellia_async.sync_uploader import (
        SyncUploader,
        SyncUploaderOptions,
    )
    from picsellia_async.uploader import (
        Uploader,
        UploaderOptions,
    )

__all__ = [
    "Asset",
    "Assignment",
    "AssignmentStatus",
    "AsyncClient",
    "AsyncDeployment",
    "AuthenticationError",
    "BadConfigurationContinuousTrainingError",
    "BadGatewayError",
    "BadRequestError",
    "CampaignStepType",
    "ClassificationPredictionFormat",
    "ClientStatistics",
    "ClosedError",
    "ConfigurationError",
    "ConflictError",
    "ConnectionConfigurationError",
    "ContentTypeUnknown",
    "ContinuousDeploymentPolicy",
    "ContinuousTrainingTrigger",
    "ContinuousTrainingType",
    "Data",
    "DataSource",
    "DataType",
    "DataUploadStatus",
    "Datalake",
    "Dataset",
    "DatasetVersion",
    "DecodeError",
    "Delivered",
    "DeliveryError",
    "DeploymentDescription",
    "DeploymentInformation",
    "DetectionPredictionFormat",
    "DistantStorageError",
    "DownloadError",
    "DropReason",
    "Dropped",
    "Experiment",
    "ExperimentStatus",
    "FastTransport",
    "FileIsDirectoryError",
    "FileNotFoundException",
    "FileNotReadableError",
    "ForbiddenError",
    "Frame",
    "FrameTooLargeError",
    "Framework",
    "Health",
    "HostNotConfiguredError",
    "Hours",
    "ImplausibleError",
    "InferenceType",
    "InsufficientResourcesError",
    "InternalServerError",
    "Job",
    "JobRunStatus",
    "JobStatus",
    "KeypointPredictionFormat",
    "Label",
    "LinePredictionFormat",
    "LockedError",
    "LogType",
    "MaskPredictionFormat",
    "Model",
    "ModelContext",
    "ModelVersion",
    "MonitorAnswer",
    "MonitorError",
    "MonitorOptions",
    "MonitoringConnectionError",
    "NetworkError",
    "NoBaseExperimentError",
    "NoConnectorFound",
    "NoDataError",
    "NoShadowModel",
    "NoUrlAvailable",
    "NotFoundError",
    "ObjectDataType",
    "Organization",
    "PayloadTooLargeError",
    "PermissionDeniedError",
    "PicselliaError",
    "Pipeline",
    "PipelineReport",
    "PipelineSourceStatistics",
    "PipelineStatistics",
    "PointPredictionFormat",
    "PoolCounts",
    "Predicted",
    "PredictedAsset",
    "PredictionAnswer",
    "PredictionError",
    "PredictionFormat",
    "PredictionMismatchError",
    "Project",
    "QuotaExceededError",
    "RateLimitError",
    "Receipt",
    "Rejected",
    "RequestTimeoutError",
    "RequestTooLargeError",
    "ResourceConflictError",
    "ResourceLockedError",
    "ResourceNotFoundError",
    "RetryPolicy",
    "ReviewCampaign",
    "ReviewCampaignStep",
    "SegmentationPredictionFormat",
    "ServerError",
    "ServiceMetrics",
    "SourceStatistics",
    "SpoolError",
    "Spooled",
    "Statistics",
    "StatusError",
    "SupportedContentType",
    "SyncReceipt",
    "SyncUploader",
    "SyncUploaderOptions",
    "Tag",
    "TagTarget",
    "Target",
    "Timeouts",
    "TooManyRequestError",
    "TransportError",
    "UnauthorizedError",
    "UndefinedObjectError",
    "UnprocessableData",
    "UploadError",
    "UploadReport",
    "Uploader",
    "UploaderFromThread",
    "UploaderFullError",
    "UploaderOptions",
    "UploaderStatistics",
    "User",
    "WaitingAttemptsTimeout",
    "Worker",
    "__version__",
    "image_size",
]

_MODULES = {
    "_delivery.permission": "Hours",
    "_delivery.from_thread": "SyncReceipt UploaderFromThread",
    "_delivery.receipt": "Receipt",
    "_deployment.prediction_stream": "Predicted",
    "_delivery.outcomes": "Delivered DeliveryError DropReason Dropped Health Rejected SourceStatistics Spooled UploadReport UploaderStatistics",
    "responses": "DeploymentInformation MonitorAnswer PredictionAnswer Statistics",
    "client": "AsyncClient ClientStatistics",
    "_http.pool": "PoolCounts",
    "_http.transport": "FastTransport",
    "config": "RetryPolicy Timeouts",
    "deployment": "AsyncDeployment",
    "enums": "AssignmentStatus CampaignStepType ContinuousDeploymentPolicy ContinuousTrainingTrigger ContinuousTrainingType DataType DataUploadStatus ExperimentStatus Framework InferenceType JobRunStatus JobStatus LogType ObjectDataType ServiceMetrics SupportedContentType TagTarget Target",
    "errors": "AuthenticationError BadConfigurationContinuousTrainingError BadGatewayError BadRequestError ClosedError ConfigurationError ConflictError ConnectionConfigurationError ContentTypeUnknown DecodeError DistantStorageError DownloadError FileIsDirectoryError FileNotFoundException FileNotReadableError ForbiddenError FrameTooLargeError HostNotConfiguredError ImplausibleError InsufficientResourcesError InternalServerError LockedError MonitorError MonitoringConnectionError NetworkError NoBaseExperimentError NoConnectorFound NoDataError NoShadowModel NoUrlAvailable NotFoundError PayloadTooLargeError PermissionDeniedError PicselliaError PredictionError PredictionMismatchError QuotaExceededError RateLimitError RequestTimeoutError RequestTooLargeError ResourceConflictError ResourceLockedError ResourceNotFoundError ServerError SpoolError StatusError TooManyRequestError TransportError UnauthorizedError UndefinedObjectError UnprocessableData UploadError UploaderFullError WaitingAttemptsTimeout",
    "frames": "Frame",
    "image_header": "image_size",
    "models": "DeploymentDescription Organization",
    "monitor_options": "MonitorOptions",
    "pipeline": "Pipeline PipelineReport PipelineSourceStatistics PipelineStatistics",
    "predictions": "ClassificationPredictionFormat DetectionPredictionFormat KeypointPredictionFormat LinePredictionFormat MaskPredictionFormat PointPredictionFormat PredictionFormat SegmentationPredictionFormat",
    "resources.campaign": "Assignment ReviewCampaign ReviewCampaignStep",
    "resources.data": "Data",
    "resources.data_source": "DataSource",
    "resources.datalake": "Datalake",
    "resources.dataset": "Asset Dataset DatasetVersion",
    "resources.platform_job": "Job",
    "resources.label": "Label",
    "resources.model": "Model ModelContext ModelVersion",
    "resources.predicted_asset": "PredictedAsset",
    "resources.project": "Experiment Project",
    "resources.tag": "Tag",
    "resources.user": "User Worker",
    "sync_uploader": "SyncUploader SyncUploaderOptions",
    "uploader": "Uploader UploaderOptions",
}
"""Module of each public name."""
_WHERE = {name: module for module, names in _MODULES.items() for name in names.split()}


def __getattr__(name: str) -> object:
    """Import a public name when it is first used."""
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
    return value


def __dir__() -> list[str]:
    return __all__
