"""The applications of docs/threads.md, where Celery and Flask are installed."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from picsellia_async.emulator import ThreadedEmulator

from ..support.images import jpeg

DOCS = Path(__file__).parents[2] / "docs"
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def environment(emulator: ThreadedEmulator, **more: str) -> dict[str, str]:
    return {
        **os.environ, "PICSELLIA_TOKEN": emulator.api_token, "PICSELLIA_HOST": emulator.url,
        "DEPLOYMENT": emulator.deployment_name, "PYTHONPATH": str(DOCS / "examples"), **more,
    }  # fmt: skip


@pytest.mark.parametrize("name", ["celery_tasks", "flask_app"])
def test_the_page_shows_the_file(name: str) -> None:
    """What is read in the docs is what is tested here."""
    source = (DOCS / "examples" / f"{name}.py").read_text(encoding="utf-8")
    assert f"```python no-run\n{source}```\n" in (DOCS / "threads.md").read_text(encoding="utf-8")


def test_celery_s_children_monitor_and_close(picsellia_emulator: ThreadedEmulator, tmp_path: Path) -> None:
    """Two forked children take tasks; at the end of the worker all they handed over is stored, once."""
    pytest.importorskip("celery")
    queue = tmp_path / "queue"
    queue.mkdir()
    env = environment(picsellia_emulator, QUEUE=str(queue))
    for number in range(10):
        (tmp_path / f"{number}.jpg").write_bytes(jpeg(640, 480))
    send = "import sys, celery_tasks\nfor path in sys.argv[1:]: celery_tasks.monitor.delay(path)"
    pictures = [str(path) for path in sorted(tmp_path.glob("*.jpg"))]
    subprocess.run([sys.executable, "-c", send, *pictures], env=env, cwd=tmp_path, check=True, timeout=300)
    command = [
        "celery",
        "-A",
        "celery_tasks",
        "worker",
        "--pool=prefork",
        "-c",
        "2",
        "--without-gossip",
        "-l",
        "warning",
    ]
    with subprocess.Popen([sys.executable, "-m", *command], env=env, cwd=tmp_path, stderr=subprocess.PIPE) as worker:
        try:
            picsellia_emulator.wait_for("monitor", 10, timeout=300)
        finally:
            worker.send_signal(signal.SIGTERM)
            told = worker.communicate(timeout=300)[1].decode()
    assert sorted(row["filename"] for row in picsellia_emulator.predictions()) == [
        f"{number}.jpg" for number in range(10)
    ], told
    assert "close()" not in told


def test_flask_answers_and_sigterm_delivers(picsellia_emulator: ThreadedEmulator) -> None:
    """Requests of several threads are answered; SIGTERM closes, and every frame is stored once."""
    pytest.importorskip("flask")
    command = [sys.executable, str(DOCS / "examples" / "flask_app.py")]
    with subprocess.Popen(
        command, env=environment(picsellia_emulator, PORT="0"), stderr=subprocess.PIPE, text=True
    ) as server:
        try:
            assert server.stderr is not None
            while not (
                found := re.search(
                    r"running on (http://127\.0\.0\.1:\d+)", line := server.stderr.readline(), re.IGNORECASE
                )
            ):
                assert line, "it ended"
            base = found[1]

            def post(number: int) -> int:
                request = urllib.request.Request(f"{base}/cameras/cam-{number % 3}/frames", jpeg(640 + number, 480))
                with OPENER.open(request) as answer:
                    return len(json.load(answer)["boxes"])

            with ThreadPoolExecutor(4) as pool:
                assert list(pool.map(post, range(20))) == [1] * 20
            with pytest.raises(urllib.error.HTTPError, match="422"):
                OPENER.open(urllib.request.Request(f"{base}/cameras/a/frames", b"GIF89a"))
            with OPENER.open(f"{base}/health") as answer:
                assert json.load(answer)["monitoring"] == "ok"
        finally:
            server.send_signal(signal.SIGTERM)
            told = server.communicate(timeout=300)[1]
    assert server.returncode == 0, told
    assert (
        len({row["filename"] for row in picsellia_emulator.predictions()})
        == len(picsellia_emulator.predictions())
        == 20
    )
    assert "close()" not in told
