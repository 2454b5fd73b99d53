"""Paged lists: which pages are asked for, how results are put together, what a failure leaves behind."""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

import pytest

from picsellia_async import ConfigurationError, DecodeError, ServerError
from picsellia_async._services.paging import PAGES_AT_ONCE, collect, collect_chunks, concurrently, iterate
from picsellia_async._wire.queries import (
    PAGE_SIZE,
    Listing,
    either,
    metadata_filter,
    order_of,
    query_of_tags,
    simple_query,
    user_filter,
    values_in_chunks,
)
from picsellia_async.models import Page

pytestmark = pytest.mark.anyio

CONSTANT = [
    ("upload_statuses", ["PENDING", "COMPUTING", "DONE", "ERROR"]),
    ("types", ["IMAGE", "VIDEO"]),
]


class Shelf:
    """A service that holds the numbers below `count` and pages them both ways; `fail_at` is the page that fails."""

    def __init__(self, count, *, fail_at=None, at_most=PAGE_SIZE, generous=False):
        self.items = list(range(count))
        self.queries = []
        self.fail_at = fail_at
        self.at_most = at_most
        self.generous = generous

    async def __call__(self, query):
        self.queries.append(dict(query))
        number = len(self.queries)
        await asyncio.sleep(0)
        if self.fail_at == number:
            raise ServerError("down", 503)
        asked = dict(query)
        size = len(self.items) if self.generous else min(asked["limit"], self.at_most)
        start = int(asked["cursor"]) if "cursor" in asked else asked["offset"] or 0
        found = self.items[start : start + size]
        following = str(start + len(found)) if start + len(found) < len(self.items) else None
        return Page(items=found, count=len(self.items), next_cursor=None if asked.get("order_by") else following)


async def listed(shelf, **arguments):
    return await collect(Listing(**arguments), shelf, lambda item: item)


def test_the_first_page_by_cursor():
    """Filters, query, limit, offset, then what every list says; what is None is left out when it is encoded."""
    listing = Listing(filters=(("a", 1),), q="x", limit=10, offset=0)
    assert listing.first() == [("a", 1), ("q", "x"), ("limit", 10), ("offset", 0), *CONSTANT]


def test_further_pages_by_cursor_ask_for_no_more_than_is_left():
    """The offset goes, the cursor comes last, the limit is what is missing."""
    listing = Listing(limit=1500, offset=7)
    assert listing.after("c", 1000) == [("q", None), ("limit", 500), *CONSTANT, ("cursor", "c")]


def test_pages_by_offset():
    """An order makes the list go by offset: it always travels, and the last page is cut to the limit."""
    listing = Listing(limit=2500, offset=5, order_by=["-id"])
    assert listing.first() == [("limit", 1000), ("offset", 5), ("order_by", ["-id"]), ("q", None), *CONSTANT]
    places = [(dict(query)["limit"], dict(query)["offset"]) for query in listing.rest(1000, 9000)]
    assert places == [(1000, 1005), (500, 2005)]


def test_pages_by_offset_end_with_the_count():
    """Without a limit the count of the first page says how many pages there are."""
    listing = Listing(order_by=["id"], page_size=10)
    assert [dict(query)["offset"] for query in listing.rest(10, 35)] == [10, 20, 30]
    assert list(listing.rest(10, 10)) == []
    assert list(listing.rest(0, 0)) == []
    assert list(listing.rest(10, None)) == []


@pytest.mark.parametrize("order_by", [None, ["id"]], ids=["cursor", "offset"])
@pytest.mark.parametrize(
    ("count", "limit", "offset", "page_size"),
    [
        (0, None, None, None),
        (1, None, None, None),
        (25, None, None, 10),
        (25, 25, None, 10),
        (25, 24, None, 10),
        (25, 1, 3, 10),
        (25, 20, 10, 7),
        (30, None, None, 10),
        (2600, 1500, None, None),
        (2600, 2000, None, None),
        (2600, None, 1, None),
        (25, 10, 30, 10),
    ],
)
async def test_a_list_is_exact(order_by, count, limit, offset, page_size):
    """Never more than the limit, nothing twice, nothing left out, whatever the sizes."""
    shelf = Shelf(count)
    start = offset or 0
    expected = shelf.items[start:] if limit is None else shelf.items[start : start + limit]
    arguments = {"limit": limit, "offset": offset, "page_size": page_size or PAGE_SIZE, "order_by": order_by}
    assert await listed(shelf, **arguments) == expected
    assert [item async for item in iterate(Listing(**arguments), Shelf(count))] == expected


@pytest.mark.parametrize("order_by", [None, ["id"]], ids=["cursor", "offset"])
async def test_a_service_that_gives_more_than_it_was_asked_for(order_by):
    """What goes beyond the limit is cut off."""
    assert await listed(Shelf(30, generous=True), limit=10, order_by=order_by) == list(range(10))


@pytest.mark.parametrize("order_by", [None, ["id"]], ids=["cursor", "offset"])
async def test_a_service_with_smaller_pages(order_by):
    """A service that gives at most 40 items a page is read to the end all the same."""
    assert await listed(Shelf(130, at_most=40), order_by=order_by) == list(range(130))


async def test_pages_by_offset_are_fetched_at_once():
    """After the first page, several are under way at a time, and no more than the bound."""
    under_way, most = 0, 0
    shelf = Shelf(100)

    async def fetch(query):
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        page = await shelf(query)
        for _ in range(20):
            await asyncio.sleep(0)
        under_way -= 1
        return page

    listing = Listing(order_by=["id"], page_size=5)
    assert await collect(listing, fetch, lambda item: item) == list(range(100))
    assert most == PAGES_AT_ONCE


@pytest.mark.parametrize(("order_by", "fail_at"), [(None, 3), (["id"], 2)], ids=["cursor", "offset"])
async def test_a_page_that_fails_leaves_what_was_read(order_by, fail_at):
    """The error is the page's own, and holds the items before it, in order and without a gap."""
    shelf = Shelf(100, fail_at=fail_at)
    with pytest.raises(ServerError) as caught:
        await listed(shelf, order_by=order_by, page_size=10)
    assert caught.value.items_read == list(range((fail_at - 1) * 10))


async def test_the_iterator_yields_what_it_read_before_it_fails():
    """A consumer has the items before the failed page in hand when the error comes."""
    got = []
    with pytest.raises(ServerError):
        async for item in iterate(Listing(page_size=10), Shelf(100, fail_at=3)):
            got.append(item)
    assert got == list(range(20))


async def test_the_iterator_fetches_no_page_too_many():
    """A consumer that stops early has caused no request beyond the page it is in; an exact limit none after it."""
    shelf = Shelf(100)
    async for item in (items := iterate(Listing(page_size=10), shelf)):
        if item == 12:
            break
    await items.aclose()
    assert len(shelf.queries) == 2
    shelf = Shelf(100)
    assert len([item async for item in iterate(Listing(page_size=10, limit=20), shelf)]) == 20
    assert len(shelf.queries) == 2


async def test_a_cursor_that_names_itself_is_an_error():
    """A service whose pages go round neither hangs the client nor passes a part off as the whole."""

    async def fetch(_query):
        return Page(items=[1, 2], count=9, next_cursor="again")

    with pytest.raises(DecodeError, match="same next page twice"):
        await collect(Listing(), fetch, lambda item: item)


async def test_jobs_after_a_failed_one_are_cancelled():
    """Results come in the order of the jobs up to the failure; jobs still running are ended, not left behind."""
    cancelled, taken = [], []
    release = asyncio.Event()

    async def job(number):
        if number == 1:
            raise ServerError("down", 503)
        if number > 1:
            try:
                await release.wait()
            except asyncio.CancelledError:
                cancelled.append(number)
                raise
        return number

    with pytest.raises(ServerError):
        await concurrently([lambda n=n: job(n) for n in range(4)], taken.append, 4)
    assert taken == [0]
    assert cancelled == [2, 3]


async def test_a_cancelled_list_ends_its_pages():
    """Who cancels the list cancels the pages under way."""
    started, ended = asyncio.Event(), []

    async def job():
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    task = asyncio.ensure_future(concurrently([job, job], lambda result: None))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == [True, True]


def test_explicit_values_go_in_chunks():
    """1000 values a request, with the constants that every list says."""
    ids = [uuid4() for _ in range(2100)]
    bodies = values_in_chunks(Listing(q="x"), ids=[str(i) for i in ids], filenames=None)
    assert [len(body.ids) for body in bodies] == [1000, 1000, 100]
    assert [i for body in bodies for i in body.ids] == ids
    assert bodies[0].q == "x"
    assert values_in_chunks(Listing(), ids=None, filenames=None) is None


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ({"ids": [uuid4()], "filenames": ["a"]}, "ids and filenames exclude each other"),
        ({"ids": []}, "ids must not be empty"),
        ({"ids": ["a"]}, r"ids\[0\] must be a UUID or its text, got 'a'"),
        ({"filenames": "a.jpg"}, "filenames must be a list, got 'a.jpg'"),
        ({"filenames": [3]}, r"filenames\[0\] must be a non-empty str, got 3"),
    ],
)
def test_explicit_values_that_cannot_be_used(filters, message):
    """The message names field and value."""
    with pytest.raises(ConfigurationError, match=message):
        values_in_chunks(Listing(), **filters)


async def test_a_chunked_list_is_cut_to_the_limit():
    """The service ignores limit and offset there (docs/wire.md#long-lists); the client does not."""

    async def fetch(start):
        return Page(items=list(range(start, start + 10)), count=30)

    jobs = [lambda start=start: fetch(start) for start in (0, 10, 20)]
    assert await collect_chunks(Listing(limit=12, offset=5), jobs, lambda item: item) == list(range(5, 17))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"limit": 0}, "limit must be at least 1, got 0"),
        ({"limit": "5"}, "limit must be a whole number, got '5'"),
        ({"offset": -1}, "offset must be at least 0, got -1"),
        ({"page_size": 0}, "page_size must be at least 1, got 0"),
        ({"order_by": "id"}, "order_by must be a list, got 'id'"),
        ({"order_by": [1]}, r"order_by\[0\] must be a non-empty str, got 1"),
        ({"q": 3}, "q must be a non-empty str, got 3"),
    ],
)
def test_a_list_that_cannot_be_asked_for(arguments, message):
    """Bad limits, offsets, orders are refused, by name and value."""
    with pytest.raises(ConfigurationError, match=message):
        Listing(**arguments)


def test_page_sizes_beyond_the_service_s_bound_are_cut():
    """A page of 5000 is asked for as pages of 1000."""
    assert Listing(page_size=5000).page_size == PAGE_SIZE
    assert Listing(page_size=None).page_size == PAGE_SIZE


def test_small_helpers():
    """Queries of simple lists, orders, and filters of paged ones."""
    assert simple_query(5, None, ["a"]) == [("limit", 5), ("offset", None), ("order_by", ["a"])]
    assert order_of([]) is None
    assert either([("a", None), ("b", "x")]) == [("b", "x")]
    one = uuid4()
    assert either([("a", one)]) == [("a", one)]
    assert user_filter("unassigned", "user") == "unassigned"
    assert user_filter(str(one), "user") == one
    assert user_filter(None, "user") is None
    assert metadata_filter(None) is None
    assert metadata_filter({"a": 1}) == {"a": 1}


def test_filters_that_cannot_be_used():
    """No criterion at all, empty texts, users and metadata of the wrong kind."""
    with pytest.raises(ConfigurationError, match="give at least one of a, b"):
        either([("a", None), ("b", None)])
    with pytest.raises(ConfigurationError, match="a must be a non-empty str"):
        either([("a", "")])
    with pytest.raises(ConfigurationError, match="user must be a UUID or its text, got 'nobody'"):
        user_filter("nobody", "user")
    with pytest.raises(ConfigurationError, match="custom_metadata must be a dict"):
        metadata_filter([])


def test_tags_in_the_query_language():
    """Any of them, all of them, beside the caller's own query (docs/wire.md#query-language)."""
    assert query_of_tags(None, [], intersect=False) is None
    assert query_of_tags("x", [], intersect=True) == "x"
    assert query_of_tags(None, ["a", "b"], intersect=False) == 'tags.name in ("a","b")'
    assert query_of_tags("x", ["a", "b"], intersect=True) == 'x and tags.name = "a" and tags.name = "b"'
    assert query_of_tags(None, ["a"], intersect=False, field="data.tags.name") == 'data.tags.name in ("a")'
    with pytest.raises(ConfigurationError, match="quotation mark"):
        query_of_tags(None, ['a"b'], intersect=False)


def test_ids_are_uuids():
    """Ids in the bodies are UUIDs, whatever the caller gave."""
    text = "00000000-0000-4000-8000-000000000001"
    [body] = values_in_chunks(Listing(), data_ids=[text])
    assert body.data_ids == [UUID(text)]


def test_a_chunked_list_without_a_limit_still_skips():
    """The offset holds by itself."""
    assert Listing(offset=2).cut([1, 2, 3, 4]) == [3, 4]
    assert Listing().cut([1, 2]) == [1, 2]
