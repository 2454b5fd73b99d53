"""The numbers of a source, and the small picture that frames are compared by."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from picsellia_async import ConfigurationError, Pipeline
from picsellia_async.pipeline import Candidate, Percentiles, Rule, changed
from picsellia_async.pipeline._picture import small_picture
from picsellia_async.pipeline._statistics import SourceLedger, percentiles

from ..support.frames import PREDICTION
from ..support.pipelines import Stored, balanced, make_image, same
from ..support.sources import encoded


@given(st.lists(st.floats(0, 100), min_size=1, max_size=300))
def test_percentiles_are_values_that_were_there(values: list[float]) -> None:
    """At least half, and 95 %, are at most so much; and no smaller value would do."""
    found = percentiles(values)
    for share, value in ((0.5, found.p50), (0.95, found.p95)):
        assert value in values
        assert sum(one <= value for one in values) >= share * len(values)
        assert sum(one < value for one in values) < share * len(values)
    assert percentiles([]) == Percentiles(None, None)


def test_frames_per_second_is_a_mean_of_the_last_ten_seconds() -> None:
    """Shorter at the beginning, 0 after a silence, and right for sources with more frames than are remembered."""
    ledger = SourceLedger()
    for tick in range(20):
        ledger.predict(tick / 10, 0.01)
    assert ledger.rate(2.0, 2.0) == pytest.approx(10)
    assert ledger.rate(60.0, 60.0) == 0
    fast = SourceLedger()
    for tick in range(5000):
        fast.predict(tick / 100, 0.01)
    assert fast.rate(50.0, 50.0) == pytest.approx(100, rel=0.01)


def test_the_small_picture_of_pixels_and_of_encoded_images(tmp_path: Path) -> None:
    """64 x 64 levels of gray, the same from pixels, JPEG, PNG and files, whatever the size; what cannot be decoded is told."""
    file = tmp_path / "a.png"
    file.write_bytes(encoded(800, 600, 90, ".png"))
    for image in (
        make_image(pixels=np.full((600, 800, 3), 90, np.uint8)),
        make_image(pixels=np.full((20, 30, 3), 90, np.uint8)),
        make_image(pixels=None, image=encoded(800, 600, 90)),
        make_image(pixels=None, image=encoded(40, 30, 90)),
        make_image(pixels=None, image=encoded(800, 600, 90, ".png")),
        make_image(pixels=None, image=file),
    ):
        picture = small_picture(image)
        assert (picture.shape, picture.dtype) == ((64, 64), np.uint8)
        assert np.abs(picture.astype(int) - 90).max() <= 2
    left = np.zeros((480, 640, 3), np.uint8)
    left[:, :320] = 200
    assert (small_picture(make_image(pixels=left))[:, :32] == 200).all()
    for content in (b"\xff\xd8\xff nonsense", b"nonsense"):
        with pytest.raises(ConfigurationError, match="cannot be decoded"):
            small_picture(make_image(pixels=None, image=content))


@pytest.mark.anyio
async def test_changed_in_a_pipeline_looks_at_frames_before_the_model_draws_into_them() -> None:
    """Pictures are made in the model's thread, from the pixels as they came; near-duplicates are counted under its name."""
    threads: set[str] = set()

    async def frames():
        for number, level in enumerate([90, 90, 90, 180, 180]):
            yield make_image("cam", number, pixels=np.full((48, 64, 3), level, np.uint8))

    def drawing(pixels: Any) -> Any:
        threads.add(threading.current_thread().name)
        pixels[:] = len(threads) * np.random.default_rng(0).integers(0, 255, pixels.shape)
        return PREDICTION

    stored = Stored()
    async with Pipeline(frames(), drawing, stored.uploader(), keep=changed()) as pipeline:
        report = await pipeline.run()
    assert balanced(report)
    assert stored.names == ["cam/000000.jpg", "cam/000003.jpg"]
    assert report.statistics.skipped_by_reason == {"changed": 3}


@pytest.mark.anyio
async def test_a_rule_sees_no_pixels_and_a_picture_only_if_it_asks() -> None:
    """What waits for a decision holds the encoded frame, and nothing that is larger."""
    seen: list[Candidate] = []

    class Looking(Rule):
        name = "looking"

        def allows(self, candidate: Candidate) -> bool:
            seen.append(candidate)
            return True

    async def frames():
        yield make_image()

    async with Pipeline(frames(), same, Stored().uploader(), keep=Looking()) as pipeline:
        await pipeline.run()
    (candidate,) = seen
    assert candidate.image.pixels is None
    assert candidate.picture is None
    assert (candidate.source, candidate.prediction) == ("source-1", PREDICTION)
