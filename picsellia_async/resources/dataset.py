"""Datasets, their versions, and the assets in them."""

from __future__ import annotations

import functools
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import attrs

from picsellia_async._services.file_names import safe_file_name
from picsellia_async._services.paging import collect, collect_chunks, concurrently, iterate
from picsellia_async._wire.endpoints import (
    FILTER_ASSETS,
    FIND_VERSION_OF_DATASET,
    GET_DATASET,
    GET_DATASET_VERSION,
    LIST_ASSETS,
    LIST_DATASET_VERSIONS,
)
from picsellia_async._wire.platform_requests import FilterRequest, identifier
from picsellia_async._wire.queries import Listing, metadata_filter, query_of_tags, simple_query, values_in_chunks
from picsellia_async.enums import InferenceType, TagTarget
from picsellia_async.errors import ConfigurationError, NoDataError, shown
from picsellia_async.models import (
    AssetDescription,
    DataDescription,
    DataFields,
    DatasetDescription,
    DatasetVersionDescription,
    Page,
)
from picsellia_async.resources.data import Data, known_id
from picsellia_async.resources.downloadable import directory_of
from picsellia_async.resources.handle import Handle
from picsellia_async.resources.tag import Tag, Taggable, tag_names
from picsellia_async.validation import boolean, text, whole_number

DOWNLOADS_AT_ONCE: Final = 8
"""Images of a dataset version that are fetched at a time."""


class Asset(Handle[AssetDescription]):
    """A data in a dataset version."""

    @property
    def data(self) -> Data:
        """The data; reading it sends nothing.

        Raises:
            UndefinedObjectError: The platform did not say its id.
        """
        said = self._description.data
        fields = {field.name: getattr(said, field.name) for field in attrs.fields(DataFields)}
        return Data(DataDescription(**fields, id=known_id(said)), self._account)

    @property
    def data_id(self) -> UUID | None:
        """Identifier of the data; None where the platform did not say."""
        return self._description.data.id

    @property
    def filename(self) -> str:
        """Name shown on the platform."""
        return self._description.data.filename

    @property
    def object_name(self) -> str:
        """Name in the object storage."""
        return self._description.data.object_name


class DatasetVersion(Taggable[DatasetVersionDescription]):
    """A version of a dataset."""

    tag_target = TagTarget.DATASET_VERSION

    @property
    def name(self) -> str:
        """Name of the dataset, which versions share; the version's own name is `version`."""
        return self._description.origin_name

    @property
    def version(self) -> str:
        """Name of the version."""
        return self._description.version

    @property
    def origin_id(self) -> UUID:
        """The dataset."""
        return self._description.origin_id

    @property
    def type(self) -> InferenceType:
        """Kind of its annotations."""
        return self._description.type

    def get_resource_url_on_platform(self) -> str:
        """Return the address of this dataset version on the pages of the platform; sends nothing."""
        return f"{self._account.settings.origin}/dataset/version/{self.id}"

    async def sync(self) -> DatasetVersionDescription:
        """Fetch this version again. Idempotent.

        Wire: GET {platform}/api/dataset/version/{dataset_version_id}, 2xx.
        """
        self._description = await self._account.call(GET_DATASET_VERSION, dataset_version_id=self.id)
        return self._description

    async def get_tags(self) -> list[Tag]:
        """Return the tags that it carries now. Idempotent.

        Wire: GET {platform}/api/dataset/version/{dataset_version_id}, 2xx.
        """
        return [Tag(tag, self._account) for tag in (await self.sync()).tags]

    async def list_assets(
        self,
        limit: int | None = None,
        offset: int | None = None,
        page_size: int | None = None,
        order_by: list[str] | None = None,
        tags: str | Tag | list[str | Tag] | None = None,
        data_tags: str | Tag | list[str | Tag] | None = None,
        intersect_tags: bool = False,
        intersect_data_tags: bool = False,
        filenames: list[str] | None = None,
        object_names: list[str] | None = None,
        ids: list[str | UUID] | None = None,
        filenames_startswith: list[str] | None = None,
        q: str | None = None,
        data_ids: list[str | UUID] | None = None,
        *,
        custom_metadata: dict[str, Any] | None = None,
    ) -> list[Asset]:
        """Return assets of this version, never more than `limit`. Idempotent.

        The five lists `filenames`, `object_names`, `ids`, `filenames_startswith` and `data_ids` exclude each other.

        Args:
            limit: At most so many; all by default.
            offset: Skip so many.
            page_size: Items per request, up to 1000, the default.
            order_by: Names of fields, `-` before a name for descending order. Lets the pages be fetched at once.
            tags: Names or tags: assets that have any of them, or all with `intersect_tags`.
            data_tags: The same for the tags of the data behind them.
            intersect_tags: Ask for assets that have all `tags`.
            intersect_data_tags: Ask for assets that have all `data_tags`.
            filenames: Only assets of these names.
            object_names: Only assets of these object names.
            ids: Only assets of these ids.
            filenames_startswith: Only assets whose names begin so.
            q: Query (docs/wire.md#query-language).
            data_ids: Only assets of these data.
            custom_metadata: Only assets with these custom metadata.

        Raises:
            NoDataError: None matches.
            PicselliaError: A page could not be fetched; `items_read` of the error holds what was read before it.

        Wire: GET or XGET {platform}/api/dataset/version/{dataset_version_id}/assets, 2xx.
        """
        every, every_data = (
            boolean(intersect_tags, "intersect_tags"),
            boolean(intersect_data_tags, "intersect_data_tags"),
        )
        q = query_of_tags(q, tag_names(tags, "tags"), intersect=every)
        q = query_of_tags(q, tag_names(data_tags, "data_tags"), intersect=every_data, field="data.tags.name")
        listing = _listing(limit, offset, page_size, order_by, q, custom_metadata)
        chosen = values_in_chunks(
            listing,
            filenames=filenames,
            object_names=object_names,
            ids=ids,
            filenames_startswith=filenames_startswith,
            data_ids=data_ids,
        )
        found = (
            await collect(listing, self._page, self._asset) if chosen is None else await self._chosen(listing, chosen)
        )
        if not found:
            raise NoDataError(f"no asset of version {self.version!r} of dataset {self.name!r} matches")
        return found

    async def _chosen(self, listing: Listing, requests: list[FilterRequest]) -> list[Asset]:
        query = [*listing.filters, ("order_by", listing.order_by)]
        call = functools.partial(self._account.call, query=query, dataset_version_id=self.id)
        jobs = [functools.partial(call, FILTER_ASSETS, request) for request in requests]
        return await collect_chunks(listing, jobs, self._asset)

    def iter_assets(
        self,
        limit: int | None = None,
        offset: int | None = None,
        page_size: int | None = None,
        order_by: list[str] | None = None,
        *,
        q: str | None = None,
        custom_metadata: dict[str, Any] | None = None,
    ) -> AsyncGenerator[Asset, None]:
        """Yield assets of this version, one page in memory. Idempotent. Further arguments: `list_assets`.

        An empty version yields nothing.

        Wire: GET {platform}/api/dataset/version/{dataset_version_id}/assets, 2xx.
        """
        return self._iterate(_listing(limit, offset, page_size, order_by, q, custom_metadata))

    async def download(
        self,
        target_path: str | Path | None = None,
        force_replace: bool = False,
        max_workers: int | None = None,
        use_id: bool = False,
    ) -> list[Path]:
        """Write the images of this version into a directory, a few at a time, and return where they are. Idempotent.

        Those that are there already are left alone, as by `Data.download`.

        Args:
            target_path: The directory; `./NAME OF THE DATASET/NAME OF THE VERSION` by default.
            force_replace: Fetch images even where there is a file of their name.
            max_workers: How many at a time; 8 by default.
            use_id: Name files by `id` and extension: names need not be unique.

        Raises:
            NoDataError: The version is empty.
            ConfigurationError: Images have one name, and `use_id` does not tell them apart. Nothing was fetched.
            DownloadError: An image could not be fetched; the files before it are there.

        Wire: GET or XGET {platform}/api/dataset/version/{dataset_version_id}/assets, 2xx, then GET of each address.
        """
        at_once = DOWNLOADS_AT_ONCE if max_workers is None else whole_number(max_workers, "max_workers", 1)
        boolean(force_replace, "force_replace"), boolean(use_id, "use_id")
        if target_path is None:
            target = Path(*(safe_file_name(part) or str(self.id) for part in (self.name, self.version)))
        else:
            target = directory_of(target_path)
        assets = await self.list_assets()
        if not use_id:
            _refuse_namesakes(assets)
        jobs = [functools.partial(asset.data.download, target, force_replace, use_id) for asset in assets]
        paths: list[Path] = []
        await concurrently(jobs, paths.append, at_once)
        return paths

    async def _iterate(self, listing: Listing) -> AsyncGenerator[Asset, None]:
        async for description in iterate(listing, self._page):
            yield self._asset(description)

    async def _page(self, query: list[tuple[str, Any]]) -> Page[AssetDescription]:
        return await self._account.call(LIST_ASSETS, query=query, dataset_version_id=self.id)

    def _asset(self, description: AssetDescription) -> Asset:
        return Asset(description, self._account)


class Dataset(Taggable[DatasetDescription]):
    """A dataset: a name over its versions."""

    tag_target = TagTarget.DATASET

    @property
    def name(self) -> str:
        """Name."""
        return self._description.name

    def get_resource_url_on_platform(self) -> str:
        """Return the address of this dataset on the pages of the platform; sends nothing."""
        return f"{self._account.settings.origin}/dataset/{self.id}"

    async def sync(self) -> DatasetDescription:
        """Fetch this dataset again. Idempotent.

        Wire: GET {platform}/api/dataset/{dataset_id}, 2xx.
        """
        self._description = await self._account.call(GET_DATASET, dataset_id=self.id)
        return self._description

    async def get_tags(self) -> list[Tag]:
        """Return the tags that it carries now. Idempotent.

        Wire: GET {platform}/api/dataset/{dataset_id}, 2xx.
        """
        return [Tag(tag, self._account) for tag in (await self.sync()).tags]

    async def get_version(self, version: str) -> DatasetVersion:
        """Return the version of that name. Idempotent.

        Args:
            version: Name of the version, "latest" for instance.

        Raises:
            NotFoundError: There is none.

        Wire: GET {platform}/api/dataset/{dataset_id}/versions/find, 2xx.
        """
        return await self._find([("version", text(version, "version"))])

    async def get_version_by_id(self, id: UUID | str) -> DatasetVersion:  # noqa: A002 - the vendor's name
        """Return the version of that id. Idempotent.

        Args:
            id: Identifier.

        Raises:
            NotFoundError: The dataset has no such version.

        Wire: GET {platform}/api/dataset/{dataset_id}/versions/find, 2xx.
        """
        return await self._find([("id", identifier(id, "id"))])

    async def _find(self, query: list[tuple[str, Any]]) -> DatasetVersion:
        found = await self._account.call(FIND_VERSION_OF_DATASET, query=query, dataset_id=self.id)
        return DatasetVersion(found, self._account)

    async def list_versions(
        self, limit: int | None = None, offset: int | None = None, order_by: list[str] | None = None
    ) -> list[DatasetVersion]:
        """Return the versions, in one request. Idempotent.

        Args:
            limit: At most so many; all by default.
            offset: Skip so many.
            order_by: Names of fields, `-` before a name for descending order.

        Wire: GET {platform}/api/dataset/{dataset_id}/versions, 2xx.
        """
        query = simple_query(limit, offset, order_by)
        page = await self._account.call(LIST_DATASET_VERSIONS, query=query, dataset_id=self.id)
        return [DatasetVersion(item, self._account) for item in page.items[:limit]]


def _refuse_namesakes(assets: list[Asset]) -> None:
    """Refuse to write two images into one file.

    Raises:
        ConfigurationError: Two have one name.
    """
    owners: dict[str, UUID | None] = {}
    for asset in assets:
        name = safe_file_name(asset.data.filename or "")
        if name and owners.setdefault(name, asset.data_id) != asset.data_id:
            raise ConfigurationError(
                f"several images of this version are called {shown(name)}, and one file would hold only one of them: use_id=True names "
                "files by id"
            )


def _listing(
    limit: int | None,
    offset: int | None,
    page_size: int | None,
    order_by: list[str] | None,
    q: str | None,
    custom_metadata: dict[str, Any] | None,
) -> Listing:
    return Listing(
        filters=(("custom_metadata", metadata_filter(custom_metadata)),),
        q=q,
        limit=limit,
        offset=offset,
        page_size=page_size,
        order_by=order_by,
    )
