"""What an account's services answer, kept as shapes without its data, and where the emulator answers otherwise."""

from __future__ import annotations

from picsellia_async.conformance.cassette import Cassette, RecordedAnswer
from picsellia_async.conformance.comparison import Difference, compare, undecided
from picsellia_async.conformance.emulated import emulated
from picsellia_async.conformance.recording import record
from picsellia_async.conformance.shapes import Shape

__all__ = ["Cassette", "Difference", "RecordedAnswer", "Shape", "compare", "emulated", "record", "undecided"]
