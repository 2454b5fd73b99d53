"""The files of a spool: appended to, marked, merged, erased and deleted; a crash at any place in between."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from picsellia_async._delivery.spool import disk
from picsellia_async._delivery.spool import store as store_module
from picsellia_async._delivery.spool.owner import owner_of
from picsellia_async._delivery.spool.record import Record
from picsellia_async.errors import ConfigurationError, SpoolError

from .stores import SMALL, file_bytes, make_record, make_records, opened


def test_records_come_back_in_order_over_many_segments(tmp_path: Path) -> None:
    """What was committed is found with its source and size, and read as it was."""
    with opened(tmp_path) as now:
        for number in range(1, 41):
            assert now.store.commit([make_record(number)]).error is None
    assert len(list(tmp_path.glob("*.seg"))) > 3
    with opened(tmp_path) as now:
        records = make_records(range(1, 41))
        assert now.held() == records
        assert (now.recovery.frames, now.recovery.bytes) == (40, sum(record.size for record in records))
        assert now.recovery.last_seq == 40


def test_high_orders_after_a_dead_letter_are_found(tmp_path: Path) -> None:
    """Gaps in the orders, however large, hide nothing."""
    with opened(tmp_path) as now:
        now.store.commit([make_record(1)])
        now.store.commit((), (), [(1, "no")])
        now.store.commit(make_records(range(10**12, 10**12 + 9), 100))
    with opened(tmp_path) as now:
        assert now.found == [*range(10**12, 10**12 + 9)]
        assert [letter.seq for letter in now.store.dead_letters()] == [1]


def test_a_pending_id_is_written_once_and_one_that_ended_is_new(tmp_path: Path) -> None:
    """Also within one commit: what is acknowledged there counts first."""
    with opened(tmp_path) as now:
        now.store.commit([make_record(1)])
        twin = Record(2, make_record(1).id, b"{}", b"image")
        assert now.store.commit([twin]).known == {2}
        assert now.store.commit([Record(3, twin.id, b"{}", b"image")], [1]).known == frozenset()
    with opened(tmp_path) as now:
        assert now.found == [3]


def test_a_dead_letter_that_is_submitted_again_is_pending(tmp_path: Path) -> None:
    """The new record takes the place of the refused one."""
    with opened(tmp_path) as now:
        now.store.commit(make_records([1, 2]))
        now.store.commit((), (), [(1, "é" * 300)])
        assert now.store.dead_letters()[0].reason.startswith("éé")
        now.store.commit([Record(3, make_record(1).id, b"{}", b"image")])
        assert now.store.dead_letters() == []
    with opened(tmp_path) as now:
        assert now.found == [2, 3]


def test_dead_letters_go_oldest_first(tmp_path: Path) -> None:
    """As many as make the room that is asked for."""
    with opened(tmp_path) as now:
        now.store.commit(make_records(range(1, 7), 1000))
        now.store.commit((), (), [(seq, "no") for seq in (2, 4, 6)])
        count, size = now.store.drop_rejected(1300)
        assert (count, size) == (2, make_record(2, 1000).size + make_record(4, 1000).size)
    with opened(tmp_path) as now:
        assert [letter.seq for letter in now.store.dead_letters()] == [6]


def test_files_shrink_as_frames_end_and_are_gone_when_all_have(tmp_path: Path) -> None:
    """A drained spool leaves the name of its owner and the lock."""
    with opened(tmp_path, 100_000) as now:
        for number in range(1, 101):
            now.store.commit([make_record(number, 9000)])
        full = len(list(tmp_path.glob("*.seg")))
        now.store.commit((), range(1, 61))
        assert len(list(tmp_path.glob("*.seg"))) < full * 0.55
        now.store.commit((), range(61, 101))
        assert file_bytes(tmp_path) < 2**20 + 200_000, "the reserve and the segment that is written"
    assert {path.name for path in tmp_path.iterdir()} == {"lock", "spool.json"}


def test_delivered_images_do_not_stay_readable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A segment that lives on because of other frames has zeros where a delivered frame was; where holes are not known, too."""
    for holes in (True, False):
        directory = tmp_path / str(holes)
        if not holes:
            monkeypatch.setattr(disk, "_fallocate", None)
        with opened(directory, 100_000) as now:
            now.store.commit(make_records(range(1, 6), 9000))
            now.store.commit((), [2, 3])
        content = (directory / "00000001.seg").read_bytes()
        for number in range(1, 6):
            assert (make_record(number, 9000).image[100:200] in content) is (number not in {2, 3})
        with opened(directory, 100_000) as now:
            assert now.held() == make_records([1, 4, 5], 9000)
            assert now.recovery.quarantined == 0


def sparse(directory: Path) -> None:
    """Leave every tenth of 200 records, as pending and as refused ones."""
    with opened(directory, 100_000) as now:
        for number in range(1, 201):
            now.store.commit([make_record(number, 9000)])
        now.store.commit((), [seq for seq in range(1, 201) if seq % 10], [(seq, "no") for seq in range(20, 201, 20)])


def test_what_is_left_of_segments_is_merged(tmp_path: Path) -> None:
    """Frames that stay behind do not hold the room of those that went: the files are at most three segments more than what is in them."""
    sparse(tmp_path)
    for _ in range(8):
        with opened(tmp_path, 100_000) as now:
            assert now.found == [*range(10, 200, 20)]
            assert now.held() == make_records(range(10, 200, 20), 9000)
            assert [(letter.seq, letter.reason) for letter in now.store.dead_letters()] == [
                (seq, "no") for seq in range(20, 201, 20)
            ]
            live = now.recovery.bytes
            length = sum(path.stat().st_size for path in tmp_path.glob("*.seg"))
    assert length <= live * 1.1 + 3 * 100_000
    with opened(tmp_path, 100_000) as now:
        now.store.commit([make_record(300)], [*range(10, 200, 20)])
        assert now.held() == []
    with opened(tmp_path, 100_000) as now:
        assert now.found == [300]


@pytest.mark.parametrize("step", ["before the name", "before the others go"])
def test_merging_that_is_interrupted_loses_and_doubles_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Killed in the middle of it, the next opening finds each record once."""
    monkeypatch.setattr(store_module, "_TIDY_SECONDS", 10**9)
    sparse(tmp_path)
    monkeypatch.undo()

    class Killed(BaseException):
        """The process ends here."""

    def kill(*_: object) -> None:
        shutil.copytree(tmp_path, tmp_path / "killed", ignore=shutil.ignore_patterns("lock", "killed"))
        raise Killed

    directory = "picsellia_async._delivery.spool.spool_directory.SpoolDirectory"
    with pytest.raises(Killed), monkeypatch.context() as patch:
        if step == "before the name":
            patch.setattr(f"{directory}.rename", kill)
        else:
            patch.setattr(f"{directory}.unlink", lambda self, name: kill() if name.endswith(".seg") else None)
        with opened(tmp_path, 100_000) as now:
            now.store.tidy()
    (tmp_path / "killed").chmod(0o700)
    with opened(tmp_path / "killed", 100_000) as now:
        assert now.held() == make_records(range(10, 200, 20), 9000)
        assert (len(now.store.dead_letters()), now.recovery.quarantined) == (10, 0)
        now.store.commit((), now.found)
    with opened(tmp_path / "killed", 100_000) as now:
        assert now.found == []


def test_a_flush_that_failed_is_not_believed_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The records of that commit are refused and leave no trace; the next ones go to another file."""
    with opened(tmp_path) as now:
        now.store.commit([make_record(1)])
        with monkeypatch.context() as patch:
            patch.setattr(disk, "flush", lambda _: (_ for _ in ()).throw(OSError(5, "Input/output error")))
            done = now.store.commit(make_records([2, 3]))
            assert done.refused == {2, 3}
            assert isinstance(done.error, OSError)
        assert now.store.commit([make_record(4)]).error is None
        found, gone = now.store.look_up([1, 2, 3, 4])
        assert found == [(1, make_record(1).id), (4, make_record(4).id)]
        assert gone == [(2, None), (3, None)]
    with opened(tmp_path) as now:
        assert (now.found, now.recovery.quarantined) == ([1, 4], 0)


def test_the_owner_is_known_although_its_file_is_damaged(tmp_path: Path) -> None:
    """Every segment says whose frames it holds, too."""
    with opened(tmp_path) as now:
        now.store.commit([make_record(1)])
    (tmp_path / "spool.json").write_bytes(b"{")
    assert owner_of(tmp_path)["host"] == "http://x"
    with (
        pytest.raises(SpoolError, match="holds frames of deployment 0123"),
        opened(tmp_path, SMALL, {"deployment_id": "x"}),
    ):
        pass
    with opened(tmp_path) as now:
        assert now.found == [1]
    assert owner_of(tmp_path)["host"] == "http://x"
    (tmp_path / "spool.json").unlink()
    (tmp_path / "00000001.seg").write_bytes(b"x" * 9000)
    with pytest.raises(SpoolError, match="does not say any more"):
        owner_of(tmp_path)
    (tmp_path / "00000001.seg").unlink()
    with pytest.raises(ConfigurationError, match="no spool"):
        owner_of(tmp_path)
