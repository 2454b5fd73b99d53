"""Lines of pages fit a screen, and a file of tests has one subject."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
TESTS = sorted((ROOT / "tests").rglob("*.py"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_prose_wraps_at_120(page: Path) -> None:
    """Tables and code are as wide as what they hold."""
    too_long, in_code = [], False
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        if line.lstrip().startswith("```"):
            in_code = not in_code
        elif not in_code and not line.lstrip().startswith("|") and len(line) > 120:
            too_long.append((number, len(line)))
    assert too_long == []


@pytest.mark.parametrize("path", TESTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_of_tests_is_under_400_lines(path: Path) -> None:
    """A longer one has two subjects."""
    assert len(path.read_text(encoding="utf-8").splitlines()) < 400
