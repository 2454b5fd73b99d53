"""`BadInput`, one call that our client must refuse, and how such calls are made."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any, Final

import attrs

from .row import FORMATS, RAW

NAIVE: Final = dt.datetime(2024, 1, 2)  # noqa: DTZ001  the mistake under test


@attrs.frozen
class BadInput:
    """One refused call.

    Args:
        name: Names the test; starts with the method's name.
        call: The call.
        words: What the message must contain, in any case.
        error: Name of the error's class.
        deployment: Name of the deployment to fetch.
    """

    name: str
    call: Callable[..., Any]
    words: tuple[str, ...] = ()
    error: str = "ConfigurationError"
    deployment: str = "awesome-deploy"

    @property
    def method(self) -> str:
        """The method that refuses."""
        return self.name.partition(":")[0]


def boxes(api: Any) -> Any:
    return api.DetectionPredictionFormat(**FORMATS["awesome-deploy"][1])


def monitored(name: str, words: tuple[str, ...], error: str = "ConfigurationError", **wrong: Any) -> BadInput:
    """A `monitor_bytes` that is right but for some arguments."""

    def call(deployment: Any, api: Any) -> Any:
        right = {
            "raw_image": RAW,
            "content_type": "image/jpeg",
            "filename": "f.jpg",
            "latency": 0.5,
            "height": 10,
            "width": 20,
            "prediction": boxes(api),
        }
        return deployment.monitor_bytes(**right | wrong)

    return BadInput(f"monitor_bytes: {name}", call, words, error)
