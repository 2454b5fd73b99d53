"""Programs that the tests start as processes of their own: `python programs.py NAME URL TOKEN DEPLOYMENT`."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

from picsellia_async import ClosedError, DetectionPredictionFormat, Frame, SyncUploader
from picsellia_async.sync_uploader import record_durations

URL, TOKEN, DEPLOYMENT = sys.argv[2:5]


def frame(number: int | str) -> Frame:
    """Return a frame with a name of its own."""
    return Frame(
        image=b"\xff\xd8\xff\xe0....", filename=f"{number}.jpg", width=64, height=48, latency=0.02,
        prediction=DetectionPredictionFormat([1], [[1, 2, 3, 4]], [0.5]), checks="off",
    )  # fmt: skip


def new(**options: object) -> SyncUploader:
    """Return an uploader that is not open."""
    return SyncUploader(DEPLOYMENT, api_token=TOKEN, host=URL, **options)  # type: ignore[arg-type]


def tell(*values: object) -> None:
    """Print a line at once."""
    sys.stdout.write(" ".join(map(str, values)) + "\n")
    sys.stdout.flush()


def forgotten() -> None:
    """End without closing."""
    uploader = new().open()
    for number in range(20):
        uploader.submit(frame(number))
    globals()["held"] = uploader


def undelivered() -> None:
    """End without closing while nothing can be delivered."""
    uploader = new(close_timeout=0.2).open()
    for number in range(10):
        uploader.submit(frame(number))
    globals()["held"] = uploader


def exits() -> None:
    """`sys.exit` within the block, while another thread submits."""
    with new(max_pending_frames=5) as uploader:

        def submitting() -> None:
            try:
                for number in range(1_000_000):
                    uploader.submit(frame(number))
            except ClosedError:
                tell("closed")

        thread = threading.Thread(target=submitting)
        thread.start()
        while uploader.statistics().delivered < 20:
            time.sleep(0.005)
        sys.exit(3)


def interrupted() -> None:
    """Ctrl-C while the main thread waits for room in an outage, and another one while it closes."""
    uploader = new(max_pending_frames=1, close_timeout=600.0)

    def interrupt() -> None:
        while uploader.statistics().accepted < 1:
            time.sleep(0.01)
        time.sleep(0.3)
        os.kill(os.getpid(), signal.SIGINT)
        while not closing.wait(0.01):
            pass
        time.sleep(0.3)
        os.kill(os.getpid(), signal.SIGINT)

    closing = threading.Event()
    count = 0
    uploader.open()
    threading.Thread(target=interrupt, daemon=True).start()
    try:
        while True:
            uploader.submit(frame(count))
            count += 1
    except KeyboardInterrupt:
        tell("interrupted")
    closing.set()
    try:
        uploader.close()
    except KeyboardInterrupt:
        tell("closing interrupted")
    report = uploader.report
    tell(report.is_balanced, report.accepted == count, report.delivered, report.dropped == count)


def forks() -> None:
    """Fork before opening, while it is open, and open it in the child."""
    for name in ("before", "open"):
        uploader = new()
        if name == "open":
            uploader.open()
            uploader.submit(frame("parent"))
        child = os.fork()
        if child == 0:
            try:
                uploader.submit(frame("lost"))
            except ClosedError as error:
                tell(name, "the fork" in str(error))
            uploader.close()  # it is the parent's
            uploader.open()
            uploader.submit(frame(f"child-{name}"))
            uploader.close()
            tell(name, uploader.report.delivered)
            sys.exit(0)
        assert os.waitpid(child, 0)[1] == 0
        uploader.close()
    tell(uploader.report.delivered)


def measured_and_forks() -> None:
    """Fork again and again while a thread asks for durations; each child asks for them too."""
    uploader, ended = new().open(), threading.Event()

    def asking() -> None:
        while not ended.is_set():
            record_durations(uploader, len)  # type: ignore[arg-type]

    thread = threading.Thread(target=asking, daemon=True)
    thread.start()
    for number in range(20):
        child = os.fork()
        if child == 0:
            signal.alarm(30)  # the end of one that hangs
            record_durations(uploader, len)  # type: ignore[arg-type]
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0, number
    ended.set()
    thread.join()
    uploader.close()
    tell("all")


if __name__ == "__main__":
    {one.__name__: one for one in (forgotten, exits, interrupted, forks, measured_and_forks, undelivered)}[
        sys.argv[1]
    ]()
