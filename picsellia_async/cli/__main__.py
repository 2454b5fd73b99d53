"""`python -m picsellia_async.cli`, for environments without scripts on the path."""

import sys

from picsellia_async.cli.main import main

sys.exit(main())
