"""Watch a camera, detect on its frames, and monitor what was detected. Ctrl-C or SIGTERM ends it.

PICSELLIA_TOKEN=... SPOOL=/var/spool/cameras python watch_camera.py rtsp://user:password@10.0.0.7/main
"""

import asyncio
import contextlib
import os
import signal
import sys
from time import perf_counter
from typing import Any

from picsellia_async import AsyncClient, DetectionPredictionFormat
from picsellia_async.sources import camera


def detect(pixels: Any) -> DetectionPredictionFormat:
    """Your model: takes a numpy array of shape (height, width, 3), and may take its time. This one sees one thing."""
    height, width, _ = pixels.shape
    return DetectionPredictionFormat(
        detection_classes=[0],
        detection_boxes=[[0, 0, height // 2, width // 2]],  # top, left, bottom, right
        detection_scores=[0.93],
    )


async def watch(address: str) -> None:
    """Monitor every frame that the model has time for."""
    async with AsyncClient() as client:
        deployment = await client.get_deployment(os.environ.get("DEPLOYMENT", "awesome-deploy"))
        uploader = deployment.uploader(
            when_full="drop_oldest",  # a camera does not wait
            spool=os.environ.get("SPOOL") or None,  # with a directory, an outage loses nothing
            close_timeout=10.0,
        )
        try:
            async with uploader, camera(address, pixels="rgb") as frames:
                async for image in frames:
                    begun = perf_counter()
                    # In a thread: a model in the event loop would hold up the camera and the uploads.
                    prediction = await asyncio.to_thread(detect, image.pixels)
                    await uploader.submit(image.with_prediction(prediction, latency=perf_counter() - begun))
        finally:
            report = uploader.report
            print(
                f"{report.delivered} of {report.accepted} frames delivered, {report.rejected} rejected, "
                f"{report.dropped} dropped, {report.spooled} in the spool"
            )


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))  # what supervisors send
    with contextlib.suppress(KeyboardInterrupt):  # asked to end; by now the report is printed
        asyncio.run(watch(sys.argv[1]))
