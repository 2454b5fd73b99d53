"""`cache_dir=`: a program that has run before starts while the platform cannot be reached."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import attrs
import pytest

from picsellia_async import (
    AsyncClient,
    DetectionPredictionFormat,
    Health,
    ImplausibleError,
    RetryPolicy,
    TransportError,
)
from picsellia_async._services.account import value_kind
from picsellia_async._services.remembered import Memory
from picsellia_async._services.settings import Settings
from picsellia_async.emulator import Emulator, Fault
from picsellia_async.models import DeploymentDescription

from ..support.frames import make_frame

pytestmark = pytest.mark.anyio

QUICK = RetryPolicy(attempts=1)


class Site:
    """A platform that comes and goes at one address, and clients of it."""

    def __init__(self, directory: Path) -> None:
        self.cache = directory / "cache"
        self.spool = directory / "spool"
        self._data = directory / "data"
        self._port = 0
        self.emulator: Emulator | None = None

    async def start(self) -> Emulator:
        self.emulator = await Emulator(port=self._port, data_dir=self._data).__aenter__()
        self._port = int(self.emulator.url.rsplit(":", 1)[1])
        self.token, self.organization, self.url = (
            self.emulator.api_token, self.emulator.organization_id, self.emulator.url,
        )  # fmt: skip
        self.name = self.emulator.deployment_name
        return self.emulator

    async def stop(self) -> None:
        if self.emulator is not None:
            await self.emulator.__aexit__(None, None, None)
        self.emulator = None

    def client(self, **options: Any) -> AsyncClient:
        given = {"api_token": self.token, "organization_id": self.organization, "host": self.url, "retry": QUICK}
        return AsyncClient(**{**given, "cache_dir": self.cache, **options})

    async def learn(self, **options: Any) -> dict[str, int]:
        async with self.client(**options) as client:
            deployment = await client.get_deployment(self.name)
            return await deployment.label_map()


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    """A platform that runs."""
    site = Site(tmp_path)
    await site.start()
    yield site
    await site.stop()


async def test_a_program_starts_without_a_network(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """Frames go to the spool; when the network is there the description is refreshed, and they are delivered, each once."""
    caplog.set_level(logging.INFO, "picsellia_async")
    labels = await site.learn()
    await site.stop()
    async with asyncio.timeout(60), site.client() as client:
        assert str(client.id) == site.organization
        deployment = await client.get_deployment(site.name)
        assert await deployment.label_map() == labels
        async with deployment.uploader(spool=site.spool) as uploader:
            for number in range(20):
                await uploader.submit(make_frame(number))
            assert uploader.statistics().spool_frames == 20
            emulator = await site.start()
            assert await uploader.flush() == 0
        stored = emulator.predictions()
        while not any("answers again (deployment" in record.message for record in caplog.records):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert uploader.report.delivered == 20
    assert sorted(one["filename"] for one in stored) == [f"frame-{number:06d}.jpg" for number in range(20)]
    told = [record for record in caplog.records if "cannot be reached now" in record.message]
    assert [record.levelname for record in told] == ["WARNING"] * 3


async def test_a_platform_that_hangs_is_not_waited_for(site: Site) -> None:
    """Where it takes the connection and says nothing, what is remembered is used."""
    await site.learn()
    emulator = site.emulator
    assert emulator is not None
    emulator.faults.add(Fault(kind="stall", direction="down"))
    async with asyncio.timeout(60), site.client(timeout=None) as client:
        deployment = await client.get_deployment(site.name)
        assert deployment.name == site.name
        emulator.faults.clear()


async def test_the_files_hold_nothing_secret(site: Site) -> None:
    """For their user alone, and without the token or a JWT."""
    await site.learn()
    files = sorted(site.cache.iterdir())
    assert len(files) == 3
    assert [path.suffix for path in files] == [".json"] * 3
    assert site.cache.stat().st_mode & 0o777 == 0o700
    for path in files:
        assert path.stat().st_mode & 0o777 == 0o600
        text = path.read_text(encoding="utf-8")
        assert site.token not in text
        assert "jwt" not in text.lower()


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    "damage",
    [
        flip, lambda path: path.write_bytes(path.read_bytes()[:50]), lambda path: path.write_bytes(b""),
        lambda path: path.write_text("[]"), lambda path: path.chmod(0o666), lambda path: path.parent.chmod(0o777),
    ],
    ids=["flipped", "cut", "empty", "other", "writable", "open directory"],
)  # fmt: skip
async def test_a_damaged_or_foreign_file_is_told_and_ignored(
    site: Site, caplog: pytest.LogCaptureFixture, damage: Any
) -> None:
    """Without a network the start fails as without a cache; with one it is learned anew."""
    await site.learn()
    for path in list(site.cache.iterdir()):
        damage(path)
    await site.stop()
    with pytest.raises(TransportError):
        await site.learn()
    assert "is not used" in caplog.text
    await site.start()
    assert await site.learn()


async def test_a_cache_of_others_is_never_used(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """Another host, another organization, and without one another token have files of their own; a file that was renamed is refused."""
    await site.learn()
    await site.learn(organization_id=None)
    before = set(site.cache.iterdir())
    await site.stop()
    others = (
        {"host": site.url.replace("127.0.0.1", "localhost")}, {"organization_id": "00000000-0000-4000-8000-000000000001"},
        {"organization_id": None, "api_token": "another"},
    )  # fmt: skip
    for other in others:
        with pytest.raises(TransportError):
            await site.learn(**other)
    async with site.client(organization_id=None) as client:
        assert str(client.id) == site.organization
    files = sorted(before, key=lambda path: path.stat().st_mtime_ns)
    first, second = files[0].read_bytes(), files[3].read_bytes()
    files[0].write_bytes(second)
    files[3].write_bytes(first)
    with pytest.raises(TransportError):
        await site.learn()
    assert "another host, organization or deployment" in caplog.text


async def test_a_wrong_token_keeps_the_frames(site: Site) -> None:
    """It shows when the network is there: health is refused, and the frames stay in the spool; the right one delivers them."""
    await site.learn()
    await site.stop()
    async with asyncio.timeout(60), site.client(api_token="wrong") as client:
        deployment = await client.get_deployment(site.name)
        async with deployment.uploader(spool=site.spool, close_timeout=0.5) as uploader:
            await uploader.submit(make_frame())
            await site.start()
            while uploader.statistics().health is not Health.REFUSED:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert uploader.report.spooled == 1
    async with asyncio.timeout(60), site.client() as client:
        deployment = await client.get_deployment(site.name)
        async with deployment.uploader(spool=site.spool) as uploader:
            await uploader.flush()
        assert uploader.report.delivered == 1


def of_class(index: int) -> DetectionPredictionFormat:
    return DetectionPredictionFormat([index], [(1, 1, 9, 9)], [0.5])


async def test_classes_are_checked_without_a_network(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """The label map of a former run's check counts: a class outside of it is refused before anything is sent."""
    async with site.client() as client:
        await (await client.get_deployment(site.name)).check(make_frame())
    await site.stop()
    async with asyncio.timeout(60), site.client() as client:
        deployment = await client.get_deployment(site.name)
        await deployment.check(make_frame())
        for _ in range(2):
            with pytest.raises(ImplausibleError, match="label map"):
                await deployment.check(attrs.evolve(make_frame(), prediction=of_class(99)))
    told = [record.message for record in caplog.records if "cannot be fetched" in record.message]
    assert len(told) == 1
    assert "a class is outside of the known one" in told[0]


async def test_the_label_map_of_another_model_version_is_not_used(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """Where the model was replaced, classes are not checked against what is remembered of the former one."""
    async with site.client() as client:
        deployment = await client.get_deployment(site.name)
        await deployment.check(make_frame())
        description = deployment.description
    for path in site.cache.iterdir():
        if "deployment of name" in path.read_text(encoding="utf-8"):
            path.unlink()

    async def later() -> DeploymentDescription:
        return attrs.evolve(description, model_version_id=UUID(int=1))

    settings = Settings.read(site.token, site.organization, None, site.url, 5.0, QUICK, "on")
    kind = value_kind(DeploymentDescription)
    await Memory(site.cache, settings).ask(f"deployment of name {site.name}", kind, later, lambda _: None)
    await site.stop()
    async with asyncio.timeout(60), site.client() as client:
        deployment = await client.get_deployment(site.name)
        await deployment.check(attrs.evolve(make_frame(), prediction=of_class(99)))
    assert "belongs to another model version" in caplog.text


async def test_a_directory_that_cannot_be_written_is_told_once(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """The program goes on without memory."""
    site.cache.write_text("a file")
    assert await site.learn()
    assert len([record for record in caplog.records if "cannot be remembered" in record.message]) == 1


async def test_frames_follow_the_monitoring_host(site: Site) -> None:
    """Where the description that comes later names another monitoring host, an uploader that is open sends there."""
    async with site.client() as client:
        known = (await client.get_deployment(site.name)).description
    settings = Settings.read(site.token, site.organization, None, site.url, 5.0, QUICK, "on")
    for path in site.cache.iterdir():
        if site.name in path.read_text(encoding="utf-8"):
            path.unlink()

    async def former() -> DeploymentDescription:
        return attrs.evolve(known, oracle_host="http://127.0.0.1:9")

    kind = value_kind(DeploymentDescription)
    await Memory(site.cache, settings).ask(f"deployment of name {site.name}", kind, former, lambda _: None)
    await site.stop()
    async with asyncio.timeout(60), site.client() as client:
        deployment = await client.get_deployment(site.name)
        assert deployment.description.oracle_host == "http://127.0.0.1:9"
        async with deployment.uploader(spool=site.spool) as uploader:
            await uploader.submit(make_frame())
            await site.start()
            assert await uploader.flush() == 0
        assert deployment.description.oracle_host == known.oracle_host
    assert uploader.report.delivered == 1
