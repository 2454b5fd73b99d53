"""`--keep` in text, and the sources that arguments name."""

from __future__ import annotations

from pathlib import Path

import pytest

from picsellia_async.cli.keep_rules import parse_rule
from picsellia_async.cli.run import sources_of
from picsellia_async.errors import ConfigurationError
from picsellia_async.pipeline import around, changed, classes, every, quota, scores
from picsellia_async.sources import Camera


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("every(600)", every(600)),
        ("changed(0.02) & scores(above=0.2, below=0.6) | every(600)", changed(0.02) & scores(above=0.2, below=0.6) | every(600)),
        ("changed() & (scores(above=0.2) | every(1))", changed() & (scores(above=0.2) | every(1))),
        ("quota(per_minute=10, per='source')", quota(per_minute=10, per="source")),
        ("classes(person, 'fire truck', 3)", classes(["person", "fire truck", 3])),
        ("classes([person, car])", classes(["person", "car"])),
        ("around(scores(above=0.9), before=2)", around(scores(above=0.9), before=2)),
    ],
)  # fmt: skip
def test_a_rule_in_text_is_the_rule_in_python(text, same):
    """Calls, `&`, `|`, brackets, named numbers; names of classes without quotes."""
    assert repr(parse_rule(text)) == repr(same)
    assert parse_rule(text).name == same.name


@pytest.mark.parametrize(
    "text",
    ["", "never()", "every", "every(", "every(0)", "every(1) + every(2)", "not every(1)", "open('x')", "every(seconds=open('x'))",
     "().__class__", "quota(per_minute=10, per_year=3)", "1", "scores()"],
)  # fmt: skip
def test_what_is_no_rule_is_refused(text):
    """With the text, and nothing is run."""
    with pytest.raises(ConfigurationError, match="--keep"):
        parse_rule(text)


def test_a_rule_that_refuses_its_values_is_known():
    """The rules there are follow a name that is none of them alone."""
    with pytest.raises(ConfigurationError, match="no score is") as caught:
        parse_rule("scores(above=0.6, below=0.2)")
    assert "there are" not in str(caught.value)
    with pytest.raises(ConfigurationError, match="is no rule; there are around"):
        parse_rule("never()")


def test_folders_videos_and_cameras_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """By what is on disk; a name may stand before each, and two of one name are refused."""
    (tmp_path / "yard").mkdir()
    (tmp_path / "a=b.mp4").write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    found = sources_of(
        ["yard", "a=b.mp4", "gate=rtsp://10.0.0.7/main?a=b", "rtsp://user:secret@10.0.0.8/main", "0"], 1.0
    )
    names = list(found)
    assert names[:3] == ["yard", "a=b.mp4", "gate"]
    assert [isinstance(one, Camera) for one in found.values()] == [False, False, True, True, True]
    assert "secret" not in str(names)
    with pytest.raises(ConfigurationError, match="two sources are called 'yard'"):
        sources_of(["yard", "./yard"], None)
