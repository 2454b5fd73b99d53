"""`picsellia-async run CAMERA...`: a model in an ONNX file on cameras, videos and folders, monitored until Ctrl-C."""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sys
from collections.abc import AsyncIterable, Mapping
from pathlib import Path
from typing import Any, Final, get_args

import attrs

from picsellia_async._error_text import error_text
from picsellia_async.cli.batch import count
from picsellia_async.cli.delivering import (
    add_account,
    check_readable,
    find_deployment,
    print_failures,
    seconds,
)
from picsellia_async.cli.keep_rules import parse_rule
from picsellia_async.cli.labels import read_labels
from picsellia_async.cli.sending import add_sending, cache_dir_of, sending_options
from picsellia_async.cli.status import Status, shown
from picsellia_async.cli.wording import in_options, report_in_options
from picsellia_async.client import AsyncClient
from picsellia_async.deployment import AsyncDeployment
from picsellia_async.enums import InferenceType
from picsellia_async.errors import ConfigurationError, UndefinedObjectError
from picsellia_async.inference import OnnxModel
from picsellia_async.inference.onnx_model import Task, Values
from picsellia_async.pipeline import Pipeline, PipelineReport, PipelineSourceStatistics
from picsellia_async.pipeline._rule import as_rules, check_class_names
from picsellia_async.pipeline._signals import SignalHandlers, SignalName
from picsellia_async.predictions import LabelMap, PredictionFormat
from picsellia_async.sources import Image, camera, directory, video

_NAMED: Final = re.compile(r"([\w. -]+)=(.+)")
"""NAME=SOURCE; an address has `:` or `/` before its first `=`."""
_TASKS: Final[dict[InferenceType, Task]] = {
    InferenceType.OBJECT_DETECTION: "detection",
    InferenceType.CLASSIFICATION: "classification",
}
_NAMES_SHOWN: Final = 5


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's arguments."""
    parser = commands.add_parser("run", help="run a model on cameras and monitor what it finds")
    parser.add_argument(
        "sources", nargs="+", metavar="CAMERA", help="address, webcam, video file or folder; NAME=CAMERA names it"
    )
    parser.add_argument("--model", type=Path, required=True, metavar="FILE.onnx", help="detector or classifier")
    parser.add_argument(
        "--labels", type=Path, required=True, metavar="FILE", help="names of its classes, one a line, or YAML"
    )
    parser.add_argument("--deployment", required=True, metavar="NAME", help="name or id")
    parser.add_argument(
        "--only", action="append", metavar="CLASS", help="send only this class; may be given several times"
    )
    parser.add_argument(
        "--threshold", type=float, default=0.25, metavar="N", help="least score of a box, 0 to 1 (default 0.25)"
    )
    parser.add_argument(
        "--iou", type=float, default=0.45, metavar="N", help="overlap from which one box stays (default 0.45)"
    )
    parser.add_argument(
        "--size", type=int, metavar="N", help="of a model that takes any (default: as it tells, or 640)"
    )
    parser.add_argument("--values", choices=get_args(Values), help="what the model has learnt pixels as (default 0-1)")
    parser.add_argument("--order", choices=("rgb", "bgr"), default="rgb", help="of its colours (default rgb)")
    parser.add_argument(
        "--resize", choices=("letterbox", "stretch"), help="how pictures get its size (default: by its family)"
    )
    parser.add_argument(
        "--coordinates", choices=("pixels", "shares"), help="of SSD-style boxes (default: by their shape)"
    )
    parser.add_argument(
        "--first-label", type=int, choices=(0, 1), help="of SSD-style classes (default: by their names)"
    )
    parser.add_argument(
        "--keep", action="append", default=[], metavar="RULE", help="what is sent: 'changed(0.02) | every(600)'"
    )
    parser.add_argument("--every", type=seconds, metavar="SECONDS", help="predict on a frame per so many seconds")
    parser.add_argument(
        "--max-age", type=seconds, metavar="SECONDS", help="leave out frames that waited longer for the model"
    )
    parser.add_argument("--workers", type=count, default=1, metavar="N", help="calls of the model at once (default 1)")
    parser.add_argument(
        "--threads", type=count, metavar="N", help="of one call (default: a core is left to everything else)"
    )
    parser.add_argument("--tag", action="append", metavar="NAME", help="data tag of each frame; repeatable")
    parser.add_argument("--json", action="store_true", help="print the account as one JSON object")
    add_sending(parser)
    add_account(parser, default_host="https://app.picsellia.com")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the pipeline; 0 where all was delivered, 130 where a signal ended it."""
    check_readable(arguments.model, "--model")
    names = read_labels(arguments.labels)
    keep = [parse_rule(text) for text in arguments.keep]
    sources = sources_of(arguments.sources, arguments.every)
    report = asyncio.run(_run(arguments, names, keep, sources))
    if report is None:
        return 130
    if arguments.json:
        print(json.dumps(report_in_options(_to_json(report))))
    else:
        print(report)
    for name, one in report.statistics.by_source.items():
        if one.error is not None:
            print(in_options(f"  {name}: {error_text(one.error)}"), file=sys.stderr)
    print_failures(report.upload, arguments.spool)
    if report.ended_by not in {"sources", "stop"}:
        return 130
    return 0 if report.is_complete and report.statistics.received else 1


async def _run(
    arguments: argparse.Namespace, names: Mapping[int, str], keep: list[Any], sources: dict[str, AsyncIterable[Image]]
) -> PipelineReport | None:
    """Run the pipeline; None where a signal came before it, while the platform is asked for instance, which one line tells."""
    starting = _Starting()
    try:
        with starting.signals:
            async with AsyncClient(
                arguments.api_token, arguments.organization_id, host=arguments.host, cache_dir=cache_dir_of(arguments)
            ) as client:
                deployment, model = await _prepare(arguments, names, keep, client)
                print(f"{arguments.model.name}: {model!r}", file=sys.stderr)
                pipeline = Pipeline(
                    sources, _Decoding(model), deployment.uploader(**sending_options(arguments)), input="image",
                    keep=keep or None, workers=arguments.workers, max_age=arguments.max_age,
                    frame_options={"tags": arguments.tag},
                )  # fmt: skip
                async with pipeline, shown(Status(pipeline, sources)):
                    starting.end()  # signals are the pipeline's from here
                    return await pipeline.run()
    except asyncio.CancelledError:
        if starting.ended_by is None:
            raise
        print(f"{starting.ended_by}: ended before the first frame", file=sys.stderr)
        return None


class _Starting:
    """What goes before the pipeline, in the task that makes this: signals cancel it."""

    def __init__(self) -> None:
        self.signals = SignalHandlers(self._interrupt)
        self.ended_by: SignalName | None = None
        self._task = asyncio.current_task()

    def _interrupt(self, name: SignalName) -> None:
        if self._task is not None:
            self.ended_by = name
            self._task.cancel()

    def end(self) -> None:
        """Leave the task alone, also where a signal is on its way from the handler to the loop."""
        self._task = None
        self.signals.restore()


async def _prepare(
    arguments: argparse.Namespace, names: Mapping[int, str], keep: list[Any], client: AsyncClient
) -> tuple[AsyncDeployment, OnnxModel]:
    """Ask the platform for the deployment, for as long as that takes, and load the model for it."""
    deployment = await find_deployment(client, arguments.deployment)
    task = _TASKS.get(InferenceType(deployment.type))
    if task is None:
        raise ConfigurationError(
            f"deployment {deployment.name!r} is of {deployment.type}: run takes detectors and classifiers"
        )
    label_map = await _label_map(deployment, names, arguments.only)
    told = [name for name in names.values() if arguments.only is None or name in arguments.only]
    indexes = {number for number, name in names.items() if name in told}
    try:
        check_class_names(as_rules(keep), told, indexes if label_map is None else {label_map[name] for name in told})
    except ConfigurationError as error:
        raise ConfigurationError(f"--keep: {error}") from None
    model = await asyncio.to_thread(
        OnnxModel.load, arguments.model, names, task=task, label_map=label_map, only=arguments.only,
        threshold=arguments.threshold, iou=arguments.iou, size=arguments.size, order=arguments.order,
        values=arguments.values, resize=arguments.resize, coordinates=arguments.coordinates,
        first_label=arguments.first_label, threads=arguments.threads,
    )  # fmt: skip
    return deployment, model


async def _label_map(deployment: AsyncDeployment, names: Mapping[int, str], only: list[str] | None) -> LabelMap | None:
    """Return the label map, once it has all that the model may tell of; None where there is none, and numbers are sent."""
    try:
        label_map = await deployment.label_map()
    except UndefinedObjectError:
        label_map = {}
    if not label_map:
        print("the deployment has no label map: classes are sent by the model's own numbers", file=sys.stderr)
        return None
    missing = [name for name in (only or names.values()) if name not in label_map]
    if missing:
        raise ConfigurationError(
            f"the label map of {deployment.name!r} has no {_some(missing)}; it has {_some(list(label_map))}. Name the classes in "
            "--labels as the label map does, or say with --only which of them are sent"
        )
    return label_map


def _some(names: list[str]) -> str:
    shown_names = ", ".join(map(repr, names[:_NAMES_SHOWN]))
    return shown_names + (f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else "")


@attrs.frozen
class _Decoding:
    """Calls a model with the pixels of an image, which those of a folder are still to be decoded to."""

    model: OnnxModel

    def __call__(self, image: Image) -> PredictionFormat:
        return self.model(_decoded(image) if image.pixels is None else image.pixels)


def _decoded(image: Image) -> Any:
    import cv2  # noqa: PLC0415 - an extra, imported on use
    import numpy as np  # noqa: PLC0415

    data = image.image.read_bytes() if isinstance(image.image, Path) else image.image
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if pixels is None:
        raise ConfigurationError(f"{image.filename} cannot be decoded")
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)


def sources_of(given: list[str], every_seconds: float | None) -> dict[str, AsyncIterable[Image]]:
    """Return what the arguments name: folders, videos, and cameras for all else.

    Args:
        given: Arguments of the command line.
        every_seconds: Seconds between frames; None: all.

    Raises:
        ConfigurationError: Two have one name, or one cannot be used.
    """
    sources: dict[str, AsyncIterable[Image]] = {}
    for text in given:
        named = None if Path(text).exists() else _NAMED.fullmatch(text)
        name, address = (named[1], named[2]) if named is not None else ("", text)
        path = Path(address)
        source: AsyncIterable[Image]
        if "://" not in address and path.is_dir():
            own = path.resolve().name
            source = directory(path, source=own)
        elif "://" not in address and path.is_file():
            source = video(path, every_seconds=every_seconds, pixels="rgb")
            own = source.source
        else:
            source = camera(address, every_seconds=every_seconds, pixels="rgb")
            own = source.source
        if (name or own) in sources:
            raise ConfigurationError(f"two sources are called {name or own!r}: name them, NAME={address}")
        sources[name or own] = source
    return sources


def _to_json(report: PipelineReport) -> dict[str, Any]:
    return {
        **report.upload.to_json(),
        "ended_by": report.ended_by,
        "seconds": report.seconds,
        "sources": {name: _source_json(one) for name, one in report.statistics.by_source.items()},
    }


def _source_json(one: PipelineSourceStatistics) -> dict[str, Any]:
    error = None if one.error is None else error_text(one.error)
    return {**attrs.asdict(one, filter=attrs.filters.exclude("error")), "error": error}
