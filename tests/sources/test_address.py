"""How addresses are shown."""

from __future__ import annotations

import pytest

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
    ],
)
def test_addresses_are_redacted(address, expected):
    """Also where the password has characters that part an address."""
    assert redacted(address) == expected
    assert "ss" not in source_name(address)
