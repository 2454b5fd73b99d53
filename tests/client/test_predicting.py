"""Predicting on files and bytes."""

from __future__ import annotations

import pytest

from picsellia_async import ConfigurationError, ImplausibleError

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


async def test_labels_of_data_are_checked_as_with_monitoring(deployment, client, emulator, tmp_path):
    """A directory that leads out of its own, and blank names, are refused before anything is sent; `checks="off"` sends them."""
    file = tmp_path / "f.png"
    file.write_bytes(PNG)
    [data] = await (await client.get_datalake()).list_data(limit=1)
    before = len(emulator.journal)
    for options, message in (
        ({"upload_dir": "../../x"}, "upload_dir '../../x' is no prefix"),
        ({"tags": [" "]}, r"tags\[0\] is blank"),
        ({"source": " "}, "source is blank"),
    ):
        for call in (
            lambda options=options: deployment.predict_bytes("f.jpg", JPEG, **options),
            lambda options=options: deployment.predict(file, **options),
        ):
            with pytest.raises(ImplausibleError, match=message):
                await call()
    with pytest.raises(ImplausibleError, match=r"tags\[0\] is blank"):
        await deployment.predict_data(data, tags=[" "])
    assert len(emulator.journal) == before
    unchecked = await client.with_options(checks="off").get_deployment(deployment.name)
    assert await unchecked.predict_bytes("f.jpg", JPEG, upload_dir="../../x")
