"""Whether what the options of `monitor` read is of the deployment's type: known before the first item, and said once. Pure."""

from __future__ import annotations

import argparse
from typing import Final

from picsellia_async.enums import InferenceType
from picsellia_async.errors import ConfigurationError
from picsellia_async.predictions import PREDICTION_FORMATS

_READ: Final = {
    InferenceType.OBJECT_DETECTION: ("boxes", ""),
    InferenceType.SEGMENTATION: ("polygons", "--segmentation"),
    InferenceType.MASK: ("masks", "--mask"),
}
"""By the type that it is for, what result files are read as, and the option that says so."""


def check_type(args: argparse.Namespace, name: str, type_: InferenceType) -> None:
    """Refuse a deployment that takes none of the predictions that are read. The lines of a manifest say their types themselves.

    Args:
        args: Of the command.
        name: Of the deployment.
        type_: Its type.

    Raises:
        ConfigurationError: So it is.
    """
    if type_ not in PREDICTION_FORMATS:
        way = "nothing can be sent to it before a model of one type is deployed there"
        raise ConfigurationError(f"deployment {name!r} is of {type_}: {way}")
    if args.manifest is not None:
        return
    own = (
        InferenceType.SEGMENTATION
        if args.segmentation
        else InferenceType.MASK
        if args.mask
        else InferenceType.OBJECT_DETECTION
    )
    if own is type_:
        return
    shapes, option = _READ[own]
    if type_ is InferenceType.OBJECT_DETECTION:
        way = f"leave {option} out, which reads boxes (polygons in the file are to be written as their boxes)"
    elif type_ is InferenceType.MASK and args.yolo is not None:
        way = "only --coco with --mask and --manifest send such predictions"
    elif type_ in _READ:
        way = "give {1}, which reads {0}".format(*_READ[type_])
    else:
        way = "only --manifest sends such predictions"
    raise ConfigurationError(f"{shapes} are read, for {own} deployments, and {name!r} is of {type_}: {way}")
