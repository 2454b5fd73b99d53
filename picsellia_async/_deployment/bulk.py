"""Monitoring of many frames: what an uploader needs of a deployment."""

from __future__ import annotations

from collections.abc import Awaitable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import attrs

from picsellia_async._delivery.options import UploaderOptions, check_names
from picsellia_async._deployment.assets import PredictedAssets
from picsellia_async._deployment.deduplication import is_among, is_or_may_be, look_up_query, with_frame_id
from picsellia_async._deployment.hosts import Hosts
from picsellia_async._deployment.meaning import Meaning
from picsellia_async._deployment.monitoring import Monitoring
from picsellia_async._http.failures import before_sending
from picsellia_async._services.files import read_image
from picsellia_async._services.oracle import OracleService
from picsellia_async._wire.bodies import image_view
from picsellia_async._wire.common_requests import CloudImage
from picsellia_async._wire.endpoints import MONITOR
from picsellia_async.config import RetryPolicy
from picsellia_async.errors import (
    ConfigurationError,
    DecodeError,
    ResourceNotFoundError,
    StatusError,
    TransportError,
    shown,
)
from picsellia_async.frames import Frame
from picsellia_async.models import DeploymentDescription
from picsellia_async.resources.handle import Record

if TYPE_CHECKING:
    from picsellia_async.uploader import Uploader


class Bulk:
    """Makes uploaders."""

    def __init__(
        self,
        record: Record[DeploymentDescription],
        hosts: Hosts,
        monitoring: Monitoring,
        meaning: Meaning,
        assets: PredictedAssets,
    ) -> None:
        """Store the parts; nothing is sent."""
        self._record = record
        self._hosts = hosts
        self._monitoring = monitoring
        self._meaning = meaning
        self._assets = assets

    def uploader(self, **options: Unpack[UploaderOptions]) -> Uploader:
        """Return an uploader that is not open yet."""
        # The parts of an uploader that its constructor takes beside the options (`random`) are none of the user's.
        check_names(options)
        # The uploader is a quarter of the package: who does not use it does not load it.
        from picsellia_async._delivery.frame_spans import FrameSpans  # noqa: PLC0415
        from picsellia_async.uploader import Uploader  # noqa: PLC0415

        oracle, meaning = self._hosts.oracle(), self._meaning
        # One attempt: the uploader decides on the next one, for all its frames together.
        once = _once(oracle)
        is_marked = options.get("deduplicate", False)

        def send(frame: Frame, metadata: bytes) -> Awaitable[dict[str, Any]]:
            # Nearly always nothing is to be waited for before the request: then a coroutine fewer is made.
            image, is_checked = frame.image, frame.checks == "on" and meaning.is_checked
            if type(image) is not bytes or (is_checked and not meaning.fits(frame.prediction)):
                return send_checked(frame, metadata)
            return once.monitor(metadata, image_view(image, "image"))  # type: ignore[return-value]

        async def send_checked(frame: Frame, metadata: bytes) -> dict[str, Any]:
            with before_sending():
                content = await self._checked_content(frame)
            return await once.monitor(metadata, content)  # type: ignore[return-value]

        def send_to_the_host_of_now(frame: Frame, metadata: bytes) -> Awaitable[dict[str, Any]]:
            nonlocal oracle, once
            current = self._hosts.oracle()
            if current is not oracle:
                oracle, once = current, _once(current)
            return send(frame, metadata)

        def encode(frame: Frame) -> bytes:
            if not frame.is_plain:
                self._tell(frame)
            marks = with_frame_id(frame) if is_marked else None
            # A copy: orjson's own bytes keep the buffer that they were written in, 4 KB for a request of 300 bytes, and thousands wait.
            return bytes(memoryview(self._monitoring.encode(frame, custom_metadata=marks)))

        owner = {"deployment_id": str(self._record.id), "host": str(self._record.account.settings.origin)}
        tracing = self._record.account.session.tracing
        spans = None if tracing is None else FrameSpans(tracing, MONITOR.name)
        follows = self._record.account.remembers  # the description may be an old one, and the host of now come later
        sender = send_to_the_host_of_now if follows else send
        return Uploader(sender, encode=encode, find=self.is_stored, owner=owner, spans=spans, **options)

    def _tell(self, frame: Frame) -> None:
        """Say of a frame what may be another than what was meant; of an image that is a file, once it is read.

        Here and not before it is sent: the image is in the caches still, and so is the data, of which a spool keeps the name alone.
        """
        if frame.checks != "on" or not self._meaning.is_checked:
            return
        if frame.data is not None:
            self._meaning.tell_swapped(frame, frame.data)
        elif isinstance(frame.image, bytes):
            self._meaning.tell_turned(frame, frame.image)
        self._meaning.tell_flat(frame)

    async def _checked_content(self, frame: Frame) -> memoryview | CloudImage:
        """Return what is sent of a frame's image: its bytes, or where it lies; checked where that is asked for."""
        if frame.object_name is None:
            return image_view(await self._checked_image(frame), "image")
        if frame.checks == "on" and self._meaning.is_checked and not self._meaning.fits(frame.prediction):
            await self._meaning.check_labels(frame.prediction)
        try:
            return await self._hosts.cloud_image(frame.object_name)
        except (TransportError, StatusError, DecodeError) as error:
            error.request_sent = False  # the question for the storage: the frame was not sent
            raise

    async def _checked_image(self, frame: Frame) -> bytes:
        """Return the bytes of a frame's image, checked with all that is said of it where that is asked for."""
        is_checked = frame.checks == "on" and self._meaning.is_checked
        image = frame.image
        if image is None:
            raise AssertionError("an image that lies in the storage has no bytes")
        if isinstance(image, Path):
            image = await read_image(image, "image", frame.file_version if is_checked else None)
        if is_checked:
            # Bytes were checked when the frame was made, and told of by `_tell`.
            if image is not frame.image:
                frame.check_image(image)
                self._meaning.tell_turned(frame, image)
            if not self._meaning.fits(frame.prediction):
                await self._meaning.check_labels(frame.prediction)
        return image

    async def check(self, frame: Frame) -> None:
        """Do with a frame what is done before it is sent."""
        if not isinstance(frame, Frame):
            raise ConfigurationError(f"frame must be a Frame, got {shown(frame)}")
        self._monitoring.encode(frame)
        self._tell(frame)
        await self._checked_content(frame)

    async def is_stored(self, frame: Frame) -> bool:
        """Return whether the platform shows a frame that was sent before with its id in the custom metadata.

        An image that lies in the storage is known by its name there: a deployment takes each once, and the platform keeps no custom
        metadata for data that it has.

        Raises:
            ConfigurationError: It is no `Frame`.
        """
        if not isinstance(frame, Frame):
            raise ConfigurationError(f"frame must be a Frame, got {shown(frame)}")
        if frame.object_name is None:
            return is_among(frame.id, await self._assets.first_page(look_up_query(frame.id)))
        try:
            asset = await self._assets.find(object_name=frame.object_name)
        except ResourceNotFoundError:
            return False
        return is_or_may_be(frame.id, asset.description)


def _once(oracle: OracleService) -> OracleService:
    """Return the same host, with a single attempt for each call."""
    return attrs.evolve(oracle, service=attrs.evolve(oracle.service, retry=RetryPolicy.none()))
