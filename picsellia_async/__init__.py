"""asyncio-native SDK for Picsellia deployments. Everything public is importable from here; see API docs in docs/."""

from picsellia_async._version import __version__
from picsellia_async.client import AsyncClient
from picsellia_async.config import RetryPolicy, Timeouts
from picsellia_async.deployment import AsyncDeployment

__all__ = [
    "AsyncClient",
    "AsyncDeployment",
    "RetryPolicy",
    "Timeouts",
    "__version__",
]
