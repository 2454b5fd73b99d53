"""`Watch`: scans for secrets what the whole suite makes: lines at DEBUG of all libraries, spans, metrics, errors, reprs, files.

It hangs on the classes that make these things for as long as a session lasts, so no test has to ask for it.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import logging
import subprocess
from collections import Counter, deque
from collections.abc import Callable, Iterator
from pathlib import Path
from types import MethodType
from typing import Any, Final

import pytest
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import Span

from picsellia_async import AsyncClient, PicselliaError, Pipeline, Uploader
from picsellia_async.emulator import Emulator
from picsellia_async.metrics import PrometheusCollector

from .secrets import Secrets

REPRS_MAX: Final = 10
"""Of each class, so many reprs are scanned at the end of a client, an uploader or a pipeline."""
TOKENS_MAX: Final = 8
"""The tokens of so many emulators are looked for, of the latest."""
FILE_BYTES_MAX: Final = 2**20
"""Of each file, so much is scanned from its beginning."""
OPENED: Final = (list, tuple, dict, set, deque, MethodType, functools.partial)
"""What is looked into for objects of the package."""


class Watch:
    """Scans what is made while it is installed; `counts` has how many things of each kind it has seen."""

    def __init__(self) -> None:
        self.secrets = Secrets()
        self.counts: Counter[str] = Counter()
        self._emulators = 0

    def see(self, kind: str, name: str, content: str | bytes, *, forms: bool = True) -> None:
        """Scan one thing."""
        self.counts[kind] += 1
        self.secrets.scan(f"{kind} {name}", content, forms=forms)

    def see_files(self, folder: Path) -> None:
        """Scan all files below a folder, and what they are called. Images may be there: it is what a spool is for.

        The emulator's own database is left out: it is the service, which knows the tokens.
        """
        for path in folder.rglob("*"):
            if path.is_file() and not path.name.startswith("emulator.sqlite"):
                with contextlib.suppress(OSError), path.open("rb") as file:
                    self.see("file", path.name, file.read(FILE_BYTES_MAX), forms=False)
            self.see("name of a file", "", path.name)

    @contextlib.contextmanager
    def installed(self) -> Iterator[None]:
        """Watch everything; logging is at DEBUG meanwhile, for all libraries."""
        root, level = logging.getLogger(), logging.getLogger().level
        with pytest.MonkeyPatch.context() as patch:
            for owner, name, kind in (
                (InMemoryMetricReader, "get_metrics_data", "metrics"),
                (pytest.CaptureFixture, "readouterr", "output"),
                (subprocess.Popen, "communicate", "output"),
            ):
                patch.setattr(owner, name, self._result(getattr(owner, name), kind))
            patch.setattr(Span, "end", self._span(Span.end))
            patch.setattr(PrometheusCollector, "collect", self._scrape(PrometheusCollector.collect))
            for door in (AsyncClient, Uploader, Pipeline):
                patch.setattr(door, "__aexit__", self._closing(door.__aexit__))
            patch.setattr(Emulator, "start", self._starting(Emulator.start))
            # An error is complete when nobody holds it any more.
            patch.setattr(PicselliaError, "__del__", self._error(), raising=False)
            # Behind the filters of a logger, and before its handlers: some loggers propagate nothing.
            patch.setattr(logging.Logger, "callHandlers", self._line(logging.Logger.callHandlers))
            root.setLevel(logging.DEBUG)
            yield
            root.setLevel(level)

    def _line(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(logger: logging.Logger, record: logging.LogRecord) -> None:
            self.counts[f"lines of {record.name.partition('.')[0]}"] += 1
            extra = {name: value for name, value in vars(record).items() if name not in _PLAIN}
            self.see("log of", record.name, f"{_FORMAT.format(record)}\n{extra or ''}")
            function(logger, record)

        return call

    def _result(self, function: Callable[..., Any], kind: str) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(*args: Any, **options: Any) -> Any:
            found = function(*args, **options)
            self.see(kind, function.__qualname__, str(found))
            return found

        return call

    def _span(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def end(span: Span, *args: Any) -> None:
            function(span, *args)
            self.see("span", span.name, span.to_json())

        return end

    def _scrape(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def collect(collector: PrometheusCollector) -> Iterator[Any]:
            for family in function(collector):
                self.see("metrics", family.name, str(family))
                yield family

        return collect

    def _starting(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        async def start(emulator: Emulator) -> None:
            await function(emulator)
            self._emulators += 1
            self.secrets.plant(f"the api token of an emulator ({self._emulators % TOKENS_MAX})", emulator.api_token)

        return start

    def _closing(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        async def close(door: object, *error: Any) -> None:
            for one in within(door):
                self.see("repr of", type(one).__qualname__, repr(one))
            await function(door, *error)

        return close

    def _error(self) -> Callable[[PicselliaError], None]:
        def end(error: PicselliaError) -> None:
            with contextlib.suppress(AttributeError):  # one whose constructor has failed
                self.see("error", type(error).__name__, f"{error}\n{error!r}\n{vars(error)}\n{error.__cause__!r}")

        return end


def within(root: object) -> Iterator[object]:
    """Yield objects of the package that others of it lead to: `REPRS_MAX` of each class. The emulator is the service, which has secrets."""
    seen, counts, todo = {id(root)}, Counter[type](), [root]
    while todo:
        one = todo.pop()
        module = type(one).__module__
        if module.startswith("picsellia_async") and not module.startswith("picsellia_async.emulator"):
            counts[type(one)] += 1
            if counts[type(one)] > REPRS_MAX:
                continue
            yield one
        for other in gc.get_referents(one):
            kind = type(other)
            if id(other) not in seen and (kind in OPENED or kind.__module__.startswith("picsellia_async")):
                seen.add(id(other))
                todo.append(other)


_PLAIN: Final = vars(logging.makeLogRecord({})).keys()
_FORMAT: Final = logging.Formatter()
