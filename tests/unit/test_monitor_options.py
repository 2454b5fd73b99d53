"""The options of monitoring: checked once, when they are made, and written as the wire carries them."""

from __future__ import annotations

import datetime
import json
import uuid

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from picsellia_async import Frame
from picsellia_async._wire.bodies import image_view
from picsellia_async._wire.common_requests import CloudImage
from picsellia_async._wire.converter import CONVERTER, make
from picsellia_async._wire.oracle_requests import MonitorRequest, monitor_body, monitor_metadata
from picsellia_async.enums import SupportedContentType
from picsellia_async.errors import ConfigurationError, ContentTypeUnknown
from picsellia_async.frames import FrameFields
from picsellia_async.monitor_options import MonitorDetails, MonitorOptions, content_type_of

from ..support.frames import JPEG, PREDICTION

MINIMAL = {"filename": "f.jpg", "height": 10, "width": 20, "prediction": PREDICTION, "latency": 0.25}
EVERY_OPTION = MINIMAL | {
    "source": "cam", "tags": ["a"], "metadata": {"temp": 3}, "custom_metadata": {"a": [1]}, "timestamp": 1.5, "upload_dir": "d",
    "shadow_latency": 0.5, "shadow_prediction": PREDICTION, "sample": True, "custom_metrics": {"m": 0.5},
}  # fmt: skip


def test_the_captured_minimal_body():
    """Byte for byte the body captured from the vendor's SDK (docs/wire.md#monitor-request)."""
    assert monitor_body(monitor_metadata(MonitorOptions(**MINIMAL)), memoryview(b"raw")) == (
        b'{"filename":"f.jpg","content_type":"IMAGE/JPEG","height":10,"width":20,"raw_predictions":{"detection_classes":[1,0],'
        b'"detection_texts":null,"detection_boxes":[[1,2,3,4],[5,6,7,8]],"detection_scores":[0.5,0.75]},"latency":0.25,"image":"cmF3"}'
    )


def test_every_option_travels_in_the_order_of_the_request():
    """No option is forgotten on the way, and the service reads the names that it knows."""
    fields = json.loads(monitor_metadata(MonitorOptions(**EVERY_OPTION)))
    assert list(fields) == [name for name in attrs.fields_dict(MonitorRequest) if name not in {"image", "cloud_image"}]
    assert len(fields) == sum(one.init for one in attrs.fields(MonitorOptions))
    request = make(strict=True).structure(fields, MonitorRequest)
    assert {name: CONVERTER.unstructure(request)[name] for name in fields} == fields


@pytest.mark.parametrize("option", [name for name in EVERY_OPTION if name not in MINIMAL and "shadow" not in name])
def test_an_option_is_read_where_no_other_is_given(option):
    """Each by itself is looked at, and travels: most frames have none, and skip all of them."""
    fields = json.loads(monitor_metadata(MonitorOptions(**MINIMAL, **{option: EVERY_OPTION[option]})))
    assert fields[option] == EVERY_OPTION[option]
    with pytest.raises(ConfigurationError, match=f"^{option} must be"):
        MonitorOptions(**MINIMAL, **{option: object()})


def test_empty_values_are_sent_and_none_is_left_out():
    """Monitoring omits only what was not given (docs/wire.md#monitor-request)."""
    options = MonitorOptions(
        **MINIMAL, tags=[], metadata={}, custom_metadata=None, sample=False, timestamp=0, source="", shadow_latency=0.0,
        shadow_prediction=PREDICTION,
    )  # fmt: skip
    body = json.loads(monitor_body(monitor_metadata(options), memoryview(b"raw")))
    assert {k: body[k] for k in ("tags", "metadata", "sample", "timestamp", "source", "shadow_latency")} == {
        "tags": [], "metadata": {}, "sample": False, "timestamp": 0.0, "source": "", "shadow_latency": 0.0,
    }  # fmt: skip
    assert "custom_metadata" not in body
    assert list(body)[-1] == "image"


def test_a_cloud_image_takes_the_place_of_the_bytes():
    """It comes last, and nothing is called image."""
    cloud = CloudImage(connector_id=uuid.UUID(int=7), client_type="AWS", bucket_name="b", object_name="d/o.jpeg")
    body = json.loads(monitor_body(monitor_metadata(MonitorOptions(**MINIMAL)), cloud))
    assert list(body)[-1] == "cloud_image"
    assert body["cloud_image"] == {
        "connector_id": str(uuid.UUID(int=7)), "client_type": "AWS", "bucket_name": "b", "object_name": "d/o.jpeg",
    }  # fmt: skip


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "source": st.text(), "tags": st.lists(st.text()), "metadata": st.dictionaries(st.text(), st.integers(0, 9)),
            "timestamp": st.floats(0, 1e10), "sample": st.booleans(), "upload_dir": st.text(),
        },
    )
)  # fmt: skip
def test_options_survive_the_wire(options):
    """What the client writes the strict converter of the emulator reads back, equal."""
    made = MonitorOptions(**MINIMAL, **options)
    read = make(strict=True).structure(json.loads(monitor_metadata(made)), MonitorRequest)
    assert {name: getattr(read, name) for name in options} == {name: getattr(made, name) for name in options}


@pytest.mark.parametrize("kind", [MonitorOptions, Frame])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"height": 0}, "height must be at least 1, got 0"),
        ({"width": 10.5}, r"width must be a whole number, got 10\.5"),
        ({"width": "10"}, "width must be a whole number, got '10'"),
        ({"latency": -0.1}, "latency must be at least 0"),
        ({"latency": float("nan")}, "latency must be finite"),
        ({"latency": None}, "latency must be a number, got None"),
        ({"filename": ""}, "filename must be a non-empty str"),
        ({"tags": "cam"}, "tags must be a list, got 'cam'"),
        ({"tags": [3]}, r"tags\[0\] must be a str, got 3"),
        ({"metadata": [1]}, "metadata must be a dict"),
        ({"metadata": {1: 2}}, "metadata must be a dict with str keys"),
        ({"timestamp": datetime.datetime.fromisoformat("2026-01-01T00:00:00")}, "timestamp must have a time zone"),
        ({"sample": "yes"}, "sample must be True or False, got 'yes'"),
        ({"prediction": None}, "prediction must be a prediction format"),
        ({"shadow_latency": 0.1}, "must be given together"),
        ({"shadow_prediction": PREDICTION}, "must be given together"),
        ({"source": 3}, "source must be a str, got 3"),
        ({"content_type": "image/webp"}, "content_type must be image/jpeg or image/png"),
    ],
)  # fmt: skip
def test_bad_values_are_named(kind, options, message):
    """Option and value are in the message, of the options alone and of a frame alike; nothing was sent."""
    image = {"image": JPEG} if kind is Frame else {}
    with pytest.raises(ConfigurationError, match=message):
        kind(**(MINIMAL | image | options))


def test_numbers_of_numpy_and_whole_latencies_are_taken():
    """An int latency becomes a float, numpy scalars become plain numbers."""
    options = MonitorOptions(**(MINIMAL | {"latency": 1, "height": np.int64(3), "width": np.float32(4)}))
    assert json.loads(monitor_metadata(options))["latency"] == 1.0
    assert (options.height, options.width, type(options.height)) == (3, 4, int)


def test_an_aware_datetime_is_a_timestamp():
    """It becomes epoch seconds, whatever its zone."""
    when = datetime.datetime(2024, 1, 2, 3, tzinfo=datetime.timezone(datetime.timedelta(hours=2)))
    assert MonitorOptions(**MINIMAL, timestamp=when).timestamp == when.timestamp()


@pytest.mark.parametrize("option", ["metadata", "custom_metadata", "custom_metrics"])
def test_a_dict_that_is_used_again_changes_no_frame(option):
    """A loop fills one dict for all its frames: what was given in is copied, all the way down."""
    given = {"at": {"x": 1}, "all": [1, {"y": 2}], "array": np.zeros(2)}
    frame = Frame(**MINIMAL, image=JPEG, **{option: given})
    before = monitor_metadata(frame)
    given["at"]["x"] = given["all"][1]["y"] = 9
    given["all"].append(3)
    given["array"][0] = 7.0
    given["new"] = 1
    assert monitor_metadata(frame) == before


def test_a_list_of_tags_that_is_used_again_changes_no_frame():
    """Tags are copied too."""
    tags = ["a"]
    frame = Frame(**MINIMAL, image=JPEG, tags=tags)
    tags.append("b")
    assert frame.tags == ["a"]


def test_metadata_that_holds_itself_is_refused():
    """It has no end to copy; the message says so."""
    endless: dict = {}
    endless["me"] = [endless]
    with pytest.raises(ConfigurationError, match="metadata is nested more than 250 deep, or holds itself"):
        MonitorOptions(**MINIMAL, metadata=endless)


def test_a_large_image_costs_a_slice_of_memory():
    """25 MB: a pass over the body takes one slice at a time."""
    import tracemalloc

    metadata, image = monitor_metadata(MonitorOptions(**MINIMAL)), bytes(25 * 2**20)
    tracemalloc.start()
    for _piece in monitor_body(metadata, image_view(image)):
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**21


@pytest.mark.parametrize("value", ["jpeg", "JPEG", "image/jpeg", "IMAGE/JPEG", SupportedContentType.JPEG], ids=repr)
def test_content_types_in_every_spelling(value):
    """Members, names and MIME types in any case (docs/wire.md#monitor-variants)."""
    assert content_type_of(value, "x") is SupportedContentType.JPEG


@pytest.mark.parametrize(
    ("name", "type_"),
    [("a.JPG", "JPEG"), ("a.jpeg", "JPEG"), ("a.jpe", "JPEG"), ("a.jfif", "JPEG"), ("b/c.PnG", "PNG")],
)
def test_content_types_by_extension(name, type_):
    """Without an argument the extension decides, in any case."""
    assert content_type_of(None, name) is SupportedContentType[type_]


@pytest.mark.parametrize(
    ("value", "name"), [("image/webp", "a.jpg"), (3, "a.jpg"), (None, "a.webp"), (None, "a"), (None, None), ("", "a")]
)
def test_other_content_types_are_refused(value, name):
    """The monitoring host takes JPEG and PNG only."""
    with pytest.raises(ContentTypeUnknown):
        content_type_of(value, name)


def test_checkers_know_every_field() -> None:
    """What a type checker is told that may be left out is what has a default; of a frame it is all but what the model said."""
    optional = {
        field.name for field in attrs.fields(MonitorOptions) if field.init and field.default is not attrs.NOTHING
    }
    assert set(MonitorDetails.__annotations__) == optional - {"content_type"}
    assert set(FrameFields.__annotations__) == {one.name for one in attrs.fields(Frame) if one.init} - {
        "prediction",
        "latency",
    }


@pytest.mark.parametrize(("name", "format_"), [("z.webp", "WebP"), ("a/b.TIF", "TIFF"), ("x.heic", "HEIC")])
def test_a_name_of_another_format_is_told_as_one(name, format_):
    """To say another type would be refused with the image."""
    with pytest.raises(
        ContentTypeUnknown, match=f"is {format_} by its name, and the service takes JPEG and PNG: encode it"
    ):
        MonitorOptions(**MINIMAL | {"filename": name})
    with pytest.raises(ContentTypeUnknown, match=r"cannot tell the content type of 'a\.dat'"):
        content_type_of(None, "a.dat")
