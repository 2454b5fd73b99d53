"""A real Prometheus scrapes a FastAPI service; rules and dashboard that the docs ship are read by their own tools.

Needs Debian's package `prometheus`; `nox -s prometheus` runs it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import fastapi
import httpx
import prometheus_client
import pytest
import uvicorn
import yaml

from picsellia_async import AsyncClient
from picsellia_async.emulator import Emulator
from picsellia_async.metrics import (
    ATTEMPT_DURATION,
    CAMERA_METRICS,
    CLIENT_METRICS,
    FRAME_DURATION,
    PIPELINE_FRAME_DURATION,
    PIPELINE_METRICS,
    PREDICT_DURATION,
    UPLOADER_METRICS,
    PrometheusCollector,
    prometheus_name,
)

from ..support.frames import make_frame

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(shutil.which("prometheus") is None, reason="needs Prometheus: apt-get install prometheus"),
]

EXAMPLES = Path(__file__).parent.parent.parent / "docs" / "examples"

RULES_TEST = """
rule_files: [{rules}]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - series: 'picsellia_uploader_frames_total{{uploader="yard", outcome="dropped", reason="closed"}}'
        values: '0 0 0 3 3 3 3 3 3 3 3 3 3 3 3'
      - series: 'picsellia_uploader_health{{uploader="yard", state="down"}}'
        values: '0 0 1 1 1 1 1 1 1 1 1 1 1 1 1'
      - series: 'picsellia_uploader_oldest_frame_age_seconds{{uploader="yard"}}'
        values: '0 660 720 780 840 900 960 1020 0 0 0 0 0 0 0'
      - series: 'picsellia_uploader_allowed{{uploader="yard"}}'
        values: '1x14'
      - series: 'picsellia_uploader_oldest_frame_age_seconds{{uploader="night"}}'
        values: '0 660 720 780 840 900 960 1020 1080 1140 1200 1260 1320 1380 1440'
      - series: 'picsellia_uploader_allowed{{uploader="night"}}'
        values: '0 0 0 0 0 0 0 1x120'
      - series: 'picsellia_uploader_spool_free_bytes{{uploader="yard"}}'
        values: '9e9 9e9 5e8 5e8 5e8 5e8 5e8 5e8 5e8 5e8 9e9 9e9 9e9 9e9 9e9'
      - series: 'picsellia_uploader_frames_accepted_total{{uploader="refuses"}}'
        values: '0x14'
      - series: 'picsellia_uploader_frames_accepted_total{{uploader="yard"}}'
        values: '0+100x14'
      - series: 'picsellia_uploader_frames_refused_total{{uploader="yard"}}'
        values: '0 0 0 2 77 77 77 77 77 77 77 77 77 77 77'
      - series: 'picsellia_uploader_callback_errors_total{{uploader="yard"}}'
        values: '0 0 0 1 1 1 1 1 1 1 1 1 1 1 1'
      - series: 'picsellia_client_requests_waiting{{client="main"}}'
        values: '0 0 0 0 3 3 3 3 3 3 3 3 3 3 3'
      - series: 'picsellia_client_sign_ins_total{{client="main"}}'
        values: '1 1 1 1 4 8 12 12 12 12 12 12 12 12 12'
      - series: 'picsellia_camera_state{{camera="gate", state="live"}}'
        values: '1 1 1 1 1 1 1 1 1 1 1 0 0 0 0'
      - series: 'picsellia_camera_state{{camera="gate", state="closed"}}'
        values: '0x14'
      - series: 'picsellia_camera_state{{camera="yard", state="live"}}'
        values: '1 1 0x12'
      - series: 'picsellia_camera_state{{camera="yard", state="closed"}}'
        values: '0 0 1x12'
      - series: 'picsellia_pipeline_frames_received_total{{pipeline="yard"}}'
        values: '0+100x14'
      - series: 'picsellia_pipeline_frames_total{{pipeline="yard", outcome="failed", reason="model"}}'
        values: '0 0 0 0 50 100 150 150 150 150 150 150 150 150 150'
      - series: 'picsellia_pipeline_frame_duration_seconds_bucket{{pipeline="yard", le="60.0"}}'
        values: '0+10x14'
      - series: 'picsellia_pipeline_frame_duration_seconds_bucket{{pipeline="yard", le="300.0"}}'
        values: '0+100x14'
      - series: 'picsellia_pipeline_frame_duration_seconds_bucket{{pipeline="yard", le="+Inf"}}'
        values: '0+100x14'
      - series: 'picsellia_pipeline_frame_duration_seconds_bucket{{pipeline="night", le="60.0"}}'
        values: '0 0 0 0 0 0 0 0+10x120'
      - series: 'picsellia_pipeline_frame_duration_seconds_bucket{{pipeline="night", le="300.0"}}'
        values: '0 0 0 0 0 0 0 0+100x120'
      - series: 'picsellia_pipeline_frame_duration_seconds_bucket{{pipeline="night", le="+Inf"}}'
        values: '0 0 0 0 0 0 0 0+100x120'
    alert_rule_test:
      - {{alertname: FramesDropped, eval_time: 2m, exp_alerts: []}}
      - {{alertname: FramesDropped, eval_time: 5m, exp_alerts: [{{exp_labels: {{uploader: yard, reason: closed}},
          exp_annotations: {{summary: "yard dropped frames (closed): they are gone"}}}}]}}
      - {{alertname: FramesNotTaken, eval_time: 2m, exp_alerts: []}}
      - {{alertname: FramesNotTaken, eval_time: 5m, exp_alerts: [{{exp_labels: {{uploader: yard}},
          exp_annotations: {{summary: "yard did not take frames: submit raised, and they are gone unless its caller keeps them"}}}}]}}
      - {{alertname: FramesNotTaken, eval_time: 11m, exp_alerts: []}}
      - {{alertname: CallbackRaises, eval_time: 2m, exp_alerts: []}}
      - {{alertname: CallbackRaises, eval_time: 5m, exp_alerts: [{{exp_labels: {{uploader: yard}},
          exp_annotations: {{summary: "a callback of yard raises: what it should do is not done, the log has its place"}}}}]}}
      - {{alertname: NothingAccepted, eval_time: 5m, exp_alerts: []}}
      - {{alertname: NothingAccepted, eval_time: 8m, exp_alerts: [{{exp_labels: {{uploader: refuses}},
          exp_annotations: {{summary: "refuses has taken no frame for 15 minutes: none was made, or each was refused"}}}}]}}
      - {{alertname: DeliveryUnwell, eval_time: 4m, exp_alerts: []}}
      - {{alertname: DeliveryUnwell, eval_time: 8m, exp_alerts: [{{exp_labels: {{uploader: yard, state: down}},
          exp_annotations: {{summary: "yard has been down for five minutes"}}}}]}}
      - {{alertname: FramesWait, eval_time: 5m, exp_alerts: []}}
      - {{alertname: FramesWait, eval_time: 6m, exp_alerts: [{{exp_labels: {{uploader: yard}},
          exp_annotations: {{summary: "the oldest frame of yard has waited 16m 0s"}}}}]}}
      - {{alertname: FramesWait, eval_time: 9m, exp_alerts: []}}
      - {{alertname: SpoolDiskNearlyFull, eval_time: 5m, exp_alerts: []}}
      - {{alertname: SpoolDiskNearlyFull, eval_time: 8m, exp_alerts: [{{exp_labels: {{uploader: yard}},
          exp_annotations: {{summary: "the disk of the spool of yard has 476.8MiB left"}}}}]}}
      - {{alertname: CallsWaitForConnections, eval_time: 8m, exp_alerts: []}}
      - {{alertname: CallsWaitForConnections, eval_time: 10m, exp_alerts: [{{exp_labels: {{client: main}},
          exp_annotations: {{summary: "calls of main wait for a connection: raise max_connections, or look for a host that hangs"}}}}]}}
      - {{alertname: ManySignIns, eval_time: 3m, exp_alerts: []}}
      - {{alertname: ManySignIns, eval_time: 7m, exp_alerts: [{{exp_labels: {{client: main}},
          exp_annotations: {{summary: "main signs in again and again: JWTs are refused, or its process restarts"}}}}]}}
      - {{alertname: PipelineFails, eval_time: 3m, exp_alerts: []}}
      - {{alertname: PipelineFails, eval_time: 6m, exp_alerts: [{{exp_labels: {{pipeline: yard, reason: model}},
          exp_annotations: {{summary: "frames of the pipeline yard fail (model)"}}}}]}}
      - {{alertname: PipelineLate, eval_time: 8m, exp_alerts: []}}
      - {{alertname: PipelineLate, eval_time: 13m, exp_alerts: [{{exp_labels: {{pipeline: yard}},
          exp_annotations: {{summary: "frames of the pipeline yard reach the service 4m 46s after they came"}}}}]}}
      - {{alertname: PipelineLate, eval_time: 60m, exp_alerts: []}}
      - {{alertname: PipelineLate, eval_time: 85m, exp_alerts: [{{exp_labels: {{pipeline: night}},
          exp_annotations: {{summary: "frames of the pipeline night reach the service 4m 46s after they came"}}}}]}}
      - {{alertname: CameraSilent, eval_time: 13m, exp_alerts: [{{exp_labels: {{camera: gate, state: live}},
          exp_annotations: {{summary: "no pictures come from gate"}}}}]}}  # `yard` was closed by its program
"""


def expressions() -> list[str]:
    """Return what the dashboard asks for, with values for Grafana's variables."""
    dashboard = json.loads((EXAMPLES / "grafana-dashboard.json").read_text())
    values = {"$__rate_interval": "5s", "$__range": "1h", "$uploader": ".*"}
    found = []
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            found.append(target["expr"])
            for name, value in values.items():
                found[-1] = found[-1].replace(name, value)
    return found


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextlib.asynccontextmanager
async def served(app: fastapi.FastAPI) -> AsyncIterator[int]:
    """Serve an application under uvicorn, in this loop."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning"))
    task = asyncio.create_task(server.serve())
    while not server.started:
        assert not task.done(), "the service ended before it began"
        await asyncio.sleep(0.02)
    try:
        yield port
    finally:
        server.should_exit = True
        await task


@contextlib.asynccontextmanager
async def prometheus(folder: Path, target: int) -> AsyncIterator[str]:
    """Run Prometheus with the rules of the docs."""
    config = folder / "prometheus.yml"
    config.write_text(
        yaml.safe_dump(
            {
                "global": {"scrape_interval": "1s", "scrape_timeout": "1s"},
                "rule_files": [str(EXAMPLES / "prometheus-alerts.yml")],
                "scrape_configs": [
                    {
                        "job_name": "service",
                        "metrics_path": "/metrics/",
                        "static_configs": [{"targets": [f"127.0.0.1:{target}"]}],
                    }
                ],
            }
        )
    )
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        "prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}", stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        await process.wait()


async def test_prometheus_reads_what_the_report_says(tmp_path: Path) -> None:
    """Frames by outcome, repeats and bytes in Prometheus equal the uploader's report."""
    registry = prometheus_client.CollectorRegistry()
    app = fastapi.FastAPI()
    app.mount("/metrics", prometheus_client.make_asgi_app(registry))
    async with Emulator() as emulator, AsyncClient(emulator.api_token, host=emulator.url) as client:
        deployment = await client.get_deployment(emulator.deployment_name)
        async with (
            deployment.uploader(spool=tmp_path / "spool") as uploader,
            served(app) as port,
            prometheus(tmp_path, port) as url,
            httpx.AsyncClient(base_url=url, timeout=60) as http,
        ):
            registry.register(PrometheusCollector({"yard": uploader}, clients={"main": client}))
            for number in range(50):
                await uploader.submit(make_frame(number))
            await uploader.flush()
            report = uploader.report
            assert report.delivered == 50

            async def value(query: str) -> float:
                with contextlib.suppress(httpx.TransportError):
                    answer = (await http.get("/api/v1/query", params={"query": query})).json()
                    if answer.get("data", {}).get("result"):
                        return float(answer["data"]["result"][0]["value"][1])
                return -1.0

            async def scraped(query: str) -> float:
                """Return the value of a series that is there; a scrape that failed, as on a busy machine, hides all until the next."""
                while (number := await value(query)) == -1:  # noqa: ASYNC110 - another process
                    await asyncio.sleep(0.1)
                return number

            while await value('picsellia_uploader_frames_total{outcome="delivered"}') < report.delivered:  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.1)
            assert await scraped("sum(picsellia_uploader_frames_total)") == report.accepted
            assert await scraped("picsellia_uploader_delivered_bytes_total") == report.bytes
            assert await scraped("picsellia_uploader_retries_total") == report.retries
            assert await scraped('picsellia_uploader_health{state="ok"}') == 1
            assert await scraped("picsellia_uploader_frame_duration_seconds_count") == report.delivered
            posted = 'http_client_request_duration_seconds_count{http_response_status_code="201"}'
            assert await scraped(posted) == report.delivered + report.retries
            assert await scraped("picsellia_client_sign_ins_total") == client.statistics().sign_ins == 1
            for expression in expressions():
                answer = (await http.get("/api/v1/query", params={"query": expression})).json()
                assert answer["status"] == "success", (expression, answer)
                # There is no camera here and no pipeline, and nothing was dropped.
                if not re.search("camera|pipeline|dropped", expression):
                    tries = 0
                    while await value(expression) == -1:  # a rate needs two scrapes
                        tries += 1
                        assert tries < 300, expression
                        await deployment.sync()  # or the emulator ends the connection that is to be counted
                        await asyncio.sleep(0.1)


def test_the_rules_alert_when_they_should(tmp_path: Path) -> None:
    """As Prometheus' own tool reads and tries them."""
    test = tmp_path / "test.yml"
    test.write_text(RULES_TEST.format(rules=EXAMPLES / "prometheus-alerts.yml"))
    done = subprocess.run(["promtool", "test", "rules", str(test)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_rules_and_dashboard_ask_for_metrics_that_exist() -> None:
    """A metric that is renamed is renamed there too."""
    tables = (*UPLOADER_METRICS, *CLIENT_METRICS, *CAMERA_METRICS, *PIPELINE_METRICS)
    known = {prometheus_name(metric) for metric in tables}
    for metric in (FRAME_DURATION, ATTEMPT_DURATION, PREDICT_DURATION, PIPELINE_FRAME_DURATION):
        known |= {f"{prometheus_name(metric)}_{part}" for part in ("bucket", "count", "sum")}
    asked = "\n".join([*expressions(), (EXAMPLES / "prometheus-alerts.yml").read_text()])
    found = set(re.findall(r"\b(?:picsellia_(?:uploader|client|camera|pipeline)|http_client)_[a-z_]+", asked))
    assert found <= known
    assert len(found) > 20
