"""Handlers of the serving host (docs/wire.md#serving-endpoints), whose predictions are a model's or invented. Sign-in is in `sign_in`."""

from __future__ import annotations

import time
from typing import Final

import attrs

from picsellia_async._wire.common_requests import CloudImage
from picsellia_async._wire.converter import JsonObject
from picsellia_async._wire.serving_requests import PredictCloudImageRequest, PredictShadowRequest
from picsellia_async._wire.unset import or_none
from picsellia_async.emulator.domain import objects, predictions
from picsellia_async.emulator.domain.fake_predictions import above_threshold, invent
from picsellia_async.emulator.domain.pictures import Picture, inspect, size_of
from picsellia_async.emulator.domain.predictions import Observation
from picsellia_async.emulator.domain.served_model import Said, run
from picsellia_async.emulator.domain.state import State
from picsellia_async.emulator.refusal import bad_request
from picsellia_async.emulator.services.call import Call, Change
from picsellia_async.emulator.services.lookups import in_path
from picsellia_async.emulator.services.prediction_form import PredictionForm, read_form
from picsellia_async.emulator.store.blobs import Content
from picsellia_async.emulator.store.documents import Document
from picsellia_async.emulator.store.rows import PredictionRow

LEFT_OUT: Final = {"predict_cloud_image": {"monitor": True, "postprocess": True}, "predict_shadow": {"monitor": True}}
"""What the JSON of older versions of the vendor's SDK may leave out, by endpoint, and what that means (docs/wire.md#further-facts)."""

_SIZE_UNKNOWN: Final = (640, 480)
"""Pixels taken for images whose header says nothing."""


async def predict(state: State, call: Call) -> Change:
    """Predict on the image of a multipart form (docs/wire.md#predict-form)."""
    deployment = _deployment(state, call)
    form = await read_form(call, is_loose=state.options.loose)
    picture = await inspect(form.media)
    call.images.append(picture.sha256)
    if not picture.signature:
        # assumed: serving opens images, as opposed to monitoring
        raise bad_request("the image is neither JPEG nor PNG")
    served = await _serve(state, _deployment(state, call), picture)
    content = None
    if form.monitor and predictions.may_be_kept(deployment, None):
        content = await call.stage(state.store.blobs, picture.sha256, picture.content)

    def change() -> JsonObject:
        deployment = _deployment(state, call)
        if not form.monitor:
            return served.answer(None)
        return served.answer(predictions.record(state, deployment, _observe(served, form, content)))

    return change


def _deployment(state: State, call: Call) -> Document:
    deployment = in_path(state, call, "deployment")
    if not deployment["is_serving"]:
        raise bad_request("this deployment has no serving")
    return deployment


async def predict_cloud_image(state: State, call: Call, body: PredictCloudImageRequest) -> Change:
    """Predict on an image of the object storage (docs/wire.md#predict-json)."""
    picture = await _cloud_picture(state, _deployment(state, call), body.cloud_image)
    served = await _serve(state, _deployment(state, call), picture)

    def change() -> JsonObject:
        deployment = _deployment(state, call)
        if not body.monitor:
            return served.answer(None)
        row = predictions.record(state, deployment, _observe_cloud_image(served, body))
        facts = {"sha256": picture.sha256, "size": len(picture.content), "signature": picture.signature}
        state.store.predictions.update(row.id, **facts)
        return served.answer(row)

    return change


def _observe_cloud_image(served: _Served, body: PredictCloudImageRequest) -> Observation:
    return Observation(
        filename=body.cloud_image.object_name.rpartition("/")[2],
        content_type=f"IMAGE/{served.picture.signature}",
        width=served.size[0],
        height=served.size[1],
        latency=served.latency,
        raw=served.raw,
        source=or_none(body.source),
        tags=body.tags,
        metadata=or_none(body.metadata),
        custom_metadata=or_none(body.custom_metadata),
        shadow_raw=served.shadow_raw,
        shadow_latency=served.shadow_latency,
        object_name=body.cloud_image.object_name,
        is_served=True,
    )


async def predict_shadow(state: State, call: Call, body: PredictShadowRequest) -> Change:
    """Let the shadow model predict on an image that the champion has seen (docs/wire.md#serving-endpoints).

    Raises:
        Refusal: 400, there is no shadow model; 404, no such prediction; 409, it has a shadow prediction already.
    """
    deployment = _deployment(state, call)
    picture = await _cloud_picture(state, deployment, body.cloud_image)
    shadow_id = deployment["shadow_model_version_id"]
    if shadow_id is None:
        raise bad_request("this deployment has no shadow model")
    seen = state.prediction(call, str(body.prediction_id))
    size = size_of(picture.content) or (seen.width, seen.height)
    said = await _ask(state, deployment, picture, size, is_shadow=True)

    def change() -> JsonObject:
        _deployment(state, call)
        row = state.prediction(call, seen.id)
        if body.monitor:
            predictions.add_shadow(state, row, said.raw, said.seconds, shadow_id)
        return {"id": row.id, **said.raw, "latency": said.seconds}

    return change


async def _cloud_picture(state: State, deployment: Document, image: CloudImage) -> Picture:
    """Return an image of the deployment's storage. assumed: 404 where there is none, 400 where it is no image."""
    object_name = objects.name_of_cloud_image(state, deployment, image)
    stored = objects.get_object(state, str(image.connector_id), object_name)
    picture = await inspect(await state.store.blobs.get(stored.sha256))
    if not picture.signature:
        raise bad_request("the image is neither JPEG nor PNG")
    return picture


@attrs.frozen(kw_only=True)
class _Served:
    """What the models said about one image."""

    picture: Picture
    size: tuple[int, int]
    raw: JsonObject
    latency: float
    shadow_raw: JsonObject | None
    shadow_latency: float | None

    def answer(self, row: PredictionRow | None) -> JsonObject:
        """Return the answer. assumed: all of it (docs/wire.md#unknowns)."""
        shown: JsonObject = {**self.raw, "latency": self.latency, "width": self.size[0], "height": self.size[1]}
        if self.shadow_raw is not None:
            shown["shadow"] = {**self.shadow_raw, "latency": self.shadow_latency}
        return shown if row is None else {"id": row.id, **shown}


async def _serve(state: State, deployment: Document, picture: Picture) -> _Served:
    size = size_of(picture.content) or _SIZE_UNKNOWN
    champion = await _ask(state, deployment, picture, size)
    shadow = (
        await _ask(state, deployment, picture, size, is_shadow=True) if deployment["shadow_model_version_id"] else None
    )
    return _Served(
        picture=picture, size=champion.size, raw=champion.raw, latency=champion.seconds,
        shadow_raw=None if shadow is None else shadow.raw, shadow_latency=None if shadow is None else shadow.seconds,
    )  # fmt: skip


async def _ask(
    state: State, deployment: Document, picture: Picture, size: tuple[int, int], *, is_shadow: bool = False
) -> Said:
    """Return what champion or shadow say about an image; without a model behind them it is invented."""
    model = state.models.of(deployment["id"], is_shadow=is_shadow)
    if model is not None:
        said = await run(model, picture.content, deployment["type"])
        return attrs.evolve(said, raw=above_threshold(said.raw, deployment["min_threshold"]))
    started = time.perf_counter()
    version = state.store.documents.get(
        "model_version", deployment["shadow_model_version_id" if is_shadow else "model_version_id"]
    )
    raw = invent(deployment["type"], size, len(version["labels"]), f"{version['id']}/{picture.sha256}")
    return Said(above_threshold(raw, deployment["min_threshold"]), time.perf_counter() - started, size)


def _observe(served: _Served, form: PredictionForm, content: Content | None) -> Observation:
    return Observation(
        filename=form.filename,
        content_type=f"IMAGE/{served.picture.signature}",
        width=served.size[0],
        height=served.size[1],
        latency=served.latency,
        raw=served.raw,
        source=form.source,
        tags=form.tags,
        metadata=form.metadata,
        custom_metadata=form.custom_metadata,
        upload_dir=form.upload_dir or "",
        shadow_raw=served.shadow_raw,
        shadow_latency=served.shadow_latency,
        picture=served.picture,
        content=content,
        is_served=True,
    )
