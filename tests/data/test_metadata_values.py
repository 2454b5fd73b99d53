"""What metadata may hold: JSON's values and numpy's and torch's, for what they are. All else is refused where the options are made."""

from __future__ import annotations

import array
import dataclasses
import datetime
import decimal
import json
import uuid
from typing import Any

import numpy as np
import pytest

from picsellia_async import AsyncDeployment, ConfigurationError, DetectionPredictionFormat, Frame, ImplausibleError
from picsellia_async._wire.oracle_requests import monitor_metadata
from picsellia_async.monitor_options import MonitorOptions

from ..support.images import jpeg

GOOD: dict[str, Any] = {
    "filename": "a.jpg", "width": 64, "height": 48, "latency": 0.1,
    "prediction": DetectionPredictionFormat([0], [[1, 2, 3, 4]], [0.5]),
}  # fmt: skip
NAMES = ("metadata", "custom_metadata", "custom_metrics")


class Tensor:
    """A tensor of torch, as far as it is looked at: it has no `copy`, and a dtype that is none of numpy's."""

    dtype = object()
    ndim = 1

    def tolist(self) -> list[float]:
        return [0.5, 1.0]


def _name(value: Any) -> str:
    """Name a value; without its address, which each of several test processes has another one for."""
    return type(value).__name__ if " object at 0x" in repr(value) else repr(value)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (np.float32(1.5), 1.5), (np.int64(3), 3), (np.bool_(True), True), (np.longdouble(0.25), 0.25),
        (np.array([1.5, 2.5], np.float32), [1.5, 2.5]), (np.array(["a", "b"]), ["a", "b"]), (np.array(7), 7),
        (np.str_("x"), "x"), ({np.str_("k"): 1}, {"k": 1}), ((1, (2,)), [1, [2]]), (Tensor(), [0.5, 1.0]),
        (array.array("d", [0.5, 1.0]), [0.5, 1.0]),
        (uuid.UUID(int=1), str(uuid.UUID(int=1))), (datetime.date(2024, 1, 2), "2024-01-02"), (2**63, 2**63),
        (None, None), ("ü", "ü"),
    ],
    ids=_name,
)  # fmt: skip
def test_what_has_a_json_form_is_written_in_it(value: Any, written: Any) -> None:
    """In each of the three dicts, at any depth; a frame is the same."""
    for name in NAMES:
        options = MonitorOptions(**GOOD, **{name: {"a": [value]}})
        assert json.loads(monitor_metadata(options))[name] == {"a": [written]}
    frame = Frame(**GOOD, image=jpeg(), custom_metrics={"a": value})
    assert json.loads(monitor_metadata(frame))["custom_metrics"] == {"a": written}


@pytest.mark.parametrize(
    "value",
    [
        b"x", {1}, 2**64, -(2**63) - 1, {1: 2}, {None: 1}, {True: 1}, "\ud800", {"\ud800": 1}, 1j, object(),
        decimal.Decimal(1), np.datetime64("NaT", "ns"), np.array(["2024-01-02", "NaT"], "datetime64[D]"), np.ma.masked_array([1.0, 2.0], [True, False]),
    ],
    ids=_name,
)  # fmt: skip
def test_what_has_none_is_refused_by_name(value: Any) -> None:
    """Where the options and the frame are made, whatever the checks are: there is nothing that could be sent."""
    for name in NAMES:
        for make in (
            lambda fields: MonitorOptions(**GOOD, **fields),
            lambda fields: Frame(**GOOD, image=jpeg(), checks="off", **fields),
        ):
            with pytest.raises(ConfigurationError, match=name):
                make({name: {"a": [0, value]}})


@dataclasses.dataclass
class Box:
    x: float
    sides: list[int]
    _hidden: int = 0


def test_dataclasses_are_copied() -> None:
    """One object that is filled anew for each frame changes none that was made."""
    box = Box(1.0, [1])
    frame = Frame(**GOOD, image=jpeg(), custom_metadata={"box": box})
    box.x, box.sides[0] = 2.0, 2
    assert json.loads(monitor_metadata(frame))["custom_metadata"] == {"box": {"x": 1.0, "sides": [1]}}


def test_no_number_in_a_dataclass_is_refused() -> None:
    """Null would be stored."""
    with pytest.raises(ImplausibleError, match=r"custom_metadata\['box'\]\['x'\] is NaN or infinite"):
        Frame(**GOOD, image=jpeg(), custom_metadata={"box": Box(float("nan"), [])})


@pytest.mark.anyio
async def test_unchecked_no_number_is_null(deployment: AsyncDeployment) -> None:
    """As the vendor's SDK sends it, for frames and calls."""
    frame = Frame(**GOOD, image=jpeg(), custom_metadata={"no": float("nan")}, checks="off")
    assert json.loads(monitor_metadata(frame))["custom_metadata"] == {"no": None}
    unchecked = deployment.with_options(checks="off")
    fields = {**GOOD, "raw_image": jpeg(), "content_type": "image/jpeg", "custom_metadata": {"no": float("inf")}}
    await unchecked.monitor_bytes(**fields)
    assert (await deployment.find_predicted_asset(filename="a.jpg")).custom_metadata == {"no": None}
