"""Handlers of datasets, their versions and assets, and of projects (docs/wire.md#dataset-endpoints)."""

from __future__ import annotations

from picsellia_async._wire.converter import JsonObject
from picsellia_async._wire.platform_requests import FilterRequest
from picsellia_async.emulator.domain import views
from picsellia_async.emulator.domain.state import State
from picsellia_async.emulator.query import language, paging
from picsellia_async.emulator.refusal import not_found
from picsellia_async.emulator.services.call import Call
from picsellia_async.emulator.services.lookups import find, in_path, list_of_organization
from picsellia_async.emulator.store.documents import Document


def find_dataset(state: State, call: Call) -> JsonObject:
    """Find a dataset by name or id."""
    return views.with_tags(state, find(state, call, "dataset", *call.query.one_of("name", "id")))


def list_datasets(state: State, call: Call) -> JsonObject:
    """List the datasets of an organization."""
    found = list_of_organization(state, call, "dataset")
    return paging.simple(call.query, found, lambda document: views.with_tags(state, document))


def get_dataset(state: State, call: Call) -> JsonObject:
    """Return a dataset."""
    return views.with_tags(state, in_path(state, call, "dataset"))


def find_version_of_dataset(state: State, call: Call) -> JsonObject:
    """Find a version of a dataset by its name or id. assumed: `latest` is the newest unless one is called so."""
    dataset = in_path(state, call, "dataset")
    key, value = call.query.one_of("version", "id")
    versions = state.store.documents.list("dataset_version", dataset_id=dataset["id"])
    matching = [version for version in versions if version[key] == value]
    if not matching and value == "latest":
        matching = versions[-1:]
    if not matching:
        raise not_found(f"version of the dataset {dataset['name']}", value)
    return views.dataset_version(state, matching[0])


def list_dataset_versions(state: State, call: Call) -> JsonObject:
    """List the versions of a dataset."""
    dataset = in_path(state, call, "dataset")
    found = state.store.documents.list("dataset_version", dataset_id=dataset["id"])
    return paging.simple(call.query, found, lambda document: views.dataset_version(state, document))


def find_dataset_version(state: State, call: Call) -> JsonObject:
    """Find a dataset version by id."""
    return views.dataset_version(state, find(state, call, "dataset_version", "id", call.query.required("id")))


def get_dataset_version(state: State, call: Call) -> JsonObject:
    """Return a dataset version."""
    return views.dataset_version(state, in_path(state, call, "dataset_version"))


def list_assets(state: State, call: Call) -> JsonObject:
    """List the assets of a dataset version. Cursors count positions here: assets are few."""
    paging.check_listed_kinds(call.query)
    items = _assets(state, call)
    matches = language.condition(call.query.text("q"))
    wanted = paging.has_custom_metadata(call.query.json("custom_metadata"), "data.custom_metadata")
    chosen = [item for item in items if all(test is None or test(item) for test in (matches, wanted))]
    return _page(call, chosen)


def _page(call: Call, items: list[JsonObject]) -> JsonObject:
    limit = min(call.query.integer("limit", 1) or paging.PAGE_MAX, paging.PAGE_MAX)
    cursor = call.query.text("cursor")
    start = call.query.integer("offset") or 0 if cursor is None else paging.read_cursor(cursor)
    call.query.texts("order_by")  # assumed: the order of assets is that of their creation
    end = start + limit
    next_cursor = paging.make_cursor(end) if end < len(items) else None
    return {"items": items[start:end], "count": len(items), "next_cursor": next_cursor}


def filter_assets(state: State, call: Call, body: FilterRequest) -> JsonObject:
    """List the assets of a dataset version that one list of values names (docs/wire.md#long-lists)."""
    call.query.texts("order_by")
    paths = {
        "ids": "id",
        "filenames": "data.filename",
        "object_names": "data.object_name",
        "filename_startswith": "data.filename",
        "data_ids": "data.id",
    }
    return paging.filtered(call.query, _assets(state, call), body, paths)


def _assets(state: State, call: Call) -> list[JsonObject]:
    version = in_path(state, call, "dataset_version")
    assets = state.store.documents.list("asset", dataset_version_id=version["id"])
    rows = views.data_by_id(state, [asset["data_id"] for asset in assets])
    return [
        {
            "id": asset["id"],
            "data": views.data(state, call, rows[asset["data_id"]]),
            "tags": views.tags(state, asset["tag_ids"]),
        }
        for asset in assets
    ]


def _project(document: Document) -> JsonObject:
    return {"id": document["id"], "name": document["name"]}


def find_project(state: State, call: Call) -> JsonObject:
    """Find a project by name or id."""
    return _project(find(state, call, "project", *call.query.one_of("name", "id")))


def get_project(state: State, call: Call) -> JsonObject:
    """Return a project."""
    return _project(in_path(state, call, "project"))


def list_projects(state: State, call: Call) -> JsonObject:
    """List the projects of an organization."""
    found = list_of_organization(state, call, "project")
    return paging.simple(call.query, found, _project)


def list_project_dataset_versions(state: State, call: Call) -> JsonObject:
    """List the dataset versions of a project."""
    project = in_path(state, call, "project")
    found = [state.store.documents.get("dataset_version", id_) for id_ in project["dataset_version_ids"]]
    return paging.simple(call.query, found, lambda document: views.dataset_version(state, document))
