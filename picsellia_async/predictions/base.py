"""What the seven formats share. Validated when made; no I/O, no wire.

One rule for coordinates that are no whole pixels: they are rounded to the nearest one (halves to the even one), since models
predict in fractions and the platform stores pixels. Class indexes with a fraction are refused. Scores must be finite numbers.
Numbers may be Python's, numpy's or torch's, lists may be tuples or arrays.
"""

from __future__ import annotations

import functools
import reprlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, Final, TypeVar

import attrs

from picsellia_async.enums import InferenceType
from picsellia_async.errors import ConfigurationError
from picsellia_async.predictions import _values
from picsellia_async.predictions._labels import Classes, LabelMap, Names, indexes, known_labels
from picsellia_async.predictions._values import Numbers
from picsellia_async.validation import sequence

_REPR: Final = reprlib.Repr()
"""Shows six entries of a list and 30 characters of a text."""


@attrs.frozen(repr=False)
class PredictionFormat:
    """What all formats share; use one of the subclasses.

    Their constructors `from_...` take shapes first, then `classes` and `scores`, one each per shape, and these keywords:

    - `normalized`: (width, height) of the image; the coordinates are shares of it, 0 to 1. Shapes are cut to it.
    - `clip`: (width, height) of the image; shapes are cut to it. `clipped` counts those that were.
    - `label_map`: index by name, from `await deployment.label_map()`. Classes may then be names, and every index is checked. Numbers
      without `names` are the label map's own: it says nothing of the model's, which need `names`.
    - `names`: names of the model's own indexes, which are then looked up in `label_map`. Without classes: a name per shape.
    - `texts`: recognised text per shape, or None.

    Raises:
        ConfigurationError: Lists of different lengths, or a value of the wrong kind; the message names field, index and value.
    """

    model_type: ClassVar[InferenceType]
    """Type of the deployments that take this format."""
    shape_fields: ClassVar[tuple[str, ...]]
    """Fields with one entry per shape, beside `detection_classes`; in the order in which the wire carries them."""

    detection_classes: list[int] = attrs.field(converter=_values.classes)
    """One per shape: index into the label map of the model version."""

    clipped: int = attrs.field(default=0, init=False, eq=False, repr=False)
    """Shapes that the constructor cut to the image."""
    left_out: int = attrs.field(default=0, init=False, eq=False, repr=False)
    """Shapes that the constructor left out, since nothing of them was there to send: empty masks and polygons."""
    image_size: tuple[int, int] | None = attrs.field(default=None, init=False, eq=False, repr=False)
    """(width, height) of the image that the constructor was told of (`normalized`, `clip`, `size`) or that its masks have; None:
    neither. A frame of another size refuses the prediction."""

    doubt: str | None = attrs.field(default=None, init=False, eq=False, repr=False)
    """What the constructor found odd and yet possible, as joints that look like y, x; a deployment tells its first one in the log."""

    class_names: Mapping[int, str] | None = attrs.field(default=None, init=False, eq=False, repr=False)
    """What the model calls the classes, by index: by its own names where a constructor was told them, by those of `label_map` where it
    was given; None: not known. A deployment whose label map has such a name at another index refuses the prediction."""

    def __repr__(self) -> str:
        """Return the class and its fields, long ones cut: there may be a hundred thousand boxes."""
        fields = (field for field in attrs.fields(type(self)) if field.repr)
        shown_fields = (f"{field.name}={_REPR.repr(getattr(self, field.name))}" for field in fields)
        return f"{type(self).__name__}({', '.join(shown_fields)})"

    def check_lengths(self) -> None:
        """Refuse lists of different lengths.

        Raises:
            ConfigurationError: They are.
        """
        count = len(self.detection_classes)
        for name in self.shape_fields:
            found = len(getattr(self, name))
            if found != count:
                raise ConfigurationError(
                    f"{name} must have one entry per class: got {found} for {count} entries in detection_classes"
                )
        found_texts = getattr(self, "detection_texts", None)
        if found_texts and len(found_texts) != count:
            raise ConfigurationError(
                f"detection_texts must be empty or have one entry per class: got {len(found_texts)} for {count}"
            )

    __attrs_post_init__ = check_lengths


P = TypeVar("P", bound=PredictionFormat)


@functools.cache
def field_names(kind: type[PredictionFormat]) -> tuple[str, ...]:
    """Return what a constructor takes. What it notes beside that, names of classes for instance, is nothing that is sent."""
    return tuple(field.name for field in attrs.fields(kind) if field.init)


def said_of_size(name: str, size: tuple[int, int]) -> str:
    """Return how messages begin that are about the width and height that a prediction was made for."""
    return f"{name} was made for an image of {size[0]} x {size[1]} (normalized=, clip=, size= or its masks)"


def counted(
    prediction: P,
    image_size: tuple[int, int] | None,
    clipped: int = 0,
    left_out: int = 0,
    label_map: LabelMap | None = None,
    doubt: str | None = None,
) -> P:
    """Return the prediction, with a note of what its constructor did, and of the image that its coordinates belong to."""
    object.__setattr__(prediction, "doubt", doubt)
    object.__setattr__(prediction, "image_size", image_size)
    object.__setattr__(prediction, "clipped", clipped)
    object.__setattr__(prediction, "left_out", left_out)
    return with_label_map(prediction, label_map)


def with_label_map(prediction: P, label_map: LabelMap | None) -> P:
    """Return the prediction, with a note of what the label map calls its classes: it may be that of another deployment."""
    if label_map is None:
        return prediction
    used = set(prediction.detection_classes)
    by_index = known_labels(label_map, used).by_index
    return with_class_names(prediction, {index: by_index[index] for index in used if index in by_index})


def with_class_names(prediction: P, class_names: Mapping[int, str] | None) -> P:
    """Return the prediction, with a note of what the model calls its classes."""
    if class_names:
        object.__setattr__(prediction, "class_names", class_names)
    return prediction


@attrs.define
class SplitShapes:
    """The lists of a prediction while shapes are taken apart into several, or left out."""

    classes: list[int]
    scores: list[Any]
    texts: list[Any] | None
    shapes: list[Any] = attrs.field(factory=list)
    left_out: int = 0
    label_map: LabelMap | None = None

    def prediction(
        self, make: Callable[..., P], image_size: tuple[int, int] | None, clipped: int = 0, doubt: str | None = None
    ) -> P:
        """Return the prediction of these lists; `make` is its class, and the rest as for `counted`."""
        return counted(
            make(self.classes, self.scores, self.shapes, self.texts),
            image_size,
            clipped,
            self.left_out,
            self.label_map,
            doubt,
        )

    @classmethod
    def of(
        cls,
        found: list[list[Any]],
        classes: Classes,
        scores: Numbers,
        texts: Iterable[str] | None,
        names: Names | None,
        label_map: LabelMap | None,
    ) -> SplitShapes:
        """Repeat class, score and text of each shape for each of its parts in `found`; a shape without parts is left out.

        Raises:
            ConfigurationError: Lists of different lengths.
        """
        labels, confidences = indexes(classes, names, label_map), sequence(scores, "scores")
        words = None if texts is None else sequence(texts, "texts")
        for name, values in (("classes", labels), ("scores", confidences), ("texts", words)):
            if values is not None and len(values) != len(found) and not (name == "texts" and not values):
                raise ConfigurationError(f"{name} must have one entry per shape: got {len(values)} for {len(found)}")
        result = cls([], [], [] if words else words, label_map=label_map)
        for i, parts in enumerate(found):
            result.left_out += not parts
            for part in parts:
                result.classes.append(labels[i])
                result.scores.append(confidences[i])
                result.shapes.append(part)
                if words and result.texts is not None:
                    result.texts.append(words[i])
        return result
