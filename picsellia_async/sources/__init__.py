"""Where frames come from: folders, manifests, result files, videos, cameras. Here are only the public names.

Every source is an async iterable of `Frame` (ready for the uploader) or of `Image` (to predict on). Nothing is read before the
iteration begins, and no more than is asked for; files are read and videos decoded in threads, never in the event loop.
"""

from picsellia_async.sources._errors import OnBad, SourceError
from picsellia_async.sources._image import Image
from picsellia_async.sources._source import Source
from picsellia_async.sources._thread_queue import Policy
from picsellia_async.sources.camera import Camera, CameraState, CameraStatistics, camera
from picsellia_async.sources.coco import coco_results
from picsellia_async.sources.directory import directory
from picsellia_async.sources.manifest import manifest
from picsellia_async.sources.video import Video, video
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
