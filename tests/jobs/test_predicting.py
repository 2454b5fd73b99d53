"""Predictions on many images: bounded, in a file that the next run goes on with, and that a manifest reads."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
from collections import Counter

import pytest

from picsellia_async import ConfigurationError, HostNotConfiguredError, PredictionError
from picsellia_async.emulator import Fault
from picsellia_async.jobs import JournalError, Prediction, predict
from picsellia_async.sources import directory, manifest

from ..support.client import stored_names
from ..support.sources import encoded

pytestmark = pytest.mark.anyio

COUNT = 24


@pytest.fixture
def folder(tmp_path):
    """A folder of images, each another."""
    images = tmp_path / "images"
    images.mkdir()
    for number in range(COUNT):
        (images / f"{number:02d}.jpg").write_bytes(encoded(value=number))
    return images


@pytest.fixture
def asked(emulator):
    """Return what counts the requests for predictions by status."""

    def count():
        return Counter(entry.status for entry in emulator.journal if entry.endpoint == "predict")

    return count


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


async def test_answers_come_as_they_are_known_and_never_more_at_once_than_asked(deployment, emulator, folder):
    """Each image has one result; so many are under way at the bound, and no more."""
    emulator.faults.add(Fault(kind="latency", endpoint="predict", seconds=0.02))
    paths, taken, found = sorted(folder.iterdir()), 0, []

    async def images():
        nonlocal taken
        for path in paths:
            taken += 1
            yield path

    async for result in deployment.predict_many(images(), concurrency=3, monitor=False):
        found.append(result)
        assert taken - len(found) <= 3 + 1  # one is read ahead
    assert Counter(result.image for result in found) == dict.fromkeys(paths, 1)
    assert all(result.answer["detection_boxes"] is not None and result.seconds > 0 for result in found)


async def test_what_is_refused_does_not_end_the_others(deployment, emulator, folder):
    """A file that is gone and an image that the host refuses have their error; what stands against all is raised."""
    emulator.faults.add(Fault(kind="status", endpoint="predict", status=422, times=1))
    paths = [*sorted(folder.iterdir()), folder / "gone.jpg"]
    results = [result async for result in deployment.predict_many(paths, monitor=False)]
    errors = [result.error for result in results if result.error is not None]
    assert sorted(type(error).__name__ for error in errors) == ["FileNotFoundException", "PredictionBadRequestError"]
    assert any(isinstance(error, PredictionError) for error in errors)
    for bad, message in (([3], "images must give files"), (3, "images must be an iterable")):
        with pytest.raises(ConfigurationError, match=message):
            [result async for result in deployment.predict_many(bad)]
    with pytest.raises(ConfigurationError, match="concurrency must be 1 to 1000"):
        [result async for result in deployment.predict_many([], concurrency=1001)]


async def test_data_of_a_datalake_is_predicted_on(client, deployment, folder):
    """By its name in the storage; the image does not travel."""
    datalake = await client.get_datalake()
    names = {one.object_name async for one in datalake.iter_data()}
    results = [one async for one in deployment.predict_many(datalake.iter_data(), monitor=False)]
    assert {result.image.object_name for result in results} == names != set()
    assert all(result.answer is not None for result in results)


async def test_a_second_run_predicts_on_what_has_no_line(tmp_path, deployment, emulator, folder, asked):
    """Lines are kept, one without its end is cut off, and what was refused is tried again."""
    results = tmp_path / "results.jsonl"
    fault = emulator.faults.add(Fault(kind="status", endpoint="predict", status=422, times=2))
    report = await predict(directory(folder), deployment, results=results, concurrency=2)
    assert (report.predicted, report.failed, report.is_complete) == (COUNT - 2, 2, False)
    emulator.faults.remove(fault.id)
    with results.open("ab") as file:
        file.write(b'{"image":"images/0')
    before = asked()
    report = await predict(directory(folder), deployment, results=results)
    assert (report.predicted, report.predicted_before, report.is_complete) == (2, COUNT - 2, True)
    assert sum((asked() - before).values()) == 2
    assert sorted(line["image"] for line in lines(results)) == [f"images/{number:02d}.jpg" for number in range(COUNT)]


async def test_results_are_a_manifest(tmp_path, deployment, emulator, folder):
    """Sent to a deployment they are what was predicted, with the image, its name, size and time."""
    results = tmp_path / "results.jsonl"
    await predict(directory(folder), deployment, results=results)
    expected = {line["filename"]: line["prediction"]["detection_boxes"] for line in lines(results)}
    report = await deployment.monitor_many(manifest(results))
    assert report.is_complete
    assert report.delivered == COUNT
    assert set(stored_names(emulator)) == set(expected)


async def test_results_that_were_monitored_are_no_manifest(tmp_path, deployment, folder):
    """They would be stored twice."""
    results = tmp_path / "results.jsonl"
    await predict(directory(folder), deployment, results=results, monitor=True)
    assert all(line["monitored_as"] for line in lines(results))
    report = await deployment.monitor_many(manifest(results))
    assert "monitored_as" in str(report.error)
    assert report.accepted == 0


KILLED = """
import asyncio, os, sys
from picsellia_async import AsyncClient
from picsellia_async.jobs import Prediction
from picsellia_async.sources import directory

async def main(url, token, organization, name, folder, results):
    async with AsyncClient(token, organization, host=url) as client:
        work = Prediction(directory(folder), await client.get_deployment(name), results=results, concurrency=4)
        async for _ in work.results():
            if work.predicted == 7:
                os.kill(os.getpid(), 9)

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
async def test_results_are_complete_after_a_kill_and_a_second_run(tmp_path, deployment, emulator, folder):
    """Each image has one line."""
    results = tmp_path / "results.jsonl"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", KILLED, emulator.url, emulator.api_token, str(emulator.organization_id),
        emulator.deployment_name, str(folder), str(results),
    )  # fmt: skip
    assert await process.wait() == -signal.SIGKILL
    report = await predict(directory(folder), deployment, results=results)
    assert (report.predicted_before, report.predicted, report.is_complete) == (7, COUNT - 7, True)
    assert sorted(line["image"] for line in lines(results)) == [f"images/{number:02d}.jpg" for number in range(COUNT)]


async def test_a_file_that_holds_something_else_is_kept(tmp_path, deployment, folder):
    """It is refused, and so are images that are in no file, and wrong arguments."""
    other = tmp_path / "notes.txt"
    other.write_text("notes\n")
    with pytest.raises(ConfigurationError, match=r"line 1 of .* is no result"):
        await predict(directory(folder), deployment, results=other)
    assert other.read_text() == "notes\n"
    for images, results, message in (
        ([min(folder.iterdir())], tmp_path / "r", "names images that are files"),
        (directory(folder), 3, "results must be a str or Path"),
        (3, tmp_path / "r", "images must be an iterable"),
        (directory(folder), tmp_path, "results: "),
    ):
        with pytest.raises(ConfigurationError, match=message):
            await predict(images, deployment, results=results)


async def test_a_deployment_without_serving_is_told_once(client, emulator, tmp_path, folder, deployment):
    """Not image by image."""
    emulator.faults.add(Fault(kind="status", endpoint="predict", status=403))
    report = await predict(directory(folder), deployment, results=tmp_path / "r.jsonl")
    assert type(report.error).__name__.startswith("Prediction")
    assert report.failed == 0
    assert not issubclass(type(report.error), HostNotConfiguredError)


@pytest.mark.parametrize("fresh", [False, True])
async def test_two_runs_do_not_write_to_one_file(tmp_path, deployment, folder, fresh):
    """The second one is refused by name and leaves the lines of the first; once that has ended, the file is free."""
    path = tmp_path / "r.jsonl"
    first = Prediction(directory(folder), deployment, results=path)
    async with contextlib.aclosing(first.results()) as results:
        await anext(results)
        with pytest.raises(JournalError, match=r"r\.jsonl' are in use by another run"):
            await predict(directory(folder), deployment, results=path, fresh=fresh)
        assert len(lines(path)) >= 1
    report = await predict(directory(folder), deployment, results=path, fresh=fresh)
    assert report.is_complete
    assert len(lines(path)) == COUNT


async def test_fresh_keeps_the_results_where_the_input_gives_no_image(tmp_path, deployment, folder):
    """A mistyped pattern or a broken file costs nothing; the first image that is read empties the file."""
    path = tmp_path / "r.jsonl"
    await predict(directory(folder), deployment, results=path)
    before = path.read_bytes()
    report = await predict(directory(folder, "none*.jpg"), deployment, results=path, fresh=True)
    assert (report.predicted, path.read_bytes()) == (0, before)
    report = await predict(directory(folder, "0*.jpg"), deployment, results=path, fresh=True)
    assert report.predicted == len(lines(path)) < COUNT


@pytest.mark.parametrize("rest", [b"\0" * 512, b"\xffgarbage"])
async def test_what_a_power_cut_left_at_the_end_is_removed(tmp_path, deployment, folder, rest, caplog):
    """Zeros or anything else behind our lines: told, and the run goes on."""
    path = tmp_path / "r.jsonl"
    await predict(directory(folder), deployment, results=path)
    whole = path.read_bytes()
    path.write_bytes(whole + rest)
    report = await predict(directory(folder), deployment, results=path)
    assert (report.predicted_before, path.read_bytes()) == (COUNT, whole)
    assert f"the {len(rest)} bytes behind line {COUNT} are no result, and are removed" in caplog.text
    path.write_bytes(b"\xffgarbage")
    with pytest.raises(ConfigurationError, match="no result that predict wrote"):
        await predict(directory(folder), deployment, results=path)
