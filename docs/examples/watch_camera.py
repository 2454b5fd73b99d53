"""Run a model on cameras and monitor what it finds, until Ctrl-C or SIGTERM: python watch_camera.py rtsp://10.0.0.7/main ..."""

import asyncio
import os
import sys
from typing import Any

from picsellia_async import AsyncClient, DetectionPredictionFormat, Pipeline
from picsellia_async.sources import camera


def detect(pixels: Any) -> DetectionPredictionFormat:
    """Your model: a numpy array of height x width x 3 in, classes, boxes and scores out. This one sees one thing."""
    height, width, _ = pixels.shape
    return DetectionPredictionFormat([0], [[0, 0, height // 2, width // 2]], [0.93])


async def main() -> None:
    """Run until a signal comes."""
    async with AsyncClient() as client:  # PICSELLIA_TOKEN, PICSELLIA_HOST ...
        deployment = await client.get_deployment("awesome-deploy")
        cameras = [camera(address, pixels="rgb") for address in sys.argv[1:]]
        uploader = deployment.uploader(spool=os.environ.get("SPOOL"))  # a directory: an outage loses nothing
        async with Pipeline(cameras, detect, uploader) as pipeline:
            print(await pipeline.run())


try:
    asyncio.run(main())
except KeyboardInterrupt:  # before it runs: the service is down, for instance
    sys.exit(130)
