"""`picsellia-async emulator`: serve until SIGTERM or SIGINT; one JSON line on stdout says where, all else goes to stderr."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from picsellia_async._log_line import logger
from picsellia_async.cli import conform
from picsellia_async.errors import ConfigurationError

if TYPE_CHECKING:
    from picsellia_async.emulator import Faults
    from picsellia_async.inference import OnnxModel
    from picsellia_async.inference.onnx_model import Task


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's arguments."""
    parser = subparsers.add_parser("emulator", help="serve a local emulator of platform, monitoring and serving")
    parser.add_argument("--port", type=int, default=8765, metavar="N", help="TCP port, 0 for a free one (default 8765)")
    parser.add_argument(
        "--host", default="127.0.0.1", metavar="ADDRESS", help="address to listen on (default 127.0.0.1)"
    )
    parser.add_argument(
        "--data-dir", type=Path, metavar="DIR", help="keep everything here across runs (default: in memory)"
    )
    parser.add_argument(
        "--type",
        metavar="TYPE",
        help="of the deployment: segmentation, for instance (default object_detection, or that of --data-dir)",
    )
    parser.add_argument(
        "--deployment",
        action="append",
        default=[],
        metavar="NAME=TYPE",
        help="a further deployment; may be given several times",
    )
    parser.add_argument(
        "--model",
        type=Path,
        metavar="FILE",
        help="ONNX file of a detector or classifier that predicts (default: inventions)",
    )
    parser.add_argument("--labels", type=Path, metavar="FILE", help="names of its classes, one a line, or YAML")
    parser.add_argument(
        "--shadow-model", type=Path, metavar="FILE", help="another one, with the same classes, for the shadow"
    )
    parser.add_argument("--strict-images", action="store_true", help="refuse images that are neither JPEG nor PNG")
    parser.add_argument("--loose", action="store_true", help="ignore unknown fields instead of refusing them")
    parser.add_argument(
        "--jwt-lifetime", type=int, default=3600, metavar="SECONDS", help="life of a JWT (default 3600)"
    )
    parser.add_argument(
        "--visibility-delay",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="until a predicted asset appears (default 0)",
    )
    parser.add_argument(
        "--public-url", metavar="URL", help="http://host:port to tell clients (default: where they came to)"
    )
    parser.add_argument(
        "--faults", type=Path, metavar="FILE", help="script the faults of a JSON file: one object, or a list of them"
    )
    parser.add_argument(
        "--https",
        action="store_true",
        help="serve HTTPS with a certificate of its own; ca_file in the line says whom to trust",
    )
    parser.add_argument(
        "--export",
        action="store_true",
        help='go to the background and print what makes a shell use it: eval "$(picsellia-async emulator --export)"',
    )
    parser.set_defaults(run=run)
    conform.add_parser(parser.add_subparsers(metavar="conform", help="instead of serving"))


def run(args: argparse.Namespace) -> int:
    """Serve until a signal says otherwise; 0 on a clean stop, 2 where the address or the directory cannot be used."""
    if args.export:
        from picsellia_async.cli.shell_export import export  # noqa: PLC0415 - seldom

        return export(args, _serve_until_stopped)
    return _serve_until_stopped(args)


def _serve_until_stopped(args: argparse.Namespace) -> int:
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    try:
        asyncio.run(_serve(args))
    except (
        KeyboardInterrupt
    ):  # Windows: asyncio.run turns Ctrl-C into a cancellation itself, and the emulator has stopped
        return 0
    except ModuleNotFoundError as exc:
        raise ConfigurationError(str(exc)) from None
    except OSError as exc:
        raise ConfigurationError(f"cannot serve on {args.host} port {args.port}: {exc}") from None
    return 0


def _script_faults(faults: Faults, path: Path) -> None:
    try:
        faults.add_json(orjson.loads(path.read_bytes()))
    except OSError as exc:
        raise ConfigurationError(f"{path} cannot be read: {exc.strerror}") from None
    except orjson.JSONDecodeError as exc:
        raise ConfigurationError(f"{path} is not JSON: {exc}") from None
    except ConfigurationError as exc:
        raise ConfigurationError(f"{path}: {exc.message}") from None


def _deployments(given: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for one in given:
        name, separator, type_ = one.rpartition("=")  # a name may hold the sign, a type does not
        if not separator:
            raise ConfigurationError(f"--deployment must be NAME=TYPE, got {one!r}")
        if name in found:
            raise ConfigurationError(f"--deployment names {name!r} twice")
        found[name] = type_
    return found


def _models(args: argparse.Namespace) -> dict[str, OnnxModel | None]:
    """Load what predicts; blocks."""
    given = {"model": args.model, "shadow_model": args.shadow_model}
    if args.model is None:
        if args.labels is not None or args.shadow_model is not None:
            raise ConfigurationError("--labels and --shadow-model belong to --model")
        return {}
    if args.labels is None:
        raise ConfigurationError("--model needs --labels, the names of its classes")
    from picsellia_async.cli.labels import read_labels  # noqa: PLC0415 - the emulator without a model needs none of it
    from picsellia_async.inference import OnnxModel  # noqa: PLC0415 - as above

    names = read_labels(args.labels)
    task: Task = "classification" if (args.type or "").lower() == "classification" else "detection"
    return {name: None if path is None else OnnxModel.load(path, names, task=task) for name, path in given.items()}


async def _serve(args: argparse.Namespace) -> None:
    from picsellia_async.emulator import Emulator  # noqa: PLC0415 - an extra, imported on use

    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(NotImplementedError):  # Windows
            loop.add_signal_handler(number, stopped.set)
    models = await asyncio.to_thread(_models, args)
    emulator = Emulator(
        args.port, args.data_dir, deployment_type=args.type, deployments=_deployments(args.deployment),
        model=models.get("model"), shadow_model=models.get("shadow_model"), host=args.host, strict_images=args.strict_images, loose=args.loose,
        jwt_lifetime=args.jwt_lifetime, visibility_delay=args.visibility_delay, public_url=args.public_url,
        tls="self-signed" if args.https else None,
    )  # fmt: skip
    if args.faults is not None:
        _script_faults(emulator.faults, args.faults)
    async with emulator:
        facts = {
            "url": emulator.url,
            "api_token": emulator.api_token,
            "organization_id": emulator.organization_id,
            "deployment": emulator.deployment_name,
            "deployment_id": emulator.deployment_id,
            "dashboard": emulator.dashboard,
        }
        if emulator.ca_file is not None:
            facts["ca_file"] = str(emulator.ca_file)
        if args.export:
            from picsellia_async.cli import shell_export  # noqa: PLC0415 - as above

            log = shell_export.log_file(args)
            print(orjson.dumps({**facts, "log": str(log)}).decode(), flush=True)
            shell_export.log_to(log)
        else:
            print(orjson.dumps(facts).decode(), flush=True)
        logger.info("the emulator serves; its dashboard is %s", emulator.dashboard)
        await stopped.wait()
