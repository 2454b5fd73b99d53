"""Rows of monitoring and predicting."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from . import ids
from .row import FORMATS, MOMENT, RAW, TEXTS, Row, everything, made


def _by_format() -> list[Row]:
    rows = []
    for name in FORMATS:
        short = "detection" if name == "awesome-deploy" else name
        rows += [
            Row(
                f"monitor_bytes_{short}_minimal",
                "Deployment.monitor_bytes",
                lambda deployment, api, name=name: deployment.monitor_bytes(
                    RAW, "image/jpeg", "f.jpg", 0.25, 10, 20, made(api, name)
                ),
                deployment=name,
            ),
            Row(
                f"monitor_bytes_{short}_everything",
                "Deployment.monitor_bytes",
                lambda deployment, api, name=name: deployment.monitor_bytes(
                    raw_image=RAW,
                    content_type=api.SupportedContentType.PNG,
                    filename="f.png",
                    latency=1.0,
                    height=10,
                    width=20,
                    prediction=made(api, name, **TEXTS),
                    upload_dir="u/",
                    **everything(api, name),
                ),
                deployment=name,
            ),
            Row(
                f"monitor_bytes_{short}_empty",
                "Deployment.monitor_bytes",
                lambda deployment, api, name=name: deployment.monitor_bytes(
                    RAW,
                    "PNG",
                    "f.png",
                    0.0,
                    1,
                    1,
                    getattr(api, FORMATS[name][0])(**{field: [] for field in FORMATS[name][1]}),
                ),
                deployment=name,
            ),
            Row(
                f"monitor_shadow_{short}",
                "Deployment.monitor_shadow_from_oracle_prediction_id",
                lambda deployment, api, name=name: deployment.monitor_shadow_from_oracle_prediction_id(
                    ids.ORACLE_PREDICTION, 0.5, made(api, name, **TEXTS)
                ),
                deployment=name,
            ),
        ]
    return rows


MONITOR: Final = [
    Row(
        "monitor_minimal",
        "Deployment.monitor",
        lambda deployment, api, jpeg: deployment.monitor(jpeg, 0.25, 10, 20, made(api)),
    ),
    Row(
        "monitor_png_path_as_text",
        "Deployment.monitor",
        lambda deployment, api, png: deployment.monitor(str(png), 0.25, 10, 20, made(api)),
    ),
    Row(
        "monitor_positional",
        "Deployment.monitor",
        lambda deployment, api, jpeg: deployment.monitor(
            jpeg,
            0.25,
            10,
            20,
            made(api),
            "cam",
            ["t"],
            1.5,
            None,
            None,
            0.5,
            None,
            made(api),
            "image/png",
            {"weather": "rain"},
        ),
    ),
    Row(
        "monitor_everything",
        "Deployment.monitor",
        lambda deployment, api, jpeg: deployment.monitor(
            image_path=jpeg,
            latency=1.0,
            height=10,
            width=20,
            prediction=made(api, **TEXTS),
            content_type="jpeg",
            upload_dir="u/",
            **everything(api),
        ),
    ),
    Row(
        "monitor_deprecated_names",
        "Deployment.monitor",
        lambda deployment, api, jpeg, model_version: deployment.monitor(
            jpeg,
            1.0,
            10,
            20,
            made(api),
            model_version=model_version,
            shadow_model_version=model_version,
            shadow_latency=0.5,
            shadow_raw_predictions=made(api),
        ),
    ),
    Row(
        "monitor_empty_values_are_sent",
        "Deployment.monitor_bytes",
        lambda deployment, api: deployment.monitor_bytes(
            RAW,
            "image/JPEG",
            "f.jpg",
            0.0,
            1,
            1,
            made(api, detection_texts=[]),
            source="",
            tags=[],
            metadata={},
            custom_metadata={},
            timestamp=0.0,
            upload_dir="",
            sample=False,
            custom_metrics={},
        ),
    ),
    Row(
        "monitor_not_a_number",
        "Deployment.monitor_bytes",
        lambda deployment, api: deployment.monitor_bytes(
            RAW, "JPEG", "n.jpg", 0.5, 1, 1, made(api), custom_metrics={"loss": float("nan")}
        ),
    ),
    Row(
        "monitor_unicode_filename",
        "Deployment.monitor_bytes",
        lambda deployment, api: deployment.monitor_bytes(
            RAW, "JPEG", "d\u00e9p\u00f4t \u2603.jpg", 0.5, 1, 1, made(api)
        ),
    ),
    Row(
        "monitor_sampled",
        "Deployment.monitor_bytes",
        lambda deployment, api: deployment.monitor_bytes(RAW, "JPEG", "f.jpg", 0.5, 1, 1, made(api), sample=True),
    ),
    Row(
        "monitor_cloud_image_minimal",
        "Deployment.monitor_cloud_image",
        lambda deployment, api: deployment.monitor_cloud_image("dir/o.jpeg", 0.25, 10, 20, made(api), "image/jpeg"),
    ),
    Row(
        "monitor_cloud_image_everything",
        "Deployment.monitor_cloud_image",
        lambda deployment, api: deployment.monitor_cloud_image(
            object_name="dir/o.png",
            latency=0.25,
            height=10,
            width=20,
            prediction=made(api, **TEXTS),
            content_type=api.SupportedContentType.PNG,
            **everything(api),
        ),
    ),
    Row(
        "monitor_data_minimal",
        "Deployment.monitor_data",
        lambda deployment, api, data: deployment.monitor_data(data, 0.25, 10, 20, made(api)),
    ),
    Row(
        "monitor_data_everything",
        "Deployment.monitor_data",
        lambda deployment, api, data: deployment.monitor_data(
            data,
            0.25,
            10,
            20,
            made(api),
            tags=["t"],
            timestamp=1.5,
            shadow_latency=0.5,
            shadow_prediction=made(api),
            sample=True,
            custom_metrics={"q": 1},
        ),
    ),
    Row(
        "monitor_shadow_asset",
        "Deployment.monitor_shadow",
        lambda deployment, api, asset: deployment.monitor_shadow(asset, 0.5, made(api)),
    ),
    Row(
        "monitor_shadow_uuid",
        "Deployment.monitor_shadow_from_oracle_prediction_id",
        lambda deployment, api: deployment.monitor_shadow_from_oracle_prediction_id(
            UUID(ids.ORACLE_PREDICTION), 0.5, made(api)
        ),
    ),
    *_by_format(),
]


PREDICT: Final = [
    Row("predict_minimal", "Deployment.predict", lambda deployment, jpeg: deployment.predict(jpeg)),
    Row(
        "predict_documented",
        "Deployment.predict",
        lambda deployment, png: deployment.predict(str(png), tags=["gonna", "give"], source="camera-1"),
    ),
    Row(
        "predict_everything",
        "Deployment.predict",
        lambda deployment, jpeg, data_tag, source: deployment.predict(
            jpeg,
            tags=[data_tag, "plain"],
            source=source,
            metadata={"weather": "\u00e9", "list": [1, 2.5]},
            monitor=False,
            upload_dir="u/",
            custom_metadata={"z": "\u2603"},
            postprocess=False,
        ),
    ),
    Row(
        "predict_bytes_minimal",
        "Deployment.predict_bytes",
        lambda deployment: deployment.predict_bytes("f.jpg", RAW),
    ),
    Row(
        "predict_bytes_one_tag",
        "Deployment.predict_bytes",
        lambda deployment: deployment.predict_bytes("f.jpg", RAW, "one", "camera 1", {"a": 1}, True),
    ),
    Row(
        "predict_bytes_tag_object",
        "Deployment.predict_bytes",
        lambda deployment, data_tag: deployment.predict_bytes("f.jpg", RAW, tags=data_tag),
    ),
    Row(
        "predict_bytes_empty_values_are_dropped",
        "Deployment.predict_bytes",
        lambda deployment: deployment.predict_bytes(
            "f.jpg", RAW, tags=[], source="", metadata={}, custom_metadata={}, upload_dir=""
        ),
    ),
    Row(
        "predict_bytes_unicode_filename",
        "Deployment.predict_bytes",
        lambda deployment: deployment.predict_bytes("d\u00e9p\u00f4t \u2603.jpg", RAW),
    ),
    Row(
        "predict_bytes_unicode_text",
        "Deployment.predict_bytes",
        lambda deployment: deployment.predict_bytes("f.jpg", RAW, tags=["\u00e9t\u00e9"], source="d\u00e9p\u00f4t"),
    ),
    Row(
        "predict_cloud_image_minimal",
        "Deployment.predict_cloud_image",
        lambda deployment: deployment.predict_cloud_image("dir/o.jpeg"),
    ),
    Row(
        "predict_cloud_image_everything",
        "Deployment.predict_cloud_image",
        lambda deployment, source, data_tag: deployment.predict_cloud_image(
            "dir/o.jpeg",
            tags=["t", data_tag],
            source=source,
            metadata={"weather": "rain"},
            monitor=False,
            custom_metadata={"at": MOMENT},
            postprocess=False,
        ),
    ),
    Row(
        "predict_data_minimal",
        "Deployment.predict_data",
        lambda deployment, data: deployment.predict_data(data),
    ),
    Row(
        "predict_data_everything",
        "Deployment.predict_data",
        lambda deployment, data: deployment.predict_data(data, tags=["tag1", "tag2"], monitor=False, postprocess=False),
    ),
    Row(
        "predict_shadow_minimal",
        "Deployment.predict_shadow",
        lambda deployment, asset: deployment.predict_shadow(asset),
    ),
    Row(
        "predict_shadow_unmonitored",
        "Deployment.predict_shadow",
        lambda deployment, asset: deployment.predict_shadow(asset, monitor=False),
    ),
]
