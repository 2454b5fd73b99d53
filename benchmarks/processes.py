"""Child processes of a benchmark: the sink on one core, the arms on the other, driven in turns."""

from __future__ import annotations

import contextlib
import json
import os
import ssl
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CORES = sorted(os.sched_getaffinity(0))
CLIENT_CORE, SINK_CORE = CORES[0], CORES[-1]
ROOT = Path(__file__).resolve().parent.parent
BEFORE = " before"
"""Ends the name of an arm that runs from another checkout."""


@contextlib.contextmanager
def on_client_core() -> Iterator[None]:
    """Keep this process on the core that the sink leaves free."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {CLIENT_CORE})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


class Child:
    """A process that prints a line of JSON for each line it is given.

    What it says on stderr ends the benchmark: a way that warns does something else than what it is measured for.
    """

    def __init__(self, *arguments: str, environment: dict[str, str] | None = None, checkout: Path = ROOT) -> None:
        self.name = " ".join(arguments[:2])
        self.complaints = tempfile.TemporaryFile()  # noqa: SIM115 - closed in `end`
        self.process = subprocess.Popen(
            [sys.executable, "-m", *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.complaints, text=True,
            env={**os.environ, **(environment or {})}, cwd=checkout,
        )  # fmt: skip
        self.hello = self.read()

    def read(self) -> dict[str, Any]:
        line = self.process.stdout.readline()  # type: ignore[union-attr]
        self.complaints.seek(0)
        if complaints := self.complaints.read().decode(errors="replace"):
            raise RuntimeError(f"{self.name} says:\n{complaints}")
        if not line:
            raise RuntimeError(f"{self.name} ended with {self.process.wait()}")
        return json.loads(line)

    def ask(self, **order: Any) -> dict[str, Any]:
        self.process.stdin.write(json.dumps(order) + "\n")  # type: ignore[union-attr]
        self.process.stdin.flush()  # type: ignore[union-attr]
        return self.read()

    def end(self) -> None:
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()  # type: ignore[union-attr]
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()  # type: ignore[union-attr]
        self.complaints.close()


class Sink:
    """The sink, and what it has counted."""

    def __init__(self, *, delay: float, certificate: dict[str, str] | None) -> None:
        arguments = ["benchmarks.sink", "--delay", str(delay), "--core", str(SINK_CORE)]
        self.context = None
        if certificate:
            arguments += ["--tls-cert", certificate["chain"], "--tls-key", certificate["key"]]
            self.context = ssl.create_default_context(cafile=certificate["ca"])
        self.child = Child(*arguments)
        self.base: str = self.child.hello["base"]

    def counts(self) -> dict[str, Any]:
        """Predictions that arrived, their bytes, and the CPU seconds of the sink, since it began."""
        with urllib.request.urlopen(f"{self.base}/counts", context=self.context) as response:
            return json.load(response)


@contextlib.contextmanager
def certificate() -> Iterator[dict[str, str]]:
    import trustme

    with tempfile.TemporaryDirectory() as folder:
        authority = trustme.CA()
        leaf = authority.issue_cert("localhost", "127.0.0.1")
        names = {"ca": f"{folder}/ca.pem", "chain": f"{folder}/chain.pem", "key": f"{folder}/key.pem"}
        authority.cert_pem.write_to_path(names["ca"])
        leaf.private_key_pem.write_to_path(names["key"])
        for blob in leaf.cert_chain_pems:
            blob.write_to_path(names["chain"], append=True)
        yield names


@contextlib.contextmanager
def stage(
    arms: list[str],
    *,
    size: int,
    flight: int,
    delay: float = 0.0,
    tls: bool = False,
    seed: int = 0,
    against: Path | None = None,
) -> Iterator[tuple[Sink, dict[str, Child]]]:
    """A sink and one process per arm, and one more per arm of ours from the checkout `against`, right behind it."""
    with contextlib.ExitStack() as stack:
        files = stack.enter_context(certificate()) if tls else None
        environment = {"SSL_CERT_FILE": files["ca"], "REQUESTS_CA_BUNDLE": files["ca"]} if files else {}
        sink = Sink(delay=delay, certificate=files)
        stack.callback(sink.child.end)
        children = {}
        for name, arm, checkout in placed(arms, against):
            children[name] = Child(
                "benchmarks.arms", arm, "--base", sink.base, "--size", str(size), "--flight", str(flight),
                "--core", str(CLIENT_CORE), "--seed", str(seed), environment=environment, checkout=checkout,
            )  # fmt: skip
            stack.callback(children[name].end)
        yield sink, children


def placed(arms: list[str], against: Path | None) -> Iterator[tuple[str, str, Path]]:
    """Name of a child, its arm, and the checkout that it runs from. Arms that the other checkout does not know yet are named."""
    known = set() if against is None else arms_of(against)
    for arm in arms:
        yield arm, arm, ROOT
        if against is not None and arm.startswith("ours"):
            if arm in known:
                yield arm + BEFORE, arm, against
            else:
                print(f"{arm}: not in {against}, so that nothing is said of before", flush=True)


def arms_of(folder: Path) -> set[str]:
    """Return the arms of another checkout.

    Raises:
        ValueError: The package of another folder would be imported there: it would be measured against itself.
    """
    code = "import picsellia_async, benchmarks.arms; print(picsellia_async.__file__, *benchmarks.arms.ARMS, sep='\\n')"
    command = [sys.executable, "-c", code]
    listed = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, check=True, text=True).stdout
    found, *arms = listed.splitlines()
    if not Path(found).is_relative_to(folder.resolve()):
        raise ValueError(f"a child in {folder} imports {found}")
    return set(arms)


def turns(children: dict[str, Child], number: int) -> list[tuple[str, Child]]:
    """The order of a round: every second one goes backwards, so that nobody always follows the same neighbour."""
    order = list(children.items())
    return order[::-1] if number % 2 else order
