"""Real servers, in processes of their own."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from .peers import Certificate

APP = '''
import asyncio, hashlib

async def app(scope, receive, send):
    """ASGI: what the tests ask of a real server."""
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    path = scope["path"]
    digest, size = hashlib.sha256(), 0
    while True:
        message = await receive()
        digest.update(message.get("body", b""))
        size += len(message.get("body", b""))
        if not message.get("more_body"):
            break
    if path.startswith("/status/"):
        status = int(path.rpartition("/")[2])
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})
    elif path.startswith("/chunks/"):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for number in range(int(path.rpartition("/")[2])):
            await send({"type": "http.response.body", "body": b"%d," % number, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    else:
        body = b"%s %s %d %s" % (scope["method"].encode(), path.encode(), size, digest.hexdigest().encode())
        headers = [(b"content-length", b"%d" % len(body)), (b"content-type", b"text/plain")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
'''


AIOHTTP = """
import hashlib, ssl, sys
from aiohttp import web

async def handle(request):
    path = request.path
    digest, size = hashlib.sha256(), 0
    async for chunk in request.content.iter_any():
        digest.update(chunk)
        size += len(chunk)
    if path.startswith("/status/"):
        return web.Response(status=int(path.rpartition("/")[2]))
    if path.startswith("/chunks/"):
        response = web.StreamResponse()
        response.enable_chunked_encoding()
        await response.prepare(request)
        for number in range(int(path.rpartition("/")[2])):
            await response.write(b"%d," % number)
        await response.write_eof()
        return response
    return web.Response(body=b"%s %s %d %s" % (request.method.encode(), path.encode(), size, digest.hexdigest().encode()))

app = web.Application(client_max_size=1 << 30)
app.router.add_route("*", "/{tail:.*}", handle)
context = None
if len(sys.argv) > 2:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(sys.argv[2], sys.argv[3])
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), ssl_context=context, print=None, handle_signals=True)
"""


NGINX = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    keepalive_timeout 30;
    keepalive_requests 50;
    client_max_body_size 1m;
    server {{
        listen 127.0.0.1:{port} {tls};
        {certificate}
        root {folder};
        location / {{ return 200 "$request_method $uri $content_length"; }}
        location /files/ {{ alias {folder}/files/; gzip on; gzip_min_length 10; gzip_types text/plain; }}
        location /status/204 {{ return 204; }}
        location /status/404 {{ return 404; }}
        location /close {{ keepalive_timeout 0; return 200 "bye"; }}
        location /upload {{ limit_rate 10m; dav_methods PUT; alias {folder}/files/; }}
    }}
}}
"""


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def wait_for_port(port: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until a server listens."""
    give_up = time.monotonic() + 20
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        if process.poll() is not None or time.monotonic() > give_up:
            raise RuntimeError(f"the server did not start: {process.args!r}")
        time.sleep(0.02)


@contextlib.contextmanager
def running(command: list[str], port: int, folder: Path) -> Iterator[None]:
    """Run a server until the block ends."""
    with (folder / f"log-{port}").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
        try:
            wait_for_port(port, process)
            yield
        finally:
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def server_command(kind: str, port: int, folder: Path, certificate: Certificate | None) -> list[str] | None:
    """Return the command that starts a real server; None if its program is not installed."""
    files = [str(certificate.chain), str(certificate.key)] if certificate else []
    (folder / "app.py").write_text(APP)
    if kind == "uvicorn":
        tls = ["--ssl-certfile", files[0], "--ssl-keyfile", files[1]] if files else []
        return [sys.executable, "-m", "uvicorn", "app:app", "--port", str(port), "--log-level", "warning", *tls]
    if kind == "hypercorn":
        tls = ["--certfile", files[0], "--keyfile", files[1]] if files else []
        if not _has("hypercorn"):
            return None
        return [sys.executable, "-m", "hypercorn", "app:app", "--bind", f"127.0.0.1:{port}", *tls]
    if kind == "aiohttp":
        (folder / "server.py").write_text(AIOHTTP)
        return [sys.executable, "server.py", str(port), *files]
    return _nginx(port, folder, files)


def _nginx(port: int, folder: Path, files: list[str]) -> list[str] | None:
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        return None
    (folder / "files").mkdir(exist_ok=True)
    (folder / "files" / "large").write_bytes(bytes(range(256)) * 4096)
    (folder / "files" / "text.txt").write_text("line\n" * 2000)
    lines = f"ssl_certificate {files[0]}; ssl_certificate_key {files[1]};" if files else ""
    text = NGINX.format(folder=folder, port=port, tls="ssl" if files else "", certificate=lines)
    if _is_root():
        text = "user root;\n" + text
    (folder / "nginx.conf").write_text(text)
    return [program, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")]


def _is_root() -> bool:
    return os.geteuid() == 0


def _has(module: str) -> bool:
    import importlib.util

    return importlib.util.find_spec(module) is not None
