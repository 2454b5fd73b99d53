"""A Celery worker that detects and monitors: celery -A celery_tasks worker."""

import os
from pathlib import Path

from celery import Celery
from celery.signals import worker_process_init, worker_process_shutdown

from picsellia_async import DetectionPredictionFormat, Frame, SyncUploader, image_size

app = Celery("tasks", broker=os.environ.get("BROKER", "redis://"))
if "QUEUE" in os.environ:  # a directory as the broker, to try it without one
    folders = {"data_folder_in": os.environ["QUEUE"], "data_folder_out": os.environ["QUEUE"]}
    app.conf.update(broker_url="filesystem://", broker_transport_options=folders)
uploader = SyncUploader(os.environ.get("DEPLOYMENT", "awesome-deploy"), close_timeout=10.0)  # starts nothing yet


@worker_process_init.connect
def start(**_: object) -> None:
    """Open it in each process of the pool, after the fork."""
    uploader.open()


@worker_process_shutdown.connect
def end(**_: object) -> None:
    """Deliver what this process has handed over."""
    uploader.close()


def detect(_image: bytes) -> DetectionPredictionFormat:
    """Your model. This one sees the same thing everywhere, in pictures of 220 x 110 pixels and more."""
    return DetectionPredictionFormat([0], [[10, 20, 110, 220]], [0.93])


@app.task
def monitor(path: str) -> None:
    """Detect on one picture; the uploader delivers in the background."""
    image = Path(path).read_bytes()
    width, height = image_size(image)
    uploader.submit(
        Frame(
            image=image,
            filename=Path(path).name,
            width=width,
            height=height,
            latency=0.021,
            prediction=detect(image),
        )
    )
