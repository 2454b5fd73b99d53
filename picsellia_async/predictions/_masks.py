"""Pixel masks: COCO run-length in both its forms, arrays, and the polygons around them.

Pixels are packed and drawn by faster-coco-eval and OpenCV, loaded on use; run lengths are read and written by `_run_length`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, TypedDict

from picsellia_async.errors import ConfigurationError, shown
from picsellia_async.predictions._geometry import POINTS_MIN
from picsellia_async.predictions._outlines import is_thin
from picsellia_async.predictions._run_length import check_counts, counts_from_text, has_pixels, text_from_counts
from picsellia_async.predictions._thin_masks import is_broken, keep_whole, touched_by
from picsellia_async.validation import refuse_masked, sequence, whole_number

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_NUMERIC: Final = frozenset("biuf")
"""Kinds of numpy's arrays of true or false, integers and floats."""
_FLAT: Final = "flat, reshape(height, width) makes a mask of it"
_HALF: Final = 0.5
"""From which a pixel between those of a mask belongs to it."""
FULL: Final = 255
"""Of a pixel that a mask covers wholly, where its share is a byte."""
_END: Final = 32
"""How far from 0 and from 255 values count as these, of a mask that was resized or blurred."""
_STEPS_MIN: Final = 3
"""Values between them that it has; a map of few instances has fewer."""
_HIGH_MIN: Final = 0.3
"""Share of the pixels of such a mask that has the full value."""
_MIDDLE_MAX: Final = 0.2
"""Pixels between the ends, as a share of those at the upper end, that a mask may have as a JPEG: a few along its edges."""
_SOFT_EDGES: Final = "holds values between 0 and 255, which looks like a mask of 0 and 255 with soft edges: masks > 127"
_AS_JPEG: Final = "holds values near 0 and near 255, which looks like a mask of 0 and 255 that went through JPEG: threshold it, masks > 127"

Parts: TypeAlias = Literal["all", "largest"]
"""Which separate pieces of a mask become polygons."""


class RunLength(TypedDict):
    """A mask in COCO's run-length form."""

    size: list[int]
    """Height and width of the image, in this order."""
    counts: str | bytes | list[int]
    """Compressed text, or the plain lengths of runs of 0 and 1 in turn, down the columns."""


def _libraries(*names: str) -> list[Any]:
    from importlib import import_module  # noqa: PLC0415 - only where masks are used

    try:
        return [import_module(name) for name in names]
    except ImportError as error:
        raise ConfigurationError(f"masks need {error.name}: pip install 'picsellia-async[masks]'") from error


def _check_axes(masks: Any, name: str, count: int | None) -> None:
    """Refuse what is no list of masks.

    Raises:
        ConfigurationError: One mask alone, one number, or an array whose last axis counts the masks.
    """
    is_list = isinstance(masks, Iterable) and not isinstance(masks, (str, bytes, Mapping))
    if not is_list or getattr(masks, "ndim", None) == 0:
        raise ConfigurationError(f"{name} must be arrays of height x width, one per shape, got {shown(masks)}")
    shape = tuple(getattr(masks, "shape", ()))
    if len(shape) == 2 and shape[0] == count:
        raise ConfigurationError(f"{name} has shape {shape}, as flat masks: {name}.reshape({count}, height, width)")
    if len(shape) == 2:
        raise ConfigurationError(f"{name} has shape {shape}, as one mask alone: [{name}] makes a list of it")
    if len(shape) == 3 and shape[0] != count == shape[2]:
        way = f"{name}.movedim(-1, 0)" if hasattr(masks, "detach") else f"numpy.moveaxis({name}, -1, 0)"
        raise ConfigurationError(
            f"{name} has shape {shape}, which looks like height x width x masks: {way} puts the masks first"
        )


def _array(value: Any, name: str) -> Any:
    """Return the array of one mask.

    Raises:
        ConfigurationError: It holds no numbers, and neither true nor false.
    """
    (numpy,) = _libraries("numpy")
    try:
        found = numpy.asarray(value)
    except (TypeError, ValueError, OverflowError):  # rows of different lengths, or of what numpy has no number for
        found = None
    if found is None or found.dtype.kind not in _NUMERIC:
        raise ConfigurationError(
            f"{name} must be an array of height x width of numbers, or of true and false, got {shown(value)}"
        )
    return found


def mask_arrays(masks: Any, name: str = "masks", count: int | None = None) -> list[NDArray[np.uint8]]:
    """Return one array of height x width of 0 and 1 per mask.

    Args:
        masks: The arrays, or one of all.
        name: How messages call it.
        count: How many there should be, where that is known: it tells which axis counts them.

    Raises:
        ConfigurationError: Not masks of one image, or other numbers than 0 and 1: probabilities or logits, whose threshold only the caller knows.
    """
    (numpy,) = _libraries("numpy")
    _check_axes(masks, name, count)
    found: list[NDArray[np.uint8]] = []
    refuse_masked(masks, name)
    for i, one in enumerate(masks):
        refuse_masked(one, f"{name}[{i}]")
        # torch: off the GPU, and out of the gradient graph.
        mask = _array(one.detach().cpu() if hasattr(one, "detach") else one, f"{name}[{i}]")
        if mask.ndim == 3 and mask.shape[0] == 1:
            mask = mask[0]
        if mask.ndim != 2 or not mask.size:
            way = ""
            if mask.ndim == 1:
                is_flat = count in {None, len(masks)} and hasattr(one, "shape")
                way = f": {_FLAT}" if is_flat else f", as one mask alone: [{name}] makes a list of it"
            raise ConfigurationError(f"{name}[{i}] must be an array of height x width, got shape {mask.shape}{way}")
        if found and mask.shape != found[0].shape:
            raise ConfigurationError(f"{name}[{i}] has shape {mask.shape}, the ones before it {found[0].shape}")
        is_set = mask != 0
        # Floats of 0 and 255 are what integers of these are.
        if mask.dtype.kind == "f" and bool((is_set & (mask != 1)).any()) and bool((is_set & (mask != FULL)).any()):
            raise ConfigurationError(f"{name}[{i}] {_no_mask(mask)}")
        if mask.dtype.kind not in "bf" and bool((is_set & (mask != mask.max())).any()):
            if looks := _looks_black_and_white(mask):
                raise ConfigurationError(f"{name}[{i}] {looks}")
            raise ConfigurationError(
                f"{name}[{i}] holds more than one value beside 0, which looks like a map of classes or of instances: one mask "
                f"for each, masks=[pixels == value for value in ...]"
            )
        found.append(is_set.astype(numpy.uint8))
    return found


def _looks_black_and_white(mask: Any) -> str:
    """Say of which mask of 0 and 255 these values may be: one that was resized or blurred, or one that was a JPEG; "": of none.

    A map of classes or instances lacks the middle, as where 255 is "ignore" beside a few classes, or has little at the upper end. Between
    0 and 255 it has no values close to both of them.
    """
    if mask.min() < 0 or mask.max() > FULL:
        return ""
    is_set, is_high = mask > 0, mask >= FULL - _END
    middle = mask[(mask > _END) & ~is_high]
    is_near_both = (is_set & (mask <= _END)).any() and (is_high & (mask < FULL)).any()
    if is_near_both and middle.size <= is_high.sum() * _MIDDLE_MAX:
        return _AS_JPEG
    has_steps = len(set(middle.tolist())) >= _STEPS_MIN and middle.size * 2 < mask.size
    return _SOFT_EDGES if has_steps and is_high.sum() >= is_set.sum() * _HIGH_MIN else ""


def _no_mask(mask: Any) -> str:
    """Say what a mask of floats other than 0 and 1 may be."""
    low, high = float(mask.min()), float(mask.max())
    if low != low:  # noqa: PLR0124 - NaN is what is not itself, and makes both ends NaN
        return "holds NaN: what the model gave is no mask"
    return _looks_black_and_white(mask) or (
        f"holds values from {low:.4g} to {high:.4g}, and a mask is 0 and 1: compare with the model's threshold first, masks > 0 for "
        "logits, masks > 0.5 for probabilities"
    )


def encode(mask: NDArray[np.uint8]) -> str:
    """Return the compressed counts of a mask."""
    numpy, coco = _libraries("numpy", "faster_coco_eval.core.mask")
    return str(coco.encode(numpy.asfortranarray(mask))["counts"].decode("ascii"))


def encode_polygons(polygons: Sequence[Sequence[tuple[float, float]]], size: tuple[int, int]) -> str:
    """Return the compressed counts of the pixels inside these polygons: those that pycocotools takes.

    Also those that a polygon touches of which pycocotools makes a few dots, or nothing, since it is thinner than a pixel.
    """
    _, numpy, coco = _libraries("cv2", "numpy", "faster_coco_eval.core.mask")
    width, height = size
    runs = coco.frPyObjects([[number for point in one for number in point] for one in polygons], height, width)
    for polygon, run in list(zip(polygons, runs, strict=True)):
        may_be_broken = is_thin(polygon) or not has_pixels(run["counts"].decode("ascii"))
        if may_be_broken and is_broken(polygon, coco.decode(run)):
            runs.append(coco.encode(numpy.asfortranarray(touched_by(polygon, size))))
    return str(coco.merge(runs)["counts"].decode("ascii"))


def without_letterbox(mask: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Return a mask of a network's input on its image of that width and height, as `scale_masks` of ultralytics does.

    The padding is cut off, and the rest is scaled between its pixels. A mask of the image's own size is returned as it is.
    """
    (height, width), (image_width, image_height) = mask.shape, size
    if (width, height) == size:
        return mask
    (cv2,) = _libraries("cv2")
    gain = min(height / image_height, width / image_width)
    inner_width, inner_height = max(round(image_width * gain), 1), max(round(image_height * gain), 1)
    # An odd pixel of padding is below and on the right.
    left, top = round((width - inner_width) / 2 - 0.1), round((height - inner_height) / 2 - 0.1)
    inner = mask[top : top + inner_height, left : left + inner_width].astype("float32")
    found: NDArray[np.uint8] = (cv2.resize(inner, size, interpolation=cv2.INTER_LINEAR) > _HALF).astype("uint8")
    return found


def image_size(masks: Sequence[NDArray[np.uint8]]) -> tuple[int, int] | None:
    """Return width and height of the image that these arrays cover; None where there is no array."""
    return (masks[0].shape[1], masks[0].shape[0]) if masks else None


def compressed(value: Any, name: str, size: tuple[int, int] | None) -> tuple[str, tuple[int, int] | None]:
    """Return the compressed counts of a run-length mask in any of its forms, and width and height of its image where they are known.

    Args:
        value: `{"size": [height, width], "counts": ...}` with counts as text, bytes or list, or the compressed text alone.
        name: How messages call it.
        size: Width and height of the image, where they are known.

    Raises:
        ConfigurationError: None of these, the mask of another image, or runs that do not fill it.
    """
    counts: Any = value
    if not isinstance(value, str):
        if not isinstance(value, Mapping) or not {"size", "counts"} <= set(value):
            raise ConfigurationError(
                f"{name} must be a run-length mask {{'size': [height, width], 'counts': ...}}, got {shown(value)}{_polygons_way(value)}"
            )
        counts = value["counts"]
        sides = [whole_number(one, f"{name} size", 1) for one in sequence(value["size"], f"{name} size")]
        if len(sides) != 2:
            raise ConfigurationError(f"{name} size must be [height, width], got {shown(value['size'])}")
        told = sides[1], sides[0]
        if size is not None and size != told:
            raise ConfigurationError(f"{name} is of an image of {told[0]} x {told[1]}, not of {size[0]} x {size[1]}")
        size = told
    if isinstance(counts, bytes):
        counts = counts.decode("ascii", "replace")
    if isinstance(counts, str):
        if size is not None:
            checked_text(counts, size, name)
        return counts, size
    found = [whole_number(one, f"{name} counts", 0) for one in sequence(counts, f"{name} counts")]
    if size is not None:
        check_counts(found, size, name)
    return text_from_counts(found), size


def _polygons_way(value: Any) -> str:
    if isinstance(value, (list, tuple)) or hasattr(value, "tolist"):
        return ": polygons are for MaskPredictionFormat.from_shapes, which takes both, or SegmentationPredictionFormat.from_polygons"
    return ""


def checked_text(counts: str, size: tuple[int, int], name: str) -> None:
    """Refuse a text whose runs are not those of an image of this size.

    Raises:
        ConfigurationError: No compressed counts, or they cover another number of pixels.
    """
    try:
        found = counts_from_text(counts)
    except ConfigurationError as error:
        raise ConfigurationError(f"{name}: {error}") from None
    check_counts(found, size, name)


def decode(counts: str, size: tuple[int, int], name: str = "detection_masks") -> NDArray[np.uint8]:
    """Return the array of height x width behind compressed counts.

    Raises:
        ConfigurationError: They are not of an image of this size.
    """
    (coco,) = _libraries("faster_coco_eval.core.mask")
    width, height = size
    try:
        found: NDArray[np.uint8] = coco.decode({"size": [height, width], "counts": counts.encode("ascii")})
    except ValueError as error:
        raise ConfigurationError(f"{name} is no run-length mask of {width} x {height} pixels: {error}") from None
    return found


def resized(counts: str, old: tuple[int, int], new: tuple[int, int]) -> str:
    """Return the compressed counts of a mask on a smaller image: the pixels that it covers by half or more.

    Of what is too thin to cover any so far, those that it touches: a crack of one pixel stays one line, however small the image gets.
    """
    cv2, numpy = _libraries("cv2", "numpy")
    checked_text(counts, old, "detection_masks")
    # Row by row: each step of OpenCV would copy it column by column.
    mask = numpy.ascontiguousarray(decode(counts, old))
    # The share of each pixel, in steps of a byte: where to take one pixel out of several shifts a mask by half of one.
    found = (cv2.resize(mask * FULL, new, interpolation=cv2.INTER_AREA) > FULL // 2).astype(mask.dtype)
    keep_whole(mask, found)
    return encode(found)


def array_of(value: Any, name: str) -> NDArray[np.uint8]:
    """Return the array behind a run-length mask that says its size."""
    counts, size = compressed(value, name, None)
    if size is None:
        raise ConfigurationError(f"{name} must say its size: {{'size': [height, width], 'counts': ...}}, got a text")
    return decode(counts, size, name)


def uncompressed(texts: Iterable[str], size: tuple[int, int]) -> list[list[int]]:
    """Return the lengths of runs of 0 and 1 in turn, down the columns, behind each compressed text.

    Raises:
        ConfigurationError: They are not of an image of this size.
    """
    found = [counts_from_text(one) for one in texts]
    for i, counts in enumerate(found):
        check_counts(counts, size, f"detection_masks[{i}]")
    return found


def outlines(mask: NDArray[np.uint8], parts: Parts) -> list[list[list[int]]]:
    """Return the polygons around a mask, largest first; holes are not represented. Nothing for an empty mask.

    Pieces of one or two pixels have no polygon of three points and get their pixels' own box.
    """
    (cv2,) = _libraries("cv2")
    contours = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)[0]
    found = []
    for contour in sorted(contours, key=cv2.contourArea, reverse=True):
        points = contour[:, 0].tolist()
        if len(points) < POINTS_MIN:
            x, y, width, height = cv2.boundingRect(contour)
            points = [[x, y], [x + width, y], [x + width, y + height], [x, y + height]]
        found.append(points)
    return found[:1] if parts == "largest" else found
