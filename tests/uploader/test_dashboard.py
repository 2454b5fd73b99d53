"""The dashboard that the docs ship shows what is measured, all of it, and asks for nothing else."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from picsellia_async.metrics import (
    ATTEMPT_DURATION,
    CAMERA_METRICS,
    CLIENT_METRICS,
    FRAME_DURATION,
    PIPELINE_FRAME_DURATION,
    PIPELINE_METRICS,
    PREDICT_DURATION,
    UPLOADER_METRICS,
    prometheus_name,
)

DASHBOARD = Path(__file__).parent.parent.parent / "docs" / "examples" / "grafana-dashboard.json"
HISTOGRAMS = (FRAME_DURATION, ATTEMPT_DURATION, PREDICT_DURATION, PIPELINE_FRAME_DURATION)


def panels() -> list[dict[str, Any]]:
    return json.loads(DASHBOARD.read_text())["panels"]


def asked_for(panel: dict[str, Any]) -> set[str]:
    """Return the families that a panel's expressions name."""
    text = " ".join(target["expr"] for target in panel["targets"])
    names = re.findall(r"\b(?:picsellia_(?:uploader|client|camera|pipeline)|http_client)_[a-z_]+", text)
    histograms = {prometheus_name(metric) for metric in HISTOGRAMS}
    return {short if (short := re.sub("_(bucket|count|sum)$", "", name)) in histograms else name for name in names}


def test_each_metric_has_a_panel_and_each_panel_a_metric() -> None:
    """But for those by source: they are there only where they were asked for, and a dashboard of all would show nothing."""
    tables = (*UPLOADER_METRICS, *CLIENT_METRICS, *CAMERA_METRICS, *PIPELINE_METRICS, *HISTOGRAMS)
    asked = {panel["title"]: asked_for(panel) for panel in panels()}
    assert all(asked.values())
    assert set().union(*asked.values()) == {prometheus_name(metric) for metric in tables}


def test_panels_do_not_lie_over_each_other() -> None:
    """Each has a number of its own, and its place on the grid of 24 columns."""
    taken: dict[tuple[int, int], str] = {}
    for panel in panels():
        place = panel["gridPos"]
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert x < 24
                assert taken.setdefault((x, y), panel["title"]) == panel["title"]
    numbers = [panel["id"] for panel in panels()]
    assert len(set(numbers)) == len(numbers)
