"""Every example of the reference runs on a fresh emulator, verbatim, with `await` before each call."""

from __future__ import annotations

import ast
import base64
from collections.abc import Awaitable
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import pytest

import picsellia_async
from picsellia_async import AsyncClient
from picsellia_async.emulator import Emulator

from .example import Example
from .examples import EXAMPLES

pytestmark = pytest.mark.anyio

PICTURE: Final = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAABAAAAAQCAAAAAA6mKC9AAAADUlEQVR4nGNgGAXIAAABEAABoJMRpQAAAABJRU5ErkJggg=="
)
"""A black PNG of 16 x 16."""

SYNCHRONOUS: Final = {"img"}
"""Names of the examples whose methods are Python's own, not ours."""


class AddAwait(ast.NodeTransformer):
    """Puts `await` before each method call: `a.b().c()` becomes `await (await a.b()).c()`."""

    def visit_Call(self, node: ast.Call) -> ast.expr:
        """Wrap the call of an attribute, unless it is one of Python's own objects."""
        self.generic_visit(node)
        if not isinstance(node.func, ast.Attribute):
            return node
        root = node.func.value
        if isinstance(root, ast.Name) and root.id in SYNCHRONOUS:
            return node
        return ast.Await(node)


async def run(text: str, names: dict[str, Any]) -> None:
    """Run text as the body of a coroutine, with its names kept in `names`."""
    tree = ast.fix_missing_locations(AddAwait().visit(ast.parse(text)))
    code = compile(tree, "<example>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    running: Awaitable[object] | None = eval(code, names)
    if running is not None:
        await running


def read(example: Example) -> str:
    """Return the example as it is meant; a slip that is no longer there fails."""
    text = example.text
    for slip in example.slips:
        assert slip.said in text, f"{example.method}: the reference does not say {slip.said!r}"
        text = text.replace(slip.said, slip.meant)
    return text


def test_what_is_edited_in_the_examples_is_documented() -> None:
    """Few examples need it, each edit says why, and the page of differences tells it."""
    slips = [(example.method, slip) for example in EXAMPLES for slip in example.slips]
    assert len({method for method, _ in slips}) == 3
    page = (Path(__file__).parents[2] / "docs/differences.md").read_text(encoding="utf-8")
    [row] = [line for line in page.splitlines() if line.startswith("| examples of the reference |")]
    for method, slip in slips:
        said = slip.said.strip()
        assert (f"above `{method}`" if "\n" in said else said.removeprefix("deployment.")) in row
        assert slip.why


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.method)
async def test_documented_example(example: Example, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The example runs, and what it set can be read back."""
    for name in ("image_420.png", "frame.png"):
        (tmp_path / name).write_bytes(PICTURE)
    monkeypatch.chdir(tmp_path)
    async with (
        Emulator(port=0) as emulator,
        AsyncClient(emulator.api_token, host=emulator.url) as client,
    ):
        names = {name: getattr(picsellia_async, name) for name in picsellia_async.__all__}
        names |= {"client": client, "UUID": UUID}
        names["deployment"] = await client.get_deployment(emulator.deployment_name)
        await run(example.given, names)
        await run(read(example), names)
        await run(example.then, names)
