"""Power cuts: of what was not flushed any part may be missing on the disk; what was flushed is there."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from picsellia_async._delivery.spool import disk, store

from .stores import make_record, opened


class FaultyDisk:
    """Keeps for each file what a power cut would leave: what was flushed, and pages of what was written since."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.flushed: dict[int, bytes] = {}
        """By inode: a file may get another name after it was flushed."""
        self.held: dict[int, int] = {}
        """Descriptors, so that no inode is given to another file meanwhile."""
        self.flush = disk.flush
        monkeypatch.setattr(disk, "flush", self.take)

    def take(self, descriptor: int) -> None:
        self.flush(descriptor)
        inode = os.fstat(descriptor).st_ino
        if inode not in self.held:
            self.held[inode] = os.dup(descriptor)
        self.flushed[inode] = Path(f"/proc/self/fd/{descriptor}").read_bytes()

    def cut(self, directory: Path, target: Path, source: random.Random) -> None:
        """Write the files as a power cut at this moment may leave them."""
        target.mkdir(mode=0o700)
        for path in directory.iterdir():
            now, then = path.read_bytes(), self.flushed.get(path.stat().st_ino, b"")
            # The length, and each page, are the old or the new one by themselves.
            length = source.choice([len(then), len(now), source.randint(len(then), max(len(then), len(now)))])
            left = bytearray(then[:length].ljust(length, b"\0"))
            for at in range(0, length, disk.PAGE_BYTES):
                if source.random() < 0.5:
                    left[at : at + disk.PAGE_BYTES] = now[at : min(at + disk.PAGE_BYTES, length)]
            if path.name not in {"lock", "reserve"}:
                (target / path.name).write_bytes(left)


@pytest.fixture
def faulty(monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyDisk]:
    """Return a disk whose power can be cut."""
    made = FaultyDisk(monkeypatch)
    yield made
    for descriptor in made.held.values():
        os.close(descriptor)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="the system does not tell which file a descriptor is")
@pytest.mark.parametrize("tidies", [False, True], ids=["between tidyings", "tidying with each commit"])
@pytest.mark.parametrize("seed", range(15))
def test_what_was_committed_outlives_a_power_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, faulty: FaultyDisk, seed: int, *, tidies: bool
) -> None:
    """Cut off in a commit of new, delivered and refused frames: each frame of the commits before is there, or was delivered."""
    monkeypatch.setattr(store, "_TIDY_SECONDS", 0.0 if tidies else 1e6)
    source = random.Random(seed)
    directory = tmp_path / "spool"
    pending: set[int] = set()
    delivered: set[int] = set()
    refused: set[int] = set()
    seq = 0

    class PowerCut(BaseException):
        """The machine stops here."""

    with pytest.raises(PowerCut), opened(directory) as now:
        for turn in range(12):
            puts = [make_record(seq + n + 1, source.randint(50, 6000)) for n in range(source.randint(0, 4))]
            seq += len(puts)
            done = set(source.sample(sorted(pending), source.randint(0, len(pending))))
            bad = set(source.sample(sorted(done), len(done) // 4))
            if turn == 11:
                monkeypatch.setattr(disk, "flush", lambda _: (_ for _ in ()).throw(PowerCut))
            delivered |= done - bad
            refused |= bad
            pending -= done
            try:
                now.store.commit(puts, sorted(done - bad), [(number, "no") for number in bad])
            finally:
                if turn == 11:
                    for number in range(4):
                        faulty.cut(directory, tmp_path / f"cut-{number}", source)
            pending |= {record.seq for record in puts}
            if turn == 11:
                raise PowerCut
    monkeypatch.undo()
    for number in range(4):
        with opened(tmp_path / f"cut-{number}") as now:
            records, _ = now.store.claim(now.found)
            found = {record.seq for record in records}
            assert pending <= found, "a frame that was committed, and neither delivered nor refused, is lost"
            assert refused <= found | {letter.seq for letter in now.store.dead_letters()}
            assert found <= pending | delivered | refused | set(range(seq - 3, seq + 1))
            now.store.commit([make_record(1000)])
            assert now.store.claim([1000])[0] == [make_record(1000)]
