"""From an array of pixels to an encoded image, with the prediction moved along where it is made smaller. Blocking: some milliseconds.

JPEG goes through simplejpeg, PNG and resizing through OpenCV; both release the interpreter while they work. They are imported
on use, and belong to the extra `images`.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any, Final, Literal, TypeAlias, get_args

import attrs

from picsellia_async.enums import SupportedContentType
from picsellia_async.errors import ConfigurationError, ImplausibleError, shown
from picsellia_async.image_header import read_header
from picsellia_async.predictions import PredictionFormat, as_prediction
from picsellia_async.predictions.base import said_of_size
from picsellia_async.predictions.scaling import gets_flat, scaled
from picsellia_async.validation import choice, refuse_masked, whole_number

ChannelOrder: TypeAlias = Literal["bgr", "rgb", "gray"]
"""What the last axis of an array means: OpenCV has bgr, nearly all others rgb."""
EncodedFormat: TypeAlias = Literal["jpeg", "png"]

_SPELLINGS: Final = {"jpg": "jpeg"}
QUALITY: Final = 85
"""Of a JPEG, 1 to 100; what is lost at 85 is not seen."""
BYTE_MAX: Final = 255
"""Highest value of a channel."""
_NORMALIZED_MAX: Final = 16
"""Highest value up to which floats are not taken for 0 to 255: a picture so dark is rarer than one that was normalised for a model."""
_NUMERIC: Final = frozenset("biuf")
"""Kinds of numpy's arrays of true or false, integers and floats."""
JPEG_SIDE_MAX: Final = 65_500
"""Pixels of a side that libjpeg encodes; the format itself ends at 65,535."""


@attrs.frozen(kw_only=True)
class Encoding:
    """How an array becomes an image."""

    order: ChannelOrder = "bgr"
    format: EncodedFormat = "jpeg"
    quality: int = QUALITY
    max_side: int | None = None

    def __attrs_post_init__(self) -> None:
        """Refuse what is no such setting; numbers of numpy and torch become Python's."""
        for name, choices in (("order", get_args(ChannelOrder)), ("format", get_args(EncodedFormat))):
            found = getattr(self, name)
            if isinstance(found, str):  # "BGR", "JPEG" and "jpg" can mean nothing else
                plain = _SPELLINGS.get(found.casefold(), found.casefold())
                found = plain if plain in choices else found
            choice(found, name, choices)
            object.__setattr__(self, name, found)
        object.__setattr__(self, "quality", whole_number(self.quality, "quality", 1))
        if self.quality > 100:
            raise ConfigurationError(f"quality must be 1 to 100, got {self.quality}")
        if self.max_side is not None:
            object.__setattr__(self, "max_side", whole_number(self.max_side, "max_side", 1))

    @property
    def content_type(self) -> SupportedContentType:
        """Type of the encoded image."""
        return SupportedContentType.JPEG if self.format == "jpeg" else SupportedContentType.PNG


@attrs.frozen
class EncodedImage:
    """An encoded array, and what is said about it in its own pixels."""

    content: bytes = attrs.field(repr=False)
    """JPEG or PNG."""
    width: int
    """Pixels."""
    height: int
    """Pixels."""
    prediction: PredictionFormat
    """In pixels of the encoded image."""
    shadow_prediction: PredictionFormat | None
    """Of the shadow model, in the same way."""


def encode(
    pixels: Any,
    encoding: Encoding,
    prediction: PredictionFormat,
    shadow_prediction: PredictionFormat | None = None,
    *,
    is_checked: bool = True,
) -> EncodedImage:
    """Encode an array.

    Args:
        pixels: Array of height x width x 3, or height x width for gray; bytes 0 to 255.
        encoding: Order of its channels, and what it becomes.
        prediction: In pixels of the array.
        shadow_prediction: Likewise.
        is_checked: Whether a prediction that was made for another size than the array's is refused before it is moved along.

    Raises:
        ConfigurationError: No such array, a side too long for a JPEG, or the extra `images` is not installed.
        ImplausibleError: A prediction was made for another size.
    """
    predictions = [as_prediction(prediction, "prediction")]
    if shadow_prediction is not None:
        predictions.append(as_prediction(shadow_prediction, "shadow_prediction"))
    array = _checked(pixels, encoding.order)
    height, width = array.shape[:2]
    side = encoding.max_side
    if side is not None and max(width, height) > side:
        factor = side / max(width, height)
        new = max(round(width * factor), 1), max(round(height * factor), 1)
        (cv2,) = _libraries("cv2")
        for name, one in zip(("prediction", "shadow_prediction"), predictions if is_checked else (), strict=False):
            _check_size(one, (width, height), name)  # here, where the size is the caller's
        array = cv2.resize(array, new, interpolation=cv2.INTER_AREA)
        predictions = [scaled(one, (width, height), new) for one in predictions]
        width, height = new
    content = _jpeg(array, encoding) if encoding.format == "jpeg" else _png(array, encoding)
    return EncodedImage(content, width, height, predictions[0], predictions[1] if len(predictions) > 1 else None)


def _check_size(prediction: PredictionFormat, size: tuple[int, int], name: str) -> None:
    """Refuse a prediction of another image before it is moved along.

    Raises:
        ImplausibleError: It was made for another size.
    """
    made_for = prediction.image_size
    if made_for is not None and made_for != size:
        raise ImplausibleError(
            f"{said_of_size(name, made_for)}, and pixels is {size[0]} x {size[1]}: with max_side= it is in pixels of the array as it is given"
        )


def encode_smaller(
    content: bytes,
    size: tuple[int, int],
    quality: int,
    max_side: int,
    prediction: PredictionFormat,
    shadow_prediction: PredictionFormat | None,
) -> EncodedImage | None:
    """Encode a JPEG again, with fewer pixels or less quality; None where that makes it no smaller, or it is no plain JPEG.

    Args:
        content: A JPEG.
        size: (width, height) that it is said to have; of another one nothing is made.
        quality: Of the new one, 1 to 100.
        max_side: Pixels of its longer side at most.
        prediction: In pixels of the image; moves along.
        shadow_prediction: Likewise.

    Raises:
        ConfigurationError: A shape is too small for so few pixels.
    """
    header = read_header(content)
    if header is None or header.format != "JPEG" or header.orientation != 1 or header.stored_size != size:
        return None  # what is turned by a note in its header would lose that note
    cv2, simplejpeg = _libraries("cv2", "simplejpeg")
    width, height = size
    factor = min(1.0, max_side / max(width, height))
    new = max(round(width * factor), 1), max(round(height * factor), 1)
    try:
        is_gray = simplejpeg.decode_jpeg_header(content)[2] == "Gray"
        # Decoded at an eighth to the whole of its size, as JPEG allows: faster than all of it.
        array = simplejpeg.decode_jpeg(
            content, colorspace="GRAY" if is_gray else "BGR", min_width=new[0], min_height=new[1]
        )
    except ValueError:
        return None
    if array.shape[:2] != (new[1], new[0]):
        array = cv2.resize(array, new, interpolation=cv2.INTER_AREA)
    if new != (width, height):
        prediction = _moved(prediction, size, new)
        shadow_prediction = None if shadow_prediction is None else _moved(shadow_prediction, size, new)
    encoded = _jpeg(array.reshape(new[1], new[0]) if is_gray else array, Encoding(order="bgr", quality=quality))
    if len(encoded) >= len(content):
        return None
    return EncodedImage(encoded, new[0], new[1], prediction, shadow_prediction)


def _moved(prediction: PredictionFormat, old: tuple[int, int], new: tuple[int, int]) -> PredictionFormat:
    if gets_flat(prediction, old, new):
        raise ConfigurationError("a shape is too small for so few pixels")
    return scaled(prediction, old, new)


def _libraries(*names: str) -> list[Any]:
    try:
        return [import_module(name) for name in names]
    except ImportError as error:
        raise ConfigurationError(f"arrays need {error.name}: pip install 'picsellia-async[images]'") from error


def _conversion(array: Any, *, is_tensor: bool) -> str:
    """Say how an array of another type becomes bytes without wrapping round, in the words of the library that it is of."""
    to_bytes = "to(torch.uint8)" if is_tensor else "astype(numpy.uint8)"
    # A conversion cuts fractions off: without rounding every fourth level of gray gets too dark by one.
    rounded = f"round().{to_bytes}"
    clip = "pixels.clip(0, 255)" if is_tensor else "numpy.clip(pixels, 0, 255)"
    if array.dtype.kind == "b":
        return f"pixels.{to_bytes} * 255"
    lowest, highest = (array.min(), array.max()) if array.size and array.dtype.kind in "fiu" else (0, 0)
    is_float = array.dtype.kind == "f"
    if highest != highest:  # noqa: PLR0124 - NaN is what is not itself
        return "it holds NaN, which is no pixel"
    if is_float and lowest >= 0 and highest <= 1:
        return f"multiply by 255, round and convert, (pixels * 255).{rounded}"
    if lowest < 0 or (is_float and (highest <= _NORMALIZED_MAX or BYTE_MAX < highest <= 2 * BYTE_MAX)):
        return (
            f"its values go from {lowest:.4g} to {highest:.4g}, as an image that was normalised for a model: undo that first (pixels * std + mean, "
            "with those of the model's preprocessing), multiply by 255 where it gives 0 to 1, then "
            f"{clip}.{rounded}"
        )
    if highest <= BYTE_MAX:
        return rounded if is_float else to_bytes
    return (
        f"its highest value is {highest}: scale to 0 to 255 first, (pixels * (255 / full)).{rounded}, where full is the highest "
        "value that the camera can give (65535 of 16 bits, 4095 of 12), the same for every image: each one's own makes brightness jump"
    )


def _refuse_others(pixels: Any) -> None:
    """Refuse what often stands in place of an array: nothing, a path, and bytes, whose height and width nothing says.

    Raises:
        ConfigurationError: It is one of these.
    """
    if pixels is None:
        raise ConfigurationError(
            "pixels is None, and no array: cv2.imread gives None for a path that it cannot read, and VideoCapture.read at the end"
        )
    if isinstance(pixels, (str, os.PathLike)):
        raise ConfigurationError(
            f"pixels is {shown(pixels)}, and no array: an image in a file is given as Frame(image=Path(...)), or its path to monitor"
        )
    if isinstance(pixels, (bytes, bytearray)) or (isinstance(pixels, memoryview) and pixels.ndim == 1):
        raise ConfigurationError(
            f"pixels is {len(pixels)} bytes, and no array: an encoded image is given as Frame(image=...) or to monitor_bytes, and raw "
            "pixels as numpy.frombuffer(pixels, numpy.uint8).reshape(height, width, 3)"
        )


def _array_of(pixels: Any) -> Any:
    """Return the pixels as an array of numbers.

    Raises:
        ConfigurationError: They are none.
    """
    (numpy,) = _libraries("numpy")
    try:
        array = numpy.asarray(pixels)
    except (TypeError, ValueError, OverflowError):  # rows of different lengths, for instance
        array = None
    if array is None or array.dtype.kind not in _NUMERIC:
        raise ConfigurationError(
            f"pixels must be an array of height x width x 3, or height x width for gray, got {shown(pixels)}"
        )
    return array


def _refuse_numbers(pixels: Any, array: Any, *, is_tensor: bool) -> None:
    """Refuse what holds other numbers than bytes, and say how it becomes an array of them.

    Raises:
        ConfigurationError: Always.
    """
    conversion = _conversion(array, is_tensor=is_tensor)
    if not hasattr(pixels, "dtype"):
        is_bytes = array.dtype.kind in "iu" and array.size and array.min() >= 0 and array.max() <= BYTE_MAX
        way = (
            "numpy.asarray(pixels, numpy.uint8)"
            if is_bytes
            else f"pixels = numpy.asarray(pixels) makes one; {conversion}"
        )
        raise ConfigurationError(
            f"pixels must be an array of bytes of 0 to 255 (uint8), got a {type(pixels).__name__}: {way}"
        )
    raise ConfigurationError(f"pixels must be bytes of 0 to 255 (uint8), got {array.dtype}: {conversion}")


def _checked(pixels: Any, order: str) -> Any:
    """Return the pixels as an array of whole rows."""
    (numpy,) = _libraries("numpy")
    refuse_masked(
        pixels, "pixels", "say by pixels.filled(0) that they are black, or give pixels.data, what lies behind the mask"
    )
    _refuse_others(pixels)
    if hasattr(
        pixels, "getbands"
    ):  # Pillow's: it knows its channels, and the order that is said may not contradict them
        bands = pixels.getbands()
        own = {("R", "G", "B"): "rgb", ("L",): "gray"}.get(tuple(bands))
        if own is None:
            raise ConfigurationError(f"pixels is an image of Pillow's with bands {bands}: convert('RGB') first")
        if own == "rgb" and order != own:
            raise ImplausibleError(
                f'pixels is an image of Pillow\'s, whose channels are red, green, blue: order="rgb", not {order!r}'
            )
    is_tensor = hasattr(pixels, "detach")
    array = _array_of(pixels.detach().cpu() if is_tensor else pixels)
    shape = array.shape
    if array.dtype != numpy.uint8:
        _refuse_numbers(pixels, array, is_tensor=is_tensor)
    if array.ndim == 3 and shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim == 3 and shape[2] == 4:
        raise ConfigurationError(f"pixels has four channels, shape {shape}: drop the alpha channel, pixels[:, :, :3]")
    if array.ndim == 3 and shape[2] != 3 and shape[0] in {1, 3}:
        turn = "permute" if is_tensor else "transpose"
        raise ImplausibleError(f"pixels has shape {shape}, which looks like channels first: pixels.{turn}(1, 2, 0)")
    is_gray = array.ndim == 2
    if not array.size or not (is_gray or (array.ndim == 3 and shape[2] == 3)):
        raise ConfigurationError(f"pixels must be height x width x 3, or height x width for gray, got shape {shape}")
    if order == "gray" and not is_gray:
        raise ConfigurationError(f'order="gray" takes height x width, got shape {shape}')
    return numpy.ascontiguousarray(array)


def _jpeg(array: Any, encoding: Encoding) -> bytes:
    height, width = array.shape[:2]
    if max(height, width) > JPEG_SIDE_MAX:
        raise ConfigurationError(
            f"a JPEG has at most {JPEG_SIDE_MAX} pixels a side, got {width} x {height}: make it smaller with max_side=, or use "
            'format="png"'
        )
    (simplejpeg,) = _libraries("simplejpeg")
    if array.ndim == 2:
        content = simplejpeg.encode_jpeg(
            array[:, :, None], quality=encoding.quality, colorspace="GRAY", colorsubsampling="Gray"
        )
    else:
        content = simplejpeg.encode_jpeg(
            array, quality=encoding.quality, colorspace=encoding.order.upper(), colorsubsampling="420"
        )
    return bytes(content)


def _png(array: Any, encoding: Encoding) -> bytes:
    (cv2,) = _libraries("cv2")
    if array.ndim == 3 and encoding.order == "rgb":
        array = cv2.cvtColor(array, cv2.COLOR_RGB2BGR)
    content: bytes = cv2.imencode(".png", array)[1].tobytes()
    return content
