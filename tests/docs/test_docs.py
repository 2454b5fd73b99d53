"""The documentation is true: its code runs on the emulator, its links lead somewhere."""

from __future__ import annotations

import ast
import asyncio
import builtins
import importlib
import inspect
import os
import re
import textwrap
import tomllib
from pathlib import Path

import cv2
import numpy as np
import pytest

import picsellia_async
from picsellia_async import AsyncClient, DetectionPredictionFormat
from picsellia_async.emulator import Emulator

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
BLOCK = re.compile(r"^([ ]*)```python([^\n]*)\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
PIXELS = np.full((720, 1280, 3), 128, np.uint8)
JPEG = cv2.imencode(".jpg", PIXELS)[1].tobytes()
PNG = cv2.imencode(".png", PIXELS)[1].tobytes()


def blocks(page):
    """Yield each Python block of a page with its line; those marked `no-run` show something that is not there."""
    text = page.read_text(encoding="utf-8")
    for match in BLOCK.finditer(text):
        if "no-run" not in match[2]:
            yield text[: match.start()].count("\n") + 2, textwrap.dedent(match[3])


@pytest.mark.anyio
@pytest.mark.parametrize("page", [p for p in PAGES if any(blocks(p))], ids=lambda p: str(p.relative_to(ROOT)))
async def test_the_code_of_a_page_runs(page, tmp_path, monkeypatch):
    """Blocks run in order and share their names; `client`, `deployment`, `image` and `prediction` are there from the start."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "frames").mkdir()
    for name in ("frame.jpg", "image_420.png", "frames/1.jpg", "frames/2.jpg"):
        (tmp_path / name).write_bytes(PNG if name.endswith("png") else JPEG)
    async with Emulator() as emulator:
        monkeypatch.setenv("PICSELLIA_TOKEN", emulator.api_token)
        monkeypatch.setenv("PICSELLIA_HOST", emulator.url)
        async with AsyncClient() as client:
            names = {
                "__name__": "docs", "client": client, "deployment": await client.get_deployment(emulator.deployment_name),
                "emulator": emulator, "image": JPEG, "prediction": DetectionPredictionFormat([0], [[10, 20, 110, 220]], [0.93]),
            }  # fmt: skip
            for line, source in blocks(page):
                # The code of a block counts from its own place, so that a traceback names the line of the page.
                text = "\n" * (line - 1) + source.replace("/var/spool/cameras", str(tmp_path / "spool"))
                code = compile(text, str(page), "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
                if code.co_flags & inspect.CO_COROUTINE:
                    await eval(code, names)
                else:
                    await asyncio.to_thread(exec, code, names)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    """Every relative link names a file that is there."""
    targets = [t.partition("#")[0] for t in LINK.findall(page.read_text(encoding="utf-8"))]
    missing = [
        t for t in targets if t and "://" not in t and not t.startswith("mailto:") and not (page.parent / t).exists()
    ]
    assert not missing


def anchors(page):
    """Return what a link into a page may name: its headings as slugs, and its explicit anchors."""
    text = page.read_text(encoding="utf-8")
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    return slugs | set(re.findall(r'<a id="([\w-]+)">', text))


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_into_a_page_lead_to_a_place(page):
    """Every `page.md#place` names a heading or an anchor of that page."""
    targets = [t.partition("#") for t in LINK.findall(page.read_text(encoding="utf-8")) if "://" not in t]
    wrong = [
        f"{name}#{place}"
        for name, _, place in targets
        if place and place not in anchors(page.parent / name if name else page)
    ]
    assert not wrong


MODULES = ("picsellia_async", "picsellia_async.sources", "picsellia_async.emulator")


@pytest.mark.parametrize("module", MODULES)
def test_every_public_name_is_listed(module):
    """docs/api.md has every name that a module hands out."""
    listed = set(re.findall(r"`(\w+)`", (ROOT / "docs" / "api.md").read_text(encoding="utf-8")))
    assert set(importlib.import_module(module).__all__) <= listed


def test_every_extra_is_named():
    """The README has a line for each extra, and for no other."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    rows = re.findall(r"^\| `(\w+)` \|", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert set(rows) == set(project["optional-dependencies"])


def test_no_page_lists_a_public_name_that_is_gone():
    """Each name in the tables of docs/api.md exists."""
    text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8").partition("## Other modules")[0]
    names = re.findall(r"`([A-Z]\w+)`", text)
    assert [n for n in names if not hasattr(picsellia_async, n) and not hasattr(builtins, n)] == []


BLOCKING = {"open", "sleep", "read_bytes", "read_text", "write_bytes", "write_text", "urlopen", "detect", "model"}
"""Calls that hold up the event loop: files, pauses, and the model."""


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_example_blocks_the_event_loop(page):
    """In a coroutine of an example nothing reads a file, sleeps or predicts, but in a thread."""
    for match in BLOCK.finditer(page.read_text(encoding="utf-8")):
        tree = compile(textwrap.dedent(match[3]), str(page), "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT | ast.PyCF_ONLY_AST)
        for function in ast.walk(tree):
            if isinstance(function, ast.AsyncFunctionDef):
                awaited = {id(node.value) for node in ast.walk(function) if isinstance(node, ast.Await)}
                called = [
                    node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                    for node in ast.walk(function)
                    if isinstance(node, ast.Call) and id(node) not in awaited
                ]
                assert BLOCKING.isdisjoint(called), (function.name, called)


def test_every_folder_of_tests_is_explained():
    """CONTRIBUTING.md has a row for each folder below tests/, and for no other."""
    table = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("| folder of `tests/` |")[2]
    rows = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", table, re.MULTILINE)
    told = {name.strip("`") for row in rows for name in row.split(", ")}
    assert told == {path.name for path in (ROOT / "tests").iterdir() if any(path.glob("*.*"))}


FOR_MAINTAINERS = ("architecture.md", "adding-an-endpoint.md")


@pytest.mark.parametrize("page", FOR_MAINTAINERS)
def test_files_that_pages_name_exist(page):
    """A Python file or a folder in backticks is one of the package or of the tests, by the end of its path."""
    files = [f"/{path.relative_to(ROOT)}" for part in ("picsellia_async", "tests") for path in (ROOT / part).rglob("*")]
    named = re.findall(r"`([\w/]+(?:\.py|/))`", (ROOT / "docs" / page).read_text(encoding="utf-8"))
    assert named
    assert [name for name in named if not any(file.endswith("/" + name.rstrip("/")) for file in files)] == []


def test_every_page_is_reached():
    """docs/index.md leads to every page."""
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    linked = {os.path.normpath(t.partition("#")[0]) for t in LINK.findall(index) if "://" not in t}
    pages = {str(p.relative_to(ROOT / "docs")) for p in (ROOT / "docs").rglob("*.md")} - {"index.md"}
    assert pages <= linked
