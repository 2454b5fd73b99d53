"""A local server that speaks Picsellia's wire: platform, monitoring, serving and object storage on one port.

```python
async with Emulator() as emulator:
    client = AsyncClient(emulator.api_token, host=emulator.url)
```

It keeps what it is sent, answers with it, and can be told to fail in every way a network knows (`Emulator.faults`). The vendor's
SDK works on it as well. Needs the extra `picsellia-async[emulator]`.
"""

from __future__ import annotations

from importlib.util import find_spec as _find_spec

for _name in ("jinja2", "jwt", "python_multipart", "starlette", "uvicorn"):
    if _find_spec(_name) is None:
        raise ModuleNotFoundError(
            f"the emulator needs {_name}, which is part of an extra: pip install 'picsellia-async[emulator]'",
            name=_name,
        )

from picsellia_async.emulator.emulator_options import EmulatorOptions  # noqa: E402 - the message above comes first
from picsellia_async.emulator.server import Emulator, ThreadedEmulator  # noqa: E402 - the message above comes first
from picsellia_async.emulator.transport.fault import Fault, FaultKind  # noqa: E402 - the message above comes first
from picsellia_async.emulator.transport.fault_register import Faults, Firing  # noqa: E402 - the message above comes first
from picsellia_async.emulator.transport.journal import Entry, Journal  # noqa: E402 - the message above comes first

__all__ = [
    "Emulator",
    "EmulatorOptions",
    "Entry",
    "Fault",
    "FaultKind",
    "Faults",
    "Firing",
    "Journal",
    "ThreadedEmulator",
]
