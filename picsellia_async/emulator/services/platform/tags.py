"""Handlers of tags and data sources (docs/wire.md#tag-endpoints)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from uuid import UUID

import orjson

from picsellia_async._wire.converter import JsonObject
from picsellia_async._wire.platform_requests import CreateTagRequest, NameRequest
from picsellia_async.emulator.domain import views
from picsellia_async.emulator.domain.state import State
from picsellia_async.emulator.query import paging
from picsellia_async.emulator.refusal import Refusal, conflict, not_found, unprocessable
from picsellia_async.emulator.services.call import Call
from picsellia_async.emulator.services.lookups import in_path, list_of_organization, organization_in_path
from picsellia_async.emulator.store.documents import Document
from picsellia_async.enums import TagTarget

_KINDS: Final = {
    "ASSET": "asset", "MODEL_VERSION": "model_version", "MODEL": "model", "DATASET_VERSION": "dataset_version",
    "DATASET": "dataset", "DEPLOYMENT": "deployment",
}  # fmt: skip
"""Kind of document behind each target; data are rows instead."""


def create_tag(state: State, call: Call, body: CreateTagRequest) -> JsonObject:
    """Make a tag. assumed: data tags made here belong to the default datalake."""
    datalakes = list_of_organization(state, call, "datalake")
    datalake_id = datalakes[0]["id"] if body.target_type is TagTarget.DATA else None
    return _create(state, call, body.name, body.target_type.value, datalake_id)


def _create(state: State, call: Call, name: str, target_type: str, datalake_id: str | None) -> JsonObject:
    facts = {
        "organization_id": call.organization_id,
        "target_type": target_type,
        "datalake_id": datalake_id,
        "name": name,
    }
    if state.store.documents.find("tag", **facts):
        raise conflict(f"there is a {target_type} tag called {name!r} already")
    return views.tag(state.store.documents.add("tag", **facts))


def _target(call: Call) -> str:
    target = call.query.required("target_type")
    if target not in TagTarget.__members__:
        raise unprocessable(f"target_type must be one of {', '.join(TagTarget.__members__)}, got {target!r}")
    return target


def list_tags(state: State, call: Call) -> JsonObject:
    """List the tags of one target."""
    found = list_of_organization(state, call, "tag", target_type=_target(call))
    return paging.simple(call.query, found, views.tag)


def find_tag(state: State, call: Call) -> JsonObject:
    """Find a tag by name and target."""
    organization = organization_in_path(state, call)
    name = call.query.required("name")
    found = state.store.documents.find("tag", organization_id=organization["id"], target_type=_target(call), name=name)
    if found is None:
        raise not_found("tag", name)
    return views.tag(found)


def create_data_tag(state: State, call: Call, body: NameRequest) -> JsonObject:
    """Make a data tag of a datalake."""
    return _create(state, call, body.name, "DATA", in_path(state, call, "datalake")["id"])


def find_data_tag(state: State, call: Call) -> JsonObject:
    """Find a data tag by name."""
    datalake = in_path(state, call, "datalake")
    name = call.query.required("name")
    found = state.store.documents.find("tag", datalake_id=datalake["id"], name=name)
    if found is None:
        raise not_found("data tag", name)
    return views.tag(found)


def list_data_tags(state: State, call: Call) -> JsonObject:
    """List the data tags of a datalake."""
    datalake = in_path(state, call, "datalake")
    return paging.simple(call.query, state.store.documents.list("tag", datalake_id=datalake["id"]), views.tag)


def get_tag(state: State, call: Call) -> JsonObject:
    """Return a tag."""
    return views.tag(in_path(state, call, "tag"))


def update_tag(state: State, call: Call, body: NameRequest) -> JsonObject:
    """Rename a tag."""
    tag = in_path(state, call, "tag")
    facts = {key: tag[key] for key in ("organization_id", "target_type", "datalake_id")}
    other = state.store.documents.find("tag", **facts, name=body.name)
    if other is not None and other["id"] != tag["id"]:
        raise conflict(f"there is a {tag['target_type']} tag called {body.name!r} already")
    tag["name"] = body.name
    state.store.documents.save("tag", tag)
    return views.tag(tag)


def delete_tag(state: State, call: Call) -> None:
    """Delete a tag; whatever it was on loses it."""
    state.store.documents.remove("tag", [in_path(state, call, "tag")["id"]])


def attach_tag(state: State, call: Call, body: list[UUID]) -> JsonObject:
    """Put a tag on objects; those that have it already are not counted."""
    tag = in_path(state, call, "tag")
    count = 0
    for holder in _holders(state, call, tag, body):
        if tag["id"] not in holder.tag_ids:
            holder.save([*holder.tag_ids, tag["id"]])
            count += 1
    return {"tag": views.tag(tag), "count": count}


def detach_tag(state: State, call: Call, body: list[UUID]) -> JsonObject:
    """Take a tag off objects.

    Raises:
        Refusal: 404, none of them has it (assumed).
    """
    tag = in_path(state, call, "tag")
    holders = [holder for holder in _holders(state, call, tag, body) if tag["id"] in holder.tag_ids]
    if not holders:
        raise Refusal(404, f"the tag {tag['name']!r} is on none of these objects")
    for holder in holders:
        holder.save([id_ for id_ in holder.tag_ids if id_ != tag["id"]])
    return {"tag": views.tag(tag), "count": len(holders)}


class _Holder:
    """Something that tags can be on."""

    def __init__(self, state: State, kind: str, document: Document | None, data_id: str, tag_ids: list[str]) -> None:
        self._state = state
        self._kind = kind
        self._document = document
        self._data_id = data_id
        self.tag_ids = tag_ids

    def save(self, tag_ids: list[str]) -> None:
        if self._document is None:
            self._state.store.data.update(self._data_id, tag_ids=orjson.dumps(tag_ids))
        else:
            self._document["tag_ids"] = tag_ids
            self._state.store.documents.save(self._kind, self._document)


def _holders(state: State, call: Call, tag: Document, ids: Iterable[UUID]) -> list[_Holder]:
    target = tag["target_type"]
    if target == "DATA":
        rows = [state.data(call, str(id_)) for id_ in ids]
        return [_Holder(state, "data", None, row.id, orjson.loads(row.tag_ids)) for row in rows]
    kind = _KINDS.get(target)
    if kind is None:
        raise unprocessable(f"the emulator puts no tags on {target}")  # assumed: predicted assets show none
    documents = [state.document(call, kind, str(id_)) for id_ in ids]
    return [_Holder(state, kind, document, "", document["tag_ids"]) for document in documents]


def create_data_source(state: State, call: Call, body: NameRequest) -> JsonObject:
    """Make a data source."""
    organization = organization_in_path(state, call)
    facts = {"organization_id": organization["id"], "name": body.name}
    if state.store.documents.find("datasource", **facts):
        raise conflict(f"there is a data source called {body.name!r} already")
    return views.plain(state.store.documents.add("datasource", **facts))


def list_data_sources(state: State, call: Call) -> JsonObject:
    """List the data sources of an organization."""
    found = list_of_organization(state, call, "datasource")
    return paging.simple(call.query, found, views.plain)


def find_data_source(state: State, call: Call) -> JsonObject:
    """Find a data source by name."""
    organization = organization_in_path(state, call)
    name = call.query.required("name")
    found = state.store.documents.find("datasource", organization_id=organization["id"], name=name)
    if found is None:
        raise not_found("data source", name)
    return views.plain(found)


def get_data_source(state: State, call: Call) -> JsonObject:
    """Return a data source."""
    return views.plain(in_path(state, call, "datasource", "data_source_id"))


def update_data_source(state: State, call: Call, body: NameRequest) -> JsonObject:
    """Rename a data source."""
    source = in_path(state, call, "datasource", "data_source_id")
    other = state.store.documents.find("datasource", organization_id=call.organization_id, name=body.name)
    if other is not None and other["id"] != source["id"]:
        raise conflict(f"there is a data source called {body.name!r} already")
    source["name"] = body.name
    state.store.documents.save("datasource", source)
    return views.plain(source)


def delete_data_source(state: State, call: Call) -> None:
    """Delete a data source; its data have none from then on."""
    state.store.documents.remove("datasource", [in_path(state, call, "datasource", "data_source_id")["id"]])
