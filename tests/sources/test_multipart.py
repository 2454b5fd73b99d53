"""MJPEG over HTTP as real devices frame it: pictures are cut out by their own marks."""

from __future__ import annotations

import asyncio
import hashlib
import random
import re
from fractions import Fraction

import pytest

from picsellia_async import RetryPolicy
from picsellia_async.sources import SourceError, camera, video
from picsellia_async.sources._multipart import PICTURE_BYTES_MAX, Splitter

from ..support.sources import decoded, encoded, ended, listed, turned

pytestmark = pytest.mark.anyio

PICTURES = [encoded(64, 48, value) for value in (10, 60, 110, 160)]

FRAMINGS = {
    "length": lambda n, data: (
        b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%b\r\n" % (len(data), data)
    ),
    "no length": lambda n, data: b"--frame\r\nContent-Type: image/jpeg\r\n\r\n%b\r\n" % data,
    "wrong length": lambda n, data: b"--frame\r\nContent-Length: %d\r\n\r\n%b\r\n" % (len(data) + 7, data),
    "other boundary": lambda n, data: b"----whatever %d\nContent-type: image/jpeg\n\n%b\n" % (n, data),
    "no line end": lambda n, data: b"\r\n--frame\r\ncontent-length:%d\r\n\r\n%b" % (len(data), data),
    "padding": lambda n, data: b"--frame\r\n\r\n%b%b\r\n" % (data, bytes(64)),
    "no headers": lambda n, data: data,
    "text between": lambda n, data: b"--frame\r\nContent-Type: text/plain\r\n\r\nalive\r\n--frame\r\n\r\n%b" % data,
}


def split(data, size):
    splitter = Splitter()
    found = [one for start in range(0, len(data), size) for one in splitter.feed(data[start : start + size])]
    return [*found, *splitter.rest()]


@pytest.mark.parametrize("size", [1, 7, 1000, 10**6])
@pytest.mark.parametrize("framing", FRAMINGS)
def test_every_framing_gives_the_same_pictures(framing, size):
    """Byte for byte, in pieces of any size."""
    data = b"".join(FRAMINGS[framing](number, picture) for number, picture in enumerate(PICTURES))
    found = split(data, size)
    assert [one.data for one in found] == PICTURES
    assert all(one.is_whole for one in found)


@pytest.mark.parametrize("size", [1, 100, 10**6])
def test_a_picture_that_is_cut_costs_itself(size):
    """Where the next one begins before an end came, also in its header; and at the end of the stream."""
    cut = [PICTURES[0], PICTURES[1][:-40], PICTURES[2][:30], PICTURES[3], PICTURES[0][:300]]
    found = split(b"".join(b"--frame\r\n\r\n%b\r\n" % one for one in cut), size)
    assert [one.is_whole for one in found] == [True, False, False, True, False]
    assert [one.data for one in found if one.is_whole] == [PICTURES[0], PICTURES[3]]


def test_a_picture_within_a_picture_is_a_part_of_it():
    """The thumbnail of a photo has a beginning and an end of its own."""
    inner, outer = PICTURES[0], PICTURES[1]
    photo = outer[:2] + b"\xff\xe1" + (len(inner) + 2).to_bytes(2) + inner + outer[2:]
    assert [one.data for one in split(photo + PICTURES[2], 50)] == [photo, PICTURES[2]]


def test_what_never_ends_is_given_up():
    """A stream that is no picture does not fill the memory."""
    splitter = Splitter()
    found = []
    for _ in range(PICTURE_BYTES_MAX // 2**20 + 1):
        found += splitter.feed(b"\xff\xd8\xff\xda" + b"\x11" * (2**20 - 4) if not found else b"")
    assert len(found) < PICTURE_BYTES_MAX // 2**20 + 1
    assert not any(one.is_whole for one in found)


class Device:
    """A camera over HTTP, in whatever manner."""

    def __init__(self, body, *, kind='multipart/x-mixed-replace; boundary="frame"', sign_in=None):
        self.body, self.kind, self.sign_in = body, kind, sign_in
        self.requests = []
        self.go_on = asyncio.Event()

    async def __aenter__(self):
        self.server = await asyncio.start_server(self.answer, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self.go_on.set()
        self.server.close()
        await ended(("camera ", "video "))

    def url(self, user="", path="/video?key=hidden"):
        return f"http://{user}127.0.0.1:{self.port}{path}"

    async def answer(self, reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.requests.append(head)
        refusal = self.sign_in(head) if self.sign_in else None
        if refusal:
            writer.write(b"HTTP/1.1 401 Unauthorized\r\n%b\r\nContent-Length: 0\r\n\r\n" % refusal)
        else:
            told = f"Content-Type: {self.kind}\r\n" if self.kind is not None else ""
            writer.write(b"HTTP/1.1 200 OK\r\n%b\r\n" % told.encode())
            writer.write(self.body)
            await writer.drain()
            if self.kind is None or "HOLD" in self.kind:
                await self.go_on.wait()
        writer.close()


def body(framing="length", pictures=PICTURES):
    return b"".join(FRAMINGS[framing](number, picture) for number, picture in enumerate(pictures))


@pytest.mark.parametrize(
    "kind", ["multipart/x-mixed-replace", "multipart/mixed; boundary=--x", "Multipart/X-Mixed-Replace"]
)
async def test_pictures_are_passed_on_as_they_came(kind):
    """Not decoded and encoded again; with size, one request, and pixels where they are asked for."""
    async with Device(body(), kind=kind) as device:
        images = await listed(video(device.url(), source="gate"))
        assert [image.image for image in images] == PICTURES
        assert {(image.width, image.height, image.position) for image in images} == {(64, 48, None)}
        assert len(device.requests) == 1
        images = await listed(video(device.url(), pixels="bgr"))
        assert [image.image for image in images] == PICTURES
        assert [int(image.pixels[5, 5, 0]) for image in images] == [10, 60, 110, 160]


async def test_a_camera_that_cuts_pictures_goes_on():
    """Each fifth picture is cut, and the first one: the others come, over one connection, and the cut ones are counted."""
    sent = [encoded(64, 48, number) for number in range(50)]
    sent = [one[:-200] if number % 5 == 0 else one for number, one in enumerate(sent)]
    async with Device(body("no length", sent)) as device:
        source = camera(device.url(), policy="wait", reconnect=None)
        images = await listed(source)
        assert len(images) == 40
        found = source.statistics()
        assert (found.received, found.damaged, found.connects, found.failures) == (40, 10, 1, 0)


async def test_a_picture_comes_when_its_last_byte_is_there():
    """Not when the next one begins: a camera that sends one picture a minute shows it at once."""
    async with Device(body("no length", PICTURES[:1]), kind="multipart/x-mixed-replace; x=HOLD") as device:
        async with camera(device.url()) as source:
            image = await anext(aiter(source))
        assert image.image == PICTURES[0]


async def test_a_picture_that_viewers_cannot_show_is_written_anew():
    """Without Huffman tables, as webcams send them, it is decoded with the standard ones."""
    av = pytest.importorskip("av")
    encoder = av.CodecContext.create("mjpeg", "w")
    encoder.width, encoder.height, encoder.pix_fmt = 64, 48, "yuvj420p"
    encoder.time_base, encoder.options = Fraction(1, 10), {"huffman": "0"}
    frame = av.VideoFrame(64, 48, "yuvj420p")
    for plane in frame.planes:
        plane.update(bytes([128]) * plane.buffer_size)
    data = b"".join(bytes(packet) for packet in [*encoder.encode(frame), *encoder.encode(None)])
    start = data.index(b"\xff\xc4")
    bare = data[:start] + data[start + 2 + int.from_bytes(data[start + 2 : start + 4]) :]
    assert b"\xff\xc4" not in bare
    async with Device(body(pictures=[bare])) as device:
        (image,) = await listed(video(device.url()))
    assert b"\xff\xc4" in image.image
    assert abs(int(decoded(image.image)[20, 20, 0]) - 128) < 4


async def test_the_size_of_a_turned_picture_is_that_shown():
    """A camera that hangs sideways says so in the EXIF data."""
    async with Device(body(pictures=[turned(64, 48, 6)])) as device:
        (image,) = await listed(video(device.url()))
    assert (image.width, image.height) == (48, 64)


def basic(head):
    if "Authorization: Basic dXNlcjpwQHNz" in head:  # user:p@ss
        return None
    return b'WWW-Authenticate: Basic realm="camera"'


def digest(head, password="p@ss"):
    given = dict(re.findall(r'(\w+)="?([^",]+)"?', head.partition("Authorization: Digest ")[2].partition("\r\n")[0]))
    if given:
        one = hashlib.md5(f"user:camera:{password}".encode()).hexdigest()
        two = hashlib.md5(f"GET:{given['uri']}".encode()).hexdigest()
        text = ":".join([one, "abc", given["nc"], given["cnonce"], "auth", two])
        if given["response"] == hashlib.md5(text.encode()).hexdigest():
            return None
    return b'WWW-Authenticate: Digest realm="camera", nonce="abc", qop="auth"'


@pytest.mark.parametrize("sign_in", [basic, digest])
async def test_cameras_are_signed_in_to(sign_in):
    """Basic and digest, with what the password has of an address's own characters percent-encoded or not."""
    async with Device(body(), sign_in=sign_in) as device:
        for user in ("user:p%40ss@", "user:p@ss@"):
            assert len(await listed(video(device.url(user)))) == 4
        with pytest.raises(SourceError, match="HTTP 401") as caught:
            await listed(video(device.url("user:wrong@")))
        assert "wrong" not in str(caught.value)


@pytest.mark.parametrize("options", [{}, {"format": "mpjpeg"}], ids=["ours", "ffmpeg"])
async def test_a_raw_percent_in_a_refused_password_is_suspected(options):
    """`%41` stands for an A: where the camera refuses, the way to write it is told; not where no % is there."""
    async with Device(body(), sign_in=basic) as device:
        for user, is_told in (("user:s3cret%41@", True), ("user:s3cret@", False)):
            with pytest.raises(SourceError, match="401") as caught:
                await listed(video(device.url(user), **options))
            assert ("it is written %25" in str(caught.value), "s3cret" in str(caught.value)) == (is_told, False)


@pytest.mark.parametrize("user", ["user:p%C3%A4%E2%82%AC%5B1%5D@", "user:p\u00e4\u20ac[1]@"])
async def test_passwords_of_any_characters_sign_in(user):
    """Digest of what ASCII does not have, and brackets, which a host has in IPv6; percent-encoded or not."""

    def sign_in(head):
        return digest(head, "p\u00e4\u20ac[1]")

    async with Device(body(), sign_in=sign_in) as device:
        assert len(await listed(video(device.url(user)))) == 4


@pytest.mark.parametrize("content", [b"", b"--frame\r\n\r\nno picture\r\n"])
async def test_a_stream_without_a_picture_is_an_error(content):
    """It is no video."""
    async with Device(content) as device:
        with pytest.raises(SourceError, match="no picture came"):
            await listed(video(device.url()))
        source = camera(device.url(), reconnect=RetryPolicy(attempts=2, backoff_initial=0.0))
        with pytest.raises(SourceError):
            await listed(source)
        assert source.statistics().failures == 2


def test_noise_between_pictures_is_passed_over():
    """Whatever bytes come, each whole picture is found, unless the noise holds the mark of a beginning."""
    random_ = random.Random(3)
    data, expected = b"", []
    for number in range(200):
        noise = random_.randbytes(random_.randrange(100)).replace(b"\xff\xd8", b"")
        data += noise.rstrip(b"\xff") + PICTURES[number % 4]
        expected.append(PICTURES[number % 4])
    assert [one.data for one in split(data, 997)] == expected


@pytest.mark.parametrize(
    "kind", ["image/jpeg; HOLD", "video/x-motion-jpeg; HOLD", None], ids=["jpeg", "motion", "none"]
)
async def test_bare_pictures_come_one_by_one(kind):
    """Without parts, under any type or none, each picture is given when it is there, and not once a score of them was collected."""
    async with Device(body("no headers", PICTURES[:3]), kind=kind) as device, video(device.url()) as frames:
        images = aiter(frames)
        assert [(await anext(images)).image for _ in range(3)] == PICTURES[:3]
        await images.aclose()


async def test_an_address_of_single_pictures_is_no_failure():
    """Each request is answered by one picture, and asked again: the stream ended, nothing broke off."""
    async with Device(PICTURES[0], kind="image/jpeg") as device:
        source = camera(
            device.url(), reconnect=RetryPolicy(attempts=5, total=None, backoff_initial=0.01, backoff_max=0.01)
        )
        async with source as frames:
            images = aiter(frames)
            for _ in range(5):
                assert (await anext(images)).image == PICTURES[0]
            await images.aclose()
        assert source.statistics().failures == 0
        assert source.statistics().ends >= 4
