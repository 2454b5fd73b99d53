"""The routes of the pages. Control routes like the others: foreign pages are kept out by `security`."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, Final
from urllib.parse import parse_qsl

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from picsellia_async.emulator.dashboard import figures, gallery, prediction, requests_and_faults, reviewing
from picsellia_async.emulator.dashboard.filters import Filter
from picsellia_async.emulator.dashboard.live import Live
from picsellia_async.emulator.dashboard.pages import STATIC, Pages, read_static
from picsellia_async.emulator.domain.state import State
from picsellia_async.emulator.endpoint_index import CONTROL_PREFIX
from picsellia_async.emulator.query.parameters import Parameters
from picsellia_async.emulator.refusal import Refusal, bad_request, not_found, unprocessable
from picsellia_async.emulator.store.rows import PredictionRow
from picsellia_async.emulator.transport.fault_register import Faults
from picsellia_async.emulator.transport.journal import Journal
from picsellia_async.emulator.transport.messages import json_response, origin_of, read_body
from picsellia_async.emulator.transport.security import PAGE_POLICY, SANDBOX_POLICY
from picsellia_async.image_header import JPEG_SIGNATURE, PNG_SIGNATURE

_BODY_MAX: Final = 2**20
_DIGITS_MAX: Final = 18
"""Keys stay below 2**63, which is what the database can hold."""
_IMAGES: Final = ((JPEG_SIGNATURE, "image/jpeg"), (PNG_SIGNATURE, "image/png"))
_IMAGE_HEADERS: Final = {"content-security-policy": SANDBOX_POLICY, "cache-control": "private, max-age=3600"}
"""An image of a prediction never changes, and is nobody's page."""


class Dashboard:
    """Handlers of the pages of one emulator."""

    def __init__(self, state: State, journal: Journal, faults: Faults) -> None:
        """Bind the routes.

        Args:
            state: What the handlers of the services work on.
            journal: What arrived.
            faults: Scripted faults.
        """
        self._state = state
        self._journal = journal
        self._faults = faults
        self._pages = Pages()
        self._live = Live(state, journal, faults, self._pages)

    def routes(self) -> list[Route]:
        """Return the routes."""
        one = f"{CONTROL_PREFIX}/predictions/{{id}}"
        return [
            Route(CONTROL_PREFIX, self.overview, methods=["GET"]),
            Route(f"{CONTROL_PREFIX}/", self.overview, methods=["GET"]),
            Route(one, self.prediction, methods=["GET"]),
            Route(f"{one}/image", self.image, methods=["GET"]),
            Route(f"{one}/review", self.review, methods=["POST"]),
            Route(f"{CONTROL_PREFIX}/sources", self.sources, methods=["GET"]),
            Route(f"{CONTROL_PREFIX}/statistics", self.statistics, methods=["GET"]),
            Route(f"{CONTROL_PREFIX}/requests", self.requests, methods=["GET"]),
            Route(f"{CONTROL_PREFIX}/trouble", self.trouble, methods=["GET"]),
            Route(f"{CONTROL_PREFIX}/connection", self.connection, methods=["POST"]),
            Route(f"{CONTROL_PREFIX}/events", self.events, methods=["GET"]),
            Route(f"{CONTROL_PREFIX}/static/{{name}}", self.static, methods=["GET"]),
        ]

    async def overview(self, request: Request) -> Response:
        """Show the grid of what arrived."""
        return await self._page("overview.html", gallery.context(self._state, _query(request)))

    async def prediction(self, request: Request) -> Response:
        """Show one prediction."""
        found = prediction.context(self._state, self._journal, self._row(request), _query(request))
        return await self._page("prediction.html", found)

    async def sources(self, request: Request) -> Response:
        """Show every source with its last picture."""
        return await self._page("sources.html", figures.sources(self._state, _query(request)))

    async def statistics(self, request: Request) -> Response:
        """Show volume, latency, labels, scores and drift of what a filter chooses."""
        return await self._page("statistics.html", figures.charts(self._state, _query(request)))

    async def requests(self, request: Request) -> Response:
        """Show the latest requests, and why the failed ones failed."""
        return await self._page(
            "requests.html", requests_and_faults.requests(self._journal, self._faults, _query(request))
        )

    async def trouble(self, request: Request) -> Response:
        """Show scripted faults, what they did, and switches for common ones."""
        gallery.check_known(_query(request))
        return await self._page("trouble.html", requests_and_faults.faults(self._faults))

    async def connection(self, request: Request) -> Response:
        """Give the settings of a client. In a POST: no address that is followed, prefetched or kept has the token in its answer."""
        user = next((one for one in self._state.store.documents.list("user") if one["api_token"]), None)
        if user is None:
            raise not_found("user with a token")
        lines = {
            "PICSELLIA_HOST": origin_of(request, self._state.options.public_url),
            "PICSELLIA_TOKEN": user["api_token"],
        }
        answer = json_response({"env": "".join(f"{name}={value}\n" for name, value in lines.items())})
        answer.headers["cache-control"] = "no-store"
        return answer

    async def events(self, request: Request) -> Response:
        """Tell an open page what is new: the filter of its address, and the last key that it knows of as `after`."""
        query = _query(request)
        wanted, after = Filter.of(query), query.integer("after")
        has_grid = query.boolean("grid") is not False
        query.integer("before")  # of the address of a page further down
        gallery.check_known(query)
        # A browser that comes back has the address that it began with, and tells how far it got.
        reached = request.headers.get("last-event-id", "")
        if reached.isascii() and reached.isdecimal() and len(reached) <= _DIGITS_MAX:
            after = int(reached)
        last = self._state.store.predictions.ends()[1]
        return self._live.stream(wanted if has_grid else None, last if after is None else after)

    def close(self) -> None:
        """End what open pages are told."""
        self._live.close()

    async def image(self, request: Request) -> Response:
        """Give the image of a prediction, if it is a JPEG or PNG by its bytes: nothing else is shown by a browser from here."""
        content = await self._state.store.blobs.get(self._sha256(self._row(request)))
        media_type = next((type_ for signature, type_ in _IMAGES if content.startswith(signature)), None)
        if media_type is None:
            raise Refusal(415, "the image is neither JPEG nor PNG")
        return Response(content, media_type=media_type, headers=_IMAGE_HEADERS)

    async def review(self, request: Request) -> Response:
        """Review a prediction: `{"right": [0, 2]}` names the shapes of the champion that are right."""
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise Refusal(415, "a review is sent as application/json")
        try:
            body = orjson.loads(await read_body(request, _BODY_MAX))
        except orjson.JSONDecodeError as exc:
            raise bad_request("the body is not JSON", str(exc)) from None
        right = body.get("right") if isinstance(body, dict) and set(body) == {"right"} else None
        if not isinstance(right, list) or not all(type(index) is int for index in right):
            raise unprocessable('a review is {"right": [...]}, with the numbers of the shapes that are right')
        origin = origin_of(request, self._state.options.public_url)
        return json_response(reviewing.review(self._state, self._row(request), right, origin), 201)

    async def static(self, request: Request) -> Response:
        """Give a file that the pages load; there are no others than those that are listed."""
        name = request.path_params["name"]
        if name not in STATIC:
            raise not_found("file", name)
        return Response(read_static(name), media_type=STATIC[name], headers={"cache-control": "no-cache"})

    async def _page(self, template: str, context: Awaitable[dict[str, Any]]) -> Response:
        last = self._state.store.predictions.ends()[1]  # before the page is looked up: what comes meanwhile is told
        found = await context
        numbers = gallery.counters(self._state, self._journal, len(self._faults))
        page = await self._pages.render(template, counters=numbers, last=last, **found)
        headers = {
            "content-security-policy": PAGE_POLICY,
            "referrer-policy": "same-origin",
            "cache-control": "no-store",
        }
        return Response(page, media_type="text/html", headers=headers)

    def _row(self, request: Request) -> PredictionRow:
        return self._state.store.predictions.get(request.path_params["id"], "prediction")

    def _sha256(self, row: PredictionRow) -> str:
        """Return what the image is stored by; of an image that lay in the storage before, its data knows it.

        Raises:
            Refusal: 404, it was never seen.
        """
        data = self._state.store.data.select("id = ?", row.data_id, limit=1) if row.data_id else []
        found = row.sha256 or (data[0].sha256 if data else "")
        if not found:
            raise not_found("image of the prediction", row.id)
        return found


def _query(request: Request) -> Parameters:
    """Return the query of a page; a form sends its empty fields along, which say nothing."""
    return Parameters(parse_qsl(request.scope["query_string"].decode("latin-1")))
