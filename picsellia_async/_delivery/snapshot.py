"""The numbers of an uploader at one moment, read from its parts."""

from __future__ import annotations

from collections import Counter

from picsellia_async._delivery.ladder import Ladder
from picsellia_async._delivery.ledger import Ledger
from picsellia_async._delivery.outcomes import Health, UploaderStatistics
from picsellia_async._delivery.reporter import Reporter
from picsellia_async._delivery.sender import Sender
from picsellia_async._delivery.source_counts import SourceCounts
from picsellia_async._delivery.spool.queue import SpoolQueue
from picsellia_async._delivery.spool.quota import SpoolQuota
from picsellia_async._delivery.throughput import Throughput


def snapshot(
    now: float,
    ledger: Ledger,
    sender: Sender,
    reporter: Reporter,
    spool: tuple[SpoolQuota, SpoolQueue] | None,
    sources: SourceCounts | None,
    throughput: Throughput,
    ladder: Ladder | None,
    *,
    is_closed: bool,
) -> UploaderStatistics:
    """Return the numbers.

    Args:
        now: On the loop's clock.
        ledger: The account of the frames.
        sender: What is under way.
        reporter: Knows the health.
        spool: The way to disk, and the queue there; None: there is none.
        sources: Counts by source; None where nobody asked for them.
        throughput: Of the delivered bytes.
        ladder: The steps of `degrade`; None without.
        is_closed: Whether closing has ended.
    """
    troubles = reporter.troubles(sender.signal)
    oldest, delivered = ledger.oldest_at(), sender.delivered_at
    return UploaderStatistics(
        accepted=ledger.accepted,
        pending_frames=ledger.pending,
        pending_bytes=ledger.memory.used_bytes,
        # Closing gives every frame its outcome, and leaves the sender's queues as they are.
        queued=len(sender.queue) if ledger.pending else 0,
        in_flight=sender.in_flight,
        waiting=sender.waiting if ledger.pending else 0,
        delivered=ledger.delivered,
        rejected=ledger.rejected,
        dropped=ledger.dropped,
        dropped_by_reason=dict(ledger.dropped_by_reason),
        dropped_by_source=dict(ledger.dropped_by_source),
        spooled=ledger.spooled,
        retried=sender.retried,
        duplicates=ledger.duplicates,
        refused=ledger.not_accepted,
        may_be_stored=ledger.may_be_stored,
        bytes_delivered=ledger.bytes_delivered,
        concurrency=sender.limit.value,
        round_trip=sender.limit.round_trip,
        health=next(iter(troubles), Health.OK),
        troubles=troubles,
        spool_frames=0 if spool is None else spool[1].frames,
        spool_bytes=0 if spool is None or spool[0].spool.is_gone else spool[0].room.used_bytes,
        quarantined=ledger.quarantined,
        callback_errors=ledger.callback_errors,
        last_error=sender.last_error,
        oldest_seconds=0.0 if oldest is None else max(0.0, now - oldest),
        delivery_seconds=None if delivered is None else max(0.0, now - delivered),
        bytes_per_second=throughput.per_second(now, ledger.bytes_delivered),
        is_closed=is_closed,
        degraded=0 if ladder is None else ladder.degraded,
        degrade_level=0 if ladder is None else ladder.level,
        is_paused=sender.uplink.is_paused,
        is_allowed=sender.uplink.is_allowed,
        spool_free_bytes=None if spool is None else spool[0].spool.free_bytes,
        by_source={} if sources is None else sources.read(_pending_by_source(ledger, spool)),
    )


def _pending_by_source(ledger: Ledger, spool: tuple[SpoolQuota, SpoolQueue] | None) -> Counter[str]:
    pending = Counter(item.source for item in list(ledger.known.values()))
    return pending if spool is None else pending + spool[1].waiting_by_source()
