"""The register of faults: its JSON, and what it refuses."""

from __future__ import annotations

import pytest

from picsellia_async.emulator.transport.faults import Fault, FaultKind, Faults
from picsellia_async.errors import ConfigurationError

from ..support.raw_http import MONITOR_PATH


def test_json_round_trip() -> None:
    """A fault survives its JSON form, and the register tells script and account."""
    fault = Fault(kind="stall", endpoint="monitor", after_bytes=3, seconds=1.5, times=2, seed=1)
    assert Fault.from_json(fault.to_json()) == fault
    faults = Faults()
    assert faults.add_json([fault.to_json(), {"kind": "html"}])[1].kind is FaultKind.HTML
    faults.record(fault, faults.request("POST", MONITOR_PATH))
    told = faults.to_json()
    assert told["counts"] == {"stall": 1}
    assert [item["fired"] for item in told["faults"]] == [1, 0]
    assert told["account"][0]["endpoint"] == "monitor"
    assert faults.remove(fault.id)
    assert not faults.remove(fault.id)
    assert [fault.kind for fault in faults] == [FaultKind.HTML]


@pytest.mark.parametrize(
    "data",
    [
        {"kind": "nonsense"},
        {"kind": "html", "what": 1},
        {"kind": "html", "probability": 2},
        {"kind": "html", "match": "("},
        [],
        3,
    ],
)
def test_bad_scripts_are_refused(data: object) -> None:
    """An unknown kind or field, a value out of range or a bad pattern is a ConfigurationError, and scripts nothing."""
    faults = Faults()
    with pytest.raises(ConfigurationError):
        faults.add_json(data)
    assert len(faults) == 0
