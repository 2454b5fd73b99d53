"""The formats of areas: polygons, and pixel masks in COCO's run-length form."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self, get_args

import attrs

from picsellia_async.enums import InferenceType
from picsellia_async.errors import ConfigurationError, shown
from picsellia_async.predictions import _masks, _values
from picsellia_async.predictions._geometry import POINTS_MIN, Placement, Size, checked_size, paths_from
from picsellia_async.predictions._labels import Classes, LabelMap, Names
from picsellia_async.predictions._masks import Parts, RunLength
from picsellia_async.predictions._outlines import is_flat, whole_outline
from picsellia_async.predictions._run_length import has_pixels
from picsellia_async.predictions._shares import points_way_out
from picsellia_async.predictions._values import Numbers, Path, Shapes
from picsellia_async.predictions.base import PredictionFormat, SplitShapes
from picsellia_async.validation import boolean, choice, is_scalar, sequence

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_PIXELS: Final = (
    "with x first, multiply x by the width and y by the height of the image; with y first, swap each pair before"
)


@attrs.frozen(repr=False)
class SegmentationPredictionFormat(PredictionFormat):
    """Polygons."""

    model_type: ClassVar[InferenceType] = InferenceType.SEGMENTATION
    shape_fields: ClassVar[tuple[str, ...]] = ("detection_scores", "detection_masks")

    detection_scores: list[float] = attrs.field(converter=_values.scores)
    """One per shape: confidence, usually 0 to 1. Must be finite."""
    detection_masks: list[list[list[int]]] = attrs.field(converter=_values.polygons)
    """One polygon per shape, `[[x, y], ...]` in pixels; the flat `[x1, y1, ...]` and OpenCV contours are accepted."""
    detection_texts: list[str] | None = attrs.field(default=None, converter=_values.optional_texts)
    """One per shape (recognised text, for instance), or None."""
    detection_boxes: list[list[int]] | None = attrs.field(default=None, converter=_values.optional_boxes)
    """Accepted for code written for older versions of the service; never sent (docs/wire.md#prediction-formats)."""

    @classmethod
    def from_polygons(
        cls,
        polygons: Iterable[Path],
        classes: Classes,
        scores: Numbers,
        *,
        normalized: Size | None = None,
        clip: Size | None = None,
        names: Names | None = None,
        label_map: LabelMap | None = None,
        texts: Iterable[str] | None = None,
    ) -> Self:
        """Return the prediction for polygons. Keywords: `PredictionFormat`.

        Args:
            polygons: One per shape, in any spelling that `detection_masks` takes; or COCO's list of flat polygons, each of
                which becomes a shape of its own, with class and score of the whole. Fewer than three points are left out. One that is
                thinner than a pixel becomes the box of the pixels that it touches.
            classes: One per shape.
            scores: One per shape.
            normalized: See `PredictionFormat`.
            clip: See `PredictionFormat`; points beyond the image move to its edge.
            names: See `PredictionFormat`.
            label_map: See `PredictionFormat`.
            texts: See `PredictionFormat`.

        Raises:
            ConfigurationError: A polygon of three points or more without width or height.
            ImplausibleError: Shares that are none, or a polygon that is wholly or mostly beside the image.
        """
        place = Placement.of(normalized, clip)
        found = [
            [
                path
                for path in map(whole_outline, paths_from(_values.parts(one), f"polygons[{i}]", place, is_area=True))
                if len(path) >= POINTS_MIN and not is_flat(path)  # flat: less than a pixel of it lay in the image
            ]
            for i, one in enumerate(_polygons_in(polygons, "polygons", scores))
        ]
        place.refuse_shares(
            "polygons",
            points_way_out("use SegmentationPredictionFormat.from_polygons(..., normalized=(width, height))"),
        )
        place.refuse_far_paths()
        kept = SplitShapes.of(found, classes, scores, texts, names, label_map)
        return kept.prediction(cls, place.bounds, place.clipped, place.doubt)

    @classmethod
    def from_binary_masks(
        cls,
        masks: Iterable[Shapes],
        classes: Classes,
        scores: Numbers,
        *,
        parts: Parts = "all",
        names: Names | None = None,
        label_map: LabelMap | None = None,
        texts: Iterable[str] | None = None,
    ) -> Self:
        """Return the polygons around masks. Needs the extra `masks`. Keywords: `PredictionFormat`.

        Args:
            masks: Arrays of height x width of the image, true or above 0 inside. Holes are not represented.
            classes: One per mask.
            scores: One per mask.
            parts: "all": each separate piece becomes a shape of its own, with class and score of the whole; "largest": one per mask.
            names: See `PredictionFormat`.
            label_map: See `PredictionFormat`.
            texts: See `PredictionFormat`.

        Raises:
            ConfigurationError: Probabilities in place of masks, other shapes, or the extra is not installed.
        """
        choice(parts, "parts", get_args(Parts))
        arrays = _masks.mask_arrays(masks, count=_count_of(scores))
        found = [_masks.outlines(mask, parts) for mask in arrays]
        kept = SplitShapes.of(found, classes, scores, texts, names, label_map)
        return kept.prediction(cls, _masks.image_size(arrays))

    @classmethod
    def from_rle(
        cls,
        masks: Iterable[RunLength],
        classes: Classes,
        scores: Numbers,
        *,
        parts: Parts = "all",
        names: Names | None = None,
        label_map: LabelMap | None = None,
        texts: Iterable[str] | None = None,
    ) -> Self:
        """Return the polygons around masks in COCO's run-length form. As `from_binary_masks`."""
        found = [_masks.array_of(one, f"masks[{i}]") for i, one in enumerate(sequence(masks, "masks"))]
        return cls.from_binary_masks(found, classes, scores, parts=parts, names=names, label_map=label_map, texts=texts)


@attrs.frozen(repr=False)
class MaskPredictionFormat(PredictionFormat):
    """Pixel masks."""

    model_type: ClassVar[InferenceType] = InferenceType.MASK
    shape_fields: ClassVar[tuple[str, ...]] = ("detection_scores", "detection_masks")

    detection_scores: list[float] = attrs.field(converter=_values.scores)
    """One per shape: confidence, usually 0 to 1. Must be finite."""
    detection_masks: list[str] = attrs.field(converter=_values.mask_strings)
    """One per shape: COCO compressed-RLE `counts` over height x width of the image, as the platform's datasets use it."""
    detection_texts: list[str] | None = attrs.field(default=None, converter=_values.optional_texts)
    """One per shape (recognised text, for instance), or None."""

    @classmethod
    def from_binary_masks(
        cls,
        masks: Iterable[Shapes],
        classes: Classes,
        scores: Numbers,
        *,
        names: Names | None = None,
        label_map: LabelMap | None = None,
        texts: Iterable[str] | None = None,
    ) -> Self:
        """Return the prediction for arrays of height x width of the image, without the empty ones. Needs the extra `masks`. Keywords: `PredictionFormat`.

        Raises:
            ConfigurationError: Probabilities in place of masks, other shapes, or the extra is not installed.
        """
        arrays = _masks.mask_arrays(masks, count=_count_of(scores))
        found = [[_masks.encode(mask)] if mask.any() else [] for mask in arrays]
        split = SplitShapes.of(found, classes, scores, texts, names, label_map)
        return split.prediction(cls, _masks.image_size(arrays))

    @classmethod
    def from_polygons(
        cls,
        polygons: Iterable[Path],
        classes: Classes,
        scores: Numbers,
        *,
        size: Size,
        names: Names | None = None,
        label_map: LabelMap | None = None,
        texts: Iterable[str] | None = None,
    ) -> Self:
        """Return the prediction for the pixels inside polygons. Needs the extra `masks`. Keywords: `PredictionFormat`.

        Args:
            polygons: One per shape, or the list of those that make it up. A shape without any of three points is left out. Of a polygon
                that is thinner than a pixel, the pixels that it touches are taken.
            classes: One per shape.
            scores: One per shape.
            size: (width, height) of the image; polygons are cut to it.
            names: See `PredictionFormat`.
            label_map: See `PredictionFormat`.
            texts: See `PredictionFormat`.

        Raises:
            ConfigurationError: A polygon of three points or more without width or height.
            ImplausibleError: A polygon that is wholly or mostly beside the image.
        """
        known = _required_size(size)
        place = Placement.of(None, known)
        given = enumerate(_polygons_in(polygons, "polygons", scores))
        found = [_counts_of_polygons(one, f"polygons[{i}]", place, known) for i, one in given]
        place.refuse_shares("polygons", _PIXELS)
        place.refuse_far_paths()
        split = SplitShapes.of(found, classes, scores, texts, names, label_map)
        return split.prediction(cls, known, place.clipped)

    @classmethod
    def from_shapes(
        cls,
        shapes: Iterable[RunLength | str | Path],
        classes: Classes,
        scores: Numbers,
        *,
        size: Size | None = None,
        names: Names | None = None,
        label_map: LabelMap | None = None,
        texts: Iterable[str] | None = None,
    ) -> Self:
        """Return the prediction for masks of which some are run lengths and some polygons, as tools mix them in one file. Keywords: `PredictionFormat`.

        Args:
            shapes: Each as `from_rle` or as `from_polygons` takes it. Polygons need the extra `masks`.
            classes: One per shape.
            scores: One per shape.
            size: (width, height) of the image; needed for polygons where no run-length mask says it.
            names: See `PredictionFormat`.
            label_map: See `PredictionFormat`.
            texts: See `PredictionFormat`.

        Raises:
            ConfigurationError: A mask of another image, runs that do not fill it, or polygons of an image whose size is not known.
            ImplausibleError: A polygon that is wholly or mostly beside the image.
        """
        given = _polygons_in(shapes, "shapes", scores)
        known = checked_size(size, "size")
        found: list[list[str]] = [[] for _ in given]
        for i, one in enumerate(given):  # run lengths first: they may say the size that polygons need
            if isinstance(one, (str, Mapping)):
                counts, known = _masks.compressed(one, f"shapes[{i}]", known)
                found[i] = [counts] if has_pixels(counts) else []
        place = Placement.of(None, known)
        for i, one in enumerate(given):
            if not isinstance(one, (str, Mapping)):
                if known is None:
                    raise ConfigurationError(
                        f"shapes[{i}] is polygons, whose pixels need size=(width, height) of the image"
                    )
                found[i] = _counts_of_polygons(one, f"shapes[{i}]", place, known)
        place.refuse_shares("polygons", _PIXELS)
        place.refuse_far_paths()
        split = SplitShapes.of(found, classes, scores, texts, names, label_map)
        return split.prediction(cls, known, place.clipped)

    @classmethod
    def from_rle(
        cls,
        masks: Iterable[RunLength | str],
        classes: Classes,
        scores: Numbers,
        *,
        size: Size | None = None,
        names: Names | None = None,
        label_map: LabelMap | None = None,
        texts: Iterable[str] | None = None,
    ) -> Self:
        """Return the prediction for masks in COCO's run-length form, compressed or not, without the empty ones. Keywords: `PredictionFormat`.

        Args:
            masks: `{"size": [height, width], "counts": ...}`; counts are a text, bytes or a list. Or the compressed text alone.
            classes: One per mask.
            scores: One per mask.
            size: (width, height) of the image; a mask of another one is refused.
            names: See `PredictionFormat`.
            label_map: See `PredictionFormat`.
            texts: See `PredictionFormat`.

        Raises:
            ConfigurationError: No run-length mask, the mask of another image, or runs that do not fill it.
        """
        known = checked_size(size, "size")
        found: list[list[str]] = []
        for i, one in enumerate(sequence(masks, "masks")):
            counts, known = _masks.compressed(one, f"masks[{i}]", known)
            found.append([counts] if has_pixels(counts) else [])
        return SplitShapes.of(found, classes, scores, texts, names, label_map).prediction(cls, known)

    def to_binary_masks(self, size: Size) -> list[NDArray[np.uint8]]:
        """Return an array of height x width of 0 and 1 per mask. Needs the extra `masks`.

        Args:
            size: (width, height) of the image.

        Raises:
            ConfigurationError: The masks are not of an image of that size.
        """
        known = _required_size(size)
        return [_masks.decode(one, known, f"detection_masks[{i}]") for i, one in enumerate(self.detection_masks)]

    def to_rle(self, size: Size, *, compressed: bool = True) -> list[RunLength]:
        """Return COCO's run-length form of each mask.

        Args:
            size: (width, height) of the image.
            compressed: Whether counts are a text, or the list of the lengths of runs.

        Raises:
            ConfigurationError: Uncompressed: the masks are not of an image of that size. Or a value is of the wrong kind.
        """
        width, height = known = _required_size(size)
        counts = (
            self.detection_masks
            if boolean(compressed, "compressed")
            else _masks.uncompressed(self.detection_masks, known)
        )
        return [{"size": [height, width], "counts": one} for one in counts]


def _polygons_in(value: Any, name: str, scores: Numbers) -> list[Any]:
    """Return the polygons as a list.

    Raises:
        ConfigurationError: It is no list, or one polygon alone, whose points would each be taken for a polygon.
    """
    given = _values.listed(value, name)
    is_flat = bool(given) and is_scalar(given[0])
    if is_flat or (len(given) >= POINTS_MIN and _count_of(scores) == 1 and all(map(_is_point, given))):
        raise ConfigurationError(f"{name} is one polygon alone, got {shown(value)}: [{name}] makes a list of it")
    return given


def _is_point(value: Any) -> bool:
    return not is_scalar(value) and len(value) == len(("x", "y")) and all(map(is_scalar, value))


def _counts_of_polygons(polygons: Path, name: str, place: Placement, size: tuple[int, int]) -> list[str]:
    """Return the compressed counts of the pixels of one shape's polygons; nothing where none has three points and lies in the image."""
    paths = paths_from(_values.parts(polygons), name, place, is_area=True)
    # Flat: less than a pixel of it lay in the image.
    kept = [path for path in paths if len(path) >= POINTS_MIN and not is_flat(path)]
    return [_masks.encode_polygons(kept, size)] if kept else []


def _count_of(scores: Numbers) -> int | None:
    return None if is_scalar(scores) else len(scores)  # type: ignore[arg-type] # it has a length


def _required_size(size: Size) -> tuple[int, int]:
    known = checked_size(size, "size")
    if known is None:
        raise ConfigurationError("size must be (width, height) of the image, got None")
    return known
