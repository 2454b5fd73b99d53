"""Predicting on files and bytes."""

from __future__ import annotations

import pytest

from picsellia_async import (
    ConfigurationError,
)

from ..support.client import JPEG, PNG

pytestmark = pytest.mark.anyio


async def test_predict_bytes_and_file(deployment, emulator, tmp_path):
    """The serving host's answer is handed on; tags, source and metadata travel."""
    answer = await deployment.predict_bytes("é.jpg", JPEG, tags=["a"], source="cam", metadata={"latitude": 1.5})
    assert isinstance(answer, dict)
    file = tmp_path / "f.png"
    file.write_bytes(PNG)
    assert isinstance(await deployment.predict(file, "tag", monitor=False), dict)
    with pytest.raises(FileNotFoundError):
        await deployment.predict(tmp_path / "no.png")
    with pytest.raises(ConfigurationError, match="monitor must be True or False"):
        await deployment.predict_bytes("f.jpg", JPEG, monitor="no")
    with pytest.raises(ConfigurationError, match="filename"):
        await deployment.predict_bytes("", JPEG)
