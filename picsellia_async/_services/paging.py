"""Paged lists: page by page as an iterator, or whole (docs/wire.md#lists). What the pages ask for is `_wire/queries`."""

from __future__ import annotations

import asyncio
import functools
import itertools
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import Any, Final, TypeVar

from picsellia_async._wire.queries import Listing
from picsellia_async.errors import DecodeError, PicselliaError
from picsellia_async.models import Page

T = TypeVar("T")
R = TypeVar("R")

PAGES_AT_ONCE: Final = 6
"""Pages that one list fetches at a time, where the protocol lets pages be asked for independently."""

Fetch = Callable[[list[tuple[str, Any]]], Awaitable[Page[T]]]
"""Fetches the page of a query."""


async def iterate(listing: Listing, fetch: Fetch[T]) -> AsyncGenerator[T, None]:
    """Yield the items of a list, one page in memory; never more than its limit."""
    got = 0
    async for page in _pages(listing, fetch):
        for item in page:
            yield item
            got += 1
            if got == listing.limit:
                return


async def _pages(listing: Listing, fetch: Fetch[T]) -> AsyncGenerator[list[T], None]:
    page = await fetch(listing.first())
    yield page.items
    got = page.size
    if listing.order_by is not None:
        for query in listing.rest(got, page.count):
            yield (await fetch(query)).items
        return
    cursor = page.next_cursor
    while cursor and page.size and listing.left(got) != 0:
        page = await fetch(listing.after(cursor, got))
        yield page.items
        got += page.size
        if page.next_cursor == cursor:
            # Following it would go round for ever, stopping would pass a part off as the whole.
            raise DecodeError(f"the platform named the same next page twice after {got} items")
        cursor = page.next_cursor


async def collect(listing: Listing, fetch: Fetch[T], make: Callable[[T], R]) -> list[R]:
    """Return the items of a list, each made into something; never more than its limit.

    Args:
        listing: What is asked for.
        fetch: Fetches one page.
        make: Makes the result of one item.

    Raises:
        PicselliaError: A page could not be fetched, after the retry policy's attempts. Its `items_read` holds what was read
            before that page.
    """
    items: list[R] = []
    try:
        if listing.order_by is None:
            async for item in iterate(listing, fetch):
                items.append(make(item))  # noqa: PERF401 - what was read must be there when a page fails
            return items
        first = await fetch(listing.first())
        items += map(make, first.items)
        queries = list(listing.rest(first.size, first.count))
        jobs = [functools.partial(fetch, query) for query in queries]
        await concurrently(jobs, lambda page: items.extend(map(make, page.items)))
    except PicselliaError as exc:
        exc.items_read = items[: listing.limit]
        raise
    return items[: listing.limit]


async def collect_chunks(
    listing: Listing, jobs: Sequence[Callable[[], Awaitable[Page[T]]]], make: Callable[[T], R]
) -> list[R]:
    """Return the items of a list that is asked for chunk by chunk (docs/wire.md#long-lists); as `collect`."""
    items: list[R] = []
    try:
        await concurrently(jobs, lambda page: items.extend(map(make, page.items)))
    except PicselliaError as exc:
        exc.items_read = listing.cut(items)
        raise
    return listing.cut(items)


async def concurrently(
    jobs: Sequence[Callable[[], Awaitable[T]]], take: Callable[[T], object], at_once: int = PAGES_AT_ONCE
) -> None:
    """Run jobs, so many at a time, and hand their results on in the order of the jobs.

    The first failure (in that order) is raised once all results before it were handed on; the jobs after it are cancelled.
    """
    waiting = iter(jobs)
    running = [asyncio.ensure_future(job()) for job in itertools.islice(waiting, at_once)]
    try:
        while running:
            take(await running[0])
            running.pop(0)
            running += [asyncio.ensure_future(job()) for job in itertools.islice(waiting, 1)]
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
