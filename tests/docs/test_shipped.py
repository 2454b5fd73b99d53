"""Code, tests and docs name only what is shipped with them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("picsellia_async", "tests", "docs", "benchmarks")
LOOSE = ("README.md", "CHANGELOG.md", "noxfile.py", "pyproject.toml", ".ci/run")
FILES = sorted(
    path
    for path in [*(ROOT / name for name in LOOSE), *(p for folder in FOLDERS for p in (ROOT / folder).rglob("*"))]
    if path.suffix in {".py", ".md", ".toml", ".yaml"} or path.name == "run"
)
WORKSHOP = re.compile(
    # Papers of the workshop, its folders, and numbers of its lists. (No pattern matches itself.)
    r"\b(?:WIRE|API|CASES|SCENARIOS|FEATURES)[.]md\b|\b(?:STYL|HOUS)E\b|\bshared[/]|[/]work[/]"
    r"|\bscenario[ _][0-9]+|\bissues? #?[0-9]+|\b[SPD][0-9]{1,2}\b(?<!\bS3)(?<!FF D9)",
)
NAMED = re.compile(r"(?<![\w/.-])(?:docs|tests|benchmarks|picsellia_async)/[\w/.-]*\w\.(?:md|py|svg)\b")
MODULE = re.compile(r"`(_(?:wire|http|services|delivery|deployment)/\w+)")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_names_only_what_is_shipped(path):
    """No paper, folder or number of the workshop; and a file of this project that is named is there."""
    text = path.read_text(encoding="utf-8")
    assert WORKSHOP.findall(text) == []
    assert [name for name in NAMED.findall(text) if not (ROOT / name).exists()] == []
    modules = [ROOT / "picsellia_async" / name for name in MODULE.findall(text)]
    assert [module for module in modules if not module.exists() and not module.with_suffix(".py").exists()] == []
