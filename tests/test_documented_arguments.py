"""Every argument of a public call is described where `help()` shows it, or where it says that it is described."""

from __future__ import annotations

import inspect
import re

import attrs
import pytest

import picsellia_async
from picsellia_async import Frame, MonitorOptions

PUBLIC = {name: getattr(picsellia_async, name) for name in picsellia_async.__all__}
CLASSES = [value for value in PUBLIC.values() if inspect.isclass(value) and not issubclass(value, Exception)]
SECTION = re.compile(r"^(?:Args|Attributes):\n((?:    .*\n|\n)*)", re.MULTILINE)
FURTHER = re.compile(r"Further arguments: `(\w+)`")


def described(doc: str, owner: type) -> set[str]:
    """Return the names that a docstring describes, itself or by the name of the method or class that does."""
    names = {n for section in SECTION.findall(doc + "\n") for n in re.findall(r"^    \**(\w+):", section, re.MULTILINE)}
    for target in FURTHER.findall(doc):
        found = getattr(owner, target, None) or PUBLIC.get(target) or getattr(picsellia_async.AsyncClient, target)
        names |= described(inspect.getdoc(found) or "", owner)
    return names


CALLS = [
    pytest.param(owner, member, id=f"{owner.__name__}.{name}")
    for owner in CLASSES
    if not owner.__module__.startswith(
        "picsellia_async.predictions"
    )  # one doc for the keywords of all their constructors
    for name, member in vars(owner).items()
    if not name.startswith("_") and inspect.isfunction(inspect.unwrap(getattr(member, "__func__", member)))
]


@pytest.mark.parametrize(("owner", "member"), CALLS)
def test_every_argument_is_described(owner, member):
    """In the section "Args", in that of the method or class that "Further arguments" names, or in the sentence of a short doc."""
    function = getattr(member, "__func__", member)
    doc = inspect.getdoc(function) or ""
    said = described(doc, owner)
    summary = doc.partition("\n\n")[0]
    arguments = [name for name in inspect.signature(function).parameters if name not in {"self", "cls"}]
    missing = [n for n in arguments if n not in said and not re.search(rf"\b{n}s?\b", summary)]
    assert missing == []


@pytest.mark.parametrize("kind", [MonitorOptions, Frame])
def test_the_help_of_a_value_describes_every_field(kind):
    """`help(Frame)` tells more than names and types, and says nothing of fields that are not there."""
    assert described(inspect.getdoc(kind), kind) == set(attrs.fields_dict(kind))


def test_an_option_of_monitoring_is_described_once():
    """The calls that take it name `MonitorOptions`, and describe again only what they read otherwise."""
    options = set(attrs.fields_dict(MonitorOptions)) - {"filename", "content_type"}
    for name in ("monitor", "monitor_bytes", "monitor_cloud_image", "monitor_data"):
        doc = inspect.getdoc(getattr(picsellia_async.AsyncDeployment, name))
        assert FURTHER.findall(doc) == ["MonitorOptions"]
        assert not options & described(FURTHER.sub("", doc), picsellia_async.AsyncDeployment)
