"""The demo as a user runs it, with its exit codes and its output."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pty
import signal
import subprocess
import sys
import threading

import pytest

from picsellia_async.cli import demo
from picsellia_async.cli.main import main
from picsellia_async.cli.motion import MotionDetector, images

cv2 = pytest.importorskip("cv2")


def picsellia_async(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-m", "picsellia_async.cli", *arguments],
        capture_output=True, text=True, timeout=120, check=False, **options,
    )  # fmt: skip


def test_own_frames_arrive():
    """Without a source the demo says so, makes its own, and stores what it sent; progress bars stay out of logs."""
    done = picsellia_async("demo", "--frames", "60", "--json")
    assert done.returncode == 0, done.stderr
    # asyncio's debug mode, which `-X dev` brings, remarks on a slow machine.
    said = [line for line in done.stderr.splitlines() if not line.startswith("Executing <")]
    assert said == ["no --source given: making moving frames of our own"]
    result = json.loads(done.stdout)
    assert (result["frames_sent"], result["frames_stored"], result["sha256_equal"], result["equal"]) == (
        60,
        60,
        True,
        True,
    )
    assert result["boxes"] > 60
    assert 0 < result["delivery_p50_ms"] <= result["delivery_p95_ms"]


def test_the_table(tmp_path, capsys):
    """A folder of images, one of them broken: the table tells what arrived, and stderr what was left out."""
    for number, frame in enumerate(images(None, 5, [])):
        (tmp_path / f"{number}.jpg").write_bytes(frame.image)
    (tmp_path / "broken.png").write_bytes(b"no image")
    (tmp_path / "note.txt").write_text("not a frame")
    assert main(["demo", "--source", str(tmp_path)]) == 0
    out, err = capsys.readouterr()
    assert err == "not readable as images, skipped (1): broken.png\n"
    assert "frames stored             5\n" in out
    assert "sent equals stored        yes\n" in out


def test_a_video(tmp_path):
    """A video file is read frame by frame, no further than asked."""
    writer = cv2.VideoWriter(str(tmp_path / "clip.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 25, (640, 360))
    for frame in images(None, 12, []):
        import numpy as np

        writer.write(cv2.imdecode(np.frombuffer(frame.image, np.uint8), cv2.IMREAD_COLOR))
    writer.release()
    frames = list(images(tmp_path / "clip.avi", 10, []))
    assert len(frames) == 10
    assert {(f.width, f.height) for f in frames} == {(640, 360)}


def test_the_bar_ends_with_the_clip(tmp_path):
    """A clip with fewer frames than `--frames` fills the bar; it is drawn on the terminal."""
    for number, frame in enumerate(images(None, 5, [])):
        (tmp_path / f"{number}.jpg").write_bytes(frame.image)
    rest, terminal = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "picsellia_async.cli", "demo", "--source", str(tmp_path), "--frames", "90", "--json"],
        stderr=terminal, stdout=subprocess.DEVNULL, env=os.environ | {"TERM": "xterm", "COLUMNS": "100"},
    ) as process:  # fmt: skip
        os.close(terminal)
        shown = b""
        with contextlib.suppress(OSError):  # Linux: end of a terminal that nobody holds
            while part := os.read(rest, 65536):
                shown += part
    os.close(rest)
    assert process.returncode == 0, shown
    assert b"5/5" in shown


def test_moving_things_become_boxes():
    """Once the background is known, the three discs are found, each box within the frame."""
    detect = MotionDetector()
    last = [detect(image.pixels) for image in images(None, 40, [])][-1]
    boxes = last.detection_boxes
    assert len(boxes) >= 3
    assert all(0 <= top < bottom <= 360 and 0 <= left < right <= 640 for top, left, bottom, right in boxes)
    assert all(0 < score <= 1 for score in last.detection_scores)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--source", "/no/such/file.mp4"], "there is no '/no/such/file.mp4'"),
        (["--frames", "0"], "--frames must be at least 1"),
        (["--concurrency", "-1"], "--concurrency must be at least 1"),
    ],
    ids=["missing", "frames", "concurrency"],
)
def test_bad_usage(arguments, message, capsys):
    """One line on stderr, exit code 2."""
    assert main(["demo", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_a_source_without_a_frame(capsys):
    """The command is right and the file is no video: exit code 1."""
    assert main(["demo", "--source", __file__]) == 1
    assert "no frame can be read" in capsys.readouterr().err


def test_unknown_commands_are_bad_usage(capsys):
    """argparse's own exit code is 2 too."""
    with pytest.raises(SystemExit) as caught:
        main(["nonsense"])
    assert caught.value.code == 2
    assert "nonsense" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_an_interrupt_ends_it_with_130():
    """Ctrl-C in the middle: no traceback, exit code 130."""
    # As on a terminal: neither ignored, as in a shell's background, nor blocked, whatever this process inherited.
    as_on_a_terminal = (
        "signal.signal(signal.SIGINT, signal.default_int_handler); signal.pthread_sigmask(signal.SIG_SETMASK, ())"
    )
    program = f"import signal, sys; {as_on_a_terminal}; from picsellia_async.cli import main; sys.exit(main())"
    process = subprocess.Popen(
        [sys.executable, "-X", "faulthandler", "-c", program, "demo", "--frames", "100000"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    assert "own" in process.stderr.readline()
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(2)  # well into its frames
    process.send_signal(signal.SIGINT)
    try:
        _, errors = process.communicate(timeout=90)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGABRT)
        pytest.fail(f"it goes on:\n{process.communicate()[1]}")  # where each thread stands
    assert process.returncode == 130
    assert "Traceback" not in errors


def test_a_frame_in_work_does_not_outlive_the_command(monkeypatch):
    """Where the command ends early, the thread that reads ends too, even if it is done when the loop takes no more work."""
    closing, asked = threading.Event(), threading.Event()
    readers = []
    close, call = asyncio.SelectorEventLoop.close, asyncio.SelectorEventLoop.call_soon_threadsafe

    def close_late(loop):
        closing.set()
        asked.wait(60)  # after the loop's last turn, and before it is closed
        close(loop)

    def tell(loop, *arguments, **options):
        handle = call(loop, *arguments, **options)
        if closing.is_set():
            asked.set()
        return handle

    def two_frames(*_):
        readers.append(threading.current_thread())
        first, second = images(None, 2, [])
        yield first
        os.kill(os.getpid(), signal.SIGINT)  # in the middle of reading, and so the command ends
        closing.wait(60)
        yield second

    monkeypatch.setattr(asyncio.SelectorEventLoop, "close", close_late)
    monkeypatch.setattr(asyncio.SelectorEventLoop, "call_soon_threadsafe", tell)
    monkeypatch.setattr(demo, "images", two_frames)
    assert main(["demo"]) == 130
    readers[0].join(60)
    assert not readers[0].is_alive()


def test_a_reader_that_went_away():
    """`picsellia-async demo | true` ends without a traceback, and not as a success."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as gone:
        done = subprocess.run(
            [sys.executable, "-X", "dev", "-W", "error", "-m", "picsellia_async.cli", "demo", "--frames", "2"],
            stdout=gone, stderr=subprocess.PIPE, text=True, timeout=120, check=False,
        )  # fmt: skip
    # asyncio's debug mode, which `-X dev` brings, remarks on a slow machine.
    said = [line for line in done.stderr.splitlines() if not line.startswith("Executing <")]
    assert (done.returncode, said) == (1, ["no --source given: making moving frames of our own"])


def test_a_proxy_does_not_stand_between_the_demo_and_its_emulator():
    """Behind a company's proxy the demo still reaches its own machine."""
    proxied = os.environ | {"HTTP_PROXY": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9", "NO_PROXY": ""}
    done = picsellia_async("demo", "--frames", "2", "--json", env=proxied)
    assert done.returncode == 0, done.stderr
