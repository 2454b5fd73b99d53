"""The main calls of the vendor's SDK of any version against an emulator, run by that version's own interpreter.

`python vendor_script.py URL API_TOKEN DEPLOYMENT PICTURE`, without our package: prints one JSON object with what it saw.
"""

from __future__ import annotations

import json
import sys

import picsellia
from picsellia.types.schemas_prediction import DetectionPredictionFormat


def main(url: str, api_token: str, name: str, picture: str) -> None:
    """Monitor and predict by file, by bytes and by the name of a stored object; read what monitoring knows."""
    client = picsellia.Client(api_token=api_token, host=url)
    deployment = client.get_deployment(name)
    box = DetectionPredictionFormat(detection_classes=[0], detection_scores=[0.9], detection_boxes=[[1, 2, 3, 4]])
    with open(picture, "rb") as file:  # noqa: PTH123 - the vendor's oldest Pythons
        raw = file.read()
    monitored = deployment.monitor(picture, 0.1, 10, 20, box, tags=["cool"], source="camera")
    by_bytes = deployment.monitor_bytes(raw, "image/png", "bytes.png", 0.1, 10, 20, box)
    predicted = deployment.predict(picture, tags=["cool"], source="camera")
    predicted_bytes = deployment.predict_bytes("p.png", raw, tags=["cool"], source="camera")
    stored = deployment.predict_cloud_image("directory/s3/object-name.jpeg", tags=["cool"])
    seen = {
        "stored": sorted(stored),
        "monitored": bool(monitored["id"]),
        "by_bytes": bool(by_bytes["id"]),
        "predicted": sorted(predicted),
        "predicted_bytes": sorted(predicted_bytes),
        "information": sorted(deployment.retrieve_information()),
    }
    print(json.dumps(seen))  # noqa: T201 - what the caller reads


main(*sys.argv[1:])
