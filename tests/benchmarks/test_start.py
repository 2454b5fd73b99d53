"""The benchmarks start, send, and count what they sent. Figures are for quiet machines: nothing here looks at them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

ROOT = Path(__file__).parents[2]
PEERS = {"vendor", "httpx-aiohttp", "httpx-aiohttp-transport", "pyreqwest"}
"""Arms whose packages the group `test` lacks; `nox -s bench` has them."""


@contextmanager
def child(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run a module of the benchmarks; closing its stdin ends it."""
    process = subprocess.Popen(
        [sys.executable, "-m", *arguments], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        with process:
            yield process
            process.stdin.close()  # type: ignore[union-attr]
            assert process.wait(30) == 0, arguments
    finally:
        process.kill()


def line(process: subprocess.Popen[str]) -> Any:
    return json.loads(process.stdout.readline())  # type: ignore[union-attr]


def test_every_arm_without_a_peer_sends_what_it_is_told() -> None:
    """Each of our arms, and of those that the test group can run, sends its frames, and the sink has counted them."""
    listed = subprocess.run(
        [sys.executable, "-c", "import json; from benchmarks.arms import ARMS; print(json.dumps(list(ARMS)))"],
        cwd=ROOT, stdout=subprocess.PIPE, check=True, text=True,
    )  # fmt: skip
    arms = json.loads(listed.stdout)
    assert set(arms) >= PEERS
    with ExitStack() as stack:
        sink = line(stack.enter_context(child("benchmarks.sink")))
        given = ("--base", sink["base"], "--size", "40000", "--flight", "4")
        running = {arm: stack.enter_context(child("benchmarks.arms", arm, *given)) for arm in arms if arm not in PEERS}
        for process in running.values():
            assert line(process) == {"ready": True}
        for arm, process in running.items():
            process.stdin.write('{"frames": 20}\n')  # type: ignore[union-attr]
            process.stdin.flush()  # type: ignore[union-attr]
            report = line(process)
            assert report["frames"] == 20, arm
            assert report["user"] + report["system"] > 0, arm
        assert predictions(sink["base"]) == 20 * (len(running) - 1), "all but the arm that only builds bodies"


def predictions(base: str) -> int:
    return int(httpx.get(f"{base}/counts").json()["predictions"])


@pytest.mark.parametrize(
    "arguments",
    [
        ("body", "--only", "10KB", "--rounds", "1"),
        ("checks", "--only", "10KB x32", "--frames", "20", "--rounds", "1"),
        ("bounds", "--only", "memory", "--frames", "200"),
        ("spool", "--frames", "50", "--rounds", "1"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_the_command_writes_its_figures(arguments: tuple[str, ...], tmp_path: Path) -> None:
    """`python -m benchmarks` with what needs no peer package runs to its end, and writes JSON with the machine and the figures."""
    file = tmp_path / "figures.json"
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments, "--json", str(file)],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, check=False, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    figures = json.loads(file.read_text())
    assert figures[arguments[0]]
    assert figures["versions"]


def placed(arms: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Have it worked out which arms run from where, with `folder` as the checkout of before."""
    code = (
        "import sys; from pathlib import Path; from benchmarks.processes import placed\n"
        "for child in placed(sys.argv[2:], Path(sys.argv[1])): print(child[0])"
    )
    command = [sys.executable, "-c", code, str(folder), *arms]
    return subprocess.run(command, cwd=ROOT, capture_output=True, check=False, text=True)


def test_arms_that_another_checkout_lacks_are_named(tmp_path: Path) -> None:
    """An older checkout runs what it knows; a way that came since runs from here alone, and a line says so."""
    for package in ("picsellia_async", "benchmarks"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").touch()
    (tmp_path / "benchmarks" / "arms.py").write_text("ARMS = {'aiohttp': 1, 'ours': 2}\n")
    done = placed(["aiohttp", "ours", "ours-new"], tmp_path)
    remark = f"ours-new: not in {tmp_path}, so that nothing is said of before"
    assert done.stdout.splitlines() == ["aiohttp", "ours", "ours before", "ours-new", remark], done.stderr


def test_a_checkout_that_imports_another_package_is_refused(tmp_path: Path) -> None:
    """It would be measured against itself, and show that nothing changed."""
    (tmp_path / "benchmarks").symlink_to(ROOT / "benchmarks")
    done = placed(["ours"], tmp_path)
    assert f"a child in {tmp_path} imports" in done.stderr
