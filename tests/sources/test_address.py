"""How addresses are shown."""

from __future__ import annotations

import pytest

from picsellia_async import ConfigurationError
from picsellia_async._error_text import shown_name
from picsellia_async.sources import SourceError, camera, video
from picsellia_async.sources._address import quoting_hint, redacted, secrets_of, source_name

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
        ("rtsp://cam/user=admin&pwd=pss&channel=1", "rtsp://cam/user=admin&pwd=***&channel=1"),
        ("rtsp://cam/user=admin_pwd=pss_channel=1_stream=0.sdp", "rtsp://cam/user=admin_pwd=***"),
        ("http://cam/live;pwd=pss;ch=1", "http://cam/live;pwd=***;ch=1"),
        ("rtsp://u%3Apss%40cam/a", "rtsp://***@cam/a"),
        ("rtsp%3A%2F%2Fu%3Apss%40cam%2Fa", "rtsp://***@cam/a"),
        ("clips/rtsp%253A%252F%252Fu%253Apss%2540cam.mp4", "clips/rtsp://***@cam.mp4"),
        ("rtsp://cam/rtsp%3A%2F%2Fu%3Apss%40gate", "rtsp://cam/rtsp://***@gate"),
        ("rtsp://u:p%40ss@cam/a", "rtsp://cam/a"),
    ],
)
def test_addresses_are_redacted(address, expected):
    """Also where the password has characters that part an address."""
    assert redacted(address) == expected
    assert "ss" not in source_name(expected)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("rtsp://cam/user=admin_password=hunter_channel=1.sdp", "rtsp://cam/user=admin_password=***"),
        ("rtsp://cam/user:admin;pass:hunter;ch:1", "rtsp://cam/user:admin;pass:***;ch:1"),
        ("http://cam/cgi-bin/usr/admin/pwd/hunter", "http://cam/cgi-bin/usr/admin/pwd/***"),
        ("http://cam/cgi-bin/Pass/hunter/live.flv", "http://cam/cgi-bin/Pass/***/live.flv"),
        ("http://cam/loginuse=a&loginpas=hunter&x=1", "http://cam/loginuse=a&loginpas=***&x=1"),
        ("http://cam/admin_password_hunter_channel_1", "http://cam/admin_password_***"),
        ("http://cam/psw_hunter/live", "http://cam/psw_***/live"),
        ("http://cam/auth=hunter/live", "http://cam/auth=***/live"),
        ("http://cam/user%3Dadmin%26password%3Dhunter", "http://cam/user%3Dadmin%26password%3D***"),
        ("http://cam/token/hunter/key/hunt3r", "http://cam/token/***/key/***"),
        ("http://cam/auth/pwd/hunter", "http://cam/auth/pwd/***"),
        ("http://cam/key_4hunter/auth/4hunter", "http://cam/key_***/auth/***"),
        ("http://cam/auth/login/key_frames/bypass/main", "http://cam/auth/login/key_frames/bypass/main"),
        ("http://cam:8080/pass_through/monkey/1", "http://cam:8080/pass_through/monkey/1"),
        ("rtsp://password/live/main", "rtsp://password/live/main"),
    ],
)
def test_secrets_of_the_path_are_hidden(address, expected):
    """Makers have cameras signed in to by their path, in ways of their own; words that name no password stay."""
    assert redacted(address) == shown_name(address) == expected
    assert "hunt" not in camera(address)._settings.file_stem
    assert "hunt" not in repr(camera(address))
    assert all("hunt" in one for one in secrets_of(address))
    assert bool(secrets_of(address)) == ("***" in expected)


@pytest.mark.parametrize("source", [camera, video])
@pytest.mark.parametrize("address", ["user:secret@10.0.0.7", "//user:secret@10.0.0.7/main", "rtsp:/user:secret@cam"])
def test_a_forgotten_scheme_is_named_without_the_password(source, address):
    """The address of a camera begins with rtsp:// or http://; without, it was shown as if it were a file."""
    with pytest.raises(ConfigurationError, match="no scheme: write rtsp://") as caught:
        source(address)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("rtsp://u:p@ss/w@cam/a", True),
        ("rtsp://u:p/ss@cam/a", True),
        ("http://u:p#ss@cam", True),
        ("http://u:p%40ss@cam/a", False),
        ("http://cam:8080/a@2x", False),
        ("http://cam/a@2x", False),
        ("rtsp://u:p@cam/a@2x", True),
        ("a@b.mp4", False),
    ],
)
def test_raw_characters_in_a_password_are_suspected(address, expected):
    """Only where they may have cut it off from the host."""
    assert bool(quoting_hint(address)) == expected


@pytest.mark.parametrize("scheme", ["http", "rtsp"])
async def test_how_a_password_is_written_is_told_without_it(scheme):
    """Where opening failed, and its characters may be why."""
    async with video(f"{scheme}://u:secr#et@127.0.0.1:9/") as frames:
        with pytest.raises(SourceError, match="%40 %2F %3F %23") as caught:
            async for _ in frames:
                pass
    assert "secr" not in str(caught.value)


@pytest.mark.parametrize("source", [video, camera])
@pytest.mark.parametrize(
    "address", ["http://u:p[secret@10.0.0.7]/x", "rtsp://10.0.0.7]x/p[secret@a", "http://u:secret@ca\u2100m/"]
)
def test_an_address_that_cannot_be_split_is_refused_without_its_password(source, address):
    """The standard library's error would show a part of it."""
    with pytest.raises(ConfigurationError, match="%5B %5D") as caught:
        source(address)
    assert "secret" not in str(caught.value)
