"""What cannot be right is refused with a clear typed error before any request."""

from __future__ import annotations

import inspect
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from picsellia_async import AsyncDeployment, errors

from . import answers, sides
from .bad_inputs import BAD_INPUTS, BadInput
from .recorder import Recorder

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("bad", BAD_INPUTS, ids=lambda bad: bad.name)
async def test_refused_before_any_request(
    bad: BadInput, recorder: Recorder, files: dict[str, Path], tmp_path: Path
) -> None:
    """One typed error, which names the argument (and what is accepted); the recorder sees nothing, no login either."""
    api = sides.our_names()
    scope: dict[str, Any] = {"api": api, "deployment_name": bad.deployment, "directory": tmp_path, **files}
    async with api.AsyncClient(
        answers.API_TOKEN, checks="off", host=recorder.url, retry=api.RetryPolicy.none()
    ) as client:
        scope["client"] = client
        with pytest.raises(errors.PicselliaError) as raised:
            await sides.call_ours(bad.call, scope, recorder.take)
    assert recorder.take() == []
    assert isinstance(raised.value, getattr(errors, bad.error))
    assert isinstance(raised.value, ValueError)
    message = str(raised.value).lower()
    assert [word for word in bad.words if word.lower() not in message] == [], message


NOT_OF_THE_VENDOR = {"check", "is_stored", "monitor_array", "request"}
"""Methods that the vendor's SDK lacks; what they refuse is tested where they are."""


def test_every_method_with_arguments_refuses_something() -> None:
    """A method of `AsyncDeployment` that takes arguments and has no row fails here."""
    covered = {bad.method for bad in BAD_INPUTS}
    with_arguments = {
        name
        for name, method in inspect.getmembers(AsyncDeployment, inspect.iscoroutinefunction)
        if not name.startswith("_") and len(inspect.signature(method).parameters) > 1
    }
    assert with_arguments - covered == NOT_OF_THE_VENDOR


def test_names_are_unique() -> None:
    """Two rows of one name would hide one of them in a report."""
    assert [name for name, count in Counter(bad.name for bad in BAD_INPUTS).items() if count > 1] == []
