"""Where frames come from: folders, manifests, result files, videos, cameras. Here are only the public names.

Every source is an async iterable of `Frame` (ready for the uploader) or of `Image` (to predict on). Nothing is read before the
iteration begins, and no more than is asked for; files are read and videos decoded in threads, never in the event loop.
"""

from picsellia_async.sources.coco import coco_results
from picsellia_async.sources.conveyor import Policy
from picsellia_async.sources.folder import directory
from picsellia_async.sources.image import Image
from picsellia_async.sources.json_lines import manifest
from picsellia_async.sources.live import Camera, CameraState, CameraStatistics, camera
from picsellia_async.sources.problems import OnBad, SourceError
from picsellia_async.sources.recording import Video, video
from picsellia_async.sources.source import Source
from picsellia_async.sources.yolo import yolo_labels

__all__ = [
    "Camera",
    "CameraState",
    "CameraStatistics",
    "Image",
    "OnBad",
    "Policy",
    "Source",
    "SourceError",
    "Video",
    "camera",
    "coco_results",
    "directory",
    "manifest",
    "video",
    "yolo_labels",
]
