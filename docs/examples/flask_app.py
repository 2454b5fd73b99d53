"""A Flask application that detects and monitors, with as many threads as the server has: python flask_app.py."""

import os
import signal
import sys
import uuid
from typing import Any

from flask import Flask, request

from picsellia_async import ConfigurationError, DetectionPredictionFormat, Frame, SyncUploader, image_size

app = Flask(__name__)
uploader = SyncUploader(
    os.environ.get("DEPLOYMENT", "awesome-deploy"),
    when_full="drop_oldest",  # a request must not wait for the service
    close_timeout=10.0,  # less than the time between SIGTERM and SIGKILL
)


def detect(_image: bytes) -> DetectionPredictionFormat:
    """Your model. This one sees the same thing everywhere, in pictures of 220 x 110 pixels and more."""
    return DetectionPredictionFormat([0], [[10, 20, 110, 220]], [0.93])


@app.post("/cameras/<camera>/frames")
def frame(camera: str) -> Any:
    """Detect in this thread; monitoring follows in the background."""
    image = request.get_data()
    try:
        width, height = image_size(image)
        prediction = detect(image)
        uploader.submit(
            Frame(
                image=image,
                filename=f"{camera}-{uuid.uuid4()}.jpg",
                width=width,
                height=height,
                latency=0.021,
                prediction=prediction,
                source=camera,
            )
        )
    except ConfigurationError as error:
        return {"detail": str(error)}, 422
    return {"classes": prediction.detection_classes, "boxes": prediction.detection_boxes}


@app.get("/health")
def health() -> dict[str, Any]:
    """Tell how monitoring goes."""
    numbers = uploader.statistics()
    return {"monitoring": numbers.health, "pending": numbers.pending_frames, "delivered": numbers.delivered}


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # by itself SIGTERM ends Python without closing anything
    with uploader:
        app.run(port=int(os.environ.get("PORT", "5000")))
