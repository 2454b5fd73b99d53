"""The register of faults: its JSON, and what it refuses."""

from __future__ import annotations

import re

import attrs
import pytest

from picsellia_async.emulator.transport.fault import CHOOSING, EFFECTIVE, Fault, FaultKind
from picsellia_async.emulator.transport.fault_register import Faults
from picsellia_async.emulator.transport.safe_pattern import compile_safely
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
    ("data", "message"),
    [
        ({"kind": "nonsense"}, "stored_then_dropped"),
        ({"status": 500}, "kind None is unknown"),
        ({"kind": "html", "what": 1}, "what"),
        ({"kind": "html", "probability": 2}, "probability must be at most 1"),
        ({"kind": "html", "probability": "0.5"}, "probability must be a number"),
        ({"kind": "html", "status": 99999}, "status must be 200 to 599"),
        ({"kind": "html", "status": -1}, "status must be at least 0"),
        ({"kind": "html", "times": 0}, "times must be at least 1"),
        ({"kind": "html", "times": 1.5}, "times must be a whole number"),
        ({"kind": "html", "skip": -1}, "skip must be at least 0"),
        ({"kind": "html", "retry_after": -1}, "retry_after must be at least 0"),
        ({"kind": "html", "retry_after_form": "minutes"}, "retry_after_form"),
        ({"kind": "html", "service": "oracel"}, "accepted are platform, oracle, serving, storage"),
        ({"kind": "html", "endpoint": "monitr"}, "'monitr' is unknown"),
        ({"kind": "html", "match": "("}, "is not a regular expression"),
        ({"kind": "reset", "after_bytes": -1}, "after_bytes must be at least 0"),
        ({"kind": "reset", "after_fraction": 1.1}, "after_fraction must be at most 1"),
        ({"kind": "reset", "after_bytes": 1, "after_fraction": 0.5}, "say the same"),
        ({"kind": "reset", "direction": "sideways"}, "direction"),
        ({"kind": "drip", "bytes_per_second": 0}, "bytes_per_second must be at least 1"),
        ({"kind": "rate_limit", "limit": 0}, "must not be 0"),
        ({"kind": "latency"}, "needs Fault.seconds"),
        ({"kind": "latency", "seconds": -1}, "seconds must be at least 0"),
        ({"kind": "capacity", "limit": 2}, "needs Fault.seconds"),
        (
            {"kind": "latency", "seconds": 1, "status": 503},
            "Fault.status has no effect on latency; its fields are: jitter, seconds",
        ),
        ({"kind": "garbage", "status": 200}, "none of its own"),
        ([], "one JSON object or a list"),
        (3, "one JSON object or a list"),
        ([{"kind": "html", "id": "a"}, {"kind": "html", "id": "a"}], "already scripted"),
    ],
)
def test_bad_scripts_are_refused(data: object, message: str) -> None:
    """What is unknown, out of range, incomplete or without effect is a ConfigurationError that says so, and scripts nothing."""
    faults = Faults()
    with pytest.raises(ConfigurationError, match=re.escape(message)):
        faults.add_json(data)
    assert len(faults) == 0


@pytest.mark.parametrize("kind", FaultKind)
def test_every_kind_has_its_fields(kind: FaultKind) -> None:
    """Each field is looked at by one kind at least, and each kind says which it looks at."""
    assert EFFECTIVE[kind] >= CHOOSING
    named = {field.name for field in attrs.fields(Fault)} - {"kind", "id"}
    assert frozenset[str]().union(*EFFECTIVE.values()) == named


@pytest.mark.parametrize(
    "pattern",
    [r"^POST /api/deployment/[^/]+/predictions$", r"^(GET|POST) /storage/.*", r"/v\d{1,3}/(?:a|b)?$", r"[(+*|)]+x\(+"],
)
def test_patterns_that_one_would_write_are_taken(pattern: str) -> None:
    """Segments, choices and character classes."""
    assert compile_safely(pattern, "match").pattern == pattern


@pytest.mark.parametrize(
    "pattern", ["(a+)+$", "(a|aa)*$", "((a)*b)*", "(?:x+y?){2,}", "(.*a){12}", ".*.*.*.*.*x", "a" * 501, "(" * 300]
)
def test_patterns_that_would_hold_the_loop_are_refused(pattern: str) -> None:
    """A repeat within a repeat takes exponential time on a text that nearly matches."""
    with pytest.raises(ConfigurationError, match="match"):
        compile_safely(pattern, "match")
