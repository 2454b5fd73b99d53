"""The command `picsellia-async`: parses arguments, runs one command, returns its exit code.

Exit codes: 0 all went well; 1 something that was tried did not; 2 the command cannot be carried out as it was given, and nothing
was sent; 130 interrupted. Results go to stdout, all else to stderr.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from picsellia_async._error_text import error_text
from picsellia_async._version import __version__
from picsellia_async.cli import demo, doctor, emulator, monitor, predict, replay, run, spool
from picsellia_async.cli.logs import add_verbose, logged
from picsellia_async.cli.wording import in_options
from picsellia_async.errors import ConfigurationError, PicselliaError


def root_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    root = argparse.ArgumentParser(prog="picsellia-async", description="Picsellia deployments from the command line.")
    root.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = root.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in (demo, emulator, monitor, predict, run, replay, spool, doctor):
        command.add_parser(commands)
    for parser in commands.choices.values():
        add_verbose(parser)
    return root


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command of the given arguments, or of the process's; return the exit code."""
    chosen = root_parser().parse_args(arguments)
    try:
        # Its report says so; as JSON that is on stdout alone.
        is_end_told = chosen.command == "monitor" and not chosen.json
        is_refusal_told = chosen.command in {"monitor", "replay"}
        # A server says where it serves; of the others results are on stdout.
        verbose = max(chosen.verbose, int(chosen.command == "emulator"))
        with logged(verbose, is_end_told=is_end_told, is_refusal_told=is_refusal_told):
            code = int(chosen.run(chosen))
        sys.stdout.flush()
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        _let_go_of_stdout()  # who reads our output wants no more of it (`| head`)
        return 1
    except ConfigurationError as exc:
        print(in_options(f"picsellia-async {chosen.command}: {exc}"), file=sys.stderr)
        return 2
    except PicselliaError as exc:
        print(in_options(f"picsellia-async {chosen.command}: {error_text(exc)}"), file=sys.stderr)
        return 1
    except OSError as exc:  # a full disk behind our output, for instance
        _let_go_of_stdout()
        print(f"picsellia-async {chosen.command}: {exc}", file=sys.stderr)
        return 1
    return code


def _let_go_of_stdout() -> None:
    """See that what is left of our output does not fail again when Python exits."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
