"""Handlers of datalakes and their data (docs/wire.md#datalake-endpoints)."""

from __future__ import annotations

from typing import Final

import orjson

from picsellia_async._wire.converter import JsonObject
from picsellia_async._wire.platform_requests import (
    CreateDataRequest,
    DataChanges,
    FilterRequest,
    IdsRequest,
    ImportObjectsRequest,
    UpdateCustomMetadataRequest,
    UpdateDataRequest,
    UpdateMultipleDataRequest,
)
from picsellia_async._wire.unset import or_none
from picsellia_async.emulator.domain import objects, pictures, views
from picsellia_async.emulator.domain.state import State
from picsellia_async.emulator.query import paging
from picsellia_async.emulator.query.paging import Paged, Where, has_custom_metadata
from picsellia_async.emulator.refusal import bad_request, conflict, not_found, unprocessable
from picsellia_async.emulator.services.call import Call, Change
from picsellia_async.emulator.services.lookups import in_path, list_of_organization, organization_in_path
from picsellia_async.emulator.store.documents import Document
from picsellia_async.emulator.store.rows import DataRow, ObjectRow

_COLUMNS: Final = {name: name for name in ("id", "created_at", "filename", "object_name", "width", "height", "type")}
"""What data can be ordered by. assumed."""

_CONTENT_TYPES: Final = {".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png"}


def _show(document: Document) -> JsonObject:
    return {key: document[key] for key in ("id", "name", "connector_id")}


def find_datalake(state: State, call: Call) -> JsonObject:
    """Find a datalake by id or name; the default one where neither is given."""
    organization = organization_in_path(state, call)
    facts = {name: value for name in ("id", "name") if (value := call.query.text(name)) is not None}
    found = state.store.documents.find("datalake", organization_id=organization["id"], **facts)
    if found is None:
        raise not_found("datalake", " ".join(facts.values()))
    return _show(found)


def list_datalakes(state: State, call: Call) -> JsonObject:
    """List the datalakes of an organization."""
    return paging.simple(call.query, list_of_organization(state, call, "datalake"), _show)


def get_datalake(state: State, call: Call) -> JsonObject:
    """Return a datalake."""
    return _show(in_path(state, call, "datalake"))


def list_data(state: State, call: Call) -> JsonObject:
    """List the data of a datalake."""
    paging.check_listed_kinds(call.query)
    where = Where()
    where.add("datalake_id = ?", in_path(state, call, "datalake")["id"])
    for name, column in (("upload_statuses", "upload_status"), ("types", "type")):
        if values := call.query.texts(name):
            where.add_any_of(column, values)
    metadata = call.query.json("custom_metadata")
    where.add_custom_metadata(metadata, "custom_metadata")
    page = Paged(
        table=state.store.data,
        where=where,
        show=lambda rows: [views.data(state, call, row) for row in rows],
        columns=_COLUMNS,
        matches=has_custom_metadata(metadata, "custom_metadata"),
    )
    return page.page(call.query)


def filter_data(state: State, call: Call, body: FilterRequest) -> JsonObject:
    """List the data that one list of values names (docs/wire.md#long-lists)."""
    datalake = in_path(state, call, "datalake")
    call.query.texts("order_by")
    where = Where()
    where.add("datalake_id = ?", datalake["id"])
    given = [
        (column, [str(value) for value in values])
        for name, column in (("ids", "id"), ("filenames", "filename"), ("object_names", "object_name"))
        if (values := or_none(getattr(body, name))) is not None
    ]
    others = (body.data_ids, body.filename_startswith)
    if len(given) != 1 or any(or_none(values) is not None for values in others):
        raise unprocessable("exactly one of ids, filenames and object_names must be given")
    where.add_any_of(*given[0])
    rows = state.store.data.select(where.text(), *where.values)
    items = [views.data(state, call, row) for row in rows]
    return paging.filtered(call.query, items, body, {}, "custom_metadata")


def find_data(state: State, call: Call) -> JsonObject:
    """Find the one data that has all the given properties."""
    datalake = in_path(state, call, "datalake")
    paging.check_listed_kinds(call.query)
    where = Where()
    where.add("datalake_id = ?", datalake["id"])
    for name in ("id", "filename", "object_name"):
        value = call.query.uuid(name) if name == "id" else call.query.text(name)
        if value is not None:
            where.add(f"{name} = ?", value)
    if len(where.sql) == 1:
        raise unprocessable("at least one of id, filename and object_name must be in the query")
    rows = state.store.data.select(where.text(), *where.values, limit=2)
    if not rows:
        raise not_found("data", "with these properties")
    if len(rows) > 1:
        raise bad_request("more than one data has these properties")  # assumed: 400
    return views.data(state, call, rows[0])


async def create_data(state: State, call: Call, body: CreateDataRequest) -> Change:
    """Make a data of an object that was uploaded before."""
    size = await _size_of(state, _uploaded(state, call, body))

    def change() -> JsonObject:
        datalake, stored = in_path(state, call, "datalake"), _uploaded(state, call, body)
        if _is_data(state, datalake, stored):
            raise conflict(f"{stored.object_name} is a data of this datalake already")
        row = _row(state, datalake, stored, size, body.filename, body.content_type)
        row.type, row.tag_ids, row.source_id = body.type.value, *_tags_and_source(state, call, body)
        row.metadata = orjson.dumps(or_none(body.metadata))
        row.custom_metadata = orjson.dumps(or_none(body.custom_metadata))
        if (meta := or_none(body.meta)) is not None:
            row.width, row.height = _pixels(meta, "width"), _pixels(meta, "height")
        return views.data(state, call, state.store.data.insert(row))

    return change


def _uploaded(state: State, call: Call, body: CreateDataRequest) -> ObjectRow:
    datalake = in_path(state, call, "datalake")
    stored = objects.find_object(state, datalake["connector_id"], body.object_name)
    if stored is None:
        raise bad_request(f"no object {body.object_name} in the storage of the datalake")  # assumed
    return stored


def _pixels(meta: JsonObject, name: str) -> int:
    value = meta.get(name)
    if not isinstance(value, int) or not 0 <= value < 2**31:
        raise unprocessable(f"meta.{name} must be a number of pixels, got {value!r}")
    return value


def _tags_and_source(
    state: State, call: Call, body: CreateDataRequest | ImportObjectsRequest
) -> tuple[bytes, str | None]:
    """Return the columns of tags and data source that a request names by their ids."""
    ids = body.tags if isinstance(body, CreateDataRequest) else or_none(body.tag_ids) or []
    source_id = or_none(body.data_source_id)
    source = None if source_id is None else state.document(call, "datasource", str(source_id))["id"]
    return orjson.dumps([state.document(call, "tag", str(id_))["id"] for id_ in ids]), source


async def _size_of(state: State, stored: ObjectRow) -> tuple[int, int]:
    return pictures.size_of(await state.store.blobs.get(stored.sha256)) or (0, 0)


def _is_data(state: State, datalake: Document, stored: ObjectRow) -> bool:
    return bool(state.store.data.count("datalake_id = ? and object_name = ?", datalake["id"], stored.object_name))


def _row(
    state: State, datalake: Document, stored: ObjectRow, size: tuple[int, int], filename: str, content_type: str
) -> DataRow:
    return DataRow(
        id=state.new_id(), datalake_id=datalake["id"], object_name=stored.object_name, filename=filename,
        content_type=content_type, width=size[0], height=size[1], created_at=state.clock(), sha256=stored.sha256,
        size=stored.size,
    )  # fmt: skip


async def import_bucket_objects(state: State, call: Call, body: ImportObjectsRequest) -> Change:
    """Make data of all objects below some prefixes, or of named ones; the job is done when it is answered.

    assumed: an object that is a data already stays as it is.
    """
    datalake = in_path(state, call, "datalake")
    prefixes, named = or_none(body.prefixes), or_none(body.objects)
    if (prefixes is None) == (named is None):
        raise unprocessable("exactly one of prefixes and objects must be given")
    chosen = [
        (stored, await _size_of(state, stored))
        for stored in state.store.objects.select("connector_id = ?", datalake["connector_id"])
        if (stored.object_name.startswith(tuple(prefixes or ())) if named is None else stored.object_name in named)
    ]

    def change() -> JsonObject:
        datalake = in_path(state, call, "datalake")
        tag_ids, source_id = _tags_and_source(state, call, body)
        for stored, size in chosen:
            if _is_data(state, datalake, stored):
                continue
            filename = stored.object_name.rpartition("/")[2]
            content_type = _CONTENT_TYPES.get(filename[filename.rfind(".") :].lower(), stored.content_type)
            row = _row(state, datalake, stored, size, filename, content_type)
            columns: JsonObject = {"tag_ids": tag_ids, "source_id": source_id}
            if named is not None:
                columns = _columns_of(state, datalake, named[stored.object_name])
            for column, value in columns.items():
                setattr(row, column, value)
            state.store.data.insert(row)
        return {"datalake": _show(datalake), "job": views.plain(state.finished_job(call.organization_id))}

    return change


def get_data(state: State, call: Call) -> JsonObject:
    """Return a data."""
    return views.data(state, call, _in_path(state, call))


def _in_path(state: State, call: Call) -> DataRow:
    return state.data(call, call.id("data_id", "data"))


def update_data(state: State, call: Call, body: UpdateDataRequest) -> JsonObject:
    """Put new metadata in the place of the old."""
    row = _in_path(state, call)
    row.metadata = orjson.dumps(body.metadata)
    state.store.data.update(row.id, metadata=row.metadata)
    return views.data(state, call, row)


def update_custom_metadata(state: State, call: Call, body: UpdateCustomMetadataRequest) -> JsonObject:
    """Put new custom metadata in the place of the old."""
    row = _in_path(state, call)
    state.store.data.update(row.id, custom_metadata=orjson.dumps(body.custom_metadata))
    return {"id": row.id, "custom_metadata": body.custom_metadata}


def update_multiple_data(state: State, call: Call, body: UpdateMultipleDataRequest) -> None:
    """Change up to 100 data; nulls leave things as they are, tags take the place of all tags before (assumed)."""
    datalake = in_path(state, call, "datalake")
    _rows_of(state, call, datalake, list(body.objects))
    for id_, changes in body.objects.items():
        if columns := _columns_of(state, datalake, changes):
            state.store.data.update(id_, **columns)


def _rows_of(state: State, call: Call, datalake: Document, ids: list[str]) -> list[DataRow]:
    """Return data by their ids. assumed: those of another datalake are a bad request."""
    rows = [state.data(call, id_) for id_ in ids]
    for row in rows:
        if row.datalake_id != datalake["id"]:
            raise bad_request(f"the data {row.id} is in another datalake")
    return rows


def _columns_of(state: State, datalake: Document, changes: DataChanges) -> JsonObject:
    columns: JsonObject = {}
    if changes.metadata is not None:
        columns["metadata"] = orjson.dumps(changes.metadata)
    if changes.custom_metadata is not None:
        columns["custom_metadata"] = orjson.dumps(changes.custom_metadata)
    if changes.tags is not None:
        columns["tag_ids"] = orjson.dumps(state.data_tags(datalake, changes.tags))
    if changes.data_source is not None:
        columns["source_id"] = state.source(datalake["organization_id"], changes.data_source)["id"]
    return columns


def delete_data(state: State, call: Call) -> None:
    """Delete a data; its predicted assets go with it (docs/wire.md#service-behaviour)."""
    _delete(state, [_in_path(state, call)])


def delete_multiple_data(state: State, call: Call, body: IdsRequest) -> None:
    """Delete several data of a datalake; all of them or none."""
    datalake = in_path(state, call, "datalake")
    _delete(state, _rows_of(state, call, datalake, [str(id_) for id_ in body.ids]))


def _delete(state: State, rows: list[DataRow]) -> None:
    for row in rows:
        for prediction in state.store.predictions.select("data_id = ?", row.id):
            state.store.assignments.delete("asset_id = ?", prediction.asset_id)
            state.store.predictions.update(prediction.id, asset_id=None, data_id=None)
        assets = state.store.documents.list("asset", data_id=row.id)
        state.store.documents.remove("asset", [asset["id"] for asset in assets])
        state.store.data.delete("id = ?", row.id)


def get_data_url(state: State, call: Call) -> JsonObject:
    """Return a fresh presigned URL of a data."""
    row = _in_path(state, call)
    connector_id = state.store.documents.get("datalake", row.datalake_id)["connector_id"]
    return {"presigned_url": objects.presigned_url(state, call, connector_id, row.object_name)}
