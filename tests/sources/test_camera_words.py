"""What a camera says of a sign-in that it refuses: shown, without the password that it repeats."""

from __future__ import annotations

import asyncio
import base64

import pytest

from picsellia_async.sources import SourceError
from picsellia_async.sources._camera_http import answer_of

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("user", "target", "reason", "shown"),
    [
        ("admin:hunter2-long", "/live", "wrong password hunter2-long", "HTTP 403 wrong password ***"),
        ("admin:p%40ss%2Fw0rd", "/live", "no p@ss/w0rd here", "HTTP 403 no *** here"),
        ("admin:ebenholz", "/live", base64.b64encode(b"admin:ebenholz").decode(), "HTTP 403 ***"),
        ("admin:", "/live?pwd=w0rd-of-it", "w0rd-of-it is unknown", "HTTP 403 *** is unknown"),
        (
            "admin:",
            "/a?channel=1&loginpas=w0rd-of-it",
            "GET /a?channel=1&loginpas=w0rd-of-it",
            "HTTP 403 GET /a?***&***",
        ),
        ("admin:", "/a?k=caf%C3%A9s", "wrong: caf%C3%A9s", "HTTP 403 wrong: ***"),
        ("admin:", "/a?p=xyz", "bad p=xyz given", "HTTP 403 bad *** given"),
        ("admin:hunter2-long", "/live", "Forbidden", "HTTP 403 Forbidden"),
    ],
)
async def test_a_password_that_a_camera_repeats_is_hidden(user, target, reason, shown):
    """Known by its value, from the address: quoted or not, in its path or query too."""

    async def refuse(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 403 {reason}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(SourceError) as caught:
            await asyncio.to_thread(answer_of, f"http://{user}@127.0.0.1:{port}{target}", "the camera", 10)
    assert str(caught.value) == f"cannot open 'the camera' as a video: {shown}"
