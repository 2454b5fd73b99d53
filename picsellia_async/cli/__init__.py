"""The command line. Here is only its door; `main` parses, and each command has a module of its own."""

from picsellia_async.cli.main import main

__all__ = ["main"]
