"""`picsellia-async emulator --export`: an emulator in the background, and the lines that make a shell use it."""

from __future__ import annotations

import argparse
import http.client
import os
import shlex
import socket
import ssl
import tempfile
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Final

import orjson

from picsellia_async._wire.exchange import Origin
from picsellia_async.errors import ConfigurationError

_ANSWER_SECONDS: Final = 5.0
"""How long something that listens on the port may take to say what it is."""
_ANSWER_BYTES_MAX: Final = 65_536
"""Of what it says, more than settings take."""


def export(args: argparse.Namespace, serve: Callable[[argparse.Namespace], int]) -> int:
    """Print settings of the emulator on a port; where none serves there, start it in the background.

    There this returns twice: in this process with the settings printed, and in the one in the background once that was stopped.

    Args:
        args: Of the command.
        serve: Serves until a signal comes; returns an exit code.

    Returns:
        0, or what `serve` returned where it could not.

    Raises:
        ConfigurationError: Something else answers on the port, or the system has no processes to fork.
    """
    if not hasattr(os, "fork"):
        raise ConfigurationError(
            "--export needs a system with fork: on Windows, start the emulator in a window of its own"
        )
    if args.data_dir is not None:
        args.data_dir = args.data_dir.absolute()  # what is printed is used in other directories too
    found = _running(args)
    if found is not None:
        print("unset PICSELLIA_EMULATOR_PID PICSELLIA_EMULATOR_LOG")  # of an earlier one
    else:
        reading, writing = os.pipe()
        pid = os.fork()
        if not pid:
            os.close(reading)
            _detach(writing)
            return serve(args)
        os.close(writing)
        with open(reading, encoding="utf-8") as said:  # noqa: PTH123 - a descriptor
            line = said.readline()
        if not line:
            return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        facts = orjson.loads(line)
        found = {
            "PICSELLIA_HOST": facts["url"], "PICSELLIA_TOKEN": facts["api_token"], "PICSELLIA_EMULATOR_PID": str(pid),
            "PICSELLIA_EMULATOR_LOG": facts["log"], **_trusting(facts.get("ca_file")),
        }  # fmt: skip
    for name, value in found.items():
        print(f"export {name}={shlex.quote(value)}")
    return 0


def _detach(stdout: int) -> None:
    """Let go of the terminal: closing its window does not end this process, `kill` does. Errors are told there until it serves."""
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(stdout, 1)
    os.close(nothing)
    os.close(stdout)


def log_file(args: argparse.Namespace) -> Path:
    """Return a file for what the process in the background has to say: in its data directory, or a temporary one."""
    directory: Path | None = args.data_dir
    if directory is not None:
        return directory / "emulator.log"
    descriptor, path = tempfile.mkstemp(prefix="picsellia-emulator-", suffix=".log")
    os.close(descriptor)
    return Path(path)


def log_to(path: Path) -> None:
    """Write all output to a file from now on: whoever reads that of the command waits for no more of it."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for number in (1, 2):
        os.dup2(descriptor, number)
    os.close(descriptor)


def _running(args: argparse.Namespace) -> dict[str, str] | None:
    """Return the settings of an emulator that serves already; None where nothing listens.

    Raises:
        ConfigurationError: What listens is none, or does not serve as the arguments say.
    """
    if not args.port:
        return None
    ca_file = None if args.data_dir is None or not args.https else args.data_dir / "tls" / "ca.pem"
    try:
        trusted = ssl.create_default_context(cafile=ca_file)
        # Without the proxies of the environment: it is on this machine, or as near.
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trusted)
        )
        url = f"{Origin('https' if args.https else 'http', args.host, args.port)}/emulator/connection"
        with opener.open(url, b"", _ANSWER_SECONDS) as answer:
            lines: str = orjson.loads(answer.read(_ANSWER_BYTES_MAX))["env"]
        return dict(line.split("=", 1) for line in lines.splitlines()) | _trusting(ca_file)
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError) as error:
        if not _listens(args):
            return None
        raise _other(args) from error


def _listens(args: argparse.Namespace) -> bool:
    try:
        socket.create_connection((args.host, args.port), _ANSWER_SECONDS).close()
    except OSError:
        return False
    return True


def _trusting(ca_file: object) -> dict[str, str]:
    """Return the variables by which httpx and the vendor's SDK trust an authority."""
    return {} if ca_file is None else {"SSL_CERT_FILE": str(ca_file), "REQUESTS_CA_BUNDLE": str(ca_file)}


def _other(args: argparse.Namespace) -> ConfigurationError:
    return ConfigurationError(
        f"what listens on {args.host} port {args.port} is no emulator of these settings: give another --port"
    )
