"""Arguments of predicting and monitoring that cannot be right."""

from __future__ import annotations

from typing import Final

from . import answers, ids
from .bad_input import NAIVE, BadInput, boxes, monitored
from .row import RAW

PREDICT: Final = [
    BadInput("predict: no such file", lambda deployment: deployment.predict("no/such.png"), ("such.png",)),
    BadInput("predict: a directory", lambda deployment, directory: deployment.predict(directory), ("directory",)),
    BadInput("predict: None", lambda deployment: deployment.predict(None), ("file_path",)),
    BadInput("predict: bytes", lambda deployment: deployment.predict(RAW), ("file_path",)),
    BadInput("predict: tag of the wrong type", lambda deployment, jpeg: deployment.predict(jpeg, [1]), ("tags",)),
    BadInput(
        "predict: source of the wrong type", lambda deployment, jpeg: deployment.predict(jpeg, source=3), ("source",)
    ),
    BadInput(
        "predict: metadata as text", lambda deployment, jpeg: deployment.predict(jpeg, metadata="m"), ("metadata",)
    ),
    BadInput("predict: monitor as text", lambda deployment, jpeg: deployment.predict(jpeg, monitor="no"), ("monitor",)),
    BadInput(
        "predict_bytes: text for bytes", lambda deployment: deployment.predict_bytes("f.jpg", "raw"), ("raw_image",)
    ),
    BadInput("predict_bytes: no bytes", lambda deployment: deployment.predict_bytes("f.jpg", b""), ("raw_image",)),
    BadInput("predict_bytes: swapped", lambda deployment: deployment.predict_bytes(RAW, "f.jpg"), ()),
    BadInput("predict_bytes: empty filename", lambda deployment: deployment.predict_bytes("", RAW), ("filename",)),
    BadInput(
        "predict_bytes: postprocess as text",
        lambda deployment: deployment.predict_bytes("f.jpg", RAW, postprocess="no"),
        ("postprocess",),
    ),
    BadInput("predict_cloud_image: empty", lambda deployment: deployment.predict_cloud_image(""), ("object_name",)),
    BadInput("predict_cloud_image: None", lambda deployment: deployment.predict_cloud_image(None), ("object_name",)),
    BadInput(
        "predict_cloud_image: a data",
        lambda deployment, data: deployment.predict_cloud_image(data),
        ("object_name",),
    ),
    BadInput("predict_data: an asset", lambda deployment, asset: deployment.predict_data(asset), ("data", "Data")),
    BadInput("predict_data: an id", lambda deployment: deployment.predict_data(ids.DATA), ("data", "Data")),
    BadInput(
        "predict_shadow: a data",
        lambda deployment, data: deployment.predict_shadow(data),
        ("predicted_asset", "PredictedAsset"),
    ),
    BadInput(
        "predict_shadow: monitor as text",
        lambda deployment, asset: deployment.predict_shadow(asset, "no"),
        ("monitor",),
    ),
]


MONITOR: Final = [
    BadInput(
        "monitor: no such file",
        lambda deployment, api: deployment.monitor("no/such.jpg", 0.5, 1, 1, boxes(api)),
        ("such.jpg",),
    ),
    BadInput(
        "monitor: a directory",
        lambda deployment, api, directory: deployment.monitor(
            directory, 0.5, 1, 1, boxes(api), content_type="image/png"
        ),
        ("directory",),
    ),
    BadInput(
        "monitor: extension of another format",
        lambda deployment, api: deployment.monitor("f.webp", 0.5, 1, 1, boxes(api)),
        ("f.webp", "is WebP", "JPEG and PNG"),
        "ContentTypeUnknown",
    ),
    BadInput(
        "monitor: two shadow predictions",
        lambda deployment, api, jpeg: deployment.monitor(
            jpeg,
            0.5,
            1,
            1,
            boxes(api),
            shadow_latency=0.5,
            shadow_prediction=boxes(api),
            shadow_raw_predictions=boxes(api),
        ),
        ("shadow_prediction", "shadow_raw_predictions"),
    ),
    BadInput(
        "monitor: bytes in place of a path",
        lambda deployment, api: deployment.monitor(RAW, 0.5, 1, 1, boxes(api), content_type="jpeg"),
        ("image_path",),
    ),
    monitored("text for bytes", ("raw_image",), raw_image="raw"),
    monitored("no bytes", ("raw_image",), raw_image=b""),
    monitored("content type of another format", ("image/webp",), "ContentTypeUnknown", content_type="image/webp"),
    monitored("image/jpg, which is no type", ("image/jpg",), "ContentTypeUnknown", content_type="image/jpg"),
    monitored("content type of the wrong type", ("content_type",), "ContentTypeUnknown", content_type=3),
    monitored("empty filename", ("filename",), filename=""),
    monitored("latency as text", ("latency",), latency="fast"),
    monitored("negative latency", ("latency", "-1"), latency=-1.0),
    monitored("latency not a number", ("latency", "nan"), latency=float("nan")),
    monitored("height zero", ("height", "0"), height=0),
    monitored("width with a fraction", ("width", "1.5"), width=1.5),
    monitored("width as bool", ("width",), width=True),
    monitored("prediction as dict", ("prediction",), prediction={"detection_classes": []}),
    monitored("source of the wrong type", ("source",), source=3),
    monitored("one tag in place of a list", ("tags", "night"), tags="night"),
    monitored("tag of the wrong type", ("tags[1]",), tags=["a", 1]),
    monitored("metadata as list", ("metadata",), metadata=[1]),
    monitored("custom metadata with other keys", ("custom_metadata",), custom_metadata={1: "a"}),
    monitored("metadata without JSON form", ("JSON",), metadata={"a": object()}),
    monitored("timestamp without zone", ("timestamp", "zone"), timestamp=NAIVE),
    monitored("timestamp as text", ("timestamp",), timestamp="now"),
    monitored("shadow latency alone", ("shadow_latency", "shadow_prediction"), shadow_latency=0.5),
    monitored("sample as text", ("sample",), sample="yes"),
    monitored("custom metrics as list", ("custom_metrics",), custom_metrics=[1]),
    monitored("upload directory of the wrong type", ("upload_dir",), upload_dir=3),
    BadInput(
        "monitor_bytes: shadow prediction alone",
        lambda deployment, api: deployment.monitor_bytes(
            RAW, "jpeg", "f.jpg", 0.5, 1, 1, boxes(api), shadow_prediction=boxes(api)
        ),
        ("shadow_latency", "shadow_prediction"),
    ),
    BadInput(
        "monitor_bytes: format of another deployment type",
        lambda deployment, api: deployment.monitor_bytes(RAW, "jpeg", "f.jpg", 0.5, 1, 1, boxes(api)),
        ("OBJECT_DETECTION", "SEGMENTATION"),
        deployment="segmentation",
    ),
    BadInput(
        "monitor_bytes: shadow format of another deployment type",
        lambda deployment, api: deployment.monitor_bytes(
            RAW,
            "jpeg",
            "f.jpg",
            0.5,
            1,
            1,
            boxes(api),
            shadow_latency=0.5,
            shadow_prediction=api.ClassificationPredictionFormat([1], [0.5]),
        ),
        ("shadow_prediction", "OBJECT_DETECTION", "CLASSIFICATION"),
    ),
    BadInput(
        "monitor_bytes: no monitoring host",
        lambda deployment, api: deployment.monitor_bytes(RAW, "jpeg", "f.jpg", 0.5, 1, 1, boxes(api)),
        ("monitoring",),
        "HostNotConfiguredError",
        deployment=answers.NOT_CONNECTED,
    ),
    BadInput(
        "predict_bytes: no serving host",
        lambda deployment: deployment.predict_bytes("f.jpg", RAW),
        ("serving",),
        "HostNotConfiguredError",
        deployment=answers.NOT_CONNECTED,
    ),
    BadInput(
        "monitor_cloud_image: empty object name",
        lambda deployment, api: deployment.monitor_cloud_image("", 0.5, 1, 1, boxes(api), "jpeg"),
        ("object_name",),
    ),
    BadInput(
        "monitor_cloud_image: content type of another format",
        lambda deployment, api: deployment.monitor_cloud_image("d/o.gif", 0.5, 1, 1, boxes(api), "gif"),
        ("gif",),
        "ContentTypeUnknown",
    ),
    BadInput(
        "monitor_data: an asset",
        lambda deployment, api, asset: deployment.monitor_data(asset, 0.5, 1, 1, boxes(api)),
        ("data", "Data"),
    ),
    BadInput(
        "monitor_shadow: a data",
        lambda deployment, api, data: deployment.monitor_shadow(data, 0.5, boxes(api)),
        ("predicted_asset", "PredictedAsset"),
    ),
    BadInput(
        "monitor_shadow: prediction as dict",
        lambda deployment, asset: deployment.monitor_shadow(asset, 0.5, {}),
        ("shadow_prediction",),
    ),
    BadInput(
        "monitor_shadow: format of another deployment type",
        lambda deployment, api, asset: deployment.monitor_shadow(
            asset, 0.5, api.ClassificationPredictionFormat([1], [0.5])
        ),
        ("OBJECT_DETECTION", "CLASSIFICATION"),
    ),
    BadInput(
        "monitor_shadow_from_oracle_prediction_id: no UUID",
        lambda deployment, api: deployment.monitor_shadow_from_oracle_prediction_id("17", 0.5, boxes(api)),
        ("oracle_prediction_id", "17", "UUID"),
    ),
    BadInput(
        "monitor_shadow_from_oracle_prediction_id: latency as text",
        lambda deployment, api: deployment.monitor_shadow_from_oracle_prediction_id(
            ids.ORACLE_PREDICTION, "slow", boxes(api)
        ),
        ("shadow_latency",),
    ),
]


MANY: Final = [
    BadInput(
        "monitor_many: concurrency 0", lambda deployment: deployment.monitor_many([], concurrency=0), ("concurrency",)
    ),
    BadInput(
        "monitor_many: unknown policy",
        lambda deployment: deployment.monitor_many([], when_full="explode"),
        ("explode", "wait", "raise", "drop_newest", "drop_oldest"),
    ),
    BadInput("monitor_many: no iterable", lambda deployment: deployment.monitor_many(3), ("frames",)),
    BadInput("monitor_many: not frames", lambda deployment: deployment.monitor_many([RAW]), ("Frame",)),
]
