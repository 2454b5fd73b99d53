"""Webcams by number: what is wrong with them is said with the number and the way out."""

from __future__ import annotations

import errno
import os
import re
import sys

import pytest

from picsellia_async import ConfigurationError
from picsellia_async.sources import SourceError, camera
from picsellia_async.sources import _webcam as webcam_module

from ..support.sources import listed

pytest.importorskip("av")

pytestmark = [pytest.mark.anyio, pytest.mark.skipif(sys.platform != "linux", reason="devices of Linux")]


@pytest.mark.parametrize("number", [77, "77"], ids=["number", "text"])
async def test_a_webcam_that_is_not_there_is_named_by_its_number(number):
    """Number 77 is /dev/video77, which nobody has; a command line hands numbers on as text."""
    source = camera(number, reconnect=None)
    assert "webcam 77" in repr(source)
    with pytest.raises(SourceError, match=r"cannot open webcam 77: there is no '/dev/video77': .*(webcam is|devices)"):
        await listed(source)
    for wrong in (-1, True, 1.5):
        with pytest.raises(ConfigurationError):
            camera(wrong)


def test_the_webcams_that_are_there_are_named(tmp_path):
    """By their numbers, in order; other devices are none."""
    for name in ("video10", "video2", "video", "videoX", "vcs"):
        (tmp_path / name).touch()
    found = webcam_module.why_no_webcam(str(tmp_path / "video0"), "No such file or directory")
    assert found.endswith("the devices here are 2, 10")


@pytest.mark.parametrize(
    ("number", "said", "expected"),
    [
        (errno.EACCES, "Permission denied", "this user may not open .* group"),
        (errno.EBUSY, "Input/output error", "another program has .* `fuser "),
        (None, os.strerror(errno.EBUSY), "another program has .* `fuser "),
        (None, "Inappropriate ioctl for device", r"gives no video \(Inappropriate ioctl for device\)"),
    ],
    ids=["permission", "busy at opening", "busy at streaming", "no webcam"],
)
def test_each_trouble_has_its_way_out(tmp_path, monkeypatch, number, said, expected):
    """Missing rights, another program, and a device that is no camera are told apart."""
    (tmp_path / "video0").touch()

    def refuse(*_):
        raise OSError(number, os.strerror(number))

    if number is not None:
        monkeypatch.setattr(webcam_module.os, "open", refuse)
    assert re.search(expected, webcam_module.why_no_webcam(str(tmp_path / "video0"), said))
