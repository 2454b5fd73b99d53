"""Messages on the command line name its options, not arguments of Python."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import picsellia_async
from picsellia_async.cli.main import root_parser
from picsellia_async.cli.wording import in_options, report_in_options

PACKAGE = Path(picsellia_async.__file__).parent
MODULES = [
    *(PACKAGE / "sources" / f"{name}.py" for name in (
        "_class_names", "_coco_images", "_errors", "_folder", "_image_files", "_image_index", "_lookup", "_name_files", "_order_watch", "_repeated_keys", "_shapes",
        "_source", "_yolo_lines", "coco", "manifest", "yolo",
    )),
    *(PACKAGE / "predictions" / f"{name}.py" for name in ("_coco_boxes", "_run_length", "_values", "base")),
    *(PACKAGE / f"{name}.py" for name in ("config", "frames", "image_header", "monitor_options", "plausibility")),
    *(PACKAGE / "_deployment" / f"{name}.py" for name in ("class_names", "meaning")),
    *(PACKAGE / "_services" / f"{name}.py" for name in ("account", "settings")),
    PACKAGE / "_delivery/intake.py",
]  # fmt: skip
"""Modules of which a run of `monitor` or `replay` can print a message."""

ARGUMENT = re.compile(r"(?<![\w.'\"{?&-])[a-z_]{2,}=(?!=)|\.from_\w+\(|await ")


def value(part):
    """Return what stands for a value; the only one that is printed as Python writes it, behind an argument, is an orientation."""
    return "'stored'" if part.conversion == ord("r") else "7"


def messages(path):
    """Return the texts that a module puts into errors and log lines, each with something in place of its values."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    documentation = {
        id(node.body[0].value) for node in ast.walk(tree)
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and node.body and isinstance(node.body[0], ast.Expr)
    }  # fmt: skip
    inner = {
        id(value) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for value in ast.walk(node)
        if value is not node
    }  # fmt: skip
    for node in ast.walk(tree):
        if id(node) in documentation | inner:
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.JoinedStr):
            yield "".join(one.value if isinstance(one, ast.Constant) else value(one) for one in node.values)


def test_no_message_of_a_command_advises_an_argument_of_python():
    """Every text of the modules that a command runs through; each argument that remains would be one that it does not have."""
    found = [text for path in MODULES for text in messages(path) if ARGUMENT.search(text)]
    assert len(found) > 20
    left = {text: in_options(text) for text in found if ARGUMENT.search(in_options(text))}
    assert not left


def test_options_that_messages_name_are_there():
    """Each one, of the command whose messages they are."""
    (commands,) = [one for one in root_parser()._actions if one.dest == "command"]
    known = set(commands.choices["monitor"]._option_string_actions)
    texts = [in_options(text) for path in MODULES for text in messages(path)]
    named = {option for text in texts for option in re.findall(r"(?<![\w-])--[a-z-]+", text)}
    assert {"--score", "--categories", "--class-numbers", "--segmentation", "--mask", "--outside"} <= named
    assert named <= known


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("no score, as in ground truth; if these are predictions all the same, give score=", "give --score"),
        ("'../a.jpg' leads out of '/d': outside=True allows that", ": --outside allows that"),
        ("says 640 x 480: orientation='stored' reads it so", ": --stored reads it so"),
        ('class 3 has no name: say its index with categories=; categories="indexes"', "--categories; --class-numbers"),
        (
            "no zone: .astimezone() where it is local time, or .replace(tzinfo=datetime.timezone.utc)",
            "no zone: write its offset behind it, +01:00 for instance, or Z for UTC",
        ),
        ("image 'a=b.jpg?score=3' is cut off", "'a=b.jpg?score=3' is cut off"),
        ("it is short", "it is short"),
    ],
)
def test_messages_say_options(text, expected):
    """What is no argument, in a path for instance, stays as it is."""
    assert in_options(text).endswith(expected)


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("boxes[0][3] must be a number, got None", "boxes[0][3] must be a number, got null"),
        ("tags[0] must be a str, got None", "tags[0] must be a string, got null"),
        ("latency must be a number, got True", "latency must be a number, got true"),
        ("got the name 'it\\'s'; a manifest", 'got the name "it\'s"; a manifest'),
        ("must be a list, got {'a': [None, True]}: no", 'must be a list, got {"a": [null, true]}: no'),
        ("must be a list, got 'caf\u00e9\\n'", 'must be a list, got "caf\u00e9\\n"'),
        ("must be numbers, got {1, 2}", "must be numbers, got {1, 2}"),
        ("must be a list, got ['a', 'b...", "must be a list, got ['a', 'b..."),
        ("got Nonesense, and None of it", "got Nonesense, and None of it"),
    ],
)
def test_values_are_shown_as_files_have_them(message, shown):
    """A manifest is JSON: it has null and true, and quotes words twice. What cannot be written like that stays."""
    assert in_options(message) == shown
    assert in_options(shown) == shown


def test_every_message_of_a_report_is_in_options():
    """Wherever it stands; names and counts stay as they are."""
    said, shown = "give outside=True, got None", "give --outside, got null"
    report = {"error": said, "problems": [said], "sources": {said: {"error": said, "dropped": 1}}, "failures": [{"reason": said, "filename": said}]}  # fmt: skip
    expected = {"error": shown, "problems": [shown], "sources": {said: {"error": shown, "dropped": 1}}, "failures": [{"reason": shown, "filename": said}]}  # fmt: skip
    assert report_in_options(report) == expected
    assert report_in_options({"error": None, "sources": {"error": {"error": None}}}) == {"error": None, "sources": {"error": {"error": None}}}  # fmt: skip


@pytest.mark.parametrize("path", sorted((PACKAGE / "cli").glob("*.py")), ids=lambda path: path.stem)
def test_every_report_is_printed_in_options(path):
    """Of a command that has reasons in what it prints as JSON."""
    text = path.read_text(encoding="utf-8")
    printed = re.findall(r"print\(json\.dumps\((.*)\)\)", text)
    without = {
        "result",
        '{**_facts(contents), "groups": rows}',
        '{"ok": is_well, "checks": [check.to_json() for check in checks]}',
    }
    assert [one for one in printed if not one.startswith("report_in_options(") and one not in without] == []
