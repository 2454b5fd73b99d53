"""Segments of which little is left are copied into one: frames that stay behind must not hold the room of those that went."""

from __future__ import annotations

import os
from collections.abc import Sequence

from picsellia_async._delivery.spool import disk
from picsellia_async._delivery.spool.record import unpack_reason
from picsellia_async._delivery.spool.segment import FIRST_AT, PENDING, REJECTED, SLOTS, Segment, new_nonce
from picsellia_async._delivery.spool.segments import Segments
from picsellia_async._delivery.spool.spool_directory import SpoolDirectory


def find_run(segments: Segments, segment_bytes: int) -> list[Segment]:
    """Return the neighbours whose merging gives the most room; none where there is little garbage in all."""
    live = sum(segment.live_bytes for segment in segments)
    garbage = sum(segment.size for segment in segments) - live
    if garbage <= live // 10 + 3 * segment_bytes:
        return []
    best: list[Segment] = []
    best_gain = segment_bytes // 8  # less is not worth the writing
    run: list[Segment] = []
    for segment in segments:
        if not segment.is_sealed or segment.damaged or segment.is_bad:
            run = []
            continue
        run.append(segment)
        while sum(each.live_bytes for each in run) > segment_bytes or sum(each.live for each in run) > SLOTS:
            run.pop(0)
        gain = sum(each.size - each.live_bytes - FIRST_AT for each in run)
        if gain > best_gain:
            best, best_gain = list(run), gain
    return best


def merge(segments: Segments, directory: SpoolDirectory, run: Sequence[Segment], owner: bytes) -> None:
    """Copy what is needed of neighbouring segments into one that takes their place.

    Raises:
        OSError: It cannot be written; everything is as it was.
    """
    merged = Segment(run[0].number, new_nonce(), "merged.tmp")
    merged.base = run[0].base
    try:
        segments.create(merged, owner)
        if _copy(segments, directory, run, merged):
            segments.replace(run, merged)
        else:
            directory.unlink(merged.name)
    except OSError:
        directory.unlink("merged.tmp")
        raise


def _copy(segments: Segments, directory: SpoolDirectory, run: Sequence[Segment], merged: Segment) -> bool:
    """Copy the records; False if one is damaged: its segment stays as it is, for whoever reads the record and counts it."""
    descriptor = directory.open(merged.name, os.O_RDWR)
    try:
        for segment in run:
            for index in segment.each(PENDING, REJECTED):
                record = segment.read(segments.use(segment), index)
                if record is None:
                    segment.is_bad = True
                    return False
                merged.append(descriptor, record)
                (copy,) = merged.confirm(segment.state(index))
                if segment.state(index) == REJECTED:
                    reason = unpack_reason(segment.read_head(segments.use(segment), index))
                    merged.write_reason(descriptor, copy, reason)
        merged.is_sealed = True
        merged.write_marks(descriptor)
        disk.flush(descriptor)
        merged.flushed()
        found = os.fstat(descriptor)
        merged.identity = (found.st_dev, found.st_ino)
    finally:
        os.close(descriptor)
    return True
