"""`python -m picsellia_async.cli`, for environments without scripts on the path."""

from picsellia_async._command import run

run()
