"""Pages: cursors, offsets, XGET, and the query language."""

from __future__ import annotations

from typing import Any

import pytest

from picsellia_async.emulator.query import language
from picsellia_async.emulator.refusal import Refusal

from .conftest import Wire

pytestmark = pytest.mark.anyio

STATUSES = [("upload_statuses", word) for word in ("PENDING", "COMPUTING", "DONE", "ERROR")]
TYPES = [("types", "IMAGE"), ("types", "VIDEO")]
ITEM = {
    "name": 'a "b"', "n": 3, "none": None, "tags": [{"name": "x"}, {"name": "y"}], "custom_metadata": {"deep": {"er": 1}},
}  # fmt: skip


async def pages(wire: Wire, limit: int, **params: Any) -> list[list[str]]:
    """Follow the cursors; return the names on each page."""
    found, cursor = [], None
    while True:
        query = [("limit", limit), *params.items(), *STATUSES, *TYPES, *([("cursor", cursor)] if cursor else [])]
        page = await wire.ok("GET", f"{wire.deployment}/predictedassets", params=query)
        found.append([item["data"]["filename"] for item in page["items"]])
        cursor = page["next_cursor"]
        if not cursor:
            return found


async def test_cursors_reach_everything_once(wire: Wire) -> None:
    """Whether the last page is full or not, there is no empty one; newest first."""
    await wire.emulator.add_predictions(12)
    for limit, sizes in ((5, [5, 5, 2]), (4, [4, 4, 4]), (12, [12]), (1000, [12])):
        found = await pages(wire, limit)
        assert [len(page) for page in found] == sizes
        names = [name for page in found for name in page]
        assert names == sorted(names, reverse=True)
        assert len(set(names)) == 12


async def test_what_arrives_meanwhile_moves_no_page(wire: Wire) -> None:
    """A cursor stands behind an item, not at a number."""
    await wire.emulator.add_predictions(4)
    path = f"{wire.deployment}/predictedassets"
    first = await wire.ok("GET", path, params={"limit": 2})
    await wire.emulator.add_predictions(3)
    second = await wire.ok("GET", path, params={"limit": 2, "cursor": first["next_cursor"]})
    seen = [item["data"]["filename"] for page in (first, second) for item in page["items"]]
    assert seen == [f"invented-{number:06}.jpg" for number in (3, 2, 1, 0)]


async def test_offsets_with_an_order(wire: Wire) -> None:
    """`order_by` sorts, `-` turns it round, `count` is the total, and there is no cursor."""
    await wire.emulator.add_predictions(5)
    path = f"{wire.deployment}/predictedassets"

    async def names(**params: Any) -> list[str]:
        page = await wire.ok("GET", path, params=params)
        assert (page["count"], page["next_cursor"]) == (5, None)
        return [item["data"]["filename"][-5:-4] for item in page["items"]]

    assert await names(limit=2, offset=0, order_by="filename") == ["0", "1"]
    assert await names(limit=2, offset=4, order_by="filename") == ["4"]
    assert await names(limit=2, offset=1, order_by="-filename") == ["3", "2"]
    assert await names(limit=2, offset=9, order_by="-created_at") == []
    await wire.refused(422, "GET", path, params={"order_by": "colour"})
    await wire.refused(400, "GET", path, params={"cursor": "what?"})


async def test_offsets_and_cursors_among_what_a_query_chose(wire: Wire) -> None:
    """Offset, limit, count and cursor are those of the chosen items."""
    await wire.emulator.add_predictions(9)
    path = f"{wire.deployment}/predictedassets"
    query = {"q": 'data.filename != "invented-000004.jpg"'}

    async def page(**params: Any) -> tuple[list[str], str | None]:
        found = await wire.ok("GET", path, params={**query, **params})
        assert found["count"] == 8
        return [item["data"]["filename"][-5:-4] for item in found["items"]], found["next_cursor"]

    assert await page(limit=2, offset=3, order_by="filename") == (["3", "5"], None)
    assert await page(limit=3, offset=6, order_by="-filename") == (["1", "0"], None)
    names, cursor = await page(limit=3, offset=2)
    assert names == ["6", "5", "3"]
    assert (await page(limit=9, cursor=cursor)) == (["2", "1", "0"], None)


async def test_a_page_has_a_thousand_items_at_most(wire: Wire) -> None:
    """Asking for more gives a thousand and a cursor."""
    await wire.emulator.add_predictions(1001)
    page = await wire.ok("GET", f"{wire.deployment}/predictedassets", params={"limit": 5000})
    assert (len(page["items"]), page["count"]) == (1000, 1001)
    assert page["next_cursor"]


async def test_data_are_filtered_by_explicit_lists(wire: Wire) -> None:
    """XGET takes one list, by whichever name, and a query with it."""
    datalake = await wire.ok("GET", f"{wire.organization}/datalake", params={"name": "target-datalake"})
    path = f"/api/datalake/{datalake['id']}/datas"
    items = (await wire.ok("GET", path, params=[*STATUSES, *TYPES]))["items"]
    assert len(items) == 3
    rest = {"upload_statuses": [value for _, value in STATUSES], "types": ["IMAGE", "VIDEO"]}
    for name, key in (("ids", "id"), ("filenames", "filename"), ("object_names", "object_name")):
        found = await wire.ok("XGET", path, {name: [items[0][key], items[2][key]], **rest})
        assert {item["id"] for item in found["items"]} == {items[0]["id"], items[2]["id"]}
        assert found["count"] == 2
    body = {"filenames": [item["filename"] for item in items], "q": 'filename = "data-1.png"', **rest}
    assert (await wire.ok("XGET", path, body))["count"] == 1
    await wire.refused(422, "XGET", path, rest)
    await wire.refused(422, "XGET", path, {"ids": [], "filenames": [], **rest})
    await wire.refused(422, "XGET", path, {"ids": [items[0]["id"]]})


async def test_assets_of_a_dataset_version(wire: Wire) -> None:
    """Paged by cursor, filtered by XGET."""
    version = (await wire.versions("dataset"))[0]
    path = f"/api/dataset/version/{version['id']}/assets"
    first = await wire.ok("GET", path, params={"limit": 2})
    second = await wire.ok("GET", path, params={"limit": 2, "cursor": first["next_cursor"]})
    assert [len(first["items"]), len(second["items"]), second["next_cursor"]] == [2, 1, None]
    body = {"data_ids": [first["items"][1]["data"]["id"]], "upload_statuses": ["DONE"], "types": ["IMAGE"]}
    found = await wire.ok("XGET", path, body)
    assert [item["id"] for item in found["items"]] == [first["items"][1]["id"]]
    body = {"filename_startswith": ["data-0", "data-2"], "upload_statuses": ["DONE"], "types": ["IMAGE"]}
    assert (await wire.ok("XGET", path, body))["count"] == 2
    chosen = await wire.ok("GET", path, params={"q": 'data.filename = "data-0.png"'})
    assert chosen["count"] == 1


@pytest.mark.parametrize(
    ("query", "is_true"),
    [
        (r'name = "a \"b\""', True),
        ("name = 'other'", False),
        ("n > 2 and n < 4", True),
        ("n >= 3 and n <= 2", False),
        ("n != 3 or (n = 3 and none = null)", True),
        ('tags.name = "y"', True),
        ('tags.name != "y"', False),
        ('tags.name in ("z", "x")', True),
        ('tags.name not in ("z", "x")', False),
        ("n in (1, 2)", False),
        ("n not in (1, 2)", True),
        ("custom_metadata.deep.er = 1", True),
        ("custom_metadata.nothing = 1", False),
        ('n > "text"', False),
        ("n = -1.5", False),
    ],
)
def test_queries(query: str, is_true: bool) -> None:
    """Comparisons, lists, connectors and brackets mean what they say."""
    condition = language.condition(query)
    assert condition is not None
    assert condition(ITEM) is is_true


@pytest.mark.parametrize(
    "query",
    [
        "name",
        "name =",
        "= 1",
        "name ~ 1",
        "name = 1 2",
        "(n = 1",
        "n in 1",
        "n in (1",
        "n not = 1",
        "colour = 1",
        "n.m = 1",
        "n = word",
    ],
)
def test_broken_queries(query: str) -> None:
    """A query that cannot be read, or names no field, is a bad request that quotes it."""
    with pytest.raises(Refusal) as caught:
        language.condition(query)(ITEM)  # type: ignore[misc]
    assert caught.value.status == 400


def test_no_query_is_no_condition() -> None:
    """Nothing, and nothing but blanks."""
    assert language.condition(None) is language.condition("  ") is None
