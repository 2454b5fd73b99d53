"""The journals of parts become one, whatever hands the parts out."""

from __future__ import annotations

import pytest

from picsellia_async.integrations._parts import MERGED, PartSettings, begin, end
from picsellia_async.jobs import run

from ..support.sources import encoded_frames

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("is_killed", [False, True])
async def test_a_part_is_merged_once(tmp_path, deployment, is_killed):
    """At the end of the run, or at the beginning of the next where it was killed; its journal is gone then."""
    folder = tmp_path / "journals"
    settings = PartSettings(deployment=deployment.name, journals=str(folder))
    begin(settings)
    for part in range(2):
        await run(encoded_frames([2 * part, 2 * part + 1]), deployment, journal=folder / f"part-{part}.journal")
    if is_killed:
        begin(settings)
    else:
        assert end(settings, []).merged.delivered == 4
    assert [one.name for one in folder.iterdir()] == [MERGED]
    report = await run(encoded_frames(range(5)), deployment, journal=folder / "part-0.journal", base=folder / MERGED)
    assert (report.delivered_before, report.delivered) == (4, 5)
    assert end(settings, []).merged.delivered == 5
