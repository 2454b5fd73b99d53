"""A local HTTP server that writes down what it is asked and gives short, valid, canned answers.

One port plays platform, oracle, serving and object storage; the bearer token tells the services apart where their
paths meet. Here belongs the recording; the answers are in `answers.py`. No behaviour: nothing is stored between two
requests, so that two clients that send the same requests see the same answers.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, Final
from urllib.parse import parse_qsl

import attrs
import uvicorn

from .answers import API_TOKEN, ORACLE_JWT, SERVING_JWT, Answer, answer_to

LOGINS: Final = {"/api/auth/login": "oracle", "/api/login": "serving"}
"""Paths of sign-in, and whose they are."""

NEEDED_FIRST: Final = {"oracle_login", "serving_login", "get_target_connector"}
"""Endpoints that a call may have to use before its own."""

Message = MutableMapping[str, Any]
Pairs = tuple[tuple[str, str], ...]


@attrs.frozen
class Part:
    """One part of a multipart body, in the order sent."""

    name: str
    filename: str | None
    content_type: str | None
    content: bytes


@attrs.frozen
class Exchange:
    """One request, as it arrived, and the answer it got."""

    verb: str
    path: str
    query: Pairs
    headers: Pairs
    body: bytes
    answer: Answer

    def header(self, name: str) -> str | None:
        """Return the only value of a header, or None. The name is lower-case."""
        values = [value for key, value in self.headers if key == name]
        if len(values) > 1:
            message = f"{name} was sent {len(values)} times"
            raise AssertionError(message)
        return values[0] if values else None

    @property
    def service(self) -> str:
        """Name the service that was meant: by token, or by path where none is sent."""
        token = (self.header("authorization") or "").removeprefix("Bearer ")
        known = {API_TOKEN: "platform", ORACLE_JWT: "oracle", SERVING_JWT: "serving"}
        return known.get(token) or LOGINS.get(self.path, "storage")

    @property
    def media_type(self) -> str | None:
        """The Content-Type without its parameters."""
        content_type = self.header("content-type")
        return content_type.split(";")[0].strip() if content_type else None

    @property
    def is_login(self) -> bool:
        """True for the exchange of the API token against a JWT."""
        return self.path in LOGINS

    @property
    def parts(self) -> list[Part]:
        """The parts of a multipart body."""
        content_type = self.header("content-type") or ""
        boundary = content_type.partition("boundary=")[2].strip('"').encode()
        return list(_parts(self.body, boundary))

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


def _parts(body: bytes, boundary: bytes) -> Iterable[Part]:
    *pieces, epilogue = (b"\r\n" + body).split(b"\r\n--" + boundary)
    if not epilogue.startswith(b"--"):
        message = "the multipart body has no closing boundary"
        raise AssertionError(message)
    for piece in pieces[1:]:
        head, _, content = piece.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        fields = {key.lower(): value for key, value in fields.items()}
        disposition = [item.strip() for item in fields.pop("content-disposition").split(";")]
        given = dict(item.split("=", 1) for item in disposition[1:])
        filename = given.get("filename")
        yield Part(
            name=given["name"].strip('"'),
            filename=filename.strip('"') if filename is not None else None,
            content_type=fields.pop("content-type", None),
            content=content,
        )


class Recorder:
    """The server, and its journal. `url` is where it listens."""

    def __init__(self) -> None:
        """Prepare; `start` binds the port."""
        self.journal: list[Exchange] = []
        self.refusal: Answer | None = None
        """Given to every request, while it is set; not to logins and not for the connector, which calls need first."""
        self.changed: tuple[str, bytes] | None = None
        """An endpoint, and what it answers in place of the good answer while this is set."""
        config = uvicorn.Config(
            self._application,
            http="h11",  # httptools refuses the method XGET
            interface="asgi3",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
        )
        self._server = uvicorn.Server(config)
        self._socket = socket.socket()
        self._thread = threading.Thread(target=self._serve, name="recorder", daemon=True)
        self.url = ""

    def start(self) -> None:
        """Bind a free port of 127.0.0.1 and serve until `stop`."""
        self._socket.bind(("127.0.0.1", 0))
        self._socket.listen(128)  # from here on connections queue, so nobody has to wait for the thread
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread.start()

    def _serve(self) -> None:
        self._server.run(sockets=[self._socket])

    def stop(self) -> None:
        """Stop serving and wait for the thread."""
        self._server.should_exit = True
        self._server.force_exit = True
        self._thread.join(10)
        self._socket.close()

    def change(self, answer: tuple[str, bytes] | None) -> None:
        """Forget what arrived, and let an endpoint answer this from now on."""
        self.take()
        self.changed = answer

    def take(self) -> list[Exchange]:
        """Return what arrived since the last call, and forget it."""
        taken, self.journal = self.journal, []
        return taken

    async def _application(
        self,
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        chunks = []
        more = True
        while more:
            message = await receive()
            chunks.append(message.get("body", b""))
            more = message.get("more_body", False)
        body = b"".join(chunks)
        query = tuple(parse_qsl(scope["query_string"].decode(), keep_blank_values=True))
        headers = tuple((key.decode("latin-1"), value.decode("latin-1")) for key, value in scope["headers"])
        answer = answer_to(self.url, scope["method"], scope["path"], query, headers, body)
        if self.refusal is not None and answer.endpoint not in NEEDED_FIRST:
            answer = self.refusal
        if self.changed is not None and answer.endpoint == self.changed[0]:
            # 204 has no body: one in spite of it breaks the connection for what comes next.
            status = 200 if answer.status == 204 else answer.status
            answer = attrs.evolve(answer, content=self.changed[1], status=status)
        self.journal.append(Exchange(scope["method"], scope["path"], query, headers, body, answer))
        content = answer.content
        answered = [(b"content-length", str(len(content)).encode())]
        if content:
            answered.append((b"content-type", b"application/json"))
        answered.extend((key.encode(), value.encode()) for key, value in answer.headers)
        await send({"type": "http.response.start", "status": answer.status, "headers": answered})
        await send({"type": "http.response.body", "body": content})
