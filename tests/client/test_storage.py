"""Files in the object storage: whole and in parts, failing parts, the kinds of storage, what is refused."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import logging
import os
import random
import threading
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from picsellia_async import (
    AsyncClient,
    ConfigurationError,
    DecodeError,
    FileNotFoundException,
    NoConnectorFound,
    RetryPolicy,
    UploadError,
)
from picsellia_async._services.files import read_slice
from picsellia_async._services.storage import MULTIPART_FROM_BYTES, PART_BYTES
from picsellia_async.emulator import Fault

from ..support.client import calls
from ..support.storage_stub import Stub, upload

pytestmark = pytest.mark.anyio

QUICK = RetryPolicy(attempts=4, backoff_initial=0.001, backoff_max=0.002)


@pytest.fixture
async def quick(emulator):
    """A client that hardly waits between attempts."""
    async with AsyncClient(emulator.api_token, host=emulator.url, retry=QUICK) as connected:
        yield connected


@pytest.fixture
def big(tmp_path):
    """Return a maker of files of random bytes."""

    def make(size, name="instructions.pdf"):
        path = tmp_path / name
        path.write_bytes(random.Random(size).randbytes(size))
        return path

    return make


async def instructions(emulator, campaign):
    """Fetch the instructions of a campaign from the storage."""
    stored = emulator.state.store.objects.select("object_name = ?", campaign.description.instructions_object_name)
    return await emulator.state.store.blobs.get(stored[0].sha256)


def digest(content):
    return hashlib.sha256(content).hexdigest()


async def test_a_small_file_goes_whole(quick, emulator, big):
    """One permission, one form, byte for byte; the campaign names the object."""
    path = big(100_000)
    deployment = await quick.get_deployment(emulator.deployment_name)
    campaign = await deployment.create_campaign(instructions_file_path=path, instructions_text="look")
    await campaign.sync()
    assert await instructions(emulator, campaign) == path.read_bytes()
    assert len(calls(emulator, "generate_presigned_url")) == 1
    assert calls(emulator, "init_multipart_upload") == []


@pytest.mark.parametrize("megabytes", [20, 26])
async def test_a_large_file_survives_failed_parts(quick, emulator, big, megabytes):
    """Parts leave in parallel; one answered 503, one reset half-way, one whose answer is lost: byte for byte all the same."""
    path = big(megabytes * 2**20 + 12_345)
    deployment = await quick.get_deployment(emulator.deployment_name)
    campaign = await deployment.create_campaign()
    match = "^PUT /storage/"
    emulator.faults.add(Fault(kind="status", status=503, match=match, times=1))
    emulator.faults.add(Fault(kind="reset", match=match, skip=1, times=1, direction="up", after_fraction=0.5))
    emulator.faults.add(Fault(kind="stored_then_dropped", match=match, skip=1, times=1))
    await campaign.upload_instructions_file(str(path))
    assert digest(await instructions(emulator, campaign)) == digest(path.read_bytes())
    count = -(-path.stat().st_size // PART_BYTES)
    assert len(calls(emulator, "generate_part_presigned_url")) == count
    assert len(calls(emulator, "complete_part_upload")) == 1
    assert emulator.faults.counts() == {"status": 1, "reset": 1, "stored_then_dropped": 1}


async def test_the_bound_between_whole_and_parts(quick, emulator, big):
    """At the bound a file goes whole, a byte above it in parts; no empty part follows a file of whole parts."""
    deployment = await quick.get_deployment(emulator.deployment_name)
    campaign = await deployment.create_campaign()
    await campaign.upload_instructions_file(big(MULTIPART_FROM_BYTES))
    assert calls(emulator, "init_multipart_upload") == []
    path = big(3 * PART_BYTES)
    await campaign.upload_instructions_file(path)
    assert len(calls(emulator, "generate_part_presigned_url")) == 3
    assert digest(await instructions(emulator, campaign)) == digest(path.read_bytes())


async def test_a_platform_without_multipart_takes_the_file_whole(quick, emulator, big):
    """A 400 to the multipart call falls back to one request; the vendor's SDK fails here (docs/wire.md#storage-uploads)."""
    path = big(MULTIPART_FROM_BYTES + 1)
    emulator.faults.add(Fault(kind="status", status=400, endpoint="init_multipart_upload"))
    deployment = await quick.get_deployment(emulator.deployment_name)
    campaign = await deployment.create_campaign(instructions_file_path=path)
    await campaign.sync()
    assert digest(await instructions(emulator, campaign)) == digest(path.read_bytes())


async def test_an_expired_permission_is_asked_for_again(quick, emulator, big):
    """A part refused with 403 is sent once more with a new permission."""
    path = big(MULTIPART_FROM_BYTES + 1)
    deployment = await quick.get_deployment(emulator.deployment_name)
    campaign = await deployment.create_campaign()
    emulator.faults.add(Fault(kind="status", status=403, match="^PUT /storage/", times=1))
    await campaign.upload_instructions_file(path)
    assert digest(await instructions(emulator, campaign)) == digest(path.read_bytes())
    assert len(calls(emulator, "generate_part_presigned_url")) == 4


async def test_a_storage_that_refuses(quick, emulator, big):
    """The error names the file and the status, not the signature; no campaign is made."""
    path = big(1000)
    emulator.faults.add(Fault(kind="status", status=403, match="^POST /storage/"))
    deployment = await quick.get_deployment(emulator.deployment_name)
    with pytest.raises(UploadError, match=r"instructions\.pdf.*403") as caught:
        await deployment.create_campaign(instructions_file_path=path)
    assert "signature" not in str(caught.value)
    assert calls(emulator, "create_campaign") == []


async def test_files_that_cannot_be_read_are_refused_before_anything_is_sent(deployment, emulator, tmp_path):
    """Missing, a directory, empty, no path at all: one typed error each, and no request."""
    (tmp_path / "empty").touch()
    for path, message in (
        (tmp_path / "missing.pdf", "instructions_file_path: there is no file"),
        (tmp_path, "is a directory"),
        (tmp_path / "empty", "has 0 bytes"),
        (3, "instructions_file_path must be a str or Path, got 3"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            await deployment.create_campaign(instructions_file_path=path)
    with pytest.raises(FileNotFoundException):
        await deployment.create_campaign(instructions_file_path="missing.pdf")
    assert calls(emulator, "generate_object_name") == []


async def test_upload_data(client, emulator, big, tmp_path):
    """Files become data, in order, with tags, source, metadata and size; the bytes are those of the files."""
    datalake = await client.get_datalake()
    paths = [big(1000 + n, f"{n}.jpg") for n in range(6)]
    made = await datalake.upload_data(
        paths,
        tags=["new", await datalake.create_data_tag("old")],
        source="camera",
        metadata={"weather": "rain"},
        custom_metadata={"line": 3},
        upload_dir="u",
        sizes=[(n + 1, 2) for n in range(6)],
    )
    assert [data.filename for data in made] == [path.name for path in paths]
    [first] = await datalake.list_data(ids=[made[0].id])
    assert (first.width, first.height, first.metadata, first.custom_metadata) == (
        1, 2, {"weather": "rain"}, {"line": 3},
    )  # fmt: skip
    assert first.object_name.startswith("u/")
    assert sorted(tag.name for tag in await first.get_tags()) == ["new", "old"]
    source = await first.get_datasource()
    assert source.name == "camera"
    with await asyncio.to_thread(urllib.request.urlopen, await first.reset_url()) as answer:
        assert answer.read() == paths[0].read_bytes()
    for arguments, message in (
        ({"filepaths": []}, "filepaths must not be empty"),
        ({"filepaths": paths, "sizes": (1, 2)}, "sizes must be"),
        ({"filepaths": tmp_path / "missing.jpg"}, "there is no file"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            await datalake.upload_data(**arguments)


@pytest.mark.parametrize("own", ["transport", "http_client"])
async def test_a_presigned_address_is_logged_without_its_query(emulator, big, caplog, own):
    """httpx tells each address at INFO, also over what the caller brought; the query of a presigned one is a key."""
    caplog.set_level(logging.INFO, "httpx")
    made = httpx.AsyncHTTPTransport() if own == "transport" else httpx.AsyncClient()
    async with AsyncClient(emulator.api_token, host=emulator.url, **{own: made}) as client:
        datalake = await client.get_datalake()
        data = await datalake.upload_data(big(1000, "a.jpg"))
        await data.download(big(1, "b").parent)
    await made.aclose()
    told = [record.getMessage() for record in caplog.records if record.name == "httpx"]
    stored = [line for line in told if "/storage/" in line]
    assert stored
    assert not [line for line in stored if "signature" in line]


async def test_an_organization_without_connector(emulator, big):
    """Nowhere to store: `NoConnectorFound`, before anything is sent to a storage."""
    documents = emulator.state.store.documents
    organization = documents.get("organization", emulator.organization_id)
    organization["default_connector_id"] = None
    documents.save("organization", organization)
    async with AsyncClient(emulator.api_token, host=emulator.url) as client:
        deployment = await client.get_deployment(emulator.deployment_name)
        with pytest.raises(NoConnectorFound):
            await deployment.create_campaign(instructions_file_path=big(10))


@pytest.mark.parametrize("size", [1000, MULTIPART_FROM_BYTES + 1], ids=["small", "large"])
async def test_azure_takes_the_file_whole_by_put(big, size):
    """Fields travel as headers, beside the kind of blob; there are no parts."""
    path = big(size)
    async with Stub("azure") as stub:
        assert await upload(stub, path) == "dir/o.pdf"
    [(method, target, headers, body)] = stub.stored
    assert (method, target) == ("PUT", "/store/%7Bo%7D?sig=s")
    assert headers["x-ms-blob-type"] == "BlockBlob"
    assert headers["x-ms-meta"] == "1"
    assert headers["content-type"] == "application/pdf"
    assert "authorization" not in headers
    assert body == path.read_bytes()


async def test_a_storage_without_a_name_takes_the_file_whole(big):
    """An answer without kind falls back to one form: fields, Content-Type, file."""
    path = big(MULTIPART_FROM_BYTES + 1)
    async with Stub("nameless") as stub:
        await upload(stub, path)
    [(method, _, headers, body)] = stub.stored
    assert method == "POST"
    assert headers["content-type"].startswith("multipart/form-data; boundary=")
    assert body.index(b'name="key"') < body.index(b'name="Content-Type"') < body.index(b'filename="dir/o.pdf"')
    assert path.read_bytes() in body


async def test_google_takes_ranges_in_order(big):
    """A resumable upload gets its ranges one after the other."""
    path = big(2 * PART_BYTES + 5)
    async with Stub("google") as stub:
        await upload(stub, path)
    size = path.stat().st_size
    assert [headers["content-range"] for _, _, headers, _ in stub.stored] == [
        f"bytes 0-{PART_BYTES - 1}/{size}",
        f"bytes {PART_BYTES}-{2 * PART_BYTES - 1}/{size}",
        f"bytes {2 * PART_BYTES}-{size - 1}/{size}",
    ]
    assert b"".join(body for *_, body in stub.stored) == path.read_bytes()


async def test_a_part_without_etag_cannot_be_completed(big):
    """The storage took the part but did not name it: an error that says so, not a broken object."""
    async with Stub("minio") as stub:
        stub.without_etag = True
        with pytest.raises(UploadError, match="without an ETag"):
            await upload(stub, big(MULTIPART_FROM_BYTES + 1))


async def test_a_permission_that_cannot_be_read(big):
    """An answer without an address is a `DecodeError` that names the field."""
    async with Stub("azure") as stub:
        stub._platform = lambda target, inner=stub._platform: (
            {"client_type": "azure"} if target.endswith("presigned_url") else inner(target)
        )
        with pytest.raises(DecodeError, match="presigned_url_data"):
            await upload(stub, big(10))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
async def test_a_file_without_read_permission(deployment, big):
    """Told before anything is sent."""
    path = big(10)
    path.chmod(0)
    with pytest.raises(PermissionError):
        await deployment.create_campaign(instructions_file_path=path)


async def test_a_read_that_is_cancelled_leaves_no_file_open(tmp_path):
    """Not even where the file is being opened at that moment: the thread that opens it closes it."""
    slow = tmp_path / "slow"
    os.mkfifo(slow)  # opening it waits for somebody who writes
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(1) as threads:
        loop.set_default_executor(threads)
        task = asyncio.create_task(read_slice(slow, 0, 1))
        await asyncio.sleep(0)  # it runs up to the thread
        assert threads._threads
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        writer = threading.Thread(target=lambda: os.close(os.open(slow, os.O_WRONLY)))
        writer.start()
        await asyncio.sleep(0)
        writer.join()
    gc.collect()  # a file left open warns here, and warnings are errors
