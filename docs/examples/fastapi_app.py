"""A service that detects on the frames of cameras, and monitors what it detected in the background.

SPOOL=/var/spool/cameras uvicorn fastapi_app:app --timeout-graceful-shutdown 5
"""

import asyncio
import logging
import os
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import perf_counter
from typing import Any

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse

from picsellia_async import (
    AsyncClient,
    ConfigurationError,
    DetectionPredictionFormat,
    Frame,
    PicselliaError,
    image_size,
)

# uvicorn sets up the logging of its own lines alone: those of the SDK would come without time and level, and INFO not at all.
logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
logging.getLogger("picsellia_async").setLevel(logging.INFO)
logger = logging.getLogger("uvicorn.error")


def detect(_image: bytes) -> DetectionPredictionFormat:
    """Your model. This one sees the same thing everywhere, in pictures of 220 x 110 pixels and more."""
    return DetectionPredictionFormat(
        detection_classes=[0], detection_boxes=[[10, 20, 110, 220]], detection_scores=[0.93]
    )


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[dict[str, Any]]:
    """Hold one client and one uploader for as long as the service runs."""
    refused: Counter[str] = Counter()  # frames that never were: the uploader, and its metrics, know nothing of them
    async with AsyncClient() as client:
        deployment = await client.get_deployment(os.environ.get("DEPLOYMENT", "awesome-deploy"))
        uploader = deployment.uploader(
            concurrency="auto",
            when_full="drop_oldest",  # a handler must not wait for the service
            ordered_by="source",
            spool=os.environ.get("SPOOL") or None,
            durability="interval",
            close_timeout=10.0,  # less than the time between SIGTERM and SIGKILL
        )
        async with uploader:
            yield {"deployment": deployment, "uploader": uploader, "refused": refused}
    report = uploader.report
    logger.info(
        "monitored %d of %d frames, %d rejected, %d dropped, %d left in the spool; %d refused before",
        report.delivered, report.accepted, report.rejected, report.dropped, report.spooled, refused.total(),
    )  # fmt: skip


app = FastAPI(lifespan=lifespan)


def refuse(request: Request, what: str, camera: str, error: Exception) -> None:
    """Count a frame that is refused; the log has the first of a kind, the second, the fourth, the eighth, and so on."""
    request.state.refused[what] += 1
    count = request.state.refused[what]
    if count.bit_count() == 1:
        logger.warning("a frame of %r is refused (%s, %d so far): %s", camera, what, count, error)


@app.post("/cameras/{camera}/frames")
async def frame(camera: str, request: Request) -> Any:
    """Detect with the model in this process; monitoring follows in the background."""
    image = await request.body()
    try:
        width, height = image_size(image)
    except ConfigurationError as error:  # neither JPEG nor PNG
        refuse(request, "image", camera, error)
        raise HTTPException(422, str(error)) from error
    extension = "png" if image.startswith(b"\x89PNG") else "jpg"
    begun = perf_counter()
    prediction = await asyncio.to_thread(detect, image)  # in the event loop it would hold up all other requests
    latency = perf_counter() - begun
    answer = {"classes": prediction.detection_classes, "boxes": prediction.detection_boxes}
    try:
        monitored = Frame(
            image=image,
            filename=f"{camera}-{uuid.uuid4()}.{extension}",
            width=width,
            height=height,
            latency=latency,
            prediction=prediction,
            source=camera,
        )
        await request.state.uploader.submit(monitored)
    except (
        ConfigurationError
    ) as error:  # an image that is cut off, a box beyond it: refused, and the answer still given
        refuse(request, "frame", camera, error)
        return JSONResponse({**answer, "detail": str(error)}, 422)
    except PicselliaError:  # closing, a disk that fails: not the fault of who asks; the uploader counts and tells it
        pass
    return answer


@app.post("/predict")
async def predict(request: Request) -> Any:
    """Let the deployment's model predict; a service that is slow or down is told within two seconds."""
    try:
        async with asyncio.timeout(2.0):
            return await request.state.deployment.predict_bytes("frame.jpg", await request.body(), monitor=False)
    except ConfigurationError as error:  # no image, or one that is no JPEG or PNG: the caller's
        raise HTTPException(422, str(error)) from error
    except (PicselliaError, TimeoutError) as error:
        raise HTTPException(503, f"no prediction: {str(error) or 'it took too long'}") from error


@app.get("/health")
async def health(request: Request) -> dict[str, Any]:
    """Tell how monitoring goes; the service itself works either way."""
    numbers = request.state.uploader.statistics()
    return {
        "monitoring": numbers.health,
        "pending": numbers.pending_frames,
        "accepted": numbers.accepted,
        "delivered": numbers.delivered,
        "rejected": numbers.rejected,
        "dropped": numbers.dropped,
        "refused": request.state.refused,
    }
