"""`picsellia-async doctor`: well, and with one thing wrong at a time."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from importlib.util import find_spec

import pytest
import trustme

from picsellia_async.cli.checks import Examination, Level
from picsellia_async.emulator import Emulator, Fault

pytestmark = pytest.mark.anyio

UNSET = ("PICSELLIA_", "SSL_CERT", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


def environment(**more):
    kept = {name: value for name, value in os.environ.items() if not name.upper().startswith(UNSET)}
    return kept | {name: str(value) for name, value in more.items()}


async def doctor(*arguments, **variables):
    """Run the command, its steps without haste; return exit code and stdout."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-W", "error", "-m", "picsellia_async.cli", "doctor", "--timeout", "300", *arguments,
        env=environment(**variables), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    out, err = await process.communicate()
    assert err == b""
    for name, value in variables.items():
        if name == "PICSELLIA_TOKEN":
            assert str(value) not in out.decode()
    return process.returncode, out.decode()


def levels(out):
    return {check["name"]: check["level"] for check in json.loads(out)["checks"]}


async def test_all_is_well(emulator):
    """Every check in order, a line each; exit code 0; the token is nowhere."""
    variables = {"PICSELLIA_TOKEN": emulator.api_token, "PICSELLIA_HOST": emulator.url}
    code, out = await doctor("--deployment", emulator.deployment_id, **variables)
    assert code == 0
    lines = out.splitlines()
    assert [line[8:].partition(":")[0] for line in lines] == [
        "settings", "token", "host", "proxy", "name", "tcp", "ping", "user", "clock", "organization", "deployments",
        "deployment", "monitoring", "serving",
    ]  # fmt: skip
    assert all(line.startswith("ok      ") for line in lines)
    code, out = await doctor("--json", **variables)
    assert (code, json.loads(out)["ok"]) == (0, True)


async def test_nothing_is_set():
    """No token, and a host that is not there: both are said, with what to do."""
    code, out = await doctor("--host", "http://127.0.0.1:9")
    assert code == 1
    assert "failed  token: PICSELLIA_TOKEN is not set\n        -> set PICSELLIA_TOKEN" in out
    assert "failed  tcp: http://127.0.0.1:9: " in out


async def test_a_wrong_token(emulator):
    """The platform answers, the token is refused."""
    code, out = await doctor("--json", PICSELLIA_TOKEN="nonsense", PICSELLIA_HOST=emulator.url)
    assert (code, levels(out)["user"], levels(out)["tcp"]) == (1, "failed", "ok")
    code, out = await doctor("--json", PICSELLIA_TOKEN="two words", PICSELLIA_HOST=emulator.url)
    assert (code, levels(out)["token"]) == (1, "failed")


@pytest.mark.parametrize("host", ["ftp://x", "https://user:geheim@"])
async def test_a_host_that_is_no_address(host):
    """Refused before anything is tried; a password in it is not shown."""
    code, out = await doctor(PICSELLIA_TOKEN="t0ken", PICSELLIA_HOST=host)
    assert code == 1
    assert "failed  host: " in out
    assert "geheim" not in out


async def test_a_name_that_nobody_has():
    """The name is what fails, with advice."""
    code, out = await doctor("--json", PICSELLIA_TOKEN="t0ken", PICSELLIA_HOST="https://nowhere.invalid")
    assert (code, levels(out)["name"]) == (1, "failed")


async def test_a_host_that_does_not_answer():
    """A full backlog: SYNs are dropped, and the step ends after the timeout that was given."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        held = []
        for _ in range(4):
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
            held.append(one)
        code, out = await doctor(
            "--json", "--timeout", "2", PICSELLIA_TOKEN="t0ken", PICSELLIA_HOST=f"http://127.0.0.1:{port}"
        )
        for one in held:
            one.close()
    assert (code, levels(out)["tcp"]) == (1, "failed")


async def test_tls(tmp_path):
    """Trusted by SSL_CERT_FILE: ok; not trusted: failed, with the variable in the advice; a host of another name: failed."""
    authority = trustme.CA(organization_name="Plant CA")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    certificate = authority.issue_cert("localhost")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    with Emulator.run_in_thread(tls=(tmp_path / "cert.pem", tmp_path / "key.pem")) as emulator:
        variables = {"PICSELLIA_TOKEN": emulator.api_token, "PICSELLIA_HOST": f"https://localhost:{emulator.port}"}
        code, out = await doctor(
            "--deployment", emulator.deployment_name, SSL_CERT_FILE=tmp_path / "ca.pem", **variables
        )
        assert code == 0, out
        assert "certificate of 'Plant CA', valid until" in out
        code, out = await doctor(**variables)
        assert code == 1
        assert "failed  tls: the certificate is not trusted" in out
        assert "SSL_CERT_FILE" in out
        variables["PICSELLIA_HOST"] = emulator.url
        code, out = await doctor("--json", SSL_CERT_FILE=tmp_path / "ca.pem", **variables)
        assert (code, levels(out)["tls"]) == (1, "failed")


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
async def test_certificates_that_are_not_there(emulator, name):
    """The variable is what fails, with its name and what to do; not the port, not a firewall."""
    variables = {"PICSELLIA_TOKEN": "t0ken", "PICSELLIA_HOST": emulator.url.replace("http", "https"), name: "/no/where"}
    code, out = await doctor(**variables)
    assert code == 1
    assert (
        f"failed  tls: {name} names certificates that are not there: '/no/where'\n        -> correct the variable"
        in out
    )
    assert f"{name}=/no/where" in out.splitlines()[0]


async def test_https_for_a_plain_port(emulator):
    """A host that does not speak TLS: what fails is the handshake, and the advice asks for http."""
    code, out = await doctor(PICSELLIA_TOKEN="t0ken", PICSELLIA_HOST=emulator.url.replace("http", "https"))
    assert code == 1
    assert out.splitlines()[-2].startswith("failed  tls: ")
    assert out.splitlines()[-1].endswith("is it http://?")


async def test_a_skewed_clock(emulator, monkeypatch):
    """The platform's Date header is compared with this machine's clock."""
    for name in os.environ:
        if name.upper().startswith(UNSET):
            monkeypatch.delenv(name)
    for skew, level, word in (
        (0, Level.OK, "within"),
        (3600, Level.FAILED, "ahead of"),
        (-3600, Level.FAILED, "behind"),
    ):
        shown = []
        checks = await Examination(
            emulator.api_token, emulator.url, None, 5.0, shown.append, lambda skew=skew: time.time() + skew
        ).run()
        (clock,) = [check for check in checks if check.name == "clock"]
        assert clock.level is level
        assert word in clock.detail
        assert shown == checks


async def test_a_proxy_is_named_without_its_password(emulator):
    """Which proxy is used is said, or that NO_PROXY keeps it out."""
    variables = {"PICSELLIA_TOKEN": emulator.api_token, "PICSELLIA_HOST": emulator.url}
    proxy = "http://me:geheim@127.0.0.1:9"
    code, out = await doctor(HTTP_PROXY=proxy, **variables)
    assert code == 1
    assert "proxy: http://127.0.0.1:9 is used" in out
    assert "geheim" not in out
    assert "failed  ping: " in out
    code, out = await doctor(HTTP_PROXY=proxy, NO_PROXY="127.0.0.1", **variables)
    assert code == 0
    assert "NO_PROXY" in out


async def test_deployments_and_their_hosts(emulator):
    """A name that is not there, and a monitoring host that refuses the sign-in."""
    variables = {"PICSELLIA_TOKEN": emulator.api_token, "PICSELLIA_HOST": emulator.url}
    code, out = await doctor("--json", "--deployment", "nowhere", **variables)
    assert (code, levels(out)["deployment"]) == (1, "failed")
    emulator.faults.add(Fault(kind="status", endpoint="oracle_login", status=401))
    code, out = await doctor("--json", "--deployment", emulator.deployment_name, **variables)
    assert (code, levels(out)["monitoring"], levels(out)["serving"]) == (1, "failed", "ok")


async def test_an_organization_that_is_not_ours(emulator):
    """The variable that names it is in the advice."""
    code, out = await doctor(
        PICSELLIA_TOKEN=emulator.api_token, PICSELLIA_HOST=emulator.url, PICSELLIA_ORGANIZATION_NAME="other"
    )
    assert code == 1
    assert "failed  organization: " in out
    assert "PICSELLIA_ORGANIZATION" in out


async def test_an_organization_that_is_no_id(emulator):
    """What the client itself refuses is a check that failed, in the JSON too."""
    code, out = await doctor(
        "--json",
        PICSELLIA_TOKEN=emulator.api_token,
        PICSELLIA_HOST=emulator.url,
        PICSELLIA_ORGANIZATION_ID="nonsense",
    )
    assert (code, levels(out)["organization"], levels(out)["user"]) == (1, "failed", "ok")


NEEDS_SOCKSIO = pytest.mark.skipif(find_spec("socksio") is not None, reason="socksio is installed")


@pytest.mark.parametrize(
    ("proxy", "advice"),
    [
        ("ftp://me:geheim@127.0.0.1:9", "http, https, socks5"),
        pytest.param("socks5://me:geheim@127.0.0.1:9", "httpx[socks]", marks=NEEDS_SOCKSIO),
    ],
)
async def test_a_proxy_that_cannot_be_used(emulator, proxy, advice):
    """Its kind is refused with what to do, without its password, and nothing more is tried."""
    code, out = await doctor(HTTP_PROXY=proxy, PICSELLIA_TOKEN=emulator.api_token, PICSELLIA_HOST=emulator.url)
    assert code == 1
    assert out.splitlines()[-2].startswith("failed  proxy: ")
    assert advice in out.splitlines()[-1]
    assert "geheim" not in out


async def test_bad_usage():
    """A timeout that is none: exit code 2."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "picsellia_async.cli",
        "doctor",
        "--timeout",
        "0",
        env=environment(),
        stderr=subprocess.PIPE,
    )
    _, err = await process.communicate()
    assert (process.returncode, b"--timeout" in err) == (2, True)
