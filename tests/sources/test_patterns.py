"""Which files of a folder are asked for, and what is said of the others."""

from __future__ import annotations

import logging

import pytest

from picsellia_async.sources import SourceError, directory

from ..support.sources import listed

pytestmark = pytest.mark.anyio

FILES = ("a.jpg", "b.png", "cam1/1.jpg", "cam1/night/2.JPEG", "cam2/1.png", "cam2/note.txt")


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("**/*.jpg", ["a.jpg", "cam1/1.jpg"]),
        ("cam1/*.jpg", ["cam1/1.jpg"]),
        ("cam1/**", ["cam1/1.jpg", "cam1/night/2.JPEG"]),
        ("cam1/**/*", ["cam1/1.jpg", "cam1/night/2.JPEG"]),
        ("*.{jpg,png}", ["a.jpg", "b.png", "cam1/1.jpg", "cam2/1.png"]),
        ("cam{1,2}/1.*", ["cam1/1.jpg", "cam2/1.png"]),
        ("cam[!1]/*.png", ["cam2/1.png"]),
        ("*/1.???", ["cam1/1.jpg", "cam2/1.png"]),
        ("./a.jpg", ["a.jpg"]),
        ("*.JPG", ["a.jpg", "cam1/1.jpg"]),
        (["a.*", "b.*"], ["a.jpg", "b.png"]),
    ],
)
async def test_patterns_reach_into_subdirectories(tmp_path, make_image, pattern, expected):
    """`/`, `**`, braces and sets mean what they mean in a shell; case does not matter."""
    for name in FILES[:-1]:
        make_image(tmp_path / name)
    assert [image.filename for image in await listed(directory(tmp_path, pattern))] == expected


@pytest.mark.parametrize("pattern", ["*.webm", "cam3/*.jpg", "*/*/*/*.jpg"])
async def test_a_pattern_that_matches_nothing_is_an_error(tmp_path, make_image, pattern):
    """It says so, and what was there instead; skipping what is bad does not hide it."""
    make_image(tmp_path / "a.jpg")
    for on_bad in ("raise", "skip"):
        with pytest.raises(SourceError, match=r"matches .*passed over: 1 \.jpg"):
            await listed(directory(tmp_path, pattern, on_bad=on_bad))


async def test_an_empty_folder_is_an_error(tmp_path):
    """Nothing was delivered, and nobody should take that for a success."""
    with pytest.raises(SourceError, match="nothing in"):
        await listed(directory(tmp_path))


@pytest.mark.parametrize("name", ["a.Jpg", "b.jfif", "c.JPE"])
async def test_every_extension_of_a_jpeg_is_seen(tmp_path, make_image, name):
    """The rare ones, in any case; the frame's content type follows."""
    (tmp_path / name).write_bytes(make_image(tmp_path / "whole.jpg").read_bytes())
    (tmp_path / "whole.jpg").unlink()
    (image,) = await listed(directory(tmp_path))
    assert image.filename == name


async def test_other_pictures_are_counted_and_told_once(tmp_path, make_image, caplog):
    """BMP, TIFF and WebP are no frames here; the count by extension and one line of the log say that they are there."""
    make_image(tmp_path / "a.jpg")
    for name in ("b.bmp", "c.tif", "d.TIF", "e.webp", "f.txt", "noextension"):
        (tmp_path / name).write_bytes(b"x")
    source = directory(tmp_path)
    with caplog.at_level(logging.WARNING, "picsellia_async"):
        assert len(await listed(source)) == 1
    assert source.left_out == {".bmp": 1, ".tif": 2, ".webp": 1, ".txt": 1, "": 1}
    (line,) = [one for one in caplog.messages if "passed over" in one]
    assert "2 .tif, 1 without extension, 1 .bmp" in line


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("../other/*.jpg", r"'\.\./other/\*\.jpg' leads out of the folder, and a pattern is for paths below it"),
        ("cam1/../../*.jpg", "leads out of the folder"),
        ("/data/cam1/*.jpg", r"'/data/cam1/\*\.jpg' is absolute, and a pattern is for paths below the folder"),
        ("C:\\day\\*.jpg", "is absolute"),
        ("cam1\\*.png", r"has a backslash, and folders are parted by /"),
        ("*.{jpg,png", r"'\*\.\{jpg,png' has a brace that is not closed"),
        ("*.jpg,png}", "has a brace that is not opened"),
        ("cam[12/*.png", "has a bracket that is not closed"),
        (["*.webm", "../*.jpg"], r"'\.\./\*\.jpg' leads out"),
    ],
)
async def test_what_is_wrong_with_a_pattern_is_said_where_nothing_matches(tmp_path, make_image, pattern, words):
    """Beside what was there."""
    make_image(tmp_path / "a.jpg")
    with pytest.raises(SourceError, match=rf"matches .* \(.*{words}.*\); passed over: 1 \.jpg"):
        await listed(directory(tmp_path, pattern))


@pytest.mark.parametrize("name", ["a{b.jpg", "a}b.jpg", "a[b.jpg"])
async def test_names_with_such_characters_are_matched(tmp_path, make_image, name):
    """A brace or bracket alone stands for itself."""
    make_image(tmp_path / name)
    assert [image.filename for image in await listed(directory(tmp_path, name))] == [name]
