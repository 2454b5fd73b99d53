"""`verify`: what a journal says was delivered is looked for in the platform's listing."""

from __future__ import annotations

import pytest

from picsellia_async import ConfigurationError
from picsellia_async.cli.main import main
from picsellia_async.jobs import JournalError, run, verify

from ..support.sources import encoded_frames

pytestmark = pytest.mark.anyio


async def test_what_is_missing_is_named(tmp_path, deployment):
    """Of all runs, by its id; what nobody sent through the job does not count."""
    await deployment.monitor_many(encoded_frames([8, 9]))
    outcomes = []
    for numbers in (range(3), range(6)):
        await run(encoded_frames(numbers), deployment, journal=tmp_path / "j", on_outcome=outcomes.append)
    found = await verify(deployment, journal=tmp_path / "j")
    assert (found.delivered, found.seen, found.missing, found.is_complete) == (6, 6, (), True)
    gone = await deployment.find_predicted_asset(filename="4.jpg")
    await gone.delete()
    found = await verify(deployment, journal=tmp_path / "j")
    (lost,) = [outcome.frame.id for outcome in outcomes if outcome.frame.filename == "4.jpg"]
    assert (found.delivered, found.seen, found.missing, found.is_complete) == (6, 5, (lost,), False)
    assert str(found) == f"6 delivered, 5 of them seen on the platform, 1 not: {lost}"


async def test_a_sample_cannot_be_decided(tmp_path, deployment):
    """The platform kept nothing, as it was told to: that is said, and not that all is lost."""
    await deployment.update(sample_rate=0.0)
    report = await run(encoded_frames(range(6)), deployment, journal=tmp_path / "j")
    assert report.is_complete
    found = await verify(deployment, journal=tmp_path / "j")
    assert (found.delivered, found.seen, found.is_complete) == (6, 0, False)
    assert "cannot be said, since the deployment keeps a share of 0.0" in str(found)


async def test_what_was_stored_twice_is_told(tmp_path, deployment):
    """Somebody sent one more with the same id."""
    outcomes = []
    await run(encoded_frames([1]), deployment, journal=tmp_path / "j", on_outcome=outcomes.append)
    await deployment.monitor_many([outcomes[0].frame], deduplicate=True)
    found = await verify(deployment, journal=tmp_path / "j")
    assert (found.seen, found.more_than_once, found.is_complete) == (1, 1, False)


async def test_a_journal_that_is_not_there_or_of_another_job_is_refused(tmp_path, deployment):
    """None is made."""
    with pytest.raises(JournalError, match="there is no journal"):
        await verify(deployment, journal=tmp_path / "j")
    assert not (tmp_path / "j").exists()
    await run(encoded_frames([1]), deployment, journal=tmp_path / "j")
    with pytest.raises(ConfigurationError, match="is of input '', not 'other'"):
        await verify(deployment, journal=tmp_path / "j", input="other")


def test_the_command_line_needs_a_journal_for_it(capsys):
    """Exit code 2."""
    assert main(["monitor", "belts", "--manifest", __file__, "--verify", "--no-journal"]) == 2
    assert "--verify needs a journal" in capsys.readouterr().err
