"""Clients and objects that several files of this folder need."""

from __future__ import annotations

import pytest

from picsellia_async import AsyncClient

from ..support.client import QUICK


@pytest.fixture
async def quick(emulator):
    """A client that hardly waits between attempts."""
    async with AsyncClient(emulator.api_token, emulator.organization_id, host=emulator.url, retry=QUICK) as connected:
        yield connected


@pytest.fixture
async def versions(client):
    """The two versions of the emulator's model."""
    return await (await client.get_model("my-model")).list_versions()


@pytest.fixture
async def dataset_versions(client):
    """The versions of the emulator's dataset."""
    return await (await client.get_dataset("my-dataset")).list_versions()
