"""What an endpoint is, and the register that holds them all. The table itself is `endpoints`."""

from __future__ import annotations

import enum
from typing import Any, Final, Generic, TypeVar

import attrs

from picsellia_async._wire.exchange import ANSWER_BYTES_MAX, Sink
from picsellia_async.errors import StatusError

T = TypeVar("T")

SUCCESS: Final = frozenset(range(200, 300)) - {208}
"""What the platform accepts: any 2xx but 208, which says that an object name is taken (docs/wire.md#statuses)."""


class Host(enum.Enum):
    """The remote hosts."""

    PLATFORM = "platform"
    """Models, datasets, tags, campaigns; api token."""
    ORACLE = "oracle"
    """Monitoring; one JWT per deployment."""
    SERVING = "serving"
    """Predictions; one JWT per deployment."""
    STORAGE = "storage"
    """Files; presigned addresses at any host. Not in the table: the platform names them."""


class Pipeline(enum.Enum):
    """The pipelines of a deployment, as paths spell them."""

    FEEDBACK_LOOP = "fl"
    """Submitted reviews become assets of datasets."""
    TRAINING_DATA = "td"
    """Reference that drift and outliers are measured against."""
    CONTINUOUS_TRAINING = "ct"
    """Enough reviews start an experiment."""
    CONTINUOUS_DEPLOYMENT = "cd"
    """A newly trained model version is deployed."""

    def __str__(self) -> str:
        """Return what the path carries."""
        return self.value


@attrs.frozen(kw_only=True, eq=False)
class Endpoint(Generic[T]):
    """One exchange of the API."""

    name: str
    """Name of the constant in lower case; the emulator's handler is called so."""
    method: str
    """HTTP verb; `XGET` is a verb of the platform (docs/wire.md#long-lists)."""
    path: str = attrs.field(repr=lambda path: repr(path.partition("?")[0]))
    """Template; names in braces are filled in by the call. A presigned address has its query here, which is a key."""
    host: Host
    """Which service answers."""
    returns: type[T]
    """What the body is read as; `NoneType` where it is not read, `object` where any JSON is handed on."""
    takes: Any = None
    """Request class (or type) of the JSON body; None: no body, or a multipart form."""
    ok: frozenset[int] = SUCCESS
    """Statuses that mean success."""
    idempotent: bool
    """Whether carrying it out twice is harmless. If not, it is repeated only when the service cannot have got it whole, or
    answered that it failed."""
    direct: bool = False
    """Whether the call may skip httpx's client layer: no redirects to follow, no cookies, no compression."""
    answer_max: int = ANSWER_BYTES_MAX
    """Bytes of body, unpacked, that an answer may have."""
    errors: type[StatusError] | None = None
    """Family of its errors, beside the class of the status."""
    verb: bytes = attrs.field(init=False, repr=False)
    """`method`, as it is sent."""
    subject: str = attrs.field(init=False, repr=False)
    """Name in the path of the object that is asked for: `data_id` of `/api/data/{data_id}`; empty: the path ends otherwise."""
    sink: Sink | None = attrs.field(default=None, repr=False)
    """Takes the body of a success, which is empty then; None: it is read into memory. Not for direct calls."""

    @verb.default
    def _verb(self) -> bytes:
        return self.method.encode("ascii")

    @subject.default
    def _subject(self) -> str:
        last = self.path.rpartition("/")[2]
        return last[1:-1] if last.startswith("{") else ""

    @property
    def is_listed(self) -> bool:
        """Whether it is one of the table: its path is a template, and one of few."""
        return ENDPOINTS.get(self.name) is self


ENDPOINTS: Final[dict[str, Endpoint[Any]]] = {}
"""Every endpoint by name."""


def register(
    host: Host,
    name: str,
    method: str,
    path: str,
    returns: type[T],
    takes: Any = None,
    *,
    ok: frozenset[int] = SUCCESS,
    idempotent: bool | None = None,
    errors: type[StatusError] | None = None,
) -> Endpoint[T]:
    """Make and register an endpoint.

    What GET, XGET, PUT, PATCH and DELETE do can be done twice, what POST does cannot, unless `idempotent` says otherwise. The hosts
    of a deployment are called directly: they are named by the platform, do not redirect, and get nearly all requests.
    """
    if name in ENDPOINTS:
        raise ValueError(f"endpoint {name} stands twice in the table")
    endpoint = ENDPOINTS[name] = Endpoint(
        name=name,
        method=method,
        path=path,
        host=host,
        returns=returns,
        takes=takes,
        ok=ok,
        idempotent=method != "POST" if idempotent is None else idempotent,
        direct=host is not Host.PLATFORM,
        errors=errors,
    )
    return endpoint
