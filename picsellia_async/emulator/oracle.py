"""Handlers of the monitoring host (WIRE.md 8.3, 10): sign-in, predictions, shadows, information, statistics."""

from __future__ import annotations

from typing import Any

from picsellia_async._wire.requests import CloudImage, LoginRequest, MonitorRequest
from picsellia_async._wire.unset import UNSET
from picsellia_async.emulator import recording
from picsellia_async.emulator.call import Call, Refusal, bad_request, known, unprocessable
from picsellia_async.emulator.pictures import Picture, decode
from picsellia_async.emulator.recording import Observation, check_prediction
from picsellia_async.emulator.state import State
from picsellia_async.emulator.store import Document

Json = dict[str, Any]


def sign_in(state: State, call: Call, body: LoginRequest, service: str) -> Json:
    """Return a JWT for one service and one deployment.

    Raises:
        Refusal: 401, the api token is unknown; 403, 404, the deployment is foreign or unknown.
    """
    user = state.user_of_token(body.api_token)
    if user is None:
        raise Refusal(401, "the api token is not valid")
    call.user = user
    deployment = state.document(call, "deployment", str(body.deployment_id))
    token, seconds = state.tokens.issue(service, deployment["id"], user["id"])
    return {"jwt": token, "expires": seconds}  # assumed: whole seconds


def oracle_login(state: State, call: Call, body: LoginRequest) -> Json:
    """Sign in for monitoring."""
    return sign_in(state, call, body, "oracle")


def retrieve_information(state: State, call: Call) -> Json:
    """Tell what monitoring knows about a deployment. assumed: the shape."""
    deployment = state.in_path(call, "deployment")
    count = state.store.predictions.count("deployment_id = ?", deployment["id"])
    reference = deployment["training_data"]
    return {
        "id": deployment["id"],
        "deployment_id": deployment["id"],
        "name": deployment["name"],
        "type": deployment["type"],
        "model_id": deployment["model_version_id"],
        "shadow_model_id": deployment["shadow_model_version_id"],
        "sample_rate": deployment["sample_rate"],
        "predictions_count": count,
        "training_data": reference["dataset_version_id"] if reference else None,
    }


async def monitor(state: State, call: Call, body: MonitorRequest) -> Json:
    """Take one prediction and its image; answered with 201."""
    deployment = state.in_path(call, "deployment")
    check_prediction(deployment, body.raw_predictions, "raw_predictions", is_loose=state.options.loose)
    if body.shadow_raw_predictions is not UNSET:
        check_prediction(
            deployment, body.shadow_raw_predictions, "shadow_raw_predictions", is_loose=state.options.loose
        )
    observation = observe(body)
    if body.image is not UNSET and body.cloud_image is UNSET:
        observation.picture = await decode(body.image)
        call.images.append(observation.picture.sha256)
        check_picture(state, observation.picture)
    elif body.cloud_image is not UNSET and body.image is UNSET:
        observation.object_name = check_cloud_image(state, deployment, body.cloud_image)
    else:
        raise unprocessable("exactly one of image and cloud_image must be given")
    row = recording.record(state, deployment, observation)
    return receipt(row.id, row.asset_id, deployment, body, row.timestamp)


def check_picture(state: State, picture: Picture) -> None:
    """Refuse an empty image, and with `strict_images` what is neither JPEG nor PNG.

    Raises:
        Refusal: 400.
    """
    if not picture.content:
        raise bad_request("the image is empty")
    if not picture.signature and state.options.strict_images:
        raise bad_request("the image is neither JPEG nor PNG")


def observe(body: MonitorRequest) -> Observation:
    """Return what a monitoring request says, apart from its image."""
    return Observation(
        filename=body.filename,
        content_type=body.content_type.value,
        width=body.width,
        height=body.height,
        latency=body.latency,
        raw=body.raw_predictions,
        source=known(body.source),
        tags=known(body.tags) or [],
        metadata=known(body.metadata),
        custom_metadata=known(body.custom_metadata),
        timestamp=known(body.timestamp),
        upload_dir=known(body.upload_dir) or "",
        shadow_raw=known(body.shadow_raw_predictions),
        shadow_latency=known(body.shadow_latency),
        sample=known(body.sample),
        custom_metrics=known(body.custom_metrics),
    )


def check_cloud_image(state: State, deployment: Document, image: CloudImage) -> str:
    """Return the object name of a cloud image in the deployment's own storage.

    Raises:
        Refusal: 400, it lies in another storage.
    """
    connector = state.connector_of(deployment)
    if str(image.connector_id) != connector["id"] or image.bucket_name != connector["bucket_name"]:
        raise bad_request("the cloud image is not in the storage of the deployment's target datalake")
    return image.object_name


def receipt(id_: str, asset_id: str | None, deployment: Document, body: MonitorRequest, timestamp: float) -> Json:
    """Return the answer to a monitored prediction. assumed: everything but `id` (WIRE.md section 19)."""
    return {
        "id": id_,
        "deployment_id": deployment["id"],
        "filename": body.filename,
        "timestamp": timestamp,
        "latency": body.latency,
        "height": body.height,
        "width": body.width,
        "content_type": body.content_type.value,
        "model_id": deployment["model_version_id"],
        "is_sampled": asset_id is not None,
        "raw_predictions": body.raw_predictions,
    }
