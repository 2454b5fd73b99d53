"""Inputs of `picsellia-async monitor`, in folders of small pictures."""

from __future__ import annotations

import json
from pathlib import Path

from .sources import encoded

PREDICTION = {"detection_classes": [0], "detection_boxes": [[1, 2, 30, 40]], "detection_scores": [0.5]}


def pictures(folder: Path, count: int) -> list[str]:
    """Make a folder of so many pictures, twelve of them different; return their names."""
    folder.mkdir()
    names = [f"{number:03d}.jpg" for number in range(count)]
    for number, name in enumerate(names):
        (folder / name).write_bytes(encoded(value=20 * (number % 12)))
    return names


def write_manifest(folder: Path, count: int = 6) -> Path:
    """Make a folder of pictures, and a manifest of them in it."""
    lines = [json.dumps({"image": name, "prediction": PREDICTION}) for name in pictures(folder, count)]
    (folder / "m.jsonl").write_text("\n".join(lines))
    return folder / "m.jsonl"


def arguments_of(kind: str, folder: Path, count: int) -> list[str | Path]:
    """Make a folder of pictures with a manifest, COCO results or YOLO labels; return the arguments that name them."""
    if kind == "manifest":
        return ["--manifest", write_manifest(folder, count)]
    names = pictures(folder, count)
    if kind == "coco":
        results = [{"file_name": name, "category_id": 1, "bbox": [1, 2, 3, 4], "score": 0.5} for name in names]
        (folder / "r.json").write_text(json.dumps(results))
        return ["--coco", folder / "r.json", "--images", folder, "--class-numbers"]
    (folder / "labels").mkdir()
    for name in names:
        (folder / "labels" / name).with_suffix(".txt").write_text("1 0.5 0.5 0.5 0.5 0.9\n")
    return ["--yolo", folder / "labels", "--images", folder, "--class-numbers"]
