"""docs/wire.md says what the code does: every endpoint, every field that is sent, every enum value, every anchor."""

from __future__ import annotations

import re
import typing
from pathlib import Path

import attrs
import pytest

from picsellia_async import enums
from picsellia_async._wire import serving_requests
from picsellia_async._wire.endpoints import ENDPOINTS, Endpoint
from picsellia_async.predictions import PredictionFormat

ROOT = Path(__file__).parents[2]
WIRE = (ROOT / "docs" / "wire.md").read_text(encoding="utf-8")
ANCHORS = re.findall(r'^<a id="([a-z-]+)"></a>$', WIRE, re.MULTILINE)
ELSEWHERE = {"monitor": "monitor-request", "predict_cloud_image": "predict-json", "predict_shadow": "serving-endpoints"}
"""Section with the fields of endpoints whose row only links to it, or whose fields hold others."""
NOT_SENT = {"set_training_data": {"name"}}
"""Fields of a request class that an endpoint shares with another one, and leaves out."""
FILTERS = {"filter_assets", "filter_data"}


def section(anchor: str) -> str:
    """Return the text from an anchor to the next one."""
    return WIRE.partition(f'<a id="{anchor}"></a>')[2].partition("<a id=")[0]


def row(endpoint: Endpoint[typing.Any]) -> str:
    """Return the one row of an endpoint."""
    rows = re.findall(rf"^\| `{endpoint.name}` \| `[A-Z]+ /.*$", WIRE, re.MULTILINE)
    assert len(rows) == 1
    return rows[0]


def stand_in_order(names: list[str], text: str) -> bool:
    """Whether names stand in a text as words of their own, one after the other."""
    return re.search(".*?".join(rf"\b{re.escape(name)}\b" for name in names), text, re.DOTALL) is not None


@pytest.mark.parametrize("endpoint", ENDPOINTS.values(), ids=ENDPOINTS)
def test_every_endpoint_stands_there(endpoint):
    """One row with its name, method and path, and with its status where exactly one means success."""
    assert f"| `{endpoint.name}` | `{endpoint.method} {endpoint.path}` |" in row(endpoint)
    if len(endpoint.ok) == 1:
        [status] = endpoint.ok
        assert f"exactly {status}" in row(endpoint)


def test_every_row_is_an_endpoint():
    """The page has no row for a call that the table of the code lacks."""
    assert set(re.findall(r"^\| `(\w+)` \| `[A-Z]+ /", WIRE, re.MULTILINE)) == set(ENDPOINTS)


@pytest.mark.parametrize(
    "endpoint", [e for e in ENDPOINTS.values() if attrs.has(e.takes or type(None))], ids=lambda endpoint: endpoint.name
)
def test_every_field_of_a_body_stands_there(endpoint):
    """In the order in which the fields travel: in the row of the endpoint, or in the section that it links to."""
    names = [name for name in attrs.fields_dict(endpoint.takes) if name not in NOT_SENT.get(endpoint.name, ())]
    if endpoint.name in FILTERS:
        assert all(f"`{name}`" in section("long-lists") or f'"{name}"' in section("long-lists") for name in names)
    elif endpoint.name == "import_bucket_objects":
        assert set(names) <= set(re.findall(r'"(\w+)"', row(endpoint)))
    else:
        assert stand_in_order(names, section(ELSEWHERE[endpoint.name]) if endpoint.name in ELSEWHERE else row(endpoint))


def test_every_part_of_the_predict_form_stands_there():
    """The parts of the form, in their order."""
    parts = re.findall(r"^\| `(\w+)` \|", section("predict-form"), re.MULTILINE)
    assert parts == [*attrs.fields_dict(serving_requests.PredictRequest), "media"]


@pytest.mark.parametrize("enum", enums.WireEnum.__subclasses__(), ids=lambda enum: enum.__name__)
def test_every_enum_value_stands_there(enum):
    """The row of an enum has its values, and no others."""
    [values] = re.findall(rf"^\| `{enum.__name__}` \| ([^|]*) \|", WIRE, re.MULTILINE)
    assert set(re.findall(r"\b[A-Z_]+(?:/[A-Z]+)?\b", values)) == {member.value for member in enum}


@pytest.mark.parametrize("metric", enums.ServiceMetrics, ids=lambda metric: metric.name)
def test_every_statistic_stands_there(metric):
    """A member with the word that travels and the route that answers it."""
    route = "/stats" if metric.is_aggregated else "/predictions/stats"
    assert f"| {metric.name} | `{metric.service}` | `{route}` |" in WIRE


@pytest.mark.parametrize("form", PredictionFormat.__subclasses__(), ids=lambda form: form.__name__)
def test_every_prediction_format_stands_there(form):
    """A format with its deployment type, and with its keys in the order in which they travel."""
    [keys] = re.findall(rf"^\| `{form.__name__}` \| {form.model_type.value} \| ([^|]*) \|", WIRE, re.MULTILINE)
    assert re.findall(r"`(\w+)`", keys) == list(form.shape_fields)


def mentions() -> typing.Iterator[tuple[str, str]]:
    """Yield each file that names an anchor of the page, and the anchor."""
    for folder in ("picsellia_async", "tests", "docs", "benchmarks"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in {".py", ".md"}:
                text = path.read_text(encoding="utf-8")
                yield from ((str(path.relative_to(ROOT)), anchor) for anchor in re.findall(r"wire\.md#([\w-]+)", text))
    yield from (("docs/wire.md", anchor) for anchor in re.findall(r"\]\(#([\w-]+)\)", WIRE))


def test_every_anchor_that_is_named_exists():
    """Comments and pages name sections that are there, each anchor once."""
    assert len(ANCHORS) == len(set(ANCHORS))
    assert [(path, anchor) for path, anchor in mentions() if anchor not in ANCHORS] == []
