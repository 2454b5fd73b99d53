"""Fixtures of the parity tests: the recorder, the vendor's client, some files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from . import answers, row, sides
from .pictures import png
from .recorder import Recorder


@pytest.fixture(scope="session")
def recorder() -> Iterator[Recorder]:
    """A running recorder; call `take()` before what is to be looked at."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("TOKEN", "HOST", "ORGANIZATION_ID", "ORGANIZATION_NAME"):
            patch.delenv(f"PICSELLIA_{name}", raising=False)
        patch.setenv("NO_PROXY", "127.0.0.1")
        recorder = Recorder()
        recorder.start()
        yield recorder
        recorder.stop()


@pytest.fixture(scope="session")
def vendor_names() -> sides.Names:
    """The vendor's classes and enums."""
    return sides.vendor_names()


@pytest.fixture(scope="session")
def vendor_client(recorder: Recorder, vendor_names: sides.Names) -> Any:
    """The vendor's client, connected to the recorder."""
    return vendor_names.Client(answers.API_TOKEN, host=recorder.url)


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The files that rows of the table ask for by name."""
    return make_files(tmp_path_factory.mktemp("files"))


def make_files(directory: Path) -> dict[str, Path]:
    """Write the files that rows of the table ask for."""
    contents = {
        "jpeg": ("f.jpg", row.RAW),
        "png": ("f.png", b"png"),
        "instructions": ("i.txt", b"look twice"),
        "picture": ("p.png", png(20, 10)),
    }
    for filename, content in contents.values():
        (directory / filename).write_bytes(content)
    return {name: directory / filename for name, (filename, _) in contents.items()}
