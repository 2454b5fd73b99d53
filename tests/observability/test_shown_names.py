"""Names that a user gave, as logs, labels and spans show them: some give the address of a camera, with its password."""

from __future__ import annotations

import asyncio
import base64
import gc
import logging
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import CollectorRegistry, generate_latest

from picsellia_async import AsyncDeployment, ConfigurationError, DeliveryError
from picsellia_async._error_text import shown_name
from picsellia_async._wire.decode import REASON, status_error
from picsellia_async._wire.endpoints import MONITOR
from picsellia_async._wire.exchange import Answer
from picsellia_async._wire.image_echo import SentImage
from picsellia_async.cli.main import main
from picsellia_async.emulator import Emulator, Fault
from picsellia_async.metrics import PrometheusCollector, register_opentelemetry
from picsellia_async.monitor_options import content_type_of
from picsellia_async.pipeline import Pipeline
from picsellia_async.sources import camera, video
from picsellia_async.sources._camera_log import CameraLog
from picsellia_async.sources._playlist import Playlist, tell_what_lacks
from picsellia_async.uploader import Uploader

from ..support.frames import make_frame
from ..support.image_spellings import part_read
from ..uploader.service import Service, down, uploader

ADDRESS = "rtsp://admin:hunter22@cam"

pytestmark = pytest.mark.anyio

NAMES = [
    ("admin:hunter22@cam/x", "***@cam/x"),
    ("admin:hunter22@10.0.0.7:554/x", "***@10.0.0.7:554/x"),
    ("admin%3Ahunter22@cam/x", "***@cam/x"),
    ("admin:p@ss:hunter22@cam", "***@cam"),
    ("rtsp://admin:hunter22@cam/x", "rtsp://***@cam/x"),
    ("rtsp://cam/x?password=hunter22", "rtsp://cam/x?***"),
    ("gate of admin:hunter22@cam", "gate of ***@cam"),
    ("rtsp://cam/user=admin_pass=hunter22_channel=1.sdp", "rtsp://cam/user=admin_pass=***"),
    ("http://cam/cgi-bin/pwd/hunter22", "http://cam/cgi-bin/pwd/***"),
    ("http://cam/admin_password_hunter22", "http://cam/admin_password_***"),
    ("gate of http://cam/loginpas:hunter22.", "gate of http://cam/loginpas:***."),
    (quote("rtsp://admin:hunter22@cam/x", safe=""), "rtsp://***@cam/x"),
    (quote(quote("rtsp://admin:hunter22@cam/x", safe=""), safe=""), "rtsp://***@cam/x"),
    (quote("admin:hunter22@cam/x", safe=""), "***@cam/x"),
    ("rtsp://admin%3Ahunter22%40cam/x", "rtsp://***@cam/x"),
    ("gate of " + quote("http://a:b hunter22@cam/x y?z", safe=""), "gate of http://***@cam/x%20y?***"),
    ("rtsp://a:b@cam/" + quote("rtsp://admin:hunter22@cam", safe=""), "rtsp://***@cam/rtsp://***@cam"),
    ("line 100%25 of a%20yard", "line 100%25 of a%20yard"),
    ("gate", "gate"),
    ("a@b", "a@b"),
    ("hall: left", "hall: left"),
    ("10:30", "10:30"),
]


@pytest.mark.parametrize(("name", "shown"), NAMES)
def test_a_name_is_shown_without_its_password(name: str, shown: str) -> None:
    """With a scheme and without; what is no address stays."""
    assert shown_name(name) == shown


@pytest.mark.parametrize("name", [name for name, _ in NAMES if "hunter22" in name])
async def test_no_label_and_no_span_has_the_password(
    name: str, provider: TracerProvider, collector: InMemorySpanExporter, caplog: pytest.LogCaptureFixture
) -> None:
    """The frame, and the account of the user, have what the user gave."""
    registry, service = CollectorRegistry(), Service()
    async with uploader(service, by_source=True) as up:
        registry.register(PrometheusCollector({name: up}, cameras={name: camera("rtsp://cam/1")}, by_source=True))
        await up.submit(make_frame(source=name))
        await up.flush()
        text = generate_latest(registry).decode()
    assert "hunter22" not in text
    assert f'source="{shown_name(name)}"' in text
    assert list(up.statistics().by_source) == [name]
    assert "hunter22" not in caplog.text


async def test_a_span_has_no_password(traced_deployment: AsyncDeployment, collector: InMemorySpanExporter) -> None:
    """That of a frame's life has its source."""
    async with traced_deployment.uploader() as up:
        await up.submit(make_frame(source="admin:hunter22@cam/x"))
        assert await up.flush() == 0
    found = [one.attributes for one in collector.get_finished_spans() if "picsellia.frame.source" in one.attributes]
    assert [one["picsellia.frame.source"] for one in found] == ["***@cam/x"]


async def test_sources_that_are_shown_alike_are_one_series() -> None:
    """Two of the same labels would be refused by Prometheus, with all the others of the scrape."""
    registry = CollectorRegistry()
    async with uploader(Service(), by_source=True) as up:
        collector = PrometheusCollector({"yard": up}, by_source=True)
        registry.register(collector)
        for number, source in enumerate(["rtsp://a:b1@cam/x", "rtsp://a:b2@cam/x", "rtsp://a:b2@cam/x"]):
            await up.submit(make_frame(number, source=source))
        await up.flush()
        labels = {"uploader": "yard", "source": "rtsp://***@cam/x", "outcome": "delivered"}
        assert registry.get_sample_value("picsellia_uploader_source_frames_total", labels) == 3
        text = [line.rpartition(" ")[0] for line in generate_latest(registry).decode().splitlines() if line[0] != "#"]
    assert len(text) == len(set(text))


async def test_things_that_are_shown_alike_have_numbers() -> None:
    """Two cameras, and not one."""
    registry = CollectorRegistry()
    cameras = {f"rtsp://cam/x?channel={number}": camera(f"rtsp://cam/x?channel={number}") for number in (1, 2)}
    registry.register(PrometheusCollector(cameras=cameras))
    text = generate_latest(registry).decode()
    assert 'camera="rtsp://cam/x?***"' in text
    assert 'camera="rtsp://cam/x?*** (2)"' in text


@pytest.mark.parametrize("name", ["admin:hunter22@cam/x", "rtsp://admin:hunter22@cam/x"])
async def test_lines_of_cameras_and_pipelines_have_no_password(name: str, caplog: pytest.LogCaptureFixture) -> None:
    """A camera with the name, a source that fails, a model that fails; nor have names of files that are made of it."""
    one = camera("rtsp://cam/1", source=name)
    assert "hunter22" not in CameraLog(one._settings.name).opened().text
    assert "hunter22" not in one._settings.file_stem
    assert one.source == name

    class Ends:
        async def __aiter__(self) -> Any:
            raise OSError("away")
            yield

    with caplog.at_level(logging.INFO, "picsellia_async"):
        async with Pipeline({name: Ends()}, lambda _: None, uploader(Service()), workers=1) as pipeline:
            report = await asyncio.wait_for(pipeline.run(), 30)
    assert list(report.statistics.by_source) == [name]
    assert "the source " in caplog.text
    assert "hunter22" not in caplog.text


def test_videos_of_one_recorder_are_told_apart(caplog: pytest.LogCaptureFixture) -> None:
    """Their addresses differ in the query alone, which is shown nowhere; so are a video and a camera. One alone has no number."""
    gc.collect()
    first = video("http://recorder.example/play.m3u8?channel=1&psw=hunter22")
    assert first._settings.told == "http://recorder.example/play.m3u8"
    others = [
        video("http://recorder.example/play.m3u8?channel=2"),
        camera("http://recorder.example/play.m3u8?channel=3"),
    ]
    with caplog.at_level(logging.INFO, "picsellia_async"):
        for one in (first, *others):
            tell_what_lacks(Playlist((), segments=1, is_readable=True, has_end=False), one._settings.told)
    told = {record.video for record in caplog.records}  # type: ignore[attr-defined]
    assert len(told) == 3
    assert all(name.startswith("http://recorder.example/play.m3u8 (") for name in told)
    assert "hunter22" not in caplog.text
    assert video("/day/a.mp4")._settings.told == video("/day/a.mp4")._settings.told == "/day/a.mp4"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "nothing to measure"),
        ({"uploaders": None}, "nothing to measure"),
        ({"uploaders": {}}, "nothing to measure"),
        ({"uploaders": "yard"}, "uploaders must be a mapping of names to uploaders"),
        ({"uploaders": 3}, "uploaders must be a mapping"),
        ({"uploaders": [1]}, "uploaders must be a mapping"),
        ({"uploaders": {"yard": None}}, r"uploaders\['yard'\] must be Uploader or SyncUploader, got None"),
        ({"uploaders": {"yard": "yard"}}, r"uploaders\['yard'\] must be Uploader or SyncUploader"),
        ({"uploaders": {"a:hunter22@b": 3}}, r"uploaders\['\*\*\*@b'\] must be"),
        ({"uploaders": {None: 3}}, "names of uploaders must be text, got None"),
        ({"uploaders": {" ": 3}}, "names of uploaders must be text"),
        ({"clients": {"a": 3}}, r"clients\['a'\] must be AsyncClient"),
        ({"cameras": {"a": 3}}, r"cameras\['a'\] must be Camera"),
        ({"pipelines": {"a": 3}}, r"pipelines\['a'\] must be Pipeline"),
    ],
)
@pytest.mark.parametrize("measure", [PrometheusCollector, register_opentelemetry])
def test_odd_arguments_are_refused_in_words(measure: Any, arguments: dict[str, Any], said: str) -> None:
    """Where they are given, not at the first scrape."""
    with pytest.raises(ConfigurationError, match=said):
        measure(**arguments)


@pytest.mark.parametrize("measure", [PrometheusCollector, register_opentelemetry])
def test_a_thing_without_a_name_is_told_how(measure: Any) -> None:
    """The usual slip."""
    with pytest.raises(ConfigurationError, match=r"uploaders=\{'name': uploader\}, got <Uploader new"):
        measure(Uploader(Service().send))


async def test_an_uploader_that_is_closed_has_its_final_numbers() -> None:
    """A job pushes them behind its run; what is only so while one is open has no series any more."""
    async with uploader(Service()) as up:
        await up.submit(make_frame())
    registry = CollectorRegistry()
    registry.register(PrometheusCollector({"yard": up}))
    labels = {"uploader": "yard"}
    assert registry.get_sample_value("picsellia_uploader_frames_accepted_total", labels) == 1
    assert registry.get_sample_value("picsellia_uploader_health", {**labels, "state": "ok"}) is None


async def test_names_of_files_have_no_password_in_lines_and_spans(
    traced_deployment: AsyncDeployment,
    emulator: Emulator,
    collector: InMemorySpanExporter,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A web application names files by what its clients call their cameras. The service and the report have the name as it is."""
    name = "rtsp:admin:hunter22@cam-main.jpg"
    emulator.faults.add(Fault(kind="status", status=422, endpoint="monitor"))
    with caplog.at_level(logging.DEBUG, "picsellia_async"):
        async with traced_deployment.uploader() as up:
            await up.submit(make_frame(filename=name))
            assert await up.flush() == 0
    assert up.report.failures[0].filename == name
    assert "first ***@cam-main.jpg" in caplog.text
    assert "hunter22" not in caplog.text
    assert "hunter22" not in "".join(span.to_json() for span in collector.get_finished_spans())
    with pytest.raises(DeliveryError) as told:
        up.report.raise_for_failures()
    assert "hunter22" not in str(told.value)


async def test_a_spool_is_shown_in_lines_without_passwords(
    tmp_path: Path, deployment: AsyncDeployment, capsys: pytest.CaptureFixture[str]
) -> None:
    """Sources come from whoever names them: a line of the command is one frame."""
    source = "rtsp://admin:hunter22@cam\nWARNING forged\x1b[31m\u2028\u202e"
    async with Uploader(Service(script=lambda *_: down()).send, spool=tmp_path / "spool", close_timeout=0.0) as up:
        await up.submit(make_frame(source=source, checks="off"))
    for action in ("list", "show", "explain"):
        words = [str(tmp_path / "spool"), *(["frame-000000.jpg"] if action == "explain" else [])]
        assert await asyncio.to_thread(main, ["spool", action, *words]) == 0
        out = capsys.readouterr().out
        assert "hunter22" not in out
        assert not any(one in out for one in "\x1b\u2028\u202e")
        assert "rtsp://***@cam\\nWARNING forged\\x1b[31m\\u2028\\u202e" in out


@pytest.mark.parametrize(
    "fields",
    [
        {"source": "\n"}, {"tags": ["\0"]}, {"upload_dir": "/../b"}, {"filename": "\n.jpg"}, {"filename": "/../a.jpg"},
        {"filename": "/" + "a" * 300},
    ],
)  # fmt: skip
def test_a_name_that_is_refused_is_shown_without_its_password(fields: dict[str, Any]) -> None:
    """What is wrong with it is said of what is left of it."""
    given = {
        name: [ADDRESS + value[0]]
        if name == "tags"
        else ADDRESS + value
        if name in {"source", "upload_dir", "filename"}
        else value
        for name, value in fields.items()
    }
    with pytest.raises(ConfigurationError, match=r"rtsp://\*\*\*@cam") as refused:
        make_frame(**given)
    assert "hunter22" not in str(refused.value)


@pytest.mark.parametrize("name", ["/a.webp", "/a"])
def test_so_is_one_that_says_no_content_type(name: str) -> None:
    """The service takes JPEG and PNG."""
    with pytest.raises(ConfigurationError, match=r"rtsp://\*\*\*@cam/a") as refused:
        content_type_of(None, ADDRESS + name)
    assert "hunter22" not in str(refused.value)


@pytest.mark.parametrize("where", ["reason", "location"])
@pytest.mark.parametrize("coding", ["base64", "rows", "hexadecimal", "numbers", "0x"])
def test_the_image_is_hidden_in_reason_and_location_too(where: str, coding: str) -> None:
    """A gateway that echoes it into its status line, or into the address that it sends one to."""
    content = bytes(range(256)) * 12
    text = base64.b64encode(content).decode()
    spelled = {
        "base64": text,
        "rows": " ".join(text[at : at + 8] for at in range(0, len(text), 8)),
        "hexadecimal": content.hex(" "),
        "numbers": ", ".join(map(str, content)),
        "0x": ", ".join(f"0x{one:02x}" for one in content),
    }[coding][:3000]
    header = (
        (REASON, f"bad {spelled}") if where == "reason" else (b"location", f"http://other.example/{quote(spelled)}")
    )
    answer = Answer(400 if where == "reason" else 307, [(header[0], header[1].encode())], b"")
    error = status_error(MONITOR, answer, "http://h/x", image=SentImage(memoryview(content)))
    assert part_read(str(error), content) < 0.02
