"""Tiny ONNX models that give known outputs for every picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

YOLO8_CELLS = 84
"""Boxes of YOLOv8 with an input of 64 x 64: 8 x 8, 4 x 4 and 2 x 2 cells."""
TYPES = {"float32": TensorProto.FLOAT, "float16": TensorProto.FLOAT16, "uint8": TensorProto.UINT8}


def save_model(
    path: Path,
    outputs: dict[str, Any],
    *,
    shape: Any = (1, 3, 64, 64),
    dtype: str = "float32",
    inputs: int = 1,
    metadata: dict[str, str] | None = None,
) -> Path:
    """Write a model with these outputs, whatever it is given; names of dimensions may have any size."""
    nodes = [
        helper.make_node("Constant", [], [name], value=numpy_helper.from_array(np.asarray(value)))
        for name, value in outputs.items()
    ]
    graph = helper.make_graph(
        nodes,
        "known",
        [helper.make_tensor_value_info(f"images{i or ''}", TYPES[dtype], list(shape)) for i in range(inputs)],
        [
            helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.asarray(value).dtype), None)
            for name, value in outputs.items()
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    helper.set_model_props(model, metadata or {})
    onnx.save(model, str(path))
    return path


def save_model_of_side(path: Path, output: dict[str, Any], side: int) -> Path:
    """Write a model that says it takes pictures of any size, and fails with another one than its own, as some exports do."""
    ((name, value),) = output.items()
    values = {"known": np.asarray(value), "shape": np.array([1, 3, side, side]), "zero": np.zeros((), np.float32)}
    nodes = [
        *[helper.make_node("Constant", [], [key], value=numpy_helper.from_array(one)) for key, one in values.items()],
        helper.make_node("Reshape", ["images", "shape"], ["shaped"]),
        helper.make_node("ReduceMax", ["shaped"], ["most"], keepdims=0),
        helper.make_node("Mul", ["most", "zero"], ["nothing"]),
        helper.make_node("Add", ["known", "nothing"], [name]),
    ]
    graph = helper.make_graph(
        nodes,
        "sized",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, "h", "w"])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None)],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), str(path))
    return path


def yolo8(rows: list[list[float]], cells: int = YOLO8_CELLS) -> dict[str, Any]:
    """Return YOLOv8's output: rows of center x, center y, width, height and a score per class, on their side."""
    table = np.zeros((cells, len(rows[0])), np.float32)
    table[: len(rows)] = rows
    return {"output0": table.T[None]}


def yolo5(rows: list[list[float]]) -> dict[str, Any]:
    """Return YOLOv5's output: the same upright, with objectness before the scores."""
    table = np.zeros((3 * YOLO8_CELLS, len(rows[0])), np.float32)
    table[: len(rows)] = rows
    return {"output": table[None]}
