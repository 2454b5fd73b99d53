"""Options of an emulator, as one type for what passes them on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypedDict

from picsellia_async.emulator.domain.served_model import Model
from picsellia_async.emulator.transport.tls_files import Tls
from picsellia_async.enums import InferenceType


class EmulatorOptions(TypedDict, total=False):
    """Options of an `Emulator`, beside its port; its constructor describes them."""

    data_dir: str | Path | None
    deployment_type: InferenceType | str | None
    deployments: Mapping[str, InferenceType | str] | None
    model: Model | None
    shadow_model: Model | None
    labels: Sequence[str] | Mapping[int, str] | None
    host: str
    strict_images: bool
    loose: bool
    jwt_lifetime: int
    visibility_delay: float
    max_body_bytes: int
    public_url: str | None
    seed: int
    journal_max: int
    keep_alive: float
    tls: Tls | None
    clock: Callable[[], float]
