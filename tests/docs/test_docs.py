"""The documentation is true: its code runs on the emulator, its links lead somewhere."""

from __future__ import annotations

import ast
import asyncio
import inspect
import os
import re
import textwrap
from pathlib import Path

import pytest

from picsellia_async import AsyncClient, DetectionPredictionFormat
from picsellia_async.emulator import Emulator

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
BLOCK = re.compile(r"^([ ]*)```python([^\n]*)\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
JPEG = bytes.fromhex(
    "ffd8ffe000104a46494600010100000100010000ffdb004300" + "08" * 64 + "ffc0000b080001000101011100ffc40014"
    "0001" + "00" * 15 + "08ffc40014100100000000000000000000000000000000ffda0008010100003f00d2cf20ffd9"
)  # fmt: skip


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
        (tmp_path / name).write_bytes(JPEG)
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


def test_every_page_is_reached():
    """docs/index.md leads to every page."""
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    linked = {os.path.normpath(t.partition("#")[0]) for t in LINK.findall(index) if "://" not in t}
    pages = {str(p.relative_to(ROOT / "docs")) for p in (ROOT / "docs").rglob("*.md")} - {"index.md"}
    assert pages <= linked
