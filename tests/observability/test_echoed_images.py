"""Hosts that echo the image they were sent: it is in no error, line or span, in whatever coding; the reason beside it is."""

from __future__ import annotations

import contextlib
import logging
import os
import random
import threading
import traceback

import pytest

from picsellia_async import Frame, PicselliaError, RetryPolicy
from picsellia_async._http import service
from picsellia_async.emulator import Fault

from ..support.client import PREDICTION, monitor
from ..support.image_spellings import REASON, image_spellings, part_read

pytestmark = pytest.mark.anyio

DRAW = random.Random(8)
SMALL = b"\xff\xd8\xff\xe0" + DRAW.randbytes(3000) + b"\xff\xd9"
LARGE = b"\xff\xd8\xff\xe0" + DRAW.randbytes(60_000) + b"\xff\xd9"
CODINGS = ["percent signs", "quoted lines", "broken by HTML", "xxd", "pieces in JSON", "letters in JSON"]


async def call(deployment, way, content, path):
    if way == "monitor":
        await monitor(deployment, content)
    elif way == "predict":
        await deployment.predict_bytes("a.jpg", content, monitor=False)
    else:
        path.write_bytes(content)
        await deployment.create_campaign(instructions_file_path=path)


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("content", [SMALL, LARGE], ids=["small", "large"])
@pytest.mark.parametrize(("way", "where"), [("monitor", {"endpoint": "monitor"}), ("predict", {"endpoint": "predict"}), ("upload", {"match": "^POST /storage/"})])  # fmt: skip
async def test_no_error_shows_the_image_of_its_request(
    way, where, content, coding, traced_deployment, emulator, collector, caplog, tmp_path
):
    """In the JSON of a frame, in the form of a prediction, in the file that is stored."""
    body = image_spellings(content)[coding].decode()
    emulator.faults.add(Fault(kind="status", status=422, body=body, **where))
    with caplog.at_level(logging.DEBUG, "picsellia_async"), pytest.raises(PicselliaError) as caught:
        await call(traced_deployment, way, content, tmp_path / "a.pdf")
    told = [str(caught.value), str(vars(caught.value)), "".join(traceback.format_exception(caught.value))]
    told += [str(vars(one)) for one in caplog.records if one.name.startswith("picsellia")]
    told += [span.to_json() for span in collector.get_finished_spans()]
    assert REASON in told[0]
    assert all(part_read(one, content) < 0.002 for one in told)


async def test_no_frame_that_is_refused_shows_its_image(traced_deployment, emulator, caplog):
    """The uploader's lines, its outcomes and its report."""
    for coding in CODINGS:
        body = image_spellings(LARGE)[coding].decode()
        emulator.faults.add(Fault(kind="status", endpoint="monitor", status=422, body=body, times=1))
    with caplog.at_level(logging.DEBUG, "picsellia_async"):
        async with traced_deployment.uploader(retry=RetryPolicy.none()) as uploader:
            for number in range(len(CODINGS)):
                frame = Frame(
                    image=LARGE, filename=f"{number}.jpg", width=640, height=480, latency=0.02, prediction=PREDICTION
                )
                await uploader.submit(frame)
    report = uploader.report
    assert report.rejected == len(CODINGS)
    told = [str(report.to_json()), *(str(vars(one)) for one in caplog.records)]
    assert REASON in told[0]
    assert all(part_read(one, LARGE) < 0.002 for one in told)


@pytest.mark.parametrize(
    ("size", "said", "is_aside"), [(3000, "A1b2C3", False), (100_000, "A1b2C3", True), (100_000, "no", False)]
)
async def test_a_large_image_is_looked_for_aside_from_the_event_loop(
    size, said, is_aside, traced_deployment, emulator, monkeypatch
):
    """And not at all for a body of words."""
    threads = []
    make = service.status_error

    def noted(*given):
        threads.append(threading.current_thread())
        return make(*given)

    monkeypatch.setattr(service, "status_error", noted)
    emulator.faults.add(Fault(kind="status", endpoint="monitor", status=422, body=said * 2))
    with contextlib.suppress(PicselliaError):
        await monitor(traced_deployment, os.urandom(size))
    assert [one is not threading.main_thread() for one in threads] == [is_aside]
