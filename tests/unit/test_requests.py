"""Bodies and queries as they travel."""

from __future__ import annotations

import base64
import datetime
import json
import uuid

import numpy as np
import pytest

from picsellia_async import validation
from picsellia_async._wire.bodies import (
    CHUNKED_FROM_BYTES,
    SLICE_BYTES,
    ChunkedBody,
    image_view,
    multipart_body,
    splice,
)
from picsellia_async._wire.encoding import encode_query
from picsellia_async._wire.platform_requests import UpdateCustomMetadataRequest
from picsellia_async._wire.serving_requests import PredictRequest, predict_form
from picsellia_async._wire.unset import UNSET
from picsellia_async._wire.unset import given as given_or_unset
from picsellia_async.config import IMAGE_BYTES_MAX, Timeouts
from picsellia_async.enums import ServiceMetrics, TagTarget
from picsellia_async.errors import ConfigurationError
from picsellia_async.validation import dump_json


@pytest.mark.parametrize(
    "size", [1, 2, 3, SLICE_BYTES, CHUNKED_FROM_BYTES, CHUNKED_FROM_BYTES + 1, 3 * SLICE_BYTES + 2]
)
def test_sliced_and_whole_bodies_are_the_same_bytes(size):
    """However a body is made, it is the JSON with standard base64 in it, of the length it says."""
    image = bytes(range(256)) * (size // 256 + 1)
    image = image[:size]
    body = splice(b'{"a":1}', b"image", memoryview(image))
    assert isinstance(body, ChunkedBody) == (size > CHUNKED_FROM_BYTES)
    whole = body if isinstance(body, bytes) else b"".join(body)
    assert whole == b'{"a":1,"image":"' + base64.b64encode(image) + b'"}'
    assert len(whole) == (len(body) if isinstance(body, bytes) else body.content_length)
    if isinstance(body, ChunkedBody):
        assert b"".join(body.slices()) == whole


def test_a_sliced_body_can_be_sent_twice():
    """After a 401 the same bytes go out again."""
    body = splice(b'{"a":1}', b"image", memoryview(bytes(CHUNKED_FROM_BYTES + 1)))
    assert list(body) == list(body)


@pytest.mark.parametrize(
    ("value", "message"),
    [("text", "got str"), (None, "got NoneType"), (b"", "1 to"), (np.zeros(3), "got an array of shape"),
     (memoryview(bytearray(10))[::2], "contiguous"), (memoryview(bytes(1)), None)],
    ids=["str", "none", "empty", "array", "strided", "good"],
)  # fmt: skip
def test_images_are_bytes(value, message):
    """Anything else is refused by type, never by content."""
    if message is None:
        assert image_view(value).nbytes == 1
        return
    with pytest.raises(ConfigurationError, match=message):
        image_view(value)


def test_an_image_beyond_the_limit_is_refused_early():
    """No request of hundreds of megabytes is begun by mistake."""
    with pytest.raises(ConfigurationError, match=f"1 to {IMAGE_BYTES_MAX} bytes"):
        image_view(memoryview(bytearray(IMAGE_BYTES_MAX + 1)))


def test_queries_are_encoded_as_the_vendor_does():
    """docs/wire.md#encoding, row by row."""
    assert encode_query(
        [("order_by", ["-created_at", "id"]), ("name", "my org"), ("object_name", "o/n.jpg"), ("force_delete", False), ("none", None),
         ("unset", UNSET), ("from_timestamp", 1.5), ("custom_metadata", {"a": {"b": [1, 2]}})]
    ) == (
        "order_by=-created_at&order_by=id&name=my+org&object_name=o%2Fn.jpg&force_delete=False&from_timestamp=1.5"
        "&custom_metadata=%7B%22a%22%3A%7B%22b%22%3A%5B1%2C2%5D%7D%7D"
    )  # fmt: skip


def test_the_multipart_form():
    """Order, spelling and absence of Content-Types (docs/wire.md#predict-form); empty values are left out here."""
    request = PredictRequest(
        tags=["a", "b"], monitor=True, postprocess=False, source=UNSET, metadata={}, custom_metadata={"z": "é"}, upload_dir="",
    )  # fmt: skip
    form = predict_form(request)
    assert form == [
        ("tags", "a"),
        ("tags", "b"),
        ("monitor", "True"),
        ("postprocess", "False"),
        ("custom_metadata", '{"z": "\\u00e9"}'),
    ]
    body, content_type = multipart_body(form[:1], "media", 'é"\r\n.png', memoryview(b"\x00\xff"), boundary="B")
    assert content_type == "multipart/form-data; boundary=B"
    assert body == (
        b'--B\r\nContent-Disposition: form-data; name="tags"\r\n\r\na\r\n'
        b'--B\r\nContent-Disposition: form-data; name="media"; filename="\xc3\xa9%22%0D%0A.png"\r\n\r\n\x00\xff\r\n--B--\r\n'
    )


HOLDS_ITSELF: dict = {}
HOLDS_ITSELF["me"] = HOLDS_ITSELF


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ({"a": object()}, "metadata['a'] cannot"),
        ({"a": [1, {"b": {1, 2}}]}, "metadata['a'][1]['b'] cannot"),
        ({"a": {1: 2}}, "metadata['a'] cannot"),
        ({"a": 2**64}, "metadata['a'] cannot"),
        ({"a": "\ud800"}, "metadata['a'] cannot"),
        (HOLDS_ITSELF, "metadata['me']['me']['me']['me']"),
    ],
)
def test_what_has_no_json_form_is_named_with_its_place(value, place):
    """The message leads to the very value, in a JSON body, in a query and in a multipart form alike."""
    form = PredictRequest(monitor=True, postprocess=True, metadata=value)
    for write in (
        lambda: dump_json(value, "metadata"),
        lambda: dump_json({"other": 1, "metadata": value}),
        lambda: encode_query([("metadata", value)]),
        lambda: predict_form(form),
    ):
        with pytest.raises(ConfigurationError) as refused:
            write()
        assert place in str(refused.value)


def test_metadata_in_a_form_reads_as_in_a_json_body():
    """Ids, dates and numpy numbers take one form wherever they travel."""
    value = {"id": uuid.UUID(int=1), "n": np.float32(0.5), "on": datetime.date(2024, 1, 2)}
    [(_, sent)] = predict_form(PredictRequest(monitor=True, postprocess=True, metadata=value))[2:]
    assert json.loads(sent) == json.loads(dump_json(value, "metadata"))


@pytest.mark.parametrize("number", [float("nan"), float("-inf"), np.float32("nan"), np.array([1.0, np.inf])])
def test_a_number_that_json_cannot_hold_is_refused(number):
    """The vendor's form would hold `NaN`, which is no JSON, and its JSON bodies null."""
    for make in (
        lambda value: PredictRequest(monitor=True, postprocess=True, metadata=value),
        lambda value: UpdateCustomMetadataRequest(custom_metadata=value),
    ):
        with pytest.raises(ConfigurationError, match=r"metadata\['a'\]\[1\].* is NaN or infinite"):
            make({"a": [1.5, number]})


@pytest.mark.parametrize(
    "value", [b"\x89PNG" * 5_000_000, "x" * 5_000_000, list(range(1_000_000)), np.zeros(1_000_000)]
)
def test_messages_show_values_in_few_words(value):
    """An image or a long list that was handed in by mistake is told by its kind and size, not printed."""
    for check in ("whole_number", "real_number", "uuid", "json_object", "boolean", "epoch_seconds"):
        with pytest.raises(ConfigurationError, match="field") as refused:
            getattr(validation, check)(value, "field")
        assert len(str(refused.value)) < 400
        assert "PNG" not in str(refused.value)


def test_text_that_no_encoding_carries_is_refused():
    """Half of a surrogate pair, as `os.fsdecode` makes of a broken file name, is told with its field."""
    with pytest.raises(ConfigurationError, match=r"source must be text that UTF-8 can carry, got 'cam.udce9'"):
        validation.text("cam\udce9", "source")


@pytest.mark.parametrize("member", list(ServiceMetrics))
def test_statistics_by_member_or_name(member):
    """Names are taken in any case; the wire value and the route come with the member."""
    assert ServiceMetrics.of(member.name.lower()) is member
    assert member.is_aggregated == member.name.startswith("AGGREGATED")


def test_unknown_enum_text_lists_the_values():
    """The message tells what would have been accepted."""
    with pytest.raises(ConfigurationError, match="accepted are DATA, ASSET"):
        TagTarget.of("nonsense")
    with pytest.raises(ConfigurationError, match="PREDICTIONS_DATA"):
        ServiceMetrics.of("nonsense")


def test_not_given_is_not_none():
    """UNSET is false, prints its name, and stands for the None of documented signatures."""
    assert not UNSET
    assert repr(UNSET) == "UNSET"
    assert given_or_unset(None) is UNSET
    assert given_or_unset(0) == 0


@pytest.mark.parametrize("value", [0, -1, float("nan"), "3", True])
def test_timeouts_that_make_no_sense_are_refused(value):
    """Seconds are positive and finite, or None."""
    with pytest.raises(ConfigurationError, match="timeout"):
        Timeouts.of(value)


def test_timeouts_in_every_form():
    """Seconds for all phases but the queue, None for no limit, or four attributes."""
    import httpx

    assert Timeouts.of(3) == Timeouts(3.0, 3.0, 3.0, None)
    assert Timeouts.of(None) == Timeouts(None, None, None, None, None)
    assert Timeouts.of(httpx.Timeout(1, read=2, pool=3)) == Timeouts(1.0, 2.0, 1.0, 3.0)
