"""Every method of the reference exists, is a coroutine function, and takes the documented parameters in their order."""

from __future__ import annotations

import inspect

import pytest

from picsellia_async import AsyncDeployment

from .document import DOCUMENT, parse
from .examples import EXAMPLES
from .signatures import SIGNATURES

METHODS = 41
"""Methods of the reference of 6.37.0."""

here = pytest.mark.skipif(not DOCUMENT.exists(), reason="PICSELLIA_ASYNC_REFERENCE names no text of the reference")


def documented(parameter: inspect.Parameter) -> str:
    """Write a parameter as `signatures.py` does."""
    return parameter.name if parameter.default is parameter.empty else f"{parameter.name}={parameter.default}"


@pytest.mark.parametrize("method", SIGNATURES)
def test_method_has_the_documented_parameters(method: str) -> None:
    """Documented parameters come first and work by position; what ours adds is keyword-only."""
    function = getattr(AsyncDeployment, method)
    _, *parameters = inspect.signature(function).parameters.values()
    by_position = [p for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    by_keyword = [p for p in parameters if p.kind is p.KEYWORD_ONLY]

    assert tuple(documented(parameter) for parameter in by_position) == SIGNATURES[method]
    assert parameters == by_position + by_keyword
    assert all(parameter.default is not parameter.empty for parameter in by_keyword)
    assert inspect.iscoroutinefunction(function)
    assert function.__doc__


def test_the_list_is_whole() -> None:
    """No method fell out of the list, and every example stands under one of them."""
    assert len(SIGNATURES) == METHODS
    assert {example.method for example in EXAMPLES} <= set(SIGNATURES)


@here
def test_the_list_equals_the_reference() -> None:
    """The data is the document: methods, parameters, defaults and examples, word for word."""
    document = parse(DOCUMENT.read_text(encoding="utf-8"))
    signatures = {
        method: tuple(name if default is None else f"{name}={default}" for name, default in parameters)
        for method, (parameters, _) in document.items()
    }
    assert signatures == dict(SIGNATURES)
    assert list(signatures) == list(SIGNATURES)
    examples = {method: example for method, (_, example) in document.items() if example}
    assert {example.method: example.text.strip("\n") for example in EXAMPLES} == examples
