"""Predictions by the serving host: on a file, on bytes, on an image that the storage has already."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from picsellia_async._deployment.hosts import Hosts
from picsellia_async._deployment.meaning import Meaning
from picsellia_async._services.files import read_image
from picsellia_async._wire.bodies import image_view
from picsellia_async._wire.encoding import encode_body
from picsellia_async._wire.serving_requests import PredictCloudImageRequest, PredictRequest, PredictShadowRequest
from picsellia_async._wire.unset import UNSET, given
from picsellia_async.resources.data_source import DataSource, source_name
from picsellia_async.resources.handle import expect
from picsellia_async.resources.predicted_asset import PredictedAsset
from picsellia_async.resources.tag import Tags, tag_names
from picsellia_async.responses import PredictionAnswer
from picsellia_async.validation import boolean, file_name


class Predicting:
    """Asks the serving host."""

    def __init__(self, hosts: Hosts, meaning: Meaning) -> None:
        """Store the parts; nothing is sent."""
        self._hosts = hosts
        self._meaning = meaning

    def request(
        self,
        *,
        tags: Tags,
        source: str | DataSource | None = None,
        metadata: dict[str, Any] | None = None,
        monitor: bool,
        custom_metadata: dict[str, Any] | None = None,
        upload_dir: str | None = None,
        postprocess: bool,
    ) -> PredictRequest:
        """Make the request of one prediction; what is None is left out.

        Raises:
            ConfigurationError: A value is of the wrong kind.
            ImplausibleError: What is said about the data cannot be meant.
        """
        request = PredictRequest(
            tags=tag_names(tags, "tags"),
            monitor=monitor,
            postprocess=postprocess,
            source=given(source_name(source, "source")),
            upload_dir=given(upload_dir),
            metadata=given(metadata),
            custom_metadata=given(custom_metadata),
        )
        self._meaning.check_labels_of_data(request.tags, request.source, request.upload_dir)
        return request

    async def on_file(self, file_path: str | Path, request: PredictRequest) -> PredictionAnswer:
        """Predict on an image file, read off the event loop."""
        serving = self._hosts.serving()
        image = image_view(await read_image(file_path, "file_path"))
        self._meaning.check_image(image, "file_path")
        return await serving.predict(request, file_name(Path(file_path).name, "the name of file_path"), image)

    async def on_bytes(
        self, filename: str, raw_image: bytes | bytearray | memoryview, request: PredictRequest
    ) -> PredictionAnswer:
        """Predict on the bytes of an image."""
        serving, image = self._hosts.serving(), image_view(raw_image)
        name = file_name(filename, "filename")
        self._meaning.check_image(image, "raw_image")
        return await serving.predict(request, name, image)

    async def on_stored(self, object_name: str, request: PredictRequest) -> PredictionAnswer:
        """Predict on an image in the storage."""
        serving = self._hosts.serving()
        encode_body(request)  # what cannot be written is refused before the storage is asked for
        cloud_request = PredictCloudImageRequest(
            tags=request.tags,
            monitor=request.monitor,
            postprocess=request.postprocess,
            source=request.source or UNSET,
            metadata=request.metadata or UNSET,
            custom_metadata=request.custom_metadata or UNSET,
            cloud_image=await self._hosts.cloud_image(object_name),
        )
        return await serving.predict_stored(cloud_request)

    async def shadow(self, predicted_asset: PredictedAsset, monitor: bool) -> PredictionAnswer:
        """Let the shadow model predict on an asset."""
        asset = expect(predicted_asset, PredictedAsset, "predicted_asset")
        monitor = boolean(monitor, "monitor")
        serving = self._hosts.serving()
        cloud_image = await self._hosts.cloud_image(asset.object_name)
        request = PredictShadowRequest(
            prediction_id=asset.oracle_prediction_id, monitor=monitor, cloud_image=cloud_image
        )
        return await serving.predict_stored(request)
