"""`OnnxModel`: a detector or classifier in an ONNX file, as a function of pixels. Needs the extra `onnx`."""

from __future__ import annotations

import ast
import logging
import os
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Self, TypeAlias, get_args

import attrs

from picsellia_async._error_text import error_text
from picsellia_async._log_line import tell
from picsellia_async.enums import InferenceType
from picsellia_async.errors import ConfigurationError, shown
from picsellia_async.predictions import (
    ClassificationPredictionFormat,
    DetectionPredictionFormat,
    LabelMap,
    PredictionFormat,
)
from picsellia_async.predictions._labels import checked_label_map
from picsellia_async.validation import choice, real_number, sequence, whole_number

if TYPE_CHECKING:
    from picsellia_async.inference.fitting import Resize
    from picsellia_async.inference.outputs import Coordinates

Values: TypeAlias = Literal["0-1", "0-255", "-1-1", "imagenet"]
"""What the model has learnt pixels as: shares, as they are, around 0, or less the mean of ImageNet and by its deviation."""
Task: TypeAlias = Literal["detection", "classification"]
"""What the model does."""

SIZE: Final = 640
"""Width and height of an input that may have any, where the file does not tell."""
_MEAN: Final = (0.485, 0.456, 0.406)
_DEVIATION: Final = (0.229, 0.224, 0.225)
_DIFFERENCES_SHOWN: Final = 3
_TYPES: Final = {"tensor(float)": "float32", "tensor(float16)": "float16", "tensor(uint8)": "uint8"}


@attrs.frozen(kw_only=True)
class _Input:
    """The one input of a model."""

    name: str
    dtype: str
    rank: int
    has_channels_last: bool
    size: tuple[int, int]
    """(width, height)."""


class OnnxModel:
    """Predicts on the pixels of one picture; made by `load`, called in threads.

    Detectors of the YOLO family and SSD-style ones are told apart by the names and shapes of their outputs, and classifiers read. What
    cannot be told is refused when it is loaded.
    """

    def __init__(
        self,
        session: Any,
        names: Sequence[str] | Mapping[int, str],
        *,
        task: Task = "detection",
        label_map: LabelMap | None = None,
        only: Iterable[str] | None = None,
        threshold: float = 0.25,
        iou: float = 0.45,
        size: int | None = None,
        order: Literal["rgb", "bgr"] = "rgb",
        values: Values | None = None,
        resize: Resize | None = None,
        coordinates: Coordinates | None = None,
        first_label: int | None = None,
    ) -> None:
        """Look at the model: run it once, on a gray picture. `load` describes the arguments; the session is ONNX Runtime's."""
        import numpy as np  # noqa: PLC0415 - an extra, imported on use

        from picsellia_async.inference import fitting, outputs  # noqa: PLC0415 - they need NumPy and OpenCV

        choice(task, "task", get_args(Task))
        choice(order, "order", ("rgb", "bgr"))
        choice(values, "values", (None, *get_args(Values)))
        choice(resize, "resize", (None, "letterbox", "stretch"))
        choice(coordinates, "coordinates", (None, "pixels", "shares"))
        self._numpy, self._fitting, self._outputs = np, fitting, outputs
        self._session = session
        self._output_names = [output.name for output in session.get_outputs()]
        self._names = names_by_number(names)
        self._label_map = None if label_map is None else checked_label_map(label_map) or None
        self._wanted = self._chosen(only)
        told = session.get_modelmeta().custom_metadata_map
        _check_names(self._names, _told_names(told))
        self._input = _input_of(session, None if size is None else whole_number(size, "size", 32), _told_size(told))
        self._turns = order == "bgr"
        self._values: Values = values or ("0-255" if self._input.dtype == "uint8" else "0-1")
        self._task: Task = task
        reading = outputs.Reading(
            size=self._input.size, classes=len(self._names), threshold=_share(threshold, "threshold"), iou=_share(iou, "iou"),
            coordinates=coordinates, first_label=first_label,
        )  # fmt: skip
        width, height = self._input.size
        try:
            first = self._run(np.full((height, width, 3), 114, np.uint8))
        except Exception as error:
            asked = "" if size is None else f"size={size}: "
            said = " ".join(error_text(error).split()).rstrip(".")
            raise ConfigurationError(
                f"{asked}the model fails on a picture of {width} x {height}: {said}. Where its input may have any size, the option `size` gives "
                "another one, such as that of its export"
            ) from error
        self._layout: outputs.Layout | None = None
        if task == "detection":
            self._layout = outputs.layout_of(first, reading)
        else:
            outputs.class_scores(first, len(self._names))
        self._resize: Resize = resize or ("stretch" if self._layout is None else self._layout.resize)

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        names: Sequence[str] | Mapping[int, str],
        *,
        threads: int | None = None,
        **options: Any,
    ) -> Self:
        """Return the model of a file. Blocks: for a thread, where a loop runs.

        Args:
            path: The `.onnx` file.
            names: Names of the model's classes, by number.
            threads: Threads of one call (ONNX Runtime's `intra_op_num_threads`); calls at the same time share them. None: one less
                than the process has cores, and at least one, so that a core is left to the event loop. Threads without work wait
                and do not spin.
            **options: `task`: "detection" or "classification". `label_map`: `await deployment.label_map()`, in which classes are
                looked up by name; without it predictions hold the model's own numbers. `only`: names of the classes to tell of.
                `threshold` (0.25): the least score of a box, 0 to 1. `iou` (0.45): of two boxes of a class that overlap by more,
                the surer one stays. `size`: of an input that may have any; by default what the file's metadata tell (`imgsz`),
                or 640. `order`: "rgb" or "bgr", of what the model has learnt. `values`:
                what it has learnt pixels as: "0-1" (the default), "0-255" (where the input is of bytes), "-1-1", or "imagenet".
                `resize`: "letterbox" (the default of the YOLO family) or "stretch". `coordinates`: "pixels" or "shares", of SSD-style
                boxes. `first_label`: number of the first class in SSD-style outputs (1; 0 with TensorRT's names).

        Raises:
            ConfigurationError: The extra is not installed, the file is no model that can be read here or fails on a gray picture, what
                its outputs mean cannot be told, or its metadata give one of the names to another class.
        """
        try:
            import cv2  # noqa: F401, PLC0415 - an extra, imported on use
            import onnxruntime  # noqa: PLC0415
        except ImportError as error:
            raise ConfigurationError(
                "models in ONNX files need ONNX Runtime: pip install 'picsellia-async[onnx]'"
            ) from error
        file = Path(path)
        if not file.is_file():
            raise ConfigurationError(f"there is no model {os.fspath(path)!r}")
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = max(1, _cores() - 1) if threads is None else whole_number(threads, "threads", 1)
        # By default threads spin between two calls: they took as much CPU again, and the cores that the event loop waits for.
        settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            session = onnxruntime.InferenceSession(
                os.fspath(file), settings, providers=onnxruntime.get_available_providers()
            )
        except Exception as error:
            raise ConfigurationError(f"{os.fspath(path)!r} is no model that ONNX Runtime can run: {error}") from error
        return cls(session, names, **options)

    def __repr__(self) -> str:
        """Return what it was taken for."""
        kind = "classifier" if self._layout is None else self._layout.name
        width, height = self._input.size
        return f"<OnnxModel {kind}, {len(self._names)} classes, {width} x {height}, {self._resize}>"

    @property
    def model_type(self) -> InferenceType:
        """Type of the deployments that its predictions are for."""
        return InferenceType.CLASSIFICATION if self._layout is None else InferenceType.OBJECT_DETECTION

    @property
    def names(self) -> dict[int, str]:
        """Names of its classes, by number."""
        return dict(self._names)

    def __call__(self, pixels: Any) -> PredictionFormat:
        """Predict.

        Args:
            pixels: Height x width x 3, uint8, as RGB.

        Raises:
            ConfigurationError: The model gives what it should not, such as a class without a name.
        """
        height, width = pixels.shape[:2]
        fitted = self._fitting.fit(pixels, self._input.size, self._resize)
        outputs = self._run(fitted.pixels)
        if self._layout is None:
            return self._classified(outputs)
        found = self._layout.read(outputs)
        classes = [int(one) for one in found.classes]
        unknown = next((one for one in classes if one not in self._names), None)
        if unknown is not None:
            raise ConfigurationError(
                f"the model gives class {unknown}, and there are names for {len(self._names)}: first_label= says from where it counts"
            )
        # A box may reach over the border, and one wholly in the gray beside the picture shows nothing of it.
        boxes = fitted.back(found.boxes.astype(self._numpy.float64)).clip(0, [width, height, width, height])
        has_area = (boxes[:, 2:] - boxes[:, :2] >= 1).all(axis=1)
        kept = [i for i, one in enumerate(classes) if has_area[i] and one in self._wanted]
        return DetectionPredictionFormat.from_xyxy(
            boxes[kept].tolist(), [classes[i] for i in kept], found.scores[kept].astype(float).tolist(), **self._meaning
        )

    def _classified(self, outputs: Mapping[str, Any]) -> PredictionFormat:
        scores = self._outputs.class_scores(outputs, len(self._names))
        best = max(self._wanted, key=lambda number: float(scores[number]))
        return ClassificationPredictionFormat.from_classes([best], [float(scores[best])], **self._meaning)

    @property
    def _meaning(self) -> dict[str, Any]:
        return {} if self._label_map is None else {"names": self._names, "label_map": self._label_map}

    def _chosen(self, only: Iterable[str] | None) -> frozenset[int]:
        if only is None:
            return frozenset(self._names)
        numbers = {name: number for number, name in self._names.items()}
        chosen = list(only)
        unknown = [name for name in chosen if name not in numbers]
        if unknown or not chosen:
            raise ConfigurationError(f"only= must be names of the model's classes, got {shown(unknown or chosen)}")
        return frozenset(numbers[name] for name in chosen)

    def _run(self, pixels: Any) -> dict[str, Any]:
        names = self._output_names
        return dict(zip(names, self._session.run(names, {self._input.name: self._tensor(pixels)}), strict=True))

    def _tensor(self, pixels: Any) -> Any:
        np, given = self._numpy, self._input
        if self._turns:
            pixels = pixels[:, :, ::-1]
        if given.dtype != "uint8":
            pixels = pixels.astype(np.float32)
            if self._values != "0-255":
                pixels /= 255
            if self._values == "-1-1":
                pixels = pixels * 2 - 1
            elif self._values == "imagenet":
                pixels = (pixels - np.array(_MEAN, np.float32)) / np.array(_DEVIATION, np.float32)
        if not given.has_channels_last:
            pixels = pixels.transpose(2, 0, 1)
        return np.ascontiguousarray(pixels if given.rank == 3 else pixels[None], dtype=given.dtype)


def names_by_number(names: Sequence[str] | Mapping[int, str]) -> dict[int, str]:
    """Return names by number, without a gap.

    Args:
        names: A list, or a mapping.

    Raises:
        ConfigurationError: There are none, one is no text, or numbers are left out.
    """
    found = dict(names) if isinstance(names, Mapping) else dict(enumerate(sequence(names, "names")))
    if not found or not all(isinstance(name, str) and name for name in found.values()):
        raise ConfigurationError(f"names must be the names of the model's classes, got {shown(names)}")
    if sorted(found) != list(range(len(found))):
        raise ConfigurationError(
            f"names must have one for each number from 0 to {len(found) - 1}, got {sorted(found)[:5]} ..."
        )
    return {number: found[number] for number in range(len(found))}


def _cores() -> int:
    """Return how many cores this process may use."""
    # Not everywhere can a process be kept to some of the cores.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _share(value: float, name: str) -> float:
    """Return a number of 0 to 1.

    Raises:
        ConfigurationError: It is another one.
    """
    number = real_number(value, name, 0.0)
    if number > 1:
        raise ConfigurationError(f"{name}={number:g} is no share: give 0 to 1")
    return number


def _told(metadata: Mapping[str, str], key: str) -> Any:
    """Return what an exporter wrote into the file, as Python writes it; None where it is something else."""
    try:
        return ast.literal_eval(metadata.get(key, "None"))
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None


def _told_names(metadata: Mapping[str, str]) -> dict[int, str]:
    """Return the names of classes that the file itself has; none where it has no such."""
    told = _told(metadata, "names")
    found = dict(enumerate(told)) if isinstance(told, (list, tuple)) else told
    if not isinstance(found, dict) or not all(type(key) is int and isinstance(found[key], str) for key in found):
        return {}
    return found


def _told_size(metadata: Mapping[str, str]) -> tuple[int, int] | None:
    """Return width and height that the file itself says its model has learnt on; None where it does not."""
    told = _told(metadata, "imgsz")
    height, width = (
        (told, told) if type(told) is int else told if isinstance(told, (list, tuple)) and len(told) == 2 else (0, 0)
    )
    return (width, height) if type(width) is type(height) is int and min(width, height) >= 32 else None


def _check_names(names: Mapping[int, str], told: Mapping[int, str]) -> None:
    """Compare the names that were given with those in the file: one may be called otherwise, and none may be another class's.

    Raises:
        ConfigurationError: The file gives one of the names to another class.
    """
    key = _spelling(names.values(), told.values())
    different = {number: name for number, name in told.items() if key(names.get(number, "")) != key(name)}
    if not different:
        return
    few = list(different)[:_DIFFERENCES_SHOWN]
    shown_few = ", ".join(f"class {one} is {told[one]!r} there and {names.get(one)!r} here" for one in few)
    more = f", and {len(different) - len(few)} more" if len(different) > len(few) else ""
    numbers = {key(name): number for number, name in told.items()}
    elsewhere = {number: name for number, name in names.items() if key(told.get(number, "")) != key(name)}
    moved = next((number for number, name in elsewhere.items() if key(name) in numbers), None)
    if moved is not None:
        raise ConfigurationError(
            f"the names are in another order than in the model's file: {names[moved]!r} is class {moved} here and class "
            f"{numbers[key(names[moved])]} there ({shown_few}{more}). Give them in its order, or correct `names` in its metadata"
        )
    tell(
        logging.WARNING,
        "the model's file calls %(different)d of its classes otherwise than the names that were given: %(classes)s",
        different=len(different),
        classes=f"{shown_few}{more}",
    )


def _plain(name: str) -> str:
    """Return what two spellings of a name have in common: its letters (with their marks) and digits."""
    return "".join(
        one for one in unicodedata.normalize("NFKC", name).casefold() if unicodedata.category(one)[0] in "LMN"
    )


def _spelling(*lists: Iterable[str]) -> Callable[[str], str]:
    """Return how names are compared: by letters and digits alone, unless two names of a list differ in nothing else ("C", "C++")."""
    for names in lists:
        exact = {name.casefold() for name in names}
        plain = {_plain(name) for name in exact}
        if len(plain) < len(exact) or "" in plain:
            return str.casefold
    return _plain


def _input_of(session: Any, size: int | None, told: tuple[int, int] | None) -> _Input:
    """Return what is known of a model's input.

    Args:
        session: ONNX Runtime's.
        size: Of both sides, as it was asked for.
        told: Width and height that the file tells beside its input.

    Raises:
        ConfigurationError: There is another number of them, or it is no picture.
    """
    inputs = session.get_inputs()
    shapes = ", ".join(f"{one.name} {list(one.shape)} {one.type}" for one in inputs)
    given = inputs[0] if len(inputs) == 1 else None
    if given is None or given.type not in _TYPES or len(given.shape) not in {3, 4}:
        raise ConfigurationError(f"the model must take one picture, of float or uint8: {shapes}")
    shape = list(given.shape)[-3:]
    is_last = shape[0] != 3 and shape[2] == 3
    batch = 1 if len(given.shape) == 3 else given.shape[0]
    if (shape[0] != 3 and not is_last) or (isinstance(batch, int) and batch != 1):
        raise ConfigurationError(
            f"the model must take one picture of three channels, [1, 3, height, width] or [1, height, width, 3]: {shapes}"
        )
    rows, columns = shape[:2] if is_last else shape[1:]
    fixed = [side if isinstance(side, int) and side > 0 else None for side in (columns, rows)]
    if size is not None and any(side not in {None, size} for side in fixed):
        raise ConfigurationError(f"size={size}, and the model's input has one of its own: {shapes}")
    width, height = (size, size) if size is not None else told or (SIZE, SIZE)
    return _Input(
        name=given.name,
        dtype=_TYPES[given.type],
        rank=len(given.shape),
        has_channels_last=is_last,
        size=(fixed[0] or width, fixed[1] or height),
    )
