"""Images that the storage has go through uploader, spool, manifests and jobs as others do, and none of their bytes travel."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections import Counter
from types import SimpleNamespace

import pytest

from picsellia_async import (
    AsyncClient,
    ConfigurationError,
    ContentTypeUnknown,
    DetectionPredictionFormat,
    Frame,
    ImplausibleError,
    RetryPolicy,
)
from picsellia_async.cli.main import main
from picsellia_async.emulator import Fault
from picsellia_async.jobs import predict, run, verify
from picsellia_async.sources import SourceError, manifest
from picsellia_async.spools import SpoolChanges, export_frames

from ..support.sources import encoded

pytestmark = pytest.mark.anyio

NAMES = [f"day/{number}.jpeg" for number in range(8)]
PREDICTION = DetectionPredictionFormat([0], [[1, 2, 30, 40]], [0.5])


def frame(name=None, **fields):
    values = {"width": 64, "height": 48, "latency": 0.02, "prediction": PREDICTION, **fields}
    return Frame(object_name=name, **values)


@pytest.fixture
def stored(deployment):
    """Return what counts the stored predictions by the name of their object."""

    async def names():
        return Counter([asset.object_name async for asset in deployment.iter_predicted_assets()])

    return names


@pytest.fixture
async def data(client, tmp_path):
    """Data of the datalake that the deployment's images go to."""
    paths = []
    for number in range(3):
        paths.append(tmp_path / f"{number}.jpg")
        paths[-1].write_bytes(encoded(value=number))
    uploaded = await (await client.get_datalake()).upload_data([str(path) for path in paths])
    return list(uploaded)


async def test_a_frame_names_its_image_or_holds_it():
    """File name and content type are told by the object's name or the data; what contradicts itself is refused."""
    made = frame(NAMES[0])
    assert (made.image, made.filename, made.content_type.value) == (None, "0.jpeg", "IMAGE/JPEG")
    assert frame("x", content_type="image/png", filename="a").filename == "a"
    known = SimpleNamespace(object_name="a/b.png", content_type="image/png", width=64, height=48)
    of_data = frame(data=known)
    assert (of_data.object_name, of_data.filename, of_data.content_type.value) == ("a/b.png", "b.png", "IMAGE/PNG")
    assert frame(data=known, width=48, height=64).width == 48, "the platform may know the size as shown or as stored"
    for fields, message in (
        ({}, "give image=, object_name= or data="),
        ({"name": "a.jpg", "image": encoded()}, "image is given beside object_name or data"),
        ({"name": "a.jpg", "upload_dir": "x"}, "upload_dir is for images that are sent"),
        ({"name": "c.png", "data": known}, "object_name 'c.png' is not that of the data, 'a/b.png'"),
        ({"data": "a.jpg"}, "data must be Data of a datalake, got str"),
        ({"name": 3}, "object_name"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            frame(**fields)
    with pytest.raises(ContentTypeUnknown, match="give content_type="):
        frame("a")
    with pytest.raises(ImplausibleError, match="as 64 x 48"):
        frame(data=known, width=640, height=480)
    assert frame(data=known, width=640, height=480, checks="off").width == 640
    with pytest.raises(ImplausibleError, match="detection_boxes"):
        frame(NAMES[0], prediction=DetectionPredictionFormat([0], [[1, 2, 300, 40]], [0.5]))


async def test_an_uploader_sends_their_place(deployment, emulator, stored):
    """The connector is asked for once; a class that is none is refused; faults are repeated; a second one is a conflict."""
    emulator.faults.add(
        Fault(kind="status", endpoint="get_deployment_connector", status=503, times=1),
        Fault(kind="status", endpoint="monitor", status=503, times=2),
    )
    report = await deployment.monitor_many(map(frame, NAMES))
    assert (report.delivered, report.is_complete) == (8, True)
    assert await stored() == Counter(NAMES)
    assert sum(entry.endpoint == "get_deployment_connector" and entry.status == 200 for entry in emulator.journal) == 1
    report = await deployment.monitor_many([frame(NAMES[0])])
    assert ["ConflictError" in one.reason for one in report.failures] == [True]
    bad = DetectionPredictionFormat([99], [[1, 2, 30, 40]], [0.5])
    report = await deployment.monitor_many([frame("other.jpg", prediction=bad)])
    assert ["ImplausibleError" in one.reason for one in report.failures] == [True]
    await deployment.check(frame("other.jpg"))
    with pytest.raises(ImplausibleError, match="no index of the label map"):
        await deployment.check(frame("other.jpg", prediction=bad))


async def test_a_lost_answer_about_the_storage_is_no_lost_frame(emulator):
    """The question for the connector got no answer: the frame was certainly not sent, and is told so."""
    emulator.faults.add(Fault(kind="stored_then_dropped", endpoint="get_deployment_connector"))
    async with AsyncClient(
        emulator.api_token, emulator.organization_id, host=emulator.url, retry=RetryPolicy.none()
    ) as client:
        deployment = await client.get_deployment(emulator.deployment_name)
        async with deployment.uploader(max_attempts=1) as uploader:
            outcome = await (await uploader.submit(frame(NAMES[0])))
    assert outcome.may_be_stored is False
    assert not [entry for entry in emulator.journal if entry.endpoint == "monitor"]


async def test_data_of_the_datalake_are_monitored(deployment, data, emulator):
    """As `monitor_data` does it: no second data is made."""
    frames = [frame(data=one) for one in data]
    report = await deployment.monitor_many(frames, deduplicate=True)
    assert (report.delivered, report.is_complete) == (3, True)
    assert [await deployment.is_stored(one) for one in frames] == [True] * 3
    assert not await deployment.is_stored(frame("never.jpg"))
    assets = [one async for one in deployment.iter_predicted_assets()]
    assert {one.object_name for one in assets} == {one.object_name for one in data}


KILLED = """
import asyncio, os, sys
from picsellia_async import AsyncClient, DetectionPredictionFormat, Frame

async def main(url, token, organization, name, spool):
    async with AsyncClient(token, organization, host=url) as client:
        deployment = await client.get_deployment(name)
        async with deployment.uploader(spool=spool) as uploader:
            for number in range(8):
                await uploader.submit(Frame(
                    object_name=f"day/{number}.jpeg", width=64, height=48, latency=0.02,
                    prediction=DetectionPredictionFormat([0], [[1, 2, 30, 40]], [0.5]), tags=["night"],
                ))
            os.kill(os.getpid(), 9)

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
async def test_a_spool_keeps_their_names_over_a_kill(tmp_path, emulator, deployment, stored):
    """Read back from disk they are the same frames, and the next run delivers each."""
    fault = emulator.faults.add(Fault(kind="status", endpoint="monitor", status=503))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", KILLED, emulator.url, emulator.api_token, str(emulator.organization_id),
        emulator.deployment_name, str(tmp_path / "s"),
    )  # fmt: skip
    assert await process.wait() == -signal.SIGKILL
    assert await stored() == {}
    emulator.faults.remove(fault.id)
    async with deployment.uploader(spool=tmp_path / "s") as uploader:
        await uploader.flush()
    assert (uploader.report.recovered, uploader.report.delivered) == (8, 8)
    assert await stored() == Counter(NAMES)


async def test_refused_ones_are_exported_by_name(tmp_path, emulator, deployment, stored):
    """There are no bytes to write; the manifest delivers them after the repair."""
    fault = emulator.faults.add(Fault(kind="status", endpoint="monitor", status=422))
    async with deployment.uploader(spool=tmp_path / "s") as uploader:
        for name in NAMES[:3]:
            await uploader.submit(frame(name))
        await uploader.flush()
    emulator.faults.remove(fault.id)
    with SpoolChanges(tmp_path / "s") as spool:
        assert export_frames(spool, spool.frames(), tmp_path / "out") == 3
    assert list((tmp_path / "out" / "images").iterdir()) == []
    report = await deployment.monitor_many(manifest(tmp_path / "out" / "manifest.jsonl"))
    assert report.is_complete
    assert await stored() == Counter(NAMES[:3])


def line(name, **fields):
    prediction = {"detection_classes": [0], "detection_boxes": [[1, 2, 30, 40]], "detection_scores": [0.5]}
    return {"object_name": name, "width": 64, "height": 48, "prediction": prediction, **fields}


async def test_a_manifest_names_them(tmp_path):
    """With their size, which is not here to be read; a line has a file or a name in the storage."""
    path = tmp_path / "m.jsonl"
    lines = [
        line("a.jpg"),
        line("b", content_type="image/png"),
        line("c.jpg", width=None),
        line("d.jpg", image="d.jpg"),
    ]
    path.write_text("\n".join(map(json.dumps, lines)))
    source = manifest(path, on_bad="skip")
    assert [one.object_name async for one in source] == ["a.jpg", "b"]
    assert ["needs 'width' and 'height'" in one or "'image' is given beside" in one for one in source.problems] == [
        True
    ] * 2
    swapped = line("a.jpg", prediction={**line("")["prediction"], "detection_boxes": [[1, 2, 60, 40]]})
    path.write_text("\n".join(json.dumps(swapped) for _ in range(20)))
    with pytest.raises(SourceError, match="x1, y1, x2, y2"):
        [one async for one in manifest(path)]


async def test_the_command_line_sends_them_once(tmp_path, emulator, stored, capsys, monkeypatch):
    """A refused line is written with its reason, and delivered when it is fed back; the second run sends nothing."""
    monkeypatch.setenv("PICSELLIA_TOKEN", emulator.api_token)
    monkeypatch.setenv("PICSELLIA_HOST", emulator.url)
    path, failed = tmp_path / "m.jsonl", tmp_path / "failed.jsonl"
    path.write_text("\n".join(json.dumps(line(name)) for name in NAMES))

    def command(of, *more):
        return asyncio.to_thread(main, ["monitor", emulator.deployment_name, "--manifest", str(of), "--json", *more])

    emulator.faults.add(Fault(kind="status", endpoint="monitor", status=422, times=1))
    assert await command(path, "--failures", str(failed)) == 1
    (refused,) = [json.loads(text) for text in failed.read_text().splitlines()]
    assert refused["object_name"] in NAMES
    assert await command(failed) == 0
    assert await stored() == Counter(NAMES)


async def test_a_job_knows_them_again(tmp_path, emulator, deployment, data, stored):
    """By their names: a second run sends none; what was under way is looked up by name; `verify` finds data that were there before."""
    frames = [frame(data=one) for one in data]
    emulator.faults.add(Fault(kind="stored_then_dropped", endpoint="monitor", times=1))
    first = await run(frames, deployment, journal=tmp_path / "j", max_attempts=1)
    assert (first.delivered, first.left) == (2, 1)
    second = await run(frames, deployment, journal=tmp_path / "j")
    assert (second.delivered, second.found, second.upload.accepted, second.is_complete) == (3, 1, 0, True)
    assert await stored() == Counter(one.object_name for one in data)
    assert (await verify(deployment, journal=tmp_path / "j")).is_complete


async def test_a_look_up_by_name_that_fails_for_a_time_is_repeated(tmp_path, emulator, data, stored):
    """Each of the requests of a look-up is, so that a platform that is busy after a kill does not end the run."""
    async with AsyncClient(
        emulator.api_token, emulator.organization_id, host=emulator.url, retry=RetryPolicy.none()
    ) as client:
        deployment = await client.get_deployment(emulator.deployment_name)
        frames = [frame(data=one) for one in data]
        emulator.faults.add(Fault(kind="stored_then_dropped", endpoint="monitor", times=1))
        first = await run(frames, deployment, journal=tmp_path / "j", max_attempts=1)
        assert (first.delivered, first.left) == (2, 1)
        emulator.faults.add(Fault(kind="status", endpoint="find_predicted_asset", status=503, skip=1, times=1))
        second = await run(frames, deployment, journal=tmp_path / "j")
        assert (second.delivered, second.found, second.upload.error) == (3, 1, None)
        asked = [entry.status for entry in emulator.journal if entry.endpoint == "find_predicted_asset"]
        assert asked == [200, 503, 200]
    assert await stored() == Counter(one.object_name for one in data)


async def test_results_of_data_go_on_and_are_a_manifest(tmp_path, client, deployment, emulator, data, stored):
    """Lines name the object; a second run asks for none; the manifest monitors each on the data that is there."""
    datalake = await client.get_datalake()
    results = tmp_path / "r.jsonl"
    emulator.faults.add(Fault(kind="status", endpoint="predict", status=422, times=1))
    first = await predict(datalake.iter_data(), deployment, results=results)
    assert first.failed == 1
    with results.open("ab") as file:
        file.write(b'{"object_name":"cut')
    second = await predict(datalake.iter_data(), deployment, results=results)
    assert (second.predicted, second.predicted_before, second.is_complete) == (1, first.predicted, True)
    lines = [json.loads(text) for text in results.read_text().splitlines()]
    assert {one.object_name for one in data} <= {one["object_name"] for one in lines}
    known = [one for one in lines if one["object_name"] in {one.object_name for one in data}]
    results.write_text("\n".join(map(json.dumps, known)))
    assert (await deployment.monitor_many(manifest(results))).is_complete
    assert await stored() == Counter(one.object_name for one in data)
