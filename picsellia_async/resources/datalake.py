"""Datalakes: where images live."""

from __future__ import annotations

import functools
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import Any, overload
from uuid import UUID

from picsellia_async._data_labels import check_upload_dir
from picsellia_async._services.paging import collect, collect_chunks, concurrently, iterate
from picsellia_async._services.storage import content_type_of_file, upload_file
from picsellia_async._wire.endpoints import (
    CREATE_DATA,
    CREATE_DATA_SOURCE,
    CREATE_DATA_TAG,
    DELETE_MULTIPLE_DATA,
    FILTER_DATA,
    FIND_DATA,
    FIND_DATA_SOURCE,
    FIND_DATA_TAG,
    GET_DATALAKE,
    IMPORT_BUCKET_OBJECTS,
    LIST_DATA,
    LIST_DATA_TAGS,
    UPDATE_MULTIPLE_DATA,
)
from picsellia_async._wire.platform_requests import (
    CreateDataRequest,
    IdsRequest,
    ImportObjectsRequest,
    NameRequest,
    UpdateMultipleDataRequest,
    identifier,
)
from picsellia_async._wire.queries import (
    Listing,
    either,
    metadata_filter,
    paged_constants,
    query_of_tags,
    simple_query,
    values_in_chunks,
)
from picsellia_async._wire.unset import given
from picsellia_async.enums import DataType, ObjectDataType
from picsellia_async.errors import ConfigurationError, NoDataError, NotFoundError, PicselliaError, shown
from picsellia_async.models import DataDescription, DatalakeDescription, Page
from picsellia_async.resources.data import Data
from picsellia_async.resources.data_arguments import changes_of, metas_of, per_path
from picsellia_async.resources.data_source import DataSource, source_name
from picsellia_async.resources.handle import Handle, expect_all
from picsellia_async.resources.platform_job import Job
from picsellia_async.resources.tag import Tag, tag_names
from picsellia_async.validation import boolean, json_object, sequence, text, texts

UPLOADS_AT_ONCE = 4
"""Files of one `upload_data` under way at a time."""


class Datalake(Handle[DatalakeDescription]):
    """A datalake."""

    @property
    def name(self) -> str:
        """Name."""
        return self._description.name

    @property
    def connector_id(self) -> UUID | None:
        """Storage behind it."""
        return self._description.connector_id

    def _data(self, description: DataDescription) -> Data:
        return Data(description, self._account, self.id)

    def get_resource_url_on_platform(self) -> str:
        """Return the address of this datalake on the pages of the platform; sends nothing."""
        return f"{self._account.settings.origin}/datalake/{self.id}"

    async def sync(self) -> DatalakeDescription:
        """Fetch this datalake again. Idempotent.

        Wire: GET {platform}/api/datalake/{datalake_id}, 2xx.
        """
        self._description = await self._account.call(GET_DATALAKE, datalake_id=self.id)
        return self._description

    # Data

    async def find_data(
        self,
        filename: str | None = None,
        object_name: str | None = None,
        id: str | UUID | None = None,  # noqa: A002 - the vendor's name
    ) -> Data:
        """Return the one data that matches. Idempotent.

        Args:
            filename: Name shown on the platform.
            object_name: Name in the object storage.
            id: Identifier.

        Raises:
            ConfigurationError: No criterion was given.
            NotFoundError: None matches.
            BadRequestError: Several match.

        Wire: GET {platform}/api/datalake/{datalake_id}/datas/find, 2xx.
        """
        criteria = [
            ("id", None if id is None else identifier(id, "id")),
            ("filename", filename),
            ("object_name", object_name),
        ]
        query = [*either(criteria), *paged_constants()]
        return self._data(await self._account.call(FIND_DATA, query=query, datalake_id=self.id))

    async def list_data(
        self,
        limit: int | None = None,
        offset: int | None = None,
        page_size: int | None = None,
        order_by: list[str] | None = None,
        tags: str | Tag | list[str | Tag] | None = None,
        filenames: list[str] | None = None,
        intersect_tags: bool = False,
        object_names: list[str] | None = None,
        q: str | None = None,
        ids: list[str | UUID] | None = None,
        custom_metadata: dict[str, Any] | None = None,
    ) -> list[Data]:
        """Return data of this datalake, never more than `limit`. Idempotent.

        Args:
            limit: At most so many; all by default.
            offset: Skip so many.
            page_size: Items per request, up to 1000, the default.
            order_by: Names of fields, `-` before a name for descending order. Lets the pages be fetched at once.
            tags: Names or tags: data that has any of them, or all with `intersect_tags`.
            filenames: Only data of these names. Excludes `object_names` and `ids`.
            intersect_tags: Ask for data that has all `tags`.
            object_names: Only data of these object names.
            q: Query (docs/wire.md#query-language).
            ids: Only data of these ids.
            custom_metadata: Only data with these custom metadata.

        Raises:
            NoDataError: None matches.
            PicselliaError: A page could not be fetched; `items_read` of the error holds what was read before it.

        Wire: GET or XGET {platform}/api/datalake/{datalake_id}/datas, 2xx.
        """
        listing = self._listing(limit, offset, page_size, order_by, tags, intersect_tags, q, custom_metadata)
        chosen = values_in_chunks(listing, filenames=filenames, object_names=object_names, ids=ids)
        if chosen is None:
            found = await collect(listing, self._page, self._data)
        else:
            query = [*listing.filters, ("order_by", listing.order_by)]
            jobs = [
                functools.partial(self._account.call, FILTER_DATA, request, query=query, datalake_id=self.id)
                for request in chosen
            ]
            found = await collect_chunks(listing, jobs, self._data)
        if not found:
            raise NoDataError(f"no data of datalake {self.name!r} matches")
        return found

    def iter_data(
        self,
        limit: int | None = None,
        offset: int | None = None,
        page_size: int | None = None,
        order_by: list[str] | None = None,
        tags: str | Tag | list[str | Tag] | None = None,
        *,
        intersect_tags: bool = False,
        q: str | None = None,
        custom_metadata: dict[str, Any] | None = None,
    ) -> AsyncGenerator[Data, None]:
        """Yield data of this datalake, one page in memory. Idempotent. Further arguments: `list_data`.

        An empty datalake yields nothing.

        Wire: GET {platform}/api/datalake/{datalake_id}/datas, 2xx.
        """
        listing = self._listing(limit, offset, page_size, order_by, tags, intersect_tags, q, custom_metadata)
        return self._iterate(listing)

    async def _iterate(self, listing: Listing) -> AsyncGenerator[Data, None]:
        async for description in iterate(listing, self._page):
            yield self._data(description)

    async def _page(self, query: list[tuple[str, Any]]) -> Page[DataDescription]:
        return await self._account.call(LIST_DATA, query=query, datalake_id=self.id)

    def _listing(
        self,
        limit: int | None,
        offset: int | None,
        page_size: int | None,
        order_by: list[str] | None,
        tags: Any,
        intersect_tags: bool,
        q: str | None,
        custom_metadata: dict[str, Any] | None,
    ) -> Listing:
        return Listing(
            filters=(("custom_metadata", metadata_filter(custom_metadata)),),
            q=query_of_tags(q, tag_names(tags, "tags"), intersect=boolean(intersect_tags, "intersect_tags")),
            limit=limit,
            offset=offset,
            page_size=page_size,
            order_by=order_by,
        )

    @overload
    async def upload_data(
        self,
        filepaths: str | Path,
        tags: list[str | Tag] | None = None,
        source: str | DataSource | None = None,
        *,
        metadata: dict[str, Any] | list[dict[str, Any]] | None = None,
        custom_metadata: dict[str, Any] | list[dict[str, Any]] | None = None,
        upload_dir: str | None = None,
        sizes: tuple[int, int] | list[tuple[int, int]] | None = None,
    ) -> Data: ...

    @overload
    async def upload_data(
        self,
        filepaths: list[str | Path],
        tags: list[str | Tag] | None = None,
        source: str | DataSource | None = None,
        *,
        metadata: dict[str, Any] | list[dict[str, Any]] | None = None,
        custom_metadata: dict[str, Any] | list[dict[str, Any]] | None = None,
        upload_dir: str | None = None,
        sizes: tuple[int, int] | list[tuple[int, int]] | None = None,
    ) -> list[Data]: ...

    async def upload_data(
        self,
        filepaths: str | Path | list[str | Path],
        tags: list[str | Tag] | None = None,
        source: str | DataSource | None = None,
        *,
        metadata: dict[str, Any] | list[dict[str, Any]] | None = None,
        custom_metadata: dict[str, Any] | list[dict[str, Any]] | None = None,
        upload_dir: str | None = None,
        sizes: tuple[int, int] | list[tuple[int, int]] | None = None,
    ) -> Data | list[Data]:
        """Store files and make data of them, a few at a time. Not idempotent: a second call makes further data.

        Args:
            filepaths: One path or a list.
            tags: Data tags, or names of tags, which are made where they do not exist.
            source: Data source, or its name, which is made where it does not exist.
            metadata: One for each data alike, or one per path. Keys: docs/wire.md#data-shape.
            custom_metadata: One for each data alike, or one per path. Free keys.
            upload_dir: Prefix of the object names; private object storage only.
            sizes: `(width, height)` in pixels of the one path, or one per path. The files are not opened here: without sizes the platform finds
                them out by itself.

        Returns:
            The data of one path, or for a list of paths a list in their order. The platform still works on them: see `wait_for_upload_done`.

        Raises:
            ConfigurationError: No path, or a file that is missing or not readable.
            ImplausibleError: `upload_dir` leads out of its own directory by `..`, or has a control character.
            UploadError: A file could not be stored; `items_read` of the error holds the data made before it.

        Wire: POST {platform}/api/datalake/{datalake_id}/datas, 2xx.
        """
        paths = [filepaths] if isinstance(filepaths, (str, Path)) else sequence(filepaths, "filepaths")
        if not paths:
            raise ConfigurationError("filepaths must not be empty")
        metas = metas_of(sizes, len(paths))
        described = (
            per_path(metadata, len(paths), "metadata"),
            per_path(custom_metadata, len(paths), "custom_metadata"),
        )
        prefix = None if upload_dir is None else text(upload_dir, "upload_dir", empty=True)
        if prefix is not None and self._account.settings.checks == "on":
            check_upload_dir(prefix)
        common = await self._origin(tags, source)
        jobs = [
            functools.partial(
                self._upload, path, prefix, {**common, "meta": meta, "metadata": one, "custom_metadata": other}
            )
            for path, meta, one, other in zip(paths, metas, *described, strict=True)
        ]
        made: list[Data] = []
        try:
            await concurrently(jobs, made.append, UPLOADS_AT_ONCE)
        except PicselliaError as exc:
            exc.items_read = made
            raise
        return made[0] if isinstance(filepaths, (str, Path)) else made

    async def _upload(self, path: str | Path, upload_dir: str | None, fields: Mapping[str, Any]) -> Data:
        object_name = await upload_file(
            self._account,
            path,
            ObjectDataType.DATA,
            upload_dir=upload_dir,
            connector_id=self.connector_id,
            name="filepaths",
        )
        content_type = content_type_of_file(path)
        request = CreateDataRequest(
            type=DataType.VIDEO if content_type.startswith("video/") else DataType.IMAGE,
            filename=Path(path).name,
            object_name=object_name,
            content_type=content_type,
            **fields,
        )
        return self._data(await self._account.call(CREATE_DATA, request, datalake_id=self.id))

    async def _origin(self, tags: Any, source: Any) -> dict[str, Any]:
        """Return what new data says of tags and source; make those that are named and do not exist."""
        items = [tags] if isinstance(tags, (str, Tag)) else sequence([] if tags is None else tags, "tags")
        tag_names(items, "tags")
        name = source_name(source, "source")
        tag_ids = [(tag if isinstance(tag, Tag) else await self.get_or_create_data_tag(tag)).id for tag in items]
        source_id = (
            source.id if isinstance(source, DataSource) else None if name is None else await self._source_id(name)
        )
        return {"tags": tag_ids, "data_source_id": source_id}

    async def _source_id(self, name: str) -> UUID:
        try:
            return (await self._account.call(FIND_DATA_SOURCE, query=[("name", name)])).id
        except NotFoundError:
            return (await self._account.call(CREATE_DATA_SOURCE, NameRequest(name=name))).id

    async def import_bucket_objects(
        self, prefixes: list[str], tags: list[str | Tag] | None = None, source: str | DataSource | None = None
    ) -> Job:
        """Make data of objects that are in the bucket already. Not idempotent: it starts a job.

        Args:
            prefixes: Beginnings of object names.
            tags: Data tags, or names of tags, which are made where they do not exist.
            source: Data source, or its name, which is made where it does not exist.

        Returns:
            The job that does it.

        Wire: POST {platform}/api/datalake/{datalake_id}/objects, 2xx.
        """
        beginnings = texts(prefixes, "prefixes")
        if not beginnings:
            raise ConfigurationError("prefixes must not be empty")
        origin = await self._origin(tags, source)
        request = ImportObjectsRequest(
            datalake_id=self.id,
            prefixes=beginnings,
            tag_ids=origin["tags"],
            data_source_id=given(origin["data_source_id"]),
        )
        return await self._import(request)

    async def import_cloud_objects(self, cloud_objects: Mapping[str, Mapping[str, Any]]) -> Job:
        """Make data of named objects that are in the bucket already. Not idempotent: it starts a job.

        Args:
            cloud_objects: For 1 to 500 object names what the data shall have: `metadata`, `custom_metadata`, `tags` (names),
                `data_source` (name). Tags and sources that do not exist are made.

        Returns:
            The job that does it.

        Raises:
            ConfigurationError: None or more than 500, or an unknown key.

        Wire: POST {platform}/api/datalake/{datalake_id}/objects, 2xx.
        """
        if not isinstance(cloud_objects, Mapping):
            raise ConfigurationError(f"cloud_objects must be a dict by object name, got {shown(cloud_objects)}")
        said = {
            text(name, "cloud_objects"): changes_of({"tags": [], **json_object(one, place)}, place)
            for name, one in cloud_objects.items()
            for place in (f"cloud_objects[{name!r}]",)
        }
        return await self._import(ImportObjectsRequest(datalake_id=self.id, objects=said))

    async def _import(self, request: ImportObjectsRequest) -> Job:
        receipt = await self._account.call(IMPORT_BUCKET_OBJECTS, request, datalake_id=self.id)
        return Job(receipt.job, self._account)

    async def update_multiple_data(self, objects: Mapping[UUID | str, Mapping[str, Any]]) -> None:
        """Change up to 100 data in one request. Idempotent.

        Args:
            objects: Changes by data id: `metadata`, `custom_metadata`, `tags` (names), `data_source` (name); what is left out
                travels as null.

        Raises:
            ConfigurationError: None or more than 100, an id that is no UUID, or an unknown key.

        Wire: PATCH {platform}/api/datalake/{datalake_id}/data/bulk, 2xx.
        """
        if not isinstance(objects, Mapping):
            raise ConfigurationError(f"objects must be a dict of changes by data id, got {shown(objects)}")
        changes = {
            str(identifier(id_, "objects")): changes_of(change, f"objects[{id_}]") for id_, change in objects.items()
        }
        request = UpdateMultipleDataRequest(datalake_id=self.id, objects=changes)
        await self._account.call(UPDATE_MULTIPLE_DATA, request, datalake_id=self.id)

    async def delete_data(self, data: Data | list[Data]) -> None:
        """Delete data of this datalake in one request. Idempotent.

        Args:
            data: One data or a list.

        Raises:
            ConfigurationError: An empty list, or something that is no data. Nothing was sent.

        Wire: DELETE {platform}/api/datalake/{datalake_id}/datas, 2xx.
        """
        request = IdsRequest(ids=[one.id for one in expect_all(data, Data, "data")])
        await self._account.call(DELETE_MULTIPLE_DATA, request, datalake_id=self.id)

    # Data tags

    async def create_data_tag(self, name: str) -> Tag:
        """Make a data tag. Not idempotent: a second one of the name is a conflict.

        Args:
            name: Name of the tag.

        Raises:
            ConflictError: There is one of that name.

        Wire: POST {platform}/api/datalake/{datalake_id}/tags, 2xx.
        """
        tag = await self._account.call(CREATE_DATA_TAG, NameRequest(name=name), datalake_id=self.id)
        return Tag(tag, self._account)

    async def get_data_tag(self, name: str) -> Tag:
        """Return the data tag of that name. Idempotent.

        Args:
            name: Name of the tag.

        Raises:
            NotFoundError: There is none.

        Wire: GET {platform}/api/datalake/{datalake_id}/tags/find, 2xx.
        """
        query = [("name", text(name, "name"))]
        return Tag(await self._account.call(FIND_DATA_TAG, query=query, datalake_id=self.id), self._account)

    async def get_or_create_data_tag(self, name: str) -> Tag:
        """Return the data tag of that name; make it where there is none.

        Args:
            name: Name of the tag.

        Wire: GET {platform}/api/datalake/{datalake_id}/tags/find, POST {platform}/api/datalake/{datalake_id}/tags, 2xx.
        """
        try:
            return await self.get_data_tag(name)
        except NotFoundError:
            return await self.create_data_tag(name)

    async def list_data_tags(
        self, limit: int | None = None, offset: int | None = None, order_by: list[str] | None = None
    ) -> list[Tag]:
        """Return the data tags, in one request. Idempotent.

        Args:
            limit: At most so many; all by default.
            offset: Skip so many.
            order_by: Names of fields, `-` before a name for descending order.

        Wire: GET {platform}/api/datalake/{datalake_id}/tags, 2xx.
        """
        query = simple_query(limit, offset, order_by)
        page = await self._account.call(LIST_DATA_TAGS, query=query, datalake_id=self.id)
        return [Tag(tag, self._account) for tag in page.items[:limit]]
