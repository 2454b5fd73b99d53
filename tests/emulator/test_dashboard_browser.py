"""The pages in a real browser: keys, light on shapes, reviews, both colour schemes and a telephone; and no complaint of the policy."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from ..support.browser import open_page
from .conftest import BOXES, Wire

pytestmark = pytest.mark.anyio

PNG = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg==")
EVIL = "<script>window.evil = 1</script><img src=x onerror='window.evil = 1'>"


async def monitored(wire: Wire, count: int) -> list[str]:
    return [
        (await wire.monitored(PNG, filename=f"{number}.png", source=f"cam-{number % 2}"))["id"]
        for number in range(count)
    ]


async def test_the_grid_by_keyboard(wire: Wire) -> None:
    """`/` to the filter, Esc out of it, j and k between pictures, Enter opens one; there j and k go on within the filter, Esc back."""
    await monitored(wire, 5)
    async with open_page() as page:
        await page.goto(f"{wire.emulator.url}/emulator/")
        await page.keyboard.press("/")
        assert await page.evaluate("document.activeElement.name") == "name"
        await page.keyboard.press("j")
        assert await page.input_value("#filter [name=name]") == "j"
        await page.fill("#filter [name=name]", "")
        await page.fill("#filter [name=source]", "cam-0")
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/emulator/?source=cam-0")
        for key, focused in (
            ("j", "4.png"),
            ("ArrowRight", "2.png"),
            ("j", "0.png"),
            ("j", "0.png"),
            ("ArrowLeft", "2.png"),
            ("k", "4.png"),
            ("j", "2.png"),
        ):
            await page.keyboard.press(key)
            assert await page.evaluate("document.activeElement.querySelector('strong').textContent") == focused
        await page.keyboard.press("Enter")
        await page.wait_for_selector("h1:text('2.png')")
        await page.keyboard.press("j")
        await page.wait_for_selector("h1:text('0.png')")
        await page.keyboard.press("ArrowLeft")
        await page.wait_for_selector("h1:text('2.png')")
        await page.keyboard.press("Escape")
        await page.wait_for_url("**/emulator/?source=cam-0")
        assert page.complaints == []


async def test_the_grid_goes_on_by_itself(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until nothing is left, without a double."""
    monkeypatch.setattr("picsellia_async.emulator.dashboard.gallery.PAGE", 6)
    await monitored(wire, 15)
    async with open_page(viewport={"width": 390, "height": 600}) as page:
        await page.goto(f"{wire.emulator.url}/emulator/")
        while await page.locator("#older").is_visible():
            await page.mouse.wheel(0, 4000)
            await page.wait_for_timeout(50)
        names = await page.locator("#grid strong").all_text_contents()
        assert names == [f"{number}.png" for number in reversed(range(15))]
        assert page.complaints == []


async def test_shape_and_row_light_up_together(wire: Wire) -> None:
    """By the pointer over either, and by the keyboard on the shape, which says its class and score."""
    [id_] = await monitored(wire, 1)
    async with open_page() as page:
        await page.goto(f"{wire.emulator.url}/emulator/predictions/{id_}")
        shape, row = (page.locator(f"{what}[data-shape=champion-1]") for what in ("g", "tr"))
        await row.hover()
        await page.wait_for_selector("g.on[data-shape=champion-1]")
        await page.hover("h1")
        await page.wait_for_selector("g.on", state="detached")
        await shape.focus()
        await page.wait_for_selector("tr.on[data-shape=champion-1]")
        assert await shape.get_attribute("aria-label") == "bicycle 0.50"
        assert page.complaints == []


async def test_a_review_by_its_button(wire: Wire) -> None:
    """The boxes that stayed checked, and the page shows it; what the emulator refuses is said."""
    first, second = await monitored(wire, 2)
    async with open_page() as page:
        await page.goto(f"{wire.emulator.url}/emulator/predictions/{first}")
        await page.uncheck("input.right[value='0']")
        await page.click("[data-review=checked]")
        await page.wait_for_selector("mark:text('reviewed')")
        path = f"{wire.deployment}/predictedassets/find"
        asset = await wire.ok("GET", path, params={"oracle_prediction_id": first})
        assert [shape["label"]["name"] for shape in asset["reviews"][-1]["rectangles"]] == ["bicycle"]
        await page.goto(f"{wire.emulator.url}/emulator/predictions/{second}")
        asset = await wire.ok("GET", path, params={"oracle_prediction_id": second})
        await wire.ok("POST", f"/api/predicted/asset/{asset['id']}/reviews", {})
        await page.click("[data-review=all]")
        await page.wait_for_selector("#message:text('reviewed before')")


async def test_nothing_of_a_client_runs(wire: Wire) -> None:
    """Names, texts and metadata that are markup are shown as they are, and the policy has nothing to complain of."""
    texts: dict[str, Any] = {"filename": EVIL, "source": EVIL, "tags": [EVIL], "custom_metadata": {EVIL: EVIL}}
    receipt = await wire.monitored(PNG, raw_predictions=BOXES | {"detection_texts": [EVIL, EVIL]}, **texts)
    async with open_page() as page:
        for path in ("/emulator/", f"/emulator/predictions/{receipt['id']}"):
            await page.goto(f"{wire.emulator.url}{path}")
            await page.wait_for_selector(f"main:has-text({EVIL[:20]!r})")
            assert await page.evaluate("window.evil") is None
        assert page.complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_both_schemes_on_a_telephone(scheme: str, wire: Wire) -> None:
    """Nothing is wider than 390 pixels, and text and page are dark and light or the other way round."""
    receipt = await wire.monitored(
        PNG,
        filename="a-very-long-name-without-any-break-" * 5 + ".png",
        shadow_raw_predictions=BOXES,
        shadow_latency=0.1,
    )
    async with open_page(viewport={"width": 390, "height": 800}, color_scheme=scheme) as page:
        for path in ("/emulator/", f"/emulator/predictions/{receipt['id']}"):
            await page.goto(f"{wire.emulator.url}{path}")
            assert await page.evaluate("document.documentElement.scrollWidth") <= 390
            colours = await page.evaluate("(s => [s.color, s.backgroundColor])(getComputedStyle(document.body))")
            text, ground = (
                sum(map(int, colour.removeprefix("rgb(").removesuffix(")").split(","))) for colour in colours
            )
            assert (text < ground) is (scheme == "light")
        assert page.complaints == []
