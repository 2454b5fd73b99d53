"""`Emulator`: the server as a context manager, on real TCP, inside the running event loop or in a thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import random
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar, Unpack
from urllib.parse import urlsplit

from picsellia_async._wire.converter import JsonObject
from picsellia_async.emulator import app, seed
from picsellia_async.emulator.control import Control, prediction
from picsellia_async.emulator.domain import predictions
from picsellia_async.emulator.domain.fake_predictions import invented
from picsellia_async.emulator.domain.ids import stable_id
from picsellia_async.emulator.domain.served_model import Model, Models
from picsellia_async.emulator.domain.state import Options, State
from picsellia_async.emulator.domain.tokens import Tokens
from picsellia_async.emulator.emulator_options import EmulatorOptions
from picsellia_async.emulator.opening import Opened, opened
from picsellia_async.emulator.seed import Beginning
from picsellia_async.emulator.services import bucket
from picsellia_async.emulator.store.documents import Document
from picsellia_async.emulator.transport.fault_middleware import FaultMiddleware
from picsellia_async.emulator.transport.fault_register import Faults
from picsellia_async.emulator.transport.journal import JOURNAL_MAX, Journal
from picsellia_async.emulator.transport.journal_middleware import JournalMiddleware
from picsellia_async.emulator.transport.loop_thread import LoopThread
from picsellia_async.emulator.transport.runner import Server, bracketed, listen
from picsellia_async.emulator.transport.security import SecurityMiddleware
from picsellia_async.emulator.transport.tls_files import Tls, TlsFiles
from picsellia_async.enums import InferenceType
from picsellia_async.errors import ClosedError, ConfigurationError
from picsellia_async.predictions import PREDICTION_FORMATS
from picsellia_async.validation import boolean, text, whole_number

T = TypeVar("T")

_LOG: Final = logging.getLogger(__name__)

_PREDICTIONS_AT_ONCE: Final = 500
"""Invented predictions made in one go; other requests wait for that long."""


class Emulator:
    """A local server that speaks the wire of platform, monitoring, serving and object storage on one port.

    ```python
    async with Emulator() as emulator:
        client = AsyncClient(emulator.api_token, host=emulator.url)
    ```

    An emulator can be started again after it stopped; without a data directory it then begins anew.
    """

    def __init__(
        self,
        port: int = 0,
        data_dir: str | Path | None = None,
        *,
        deployment_type: InferenceType | str | None = None,
        deployments: Mapping[str, InferenceType | str] | None = None,
        model: Model | None = None,
        shadow_model: Model | None = None,
        labels: Sequence[str] | Mapping[int, str] | None = None,
        host: str = "127.0.0.1",
        strict_images: bool = False,
        loose: bool = False,
        jwt_lifetime: int = 3600,
        visibility_delay: float = 0.0,
        max_body_bytes: int = 256 * 2**20,
        public_url: str | None = None,
        seed: int = 0,
        journal_max: int = JOURNAL_MAX,
        keep_alive: float = 75.0,
        tls: Tls | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Choose how the emulator behaves; nothing is opened yet.

        Args:
            port: TCP port; 0 takes a free one.
            data_dir: Directory that keeps everything across runs, made if it is not there; None keeps it in memory.
            deployment_type: Type of the seeded deployment, of its model and its dataset; None: OBJECT_DETECTION, or that of `data_dir`.
            deployments: Further deployments, type by name, each with a model and a dataset of its own.
            model: Predicts for the seeded deployment, in threads, on height x width x 3 of RGB, like `OnnxModel`; None invents.
            shadow_model: Predicts for its shadow; None: `model` does.
            labels: Label map of the seeded deployment; None: the `names` of `model`, else some that fit its type.
            host: Address to listen on. Whoever can reach it can use the emulator, so it is the loopback by default.
            strict_images: Refuse images that begin neither as JPEG nor as PNG; the service does not look (docs/wire.md#monitor-variants).
            loose: Ignore fields and query names that docs/wire.md does not know instead of refusing them.
            jwt_lifetime: Seconds that the JWTs of monitoring and serving live.
            visibility_delay: Seconds between the answer of monitoring and the predicted asset's appearance.
            max_body_bytes: Larger requests are answered with 413.
            public_url: `http://host:port` to tell clients; None: whatever address they came to.
            seed: Of the draws that decide which images a sample rate keeps.
            journal_max: Requests kept in the journal.
            keep_alive: Seconds after which an idle connection is closed, without a word to the client.
            tls: Files of certificate and private key (PEM); "self-signed" makes them, with an authority whose file is `ca_file` (extra
                `tls`); None serves plain HTTP.
            clock: Epoch seconds; for tokens, presigned URLs and dates.

        Raises:
            ConfigurationError: A value is out of range.
        """
        strict_images = boolean(strict_images, "strict_images")
        loose = boolean(loose, "loose")
        if isinstance(jwt_lifetime, bool) or not isinstance(jwt_lifetime, int) or jwt_lifetime < 0:
            raise ConfigurationError(f"jwt_lifetime must be whole seconds, 0 or more, got {jwt_lifetime!r}")
        if not 0 <= port <= 65535:
            raise ConfigurationError(f"port must be 0 to 65535, got {port!r}")
        self._port = port
        self._host = host
        self._directory = None if data_dir is None else Path(data_dir)
        self._jwt_lifetime = jwt_lifetime
        self._seed = seed
        self._clock = clock
        self._models = Models(self.deployment_id, model, shadow_model)
        self._beginning = Beginning.of(self._models.type_of(deployment_type), deployments, self._models.labels(labels))
        self._options = Options(
            strict_images=strict_images, loose=loose, visibility_delay=visibility_delay, max_body_bytes=max_body_bytes,
            public_url=public_url,
        )  # fmt: skip
        self.journal: Journal = Journal(journal_max)
        """What arrived."""
        self.faults: Faults = Faults()
        """Scripted faults, and the account of what they did."""
        self._keep_alive = keep_alive
        self._tls = None if tls is None else TlsFiles(tls)
        self._running: _Running | None = None
        self._address: tuple[int, str] | None = None
        """Port and api token of the latest run."""

    @property
    def is_running(self) -> bool:
        """Whether it serves."""
        return self._running is not None

    @property
    def url(self) -> str:
        """`http://host:port` of all services; stays readable when it has stopped, as `port` and `api_token` do."""
        scheme = "http" if self._tls is None else "https"
        return self._options.public_url or f"{scheme}://{bracketed(self._host)}:{self.port}"

    @property
    def port(self) -> int:
        """TCP port."""
        return self._latest()[0]

    @property
    def api_token(self) -> str:
        """Token of the seeded user; the same across restarts on one data directory."""
        return self._latest()[1]

    @property
    def ca_file(self) -> Path | None:
        """Authority (PEM) behind `tls="self-signed"`, for a client's trust; it stays the same below `data_dir`, and goes otherwise."""
        return None if self._tls is None else self._tls.ca_file

    @property
    def organization_id(self) -> str:
        """Id of the seeded organization."""
        return stable_id(seed.ORGANIZATION_NAME)

    @property
    def organization_name(self) -> str:
        """Name of the seeded organization."""
        return seed.ORGANIZATION_NAME

    @property
    def deployment_name(self) -> str:
        """Name of the seeded deployment at the beginning."""
        return seed.DEPLOYMENT_NAME

    @property
    def deployment_id(self) -> str:
        """Id of the seeded deployment."""
        return stable_id(seed.ORGANIZATION_NAME, "deployment")

    @property
    def dashboard(self) -> str:
        """URL of the page that shows what arrived."""
        return f"{self.url}/emulator/"

    @property
    def state(self) -> State:
        """What the handlers work on, for tests that look behind the wire."""
        return self._now().state

    def _now(self) -> _Running:
        if self._running is None:
            raise _not_running()
        return self._running

    def _latest(self) -> tuple[int, str]:
        if self._address is None:
            raise _not_running()
        return self._address

    def _document(self, kind: str, *names: object) -> Document:
        return self.state.store.documents.get(kind, stable_id(seed.ORGANIZATION_NAME, kind, *names))

    async def __aenter__(self) -> Self:
        """Start serving.

        Raises:
            ConfigurationError: The data directory cannot be written, is in use by another emulator, was written by another
                version, or has a deployment of another type than is asked for.
            OSError: The port is taken.
        """
        await self.start()
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop serving."""
        await self.stop()

    async def start(self) -> None:
        """Start serving; see `__aenter__`. A running emulator stays as it is."""
        if self._running is not None:
            return
        async with contextlib.AsyncExitStack() as stack:
            kept = await stack.enter_async_context(opened(self._directory, self._beginning, self._clock()))
            state = self._make_state(kept)
            listener = listen(self._host, self._port)
            if not _is_loopback(listener.getsockname()[0]):
                _LOG.warning(
                    "the emulator listens on %s: whoever can reach it can read and change everything", self._host
                )
            stack.callback(listener.close)
            control = Control(state, self.journal, self.faults, self.reset)
            application = app.build(state, [*bucket.routes(state), *control.routes()])
            application.add_middleware(FaultMiddleware, faults=self.faults)
            self.faults.expire_tokens = state.tokens.expire
            safe = SecurityMiddleware(application, self._options.public_url)
            served = JournalMiddleware(safe, self.journal, self._clock)
            names = (self._host, urlsplit(self._options.public_url or "").hostname)
            tls = None if self._tls is None else await self._tls.open(self._directory, names, stack)
            server = await Server.start_on(listener, served, self.faults, self._keep_alive, tls)
            stack.push_async_callback(server.stop)
            stack.callback(control.close)
            self._running = _Running(state, kept, server, stack.pop_all())
            self._address = listener.getsockname()[1], self._document("user", "user")["api_token"]

    def close_idle_connections(self) -> int:
        """Close the connections that wait for a request, as a server does at the end of keep-alive; return how many."""
        return self._now().server.close_idle_connections()

    def _make_state(self, kept: Opened) -> State:
        tokens = Tokens(bytes.fromhex(kept.secret["key"]), self._jwt_lifetime, self._clock)
        # Sampling is no secret: the same seed has to keep the same images.
        draws = random.Random(self._seed)  # noqa: S311
        return State(
            store=kept.store, tokens=tokens, clock=self._clock, random=draws, models=self._models, options=self._options
        )

    async def stop(self) -> None:
        """Stop serving; requests under way get a second. Stopping twice is fine."""
        if self._running is not None:
            running, self._running = self._running, None
            await running.stack.aclose()

    async def reset(self) -> None:
        """Forget everything that arrived, was changed or scripted; ids, api token and JWTs stay good."""
        self._now().kept.reset(self.api_token, self._clock())
        self.state.random.seed(self._seed)
        self.journal.clear()
        self.faults.clear()
        self.faults.forget()

    async def add_organization(self, name: str) -> tuple[str, str]:
        """Add another organization, with the same things in it as the first; return its id and the api token of its user.

        Raises:
            ConfigurationError: The name is taken.
        """
        if self.state.store.documents.find("organization", name=name):
            raise ConfigurationError(f"there is an organization {name!r} already")
        with self.state.store.transaction():
            user = seed.add_organization(self.state.store, self._clock(), self._now().kept.beginning, name)
        return user["organization_id"], user["api_token"]

    async def add_deployment(self, name: str, deployment_type: InferenceType | str) -> str:
        """Add a deployment of any type, with a model and a dataset of its own, until the next reset; return its id.

        Raises:
            ConfigurationError: The name is taken, or there is no such type.
        """
        type_ = InferenceType.of(deployment_type, "deployment_type")
        with self.state.store.transaction():
            deployment = seed.add_deployment(self.state.store, self._clock(), text(name, "name"), type_)
        return str(deployment["id"])

    async def add_predictions(self, count: int, *, deployment: str | None = None, empty: bool = False) -> None:
        """Store so many invented predictions, as if they had been monitored; without image contents.

        Args:
            count: How many; 100,000 take some seconds.
            deployment: Name of the deployment, whose type they have; None: the seeded one.
            empty: Whether nothing was found in any of them. Otherwise each has one to five shapes or classes.

        Raises:
            ConfigurationError: There is no such deployment, its type takes no predictions, or a value is of the wrong kind.
        """
        empty = boolean(empty, "empty")
        target = self._target(deployment)
        for first in range(0, whole_number(count, "count", 0), _PREDICTIONS_AT_ONCE):
            with self.state.store.transaction():
                labels = self.state.store.documents.get("model_version", target["model_version_id"])["labels"]
                for number in range(first, min(count, first + _PREDICTIONS_AT_ONCE)):
                    name, draws = f"invented-{number:06}.jpg", f"{self._seed}/{number}"
                    predictions.record(self.state, target, invented(target, len(labels), name, draws, empty=empty))
            await asyncio.sleep(0)  # requests have their turn in between

    def _target(self, name: str | None) -> Document:
        if name is None:
            found: Document | None = self._document("deployment")
        else:
            found = self.state.store.documents.find("deployment", organization_id=self.organization_id, name=name)
        if found is None:
            raise ConfigurationError(f"there is no deployment {name!r}")
        if found["type"] not in PREDICTION_FORMATS:
            raise ConfigurationError(f"{found['name']!r} is of type {found['type']}, which takes no predictions")
        return found

    def predictions(self) -> list[JsonObject]:
        """Return what monitoring and serving stored, oldest first, as `GET /emulator/predictions` shows it."""
        return [prediction(row) for row in self.state.store.predictions.select()]

    @classmethod
    @contextlib.contextmanager
    def run_in_thread(cls, port: int = 0, **options: Unpack[EmulatorOptions]) -> Iterator[ThreadedEmulator]:
        """Run an emulator in a thread with an event loop of its own, for code that has none.

        Args:
            port: As for the constructor.
            **options: As for the constructor.

        Yields:
            What can be done with it from any thread.

        Raises:
            ConfigurationError: As for the constructor, and where the data directory cannot be used.
            OSError: The port is taken.
        """
        emulator = cls(port, **options)
        thread = LoopThread("picsellia-emulator")
        try:
            thread.run(emulator.start())
            try:
                yield ThreadedEmulator(emulator, thread)
            finally:
                thread.run(emulator.stop())
        finally:
            thread.stop()


class ThreadedEmulator:
    """An emulator that runs in a thread of its own, for code without an event loop. Everything here works from any thread."""

    def __init__(self, emulator: Emulator, thread: LoopThread) -> None:
        """Stand for an emulator; `Emulator.run_in_thread` makes these."""
        self._emulator = emulator
        self._thread = thread
        self.journal: Journal = emulator.journal
        """What arrived; an entry is there before its answer is. For waiting, take `wait_for` of this class."""
        self.faults: Faults = emulator.faults
        """Scripted faults, and the account of what they did."""
        self.url: str = emulator.url
        """`http://host:port` of all services; stays readable when it has stopped, as all that follows."""
        self.port: int = emulator.port
        """TCP port."""
        self.api_token: str = emulator.api_token
        """Token of the seeded user."""
        self.organization_id: str = emulator.organization_id
        """Id of the seeded organization."""
        self.organization_name: str = emulator.organization_name
        """Name of the seeded organization."""
        self.deployment_id: str = emulator.deployment_id
        """Id of the seeded deployment."""
        self.deployment_name: str = emulator.deployment_name
        """Name of the seeded deployment at the beginning."""
        self.dashboard: str = emulator.dashboard
        """URL of the page that shows what arrived."""
        self.ca_file: Path | None = emulator.ca_file
        """Certificate of the authority that signed the emulator's own; see `Emulator.ca_file`."""

    @property
    def is_running(self) -> bool:
        """Whether it serves."""
        return self._emulator.is_running

    def predictions(self) -> list[JsonObject]:
        """Return what monitoring and serving stored, oldest first, as `GET /emulator/predictions` shows it.

        Raises:
            ClosedError: It does not run any more.
        """
        return self._run(_called(self._emulator.predictions))

    def wait_for(self, endpoint: str, count: int, timeout: float = 10.0) -> None:
        """Return once so many requests of an endpoint are in the journal.

        Args:
            endpoint: Its name in the table, `monitor` for instance.
            count: How many.
            timeout: Seconds.

        Raises:
            TimeoutError: They did not come in time.
            ClosedError: It does not run any more.
        """

        async def waiting() -> None:
            await asyncio.wait_for(self.journal.wait_for(endpoint, count), timeout)

        self._run(waiting())

    def reset(self) -> None:
        """Forget everything that arrived, was changed or scripted; ids, api token and JWTs stay good.

        Raises:
            ClosedError: It does not run any more.
        """
        self._run(self._emulator.reset())

    def add_predictions(self, count: int, *, deployment: str | None = None, empty: bool = False) -> None:
        """Store so many invented predictions; see `Emulator.add_predictions`.

        Raises:
            ConfigurationError: As there.
            ClosedError: It does not run any more.
        """
        self._run(self._emulator.add_predictions(count, deployment=deployment, empty=empty))

    def add_deployment(self, name: str, deployment_type: InferenceType | str) -> str:
        """Add a deployment of any type until the next reset; return its id.

        Raises:
            ConfigurationError: The name is taken, or there is no such type.
            ClosedError: It does not run any more.
        """
        return self._run(self._emulator.add_deployment(name, deployment_type))

    def add_organization(self, name: str) -> tuple[str, str]:
        """Add another organization; return its id and the api token of its user.

        Raises:
            ConfigurationError: The name is taken.
            ClosedError: It does not run any more.
        """
        return self._run(self._emulator.add_organization(name))

    def close_idle_connections(self) -> int:
        """Close the connections that wait for a request, as a server does at the end of keep-alive; return how many.

        Raises:
            ClosedError: It does not run any more.
        """
        return self._run(_called(self._emulator.close_idle_connections))

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        if not self.is_running:
            coroutine.close()
            raise _not_running()
        return self._thread.run(coroutine)


async def _called(function: Callable[[], T]) -> T:
    """Call a function in the thread of the event loop, which is where the database lives."""
    return function()


def _is_loopback(address: str) -> bool:
    return ipaddress.ip_address(address.partition("%")[0]).is_loopback


def _not_running() -> ClosedError:
    return ClosedError("the emulator is not running; use it inside `async with Emulator() as emulator`")


class _Running:
    """What exists only while an emulator runs."""

    def __init__(self, state: State, kept: Opened, server: Server, stack: contextlib.AsyncExitStack) -> None:
        self.state = state
        self.kept = kept
        self.server = server
        self.stack = stack
