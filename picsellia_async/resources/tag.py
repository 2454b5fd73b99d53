"""Tags, and what can carry them."""

from __future__ import annotations

from typing import Any, ClassVar, TypeAlias

from picsellia_async._wire.endpoints import ATTACH_TAG, DELETE_TAG, DETACH_TAG, GET_TAG, UPDATE_TAG, Endpoint
from picsellia_async._wire.platform_requests import NameRequest
from picsellia_async.enums import TagTarget
from picsellia_async.errors import ConfigurationError
from picsellia_async.models import TagDescription
from picsellia_async.resources.handle import D, Handle, expect_all
from picsellia_async.validation import sequence, text


class Tag(Handle[TagDescription]):
    """A tag. It can be put on objects of one kind, its `target_type`."""

    @property
    def name(self) -> str:
        """Name, unique among tags of one target."""
        return self._description.name

    @property
    def target_type(self) -> TagTarget:
        """What it can be put on."""
        return self._description.target_type

    async def sync(self) -> TagDescription:
        """Fetch this tag again. Idempotent.

        Wire: GET {platform}/api/tag/{tag_id}, 2xx.
        """
        self._description = await self._account.call(GET_TAG, tag_id=self.id)
        return self._description

    async def update(self, name: str) -> None:
        """Rename this tag. Idempotent.

        Args:
            name: New name.

        Raises:
            ConflictError: Another tag of this target has the name.

        Wire: PATCH {platform}/api/tag/{tag_id}, 2xx.
        """
        self._description = await self._account.call(UPDATE_TAG, NameRequest(name=name), tag_id=self.id)

    async def delete(self) -> None:
        """Delete this tag; it vanishes from all that carry it. Idempotent.

        Wire: DELETE {platform}/api/tag/{tag_id}, 2xx.
        """
        await self._account.call(DELETE_TAG, tag_id=self.id)

    async def attach_on(self, targets: Taggable[Any] | list[Taggable[Any]]) -> None:
        """Put this tag on objects, in one request. Idempotent.

        Args:
            targets: What the tag's target type says: one, or a list.

        Raises:
            ConfigurationError: An empty list, or an object that this tag cannot be put on. Nothing was sent.

        Wire: POST {platform}/api/tag/{tag_id}/attach, 2xx.
        """
        await self._account.call(ATTACH_TAG, self._ids(targets), tag_id=self.id)

    async def detach_from(self, targets: Taggable[Any] | list[Taggable[Any]]) -> None:
        """Take this tag off objects, in one request. Idempotent.

        Args:
            targets: What the tag's target type says: one, or a list.

        Raises:
            ConfigurationError: An empty list, or an object that this tag cannot be on. Nothing was sent.

        Wire: POST {platform}/api/tag/{tag_id}/detach, 2xx.
        """
        await self._account.call(DETACH_TAG, self._ids(targets), tag_id=self.id)

    def _ids(self, targets: Any) -> list[Any]:
        handles = expect_all(targets, Taggable, "targets")
        for handle in handles:
            check_target(self, handle.tag_target, "targets")
        return [handle.id for handle in handles]


Tags: TypeAlias = str | Tag | list[str | Tag] | None
"""Names of data tags, tag objects, or a list of both."""


def check_target(tag: Tag, target: TagTarget, name: str) -> None:
    """Refuse a tag that is for objects of another kind.

    Raises:
        ConfigurationError: It is.
    """
    if tag.target_type is not target:
        raise ConfigurationError(
            f"{name}: tag {tag.name!r} is for {tag.target_type} objects and cannot be used with a {target} object"
        )


def tag_names(tags: Tags, name: str) -> list[str]:
    """Return names for a name, a tag, or a list of both; none for None.

    Raises:
        ConfigurationError: Something in it is neither.
    """
    if tags is None:
        return []
    items = [tags] if isinstance(tags, (str, Tag)) else sequence(tags, name)
    return [item.name if isinstance(item, Tag) else text(item, f"{name}[{i}]") for i, item in enumerate(items)]


class Taggable(Handle[D]):
    """A handle that can carry tags."""

    tag_target: ClassVar[TagTarget]
    """Kind of the tags it takes."""

    async def add_tags(self, tags: Tag | list[Tag]) -> None:
        """Put tags on this object, one request for each. Idempotent.

        Args:
            tags: One tag or a list, for objects of this kind.

        Raises:
            ConfigurationError: An empty list, no tag, or a tag for objects of another kind. Nothing was sent.

        Wire: POST {platform}/api/tag/{tag_id}/attach, 2xx.
        """
        await self._tag(ATTACH_TAG, tags)

    async def remove_tags(self, tags: Tag | list[Tag]) -> None:
        """Take tags off this object, one request for each. Idempotent.

        Args:
            tags: One tag or a list, for objects of this kind.

        Raises:
            ConfigurationError: An empty list, no tag, or a tag for objects of another kind. Nothing was sent.

        Wire: POST {platform}/api/tag/{tag_id}/detach, 2xx.
        """
        await self._tag(DETACH_TAG, tags)

    async def _tag(self, endpoint: Endpoint[None], tags: Any) -> None:
        checked = expect_all(tags, Tag, "tags")
        for tag in checked:
            check_target(tag, self.tag_target, "tags")
        for tag in checked:
            await self._account.call(endpoint, [self.id], tag_id=tag.id)
