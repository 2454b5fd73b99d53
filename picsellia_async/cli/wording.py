"""Messages of the library in the words of the command line: where one advises an argument of Python, its option. Pure."""

from __future__ import annotations

import ast
import json
import re
from typing import Any, Final

_RULES: Final = [
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        # Constructors: a file holds what they would make.
        (
            r"with x first, use DetectionPredictionFormat\.from_.*? them \(top, left, bottom, right\), multiply",
            "write pixels: multiply",
        ),
        (
            r"use DetectionPredictionFormat\.from_\w+\(\.\.\., normalized=\(width, height\)\)",
            "write pixels as top, left, bottom, right",
        ),
        (
            r"use \w+PredictionFormat\.from_\w+\(\.\.\., normalized=\(width, height\)\)",
            "write pixels: multiply x by the width and y by the height",
        ),
        (r" \(\w+PredictionFormat\.from_\w+\)", ""),
        (r" \(\.round\(\)\.astype\(int\) of an array, \.round\(\)\.int\(\) of a tensor\)", ""),
        (r"; from_xyxy, from_xywh and from_cxcywh take other orders, and cut with clip=\(width, height\)", ""),
        (
            r"\. Of a person whom the border cuts: KeypointPredictionFormat\.from_keypoints\(\.\.\., clip=\(width, height\)\)",
            "",
        ),
        (
            r": constructors such as from_xyxy take names with label_map=await deployment\.label_map\(\)",
            "; a manifest holds numbers: --coco and --yolo look names up in the label map",
        ),
        (r"; pairs: KeypointPredictionFormat\.from_keypoints", ""),
        (r"\. It looks like a confidence: KeypointPredictionFormat\.from_keypoints", ". It looks like a confidence"),
        (r" \(normalized=, clip=, size= or its masks\)", ""),
        (r" Give the array to Frame\.from_array or deployment\.monitor_array, which encode it", " Write a JPEG or PNG"),
        (
            r": \.astimezone\(\) where it is local time, or \.replace\(tzinfo=datetime\.timezone\.utc\)",
            ": write its offset behind it, +01:00 for instance, or Z for UTC",
        ),
        # What the command line has no option for.
        (r"\. The platform shows JPEG and PNG; checks=\"off\" sends anything", ". The platform shows JPEG and PNG"),
        (r"([;.] )?checks=\"off\" sends [a-z]+( it)?( as it is)?", ""),
        (r"give content_type=\"(image/\w+)\"", r"name the file so (in a manifest: the field content_type, \1)"),
        (
            r"give content_type=, image/jpeg or image/png",
            "name the file .jpg or .png (in a manifest: the field content_type)",
        ),
        (r", or leave id= out", ", or leave id out"),
        # Classes are looked up by name unless an option says otherwise.
        (
            r"looked up by name: label_map=await deployment\.label_map\(\)",
            "looked up by name with --coco and --yolo, without --class-numbers, or --categories says their indexes; a manifest holds indexes",
        ),
        (
            r"; give label_map= where predictions are made, so that classes are found by name",
            "; without --class-numbers they are found by name",
        ),
        (
            r": give label_map=await deployment\.label_map\(\) where the prediction is made",
            ": --class-numbers takes no names",
        ),
        (r"Give label_map=await deployment\.label_map\(\), which finds them by name, categories", "Give categories"),
        (r"label_map=await deployment\.label_map\(\), or categories=", "--categories"),
        (r"[Cc]ategories=\{(?:id|category_id): index\}", "--categories '{\"id\": index}'"),
        (r"categories=\"indexes\"", "--class-numbers"),
        (r"categories=", "--categories"),
        # Options.
        (r"kind=\"segmentation\"", "--segmentation"),
        (r"kind=\"mask\"", "--mask"),
        (r"which kind=\"detection\" reads", "which are read without --segmentation"),
        (r"orientation='stored'", "--stored"),
        (r"orientation='shown' reads", "without --stored it reads"),
        (r"orientation='shown'", "--shown"),
        (r"outside=True", "--outside"),
        (r"coordinates='(\w+)'", r"--coordinates \1"),
        (r"first_label=", "--first-label"),
        (r"(?<![\w-])(only|size|threshold|iou|workers|threads)=", r"--\1 "),
        (r"when_full=\"(\w+)\"", r"--when-full \1"),
        (r"spool=(?=,)", "--spool"),
        (r"give image=, object_name= or data=", "a line has image or object_name"),
        (
            r": monitor_bytes, predict_bytes and Frame take another filename=",
            "; in a manifest the field filename gives another",
        ),
        (r"empty=True", "--empty"),
        (r"look_up=True", "--look-up"),
        (r"api_token=", "--api-token"),
        (r"(?<![\w-])(annotations|names|score)=(?![\w(\[{'\"])", r"--\1"),
    )
]


_GOT: Final = re.compile(
    r"""\bgot (?:the name )?(?P<value>None|True|False|'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|\{.*\}|\[.*\])(?=[;,.:)\s]|$)"""
)
"""A value of a file as Python writes it."""
_MESSAGES: Final = frozenset({"reason", "error", "problems", "cannot", "warnings"})
"""Fields of reports that say in words what was wrong."""


def in_options(text: str) -> str:
    """Return a message with the options of the command line in place of Python's arguments, and values as JSON writes them."""
    text = _GOT.sub(_as_json, text).replace("must be a str,", "must be a string,")
    if "=" not in text and ".from_" not in text and "from_array" not in text:
        return text
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return text


def report_in_options(report: Any) -> Any:
    """Return a report for JSON with its messages as `in_options` returns them."""
    if isinstance(report, dict):
        return {name: _said(value) if name in _MESSAGES else report_in_options(value) for name, value in report.items()}
    return [report_in_options(one) for one in report] if isinstance(report, list) else report


def _said(value: Any) -> Any:
    if isinstance(value, str):
        return in_options(value)
    return list(map(_said, value)) if isinstance(value, list) else report_in_options(value)


def _as_json(found: re.Match[str]) -> str:
    """Return `got` with the value behind it as JSON; as it is where that has none, or is cut."""
    before = found[0].removesuffix(found["value"])
    try:
        value = json.dumps(ast.literal_eval(found["value"]), ensure_ascii=not found[0].isprintable())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return found[0]
    return before + value
