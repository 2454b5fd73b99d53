"""Whether what is sent to a deployment can be meant: the checks of `plausibility`, with the label map of the model version in use."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable
from typing import Any, Final
from uuid import UUID

import attrs

from picsellia_async._data_labels import check_labels_of_data
from picsellia_async._deployment.class_names import check_class_names
from picsellia_async._error_text import shown_name
from picsellia_async._http.single_flight import SingleFlight
from picsellia_async._log_line import logger, tell
from picsellia_async._services.account import Account
from picsellia_async._services.remembered import Kind
from picsellia_async._wire.endpoints import GET_DEPLOYMENT, GET_MODEL_VERSION
from picsellia_async._wire.unset import UNSET, Unset
from picsellia_async.config import RetryPolicy, Timeouts
from picsellia_async.errors import ImplausibleError, PicselliaError, UndefinedObjectError
from picsellia_async.frames import StoredData
from picsellia_async.models import DeploymentDescription
from picsellia_async.monitor_options import MonitorOptions
from picsellia_async.plausibility import (
    LATENCY_TOLD,
    check_classes,
    check_image,
    check_latency,
    check_options,
    check_prediction,
    check_scores,
    check_unchanged,
    is_right_at_a_glance,
    is_turned,
)
from picsellia_async.predictions import PredictionFormat, copied
from picsellia_async.predictions.scaling import has_flat_shapes
from picsellia_async.resources.handle import Record

FETCH_SECONDS: Final = 5.0
"""How long the first call of a deployment waits for the label map; afterwards it goes on without one."""
REFRESH_SECONDS: Final = 60.0
"""Another label map is asked for no more often, when classes are outside of the known one: the model may have been replaced."""


@attrs.frozen
class Labels:
    """A label map."""

    version_id: UUID | None
    """Model version that it belongs to."""
    names: dict[str, int]
    """Index by name. Of two indexes of one name, the lower one."""
    indexes: frozenset[int] | None
    """All of them; None: not known, so that nothing is refused for it."""
    fetched_at: float
    """Time of the loop."""


class Meaning:
    """Checks what is handed to a deployment, where its account says so."""

    def __init__(self, record: Record[DeploymentDescription]) -> None:
        """Store the record; nothing is sent."""
        self._record = record
        self.is_checked: Final = record.account.settings.checks == "on"
        """Whether this deployment's calls are checked."""
        self._labels: Labels | None = None
        self._told: set[str] = set()
        """Remarks about names that were made already."""
        self._fetching: SingleFlight[Labels] = SingleFlight()

    async def label_map(self) -> dict[str, int]:
        """Fetch the label map of the model version in use now."""
        account = self._record.account
        self._use(await account.ask(self._key, _LABELS, lambda: self._fetch(account, None), self._use))
        return dict(self._labels.names) if self._labels is not None else {}

    @property
    def _key(self) -> str:
        """What the label map is called where answers are remembered."""
        return f"label map of {self._record.id}"

    def _use(self, labels: Labels) -> None:
        self._labels = labels

    def check(self, options: MonitorOptions, image: bytes | memoryview | None = None) -> bool:
        """Check a prediction and, where it is at hand, its image: all that needs no waiting.

        Returns:
            Whether nothing is left to check. Else `check_labels` must follow.

        Raises:
            ImplausibleError: A value cannot be meant.
        """
        if not self.is_checked:
            return True
        labels, version_id = self._labels, self._record.description.model_version_id
        # What `_at_hand` says, without the call: this runs for every image.
        if (
            labels is not None
            and labels.indexes is not None
            and (version_id is labels.version_id or version_id == labels.version_id)
            and is_right_at_a_glance(options, image, labels.indexes)
        ):
            return True
        # The image first: where its size is wrong, all coordinates seem so.
        if image is not None:
            check_image(image, options.content_type, (options.width, options.height))  # type: ignore[arg-type]
        check_options(options, is_size_known=image is not None)
        if image is not None:
            self.tell_turned(options, image)
        self.tell_flat(options)
        return self.fits(options.prediction)

    def check_image_of(self, options: MonitorOptions, image: bytes | memoryview) -> None:
        """Check an image against what is said about it.

        Raises:
            ImplausibleError: They contradict each other.
        """
        if self.is_checked:
            # The content type is settled when the options are made.
            check_image(image, options.content_type, (options.width, options.height))  # type: ignore[arg-type]
            self.tell_turned(options, image)

    def check_image(self, image: memoryview, name: str) -> None:
        """Check an image that is to be predicted on.

        Raises:
            ImplausibleError: It is neither JPEG nor PNG.
        """
        if self.is_checked:
            check_image(image, name=name)

    def check_labels_of_data(self, tags: list[str], source: str | Unset, upload_dir: str | Unset) -> None:
        """Check what is said about the data that a prediction makes.

        Raises:
            ImplausibleError: A blank tag or source, or a directory that leads out of its own.
        """
        if self.is_checked:
            check_labels_of_data(tags, None if source is UNSET else source, None if upload_dir is UNSET else upload_dir)

    def check_shadow(self, prediction: PredictionFormat, latency: float, size: tuple[int, int] | None) -> None:
        """Check a prediction of the shadow model that comes later.

        Args:
            prediction: The prediction.
            latency: Of the shadow model.
            size: (width, height) of the image; None: it is not known, and neither coordinates are checked.

        Raises:
            ConfigurationError: Its lists were changed after it was made.
            ImplausibleError: A value cannot be meant.
        """
        if not self.is_checked:
            return
        check_latency(latency, "shadow_latency")
        check_unchanged(prediction, "shadow_prediction")
        if size is not None:
            check_prediction(prediction, *size, "shadow_prediction")  # scores and classes among it
            return
        check_scores(prediction, "shadow_prediction")
        check_classes(prediction, None, "shadow_prediction")

    def fits(self, prediction: PredictionFormat) -> bool:
        """Whether the label map at hand has all classes, so that `check_labels` would have nothing to do: the usual case."""
        labels, version_id = self._labels, self._record.description.model_version_id
        # What `_at_hand` says, without the call.
        return (
            labels is not None
            and (version_id is None or version_id is labels.version_id or version_id == labels.version_id)
            and labels.indexes is not None
            and prediction.class_names is None
            and labels.indexes.issuperset(prediction.detection_classes)
        )

    def _at_hand(self) -> Labels | None:
        """Return the label map that was fetched, if it is that of the model version in use, as far as that is known."""
        labels, version_id = self._labels, self._record.description.model_version_id
        if labels is None or version_id is None or version_id is labels.version_id or version_id == labels.version_id:
            return labels
        return None

    async def check_labels(self, prediction: PredictionFormat) -> None:
        """Check classes against the label map. It is fetched when first needed, and again when a class is outside of it.

        Not for the prediction of a shadow: that is another model version, whose label map may be another.

        Raises:
            ImplausibleError: A class is no index of the label map, or the label map has the model's name for it elsewhere.
        """
        if not prediction.detection_classes:
            return
        labels = self._at_hand()
        if labels is None:
            prediction = copied(
                prediction
            )  # as it was encoded: the caller may change it while the label map is fetched
            labels = await self._fetching.run(self._first_fetch)
        if prediction.class_names is not None:
            self._tell_names(check_class_names(prediction, labels.names))
        if labels.indexes is None or labels.indexes.issuperset(prediction.detection_classes):
            return
        if asyncio.get_running_loop().time() - labels.fetched_at > REFRESH_SECONDS:
            prediction = copied(prediction)
            labels = await self._fetching.run(self._refresh)
        check_classes(prediction, labels.indexes, "prediction")

    def tell(self, options: MonitorOptions) -> None:
        """Say once what is sent and may be another than what was meant: a long latency, shapes that a constructor left out or found odd."""
        if self.is_checked and "latency" not in self._told and _looks_long(options.latency):
            self._told.add("latency")
            self._warn(
                "latency is in seconds, and %(latency)g looks like milliseconds where the model did not take so long; it is sent as it is",
                latency=options.latency,
            )
        if options.prediction.left_out and "left_out" not in self._told:
            self._told.add("left_out")
            self._warn(
                "shapes of the prediction for %(image)r had nothing to send, an empty mask, a polygon of fewer than three points, a "
                "skeleton without a point or a framework's box without an extent, and were left out (%(left_out)d, prediction.left_out)",
                image=shown_name(options.filename),
                left_out=options.prediction.left_out,
            )

        if self.is_checked and options.prediction.doubt and "doubt" not in self._told:
            self._told.add("doubt")
            self._warn(
                "prediction for %(image)r: %(doubt)s",
                image=shown_name(options.filename),
                doubt=options.prediction.doubt,
            )

    def tell_turned(self, options: MonitorOptions, image: bytes | memoryview) -> None:
        """Say once that viewers show an image turned by its EXIF, and that the size given is not the shown one."""
        if "turned" not in self._told and is_turned(image, (options.width, options.height)):
            self._told.add("turned")
            self._warn(
                "%(image)r is shown turned, as its EXIF says, and width and height are those of its stored pixels (%(width)d x %(height)d): "
                "coordinates in these lie beside their objects; image_size(image) is the size to predict in",
                image=shown_name(options.filename),
                width=options.width,
                height=options.height,
            )

    def tell_flat(self, options: MonitorOptions) -> None:
        """Say once that a shape has no extent: rounding makes such of what is thinner than a pixel, and other mistakes do too."""
        if "flat" not in self._told and has_flat_shapes(options.prediction):
            self._told.add("flat")
            self._warn(
                "the prediction for %(image)r has a box without width or height, or a line whose points are all the same, in whole pixels: it "
                "is sent as it is",
                image=shown_name(options.filename),
            )

    def tell_swapped(self, options: MonitorOptions, data: StoredData) -> None:
        """Say once that the platform knows data by the other side first: of a picture that no viewer turns, the sides are swapped."""
        known = (data.width, data.height)
        if (
            self.is_checked
            and "swapped" not in self._told
            and (options.width, options.height) != known == (options.height, options.width)
        ):
            self._told.add("swapped")
            self._warn(
                "width and height for the data %(image)r are %(width)d x %(height)d, and the platform knows it as %(height)d x %(width)d: "
                "right for a picture that its EXIF turns, swapped for any other, whose coordinates then lie beside their objects",
                image=data.object_name,
                width=options.width,
                height=options.height,
            )

    def _warn(self, text: str, **fields: object) -> None:
        tell(logging.WARNING, f"deployment %(deployment)r: {text}", deployment=self._record.description.name, **fields)

    def _tell_names(self, remarks: list[str]) -> None:
        """Say once what is not certain: a model's own names may be other words for the same classes."""
        for remark in remarks:
            if remark not in self._told:
                self._told.add(remark)
                logger.warning(
                    "deployment %r: %s; give label_map= where predictions are made, so that classes are found by name",
                    self._record.description.name,
                    remark,
                )

    @property
    def _quick_account(self) -> Account:
        return self._record.account.with_limits(Timeouts.of(FETCH_SECONDS), RetryPolicy.none())

    async def _first_fetch(self) -> Labels:
        account = self._quick_account

        def fetch() -> Awaitable[Labels]:
            return self._fetch(account, self._record.description.model_version_id)

        return await self._quick_fetch(self._of_version_in_use(account.ask(self._key, _LABELS, fetch, self._use)))

    async def _of_version_in_use(self, asked: Awaitable[Labels]) -> Labels:
        """Refuse a remembered label map that is another model version's."""
        labels, known = await asked, self._record.description.model_version_id
        if known is None or known is labels.version_id:
            return labels
        if known != labels.version_id:
            raise UndefinedObjectError("the one that is remembered belongs to another model version")
        return attrs.evolve(labels, version_id=known)  # that one object, as in `_fetch`

    async def _refresh(self) -> Labels:
        return await self._quick_fetch(self._fetch(self._quick_account, None))

    async def _quick_fetch(self, fetched: Awaitable[Labels]) -> Labels:
        """Fetch the label map quickly, or go on with the one at hand; without one, do without."""
        try:
            async with asyncio.timeout(FETCH_SECONDS):
                # Kept before the flight ends: who calls right after it must not start another one.
                self._labels = await fetched
        except (PicselliaError, TimeoutError) as error:
            at_hand = self._at_hand()
            if at_hand is not None and at_hand.indexes is not None:
                if "not refreshed" not in self._told:
                    self._told.add("not refreshed")
                    logger.warning(
                        "the label map of deployment %r cannot be fetched again: a class is outside of the known one, which counts until "
                        "it can: %s",
                        self._record.description.name,
                        str(error) or "no answer in time",
                    )
                # Asked for no more often than where it can be fetched.
                self._labels = attrs.evolve(at_hand, fetched_at=asyncio.get_running_loop().time())
                return self._labels
            logger.warning(
                "the label map of deployment %r cannot be fetched, so that classes are not checked against it: %s",
                self._record.description.name,
                str(error) or "no answer in time",
            )
            self._labels = _labels(self._record.description.model_version_id, {}, None)
        return self._labels

    async def _fetch(self, account: Account, version_id: UUID | None) -> Labels:
        """Fetch the label map of a model version; None: of the one that the platform names now."""
        if version_id is None:
            # The handle's description is left as it is: a check must change nothing that its user sees.
            description = await account.call(GET_DEPLOYMENT, deployment_id=self._record.id)
            version_id = description.model_version_id
        if version_id is None:
            raise UndefinedObjectError(
                f"the platform names no model version for deployment {self._record.description.name!r}"
            )
        known = self._record.description.model_version_id
        if version_id == known:
            version_id = known  # that one object: to compare two UUIDs takes longer than to check the classes
        found = await account.call(GET_MODEL_VERSION, model_version_id=version_id)
        indexes: dict[int, str] = {}
        for key, name in (found.labels or {}).items():
            if key.isdecimal():
                indexes[int(key)] = name
        # From the highest down, so that the lowest index of a name stays.
        names = {indexes[index]: index for index in sorted(indexes, reverse=True)}
        return _labels(version_id, dict(sorted(names.items(), key=lambda pair: pair[1])), frozenset(indexes) or None)


def _looks_long(latency: float) -> bool:
    """Whether a latency is sent that may be milliseconds; what is refused anyway is not told."""
    try:
        check_latency(latency, "latency")
    except ImplausibleError:
        return False
    return latency >= LATENCY_TOLD


def _labels(version_id: UUID | None, names: dict[str, int], indexes: frozenset[int] | None) -> Labels:
    return Labels(version_id, names, indexes, asyncio.get_running_loop().time())


def _to_json(labels: Labels) -> Any:
    return [labels.version_id and str(labels.version_id), labels.names, labels.indexes and sorted(labels.indexes)]


def _from_json(found: Any) -> Labels:
    version_id, names, indexes = found
    known = {str(name): int(index) for name, index in names.items()}
    return Labels(version_id and UUID(version_id), known, indexes and frozenset(map(int, indexes)), -math.inf)


_LABELS: Final = Kind(_to_json, _from_json)
