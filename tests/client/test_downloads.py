"""Files from the object storage: data, predicted assets, tasks."""

from __future__ import annotations

import asyncio
import re

import pytest

from picsellia_async import AsyncClient, ConfigurationError, DetectionPredictionFormat, DownloadError, RetryPolicy
from picsellia_async.emulator import Fault

pytestmark = pytest.mark.anyio

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 400
QUICK = RetryPolicy(attempts=3, backoff_initial=0.001, backoff_max=0.002)


@pytest.fixture
async def asset(emulator):
    """A monitored image, by a client that hardly waits."""
    async with AsyncClient(emulator.api_token, host=emulator.url, retry=QUICK) as client:
        deployment = await client.get_deployment(emulator.deployment_name)
        prediction = DetectionPredictionFormat([], [], [])
        answer = await deployment.monitor_bytes(PNG, "png", "a/b/f.png", 0.1, 4, 4, prediction)
        yield await deployment.find_predicted_asset(oracle_prediction_id=answer["id"])


async def test_what_was_monitored_comes_back_byte_for_byte(asset, tmp_path):
    """As asset, as data and by id; directories in the name go nowhere."""
    made = await asset.download(tmp_path / "new")
    assert (made, made.read_bytes()) == (tmp_path / "new" / "f.png", PNG)
    made = await (await asset.get_data()).download(str(tmp_path), use_id=True)
    assert (made, made.read_bytes()) == (tmp_path / f"{asset.data_id}.png", PNG)
    assert sorted(path.name for path in tmp_path.rglob("*")) == sorted(["new", "f.png", f"{asset.data_id}.png"])


async def test_a_task_of_a_campaign_downloads_its_image(asset, emulator, tmp_path):
    """Reviewers see the same bytes."""
    async with AsyncClient(emulator.api_token, host=emulator.url) as client:
        campaign = await (await client.get_deployment(emulator.deployment_name)).create_campaign()
        await campaign.add_step("look", "REVIEW")
        await campaign.sync_assets()
        [task] = await campaign.list_assignments()
        assert (task.data_id, task.object_name) == (asset.data_id, asset.object_name)
        assert (await task.download(tmp_path)).read_bytes() == PNG


async def test_a_file_that_is_there_is_left_alone(asset, emulator, tmp_path):
    """Nothing is sent, unless replacing is asked for."""
    (tmp_path / "f.png").write_bytes(b"mine")
    before = len(emulator.journal)
    assert (await asset.download(tmp_path)).read_bytes() == b"mine"
    assert len(emulator.journal) == before
    assert (await asset.download(tmp_path, force_replace=True)).read_bytes() == PNG


@pytest.mark.parametrize("trouble", [{"status": 503, "times": 2}, {"status": 403, "times": 1}])
async def test_a_storage_that_fails_for_a_while(asset, emulator, tmp_path, trouble):
    """A 503 is repeated; after a 403 a new address is asked for, once."""
    emulator.faults.add(Fault(kind="status", service="storage", **trouble))
    assert (await asset.download(tmp_path)).read_bytes() == PNG


@pytest.mark.parametrize(
    "trouble", [{"kind": "status", "status": 403}, {"kind": "status", "status": 404}, {"kind": "truncate"}]
)
async def test_a_storage_that_fails_for_good_leaves_nothing(asset, emulator, tmp_path, trouble):
    """The error says what failed; no half file stays."""
    emulator.faults.add(Fault(service="storage", **trouble))
    with pytest.raises(DownloadError, match="could not be downloaded"):
        await asset.download(tmp_path)
    assert list(tmp_path.iterdir()) == []


async def test_a_directory_that_is_none(asset, tmp_path):
    """A place where nothing can be written is a ConfigurationError that names it."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ConfigurationError, match=r"target_path: .*cannot be written"):
        await asset.download(tmp_path / "file")


@pytest.fixture
async def namesakes(emulator):
    """Two images of one name, as two cameras give them."""
    async with AsyncClient(emulator.api_token, host=emulator.url, retry=QUICK) as client:
        deployment = await client.get_deployment(emulator.deployment_name)
        found = []
        for end in (b"one", b"two"):
            answer = await deployment.monitor_bytes(
                PNG + end, "png", "0001.png", 0.1, 4, 4, DetectionPredictionFormat([], [], [])
            )
            found.append(await deployment.find_predicted_asset(oracle_prediction_id=answer["id"]))
        yield found


@pytest.mark.parametrize("at_once", [False, True])
async def test_another_image_of_the_name_is_not_taken_for_this_one(namesakes, tmp_path, at_once):
    """Neither after the other nor with it: a path with another picture behind it would be wrong data."""
    (one, first), (other, second) = zip(namesakes, (PNG + b"one", PNG + b"two"), strict=True)
    if at_once:
        paths = await asyncio.gather(one.download(tmp_path), other.download(tmp_path), return_exceptions=True)
        [refusal] = [found for found in paths if isinstance(found, BaseException)]
        if isinstance(paths[0], BaseException):  # either may be the first
            (one, first), (other, second) = (other, second), (one, first)
    else:
        await one.download(tmp_path)
        with pytest.raises(DownloadError) as raised:
            await other.download(tmp_path)
        refusal = raised.value
    assert isinstance(refusal, DownloadError)
    assert re.search("'0001.png' in .* is another picture, .* same name: use_id=True names files by id", str(refusal))
    assert (tmp_path / "0001.png").read_bytes() == first
    assert (await one.download(tmp_path)).read_bytes() == first
    assert (await other.download(tmp_path, use_id=True)).read_bytes() == second
    assert (await other.download(tmp_path, force_replace=True)).read_bytes() == second


async def test_a_file_that_is_gone_is_free(namesakes, tmp_path):
    """Download, use, delete, the next: a loop over cameras."""
    for image, content in zip(namesakes, (b"one", b"two"), strict=True):
        path = await image.download(tmp_path)
        assert path.read_bytes() == PNG + content
        path.unlink()


async def test_a_file_that_could_not_be_replaced_is_whose_it_was(namesakes, emulator, tmp_path):
    """Not free for the one who failed: the picture there is another's."""
    one, other = namesakes
    await one.download(tmp_path)
    emulator.faults.add(Fault(kind="status", service="storage", status=500, times=QUICK.attempts))
    with pytest.raises(DownloadError, match="could not be downloaded"):
        await other.download(tmp_path, force_replace=True)
    with pytest.raises(DownloadError, match="is another picture"):
        await other.download(tmp_path)
    assert (await one.download(tmp_path)).read_bytes() == PNG + b"one"


async def test_another_spelling_of_a_directory_is_the_same_file(namesakes, tmp_path):
    one, other = namesakes
    await one.download(tmp_path)
    (tmp_path / "x").mkdir()
    (tmp_path / "link").symlink_to(tmp_path)
    for spelling in (tmp_path / "x" / "..", tmp_path / "link"):
        with pytest.raises(DownloadError, match="is another picture"):
            await other.download(spelling)


async def test_a_file_whose_download_failed_is_free(namesakes, emulator, tmp_path):
    """Another image may have its name."""
    one, other = namesakes
    emulator.faults.add(Fault(kind="status", service="storage", status=500, times=QUICK.attempts))
    with pytest.raises(DownloadError, match="could not be downloaded"):
        await one.download(tmp_path)
    assert (await other.download(tmp_path)).read_bytes() == PNG + b"two"


async def test_what_was_there_before_is_told_once_for_a_directory(namesakes, tmp_path, caplog):
    """Nothing tells whose it is. A second download of this client's own file says nothing."""
    one, other = namesakes
    (tmp_path / "0001.png").write_bytes(b"mine")
    (tmp_path / f"{other.id}.png").write_bytes(b"mine")
    for _ in range(2):
        await one.download(tmp_path)
        await other.download(tmp_path, use_id=True)
    [line] = [
        record.getMessage()
        for record in caplog.records
        if record.name == "picsellia_async" and record.levelname == "WARNING"
    ]
    assert line.startswith(f"'0001.png' was in '{tmp_path}' before and is taken for the image of that name")
