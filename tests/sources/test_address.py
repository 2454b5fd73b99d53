"""How addresses are shown."""

from __future__ import annotations

import pytest

from picsellia_async import ConfigurationError
from picsellia_async.sources import camera, video
from picsellia_async.sources._address import redacted, source_name

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("rtsp://u:p@cam.local:554/a?token=x", "rtsp://cam.local:554/a"),
        ("rtsp://u:p@ss@cam/a", "rtsp://cam/a"),
        ("rtsp://u:p/ss@cam/a", "rtsp://..."),
        ("rtsp://u:p?ss@cam/a", "rtsp://..."),
        ("rtsp://u:p#ss@cam/a", "rtsp://..."),
        ("http://cam/a", "http://cam/a"),
        ("/data/a@b.mp4", "/data/a@b.mp4"),
        ("clip@2x.mp4", "clip@2x.mp4"),
        ("u:pss@10.0.0.7", "...10.0.0.7"),
        ("u:pss@10.0.0.7/main?key=pss", "...10.0.0.7/main"),
        ("//u:p@ss@cam/a", "...cam/a"),
        ("u%3Apss@cam", "...cam"),
        ("rtsp:/u:pss@cam", "...cam"),
        ("u:pss@cam/rtsp://x", "...cam/rtsp://x"),
    ],
)
def test_addresses_are_redacted(address, expected):
    """Also where the password has characters that part an address."""
    assert redacted(address) == expected
    assert "ss" not in source_name(expected)


@pytest.mark.parametrize("source", [camera, video])
@pytest.mark.parametrize("address", ["user:secret@10.0.0.7", "//user:secret@10.0.0.7/main", "rtsp:/user:secret@cam"])
def test_a_forgotten_scheme_is_named_without_the_password(source, address):
    """The address of a camera begins with rtsp:// or http://; without, it was shown as if it were a file."""
    with pytest.raises(ConfigurationError, match="no scheme: write rtsp://") as caught:
        source(address)
    assert "secret" not in str(caught.value)
