"""The filter of the pages: what it chooses, how it is shared, and that nobody waits for it."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest

from picsellia_async.emulator.dashboard import filters
from picsellia_async.emulator.dashboard.difference import differs
from picsellia_async.emulator.dashboard.filters import Filter, search
from picsellia_async.emulator.query.parameters import Parameters

from .conftest import BOXES, Wire

pytestmark = pytest.mark.anyio

OTHER = {**BOXES, "detection_classes": [3], "detection_boxes": [[1, 2, 11, 22]], "detection_scores": [0.25]}


def names_of(page: str) -> list[str]:
    return re.findall(r"<strong>(.*?)</strong>", page)


async def shown(wire: Wire, **query: Any) -> list[str]:
    answer = await wire.http.get("/emulator/", params={name.rstrip("_"): value for name, value in query.items()})
    assert answer.status_code == 200, answer.text
    return names_of(answer.text)


async def test_each_condition_chooses(wire: Wire) -> None:
    """Newest first; all conditions of one address have to hold. An empty field, as forms send them, says nothing."""
    second = await wire.ok(
        "POST", f"/api/model/version/{(await wire.versions('model'))[0]['id']}/deploy", {"name": "second"}
    )
    await wire.monitored(filename="A-one.jpg", source="cam 1", tags=["day", "gate"], timestamp=1_000_000_000.0)
    await wire.monitored(
        filename="b-two.jpg", source="cam 2", tags=["night"], raw_predictions=OTHER, timestamp=1_000_000_060.5
    )
    await wire.monitored(filename="c-three.jpg", source="cam 2", shadow_raw_predictions=BOXES, shadow_latency=0.1)
    await wire.monitored(filename="d-four.jpg", shadow_raw_predictions=OTHER, shadow_latency=0.1)
    assert await shown(wire) == ["d-four.jpg", "c-three.jpg", "b-two.jpg", "A-one.jpg"]
    assert await shown(wire, source="", tag="", class_="", min_score="") == await shown(wire)
    for query, expected in (
        ({"deployment": wire.emulator.deployment_id}, "dcbA"),
        ({"deployment": second["id"]}, ""),
        ({"source": "cam 2"}, "cb"),
        ({"tag": "day"}, "A"),
        ({"tag": "da"}, ""),
        ({"name": "TWO.j"}, "b"),
        ({"name": "%"}, ""),
        ({"class_": "truck"}, "b"),
        ({"class_": "person", "min_score": "0.91"}, ""),
        ({"class_": "bicycle", "max_score": "0.5"}, "dcA"),
        ({"min_score": "0.5"}, "dcA"),
        ({"max_score": "0.3"}, "b"),
        ({"from": "2001-09-09T01:46:40", "to": "2001-09-09T01:47:41"}, "bA"),
        ({"from": "2001-09-09T03:46:41+02:00", "to": "2002-01-01"}, "b"),
        ({"to": "2001-09-09T01:47:40.500"}, "A"),
        ({"differs": "1"}, "d"),
        ({"source": "cam 2", "tag": "night", "class_": "truck"}, "b"),
    ):
        assert [name[0] for name in await shown(wire, **query)] == list(expected), query


@pytest.mark.parametrize(
    "query",
    ["min_score=x", "min_score=nan", "from=yesterday", "differs=perhaps", "before=-1", "before=9" + "9" * 30, "sorce=cam", "source=a&source=b"],
)  # fmt: skip
async def test_what_cannot_be_meant_is_refused(query: str, wire: Wire) -> None:
    """A slip in an address would otherwise show everything."""
    receipt = await wire.monitored()
    assert (await wire.http.get(f"/emulator/?{query}")).status_code == 422
    path = f"/emulator/predictions/{receipt['id']}"
    assert (await wire.http.get(f"{path}?{query}")).status_code == 422


def test_a_filter_is_written_as_it_is_read() -> None:
    """Whatever is in it, so that an address can be shared."""
    pairs = [
        ("deployment", "d"), ("source", "ä & b"), ("tag", "t=1"), ("name", "#"), ("class", "c"), ("from", "2026-11-29T09:30:00.125000"),
        ("to", "2026-11-29T09:30"), ("min_score", "0.1234567"), ("max_score", "0.9"), ("differs", "1"),
    ]  # fmt: skip
    found = Filter.of(Parameters(pairs))
    assert list(found.pairs().items()) == pairs
    end = Filter.of(Parameters([("to", "9999-12-31T23:59:59-23:00")]))
    assert end.pairs()["to"].startswith("9999-12-31")


async def test_pages_follow_one_another_without_gap_or_double(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    """By key, so that what arrives meanwhile shifts nothing; the links keep the filter."""
    monkeypatch.setattr("picsellia_async.emulator.dashboard.gallery.PAGE", 4)
    for number in range(10):
        await wire.monitored(filename=f"{number}.jpg", source="x" if number != 5 else "y")
    seen: list[str] = []
    path: str | None = "/emulator/?source=x"
    while path is not None:
        page = (await wire.http.get(path)).text
        seen += names_of(page)
        await wire.monitored(filename="later.jpg", source="x")
        older = re.search(r'<p class="more"><a id="older" rel="next" href="([^"]+)"', page)
        path = None if older is None else older[1].replace("&amp;", "&")
        assert path is None or "source=x" in path
    assert seen == [f"{number}.jpg" for number in (9, 8, 7, 6, 4, 3, 2, 1, 0)]


async def test_neighbours_are_those_of_the_filter(wire: Wire) -> None:
    """The page of a prediction leads to the next newer and older one of the grid that it was opened from."""
    ids = [(await wire.monitored(source="x" if number % 2 else "y"))["id"] for number in range(5)]
    page = (await wire.http.get(f"/emulator/predictions/{ids[2]}?source=y")).text
    assert f'id="previous" rel="prev" href="/emulator/predictions/{ids[4]}?source=y"' in page
    assert f'id="next" rel="next" href="/emulator/predictions/{ids[0]}?source=y"' in page
    assert 'id="up" href="/emulator/?source=y"' in page
    last = (await wire.http.get(f"/emulator/predictions/{ids[4]}")).text
    assert 'id="previous"' not in last
    assert f'href="/emulator/predictions/{ids[3]}"' in last


async def test_others_have_their_turn_while_everything_is_searched(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways, over gaps, and with windows that end between two predictions."""
    monkeypatch.setattr(filters, "_WINDOW", 3)
    monkeypatch.setattr(filters, "_READ_WINDOW", 2)
    await wire.emulator.add_predictions(20)
    table = wire.emulator.state.store.predictions
    table.delete("seq in (2, 3, 4, 5, 9, 20)")
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(others())
    for wanted in (Filter(), Filter(score_max=1.0)):
        found = await search(table, wanted, {}, 100)
        assert [row.seq for row in found] == [19, 18, 17, 16, 15, 14, 13, 12, 11, 10, 8, 7, 6, 1]
        assert [row.seq for row in await search(table, wanted, {}, 3, after=5, is_upward=True)] == [6, 7, 8]
        assert [row.seq for row in await search(table, wanted, {}, 2, before=6)] == [1]
        assert [row.seq for row in await search(table, wanted, {}, 9, before=11, after=6)] == [10, 8, 7]
        assert await search(table, wanted, {}, 9, after=19) == []
    turns = 0
    assert await search(table, Filter(label="none"), {}, 1) == []
    assert turns > 5
    task.cancel()


BOX = {"detection_classes": [0], "detection_boxes": [[0, 0, 10, 10]], "detection_scores": [0.9]}


@pytest.mark.parametrize(
    ("champion", "shadow", "expected"),
    [
        (BOX, BOX | {"detection_scores": [0.1]}, False),
        (BOX, BOX | {"detection_boxes": [[0, 0, 10, 6]]}, False),
        (BOX, BOX | {"detection_boxes": [[0, 0, 10, 4]]}, True),
        (BOX, BOX | {"detection_classes": [1]}, True),
        (BOX, BOX | {"detection_classes": [0, 0], "detection_boxes": [[0, 0, 10, 10]] * 2}, True),
        (BOX, {"detection_classes": [], "detection_boxes": []}, True),
        (BOX | {"detection_boxes": [[5, 5, 5, 5]]}, BOX | {"detection_boxes": [[5, 5, 5, 5]]}, False),
        ({"detection_classes": [0, 1], "points": [[1, 2], [3, 4]]}, {"detection_classes": [1, 0], "points": [[3, 4], [1, 2]]}, False),
        ({"detection_classes": [0], "points": [[1, 2]]}, {"detection_classes": [0], "points": [[1, 3]]}, True),
        ({"detection_classes": [0, 1], "detection_scores": [0.9, 0.1]}, {"detection_classes": [1, 0], "detection_scores": [0.2, 0.8]}, False),
        ({"detection_classes": [0], "detection_scores": [0.9]}, {"detection_classes": [1], "detection_scores": [0.9]}, True),
        ({"detection_classes": []}, {"detection_classes": []}, False),
    ],
)  # fmt: skip
def test_what_differs(champion: dict[str, Any], shadow: dict[str, Any], *, expected: bool) -> None:
    """Classes and places, not scores and not the order."""
    assert differs(champion, shadow) is expected
    assert differs(shadow, champion) is expected


def test_classes_are_compared_by_name() -> None:
    """The indices of another model may mean other classes."""
    assert not differs(BOX, BOX | {"detection_classes": [7]}, lambda _: "person", lambda _: "person")
    assert differs(BOX, BOX, lambda _: "person", lambda _: "car")
