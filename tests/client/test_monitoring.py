"""What is monitored arrives as it was given; what cannot be right is refused before anything is sent."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import attrs
import numpy as np
import pytest

from picsellia_async import (
    AsyncDeployment,
    ConfigurationError,
    ContentTypeUnknown,
    HostNotConfiguredError,
    PointPredictionFormat,
)

from ..support.client import JPEG, PNG, PREDICTION, monitor, stored

pytestmark = pytest.mark.anyio


async def test_monitored_bytes_arrive(deployment, emulator):
    """What was sent is stored, byte for byte, with its options."""
    receipt = await monitor(
        deployment, source="cam-1", tags=["a"], timestamp=1_700_000_000.5, custom_metadata={"k": [1]}
    )
    answer = await stored(emulator)
    (item,) = [i for i in answer["items"] if i["id"] == receipt["id"]]
    assert item["sha256"] == hashlib.sha256(JPEG).hexdigest()
    assert (item["filename"], item["source"], item["tags"], item["timestamp"]) == (
        "f.jpg",
        "cam-1",
        ["a"],
        1_700_000_000.5,
    )
    assert item["deployment_id"] == emulator.deployment_id


async def test_monitored_file_arrives(deployment, emulator, tmp_path):
    """A path or its text; the type comes from the extension, the name is the base name."""
    file = tmp_path / "frame.PNG"
    file.write_bytes(PNG)
    await deployment.monitor(file, 0.1, 10, 20, PREDICTION)
    await deployment.monitor(str(file), 0.1, 10, 20, PREDICTION, content_type="image/png")
    items = (await stored(emulator))["items"]
    assert [(i["filename"], i["sha256"]) for i in items[-2:]] == [("frame.PNG", hashlib.sha256(PNG).hexdigest())] * 2


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
async def test_every_kind_of_bytes(deployment, emulator, kind):
    """bytes, bytearray and memoryview are the same image."""
    await monitor(deployment, kind(JPEG))
    assert (await stored(emulator))["items"][-1]["sha256"] == hashlib.sha256(JPEG).hexdigest()


async def test_a_large_image_arrives(deployment, emulator):
    """5 MB travel in slices and arrive whole."""
    image = b"\xff\xd8\xff" + np.random.default_rng(1).bytes(5_000_000)
    await monitor(deployment, image)
    assert (await stored(emulator))["items"][-1]["sha256"] == hashlib.sha256(image).hexdigest()


async def test_numpy_scalars_as_arguments(deployment):
    """Latency, height and width may be numpy's."""
    receipt = await deployment.monitor_bytes(
        JPEG, "image/jpeg", "f.jpg", np.float32(0.5), np.int64(480), np.int32(640), PREDICTION, shadow_latency=np.float64(1),
        shadow_prediction=PREDICTION,
    )  # fmt: skip
    assert receipt["id"]


async def test_no_monitoring_or_serving_host(client, emulator):
    """A deployment without the host says so when it is used, and not before."""
    found = await client.get_deployment(emulator.deployment_name)
    bare = attrs.evolve(found.description, oracle_host=None, serving_host=None)
    deployment = AsyncDeployment(bare, client._account)
    with pytest.raises(HostNotConfiguredError, match="monitoring host"):
        await monitor(deployment)
    with pytest.raises(HostNotConfiguredError, match="serving host"):
        await deployment.predict_bytes("f.jpg", JPEG)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"prediction": PointPredictionFormat([0], [1], [[1, 2]])}, ConfigurationError, "POINT"),
        ({"prediction": {"detection_classes": []}}, ConfigurationError, "prediction must be a prediction format"),
        ({"shadow_prediction": PointPredictionFormat([], [], []), "shadow_latency": 0.1}, ConfigurationError, "shadow_prediction"),
        ({"shadow_latency": 0.1}, ConfigurationError, "given together"),
        ({"content_type": "image/webp"}, ContentTypeUnknown, "image/webp"),
        ({"raw_image": "text"}, ConfigurationError, "raw_image must be bytes"),
        ({"raw_image": b""}, ConfigurationError, "raw_image"),
        ({"latency": float("nan")}, ConfigurationError, "latency"),
        ({"height": 0}, ConfigurationError, "height"),
        ({"tags": "cam"}, ConfigurationError, "tags"),
    ],
    ids=lambda v: next(iter(v)) if isinstance(v, dict) else None,
)  # fmt: skip
async def test_bad_input_is_refused_before_anything_is_sent(deployment, emulator, arguments, error, message):
    """The field and the value are named, and the journal stays as it was."""
    before = emulator.journal.total
    good = {
        "raw_image": JPEG, "content_type": "image/jpeg", "filename": "f.jpg", "latency": 0.1, "height": 48, "width": 64,
        "prediction": PREDICTION,
    }  # fmt: skip
    with pytest.raises(error, match=message):
        await deployment.monitor_bytes(**(good | arguments))
    assert emulator.journal.total == before


async def test_bad_files(deployment, tmp_path):
    """Missing, a directory, empty, and no image by name: each its own clear error, also as the OSError it is."""
    with pytest.raises(FileNotFoundError, match="no file") as caught:
        await deployment.monitor(tmp_path / "no.jpg", 0.1, 48, 64, PREDICTION)
    assert isinstance(caught.value, ConfigurationError)
    (tmp_path / "dir.jpg").mkdir()
    with pytest.raises(IsADirectoryError, match="directory"):
        await deployment.monitor(tmp_path / "dir.jpg", 0.1, 48, 64, PREDICTION)
    with pytest.raises(IsADirectoryError, match="directory"):  # also where its name tells no content type
        await deployment.monitor(tmp_path, 0.1, 48, 64, PREDICTION)
    with pytest.raises(FileNotFoundError, match="no file"):
        await deployment.monitor(tmp_path / "no", 0.1, 48, 64, PREDICTION)
    (tmp_path / "empty.jpg").touch()
    with pytest.raises(ConfigurationError, match="0 bytes"):
        await deployment.monitor(tmp_path / "empty.jpg", 0.1, 48, 64, PREDICTION)
    (tmp_path / "f.gif").write_bytes(JPEG)
    with pytest.raises(ContentTypeUnknown):
        await deployment.monitor(tmp_path / "f.gif", 0.1, 48, 64, PREDICTION)
    with pytest.raises(ConfigurationError, match="image_path must be"):
        await deployment.monitor(None, 0.1, 48, 64, PREDICTION)


UNREADABLE = """
import asyncio, concurrent.futures.thread, os, sys
from picsellia_async._services.files import read_image
from picsellia_async import ConfigurationError
if os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
try:
    asyncio.run(read_image(sys.argv[1]))
except PermissionError as exc:
    assert isinstance(exc, ConfigurationError), type(exc)
    print(exc)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="file modes of POSIX")
def test_a_file_without_read_permission(tmp_path):
    """A typed error that is also a PermissionError; tried as another user where the tests run as root."""
    file = tmp_path / "secret.jpg"
    file.write_bytes(JPEG)
    file.chmod(0)
    done = subprocess.run([sys.executable, "-c", UNREADABLE, str(file)], capture_output=True, text=True, check=False)
    assert "may not be read" in done.stdout, done.stderr
