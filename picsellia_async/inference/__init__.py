"""Models in files, run here: what a pipeline calls. Here are only the public names."""

from picsellia_async.inference.onnx_model import OnnxModel

__all__ = ["OnnxModel"]
