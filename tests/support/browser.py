"""A real Chromium without a window, for tests of pages; they are skipped where there is none."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import AsyncIterator
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@contextlib.asynccontextmanager
async def open_page(**options: Any) -> AsyncIterator[Any]:
    """Give a page of Playwright's with options of its context; what the page complains of is in `page.complaints`."""
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed (Debian: apt install chromium)")
    playwright = pytest.importorskip("playwright.async_api", reason="the package playwright is not installed")
    async with playwright.async_playwright() as driver:
        # Containers run tests as root, where Chromium wants no sandbox of its own.
        browser = await driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        try:
            page = await (await browser.new_context(**options)).new_page()
            page.set_default_timeout(60_000)
            page.complaints = []
            page.on("pageerror", lambda error: page.complaints.append(str(error)))
            page.on("console", lambda said: said.type == "error" and page.complaints.append(said.text))
            yield page
        finally:
            await browser.close()
